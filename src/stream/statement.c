#include "stream/statement.h"

#include "base/limits.h"

#include <errno.h>
#include <string.h>

void statement_done(struct statement *statement)
{
    buffer_done(&statement->text);
    buffer_done(&statement->whole);
    *statement = (struct statement){0};
}

void statement_forget(struct statement *statement)
{
    statement->number.size_bytes = 0;
}

/* Where {"_":<digits>, ends, if the text begins so; otherwise 0. */
static size_t numbered_bytes(const char *text, size_t size_bytes, struct json_slice *ret_number)
{
    static const char BEGINNING[] = "{\"_\":";
    size_t at = sizeof(BEGINNING) - 1;

    if (size_bytes < at || memcmp(text, BEGINNING, at) != 0)
        return 0;
    ret_number->text = text + at;
    while (at < size_bytes && text[at] >= '0' && text[at] <= '9')
        at++;
    ret_number->size_bytes = (size_t)(text + at - ret_number->text);
    return ret_number->size_bytes > 0 && at < size_bytes && text[at] == ',' ? at + 1 : 0;
}

static bool equal(struct json_slice a, struct json_slice b)
{
    return a.size_bytes == b.size_bytes && memcmp(a.text, b.text, a.size_bytes) == 0;
}

static struct json_slice member(struct json_slice object, const char *name)
{
    struct json_slice key, value, quoted = {name, strlen(name)};

    while (json_next_member(&object, &key, &value))
        if (equal(key, quoted))
            return value;
    return (struct json_slice){0};
}

static bool is_string(struct json_slice value)
{
    return value.size_bytes > 0 && value.text[0] == '"';
}

static bool is_array(struct json_slice value)
{
    return value.size_bytes > 0 && value.text[0] == '[';
}

static bool is_list_of_strings(struct json_slice value)
{
    struct json_slice item;

    if (!is_array(value))
        return false;
    while (json_next_item(&value, &item))
        if (!is_string(item))
            return false;
    return true;
}

bool statement_begin(struct statement *statement, const char *payload, size_t payload_bytes)
{
    static const char NEXT[] = "\"schema\":";
    struct json_slice number;
    size_t at = numbered_bytes(payload, payload_bytes, &number);

    if (at == 0 || payload_bytes - at < sizeof(NEXT) || memcmp(payload + at, NEXT, sizeof(NEXT) - 1) != 0 ||
        payload_bytes > PAYLOAD_BYTES_MAX || !json_is_valid(payload, payload_bytes))
        return false;
    struct json_slice object = {payload, payload_bytes};
    if (!is_string(member(object, "\"schema\"")) || !is_string(member(object, "\"table\"")) ||
        !is_string(member(object, "\"type\"")) || !is_list_of_strings(member(object, "\"key\"")) ||
        !is_list_of_strings(member(object, "\"columns\"")))
        return false;

    if (statement->text.bytes_max == 0) {
        buffer_init(&statement->text, PAYLOAD_BYTES_MAX);
        buffer_init(&statement->whole, FRAME_BYTES_MAX);
    }
    statement_forget(statement);
    buffer_clear(&statement->text);
    buffer_append(&statement->text, payload, payload_bytes);
    if (statement->text.failed)
        return true;
    object.text = buffer_bytes(&statement->text);
    statement->number = (struct json_slice){object.text + (number.text - payload), number.size_bytes};
    statement->schema = member(object, "\"schema\"");
    statement->table = member(object, "\"table\"");
    statement->type = member(object, "\"type\"");
    statement->key = member(object, "\"key\"");
    statement->columns = member(object, "\"columns\"");
    return true;
}

bool statement_is_row(const char *payload, size_t payload_bytes)
{
    static const char NEXT[] = "\"row\":[";
    struct json_slice number;
    size_t at = numbered_bytes(payload, payload_bytes, &number);

    return at > 0 && payload_bytes - at >= sizeof(NEXT) && memcmp(payload + at, NEXT, sizeof(NEXT) - 1) == 0 &&
           json_is_valid(payload, payload_bytes);
}

static void append(struct buffer *whole, const char *before, struct json_slice value)
{
    buffer_append_text(whole, before);
    buffer_append(whole, value.text, value.size_bytes);
}

/* Returns whether there are as many values as columns. */
static bool append_object(struct buffer *whole, struct json_slice columns, struct json_slice values)
{
    struct json_slice name, value;
    const char *before = "";

    buffer_append_text(whole, "{");
    while (json_next_item(&columns, &name)) {
        if (!json_next_item(&values, &value))
            return false;
        append(whole, before, name);
        append(whole, ":", value);
        before = ",";
    }
    buffer_append_text(whole, "}");
    return !json_next_item(&values, &value);
}

static struct json_slice value_of(struct json_slice columns, struct json_slice values, struct json_slice wanted)
{
    struct json_slice name, value;

    while (json_next_item(&columns, &name) && json_next_item(&values, &value))
        if (equal(name, wanted))
            return value;
    return (struct json_slice){"null", 4};
}

/* The key's value; of a key of several columns, an object; null without a key. */
static void append_id(struct buffer *whole, const struct statement *statement, struct json_slice values)
{
    struct json_slice keys = statement->key, name, second;
    const char *before = "{";

    if (!json_next_item(&keys, &name)) {
        buffer_append_text(whole, "null");
        return;
    }
    if (!json_next_item(&keys, &second)) {
        append(whole, "", value_of(statement->columns, values, name));
        return;
    }
    keys = statement->key;
    while (json_next_item(&keys, &name)) {
        append(whole, before, name);
        append(whole, ":", value_of(statement->columns, values, name));
        before = ",";
    }
    buffer_append_text(whole, "}");
}

static void append_changed(struct buffer *whole, struct json_slice columns, struct json_slice values,
                           struct json_slice olds)
{
    struct json_slice name, value, old;
    const char *before = "";

    buffer_append_text(whole, ",\"changed\":[");
    while (json_next_item(&columns, &name) && json_next_item(&values, &value) && json_next_item(&olds, &old)) {
        if (equal(value, old))
            continue;
        append(whole, before, name);
        before = ",";
    }
    buffer_append_text(whole, "]");
}

int statement_expand(struct statement *statement, const char *payload, size_t payload_bytes,
                     struct json_slice *ret_payload)
{
    struct json_slice object = {payload, payload_bytes}, number = {0};
    struct buffer *whole = &statement->whole;

    numbered_bytes(payload, payload_bytes, &number);
    if (statement->number.size_bytes == 0 || !equal(number, statement->number))
        return -ENOENT;
    struct json_slice row = member(object, "\"row\""), old = member(object, "\"old\""), id = member(object, "\"id\"");
    buffer_clear(whole);
    append(whole, "{\"schema\":", statement->schema);
    append(whole, ",\"table\":", statement->table);
    append(whole, ",\"type\":", statement->type);
    append(whole, ",\"id\":", id);
    if (id.size_bytes == 0)
        append_id(whole, statement, row);
    buffer_append_text(whole, ",\"data\":");
    bool fits = append_object(whole, statement->columns, row);
    if (old.size_bytes > 0) {
        buffer_append_text(whole, ",\"old\":");
        fits = is_array(old) && append_object(whole, statement->columns, old) && fits;
        append_changed(whole, statement->columns, row, old);
    }
    buffer_append_text(whole, "}");
    if (!fits)
        return -EBADMSG;
    *ret_payload = (struct json_slice){buffer_bytes(whole), buffer_size(whole)};
    return whole->failed ? -ENOMEM : 0;
}
