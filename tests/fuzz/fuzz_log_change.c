/* A row of the log: six lines, the channel, the head, the key, the row, what was old and what was lost. PostgreSQL
 * vouches for them being JSON, and the schema's owner for the rest; whatever comes, nothing is read or written past its
 * end, and what goes out is one line. */
#include "stream/log_change.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes a line off the front; without its own room behind it, so that a sanitizer sees who reads too far. */
static char *take_line(const uint8_t **at, size_t *left, size_t *ret_size)
{
    const uint8_t *end = *left > 0 ? memchr(*at, '\n', *left) : NULL;
    size_t size = end ? (size_t)(end - *at) : *left;
    char *line = malloc(size + 1);

    assert(line);
    if (size > 0)
        memcpy(line, *at, size);
    line[size] = '\0'; /* the channel is a text; libpq's values end like that, too */
    *left -= size + (end != NULL);
    *at += size + (end != NULL);
    *ret_size = size;
    return line;
}

/* A value is JSON, or it does not come. */
static struct json_slice value(const char *line, size_t size)
{
    return json_is_valid(line, size) ? json_trim((struct json_slice){line, size}) : (struct json_slice){"null", 4};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { LINES = 6 };
    char *lines[LINES];
    size_t sizes[LINES];
    struct log_decoder decoder;
    struct event *event = NULL;

    for (int i = 0; i < LINES; i++)
        lines[i] = take_line(&data, &size, &sizes[i]);
    const struct log_change change = {
        .channel = lines[0],
        .head = {lines[1], sizes[1]},
        .id = value(lines[2], sizes[2]),
        .data = value(lines[3], sizes[3]),
        .old = {lines[4], sizes[4]},
        .lost = {lines[5], sizes[5]},
        .at_us = (int64_t)sizes[3] * -1234567,
    };
    log_decoder_init(&decoder);
    for (int round = 0; round < 2; round++) { /* the second time it knows the head */
        int error = log_decoder_decode(&decoder, &change, &event);
        assert(error == 0 || error == -E2BIG || error == -ENOMEM);
        if (error < 0)
            break;
        assert(!strpbrk(event_json(event), "\r\n"));
        assert(strncmp(event_json(event), "{\"channel\":\"", 12) == 0);
        event_unref(event);
    }
    log_decoder_done(&decoder);
    for (int i = 0; i < LINES; i++)
        free(lines[i]);
    return 0;
}
