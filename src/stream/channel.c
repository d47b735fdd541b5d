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
    row_axes_done(&channel->axes);
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

/* Where the feed is to be found: by the ids that it asks for, by the rows that it may see, or by every event. */
static struct row_axis *axis_of(struct channel *channel, const struct selection *selection)
{
    return selection->ids.count == 0 && selection->where.count > 0 ? row_axes_of(&channel->axes, &selection->where)
                                                                   : NULL;
}

int channel_add_feed(struct channel *channel, struct feed *feed, const struct selection *selection)
{
    struct feed **feeds = realloc(channel->feeds, (channel->feed_count + 1) * sizeof(struct feed *));
    int error = 0;

    if (!feeds)
        return -ENOMEM;
    channel->feeds = feeds;
    if (selection->where.count > 0)
        error = row_axes_prepare(&channel->axes, &selection->where);
    struct row_axis *axis = axis_of(channel, selection);
    const struct text_list *keys = axis ? &selection->where.items[0].values : &selection->ids;
    if (error == 0)
        error = audience_add(axis ? &axis->audience : &channel->audience, feed, keys->items, keys->count);
    if (error == 0)
        feeds[channel->feed_count++] = feed;
    return error;
}

void channel_remove_feed(struct channel *channel, struct feed *feed, const struct selection *selection)
{
    struct row_axis *axis = axis_of(channel, selection);
    const struct text_list *keys = axis ? &selection->where.items[0].values : &selection->ids;

    for (size_t i = 0; i < channel->feed_count; i++) {
        if (channel->feeds[i] == feed) {
            channel->feeds[i] = channel->feeds[--channel->feed_count];
            audience_remove(axis ? &axis->audience : &channel->audience, feed, keys->items, keys->count);
            return;
        }
    }
}

static void meet_all(struct feed_array feeds, const struct event *event,
                     void (*meet)(struct feed *feed, const struct event *event))
{
    for (size_t i = 0; i < feeds.count; i++)
        meet(feeds.items[i], event);
}

void channel_each_reader(const struct channel *channel, const struct event *event,
                         void (*meet)(struct feed *feed, const struct event *event))
{
    struct feed_array readers[2];

    /* It has no row, and is for everybody. */
    if (event->type == EVENT_TYPE_TRUNCATE) {
        meet_all((struct feed_array){channel->feeds, channel->feed_count}, event, meet);
        return;
    }
    audience_find(&channel->audience, event, readers);
    meet_all(readers[0], event, meet);
    meet_all(readers[1], event, meet);
    for (size_t i = 0; i < ROW_AXES_MAX; i++)
        meet_all(row_axis_find(&channel->axes.items[i], event), event, meet);
}
