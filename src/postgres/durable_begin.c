#include "postgres/durable_own.h"

#include "base/embedded.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { RETRY_MS = 30000 }; /* for a database without our schema */

static void switch_off(struct durable_reader *reader, const char *why)
{
    if (strcmp(reader->stats.problem, why) != 0)
        log_info("no durable channels", log_text("reason", why));
    snprintf(reader->stats.problem, sizeof(reader->stats.problem), "%s", why);
    durable_set_mode(reader, MODE_OFF);
    hub_durable_channels(reader->hub, NULL, 0);
    loop_timer_set(&reader->timer, RETRY_MS, 0);
}

static void on_name(void *context, const PGresult *row, int number)
{
    struct durable_reader *reader = context;

    (void)number;
    if (text_list_add(&reader->names, PQgetvalue(row, 0, 0)) < 0)
        reader->names_cut = true;
}

static void on_names(void *context, const char *sqlstate, const char *message)
{
    struct durable_reader *reader = context;

    if (durable_failed(reader, sqlstate, message))
        return;
    if (reader->names_cut || hub_durable_channels(reader->hub, reader->names.items, reader->names.count) < 0)
        query_queue_reset(reader->queue, "out of memory");
    else
        durable_go_on(reader);
}

void durable_ask_names(struct durable_reader *reader)
{
    text_list_done(&reader->names);
    reader->names_changed = reader->names_cut = false;
    durable_ask(reader, "SELECT tuplecast.durable_channels()", NULL, 0, on_name, on_names);
}

static void on_last_row(void *context, const PGresult *row, int number)
{
    struct durable_reader *reader = context;

    (void)number;
    reader->last = durable_number(row, 0);
    reader->found.number = (uint64_t)durable_number(row, 1);
    durable_copy_nonce(reader->found.nonce, PQgetvalue(row, 0, 2));
}

static void on_last(void *context, const char *sqlstate, const char *message)
{
    struct durable_reader *reader = context;

    if (durable_failed(reader, sqlstate, message))
        return;
    if (reader->ever_up) {
        enum history_verdict why = strcmp(reader->verdict, "expired") == 0 ? HISTORY_EXPIRED : HISTORY_REWOUND;
        log_warn("durable events are missing", log_text("reason", reader->verdict));
        hub_durable_lost(reader->hub, why, &reader->found);
    }
    reader->ever_up = reader->position_checked = true;
    hub_durable_up(reader->hub, &reader->found);
    durable_ask_names(reader);
}

static void on_verdict_row(void *context, const PGresult *row, int number)
{
    struct durable_reader *reader = context;

    (void)number;
    snprintf(reader->verdict, sizeof(reader->verdict), "%s", PQgetvalue(row, 0, 0));
}

/* After a reconnect: is the place where we were still there? */
static void on_verdict(void *context, const char *sqlstate, const char *message)
{
    struct durable_reader *reader = context;

    if (durable_failed(reader, sqlstate, message))
        return;
    if (strcmp(reader->verdict, "ok") != 0) {
        durable_ask(reader, "SELECT * FROM tuplecast.last_tick()", NULL, 0, on_last_row, on_last);
        return;
    }
    reader->position_checked = true;
    hub_durable_up(reader->hub, hub_durable_position(reader->hub));
    durable_ask_names(reader);
}

static void check_position(struct durable_reader *reader)
{
    const struct durable_position *position = hub_durable_position(reader->hub);
    char number[DURABLE_NUMBER_BYTES];
    const char *const parameters[] = {number, position->nonce};

    if (!reader->ever_up) {
        durable_ask(reader, "SELECT * FROM tuplecast.last_tick()", NULL, 0, on_last_row, on_last);
        return;
    }
    snprintf(number, sizeof(number), "%" PRIu64, position->number);
    durable_ask(reader, "SELECT kind FROM tuplecast.find_place($1, $2)", parameters, 2, on_verdict_row, on_verdict);
}

static void on_check_row(void *context, const PGresult *row, int number)
{
    struct durable_reader *reader = context;

    (void)number;
    snprintf(reader->refusal, sizeof(reader->refusal), "%s", PQgetvalue(row, 0, 0));
}

