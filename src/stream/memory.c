#include "stream/memory.h"

static struct channel *largest(const struct registry *registry)
{
    struct channel *largest = TAILQ_FIRST(&registry->channels), *channel;

    TAILQ_FOREACH (channel, &registry->channels, link)
        if (channel->memory_bytes > largest->memory_bytes)
            largest = channel;
    return largest;
}

static void forget_oldest(struct hub_state *hub, struct channel *channel)
{
    size_t before = channel->memory_bytes;

    channel_forget_oldest(channel);
    hub->stats.memory_bytes -= before - channel->memory_bytes;
    hub->drops++;
}

void memory_keep(struct registry *registry, struct channel *channel, struct event *event)
{
    struct hub_state *hub = registry->hub;
    size_t before = channel->memory_bytes;

    if (channel_remember(channel, event) < 0)
        memory_forget_up_to(registry, channel, event->number);
    else
        hub->stats.memory_bytes += channel->memory_bytes - before;
    while (channel->memory_bytes > hub->options.channel_memory_bytes)
        forget_oldest(hub, channel);
}

void memory_bound(struct registry *registry)
{
    struct hub_state *hub = registry->hub;
    size_t half = hub->options.memory_bytes / 2;
    struct feed *feed;

    /* Each pass halves what waits in feeds, so that one is enough for a long time. */
    while (hub->stats.feed_bytes > half)
        TAILQ_FOREACH (feed, &registry->feeds, link)
            feed_halve_log(feed);
    /* Whoever remembers most gives way, so that a busy channel does not wipe out the quiet ones. */
    while (hub->stats.memory_bytes > hub->options.memory_bytes - hub->stats.feed_bytes)
        forget_oldest(hub, largest(registry));
}

void memory_forget_up_to(struct registry *registry, struct channel *channel, uint64_t number)
{
    while (channel->ring_count > 0)
        forget_oldest(registry->hub, channel);
    channel->since = number;
    channel->durable_since = registry->hub->now.durable.number;
    registry->hub->drops++;
}
