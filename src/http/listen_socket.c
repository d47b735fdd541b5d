#include "http/listen_socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 }; /* the kernel takes the smaller of this and net.core.somaxconn */

static int open_at(const struct sockaddr *address, socklen_t size, int *ret_fd)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1, zero = 0, error;

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
    if (bind(fd, address, size) < 0 || listen(fd, BACKLOG) < 0) {
        error = -errno;
        close(fd);
        return error;
    }
    *ret_fd = fd;
    return 0;
}

/* A socket file that is left from a program that was killed refuses connections; one in use does not. */
static bool is_abandoned(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 && errno == ECONNREFUSED;

    close(fd);
    return refused;
}

static int open_unix(const char *path, int *ret_fd, char ret_text[LISTEN_ADDRESS_TEXT_BYTES])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int error = open_at((const struct sockaddr *)&address, sizeof(address), ret_fd);
    if (error == -EADDRINUSE && is_abandoned(&address) && unlink(path) == 0)
        error = open_at((const struct sockaddr *)&address, sizeof(address), ret_fd);
    if (error == 0)
        snprintf(ret_text, LISTEN_ADDRESS_TEXT_BYTES, "%s", path);
    return error;
}

void listen_socket_describe(int fd, char ret_text[LISTEN_ADDRESS_TEXT_BYTES])
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    char host[NI_MAXHOST], port[NI_MAXSERV];

    ret_text[0] = '\0';
    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        return;
    if (address.ss_family == AF_UNIX)
        snprintf(ret_text, LISTEN_ADDRESS_TEXT_BYTES, "%s",
                 ((const struct sockaddr_un *)(const void *)&address)->sun_path);
    else if (getnameinfo((struct sockaddr *)&address, size, host, 256, port, 32, NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(ret_text, LISTEN_ADDRESS_TEXT_BYTES, address.ss_family == AF_INET6 ? "[%.255s]:%.31s" : "%.255s:%.31s",
                 host, port);
}

int listen_socket_open(const struct listen_address *address, int *ret_fd, char ret_text[LISTEN_ADDRESS_TEXT_BYTES])
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char port[8];
    int error = -EADDRNOTAVAIL;

    if (address->path[0])
        return open_unix(address->path, ret_fd, ret_text);
    snprintf(port, sizeof(port), "%u", address->port);
    if (getaddrinfo(address->host[0] ? address->host : NULL, port, &hints, &found) != 0)
        return error;
    /* IPv6 first: with V6ONLY off it serves both, unless this machine has none. */
    for (int pass = 0; pass < 2 && error < 0; pass++)
        for (struct addrinfo *at = found; at && error < 0; at = at->ai_next)
            if ((at->ai_family == AF_INET6) == (pass == 0))
                error = open_at(at->ai_addr, at->ai_addrlen, ret_fd);
    freeaddrinfo(found);
    if (error == 0)
        listen_socket_describe(*ret_fd, ret_text);
    return error;
}
