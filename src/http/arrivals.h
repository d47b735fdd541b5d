/* Connections whose request has not arrived yet. We look at what the kernel holds of it without taking it (MSG_PEEK),
 * so that the request guard sees every head whole before libmicrohttpd sees a byte of it, and so that a client that
 * sends its head slowly, or not at all, costs a few hundred bytes and not a connection of the library. */
#pragma once

#include "base/limits.h"
#include "http/request_guard.h"
#include "loop/loop.h"

#include <sys/queue.h>
#include <sys/socket.h>

struct arrival;
TAILQ_HEAD(arrival_list, arrival);

/* A connection is leaving here. It takes fd; the rest is lent. error is 0: the head is whole, and fit for the library;
 * -EBADMSG: head says how to refuse it; -ENODATA: it ended, or time passed, before a byte of it came. alone: nothing
 * has come behind the head. Must not call back. */
struct arrivals_hooks {
    void (*on_arrived)(void *context, int fd, const struct sockaddr_storage *address, socklen_t address_bytes,
                       int error, const struct request_head *head, bool alone);
    void *context;
};

struct arrivals {
    struct loop *loop;
    struct loop_timer timer;
    struct arrivals_hooks hooks;
    struct arrival_list list; /* by age */
    size_t count;
    char head[HTTP_HEAD_BYTES_MAX + 1]; /* what was peeked at last */
};

/* Returns 0 or a negative errno. */
int arrivals_init(struct arrivals *arrivals, struct loop *loop, const struct arrivals_hooks *hooks);
void arrivals_done(struct arrivals *arrivals); /* all leave with -ENODATA; also fine on a zeroed one */

/* Takes fd and looks at it at once: on_arrived may come from within this call. timeout_ms: so long its head may take in
 * all, whatever trickles in meanwhile. */
void arrivals_add(struct arrivals *arrivals, int fd, const struct sockaddr_storage *address, socklen_t address_bytes,
                  int64_t timeout_ms);

/* How long the oldest has been here, or -1. */
int64_t arrivals_oldest_ms(const struct arrivals *arrivals);
/* Ends the oldest, with an answer if some of its head has come. There must be one. */
void arrivals_end_oldest(struct arrivals *arrivals);
