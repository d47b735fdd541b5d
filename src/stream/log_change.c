#include "stream/log_change.h"

#include "base/limits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BYTES_KEPT_MAX = 1 << 20 }; /* of the buffers, between two changes */

void log_decoder_init(struct log_decoder *decoder)
{
    *decoder = (struct log_decoder){.second = INT64_MIN};
    buffer_init(&decoder->json, FRAME_BYTES_MAX);
    buffer_init(&decoder->id, PAYLOAD_BYTES_MAX + 1);
}

static void forget_head(struct log_decoder *decoder)
{
    free(decoder->head);
    free(decoder->schema);
    free(decoder->table);
    decoder->head = decoder->schema = decoder->table = NULL;
    decoder->head_bytes = 0;
}

void log_decoder_done(struct log_decoder *decoder)
{
    forget_head(decoder);
    buffer_done(&decoder->json);
    buffer_done(&decoder->id);
}

/* Sets text to what a filter compares with: a string's text, anything else as it stands; NULL for null. */
static bool filter_text(struct buffer *buffer, struct json_slice value, const char **ret_text)
{
    *ret_text = NULL;
    if (value.size_bytes == 0 || value.text[0] == 'n')
        return true;
    buffer_clear(buffer);
    if (value.text[0] != '"')
        buffer_append(buffer, value.text, value.size_bytes);
    else if (!memchr(value.text, '\\', value.size_bytes))
        buffer_append(buffer, value.text + 1, value.size_bytes - 2);
    else
        json_append_unescaped(buffer, value);
    if (buffer->failed)
        return false;
    /* A text must not end early, or it would pass for another one. */
    for (size_t i = buffer->start; i < buffer->end; i++)
        if (buffer->data[i] == '\0')
            buffer->data[i] = '\x1a';
    *ret_text = buffer_text(buffer);
    return *ret_text != NULL;
}

static bool copy_text(struct buffer *buffer, struct json_slice value, char **ret_copy)
{
    const char *text;

    if (!filter_text(buffer, value, &text))
        return false;
    *ret_copy = text ? strdup(text) : NULL;
    return !text || *ret_copy;
}

/* Looks into a head that is not the last one. What is not of our form is of EVENT_TYPE_NONE. */
static int read_head(struct log_decoder *decoder, struct json_slice head)
{
    struct json_slice schema = {0}, table = {0}, type = {0}, key, value;
    struct buffer *object = &decoder->json;

    forget_head(decoder);
    decoder->type = EVENT_TYPE_NONE;
    buffer_append_text(object, "{");
    buffer_append(object, head.text, head.size_bytes);
    buffer_append_text(object, "0}");
    struct json_slice rest = {buffer_bytes(object), buffer_size(object)};
    bool is_ours = !object->failed && json_is_valid(rest.text, rest.size_bytes);
    while (is_ours && json_next_member(&rest, &key, &value)) {
        if (key.size_bytes == 8 && memcmp(key.text, "\"schema\"", 8) == 0)
            schema = value;
        else if (key.size_bytes == 7 && memcmp(key.text, "\"table\"", 7) == 0)
            table = value;
        else if (key.size_bytes == 6 && memcmp(key.text, "\"type\"", 6) == 0)
            type = value;
    }
    if (type.size_bytes > 2)
        decoder->type = event_type_from_name(type.text + 1, type.size_bytes - 2);
    decoder->head = malloc(head.size_bytes + 1);
    if (!decoder->head || !copy_text(&decoder->id, schema, &decoder->schema) ||
        !copy_text(&decoder->id, table, &decoder->table)) {
        forget_head(decoder);
        return -ENOMEM;
    }
    memcpy(decoder->head, head.text, head.size_bytes);
    decoder->head_bytes = head.size_bytes;
    buffer_clear(object);
    return 0;
}

/* As to_json() writes it, but always with six digits behind the point: "2026-11-24T21:46:20.115470+00:00". */
static void append_time(struct log_decoder *decoder, int64_t at_us)
{
    int64_t second = at_us / 1000000, rest_us = at_us % 1000000;
    char digits[7];

    second -= rest_us < 0;
    rest_us += rest_us < 0 ? 1000000 : 0;
    if (second != decoder->second) {
        struct tm parts;
        time_t seconds = (time_t)second;
        gmtime_r(&seconds, &parts);
        strftime(decoder->second_text, sizeof(decoder->second_text), "%FT%T", &parts);
        decoder->second = second;
    }
    digits[0] = '.';
    for (int i = 6; i > 0; i--, rest_us /= 10)
        digits[i] = (char)('0' + rest_us % 10);
    buffer_append_text(&decoder->json, decoder->second_text);
    buffer_append(&decoder->json, digits, sizeof(digits));
    buffer_append_text(&decoder->json, "+00:00");
}

