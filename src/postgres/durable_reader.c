/* One query at a time is on its way; its answer calls go_on(), which does what is to be done next. A failure makes the
 * connection anew, and everything is looked at again.
 *
 *     OFF -> (may we? whose log is it? where are we?) -> FOLLOWER <-> LEAD -> DROWSY -> ASLEEP -> LEAD
 *
 * A FOLLOWER polls, and reads ticks when the lead's session says that there are any. It takes the lead when that
 * session is gone, or when neither its lease nor its word changed for STALE_MS. A LEAD makes a tick each tick_ms. When
 * some found nothing, it tells writers that they must wake it, and is DROWSY: writers who looked before that may not
 * have committed yet, so it looks now and then, in growing pauses. Once none of them is left, it is ASLEEP. Whatever
 * any tick finds and whatever a writer says makes it LEAD again (tests/model/sleep.pml). A lead that was replaced finds
 * out by its lease, or because the number of its tick is taken, and follows.
 *
 * What strangers can send is a hint: it makes us look, not more often than RUMOUR_MS, and never believe. */
#include "postgres/durable_reader.h"

#include "base/log.h"
#include "postgres/array_text.h"
#include "postgres/durable_admission.h"
#include "postgres/durable_health.h"
#include "postgres/history_reader.h"
#include "postgres/log_rows.h"
#include "postgres/query_queue.h"
#include "postgres/retention.h"
#include "postgres/tick_queue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEADLINE_MS = 30000,
    RETRY_MS = 5000,         /* where we are refused */
    POLL_MS = 1100,          /* of who has nothing to do: a lead that sleeps, a follower that hears nothing */
    STALE_MS = 1700,         /* a lead that was not heard of for so long is replaced */
    QUIET_TICKS = 2,         /* that found nothing, before the lead goes to sleep */
    ALARMS_MAX = 5,          /* that it stays awake longer after, twice as long each time */
    PAUSE_MS = 250,          /* the longest one of a drowsy lead */
    RUMOUR_MS = 100,         /* what is not the lead's own word makes us look no sooner */
    NAMES_MS = 100,          /* between two looks at the names of channels */
    NAMES_PASSED_MAX = 5,    /* lists that were out of date when they came, one after the other */
    STALE_FUNCTION_MS = 500, /* between two functions that are written anew: anybody can name one */
    FUNCTION_BYTES = 24,
    NUMBER_BYTES = 24,
};

enum mode { MODE_OFF, MODE_FOLLOWER, MODE_LEAD, MODE_DROWSY, MODE_ASLEEP };

struct durable_reader {
    struct loop *loop;
    struct hub *hub;
    struct durable_reader_options options;
    struct query_queue *queue;
    struct history_reader *history;
    struct retention *retention;
    struct loop_timer timer;

    enum mode mode;
    bool ever_up; /* the hub has a position */
    bool busy;    /* a query is on its way: its answer goes on */
    bool stopping;
    bool position_checked; /* since the connection is up */
    bool names_changed;    /* triggers were put or dropped */
    bool names_cut;        /* of those being collected some are missing */
    int names_passed;
    int64_t names_asked_ms; /* not too often: anybody can say that they changed */
    int64_t last;           /* the last tick that was read completely */
    int64_t polled_ms;      /* the last poll, or tick that was made */
    int64_t life_ms;        /* the last sign of life: the lead's, or ours when we are it */

    /* The lead. */
    bool woken;                     /* by a writer */
    int alarms;                     /* that nothing was found behind, since something was */
    bool is_held;                   /* there are changes that cannot be told yet */
    bool is_lead;                   /* as the database says */
    int quiet_ticks;                /* that found nothing, one after the other */
    int64_t asleep_xid, oldest_xid; /* see tuplecast.fall_asleep(); 0: it may not sleep */
    int64_t pause_ms;               /* while it is drowsy */

    /* The others. */
    int64_t lease; /* the lead's, as last seen; 0: none yet */
    bool lead_is_gone;
    bool hinted, rumoured; /* by the lead, or by anybody, that there is something to be read */

