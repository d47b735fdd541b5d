#include "http/http_server.h"

#include "base/log.h"
#include "http/acceptor.h"
#include "http/arrivals.h"
#include "http/client_address.h"
#include "http/departures.h"
#include "http/dispatch.h"
#include "http/engine.h"
#include "http/handover.h"
#include "http/overdue.h"
#include "http/peers.h"
#include "http/refusal.h"
#include "http/request_log.h"
#include "http/self_test.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LEAN_HEAD_BYTES_MAX = 2048,
    LEAN_ITEMS_MAX = 32, /* the library keeps a list of headers and parameters in the same pool: many are not small */
    USER_TIMEOUT_MARGIN_MS = 10000,
};

struct http_server {
    struct loop *loop;
    const struct http_services *services;
    struct acceptor acceptor;
    struct arrivals arrivals; /* first a connection is here, until its head is whole */
    struct engine wide;       /* takes any request */
    struct engine lean;       /* takes those without a body whose head is small */
    struct overdue overdue;
    struct departures departures;
    struct peers peers;
    struct loop_task kick;
    struct handover_list takeovers;
    struct http_stats stats;
};

static const struct config *current_config(const struct http_server *server)
{
    return server->services->config(server->services->context);
}

/* A connection is not ours any more: it is closed, lingers, or is the hub's. */
static void count_out(struct http_server *server, const struct sockaddr *address)
{
    char key[ORIGIN_BYTES_MAX];
    struct ip_address client = ip_address_of(address);

    client_address_key(&client, key);
    server->stats.connections--;
    peers_leave(&server->peers, key, loop_turn_ms(server->loop));
}

static void *on_target(void *context, const char *target, struct MHD_Connection *connection)
{
    struct engine *engine = context;
    struct http_server *server = engine->context;
    struct exchange *exchange = exchange_new(server, server->services, &server->stats, connection, target);

    if (exchange)
        overdue_add(&server->overdue, exchange);
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

/* The client has sent more than its request, or still sends its body, which nobody reads once the answer is there: then
 * closing would take the answer away from it. */
static void linger_if_unread(struct http_server *server, const struct exchange *exchange)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    char byte;

    if (!info || (exchange->whole && recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0))
        return;
    int fd = fcntl(info->connect_fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0)
        departures_add(&server->departures, fd);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request_context,
                         enum MHD_RequestTerminationCode how)
{
    struct http_server *server = ((struct engine *)context)->context;
    struct exchange *exchange = *request_context;

    (void)connection;
    *request_context = NULL;
    overdue_remove(&server->overdue, exchange);
    if (exchange)
        request_log_write(exchange);
    if (handover_is_complete(exchange, how)) {
        STAILQ_INSERT_TAIL(&server->takeovers, exchange->handover, link);
        exchange->handover = NULL;
    } else if (exchange && how == MHD_REQUEST_TERMINATED_COMPLETED_OK) {
        linger_if_unread(server, exchange);
    }
    exchange_free(exchange);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_server *server = ((struct engine *)context)->context;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    (void)socket_context;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED)
        count_out(server, info ? info->client_addr : NULL);
}

/* What let the request in may be revoked by now, and hub_revoke did not know of this one yet. */
static bool may_still(const struct http_server *server, const struct stream_request *request)
{
    const struct http_services *services = server->services;

    return config_channels_allowed(current_config(server), &request->selection.channels) &&
           access_knows(services->access(services->context), request->start.source);
}

/* The library has let go of these sockets: from here on they are the hub's. */
static void subscribe_taken_over(struct http_server *server)
{
    /* Bytes unacknowledged for so long: the client's machine is gone. It ends a client that takes nothing, too
     * (tcp(7)), and that is what streams.stall_ms is for: so it comes later. */
    const unsigned timeout_ms = (unsigned)current_config(server)->streams.stall_ms + USER_TIMEOUT_MARGIN_MS;

    while (!STAILQ_EMPTY(&server->takeovers)) {
        struct handover *handover = STAILQ_FIRST(&server->takeovers);
        STAILQ_REMOVE_HEAD(&server->takeovers, link);
        if (may_still(server, &handover->request)) {
            int fd = handover->fd;
            handover->fd = -1;
            setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
            hub_subscribe(server->services->hub, &handover->request.selection, &handover->request.start, fd);
        }
        handover_free(handover);
    }
}

/* After a run of either library. */
static void on_run(void *context)
{
    struct http_server *server = context;

    subscribe_taken_over(server);
    acceptor_resume(&server->acceptor);
}

static void run_engines(struct http_server *server)
{
    engine_run(&server->lean);
    engine_run(&server->wide);
}

static void on_kick(struct loop_task *task)
{
    run_engines((struct http_server *)((char *)task - offsetof(struct http_server, kick)));
}

void http_server_kick(struct http_server *server)
{
    loop_task_queue(server->loop, &server->kick);
}

/* A head that is late makes room: a crowd that sends nothing must not keep the others out. */
static bool has_room(void *context)
{
    const struct http_server *server = context;

    return server->stats.connections < (uint64_t)current_config(server)->limits.requests ||
           arrivals_oldest_ms(&server->arrivals) >= HTTP_GIVE_WAY_MS;
}

static void log_refusal(struct http_server *server, const char *address, int error)
{
    server->stats.connections_refused++;
    log_warn("connection refused", log_text("address", address),
             log_text("limit", error == -EUSERS  ? "limits.requests_per_address"
                               : error == -EBUSY ? "limits.connects_per_address_per_s"
                                                 : "memory"));
}

