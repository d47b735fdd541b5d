#include "http/arrivals.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

struct arrival {
    struct loop_io io; /* first: on_io finds the rest by it */
    struct arrivals *arrivals;
    int64_t since_ms, timeout_ms;
    struct sockaddr_storage address;
    socklen_t address_bytes;
    TAILQ_ENTRY(arrival) link;
};

static const struct request_head ended_early = {
    .problem_status = 400,
    .problem = "The connection ended before the request's head did.",
};
static const struct request_head took_too_long = {
    .problem_status = 408,
    .problem = "The request's head did not arrive in time.",
};

/* Returns what the guard says: 0, -EAGAIN or -EBADMSG; or -ENODATA. */
static int look(struct arrivals *arrivals, int fd, struct request_head *ret_head, bool *ret_alone)
{
    ssize_t size = recv(fd, arrivals->head, sizeof(arrivals->head), MSG_PEEK | MSG_DONTWAIT);

    if (size < 0)
        return errno == EAGAIN || errno == EINTR ? -EAGAIN : -ENODATA;
    if (size == 0)
        return -ENODATA;
    int error = request_guard_check(arrivals->head, (size_t)size, ret_head);
    *ret_alone = error == 0 && ret_head->size_bytes == (size_t)size;
    return error;
}

static void forget(struct arrival *arrival)
{
    struct arrivals *arrivals = arrival->arrivals;

    TAILQ_REMOVE(&arrivals->list, arrival, link);
    arrivals->count--;
    loop_io_remove(arrivals->loop, &arrival->io);
    free(arrival);
}

static void leave(struct arrival *arrival, int error, const struct request_head *head, bool alone)
{
    const struct arrivals_hooks hooks = arrival->arrivals->hooks;
    const struct sockaddr_storage address = arrival->address;
    const socklen_t address_bytes = arrival->address_bytes;
    int fd = arrival->io.fd;

    forget(arrival);
    hooks.on_arrived(hooks.context, fd, &address, address_bytes, error, head, alone);
}

/* Of a head that is not whole. Without a byte of it there is nobody to answer. */
static void refuse(struct arrival *arrival, const struct request_head *why)
{
    struct arrivals *arrivals = arrival->arrivals;
    struct request_head head = *why;
    ssize_t size = recv(arrival->io.fd, arrivals->head, sizeof(arrivals->head), MSG_PEEK | MSG_DONTWAIT);

    if (size > 0)
        request_guard_find_origin(arrivals->head, (size_t)size, &head);
    leave(arrival, size > 0 ? -EBADMSG : -ENODATA, &head, false);
}

static void on_io(struct loop_io *io, uint32_t events)
{
    struct arrival *arrival = (struct arrival *)io;
    struct request_head head = {0};
    bool alone = false;
    int error = look(arrival->arrivals, io->fd, &head, &alone);

    loop_doing(arrival->arrivals->loop, "reading heads of requests");
    if (error == -EAGAIN && !(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
        return;
    if (error == -EAGAIN)
        refuse(arrival, &ended_early);
    else
        leave(arrival, error, &head, alone);
}

/* Its time is over. */
static void expire(struct arrival *arrival)
{
    refuse(arrival, &took_too_long);
}

static void set_timer(struct arrivals *arrivals)
{
    const struct arrival *oldest = TAILQ_FIRST(&arrivals->list);

    if (oldest)
        loop_timer_set(&arrivals->timer, oldest->since_ms + oldest->timeout_ms - loop_clock_ms(), 0);
}

static void on_timer(struct loop_timer *timer)
{
    struct arrivals *arrivals = (struct arrivals *)((char *)timer - offsetof(struct arrivals, timer));
    int64_t now_ms = loop_clock_ms();

    while (!TAILQ_EMPTY(&arrivals->list) &&
           TAILQ_FIRST(&arrivals->list)->since_ms + TAILQ_FIRST(&arrivals->list)->timeout_ms <= now_ms)
        expire(TAILQ_FIRST(&arrivals->list));
    set_timer(arrivals);
}

int arrivals_init(struct arrivals *arrivals, struct loop *loop, const struct arrivals_hooks *hooks)
{
    arrivals->loop = loop;
    arrivals->hooks = *hooks;
    TAILQ_INIT(&arrivals->list);
    return loop_timer_init(&arrivals->timer, loop, on_timer);
}

void arrivals_done(struct arrivals *arrivals)
{
    if (!arrivals->loop)
        return;
    while (!TAILQ_EMPTY(&arrivals->list))
        leave(TAILQ_FIRST(&arrivals->list), -ENODATA, &took_too_long, false);
    loop_timer_done(&arrivals->timer);
}

static bool wait_for_head(struct arrivals *arrivals, int fd, const struct sockaddr_storage *address,
                          socklen_t address_bytes, int64_t timeout_ms)
{
    struct arrival *arrival = calloc(1, sizeof(*arrival));

    if (!arrival)
        return false;
    arrival->arrivals = arrivals;
    arrival->io = (struct loop_io){.fd = fd, .on_io = on_io};
    arrival->since_ms = loop_clock_ms();
    arrival->timeout_ms = timeout_ms;
    arrival->address = *address;
    arrival->address_bytes = address_bytes;
    /* Edge-triggered: what was peeked at stays in the kernel and would wake us again and again. */
    if (loop_io_add(arrivals->loop, &arrival->io, EPOLLIN | EPOLLRDHUP | EPOLLET) < 0) {
        free(arrival);
        return false;
    }
    TAILQ_INSERT_TAIL(&arrivals->list, arrival, link);
    if (++arrivals->count == 1)
        set_timer(arrivals);
    return true;
}

void arrivals_add(struct arrivals *arrivals, int fd, const struct sockaddr_storage *address, socklen_t address_bytes,
                  int64_t timeout_ms)
{
    struct request_head head = {0};
    bool alone = false;
    int error = look(arrivals, fd, &head, &alone);

    if (error == -EAGAIN && wait_for_head(arrivals, fd, address, address_bytes, timeout_ms))
        return;
    if (error == -EAGAIN)
        error = -ENODATA; /* without memory there is no answer either */
    arrivals->hooks.on_arrived(arrivals->hooks.context, fd, address, address_bytes, error, &head, alone);
}

int64_t arrivals_oldest_ms(const struct arrivals *arrivals)
{
    const struct arrival *oldest = TAILQ_FIRST(&arrivals->list);

    return oldest ? loop_clock_ms() - oldest->since_ms : -1;
}

void arrivals_end_oldest(struct arrivals *arrivals)
{
    assert(!TAILQ_EMPTY(&arrivals->list));
    expire(TAILQ_FIRST(&arrivals->list));
}
