#include "stream/channel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RING_CAPACITY_MIN = 16 };

struct channel *channel_new(const char *name)
{
    struct channel *channel = calloc(1, sizeof(*channel));

    if (!channel)
        return NULL;
    channel->name = strdup(name);
    if (!channel->name) {
        free(channel);
        return NULL;
    }
    return channel;
}

void channel_free(struct channel *channel)
{
    if (!channel)
        return;
    assert(channel->feed_count == 0);
    while (channel->ring_count > 0)
        channel_forget_oldest(channel);
    free(channel->ring);
    free(channel->feeds);
    audience_done(&channel->audience);
    free(channel->name);
    free(channel);
}

static struct event **slot(const struct channel *channel, size_t index)
{
    return &channel->ring[(channel->ring_first + index) & (channel->ring_capacity - 1)];
}

static int grow(struct channel *channel)
{
    size_t capacity = channel->ring_capacity ? channel->ring_capacity * 2 : RING_CAPACITY_MIN;
    struct event **ring = malloc(capacity * sizeof(*ring));

    if (!ring)
        return -ENOMEM;
    for (size_t i = 0; i < channel->ring_count; i++)
        ring[i] = *slot(channel, i);
    free(channel->ring);
    channel->ring = ring;
    channel->ring_capacity = capacity;
    channel->ring_first = 0;
    return 0;
}

int channel_remember(struct channel *channel, struct event *event)
{
    assert(channel->ring_count == 0 || (*slot(channel, channel->ring_count - 1))->number < event->number);
    assert(event->number > channel->since);
    if (channel->ring_count == channel->ring_capacity && grow(channel) < 0)
        return -ENOMEM;
    channel->ring_count++;
    *slot(channel, channel->ring_count - 1) = event_ref(event);
    channel->memory_bytes += event_size_bytes(event);
    return 0;
}

void channel_forget_oldest(struct channel *channel)
{
    if (channel->ring_count == 0)
        return;
    struct event *oldest = *slot(channel, 0);
    channel->since = oldest->number;
    channel->durable_since = oldest->durable.number;
    channel->memory_bytes -= event_size_bytes(oldest);
    channel->ring_first = (channel->ring_first + 1) & (channel->ring_capacity - 1);
    channel->ring_count--;
    event_unref(oldest);
}

/* The first event whose number, or durable number, is above the one given: both rise along the ring. */
static struct event *next_above(const struct channel *channel, uint64_t number, bool durable)
{
    size_t low = 0, high = channel->ring_count; /* the answer's index is in [low, high] */

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct event *event = *slot(channel, middle);
        if ((durable ? event->durable.number : event->number) > number)
            high = middle;
        else
            low = middle + 1;
    }
    return low < channel->ring_count ? *slot(channel, low) : NULL;
}

struct event *channel_next(const struct channel *channel, uint64_t number)
{
    return next_above(channel, number, false);
}

struct event *channel_next_durable(const struct channel *channel, uint64_t durable_number)
{
    return next_above(channel, durable_number, true);
}

bool channel_is_ready(const struct channel *channel)
{
    return channel->durable ? channel->included : channel->listening;
}

int channel_add_feed(struct channel *channel, struct feed *feed, char *const *ids, size_t id_count)
{
    struct feed **feeds = realloc(channel->feeds, (channel->feed_count + 1) * sizeof(struct feed *));

    if (!feeds)
        return -ENOMEM;
    channel->feeds = feeds;
    if (audience_add(&channel->audience, feed, ids, id_count) < 0)
        return -ENOMEM;
    feeds[channel->feed_count++] = feed;
    return 0;
}

void channel_remove_feed(struct channel *channel, struct feed *feed, char *const *ids, size_t id_count)
{
    for (size_t i = 0; i < channel->feed_count; i++) {
        if (channel->feeds[i] == feed) {
            channel->feeds[i] = channel->feeds[--channel->feed_count];
            audience_remove(&channel->audience, feed, ids, id_count);
            return;
        }
    }
}
