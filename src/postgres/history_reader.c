#include "postgres/history_reader.h"

#include "base/buffer.h"
#include "base/log.h"
#include "postgres/array_text.h"
#include "postgres/log_rows.h"
#include "postgres/query_queue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEADLINE_MS = 30000, IDLE_MS = 10000, NUMBER_BYTES = 24 };

struct history_reader {
    struct loop *loop;
    struct durable_reader_options options;
    struct query_queue *queue;
    struct durable_health *health;
    struct durable_stats *stats; /* the health's */
};

/* A page that is being read. When one of its events cannot be read, it becomes shorter and ends before that one; and
 * the page that begins with it has it without its rows, or tells that it is missing. */
struct page_call {
    struct history_reader *reader;
    struct history_page *page;
    char number[NUMBER_BYTES], nonce[NONCE_BYTES + 2], *channels; /* from where, and which; owned */
    int count; /* of the events that are looked at; 0: none is left to try */
    bool without_rows;
    struct durable_position last, end;
    bool ended, in_disorder;
};

static void free_call(struct page_call *call)
{
    if (call)
        free(call->channels);
    free(call);
}

static enum history_verdict verdict_of(const char *kind)
{
    return strcmp(kind, "ok") == 0 ? HISTORY_OK : strcmp(kind, "expired") == 0 ? HISTORY_EXPIRED : HISTORY_REWOUND;
}

static void on_page_row(void *context, const PGresult *result, int row)
{
    struct page_call *call = context;
    const struct durable_position position = log_row_position(result, row);
    const char *kind = log_row_kind(result, row);

    if (call->ended)
        return; /* the page was full before the end of what was looked at */
    if (strcmp(kind, "event") == 0) {
        const struct log_change change = log_row_change(result, row);
        call->in_disorder |= position.number <= call->last.number;
        hub_history_event(call->page, &position, &change);
    } else if (strcmp(kind, "end") == 0) {
        call->ended = true;
        call->end = position;
    } else {
        hub_history_verdict(call->page, verdict_of(kind), &position);
    }
    call->last = position;
}

static int send_call(struct page_call *call);

/* After an error of one of the events. Returns whether it is tried otherwise; then on_page is called again. */
static bool read_less(struct page_call *call, const char *sqlstate, const char *message)
{
    if (!log_row_is_unreadable(sqlstate) || call->count == 0)
        return false;
    if (call->count == 1 && call->without_rows) {
        log_error("an event of the log cannot be read, and is missing in a page", log_text("behind", call->number),
                  log_text("sqlstate", sqlstate), log_text("reason", message));
        call->reader->stats->unreadable++;
        call->count = 0;
    } else if (call->count == 1) {
        call->without_rows = true;
    } else {
        call->count /= 2;
    }
    return send_call(call) == 0;
}

static void on_page(void *context, const char *sqlstate, const char *message)
{
    struct page_call *call = context;

    if (sqlstate && read_less(call, sqlstate, message))
        return;
    if (!sqlstate && call->ended && !call->in_disorder) {
        durable_health_upkeep(call->reader->health, DURABLE_FAULT_HISTORY, true);
        hub_history_end(call->page, &call->end);
    } else {
        durable_health_upkeep(call->reader->health, DURABLE_FAULT_HISTORY, false);
        if (!sqlstate || strcmp(sqlstate, "57P01") != 0)
            log_warn("reading history failed", log_text("sqlstate", sqlstate ? sqlstate : ""),
                     log_text("reason", sqlstate ? message : "the log's rows came in disorder"));
        hub_history_fail(call->page);
    }
    free_call(call);
}

#define FIND_PLACE "WITH place AS MATERIALIZED (SELECT * FROM tuplecast.find_place($1, $2))"
#define NOTHING    "NULL, NULL, NULL, NULL, NULL, NULL::pg_catalog.timestamptz, 0, NULL"

static int send_call(struct page_call *call)
{
    const struct durable_reader_options *options = &call->reader->options;
    char bytes_max[NUMBER_BYTES], page_bytes[NUMBER_BYTES], count[NUMBER_BYTES];
    struct query query = {
        .sql = FIND_PLACE " SELECT kind, number, nonce, " NOTHING " FROM place UNION ALL SELECT e.* FROM place,"
                          " LATERAL tuplecast.read_events(place.number, $6, $3, $4, $5) e",
        .binary = true,
        .whole = true,
        .parameters = {call->number, call->nonce, call->channels, bytes_max, page_bytes, count},
        .parameter_count = 6,
        .lacking = "\x01", /* as in durable_reader.c */
        .on_row = on_page_row,
        .on_done = on_page,
        .context = call,
    };

    if (call->count == 0) {
        query.sql = FIND_PLACE ", next AS MATERIALIZED (SELECT n.* FROM place, LATERAL "
                               "tuplecast.find_place(place.number OPERATOR(pg_catalog.+) 1, '') n)"
                               " SELECT 'expired', number, nonce, " NOTHING
                               " FROM next UNION ALL SELECT 'end', number, nonce, " NOTHING " FROM next";
        query.parameter_count = 2;
    }
    snprintf(bytes_max, sizeof(bytes_max), "%" PRId64, call->without_rows ? 0 : options->event_bytes_max);
    snprintf(page_bytes, sizeof(page_bytes), "%" PRId64, options->page_bytes);
    snprintf(count, sizeof(count), "%d", call->count);
    return query_queue_add(call->reader->queue, &query);
}

