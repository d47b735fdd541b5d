/* What the HTTP wing needs of the rest of the program. The gateway fills this in; everything is lent for the
 * server's life. */
#pragma once

#include "access/access.h"
#include "access/tickets.h"
#include "config/config.h"
#include "stream/hub.h"
#include "stream/stats.h"
#include "triggers/call.h"

/* What a listener serves. */
enum surface { SURFACE_ALL, SURFACE_PUBLIC, SURFACE_MANAGEMENT };

struct http_services {
    enum surface surface;
    bool on_loopback; /* only this machine reaches the listener */
    struct hub *hub;
    struct tickets *tickets;
    const struct config *(*config)(void *context); /* the one in force now */
    const struct access *(*access)(void *context); /* the same */
    const struct database_stats *(*database_stats)(void *context);
    const struct durable_stats *(*durable_stats)(void *context); /* NULL: switched off */
    const struct program_stats *(*program_stats)(void *context);
    const char *(*database_problem)(void *context); /* "" while it is up */
    struct http_stats (*http_stats)(void *context); /* of all listeners together */
    /* Returns 0 and later calls done exactly once, never from within this call; or a negative errno: -EAGAIN
     * when too many wait. */
    int (*call_trigger)(void *context, const struct trigger_request *request, trigger_done done, void *done_context);
    void *context;
};
