#include "stream/catch_up.h"

#include "stream/encode.h"
#include "stream/frame.h"
#include "stream/page_frames.h"
#include "stream/replay.h"

#include <stdlib.h>
#include <string.h>

enum {
    EVENTS_SEEN_PER_FILL = 1024, /* a filter may drop most of them: bounds the work of one turn */
    MARKS_PER_EVENT = 32,        /* so many are looked at in the time that an event takes */
};

static struct cursor place_of(const struct subscriber *subscriber)
{
    struct cursor place = subscriber->feed->hub->now;

    place.number = subscriber->number;
    place.durable = subscriber->durable;
    return place;
}

/* Something may be missing up to resumed, on live channels; the stream goes on behind where it is now. */
static void announce_gap(struct subscriber *subscriber, const char *reason, const char *requested, uint64_t resumed)
{
    struct buffer *own = subscriber_own_bytes(subscriber);
    struct cursor position = place_of(subscriber), end = position;

    end.number = resumed;
    if (own)
        encode_gap(subscriber->feed->hub, reason, requested, subscriber->feed->axes, &end, &position, own);
    subscriber->gap_known = resumed;
}

static uint64_t starting_number(const struct feed *feed, const struct start *start)
{
    uint64_t earliest = UINT64_MAX;

    if (!start->earliest)
        return feed->hub->now.number;
    for (size_t i = 0; i < feed->selection.channels.count; i++)
        if (!feed->channels[i]->durable && feed->channels[i]->since < earliest)
            earliest = feed->channels[i]->since;
    return earliest == UINT64_MAX ? feed->hub->now.number : earliest;
}

/* Of an id's live part. NULL, or why it has no meaning here. */
static const char *take_live_part(struct subscriber *subscriber, int axes, const struct cursor *cursor)
{
    const struct hub_state *hub = subscriber->feed->hub;

    if (axes < 0 || !(axes & AXIS_LIVE))
        return "unknown-id";
    if (strcmp(cursor->run, hub->now.run) != 0)
        return "restart";
    if (cursor->number > hub->now.number)
        return "unknown-id";
    subscriber->number = cursor->number;
    subscriber->quiet_drops = UINT64_MAX;
    return NULL;
}

static const char *take_durable_part(struct subscriber *subscriber, int axes, const struct cursor *cursor)
{
    if (axes < 0 || !(axes & AXIS_DURABLE))
        return "unknown-id";
    subscriber->durable = cursor->durable;
    subscriber->verified = tick_log_knows(&subscriber->feed->hub->ticks, &cursor->durable);
    return NULL;
}

void catch_up_begin(struct subscriber *subscriber)
{
    const struct feed *feed = subscriber->feed;
    const struct start *start = subscriber->start;
    struct cursor cursor = feed->hub->now;
    const char *live = NULL, *durable = NULL;

    subscriber->number = starting_number(feed, start);
    subscriber->quiet_drops = start->earliest ? feed->hub->drops : UINT64_MAX;
    if (start->earliest)
        subscriber->durable = (struct durable_position){0};
    else
        subscriber->durable = feed->hub->now.durable;
    /* The earliest place is found by the first page. */
    subscriber->verified = !start->earliest || !(feed->axes & AXIS_DURABLE);
    if (!start->has_id)
        return;
    int axes = cursor_parse(start->id, &cursor);
    if (feed->axes & AXIS_DURABLE)
        durable = take_durable_part(subscriber, axes, &cursor);
    if (feed->axes & AXIS_LIVE)
        live = take_live_part(subscriber, axes, &cursor);
    if (live || durable)
        announce_gap(subscriber, live ? live : durable, start->id, subscriber->number);
}

/* A live channel has forgotten a part of what comes next. When the client asked for the earliest there is, that is
 * simply its start. What the other channels remember of that part still follows. */
