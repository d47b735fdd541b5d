/* Pages of history: what the database's log has of durable channels from a place on, read once for all streams that ask
 * for the same.
 *
 * A stream keeps no page, only its place: when the page that it needs is not here (any more), it is read (again). So
 * the pages are bounded however many streams catch up, and however slow they are. */
#pragma once

#include "stream/cursor.h"
#include "stream/durable.h"
#include "stream/event.h"

#include <sys/queue.h>

struct page_frames;

struct history_page {
    TAILQ_ENTRY(history_page) link;
    struct history *history;
    uint64_t serial;              /* rising with each page that is read */
    struct text_list channels;    /* the durable ones of the streams, in order */
    struct durable_position from; /* as the streams asked */
    bool ready, failed;
    enum history_verdict verdict;
    struct durable_position start, end; /* what the page has is behind start, and up to end */
    struct event **events;              /* their `durable` is set */
    size_t event_count, event_capacity;
    size_t bytes;
    bool broken;                /* no memory for one of the events */
    bool ahead;                 /* the page behind it was asked for */
    struct page_frames *frames; /* shared by the streams of one feed; owned; NULL: none */
};

struct history {
    TAILQ_HEAD(, history_page) pages; /* the one used last stands last */
    size_t count, bytes;
    uint64_t serial;
    size_t bytes_max;
    void (*on_ready)(void *context); /* a page has come: who waits may look */
    void *context;
    struct log_decoder decoder;
};

void history_init(struct history *history, size_t bytes_max, void (*on_ready)(void *context), void *context);
void history_done(struct history *history); /* no answer may come afterwards */

/* The page that has what comes behind place on those channels, ready or still being read; NULL: there is none. With
 * exact, only one that was asked for from that very place. Of serial_seen and before, only those that have events
 * behind place. */
struct history_page *history_find(struct history *history, const struct text_list *channels,
                                  const struct durable_position *place, bool exact, uint64_t serial_seen);

/* A new page, to be read; NULL without memory, or when so many are being read already. */
struct history_page *history_begin(struct history *history, const struct text_list *channels,
                                   const struct durable_position *from);

/* Whether it was asked for from that very place, so that its verdict is about it. */
bool history_is_from(const struct history_page *page, const struct durable_position *place);

/* The first event behind number; event_count when there is none. */
size_t history_index(const struct history_page *page, uint64_t number);

bool history_drop_failed(struct history *history); /* so that they are asked for again */
