#include "loop/loop.h"

#include "base/limits.h"
#include "loop/turn_clock.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct loop {
    int epoll_fd;
    bool stopping;
    int64_t turn_ms;
    struct turn_clock clock;

    /* The batch that is being worked off: entries from batch_next on are still to come. */
    struct epoll_event batch[LOOP_EVENTS_PER_TURN];
    int batch_next;
    int batch_count;

    uint64_t turn; /* counts the calls of run_tasks */
    struct loop_task *tasks;
    struct loop_task **tasks_end;
};

static int64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t loop_clock_ms(void)
{
    return clock_ns() / 1000000;
}

int64_t loop_clock_us(void)
{
    return clock_ns() / 1000;
}

int64_t loop_wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof(*loop));

    if (!loop)
        return NULL;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        free(loop);
        return NULL;
    }
    loop->tasks_end = &loop->tasks;
    loop->turn_ms = loop_clock_ms();
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    close(loop->epoll_fd);
    free(loop);
}

/* Runs what was queued before the call. A task may cancel others or queue itself again: that waits a turn. */
static void run_tasks(struct loop *loop)
{
    loop->turn++;
    while (loop->tasks && loop->tasks->turn != loop->turn && !loop->stopping) {
        struct loop_task *task = loop->tasks;
        loop_task_cancel(loop, task);
        task->on_task(task);
        turn_clock_step(&loop->clock);
    }
}

int loop_run(struct loop *loop)
{
    while (!loop->stopping) {
        int count = epoll_wait(loop->epoll_fd, loop->batch, LOOP_EVENTS_PER_TURN, loop->tasks ? 0 : -1);
        if (count < 0 && errno != EINTR)
            return -errno;
        loop->turn_ms = turn_clock_begin(&loop->clock) / 1000;
        loop->batch_count = count > 0 ? count : 0;
        for (loop->batch_next = 0; loop->batch_next < loop->batch_count && !loop->stopping;) {
            struct epoll_event event = loop->batch[loop->batch_next++];
            struct loop_io *io = event.data.ptr;
            if (!io)
                continue;
            io->on_io(io, event.events);
            turn_clock_step(&loop->clock);
        }
        loop->batch_count = 0;
        run_tasks(loop);
        turn_clock_end(&loop->clock);
    }
    loop->stopping = false;
    return 0;
}

void loop_doing(struct loop *loop, const char *what)
{
    loop->clock.doing = what;
}

const struct loop_stats *loop_stats(const struct loop *loop)
{
    return &loop->clock.stats;
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

int64_t loop_turn_ms(const struct loop *loop)
{
    return loop->turn_ms;
}

int loop_io_add(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = io};

    assert(io->fd >= 0 && io->on_io);
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, io->fd, &event) < 0 ? -errno : 0;
}

int loop_io_change(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = io};

    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, io->fd, &event) < 0 ? -errno : 0;
}

void loop_io_remove(struct loop *loop, struct loop_io *io)
{
    if (io->fd < 0)
        return;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
    for (int i = loop->batch_next; i < loop->batch_count; i++)
        if (loop->batch[i].data.ptr == io)
            loop->batch[i].data.ptr = NULL;
}

static void on_timer_io(struct loop_io *io, uint32_t events)
{
    struct loop_timer *timer = (struct loop_timer *)io;
    uint64_t expirations;

    (void)events;
    /* Reading disarms the readiness; a timer that was set anew meanwhile has nothing to read. */
    if (read(io->fd, &expirations, sizeof(expirations)) == (ssize_t)sizeof(expirations))
        timer->on_timer(timer);
}

int loop_timer_init(struct loop_timer *timer, struct loop *loop, void (*on_timer)(struct loop_timer *timer))
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

    if (fd < 0)
        return -errno;
    *timer = (struct loop_timer){.io = {.fd = fd, .on_io = on_timer_io}, .loop = loop, .on_timer = on_timer};
    int error = loop_io_add(loop, &timer->io, EPOLLIN);
    if (error < 0) {
        close(fd);
        *timer = (struct loop_timer){0};
    }
    return error;
}

void loop_timer_done(struct loop_timer *timer)
{
    if (!timer->loop)
        return;
    loop_io_remove(timer->loop, &timer->io);
    close(timer->io.fd);
    *timer = (struct loop_timer){0};
}

static void set_timer(struct loop_timer *timer, int64_t delay_ms, int64_t interval_ms)
{
    struct itimerspec spec = {
        .it_value = {delay_ms / 1000, delay_ms % 1000 * 1000000},
        .it_interval = {interval_ms / 1000, interval_ms % 1000 * 1000000},
    };
    int result = timerfd_settime(timer->io.fd, 0, &spec, NULL);

    assert(result == 0);
    (void)result;
}

void loop_timer_set(struct loop_timer *timer, int64_t delay_ms, int64_t interval_ms)
{
    set_timer(timer, delay_ms > 1 ? delay_ms : 1, interval_ms);
}

void loop_timer_stop(struct loop_timer *timer)
{
    set_timer(timer, 0, 0);
}

void loop_task_queue(struct loop *loop, struct loop_task *task)
{
    if (task->queued)
        return;
    task->queued = true;
    task->turn = loop->turn;
    task->next = NULL;
    *loop->tasks_end = task;
    loop->tasks_end = &task->next;
}

void loop_task_cancel(struct loop *loop, struct loop_task *task)
{
    struct loop_task **link = &loop->tasks;

    if (!task->queued)
        return;
    while (*link != task)
        link = &(*link)->next;
    *link = task->next;
    if (loop->tasks_end == &task->next)
        loop->tasks_end = link;
    task->queued = false;
    task->next = NULL;
}

static void on_signal_io(struct loop_io *io, uint32_t events)
{
    struct loop_signals *signals = (struct loop_signals *)io;
    struct signalfd_siginfo info;

    (void)events;
    if (read(io->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        signals->on_signal(signals, (int)info.ssi_signo);
}

int loop_signals_init(struct loop_signals *signals, struct loop *loop, const sigset_t *set,
                      void (*on_signal)(struct loop_signals *signals, int signal_number))
{
    if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
        return -errno;
    int fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    *signals = (struct loop_signals){.io = {.fd = fd, .on_io = on_signal_io}, .loop = loop, .on_signal = on_signal};
    int error = loop_io_add(loop, &signals->io, EPOLLIN);
    if (error < 0) {
        close(fd);
        *signals = (struct loop_signals){0};
    }
    return error;
}

void loop_signals_done(struct loop_signals *signals)
{
    if (!signals->loop)
        return;
    loop_io_remove(signals->loop, &signals->io);
    close(signals->io.fd);
    *signals = (struct loop_signals){0};
}
