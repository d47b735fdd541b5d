/* The encoded bytes of a feed, shared by all its subscribers, with a note of where each frame ends.
 *
 *      tail                                    head
 *       |  frame  |  frame  |  frame  | ...  |  |        offsets: 64 bit, they only grow
 *
 * A subscriber keeps the offset of the next byte it has to send. The log does not know its subscribers; the
 * feed sees to it that none is left below the tail. */
#pragma once

#include "base/buffer.h"
#include "stream/cursor.h"

#include <stdint.h>

struct frame_note {
    uint64_t end;    /* offset behind the frame */
    uint64_t number; /* of the event; for a frame without one, of the newest event before it */
    struct durable_position durable;
    int64_t received_us; /* when its event came from the database; 0 for a frame without an event */
};

struct frame_log {
    struct buffer bytes;
    uint64_t tail;
    struct frame_note *notes; /* a window of an array: note_first up to note_end */
    size_t note_first, note_end, note_capacity;
    uint64_t frames_dropped; /* frames that stood before notes[note_first] */
};

void frame_log_init(struct frame_log *log);
void frame_log_done(struct frame_log *log);

static inline uint64_t frame_log_head(const struct frame_log *log)
{
    return log->tail + buffer_size(&log->bytes);
}

/* Where the caller writes a frame's bytes; it must be followed by frame_log_end_frame. */
struct buffer *frame_log_begin_frame(struct frame_log *log);
/* Returns 0, or -ENOMEM: the frame is taken back. */
int frame_log_end_frame(struct frame_log *log, uint64_t number, const struct durable_position *durable,
                        int64_t received_us);

/* Lends the bytes from offset up to the head. */
const char *frame_log_bytes(const struct frame_log *log, uint64_t offset, size_t *ret_size_bytes);

/* How many frames end at or before offset, counted from the log's birth. */
uint64_t frame_log_rank(const struct frame_log *log, uint64_t offset);

/* The frame that the byte at offset belongs to; NULL at the head. */
const struct frame_note *frame_log_frame_at(const struct frame_log *log, uint64_t offset);

/* Drops what is before offset, which must be between tail and head and at the end of a frame (or at the
 * tail). */
void frame_log_trim(struct frame_log *log, uint64_t offset);

/* Gives memory back when the log is empty. */
void frame_log_shrink(struct frame_log *log);
