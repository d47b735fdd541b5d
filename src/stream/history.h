/* History: what the database's log has of durable channels, for streams whose place is older than what the gateway
 * remembers. It is read in pages, which all streams of the same channels share, whatever their filters and places are.
 *
 * The pages of one list of channels are a series, in the order of their numbers. A page is
 *
 *     WANTED  ->  READING  ->  READY  ->  dropped
 *        ^           |
 *        +- FAILED <-+
 *
 *   WANTED   Streams hang on it, or it lies behind another one that streams hang on. It begins at the lowest of their
 *            places: a lower one that comes moves its beginning down. It ends where the next page begins, or after
 *            HISTORY_PAGE_EVENTS. history_ask() alone asks for it.
 *   READING  The reader has it. Streams whose places it may cover still come to hang on it.
 *   READY    It has all events behind `start` up to `end`, for good. When it is shorter than its streams hoped for,
 *            those that it does not cover hang on another one when it is their turn.
 *   FAILED   history_retry() makes it WANTED again, with the streams that hang on it.
 *
 * What must hold:
 *
 *   - A stream that is caught up from the log, and can be sent something, hangs on one page (`streams`): the one that
 *     it waits for or reads. Nobody walks over the others: a page serves its own streams.
 *   - A page with streams is not dropped. Who has a full socket hangs on none, so a slow client keeps no page; it
 *     looks for one again when it can go on.
 *   - Pages of a series are asked for in rising order, from where the last one began, and then from the lowest again;
 *     and as soon as one comes, the next is wanted at its end. So a crowd that comes back with as many places as it
 *     has streams meets where pages end, and goes on together. Who comes while others read, and begins where nothing
 *     is kept or being read, waits a moment for those that come with it. So each part of the log is read once for
 *     those that came first, and, unless it is kept, once for those that came behind them.
 *   - Pages take bytes_max, and what is being read; without room none is asked for before another one can be dropped.
 *
 * A place that a client claims is judged first, since only the database knows all places that there are: many at once,
 * in one question. Pages begin at places that exist, so nobody's false claim costs others one. */
#pragma once

#include "base/text_tree.h"
#include "stream/cursor.h"
#include "stream/durable.h"
#include "stream/event.h"

#include <sys/queue.h>

struct subscriber;
TAILQ_HEAD(subscriber_list, subscriber);

struct page_frames;

enum page_state { PAGE_WANTED, PAGE_READING, PAGE_READY, PAGE_FAILED };

struct history_page {
    struct history_series *series;
    TAILQ_ENTRY(history_page) link; /* READY: in history->served or history->idle */
    enum page_state state;
    struct subscriber_list streams;     /* wait for it or read it */
    struct durable_position from;       /* as it is asked for */
    uint64_t count;                     /* how many events it looks at, at most; from READING on */
    enum history_verdict verdict;       /* on `from`, should the database have changed meanwhile */
    struct durable_position start, end; /* what the page has is behind start, and up to end */
    struct event **events;              /* their `durable` is set */
    size_t event_count, event_capacity;
    unsigned char *id_marks; /* event_id_mark() of each */
    size_t bytes;
    int64_t wanted_ms;          /* since when it was WANTED first */
    bool broken;                /* no memory for one of the events */
    bool ahead;                 /* behind another one, to be read though no stream may hang on it yet */
    bool asked_ahead;           /* the page behind it is, or was */
    bool is_served;             /* in history->served */
    bool outdated;              /* it is of a history that is no more */
    struct page_frames *frames; /* shared by the streams of one feed; owned; NULL: none */
};

TAILQ_HEAD(history_page_list, history_page);

/* The pages of one list of channels. */
struct history_series {
    char *key; /* first: the tree compares it */
    struct history *history;
    struct text_list channels;
    struct history_page **pages; /* by `start`, rising; a few may overlap */
    size_t count, capacity;
    uint64_t longest;                        /* how many numbers any of its pages has had */
    uint64_t next;                           /* the next page that is asked for begins here or above, if there is one */
    size_t wanted, reading;                  /* pages in these states */
    size_t feeds;                            /* that have it; it goes with the last of them and the last page */
    TAILQ_ENTRY(history_series) link;        /* all of them */
    TAILQ_ENTRY(history_series) wanted_link; /* history->wanted */
    bool is_wanted;
};

TAILQ_HEAD(history_series_list, history_series);

enum { HISTORY_PLACES_MAX = 512, HISTORY_PLACES_STREAMS_MAX = 1024 };

/* Places that are judged together. */
struct history_places {
    struct history_place {
        struct durable_position place;
        enum history_verdict verdict;
        struct durable_position resumed;
    } entries[HISTORY_PLACES_MAX]; /* rising, each once */
    size_t count;
    struct subscriber_list streams; /* whose places these are */
    bool asked, failed;
};

struct history_calls {
    void (*want_page)(void *context, struct history_page *page, const struct history_request *request);
    void (*want_places)(void *context, struct history_places *places);
    void (*on_page)(void *context, struct history_page *page); /* READY, and streams hang on it */
    void (*on_places)(void *context);                          /* those that were asked for have been judged */
    void *context;
};

struct history {
    struct history_calls calls;
    size_t bytes_max;
    size_t bytes; /* of all pages */
    size_t reading, failed;
    struct text_tree series_by_key;
    struct history_series_list series, wanted;
    /* READY pages: those with streams, the next one to be served first; and those without, the one used last stands
     * last. A page whose last stream has left is found out when it would be served. */
    struct history_page_list served, idle;
    struct subscriber_list unjudged; /* streams whose places nobody has asked about yet */
    struct history_places places;
    struct log_decoder decoder;
};

void history_init(struct history *history, size_t bytes_max, const struct history_calls *calls);
void history_done(struct history *history); /* no stream hangs on anything, no feed has a series, no answer may come */

/* The series of those channels, which the caller has until it leaves it; NULL without memory. */
struct history_series *history_series_enter(struct history *history, const struct text_list *channels);
void history_series_leave(struct history_series *series); /* NULL is fine */

/* The page that has what comes behind a place that exists, in any state: made WANTED if there is none, which is dropped
 * again unless a stream hangs on it before history_ask(). NULL without memory. Drops nothing. */
struct history_page *history_page_for(struct history_series *series, const struct durable_position *place);
/* Wants the page behind this one, so that it comes while this one is being sent. */
void history_want_next(struct history_page *page);

/* A stream is about to hang on it, to be served what the READY page has. */
void history_serve(struct history_page *page);
bool history_has_served(struct history *history); /* whether a READY page has streams */
/* The one whose streams are to be served next, and to the end of the queue with it; NULL: there is none. */
struct history_page *history_next_served(struct history *history);

/* Asks for what is wanted and has room, pages and verdicts. Not from within anything that holds on to a page. */
void history_ask(struct history *history);
void history_retry(struct history *history);  /* what failed is wanted again */
void history_forget(struct history *history); /* all pages are of a history that is no more */

/* Where a stream waits for the verdict on its place. */
struct subscriber_list *history_judges(struct history *history, const struct durable_position *place);
/* The verdict on a place, of those that on_places tells; NULL: it was not among them. */
const struct history_place *history_place_of(const struct history *history, const struct durable_position *place);

/* The first event behind number; event_count when there is none. */
size_t history_index(const struct history_page *page, uint64_t number);

/* The first event from index on that has one of the marks of selection_id_marks(); event_count when there is none. */
size_t history_next_marked(const struct history_page *page, size_t index, uint64_t marks);

void history_count_bytes(struct history_page *page, size_t bytes); /* it has grown by these */
