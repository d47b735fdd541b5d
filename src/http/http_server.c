#include "http/http_server.h"

#include "base/log.h"
#include "http/dispatch.h"
#include "http/engine.h"
#include "http/handover.h"
#include "http/listen_socket.h"
#include "http/request_log.h"
#include "http/self_test.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LEAN_HEAD_BYTES_MAX = 2048,
    LEAN_ITEMS_MAX = 32, /* headers and parameters */
    SHORTAGE_LOG_MS = 10000,
    RETRY_MS = 100,
    USER_TIMEOUT_MARGIN_MS = 10000,
    LAST_ACCEPTS_MAX = 4096,
};

struct http_server {
    struct loop *loop;
    const struct http_services *services;
    struct loop_io listen_io;
    bool adopted; /* the listening socket lives on without us */
    char address[LISTEN_ADDRESS_TEXT_BYTES];
    struct engine wide; /* takes any request */
    struct engine
        lean; /* takes requests for a stream whose small head is there when we accept, and nothing behind them */
    struct loop_timer retry; /* while descriptors are short */
    struct loop_task kick;
    struct handover_list takeovers;
    int spare_fd; /* given up for a moment when descriptors are short, to take a connection off the queue */
    int64_t shortage_logged_ms;
    bool paused; /* as many connections as may be: the others wait in the kernel's queue */
    struct http_stats stats;
};

static void *on_target(void *context, const char *target, struct MHD_Connection *connection)
{
    struct engine *engine = context;
    struct http_server *server = engine->context;
    struct exchange *exchange = exchange_new(server, server->services, &server->stats, connection, target);

    /* What comes next on this connection might be larger. */
    if (exchange && engine == &server->lean)
        exchange->closes = true;
    return exchange;
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                 const char *version, const char *upload, size_t *upload_bytes, void **request_context)
{
    (void)context;
    (void)connection;
    (void)url;
    (void)version;
    if (!*request_context)
        return MHD_NO;
    return dispatch(*request_context, method, upload, upload_bytes);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request_context,
                         enum MHD_RequestTerminationCode how)
{
    struct http_server *server = ((struct engine *)context)->context;
    struct exchange *exchange = *request_context;

    (void)connection;
    *request_context = NULL;
    if (exchange)
        request_log_write(exchange);
    if (handover_is_complete(exchange, how)) {
        STAILQ_INSERT_TAIL(&server->takeovers, exchange->handover, link);
        exchange->handover = NULL;
    }
    exchange_free(exchange);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_server *server = ((struct engine *)context)->context;

    (void)connection;
    (void)socket_context;
    server->stats.connections += what == MHD_CONNECTION_NOTIFY_STARTED ? 1 : (uint64_t)-1;
}

/* The library has let go of these sockets: from here on they are the hub's. */
static void subscribe_taken_over(struct http_server *server)
{
    /* Bytes unacknowledged for so long: the client's machine is gone. It ends a client that takes nothing, too
     * (tcp(7)), and that is what streams.stall_ms is for: so it comes later. */
    const struct config *config = server->services->config(server->services->context);
    const unsigned timeout_ms = (unsigned)config->streams.stall_ms + USER_TIMEOUT_MARGIN_MS;

    while (!STAILQ_EMPTY(&server->takeovers)) {
        struct handover *handover = STAILQ_FIRST(&server->takeovers);
        STAILQ_REMOVE_HEAD(&server->takeovers, link);
        int fd = handover->fd;
        handover->fd = -1;
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
        hub_subscribe(server->services->hub, &handover->request.selection, &handover->request.start, fd);
        handover_free(handover);
    }
}

static void watch_listener(struct http_server *server, bool watch)
{
    if (server->listen_io.fd >= 0)
        loop_io_change(server->loop, &server->listen_io, watch ? EPOLLIN : 0);
    server->paused = !watch;
}

static bool has_room(const struct http_server *server)
{
    return server->stats.connections < (uint64_t)server->services->config(server->services->context)->limits.requests;
}

/* After a run of either library. */
static void on_run(void *context)
{
    struct http_server *server = context;

    subscribe_taken_over(server);
    if (server->spare_fd < 0)
        server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (server->paused && has_room(server) && server->spare_fd >= 0)
        watch_listener(server, true);
}

static void run_engines(struct http_server *server)
{
    engine_run(&server->lean);
    engine_run(&server->wide);
}

/* Descriptors may have come free meanwhile. */
static void on_retry(struct loop_timer *timer)
{
    struct http_server *server = (struct http_server *)((char *)timer - offsetof(struct http_server, retry));

    run_engines(server);
    if (server->paused)
        loop_timer_set(&server->retry, RETRY_MS, 0);
}

static void on_kick(struct loop_task *task)
{
    run_engines((struct http_server *)((char *)task - offsetof(struct http_server, kick)));
}

void http_server_kick(struct http_server *server)
{
    loop_task_queue(server->loop, &server->kick);
}

static void log_shortage(struct http_server *server)
{
    if (loop_turn_ms(server->loop) - server->shortage_logged_ms < SHORTAGE_LOG_MS)
        return;
    server->shortage_logged_ms = loop_turn_ms(server->loop);
    log_error("file descriptors are used up",
              log_text("remedy", "raise the limit of open files (LimitNOFILE, ulimit -n), or lower limits.streams"));
}

/* No descriptor is left. The spare one takes one connection off the queue, whose request is still answered: a stream,
 * which would need a second descriptor, with `busy`. Without a spare one we do not look at the queue for a while, since
 * it would wake us again and again. */
