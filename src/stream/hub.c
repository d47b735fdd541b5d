#include "stream/hub.h"

#include "base/log.h"
#include "stream/catch_up.h"
#include "stream/expiry.h"
#include "stream/frame.h"
#include "stream/hub_own.h"
#include "stream/memory.h"
#include "stream/subscriber.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TICK_MS = 1000, CATCH_UP_US_PER_TURN = 2000 };

/* Who is being caught up: one out of the channels' memory, one out of a page of history, and so on, until their part of
 * the turn is over. Returns whether somebody is left. */
static bool serve_catching(struct hub_state *state)
{
    int64_t end_us = loop_clock_us() + CATCH_UP_US_PER_TURN;
    struct history_page *page = history_next_served(&state->history);
    struct subscriber *first;

    for (int sends = 0; sends < SENDS_PER_TURN / 4 && loop_clock_us() < end_us; sends++) {
        bool from_page = page && (sends % 2 == 1 || TAILQ_EMPTY(&state->catching));
        first = TAILQ_FIRST(from_page ? &page->streams : &state->catching);
        if (!first)
            break;
        subscriber_serve(first);
        if (page && TAILQ_EMPTY(&page->streams))
            page = history_next_served(&state->history);
    }
    return !TAILQ_EMPTY(&state->catching) || history_has_served(&state->history);
}

/* One portion of sending. What is left goes on in the next turn, after the database and everybody else had
 * theirs. */
static void on_service(struct loop_task *task)
{
    struct hub_state *state = (struct hub_state *)((char *)task - offsetof(struct hub_state, service));
    struct feed *feed;
    int sends = 0;

    loop_doing(state->loop, "sending to streams");
    while (sends < SENDS_PER_TURN && (feed = TAILQ_FIRST(&state->dirty))) {
        sends += feed_flush(feed, SENDS_PER_TURN - sends);
        /* A feed that still has something to do goes behind the others. */
        if (feed->dirty && TAILQ_NEXT(feed, dirty_link)) {
            TAILQ_REMOVE(&state->dirty, feed, dirty_link);
            TAILQ_INSERT_TAIL(&state->dirty, feed, dirty_link);
        }
    }
    bool is_catching = serve_catching(state);
    if (state->durable_up)
        history_ask(&state->history);
    state->stats.history_bytes = state->history.bytes;
    if (!TAILQ_EMPTY(&state->dirty) || is_catching)
        loop_task_queue(state->loop, &state->service);
}

/* Closes blocked subscribers that took nothing for too long. The list is in no order of time, so all are
 * looked at. */
static void close_stalled(struct hub_state *state, struct feed *feed)
{
    struct subscriber *next;

    for (struct subscriber *subscriber = TAILQ_FIRST(&feed->blocked); subscriber; subscriber = next) {
        next = TAILQ_NEXT(subscriber, link);
        if (loop_turn_ms(state->loop) - subscriber->blocked_since_ms < state->options.stall_ms)
            continue;
        state->stats.streams_stalled++;
        log_info("stream closed", log_text("reason", "the client took nothing for too long"),
                 log_number("stall_ms", state->options.stall_ms));
        subscriber_free(subscriber);
    }
}

static void on_tick(struct loop_timer *timer)
{
    struct hub *hub = (struct hub *)((char *)timer - offsetof(struct hub, tick));
    struct hub_state *state = &hub->state;
    int64_t now_ms = loop_turn_ms(state->loop);
    struct channel *next_channel;
    struct feed *next_feed;

    loop_doing(state->loop, "looking after feeds and channels");
    /* What could not be read is asked for again, though nothing new may come. */
    if (state->durable_up) {
        history_retry(&state->history);
        loop_task_queue(state->loop, &state->service);
    }
    for (struct feed *feed = TAILQ_FIRST(&hub->registry.feeds); feed; feed = next_feed) {
        next_feed = TAILQ_NEXT(feed, link);
        close_stalled(state, feed);
        if (feed->subscriber_count == 0) {
            registry_remove_feed(&hub->registry, feed);
            continue;
        }
        if (now_ms >= feed->expires_ms)
            loop_task_queue(state->loop, &state->expiry);
        if (now_ms - feed->last_frame_ms >= state->options.heartbeat_ms)
            feed_append_control(feed, NULL, "");
        frame_log_shrink(&feed->log);
    }
    for (struct channel *channel = TAILQ_FIRST(&hub->registry.channels); channel; channel = next_channel) {
        next_channel = TAILQ_NEXT(channel, link);
        if (state->tick_open && channel->included)
            continue; /* the reader has its name */
        if (channel->feed_count > 0 || now_ms - channel->unused_since_ms < state->options.linger_ms)
            continue;
        registry_remove_channel(&hub->registry, channel);
    }
    hub_tell_durable(hub);
}

