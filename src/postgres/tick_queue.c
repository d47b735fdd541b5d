#include "postgres/tick_queue.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t number_at(const PGresult *row, int column)
{
    return strtoull(PQgetvalue(row, 0, column), NULL, 10);
}

void tick_queue_add(struct tick_queue *queue, const PGresult *row, int column)
{
    struct tick *tick;

    if (PQgetisnull(row, 0, column))
        return;
    if (tick_queue_is_empty(queue))
        queue->first = queue->count = 0;
    if (queue->count == TICKS_MAX)
        return;
    tick = &queue->ticks[queue->count++];
    tick->number = (int64_t)number_at(row, column);
    tick->base = number_at(row, column + 1);
    tick->count = number_at(row, column + 2);
    snprintf(tick->nonce, NONCE_BYTES + 1, "%s", PQgetvalue(row, 0, column + 3));
    /* Without memory for it, all channels are asked for. */
    tick->channels = PQgetisnull(row, 0, column + 4) ? NULL : strdup(PQgetvalue(row, 0, column + 4));
}

bool tick_queue_is_empty(const struct tick_queue *queue)
{
    return queue->first == queue->count;
}

const struct tick *tick_queue_first(const struct tick_queue *queue)
{
    assert(!tick_queue_is_empty(queue));
    return &queue->ticks[queue->first];
}

void tick_queue_drop_first(struct tick_queue *queue)
{
    assert(!tick_queue_is_empty(queue));
    free(queue->ticks[queue->first++].channels);
}

void tick_queue_clear(struct tick_queue *queue)
{
    while (!tick_queue_is_empty(queue))
        tick_queue_drop_first(queue);
    queue->first = queue->count = 0;
}

uint64_t tick_end(const struct tick *tick)
{
    return tick->base + tick->count;
}

struct durable_position tick_position(const struct tick *tick)
{
    struct durable_position position = {.number = tick_end(tick)};

    memcpy(position.nonce, tick->nonce, sizeof(position.nonce));
    return position;
}
