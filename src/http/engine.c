#include "http/engine.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>

enum { RUNS_PER_TURN = 64 };

void engine_run(struct engine *engine)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms = 0;
    bool waits = false;

    loop_doing(engine->loop, "answering requests");
    for (int runs = 0; runs < RUNS_PER_TURN; runs++) {
        MHD_run(engine->daemon);
        engine->after_run(engine->context);
        waits = MHD_get_timeout(engine->daemon, &timeout_ms) == MHD_YES;
        if (!waits || timeout_ms > 0)
            break;
    }
    if (waits)
        loop_timer_set(&engine->timer, (int64_t)timeout_ms, 0);
    else
        loop_timer_stop(&engine->timer);
}

static void on_io(struct loop_io *io, uint32_t events)
{
    (void)events;
    engine_run((struct engine *)((char *)io - offsetof(struct engine, io)));
}

static void on_timer(struct loop_timer *timer)
{
    engine_run((struct engine *)((char *)timer - offsetof(struct engine, timer)));
}

int engine_init(struct engine *engine, struct loop *loop, const struct daemon_hooks *hooks, size_t pool_bytes,
                unsigned connections_max, void (*after_run)(void *context), void *context)
{
    *engine = (struct engine){.loop = loop, .io.fd = -1, .after_run = after_run, .context = context};
    int error = loop_timer_init(&engine->timer, loop, on_timer);

    if (error < 0)
        return error;
    engine->daemon = daemon_start(hooks, pool_bytes, connections_max);
    const union MHD_DaemonInfo *info =
        engine->daemon ? MHD_get_daemon_info(engine->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (!info || info->epoll_fd < 0)
        return -EIO;
    engine->io = (struct loop_io){.fd = info->epoll_fd, .on_io = on_io};
    return loop_io_add(loop, &engine->io, EPOLLIN);
}

void engine_done(struct engine *engine)
{
    if (engine->daemon) {
        loop_io_remove(engine->loop, &engine->io);
        MHD_run(engine->daemon); /* lets resumed connections go on, which MHD_stop_daemon insists on */
        MHD_stop_daemon(engine->daemon);
        engine->daemon = NULL;
    }
    loop_timer_done(&engine->timer);
}

bool engine_add(struct engine *engine, int fd, const struct sockaddr *address, socklen_t size)
{
    return MHD_add_connection(engine->daemon, fd, address, size) == MHD_YES;
}
