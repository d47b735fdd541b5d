/* A reader of event streams, written after the steps of WHATWG HTML 9.2.6 and not after our encoder: takes bytes
 * in portions of any size, as a browser does. */
#pragma once

#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { SSE_FIELD_BYTES_MAX = 1 << 24 };

/* Texts are lent for the time of the call; each has a NUL behind it that does not count. */
struct sse_event {
    const char *id; /* the last event id, as a browser would send it on reconnecting */
    const char *type;
    const char *data;
    size_t id_bytes, type_bytes, data_bytes;
};

struct sse_reader {
    struct buffer line, id, type, data;
    size_t bytes_seen;
    bool after_cr;
    size_t comments;
    int64_t retry_ms; /* -1 before the first */
    void (*on_event)(void *context, const struct sse_event *event);
    void *context;
};

static inline void sse_reader_init(struct sse_reader *reader,
                                   void (*on_event)(void *context, const struct sse_event *event), void *context)
{
    *reader = (struct sse_reader){.retry_ms = -1, .on_event = on_event, .context = context};
    buffer_init(&reader->line, SSE_FIELD_BYTES_MAX);
    buffer_init(&reader->id, SSE_FIELD_BYTES_MAX);
    buffer_init(&reader->type, SSE_FIELD_BYTES_MAX);
    buffer_init(&reader->data, SSE_FIELD_BYTES_MAX);
}

static inline void sse_reader_done(struct sse_reader *reader)
{
    buffer_done(&reader->line);
    buffer_done(&reader->id);
    buffer_done(&reader->type);
    buffer_done(&reader->data);
}

static inline void sse_dispatch(struct sse_reader *reader)
{
    size_t data_bytes = buffer_size(&reader->data);

    if (data_bytes > 0) {
        /* The line feed behind the last data line does not belong to the data. */
        reader->data.data[reader->data.end - 1] = '\0';
        if (buffer_size(&reader->type) == 0)
            buffer_append_text(&reader->type, "message");
        const struct sse_event event = {
            .id = buffer_text(&reader->id),
            .type = buffer_text(&reader->type),
            .data = buffer_bytes(&reader->data),
            .id_bytes = buffer_size(&reader->id),
            .type_bytes = buffer_size(&reader->type),
            .data_bytes = data_bytes - 1,
        };
        reader->on_event(reader->context, &event);
    }
    buffer_clear(&reader->data);
    buffer_clear(&reader->type);
}

static inline bool sse_is(const char *name, size_t name_bytes, const char *expected)
{
    return name_bytes == strlen(expected) && memcmp(name, expected, name_bytes) == 0;
}

static inline void sse_field(struct sse_reader *reader, const char *name, size_t name_bytes, const char *value,
                             size_t value_bytes)
{
    if (sse_is(name, name_bytes, "event")) {
        buffer_clear(&reader->type);
        buffer_append(&reader->type, value, value_bytes);
    } else if (sse_is(name, name_bytes, "data")) {
        buffer_append(&reader->data, value, value_bytes);
        buffer_append(&reader->data, "\n", 1);
    } else if (sse_is(name, name_bytes, "id") && !memchr(value, '\0', value_bytes)) {
        buffer_clear(&reader->id);
        buffer_append(&reader->id, value, value_bytes);
    } else if (sse_is(name, name_bytes, "retry") && value_bytes > 0) {
        int64_t retry_ms = 0;
        for (size_t i = 0; i < value_bytes; i++) {
            if (value[i] < '0' || value[i] > '9')
                return;
            retry_ms = (retry_ms * 10 + (value[i] - '0')) % INT64_C(1000000000000);
        }
        reader->retry_ms = retry_ms;
    }
}

static inline void sse_line(struct sse_reader *reader)
{
    const char *line = buffer_bytes(&reader->line);
    size_t bytes = buffer_size(&reader->line);
    const char *colon = memchr(line, ':', bytes);

    if (bytes == 0) {
        sse_dispatch(reader);
    } else if (colon == line) {
        reader->comments++;
    } else if (!colon) {
        sse_field(reader, line, bytes, "", 0);
    } else {
        const char *value = colon + 1;
        size_t value_bytes = bytes - (size_t)(value - line);
        if (value_bytes > 0 && value[0] == ' ') {
            value++;
            value_bytes--;
        }
        sse_field(reader, line, (size_t)(colon - line), value, value_bytes);
    }
    buffer_clear(&reader->line);
}

static inline void sse_read(struct sse_reader *reader, const char *bytes, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        char byte = bytes[i];
        bool ends_a_pair = reader->after_cr && byte == '\n';

        reader->after_cr = byte == '\r';
        reader->bytes_seen++;
        if (ends_a_pair)
            continue;
        if (byte == '\r' || byte == '\n') {
            sse_line(reader);
            continue;
        }
        buffer_append(&reader->line, &byte, 1);
        if (reader->bytes_seen == 3 && buffer_size(&reader->line) == 3 &&
            memcmp(buffer_bytes(&reader->line), "\xef\xbb\xbf", 3) == 0)
            buffer_clear(&reader->line);
    }
}
