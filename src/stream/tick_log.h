/* The newest ticks that were published here: which durable numbers they gave, and under which nonce. Tells without the
 * database whether a client's place exists. */
#pragma once

#include "stream/cursor.h"

#include <stdbool.h>
#include <stddef.h>

enum { TICK_LOG_SIZE = 1024 };

struct tick_entry {
    uint64_t base, end; /* numbers base + 1 to end */
    char nonce[NONCE_BYTES + 2];
};

struct tick_log {
    struct tick_entry entries[TICK_LOG_SIZE]; /* a ring, numbers rising */
    size_t first, count;
};

void tick_log_clear(struct tick_log *log);
/* Forgets the oldest one when it is full. A tick that is there already, or gave no number, is left out. */
void tick_log_add(struct tick_log *log, uint64_t base, uint64_t end, const char *nonce);
bool tick_log_knows(const struct tick_log *log, const struct durable_position *position);
