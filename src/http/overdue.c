#include "http/overdue.h"

#include "base/limits.h"
#include "http/refusal.h"

#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>

enum { LOOK_EVERY_MS = 500 };

static bool say_too_slow(const struct exchange *exchange, int fd)
{
    const struct config *config = exchange->services->config(exchange->services->context);
    const char *origin = exchange_header(exchange, MHD_HTTP_HEADER_ORIGIN);
    struct request_head head = {
        .problem_status = 408,
        .problem = "The request's body did not arrive in time.",
    };

    snprintf(head.origin, sizeof(head.origin), "%s", origin ? origin : "");
    return refusal_send(fd, &head, config);
}

/* The library sees the end of the connection, and completes the request. */
static void cut(struct exchange *exchange)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    exchange->cut = true;
    if (!info)
        return;
    if (!exchange->whole && say_too_slow(exchange, info->connect_fd))
        exchange->stats->responses[4]++;
    shutdown(info->connect_fd, SHUT_RDWR);
}

static void on_timer(struct loop_timer *timer)
{
    struct overdue *overdue = (struct overdue *)((char *)timer - offsetof(struct overdue, timer));
    struct exchange *exchange;
    int64_t now_ms = loop_turn_ms(overdue->loop);

    loop_doing(overdue->loop, "looking for overdue requests");
    if (TAILQ_EMPTY(&overdue->list))
        loop_timer_stop(&overdue->timer);
    TAILQ_FOREACH (exchange, &overdue->list, link) {
        const struct config *config = exchange->services->config(exchange->services->context);
        int64_t most_ms = exchange->whole ? HTTP_ANSWER_MS : config->limits.body_timeout_ms;
        if (!exchange->cut && !exchange->suspended && now_ms - exchange->begun_ms >= most_ms)
            cut(exchange);
    }
}

int overdue_init(struct overdue *overdue, struct loop *loop)
{
    *overdue = (struct overdue){.loop = loop};
    TAILQ_INIT(&overdue->list);
    return loop_timer_init(&overdue->timer, loop, on_timer);
}

void overdue_done(struct overdue *overdue)
{
    loop_timer_done(&overdue->timer);
}

void overdue_add(struct overdue *overdue, struct exchange *exchange)
{
    if (TAILQ_EMPTY(&overdue->list))
        loop_timer_set(&overdue->timer, LOOK_EVERY_MS, LOOK_EVERY_MS);
    exchange->begun_ms = loop_turn_ms(overdue->loop);
    TAILQ_INSERT_TAIL(&overdue->list, exchange, link);
    exchange->listed = true;
}

void overdue_remove(struct overdue *overdue, struct exchange *exchange)
{
    if (!exchange || !exchange->listed)
        return;
    TAILQ_REMOVE(&overdue->list, exchange, link);
    exchange->listed = false;
}
