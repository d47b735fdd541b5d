/* Reading several channels' memories as one sequence, in the order of the hub's numbers. */
#pragma once

#include "stream/channel.h"
#include "stream/cursor.h"

enum replay_step {
    REPLAY_END,
    REPLAY_EVENT,
    REPLAY_GAP,     /* a live channel has forgotten something: nobody knows it any more */
    REPLAY_HISTORY, /* a durable channel has forgotten something: the database has it */
};

struct replay {
    struct event *event; /* the first one remembered behind the place asked for; NULL: none. Lent */
    uint64_t live_next;  /* the number of the first one on a live channel; 0: none */
    uint64_t gap_end;    /* REPLAY_GAP: up to here something may be missing */
};

/* What comes next on the given channels, behind number on live ones and behind durable_number on durable ones.
 * REPLAY_GAP: a channel knows nothing of a part above both number and gap_known, up to ret->gap_end; other channels may
 * remember events before that. REPLAY_END: nothing further is remembered. */
enum replay_step replay_next(struct channel *const *channels, size_t channel_count, uint64_t number,
                             uint64_t durable_number, uint64_t gap_known, struct replay *ret_replay);
