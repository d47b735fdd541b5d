/* The hub's channels, found by name, and its feeds, found by what they select. */
#pragma once

#include "base/text_tree.h"
#include "stream/feed.h"

struct registry {
    struct hub_state *hub;
    struct channel_list channels;
    struct feed_list feeds;
    struct text_tree channels_by_name;
    struct text_tree feeds_by_key;
};

void registry_init(struct registry *registry, struct hub_state *hub);
void registry_done(struct registry *registry); /* frees all feeds, with their subscribers, and all channels */

struct channel *registry_channel(const struct registry *registry, const char *name); /* NULL: unknown */

/* The feed of that selection; made if there is none, and so are its channels, which are then wanted from the
 * database. Takes the contents of selection when it makes a feed. NULL when out of memory. */
struct feed *registry_obtain_feed(struct registry *registry, struct selection *selection);

void registry_remove_feed(struct registry *registry, struct feed *feed);

/* The channel must have no feeds; it is not wanted from the database any more. */
void registry_remove_channel(struct registry *registry, struct channel *channel);
