#include "postgres/trigger_calls.h"

#include "base/limits.h"
#include "base/log.h"
#include "postgres/array_text.h"
#include "postgres/query_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DEADLINE_MS = 10000, IDLE_MS = 30000 };

static const char NOT_INSTALLED[] = "The database side is not installed: run `tuplecast setup`.";

struct trigger_calls {
    struct query_queue *queue;
    void (*on_changed)(void *context);
    void *context;
    size_t count;
};

struct call {
    struct trigger_calls *calls;
    bool changes; /* triggers, when it goes well */
    bool answered;
    trigger_done done;
    void *context;
};

static void answer_with(struct call *call, const struct trigger_answer *answer)
{
    if (call->answered)
        return;
    call->answered = true;
    call->calls->count--;
    call->done(call->context, answer);
}

/* The last column is the answer; of two, the first tells whether something was created. */
static void on_row(void *context, const PGresult *result, int number)
{
    struct call *call = context;
    int columns = PQnfields(result);
    const struct trigger_answer answer = {
        .created = columns > 1 && PQgetvalue(result, number, 0)[0] == 't',
        .json = PQgetvalue(result, number, columns - 1),
    };

    if (call->changes)
        call->calls->on_changed(call->calls->context);
    answer_with(call, &answer);
}

/* Whether an error is about the request, and so its sender's business: our functions and DDL raise these classes. What
 * the server says of its own state may name files, hosts and users. */
static bool is_about_request(const char *sqlstate)
{
    static const char *const classes[] = {"02", "0A", "21", "22", "23", "25", "2B", "3F",
                                          "40", "42", "44", "54", "55", "P0", "TC"};

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strncmp(sqlstate, classes[i], 2) == 0)
            return true;
    return false;
}

static void on_error(void *context, const struct query_error *error)
{
    struct trigger_answer answer = {.sqlstate = error->sqlstate};

    if (!answer.sqlstate)
        return;
    if (is_about_request(answer.sqlstate)) {
        answer.message = error->message;
        answer.detail = error->detail;
        answer.hint = error->hint;
    } else {
        log_warn("a trigger request failed", log_text("sqlstate", answer.sqlstate), log_text("reason", error->message));
        answer.message = "The database could not do it; the gateway's log says why.";
    }
    if (strcmp(answer.sqlstate, "3F000") == 0 || strcmp(answer.sqlstate, "42883") == 0)
        answer.hint = NOT_INSTALLED;
    answer_with(context, &answer);
}

/* What has no answer yet has none of the server's to it: the connection was lost, or could not be made; or what is
 * installed cannot be used. */
static void on_done(void *context, const char *sqlstate, const char *message)
{
    struct call *call = context;
    struct trigger_answer answer = {.sqlstate = "XX000", .message = "The answer has no row."};

    if (sqlstate)
        answer = (struct trigger_answer){.sqlstate = sqlstate, .message = message};
    if (sqlstate && strcmp(sqlstate, "TC503") == 0)
        log_warn("a trigger request failed", log_text("sqlstate", sqlstate), log_text("reason", message));
    if (sqlstate && strcmp(sqlstate, "3F000") == 0)
        answer.hint = NOT_INSTALLED;
    answer_with(call, &answer);
    free(call);
}

struct trigger_calls *trigger_calls_new(struct loop *loop, const char *database, void (*on_changed)(void *context),
                                        void *context)
{
    const struct query_queue_options options = {
        .database = database,
        .session = "triggers",
        .deadline_ms = DEADLINE_MS,
        .idle_ms = IDLE_MS,
        .uses_schema = true,
    };
    struct trigger_calls *calls = calloc(1, sizeof(*calls));

    if (!calls)
        return NULL;
    calls->on_changed = on_changed;
    calls->context = context;
    calls->queue = query_queue_new(loop, &options);
    if (!calls->queue) {
        free(calls);
        return NULL;
    }
    return calls;
}

bool trigger_calls_waiting(const struct trigger_calls *calls)
{
    return calls->count > 0;
}

void trigger_calls_free(struct trigger_calls *calls)
{
    if (!calls)
        return;
    query_queue_free(calls->queue);
    free(calls);
}

static void set_parameters(struct query *query, int count, const char *const *values)
{
    query->parameter_count = count;
    for (int i = 0; i < count; i++)
        query->parameters[i] = values[i];
}

/* Parameters are lent; schemas is request->schemas as an array. */
static void prepare(struct query *query, const struct trigger_request *request, const char *schemas)
{
    const char *dry_run = request->dry_run ? "true" : "false";

    switch (request->verb) {
    case TRIGGER_LIST:
        query->sql = "SELECT tuplecast.list_triggers($1, $2, $3)";
        set_parameters(query, 3, (const char *[]){request->schema, request->table, request->channel});
        return;
    case TRIGGER_GET:
        query->sql = "SELECT tuplecast.get_trigger($1)";
        set_parameters(query, 1, &request->name);
        return;
    case TRIGGER_DELETE:
        query->sql = "SELECT tuplecast.drop_trigger($1, $2, $3)";
        set_parameters(query, 3, (const char *[]){request->name, request->if_match, dry_run});
        return;
    case TRIGGER_TABLES:
        query->sql = "SELECT tuplecast.list_tables($1, $2)";
        set_parameters(query, 2, (const char *[]){request->schema, schemas});
        return;
    case TRIGGER_PUT:
        break;
    }
    query->sql = "SELECT created, answer FROM tuplecast.put_trigger($1, $2, $3, $4, $5)";
    set_parameters(
        query, 5,
        (const char *[]){request->name, request->definition->json, request->if_match, request->if_none_match, dry_run});
}

int trigger_calls_add(struct trigger_calls *calls, const struct trigger_request *request, trigger_done done,
                      void *context)
{
    struct query query = {.whole = true, .on_row = on_row, .on_error = on_error, .on_done = on_done};
    bool wants_schemas = request->verb == TRIGGER_TABLES;

    if (calls->count == TRIGGER_CALLS_QUEUED_MAX)
        return -EAGAIN;
    struct call *call = calloc(1, sizeof(*call));
    char *schemas = wants_schemas ? array_text(request->schemas) : NULL;
    int error = call && (schemas || !wants_schemas) ? 0 : -ENOMEM;
    if (error == 0) {
        *call = (struct call){
            .calls = calls,
            .changes = !request->dry_run && (request->verb == TRIGGER_PUT || request->verb == TRIGGER_DELETE),
            .done = done,
            .context = context,
        };
        query.context = call;
        prepare(&query, request, schemas);
        calls->count++;
        error = query_queue_add(calls->queue, &query);
        if (error < 0)
            calls->count--;
    }
    free(schemas);
    if (error < 0)
        free(call);
    return error;
}
