/* A connection to PostgreSQL that comes back by itself, without ever blocking.
 *
 *     OFF -> RESOLVING -> CONNECTING -> SETTLING -> UP -> WAITING (back-off, with jitter) -> RESOLVING -> ...
 *
 * Of several hosts each is tried in turn, beginning with the one that was used last, until one is a primary. Each has
 * connect_timeout, or 2 s (5 s where there is only one). SETTLING sets what the session relies on (session.h).
 *
 * Used by the listener and by the trigger calls; what is said over it is theirs. PQ types stay inside
 * postgres/. */
#pragma once

#include "base/transcode.h"
#include "loop/loop.h"

#include <libpq-fe.h>
#include <stdbool.h>

struct connection;

struct connection_hooks {
    void (*on_up)(void *context);    /* connected; PQ functions may be used */
    void (*on_input)(void *context); /* the socket is readable: PQconsumeInput has not been called yet */
    /* Was UP and is not any more, or could not be reached. Everybody may read the reason, on /readyz for example: what
     * libpq and the server say has names in it, and is in the log alone. */
    void (*on_down)(void *context, const char *reason);
    bool reconnect;      /* false: stays OFF after a failure */
    const char *session; /* what it is for, in the log: "listener", for example; static */
};

/* text: a libpq connection string, "" for the environment. hooks are copied; none is called from within a
 * call of ours but connection_lose and connection_broke. NULL with errno set. */
struct connection *connection_new(struct loop *loop, const char *text, const struct connection_hooks *hooks,
                                  void *context);
void connection_free(struct connection *connection); /* no hook is called; NULL is fine */

void connection_start(struct connection *connection); /* from OFF; otherwise does nothing */
void connection_stop(struct connection *connection);  /* to OFF, without a hook */

/* Gives up a connection that is UP, or being made; calls on_down. reason is a sentence of ours, logged and shown. */
void connection_lose(struct connection *connection, const char *reason);

/* The server's answer to a query: when it is the session's end, that is why the connection breaks off. */
void connection_note(struct connection *connection, const PGresult *result);

/* The same when libpq has failed: why is logged. */
void connection_broke(struct connection *connection);

/* The libpq object while UP, else NULL; lent. */
PGconn *connection_pq(const struct connection *connection);
/* What converts its text both ways; NULL: it is UTF-8. */
struct transcoder *connection_transcoder(const struct connection *connection);
bool connection_is_off(const struct connection *connection);

/* Which of several hosts was used last; the next attempt begins with it, so that others of the same connection string
 * can be told to begin there, too. */
size_t connection_host(const struct connection *connection);
void connection_begin_with(struct connection *connection, size_t host); /* while it is not connected */

/* After anything was queued for sending: hands it to the kernel, as far as it takes it now. Loses the
 * connection on an error. */
void connection_flush(struct connection *connection);

/* What went wrong, on one line, for the log: PQerrorMessage, or what the server said last when libpq has nothing to
 * say. Lent until the next call. */
const char *connection_problem(struct connection *connection);
