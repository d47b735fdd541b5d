#include "stream/decode.h"

#include "base/limits.h"
#include "stream/json_text.h"

#include <errno.h>
#include <string.h>

/* The members we know: those that go out, in that order, and then those that do not. */
enum member { SCHEMA, TABLE, TYPE, OP, ID, DATA, OLD, CHANGED, AT, CUT, CHANNEL, SERIAL, WAS, MEMBERS };

static const char *const member_names[MEMBERS] = {"schema",  "table", "type", "op",      "id", "data", "old",
                                                  "changed", "at",    "cut",  "channel", "_",  "_was"};

/* What a payload says of a row's change. */
struct change {
    enum event_type type, op; /* op: NONE when it is not said */
};

static bool is_string(struct json_slice value)
{
    return value.size_bytes > 0 && value.text[0] == '"';
}

static bool is_null(struct json_slice value)
{
    return value.size_bytes == 0 || value.text[0] == 'n';
}

/* failed is set when there was no memory to tell. */
static enum member member_of(struct json_slice key, bool *failed)
{
    char unescaped[64];
    struct buffer buffer = buffer_in(unescaped, sizeof(unescaped));

    if (!memchr(key.text, '\\', key.size_bytes)) {
        key = (struct json_slice){key.text + 1, key.size_bytes - 2};
    } else if (key.size_bytes <= sizeof(unescaped)) {
        /* Unescaping only shrinks, so the buffer never grows. */
        json_append_unescaped(&buffer, key);
        *failed |= buffer.failed;
        key = (struct json_slice){unescaped, buffer_size(&buffer)};
    }
    for (enum member member = 0; member < MEMBERS; member++)
        if (strlen(member_names[member]) == key.size_bytes &&
            memcmp(member_names[member], key.text, key.size_bytes) == 0)
            return member;
    return MEMBERS;
}

static enum event_type type_of(struct json_slice value)
{
    return is_string(value) ? event_type_from_name(value.text + 1, value.size_bytes - 2) : EVENT_TYPE_NONE;
}

/* Fills members with the last value of each known key; returns whether the payload is a row change. */
static bool find_members(struct json_slice object, struct json_slice members[MEMBERS], struct change *ret_change,
                         bool *failed)
{
    struct json_slice rest = object, key, value;

    while (json_next_member(&rest, &key, &value)) {
        enum member member = member_of(key, failed);
        if (member != MEMBERS)
            members[member] = value;
    }
    if (!is_string(members[TABLE]))
        return false;
    if (!is_string(members[SCHEMA]) && !is_null(members[SCHEMA]))
        return false;
    if (members[ID].size_bytes > 0 && members[ID].text[0] == '[')
        return false;
    *ret_change = (struct change){type_of(members[TYPE]), type_of(members[OP])};
    return ret_change->type != EVENT_TYPE_NONE && (ret_change->op != EVENT_TYPE_NONE || is_null(members[OP]));
}

static void append_member(struct buffer *json, const char *name, struct json_slice value)
{
    buffer_printf(json, ",\"%s\":", name);
    if (value.size_bytes > 0)
        buffer_append(json, value.text, value.size_bytes);
    else
        buffer_append_text(json, "null");
}

static void append_change(struct buffer *json, struct json_slice object, struct json_slice members[MEMBERS],
                          struct change change)
{
    struct json_slice rest = object, key, value;

    for (enum member member = 0; member < CHANNEL; member++) {
        if (member == TYPE)
            buffer_printf(json, ",\"type\":\"%s\"", event_type_name(change.type));
        else if (member == OP && (change.op == change.type || change.op == EVENT_TYPE_NONE))
            continue;
        else if (member == OP)
            buffer_printf(json, ",\"op\":\"%s\"", event_type_name(change.op));
        else if (members[member].size_bytes > 0 || member == TABLE || member == ID || member == DATA)
            append_member(json, member_names[member], members[member]);
    }
    while (json_next_member(&rest, &key, &value)) {
        if (member_of(key, &json->failed) != MEMBERS)
            continue;
        buffer_append(json, ",", 1);
        buffer_append(json, key.text, key.size_bytes);
        buffer_append(json, ":", 1);
        buffer_append(json, value.text, value.size_bytes);
    }
}

/* What a filter compares with: a string's text, anything else as it stands. */
static const char *filter_text(struct buffer *buffer, struct json_slice value)
{
    if (is_null(value))
        return NULL;
    if (is_string(value))
        json_append_unescaped(buffer, value);
    else
        buffer_append(buffer, value.text, value.size_bytes);
    /* A text must not end early, or it would pass for another one. */
    for (size_t i = buffer->start; i < buffer->end; i++)
        if (buffer->data[i] == '\0')
            buffer->data[i] = '\x1a';
    return buffer_text(buffer);
}

static int make_change(struct json_slice members[MEMBERS], struct event_parts *parts, struct event **ret_event)
{
    struct buffer schema, table, id;

    buffer_init(&schema, PAYLOAD_BYTES_MAX + 1);
    buffer_init(&table, PAYLOAD_BYTES_MAX + 1);
    buffer_init(&id, PAYLOAD_BYTES_MAX + 1);
    parts->schema = filter_text(&schema, members[SCHEMA]);
    parts->table = filter_text(&table, members[TABLE]);
    parts->id = filter_text(&id, members[ID]);
    if (parts->type == EVENT_TYPE_DELETE && members[WAS].size_bytes > 0 && members[WAS].text[0] == '{') {
        parts->was = members[WAS].text;
        parts->was_bytes = members[WAS].size_bytes;
    }
    *ret_event = schema.failed || table.failed || id.failed ? NULL : event_new(parts);
    buffer_done(&schema);
    buffer_done(&table);
    buffer_done(&id);
    return *ret_event ? 0 : -ENOMEM;
}

int decode_payload(const char *channel, const char *payload, size_t payload_bytes, struct event **ret_event)
{
    struct json_slice members[MEMBERS] = {0};
    struct event_parts parts = {.type = EVENT_TYPE_NONE};
    struct json_slice whole = {payload, payload_bytes};
    struct change change = {EVENT_TYPE_NONE, EVENT_TYPE_NONE};
    struct buffer json;

    if (payload_bytes > PAYLOAD_BYTES_MAX)
        return -E2BIG;
    buffer_init(&json, FRAME_BYTES_MAX);
    buffer_append_text(&json, "{\"channel\":");
    json_append_string(&json, channel, strlen(channel));
    bool valid = json_is_valid(payload, payload_bytes);
    if (valid && find_members(whole, members, &change, &json.failed)) {
        parts.type = change.type;
        append_change(&json, whole, members, change);
    } else {
        buffer_append_text(&json, ",\"table\":null,\"type\":null,\"id\":null,\"data\":");
        whole = json_trim(whole);
        if (valid)
            buffer_append(&json, whole.text, whole.size_bytes);
        else
            json_append_string(&json, payload, payload_bytes);
        members[SCHEMA] = members[TABLE] = members[ID] = (struct json_slice){0};
    }
    buffer_append(&json, "}", 1);
    /* In valid JSON a line break can only stand between tokens, where a space means the same. */
    for (size_t i = json.start; i < json.end; i++)
        if (json.data[i] == '\n' || json.data[i] == '\r')
            json.data[i] = ' ';
    parts.json = buffer_bytes(&json);
    parts.json_bytes = buffer_size(&json);
    int error = json.failed ? -ENOMEM : make_change(members, &parts, ret_event);
    buffer_done(&json);
    return error;
}
