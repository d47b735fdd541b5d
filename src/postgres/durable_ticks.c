#include "postgres/array_text.h"
#include "postgres/durable_own.h"
#include "postgres/log_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void durable_add_tick(struct durable_reader *reader, const PGresult *row, int column)
{
    if (PQgetisnull(row, 0, column))
        return;
    if (reader->tick_first == reader->tick_count)
        reader->tick_first = reader->tick_count = 0;
    if (reader->tick_count == DURABLE_TICKS_MAX)
        return; /* asked for again when these are read */
    struct tick *tick = &reader->ticks[reader->tick_count++];
    tick->number = durable_number(row, column);
    tick->base = (uint64_t)durable_number(row, column + 1);
    tick->count = (uint64_t)durable_number(row, column + 2);
    durable_copy_nonce(tick->nonce, PQgetvalue(row, 0, column + 3));
    /* Without memory for it, all channels are asked for. */
    tick->channels = PQgetisnull(row, 0, column + 4) ? NULL : strdup(PQgetvalue(row, 0, column + 4));
}

static void drop_tick(struct durable_reader *reader)
{
    free(reader->ticks[reader->tick_first++].channels);
}

void durable_drop_ticks(struct durable_reader *reader)
{
    while (reader->tick_first < reader->tick_count)
        drop_tick(reader);
    reader->tick_first = reader->tick_count = 0;
}

static void on_event(void *context, const PGresult *result, int row)
{
    struct durable_reader *reader = context;

    if (strcmp(log_row_kind(result, row), "event") != 0)
        return;
    const struct log_change change = log_row_change(result, row);
    hub_durable_event(reader->hub, log_row_position(result, row).number, &change);
}

static void finish_tick(struct durable_reader *reader)
{
    hub_durable_end(reader->hub);
    reader->last = reader->ticks[reader->tick_first].number;
    drop_tick(reader);
    reader->stats.ticks++;
}

static void on_events(void *context, const char *sqlstate, const char *message)
{
    struct durable_reader *reader = context;

    if (sqlstate && strcmp(sqlstate, "TC001") == 0) {
        /* It was away for longer than events are kept. */
        const struct tick *tick = &reader->ticks[reader->tick_first];
        struct durable_position resumed = {.number = tick->base + tick->count};
        reader->busy = false;
        durable_copy_nonce(resumed.nonce, tick->nonce);
        reader->last = tick->number;
        drop_tick(reader);
        hub_durable_lost(reader->hub, HISTORY_EXPIRED, &resumed);
    } else if (durable_failed(reader, sqlstate, message)) {
        return;
    } else {
        finish_tick(reader);
    }
    durable_go_on(reader);
}

void durable_read_tick(struct durable_reader *reader)
{
    const struct tick *tick = &reader->ticks[reader->tick_first];
    const struct durable_position *position = hub_durable_position(reader->hub);
    const struct text_list *channels;
    char base[DURABLE_NUMBER_BYTES], count[DURABLE_NUMBER_BYTES], bytes_max[DURABLE_NUMBER_BYTES];

    if (tick->base > position->number) {
        /* Ticks in between are not there any more. */
        struct durable_position resumed = {.number = tick->base};
        durable_copy_nonce(resumed.nonce, tick->nonce);
        hub_durable_lost(reader->hub, HISTORY_EXPIRED, &resumed);
    }
    int news = hub_durable_begin(reader->hub, tick->base, tick->count, tick->nonce, tick->channels, &channels);
    if (news < 0) {
        query_queue_reset(reader->queue, "out of memory");
        return;
    }
    /* Too many to be listed: maybe one of them is new. */
    reader->names_changed |= news > 0 || !tick->channels;
    if (channels->count == 0) {
        finish_tick(reader);
        durable_go_on(reader);
        return;
    }
    char *names = array_text(channels);
    if (!names) {
        query_queue_reset(reader->queue, "out of memory");
        return;
    }
    snprintf(base, sizeof(base), "%" PRIu64, tick->base);
    snprintf(count, sizeof(count), "%" PRIu64, tick->count);
    snprintf(bytes_max, sizeof(bytes_max), "%" PRId64, reader->options.event_bytes_max);
    const struct query query = {
        .sql = "SELECT * FROM tuplecast.read_events($1, $2, $3, $4, NULL)",
        .binary = true,
        .parameters = {base, count, names, bytes_max},
        .parameter_count = 4,
        .on_row = on_event,
        .on_done = on_events,
        .context = reader,
    };
    durable_send(reader, &query);
    free(names);
}
