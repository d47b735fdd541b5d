/* Reading several channels' memories as one sequence, in the order of the hub's numbers. */
#pragma once

#include "stream/channel.h"

enum replay_step { REPLAY_END, REPLAY_EVENT, REPLAY_GAP };

/* What comes after number on the given channels. REPLAY_EVENT lends the event; REPLAY_GAP: up to *ret_number
 * something may be missing, go on from there; REPLAY_END: nothing further is remembered. *ret_number is the
 * event's or the gap's. */
enum replay_step replay_next(struct channel *const *channels, size_t channel_count, uint64_t number,
                             struct event **ret_event, uint64_t *ret_number);
