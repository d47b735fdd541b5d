/* GET /livez: the program runs. GET /readyz: it can serve, which takes a database; where that can have no durable
 * channels, it says why. */
#include "http/reply.h"
#include "http/routes.h"

#include <stdio.h>
#include <string.h>

enum MHD_Result health_live(struct exchange *exchange)
{
    return reply_bytes(exchange, MHD_HTTP_OK, "text/plain; charset=utf-8", "ok\n", 3);
}

enum MHD_Result health_ready(struct exchange *exchange)
{
    const struct http_services *services = exchange->services;

    if (services->database_stats(services->context)->up) {
        const struct durable_stats *durable = services->durable_stats(services->context);
        char text[512] = "ok\n";
        if (durable && durable->problem[0])
            snprintf(text, sizeof(text), "ok\nno durable channels: %s\n", durable->problem);
        return reply_bytes(exchange, MHD_HTTP_OK, "text/plain; charset=utf-8", text, strlen(text));
    }
    return reply_problem(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, "The database is away: %s",
                         services->database_problem(services->context));
}
