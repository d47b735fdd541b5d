#include "postgres/query_queue.h"

#include "base/buffer.h"
#include "base/limits.h"
#include "postgres/connection.h"
#include "postgres/schema_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum {
    ROWS_PER_TURN = 256,
    LAST_WORDS_MS = 250, /* for what the server says when it ends a session */
    ERROR_TEXT_BYTES_MAX = 1 << 16,
};

/* PostgreSQL's types (src/include/catalog/pg_type.dat) whose binary form is text, or text behind a byte of ASCII. */
enum {
    CHAR_OID = 18,
    NAME_OID = 19,
    TEXT_OID = 25,
    JSON_OID = 114,
    UNKNOWN_OID = 705,
    BPCHAR_OID = 1042,
    VARCHAR_OID = 1043,
    JSONB_OID = 3802
};

struct item {
    STAILQ_ENTRY(item) link;
    struct query query; /* parameters are owned */
};

struct query_queue {
    struct loop *loop;
    struct query_queue_options options;
    struct connection *connection;
    struct query whose; /* asks whose the schema is */
    struct schema_state schema;
    bool is_trusted;           /* over this connection; always, for who does not use the schema */
    STAILQ_HEAD(, item) items; /* the first one is on its way when `sent` */
    size_t count;
    bool sent;
    bool unsent;      /* the first one cannot be: `more` answers it */
    char sqlstate[6]; /* of the first one's error; "": none so far */
    char message[256];
    struct loop_timer timer; /* deadline of the first one; idle time when there is none */
    struct loop_timer reset; /* of query_queue_reset_soon() */
    const char *reset_reason;
    struct loop_task more; /* rows that a turn's portion left */
    PGresult *result;      /* an answer that is taken as a whole, up to `row`; NULL: none */
    int row;
    struct buffer room; /* for a value that is converted */
};

static void free_item(struct item *item)
{
    for (int i = 0; i < item->query.parameter_count; i++)
        free((void *)(uintptr_t)item->query.parameters[i]);
    free(item);
}

static void answer_first(struct query_queue *queue, const char *sqlstate, const char *message)
{
    struct item *item = STAILQ_FIRST(&queue->items);

    STAILQ_REMOVE_HEAD(&queue->items, link);
    queue->count--;
    queue->sent = queue->unsent = false;
    item->query.on_done(item->query.context, sqlstate, message);
    free_item(item);
    buffer_done(&queue->room);
}

static void answer_all(struct query_queue *queue, const char *sqlstate, const char *message)
{
    for (size_t left = queue->count; left > 0; left--)
        answer_first(queue, sqlstate, message);
}

/* What is on its way, or is to be sent next; only while there are items. */
static const struct query *next_query(const struct query_queue *queue)
{
    return queue->is_trusted ? &STAILQ_FIRST(&queue->items)->query : &queue->whose;
}

/* Makes the parameters what the database has instead of UTF-8. 0, -EILSEQ or -ENOMEM. */
static int convert_parameters(struct query_queue *queue)
{
    struct query *query = &STAILQ_FIRST(&queue->items)->query;
    struct transcoder *transcoder = connection_transcoder(queue->connection);
    int error = 0;

    for (int i = 0; queue->is_trusted && transcoder && error == 0 && i < query->parameter_count; i++) {
        const char *text = query->parameters[i], *sent = text;
        error = text ? transcode_out(transcoder, text, query->lacking, &queue->room, &sent) : 0;
        if (error < 0 || sent == text)
            continue;
        char *copy = strdup(sent);
        if (!copy)
            return -ENOMEM;
        free((void *)(uintptr_t)text);
        query->parameters[i] = copy;
    }
    return error;
}

