#include "postgres/listener.h"

#include "base/buffer.h"
#include "base/limits.h"
#include "base/log.h"
#include "postgres/connection.h"
#include "postgres/listen_set.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    READ_PAUSE_MS = 100,
    PROBES_SPARED = 10, /* one in so many is sent even when others are heard */
    PROBLEM_BYTES = 512,
    SELF_BYTES = 40,
    LISTEN_SQL_BYTES_MAX = 1 << 20,
    NOTIFICATION_BYTES_MAX = 1 << 20, /* of one in UTF-8: three times PostgreSQL's 8,000, and builds may have more */
};

/* One command is on its way at a time; this says what its result means. */
enum command { COMMAND_NONE, COMMAND_LISTEN, COMMAND_LISTEN_FAILED, COMMAND_PROBE };

struct listener {
    struct loop *loop;
    struct connection *connection;
    struct listener_hooks hooks;
    void *context;
    int64_t probe_interval_ms, probe_timeout_ms;

    struct listen_set set;
    struct loop_task work;    /* sends what is to be sent, reads on where a turn's portion ended */
    struct loop_timer probe;  /* time for the next probe */
    struct loop_timer expiry; /* an answer is overdue */

    enum command command;
    bool channels_changed; /* what is wanted, since `work` looked */
    bool self_listening;   /* LISTEN on our own channel is in force */
    char self[SELF_BYTES];
    uint64_t probe_number; /* of the last notification to ourselves */
    int64_t probe_sent_us;
    bool echo_awaited;
    int64_t last_read_ms;
    int64_t last_heard_ms; /* when the server last notified us of anything */
    int64_t probed_ms;

    struct database_stats stats;
    char problem[PROBLEM_BYTES];
};

static void await_answer(struct listener *listener, enum command command)
{
    listener->command = command;
    loop_timer_set(&listener->expiry, listener->probe_timeout_ms, 0);
    connection_flush(listener->connection);
}

/* A notification to ourselves: only its coming back proves that LISTEN works. */
static void send_probe(struct listener *listener)
{
    PGconn *pq = connection_pq(listener->connection);
    char number[24];
    const char *values[] = {listener->self, number};

    snprintf(number, sizeof(number), "%" PRIu64, ++listener->probe_number);
    if (!PQsendQueryParams(pq, "SELECT pg_catalog.pg_notify($1, $2), pg_catalog.pg_notification_queue_usage()", 2, NULL,
                           values, NULL, NULL, 0)) {
        connection_broke(listener->connection);
        return;
    }
    listener->echo_awaited = true;
    listener->probed_ms = loop_turn_ms(listener->loop);
    listener->probe_sent_us = loop_clock_us();
    await_answer(listener, COMMAND_PROBE);
}

static void tell_refused(const char *name, const char *reason)
{
    log_error("channel cannot be listened to", log_text("channel", name), log_text("reason", reason));
}

/* Sends LISTEN and UNLISTEN for all that is not as it is wanted, in one batch of bounded size; returns
 * whether anything was. */
static bool send_listens(struct listener *listener)
{
    PGconn *pq = connection_pq(listener->connection);
    struct buffer sql;
    const char *refused;
    int error = 0;

    buffer_init(&sql, LISTEN_SQL_BYTES_MAX);
    if (!listener->self_listening)
        error = listen_set_append_command(pq, &sql, "LISTEN", listener->self);
    if (error == 0)
        error =
            listen_set_append_commands(&listener->set, pq, connection_transcoder(listener->connection), &sql, &refused);
    if (error == -EILSEQ) {
        tell_refused(refused, "the database's encoding does not have its letters");
        loop_task_queue(listener->loop, &listener->work);
        listener->channels_changed = true; /* for those behind it */
        error = 0;
    }
    const char *text = buffer_text(&sql);
    if (error < 0 || !text)
        connection_lose(listener->connection, "out of memory");
    else if (text[0] != '\0' && !PQsendQuery(pq, text))
        connection_broke(listener->connection);
    else if (text[0] != '\0')
        await_answer(listener, COMMAND_LISTEN);
    buffer_done(&sql);
    return listener->command != COMMAND_NONE;
}

static void announce(struct listener *listener)
{
    listen_set_announce(&listener->set, listener->hooks.on_listening, listener->context);
}

static void become_up(struct listener *listener)
{
    listener->stats.up = true;
    listener->stats.connects++;
    listener->problem[0] = '\0';
    log_info("database up", log_number("channels", (int64_t)listener->stats.channels_listening),
             log_text("host", PQhost(connection_pq(listener->connection))),
             log_text("port", PQport(connection_pq(listener->connection))));
    /* First the outage ends for the channels of before, then the new ones begin. */
    listener->hooks.on_up(listener->context);
}

/* Does what is next to be said, if nothing is on its way. */
static void go_on(void *context)
{
    struct listener *listener = context;

    if (!connection_pq(listener->connection) || listener->command != COMMAND_NONE)
        return;
    if (send_listens(listener))
        return;
    if (!connection_pq(listener->connection))
        return;
    if (!listener->stats.up && !listener->echo_awaited)
        send_probe(listener);
}

