/* The hub itself: for hub.c and the files that hold its other parts (durable.c, publish.c, farewell.c). */
#pragma once

#include "stream/hub_state.h"
#include "stream/registry.h"
#include "stream/statement.h"

struct hub {
    struct hub_state state;
    struct registry registry;
    struct loop_timer tick;
    struct loop_timer farewell; /* while streams are being ended */
    int64_t farewells_end_ms;   /* when the last of them is */
    bool outage_unmarked;       /* the connection was lost, and nothing has come since */
    struct statement statement; /* whose rows may come next */
    struct text_list wanted;    /* of the tick that is being published: names lent by the channels */
};

void hub_on_farewell(struct loop_timer *timer);

/* Starts the subscribers of a feed that have waited for its channels. */
void hub_open_waiting(struct feed *feed);

/* Puts the outage, once, into every live channel's memory and feeds, in front of the first event that comes after it:
 * so that who comes back later is told of it in its place. */
void hub_mark_outage(struct hub *hub);

/* Passes an event on that has everything but its number, and drops the reference. */
void hub_pass_on(struct hub *hub, struct channel *channel, struct event *event);
/* An event that cannot be passed on: whoever reads the channel is told that something is missing. */
void hub_lose_event(struct hub *hub, struct channel *channel, const char *why);

/* Durable channels that nobody read so far join, unless a tick is being published. */
void hub_include_channels(struct hub *hub);

/* Tells streams of durable channels whether these are read, if that is news to them. */
void hub_tell_durable(struct hub *hub);
