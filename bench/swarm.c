/* A load client: many streams from many loopback addresses in one thread, a look at every event that arrives, and, if
 * asked, the publisher of these events.
 *
 *   swarm --port P --path PATH_WITH_%d --streams N [--channels C] [--seconds S] [--stopped N]
 *         [--publish TARGET (--rate EVENTS_PER_SECOND | --in-flight W)] [--count EVENTS] [--bytes DATA_BYTES]
 *         [--receive-buffer BYTES]
 *
 * Stream number i reads channel i modulo C. An event holds "n":<number>, which counts up by one on each channel
 * (without it, nothing is said about losses), and "t":<nanoseconds of CLOCK_REALTIME>. Prints "open" when all streams
 * are open, waits for a line on standard input, runs, and prints one JSON object. With
 * --in-flight the next event is published when all streams have all but the last W - 1: a closed loop, which shows what
 * a server does when it is given as much as it takes. With --count, what arrived while the streams were being opened
 * counts, too; `least` and `most` are the next numbers expected on the stream that is furthest behind and furthest
 * ahead. --receive-buffer is SO_RCVBUF: when thousands of streams with as much as the kernel gives them (6 MB) are all
 * full, it runs out of memory for TCP, drops what arrives, and times connections out. */
#define _GNU_SOURCE
#include "publish.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    READ_BYTES = 256 * 1024,
    KEPT_BYTES = 64 * 1024, /* the beginning of an event that a read has cut */
    STREAMS_PER_ADDRESS = 20000,
    BUCKETS = 4000, /* of the latency histogram: below 1 ms by 10 us, below 1 s by 1 ms, then by 100 ms */
    CONNECTING_MAX = 400,
};

struct stream {
    int fd;
    bool open; /* the greeting has arrived */
    bool stopped;
    uint32_t kept_bytes;
    char *kept;
    int64_t next; /* number expected; -1 before the first */
};

struct totals {
    int64_t deliveries, bytes, lost, doubled, gaps, closed, reads;
    int64_t finished_ns, counted; /* how long the load ran, and what was delivered in that time */
    int64_t buckets[BUCKETS];
    int64_t latency_max_ns;
};

static struct options {
    int port, streams, channels, stopped, in_flight, data_bytes, receive_buffer;
    const char *path, *publish;
    int64_t count; /* deliveries of each stream that is enough; 0: go on for `seconds` */
    double seconds, rate;
} options = {.streams = 1, .channels = 1, .path = "/", .data_bytes = 100, .seconds = 10};

static struct stream *streams;
static struct totals totals;
static int epoll_fd, open_count, connecting;

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "swarm: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int bucket_of(int64_t ns)
{
    if (ns < 0)
        return 0;
    if (ns < 1000000)
        return (int)(ns / 10000);
    if (ns < 1000000000)
        return 100 + (int)(ns / 1000000);
    int64_t bucket = 1100 + ns / 100000000;
    return bucket < BUCKETS ? (int)bucket : BUCKETS - 1;
}

static double bucket_ms(int bucket)
{
    return bucket < 100 ? (bucket + 1) * 0.01 : bucket < 1100 ? bucket - 100 + 1 : (bucket - 1100 + 1) * 100.0;
}

static double percentile_ms(double share)
{
    int64_t seen = 0;

    for (int i = 0; i < BUCKETS; i++) {
        seen += totals.buckets[i];
        if ((double)seen >= share * (double)totals.deliveries && seen > 0)
            return bucket_ms(i);
    }
    return 0;
}

/* The digits behind key and a colon, or -1. */
static int64_t number_behind(const char *text, size_t size, const char *key, size_t key_size)
{
    const char *at = memmem(text, size, key, key_size);
    int64_t number = 0;

    if (!at)
        return -1;
    at += key_size;
    while (at < text + size && (*at == ' ' || *at == ':'))
        at++;
    for (; at < text + size && *at >= '0' && *at <= '9'; at++)
        number = number * 10 + (*at - '0');
    return number;
}