static void pass_gap(struct subscriber *subscriber, const struct replay *replay)
{
    const struct feed *feed = subscriber->feed;
    struct cursor before = place_of(subscriber);
    char requested[ID_BYTES_MAX + 1];
    uint64_t position = replay->gap_end;

    if (subscriber->quiet_drops == feed->hub->drops) {
        subscriber->gap_known = replay->gap_end;
        return;
    }
    if (replay->live_next > 0 && replay->live_next <= position)
        position = replay->live_next - 1;
    cursor_format(&before, feed->axes, requested);
    subscriber->number = position;
    announce_gap(subscriber, subscriber->lagged ? "lagged" : "expired", requested, replay->gap_end);
}

const char *catch_up_reason(enum history_verdict verdict)
{
    return verdict == HISTORY_EXPIRED ? "expired" : verdict == HISTORY_REWOUND ? "rewound" : "unknown-id";
}

void catch_up_lose(struct subscriber *subscriber, const char *reason, const struct durable_position *resumed)
{
    const struct feed *feed = subscriber->feed;
    struct buffer *own = subscriber_own_bytes(subscriber);
    struct cursor place = place_of(subscriber);
    char requested[ID_BYTES_MAX + 1];

    cursor_format(&place, feed->axes, requested);
    subscriber->durable = place.durable = *resumed;
    subscriber->verified = true;
    if (own)
        encode_gap(feed->hub, reason, requested, feed->axes, &place, &place, own);
}

void catch_up_judged(struct subscriber *subscriber, const struct history_place *place)
{
    if (!place)
        return;
    if (place->verdict != HISTORY_OK)
        catch_up_lose(subscriber, catch_up_reason(place->verdict), &place->resumed);
    subscriber->durable = place->resumed;
    subscriber->verified = true;
}

static void say_ready(struct subscriber *subscriber)
{
    const struct feed *feed = subscriber->feed;
    struct cursor place = place_of(subscriber);

    if (!subscriber->unready)
        return;
    subscriber->unready = false;
    encode_ready(feed->hub, &feed->selection, feed->axes, &place, subscriber->own);
}

static void take_event(struct subscriber *subscriber, const struct event *event)
{
    struct feed *feed = subscriber->feed;

    if (event->is_durable)
        subscriber->durable = event->durable;
    else
        subscriber->number = event->number;
    if (!selection_wants(&feed->selection, event))
        return;
    struct cursor place = place_of(subscriber);
    encode_event(feed->hub, &feed->selection, feed->axes, event, &place, subscriber->own);
    feed->hub->stats.events_sent++;
}

/* One call of catch_up_fill(). */
struct filling {
    int seen_left;                /* events and steps that this call may still look at */
    struct subscriber_list *next; /* where the stream goes on, or waits */
};

/* Asks for the page behind this one, so that it comes while this one is being sent. */
static void read_ahead(const struct subscriber *subscriber, struct history_page *page)
{
    const struct hub_state *hub = subscriber->feed->hub;

    if (hub->durable_up && page->end.number < hub->now.durable.number)
        history_want_next(page);
}

/* The page's events as the feed's streams share them. Returns whether that was the rest of it. */
static bool take_frames(struct subscriber *subscriber, struct history_page *page, struct filling *filling)
{
    size_t bytes_max = subscriber->feed->hub->options.catch_up_bytes;
    size_t i = history_index(page, subscriber->durable.number);
    uint64_t count;

    while (i < page->event_count) {
        if (buffer_size(subscriber->own) >= bytes_max ||
            !page_frames_reach(page, subscriber->feed, i, &filling->seen_left))
            return false;
        i = page_frames_append(page->frames, i, subscriber->own, bytes_max, &count);
        subscriber->durable = page->events[i - 1]->durable;
        subscriber->feed->hub->stats.events_sent += count;
    }
    return true;
}

/* The page's events, up to bytes_max, as many as may be looked at. Returns whether that was the rest of it. */
static bool take_page(struct subscriber *subscriber, struct history_page *page, struct filling *filling)
{
    size_t bytes_max = subscriber->feed->hub->options.catch_up_bytes;

    if (page_frames_get(page, subscriber->feed))
        return take_frames(subscriber, page, filling);
    for (size_t i = history_index(page, subscriber->durable.number); i < page->event_count; i++) {
        if (buffer_size(subscriber->own) >= bytes_max || filling->seen_left <= 0)
            return false;
        size_t next = history_next_marked(page, i, subscriber->feed->id_marks);
        filling->seen_left -= 1 + (int)((next - i) / MARKS_PER_EVENT);
        if (next == page->event_count)
            break;
        i = next;
        take_event(subscriber, page->events[i]);
    }
    return true;
}

