/* A listening socket, and taking connections off it: not more in a turn than the loop can bear, and none while there is
 * no room or no descriptor, when the others wait in the kernel's queue. */
#pragma once

#include "config/listen_address.h"
#include "http/listen_socket.h"
#include "loop/loop.h"

#include <sys/socket.h>

struct acceptor_hooks {
    bool (*has_room)(void *context); /* for one more */
    /* Takes fd. Must not call back. */
    void (*on_accepted)(void *context, int fd, const struct sockaddr_storage *address, socklen_t address_bytes);
    void (*on_failed)(void *context); /* to accept one that waits */
    void *context;
};

struct acceptor {
    struct loop *loop;
    struct acceptor_hooks hooks;
    struct loop_io io;
    struct loop_timer retry; /* while it is paused */
    char address[LISTEN_ADDRESS_TEXT_BYTES];
    int spare_fd; /* given up for a moment when descriptors are short, to take a connection off the queue */
    int64_t shortage_logged_ms;
    bool paused;
    bool adopted; /* the socket lives on without us */
};

/* Listens at address, or, when listen_fd is not negative, on that socket, which it takes over. Returns 0 or a negative
 * errno; acceptor_done also after a failure. It accepts nothing before acceptor_start. */
int acceptor_init(struct acceptor *acceptor, struct loop *loop, const struct listen_address *address, int listen_fd,
                  const struct acceptor_hooks *hooks);
void acceptor_done(struct acceptor *acceptor); /* also fine on a zeroed one */
int acceptor_start(struct acceptor *acceptor); /* 0 or a negative errno */

/* There may be room, or descriptors, again. */
void acceptor_resume(struct acceptor *acceptor);

/* Takes what stands in the queue, then closes the socket. One that was passed to us keeps its queue for whoever listens
 * on it next. */
void acceptor_stop(struct acceptor *acceptor);
