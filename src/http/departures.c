#include "http/departures.h"

#include "base/limits.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DROP_BYTES = 16 * 1024, DROPS_PER_TURN = 8 };

struct departure {
    struct loop_io io; /* first: on_io finds the rest by it */
    struct departures *departures;
    int64_t end_ms;
    TAILQ_ENTRY(departure) link;
};

static void end(struct departure *departure)
{
    struct departures *departures = departure->departures;

    TAILQ_REMOVE(&departures->list, departure, link);
    departures->count--;
    loop_io_remove(departures->loop, &departure->io);
    close(departure->io.fd);
    free(departure);
}

/* Returns whether the other side has ended. */
static bool drop_input(int fd)
{
    char dropped[DROP_BYTES];
    ssize_t size = 1;

    for (int i = 0; i < DROPS_PER_TURN && size > 0; i++)
        size = recv(fd, dropped, sizeof(dropped), MSG_DONTWAIT);
    return size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
}

static void on_io(struct loop_io *io, uint32_t events)
{
    (void)events;
    if (drop_input(io->fd))
        end((struct departure *)io);
}

static void set_timer(struct departures *departures)
{
    if (!TAILQ_EMPTY(&departures->list))
        loop_timer_set(&departures->timer, TAILQ_FIRST(&departures->list)->end_ms - loop_clock_ms(), 0);
}

static void on_timer(struct loop_timer *timer)
{
    struct departures *departures = (struct departures *)((char *)timer - offsetof(struct departures, timer));

    while (!TAILQ_EMPTY(&departures->list) && TAILQ_FIRST(&departures->list)->end_ms <= loop_clock_ms())
        end(TAILQ_FIRST(&departures->list));
    set_timer(departures);
}

int departures_init(struct departures *departures, struct loop *loop)
{
    *departures = (struct departures){.loop = loop};
    TAILQ_INIT(&departures->list);
    return loop_timer_init(&departures->timer, loop, on_timer);
}

void departures_done(struct departures *departures)
{
    if (!departures->loop)
        return;
    while (!TAILQ_EMPTY(&departures->list))
        end(TAILQ_FIRST(&departures->list));
    loop_timer_done(&departures->timer);
}

void departures_add(struct departures *departures, int fd)
{
    struct departure *departure = NULL;

    shutdown(fd, SHUT_WR);
    if (!drop_input(fd))
        departure = calloc(1, sizeof(*departure));
    if (!departure) {
        close(fd);
        return;
    }
    departure->departures = departures;
    departure->io = (struct loop_io){.fd = fd, .on_io = on_io};
    departure->end_ms = loop_clock_ms() + HTTP_LINGER_MS;
    if (loop_io_add(departures->loop, &departure->io, EPOLLIN | EPOLLRDHUP) < 0) {
        close(fd);
        free(departure);
        return;
    }
    TAILQ_INSERT_TAIL(&departures->list, departure, link);
    if (++departures->count > HTTP_LINGERING_MAX)
        end(TAILQ_FIRST(&departures->list));
    if (departures->count == 1)
        set_timer(departures);
}
