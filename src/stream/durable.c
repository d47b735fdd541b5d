#include "stream/durable.h"

#include "base/log.h"
#include "stream/catch_up.h"
#include "stream/hub_own.h"
#include "stream/memory.h"
#include "stream/subscriber.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DATABASE_SETTLES_MS = 3000 };

static void open_ready(struct hub *hub)
{
    struct feed *feed;

    if (hub->state.database_up)
        TAILQ_FOREACH (feed, &hub->registry.feeds, link)
            if (feed_is_ready(feed))
                hub_open_waiting(feed);
}

static void turn(struct hub *hub, struct channel *channel, bool durable)
{
    if (channel->durable == durable)
        return;
    channel->durable = durable;
    /* While the log is read, its own events are missed by nobody: the first tick that has one makes the channel
     * durable. But what it had as a live one may still be on its way. */
    if (durable && hub->state.durable_up && channel->published == 0)
        return;
    channel->turned = hub->state.any_turned = true;
}

/* What was written while a channel became durable, or ceased to be, came neither way. */
static void tell_turned(struct hub *hub)
{
    struct hub_state *state = &hub->state;
    const struct cursor before = state->now;
    char requested[ID_BYTES_MAX + 1];
    struct channel *channel;

    if (!state->any_turned)
        return;
    state->any_turned = false;
    state->now.number++;
    TAILQ_FOREACH (channel, &hub->registry.channels, link) {
        if (!channel->turned)
            continue;
        if (channel->durable && !channel->included) {
            state->any_turned = true; /* it has no place in the log yet */
            continue;
        }
        channel->turned = false;
        memory_forget_up_to(&hub->registry, channel, state->now.number);
        for (size_t i = 0; i < channel->feed_count; i++) {
            struct feed *feed = channel->feeds[i];
            if (feed->head.number == state->now.number)
                continue; /* another of its channels has turned, too */
            cursor_format(&before, feed->axes, requested);
            feed_append_gap(feed, "outage", requested, &state->now);
        }
    }
}

void hub_include_channels(struct hub *hub)
{
    struct hub_state *state = &hub->state;
    struct channel *channel;
    bool any = false;

    if (!state->durable_up || state->tick_open || !state->to_include)
        return;
    state->to_include = false;
    TAILQ_FOREACH (channel, &hub->registry.channels, link) {
        if (!channel->durable || channel->included)
            continue;
        any = channel->included = true;
        memory_forget_up_to(&hub->registry, channel, ++state->now.number);
    }
    if (!any)
        return;
    tell_turned(hub);
    open_ready(hub);
}

int hub_durable_channels(struct hub *hub, char *const *names, size_t count)
{
    struct hub_state *state = &hub->state;
    struct text_list copy = {0};
    struct channel *channel;
    struct feed *feed;

    if (count > 0 && text_list_init(&copy, (const char *const *)names, count) < 0)
        return -ENOMEM;
    text_list_done(&state->durable_names);
    state->durable_names = copy;
    state->durable_known = true;
    TAILQ_FOREACH (channel, &hub->registry.channels, link) {
        turn(hub, channel, text_list_has(&state->durable_names, channel->name));
        channel->included &= channel->durable;
        state->to_include |= channel->durable && !channel->included;
    }
    TAILQ_FOREACH (feed, &hub->registry.feeds, link)
        feed_find_axes(feed);
    tell_turned(hub);
    hub_include_channels(hub);
    open_ready(hub);
    return 0;
}

void hub_durable_up(struct hub *hub, const struct durable_position *position)
{
    struct hub_state *state = &hub->state;

    if (state->ticks.count == 0) {
        state->now.durable = *position;
        tick_log_add(&state->ticks, position->number > 0 ? position->number - 1 : 0, position->number, position->nonce);
    }
    state->durable_up = true;
    history_retry(&state->history);
    hub_include_channels(hub);
    subscriber_wake_ahead(state);
    loop_task_queue(state->loop, &state->service);
}

/* Both say what came last: while the database is away, that is told; a moment after it came back, who reads the log may
 * still be on his way. */
void hub_tell_durable(struct hub *hub)
{
    struct hub_state *state = &hub->state;
    struct feed *feed;
    bool is_new = loop_turn_ms(state->loop) - state->database_up_ms < DATABASE_SETTLES_MS;

    if (!state->database_up || state->durable_told == state->durable_failing || (is_new && state->durable_failing))
        return;
    loop_doing(state->loop, "telling streams of the durable channels");
    state->durable_told = state->durable_failing;
    TAILQ_FOREACH (feed, &hub->registry.feeds, link)
        if (feed->axes & AXIS_DURABLE)
            feed_append_control(feed, "status",
                                state->durable_told ? hub_status(state, feed->axes)
                                                    : "{\"database\":\"up\",\"durable\":\"up\"}");
}

void hub_durable_failing(struct hub *hub, bool failing)
{
    hub->state.durable_failing = failing;
    hub_tell_durable(hub);
}

void hub_durable_down(struct hub *hub)
{
    hub->state.durable_up = false;
    hub->state.tick_open = false;
}

const struct durable_position *hub_durable_position(const struct hub *hub)
{
    return &hub->state.now.durable;
}

void hub_durable_channels_changed(struct hub *hub)
{
    hub->state.durable_known = false;
}

/* Whether a list of lines has the name. */
static bool has_line(const char *lines, const char *name)
{
    size_t bytes = strlen(name);

    for (const char *at = lines; at; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, name, bytes) == 0 && (at[bytes] == '\n' || at[bytes] == '\0'))
            return true;
    }
    return false;
}

