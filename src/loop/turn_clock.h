/* How long the turns of the loop take, and what in them takes long. Part of the loop.
 *
 * A turn is from the return of epoll_wait() to the next call. Whatever happens in it, nobody else is served meanwhile:
 * so no turn may need more than LOOP_TURN_MS_MAX of the processor, and one that does is a fault of ours, which is
 * logged with the name of the callback that took longest. Time that passes while somebody else has the processor is
 * none of our doing, and is counted, but not logged before it is LOOP_STALL_MS_MAX. */
#pragma once

#include "loop/loop.h"

struct turn_clock {
    struct loop_stats stats;
    int64_t began_ns, began_processor_ns;
    int64_t step_ns;     /* when the callback that runs was called */
    const char *doing;   /* what it said that it does; static; NULL: nothing */
    const char *longest; /* of the turn: what took longest_ns */
    int64_t longest_ns;
};

/* Returns the time, in nanoseconds of CLOCK_MONOTONIC. */
int64_t turn_clock_begin(struct turn_clock *clock);
/* A callback has returned. */
void turn_clock_step(struct turn_clock *clock);
void turn_clock_end(struct turn_clock *clock);
