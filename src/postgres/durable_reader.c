#include "postgres/durable_own.h"

#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEADLINE_MS = 30000,
    STALE_MS = 1700, /* a lead that was not heard of for so long is replaced */
    QUIET_TICKS = 2, /* that found nothing, before the lead goes to sleep */
    ALARMS_MAX = 5,  /* that it stays awake longer after, twice as long each time */
    PAUSE_MS = 250,  /* the longest one of a drowsy lead */
    RUMOUR_MS = 100, /* what is not the lead's own word makes us look no sooner */
    NAMES_MS = 100,
};

void durable_send(struct durable_reader *reader, const struct query *query)
{
    /* Before: when sending fails, the answer comes at once. */
    reader->busy = true;
    if (query_queue_add(reader->queue, query) == 0)
        return;
    reader->busy = false;
    query_queue_reset(reader->queue, "out of memory");
}

void durable_ask(struct durable_reader *reader, const char *sql, const char *const *parameters, int count,
                 void (*on_row)(void *context, const PGresult *row, int number),
                 void (*on_done)(void *context, const char *sqlstate, const char *message))
{
    struct query query = {
        .sql = sql, .parameter_count = count, .on_row = on_row, .on_done = on_done, .context = reader};

    for (int i = 0; i < count; i++)
        query.parameters[i] = parameters[i];
    durable_send(reader, &query);
}

int64_t durable_number(const PGresult *row, int column)
{
    return strtoll(PQgetvalue(row, 0, column), NULL, 10);
}

void durable_copy_nonce(char nonce[NONCE_BYTES + 2], const char *text)
{
    snprintf(nonce, NONCE_BYTES + 1, "%s", text);
}

void durable_set_mode(struct durable_reader *reader, enum mode mode)
{
    if ((mode >= MODE_LEAD) != (reader->mode >= MODE_LEAD) && mode != MODE_OFF)
        log_info("durable channels", log_text("role", mode >= MODE_LEAD ? "lead" : "follower"));
    reader->mode = mode;
    reader->stats.lead = mode >= MODE_LEAD;
    reader->stats.asleep = mode == MODE_ASLEEP;
}

/* An answer with an error: the connection is made anew, and everything looked at again. Nothing else is to be done
 * then. */
bool durable_failed(struct durable_reader *reader, const char *sqlstate, const char *message)
{
    reader->busy = false;
    if (!sqlstate)
        return false;
    if (strcmp(sqlstate, "08006") != 0 && strcmp(sqlstate, "57P01") != 0 && !reader->stopping) {
        log_warn("reading the log of durable channels failed", log_text("sqlstate", sqlstate),
                 log_text("reason", message));
        query_queue_reset(reader->queue, message);
    }
    return true;
}

/* Sleeps for so long at most. */
static void wait_for(struct durable_reader *reader, int64_t wait_ms)
{
    int64_t names_ms = reader->names_asked_ms + NAMES_MS - loop_turn_ms(reader->loop);

    if (reader->names_changed && names_ms < wait_ms)
        wait_ms = names_ms;
    loop_timer_set(&reader->timer, wait_ms, 0);
}

/* The lead. */

void durable_step_down(struct durable_reader *reader)
{
    durable_set_mode(reader, MODE_FOLLOWER);
    reader->life_ms = loop_turn_ms(reader->loop);
    reader->polled_ms = 0;
}

static void on_tick_row(void *context, const PGresult *row, int number)
{
    struct durable_reader *reader = context;

    (void)number;
    durable_add_tick(reader, row, 0);
    reader->is_held |= PQgetvalue(row, 0, 5)[0] == 't';
    reader->oldest_xid = durable_number(row, 6);
    reader->is_lead = PQgetvalue(row, 0, 7)[0] == 't';
}

