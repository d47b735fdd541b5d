#include "stream/tick_log.h"

#include <stdio.h>
#include <string.h>

void tick_log_clear(struct tick_log *log)
{
    log->first = log->count = 0;
}

static const struct tick_entry *entry_at(const struct tick_log *log, size_t index)
{
    return &log->entries[(log->first + index) % TICK_LOG_SIZE];
}

void tick_log_add(struct tick_log *log, uint64_t base, uint64_t end, const char *nonce)
{
    struct tick_entry *entry;

    if (log->count > 0 && entry_at(log, log->count - 1)->end >= end)
        return;
    if (log->count == TICK_LOG_SIZE) {
        log->first = (log->first + 1) % TICK_LOG_SIZE;
        log->count--;
    }
    entry = &log->entries[(log->first + log->count++) % TICK_LOG_SIZE];
    entry->base = base;
    entry->end = end;
    snprintf(entry->nonce, sizeof(entry->nonce), "%s", nonce);
}

bool tick_log_knows(const struct tick_log *log, const struct durable_position *position)
{
    size_t low = 0, high = log->count; /* the first entry that ends at the number or above */

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entry_at(log, middle)->end >= position->number)
            high = middle;
        else
            low = middle + 1;
    }
    if (low == log->count)
        return false;
    const struct tick_entry *entry = entry_at(log, low);
    return (entry->base < position->number || entry->end == position->number) &&
           strcmp(entry->nonce, position->nonce) == 0;
}
