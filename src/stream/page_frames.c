#include "stream/page_frames.h"

#include "base/limits.h"
#include "stream/encode.h"

#include <assert.h>
#include <stdlib.h>

void page_frames_free(struct page_frames *frames)
{
    if (!frames)
        return;
    buffer_done(&frames->bytes);
    free(frames->ends);
    free(frames);
}

struct page_frames *page_frames_get(struct history_page *page, const struct feed *feed)
{
    if (page->frames)
        return page->frames->feed_serial == feed->serial ? page->frames : NULL;
    if (page->event_count == 0 || feed->subscriber_count < 2 || feed->axes != AXIS_DURABLE)
        return NULL;
    struct page_frames *frames = calloc(1, sizeof(*frames));
    if (!frames)
        return NULL;
    frames->feed_serial = feed->serial;
    buffer_init(&frames->bytes, (size_t)4 * FRAME_BYTES_MAX);
    frames->ends = calloc(page->event_count, sizeof(*frames->ends));
    if (!frames->ends) {
        page_frames_free(frames);
        return NULL;
    }
    history_count_bytes(page, page->event_count * sizeof(*frames->ends));
    page->frames = frames;
    return frames;
}

bool page_frames_reach(struct history_page *page, const struct feed *feed, size_t index, int *encode_left)
{
    struct page_frames *frames = page->frames;
    struct cursor place = feed->hub->now;
    size_t before = buffer_size(&frames->bytes);

    while (frames->count <= index && (*encode_left)-- > 0) {
        const struct event *event = page->events[frames->count];
        place.durable = event->durable;
        if (selection_wants(&feed->selection, event))
            encode_event(feed->hub, &feed->selection, AXIS_DURABLE, event, &place, &frames->bytes);
        frames->ends[frames->count++] = buffer_size(&frames->bytes);
    }
    if (frames->bytes.failed) {
        page_frames_free(frames);
        page->frames = NULL;
        return false;
    }
    history_count_bytes(page, buffer_size(&frames->bytes) - before);
    return frames->count > index;
}

size_t page_frames_append(const struct page_frames *frames, size_t index, struct buffer *out, size_t bytes_max,
                          uint64_t *ret_count)
{
    size_t start = index > 0 ? frames->ends[index - 1] : 0, end = start;
    uint64_t count = 0;

    assert(index < frames->count);
    while (index < frames->count && (end == start || buffer_size(out) + (frames->ends[index] - start) <= bytes_max)) {
        count += frames->ends[index] > end;
        end = frames->ends[index++];
    }
    buffer_append(out, buffer_bytes(&frames->bytes) + start, end - start);
    *ret_count = count;
    return index;
}