static void on_listens_done(struct listener *listener)
{
    listener->self_listening = true;
    listen_set_confirm(&listener->set);
    listener->stats.channels_listening = listener->set.on_server_count;
    if (listener->stats.up)
        announce(listener);
}

static void on_command_done(struct listener *listener)
{
    enum command command = listener->command;

    listener->command = COMMAND_NONE;
    if (command == COMMAND_LISTEN)
        on_listens_done(listener);
    if (!listener->echo_awaited) {
        loop_timer_stop(&listener->expiry);
        loop_timer_set(&listener->probe, listener->probe_interval_ms, 0);
    }
    go_on(listener);
}

/* Our own notification has come back. */
static void on_echo(struct listener *listener, const char *payload)
{
    if (!listener->echo_awaited || strtoull(payload, NULL, 10) != listener->probe_number)
        return;
    listener->echo_awaited = false;
    listener->stats.round_trip_us = loop_clock_us() - listener->probe_sent_us;
    if (!listener->stats.up) {
        become_up(listener);
        announce(listener);
    }
    if (listener->command == COMMAND_NONE) {
        loop_timer_stop(&listener->expiry);
        loop_timer_set(&listener->probe, listener->probe_interval_ms, 0);
    }
}

/* One bad name must not cost everybody the connection. */
static void on_listens_failed(struct listener *listener)
{
    const char *refused = listen_set_fail(&listener->set);

    listener->command = COMMAND_LISTEN_FAILED;
    if (refused)
        tell_refused(refused, connection_problem(listener->connection));
}

static bool take_result(struct listener *listener)
{
    PGconn *pq = connection_pq(listener->connection);
    PGresult *result = PQgetResult(pq);

    if (!result) {
        on_command_done(listener);
        return false;
    }
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK && PQntuples(result) == 1 && PQnfields(result) == 2)
        listener->stats.queue_usage = strtod(PQgetvalue(result, 0, 1), NULL);
    else if (status != PGRES_COMMAND_OK && listener->command == COMMAND_LISTEN && listen_set_is_about_a_name(result))
        on_listens_failed(listener);
    else if (status != PGRES_COMMAND_OK) {
        connection_note(listener->connection, result);
        connection_broke(listener->connection);
    }
    PQclear(result);
    return connection_pq(listener->connection) != NULL;
}

/* In UTF-8. Without memory for that the connection is lost: what follows would be a gap that nobody is told of. */
static void pass_on(struct listener *listener, const PGnotify *notification)
{
    struct transcoder *transcoder = connection_transcoder(listener->connection);
    size_t name_bytes = strlen(notification->relname), bytes = strlen(notification->extra);
    struct buffer name_room, room;

    buffer_init(&name_room, NOTIFICATION_BYTES_MAX);
    buffer_init(&room, NOTIFICATION_BYTES_MAX);
    const char *name = transcode_in(transcoder, notification->relname, &name_bytes, &name_room);
    const char *payload = transcode_in(transcoder, notification->extra, &bytes, &room);
    if (name && payload)
        listener->hooks.on_notification(listener->context, name, payload, bytes, notification->be_pid);
    else
        connection_lose(listener->connection, "out of memory");
    buffer_done(&name_room);
    buffer_done(&room);
}

/* Takes a portion of what has arrived; the rest waits for the next turn. */
static void take_notifications(struct listener *listener)
{
    PGconn *pq = connection_pq(listener->connection);
    PGnotify *notification = NULL;
    int taken = 0;

    while (taken < NOTIFICATIONS_PER_TURN && connection_pq(listener->connection) == pq &&
           (notification = PQnotifies(pq))) {
        taken++;
        listener->last_heard_ms = loop_turn_ms(listener->loop);
        if (strcmp(notification->relname, listener->self) == 0) {
            on_echo(listener, notification->extra);
        } else {
            listener->stats.notifications++;
            pass_on(listener, notification);
        }
        PQfreemem(notification);
    }
    if (taken == NOTIFICATIONS_PER_TURN)
        loop_task_queue(listener->loop, &listener->work);
}

static void take_input(void *context)
{
    struct listener *listener = context;
    PGconn *pq = connection_pq(listener->connection);

    if (!pq)
        return;
    /* Our own sending is behind: leave it the processor for a moment. Never longer, or the server's queue
     * would fill. */
    if (listener->stats.up && listener->hooks.is_behind(listener->context) &&
        loop_turn_ms(listener->loop) - listener->last_read_ms < READ_PAUSE_MS) {
        loop_task_queue(listener->loop, &listener->work); /* libpq may hold some for which no socket event will come */
        return;
    }
    listener->last_read_ms = loop_turn_ms(listener->loop);
    if (!PQconsumeInput(pq)) {
        connection_broke(listener->connection);
        return;
    }
    /* Results first: with a LISTEN's result in hand, what was notified behind it finds its channel open. */
    while (listener->command != COMMAND_NONE && connection_pq(listener->connection) && !PQisBusy(pq))
        if (!take_result(listener))
            break;
    if (connection_pq(listener->connection))
        take_notifications(listener);
}

