#include "postgres/connection.h"

#include "base/log.h"
#include "postgres/conninfo.h"
#include "postgres/resolver.h"
#include "postgres/session.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

enum {
    CONNECT_DEADLINE_MS = 5000, /* unless the connection string has a connect_timeout */
    HOST_DEADLINE_MS = 2000,    /* the same for each of several hosts */
    RESOLVE_DEADLINE_MS = 5000,
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
    HOSTS_BACKOFF_MAX_MS = 2000, /* with several hosts: one of them is going to be the primary */
    STEADY_MS = 10000,           /* a connection that held so long starts with the shortest back-off again */
    PROBLEM_BYTES = 512,
    LAST_RESULTS_MAX = 64, /* that are looked through for what a server said last; one that copies has no end */
};

static const char NOT_MADE[] = "no connection could be made; the gateway's log says why";

enum connection_state { OFF, RESOLVING, CONNECTING, SETTLING, UP, WAITING };

struct connection {
    struct loop_io io; /* first: on_io casts; fd is -1 while it is not in the loop */
    struct loop *loop;
    struct loop_timer timer; /* CONNECTING, SETTLING: deadline of this host; WAITING: end of the back-off */
    struct resolver *resolver;
    struct connection_hooks hooks;
    void *context;

    enum connection_state state;
    char *text;
    struct conninfo info;
    size_t host;  /* that is tried, or was the last that answered: from there the next round begins */
    size_t tried; /* hosts of this round that are done with */
    PGconn *pq;
    struct transcoder *transcoder;
    int64_t backoff_ms;
    int64_t up_since_ms;
    char problem[PROBLEM_BYTES];
    char reasons[PROBLEM_BYTES];    /* of each host of this round */
    const char *told;               /* of the last host of this round: what on_down is told */
    char last_words[PROBLEM_BYTES]; /* the server's: why it ends the session; "": it has not said that it does */
};

static void watch(struct connection *connection, uint32_t events)
{
    connection->io.fd = PQsocket(connection->pq);
    if (connection->io.fd >= 0 && loop_io_add(connection->loop, &connection->io, events) < 0)
        connection->io.fd = -1;
}

static void unwatch(struct connection *connection)
{
    loop_io_remove(connection->loop, &connection->io);
    connection->io.fd = -1;
}

static void make_one_line(char *text)
{
    for (char *at = text; *at; at++)
        if (*at == '\n' || *at == '\t')
            *at = ' ';
    for (size_t end = strlen(text); end > 0 && text[end - 1] == ' ';)
        text[--end] = '\0';
}

static void set_problem(struct connection *connection, const char *text)
{
    char room_bytes[3 * PROBLEM_BYTES];
    struct buffer room = buffer_in(room_bytes, sizeof(room_bytes));
    size_t size = strnlen(text, PROBLEM_BYTES - 1);

    if (text != connection->problem) {
        const char *told = transcode_in(connection->transcoder, text, &size, &room);
        snprintf(connection->problem, sizeof(connection->problem), "%.*s", (int)size, told ? told : "");
    }
    make_one_line(connection->problem);
}

static void add_reason(struct connection *connection, const char *text)
{
    size_t size = strlen(connection->reasons);

    snprintf(connection->reasons + size, sizeof(connection->reasons) - size, "%s%s", size > 0 ? "; " : "", text);
    make_one_line(connection->reasons);
}

/* Whatever is under way ends here. */
static void tear_down(struct connection *connection)
{
    resolver_stop(connection->resolver);
    loop_timer_stop(&connection->timer);
    unwatch(connection);
    PQfinish(connection->pq);
    connection->pq = NULL;
    connection->transcoder = NULL;
    conninfo_done(&connection->info);
}

static int64_t next_backoff_ms(struct connection *connection)
{
    uint32_t random = 0;
    int64_t base_ms = connection->backoff_ms;
    int64_t most_ms = connection->info.host_count > 1 ? HOSTS_BACKOFF_MAX_MS : BACKOFF_MAX_MS;

    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
        random = (uint32_t)loop_clock_us();
    connection->backoff_ms = base_ms * 2 < most_ms ? base_ms * 2 : most_ms;
    return base_ms / 2 + random % (base_ms / 2 + 1);
}

