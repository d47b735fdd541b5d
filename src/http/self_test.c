#include "http/self_test.h"

#include "base/limits.h"
#include "http/daemon.h"
#include "http/handover.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RUNS_MAX = 2000, ANSWER_BYTES = 2048 };

struct trial {
    const struct http_services *services;
    struct http_stats stats;
    struct handover *handover; /* of the stream, once the library has let go */
    int connections;           /* that the library has */
};

static void *on_target(void *context, const char *target, struct MHD_Connection *connection)
{
    struct trial *trial = context;

    return exchange_new(NULL, trial->services, &trial->stats, connection, target);
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                 const char *version, const char *upload, size_t *upload_bytes, void **request_context)
{
    struct exchange *exchange = *request_context;
    struct stream_request request = {0};

    (void)context, (void)connection, (void)url, (void)method, (void)version, (void)upload, (void)upload_bytes;
    if (!exchange)
        return MHD_NO;
    if (!exchange->started) {
        exchange->started = true;
        return MHD_YES;
    }
    return handover_begin(exchange, &request) == 0 ? MHD_YES : MHD_NO;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request_context,
                         enum MHD_RequestTerminationCode how)
{
    struct trial *trial = context;
    struct exchange *exchange = *request_context;

    (void)connection;
    *request_context = NULL;
    if (handover_is_complete(exchange, how) && !trial->handover) {
        trial->handover = exchange->handover;
        exchange->handover = NULL;
    }
    exchange_free(exchange);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct trial *trial = context;

    (void)connection, (void)socket_context;
    trial->connections += what == MHD_CONNECTION_NOTIFY_STARTED ? 1 : -1;
}

/* Both ends of a TCP connection on the loopback address. */
static int connect_pair(int ret_fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), error = 0;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ret_fds[1] = -1;
    ret_fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || ret_fds[0] < 0 || bind(listener, (struct sockaddr *)&address, size) < 0 ||
        listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&address, &size) < 0 ||
        connect(ret_fds[0], (struct sockaddr *)&address, size) < 0 ||
        (ret_fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) < 0) {
        error = -errno;
        if (ret_fds[0] >= 0)
            close(ret_fds[0]);
    }
    if (listener >= 0)
        close(listener);
    return error;
}

static int add_connection(struct MHD_Daemon *daemon, int *ret_client_fd)
{
    const struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fds[2] = {-1, -1};
    int error = connect_pair(fds);

    if (error < 0)
        return error;
    *ret_client_fd = fds[0];
    return MHD_add_connection(daemon, fds[1], (const struct sockaddr *)&address, sizeof(address)) == MHD_YES ? 0 : -EIO;
}

static bool is_established(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_state == TCP_ESTABLISHED;
}

/* What the client has received when mark has been sent to it. */
static bool receives(int fd, int client_fd, const char *mark, char answer[ANSWER_BYTES])
{
    struct pollfd poll_client = {.fd = client_fd, .events = POLLIN};
    size_t size = strlen(answer);
    ssize_t got;

    if (send(fd, mark, strlen(mark), MSG_NOSIGNAL) != (ssize_t)strlen(mark))
        return false;
    while (!strstr(answer, mark)) {
        if (poll(&poll_client, 1, 1000) != 1 || (got = recv(client_fd, answer + size, ANSWER_BYTES - 1 - size, 0)) <= 0)
            return false;
        size += (size_t)got;
        answer[size] = '\0';
    }
    return true;
}

static const char *judge(struct trial *trial, struct MHD_Daemon *daemon, int client_fd)
{
    static const char request[] = "GET /streams/self-test HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char answer[ANSWER_BYTES] = "";

    if (send(client_fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
        return "the loopback address does not work";
    for (int runs = 0; runs < RUNS_MAX && (!trial->handover || trial->connections > 1); runs++) {
        MHD_run(daemon);
        poll(NULL, 0, runs < RUNS_MAX / 2 ? 0 : 1);
    }
    if (!trial->handover)
        return "a response that its reader has ended is not completed";
    if (trial->connections > 1)
        return "a connection whose response has ended is not cleaned up";
    if (!is_established(trial->handover->fd))
        return "the socket of a response that has ended is shut down, in spite of MHD_USE_TURBO";
    if (!receives(trial->handover->fd, client_fd, "<first>", answer))
        return "a duplicate of the socket cannot be written to";
    const char *body = strstr(answer, "\r\n\r\n");
    if (!body || strncmp(body + 4, ": ok\n\nretry: ", 13) != 0 || strcasestr(answer, "\r\ncontent-length:") ||
        strcasestr(answer, "\r\ntransfer-encoding:"))
        return "the head or the greeting is not as it was given";
    return NULL;
}

int handover_self_test(const struct http_services *services, const char **ret_problem)
{
    struct trial trial = {.services = services};
    const struct daemon_hooks hooks = {on_target, on_access, on_completed, on_connection, &trial};
    struct MHD_Daemon *daemon = daemon_start(&hooks, HTTP_LEAN_POOL_BYTES, 8);
    int idle_fd = -1, client_fd = -1;
    char rest[ANSWER_BYTES] = "";

    *ret_problem = "libmicrohttpd does not start";
    if (!daemon)
        return -EIO;
    /* An older idle connection beside it: what the library cleans up must not depend on that. */
    *ret_problem = "the loopback address does not work";
    int error = add_connection(daemon, &idle_fd);
    if (error == 0)
        error = add_connection(daemon, &client_fd);
    if (error == 0) {
        *ret_problem = judge(&trial, daemon, client_fd);
        error = *ret_problem ? -EPROTO : 0;
    }
    MHD_stop_daemon(daemon);
    if (error == 0 && !receives(trial.handover->fd, client_fd, "<last>", rest)) {
        *ret_problem = "stopping the library shuts down a socket that it had let go of";
        error = -EPROTO;
    }
    handover_free(trial.handover);
    if (idle_fd >= 0)
        close(idle_fd);
    if (client_fd >= 0)
        close(client_fd);
    return error;
}
