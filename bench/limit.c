/* The limit: what a server costs that does nothing but send. Any GET gets a head and stays open; every line that comes
 * in on the control port,
 * "<channel number> <data>", is sent as one event, with one send() each, to every subscriber whose path ends in that
 * number.
 *
 *   limit PORT CONTROL_PORT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHANNELS_MAX = 4096, FDS_MAX = 1 << 17, LINE_BYTES = 1 << 16 };

static struct {
    int *fds;
    int count, capacity;
} channels[CHANNELS_MAX];

static char is_control[FDS_MAX];
static int epoll_fd;

static int listen_on(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4096) < 0) {
        perror("limit: listen");
        exit(1);
    }
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    return fd;
}

static void accept_all(int listener, char control)
{
    int fd, one = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (fd >= FDS_MAX)
            exit(1);
        is_control[fd] = control;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

static void subscribe(int fd, const char *request)
{
    static const char head[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n: ok\n\n";
    const char *path_end = strchr(request + 4, ' ');
    const char *digits = path_end;

    while (digits && digits > request && digits[-1] >= '0' && digits[-1] <= '9')
        digits--;
    int channel = digits ? atoi(digits) % CHANNELS_MAX : 0;
    if (channels[channel].count == channels[channel].capacity) {
        channels[channel].capacity = channels[channel].capacity ? channels[channel].capacity * 2 : 16;
        channels[channel].fds = realloc(channels[channel].fds, sizeof(int) * (size_t)channels[channel].capacity);
    }
    channels[channel].fds[channels[channel].count++] = fd;
    if (send(fd, head, sizeof(head) - 1, MSG_NOSIGNAL) < 0)
        perror("limit: send");
}

static void publish(char *line)
{
    static char event[LINE_BYTES + 64];
    char *data;
    int channel = (int)strtol(line, &data, 10) % CHANNELS_MAX;
    int size = snprintf(event, sizeof(event), "id: 1234-abcdefgh\ndata:%s\n\n", data);

    for (int i = 0; i < channels[channel].count; i++)
        if (send(channels[channel].fds[i], event, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT) < size && errno == EAGAIN)
            fprintf(stderr, "limit: a client is too slow, its event is lost\n");
}

static void read_from(int fd)
{
    static char buffer[LINE_BYTES + 1];
    static size_t kept; /* of the one control connection */
    size_t before = is_control[fd] ? kept : 0;
    ssize_t got = recv(fd, buffer + before, LINE_BYTES - before, MSG_DONTWAIT);

    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            close(fd); /* its channel keeps the number: this is a bench, not a server */
        return;
    }
    size_t size = before + (size_t)got;
    buffer[size] = '\0';
    if (!is_control[fd]) {
        subscribe(fd, buffer);
        return;
    }
    char *line = buffer, *end;
    while ((end = strchr(line, '\n'))) {
        *end = '\0';
        publish(line);
        line = end + 1;
    }
    kept = size - (size_t)(line - buffer);
    memmove(buffer, line, kept);
}

int main(int count, char **values)
{
    struct epoll_event events[256];
    struct rlimit limit;

    if (count != 3)
        return 2;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    epoll_fd = epoll_create1(0);
    int listener = listen_on(atoi(values[1])), control = listen_on(atoi(values[2]));
    for (;;) {
        int ready = epoll_wait(epoll_fd, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener || fd == control)
                accept_all(fd, fd == control);
            else
                read_from(fd);
        }
    }
}
