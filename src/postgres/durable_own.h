/* The durable reader itself, for its parts: durable_begin.c finds out where it stands, durable_ticks.c reads ticks,
 * durable_reader.c makes and follows them. */
#pragma once

#include "postgres/durable_reader.h"
#include "postgres/history_reader.h"
#include "postgres/query_queue.h"
#include "postgres/schema_state.h"

enum { DURABLE_POLL_MS = 1100, DURABLE_TICKS_MAX = 1000, DURABLE_NUMBER_BYTES = 24 };

enum mode { MODE_OFF, MODE_FOLLOWER, MODE_LEAD, MODE_ASLEEP };

struct tick {
    int64_t number;
    uint64_t base, count;
    char nonce[NONCE_BYTES + 2];
    char *channels; /* names with line feeds between, owned; NULL: not known */
};

struct durable_reader {
    struct loop *loop;
    struct hub *hub;
    struct durable_reader_options options;
    struct query_queue *queue;
    struct history_reader *history;
    struct loop_timer timer;

    enum mode mode;
    bool ever_up; /* the hub has a position */
    bool busy;    /* a query is on its way: its answer goes on */
    bool stopping;
    bool names_changed;    /* triggers were put or dropped */
    bool names_cut;        /* of those being collected some are missing */
    bool woken, hinted;    /* by a writer; by the lead's tick */
    bool is_held;          /* there are changes that cannot be told yet */
    bool position_checked; /* since the connection is up */
    int64_t last;          /* the last tick that was read completely */
    int quiet_ticks;
    int64_t polled_ms, life_ms; /* the last poll; the last sign of life of the lead */
    int lead_session;           /* that holds the lead's lock; 0: not known */
    int claimant;               /* another one gave a sign of life: is it the lead now? 0: none */

    struct tick ticks[DURABLE_TICKS_MAX]; /* to be read */
    size_t tick_count, tick_first;
    struct text_list names;        /* being collected */
    struct durable_position found; /* being collected */
    char verdict[16];
    char refusal[256]; /* being collected */
    struct schema_state schema;
    char schema_said[1024]; /* is in the log already */
    struct durable_stats stats;
};

/* Sends a query; its answer must call durable_failed first. Parameters are copied. Without memory the connection is
 * made anew, and everything looked at again. */
void durable_send(struct durable_reader *reader, const struct query *query);
void durable_ask(struct durable_reader *reader, const char *sql, const char *const *parameters, int count,
                 void (*on_row)(void *context, const PGresult *row, int number),
                 void (*on_done)(void *context, const char *sqlstate, const char *message));

/* At the end of a query: whether it went wrong, and nothing else is to be done; the connection is then made anew, and
 * everything looked at again. */
bool durable_failed(struct durable_reader *reader, const char *sqlstate, const char *message);

/* What is to be done next, if nothing is on its way. */
void durable_go_on(struct durable_reader *reader);

void durable_set_mode(struct durable_reader *reader, enum mode mode);

int64_t durable_number(const PGresult *row, int column);
void durable_copy_nonce(char nonce[NONCE_BYTES + 2], const char *text);

/* Whether we may, which channels there are, and where we are: then durable_go_on. */
void durable_check(struct durable_reader *reader);
void durable_ask_names(struct durable_reader *reader);

/* A row of a tick, from that column on: number, base, count, nonce, channels; null: none. */
void durable_add_tick(struct durable_reader *reader, const PGresult *row, int column);
void durable_drop_ticks(struct durable_reader *reader); /* all that were added */
/* Reads the first of those that were added. */
void durable_read_tick(struct durable_reader *reader);