    struct tick_queue ticks; /* to be read */
    /* Of the first one: */
    uint64_t read_from, read_to; /* the events that are asked for now: behind the one, up to the other */
    uint64_t portion;            /* so many at once, because one of them cannot be read; 0: all */
    bool without_rows;           /* without what is probably the reason */

    char stale_function[FUNCTION_BYTES]; /* a trigger's, that a writer found out of date; "": none */
    int64_t stale_ms;                    /* when the last one was written anew */

    struct text_list names;        /* of the durable channels, as last heard */
    struct text_list new_names;    /* being collected */
    struct durable_position found; /* being collected */
    char verdict[16];
    struct durable_admission admission;
    enum durable_fault doing; /* what has failed if the query fails that is on its way */
    struct durable_health health;
    struct durable_stats stats;
};

static void go_on(struct durable_reader *reader); /* what is to be done next, if nothing is on its way */

static void send_query(struct durable_reader *reader, const struct query *query)
{
    /* Before: when sending fails, the answer comes at once. */
    reader->busy = true;
    if (query_queue_add(reader->queue, query) == 0)
        return;
    reader->busy = false;
    query_queue_reset(reader->queue, "out of memory");
}

static void ask(struct durable_reader *reader, const char *sql, const char *const *parameters, int count,
                void (*on_row)(void *context, const PGresult *row, int number),
                void (*on_done)(void *context, const char *sqlstate, const char *message))
{
    struct query query = {
        .sql = sql, .parameter_count = count, .on_row = on_row, .on_done = on_done, .context = reader};

    for (int i = 0; i < count; i++)
        query.parameters[i] = parameters[i];
    send_query(reader, &query);
}

static int64_t number_at(const PGresult *row, int column)
{
    return strtoll(PQgetvalue(row, 0, column), NULL, 10);
}

static void set_mode(struct durable_reader *reader, enum mode mode)
{
    if ((mode >= MODE_LEAD) != (reader->mode >= MODE_LEAD) && mode != MODE_OFF)
        log_info("durable channels", log_text("role", mode >= MODE_LEAD ? "lead" : "follower"));
    reader->mode = mode;
    reader->stats.lead = mode >= MODE_LEAD;
    reader->stats.asleep = mode == MODE_ASLEEP;
    retention_set_lead(reader->retention, mode >= MODE_LEAD);
}

/* Another gateway is the lead. */
static void step_down(struct durable_reader *reader)
{
    set_mode(reader, MODE_FOLLOWER);
    reader->life_ms = loop_turn_ms(reader->loop);
    reader->polled_ms = 0;
}

/* An answer with an error: the connection is made anew. Nothing else is to be done then. */
static bool failed(struct durable_reader *reader, const char *sqlstate, const char *message)
{
    reader->busy = false;
    if (!sqlstate)
        return false;
    if (strcmp(sqlstate, "08006") != 0 && strcmp(sqlstate, "57P01") != 0 && !reader->stopping) {
        durable_health_fails(&reader->health, reader->doing);
        query_queue_reset(reader->queue, message);
    }
    return true;
}

/* Looked for ticks. When there are some, they are still to be read. */
static void looked(struct durable_reader *reader)
{
    if (tick_queue_is_empty(&reader->ticks))
        durable_health_works(&reader->health);
}

static void on_event(void *context, const PGresult *result, int row)
{
    struct durable_reader *reader = context;

    if (strcmp(log_row_kind(result, row), "event") != 0)
        return;
    durable_health_works(&reader->health);
    const struct log_change change = log_row_change(result, row);
    hub_durable_event(reader->hub, log_row_position(result, row).number, &change);
}

/* Up to read_to it was read, or passed over. */
static void finish_portion(struct durable_reader *reader)
{
    const struct tick *tick = tick_queue_first(&reader->ticks);

    durable_health_works(&reader->health);
    reader->read_from = reader->read_to;
    reader->portion = 0;
    reader->without_rows = false;
    if (reader->read_from < tick_end(tick))
        return;
    hub_durable_end(reader->hub);
    reader->last = tick->number;
    tick_queue_drop_first(&reader->ticks);
    reader->stats.ticks++;
}

