/* The memory of all channels together, kept within what the operator allows. */
#pragma once

#include "stream/registry.h"

/* Keeps event on channel and forgets the oldest ones where there is too much. Without memory for it, all of
 * the channel is forgotten, so that a gap is announced and not silently made. */
void memory_keep(struct registry *registry, struct channel *channel, struct event *event);

/* Nothing is known any more of what was numbered up to number: who needs that is told of a gap. */
void memory_forget_up_to(struct registry *registry, struct channel *channel, uint64_t number);
