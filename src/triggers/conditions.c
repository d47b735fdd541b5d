#include "triggers/conditions.h"

#include "base/limits.h"
#include "stream/json_text.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <string.h>

enum arity { NO_VALUE, ONE_VALUE, LIST };

static const struct {
    const char *op;
    enum arity arity;
} operators[] = {
    {"=", ONE_VALUE},  {"<>", ONE_VALUE}, {"<", ONE_VALUE},      {"<=", ONE_VALUE},         {">", ONE_VALUE},
    {">=", ONE_VALUE}, {"in", LIST},      {"is null", NO_VALUE}, {"is not null", NO_VALUE},
};

static int refuse(struct buffer *problem, const char *sentence)
{
    buffer_append_text(problem, sentence);
    return -EPROTO;
}

const char *condition_word(struct json_object *value)
{
    const char *text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";

    return strlen(text) == (size_t)json_object_get_string_len(value) ? text : "";
}

int condition_check_name(struct json_object *value, const char *member, const char **ret_text, struct buffer *problem)
{
    const char *text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;

    if (!text) {
        buffer_printf(problem, "`%s` must be a string.", member);
        return -EPROTO;
    }
    size_t size = (size_t)json_object_get_string_len(value);
    if (size == 0 || size > CHANNEL_NAME_BYTES_MAX || strlen(text) != size) {
        buffer_printf(problem, "`%s` must be 1 to %d bytes long, without NUL.", member, CHANNEL_NAME_BYTES_MAX);
        return -EPROTO;
    }
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            buffer_printf(problem, "`%s` must not hold control characters.", member);
            return -EPROTO;
        }
    }
    *ret_text = text;
    return 0;
}

static int find_operator(struct json_object *op, enum arity *ret_arity, struct buffer *problem)
{
    const char *name = condition_word(op);

    for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++) {
        if (strcmp(operators[i].op, name) == 0) {
            *ret_arity = operators[i].arity;
            return 0;
        }
    }
    return refuse(problem, "`op` in `where` is one of =, <>, <, <=, >, >=, in, is null and is not null.");
}

static int append_value(struct json_object *value, struct buffer *json, struct buffer *problem)
{
    switch (json_object_get_type(value)) {
    case json_type_boolean:
    case json_type_double:
        buffer_append_text(json, json_object_to_json_string(value));
        return 0;
    case json_type_int:
        /* json-c stops at the ends of 64 bits without a word. */
        if (json_object_get_int64(value) == INT64_MIN || json_object_get_uint64(value) == UINT64_MAX)
            return refuse(problem, "A number in `where` is too large: write it as a string.");
        buffer_append_text(json, json_object_to_json_string(value));
        return 0;
    case json_type_string:
        break;
    case json_type_null:
        return refuse(problem, "A value in `where` is null: use the op \"is null\".");
    case json_type_array:
    case json_type_object:
        return refuse(problem, "A value in `where` must be a string, a number, true or false.");
    }
    size_t size = (size_t)json_object_get_string_len(value);
    if (size > TRIGGER_VALUE_BYTES_MAX || strlen(json_object_get_string(value)) != size) {
        buffer_printf(problem, "A string in `where` has at most %d bytes, without NUL.", TRIGGER_VALUE_BYTES_MAX);
        return -EPROTO;
    }
    json_append_string(json, json_object_get_string(value), size);
    return 0;
}

static int append_list(struct json_object *list, struct buffer *json, struct buffer *problem)
{
    size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

    if (count == 0 || count > TRIGGER_VALUES_MAX) {
        buffer_printf(problem, "`value` for the op \"in\" is a list of 1 to %d values.", TRIGGER_VALUES_MAX);
        return -EPROTO;
    }
    buffer_append_text(json, "[");
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(json, i > 0 ? "," : "");
        int error = append_value(json_object_array_get_idx(list, i), json, problem);
        if (error < 0)
            return error;
    }
    buffer_append_text(json, "]");
    return 0;
}

static int take_condition(struct json_object *item, struct buffer *json, struct buffer *problem)
{
    struct json_object *column, *op, *value = NULL;
    const char *name;
    enum arity arity = NO_VALUE;

    if (!json_object_is_type(item, json_type_object) || !json_object_object_get_ex(item, "column", &column) ||
        !json_object_object_get_ex(item, "op", &op))
        return refuse(problem,
                      "A condition in `where` has a `column`, an `op` and, unless the op is about null, a `value`.");
    bool has_value = json_object_object_get_ex(item, "value", &value);
    int error = condition_check_name(column, "column", &name, problem);
    if (error == 0)
        error = find_operator(op, &arity, problem);
    if (error < 0)
        return error;
    if (has_value != (arity != NO_VALUE) || json_object_object_length(item) != 2 + has_value)
        return refuse(problem,
                      "A condition in `where` has a `column`, an `op` and a `value`, which only \"is null\" and "
                      "\"is not null\" do without, and nothing else.");
    buffer_append_text(json, "{\"column\":");
    json_append_string(json, name, strlen(name));
    buffer_printf(json, ",\"op\":\"%s\"", json_object_get_string(op));
    if (has_value)
        buffer_append_text(json, ",\"value\":");
    if (arity == ONE_VALUE)
        error = append_value(value, json, problem);
    else if (arity == LIST)
        error = append_list(value, json, problem);
    buffer_append_text(json, "}");
    return error;
}

int conditions_take(struct json_object *value, struct buffer *json, struct buffer *problem)
{
    size_t count =
        json_object_is_type(value, json_type_array) ? json_object_array_length(value) : TRIGGER_CONDITIONS_MAX + 1;

    if (count > TRIGGER_CONDITIONS_MAX) {
        buffer_printf(problem, "`where` must be a list of at most %d conditions.", TRIGGER_CONDITIONS_MAX);
        return -EPROTO;
    }
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(json, i > 0 ? "," : ",\"where\":[");
        int error = take_condition(json_object_array_get_idx(value, i), json, problem);
        if (error < 0)
            return error;
    }
    buffer_append_text(json, count > 0 ? "]" : "");
    return 0;
}
