/* What comes from the database, on its way to channels and feeds. */
#include "base/log.h"
#include "stream/decode.h"
#include "stream/hub_own.h"
#include "stream/memory.h"

#include <errno.h>
#include <string.h>

void hub_lose_event(struct hub *hub, struct channel *channel, const char *why)
{
    hub->state.stats.events_rejected++;
    log_error("event lost", log_text("channel", channel->name), log_text("why", why));
    memory_forget_up_to(&hub->registry, channel, ++hub->state.now.number);
    for (size_t i = 0; i < channel->feed_count; i++)
        feed_fall_behind(channel->feeds[i]);
}

void hub_mark_outage(struct hub *hub)
{
    const struct event_parts parts = {.type = EVENT_TYPE_OUTAGE, .json = "", .json_bytes = 0};
    struct event *event;
    struct channel *channel;
    struct feed *feed;

    if (!hub->outage_unmarked)
        return;
    loop_doing(hub->state.loop, "telling streams of an outage");
    hub->outage_unmarked = false;
    uint64_t number = ++hub->state.now.number;
    event = event_new(&parts);
    if (event) {
        event->number = number;
        event->durable = hub->state.now.durable;
    }
    TAILQ_FOREACH (channel, &hub->registry.channels, link) {
        if (channel->durable)
            continue; /* what it missed is in the log */
        if (channel->listening && event)
            memory_keep(&hub->registry, channel, event);
        else if (channel->listening)
            memory_forget_up_to(&hub->registry, channel, number);
    }
    TAILQ_FOREACH (feed, &hub->registry.feeds, link) {
        if (!(feed->axes & AXIS_LIVE))
            continue;
        if (event)
            feed_append_event(feed, event);
        else
            feed_fall_behind(feed);
    }
    event_unref(event);
}

void hub_pass_on(struct hub *hub, struct channel *channel, struct event *event)
{
    event->number = ++hub->state.now.number;
    event->received_us = loop_clock_us();
    hub->state.stats.events_published++;
    channel->published++;
    memory_keep(&hub->registry, channel, event);
    channel_each_reader(channel, event, feed_append_event);
    memory_bound(&hub->registry);
    event_unref(event);
}

/* Whoever can connect to the database plays the trigger of a durable channel, or there is a live one beside it. */
static void ignore(struct hub *hub, struct channel *channel)
{
    hub->state.stats.notifications_ignored++;
    if (channel->told_ignored)
        return;
    channel->told_ignored = true;
    log_warn("notifications are ignored", log_text("channel", channel->name),
             log_text("reason", "the channel is durable, and its events come from the log alone"));
}

void hub_publish(struct hub *hub, const char *channel_name, const char *payload, size_t payload_bytes, int sender)
{
    struct channel *channel = registry_channel(&hub->registry, channel_name);
    struct event *event;

    /* Before anything else: a stream of this channel may begin before its rows come. */
    if (statement_begin(&hub->statement, sender, payload, payload_bytes))
        return;
    /* Its last stream has left meanwhile, or its LISTEN is not confirmed yet. */
    if (!channel || !channel->listening)
        return;
    if (channel->durable) {
        ignore(hub, channel);
        return;
    }
    hub_mark_outage(hub); /* the connection is new, and LISTEN in force again, before it is known to be up */
    struct json_slice whole = {payload, payload_bytes};
    int error = 0;
    if (statement_is_row(payload, payload_bytes))
        error = statement_expand(&hub->statement, sender, payload, payload_bytes, &whole);
    if (error == 0)
        error = decode_payload(channel_name, whole.text, whole.size_bytes, &event);
    if (error < 0) {
        hub_lose_event(hub, channel,
                       error == -ENOENT    ? "a row whose statement is not known"
                       : error == -EBADMSG ? "a row with more or fewer values than its statement has columns"
                                           : strerror(-error));
        return;
    }
    event->durable = hub->state.now.durable;
    hub_pass_on(hub, channel, event);
}
