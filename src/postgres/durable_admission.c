#include "postgres/durable_admission.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char NOT_INSTALLED[] = "the database side is not installed, or too old: run `tuplecast setup`";

/* The channel is a trigger's first argument; each ends with a zero byte. It stands in the function as well: whoever may
 * hang that onto a table of his own cannot name other channels. */
#define NAMES                                                                                                          \
    "SELECT DISTINCT c.name FROM pg_catalog.pg_trigger g"                                                              \
    " JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) g.tgfoid,"                                             \
    " LATERAL (SELECT pg_catalog.convert_from(pg_catalog.substr(g.tgargs, 1, GREATEST(pg_catalog.position(g.tgargs,"   \
    " '\\x00') OPERATOR(pg_catalog.-) 1, 0)), pg_catalog.getdatabaseencoding())) AS c (name)"                          \
    " WHERE p.proname OPERATOR(pg_catalog.^@) 'durable_' AND g.tgname OPERATOR(pg_catalog.^@) 'tuplecast:'"            \
    " AND (p.proname OPERATOR(pg_catalog.=) 'durable_truncate'"                                                        \
    " OR pg_catalog.position(p.prosrc, pg_catalog.quote_literal(c.name)) OPERATOR(pg_catalog.>) 0)"
#define OURS                                                                                                           \
    " AND p.pronamespace OPERATOR(pg_catalog.=) (SELECT n.oid FROM pg_catalog.pg_namespace n"                          \
    " WHERE n.nspname OPERATOR(pg_catalog.=) 'tuplecast')"

static void end(struct durable_admission *admission, enum admission_verdict verdict)
{
    admission->on_done(admission->context, verdict);
}

/* An error that is the connection's end, or makes it so. */
static void give_up(struct durable_admission *admission, const char *sqlstate, const char *message)
{
    if (strncmp(sqlstate, "08", 2) != 0 && strcmp(sqlstate, "57P01") != 0)
        query_queue_reset(admission->queue, message);
    end(admission, UNDONE);
}

static void on_name(void *context, const PGresult *row, int number)
{
    struct durable_admission *admission = context;

    (void)number;
    if (text_list_add(&admission->names, PQgetvalue(row, 0, 0)) < 0)
        admission->names_known = false;
}

static void on_names(void *context, const char *sqlstate, const char *message)
{
    struct durable_admission *admission = context;

    if (sqlstate)
        give_up(admission, sqlstate, message);
    else
        end(admission, REFUSED);
}

static void ask(struct durable_admission *admission, const struct query *query)
{
    if (query_queue_add(admission->queue, query) < 0) {
        query_queue_reset(admission->queue, "out of memory");
        end(admission, UNDONE);
    }
}

static void refuse(struct durable_admission *admission, enum durable_fault fault, const char *why)
{
    /* Where there is no such schema, it may have another name. */
    const struct query names = {.sql = fault == DURABLE_FAULT_ABSENT ? NAMES : NAMES OURS,
                                .on_row = on_name,
                                .on_done = on_names,
                                .context = admission};

    admission->fault = fault;
    snprintf(admission->why, sizeof(admission->why), "%s", why);
    admission->names_known = true;
    ask(admission, &names);
}

/* "<fault>: <sentence>", or null. */
static void on_check_row(void *context, const PGresult *row, int number)
{
    struct durable_admission *admission = context;
    const char *text = PQgetvalue(row, 0, 0), *colon = strstr(text, ": ");

    (void)number;
    if (!colon)
        return;
    admission->fault = durable_fault_of(text, (size_t)(colon - text));
    snprintf(admission->why, sizeof(admission->why), "%s", colon + 2);
}

static void on_check(void *context, const char *sqlstate, const char *message)
{
    struct durable_admission *admission = context;
    bool is_lost = sqlstate && (strncmp(sqlstate, "08", 2) == 0 || strcmp(sqlstate, "57P01") == 0);

    if (is_lost) {
        end(admission, UNDONE);
    } else if (sqlstate && (strncmp(sqlstate, "42", 2) == 0 || strcmp(sqlstate, "3F000") == 0)) {
        refuse(admission, DURABLE_FAULT_SCHEMA, NOT_INSTALLED);
    } else if (sqlstate) {
        log_warn("the log of durable channels cannot be read", log_text("sqlstate", sqlstate),
                 log_text("reason", message));
        refuse(admission, DURABLE_FAULT_READING, durable_fault_sentence(DURABLE_FAULT_READING));
    } else if (admission->fault != DURABLE_FAULT_NONE) {
        char why[sizeof(admission->why)];
        memcpy(why, admission->why, sizeof(why));
        refuse(admission, admission->fault, why);
    } else {
        end(admission, ADMITTED);
    }
}

/* Nothing in the schema is called before it is known whose that is. */
static void on_schema(void *context, const char *sqlstate, const char *message)
{
    struct durable_admission *admission = context;
    const struct query check = {.sql = "SELECT tuplecast.check_durable($1)",
                                .parameters = {admission->order},
                                .parameter_count = 1,
                                .on_row = on_check_row,
                                .on_done = on_check,
                                .context = admission};

    if (sqlstate) {
        give_up(admission, sqlstate, message);
    } else if (admission->schema.state.kind == SCHEMA_NONE) {
        refuse(admission, DURABLE_FAULT_ABSENT, NOT_INSTALLED);
    } else if (admission->schema.state.kind == SCHEMA_FOREIGN) {
        /* Whoever made it could name all channels, and silence them. */
        admission->fault = DURABLE_FAULT_SCHEMA;
        snprintf(admission->why, sizeof(admission->why),
                 "the schema tuplecast belongs to a role that this gateway does not trust; its log says why");
        end(admission, REFUSED);
    } else {
        ask(admission, &check);
    }
}

static void on_session_row(void *context, const PGresult *row, int number)
{
    struct durable_admission *admission = context;

    (void)number;
    /* Who tells another session's number is not the server. The lead is known by its session. */
    if (strtoll(PQgetvalue(row, 0, 0), NULL, 10) != query_queue_session(admission->queue))
        admission->fault = DURABLE_FAULT_POOLER;
}

static void on_session(void *context, const char *sqlstate, const char *message)
{
    struct durable_admission *admission = context;

    if (sqlstate) {
        give_up(admission, sqlstate, message);
        return;
    }
    if (admission->fault == DURABLE_FAULT_POOLER) {
        refuse(admission, DURABLE_FAULT_POOLER,
               "there is a pooler between this gateway and the database: connect to the server itself (one that "
               "pools transactions loses notifications, too)");
        return;
    }
    admission->schema.queue = admission->queue;
    admission->schema.on_done = on_schema;
    admission->schema.context = admission;
    if (schema_check_begin(&admission->schema) < 0) {
        query_queue_reset(admission->queue, "out of memory");
        end(admission, UNDONE);
    }
}

/* A pooler first: it is as bad for live channels, which need nothing to be installed. */
int durable_admission_begin(struct durable_admission *admission)
{
    const struct query session = {.sql = "SELECT pg_catalog.pg_backend_pid()",
                                  .on_row = on_session_row,
                                  .on_done = on_session,
                                  .context = admission};

    admission->fault = DURABLE_FAULT_NONE;
    admission->why[0] = '\0';
    admission->names_known = false;
    text_list_done(&admission->names);
    return query_queue_add(admission->queue, &session);
}

void durable_admission_done(struct durable_admission *admission)
{
    text_list_done(&admission->names);
}
