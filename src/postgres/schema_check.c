#include "postgres/schema_check.h"

#include "base/embedded.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

static bool is_lost(const char *sqlstate)
{
    return sqlstate && (strncmp(sqlstate, "08", 2) == 0 || strcmp(sqlstate, "57P01") == 0);
}

static void say(struct schema_check *check)
{
    char sentence[sizeof(check->said)];

    schema_state_say(&check->state, sentence, sizeof(sentence));
    if (sentence[0] && strcmp(sentence, check->said) != 0)
        log_warn("the database side is not the right one", log_text("reason", sentence));
    snprintf(check->said, sizeof(check->said), "%s", sentence);
    check->on_done(check->context, NULL, NULL);
}

static void on_compared_row(void *context, const PGresult *row, int number)
{
    struct schema_check *check = context;

    (void)number;
    schema_state_compare(&check->state, row);
}

static void on_compared(void *context, const char *sqlstate, const char *message)
{
    struct schema_check *check = context;

    if (is_lost(sqlstate)) {
        check->on_done(check->context, sqlstate, message);
        return;
    }
    if (sqlstate) {
        check->state.kind = SCHEMA_ALTERED;
        snprintf(check->state.detail, sizeof(check->state.detail), "tuplecast.version cannot be read: %s", message);
    }
    say(check);
}

static void on_state_row(void *context, const PGresult *row, int number)
{
    struct schema_check *check = context;

    (void)number;
    schema_state_take(&check->state, row);
}

static void on_state(void *context, const char *sqlstate, const char *message)
{
    struct schema_check *check = context;
    char version[16];
    struct query query = {.sql = schema_compare_sql(),
                          .parameters = {version, embedded_scripts_checksum},
                          .parameter_count = 2,
                          .on_row = on_compared_row,
                          .on_done = on_compared,
                          .context = check};

    snprintf(version, sizeof(version), "%d", SCHEMA_VERSION);
    if (sqlstate)
        check->on_done(check->context, sqlstate, message);
    else if (check->state.kind != SCHEMA_PRESENT || !query.sql)
        say(check);
    else if (query_queue_add(check->queue, &query) < 0)
        check->on_done(check->context, "53200", "out of memory");
}

int schema_check_begin(struct schema_check *check)
{
    struct query query = {.sql = schema_state_sql(),
                          .parameters = {"f"},
                          .parameter_count = 1,
                          .on_row = on_state_row,
                          .on_done = on_state,
                          .context = check};

    return query_queue_add(check->queue, &query);
}
