#include "stream/replay.h"

enum replay_step replay_next(struct channel *const *channels, size_t channel_count, uint64_t number,
                             struct event **ret_event, uint64_t *ret_number)
{
    enum replay_step step = REPLAY_END;
    uint64_t best = UINT64_MAX;

    for (size_t i = 0; i < channel_count; i++) {
        const struct channel *channel = channels[i];
        if (number < channel->since) {
            if (channel->since < best) {
                best = channel->since;
                step = REPLAY_GAP;
            }
            continue;
        }
        struct event *event = channel_next(channel, number);
        /* Of one outage that a channel has forgotten and another has not, the event tells more. */
        if (event && (event->number < best || (event->number == best && step == REPLAY_GAP))) {
            best = event->number;
            *ret_event = event;
            step = REPLAY_EVENT;
        }
    }
    if (step != REPLAY_END)
        *ret_number = best;
    return step;
}