static void want_page(void *context, struct history_page *page, const struct history_request *request)
{
    struct hub_options *options = &((struct hub *)context)->state.options;

    options->on_history_wanted(options->context, page, request);
}

static void want_places(void *context, struct history_places *places)
{
    struct hub_options *options = &((struct hub *)context)->state.options;

    options->on_places_wanted(options->context, places);
}

/* What comes behind the place that the page begins at is not there, or cannot be read; or the database is not what it
 * was when the place was judged. */
static void tell_verdict(struct history_page *page)
{
    const struct history_place lost = {.verdict = page->verdict, .resumed = page->start};
    struct subscriber *subscriber;

    TAILQ_FOREACH (subscriber, &page->streams, link) {
        if (subscriber->durable.number == page->from.number)
            catch_up_judged(subscriber, &lost);
        else
            subscriber->verified = false;
    }
}

static void on_page(void *context, struct history_page *page)
{
    struct hub_state *state = &((struct hub *)context)->state;

    if (page->verdict != HISTORY_OK)
        tell_verdict(page);
    /* Before anybody looks for the next one: those that this one does not reach wait for it as well, instead of wanting
     * pages that begin at their own places. */
    if (!TAILQ_EMPTY(&page->streams) && page->end.number < state->now.durable.number)
        history_want_next(page);
    loop_task_queue(state->loop, &state->service);
}

static void on_places(void *context)
{
    struct hub_state *state = &((struct hub *)context)->state;
    struct subscriber *subscriber;

    while ((subscriber = TAILQ_FIRST(&state->history.places.streams))) {
        catch_up_judged(subscriber, history_place_of(&state->history, &subscriber->durable));
        subscriber_look_again(subscriber);
    }
    loop_task_queue(state->loop, &state->service);
}

struct hub *hub_new(struct loop *loop, const struct hub_options *options)
{
    struct hub *hub = calloc(1, sizeof(*hub));

    if (!hub)
        return NULL;
    hub->state.loop = loop;
    hub->state.options = *options;
    hub->state.stats.streams_max = options->streams_max;
    hub->state.service.on_task = on_service;
    hub->state.expiry.on_task = expiry_run;
    TAILQ_INIT(&hub->state.catching);
    TAILQ_INIT(&hub->state.ahead);
    hub->state.ahead_least = UINT64_MAX;
    TAILQ_INIT(&hub->state.dirty);
    log_decoder_init(&hub->state.decoder);
    history_init(&hub->state.history, options->memory_bytes / 4,
                 &(struct history_calls){want_page, want_places, on_page, on_places, hub});
    registry_init(&hub->registry, &hub->state);
    int error = cursor_new_run(hub->state.now.run);
    if (error == 0)
        error = loop_timer_init(&hub->tick, loop, on_tick);
    if (error == 0)
        error = loop_timer_init(&hub->farewell, loop, hub_on_farewell);
    if (error < 0) {
        hub_free(hub);
        errno = -error;
        return NULL;
    }
    loop_timer_set(&hub->tick, TICK_MS, TICK_MS);
    return hub;
}

void hub_free(struct hub *hub)
{
    if (!hub)
        return;
    hub->state.closing = false; /* no callback any more */
    registry_done(&hub->registry);
    history_done(&hub->state.history);
    log_decoder_done(&hub->state.decoder);
    statement_done(&hub->statement);
    text_list_done(&hub->state.durable_names);
    free(hub->wanted.items);
    loop_task_cancel(hub->state.loop, &hub->state.service);
    loop_timer_done(&hub->farewell);
    loop_task_cancel(hub->state.loop, &hub->state.expiry);
    loop_timer_done(&hub->tick);
    free(hub);
}

void hub_reconfigure(struct hub *hub, const struct hub_options *options)
{
    struct hub_options *ours = &hub->state.options;
    struct hub_options kept = *ours;

    *ours = *options;
    hub->state.stats.streams_max = options->streams_max;
    ours->on_channel_wanted = kept.on_channel_wanted;
    ours->on_closed = kept.on_closed;
    ours->on_history_wanted = kept.on_history_wanted;
    ours->on_places_wanted = kept.on_places_wanted;
    ours->context = kept.context;
}

void hub_open_waiting(struct feed *feed)
{
    struct subscriber *next;

    for (struct subscriber *subscriber = TAILQ_FIRST(&feed->blocked); subscriber; subscriber = next) {
        next = TAILQ_NEXT(subscriber, link);
        if (subscriber->state == SUBSCRIBER_OPENING)
            subscriber_open(subscriber);
    }
    while (!TAILQ_EMPTY(&feed->opening))
        subscriber_open(TAILQ_FIRST(&feed->opening));
}

