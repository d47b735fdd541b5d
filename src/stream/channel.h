/* A channel and its memory: the last events, so that a client that comes back gets what it missed.
 *
 *       since                          newest
 *         |  events, numbers rising      |
 *   ------+------------------------------+---->  numbers of the hub
 *
 * Of everything numbered above `since` the channel holds all that happened on it; about what is numbered
 * `since` or below it knows nothing. The channel does not know its readers; each keeps the number it saw
 * last. */
#pragma once

#include "stream/audience.h"
#include "stream/event.h"
#include "stream/row_axes.h"
#include "stream/selection.h"

#include <stdbool.h>
#include <sys/queue.h>

struct feed;

struct channel {
    char *name;
    bool listening; /* LISTEN is in force: all that is committed from now on arrives */
    bool durable;   /* its events come from the log, and not from LISTEN */
    bool included;  /* durable, and read from the log: all that comes after this moment arrives */
    bool turned; /* it became durable, or is that no more, and its streams do not know yet what they may have missed */
    bool told_ignored; /* the log says that NOTIFYs come on the name of a durable channel */
    uint64_t since;
    uint64_t durable_since;  /* the same, among durable numbers; for a durable channel this one counts */
    int64_t unused_since_ms; /* when its last feed left; meaningless while there are feeds */

    struct event **ring; /* capacity is a power of two; the oldest event is at `first` */
    size_t ring_capacity, ring_first, ring_count;
    size_t memory_bytes; /* of the events that the ring holds */

    uint64_t published; /* events, since the gateway knows the channel */

    struct feed **feeds; /* those that read this channel; lent */
    size_t feed_count;
    struct audience audience; /* the same, found by what they want, */
    struct row_axes axes;     /* or by which rows they may see */

    TAILQ_ENTRY(channel) link;
};

TAILQ_HEAD(channel_list, channel);

struct channel *channel_new(const char *name); /* copies name; NULL when out of memory */
void channel_free(struct channel *channel);    /* NULL is fine; there must be no feeds left */

/* Keeps its own reference; event->number must be above all before. Returns 0 or -ENOMEM: then nothing
 * changed. */
int channel_remember(struct channel *channel, struct event *event);

/* Drops the oldest event; `since` moves up to its number. Does nothing without events. */
void channel_forget_oldest(struct channel *channel);

/* Lends the first event numbered above number; NULL when there is none. */
struct event *channel_next(const struct channel *channel, uint64_t number);
/* Lends the first event that stands behind a durable number; all of the channel's are durable, or older than those. */
struct event *channel_next_durable(const struct channel *channel, uint64_t durable_number);

/* All that is needed for its streams to begin is in force. */
bool channel_is_ready(const struct channel *channel);

/* selection is the feed's, the same at both times. 0, or -ENOMEM: then nothing changed. */
int channel_add_feed(struct channel *channel, struct feed *feed, const struct selection *selection);
void channel_remove_feed(struct channel *channel, struct feed *feed, const struct selection *selection);

/* Calls meet for each feed that may want the event, and maybe for others. It must not change the channel's feeds. */
void channel_each_reader(const struct channel *channel, const struct event *event,
                         void (*meet)(struct feed *feed, const struct event *event));