/* A proxy speaks for many, so its connections are not counted against one address. */
static int count_in(struct http_server *server, const struct sockaddr *address)
{
    const struct config *config = current_config(server);
    struct ip_address client = ip_address_of(address);
    bool counts = client.family != AF_UNIX && !client_address_is_trusted(&config->trusted_proxies, &client);
    char key[ORIGIN_BYTES_MAX];

    client_address_key(&client, key);
    int error = peers_enter(&server->peers, key, loop_turn_ms(server->loop),
                            counts ? (size_t)config->limits.requests_per_address : 0,
                            counts ? (size_t)config->limits.connects_per_address_per_s : 0);
    if (error < 0)
        log_refusal(server, key, error);
    else
        server->stats.connections++;
    return error;
}

static void on_accepted(void *context, int fd, const struct sockaddr_storage *address, socklen_t address_bytes)
{
    struct http_server *server = context;
    const struct config *config = current_config(server);

    server->stats.connections_opened++;
    if (count_in(server, (const struct sockaddr *)address) < 0) {
        close(fd);
        return;
    }
    arrivals_add(&server->arrivals, fd, address, address_bytes, config->limits.head_timeout_ms);
    if (server->stats.connections > (uint64_t)config->limits.requests && server->arrivals.count > 0)
        arrivals_end_oldest(&server->arrivals);
}

static void on_accept_failed(void *context)
{
    struct http_server *server = context;

    server->stats.accept_failures++;
    http_server_kick(server); /* a connection that the library closes gives its descriptor back */
}

static void on_arrived(void *context, int fd, const struct sockaddr_storage *address, socklen_t address_bytes,
                       int error, const struct request_head *head, bool alone)
{
    struct http_server *server = context;
    bool lean =
        alone && head->size_bytes <= LEAN_HEAD_BYTES_MAX && head->items <= LEAN_ITEMS_MAX && head->body_bytes == 0;

    if (error == 0) {
        /* The library closes fd when it cannot take it. */
        if (!engine_add(lean ? &server->lean : &server->wide, fd, (const struct sockaddr *)address, address_bytes)) {
            server->stats.accept_failures++;
            count_out(server, (const struct sockaddr *)address);
        }
        http_server_kick(server);
        return;
    }
    count_out(server, (const struct sockaddr *)address);
    if (error == -EBADMSG && refusal_send(fd, head, current_config(server))) {
        server->stats.responses[head->problem_status / 100]++;
        request_log_write_refused(current_config(server), (const struct sockaddr *)address, head);
        departures_add(&server->departures, fd);
    } else {
        close(fd);
    }
    acceptor_resume(&server->acceptor);
}

static int start_engine(struct http_server *server, struct engine *engine, size_t pool_bytes)
{
    const struct daemon_hooks hooks = {on_target, on_access, on_completed, on_connection, engine};

    return engine_init(engine, server->loop, &hooks, pool_bytes,
                       (unsigned)current_config(server)->limits.requests + ACCEPTS_PER_TURN, on_run, server);
}

static int start_parts(struct http_server *server, const struct listen_address *address, int listen_fd,
                       const char **ret_problem)
{
    const struct acceptor_hooks acceptor_hooks = {has_room, on_accepted, on_accept_failed, server};
    const struct arrivals_hooks arrivals_hooks = {on_arrived, server};
    int error = arrivals_init(&server->arrivals, server->loop, &arrivals_hooks);

    if (error == 0)
        error = departures_init(&server->departures, server->loop);
    if (error == 0)
        error = overdue_init(&server->overdue, server->loop);
    if (error == 0)
        error = handover_self_test(server->services, ret_problem);
    if (error < 0)
        return error;
    *ret_problem = "listening";
    error = acceptor_init(&server->acceptor, server->loop, address, listen_fd, &acceptor_hooks);
    if (error < 0)
        return error;
    *ret_problem = "starting libmicrohttpd";
    error = start_engine(server, &server->wide, HTTP_POOL_BYTES);
    if (error == 0)
        error = start_engine(server, &server->lean, HTTP_LEAN_POOL_BYTES);
    return error < 0 ? error : acceptor_start(&server->acceptor);
}

int http_server_new(struct loop *loop, const struct listen_address *address, int listen_fd,
                    const struct http_services *services, struct http_server **ret_server, const char **ret_problem)
{
    struct http_server *server = calloc(1, sizeof(*server));

    *ret_problem = "starting";
    if (!server)
        return -ENOMEM;
    server->loop = loop;
    server->services = services;
    server->kick.on_task = on_kick;
    STAILQ_INIT(&server->takeovers);
    peers_init(&server->peers);
    int error = start_parts(server, address, listen_fd, ret_problem);
    if (error < 0) {
        http_server_free(server);
        return error;
    }
    *ret_server = server;
    return 0;
}

void http_server_free(struct http_server *server)
{
    if (!server)
        return;
    arrivals_done(&server->arrivals);
    acceptor_done(&server->acceptor);
    engine_done(&server->lean);
    engine_done(&server->wide);
    departures_done(&server->departures);
    overdue_done(&server->overdue);
    while (!STAILQ_EMPTY(&server->takeovers)) {
        struct handover *handover = STAILQ_FIRST(&server->takeovers);
        STAILQ_REMOVE_HEAD(&server->takeovers, link);
        handover_free(handover);
    }
    loop_task_cancel(server->loop, &server->kick);
    peers_done(&server->peers);
    free(server);
}

void http_server_stop_accepting(struct http_server *server)
{
    acceptor_stop(&server->acceptor);
    http_server_kick(server);
}

const char *http_server_address(const struct http_server *server)
{
    return server->acceptor.address;
}

const struct http_stats *http_server_stats(const struct http_server *server)
{
    return &server->stats;
}
