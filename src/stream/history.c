#include "stream/history.h"

#include "stream/page_frames.h"
#include "stream/selection.h"
#include "stream/subscriber.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    READING_MAX = 2, /* one on its way, and one behind it, so that the reader is never idle */
    SERIES_PER_TURN = 64,
    GATHER_MS = 500, /* how long a crowd is waited for, while others read the same channels */
};

void history_init(struct history *history, size_t bytes_max, const struct history_calls *calls)
{
    *history = (struct history){.bytes_max = bytes_max, .calls = *calls};
    TAILQ_INIT(&history->series);
    TAILQ_INIT(&history->wanted);
    TAILQ_INIT(&history->served);
    TAILQ_INIT(&history->idle);
    TAILQ_INIT(&history->unjudged);
    TAILQ_INIT(&history->places.streams);
    log_decoder_init(&history->decoder);
}

/* The first of the series' pages that begins above number. */
static size_t index_above(const struct history_series *series, uint64_t number)
{
    size_t low = 0, high = series->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (series->pages[middle]->start.number > number)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static size_t index_of(const struct history_page *page)
{
    const struct history_series *series = page->series;
    size_t i = index_above(series, page->start.number);

    while (series->pages[i - 1] != page)
        i--;
    return i - 1;
}

static void take_out(struct history_page *page)
{
    struct history_series *series = page->series;
    size_t i = index_of(page);

    memmove(series->pages + i, series->pages + i + 1, (series->count - i - 1) * sizeof(struct history_page *));
    series->count--;
}

/* There is room for it. */
static void put_in(struct history_page *page)
{
    struct history_series *series = page->series;
    size_t i = index_above(series, page->start.number);

    memmove(series->pages + i + 1, series->pages + i, (series->count - i) * sizeof(struct history_page *));
    series->pages[i] = page;
    series->count++;
}

static void drop_events(struct history_page *page)
{
    for (size_t i = 0; i < page->event_count; i++)
        event_unref(page->events[i]);
    free(page->events);
    free(page->id_marks);
    page_frames_free(page->frames);
    page->series->history->bytes -= page->bytes;
    page->events = NULL;
    page->id_marks = NULL;
    page->frames = NULL;
    page->event_count = page->event_capacity = page->bytes = 0;
}

/* The one function that moves a page from one state to another, with the counts and lists that go with them. */
static void set_state(struct history_page *page, enum page_state state)
{
    struct history_series *series = page->series;
    struct history *history = series->history;

    if (page->state == PAGE_READY)
        TAILQ_REMOVE(page->is_served ? &history->served : &history->idle, page, link);
    series->wanted -= page->state == PAGE_WANTED;
    series->reading -= page->state == PAGE_READING;
    history->reading -= page->state == PAGE_READING;
    history->failed -= page->state == PAGE_FAILED;
    page->state = state;
    series->wanted += state == PAGE_WANTED;
    series->reading += state == PAGE_READING;
    history->reading += state == PAGE_READING;
    history->failed += state == PAGE_FAILED;
    page->is_served = state == PAGE_READY && !TAILQ_EMPTY(&page->streams);
    if (state == PAGE_READY)
        TAILQ_INSERT_TAIL(page->is_served ? &history->served : &history->idle, page, link);
    if (series->is_wanted != (series->wanted > 0)) {
        series->is_wanted = !series->is_wanted;
        if (series->is_wanted)
            TAILQ_INSERT_TAIL(&history->wanted, series, wanted_link);
        else
            TAILQ_REMOVE(&history->wanted, series, wanted_link);
    }
}

static void free_series_if_unused(struct history_series *series)
{
    if (series->feeds > 0 || series->count > 0)
        return;
    text_tree_remove(&series->history->series_by_key, series);
    TAILQ_REMOVE(&series->history->series, series, link);
    text_list_done(&series->channels);
    free(series->pages);
    free(series->key);
    free(series);
}

/* The series goes with it if nobody has that. */
static void drop(struct history_page *page)
{
    struct history_series *series = page->series;

    assert(TAILQ_EMPTY(&page->streams));
    set_state(page, PAGE_FAILED);
    series->history->failed--;
    take_out(page);
    drop_events(page);
    free(page);
    free_series_if_unused(series);
}

void history_done(struct history *history)
{
    struct history_series *series;

    while ((series = TAILQ_FIRST(&history->series))) {
        assert(series->feeds == 0);
        for (size_t count = series->count; count > 0; count--)
            drop(series->pages[count - 1]);
    }
    log_decoder_done(&history->decoder);
}

/* Each name with its length before it, so that no two lists have the same. */
static char *key_of(const struct text_list *channels)
{
    struct buffer key;

    buffer_init(&key, SIZE_MAX / 8);
    for (size_t i = 0; i < channels->count; i++)
        buffer_printf(&key, "%zu:%s", strlen(channels->items[i]), channels->items[i]);
    buffer_append(&key, "", 1);
    char *copy = key.failed ? NULL : strdup(buffer_bytes(&key));
    buffer_done(&key);
    return copy;
}

static struct history_series *series_new(struct history *history, char *key, const struct text_list *channels)
{
    struct history_series *series = calloc(1, sizeof(*series));

    if (!series)
        return NULL;
    series->key = key;
    series->history = history;
    if (text_list_init(&series->channels, (const char *const *)channels->items, channels->count) < 0) {
        free(series);
        return NULL;
    }
    if (!text_tree_add(&history->series_by_key, series)) {
        text_list_done(&series->channels);
        free(series);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&history->series, series, link);
    return series;
}

struct history_series *history_series_enter(struct history *history, const struct text_list *channels)
{
    char *key = key_of(channels);
    struct history_series *series = key ? text_tree_find(&history->series_by_key, key) : NULL;

    if (key && !series) {
        series = series_new(history, key, channels);
        key = series ? NULL : key;
    }
    free(key);
    if (series)
        series->feeds++;
    return series;
}

void history_series_leave(struct history_series *series)
{
    if (!series)
        return;
    series->feeds--;
    free_series_if_unused(series);
}

static bool is_covered(const struct history_page *page, uint64_t number)
{
    return !page->outdated && page->start.number <= number && number < page->end.number;
}

/* Whether a page that is not here yet may come to cover number. Its end is not known, but where it can be at most. */
static bool may_cover(const struct history_page *page, uint64_t number)
{
    uint64_t count = page->state == PAGE_READING ? page->count : HISTORY_PAGE_EVENTS;

    return !page->outdated && page->start.number <= number && number - page->start.number < count;
}

static struct history_page *find_page(const struct history_series *series, uint64_t number, size_t above)
{
    for (size_t i = above; i > 0 && series->pages[i - 1]->start.number + series->longest >= number; i--)
        if (series->pages[i - 1]->state == PAGE_READY && is_covered(series->pages[i - 1], number))
            return series->pages[i - 1];
    /* Of the others only the nearest one, because a page ends where another one begins. */
    if (above > 0 && series->pages[above - 1]->state != PAGE_READY && may_cover(series->pages[above - 1], number))
        return series->pages[above - 1];
    return NULL;
}

static struct history_page *page_new(struct history_series *series, const struct durable_position *place)
{
    struct history_page *page;

    if (series->count == series->capacity) {
        size_t capacity = series->capacity ? series->capacity * 2 : 4;
        struct history_page **pages = realloc(series->pages, capacity * sizeof(struct history_page *));
        if (!pages)
            return NULL;
        series->pages = pages;
        series->capacity = capacity;
    }
    page = calloc(1, sizeof(*page));
    if (!page)
        return NULL;
    page->series = series;
    page->from = page->start = page->end = *place;
    TAILQ_INIT(&page->streams);
    put_in(page);
    page->wanted_ms = loop_clock_ms();
    page->state = PAGE_FAILED; /* so that set_state() takes it out of no list */
    series->history->failed++;
    set_state(page, PAGE_WANTED);
    return page;
}

struct history_page *history_page_for(struct history_series *series, const struct durable_position *place)
{
    size_t above = index_above(series, place->number);
    struct history_page *page = find_page(series, place->number, above), *next;

    if (page)
        return page;
    next = above < series->count ? series->pages[above] : NULL;
    if (next && next->state == PAGE_WANTED && next->start.number - place->number < HISTORY_PAGE_EVENTS) {
        next->from = next->start = next->end = *place; /* there is none between, so it stays in its order */
        return next;
    }
    return page_new(series, place);
}

void history_want_next(struct history_page *page)
{
    if (page->asked_ahead)
        return;
    page->asked_ahead = true;
    struct history_page *next = history_page_for(page->series, &page->end);
    if (next && next->state == PAGE_WANTED)
        next->ahead = true;
}

static void to_served(struct history_page *page)
{
    struct history *history = page->series->history;

    TAILQ_REMOVE(&history->idle, page, link);
    TAILQ_INSERT_TAIL(&history->served, page, link);
    page->is_served = true;
}

static void to_idle(struct history_page *page)
{
    struct history *history = page->series->history;

    TAILQ_REMOVE(&history->served, page, link);
    TAILQ_INSERT_TAIL(&history->idle, page, link);
    page->is_served = false;
}

void history_serve(struct history_page *page)
{
    assert(page->state == PAGE_READY);
    if (!page->is_served)
        to_served(page);
}

bool history_has_served(struct history *history)
{
    struct history_page *page;

    while ((page = TAILQ_FIRST(&history->served)) && TAILQ_EMPTY(&page->streams))
        to_idle(page);
    return page;
}

struct history_page *history_next_served(struct history *history)
{
    if (!history_has_served(history))
        return NULL;
    struct history_page *page = TAILQ_FIRST(&history->served);
    TAILQ_REMOVE(&history->served, page, link);
    TAILQ_INSERT_TAIL(&history->served, page, link);
    return page;
}

/* Drops pages that nobody reads, those first that were not used for the longest time. Returns whether there is room for
 * another one. */
static bool make_room(struct history *history)
{
    struct history_page *next;

    if (history->bytes < history->bytes_max)
        return true;
    for (struct history_page *page = TAILQ_FIRST(&history->served); page; page = next) {
        next = TAILQ_NEXT(page, link);
        if (TAILQ_EMPTY(&page->streams))
            to_idle(page);
    }
    while (history->bytes >= history->bytes_max && !TAILQ_EMPTY(&history->idle))
        drop(TAILQ_FIRST(&history->idle));
    /* A page can be larger than all the room; then there is one at a time. */
    return history->bytes < history->bytes_max || (TAILQ_EMPTY(&history->served) && history->reading == 0);
}

/* Whether streams read the series' pages, or will soon. */
static bool is_busy(const struct history_series *series)
{
    const struct history_page *page;

    if (series->reading > 0)
        return true;
    TAILQ_FOREACH (page, &series->history->served, link)
        if (page->series == series && !TAILQ_EMPTY(&page->streams))
            return true;
    return false;
}

/* Of the series, the next WANTED page in rising order; NULL when there is none, or it is too early for any. Those that
 * nobody waits for are dropped, and maybe the series with the last of them. */
static struct history_page *next_wanted(struct history_series *series)
{
    size_t first = series->next > 0 ? index_above(series, series->next - 1) : 0;
    int64_t since_ms = is_busy(series) ? loop_clock_ms() - GATHER_MS : INT64_MAX;

    for (size_t left = series->count, i = first; left > 0; left--, i++) {
        i = i < series->count ? i : 0;
        struct history_page *page = series->pages[i];
        if (page->state != PAGE_WANTED)
            continue;
        if (page->ahead || (!TAILQ_EMPTY(&page->streams) && page->wanted_ms <= since_ms))
            return page;
        if (!TAILQ_EMPTY(&page->streams))
            continue;
        bool is_last = series->count == 1;
        drop(page);
        if (is_last)
            return NULL;
        i--;
    }
    return NULL;
}

static void ask_for_page(struct history_page *page)
{
    struct history_series *series = page->series;
    size_t above = index_above(series, page->from.number);

    page->count = HISTORY_PAGE_EVENTS;
    if (above < series->count && series->pages[above]->start.number - page->from.number < page->count)
        page->count = series->pages[above]->start.number - page->from.number;
    const struct history_request request = {page->from, &series->channels, page->count};
    series->next = page->from.number + 1;
    set_state(page, PAGE_READING);
    series->history->calls.want_page(series->history->calls.context, page, &request);
}

/* -1, 0 or 1. */
static int compare(const struct durable_position *one, const struct durable_position *other)
{
    if (one->number != other->number)
        return one->number < other->number ? -1 : 1;
    return strcmp(one->nonce, other->nonce);
}

/* The place's index among the entries, or where it would be. */
static size_t entry_index(const struct history_places *places, const struct durable_position *place)
{
    size_t low = 0, high = places->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&places->entries[middle].place, place) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct history_place *history_place_of(const struct history *history, const struct durable_position *place)
{
    const struct history_places *places = &history->places;
    size_t i = entry_index(places, place);

    return i < places->count && compare(&places->entries[i].place, place) == 0 ? &places->entries[i] : NULL;
}

struct subscriber_list *history_judges(struct history *history, const struct durable_position *place)
{
    return history->places.asked && history_place_of(history, place) ? &history->places.streams : &history->unjudged;
}

static void add_place(struct history *history, const struct durable_position *place)
{
    struct history_places *places = &history->places;
    size_t i = entry_index(places, place);

    if (history_place_of(history, place))
        return;
    memmove(places->entries + i + 1, places->entries + i, (places->count - i) * sizeof(*places->entries));
    places->entries[i] = (struct history_place){.place = *place};
    places->count++;
}

static void ask_for_places(struct history *history)
{
    struct history_places *places = &history->places;
    struct subscriber *subscriber;
    size_t streams = 0;

    if (places->asked || places->failed || TAILQ_EMPTY(&history->unjudged))
        return;
    places->count = 0;
    while (places->count < HISTORY_PLACES_MAX && streams++ < HISTORY_PLACES_STREAMS_MAX &&
           (subscriber = TAILQ_FIRST(&history->unjudged))) {
        add_place(history, &subscriber->durable);
        subscriber_hang_on(subscriber, &places->streams);
    }
    places->asked = true;
    history->calls.want_places(history->calls.context, places);
}

void history_ask(struct history *history)
{
    struct history_series *series;

    ask_for_places(history);
    for (int left = SERIES_PER_TURN; left > 0; left--) {
        if (history->reading >= READING_MAX || !(series = TAILQ_FIRST(&history->wanted)) || !make_room(history))
            return;
        /* make_room() may have dropped pages, but no series that is wanted. Each series has its turn. */
        TAILQ_REMOVE(&history->wanted, series, wanted_link);
        TAILQ_INSERT_TAIL(&history->wanted, series, wanted_link);
        struct history_page *page = next_wanted(series);
        if (!page)
            continue;
        ask_for_page(page);
        if (page->state == PAGE_FAILED)
            return;
    }
}

void history_retry(struct history *history)
{
    struct history_series *series;

    history->places.failed = false;
    if (history->failed == 0)
        return;
    TAILQ_FOREACH (series, &history->series, link)
        for (size_t i = 0; i < series->count; i++)
            if (series->pages[i]->state == PAGE_FAILED)
                set_state(series->pages[i], PAGE_WANTED);
}

void history_forget(struct history *history)
{
    struct history_series *series;

    TAILQ_FOREACH (series, &history->series, link)
        for (size_t i = 0; i < series->count; i++)
            series->pages[i]->outdated |=
                series->pages[i]->state == PAGE_READING || series->pages[i]->state == PAGE_READY;
    while (!TAILQ_EMPTY(&history->idle))
        drop(TAILQ_FIRST(&history->idle));
}

size_t history_index(const struct history_page *page, uint64_t number)
{
    size_t low = 0, high = page->event_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (page->events[middle]->durable.number > number)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

void history_count_bytes(struct history_page *page, size_t bytes)
{
    page->bytes += bytes;
    page->series->history->bytes += bytes;
}

size_t history_next_marked(const struct history_page *page, size_t index, uint64_t marks)
{
    while (index < page->event_count && !(marks >> page->id_marks[index] & 1))
        index++;
    return index;
}

/* Room for another event. 0 or -ENOMEM. */
static int make_room_for_event(struct history_page *page)
{
    size_t capacity = page->event_capacity ? page->event_capacity * 2 : 16;

    if (page->event_count < page->event_capacity)
        return 0;
    struct event **events = realloc(page->events, capacity * sizeof(struct event *));
    if (events)
        page->events = events;
    unsigned char *marks = realloc(page->id_marks, capacity);
    if (marks)
        page->id_marks = marks;
    if (!events || !marks)
        return -ENOMEM;
    page->event_capacity = capacity;
    return 0;
}

void hub_history_verdict(struct history_page *page, enum history_verdict verdict,
                         const struct durable_position *resumed)
{
    page->verdict = verdict;
    take_out(page);
    page->start = page->end = *resumed;
    put_in(page);
}

void hub_history_event(struct history_page *page, const struct durable_position *position,
                       const struct log_change *change)
{
    struct event *event = NULL;

    if (page->broken || log_decoder_decode(&page->series->history->decoder, change, &event) < 0) {
        page->broken = true;
        return;
    }
    if (make_room_for_event(page) < 0) {
        event_unref(event);
        page->broken = true;
        return;
    }
    event->durable = *position;
    event->is_durable = true;
    page->id_marks[page->event_count] = event_id_mark(event);
    page->events[page->event_count++] = event;
    history_count_bytes(page, event_size_bytes(event) + sizeof(struct event *) + 1);
    /* Where something could not be kept, the page ends before it. */
    page->end = *position;
}

void hub_history_end(struct history_page *page, const struct durable_position *end)
{
    struct history *history = page->series->history;

    if (page->broken && page->event_count == 0) {
        hub_history_fail(page);
        return;
    }
    if (!page->broken)
        page->end = *end;
    if (page->end.number - page->start.number > page->series->longest)
        page->series->longest = page->end.number - page->start.number;
    history_count_bytes(page, sizeof(*page));
    set_state(page, PAGE_READY);
    history->calls.on_page(history->calls.context, page);
}

void hub_history_fail(struct history_page *page)
{
    drop_events(page);
    take_out(page);
    page->start = page->end = page->from;
    put_in(page);
    page->broken = page->outdated = false;
    set_state(page, PAGE_FAILED);
}

size_t hub_places_count(const struct history_places *places)
{
    return places->count;
}

const struct durable_position *hub_places_at(const struct history_places *places, size_t index)
{
    return &places->entries[index].place;
}

void hub_places_verdict(struct history_places *places, size_t index, enum history_verdict verdict,
                        const struct durable_position *resumed)
{
    places->entries[index].verdict = verdict;
    places->entries[index].resumed = *resumed;
}

void hub_places_end(struct history_places *places)
{
    struct history *history = (struct history *)((char *)places - offsetof(struct history, places));

    places->asked = false;
    history->calls.on_places(history->calls.context);
}

void hub_places_fail(struct history_places *places)
{
    struct history *history = (struct history *)((char *)places - offsetof(struct history, places));

    places->asked = false;
    places->failed = true;
    while (!TAILQ_EMPTY(&places->streams))
        subscriber_hang_on(TAILQ_FIRST(&places->streams), &history->unjudged);
}