static void take_event(struct stream *stream, const char *text, size_t size, int64_t now_ns)
{
    int64_t number = number_behind(text, size, "\"n\"", 3);
    int64_t sent_ns = number_behind(text, size, "\"t\"", 3);

    if (number < 0 && sent_ns < 0) {
        if (memmem(text, size, "event: gap", 10))
            totals.gaps++;
        return;
    }
    if (number >= 0) {
        if (stream->next >= 0 && number > stream->next)
            totals.lost += number - stream->next;
        if (stream->next >= 0 && number < stream->next)
            totals.doubled++;
        stream->next = number + 1;
    }
    totals.deliveries++;
    if (sent_ns > 0) {
        totals.buckets[bucket_of(now_ns - sent_ns)]++;
        if (now_ns - sent_ns > totals.latency_max_ns)
            totals.latency_max_ns = now_ns - sent_ns;
    }
}

static void keep(struct stream *stream, const char *rest, size_t size)
{
    if (size > KEPT_BYTES) {
        fprintf(stderr, "swarm: an event larger than %d bytes\n", KEPT_BYTES);
        exit(1);
    }
    if (size > 0 && !stream->kept)
        stream->kept = malloc(KEPT_BYTES);
    if (size > 0)
        memmove(stream->kept, rest, size);
    stream->kept_bytes = (uint32_t)size;
    if (size == 0) {
        free(stream->kept);
        stream->kept = NULL;
    }
}

static void take_bytes(struct stream *stream, const char *bytes, size_t size)
{
    int64_t now_ns = clock_ns(CLOCK_REALTIME);
    const char *at = bytes, *end = bytes + size, *blank;

    totals.bytes += (int64_t)size;
    while ((blank = memmem(at, (size_t)(end - at), "\n\n", 2))) {
        take_event(stream, at, (size_t)(blank - at), now_ns);
        at = blank + 2;
    }
    keep(stream, at, (size_t)(end - at));
}

/* One read. Returns whether there may be more: the descriptor is watched edge-triggered, which costs this client, and
 * so every figure, the least. */
static bool read_some(struct stream *stream)
{
    static char buffer[KEPT_BYTES + READ_BYTES];
    size_t kept = stream->kept_bytes;

    if (kept > 0)
        memcpy(buffer, stream->kept, kept);
    ssize_t got = recv(stream->fd, buffer + kept, READ_BYTES, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    totals.reads++;
    if (got <= 0) {
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, stream->fd, NULL);
        close(stream->fd);
        stream->fd = -1;
        totals.closed++;
        if (!stream->open) {
            connecting--;
            open_count++;
        }
        return false;
    }
    size_t size = kept + (size_t)got;
    if (!stream->open && memmem(buffer, size, "\r\n\r\n", 4)) {
        /* Open is who has the head; a server that announces it says `ready` as well. */
        stream->open = true;
        open_count++;
        connecting--;
    }
    take_bytes(stream, buffer, size);
    return got == READ_BYTES;
}

static void read_stream(struct stream *stream)
{
    while (read_some(stream))
        ;
}

static void connect_next(int index)
{
    struct stream *stream = &streams[index];
    struct sockaddr_in from = {.sin_family = AF_INET},
                       to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = stream};
    char request[1024], path[512];
    int one = 1;

    stream->next = -1;
    stream->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (stream->fd < 0)
        die("socket");
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(index / STREAMS_PER_ADDRESS));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(stream->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (options.receive_buffer > 0)
        setsockopt(stream->fd, SOL_SOCKET, SO_RCVBUF, &options.receive_buffer, sizeof(options.receive_buffer));
    if (bind(stream->fd, (struct sockaddr *)&from, sizeof(from)) < 0)
        die("bind");
    if (connect(stream->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        die("connect");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(path, sizeof(path), options.path, index % options.channels);
#pragma GCC diagnostic pop
    int size =
        snprintf(request, sizeof(request),
                 "GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nUser-Agent: swarm\r\n\r\n", path);
    if (send(stream->fd, request, (size_t)size, MSG_NOSIGNAL) != size)
        die("send");
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, stream->fd, &event) < 0)
        die("epoll_ctl");
    connecting++;
}

