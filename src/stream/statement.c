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

/* The members of one of our two forms; names have their quotes, as in the text. */
enum { SCHEMA, TABLE, TYPE, OP, KEY, COLUMNS, BEGINNING_MEMBERS };
enum { ROW, OLD, OWN_ID, ROW_MEMBERS };

static const char *const beginning_names[BEGINNING_MEMBERS] = {"\"schema\"", "\"table\"", "\"type\"",
                                                               "\"op\"",     "\"key\"",   "\"columns\""};
static const char *const row_names[ROW_MEMBERS] = {"\"row\"", "\"old\"", "\"id\""};

/* Leaves values empty that are not there. False when one is there twice: nobody can say which is meant. */
static bool find_members(struct json_slice object, const char *const names[], struct json_slice values[], size_t count)
{
    struct json_slice key, value;

    while (json_next_member(&object, &key, &value)) {
        for (size_t i = 0; i < count; i++) {
            if (!equal(key, (struct json_slice){names[i], strlen(names[i])}))
                continue;
            if (values[i].size_bytes > 0)
                return false;
            values[i] = value;
        }
    }
    return true;
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

/* A name may stand there twice, as a column may in an index; but each brings its value along, so their number is
 * bounded. */
static bool is_key(struct json_slice value)
{
    struct json_slice name;
    size_t count = 0;

    if (!is_list_of_strings(value))
        return false;
    while (json_next_item(&value, &name))
        count++;
    return count <= KEY_COLUMNS_MAX;
}

static bool find_beginning(struct json_slice object, struct json_slice values[BEGINNING_MEMBERS])
{
    return find_members(object, beginning_names, values, BEGINNING_MEMBERS) && is_string(values[SCHEMA]) &&
           is_string(values[TABLE]) && is_string(values[TYPE]) &&
           (values[OP].size_bytes == 0 || is_string(values[OP])) && is_key(values[KEY]) &&
           is_list_of_strings(values[COLUMNS]);
}

bool statement_begin(struct statement *statement, int sender, const char *payload, size_t payload_bytes)
{
    static const char NEXT[] = "\"schema\":";
    struct json_slice object = {payload, payload_bytes}, values[BEGINNING_MEMBERS] = {0}, number;
    size_t at = numbered_bytes(payload, payload_bytes, &number);

    if (at == 0 || payload_bytes - at < sizeof(NEXT) || memcmp(payload + at, NEXT, sizeof(NEXT) - 1) != 0 ||
        payload_bytes > PAYLOAD_BYTES_MAX || !json_is_valid(payload, payload_bytes) || !find_beginning(object, values))
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
    /* The same places, in our copy. */
    const char *text = buffer_bytes(&statement->text);
    struct json_slice *const kept[BEGINNING_MEMBERS] = {&statement->schema, &statement->table, &statement->type,
                                                        &statement->op,     &statement->key,   &statement->columns};
    for (size_t i = 0; i < BEGINNING_MEMBERS; i++)
        *kept[i] = values[i].size_bytes == 0
                       ? (struct json_slice){text, 0}
                       : (struct json_slice){text + (values[i].text - payload), values[i].size_bytes};
    statement->number = (struct json_slice){text + (number.text - payload), number.size_bytes};
    statement->sender = sender;
    return true;
}

bool statement_is_row(const char *payload, size_t payload_bytes)
{
    static const char NEXT[] = "\"row\":[";
    struct json_slice object = {payload, payload_bytes}, values[ROW_MEMBERS] = {0}, number;
    size_t at = numbered_bytes(payload, payload_bytes, &number);

    return at > 0 && payload_bytes - at >= sizeof(NEXT) && memcmp(payload + at, NEXT, sizeof(NEXT) - 1) == 0 &&
           json_is_valid(payload, payload_bytes) && find_members(object, row_names, values, ROW_MEMBERS) &&
           (values[OLD].size_bytes == 0 || is_array(values[OLD]));
}

static void append(struct buffer *whole, const char *before, struct json_slice value)
{
    buffer_append_text(whole, before);
    buffer_append(whole, value.text, value.size_bytes);
}

static bool is_space(char letter)
{
    return letter == ' ' || letter == '\t' || letter == '\n' || letter == '\r';
}

/* An item of a list with the white space around it: a column of the type json has its own, and is the same in a row
 * that is sent by itself. */
static struct json_slice with_space(struct json_slice item)
{
    while (is_space(item.text[-1])) {
        item.text--;
        item.size_bytes++;
    }
    while (is_space(item.text[item.size_bytes]))
        item.size_bytes++;
    return item;
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
        append(whole, ":", with_space(value));
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
        if (equal(with_space(value), with_space(old)))
            continue;
        append(whole, before, name);
        before = ",";
    }
    buffer_append_text(whole, "]");
}

static bool is_delete_by_another(const struct statement *statement)
{
    static const struct json_slice type = {"\"DELETE\"", 8};

    return statement->op.size_bytes > 0 && equal(statement->type, type) && !equal(statement->op, type);
}

int statement_expand(struct statement *statement, int sender, const char *payload, size_t payload_bytes,
                     struct json_slice *ret_payload)
{
    struct json_slice object = {payload, payload_bytes}, values[ROW_MEMBERS] = {0}, number = {0};
    struct buffer *whole = &statement->whole;

    numbered_bytes(payload, payload_bytes, &number);
    if (statement->number.size_bytes == 0 || !equal(number, statement->number) || sender != statement->sender)
        return -ENOENT;
    find_members(object, row_names, values, ROW_MEMBERS);
    struct json_slice row = values[ROW], old = values[OLD];
    buffer_clear(whole);
    append(whole, "{\"schema\":", statement->schema);
    append(whole, ",\"table\":", statement->table);
    append(whole, ",\"type\":", statement->type);
    if (statement->op.size_bytes > 0)
        append(whole, ",\"op\":", statement->op);
    append(whole, ",\"id\":", values[OWN_ID]);
    if (values[OWN_ID].size_bytes == 0)
        append_id(whole, statement, row);
    buffer_append_text(whole, is_delete_by_another(statement) ? ",\"data\":null,\"_was\":" : ",\"data\":");
    bool fits = append_object(whole, statement->columns, row);
    if (old.size_bytes > 0) {
        buffer_append_text(whole, ",\"old\":");
        fits = append_object(whole, statement->columns, old) && fits;
        append_changed(whole, statement->columns, row, old);
    }
    buffer_append_text(whole, "}");
    if (!fits)
        return -EBADMSG;
    *ret_payload = (struct json_slice){buffer_bytes(whole), buffer_size(whole)};
    return whole->failed ? -ENOMEM : 0;
}