void hub_channel_listening(struct hub *hub, const char *channel_name)
{
    struct channel *channel = registry_channel(&hub->registry, channel_name);

    if (!channel || channel->listening)
        return;
    channel->listening = true;
    /* A number of its own, so that an id from before this moment is known to be from before. */
    channel->since = ++hub->state.now.number;
    for (size_t i = 0; i < channel->feed_count; i++)
        if (feed_is_ready(channel->feeds[i]))
            hub_open_waiting(channel->feeds[i]);
}

static void tell_status(struct hub *hub)
{
    struct feed *feed;

    TAILQ_FOREACH (feed, &hub->registry.feeds, link)
        feed_append_control(feed, "status", hub_status(&hub->state, feed->axes));
}

void hub_database_down(struct hub *hub)
{
    hub->outage_unmarked = true;
    statement_forget(&hub->statement);
    if (!hub->state.database_up)
        return;
    loop_doing(hub->state.loop, "telling streams that the database is down");
    hub->state.database_up = false;
    tell_status(hub);
}

void hub_database_up(struct hub *hub)
{
    struct feed *feed;

    if (hub->state.database_up)
        return;
    loop_doing(hub->state.loop, "telling streams that the database is up");
    hub->state.database_up = true;
    hub->state.database_up_ms = loop_turn_ms(hub->state.loop);
    hub->state.durable_told = false;
    hub_mark_outage(hub);
    tell_status(hub);
    TAILQ_FOREACH (feed, &hub->registry.feeds, link)
        if (feed_is_ready(feed))
            hub_open_waiting(feed);
}

bool hub_is_behind(const struct hub *hub)
{
    const struct feed *feed = TAILQ_FIRST(&hub->state.dirty);

    return feed && feed_is_behind(feed);
}

int hub_admit(const struct hub *hub, const struct selection *selection, const struct start *start)
{
    size_t new_channels = 0;

    if (hub->state.closing)
        return -ESHUTDOWN;
    if (hub->state.stats.streams >= hub->state.options.streams_max)
        return -EMFILE;
    size_t per_address_max = hub->state.options.streams_per_address_max;
    if (per_address_max > 0 && origins_count(&hub->state.origins, start->address) >= per_address_max)
        return -EUSERS;
    for (size_t i = 0; i < selection->channels.count; i++)
        if (!registry_channel(&hub->registry, selection->channels.items[i]))
            new_channels++;
    if (new_channels > 0 && hub->state.stats.channels + new_channels > hub->state.options.channels_max)
        return -ENOSPC;
    return 0;
}

int64_t hub_retry_ms(const struct hub_state *state)
{
    int64_t retry_ms = state->options.retry_ms;
    uint32_t random = 0;

    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
        random = (uint32_t)loop_clock_us();
    return retry_ms * 3 / 4 + (int64_t)(random % (uint64_t)(retry_ms / 2 + 1));
}

void hub_append_greeting(const struct hub *hub, struct buffer *out)
{
    frame_comment(out, "ok");
    frame_retry(out, hub_retry_ms(&hub->state));
}

int hub_subscribe(struct hub *hub, struct selection *selection, const struct start *start, int fd)
{
    static const char busy[] = "event: busy\ndata: {}\n\n";
    int error = hub_admit(hub, selection, start);
    struct feed *feed = error == 0 ? registry_obtain_feed(&hub->registry, selection) : NULL;

    assert(!feed || feed->selection.channels.count > 0);
    selection_done(selection);
    if (!feed) {
        /* The room was taken between the answer's head and now; whether this still arrives does not matter.
         */
        ssize_t sent = send(fd, busy, sizeof(busy) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)sent;
        close(fd);
        return error < 0 ? error : -ENOMEM;
    }
    hub_include_channels(hub);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &hub->state.options.send_buffer_bytes, sizeof(int));
    struct subscriber *subscriber = subscriber_new(feed, fd, start);
    if (!subscriber)
        return -ENOMEM;
    if (!hub->state.database_up || ((feed->axes & AXIS_DURABLE) && hub->state.durable_told))
        subscriber_append_control(subscriber, "status", hub_status(&hub->state, feed->axes));
    if (hub->state.database_up && feed_is_ready(feed))
        subscriber_open(subscriber);
    else
        subscriber_serve(subscriber);
    return 0;
}

const struct stream_stats *hub_stats(const struct hub *hub)
{
    return &hub->state.stats;
}

void hub_each_channel(const struct hub *hub, void (*visit)(void *context, const struct hub_channel *channel),
                      void *context)
{
    const struct channel *channel;

    TAILQ_FOREACH (channel, &hub->registry.channels, link) {
        struct hub_channel seen = {channel->name, 0, channel->published, channel_is_ready(channel), channel->durable};
        for (size_t i = 0; i < channel->feed_count; i++)
            seen.streams += channel->feeds[i]->subscriber_count;
        visit(context, &seen);
    }
}
