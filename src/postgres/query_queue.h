/* Queries over one connection, one after the other, without ever blocking. */
#pragma once

#include "loop/loop.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

struct query_queue;

struct query_queue_options {
    const char *database; /* libpq connection string; copied */
    const char *session;  /* what it is for, in the log; static */
    int64_t deadline_ms;  /* without a byte of the answer, or a connection, after which that is given up */
    int64_t idle_ms;      /* > 0: connected on demand, and closed after so long without a query; 0: always */
    /* Its queries run what is in the schema tuplecast. Over each new connection it is asked first whose that is; while
     * it is nobody's who is trusted (schema_state.h), queries are answered with TC503 and a sentence, and with 3F000
     * when there is none. */
    bool uses_schema;
    void (*on_up)(void *context);                       /* may be NULL */
    void (*on_down)(void *context, const char *reason); /* may be NULL; all queries have been answered */
    void *context;
};

/* No callback comes from within a call of ours. NULL with errno set. */
struct query_queue *query_queue_new(struct loop *loop, const struct query_queue_options *options);
void query_queue_free(struct query_queue *queue);  /* answers what waits with 57P01; NULL is fine */
void query_queue_start(struct query_queue *queue); /* connects, if it is not on demand */
/* The process id of its session, as the other end told when connecting; 0 without a connection. */
int query_queue_session(const struct query_queue *queue);
/* See connection_host and connection_begin_with. */
size_t query_queue_host(const struct query_queue *queue);
void query_queue_begin_with(struct query_queue *queue, size_t host);
/* Gives the connection up: its locks go, and it is made again. */
void query_queue_reset(struct query_queue *queue, const char *reason);
/* The same in a moment, if the connection has not ended by itself until then: the server may be about to say why.
 * reason is static text. */
void query_queue_reset_soon(struct query_queue *queue, const char *reason);

/* Sends a query whose answer nobody waits for; only while nothing else is on its way. Then the queue can only be freed.
 */
void query_queue_send_last(struct query_queue *queue, const char *sql);

enum { QUERY_PARAMETERS_MAX = 6, QUERIES_QUEUED_MAX = 128 };

/* What the server says of a failure; lent, and NULL where it says nothing. */
struct query_error {
    const char *sqlstate, *message, *detail, *hint;
};

/* All text is UTF-8, both ways, whatever the database's encoding is. */
struct query {
    const char *sql; /* lent for good */
    bool binary;     /* results come in PostgreSQL's binary form */
    bool whole;      /* the answer is bounded: libpq holds it as a whole, at half the cost for each row */
    const char *parameters[QUERY_PARAMETERS_MAX]; /* copied; NULL is SQL's NULL */
    int parameter_count;
    /* What stands for letters of parameters that the database's encoding lacks. NULL: the query fails, with 22P05. */
    const char *lacking;
    /* Row `number` of result: always 0, unless the answer is taken as a whole. May be NULL. */
    void (*on_row)(void *context, const PGresult *result, int number);
    /* For who wants more of a failure than on_done is told. May be NULL. */
    void (*on_error)(void *context, const struct query_error *error);
    /* Exactly once. sqlstate NULL: it went well. */
    void (*on_done)(void *context, const char *sqlstate, const char *message);
    void *context;
};

/* Returns 0, -EAGAIN when QUERIES_QUEUED_MAX wait, -ENOTCONN when there is no connection and it is not on demand, or
 * -ENOMEM. */
int query_queue_add(struct query_queue *queue, const struct query *query);
