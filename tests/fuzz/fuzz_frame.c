/* Any id, name and data as a frame: a reader that follows WHATWG's steps gets back exactly one event, and it is this
 * one. The input is the name, a NUL, the data; its first byte chooses what is there and how the bytes are cut. */
#include "../unit/sse_reader.h"
#include "stream/frame.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HAS_ID = 1, HAS_NAME = 2, AFTER_COMMENT = 4 };

struct expected {
    const char *id, *type, *data;
    size_t data_bytes;
    int events;
};

static void on_event(void *context, const struct sse_event *event)
{
    struct expected *expected = context;

    expected->events++;
    assert(event->id_bytes == strlen(expected->id) && strcmp(event->id, expected->id) == 0);
    assert(event->type_bytes == strlen(expected->type) && strcmp(event->type, expected->type) == 0);
    assert(event->data_bytes == expected->data_bytes && memcmp(event->data, expected->data, expected->data_bytes) == 0);
}

/* What a frame does to bytes: each line break and each NUL is a space. */
static char *on_one_line(const uint8_t *bytes, size_t size)
{
    char *text = malloc(size + 1);

    if (!text)
        abort();
    for (size_t i = 0; i < size; i++)
        text[i] = bytes[i] == '\r' || bytes[i] == '\n' || bytes[i] == '\0' ? ' ' : (char)bytes[i];
    text[size] = '\0';
    return text;
}

static char *copy_text(const uint8_t *bytes, size_t size)
{
    char *text = malloc(size + 1);

    if (!text)
        abort();
    if (size > 0)
        memcpy(text, bytes, size);
    text[size] = '\0';
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    uint8_t choice = *data++;
    const uint8_t *end = memchr(data, '\0', --size);
    size_t name_size = end ? (size_t)(end - data) : size;
    const uint8_t *rest = end ? end + 1 : data + size;
    size_t rest_size = size - (size_t)(rest - data);
    const char *id = choice & HAS_ID ? "1042-k3f90abz" : NULL;
    char *name = choice & HAS_NAME ? copy_text(data, name_size) : NULL;
    char *name_read = on_one_line(data, name ? name_size : 0), *data_read = on_one_line(rest, rest_size);
    struct expected expected = {id ? id : "", name && name[0] ? name_read : "message", data_read, rest_size, 0};
    size_t portion = choice / 8 + 1;
    struct sse_reader reader;
    struct buffer bytes;

    buffer_init(&bytes, SSE_FIELD_BYTES_MAX);
    if (choice & AFTER_COMMENT)
        frame_comment(&bytes, name ? name : "");
    frame_event(&bytes, id, name, (const char *)rest, rest_size);
    assert(!bytes.failed && !memchr(buffer_bytes(&bytes), '\r', buffer_size(&bytes)));
    sse_reader_init(&reader, on_event, &expected);
    while (buffer_size(&bytes) > 0) {
        sse_read(&reader, buffer_bytes(&bytes), portion < buffer_size(&bytes) ? portion : buffer_size(&bytes));
        buffer_consume(&bytes, portion);
    }
    assert(expected.events == 1 && reader.retry_ms == -1);
    assert(reader.comments == (choice & AFTER_COMMENT ? 1 : 0));
    assert(buffer_size(&reader.line) == 0 && buffer_size(&reader.data) == 0);
    sse_reader_done(&reader);
    buffer_done(&bytes);
    free(name);
    free(name_read);
    free(data_read);
    return 0;
}
