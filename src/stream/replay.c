#include "stream/replay.h"

enum replay_step replay_next(struct channel *const *channels, size_t channel_count, uint64_t number,
                             uint64_t durable_number, uint64_t gap_known, struct replay *ret_replay)
{
    struct replay replay = {0};
    bool history = false;

    for (size_t i = 0; i < channel_count; i++) {
        const struct channel *channel = channels[i];
        struct event *event =
            channel->durable ? channel_next_durable(channel, durable_number) : channel_next(channel, number);
        if (event && (!replay.event || event->number < replay.event->number))
            replay.event = event;
        if (channel->durable) {
            history |= channel->durable_since > durable_number;
            continue;
        }
        if (event && (replay.live_next == 0 || event->number < replay.live_next))
            replay.live_next = event->number;
        if (channel->since > number && channel->since > gap_known && channel->since > replay.gap_end)
            replay.gap_end = channel->since;
    }
    *ret_replay = replay;
    if (history)
        return REPLAY_HISTORY;
    return replay.gap_end > 0 ? REPLAY_GAP : replay.event ? REPLAY_EVENT : REPLAY_END;
}
