#include "stream/registry.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES_MAX = 1 << 20 };

void registry_init(struct registry *registry, struct hub_state *hub)
{
    *registry = (struct registry){.hub = hub};
    TAILQ_INIT(&registry->channels);
    TAILQ_INIT(&registry->feeds);
}

static void free_channel(struct registry *registry, struct channel *channel)
{
    text_tree_remove(&registry->channels_by_name, channel);
    TAILQ_REMOVE(&registry->channels, channel, link);
    registry->hub->stats.channels--;
    registry->hub->stats.memory_bytes -= channel->memory_bytes;
    channel_free(channel);
}

void registry_done(struct registry *registry)
{
    while (!TAILQ_EMPTY(&registry->feeds))
        registry_remove_feed(registry, TAILQ_FIRST(&registry->feeds));
    while (!TAILQ_EMPTY(&registry->channels))
        free_channel(registry, TAILQ_FIRST(&registry->channels));
}

struct channel *registry_channel(const struct registry *registry, const char *name)
{
    return text_tree_find(&registry->channels_by_name, name);
}

static struct channel *obtain_channel(struct registry *registry, const char *name)
{
    struct hub_state *hub = registry->hub;
    struct channel *channel = registry_channel(registry, name);

    if (channel)
        return channel;
    channel = channel_new(name);
    if (!channel || !text_tree_add(&registry->channels_by_name, channel)) {
        channel_free(channel);
        return NULL;
    }
    channel->unused_since_ms = loop_turn_ms(hub->loop);
    channel->durable = text_list_has(&hub->durable_names, name);
    hub->to_include |= channel->durable;
    TAILQ_INSERT_TAIL(&registry->channels, channel, link);
    hub->stats.channels++;
    hub->options.on_channel_wanted(hub->options.context, channel->name, true);
    return channel;
}

static struct feed *create_feed(struct registry *registry, char *key, struct selection *selection)
{
    size_t count = selection->channels.count;
    struct channel **channels = calloc(count, sizeof(struct channel *));
    struct feed *feed = NULL;
    size_t i = 0;

    while (channels && i < count && (channels[i] = obtain_channel(registry, selection->channels.items[i])))
        i++;
    if (channels && i == count)
        feed = feed_new(registry->hub, key, selection, channels);
    free(channels);
    if (!feed)
        return NULL;
    if (!text_tree_add(&registry->feeds_by_key, feed)) {
        feed->key = NULL; /* stays the caller's */
        feed_free(feed);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&registry->feeds, feed, link);
    return feed;
}

struct feed *registry_obtain_feed(struct registry *registry, struct selection *selection)
{
    struct buffer key;
    struct feed *feed = NULL;

    buffer_init(&key, KEY_BYTES_MAX);
    selection_key(selection, &key);
    const char *text = buffer_text(&key);
    if (text) {
        feed = text_tree_find(&registry->feeds_by_key, text);
        char *copy = feed ? NULL : strdup(text);
        if (copy && !(feed = create_feed(registry, copy, selection)))
            free(copy);
    }
    buffer_done(&key);
    return feed;
}

void registry_remove_feed(struct registry *registry, struct feed *feed)
{
    text_tree_remove(&registry->feeds_by_key, feed);
    TAILQ_REMOVE(&registry->feeds, feed, link);
    feed_free(feed);
}

void registry_remove_channel(struct registry *registry, struct channel *channel)
{
    struct hub_options *options = &registry->hub->options;

    options->on_channel_wanted(options->context, channel->name, false);
    free_channel(registry, channel);
}
