#define _GNU_SOURCE
#include "publish.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct publisher {
    PGconn *pq; /* NULL: a socket */
    int fd;
    char *path; /* NULL: lines */
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "swarm: publisher: %s: %s\n", what, why);
    exit(1);
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        fail("cannot connect", strerror(errno));
    return fd;
}

struct publisher *publisher_open(const char *target)
{
    struct publisher *publisher = calloc(1, sizeof(*publisher));
    char *path;

    if (strncmp(target, "pg:", 3) == 0) {
        publisher->pq = PQconnectdb(target + 3);
        if (PQstatus(publisher->pq) != CONNECTION_OK)
            fail("cannot connect", PQerrorMessage(publisher->pq));
    } else if (strncmp(target, "http:", 5) == 0) {
        publisher->fd = connect_to((int)strtol(target + 5, &path, 10));
        publisher->path = strdup(path + 1);
    } else if (strncmp(target, "line:", 5) == 0) {
        publisher->fd = connect_to(atoi(target + 5));
    } else {
        fail("unknown target", target);
    }
    return publisher;
}

static void notify(struct publisher *publisher, int channel, const char *data)
{
    char name[32];
    const char *values[] = {name, data};

    snprintf(name, sizeof(name), "c%d", channel);
    PGresult *result = PQexecParams(publisher->pq, "SELECT pg_notify($1, $2)", 2, NULL, values, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        fail("cannot notify", PQerrorMessage(publisher->pq));
    PQclear(result);
}

static void write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent < 0)
            fail("cannot send", strerror(errno));
        bytes += sent;
        size -= (size_t)sent;
    }
}

static void post(struct publisher *publisher, int channel, const char *data)
{
    char request[16384], path[256], answer[4096];
    size_t size = 0;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(path, sizeof(path), publisher->path, channel);
#pragma GCC diagnostic pop
    int length = snprintf(
        request, sizeof(request),
        "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", path,
        strlen(data), data);
    write_all(publisher->fd, request, (size_t)length);
    /* The answer's body is as long as it says. */
    for (;;) {
        ssize_t got = recv(publisher->fd, answer + size, sizeof(answer) - 1 - size, 0);
        if (got <= 0)
            fail("no answer", strerror(errno));
        size += (size_t)got;
        answer[size] = '\0';
        char *body = strstr(answer, "\r\n\r\n");
        char *said = strcasestr(answer, "content-length:");
        if (body && said && size >= (size_t)(body + 4 - answer) + strtoul(said + 15, NULL, 10))
            break;
        if (body && !said)
            break;
    }
    if (strncmp(answer, "HTTP/1.1 2", 10) != 0)
        fail("refused", answer);
}

void publisher_send(struct publisher *publisher, int channel, const char *data)
{
    char line[16384];

    if (publisher->pq) {
        notify(publisher, channel, data);
    } else if (publisher->path) {
        post(publisher, channel, data);
    } else {
        int length = snprintf(line, sizeof(line), "%d %s\n", channel, data);
        write_all(publisher->fd, line, (size_t)length);
    }
}
