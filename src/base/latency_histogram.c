#include "base/latency_histogram.h"

#include <stddef.h>

void latency_observe(struct latency_histogram *histogram, int64_t latency_us, uint64_t times)
{
    static const int64_t bounds_us[] = LATENCY_BOUNDS_US;
    size_t bucket = 0;

    _Static_assert(sizeof(bounds_us) / sizeof(*bounds_us) == LATENCY_BUCKETS - 1, "one bucket has no bound");
    while (bucket < LATENCY_BUCKETS - 1 && latency_us > bounds_us[bucket])
        bucket++;
    histogram->buckets[bucket] += times;
    histogram->count += times;
    histogram->sum_us += (uint64_t)(latency_us > 0 ? latency_us : 0) * times;
}