/* Who has events in the log has a durable trigger, though we may not have heard of it yet. */
static bool meet_channels(struct hub *hub, const char *lines)
{
    struct channel *channel;
    struct feed *feed;
    bool any = false;

    TAILQ_FOREACH (channel, &hub->registry.channels, link)
        if (!channel->durable && has_line(lines, channel->name)) {
            turn(hub, channel, true);
            any = hub->state.to_include = true;
        }
    if (any)
        TAILQ_FOREACH (feed, &hub->registry.feeds, link)
            feed_find_axes(feed);
    return any;
}

/* The channels that the tick is read for. */
static int list_wanted(struct hub *hub, const char *lines)
{
    struct channel *channel;
    size_t count = 0;

    TAILQ_FOREACH (channel, &hub->registry.channels, link)
        count += channel->included;
    char **items = realloc(hub->wanted.items, (count + 1) * sizeof(char *));
    hub->wanted.count = 0;
    if (!items)
        return -ENOMEM;
    hub->wanted.items = items;
    TAILQ_FOREACH (channel, &hub->registry.channels, link)
        if (channel->included && (!lines || has_line(lines, channel->name)))
            items[hub->wanted.count++] = channel->name;
    return 0;
}

int hub_durable_begin(struct hub *hub, uint64_t base, uint64_t count, const char *nonce, const char *channels,
                      const struct text_list **ret_wanted)
{
    struct hub_state *state = &hub->state;

    bool is_news = channels && meet_channels(hub, channels);
    hub_include_channels(hub);
    int error = list_wanted(hub, channels);
    if (error < 0)
        return error;
    tick_log_add(&state->ticks, base, base + count, nonce);
    state->open_tick = (struct durable_position){.number = base + count};
    memcpy(state->open_tick.nonce, nonce, strnlen(nonce, NONCE_BYTES + 1));
    state->tick_open = true;
    *ret_wanted = &hub->wanted;
    return is_news;
}

void hub_durable_event(struct hub *hub, uint64_t number, const struct log_change *change)
{
    struct hub_state *state = &hub->state;
    struct channel *channel = registry_channel(&hub->registry, change->channel);
    struct event *event;

    assert(state->tick_open);
    if (number <= state->now.durable.number)
        return; /* it was published before the connection broke */
    state->now.durable = state->open_tick;
    state->now.durable.number = number;
    if (!channel || !channel->included)
        return;
    int error = log_decoder_decode(&state->decoder, change, &event);
    if (error < 0) {
        hub_lose_event(hub, channel, strerror(-error));
        return;
    }
    event->is_durable = true;
    event->durable = state->now.durable;
    hub_pass_on(hub, channel, event);
}

/* Nobody knows whose it is: all who read these channels look into the log, and those whose it is get a gap there. */
void hub_durable_unreadable(struct hub *hub, uint64_t number)
{
    struct hub_state *state = &hub->state;

    assert(state->tick_open);
    if (number <= state->now.durable.number)
        return;
    state->now.durable = state->open_tick;
    state->now.durable.number = number;
    for (size_t i = 0; i < hub->wanted.count; i++) {
        struct channel *channel = registry_channel(&hub->registry, hub->wanted.items[i]);
        if (channel && channel->included)
            hub_lose_event(hub, channel, "it cannot be read");
    }
}

void hub_durable_end(struct hub *hub)
{
    struct hub_state *state = &hub->state;

    state->tick_open = false;
    if (state->open_tick.number > state->now.durable.number)
        state->now.durable = state->open_tick;
    hub_include_channels(hub);
    subscriber_wake_ahead(state);
}

/* Those that are not LIVE: the log's gap does not reach them. */
static void lose_behind(struct feed *feed, const char *reason, const struct durable_position *resumed)
{
    struct subscriber *subscriber;

    TAILQ_FOREACH (subscriber, &feed->blocked, link)
        if (subscriber->state == SUBSCRIBER_CATCHING)
            catch_up_lose(subscriber, reason, resumed);
    TAILQ_FOREACH (subscriber, &feed->away, away_link) {
        if (subscriber->state == SUBSCRIBER_CATCHING)
            catch_up_lose(subscriber, reason, resumed);
        subscriber_look_again(subscriber);
    }
}

void hub_durable_lost(struct hub *hub, enum history_verdict why, const struct durable_position *resumed)
{
    struct hub_state *state = &hub->state;
    const char *reason = catch_up_reason(why);
    char requested[ID_BYTES_MAX + 1];
    struct channel *channel;
    struct feed *feed;

    struct cursor before = state->now;
    state->tick_open = false;
    state->now.durable = *resumed;
    state->now.number++;
    tick_log_clear(&state->ticks);
    tick_log_add(&state->ticks, resumed->number > 0 ? resumed->number - 1 : 0, resumed->number, resumed->nonce);
    TAILQ_FOREACH (channel, &hub->registry.channels, link)
        if (channel->durable)
            memory_forget_up_to(&hub->registry, channel, state->now.number);
    history_forget(&state->history);
    TAILQ_FOREACH (feed, &hub->registry.feeds, link) {
        if (!(feed->axes & AXIS_DURABLE))
            continue;
        cursor_format(&before, feed->axes, requested);
        lose_behind(feed, reason, resumed);
        feed_append_gap(feed, reason, requested, &state->now);
    }
    hub_include_channels(hub);
}
