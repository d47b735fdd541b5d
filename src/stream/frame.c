#include "stream/frame.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* Bytes before the first c, or all of them. */
static size_t bytes_before(const char *text, size_t size_bytes, char c)
{
    const char *found = memchr(text, c, size_bytes);

    return found ? (size_t)(found - text) : size_bytes;
}

/* Appends text with CR, LF and NUL as spaces. */
static void append_on_one_line(struct buffer *out, const char *text, size_t size_bytes)
{
    while (size_bytes > 0) {
        size_t plain = bytes_before(text, size_bytes, '\n');
        plain = bytes_before(text, plain, '\r');
        plain = bytes_before(text, plain, '\0');
        buffer_append(out, text, plain);
        if (plain < size_bytes) {
            buffer_append(out, " ", 1);
            plain++;
        }
        text += plain;
        size_bytes -= plain;
    }
}

void frame_event(struct buffer *out, const char *id, const char *name, const char *data, size_t data_bytes)
{
    if (id) {
        assert(strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-") == strlen(id));
        buffer_append_text(out, "id: ");
        buffer_append_text(out, id);
        buffer_append(out, "\n", 1);
    }
    if (name) {
        buffer_append_text(out, "event: ");
        append_on_one_line(out, name, strlen(name));
        buffer_append(out, "\n", 1);
    }
    buffer_append_text(out, "data: ");
    append_on_one_line(out, data, data_bytes);
    buffer_append_text(out, "\n\n");
}

void frame_comment(struct buffer *out, const char *text)
{
    buffer_append_text(out, ": ");
    append_on_one_line(out, text, strlen(text));
    buffer_append_text(out, "\n\n");
}

void frame_retry(struct buffer *out, int64_t retry_ms)
{
    buffer_printf(out, "retry: %" PRId64 "\n\n", retry_ms);
}