void history_reader_want(struct history_reader *reader, struct history_page *page,
                         const struct history_request *request)
{
    struct page_call *call = calloc(1, sizeof(*call));

    if (call) {
        *call = (struct page_call){
            .reader = reader, .page = page, .channels = array_text(request->channels), .count = (int)request->count};
        snprintf(call->number, sizeof(call->number), "%" PRIu64, request->from.number);
        snprintf(call->nonce, sizeof(call->nonce), "%s", request->from.nonce);
    }
    if (!call || !call->channels || send_call(call) < 0) {
        free_call(call);
        hub_history_fail(page);
    } else {
        reader->stats->history_pages++;
    }
}

/* Places that are being judged. */
struct places_call {
    struct history_reader *reader;
    struct history_places *places;
    char *numbers, *nonces; /* as arrays; owned */
};

static void free_places_call(struct places_call *call)
{
    if (call) {
        free(call->numbers);
        free(call->nonces);
    }
    free(call);
}

static void on_place_row(void *context, const PGresult *result, int row)
{
    struct places_call *call = context;
    struct durable_position resumed = {.number = strtoull(PQgetvalue(result, row, 2), NULL, 10)};

    strncat(resumed.nonce, PQgetvalue(result, row, 3), NONCE_BYTES);
    hub_places_verdict(call->places, strtoul(PQgetvalue(result, row, 0), NULL, 10),
                       verdict_of(PQgetvalue(result, row, 1)), &resumed);
}

static void on_places(void *context, const char *sqlstate, const char *message)
{
    struct places_call *call = context;

    durable_health_upkeep(call->reader->health, DURABLE_FAULT_HISTORY, !sqlstate);
    if (!sqlstate) {
        hub_places_end(call->places);
    } else {
        if (strcmp(sqlstate, "57P01") != 0)
            log_warn("judging the places of streams failed", log_text("sqlstate", sqlstate),
                     log_text("reason", message));
        hub_places_fail(call->places);
    }
    free_places_call(call);
}

/* Their numbers or their nonces, as an array. */
static char *places_array(const struct history_places *places, bool nonces)
{
    char number[NUMBER_BYTES];
    struct buffer out;

    buffer_init(&out, SIZE_MAX / 8);
    for (size_t i = 0; i < hub_places_count(places); i++) {
        const struct durable_position *place = hub_places_at(places, i);
        /* A bigint in any case: one that is larger cannot be a number of the log, either. */
        snprintf(number, sizeof(number), "%" PRIu64, place->number < INT64_MAX ? place->number : INT64_MAX);
        buffer_append_text(&out, i == 0 ? "{" : ",");
        buffer_append_text(&out, nonces ? "\"" : number);
        /* Letters and digits; it may be empty, which needs the quotes. */
        if (nonces)
            buffer_printf(&out, "%s\"", place->nonce);
    }
    buffer_append_text(&out, "}");
    const char *text = buffer_text(&out);
    char *copy = text ? strdup(text) : NULL;
    buffer_done(&out);
    return copy;
}

void history_reader_judge(struct history_reader *reader, struct history_places *places)
{
    struct places_call *call = calloc(1, sizeof(*call));

    if (call)
        *call = (struct places_call){reader, places, places_array(places, false), places_array(places, true)};
    if (call && call->numbers && call->nonces) {
        const struct query query = {
            .sql =
                "SELECT w.i OPERATOR(pg_catalog.-) 1, f.kind, f.number, f.nonce"
                " FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.int8[]), pg_catalog.unnest($2::pg_catalog.text[]))"
                " WITH ORDINALITY AS w (number, nonce, i),"
                " LATERAL tuplecast.find_place(w.number, w.nonce) f",
            .whole = true,
            .parameters = {call->numbers, call->nonces},
            .parameter_count = 2,
            .on_row = on_place_row,
            .on_done = on_places,
            .context = call,
        };
        if (query_queue_add(reader->queue, &query) == 0)
            return;
    }
    free_places_call(call);
    hub_places_fail(places);
}

struct history_reader *history_reader_new(struct loop *loop, const struct durable_reader_options *options,
                                          struct durable_health *health)
{
    struct history_reader *reader = calloc(1, sizeof(*reader));
    const struct query_queue_options queue = {
        .database = options->database,
        .session = "history",
        .deadline_ms = DEADLINE_MS,
        .idle_ms = IDLE_MS,
        .uses_schema = true,
    };

    if (!reader)
        return NULL;
    reader->loop = loop;
    reader->health = health;
    reader->stats = health->stats;
    reader->options = *options;
    reader->queue = query_queue_new(loop, &queue);
    if (!reader->queue) {
        history_reader_free(reader);
        errno = ENOMEM;
        return NULL;
    }
    return reader;
}

void history_reader_free(struct history_reader *reader)
{
    if (!reader)
        return;
    query_queue_free(reader->queue);
    free(reader);
}

void history_reader_reconfigure(struct history_reader *reader, const struct durable_reader_options *options)
{
    reader->options = *options;
}

void history_reader_begin_with(struct history_reader *reader, size_t host)
{
    query_queue_begin_with(reader->queue, host);
}

void history_reader_reset(struct history_reader *reader, const char *reason)
{
    query_queue_reset_soon(reader->queue, reason);
}
