/* GET /livez: the program runs. GET /readyz: it can serve, which takes a database. */
#include "http/reply.h"
#include "http/routes.h"

enum MHD_Result health_live(struct exchange *exchange)
{
    return reply_bytes(exchange, MHD_HTTP_OK, "text/plain; charset=utf-8", "ok\n", 3);
}

enum MHD_Result health_ready(struct exchange *exchange)
{
    const struct http_services *services = exchange->services;

    if (services->database_stats(services->context)->up)
        return reply_bytes(exchange, MHD_HTTP_OK, "text/plain; charset=utf-8", "ok\n", 3);
    return reply_problem(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, "The database is away: %s",
                         services->database_problem(services->context));
}
