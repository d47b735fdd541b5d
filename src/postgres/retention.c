#include "postgres/retention.h"

#include "base/log.h"
#include "postgres/query_queue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEADLINE_MS = 300000, /* the removal of the files of a large partition takes minutes on some file systems */
    IDLE_MS = 10000,
    PERIOD_MS = 30000,
    SOON_MS = 500,    /* after a call that left something to be done */
    RETRY_MS = 5000,  /* after a failure */
    WARN_MS = 600000, /* between two warnings that the log is too large */
    NUMBER_BYTES = 24
};

struct retention {
    struct loop *loop;
    struct durable_reader_options options;
    struct query_queue *queue;
    struct loop_timer timer;
    struct durable_health *health;
    struct durable_stats *stats; /* the health's */
    bool lead, is_asked;
    int64_t warned_ms;
};

static void on_retained_row(void *context, const PGresult *row, int number)
{
    struct retention *retention = context;
    int64_t now_ms = loop_turn_ms(retention->loop);

    (void)number;
    retention->stats->log_bytes = strtoll(PQgetvalue(row, 0, 0), NULL, 10);
    retention->stats->oldest_age_s = strtoll(PQgetvalue(row, 0, 1), NULL, 10);
    if (PQgetvalue(row, 0, 2)[0] == 't')
        loop_timer_set(&retention->timer, SOON_MS, PERIOD_MS);
    if (retention->stats->log_bytes > retention->options.retention_bytes && now_ms - retention->warned_ms > WARN_MS) {
        retention->warned_ms = now_ms;
        log_warn("the log of durable channels is larger than durable.retention_bytes",
                 log_number("bytes", retention->stats->log_bytes),
                 log_text("reason", "a long transaction keeps it, or more is written than is allowed to be kept"));
    }
}

static void on_retained(void *context, const char *sqlstate, const char *message)
{
    struct retention *retention = context;

    retention->is_asked = false;
    durable_health_upkeep(retention->health, DURABLE_FAULT_RETENTION, !sqlstate);
    if (!sqlstate || strcmp(sqlstate, "57P01") == 0)
        return;
    log_warn("retention failed", log_text("sqlstate", sqlstate), log_text("reason", message));
    loop_timer_set(&retention->timer, RETRY_MS, PERIOD_MS);
}

static void on_timer(struct loop_timer *timer)
{
    struct retention *retention = (struct retention *)((char *)timer - offsetof(struct retention, timer));
    char seconds[NUMBER_BYTES], bytes[NUMBER_BYTES];
    const struct query query = {
        .sql = "SELECT bytes, oldest_age_s, has_more FROM tuplecast.retain($1::pg_catalog.interval, $2)",
        .parameters = {seconds, bytes},
        .parameter_count = 2,
        .on_row = on_retained_row,
        .on_done = on_retained,
        .context = retention,
    };

    if (!retention->lead || retention->is_asked)
        return;
    snprintf(seconds, sizeof(seconds), "%" PRId64 " s", retention->options.retention_s);
    snprintf(bytes, sizeof(bytes), "%" PRId64, retention->options.retention_bytes);
    retention->is_asked = true; /* before: the answer may come at once */
    if (query_queue_add(retention->queue, &query) < 0)
        retention->is_asked = false;
}

struct retention *retention_new(struct loop *loop, const struct durable_reader_options *options,
                                struct durable_health *health)
{
    struct retention *retention = calloc(1, sizeof(*retention));
    const struct query_queue_options queue = {
        .database = options->database,
        .session = "retention",
        .deadline_ms = DEADLINE_MS,
        .idle_ms = IDLE_MS,
        .uses_schema = true,
    };

    if (!retention)
        return NULL;
    retention->loop = loop;
    retention->health = health;
    retention->stats = health->stats;
    retention_reconfigure(retention, options);
    retention->warned_ms = -WARN_MS;
    retention->queue = query_queue_new(loop, &queue);
    if (!retention->queue || loop_timer_init(&retention->timer, loop, on_timer) < 0) {
        retention_free(retention);
        errno = ENOMEM;
        return NULL;
    }
    loop_timer_set(&retention->timer, RETRY_MS, PERIOD_MS);
    return retention;
}

void retention_free(struct retention *retention)
{
    if (!retention)
        return;
    query_queue_free(retention->queue);
    loop_timer_done(&retention->timer);
    free(retention);
}

void retention_reconfigure(struct retention *retention, const struct durable_reader_options *options)
{
    retention->options = *options;
    retention->stats->retention_bytes = options->retention_bytes;
    retention->stats->retention_s = options->retention_s;
}

void retention_begin_with(struct retention *retention, size_t host)
{
    query_queue_begin_with(retention->queue, host);
}

void retention_reset(struct retention *retention, const char *reason)
{
    query_queue_reset_soon(retention->queue, reason);
}

void retention_set_lead(struct retention *retention, bool lead)
{
    retention->lead = lead;
}
