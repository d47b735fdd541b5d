/* The memory of all channels together, kept within what the operator allows. */
#pragma once

#include "stream/registry.h"

/* Keeps event on channel, and forgets the channel's oldest ones where there are too many. Without memory for it, all of
 * the channel is forgotten, so that a gap is announced and not silently made. */
void memory_keep(struct registry *registry, struct channel *channel, struct event *event);

/* Nothing is known any more of what was numbered up to number: who needs that is told of a gap. */
void memory_forget_up_to(struct registry *registry, struct channel *channel, uint64_t number);

/* Brings what is remembered and what waits in feeds, all together, within options.memory_bytes; feeds keep to half of
 * it. To be called when an event has been kept and passed on. */
void memory_bound(struct registry *registry);