static void on_session_row(void *context, const PGresult *row, int number)
{
    struct durable_reader *reader = context;

    (void)number;
    /* Who tells another session's number is not the server. Locks of a session are of no use behind a pooler. */
    if (durable_number(row, 0) != query_queue_session(reader->queue))
        snprintf(reader->refusal, sizeof(reader->refusal),
                 "there is a pooler between this gateway and the database: connect to the server itself (one that "
                 "pools transactions loses notifications, too)");
}

static bool is_lost(const char *sqlstate)
{
    return sqlstate && (strncmp(sqlstate, "08", 2) == 0 || strcmp(sqlstate, "57P01") == 0);
}

static void on_check(void *context, const char *sqlstate, const char *message)
{
    struct durable_reader *reader = context;

    reader->busy = false;
    if (sqlstate && !is_lost(sqlstate)) {
        bool is_old = strncmp(sqlstate, "42", 2) == 0 || strcmp(sqlstate, "3F000") == 0;
        if (!is_old)
            log_warn("the log of durable channels cannot be read", log_text("sqlstate", sqlstate),
                     log_text("reason", message));
        switch_off(reader, is_old ? "the database side is not installed, or too old: run `tuplecast setup`"
                                  : "the log cannot be read; the gateway's log says why");
        return;
    }
    if (durable_failed(reader, sqlstate, message))
        return;
    if (reader->refusal[0]) {
        switch_off(reader, reader->refusal);
        return;
    }
    reader->stats.problem[0] = '\0';
    durable_set_mode(reader, MODE_FOLLOWER);
    reader->life_ms = loop_turn_ms(reader->loop);
    check_position(reader);
}

/* A schema that is not as it should be may well work: so this is said, and tried. */
static void say_schema(struct durable_reader *reader)
{
    const char *const parameters[] = {reader->options.order};
    char sentence[sizeof(reader->schema_said)];

    schema_state_say(&reader->schema, sentence, sizeof(sentence));
    if (sentence[0] && strcmp(sentence, reader->schema_said) != 0)
        log_warn("the database side is not the right one", log_text("reason", sentence));
    snprintf(reader->schema_said, sizeof(reader->schema_said), "%s", sentence);
    durable_ask(reader, "SELECT tuplecast.check_durable($1)", parameters, 1, on_check_row, on_check);
}

static void on_compared_row(void *context, const PGresult *row, int number)
{
    struct durable_reader *reader = context;

    (void)number;
    schema_state_compare(&reader->schema, row);
}

static void on_compared(void *context, const char *sqlstate, const char *message)
{
    struct durable_reader *reader = context;

    if (is_lost(sqlstate) && durable_failed(reader, sqlstate, message))
        return;
    reader->busy = false;
    if (sqlstate) {
        reader->schema.kind = SCHEMA_ALTERED;
        snprintf(reader->schema.detail, sizeof(reader->schema.detail), "tuplecast.version cannot be read: %s", message);
    }
    say_schema(reader);
}

static void on_schema_row(void *context, const PGresult *row, int number)
{
    struct durable_reader *reader = context;

    (void)number;
    schema_state_take(&reader->schema, row);
}

static void on_schema(void *context, const char *sqlstate, const char *message)
{
    struct durable_reader *reader = context;
    char version[DURABLE_NUMBER_BYTES];
    const char *const parameters[] = {version, embedded_scripts_checksum};

    if (durable_failed(reader, sqlstate, message))
        return;
    snprintf(version, sizeof(version), "%d", SCHEMA_VERSION);
    if (reader->schema.kind == SCHEMA_PRESENT && schema_compare_sql())
        durable_ask(reader, schema_compare_sql(), parameters, 2, on_compared_row, on_compared);
    else
        say_schema(reader);
}

static void on_session(void *context, const char *sqlstate, const char *message)
{
    struct durable_reader *reader = context;
    const char *const parameters[] = {"f"};

    if (durable_failed(reader, sqlstate, message))
        return;
    if (reader->refusal[0])
        switch_off(reader, reader->refusal);
    else
        durable_ask(reader, schema_state_sql(), parameters, 1, on_schema_row, on_schema);
}

/* A pooler first: it is as bad for live channels, which need nothing to be installed. */
void durable_check(struct durable_reader *reader)
{
    reader->refusal[0] = '\0';
    durable_ask(reader, "SELECT pg_catalog.pg_backend_pid()", NULL, 0, on_session_row, on_session);
}