/* In valid JSON a line break can only stand between tokens, where a space means the same. */
static void put_on_one_line(struct buffer *json)
{
    char *end = json->data + json->end;

    for (char *at = json->data + json->start; (at = memchr(at, '\n', (size_t)(end - at)));)
        *at = ' ';
    for (char *at = json->data + json->start; (at = memchr(at, '\r', (size_t)(end - at)));)
        *at = ' ';
}

/* The row that a DELETE without one is about, in place of the old one; empty: it is not said. */
static struct json_slice was_of(const struct log_change *change)
{
    static const char beginning[] = ",\"_was\":";
    const size_t size = sizeof(beginning) - 1;

    if (change->old.size_bytes <= size || memcmp(change->old.text, beginning, size) != 0)
        return (struct json_slice){0};
    return (struct json_slice){change->old.text + size, change->old.size_bytes - size};
}

/* Names what was left out for its size, and the columns that could not be made JSON. */
static void append_cut(struct buffer *json, const struct log_change *change)
{
    const char *before = ",\"cut\":[", *end = "";
    const struct json_slice items[] = {
        {"\"data\"", change->data.size_bytes == 0 ? 6 : 0},
        {"\"old\"", change->old_left_out ? 5 : 0},
        change->lost,
    };

    for (size_t i = 0; i < sizeof(items) / sizeof(*items); i++) {
        if (items[i].size_bytes == 0)
            continue;
        buffer_append_text(json, before);
        buffer_append(json, items[i].text, items[i].size_bytes);
        before = ",";
        end = "]";
    }
    buffer_append_text(json, end);
}

static void append_object(struct log_decoder *decoder, const struct log_change *change)
{
    struct buffer *json = &decoder->json;

    buffer_append_text(json, "{\"channel\":");
    json_append_string(json, change->channel, strlen(change->channel));
    if (decoder->type != EVENT_TYPE_NONE) {
        buffer_append_text(json, ",");
        buffer_append(json, change->head.text, change->head.size_bytes);
        buffer_append(json, change->id.text, change->id.size_bytes);
    } else {
        buffer_append_text(json, ",\"table\":null,\"type\":null,\"id\":null");
    }
    buffer_append_text(json, ",\"data\":");
    if (change->data.size_bytes > 0)
        buffer_append(json, change->data.text, change->data.size_bytes);
    else
        buffer_append_text(json, "null");
    if (change->old.size_bytes > 0 && was_of(change).size_bytes == 0)
        buffer_append(json, change->old.text, change->old.size_bytes);
    buffer_append_text(json, ",\"at\":\"");
    append_time(decoder, change->at_us);
    buffer_append_text(json, "\"");
    append_cut(json, change);
    buffer_append_text(json, "}");
}

static void release(struct buffer *buffer)
{
    size_t bytes_max = buffer->bytes_max;

    if (buffer->capacity > BYTES_KEPT_MAX || buffer->failed) {
        buffer_done(buffer);
        buffer_init(buffer, bytes_max);
    }
    buffer_clear(buffer);
}

int log_decoder_decode(struct log_decoder *decoder, const struct log_change *change, struct event **ret_event)
{
    struct buffer *json = &decoder->json;
    const struct json_slice was = was_of(change);
    struct event_parts parts = {0};
    int error = 0;

    if (change->id.size_bytes + change->data.size_bytes + change->old.size_bytes + change->lost.size_bytes >
        PAYLOAD_BYTES_MAX)
        return -E2BIG;
    if (!decoder->head || decoder->head_bytes != change->head.size_bytes ||
        memcmp(decoder->head, change->head.text, change->head.size_bytes) != 0)
        error = read_head(decoder, change->head);
    if (error == 0) {
        append_object(decoder, change);
        bool has_id = filter_text(&decoder->id, change->id, &parts.id);
        if (json->failed || !has_id)
            error = -ENOMEM;
    }
    if (error == 0) {
        put_on_one_line(json);
        parts.type = decoder->type;
        parts.json = buffer_bytes(json);
        parts.json_bytes = buffer_size(json);
        parts.schema = decoder->schema;
        parts.table = decoder->table;
        if (parts.type == EVENT_TYPE_DELETE) {
            parts.was = was.text;
            parts.was_bytes = was.size_bytes;
        }
        *ret_event = event_new(&parts);
        error = *ret_event ? 0 : -ENOMEM;
    }
    release(json);
    release(&decoder->id);
    return error;
}