/* Opens all streams, a bounded number at a time; returns the seconds that it took. */
static double open_all(void)
{
    struct epoll_event events[512];
    int64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
    int next = 0;

    while (open_count < options.streams) {
        while (next < options.streams && connecting < CONNECTING_MAX)
            connect_next(next++);
        int count = epoll_wait(epoll_fd, events, 512, 10000);
        if (count == 0) {
            fprintf(stderr, "swarm: %d of %d streams open, and no further one within 10 s\n", open_count,
                    options.streams);
            exit(1);
        }
        for (int i = 0; i < count; i++)
            if (events[i].data.ptr)
                read_stream(events[i].data.ptr);
    }
    return (double)(clock_ns(CLOCK_MONOTONIC) - begin_ns) / 1e9;
}

/* The last ones of the streams stop reading, as a frozen client does. */
static void stop_some(void)
{
    for (int i = 0; i < options.stopped; i++) {
        struct stream *stream = &streams[options.streams - 1 - i];
        stream->stopped = true;
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, stream->fd, NULL);
    }
}

static struct publisher *publisher;
static int64_t published;

static void publish_one(void)
{
    char data[16384];
    int channel = (int)(published % options.channels);
    int size = snprintf(data, sizeof(data), "{\"n\":%ld,\"t\":%ld,\"pad\":\"", (long)(published / options.channels),
                        (long)clock_ns(CLOCK_REALTIME));

    memset(data + size, 'x', (size_t)options.data_bytes);
    memcpy(data + size + options.data_bytes, "\"}", 3);
    publisher_send(publisher, channel, data);
    published++;
}

/* Publishes what is due; returns the milliseconds until there is more to publish, at most 100. */
static int publish_due(int64_t begin_ns)
{
    int64_t readers = options.streams - options.stopped;

    if (!publisher)
        return 100;
    if (options.in_flight > 0) {
        while (published * readers / options.channels - totals.deliveries < (int64_t)options.in_flight * readers)
            publish_one();
        return 100;
    }
    double elapsed_s = (double)(clock_ns(CLOCK_MONOTONIC) - begin_ns) / 1e9;
    /* A few at a time, so that reading does not wait for a publisher that is behind. */
    for (int i = 0; i < 8 && (double)published < elapsed_s * options.rate; i++)
        publish_one();
    double wait_s = (double)(published + 1) / options.rate - elapsed_s;
    return wait_s <= 0 ? 0 : wait_s > 0.1 ? 100 : (int)(wait_s * 1000) + 1;
}

/* One turn of reading. */
static void take_turn(int wait_ms)
{
    struct epoll_event events[512];
    int count = epoll_wait(epoll_fd, events, 512, wait_ms);

    for (int i = 0; i < count; i++)
        read_stream(events[i].data.ptr);
}

static void run_load(void)
{
    int64_t wanted = options.count * (options.streams - options.stopped);
    int64_t begin_ns = clock_ns(CLOCK_MONOTONIC), end_ns = begin_ns + (int64_t)(options.seconds * 1e9);

    if (options.count == 0)
        totals = (struct totals){0};
    while (clock_ns(CLOCK_MONOTONIC) < end_ns && (wanted == 0 || totals.deliveries < wanted))
        take_turn(publish_due(begin_ns));
    totals.finished_ns = clock_ns(CLOCK_MONOTONIC) - begin_ns;
    totals.counted = totals.deliveries;
    /* What is under way still arrives: it counts for losses, not for speed. */
    int64_t quiet_ns = clock_ns(CLOCK_MONOTONIC), before = totals.deliveries;
    while (publisher && totals.deliveries < published / options.channels * (options.streams - options.stopped) &&
           clock_ns(CLOCK_MONOTONIC) - quiet_ns < (int64_t)5000000000) {
        take_turn(50);
        if (totals.deliveries != before)
            quiet_ns = clock_ns(CLOCK_MONOTONIC);
        before = totals.deliveries;
    }
}