static void send_first(struct query_queue *queue)
{
    PGconn *pq = connection_pq(queue->connection);
    const struct query *query;

    if (STAILQ_EMPTY(&queue->items)) {
        if (queue->options.idle_ms > 0)
            loop_timer_set(&queue->timer, queue->options.idle_ms, 0);
        else
            loop_timer_stop(&queue->timer);
        return;
    }
    if (queue->sent || queue->unsent)
        return;
    loop_timer_set(&queue->timer, queue->options.deadline_ms, 0);
    if (!pq) {
        connection_start(queue->connection);
        return;
    }
    queue->sqlstate[0] = '\0';
    query = next_query(queue);
    int error = convert_parameters(queue);
    if (error < 0) {
        snprintf(queue->sqlstate, sizeof(queue->sqlstate), "%s", error == -EILSEQ ? "22P05" : "53200");
        snprintf(queue->message, sizeof(queue->message),
                 error == -EILSEQ ? "There are letters in it that the database's encoding, %s, does not have."
                                  : "out of memory",
                 PQparameterStatus(pq, "server_encoding"));
        queue->unsent = true;
        loop_task_queue(queue->loop, &queue->more); /* nobody is answered from within a call of theirs */
        return;
    }
    if (!PQsendQueryParams(pq, query->sql, query->parameter_count, NULL, query->parameters, NULL, NULL,
                           query->binary) ||
        (!query->whole && !PQsetSingleRowMode(pq))) {
        connection_broke(queue->connection);
        return;
    }
    queue->sent = true;
    connection_flush(queue->connection);
}

static const char *error_text(struct query_queue *queue, const PGresult *result, int field, struct buffer *room)
{
    const char *text = PQresultErrorField(result, field);
    size_t size = text ? strlen(text) : 0;

    buffer_init(room, ERROR_TEXT_BYTES_MAX);
    return text ? transcode_in(connection_transcoder(queue->connection), text, &size, room) : NULL;
}

static void take_error(struct query_queue *queue, const PGresult *result)
{
    const struct query *query = next_query(queue);
    struct buffer rooms[3];
    const struct query_error error = {
        .sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE),
        .message = error_text(queue, result, PG_DIAG_MESSAGE_PRIMARY, &rooms[0]),
        .detail = error_text(queue, result, PG_DIAG_MESSAGE_DETAIL, &rooms[1]),
        .hint = error_text(queue, result, PG_DIAG_MESSAGE_HINT, &rooms[2]),
    };

    connection_note(queue->connection, result);
    snprintf(queue->sqlstate, sizeof(queue->sqlstate), "%s", error.sqlstate ? error.sqlstate : "XX000");
    snprintf(queue->message, sizeof(queue->message), "%s", error.message ? error.message : "no message");
    if (query->on_error)
        query->on_error(query->context, &error);
    for (size_t i = 0; i < 3; i++)
        buffer_done(&rooms[i]);
}

static bool is_text(const PGresult *result, int column)
{
    if (PQfformat(result, column) == 0)
        return true;
    switch (PQftype(result, column)) {
    case CHAR_OID:
    case NAME_OID:
    case TEXT_OID:
    case JSON_OID:
    case UNKNOWN_OID:
    case BPCHAR_OID:
    case VARCHAR_OID:
    case JSONB_OID:
        return true;
    default:
        return false;
    }
}

/* Makes the text of a row UTF-8 where it lies, and hands it on. Returns false when the connection was lost over it. */
static bool take_row(struct query_queue *queue, PGresult *result, int row)
{
    struct transcoder *transcoder = connection_transcoder(queue->connection);
    const struct query *query = next_query(queue);

    for (int i = 0; transcoder && i < PQnfields(result); i++) {
        const char *value = PQgetvalue(result, row, i);
        size_t size = (size_t)PQgetlength(result, row, i);
        const char *text = is_text(result, i) ? transcode_in(transcoder, value, &size, &queue->room) : value;
        if (text != value && (!text || !PQsetvalue(result, row, i, (char *)(uintptr_t)text, (int)size))) {
            connection_lose(queue->connection, "out of memory");
            return false;
        }
    }
    query->on_row(query->context, result, row);
    return true;
}

static void drop_result(struct query_queue *queue)
{
    PQclear(queue->result);
    queue->result = NULL;
}

