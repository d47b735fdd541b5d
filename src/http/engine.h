/* libmicrohttpd in our loop: a daemon without a thread and without a listening socket, whose epoll descriptor
 * stands in the loop.
 *
 * There are two of them, because the library clears each connection's pool, and maps those above 32 KB: with one
 * pool that takes large heads a tenth of a stream's request would be parsing it. */
#pragma once

#include "http/daemon.h"
#include "loop/loop.h"

#include <sys/socket.h>

struct engine {
    struct loop *loop;
    struct MHD_Daemon *daemon;
    struct loop_io io;
    struct loop_timer timer; /* when the library wants to run though nothing happened */
    void (*after_run)(void *context);
    void *context;
};

/* hooks->context is the engine itself. after_run is called with context after every run of the library, when it has
 * let go of what it was done with. Returns 0 or a negative errno; engine_done also after a failure. */
int engine_init(struct engine *engine, struct loop *loop, const struct daemon_hooks *hooks, size_t pool_bytes,
                unsigned connections_max, void (*after_run)(void *context), void *context);
void engine_done(struct engine *engine); /* also fine on a zeroed one */

/* Gives fd to the library, which closes it also when it cannot take it; run it soon. */
bool engine_add(struct engine *engine, int fd, const struct sockaddr *address, socklen_t size);

/* Lets the library do all that can be done now. */
void engine_run(struct engine *engine);