static void on_tick(void *context, const char *sqlstate, const char *message)
{
    struct durable_reader *reader = context;
    bool is_taken = sqlstate && strcmp(sqlstate, "23505") == 0; /* the tick's number, by another lead */

    if (!is_taken && durable_failed(reader, sqlstate, message))
        return;
    reader->busy = false;
    bool any = reader->tick_first < reader->tick_count;
    reader->quiet_ticks = any || reader->is_held ? 0 : reader->quiet_ticks + 1;
    if (any)
        reader->alarms = 0;
    if (is_taken || !reader->is_lead)
        durable_step_down(reader);
    else if (reader->mode > MODE_LEAD && reader->quiet_ticks == 0)
        reader->woken = true;
    else if (reader->mode == MODE_DROWSY && reader->asleep_xid > 0 && reader->oldest_xid >= reader->asleep_xid)
        durable_set_mode(reader, MODE_ASLEEP);
    durable_go_on(reader);
}

/* wake: writers are told first that we are awake. */
static void make_tick(struct durable_reader *reader, bool wake)
{
    int64_t now_ms = loop_turn_ms(reader->loop);
    char last[DURABLE_NUMBER_BYTES];
    const char *const parameters[] = {last, reader->options.order};
    bool sign = !wake && now_ms - reader->life_ms >= DURABLE_POLL_MS; /* if not now, then with the next one */

    snprintf(last, sizeof(last), "%" PRId64, reader->last);
    reader->polled_ms = now_ms;
    if (sign)
        reader->life_ms = now_ms;
    reader->is_held = false;
    durable_ask(reader,
                sign   ? "SELECT t.*, r.is_lead FROM (SELECT tuplecast.renew_lead()) r (is_lead) LEFT JOIN "
                         "tuplecast.make_tick($1, $2) t ON true"
                : wake ? "SELECT t.*, true FROM (SELECT tuplecast.wake_up()) w LEFT JOIN "
                         "tuplecast.make_tick($1, $2) t ON true"
                       : "SELECT t.*, true FROM tuplecast.make_tick($1, $2) t",
                parameters, 2, on_tick_row, on_tick);
}

static void on_asleep_row(void *context, const PGresult *row, int number)
{
    struct durable_reader *reader = context;

    (void)number;
    reader->asleep_xid = durable_number(row, 0);
}

static void on_asleep(void *context, const char *sqlstate, const char *message)
{
    struct durable_reader *reader = context;

    if (durable_failed(reader, sqlstate, message))
        return;
    durable_set_mode(reader, MODE_DROWSY);
    reader->quiet_ticks = 0;
    reader->pause_ms = reader->options.tick_ms;
    /* Somebody may have written between the last tick and falling asleep. */
    make_tick(reader, false);
}

static int64_t lead_period_ms(struct durable_reader *reader)
{
    return reader->mode == MODE_LEAD     ? reader->options.tick_ms
           : reader->mode == MODE_DROWSY ? reader->pause_ms
                                         : DURABLE_POLL_MS;
}

static void lead(struct durable_reader *reader)
{
    int64_t waited_ms = loop_turn_ms(reader->loop) - reader->polled_ms, period_ms = lead_period_ms(reader);

    if (reader->mode > MODE_LEAD && reader->woken) {
        durable_set_mode(reader, MODE_LEAD);
        reader->quiet_ticks = 0;
        reader->woken = false;
        make_tick(reader, true);
    } else if (waited_ms >= period_ms) {
        if (reader->mode == MODE_DROWSY && reader->pause_ms < PAUSE_MS)
            reader->pause_ms = 2 * reader->pause_ms < PAUSE_MS ? 2 * reader->pause_ms : PAUSE_MS;
        make_tick(reader, false);
    } else if (reader->mode == MODE_LEAD && reader->quiet_ticks >= QUIET_TICKS << reader->alarms) {
        reader->woken = false;
        reader->asleep_xid = 0;
        durable_ask(reader, "SELECT tuplecast.fall_asleep()", NULL, 0, on_asleep_row, on_asleep);
    } else {
        wait_for(reader, period_ms - waited_ms);
    }
}

/* The others. */

