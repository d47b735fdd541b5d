#include "http/acceptor.h"

#include "base/limits.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { SHORTAGE_LOG_MS = 10000, RETRY_MS = 100, LAST_ACCEPTS_MAX = 4096 };

static void open_spare(struct acceptor *acceptor)
{
    if (acceptor->spare_fd < 0)
        acceptor->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* While it is paused we do not look at the queue, since something in it would wake us again and again. */
static void pause_accepting(struct acceptor *acceptor)
{
    acceptor->paused = true;
    loop_io_change(acceptor->loop, &acceptor->io, 0);
    loop_timer_set(&acceptor->retry, RETRY_MS, RETRY_MS);
}

static void log_shortage(struct acceptor *acceptor)
{
    if (loop_turn_ms(acceptor->loop) - acceptor->shortage_logged_ms < SHORTAGE_LOG_MS)
        return;
    acceptor->shortage_logged_ms = loop_turn_ms(acceptor->loop);
    log_error("file descriptors are used up",
              log_text("remedy", "raise the limit of open files (LimitNOFILE, ulimit -n), or lower limits.streams"));
}

/* No descriptor is left. The spare one takes one connection off the queue, whose request is still answered: a stream,
 * which would need a second descriptor, with `busy`. */
static int accept_without_descriptors(struct acceptor *acceptor, struct sockaddr_storage *address, socklen_t *size)
{
    acceptor->hooks.on_failed(acceptor->hooks.context);
    log_shortage(acceptor);
    if (acceptor->spare_fd < 0) {
        pause_accepting(acceptor);
        return -1;
    }
    close(acceptor->spare_fd);
    acceptor->spare_fd = -1;
    return accept4(acceptor->io.fd, (struct sockaddr *)address, size, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

/* Returns whether there may be another one. */
static bool accept_one(struct acceptor *acceptor)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    int one = 1;
    int fd = accept4(acceptor->io.fd, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0 && (errno == EMFILE || errno == ENFILE))
        fd = accept_without_descriptors(acceptor, &address, &size);
    if (fd < 0)
        return errno == ECONNABORTED || errno == EINTR;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    acceptor->hooks.on_accepted(acceptor->hooks.context, fd, &address, size);
    return true;
}

static void on_listen_io(struct loop_io *io, uint32_t events)
{
    struct acceptor *acceptor = (struct acceptor *)((char *)io - offsetof(struct acceptor, io));
    int accepted = 0;

    loop_doing(acceptor->loop, "accepting connections");
    (void)events;
    while (accepted < ACCEPTS_PER_TURN && acceptor->hooks.has_room(acceptor->hooks.context) && accept_one(acceptor))
        accepted++;
    if (!acceptor->hooks.has_room(acceptor->hooks.context))
        pause_accepting(acceptor);
}

static void on_retry(struct loop_timer *timer)
{
    acceptor_resume((struct acceptor *)((char *)timer - offsetof(struct acceptor, retry)));
}

int acceptor_init(struct acceptor *acceptor, struct loop *loop, const struct listen_address *address, int listen_fd,
                  const struct acceptor_hooks *hooks)
{
    *acceptor = (struct acceptor){.loop = loop, .hooks = *hooks, .spare_fd = -1};
    acceptor->io = (struct loop_io){.fd = -1, .on_io = on_listen_io};
    acceptor->shortage_logged_ms = -SHORTAGE_LOG_MS;
    open_spare(acceptor);
    int error = loop_timer_init(&acceptor->retry, loop, on_retry);
    acceptor->adopted = listen_fd >= 0;
    acceptor->io.fd = listen_fd;
    if (acceptor->adopted)
        listen_socket_describe(listen_fd, acceptor->address);
    else if (error == 0)
        error = listen_socket_open(address, &acceptor->io.fd, acceptor->address);
    return error;
}

static void close_socket(struct acceptor *acceptor)
{
    if (acceptor->io.fd < 0)
        return;
    loop_timer_stop(&acceptor->retry);
    acceptor->paused = false;
    loop_io_remove(acceptor->loop, &acceptor->io);
    close(acceptor->io.fd);
    acceptor->io.fd = -1;
    if (acceptor->address[0] == '/' && !acceptor->adopted)
        unlink(acceptor->address);
}

void acceptor_done(struct acceptor *acceptor)
{
    if (!acceptor->loop)
        return;
    close_socket(acceptor);
    loop_timer_done(&acceptor->retry);
    if (acceptor->spare_fd >= 0)
        close(acceptor->spare_fd);
}

int acceptor_start(struct acceptor *acceptor)
{
    return loop_io_add(acceptor->loop, &acceptor->io, EPOLLIN);
}

void acceptor_resume(struct acceptor *acceptor)
{
    open_spare(acceptor);
    if (!acceptor->paused || acceptor->spare_fd < 0 || !acceptor->hooks.has_room(acceptor->hooks.context))
        return;
    acceptor->paused = false;
    loop_timer_stop(&acceptor->retry);
    loop_io_change(acceptor->loop, &acceptor->io, EPOLLIN);
}

void acceptor_stop(struct acceptor *acceptor)
{
    /* Closing a socket of our own resets what stands in its queue. */
    for (int i = 0; acceptor->io.fd >= 0 && !acceptor->adopted && i < LAST_ACCEPTS_MAX; i++)
        if (!acceptor->hooks.has_room(acceptor->hooks.context) || !accept_one(acceptor))
            break;
    close_socket(acceptor);
}
