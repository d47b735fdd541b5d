/* The feeds that read one channel, so arranged that an event meets only those that may want it: a feed that asks for
 * certain ids is found by the event's id, and thousands of those cost an event nothing. */
#pragma once

#include "base/text_tree.h"
#include "stream/event.h"

#include <stddef.h>

struct feed;

struct feed_array {
    struct feed **items; /* lent */
    size_t count;
};

struct audience {
    struct feed_array general; /* those without ids */
    struct text_tree by_id;    /* of struct audience_of_id */
    size_t id_count;
};

/* ids and id_count are the feed's; the same must be given at both times. Returns 0 or -ENOMEM: then nothing changed. */
int audience_add(struct audience *audience, struct feed *feed, char *const *ids, size_t id_count);
void audience_remove(struct audience *audience, struct feed *feed, char *const *ids, size_t id_count);

/* Those that ask for that id. Lent until the audience changes. */
struct feed_array audience_of(const struct audience *audience, const char *id);

void audience_done(struct audience *audience); /* there must be no feeds left */

/* The feeds that have no ids, and those that ask for this event's. Lent until the audience changes. */
void audience_find(const struct audience *audience, const struct event *event, struct feed_array ret_arrays[2]);
