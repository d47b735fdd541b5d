#include "stream/feed.h"

#include "stream/encode.h"
#include "stream/frame.h"
#include "stream/subscriber.h"

#include <stdlib.h>
#include <string.h>

struct feed *feed_new(struct hub_state *hub, char *key, struct selection *selection, struct channel **channels)
{
    size_t count = selection->channels.count;
    struct feed *feed = calloc(1, sizeof(*feed));
    struct channel **copy = malloc(count * sizeof(struct channel *));

    if (!feed || !copy || !(feed->durable_channels.items = calloc(count, sizeof(char *))))
        goto fail;
    memcpy(copy, channels, count * sizeof(struct channel *));
    feed->hub = hub;
    feed->serial = ++hub->feed_serial;
    feed->channels = copy;
    feed->last_frame_ms = loop_turn_ms(hub->loop);
    feed->expires_ms = INT64_MAX;
    frame_log_init(&feed->log);
    TAILQ_INIT(&feed->opening);
    TAILQ_INIT(&feed->live);
    TAILQ_INIT(&feed->blocked);
    TAILQ_INIT(&feed->away);
    for (size_t i = 0; i < count; i++) {
        if (channel_add_feed(channels[i], feed, selection) < 0) {
            while (i > 0)
                channel_remove_feed(channels[--i], feed, selection);
            goto fail;
        }
    }
    feed->key = key;
    feed->selection = *selection;
    feed->id_marks = selection_id_marks(selection);
    *selection = (struct selection){0};
    feed_find_axes(feed);
    hub->stats.feeds++;
    return feed;
fail:
    if (feed)
        free(feed->durable_channels.items);
    free(copy);
    free(feed);
    return NULL;
}

static void free_all(struct subscriber_list *list)
{
    while (!TAILQ_EMPTY(list))
        subscriber_free(TAILQ_FIRST(list));
}

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    free_all(&feed->opening);
    free_all(&feed->live);
    free_all(&feed->blocked);
    free_all(&feed->away);
    history_series_leave(feed->history);
    for (size_t i = 0; i < feed->selection.channels.count; i++) {
        channel_remove_feed(feed->channels[i], feed, &feed->selection);
        feed->channels[i]->unused_since_ms = loop_turn_ms(feed->hub->loop);
    }
    if (feed->dirty)
        TAILQ_REMOVE(&feed->hub->dirty, feed, dirty_link);
    feed->hub->stats.feeds--;
    feed->hub->stats.feed_bytes -= feed->counted_bytes;
    frame_log_done(&feed->log);
    selection_done(&feed->selection);
    free(feed->durable_channels.items);
    free(feed->channels);
    free(feed->key);
    free(feed);
}

/* What its streams wait for may be of other channels now. */
static void leave_history(struct feed *feed)
{
    struct subscriber *subscriber;

    history_series_leave(feed->history);
    feed->history = NULL;
    TAILQ_FOREACH (subscriber, &feed->away, away_link)
        subscriber_look_again(subscriber);
}

void feed_find_axes(struct feed *feed)
{
    struct text_list *durable = &feed->durable_channels;
    size_t count = 0;
    bool is_other = false;

    feed->axes = 0;
    for (size_t i = 0; i < feed->selection.channels.count; i++) {
        feed->axes |= feed->channels[i]->durable ? AXIS_DURABLE : AXIS_LIVE;
        if (!feed->channels[i]->durable)
            continue;
        is_other |= count >= durable->count || durable->items[count] != feed->selection.channels.items[i];
        durable->items[count++] = feed->selection.channels.items[i];
    }
    is_other |= count != durable->count;
    durable->count = count;
    if (is_other)
        leave_history(feed);
}

bool feed_is_ready(const struct feed *feed)
{
    /* Which channels are durable decides what a client's id means. */
    if (feed->hub->options.on_history_wanted && !feed->hub->durable_known)
        return false;
    for (size_t i = 0; i < feed->selection.channels.count; i++)
        if (!channel_is_ready(feed->channels[i]))
            return false;
    return true;
}

static void mark_dirty(struct feed *feed)
{
    if (!feed->dirty) {
        feed->dirty = true;
        TAILQ_INSERT_TAIL(&feed->hub->dirty, feed, dirty_link);
    }
    loop_task_queue(feed->hub->loop, &feed->hub->service);
}

/* Must follow every change of the log's size. */
static void count_bytes(struct feed *feed)
{
    size_t size = buffer_size(&feed->log.bytes);

    feed->hub->stats.feed_bytes += size - feed->counted_bytes;
    feed->counted_bytes = size;
}

/* Moves the LIVE subscribers of list whose offset is below the given one back to catching up. */
static void drop_below(struct feed *feed, struct subscriber_list *list, uint64_t offset)
{
    struct subscriber *next;

    for (struct subscriber *subscriber = TAILQ_FIRST(list); subscriber; subscriber = next) {
        next = TAILQ_NEXT(subscriber, link);
        if (subscriber->state == SUBSCRIBER_LIVE && subscriber->offset < offset)
            subscriber_fall_behind(subscriber);
        else if (list == &feed->live)
            break; /* ordered by offset */
    }
}