/* One of the events cannot be read: finds it by halves, tries it without its rows, and passes it over at last. */
static void read_less(struct durable_reader *reader, const char *sqlstate, const char *message)
{
    uint64_t asked = reader->read_to - reader->read_from;

    if (asked > 1) {
        reader->portion = asked / 2;
    } else if (!reader->without_rows) {
        reader->without_rows = true;
    } else {
        log_error("an event of the log cannot be read, and is passed over",
                  log_number("number", (int64_t)reader->read_to), log_text("sqlstate", sqlstate),
                  log_text("reason", message));
        reader->stats.unreadable++;
        hub_durable_unreadable(reader->hub, reader->read_to);
        finish_portion(reader);
    }
}

static void on_events(void *context, const char *sqlstate, const char *message)
{
    struct durable_reader *reader = context;

    if (sqlstate && strcmp(sqlstate, "TC001") == 0) {
        /* It was away for longer than events are kept. */
        const struct tick *tick = tick_queue_first(&reader->ticks);
        struct durable_position resumed = tick_position(tick);
        reader->busy = false;
        reader->last = tick->number;
        tick_queue_drop_first(&reader->ticks);
        hub_durable_lost(reader->hub, HISTORY_EXPIRED, &resumed);
    } else if (sqlstate && log_row_is_unreadable(sqlstate)) {
        reader->busy = false;
        read_less(reader, sqlstate, message);
    } else if (failed(reader, sqlstate, message)) {
        return;
    } else {
        finish_portion(reader);
    }
    go_on(reader);
}

static void ask_events(struct durable_reader *reader, const struct text_list *channels)
{
    char *names = array_text(channels);
    char from[NUMBER_BYTES], count[NUMBER_BYTES], bytes_max[NUMBER_BYTES];

    if (!names) {
        query_queue_reset(reader->queue, "out of memory");
        return;
    }
    snprintf(from, sizeof(from), "%" PRIu64, reader->read_from);
    snprintf(count, sizeof(count), "%" PRIu64, reader->read_to - reader->read_from);
    snprintf(bytes_max, sizeof(bytes_max), "%" PRId64, reader->without_rows ? 0 : reader->options.event_bytes_max);
    const struct query query = {
        .sql = "SELECT * FROM tuplecast.read_events($1, $2, $3, $4, NULL)",
        .binary = true,
        .parameters = {from, count, names, bytes_max},
        .parameter_count = 4,
        .lacking = "\x01", /* a name that is nothing in UTF-8 came with U+FFFD, and costs the others nothing */
        .on_row = on_event,
        .on_done = on_events,
        .context = reader,
    };
    reader->doing = DURABLE_FAULT_READING;
    send_query(reader, &query);
    free(names);
}

static void read_tick(struct durable_reader *reader)
{
    const struct tick *tick = tick_queue_first(&reader->ticks);
    const struct durable_position *position = hub_durable_position(reader->hub);
    const struct text_list *channels;

    if (tick->base > position->number) {
        /* Ticks in between are not there any more. */
        struct durable_position resumed = tick_position(tick);
        resumed.number = tick->base;
        hub_durable_lost(reader->hub, HISTORY_EXPIRED, &resumed);
    }
    int news = hub_durable_begin(reader->hub, tick->base, tick->count, tick->nonce, tick->channels, &channels);
    if (news < 0) {
        query_queue_reset(reader->queue, "out of memory");
        return;
    }
    /* Too many to be listed: maybe one of them is new. */
    reader->names_changed |= news > 0 || !tick->channels;
    if (reader->read_from < tick->base || reader->read_from >= tick_end(tick))
        reader->read_from = tick->base;
    reader->read_to = tick_end(tick);
    if (channels->count == 0) {
        finish_portion(reader);
        go_on(reader);
        return;
    }
    if (reader->portion > 0 && reader->portion < reader->read_to - reader->read_from)
        reader->read_to = reader->read_from + reader->portion;
    ask_events(reader, channels);
}

/* The beginning: whether we may, which channels there are, and where we are. */

static void on_admission(void *context, enum admission_verdict verdict);

