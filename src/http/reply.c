#include "http/reply.h"

#include "http/cors.h"
#include "stream/json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { DETAIL_BYTES = 1024 };

const char *status_title(unsigned status)
{
    const char *title = MHD_get_reason_phrase_for(status);

    return title ? title : "Unknown";
}

bool reply_add_header(struct MHD_Response *response, const char *name, const char *value)
{
    return MHD_add_response_header(response, name, value) == MHD_YES;
}

struct MHD_Response *reply_new(const char *content_type, const void *bytes, size_t size_bytes)
{
    /* The library copies; its declaration lacks a const. */
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size_bytes, (void *)(uintptr_t)bytes, MHD_RESPMEM_MUST_COPY);

    if (response && content_type)
        reply_add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    return response;
}

static void add_member(struct buffer *json, const char *name, const char *value)
{
    if (!value || !value[0])
        return;
    buffer_printf(json, ",\"%s\":", name);
    json_append_string(json, value, strlen(value));
}

void reply_append_problem(struct buffer *json, unsigned status, const struct trigger_answer *from_database,
                          const char *detail)
{
    buffer_append_text(json, "{\"type\":\"about:blank\",\"title\":");
    json_append_string(json, status_title(status), strlen(status_title(status)));
    buffer_printf(json, ",\"status\":%u", status);
    add_member(json, "detail", detail);
    if (from_database) {
        add_member(json, "sqlstate", from_database->sqlstate);
        add_member(json, "database_detail", from_database->detail);
        add_member(json, "hint", from_database->hint);
    }
    buffer_append_text(json, "}\n");
}

struct MHD_Response *reply_new_problem(unsigned status, const struct trigger_answer *from_database, const char *detail)
{
    struct MHD_Response *response = NULL;
    struct buffer json;

    buffer_init(&json, 1 << 18);
    reply_append_problem(&json, status, from_database, detail);
    if (!json.failed)
        response = reply_new("application/problem+json", buffer_bytes(&json), buffer_size(&json));
    buffer_done(&json);
    if (response)
        reply_add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    return response;
}

enum MHD_Result reply_queue(struct exchange *exchange, unsigned status, struct MHD_Response *response)
{
    if (!response)
        return MHD_NO;
    cors_add(exchange, response);
    reply_add_header(response, "X-Content-Type-Options", "nosniff");
    reply_add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    enum MHD_Result result = MHD_queue_response(exchange->connection, status, response);
    MHD_destroy_response(response);
    exchange->status = status;
    exchange->stats->responses[status / 100 < 6 ? status / 100 : 0]++;
    return result;
}

enum MHD_Result reply_bytes(struct exchange *exchange, unsigned status, const char *content_type, const void *bytes,
                            size_t size_bytes)
{
    return reply_queue(exchange, status, reply_new(content_type, bytes, size_bytes));
}

enum MHD_Result reply_json(struct exchange *exchange, unsigned status, const char *json)
{
    struct MHD_Response *response = reply_new("application/json", json, strlen(json));

    if (response)
        reply_add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    return reply_queue(exchange, status, response);
}

enum MHD_Result reply_problem(struct exchange *exchange, unsigned status, const char *format, ...)
{
    char detail[DETAIL_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(detail, sizeof(detail), format, arguments);
    va_end(arguments);
    return reply_queue(exchange, status, reply_new_problem(status, NULL, detail));
}
