#include "postgres/trigger_calls.h"

#include "base/buffer.h"
#include "base/limits.h"
#include "postgres/connection.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum {
    CALL_DEADLINE_MS = 10000, /* from the queue to the answer */
    IDLE_MS = 30000,
    PARAMETERS_MAX = 5,
};

struct call {
    STAILQ_ENTRY(call) link;
    const char *sql;
    bool changes;                     /* triggers, when it goes well */
    char *parameters[PARAMETERS_MAX]; /* owned; NULL is SQL's NULL */
    int parameter_count;
    trigger_done done;
    void *context;
};

struct trigger_calls {
    struct loop *loop;
    struct connection *connection;
    void (*on_changed)(void *context);
    void *context;
    STAILQ_HEAD(, call) queue; /* the first one is on its way when `sent` */
    size_t queued;
    bool sent;
    PGresult *result;        /* of the first one, until libpq says that it was the last */
    struct loop_timer timer; /* deadline of the first one; idle time when there is none */
};

static void free_call(struct call *call)
{
    for (int i = 0; i < call->parameter_count; i++)
        free(call->parameters[i]);
    free(call);
}

/* Takes the first call off the queue and answers it. */
static void answer_first(struct trigger_calls *calls, const struct trigger_answer *answer)
{
    struct call *call = STAILQ_FIRST(&calls->queue);

    STAILQ_REMOVE_HEAD(&calls->queue, link);
    calls->queued--;
    calls->sent = false;
    call->done(call->context, answer);
    free_call(call);
}

static void answer_all(struct trigger_calls *calls, const char *sqlstate, const char *message)
{
    while (!STAILQ_EMPTY(&calls->queue))
        answer_first(calls, &(struct trigger_answer){.sqlstate = sqlstate, .message = message});
}

static void send_first(struct trigger_calls *calls)
{
    PGconn *pq = connection_pq(calls->connection);
    struct call *call = STAILQ_FIRST(&calls->queue);

    if (!call) {
        loop_timer_set(&calls->timer, IDLE_MS, 0);
        return;
    }
    loop_timer_set(&calls->timer, CALL_DEADLINE_MS, 0);
    if (!pq) {
        connection_start(calls->connection);
        return;
    }
    if (calls->sent)
        return;
    if (!PQsendQueryParams(pq, call->sql, call->parameter_count, NULL, (const char *const *)call->parameters, NULL,
                           NULL, 0)) {
        connection_lose(calls->connection, connection_problem(calls->connection));
        return;
    }
    calls->sent = true;
    connection_flush(calls->connection);
}

/* The first column is the answer; of two, the first tells whether something was created. */
static void answer_with(struct trigger_calls *calls, const PGresult *result)
{
    struct trigger_answer answer = {0};

    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
        int columns = PQnfields(result);
        answer.created = columns > 1 && PQgetvalue(result, 0, 0)[0] == 't';
        answer.json = PQgetvalue(result, 0, columns - 1);
        if (STAILQ_FIRST(&calls->queue)->changes)
            calls->on_changed(calls->context);
    } else {
        answer.sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        if (!answer.sqlstate)
            answer.sqlstate = "XX000";
        answer.message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        answer.detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
        answer.hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
        if (strcmp(answer.sqlstate, "3F000") == 0 || strcmp(answer.sqlstate, "42883") == 0)
            answer.hint = "The database side is not installed: run `tuplecast setup`.";
    }
    answer_first(calls, &answer);
}

static void on_input(void *context)
{
    struct trigger_calls *calls = context;
    PGconn *pq = connection_pq(calls->connection);

    if (!PQconsumeInput(pq)) {
        connection_lose(calls->connection, connection_problem(calls->connection));
        return;
    }
    while (calls->sent && !PQisBusy(pq)) {
        PGresult *result = PQgetResult(pq);
        if (result) {
            PQclear(calls->result);
            calls->result = result;
            continue;
        }
        result = calls->result;
        calls->result = NULL;
        answer_with(calls, result);
        PQclear(result);
        send_first(calls);
    }
}

static void on_up(void *context)
{
    struct trigger_calls *calls = context;

    send_first(calls);
}

static void on_down(void *context, const char *reason)
{
    struct trigger_calls *calls = context;

    PQclear(calls->result);
    calls->result = NULL;
    answer_all(calls, "08006", reason);
    loop_timer_stop(&calls->timer);
}

static void on_timer(struct loop_timer *timer)
{
    struct trigger_calls *calls = (struct trigger_calls *)((char *)timer - offsetof(struct trigger_calls, timer));

    if (STAILQ_EMPTY(&calls->queue))
        connection_stop(calls->connection);
    else
        connection_lose(calls->connection, "the database did not answer in time");
}

