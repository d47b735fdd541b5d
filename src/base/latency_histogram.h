/* How long something took, counted in buckets: for /metrics. */
#pragma once

#include <stdint.h>

/* Upper bounds in microseconds of the buckets; the last bucket has none. */
#define LATENCY_BOUNDS_US                                                                                              \
    {                                                                                                                  \
        250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 10000000            \
    }
enum { LATENCY_BUCKETS = 15 };

struct latency_histogram {
    uint64_t buckets[LATENCY_BUCKETS]; /* each value is in one bucket only */
    uint64_t count;
    uint64_t sum_us;
};

void latency_observe(struct latency_histogram *histogram, int64_t latency_us, uint64_t times);