static int accept_without_descriptors(struct http_server *server, struct sockaddr_storage *address, socklen_t *size)
{
    server->stats.accept_failures++;
    log_shortage(server);
    if (server->spare_fd < 0) {
        watch_listener(server, false);
        loop_timer_set(&server->retry, RETRY_MS, 0);
        return -1;
    }
    close(server->spare_fd);
    server->spare_fd = -1;
    return accept4(server->listen_io.fd, (struct sockaddr *)address, size, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

/* Whether a small request for a stream is all that has come over this connection. The library keeps a list of headers
 * and parameters in the same pool, so many tiny ones are not small. */
static bool is_lean(int fd)
{
    char head[LEAN_HEAD_BYTES_MAX];
    ssize_t size = recv(fd, head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);
    int items = 0;

    if (size <= 12 || memcmp(head, "GET /streams", 12) != 0 || memcmp(head + size - 4, "\r\n\r\n", 4) != 0)
        return false;
    for (ssize_t i = 0; i < size; i++)
        items += head[i] == '\n' || head[i] == '&';
    return items <= LEAN_ITEMS_MAX;
}

/* Returns whether there may be another one. */
static bool accept_one(struct http_server *server)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    int one = 1;
    int fd = accept4(server->listen_io.fd, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0 && (errno == EMFILE || errno == ENFILE))
        fd = accept_without_descriptors(server, &address, &size);
    if (fd < 0)
        return errno == ECONNABORTED || errno == EINTR;
    server->stats.connections_opened++;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    /* The library closes fd when it cannot take it. */
    if (!engine_add(is_lean(fd) ? &server->lean : &server->wide, fd, (struct sockaddr *)&address, size))
        server->stats.accept_failures++;
    return true;
}

static void on_listen_io(struct loop_io *io, uint32_t events)
{
    struct http_server *server = (struct http_server *)((char *)io - offsetof(struct http_server, listen_io));
    int accepted = 0;

    (void)events;
    while (accepted < ACCEPTS_PER_TURN && has_room(server) && accept_one(server))
        accepted++;
    if (!has_room(server))
        watch_listener(server, false);
    if (accepted > 0)
        run_engines(server);
}

static int start_engine(struct http_server *server, struct engine *engine, size_t pool_bytes)
{
    const struct daemon_hooks hooks = {on_target, on_access, on_completed, on_connection, engine};
    const struct config *config = server->services->config(server->services->context);

    return engine_init(engine, server->loop, &hooks, pool_bytes, (unsigned)config->limits.requests + ACCEPTS_PER_TURN,
                       on_run, server);
}

/* Takes listen_fd, or opens a socket of its own. */
static int start_listening(struct http_server *server, const struct listen_address *address, int listen_fd)
{
    server->adopted = listen_fd >= 0;
    if (!server->adopted)
        return listen_socket_open(address, &server->listen_io.fd, server->address);
    server->listen_io.fd = listen_fd;
    listen_socket_describe(listen_fd, server->address);
    return 0;
}

int http_server_new(struct loop *loop, const struct listen_address *address, int listen_fd,
                    const struct http_services *services, struct http_server **ret_server, const char **ret_problem)
{
    struct http_server *server = calloc(1, sizeof(*server));
    int error = -ENOMEM;

    *ret_problem = "starting";
    if (!server)
        return error;
    server->loop = loop;
    server->services = services;
    server->listen_io = (struct loop_io){.fd = -1, .on_io = on_listen_io};
    server->kick.on_task = on_kick;
    server->shortage_logged_ms = -SHORTAGE_LOG_MS;
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    STAILQ_INIT(&server->takeovers);
    error = loop_timer_init(&server->retry, loop, on_retry);
    if (error < 0)
        goto fail;
    error = handover_self_test(services, ret_problem);
    if (error < 0)
        goto fail;
    *ret_problem = "listening";
    error = start_listening(server, address, listen_fd);
    if (error < 0)
        goto fail;
    *ret_problem = "starting libmicrohttpd";
    error = start_engine(server, &server->wide, HTTP_POOL_BYTES);
    if (error == 0)
        error = start_engine(server, &server->lean, HTTP_LEAN_POOL_BYTES);
    if (error == 0)
        error = loop_io_add(loop, &server->listen_io, EPOLLIN);
    if (error < 0)
        goto fail;
    *ret_server = server;
    return 0;
fail:
    http_server_free(server);
    return error;
}

static void close_listener(struct http_server *server)
{
    if (server->listen_io.fd < 0)
        return;
    loop_io_remove(server->loop, &server->listen_io);
    close(server->listen_io.fd);
    server->listen_io.fd = -1;
    if (server->address[0] == '/' && !server->adopted)
        unlink(server->address);
}

void http_server_free(struct http_server *server)
{
    if (!server)
        return;
    close_listener(server);
    engine_done(&server->lean);
    engine_done(&server->wide);
    while (!STAILQ_EMPTY(&server->takeovers)) {
        struct handover *handover = STAILQ_FIRST(&server->takeovers);
        STAILQ_REMOVE_HEAD(&server->takeovers, link);
        handover_free(handover);
    }
    loop_task_cancel(server->loop, &server->kick);
    loop_timer_done(&server->retry);
    if (server->spare_fd >= 0)
        close(server->spare_fd);
    free(server);
}

void http_server_stop_accepting(struct http_server *server)
{
    /* Closing a socket of our own resets what stands in its queue. */
    for (int i = 0; server->listen_io.fd >= 0 && !server->adopted && i < LAST_ACCEPTS_MAX; i++)
        if (!has_room(server) || !accept_one(server))
            break;
    http_server_kick(server);
    close_listener(server);
}

const char *http_server_address(const struct http_server *server)
{
    return server->address;
}

const struct http_stats *http_server_stats(const struct http_server *server)
{
    return &server->stats;
}