static void check(struct durable_reader *reader)
{
    reader->admission.queue = reader->queue;
    reader->admission.order = reader->options.order;
    reader->admission.on_done = on_admission;
    reader->admission.context = reader;
    reader->busy = true;
    if (durable_admission_begin(&reader->admission) == 0)
        return;
    reader->busy = false;
    query_queue_reset(reader->queue, "out of memory");
}

/* The schema is not there. When triggers that feed the channels are, it has another name, and may have its own again:
 * then no name is forgotten. */
static bool keep_names(const struct durable_reader *reader, struct text_list *hints)
{
    for (size_t i = 0; i < reader->names.count; i++)
        if (text_list_has(hints, reader->names.items[i]))
            return true;
    text_list_done(hints);
    return false;
}

/* The names stay what they are, or become what the catalog says: streams of those channels wait, and what anybody sends
 * them by NOTIFY stays ignored. */
static void stay_off(struct durable_reader *reader)
{
    struct durable_admission *admission = &reader->admission;

    if (admission->fault == DURABLE_FAULT_ABSENT && keep_names(reader, &admission->names))
        admission->fault = DURABLE_FAULT_SCHEMA;
    else if (admission->names_known) {
        text_list_done(&reader->names);
        reader->names = admission->names;
        admission->names = (struct text_list){0};
    }
    durable_health_refused(&reader->health, admission->fault, admission->why);
    set_mode(reader, MODE_OFF);
    if (hub_durable_channels(reader->hub, reader->names.items, reader->names.count) < 0)
        query_queue_reset(reader->queue, "out of memory");
    else
        loop_timer_set(&reader->timer, RETRY_MS, 0);
}

static void on_name(void *context, const PGresult *row, int number)
{
    struct durable_reader *reader = context;

    (void)number;
    if (text_list_add(&reader->new_names, PQgetvalue(row, 0, 0)) < 0)
        reader->names_cut = true;
}

static void on_names(void *context, const char *sqlstate, const char *message)
{
    struct durable_reader *reader = context;

    if (failed(reader, sqlstate, message))
        return;
    /* They have changed since, and may lack one whose stream waits. Anybody can say so: not for ever. */
    if (reader->names_changed && !reader->names_cut && reader->names_passed++ < NAMES_PASSED_MAX) {
        go_on(reader);
        return;
    }
    reader->names_passed = 0;
    if (reader->names_cut || hub_durable_channels(reader->hub, reader->new_names.items, reader->new_names.count) < 0) {
        query_queue_reset(reader->queue, "out of memory");
        return;
    }
    text_list_done(&reader->names);
    reader->names = reader->new_names;
    reader->new_names = (struct text_list){0};
    go_on(reader);
}

static void ask_names(struct durable_reader *reader)
{
    text_list_done(&reader->new_names);
    reader->names_changed = reader->names_cut = false;
    reader->names_asked_ms = loop_turn_ms(reader->loop);
    reader->doing = DURABLE_FAULT_READING;
    ask(reader, "SELECT tuplecast.durable_channels()", NULL, 0, on_name, on_names);
}

static void on_refreshed(void *context, const char *sqlstate, const char *message)
{
    struct durable_reader *reader = context;

    if (!failed(reader, sqlstate, message))
        go_on(reader);
}

/* Writers of an altered table pay for it until the functions of its triggers are written anew. */
static void refresh_function(struct durable_reader *reader)
{
    const char *const parameters[] = {reader->stale_function};

    reader->stale_ms = loop_turn_ms(reader->loop);
    reader->doing = DURABLE_FAULT_READING;
    ask(reader, "SELECT tuplecast.refresh_function($1)", parameters, 1, NULL, on_refreshed);
    reader->stale_function[0] = '\0';
}

static void on_last_row(void *context, const PGresult *row, int number)
{
    struct durable_reader *reader = context;

    (void)number;
    reader->last = number_at(row, 0);
    reader->found.number = (uint64_t)number_at(row, 1);
    snprintf(reader->found.nonce, NONCE_BYTES + 1, "%s", PQgetvalue(row, 0, 2));
}

