#include "http/dispatch.h"

#include "http/reply.h"
#include "http/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Compares without telling by its duration how much was right. */
static bool same_secret(const char *given, const char *secret)
{
    size_t given_size = strlen(given), secret_size = strlen(secret);
    unsigned char difference = given_size != secret_size;

    for (size_t i = 0; i < given_size; i++)
        difference |= (unsigned char)(given[i] ^ secret[secret_size ? i % secret_size : 0]);
    return difference == 0;
}

/* Answers for a guarded resource when the request may not use it; returns true when it may. */
static bool check_token(struct exchange *exchange, enum MHD_Result *ret_result)
{
    const char *token = exchange->services->config(exchange->services->context)->triggers.token;
    const char *given = exchange_header(exchange, MHD_HTTP_HEADER_AUTHORIZATION);
    struct MHD_Response *response;

    if (token[0] == '\0') {
        *ret_result = reply_problem(exchange, MHD_HTTP_FORBIDDEN,
                                    "Triggers cannot be managed here: no token is configured (triggers.token_file, or "
                                    "TUPLECAST_TRIGGERS_TOKEN).");
        return false;
    }
    if (given && strncasecmp(given, "Bearer ", 7) == 0 && same_secret(given + 7, token))
        return true;
    response = reply_new_problem(MHD_HTTP_UNAUTHORIZED, NULL,
                                 given ? "The token is not the configured one."
                                       : "Send the configured token as Authorization: Bearer <token>.");
    if (response)
        reply_add_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                         given ? "Bearer realm=\"tuplecast\", error=\"invalid_token\"" : "Bearer realm=\"tuplecast\"");
    *ret_result = reply_queue(exchange, MHD_HTTP_UNAUTHORIZED, response);
    return false;
}

static enum MHD_Result reply_options(struct exchange *exchange, const char *allow)
{
    struct MHD_Response *response = reply_new(NULL, "", 0);

    if (!response)
        return MHD_NO;
    reply_add_header(response, MHD_HTTP_HEADER_ALLOW, allow);
    if (exchange_header(exchange, MHD_HTTP_HEADER_ACCESS_CONTROL_REQUEST_METHOD)) {
        reply_add_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_METHODS, allow);
        reply_add_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_HEADERS,
                         "Authorization, Cache-Control, Content-Type, Last-Event-ID");
        reply_add_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_MAX_AGE, "600");
    }
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
    if (!find_route(exchange, ret_result))
        return false;
    return !exchange->route->guarded || check_token(exchange, ret_result);
}

enum MHD_Result dispatch(struct exchange *exchange, const char *method, const char *upload, size_t *upload_bytes)
{
    enum MHD_Result result = MHD_NO;

    if (!exchange->started) {
        exchange->started = true;
        exchange->method = method;
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
