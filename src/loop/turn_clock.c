#include "loop/turn_clock.h"

#include "base/limits.h"
#include "base/log.h"

#include <time.h>

enum { PROCESSOR_READ_US = 5000 };

static int64_t processor_clock_us(void)
{
    struct timespec used;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

int64_t turn_clock_begin(struct turn_clock *clock)
{
    clock->began_us = clock->step_us = loop_clock_us();
    if (clock->began_us - clock->processor_read_us >= PROCESSOR_READ_US) {
        clock->processor_us = processor_clock_us();
        clock->processor_read_us = clock->began_us;
    }
    clock->doing = clock->longest = NULL;
    clock->longest_us = 0;
    return clock->began_us;
}

void turn_clock_step(struct turn_clock *clock)
{
    int64_t now_us = loop_clock_us();

    if (now_us - clock->step_us > clock->longest_us) {
        clock->longest_us = now_us - clock->step_us;
        clock->longest = clock->doing;
    }
    clock->step_us = now_us;
    clock->doing = NULL;
}

void turn_clock_end(struct turn_clock *clock)
{
    int64_t turn_us = loop_clock_us() - clock->began_us;

    latency_observe(&clock->stats.turns, turn_us, 1);
    if (turn_us <= LOOP_TURN_MS_MAX * 1000)
        return;
    int64_t before_us = clock->began_us - clock->processor_read_us;
    int64_t processor_us = processor_clock_us() - clock->processor_us - before_us;
    bool is_ours = processor_us > LOOP_TURN_MS_MAX * 1000;
    if (!is_ours && turn_us <= LOOP_STALL_MS_MAX * 1000)
        return;
    clock->stats.long_turns += is_ours;
    log_warn("a turn of the loop took long", log_number("ms", turn_us / 1000),
             log_number("processor_ms", processor_us > 0 ? processor_us / 1000 : 0),
             log_text("longest", clock->longest ? clock->longest : "unnamed"),
             log_number("longest_ms", clock->longest_us / 1000));
}