/* reason goes to the log alone: libpq and servers quote users, hosts, files and what they could not read. Everybody may
 * be told the other one. */
static void fail(struct connection *connection, const char *reason, const char *told)
{
    char copy[PROBLEM_BYTES];

    set_problem(connection, reason);
    snprintf(copy, sizeof(copy), "%s", connection->problem);
    if (connection->state == UP && loop_clock_ms() - connection->up_since_ms >= STEADY_MS)
        connection->backoff_ms = BACKOFF_MIN_MS;
    int64_t wait_ms = next_backoff_ms(connection);
    tear_down(connection);
    connection->state = OFF;
    if (connection->hooks.reconnect) {
        log_warn("database away", log_text("session", connection->hooks.session), log_text("reason", copy),
                 log_number("next_try_ms", wait_ms));
        connection->state = WAITING;
        loop_timer_set(&connection->timer, wait_ms, 0);
    } else {
        log_warn("database away", log_text("session", connection->hooks.session), log_text("reason", copy));
    }
    connection->hooks.on_down(connection->context, told);
}

void connection_note(struct connection *connection, const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (severity && text && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
        snprintf(connection->last_words, sizeof(connection->last_words), "%s", text);
}

/* What the server says of itself while no query is on its way, the end included. */
static void on_notice(void *context, const PGresult *result)
{
    connection_note(context, result);
}

/* Returns false when that failed at once. */
static bool begin_host(struct connection *connection)
{
    struct conninfo *info = &connection->info;
    int64_t deadline_ms = info->host_count > 1 ? HOST_DEADLINE_MS : CONNECT_DEADLINE_MS;

    /* A name that was not found: libpq would look it up again, and block. */
    if (info->host_count > 0 && conninfo_needs_lookup(info, connection->host))
        return false;
    conninfo_params(info, connection->host);
    connection->pq = PQconnectStartParams(info->keywords, info->values, 1);
    if (!connection->pq || PQstatus(connection->pq) == CONNECTION_BAD) {
        add_reason(connection, connection->pq ? PQerrorMessage(connection->pq) : "out of memory");
        connection->told = NOT_MADE;
        PQfinish(connection->pq);
        connection->pq = NULL;
        return false;
    }
    connection->last_words[0] = '\0';
    PQsetNoticeReceiver(connection->pq, on_notice, connection);
    loop_timer_set(&connection->timer, info->timeout_ms > 0 ? info->timeout_ms : deadline_ms, 0);
    watch(connection, EPOLLOUT); /* "as if PQconnectPoll had returned PGRES_POLLING_WRITING" */
    return true;
}

static void pass_host(struct connection *connection)
{
    connection->tried++;
    if (++connection->host >= connection->info.host_count)
        connection->host = 0;
}

/* Goes on with the next host of this round; fails when all have been tried. Without hosts libpq has one of its own. */
static void try_hosts(struct connection *connection)
{
    size_t count = connection->info.host_count > 0 ? connection->info.host_count : 1;

    for (; connection->tried < count; pass_host(connection))
        if (begin_host(connection))
            return;
    fail(connection, connection->reasons, connection->told);
}

static void give_up_host(struct connection *connection, const char *reason, const char *told)
{
    add_reason(connection, reason);
    connection->told = told;
    connection->state = CONNECTING;
    loop_timer_stop(&connection->timer);
    unwatch(connection);
    PQfinish(connection->pq);
    connection->pq = NULL;
    pass_host(connection);
    try_hosts(connection);
}

static void give_up_named_host(struct connection *connection, const char *why)
{
    char reason[PROBLEM_BYTES];

    snprintf(reason, sizeof(reason), "connection to server \"%.255s\", port %.16s failed: %.200s",
             PQhost(connection->pq), PQport(connection->pq), why);
    give_up_host(connection, reason, why);
}

/* Returns whether this server is of use: LISTEN and ticks work on a primary only. */
static bool is_primary(const struct connection *connection)
{
    const char *standby = PQparameterStatus(connection->pq, "in_hot_standby");

    return !standby || strcmp(standby, "on") != 0;
}

static void poll_connecting(struct connection *connection)
{
    /* libpq may close the socket and open another, even under the same number: so out of the loop and in
     * again. */
    unwatch(connection);
    switch (PQconnectPoll(connection->pq)) {
    case PGRES_POLLING_READING:
        watch(connection, EPOLLIN);
        break;
    case PGRES_POLLING_WRITING:
        watch(connection, EPOLLOUT);
        break;
    case PGRES_POLLING_OK:
        if (!is_primary(connection)) {
            give_up_named_host(connection, "it is a standby, and the primary is needed: name all servers in the "
                                           "connection string, as in host=one,two");
            return;
        }
        connection->state = SETTLING;
        if (PQsetnonblocking(connection->pq, 1) < 0 ||
            !PQsendQuery(connection->pq, session_sql_for_bytes(connection->pq)) || PQflush(connection->pq) < 0) {
            give_up_host(connection, PQerrorMessage(connection->pq), NOT_MADE);
            return;
        }
        watch(connection, EPOLLIN);
        break;
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE:
    default:
        give_up_host(connection, PQerrorMessage(connection->pq), NOT_MADE);
        break;
    }
}

/* The answer to session_sql_for_bytes(). It was small enough to be sent at once: the socket's buffer was empty. */
static void poll_settling(struct connection *connection)
{
    if (!PQconsumeInput(connection->pq)) {
        give_up_host(connection, PQerrorMessage(connection->pq), NOT_MADE);
        return;
    }
    while (!PQisBusy(connection->pq)) {
        PGresult *result = PQgetResult(connection->pq);
        ExecStatusType status = PQresultStatus(result);
        bool went_well = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
        PQclear(result);
        if (!result) {
            loop_timer_stop(&connection->timer);
            connection->transcoder = session_transcoder(connection->pq);
            connection->state = UP;
            connection->up_since_ms = loop_clock_ms();
            connection->hooks.on_up(connection->context);
            return;
        }
        if (!went_well) {
            give_up_host(connection, PQerrorMessage(connection->pq), NOT_MADE);
            return;
        }
    }
}

static void on_connection_io(struct loop_io *io, uint32_t events)
{
    struct connection *connection = (struct connection *)io;

    loop_doing(connection->loop, "reading from the database");
    if (connection->state == CONNECTING) {
        poll_connecting(connection);
        return;
    }
    if (connection->state == SETTLING) {
        poll_settling(connection);
        return;
    }
    assert(connection->state == UP);
    if (events & EPOLLOUT)
        connection_flush(connection);
    if (connection->state == UP && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
        connection->hooks.on_input(connection->context);
}

static void begin(struct connection *connection)
{
    char *problem = NULL;

    connection->state = RESOLVING;
    int error = conninfo_init(&connection->info, connection->text, &problem);
    if (error < 0) {
        fail(connection, problem ? problem : strerror(-error), NOT_MADE);
        free(problem);
        return;
    }
    resolver_start(connection->resolver, &connection->info, RESOLVE_DEADLINE_MS);
}

static void on_resolved(void *context, const char *problem)
{
    struct connection *connection = context;

    if (problem) {
        fail(connection, problem, "its host's name was not found; the gateway's log says which and why");
        return;
    }
    connection->state = CONNECTING;
    connection->tried = 0;
    connection->reasons[0] = '\0';
    connection->told = NOT_MADE;
    /* The names may have other addresses now. */
    if (connection->host >= connection->info.host_count)
        connection->host = 0;
    try_hosts(connection);
}

static void on_connection_timer(struct loop_timer *timer)
{
    struct connection *connection = (struct connection *)((char *)timer - offsetof(struct connection, timer));

    loop_doing(connection->loop, "connecting to the database");
    if (connection->state == WAITING)
        begin(connection);
    else if (connection->state == CONNECTING || connection->state == SETTLING)
        give_up_named_host(connection, "no answer in time (connect_timeout)");
}

struct connection *connection_new(struct loop *loop, const char *text, const struct connection_hooks *hooks,
                                  void *context)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (!connection)
        return NULL;
    connection->io = (struct loop_io){.fd = -1, .on_io = on_connection_io};
    connection->loop = loop;
    connection->hooks = *hooks;
    connection->context = context;
    connection->backoff_ms = BACKOFF_MIN_MS;
    connection->text = strdup(text);
    connection->resolver = resolver_new(loop, on_resolved, connection);
    if (!connection->text || !connection->resolver ||
        loop_timer_init(&connection->timer, loop, on_connection_timer) < 0) {
        connection_free(connection);
        errno = ENOMEM;
        return NULL;
    }
    return connection;
}

void connection_free(struct connection *connection)
{
    if (!connection)
        return;
    if (connection->timer.loop)
        connection_stop(connection);
    resolver_free(connection->resolver);
    loop_timer_done(&connection->timer);
    free(connection->text);
    free(connection);
}

void connection_start(struct connection *connection)
{
    if (connection->state != OFF)
        return;
    connection->state = WAITING;
    loop_timer_set(&connection->timer, 1, 0);
}

void connection_stop(struct connection *connection)
{
    tear_down(connection);
    connection->state = OFF;
}

/* The server may have said why before we found out: between two queries, or instead of an answer. PQgetResult() waits
 * for nothing where libpq has closed the socket. */
static void hear_last_words(struct connection *connection)
{
    if (connection->state != UP)
        return;
    PQconsumeInput(connection->pq);
    for (int i = 0; i < LAST_RESULTS_MAX && (!PQisBusy(connection->pq) || PQsocket(connection->pq) < 0); i++) {
        PGresult *result = PQgetResult(connection->pq);
        if (!result)
            break;
        connection_note(connection, result);
        PQclear(result);
    }
}

void connection_lose(struct connection *connection, const char *reason)
{
    if (connection->state == OFF || connection->state == WAITING)
        return;
    hear_last_words(connection);
    fail(connection, connection->last_words[0] ? connection->last_words : reason, reason);
}

void connection_broke(struct connection *connection)
{
    static const char told[] = "the connection broke off; the gateway's log says why";
    char problem[PROBLEM_BYTES];

    if (connection->state == OFF || connection->state == WAITING)
        return;
    snprintf(problem, sizeof(problem), "%s", connection_problem(connection));
    hear_last_words(connection);
    fail(connection, connection->last_words[0] ? connection->last_words : problem, told);
}

PGconn *connection_pq(const struct connection *connection)
{
    return connection->state == UP ? connection->pq : NULL;
}

struct transcoder *connection_transcoder(const struct connection *connection)
{
    return connection->transcoder;
}

bool connection_is_off(const struct connection *connection)
{
    return connection->state == OFF;
}

size_t connection_host(const struct connection *connection)
{
    return connection->host;
}

void connection_begin_with(struct connection *connection, size_t host)
{
    if (connection->state == OFF || connection->state == WAITING)
        connection->host = host;
}

void connection_flush(struct connection *connection)
{
    if (connection->state != UP)
        return;
    int left = PQflush(connection->pq);
    if (left < 0)
        connection_broke(connection);
    else
        loop_io_change(connection->loop, &connection->io, left > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

const char *connection_problem(struct connection *connection)
{
    /* libpq only knows that the connection is gone. */
    if (connection->pq && connection->last_words[0])
        set_problem(connection, connection->last_words);
    else
        set_problem(connection, connection->pq ? PQerrorMessage(connection->pq) : "not connected");
    if (connection->problem[0] == '\0')
        set_problem(connection, "the server closed the connection");
    return connection->problem;
}
