/* How long the turns of the loop take, and what in them takes long. Part of the loop.
 *
 * A turn is from the return of epoll_wait() to the next call. Whatever happens in it, nobody else is served meanwhile:
 * so no turn may need more than LOOP_TURN_MS_MAX of the processor, and one that does is a fault of ours, which is
 * logged with the name of the callback that took longest. Time during which others have the processor is counted as
 * well, but it is none of our doing, and is not logged before it comes to LOOP_STALL_MS_MAX.
 *
 * The processor's clock is a system call, so it is not read in each turn: what an earlier turn may have used since it
 * was read is taken off, and a turn is never said to have used more than it has. */
#pragma once

#include "loop/loop.h"

struct turn_clock {
    struct loop_stats stats;
    int64_t began_us;
    int64_t step_us;                         /* when the callback that runs was called */
    int64_t processor_us, processor_read_us; /* how much we had used of the processor, and when that was read */
    const char *doing;                       /* what the callback said that it does; static; NULL: nothing */
    const char *longest;                     /* of the turn: what took longest_us */
    int64_t longest_us;
};

/* Returns the time, as loop_clock_us() does. */
int64_t turn_clock_begin(struct turn_clock *clock);
/* A callback has returned. */
void turn_clock_step(struct turn_clock *clock);
void turn_clock_end(struct turn_clock *clock);
