/* The one loop of the program: descriptors (epoll), timers (timerfd), signals (signalfd) and tasks.
 *
 * A turn: wait for descriptors, call on_io for those that are ready, then run the tasks that were queued
 * before the turn's tasks began. While a task is queued the loop does not wait. Everything may be added,
 * changed and removed from within any callback; after a removal no further callback of that source comes, not
 * even one that was already waiting in the same turn, so its memory may be freed at once.
 *
 * All structs belong to the caller and must stay in place while they are added. Not thread-safe. */
#pragma once

#include "base/latency_histogram.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;

struct loop *loop_new(void); /* NULL with errno set */
void loop_free(struct loop *loop);

/* Runs turns until loop_stop. Returns 0 or a negative errno when waiting itself fails. */
int loop_run(struct loop *loop);
/* Ends loop_run after the callback that is running; what else was ready in this turn is not called any more. */
void loop_stop(struct loop *loop);

/* Milliseconds of CLOCK_MONOTONIC as of the start of this turn; and right now. */
int64_t loop_turn_ms(const struct loop *loop);
int64_t loop_clock_ms(void);
int64_t loop_clock_us(void);
int64_t loop_wall_ms(void); /* since 1970 */

/* Says what is being done now, for the log, should the turn take long (turn_clock.h). what is static text; it holds
 * until the callback returns. */
void loop_doing(struct loop *loop, const char *what);

struct loop_stats {
    struct latency_histogram turns; /* from the return of epoll_wait() to the next call */
    uint64_t long_turns;            /* that needed more than LOOP_TURN_MS_MAX of the processor */
};
const struct loop_stats *loop_stats(const struct loop *loop);

struct loop_io {
    int fd; /* not owned */
    /* events: EPOLLIN and so on, see epoll_ctl(2). */
    void (*on_io)(struct loop_io *io, uint32_t events);
};

/* io->fd and io->on_io are set by the caller. Returns 0 or a negative errno (-ENOMEM, -ENOSPC). */
int loop_io_add(struct loop *loop, struct loop_io *io, uint32_t events);
int loop_io_change(struct loop *loop, struct loop_io *io, uint32_t events);
/* Must be called before fd is closed. Fine on an io that was never added: fd is then negative. */
void loop_io_remove(struct loop *loop, struct loop_io *io);

struct loop_timer {
    struct loop_io io;
    struct loop *loop;
    void (*on_timer)(struct loop_timer *timer);
};

/* Returns 0 or a negative errno. A timer is born disarmed. */
int loop_timer_init(struct loop_timer *timer, struct loop *loop, void (*on_timer)(struct loop_timer *timer));
void loop_timer_done(struct loop_timer *timer); /* also fine on a zeroed one */
/* Fires once after delay_ms (at least 1), then every interval_ms; 0: once only. Replaces what was set before.
 */
void loop_timer_set(struct loop_timer *timer, int64_t delay_ms, int64_t interval_ms);
void loop_timer_stop(struct loop_timer *timer);

struct loop_task {
    void (*on_task)(struct loop_task *task);
    struct loop_task *next; /* the rest is the loop's */
    uint64_t turn;
    bool queued;
};

/* Runs once; queueing a queued task does nothing. A task that queues itself runs again in the next turn. */
void loop_task_queue(struct loop *loop, struct loop_task *task);
void loop_task_cancel(struct loop *loop, struct loop_task *task);

struct loop_signals {
    struct loop_io io;
    struct loop *loop;
    void (*on_signal)(struct loop_signals *signals, int signal_number);
};

/* Blocks the signals of set for the process and delivers them here. Returns 0 or a negative errno. */
int loop_signals_init(struct loop_signals *signals, struct loop *loop, const sigset_t *set,
                      void (*on_signal)(struct loop_signals *signals, int signal_number));
void loop_signals_done(struct loop_signals *signals);