static void report(double open_s)
{
    struct rusage usage;
    double seconds = (double)totals.finished_ns / 1e9;
    int64_t least = INT64_MAX, most = -1;

    for (int i = 0; i < options.streams - options.stopped; i++) {
        least = streams[i].next < least ? streams[i].next : least;
        most = streams[i].next > most ? streams[i].next : most;
    }
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"streams\":%d,\"open_s\":%.4f,\"published\":%ld,\"deliveries\":%ld,\"per_second\":%.0f,\"bytes\":%ld,"
           "\"lost\":%ld,\"doubled\":%ld,\"gaps\":%ld,\"closed\":%ld,"
           "\"least\":%ld,\"most\":%ld,\"reads\":%ld,\"seconds\":%.4f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f,"
           "\"client_cpu_s\":%.3f}\n",
           options.streams, open_s, (long)published, (long)totals.deliveries, (double)totals.counted / seconds,
           (long)totals.bytes, (long)totals.lost, (long)totals.doubled, (long)totals.gaps, (long)totals.closed,
           (long)least, (long)most, (long)totals.reads, seconds, percentile_ms(0.5), percentile_ms(0.99),
           (double)totals.latency_max_ns / 1e6,
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

static void parse(int count, char **values)
{
    static const struct option names[] = {
        {"port", required_argument, NULL, 'p'},
        {"path", required_argument, NULL, 'u'},
        {"streams", required_argument, NULL, 's'},
        {"channels", required_argument, NULL, 'm'},
        {"count", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 't'},
        {"stopped", required_argument, NULL, 'x'},
        {"publish", required_argument, NULL, 'P'},
        {"rate", required_argument, NULL, 'r'},
        {"in-flight", required_argument, NULL, 'f'},
        {"bytes", required_argument, NULL, 'b'},
        {"receive-buffer", required_argument, NULL, 'B'},
        {0},
    };
    int option;

    while ((option = getopt_long(count, values, "", names, NULL)) != -1) {
        switch (option) {
        case 'p':
            options.port = atoi(optarg);
            break;
        case 'u':
            options.path = optarg;
            break;
        case 's':
            options.streams = atoi(optarg);
            break;
        case 'm':
            options.channels = atoi(optarg);
            break;
        case 'c':
            options.count = atoll(optarg);
            break;
        case 't':
            options.seconds = atof(optarg);
            break;
        case 'x':
            options.stopped = atoi(optarg);
            break;
        case 'P':
            options.publish = optarg;
            break;
        case 'r':
            options.rate = atof(optarg);
            break;
        case 'f':
            options.in_flight = atoi(optarg);
            break;
        case 'B':
            options.receive_buffer = atoi(optarg);
            break;
        case 'b':
            options.data_bytes = atoi(optarg);
            break;
        default:
            exit(2);
        }
    }
}

int main(int count, char **values)
{
    struct rlimit limit;
    char line[64];

    parse(count, values);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    streams = calloc((size_t)options.streams, sizeof(*streams));
    if (epoll_fd < 0 || !streams)
        die("starting");
    double open_s = open_all();
    stop_some();
    printf("open %d in %.3f s\n", options.streams, open_s);
    fflush(stdout);
    if (options.publish)
        publisher = publisher_open(options.publish);
    if (!fgets(line, sizeof(line), stdin))
        return 1;
    run_load();
    report(open_s);
    return totals.lost || totals.doubled ? 3 : 0;
}