/* A row with the lease of who is the lead now; null: we are not. */
static void on_claim_row(void *context, const PGresult *row, int number)
{
    struct durable_reader *reader = context;

    (void)number;
    if (PQgetisnull(row, 0, 0))
        return;
    if (!reader->lead_is_gone && reader->lease != 0)
        log_warn("the lead of the durable channels gave no sign of life: replacing it");
    durable_set_mode(reader, MODE_LEAD);
    reader->quiet_ticks = reader->alarms = 0;
    reader->woken = false;
    reader->hinted = true; /* the lead before may have made a tick that we did not see */
}

static void on_claim(void *context, const char *sqlstate, const char *message)
{
    struct durable_reader *reader = context;

    if (durable_failed(reader, sqlstate, message))
        return;
    reader->life_ms = loop_turn_ms(reader->loop);
    reader->lead_is_gone = false;
    durable_go_on(reader);
}

static void claim(struct durable_reader *reader, const char *sql)
{
    char lease[DURABLE_NUMBER_BYTES];
    const char *const parameters[] = {lease};

    snprintf(lease, sizeof(lease), "%" PRId64, reader->lease);
    durable_ask(reader, sql, parameters, 1, on_claim_row, on_claim);
}

static void on_poll_row(void *context, const PGresult *row, int number)
{
    struct durable_reader *reader = context;
    int64_t lease = durable_number(row, 0);

    (void)number;
    durable_add_tick(reader, row, 2);
    if (reader->mode != MODE_FOLLOWER)
        return;
    if (lease != reader->lease)
        reader->life_ms = loop_turn_ms(reader->loop);
    reader->lease = lease;
    reader->lead_is_gone = PQgetvalue(row, 0, 1)[0] == 't';
}

static void on_poll(void *context, const char *sqlstate, const char *message)
{
    struct durable_reader *reader = context;

    if (!durable_failed(reader, sqlstate, message))
        durable_go_on(reader);
}

static void poll_ticks(struct durable_reader *reader)
{
    char last[DURABLE_NUMBER_BYTES];
    const char *const parameters[] = {last};

    snprintf(last, sizeof(last), "%" PRId64, reader->last);
    reader->hinted = reader->rumoured = false;
    reader->polled_ms = loop_turn_ms(reader->loop);
    durable_ask(reader,
                reader->mode == MODE_FOLLOWER ? "SELECT l.lease, l.is_gone, t.* FROM tuplecast.find_lead() l LEFT JOIN "
                                                "tuplecast.ticks_after($1) t ON true"
                                              : "SELECT 0, false, t.* FROM tuplecast.ticks_after($1) t",
                parameters, 1, on_poll_row, on_poll);
}

static void follow(struct durable_reader *reader)
{
    int64_t now_ms = loop_turn_ms(reader->loop), stale_ms = reader->life_ms + STALE_MS - now_ms;
    int64_t wait_ms = reader->polled_ms + (reader->rumoured ? RUMOUR_MS : DURABLE_POLL_MS) - now_ms;

    /* Hints are last, so that nobody can keep us from the rest by them. */
    if (reader->lead_is_gone)
        claim(reader, "SELECT tuplecast.claim_lead($1)");
    else if (stale_ms <= 0)
        claim(reader, "SELECT tuplecast.take_over($1)");
    else if (wait_ms <= 0 || reader->hinted)
        poll_ticks(reader);
    else
        wait_for(reader, wait_ms < stale_ms ? wait_ms : stale_ms);
}

/* What is to be done next, if nothing is on its way. */
void durable_go_on(struct durable_reader *reader)
{
    if (reader->busy || reader->stopping || reader->mode == MODE_OFF || !reader->position_checked)
        return;
    history_reader_set_lead(reader->history, reader->mode >= MODE_LEAD);
    if (reader->tick_first < reader->tick_count)
        durable_read_tick(reader);
    else if (reader->names_changed && loop_turn_ms(reader->loop) - reader->names_asked_ms >= NAMES_MS)
        durable_ask_names(reader);
    else if (reader->mode != MODE_FOLLOWER && reader->hinted)
        poll_ticks(reader);
    else if (reader->mode == MODE_FOLLOWER)
        follow(reader);
    else
        lead(reader);
}

