/* What the HTTP wing needs of the rest of the program. The gateway fills this in; everything is lent for the
 * server's life. */
#pragma once

#include "config/config.h"
#include "stream/hub.h"
#include "stream/stats.h"
#include "triggers/call.h"

struct http_services {
    struct hub *hub;
    const struct config *(*config)(void *context); /* the one in force now */
    const struct database_stats *(*database_stats)(void *context);
    const struct durable_stats *(*durable_stats)(void *context); /* NULL: switched off */
    const struct program_stats *(*program_stats)(void *context);
    const char *(*database_problem)(void *context); /* "" while it is up */
    /* Returns 0 and later calls done exactly once, never from within this call; or a negative errno: -EAGAIN
     * when too many wait. */
    int (*call_trigger)(void *context, const struct trigger_request *request, trigger_done done, void *done_context);
    void *context;
};
