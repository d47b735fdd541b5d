#include "stream/page_frames.h"

#include "base/limits.h"
#include "stream/encode.h"

#include <stdlib.h>

void page_frames_free(struct page_frames *frames)
{
    if (!frames)
        return;
    buffer_done(&frames->bytes);
    free(frames->ends);
    free(frames);
}

static struct page_frames *make(const struct history_page *page, const struct feed *feed)
{
    struct page_frames *frames = calloc(1, sizeof(*frames));
    struct cursor place = feed->hub->now;

    if (!frames)
        return NULL;
    frames->feed_serial = feed->serial;
    buffer_init(&frames->bytes, (size_t)4 * FRAME_BYTES_MAX);
    frames->ends = calloc(page->event_count, sizeof(*frames->ends));
    for (size_t i = 0; frames->ends && i < page->event_count; i++) {
        place.durable = page->events[i]->durable;
        if (selection_wants(&feed->selection, page->events[i]))
            encode_event(feed->hub, &feed->selection, AXIS_DURABLE, page->events[i], &place, &frames->bytes);
        frames->ends[i] = buffer_size(&frames->bytes);
    }
    if (!frames->ends || frames->bytes.failed) {
        page_frames_free(frames);
        return NULL;
    }
    return frames;
}

const struct page_frames *page_frames_get(struct history_page *page, const struct feed *feed)
{
    if (page->frames)
        return page->frames->feed_serial == feed->serial ? page->frames : NULL;
    if (page->event_count == 0 || feed->subscriber_count < 2 || feed->axes != AXIS_DURABLE)
        return NULL;
    page->frames = make(page, feed);
    if (page->frames)
        history_count_bytes(page, buffer_size(&page->frames->bytes) + page->event_count * sizeof(*page->frames->ends));
    return page->frames;
}

size_t page_frames_append(const struct page_frames *frames, const struct history_page *page, size_t index,
                          struct buffer *out, size_t bytes_max, uint64_t *ret_count)
{
    size_t start = index > 0 ? frames->ends[index - 1] : 0, end = start;
    uint64_t count = 0;

    while (index < page->event_count &&
           (end == start || buffer_size(out) + (frames->ends[index] - start) <= bytes_max)) {
        count += frames->ends[index] > end;
        end = frames->ends[index++];
    }
    buffer_append(out, buffer_bytes(&frames->bytes) + start, end - start);
    *ret_count = count;
    return index;
}
