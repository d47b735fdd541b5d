/* Bytes that grow at the end and are consumed at the front, up to a largest size set at birth.
 *
 *     data            start            end             capacity
 *      |  consumed      |   contents     |   free         |
 *
 * Always: start <= end <= capacity, and end - start <= bytes_max.
 * An append never returns an error: past bytes_max, or without memory, the buffer remembers that it failed
 * and ignores what follows; whoever uses the contents asks `failed` once. Contents are not NUL-terminated. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct buffer {
    char *data;
    size_t start;
    size_t end;
    size_t capacity;
    size_t bytes_max;
    bool failed;
};

void buffer_init(struct buffer *buffer, size_t bytes_max);
/* A buffer in memory of the caller's, which it never leaves: it holds up to room_bytes - 1, so that buffer_text() has
 * its byte, and fails beyond that. There is nothing to be done with it in the end. */
struct buffer buffer_in(char *room, size_t room_bytes);
void buffer_done(struct buffer *buffer); /* frees the contents; also fine on a zeroed buffer */

void buffer_append(struct buffer *buffer, const void *bytes, size_t size_bytes);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Forgets the first size_bytes of the contents (at most all of them). */
void buffer_consume(struct buffer *buffer, size_t size_bytes);

/* Empties the buffer, clears `failed`, keeps the memory. */
void buffer_clear(struct buffer *buffer);

/* Appends a NUL that does not count and lends the contents as a string; NULL when the buffer failed. */
const char *buffer_text(struct buffer *buffer);

static inline size_t buffer_size(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

static inline const char *buffer_bytes(const struct buffer *buffer)
{
    return buffer->data ? buffer->data + buffer->start : "";
}
