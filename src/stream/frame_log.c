#include "stream/frame_log.h"

#include "base/limits.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NOTES_MIN = 16 };

void frame_log_init(struct frame_log *log)
{
    *log = (struct frame_log){0};
    /* The feed keeps the log below its configured size by trimming; this is only the bound of last resort. */
    buffer_init(&log->bytes, (size_t)1 << 40);
}

void frame_log_done(struct frame_log *log)
{
    buffer_done(&log->bytes);
    free(log->notes);
    log->notes = NULL;
}

struct buffer *frame_log_begin_frame(struct frame_log *log)
{
    return &log->bytes;
}

/* Makes room for one more note: at the front if half the array is dropped, else by doubling. */
static int make_room(struct frame_log *log)
{
    size_t count = log->note_end - log->note_first;

    if (log->note_end < log->note_capacity)
        return 0;
    if (log->note_first >= log->note_capacity / 2 && log->note_capacity > 0) {
        memmove(log->notes, log->notes + log->note_first, count * sizeof(*log->notes));
    } else {
        size_t capacity = log->note_capacity ? log->note_capacity * 2 : NOTES_MIN;
        struct frame_note *notes = malloc(capacity * sizeof(*notes));
        if (!notes)
            return -ENOMEM;
        if (count > 0)
            memcpy(notes, log->notes + log->note_first, count * sizeof(*notes));
        free(log->notes);
        log->notes = notes;
        log->note_capacity = capacity;
    }
    log->note_first = 0;
    log->note_end = count;
    return 0;
}

static uint64_t last_end(const struct frame_log *log)
{
    return log->note_end > log->note_first ? log->notes[log->note_end - 1].end : log->tail;
}

int frame_log_end_frame(struct frame_log *log, uint64_t number, const struct durable_position *durable,
                        int64_t received_us)
{
    if (log->bytes.failed || make_room(log) < 0) {
        log->bytes.end = log->bytes.start + (size_t)(last_end(log) - log->tail);
        log->bytes.failed = false;
        return -ENOMEM;
    }
    log->notes[log->note_end++] = (struct frame_note){frame_log_head(log), number, *durable, received_us};
    return 0;
}

const char *frame_log_bytes(const struct frame_log *log, uint64_t offset, size_t *ret_size_bytes)
{
    assert(offset >= log->tail && offset <= frame_log_head(log));
    *ret_size_bytes = (size_t)(frame_log_head(log) - offset);
    return buffer_bytes(&log->bytes) + (offset - log->tail);
}

/* The first note that ends above offset; note_end when there is none. */
static size_t note_above(const struct frame_log *log, uint64_t offset)
{
    size_t low = log->note_first, high = log->note_end;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log->notes[middle].end > offset)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

uint64_t frame_log_rank(const struct frame_log *log, uint64_t offset)
{
    return log->frames_dropped + (note_above(log, offset) - log->note_first);
}

const struct frame_note *frame_log_frame_at(const struct frame_log *log, uint64_t offset)
{
    size_t index = note_above(log, offset);

    return index < log->note_end ? &log->notes[index] : NULL;
}

void frame_log_trim(struct frame_log *log, uint64_t offset)
{
    assert(offset >= log->tail && offset <= frame_log_head(log));
    size_t first_kept = note_above(log, offset);
    log->frames_dropped += first_kept - log->note_first;
    log->note_first = first_kept;
    if (log->note_first == log->note_end)
        log->note_first = log->note_end = 0;
    buffer_consume(&log->bytes, (size_t)(offset - log->tail));
    log->tail = offset;
}

void frame_log_shrink(struct frame_log *log)
{
    if (buffer_size(&log->bytes) > 0 || !log->bytes.data)
        return;
    buffer_done(&log->bytes);
    free(log->notes);
    log->notes = NULL;
    log->note_first = log->note_end = log->note_capacity = 0;
}
