#include "http/dispatch.h"

#include "http/cors.h"
#include "http/guard.h"
#include "http/host.h"
#include "http/reply.h"
#include "http/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static enum MHD_Result reply_options(struct exchange *exchange, const char *allow)
{
    struct MHD_Response *response = reply_new(NULL, "", 0);

    if (!response)
        return MHD_NO;
    reply_add_header(response, MHD_HTTP_HEADER_ALLOW, allow);
    cors_add_preflight(exchange, allow, response);
    return reply_queue(exchange, MHD_HTTP_NO_CONTENT, response);
}

static enum MHD_Result reply_not_allowed(struct exchange *exchange, const char *allow)
{
    struct MHD_Response *response;

    if (strcmp(exchange->method, "OPTIONS") == 0)
        return reply_options(exchange, allow);
    response = reply_new_problem(MHD_HTTP_METHOD_NOT_ALLOWED, NULL, "This resource does not know that method.");
    if (response)
        reply_add_header(response, MHD_HTTP_HEADER_ALLOW, allow);
    return reply_queue(exchange, MHD_HTTP_METHOD_NOT_ALLOWED, response);
}

/* OPTIONS * asks about the server as a whole (RFC 9110, section 9.3.7). */
static int append_every_method(struct buffer *allow)
{
    buffer_append_text(allow, "GET, HEAD, POST, PUT, DELETE, OPTIONS");
    return -EOPNOTSUPP;
}

/* Finds the route and takes the query apart; answers, and returns false, when the request gets no further. */
static bool find_route(struct exchange *exchange, enum MHD_Result *ret_result)
{
    struct buffer allow;

    buffer_init(&allow, 256);
    int error = strcmp(exchange->target, "*") == 0 ? append_every_method(&allow) : routes_find(exchange, &allow);
    if (error == 0)
        error = query_parse(exchange->query_text, &exchange->query);
    if (error == -ENOENT)
        *ret_result =
            reply_problem(exchange, MHD_HTTP_NOT_FOUND, "There is nothing here. Streams are at /streams/<channel>.");
    else if (error == -EOPNOTSUPP)
        *ret_result = reply_not_allowed(exchange, buffer_text(&allow));
    else if (error == -EINVAL || error == -E2BIG)
        *ret_result =
            reply_problem(exchange, MHD_HTTP_BAD_REQUEST,
                          error == -EINVAL ? "The address has a bad %%-escape, or a NUL." : "Too many parameters.");
    else if (error < 0)
        *ret_result = MHD_NO;
    buffer_done(&allow);
    return error == 0;
}

static bool begin(struct exchange *exchange, enum MHD_Result *ret_result)
{
    const struct http_services *services = exchange->services;
    if (!host_is_ours(services->config(services->context), services->on_loopback, exchange_host(exchange))) {
        *ret_result = reply_problem(
            exchange, MHD_HTTP_MISDIRECTED_REQUEST,
            "This gateway does not go by the name in Host or in the address; the setting access.hosts lists "
            "those that it does.");
        return false;
    }
    if (!find_route(exchange, ret_result))
        return false;
    return guard_admits(exchange, ret_result);
}

/* The request guard lets no body in without a length. */
static bool has_body(const struct exchange *exchange)
{
    const char *length = exchange_header(exchange, MHD_HTTP_HEADER_CONTENT_LENGTH);

    return length && strcmp(length, "0") != 0;
}

enum MHD_Result dispatch(struct exchange *exchange, const char *method, const char *upload, size_t *upload_bytes)
{
    enum MHD_Result result = MHD_NO;

    if (!exchange->started) {
        exchange->started = true;
        exchange->method = method;
        exchange->whole = !has_body(exchange);
        if (!begin(exchange, &result))
            return result;
        /* The answer waits for the next call, when the body is there. */
        return MHD_YES;
    }
    if (*upload_bytes > 0) {
        buffer_append(&exchange->body, upload, *upload_bytes);
        *upload_bytes = 0;
        return MHD_YES; /* an answer is only possible at the end; what is too much is dropped until then */
    }
    exchange->whole = true;
    if (exchange->late_response) {
        struct MHD_Response *response = exchange->late_response;
        exchange->late_response = NULL;
        return reply_queue(exchange, exchange->late_status, response);
    }
    if (exchange->late_status)
        return MHD_NO; /* there was no memory for the answer */
    if (exchange->body.failed)
        return reply_problem(exchange, MHD_HTTP_CONTENT_TOO_LARGE, "A body has at most %d bytes.", HTTP_BODY_BYTES_MAX);
    return exchange->route->handle(exchange);
}
