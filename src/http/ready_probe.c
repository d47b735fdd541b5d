#include "http/ready_probe.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { TIMEOUT_S = 3, ANSWER_BYTES = 2048 };

static int connect_to(const struct sockaddr *address, socklen_t size)
{
    const struct timeval timeout = {.tv_sec = TIMEOUT_S};
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    if (connect(fd, address, size) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static int connect_gateway(const struct listen_address *address)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct sockaddr_un unix_address = {.sun_family = AF_UNIX};
    struct addrinfo *found = NULL;
    char port[8];
    int fd = -EADDRNOTAVAIL;

    if (address->path[0]) {
        snprintf(unix_address.sun_path, sizeof(unix_address.sun_path), "%s", address->path);
        return connect_to((const struct sockaddr *)&unix_address, sizeof(unix_address));
    }
    /* A gateway on all addresses is on the loopback one, too: getaddrinfo's answer without a host. */
    snprintf(port, sizeof(port), "%u", address->port);
    if (getaddrinfo(address->host[0] ? address->host : NULL, port, &hints, &found) != 0)
        return fd;
    for (struct addrinfo *at = found; at && fd < 0; at = at->ai_next)
        fd = connect_to(at->ai_addr, at->ai_addrlen);
    freeaddrinfo(found);
    return fd;
}

int ready_probe(const struct listen_address *address, FILE *errors)
{
    static const char request[] = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    char answer[ANSWER_BYTES];
    size_t size = 0;
    ssize_t got = 0;
    int fd = connect_gateway(address);

    if (fd < 0) {
        fprintf(errors, "tuplecast ready: cannot connect: %s\n", strerror(-fd));
        return fd;
    }
    if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(request) - 1)
        while (size < sizeof(answer) - 1 && (got = read(fd, answer + size, sizeof(answer) - 1 - size)) > 0)
            size += (size_t)got;
    close(fd);
    answer[size] = '\0';
    if (size > 13 && memcmp(answer, "HTTP/1.1 200 ", 13) == 0)
        return 0;
    const char *body = strstr(answer, "\r\n\r\n");
    fprintf(errors, "tuplecast ready: %s",
            size == 0 ? "no answer\n"
            : body    ? body + 4
                      : "an answer that is not HTTP\n");
    return -EAGAIN;
}
