#include "http/cors.h"

#include "http/reply.h"

/* The entry of cors.origins that lets origin in, or NULL; an exact one rather than "*". */
static const char *find_entry(const struct config *config, const char *origin)
{
    const struct text_list *origins = &config->cors.origins;

    if (!origin)
        return NULL;
    return text_list_has(origins, origin) ? origin : text_list_has(origins, "*") ? "*" : NULL;
}

size_t cors_headers(const struct config *config, const char *origin, struct cors_header ret_headers[CORS_HEADERS_MAX])
{
    const char *entry = find_entry(config, origin);
    size_t count = 0;

    if (config->cors.origins.count > 0)
        ret_headers[count++] = (struct cors_header){MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ORIGIN};
    if (!entry)
        return count;
    ret_headers[count++] = (struct cors_header){MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN, entry};
    if (entry[0] != '*')
        ret_headers[count++] = (struct cors_header){MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"};
    ret_headers[count++] = (struct cors_header){MHD_HTTP_HEADER_ACCESS_CONTROL_EXPOSE_HEADERS,
                                                "ETag, Location, Retry-After, WWW-Authenticate"};
    return count;
}

static const struct config *config_of(const struct exchange *exchange)
{
    return exchange->services->config(exchange->services->context);
}

void cors_add(const struct exchange *exchange, struct MHD_Response *response)
{
    struct cors_header headers[CORS_HEADERS_MAX];
    size_t count = cors_headers(config_of(exchange), exchange_header(exchange, MHD_HTTP_HEADER_ORIGIN), headers);

    for (size_t i = 0; i < count; i++)
        reply_add_header(response, headers[i].name, headers[i].value);
}

void cors_add_preflight(const struct exchange *exchange, const char *methods, struct MHD_Response *response)
{
    if (!find_entry(config_of(exchange), exchange_header(exchange, MHD_HTTP_HEADER_ORIGIN)) ||
        !exchange_header(exchange, MHD_HTTP_HEADER_ACCESS_CONTROL_REQUEST_METHOD))
        return;
    reply_add_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_METHODS, methods);
    reply_add_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_HEADERS,
                     "Authorization, Cache-Control, Content-Type, If-Match, If-None-Match, Last-Event-ID");
    reply_add_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_MAX_AGE, "600");
}
