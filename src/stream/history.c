#include "stream/history.h"

#include "stream/page_frames.h"

#include <stdlib.h>
#include <string.h>

enum { PAGES_MAX = 64, READING_MAX = 8 };

void history_init(struct history *history, size_t bytes_max, void (*on_ready)(void *context), void *context)
{
    *history = (struct history){.bytes_max = bytes_max, .on_ready = on_ready, .context = context};
    TAILQ_INIT(&history->pages);
    log_decoder_init(&history->decoder);
}

static void drop(struct history_page *page)
{
    struct history *history = page->history;

    TAILQ_REMOVE(&history->pages, page, link);
    history->count--;
    history->bytes -= page->bytes;
    for (size_t i = 0; i < page->event_count; i++)
        event_unref(page->events[i]);
    free(page->events);
    page_frames_free(page->frames);
    text_list_done(&page->channels);
    free(page);
}

void history_done(struct history *history)
{
    while (!TAILQ_EMPTY(&history->pages))
        drop(TAILQ_FIRST(&history->pages));
    log_decoder_done(&history->decoder);
}

bool history_is_from(const struct history_page *page, const struct durable_position *place)
{
    return page->from.number == place->number && strcmp(page->from.nonce, place->nonce) == 0;
}

struct history_page *history_find(struct history *history, const struct text_list *channels,
                                  const struct durable_position *place, bool exact, uint64_t serial_seen)
{
    struct history_page *page;

    TAILQ_FOREACH (page, &history->pages, link) {
        bool inside = page->ready && !exact && page->start.number <= place->number && place->number < page->end.number;
        if (page->failed || !(inside || (page->serial > serial_seen && history_is_from(page, place))))
            continue;
        if (!text_list_equal(&page->channels, channels))
            continue;
        TAILQ_REMOVE(&history->pages, page, link);
        TAILQ_INSERT_TAIL(&history->pages, page, link);
        return page;
    }
    return NULL;
}

/* Drops ready pages, those first that were not used for the longest time. */
static void make_room(struct history *history)
{
    struct history_page *next;

    for (struct history_page *page = TAILQ_FIRST(&history->pages);
         page && (history->count >= PAGES_MAX || history->bytes > history->bytes_max); page = next) {
        next = TAILQ_NEXT(page, link);
        if (page->ready && next) /* not the only one: somebody may be about to read it */
            drop(page);
    }
}

static size_t reading_count(const struct history *history)
{
    const struct history_page *page;
    size_t count = 0;

    TAILQ_FOREACH (page, &history->pages, link)
        count += !page->ready;
    return count;
}

struct history_page *history_begin(struct history *history, const struct text_list *channels,
                                   const struct durable_position *from)
{
    struct history_page *page;

    make_room(history);
    if (reading_count(history) >= READING_MAX)
        return NULL;
    page = calloc(1, sizeof(*page));
    if (!page)
        return NULL;
    if (text_list_init(&page->channels, (const char *const *)channels->items, channels->count) < 0) {
        free(page);
        return NULL;
    }
    page->history = history;
    page->serial = ++history->serial;
    page->from = page->start = page->end = *from;
    TAILQ_INSERT_TAIL(&history->pages, page, link);
    history->count++;
    return page;
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

bool history_drop_failed(struct history *history)
{
    struct history_page *next;
    bool any = false;

    for (struct history_page *page = TAILQ_FIRST(&history->pages); page; page = next) {
        next = TAILQ_NEXT(page, link);
        if (page->failed) {
            drop(page);
            any = true;
        }
    }
    return any;
}

void hub_history_verdict(struct history_page *page, enum history_verdict verdict,
                         const struct durable_position *resumed)
{
    page->verdict = verdict;
    page->start = page->end = *resumed;
}

void hub_history_event(struct history_page *page, const struct durable_position *position,
                       const struct log_change *change)
{
    struct event *event = NULL;

    if (page->broken || log_decoder_decode(&page->history->decoder, change, &event) < 0) {
        page->broken = true;
        return;
    }
    if (page->event_count == page->event_capacity) {
        size_t capacity = page->event_capacity ? page->event_capacity * 2 : 16;
        struct event **events = realloc(page->events, capacity * sizeof(struct event *));
        if (!events) {
            event_unref(event);
            page->broken = true;
            return;
        }
        page->events = events;
        page->event_capacity = capacity;
    }
    event->durable = *position;
    event->is_durable = true;
    page->events[page->event_count++] = event;
    page->bytes += event_size_bytes(event);
    page->history->bytes += event_size_bytes(event);
    /* Where something could not be kept, the page ends before it. */
    page->end = *position;
}

void hub_history_end(struct history_page *page, const struct durable_position *end)
{
    struct history *history = page->history;

    if (!page->broken)
        page->end = *end;
    page->ready = true;
    page->failed = page->broken && page->event_count == 0;
    if (!page->failed)
        history->on_ready(history->context);
}

void hub_history_fail(struct history_page *page)
{
    page->ready = page->failed = true;
}
