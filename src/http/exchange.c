#include "http/exchange.h"

#include "base/limits.h"
#include "http/handover.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *exchange_header(const struct exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

const char *exchange_host(const struct exchange *exchange)
{
    return exchange->authority ? exchange->authority : exchange_header(exchange, MHD_HTTP_HEADER_HOST);
}

struct header_lines {
    const char *name, *separator;
    struct buffer *out;
    bool any;
};

static enum MHD_Result append_line(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct header_lines *lines = context;

    (void)kind;
    if (strcasecmp(name, lines->name) != 0)
        return MHD_YES;
    if (lines->any)
        buffer_append_text(lines->out, lines->separator);
    lines->any = true;
    buffer_append_text(lines->out, value ? value : "");
    return MHD_YES;
}

const char *exchange_header_lines(const struct exchange *exchange, const char *name, const char *separator,
                                  struct buffer *out)
{
    struct header_lines lines = {name, separator, out, false};

    MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, append_line, &lines);
    return lines.any ? buffer_text(out) : NULL;
}

/* A target in absolute form is http://host/path (RFC 9112, section 3.2.2); the request guard has seen to it. */
static bool take_target(struct exchange *exchange, const char *target)
{
    if (strncasecmp(target, "http://", 7) == 0) {
        const char *path = target + 7 + strcspn(target + 7, "/");
        exchange->authority = strndup(target + 7, (size_t)(path - target - 7));
        if (!exchange->authority)
            return false;
        target = *path ? path : "/";
    }
    exchange->target = strdup(target);
    return exchange->target != NULL;
}

struct exchange *exchange_new(struct http_server *server, const struct http_services *services,
                              struct http_stats *stats, struct MHD_Connection *connection, const char *target)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));

    if (!exchange)
        return NULL;
    exchange->server = server;
    exchange->services = services;
    exchange->stats = stats;
    exchange->connection = connection;
    exchange->began_us = loop_clock_us();
    buffer_init(&exchange->body, HTTP_BODY_BYTES_MAX);
    if (!take_target(exchange, target)) {
        free(exchange->authority);
        free(exchange);
        return NULL;
    }
    char *question = strchr(exchange->target, '?');
    if (question)
        *question = '\0';
    exchange->query_text = question ? question + 1 : "";
    return exchange;
}

void exchange_free(struct exchange *exchange)
{
    if (!exchange)
        return;
    if (exchange->late_response)
        MHD_destroy_response(exchange->late_response);
    handover_free(exchange->handover);
    query_done(&exchange->query);
    buffer_done(&exchange->body);
    grant_unref(exchange->grant);
    free(exchange->segment);
    free(exchange->target);
    free(exchange->authority);
    free(exchange);
}
