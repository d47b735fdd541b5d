#include "http/cors.h"

#include "http/reply.h"

const char *cors_match(const struct text_list *origins, const char *origin)
{
    return text_list_has(origins, origin) ? origin : text_list_has(origins, "*") ? "*" : NULL;
}

static const char *find_origin(const struct exchange *exchange)
{
    const struct text_list *origins = &exchange->services->config(exchange->services->context)->cors.origins;
    const char *origin = exchange_header(exchange, MHD_HTTP_HEADER_ORIGIN);

    return origin ? cors_match(origins, origin) : NULL;
}

void cors_add(const struct exchange *exchange, struct MHD_Response *response)
{
    const char *origin = find_origin(exchange);

    if (exchange->services->config(exchange->services->context)->cors.origins.count > 0)
        reply_add_header(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ORIGIN);
    if (!origin)
        return;
    reply_add_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if (origin[0] != '*')
        reply_add_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    reply_add_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_EXPOSE_HEADERS,
                     "ETag, Location, Retry-After, WWW-Authenticate");
}

void cors_add_preflight(const struct exchange *exchange, const char *methods, struct MHD_Response *response)
{
    if (!find_origin(exchange) || !exchange_header(exchange, MHD_HTTP_HEADER_ACCESS_CONTROL_REQUEST_METHOD))
        return;
    reply_add_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_METHODS, methods);
    reply_add_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_HEADERS,
                     "Authorization, Cache-Control, Content-Type, If-Match, If-None-Match, Last-Event-ID");
    reply_add_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_MAX_AGE, "600");
}