/* Returns whether to look further: there is room for more, and nothing to wait for. */
static bool read_history(struct subscriber *subscriber, struct filling *filling)
{
    struct feed *feed = subscriber->feed;
    struct history *history = &feed->hub->history;

    subscriber->waits = true;
    filling->next = history_judges(history, &subscriber->durable);
    if (!subscriber->verified)
        return false;
    if (!feed->history)
        feed->history = history_series_enter(history, &feed->durable_channels);
    struct history_page *page = feed->history ? history_page_for(feed->history, &subscriber->durable) : NULL;
    if (!page) {
        subscriber->broken = true; /* nothing would tell it when there is memory again */
        return false;
    }
    filling->next = &page->streams;
    if (page->state != PAGE_READY)
        return false;
    history_serve(page);
    subscriber->waits = false;
    say_ready(subscriber);
    read_ahead(subscriber, page);
    if (!take_page(subscriber, page, filling))
        return false;
    if (page->end.number >= subscriber->durable.number)
        subscriber->durable = page->end;
    filling->next = &feed->hub->catching;
    return true;
}

static void tell_status(struct subscriber *subscriber)
{
    const char *status = hub_status(subscriber->feed->hub, subscriber->feed->axes);

    frame_event(subscriber->own, NULL, "status", status, strlen(status));
}

/* It has all that there is: from here on it reads the feed's log. */
static void go_live(struct subscriber *subscriber)
{
    struct feed *feed = subscriber->feed;
    struct hub_state *hub = feed->hub;

    if (subscriber->missed_status)
        tell_status(subscriber);
    subscriber->missed_status = false;
    subscriber_set_state(subscriber, SUBSCRIBER_LIVE);
    subscriber->offset = frame_log_head(&feed->log);
    feed->head = hub->now;
    subscriber->lagged = false;
    subscriber->quiet_drops = UINT64_MAX;
}

/* One step. Returns whether another one can follow. */
static bool step(struct subscriber *subscriber, struct filling *filling)
{
    const struct feed *feed = subscriber->feed;
    struct hub_state *hub = feed->hub;
    struct replay replay;
    enum replay_step what = replay_next(feed->channels, feed->selection.channels.count, subscriber->number,
                                        subscriber->durable.number, subscriber->gap_known, &replay);

    if (what == REPLAY_HISTORY || !subscriber->verified)
        return read_history(subscriber, filling);
    if (what == REPLAY_GAP) {
        pass_gap(subscriber, &replay);
        return true;
    }
    say_ready(subscriber);
    if (what == REPLAY_EVENT) {
        take_event(subscriber, replay.event);
        return true;
    }
    /* From a replica that is ahead of this one: what we publish next it has already. */
    subscriber->waits = (feed->axes & AXIS_DURABLE) && subscriber->durable.number > hub->now.durable.number;
    if (!subscriber->waits) {
        go_live(subscriber);
        return false;
    }
    filling->next = &hub->ahead;
    if (subscriber->durable.number < hub->ahead_least)
        hub->ahead_least = subscriber->durable.number;
    return false;
}

struct subscriber_list *catch_up_fill(struct subscriber *subscriber)
{
    struct hub_state *hub = subscriber->feed->hub;
    size_t bytes_max = hub->options.catch_up_bytes;
    struct buffer *own = subscriber_own_bytes(subscriber);
    struct filling filling = {EVENTS_SEEN_PER_FILL, &hub->catching};

    subscriber->waits = false;
    /* So little that it can be moved to the front in any case: the buffer need not grow to twice its size. */
    if (own && buffer_size(own) > bytes_max / 4)
        return filling.next;
    while (own && filling.seen_left-- > 0 && buffer_size(own) < bytes_max)
        if (!step(subscriber, &filling))
            break;
    return filling.next;
}
