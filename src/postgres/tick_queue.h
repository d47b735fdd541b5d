/* Ticks that are to be read, in their order. Always: first <= count <= TICKS_MAX; between them are those that wait. */
#pragma once

#include "stream/cursor.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TICKS_MAX = 1000 };

struct tick {
    int64_t number;
    uint64_t base, count; /* its events are base + 1 to base + count */
    char nonce[NONCE_BYTES + 2];
    char *channels; /* names with line feeds between, owned; NULL: not known */
};

struct tick_queue {
    struct tick ticks[TICKS_MAX];
    size_t first, count;
};

/* A row with number, base, count, nonce, channels from that column on; a null number: none. More than TICKS_MAX are not
 * taken: they are asked for again when these are read. */
void tick_queue_add(struct tick_queue *queue, const PGresult *row, int column);
bool tick_queue_is_empty(const struct tick_queue *queue);
const struct tick *tick_queue_first(const struct tick_queue *queue); /* lent; there must be one */
void tick_queue_drop_first(struct tick_queue *queue);
void tick_queue_clear(struct tick_queue *queue); /* also instead of a `done` */

uint64_t tick_end(const struct tick *tick);
/* The position behind all of it. */
struct durable_position tick_position(const struct tick *tick);
