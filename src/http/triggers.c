/* GET /triggers, and GET, PUT, DELETE /triggers/{name}. The answer comes from the database, so the connection
 * is suspended meanwhile. */
#include "http/http_server.h"
#include "http/reply.h"
#include "http/routes.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static unsigned status_for(const char *sqlstate)
{
    static const struct {
        const char *sqlstate; /* or the class: its first two characters */
        unsigned status;
    } table[] = {
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

static void on_answer(void *context, const struct trigger_answer *answer)
{
    struct exchange *exchange = context;
    struct MHD_Response *response;
    unsigned status;

    if (answer->sqlstate) {
        status = status_for(answer->sqlstate);
        response = reply_new_problem(status, answer, answer->message);
    } else if (strcmp(exchange->method, "DELETE") == 0) {
        status = MHD_HTTP_NO_CONTENT;
        response = reply_new(NULL, "", 0);
    } else {
        status = answer->created ? MHD_HTTP_CREATED : MHD_HTTP_OK;
        response = reply_new("application/json", answer->json, strlen(answer->json));
        if (response)
            reply_add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
        if (response && answer->created)
            reply_add_header(response, MHD_HTTP_HEADER_LOCATION, exchange->target);
    }
    resume(exchange, status, response);
}

static enum MHD_Result call(struct exchange *exchange, const struct trigger_request *request)
{
    int error = exchange->services->call_trigger(exchange->services->context, request, on_answer, exchange);

    if (error < 0)
        return reply_problem(exchange, MHD_HTTP_SERVICE_UNAVAILABLE,
                             "Too many requests wait for the database. Try again.");
    exchange->suspended = true;
    MHD_suspend_connection(exchange->connection);
    return MHD_YES;
}

static enum MHD_Result call_by_name(struct exchange *exchange, struct trigger_request request)
{
    request.name = exchange->segment;
    if (!trigger_name_is_valid(request.name))
        return reply_problem(exchange, MHD_HTTP_BAD_REQUEST,
                             "A trigger's name has 1 to %d characters of A-Z a-z 0-9 _ - and the dot.",
                             TRIGGER_NAME_BYTES_MAX);
    return call(exchange, &request);
}

enum MHD_Result triggers_list(struct exchange *exchange)
{
    return call(exchange, &(struct trigger_request){
                              .verb = TRIGGER_LIST,
                              .schema = query_first(&exchange->query, "schema"),
                              .table = query_first(&exchange->query, "table"),
                              .channel = query_first(&exchange->query, "channel"),
                          });
}

enum MHD_Result triggers_get(struct exchange *exchange)
{
    return call_by_name(exchange, (struct trigger_request){.verb = TRIGGER_GET});
}

enum MHD_Result triggers_delete(struct exchange *exchange)
{
    return call_by_name(exchange, (struct trigger_request){.verb = TRIGGER_DELETE});
}

static bool has_json_type(const struct exchange *exchange)
{
    static const char json[] = "application/json";
    const char *type = exchange_header(exchange, MHD_HTTP_HEADER_CONTENT_TYPE);
    size_t size = sizeof(json) - 1;

    return type && strncasecmp(type, json, size) == 0 && (type[size] == '\0' || type[size] == ';' || type[size] == ' ');
}

static bool schema_allowed(const struct exchange *exchange, const char *schema)
{
    const struct text_list *schemas = &exchange->services->config(exchange->services->context)->triggers.schemas;

    return text_list_has(schemas, schema);
}

enum MHD_Result triggers_put(struct exchange *exchange)
{
    struct trigger_definition definition = {0};
    enum MHD_Result result;
    struct buffer problem;

    if (!has_json_type(exchange))
        return reply_problem(exchange, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                             "Send the definition as Content-Type: application/json.");
    buffer_init(&problem, 1024);
    int error =
        trigger_definition_parse(buffer_bytes(&exchange->body), buffer_size(&exchange->body), &definition, &problem);
    if (error == -EINVAL || error == -EPROTO)
        result = reply_problem(exchange, error == -EINVAL ? MHD_HTTP_BAD_REQUEST : MHD_HTTP_UNPROCESSABLE_CONTENT, "%s",
                               buffer_text(&problem));
    else if (error < 0)
        result = MHD_NO;
    else if (!schema_allowed(exchange, definition.schema))
        result = reply_problem(exchange, MHD_HTTP_FORBIDDEN,
                               "Schema \"%s\" is not among those that the setting triggers.schemas allows.",
                               definition.schema);
    else
        result = call_by_name(exchange, (struct trigger_request){.verb = TRIGGER_PUT, .definition = &definition});
    trigger_definition_done(&definition);
    buffer_done(&problem);
    return result;
}
