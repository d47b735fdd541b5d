/* A page of history as the frames that one feed's streams send: encoded once, however many of them read it, and as far
 * as any of them has come. A page has room for one feed's. */
#pragma once

#include "stream/feed.h"
#include "stream/history.h"

struct page_frames {
    uint64_t feed_serial;
    struct buffer bytes;
    size_t *ends; /* of each event's frame in bytes; a frame that the feed does not want is empty */
    size_t count; /* of the events that have been encoded */
};

/* Lends the page's frames for the feed, made if need be; NULL when the page has another feed's, when they would not be
 * shared, or without memory. */
struct page_frames *page_frames_get(struct history_page *page, const struct feed *feed);
void page_frames_free(struct page_frames *frames); /* NULL is fine */

/* Encodes, of what is missing up to the frame of the event at index, as much as encode_left allows, which goes down.
 * Returns whether that frame is there. Without memory the page's frames are freed. */
bool page_frames_reach(struct history_page *page, const struct feed *feed, size_t index, int *encode_left);

/* Appends the frames of the events from index on, as many as there are and out can take up to bytes_max, at least one,
 * which must be there. Returns the index behind them; ret_count are those that are not empty. */
size_t page_frames_append(const struct page_frames *frames, size_t index, struct buffer *out, size_t bytes_max,
                          uint64_t *ret_count);
