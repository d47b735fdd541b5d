#include "postgres/history_reader.h"

#include "base/log.h"
#include "postgres/array_text.h"
#include "postgres/log_rows.h"
#include "postgres/query_queue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEADLINE_MS = 30000, IDLE_MS = 10000, UPKEEP_MS = 30000, WARN_MS = 600000, NUMBER_BYTES = 24 };

#define PAGE_EVENTS "16384" /* looked at for one page */

struct history_reader {
    struct loop *loop;
    struct durable_reader_options options;
    struct query_queue *queue;
    struct loop_timer upkeep;
    struct durable_stats *stats;
    bool lead, upkeep_asked;
    int64_t warned_ms;
};

/* A page that is being read. */
struct page_call {
    struct history_page *page;
    struct durable_position last, end;
    bool ended, in_disorder;
};

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

static void on_page(void *context, const char *sqlstate, const char *message)
{
    struct page_call *call = context;

    if (!sqlstate && call->ended && !call->in_disorder) {
        hub_history_end(call->page, &call->end);
    } else {
        if (!sqlstate || strcmp(sqlstate, "57P01") != 0)
            log_warn("reading history failed", log_text("sqlstate", sqlstate ? sqlstate : ""),
                     log_text("reason", sqlstate ? message : "the log's rows came in disorder"));
        hub_history_fail(call->page);
    }
    free(call);
}

void history_reader_want(struct history_reader *reader, struct history_page *page,
                         const struct history_request *request)
{
    char number[NUMBER_BYTES], bytes_max[NUMBER_BYTES], page_bytes[NUMBER_BYTES];
    char *channels = array_text(request->channels);
    struct page_call *call = calloc(1, sizeof(*call));
    struct query query = {
        .sql = "WITH place AS MATERIALIZED (SELECT * FROM tuplecast.find_place($1, $2))"
               " SELECT kind, number, nonce, NULL, NULL, NULL, NULL, NULL, NULL::pg_catalog.timestamptz, 0 FROM place"
               " UNION ALL"
               " SELECT e.* FROM place, LATERAL tuplecast.read_events(place.number, " PAGE_EVENTS ", $3, $4, $5) e",
        .binary = true,
        .whole = true,
        .parameters = {number, request->from.nonce, channels, bytes_max, page_bytes},
        .parameter_count = 5,
        .on_row = on_page_row,
        .on_done = on_page,
        .context = call,
    };

    snprintf(number, sizeof(number), "%" PRIu64, request->from.number);
    snprintf(bytes_max, sizeof(bytes_max), "%" PRId64, reader->options.event_bytes_max);
    snprintf(page_bytes, sizeof(page_bytes), "%" PRId64, reader->options.page_bytes);
    if (call)
        call->page = page;
    if (!channels || !call || query_queue_add(reader->queue, &query) < 0) {
        free(call);
        hub_history_fail(page);
    } else {
        reader->stats->history_pages++;
    }
    free(channels);
}

static void on_upkeep_row(void *context, const PGresult *row, int number)
{
    struct history_reader *reader = context;
    int64_t now_ms = loop_turn_ms(reader->loop);

    (void)number;
    reader->stats->log_bytes = strtoll(PQgetvalue(row, 0, 0), NULL, 10);
    reader->stats->oldest_age_s = strtoll(PQgetvalue(row, 0, 1), NULL, 10);
    if (reader->stats->log_bytes > reader->options.retention_bytes && now_ms - reader->warned_ms > WARN_MS) {
        reader->warned_ms = now_ms;
        log_warn("the log of durable channels is larger than durable.retention_bytes",
                 log_number("bytes", reader->stats->log_bytes),
                 log_text("reason", "a long transaction keeps it, or more is written than is allowed to be kept"));
    }
}

static void on_upkeep_done(void *context, const char *sqlstate, const char *message)
{
    struct history_reader *reader = context;

    reader->upkeep_asked = false;
    if (sqlstate && strcmp(sqlstate, "57P01") != 0)
        log_warn("the upkeep of the log failed", log_text("sqlstate", sqlstate), log_text("reason", message));
}

static void on_upkeep(struct loop_timer *timer)
{
    struct history_reader *reader = (struct history_reader *)((char *)timer - offsetof(struct history_reader, upkeep));
    char seconds[NUMBER_BYTES], bytes[NUMBER_BYTES];
    const struct query query = {
        .sql =
            "SELECT bytes, pg_catalog.extract('epoch', pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) oldest_at)"
            "::pg_catalog.int8 FROM tuplecast.retain(pg_catalog.make_interval(secs => $1::pg_catalog.int8), $2)",
        .parameters = {seconds, bytes},
        .parameter_count = 2,
        .on_row = on_upkeep_row,
        .on_done = on_upkeep_done,
        .context = reader,
    };

    if (!reader->lead || reader->upkeep_asked)
        return;
    snprintf(seconds, sizeof(seconds), "%" PRId64, reader->options.retention_s);
    snprintf(bytes, sizeof(bytes), "%" PRId64, reader->options.retention_bytes);
    reader->upkeep_asked = query_queue_add(reader->queue, &query) == 0;
}

struct history_reader *history_reader_new(struct loop *loop, const struct durable_reader_options *options,
                                          struct durable_stats *stats)
{
    struct history_reader *reader = calloc(1, sizeof(*reader));
    const struct query_queue_options queue = {
        .database = options->database, .deadline_ms = DEADLINE_MS, .idle_ms = IDLE_MS};

    if (!reader)
        return NULL;
    reader->loop = loop;
    reader->options = *options;
    reader->stats = stats;
    reader->warned_ms = -WARN_MS;
    reader->queue = query_queue_new(loop, &queue);
    if (!reader->queue || loop_timer_init(&reader->upkeep, loop, on_upkeep) < 0) {
        history_reader_free(reader);
        errno = ENOMEM;
        return NULL;
    }
    loop_timer_set(&reader->upkeep, UPKEEP_MS, UPKEEP_MS);
    return reader;
}

void history_reader_free(struct history_reader *reader)
{
    if (!reader)
        return;
    query_queue_free(reader->queue);
    loop_timer_done(&reader->upkeep);
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
    query_queue_reset(reader->queue, reason);
}

void history_reader_set_lead(struct history_reader *reader, bool lead)
{
    reader->lead = lead;
}
