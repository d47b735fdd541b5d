/* Reading several channels' memories as one sequence, in the order of the hub's numbers. */
#pragma once

#include "stream/channel.h"

enum replay_step { REPLAY_END, REPLAY_EVENT, REPLAY_GAP };

struct replay {
    struct event *event; /* the first one remembered above the number asked for; NULL: none. Lent */
    uint64_t gap_end;    /* REPLAY_GAP: up to here something may be missing */
};

/* What comes after number on the given channels. REPLAY_GAP: a channel knows nothing of a part above both number and
 * gap_known, up to ret->gap_end; other channels may remember events before that. REPLAY_END: nothing further is
 * remembered. */
enum replay_step replay_next(struct channel *const *channels, size_t channel_count, uint64_t number, uint64_t gap_known,
                             struct replay *ret_replay);
