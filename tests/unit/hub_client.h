/* The clients of hub_fixture.h: real sockets in the same process. What a client reads goes through sse_reader.h and is
 * kept as a list. */
#pragma once

#include "sse_reader.h"
#include "stream/hub.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS_MAX = 2100, PUBLISHED_MAX = 40000, PAD_BYTES = 60 };

static const uint64_t NO_NUMBER = UINT64_MAX;

/* One thing that a client read. */
struct seen {
    char what[24];      /* "event", or a control event's name; of a gap, its reason: "gap:outage" */
    uint64_t number;    /* out of the id; NO_NUMBER without one */
    uint64_t requested; /* of a gap, if it was an id of ours */
    uint64_t resumed;   /* of a gap */
    unsigned serial;    /* of an event: which one */
    char channel;
};

struct client {
    struct loop_io io;
    struct sse_reader reader;
    struct seen *seen;
    size_t seen_count, seen_capacity;
    size_t bytes;
    char last_id[ID_BYTES_MAX + 1];
    char last_data[512];
    char last_type[64];
    bool reading; /* false: it leaves what arrives in the socket */
    bool ended;   /* the hub has closed the stream */
};

static struct hub_fixture {
    struct loop *loop;
    struct hub *hub;
    struct hub_options options;
    struct client *clients[CLIENTS_MAX];
    size_t client_count;
    unsigned published; /* events so far; each has its serial, from 1 on, as its id */
    char channels[PUBLISHED_MAX];
    char wanted[1000];     /* what on_channel_wanted said: "+a +b -a" */
    char to_listen[100];   /* channels that are wanted and not listened to yet */
    bool listen_by_itself; /* LISTEN succeeds at once while the database is up */
    bool database_is_up;
    bool tcp; /* loopback connections instead of socket pairs */
    int closed_calls;
    char run[32]; /* of the hub, out of the first id seen */
    size_t progress;
    int own_work; /* > 0 while memory is allocated for the fixture and not for the hub */
} f;

static inline void on_client_event(void *context, const struct sse_event *event)
{
    struct client *client = context;
    struct seen seen = {.number = NO_NUMBER, .requested = NO_NUMBER};
    char reason[16];

    /* Whatever is in a data block is JSON, and ours always begins like this. */
    assert_int_equal(event->data[0], '{');
    snprintf(client->last_data, sizeof(client->last_data), "%s", event->data);
    snprintf(client->last_type, sizeof(client->last_type), "%s", event->type);
    if (event->id_bytes > 0) {
        assert_int_equal(sscanf(event->id, "%" SCNu64 "-%31s", &seen.number, f.run), 2);
        snprintf(client->last_id, sizeof(client->last_id), "%s", event->id);
    }
    const char *id = strstr(event->data, "\"id\":");
    if (strncmp(event->data, "{\"channel\":\"", 12) == 0) {
        strcpy(seen.what, "event");
        seen.channel = event->data[12];
        assert_true(id && sscanf(id, "\"id\":%u", &seen.serial) == 1);
        assert_int_equal(f.channels[seen.serial], seen.channel);
    } else if (strcmp(event->type, "gap") == 0) {
        assert_int_equal(sscanf(event->data, "{\"reason\":\"%15[^\"]\"", reason), 1);
        snprintf(seen.what, sizeof(seen.what), "gap:%s", reason);
        sscanf(event->data, "{\"reason\":\"%*[^\"]\",\"requested\":\"%" SCNu64 "-", &seen.requested);
        /* What other channels remember of the part that may be missing still follows: the id is where that begins. */
        const char *resumed = strstr(event->data, "\"resumed\":\"");
        uint64_t resumed_number = 0, id_number = 0;
        assert_true(resumed && sscanf(resumed, "\"resumed\":\"%" SCNu64 "-", &resumed_number) == 1);
        assert_int_equal(sscanf(event->id, "%" SCNu64 "-", &id_number), 1);
        assert_true(id_number <= resumed_number);
        seen.resumed = resumed_number;
    } else {
        snprintf(seen.what, sizeof(seen.what), "%s", event->type);
        if (strcmp(event->type, "status") == 0)
            strcpy(seen.what, strstr(event->data, "\"up\"") ? "up" : "down");
        if (strcmp(event->type, "ready") != 0)
            seen.number = NO_NUMBER;
    }
    if (client->seen_count == client->seen_capacity) {
        client->seen_capacity = client->seen_capacity ? client->seen_capacity * 2 : 64;
        client->seen = realloc(client->seen, client->seen_capacity * sizeof(*client->seen));
        assert_non_null(client->seen);
    }
    client->seen[client->seen_count++] = seen;
}

static inline void on_client_io(struct loop_io *io, uint32_t events)
{
    struct client *client = (struct client *)io;
    static char bytes[1 << 16];

    (void)events;
    f.own_work++;
    ssize_t size = recv(io->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    f.progress++;
    if (size > 0) {
        client->bytes += (size_t)size;
        sse_read(&client->reader, bytes, (size_t)size);
    } else if (size == 0 || errno != EAGAIN) {
        client->ended = true;
        loop_io_remove(f.loop, io);
    }
    f.own_work--;
}

/* Connected sockets: the first is the hub's, the second the client's. Both are small, so that a client that does
 * not read is noticed soon. */
static inline void connect_pair(int ret_fds[2])
{
    int small = 4096;

    if (!f.tcp) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_fds), 0);
        return;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    ret_fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(ret_fds[1], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    assert_int_equal(connect(ret_fds[1], (struct sockaddr *)&address, size), 0);
    ret_fds[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(ret_fds[0] >= 0);
    close(listener);
}

static inline void set_reading(struct client *client, bool reading)
{
    if (client->reading == reading || client->ended)
        return;
    client->reading = reading;
    assert_int_equal(loop_io_change(f.loop, &client->io, reading ? EPOLLIN : 0), 0);
}