struct trigger_calls *trigger_calls_new(struct loop *loop, const char *database, void (*on_changed)(void *context),
                                        void *context)
{
    const struct connection_hooks hooks = {on_up, on_input, on_down, false};
    struct trigger_calls *calls = calloc(1, sizeof(*calls));

    if (!calls)
        return NULL;
    calls->loop = loop;
    calls->on_changed = on_changed;
    calls->context = context;
    STAILQ_INIT(&calls->queue);
    calls->connection = connection_new(loop, database, &hooks, calls);
    if (!calls->connection || loop_timer_init(&calls->timer, loop, on_timer) < 0) {
        trigger_calls_free(calls);
        errno = ENOMEM;
        return NULL;
    }
    return calls;
}

bool trigger_calls_waiting(const struct trigger_calls *calls)
{
    return calls->queued > 0;
}

void trigger_calls_free(struct trigger_calls *calls)
{
    if (!calls)
        return;
    answer_all(calls, "57P01", "The gateway is shutting down.");
    connection_free(calls->connection);
    PQclear(calls->result);
    loop_timer_done(&calls->timer);
    free(calls);
}

/* Texts as an array in PostgreSQL's text form: {"a","b"}. NULL without memory. */
static char *array_text(const struct text_list *list)
{
    struct buffer text;

    buffer_init(&text, 1 << 20);
    buffer_append_text(&text, "{");
    for (size_t i = 0; i < list->count; i++) {
        buffer_append_text(&text, i > 0 ? ",\"" : "\"");
        for (const char *at = list->items[i]; *at; at++) {
            if (*at == '"' || *at == '\\')
                buffer_append_text(&text, "\\");
            buffer_append(&text, at, 1);
        }
        buffer_append_text(&text, "\"");
    }
    buffer_append_text(&text, "}");
    char *copy = buffer_text(&text) ? strdup(buffer_text(&text)) : NULL;
    buffer_done(&text);
    return copy;
}

static bool add_parameter(struct call *call, const char *value)
{
    assert(call->parameter_count < PARAMETERS_MAX);
    call->parameters[call->parameter_count] = value ? strdup(value) : NULL;
    return call->parameters[call->parameter_count++] || !value;
}

static bool prepare(struct call *call, const struct trigger_request *request)
{
    const char *dry_run = request->dry_run ? "true" : "false";

    switch (request->verb) {
    case TRIGGER_LIST:
        call->sql = "SELECT tuplecast.list_triggers($1, $2, $3)";
        return add_parameter(call, request->schema) && add_parameter(call, request->table) &&
               add_parameter(call, request->channel);
    case TRIGGER_GET:
        call->sql = "SELECT tuplecast.get_trigger($1)";
        return add_parameter(call, request->name);
    case TRIGGER_DELETE:
        call->sql = "SELECT tuplecast.drop_trigger($1, $2, $3)";
        return add_parameter(call, request->name) && add_parameter(call, request->if_match) &&
               add_parameter(call, dry_run);
    case TRIGGER_TABLES:
        call->sql = "SELECT tuplecast.list_tables($1, $2)";
        if (!add_parameter(call, request->schema))
            return false;
        call->parameters[call->parameter_count] = array_text(request->schemas);
        return call->parameters[call->parameter_count++] != NULL;
    case TRIGGER_PUT:
        break;
    }
    call->sql = "SELECT created, answer FROM tuplecast.put_trigger($1, $2, $3, $4, $5)";
    return add_parameter(call, request->name) && add_parameter(call, request->definition->json) &&
           add_parameter(call, request->if_match) && add_parameter(call, request->if_none_match) &&
           add_parameter(call, dry_run);
}

int trigger_calls_add(struct trigger_calls *calls, const struct trigger_request *request, trigger_done done,
                      void *context)
{
    struct call *call;

    if (calls->queued == TRIGGER_CALLS_QUEUED_MAX)
        return -EAGAIN;
    call = calloc(1, sizeof(*call));
    if (!call)
        return -ENOMEM;
    call->done = done;
    call->context = context;
    call->changes = !request->dry_run && (request->verb == TRIGGER_PUT || request->verb == TRIGGER_DELETE);
    if (!prepare(call, request)) {
        free_call(call);
        return -ENOMEM;
    }
    STAILQ_INSERT_TAIL(&calls->queue, call, link);
    if (calls->queued++ == 0)
        send_first(calls);
    return 0;
}