static void on_work(struct loop_task *task)
{
    struct listener *listener = (struct listener *)((char *)task - offsetof(struct listener, work));

    loop_doing(listener->loop, "taking notifications");
    if (!connection_pq(listener->connection))
        return;
    if (listener->channels_changed) {
        listener->channels_changed = false;
        if (listener->stats.up)
            announce(listener);
        go_on(listener);
    }
    take_input(listener);
}

static void on_probe_time(struct loop_timer *timer)
{
    struct listener *listener = (struct listener *)((char *)timer - offsetof(struct listener, probe));

    int64_t now_ms = loop_turn_ms(listener->loop);

    if (!connection_pq(listener->connection) || listener->command != COMMAND_NONE || listener->echo_awaited)
        return;
    /* A notification of somebody else's proves as much; but only ours measures the way. */
    if (now_ms - listener->last_heard_ms < listener->probe_interval_ms &&
        now_ms - listener->probed_ms < PROBES_SPARED * listener->probe_interval_ms)
        loop_timer_set(&listener->probe, listener->probe_interval_ms, 0);
    else
        send_probe(listener);
}

static void on_expiry(struct loop_timer *timer)
{
    struct listener *listener = (struct listener *)((char *)timer - offsetof(struct listener, expiry));

    /* We may have been the ones who slept: look at what is there before blaming the server. */
    listener->last_read_ms = 0;
    take_input(listener);
    if (!connection_pq(listener->connection))
        return;
    /* A long burst of notifications stands in front of the answer: who talks is alive. */
    int64_t silent_ms = loop_turn_ms(listener->loop) - listener->last_heard_ms;
    if (silent_ms < listener->probe_timeout_ms)
        loop_timer_set(&listener->expiry, listener->probe_timeout_ms - silent_ms, 0);
    else if (listener->command != COMMAND_NONE)
        connection_lose(listener->connection, "the server did not answer in time (probe.timeout_ms)");
    else if (listener->echo_awaited)
        connection_lose(listener->connection,
                        "a notification to ourselves did not come back: is there a transaction pooler in between? "
                        "connect to the server itself");
}

static void on_lost(void *context, const char *reason)
{
    struct listener *listener = context;
    bool was_up = listener->stats.up;

    snprintf(listener->problem, sizeof(listener->problem), "%s", reason);
    loop_timer_stop(&listener->probe);
    loop_timer_stop(&listener->expiry);
    listener->command = COMMAND_NONE;
    listener->self_listening = false;
    listener->echo_awaited = false;
    listener->stats.up = false;
    listener->stats.losses += was_up;
    listener->stats.channels_listening = 0;
    listen_set_lose(&listener->set);
    listener->hooks.on_down(listener->context, reason);
}

struct listener *listener_new(struct loop *loop, const struct listener_options *options,
                              const struct listener_hooks *hooks, void *context)
{
    const struct connection_hooks connection_hooks = {go_on, take_input, on_lost, true, "listener"};
    struct listener *listener = calloc(1, sizeof(*listener));
    uint64_t random;

    if (!listener)
        return NULL;
    listener->loop = loop;
    listener->hooks = *hooks;
    listener->context = context;
    listener->probe_interval_ms = options->probe_interval_ms;
    listener->probe_timeout_ms = options->probe_timeout_ms;
    listener->work.on_task = on_work;
    listener->stats.round_trip_us = -1;
    listener->stats.queue_usage = -1;
    listen_set_init(&listener->set);
    snprintf(listener->problem, sizeof(listener->problem), "not connected yet");
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        random = (uint64_t)loop_clock_us();
    snprintf(listener->self, sizeof(listener->self), "tuplecast_probe_%016" PRIx64, random);
    listener->connection = connection_new(loop, options->database, &connection_hooks, listener);
    if (!listener->connection || loop_timer_init(&listener->probe, loop, on_probe_time) < 0 ||
        loop_timer_init(&listener->expiry, loop, on_expiry) < 0) {
        listener_free(listener);
        errno = ENOMEM;
        return NULL;
    }
    return listener;
}

void listener_free(struct listener *listener)
{
    if (!listener)
        return;
    connection_free(listener->connection);
    loop_task_cancel(listener->loop, &listener->work);
    loop_timer_done(&listener->probe);
    loop_timer_done(&listener->expiry);
    listen_set_done(&listener->set);
    free(listener);
}

void listener_start(struct listener *listener)
{
    connection_start(listener->connection);
}

int listener_want(struct listener *listener, const char *name, bool wanted)
{
    assert(name[0] != '\0' && strlen(name) <= CHANNEL_NAME_BYTES_MAX);
    int error = listen_set_want(&listener->set, name, wanted);
    listener->channels_changed = true;
    loop_task_queue(listener->loop, &listener->work);
    return error;
}

void listener_set_probe(struct listener *listener, int64_t interval_ms, int64_t timeout_ms)
{
    listener->probe_interval_ms = interval_ms;
    listener->probe_timeout_ms = timeout_ms;
}

const struct database_stats *listener_stats(const struct listener *listener)
{
    return &listener->stats;
}

const char *listener_problem(const struct listener *listener)
{
    return listener->stats.up ? "" : listener->problem;
}
