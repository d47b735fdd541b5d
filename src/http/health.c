/* GET /livez: the program runs. GET /readyz: it can serve, which takes a database. Where durable channels cannot be
 * read, it says so, and to operators why. */
#include "http/reply.h"
#include "http/routes.h"

#include <stdio.h>
#include <string.h>

enum MHD_Result health_live(struct exchange *exchange)
{
    return reply_bytes(exchange, MHD_HTTP_OK, "text/plain; charset=utf-8", "ok\n", 3);
}

static void append_durable(const struct exchange *exchange, char *text, size_t size)
{
    const struct durable_stats *durable = exchange->services->durable_stats(exchange->services->context);
    size_t bytes = strlen(text);

    if (!durable)
        return;
    if (exchange->services->surface == SURFACE_PUBLIC) {
        if (durable->problem[0])
            snprintf(text + bytes, size - bytes, "durable channels unavailable\n");
        return;
    }
    if (durable->problem[0])
        snprintf(text + bytes, size - bytes, "no durable channels: %s\n", durable->problem);
    for (int fault = DURABLE_FAULT_HISTORY; fault < DURABLE_FAULTS; fault++) {
        bytes = strlen(text);
        if (durable->faults[fault])
            snprintf(text + bytes, size - bytes, "durable channels: %s\n",
                     durable_fault_sentence((enum durable_fault)fault));
    }
}

enum MHD_Result health_ready(struct exchange *exchange)
{
    const struct http_services *services = exchange->services;

    if (services->database_stats(services->context)->up) {
        char text[1024] = "ok\n";
        append_durable(exchange, text, sizeof(text));
        return reply_bytes(exchange, MHD_HTTP_OK, "text/plain; charset=utf-8", text, strlen(text));
    }
    return reply_problem(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, "The database is away: %s",
                         services->database_problem(services->context));
}