/* A portion of an answer that is held as a whole. Returns whether that was the rest. */
static bool take_rows(struct query_queue *queue, int rows_max)
{
    int count = PQntuples(queue->result);

    for (; queue->row < count && rows_max > 0; queue->row++, rows_max--)
        if (!take_row(queue, queue->result, queue->row))
            return false;
    if (queue->row < count)
        return false;
    drop_result(queue);
    return true;
}

static void on_whose(void *context, const PGresult *result, int row)
{
    struct query_queue *queue = context;

    (void)row;
    schema_state_take(&queue->schema, result);
}

/* What was on its way has its whole answer. */
static void finish_query(struct query_queue *queue)
{
    const char *sqlstate = queue->sqlstate[0] ? queue->sqlstate : NULL;
    char sentence[1024];

    if (queue->is_trusted) {
        answer_first(queue, sqlstate, queue->message);
        return;
    }
    queue->sent = false;
    if (sqlstate) {
        answer_all(queue, sqlstate, queue->message);
    } else if (queue->schema.kind == SCHEMA_NONE) {
        answer_all(queue, "3F000", "There is no schema tuplecast.");
    } else if (queue->schema.kind == SCHEMA_FOREIGN) {
        schema_state_say(&queue->schema, sentence, sizeof(sentence));
        answer_all(queue, "TC503", sentence);
    } else {
        queue->is_trusted = true;
    }
}

static void take_results(struct query_queue *queue)
{
    PGconn *pq;
    int rows = 0;

    while (queue->sent && (pq = connection_pq(queue->connection)) && (queue->result || !PQisBusy(pq))) {
        if (rows == ROWS_PER_TURN || (queue->result && !take_rows(queue, ROWS_PER_TURN))) {
            loop_task_queue(queue->loop, &queue->more);
            return;
        }
        /* What comes behind the rows of an answer may not be there yet: PQgetResult() would wait for it. */
        if (PQisBusy(pq))
            return;
        PGresult *result = PQgetResult(pq);
        const struct query *query = next_query(queue);
        ExecStatusType status = PQresultStatus(result);
        if (!result) {
            finish_query(queue);
            send_first(queue);
            continue;
        }
        if (status == PGRES_SINGLE_TUPLE && query->on_row) {
            if (!take_row(queue, result, 0)) {
                PQclear(result);
                return;
            }
            rows++;
        } else if (status == PGRES_TUPLES_OK && query->whole && query->on_row) {
            queue->result = result;
            queue->row = 0;
            continue;
        } else if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_SINGLE_TUPLE) {
            take_error(queue, result);
        }
        PQclear(result);
    }
}

static void on_more(struct loop_task *task)
{
    struct query_queue *queue = (struct query_queue *)((char *)task - offsetof(struct query_queue, more));

    loop_doing(queue->loop, "taking results of the database");
    if (queue->unsent) {
        answer_first(queue, queue->sqlstate, queue->message);
        send_first(queue);
    } else {
        take_results(queue);
    }
}

static void on_input(void *context)
{
    struct query_queue *queue = context;

    if (!PQconsumeInput(connection_pq(queue->connection))) {
        connection_broke(queue->connection);
        return;
    }
    if (queue->sent)
        loop_timer_set(&queue->timer, queue->options.deadline_ms, 0);
    /* Results come in portions; while one is being worked through, the rest waits in libpq. */
    if (!queue->more.queued)
        take_results(queue);
}

static void on_up(void *context)
{
    struct query_queue *queue = context;

    queue->is_trusted = !queue->options.uses_schema;
    if (queue->options.on_up)
        queue->options.on_up(queue->options.context);
    send_first(queue);
}

static void on_down(void *context, const char *reason)
{
    struct query_queue *queue = context;

    loop_task_cancel(queue->loop, &queue->more);
    loop_timer_stop(&queue->timer);
    loop_timer_stop(&queue->reset);
    drop_result(queue);
    answer_all(queue, "08006", reason);
    if (queue->options.on_down)
        queue->options.on_down(queue->options.context, reason);
    if (queue->count > 0)
        send_first(queue);
}