static void on_last(void *context, const char *sqlstate, const char *message)
{
    struct durable_reader *reader = context;

    if (failed(reader, sqlstate, message))
        return;
    if (reader->ever_up) {
        enum history_verdict why = strcmp(reader->verdict, "expired") == 0 ? HISTORY_EXPIRED : HISTORY_REWOUND;
        log_warn("durable events are missing", log_text("reason", reader->verdict));
        hub_durable_lost(reader->hub, why, &reader->found);
    }
    reader->ever_up = reader->position_checked = true;
    hub_durable_up(reader->hub, &reader->found);
    ask_names(reader);
}

static void on_verdict_row(void *context, const PGresult *row, int number)
{
    struct durable_reader *reader = context;

    (void)number;
    snprintf(reader->verdict, sizeof(reader->verdict), "%s", PQgetvalue(row, 0, 0));
}

/* After a reconnect: is the place where we were still there? */
static void on_verdict(void *context, const char *sqlstate, const char *message)
{
    struct durable_reader *reader = context;

    if (failed(reader, sqlstate, message))
        return;
    if (strcmp(reader->verdict, "ok") != 0) {
        ask(reader, "SELECT * FROM tuplecast.last_tick()", NULL, 0, on_last_row, on_last);
        return;
    }
    reader->position_checked = true;
    hub_durable_up(reader->hub, hub_durable_position(reader->hub));
    ask_names(reader);
}

static void check_position(struct durable_reader *reader)
{
    const struct durable_position *position = hub_durable_position(reader->hub);
    char number[NUMBER_BYTES];
    const char *const parameters[] = {number, position->nonce};

    reader->doing = DURABLE_FAULT_READING;
    if (!reader->ever_up) {
        ask(reader, "SELECT * FROM tuplecast.last_tick()", NULL, 0, on_last_row, on_last);
        return;
    }
    snprintf(number, sizeof(number), "%" PRIu64, position->number);
    ask(reader, "SELECT kind FROM tuplecast.find_place($1, $2)", parameters, 2, on_verdict_row, on_verdict);
}

static void on_admission(void *context, enum admission_verdict verdict)
{
    struct durable_reader *reader = context;

    reader->busy = false;
    if (verdict == REFUSED)
        stay_off(reader);
    if (verdict != ADMITTED)
        return;
    step_down(reader);
    reader->lease = 0;
    reader->lead_is_gone = false;
    check_position(reader);
}

/* Sleeps for so long at most. */
static void wait_for(struct durable_reader *reader, int64_t wait_ms)
{
    int64_t names_ms = reader->names_asked_ms + NAMES_MS - loop_turn_ms(reader->loop);

    if (reader->names_changed && names_ms < wait_ms)
        wait_ms = names_ms;
    loop_timer_set(&reader->timer, wait_ms, 0);
}

static void on_tick_row(void *context, const PGresult *row, int number)
{
    struct durable_reader *reader = context;

    (void)number;
    tick_queue_add(&reader->ticks, row, 0);
    reader->is_held |= PQgetvalue(row, 0, 5)[0] == 't';
    reader->oldest_xid = number_at(row, 6);
    reader->is_lead = PQgetvalue(row, 0, 7)[0] == 't';
}

static void on_tick(void *context, const char *sqlstate, const char *message)
{
    struct durable_reader *reader = context;
    bool is_taken = sqlstate && strcmp(sqlstate, "23505") == 0; /* the tick's number, by another lead */

    if (!is_taken && failed(reader, sqlstate, message))
        return;
    reader->busy = false;
    looked(reader);
    bool any = !tick_queue_is_empty(&reader->ticks);
    reader->quiet_ticks = any || reader->is_held ? 0 : reader->quiet_ticks + 1;
    if (any)
        reader->alarms = 0;
    if (is_taken || !reader->is_lead)
        step_down(reader);
    else if (reader->mode > MODE_LEAD && reader->quiet_ticks == 0)
        reader->woken = true;
    else if (reader->mode == MODE_DROWSY && reader->asleep_xid > 0 && reader->oldest_xid >= reader->asleep_xid)
        set_mode(reader, MODE_ASLEEP);
    go_on(reader);
}

