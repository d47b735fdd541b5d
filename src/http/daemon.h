/* libmicrohttpd, started the one way that the hand-over of streams works with (docs/handover.md). */
#pragma once

#include <microhttpd.h>

struct daemon_hooks {
    void *(*target)(void *context, const char *target,
                    struct MHD_Connection *connection); /* gives the request's context */
    MHD_AccessHandlerCallback access;
    MHD_RequestCompletedCallback completed;
    MHD_NotifyConnectionCallback connection;
    void *context;
};

/* Without a thread and without a listening socket: run it with MHD_run. pool_bytes: each connection's memory for
 * heads. NULL when it cannot be started. */
struct MHD_Daemon *daemon_start(const struct daemon_hooks *hooks, size_t pool_bytes, unsigned connections_max);