static void on_timer(struct loop_timer *timer)
{
    struct query_queue *queue = (struct query_queue *)((char *)timer - offsetof(struct query_queue, timer));

    if (STAILQ_EMPTY(&queue->items))
        connection_stop(queue->connection);
    else
        connection_lose(queue->connection, "the database did not answer in time");
}

static void on_reset(struct loop_timer *timer)
{
    struct query_queue *queue = (struct query_queue *)((char *)timer - offsetof(struct query_queue, reset));

    query_queue_reset(queue, queue->reset_reason);
}

struct query_queue *query_queue_new(struct loop *loop, const struct query_queue_options *options)
{
    const struct connection_hooks hooks = {on_up, on_input, on_down, options->idle_ms == 0, options->session};
    struct query_queue *queue = calloc(1, sizeof(*queue));

    if (!queue)
        return NULL;
    queue->loop = loop;
    queue->options = *options;
    queue->options.database = NULL;
    queue->whose = (struct query){.sql = schema_state_sql(),
                                  .whole = true,
                                  .parameters = {"f"},
                                  .parameter_count = 1,
                                  .on_row = on_whose,
                                  .context = queue};
    queue->more.on_task = on_more;
    buffer_init(&queue->room, 3 * PAYLOAD_BYTES_MAX); /* a byte becomes three at most */
    STAILQ_INIT(&queue->items);
    queue->connection = connection_new(loop, options->database, &hooks, queue);
    if (!queue->connection || loop_timer_init(&queue->timer, loop, on_timer) < 0 ||
        loop_timer_init(&queue->reset, loop, on_reset) < 0) {
        query_queue_free(queue);
        errno = ENOMEM;
        return NULL;
    }
    return queue;
}

void query_queue_free(struct query_queue *queue)
{
    if (!queue)
        return;
    answer_all(queue, "57P01", "The gateway is shutting down.");
    loop_task_cancel(queue->loop, &queue->more);
    drop_result(queue);
    connection_free(queue->connection);
    loop_timer_done(&queue->timer);
    loop_timer_done(&queue->reset);
    buffer_done(&queue->room);
    free(queue);
}

void query_queue_start(struct query_queue *queue)
{
    if (queue->options.idle_ms == 0)
        connection_start(queue->connection);
}

int query_queue_session(const struct query_queue *queue)
{
    return PQbackendPID(connection_pq(queue->connection));
}

size_t query_queue_host(const struct query_queue *queue)
{
    return connection_host(queue->connection);
}

void query_queue_begin_with(struct query_queue *queue, size_t host)
{
    connection_begin_with(queue->connection, host);
}

void query_queue_reset(struct query_queue *queue, const char *reason)
{
    if (connection_pq(queue->connection))
        connection_lose(queue->connection, reason);
}

void query_queue_reset_soon(struct query_queue *queue, const char *reason)
{
    if (!connection_pq(queue->connection))
        return;
    queue->reset_reason = reason;
    loop_timer_set(&queue->reset, LAST_WORDS_MS, 0);
}

void query_queue_send_last(struct query_queue *queue, const char *sql)
{
    PGconn *pq = connection_pq(queue->connection);

    if (pq && !queue->sent && PQsendQuery(pq, sql))
        PQflush(pq);
}

int query_queue_add(struct query_queue *queue, const struct query *query)
{
    struct item *item;

    if (queue->count >= QUERIES_QUEUED_MAX)
        return -EAGAIN;
    if (queue->options.idle_ms == 0 && !connection_pq(queue->connection))
        return -ENOTCONN;
    item = calloc(1, sizeof(*item));
    if (!item)
        return -ENOMEM;
    item->query = *query;
    item->query.parameter_count = 0;
    for (int i = 0; i < query->parameter_count; i++) {
        char *copy = query->parameters[i] ? strdup(query->parameters[i]) : NULL;
        if (query->parameters[i] && !copy) {
            free_item(item);
            return -ENOMEM;
        }
        item->query.parameters[item->query.parameter_count++] = copy;
    }
    STAILQ_INSERT_TAIL(&queue->items, item, link);
    /* Not when it is added by the answer to another one: that goes on by itself. */
    if (queue->count++ == 0)
        send_first(queue);
    return 0;
}