/* wake: writers are told first that we are awake. */
static void make_tick(struct durable_reader *reader, bool wake)
{
    int64_t now_ms = loop_turn_ms(reader->loop);
    char last[NUMBER_BYTES];
    const char *const parameters[] = {last, reader->options.order};
    bool sign = !wake && now_ms - reader->life_ms >= POLL_MS; /* if not now, then with the next one */

    snprintf(last, sizeof(last), "%" PRId64, reader->last);
    reader->polled_ms = now_ms;
    if (sign)
        reader->life_ms = now_ms;
    reader->is_held = false;
    reader->doing = DURABLE_FAULT_TICKS;
    ask(reader,
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
    reader->asleep_xid = number_at(row, 0);
}

static void on_asleep(void *context, const char *sqlstate, const char *message)
{
    struct durable_reader *reader = context;

    if (failed(reader, sqlstate, message))
        return;
    set_mode(reader, MODE_DROWSY);
    reader->quiet_ticks = 0;
    reader->pause_ms = reader->options.tick_ms;
    /* Somebody may have written between the last tick and falling asleep. */
    make_tick(reader, false);
}

static int64_t lead_period_ms(const struct durable_reader *reader)
{
    return reader->mode == MODE_LEAD     ? reader->options.tick_ms
           : reader->mode == MODE_DROWSY ? reader->pause_ms
                                         : POLL_MS;
}

static void lead(struct durable_reader *reader)
{
    int64_t waited_ms = loop_turn_ms(reader->loop) - reader->polled_ms, period_ms = lead_period_ms(reader);

    if (reader->mode > MODE_LEAD && reader->woken) {
        set_mode(reader, MODE_LEAD);
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
        reader->doing = DURABLE_FAULT_TICKS;
        ask(reader, "SELECT tuplecast.fall_asleep()", NULL, 0, on_asleep_row, on_asleep);
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
    set_mode(reader, MODE_LEAD);
    reader->quiet_ticks = reader->alarms = 0;
    reader->woken = false;
    reader->hinted = true; /* the lead before may have made a tick that we did not see */
}

static void on_claim(void *context, const char *sqlstate, const char *message)
{
    struct durable_reader *reader = context;

    if (failed(reader, sqlstate, message))
        return;
    reader->life_ms = loop_turn_ms(reader->loop);
    reader->lead_is_gone = false;
    go_on(reader);
}

static void claim(struct durable_reader *reader, const char *sql)
{
    char lease[NUMBER_BYTES];
    const char *const parameters[] = {lease};

    snprintf(lease, sizeof(lease), "%" PRId64, reader->lease);
    reader->doing = DURABLE_FAULT_TICKS;
    ask(reader, sql, parameters, 1, on_claim_row, on_claim);
}

static void on_poll_row(void *context, const PGresult *row, int number)
{
    struct durable_reader *reader = context;
    int64_t lease = number_at(row, 0);

    (void)number;
    tick_queue_add(&reader->ticks, row, 2);
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

    if (failed(reader, sqlstate, message))
        return;
    /* To find no ticks says nothing when nobody makes any, and a lead has to make them itself. */
    if (reader->mode == MODE_FOLLOWER && !reader->lead_is_gone)
        looked(reader);
    go_on(reader);
}

static void poll_ticks(struct durable_reader *reader)
{
    char last[NUMBER_BYTES];
    const char *const parameters[] = {last};

    snprintf(last, sizeof(last), "%" PRId64, reader->last);
    reader->hinted = reader->rumoured = false;
    reader->polled_ms = loop_turn_ms(reader->loop);
    reader->doing = DURABLE_FAULT_TICKS;
    ask(reader,
        reader->mode == MODE_FOLLOWER ? "SELECT l.lease, l.is_gone, t.* FROM tuplecast.find_lead() l LEFT JOIN "
                                        "tuplecast.ticks_after($1) t ON true"
                                      : "SELECT 0, false, t.* FROM tuplecast.ticks_after($1) t",
        parameters, 1, on_poll_row, on_poll);
}

static void follow(struct durable_reader *reader)
{
    int64_t now_ms = loop_turn_ms(reader->loop), stale_ms = reader->life_ms + STALE_MS - now_ms;
    int64_t wait_ms = reader->polled_ms + (reader->rumoured ? RUMOUR_MS : POLL_MS) - now_ms;

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

static void go_on(struct durable_reader *reader)
{
    if (reader->busy || reader->stopping || reader->mode == MODE_OFF || !reader->position_checked)
        return;
    if (!tick_queue_is_empty(&reader->ticks))
        read_tick(reader);
    else if (reader->names_changed && loop_turn_ms(reader->loop) - reader->names_asked_ms >= NAMES_MS)
        ask_names(reader);
    else if (reader->mode != MODE_FOLLOWER && reader->hinted)
        poll_ticks(reader);
    else if (reader->mode == MODE_FOLLOWER)
        follow(reader);
    else if (reader->stale_function[0] && loop_turn_ms(reader->loop) - reader->stale_ms >= STALE_FUNCTION_MS)
        refresh_function(reader);
    else
        lead(reader);
}

static void on_timer(struct loop_timer *timer)
{
    struct durable_reader *reader = (struct durable_reader *)((char *)timer - offsetof(struct durable_reader, timer));

    if (reader->mode == MODE_OFF && !reader->busy)
        check(reader);
    else
        go_on(reader);
}

static void on_up(void *context)
{
    struct durable_reader *reader = context;

    reader->position_checked = false;
    durable_health_connected(&reader->health);
    history_reader_begin_with(reader->history, query_queue_host(reader->queue));
    retention_begin_with(reader->retention, query_queue_host(reader->queue));
    check(reader);
}

static void on_down(void *context, const char *reason)
{
    struct durable_reader *reader = context;

    (void)reason;
    durable_health_fails(&reader->health, DURABLE_FAULT_CONNECTION);
    tick_queue_clear(&reader->ticks);
    reader->read_from = reader->portion = 0;
    reader->without_rows = false;
    reader->busy = reader->position_checked = false;
    set_mode(reader, MODE_OFF);
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
    } else if (strncmp(payload, "stale ", 6) == 0 && strlen(payload + 6) < FUNCTION_BYTES) {
        if (!reader->stale_function[0])
            strcpy(reader->stale_function, payload + 6); /* others are named again by the next who writes */
    } else if (strcmp(payload, "triggers") == 0) {
        reader->names_changed = true;
        if (reader->mode == MODE_OFF && !reader->busy)
            check(reader); /* `tuplecast setup` was run meanwhile */
        if (reader->mode != MODE_OFF || reader->busy)
            hub_durable_channels_changed(reader->hub);
    }
    go_on(reader);
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
                                              .session = "ticks",
                                              .deadline_ms = DEADLINE_MS,
                                              .on_up = on_up,
                                              .on_down = on_down,
                                              .context = reader};
    if (durable_health_init(&reader->health, loop, hub, &reader->stats) == 0) {
        reader->queue = query_queue_new(loop, &queue);
        reader->history = history_reader_new(loop, options, &reader->health);
        reader->retention = retention_new(loop, options, &reader->health);
    }
    if (!reader->queue || !reader->history || !reader->retention ||
        loop_timer_init(&reader->timer, loop, on_timer) < 0) {
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
    retention_free(reader->retention);
    history_reader_free(reader->history);
    query_queue_free(reader->queue);
    loop_timer_done(&reader->timer);
    durable_health_done(&reader->health);
    durable_admission_done(&reader->admission);
    tick_queue_clear(&reader->ticks);
    text_list_done(&reader->names);
    text_list_done(&reader->new_names);
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
    retention_reconfigure(reader->retention, options);
}

void durable_reader_database_lost(struct durable_reader *reader, const char *reason)
{
    retention_reset(reader->retention, reason);
    history_reader_reset(reader->history, reason);
    query_queue_reset_soon(reader->queue, reason);
}

void durable_reader_want_history(struct durable_reader *reader, struct history_page *page,
                                 const struct history_request *request)
{
    history_reader_want(reader->history, page, request);
}

void durable_reader_want_places(struct durable_reader *reader, struct history_places *places)
{
    history_reader_judge(reader->history, places);
}

const struct durable_stats *durable_reader_stats(struct durable_reader *reader)
{
    reader->stats.lag_ms = loop_turn_ms(reader->loop) - reader->health.works_ms;
    return &reader->stats;
}