static void drop_log_below(struct feed *feed, uint64_t offset)
{
    drop_below(feed, &feed->live, offset);
    drop_below(feed, &feed->blocked, offset);
    frame_log_trim(&feed->log, offset);
    count_bytes(feed);
}

void feed_fall_behind(struct feed *feed)
{
    drop_below(feed, &feed->live, UINT64_MAX);
    drop_below(feed, &feed->blocked, UINT64_MAX);
    frame_log_trim(&feed->log, frame_log_head(&feed->log));
    count_bytes(feed);
}

void feed_halve_log(struct feed *feed)
{
    size_t size = buffer_size(&feed->log.bytes);
    const struct frame_note *note = frame_log_frame_at(&feed->log, feed->log.tail + size / 2);

    if (size > 0)
        drop_log_below(feed, note ? note->end : frame_log_head(&feed->log));
}

static void end_frame(struct feed *feed, uint64_t number, const struct durable_position *durable, int64_t received_us)
{
    feed->last_frame_ms = loop_turn_ms(feed->hub->loop);
    if (frame_log_end_frame(&feed->log, number, durable, received_us) < 0) {
        feed_fall_behind(feed);
        return;
    }
    feed->head.number = number;
    feed->head.durable = *durable;
    count_bytes(feed);
    if (buffer_size(&feed->log.bytes) > feed->hub->options.feed_log_bytes)
        feed_halve_log(feed);
    mark_dirty(feed);
}

void feed_append_event(struct feed *feed, const struct event *event)
{
    struct cursor place = feed->hub->now;

    if (feed->live_count == 0 || !selection_wants(&feed->selection, event))
        return;
    place.number = event->number;
    place.durable = event->durable;
    encode_event(feed->hub, &feed->selection, feed->axes, event, &place, frame_log_begin_frame(&feed->log));
    end_frame(feed, event->number, &event->durable, event->received_us);
}

void feed_append_gap(struct feed *feed, const char *reason, const char *requested, const struct cursor *place)
{
    if (feed->live_count == 0)
        return;
    encode_gap(feed->hub, reason, requested, feed->axes, place, place, frame_log_begin_frame(&feed->log));
    end_frame(feed, place->number, &place->durable, 0);
}

static void append_control_to(struct feed *feed, struct subscriber_list *list, const char *name, const char *data)
{
    struct subscriber *next;

    for (struct subscriber *subscriber = TAILQ_FIRST(list); subscriber; subscriber = next) {
        next = TAILQ_NEXT(subscriber, link);
        if (subscriber->state == SUBSCRIBER_LIVE)
            continue;
        subscriber_append_control(subscriber, name, data);
        if (list == &feed->opening)
            subscriber_serve(subscriber);
    }
}

/* They are sent it in their turn: there may be a crowd of them. */
static void append_control_away(struct feed *feed, const char *name, const char *data)
{
    struct subscriber *subscriber;

    TAILQ_FOREACH (subscriber, &feed->away, away_link) {
        subscriber_append_control(subscriber, name, data);
        subscriber_look_again(subscriber);
    }
}

void feed_append_control(struct feed *feed, const char *name, const char *data)
{
    struct buffer *out = frame_log_begin_frame(&feed->log);

    append_control_to(feed, &feed->opening, name, data);
    append_control_to(feed, &feed->blocked, name, data);
    append_control_away(feed, name, data);
    feed->last_frame_ms = loop_turn_ms(feed->hub->loop);
    if (feed->live_count == 0)
        return;
    if (name)
        frame_event(out, NULL, name, data, strlen(data));
    else
        frame_comment(out, data);
    if (name)
        feed->status_end = frame_log_head(&feed->log);
    end_frame(feed, feed->hub->now.number, &feed->hub->now.durable, 0);
}

int feed_flush(struct feed *feed, int sends_max)
{
    uint64_t head = frame_log_head(&feed->log);
    struct subscriber *first;
    int sends = 0;

    while ((first = TAILQ_FIRST(&feed->live)) && first->offset < head) {
        if (sends == sends_max)
            return sends;
        subscriber_serve(first);
        sends++;
    }
    /* Everybody who can take it has it all: what remains is for the blocked ones, up to the log's bound. */
    if (TAILQ_EMPTY(&feed->blocked))
        frame_log_trim(&feed->log, head);
    count_bytes(feed);
    feed->dirty = false;
    TAILQ_REMOVE(&feed->hub->dirty, feed, dirty_link);
    return sends;
}

bool feed_is_behind(const struct feed *feed)
{
    const struct subscriber *first = TAILQ_FIRST(&feed->live);

    return first && frame_log_head(&feed->log) - first->offset > feed->hub->options.feed_log_bytes / 2;
}
