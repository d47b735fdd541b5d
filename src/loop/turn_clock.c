#include "loop/turn_clock.h"

#include "base/limits.h"
#include "base/log.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t turn_clock_begin(struct turn_clock *clock)
{
    clock->began_ns = clock->step_ns = read_clock(CLOCK_MONOTONIC);
    clock->began_processor_ns = read_clock(CLOCK_THREAD_CPUTIME_ID);
    clock->doing = clock->longest = NULL;
    clock->longest_ns = 0;
    return clock->began_ns;
}

void turn_clock_step(struct turn_clock *clock)
{
    int64_t now_ns = read_clock(CLOCK_MONOTONIC);

    if (now_ns - clock->step_ns > clock->longest_ns) {
        clock->longest_ns = now_ns - clock->step_ns;
        clock->longest = clock->doing;
    }
    clock->step_ns = now_ns;
    clock->doing = NULL;
}

static void count(struct loop_stats *stats, int64_t turn_us)
{
    static const int64_t bounds_us[] = LOOP_TURN_BOUNDS_US;
    size_t bucket = 0;

    while (bucket < LOOP_TURN_BUCKETS - 1 && turn_us > bounds_us[bucket])
        bucket++;
    stats->turns[bucket]++;
    stats->turn_count++;
    stats->turn_sum_us += (uint64_t)turn_us;
}

void turn_clock_end(struct turn_clock *clock)
{
    int64_t turn_us = (read_clock(CLOCK_MONOTONIC) - clock->began_ns) / 1000;

    count(&clock->stats, turn_us);
    if (turn_us <= LOOP_TURN_MS_MAX * 1000)
        return;
    int64_t processor_ms = (read_clock(CLOCK_THREAD_CPUTIME_ID) - clock->began_processor_ns) / 1000000;
    if (processor_ms <= LOOP_TURN_MS_MAX && turn_us <= LOOP_STALL_MS_MAX * 1000)
        return;
    clock->stats.long_turns += processor_ms > LOOP_TURN_MS_MAX;
    log_warn("a turn of the loop took long", log_number("ms", turn_us / 1000), log_number("processor_ms", processor_ms),
             log_text("longest", clock->longest ? clock->longest : "unnamed"),
             log_number("longest_ms", clock->longest_ns / 1000000));
}