static void on_timer(struct loop_timer *timer)
{
    struct durable_reader *reader = (struct durable_reader *)((char *)timer - offsetof(struct durable_reader, timer));

    if (reader->mode == MODE_OFF && !reader->busy)
        durable_check(reader);
    else
        durable_go_on(reader);
}

static void on_up(void *context)
{
    struct durable_reader *reader = context;

    reader->position_checked = false;
    history_reader_begin_with(reader->history, query_queue_host(reader->queue));
    durable_check(reader);
}

static void on_down(void *context, const char *reason)
{
    struct durable_reader *reader = context;

    (void)reason;
    durable_drop_ticks(reader);
    reader->busy = reader->position_checked = false;
    durable_set_mode(reader, MODE_OFF);
    hub_durable_down(reader->hub);
    loop_timer_stop(&reader->timer);
}

/* Of another session than ours: who sent it is the server's word. */
static void hear_lead(struct durable_reader *reader, const char *payload, int sender)
{
    if (reader->mode != MODE_FOLLOWER)
        return;
    if (sender != (int)(reader->lease & INT32_MAX)) {
        reader->rumoured = true;
        return;
    }
    reader->life_ms = loop_turn_ms(reader->loop);
    reader->hinted |= strcmp(payload, "alive") != 0;
}

void durable_reader_notified(struct durable_reader *reader, const char *payload, int sender)
{
    if (strcmp(payload, "alive") == 0 || strcmp(payload, "lead") == 0 || strncmp(payload, "tick ", 5) == 0) {
        hear_lead(reader, payload, sender);
    } else if (strcmp(payload, "wake") == 0) {
        if (reader->mode > MODE_LEAD && !reader->woken && reader->alarms < ALARMS_MAX)
            reader->alarms++;
        reader->woken = true;
    } else if (strcmp(payload, "triggers") == 0) {
        reader->names_changed = true;
        if (reader->mode == MODE_OFF && !reader->busy)
            durable_check(reader); /* `tuplecast setup` was run meanwhile */
        if (reader->mode != MODE_OFF || reader->busy)
            hub_durable_channels_changed(reader->hub);
    }
    durable_go_on(reader);
}

struct durable_reader *durable_reader_new(struct loop *loop, struct hub *hub,
                                          const struct durable_reader_options *options)
{
    struct durable_reader *reader = calloc(1, sizeof(*reader));

    if (!reader)
        return NULL;
    reader->loop = loop;
    reader->hub = hub;
    reader->options = *options;
    const struct query_queue_options queue = {.database = options->database,
                                              .deadline_ms = DEADLINE_MS,
                                              .on_up = on_up,
                                              .on_down = on_down,
                                              .context = reader};
    reader->queue = query_queue_new(loop, &queue);
    reader->history = history_reader_new(loop, options, &reader->stats);
    if (!reader->queue || !reader->history || loop_timer_init(&reader->timer, loop, on_timer) < 0) {
        durable_reader_free(reader);
        errno = ENOMEM;
        return NULL;
    }
    return reader;
}

void durable_reader_free(struct durable_reader *reader)
{
    if (!reader)
        return;
    reader->stopping = true;
    if (reader->mode >= MODE_LEAD)
        query_queue_send_last(reader->queue, "SELECT tuplecast.resign_lead()");
    history_reader_free(reader->history);
    query_queue_free(reader->queue);
    loop_timer_done(&reader->timer);
    durable_drop_ticks(reader);
    text_list_done(&reader->names);
    free(reader);
}

void durable_reader_start(struct durable_reader *reader)
{
    query_queue_start(reader->queue);
}

void durable_reader_reconfigure(struct durable_reader *reader, const struct durable_reader_options *options)
{
    reader->options = *options;
    history_reader_reconfigure(reader->history, options);
}

void durable_reader_database_lost(struct durable_reader *reader, const char *reason)
{
    history_reader_reset(reader->history, reason);
    query_queue_reset(reader->queue, reason);
}

void durable_reader_want_history(struct durable_reader *reader, struct history_page *page,
                                 const struct history_request *request)
{
    history_reader_want(reader->history, page, request);
}

const struct durable_stats *durable_reader_stats(const struct durable_reader *reader)
{
    return &reader->stats;
}
