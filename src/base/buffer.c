#include "base/buffer.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 256 };

static void assert_sane(const struct buffer *buffer)
{
    assert(buffer->start <= buffer->end);
    assert(buffer->end <= buffer->capacity);
    assert(buffer->end - buffer->start <= buffer->bytes_max);
}

void buffer_init(struct buffer *buffer, size_t bytes_max)
{
    assert(bytes_max < SIZE_MAX / 4);
    *buffer = (struct buffer){.bytes_max = bytes_max};
}

struct buffer buffer_in(char *room, size_t room_bytes)
{
    return (struct buffer){.data = room, .capacity = room_bytes, .bytes_max = room_bytes - 1};
}

void buffer_done(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){.bytes_max = buffer->bytes_max};
}

/* Makes room for size_bytes more at the end, whatever bytes_max is: by moving the contents to the front while they are
 * the smaller part (so that each byte moves at most once on average), else by doubling. */
static bool make_room(struct buffer *buffer, size_t size_bytes)
{
    size_t used = buffer_size(buffer);

    if (size_bytes <= buffer->capacity - buffer->end)
        return true;
    if (buffer->start >= used && size_bytes <= buffer->capacity - used) {
        memmove(buffer->data, buffer->data + buffer->start, used);
    } else {
        size_t capacity = buffer->capacity > CAPACITY_MIN ? buffer->capacity : CAPACITY_MIN;
        while (capacity < used + size_bytes)
            capacity *= 2;
        char *data = malloc(capacity);
        if (!data) {
            buffer->failed = true;
            return false;
        }
        if (used > 0)
            memcpy(data, buffer->data + buffer->start, used);
        free(buffer->data);
        buffer->data = data;
        buffer->capacity = capacity;
    }
    buffer->start = 0;
    buffer->end = used;
    return true;
}

/* Likewise for contents, which may not grow past bytes_max. */
static bool make_room_within(struct buffer *buffer, size_t size_bytes)
{
    if (size_bytes > buffer->bytes_max - buffer_size(buffer))
        buffer->failed = true;
    return !buffer->failed && make_room(buffer, size_bytes);
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t size_bytes)
{
    if (size_bytes == 0 || !make_room_within(buffer, size_bytes))
        return;
    memcpy(buffer->data + buffer->end, bytes, size_bytes);
    buffer->end += size_bytes;
    assert_sane(buffer);
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    char small[256];
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(small, sizeof(small), format, arguments);
    va_end(arguments);
    assert(length >= 0);
    if ((size_t)length < sizeof(small)) {
        buffer_append(buffer, small, (size_t)length);
        return;
    }
    /* vsnprintf writes a NUL behind the text, which must have room but does not count. */
    if (!make_room_within(buffer, (size_t)length) || !make_room(buffer, (size_t)length + 1))
        return;
    va_start(arguments, format);
    vsnprintf(buffer->data + buffer->end, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->end += (size_t)length;
    assert_sane(buffer);
}

void buffer_consume(struct buffer *buffer, size_t size_bytes)
{
    size_t used = buffer_size(buffer);

    buffer->start += size_bytes < used ? size_bytes : used;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

void buffer_clear(struct buffer *buffer)
{
    buffer->start = buffer->end = 0;
    buffer->failed = false;
}

const char *buffer_text(struct buffer *buffer)
{
    if (buffer->failed || !make_room(buffer, 1))
        return NULL;
    buffer->data[buffer->end] = '\0';
    return buffer->data + buffer->start;
}
