/* /triggers, /triggers/{name} and /tables. The answer comes from the database, so the connection is suspended
 * meanwhile. */
#include "base/log.h"
#include "http/entity_tag.h"
#include "http/http_server.h"
#include "http/reply.h"
#include "http/routes.h"
#include "stream/json_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { ETAG_BYTES_MAX = 40, NAME_ROOM_BYTES = 256, PROBLEM_BYTES_MAX = 1024 };

static unsigned status_for(const char *sqlstate)
{
    static const struct {
        const char *sqlstate; /* or the class: its first two characters */
        unsigned status;
    } table[] = {
        {"TC409", MHD_HTTP_CONFLICT},            /* our own: the database as it is does not allow it */
        {"TC412", MHD_HTTP_PRECONDITION_FAILED}, /* our own: an entity tag */
        {"TC503", MHD_HTTP_SERVICE_UNAVAILABLE}, /* our own: what is installed is nobody's who is trusted */
        {"P0002", MHD_HTTP_NOT_FOUND},           /* no_data_found: no such trigger */
        {"42P01", MHD_HTTP_NOT_FOUND},           /* undefined_table */
        {"3F000", MHD_HTTP_SERVICE_UNAVAILABLE}, /* invalid_schema_name: ours is not installed */
        {"42883", MHD_HTTP_SERVICE_UNAVAILABLE}, /* undefined_function: likewise */
        {"42710", MHD_HTTP_CONFLICT},            /* duplicate_object */
        {"55P03", MHD_HTTP_CONFLICT},            /* lock_not_available */
        {"40P01", MHD_HTTP_CONFLICT},            /* deadlock_detected */
        {"57014", MHD_HTTP_SERVICE_UNAVAILABLE}, /* query_canceled: statement_timeout */
        {"42501", MHD_HTTP_FORBIDDEN},           /* insufficient_privilege */
        {"42", MHD_HTTP_UNPROCESSABLE_CONTENT},  /* whatever else cannot be done with that table */
        {"0A", MHD_HTTP_UNPROCESSABLE_CONTENT},  /* feature_not_supported */
        {"22", MHD_HTTP_UNPROCESSABLE_CONTENT},  /* data exception */
        {"08", MHD_HTTP_SERVICE_UNAVAILABLE},    /* connection exception */
        {"57", MHD_HTTP_SERVICE_UNAVAILABLE},    /* operator intervention */
        {"53", MHD_HTTP_SERVICE_UNAVAILABLE},    /* insufficient resources */
        {"25", MHD_HTTP_SERVICE_UNAVAILABLE},    /* a standby: read-only transaction */
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (strncmp(sqlstate, table[i].sqlstate, strlen(table[i].sqlstate)) == 0)
            return table[i].status;
    return MHD_HTTP_INTERNAL_SERVER_ERROR;
}

/* Keeps the response and wakes the connection; the library then calls the handler again, which queues it. */
static void resume(struct exchange *exchange, unsigned status, struct MHD_Response *response)
{
    exchange->late_status = status;
    exchange->late_response = response;
    exchange->suspended = false;
    MHD_resume_connection(exchange->connection);
    http_server_kick(exchange->server);
}

static bool find_member(struct json_slice object, const char *name, struct json_slice *ret_value)
{
    struct json_slice key;

    while (json_next_member(&object, &key, ret_value))
        if (key.size_bytes == strlen(name) + 2 && memcmp(key.text + 1, name, strlen(name)) == 0)
            return true;
    return false;
}

/* A member of a JSON object that is a string, as it stands between its quotes; false: there is none, or no room. */
static bool member_text(struct json_slice object, const char *name, char *ret_text, size_t room_bytes)
{
    struct json_slice value;

    if (!find_member(object, name, &value) || value.text[0] != '"' || value.size_bytes - 2 >= room_bytes)
        return false;
    memcpy(ret_text, value.text + 1, value.size_bytes - 2);
    ret_text[value.size_bytes - 2] = '\0';
    return true;
}

static bool answer_text(const char *json, const char *name, char *ret_text, size_t room_bytes)
{
    return member_text((struct json_slice){json, strlen(json)}, name, ret_text, room_bytes);
}

static bool is_on(const struct exchange *exchange, const char *parameter)
{
    const char *value = query_first(&exchange->query, parameter);

    return value && strcmp(value, "true") == 0;
}

static bool is_dry_run(const struct exchange *exchange)
{
    return is_on(exchange, "dry_run");
}

/* Entity tags of a header as the database compares them: without quotes and without the mark of weak ones. *ret_etags
 * is lent by out, and NULL without the header. Returns 0 or -ENOMEM: a condition is never forgotten. */
static int take_etags(const struct exchange *exchange, const char *header, struct buffer *out, const char **ret_etags)
{
    struct buffer lines;

    buffer_init(&lines, 2 * HTTP_HEAD_BYTES_MAX);
    buffer_init(out, 2 * HTTP_HEAD_BYTES_MAX);
    const char *value = exchange_header_lines(exchange, header, ",", &lines);
    bool is_there = value != NULL;
    for (; value && *value; value++) {
        if (value[0] == 'W' && value[1] == '/')
            value++;
        else if (*value != '"' && *value != ' ' && *value != '\t')
            buffer_append(out, value, 1);
    }
    bool failed = lines.failed;
    buffer_done(&lines);
    *ret_etags = is_there && !failed ? buffer_text(out) : NULL;
    return failed || out->failed ? -ENOMEM : 0;
}

/* A trigger, or a list of them, as the database gave it. */
static struct MHD_Response *new_answer(struct exchange *exchange, const struct trigger_answer *answer,
                                       unsigned *ret_status)
{
    struct MHD_Response *response;
    char text[ETAG_BYTES_MAX + 3] = "\"", location[sizeof("/triggers/") + TRIGGER_NAME_BYTES_MAX] = "/triggers/";
    bool is_trigger = answer_text(answer->json, "etag", text + 1, ETAG_BYTES_MAX);

    if (is_trigger)
        strcat(text, "\"");
    *ret_status = answer->created && !is_dry_run(exchange) ? MHD_HTTP_CREATED : MHD_HTTP_OK;
    if (is_trigger && strcmp(exchange->method, "PUT") != 0 && strcmp(exchange->method, "POST") != 0 &&
        entity_tag_is_known(exchange, text))
        *ret_status = MHD_HTTP_NOT_MODIFIED;
    if (*ret_status == MHD_HTTP_NOT_MODIFIED)
        response = reply_new(NULL, "", 0);
    else
        response = reply_new("application/json", answer->json, strlen(answer->json));
    if (!response)
        return NULL;
    reply_add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
    if (is_trigger)
        reply_add_header(response, MHD_HTTP_HEADER_ETAG, text);
    if (*ret_status == MHD_HTTP_CREATED &&
        answer_text(answer->json, "name", location + strlen(location), TRIGGER_NAME_BYTES_MAX + 1))
        reply_add_header(response, MHD_HTTP_HEADER_LOCATION, location);
    return response;
}

static bool table_allowed(const struct exchange *exchange, const char *schema, const char *table)
{
    return config_table_allowed(exchange->services->config(exchange->services->context), schema, table);
}

static struct MHD_Response *new_forbidden(const char *schema, const char *table)
{
    char detail[1024];

    snprintf(detail, sizeof(detail),
             "Table \"%s.%s\" is not among those that the settings triggers.schemas and triggers.tables allow.", schema,
             table);
    return reply_new_problem(MHD_HTTP_FORBIDDEN, NULL, detail);
}

static void log_change(const struct exchange *exchange, unsigned status)
{
    if (strcmp(exchange->method, "GET") != 0 && strcmp(exchange->method, "HEAD") != 0 && !is_dry_run(exchange))
        log_info("trigger changed", log_text("method", exchange->method), log_text("path", exchange->target),
                 log_number("status", status));
}

static void on_answer(void *context, const struct trigger_answer *answer)
{
    struct exchange *exchange = context;
    struct MHD_Response *response;
    unsigned status;

    if (answer->sqlstate) {
        status = status_for(answer->sqlstate);
        response = reply_new_problem(status, answer, answer->message);
    } else if (strcmp(exchange->method, "DELETE") == 0 && !is_dry_run(exchange)) {
        status = MHD_HTTP_NO_CONTENT;
        response = reply_new(NULL, "", 0);
    } else {
        response = new_answer(exchange, answer, &status);
    }
    if (!answer->sqlstate)
        log_change(exchange, status);
    resume(exchange, status, response);
}

static int add_call(struct exchange *exchange, const struct trigger_request *request, trigger_done done)
{
    return exchange->services->call_trigger(exchange->services->context, request, done, exchange);
}

/* error: of add_call. */
static enum MHD_Result wait_for(struct exchange *exchange, int error)
{
    if (error < 0)
        return reply_problem(exchange, MHD_HTTP_SERVICE_UNAVAILABLE,
                             "Too many requests wait for the database. Try again.");
    exchange->suspended = true;
    MHD_suspend_connection(exchange->connection);
    return MHD_YES;
}

static enum MHD_Result call(struct exchange *exchange, const struct trigger_request *request, trigger_done done)
{
    return wait_for(exchange, add_call(exchange, request, done));
}

/* Answers when the query has a parameter that is none of names (separated by spaces), or has one twice, or a switch is
 * neither on nor off: whoever meant to try something out must not change it by a slip. */
static bool check_query(struct exchange *exchange, const char *names, enum MHD_Result *ret_result)
{
    for (size_t i = 0; i < exchange->query.count; i++) {
        const char *name = exchange->query.items[i].name, *value = exchange->query.items[i].value;
        const char *found = name[0] ? strstr(names, name) : NULL;
        if (!found || strchr(name, ' ') || (found[strlen(name)] != ' ' && found[strlen(name)] != '\0') ||
            (found != names && found[-1] != ' ')) {
            *ret_result =
                reply_problem(exchange, MHD_HTTP_BAD_REQUEST, "The parameter \"%.64s\" is not known here%s%s.", name,
                              names[0] ? "; these are: " : "", names);
            return false;
        }
        if (value != query_first(&exchange->query, name)) {
            *ret_result =
                reply_problem(exchange, MHD_HTTP_BAD_REQUEST, "The parameter \"%.64s\" is given twice.", name);
            return false;
        }
        bool is_switch = strcmp(name, "dry_run") == 0 || strcmp(name, "whole_channel") == 0;
        if (is_switch && strcmp(value, "true") != 0 && strcmp(value, "false") != 0) {
            *ret_result = reply_problem(exchange, MHD_HTTP_BAD_REQUEST, "%s is true or false.", name);
            return false;
        }
    }
    return true;
}

static bool check_name(struct exchange *exchange, enum MHD_Result *ret_result)
{
    if (trigger_name_is_valid(exchange->segment))
        return true;
    *ret_result = reply_problem(exchange, MHD_HTTP_BAD_REQUEST,
                                "A trigger's name has 1 to %d characters of A-Z a-z 0-9 _ - and the dot.",
                                TRIGGER_NAME_BYTES_MAX);
    return false;
}

enum MHD_Result triggers_list(struct exchange *exchange)
{
    enum MHD_Result result;

    if (!check_query(exchange, "schema table channel", &result))
        return result;
    return call(exchange,
                &(struct trigger_request){
                    .verb = TRIGGER_LIST,
                    .schema = query_first(&exchange->query, "schema"),
                    .table = query_first(&exchange->query, "table"),
                    .channel = query_first(&exchange->query, "channel"),
                },
                on_answer);
}

enum MHD_Result tables_list(struct exchange *exchange)
{
    enum MHD_Result result;

    if (!check_query(exchange, "schema", &result))
        return result;
    return call(exchange,
                &(struct trigger_request){
                    .verb = TRIGGER_TABLES,
                    .schema = query_first(&exchange->query, "schema"),
                    .schemas = &exchange->services->config(exchange->services->context)->triggers.schemas,
                },
                on_answer);
}

enum MHD_Result triggers_get(struct exchange *exchange)
{
    enum MHD_Result result;

    if (!check_query(exchange, "", &result) || !check_name(exchange, &result))
        return result;
    return call(exchange, &(struct trigger_request){.verb = TRIGGER_GET, .name = exchange->segment}, on_answer);
}

/* The schema and the table of a trigger's JSON, in their room; and whether that table may be touched. Names with
 * escapes in them are matched as they stand in JSON. */
static bool trigger_allowed(const struct exchange *exchange, struct json_slice trigger, char *ret_schema,
                            char *ret_table)
{
    ret_schema[0] = ret_table[0] = '\0';
    return member_text(trigger, "schema", ret_schema, NAME_ROOM_BYTES) &&
           member_text(trigger, "table", ret_table, NAME_ROOM_BYTES) && table_allowed(exchange, ret_schema, ret_table);
}

static void resume_busy(struct exchange *exchange)
{
    resume(exchange, MHD_HTTP_SERVICE_UNAVAILABLE,
           reply_new_problem(MHD_HTTP_SERVICE_UNAVAILABLE, NULL, "Too many requests wait for the database."));
}

/* The trigger that is to be dropped: it is dropped as it is now, and only from a table that may be touched. */
static void on_found(void *context, const struct trigger_answer *answer)
{
    struct exchange *exchange = context;
    char schema[NAME_ROOM_BYTES], table[NAME_ROOM_BYTES], etag[ETAG_BYTES_MAX];
    struct buffer buffer;

    if (answer->sqlstate || !answer_text(answer->json, "etag", etag, sizeof(etag))) {
        on_answer(context, answer);
        return;
    }
    if (!trigger_allowed(exchange, (struct json_slice){answer->json, strlen(answer->json)}, schema, table)) {
        resume(exchange, MHD_HTTP_FORBIDDEN, new_forbidden(schema, table));
        return;
    }
    const char *if_match;
    int error = take_etags(exchange, MHD_HTTP_HEADER_IF_MATCH, &buffer, &if_match);
    const struct trigger_request request = {.verb = TRIGGER_DELETE,
                                            .name = exchange->segment,
                                            .if_match = if_match && strcmp(if_match, "*") != 0 ? if_match : etag,
                                            .dry_run = is_dry_run(exchange)};
    if (error == 0)
        error = add_call(exchange, &request, on_answer);
    buffer_done(&buffer);
    if (error < 0)
        resume_busy(exchange);
}

enum MHD_Result triggers_delete(struct exchange *exchange)
{
    enum MHD_Result result;

    if (!check_query(exchange, "dry_run", &result) || !check_name(exchange, &result))
        return result;
    return call(exchange, &(struct trigger_request){.verb = TRIGGER_GET, .name = exchange->segment}, on_found);
}

static bool has_json_type(const struct exchange *exchange)
{
    static const char json[] = "application/json";
    const char *type = exchange_header(exchange, MHD_HTTP_HEADER_CONTENT_TYPE);
    size_t size = sizeof(json) - 1;

    return type && strncasecmp(type, json, size) == 0 && (type[size] == '\0' || type[size] == ';' || type[size] == ' ');
}

/* 0, or the error of the queue. Without a segment in its address the database chooses the name. */
static int add_put(struct exchange *exchange, const struct trigger_definition *definition)
{
    const char *if_match, *if_none_match;
    struct buffer match, none_match;
    int error = take_etags(exchange, MHD_HTTP_HEADER_IF_MATCH, &match, &if_match);
    int second_error = take_etags(exchange, MHD_HTTP_HEADER_IF_NONE_MATCH, &none_match, &if_none_match);
    const struct trigger_request request = {
        .verb = TRIGGER_PUT,
        .name = exchange->segment,
        .definition = definition,
        .if_match = if_match,
        .if_none_match = if_none_match,
        .dry_run = is_dry_run(exchange),
    };

    if (error == 0)
        error = second_error;
    if (error == 0)
        error = add_call(exchange, &request, on_answer);
    buffer_done(&match);
    buffer_done(&none_match);
    return error;
}

static int parse_body(struct exchange *exchange, struct trigger_definition *ret_definition, struct buffer *problem)
{
    const struct json_slice body = {buffer_bytes(&exchange->body), buffer_size(&exchange->body)};

    return trigger_definition_parse(body, is_on(exchange, "whole_channel"), ret_definition, problem);
}

/* The triggers of a channel that is to be moved as a whole: all of their tables must be such that may be touched. The
 * definition is read once more, which went well before. */
static void on_channel(void *context, const struct trigger_answer *answer)
{
    struct exchange *exchange = context;
    struct trigger_definition definition = {0};
    struct json_slice items = {"", 0}, trigger;
    char schema[NAME_ROOM_BYTES], table[NAME_ROOM_BYTES];
    struct buffer problem;

    if (answer->sqlstate) {
        on_answer(context, answer);
        return;
    }
    find_member((struct json_slice){answer->json, strlen(answer->json)}, "items", &items);
    while (json_next_item(&items, &trigger)) {
        if (!trigger_allowed(exchange, trigger, schema, table)) {
            resume(exchange, MHD_HTTP_FORBIDDEN, new_forbidden(schema, table));
            return;
        }
    }
    buffer_init(&problem, PROBLEM_BYTES_MAX);
    if (parse_body(exchange, &definition, &problem) < 0 || add_put(exchange, &definition) < 0)
        resume_busy(exchange);
    trigger_definition_done(&definition);
    buffer_done(&problem);
}

static enum MHD_Result put(struct exchange *exchange, const struct trigger_definition *definition)
{
    if (is_on(exchange, "whole_channel"))
        return call(exchange, &(struct trigger_request){.verb = TRIGGER_LIST, .channel = definition->channel},
                    on_channel);
    return wait_for(exchange, add_put(exchange, definition));
}

static enum MHD_Result take_body(struct exchange *exchange)
{
    struct trigger_definition definition = {0};
    enum MHD_Result result;
    struct buffer problem;

    if (!has_json_type(exchange))
        return reply_problem(exchange, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                             "Send the definition as Content-Type: application/json.");
    buffer_init(&problem, PROBLEM_BYTES_MAX);
    int error = parse_body(exchange, &definition, &problem);
    if (error == -EINVAL || error == -EPROTO)
        result = reply_problem(exchange, error == -EINVAL ? MHD_HTTP_BAD_REQUEST : MHD_HTTP_UNPROCESSABLE_CONTENT, "%s",
                               buffer_text(&problem));
    else if (error < 0)
        result = MHD_NO;
    else if (!table_allowed(exchange, definition.schema, definition.table))
        result = reply_queue(exchange, MHD_HTTP_FORBIDDEN, new_forbidden(definition.schema, definition.table));
    else
        result = put(exchange, &definition);
    trigger_definition_done(&definition);
    buffer_done(&problem);
    return result;
}

enum MHD_Result triggers_put(struct exchange *exchange)
{
    enum MHD_Result result;

    if (!check_query(exchange, "dry_run whole_channel", &result) || !check_name(exchange, &result))
        return result;
    return take_body(exchange);
}

enum MHD_Result triggers_post(struct exchange *exchange)
{
    enum MHD_Result result;

    if (!check_query(exchange, "dry_run whole_channel", &result))
        return result;
    return take_body(exchange);
}
