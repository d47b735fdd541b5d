#include "triggers/definition.h"

#include "stream/event.h"
#include "stream/json_text.h"
#include "triggers/conditions.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_DEPTH_MAX = 8 };

bool trigger_name_is_valid(const char *name)
{
    size_t size = strlen(name);

    return size > 0 && size <= TRIGGER_NAME_BYTES_MAX &&
           strspn(name, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_.-") == size;
}

/* A string member as a new text; an identifier or a channel. */
static int take_name(struct json_object *value, const char *member, char **ret_text, struct buffer *problem)
{
    const char *text;
    int error = condition_check_name(value, member, &text, problem);

    if (error < 0)
        return error;
    free(*ret_text);
    *ret_text = strdup(text);
    return *ret_text ? 0 : -ENOMEM;
}

/* "schema.table" or "table"; names that hold a dot themselves need the object form. */
static int split_table(struct trigger_definition *definition, struct buffer *problem)
{
    char *dot = strchr(definition->table, '.');

    if (!dot)
        return 0;
    if (dot == definition->table || dot[1] == '\0' || strchr(dot + 1, '.')) {
        buffer_append_text(problem, "`table` must be \"table\", \"schema.table\", or {\"schema\":..,\"name\":..}.");
        return -EPROTO;
    }
    char *table = strdup(dot + 1);
    if (!table)
        return -ENOMEM;
    *dot = '\0';
    free(definition->schema);
    definition->schema = definition->table;
    definition->table = table;
    return 0;
}

static int take_table(struct json_object *value, struct trigger_definition *definition, struct buffer *problem)
{
    struct json_object *schema, *name;

    if (!json_object_is_type(value, json_type_object)) {
        int error = take_name(value, "table", &definition->table, problem);
        return error < 0 ? error : split_table(definition, problem);
    }
    if (!json_object_object_get_ex(value, "name", &name)) {
        buffer_append_text(problem, "`table` needs a `name`.");
        return -EPROTO;
    }
    bool has_schema = json_object_object_get_ex(value, "schema", &schema);
    if (json_object_object_length(value) != 1 + has_schema) {
        buffer_append_text(problem, "`table` has a `name`, may have a `schema`, and nothing else.");
        return -EPROTO;
    }
    int error = take_name(name, "table.name", &definition->table, problem);
    if (error == 0 && has_schema)
        error = take_name(schema, "table.schema", &definition->schema, problem);
    return error;
}

static int take_operations(struct json_object *value, unsigned *ret_operations, struct buffer *problem)
{
    unsigned operations = 0;
    size_t count = json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;

    for (size_t i = 0; i < count; i++) {
        struct json_object *item = json_object_array_get_idx(value, i);
        const char *name = condition_word(item);
        unsigned operation = event_type_from_name(name, strlen(name));
        if (operation == EVENT_TYPE_NONE || strcmp(name, event_type_name(operation)) != 0 || operations & operation) {
            operations = 0;
            break;
        }
        operations |= operation;
    }
    if (operations == 0) {
        buffer_append_text(
            problem,
            "`operations` must be a list of INSERT, UPDATE, DELETE and TRUNCATE, in capitals, each at most once.");
        return -EPROTO;
    }
    *ret_operations = operations;
    return 0;
}

/* A list of column names, appended to json as it goes to the database. */
static int take_columns(struct json_object *value, const char *member, struct buffer *json, struct buffer *problem)
{
    size_t count = json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;
    const char *name;

    if (count == 0 || count > TRIGGER_COLUMNS_MAX) {
        buffer_printf(problem, "`%s` must be a list of 1 to %d column names.", member, TRIGGER_COLUMNS_MAX);
        return -EPROTO;
    }
    buffer_printf(json, ",\"%s\":[", member);
    for (size_t i = 0; i < count; i++) {
        int error = condition_check_name(json_object_array_get_idx(value, i), member, &name, problem);
        if (error < 0)
            return error;
        buffer_append_text(json, i > 0 ? "," : "");
        json_append_string(json, name, strlen(name));
    }
    buffer_append_text(json, "]");
    return 0;
}

static int take_switch(struct json_object *value, const char *member, struct buffer *json, struct buffer *problem)
{
    if (!json_object_is_type(value, json_type_boolean)) {
        buffer_printf(problem, "`%s` must be true or false.", member);
        return -EPROTO;
    }
    if (json_object_get_boolean(value))
        buffer_printf(json, ",\"%s\":true", member);
    return 0;
}

static int take_level(struct json_object *value, struct buffer *json, struct buffer *problem)
{
    const char *level = condition_word(value);

    if (strcmp(level, "row") != 0 && strcmp(level, "statement") != 0) {
        buffer_append_text(problem, "`level` must be \"row\" or \"statement\".");
        return -EPROTO;
    }
    buffer_printf(json, ",\"level\":\"%s\"", level);
    return 0;
}

/* A member that stands for one thing only, which whoever writes it is to have read about. */
static const struct consent {
    const char *member, *word, *meaning;
} consents[] = {
    {"row_security", "ignored", "all who may read the channel get all rows"},
    {"prepare_transaction", "fails", "PREPARE TRANSACTION fails after a change of this table"},
};

static const struct consent *find_consent(const char *member)
{
    for (size_t i = 0; i < sizeof(consents) / sizeof(*consents); i++)
        if (strcmp(consents[i].member, member) == 0)
            return &consents[i];
    return NULL;
}

static int take_consent(struct json_object *value, const struct consent *consent, struct buffer *json,
                        struct buffer *problem)
{
    const char *word = condition_word(value);

    if (strcmp(word, consent->word) != 0) {
        buffer_printf(problem, "`%s` must be \"%s\", which means that %s, or be left out.", consent->member,
                      consent->word, consent->meaning);
        return -EPROTO;
    }
    buffer_printf(json, ",\"%s\":\"%s\"", consent->member, consent->word);
    return 0;
}

/* json gets what is not in the struct's own members. */
static int take_member(const char *name, struct json_object *value, struct trigger_definition *definition,
                       struct buffer *json, struct buffer *problem)
{
    if (strcmp(name, "table") == 0)
        return take_table(value, definition, problem);
    if (strcmp(name, "channel") == 0)
        return take_name(value, name, &definition->channel, problem);
    if (strcmp(name, "operations") == 0)
        return take_operations(value, &definition->operations, problem);
    if (strcmp(name, "columns") == 0 || strcmp(name, "update_of") == 0)
        return take_columns(value, name, json, problem);
    if (strcmp(name, "old") == 0 || strcmp(name, "durable") == 0 || strcmp(name, "always") == 0)
        return take_switch(value, name, json, problem);
    if (strcmp(name, "level") == 0)
        return take_level(value, json, problem);
    if (strcmp(name, "where") == 0)
        return conditions_take(value, json, problem);
    if (find_consent(name))
        return take_consent(value, find_consent(name), json, problem);
    buffer_printf(
        problem,
        "`%.64s` is not known; a definition has `table`, `channel`, `operations`, `columns`, `update_of`, `old`, "
        "`durable`, `level`, `always`, `where`, `row_security` and `prepare_transaction`.",
        name);
    return -EPROTO;
}

/* json-c keeps the last of two members with one name; whoever sent both meant something else. */
static bool has_doubled_members(struct json_slice object, const struct json_object *parsed)
{
    struct json_slice key, value;
    int count = 0;

    while (json_next_member(&object, &key, &value))
        count++;
    return count != json_object_object_length(parsed);
}

static int take_members(struct json_object *body, struct trigger_definition *definition, struct buffer *json,
                        struct buffer *problem)
{
    struct json_object_iter member;

    json_object_object_foreachC(body, member)
    {
        int error = take_member(member.key, member.val, definition, json, problem);
        if (error < 0)
            return error;
    }
    if (!definition->table) {
        buffer_append_text(problem, "`table` is missing.");
        return -EPROTO;
    }
    return 0;
}

static void append_named(struct buffer *json, const char *name, const char *text)
{
    buffer_printf(json, "\"%s\":", name);
    json_append_string(json, text, strlen(text));
    buffer_append_text(json, ",");
}

/* The whole definition as the database gets it; rest are the members that are not in the struct. */
static int write_json(struct trigger_definition *definition, struct buffer *rest)
{
    const char *separator = "";
    struct buffer json;

    buffer_init(&json, 4 * HTTP_BODY_BYTES_MAX);
    buffer_append_text(&json, "{");
    append_named(&json, "schema", definition->schema);
    append_named(&json, "table", definition->table);
    append_named(&json, "channel", definition->channel);
    buffer_append_text(&json, "\"operations\":[");
    for (unsigned type = EVENT_TYPE_INSERT; type <= EVENT_TYPE_TRUNCATE; type <<= 1) {
        if (!(definition->operations & type))
            continue;
        buffer_printf(&json, "%s\"%s\"", separator, event_type_name((enum event_type)type));
        separator = ",";
    }
    buffer_append_text(&json, "]");
    buffer_append(&json, buffer_bytes(rest), buffer_size(rest));
    buffer_append_text(&json, "}");
    const char *text = rest->failed ? NULL : buffer_text(&json);
    definition->json = text ? strdup(text) : NULL;
    buffer_done(&json);
    return definition->json ? 0 : -ENOMEM;
}

static int fill_defaults(struct trigger_definition *definition, struct buffer *problem)
{
    if (!definition->channel) {
        if (strlen(definition->table) + strlen("_changes") > CHANNEL_NAME_BYTES_MAX) {
            buffer_append_text(problem, "`channel` is needed: the table's name is too long to make one of it.");
            return -EPROTO;
        }
        definition->channel = malloc(CHANNEL_NAME_BYTES_MAX + 1);
        if (definition->channel)
            strcat(strcpy(definition->channel, definition->table), "_changes");
    }
    if (!definition->schema)
        definition->schema = strdup("public");
    return definition->channel && definition->schema ? 0 : -ENOMEM;
}

int trigger_definition_parse(struct json_slice body, bool whole_channel, struct trigger_definition *ret_definition,
                             struct buffer *ret_problem)
{
    struct trigger_definition definition = {.operations = EVENT_TYPE_INSERT | EVENT_TYPE_UPDATE | EVENT_TYPE_DELETE |
                                                          EVENT_TYPE_TRUNCATE};
    struct json_tokener *tokener = json_tokener_new_ex(BODY_DEPTH_MAX);
    struct json_slice trimmed = json_trim(body);
    struct json_object *value = NULL;
    struct buffer rest;
    int error = 0;

    buffer_init(&rest, 4 * HTTP_BODY_BYTES_MAX);
    if (!tokener || body.size_bytes > HTTP_BODY_BYTES_MAX) {
        if (tokener)
            json_tokener_free(tokener);
        return -ENOMEM;
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    /* json-c reads more than JSON (NaN, single quotes): the grammar is checked first. */
    bool valid = json_is_valid(body.text, body.size_bytes);
    bool object = valid && trimmed.text[0] == '{';
    if (object)
        value = json_tokener_parse_ex(tokener, trimmed.text, (int)trimmed.size_bytes);
    if (!valid || (object && !value)) {
        buffer_append_text(ret_problem, "The body is not JSON, or nested too deeply.");
        error = -EINVAL;
    } else if (!object) {
        buffer_append_text(ret_problem, "The body must be a JSON object, such as {\"table\":\"public.posts\"}.");
        error = -EPROTO;
    } else if (has_doubled_members(trimmed, value)) {
        buffer_append_text(ret_problem, "A member is there twice.");
        error = -EPROTO;
    } else {
        error = take_members(value, &definition, &rest, ret_problem);
        buffer_append_text(&rest, whole_channel ? ",\"whole_channel\":true" : "");
    }
    if (error == 0)
        error = fill_defaults(&definition, ret_problem);
    if (error == 0)
        error = write_json(&definition, &rest);
    buffer_done(&rest);
    json_object_put(value);
    json_tokener_free(tokener);
    if (error < 0)
        trigger_definition_done(&definition);
    else
        *ret_definition = definition;
    return error;
}

void trigger_definition_done(struct trigger_definition *definition)
{
    free(definition->schema);
    free(definition->table);
    free(definition->channel);
    free(definition->json);
    *definition = (struct trigger_definition){0};
}
