#include "stream/subscriber.h"

#include "stream/catch_up.h"
#include "stream/frame.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static bool is_of_feed(const struct feed *feed, const struct subscriber_list *list)
{
    return list == &feed->opening || list == &feed->live || list == &feed->blocked;
}

static void move_to(struct subscriber *subscriber, struct subscriber_list *list)
{
    struct feed *feed = subscriber->feed;
    bool was_away = subscriber->list && !is_of_feed(feed, subscriber->list), is_away = list && !is_of_feed(feed, list);

    if (subscriber->list)
        TAILQ_REMOVE(subscriber->list, subscriber, link);
    subscriber->list = list;
    if (list)
        TAILQ_INSERT_TAIL(list, subscriber, link);
    if (was_away && !is_away)
        TAILQ_REMOVE(&feed->away, subscriber, away_link);
    if (is_away && !was_away)
        TAILQ_INSERT_TAIL(&feed->away, subscriber, away_link);
}

void subscriber_hang_on(struct subscriber *subscriber, struct subscriber_list *list)
{
    assert(subscriber->state == SUBSCRIBER_CATCHING && !is_of_feed(subscriber->feed, list));
    move_to(subscriber, list);
}

void subscriber_look_again(struct subscriber *subscriber)
{
    struct hub_state *hub = subscriber->feed->hub;

    if (is_of_feed(subscriber->feed, subscriber->list) || subscriber->list == &hub->catching)
        return;
    move_to(subscriber, &hub->catching);
    loop_task_queue(hub->loop, &hub->service);
}

void subscriber_set_state(struct subscriber *subscriber, enum subscriber_state state)
{
    if (subscriber->state == SUBSCRIBER_LIVE)
        subscriber->feed->live_count--;
    if (state == SUBSCRIBER_LIVE)
        subscriber->feed->live_count++;
    subscriber->state = state;
}

struct buffer *subscriber_own_bytes(struct subscriber *subscriber)
{
    if (!subscriber->own) {
        subscriber->own = malloc(sizeof(*subscriber->own));
        if (subscriber->own)
            buffer_init(subscriber->own, subscriber->feed->hub->options.catch_up_bytes + 2 * FRAME_BYTES_MAX);
        else
            subscriber->broken = true;
    }
    return subscriber->own;
}

static void drop_own_bytes(struct subscriber *subscriber)
{
    if (subscriber->own)
        buffer_done(subscriber->own);
    free(subscriber->own);
    subscriber->own = NULL;
}

static void on_subscriber_io(struct loop_io *io, uint32_t events)
{
    struct subscriber *subscriber = (struct subscriber *)io;

    loop_doing(subscriber->feed->hub->loop, "sending to a stream that can take more");
    /* A client that shuts down its sending side is leaving: nobody half-closes a response it still reads. */
    if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))
        subscriber_free(subscriber);
    else if ((events & EPOLLOUT) && subscriber->list == &subscriber->feed->blocked)
        subscriber_serve(subscriber);
}

struct subscriber *subscriber_new(struct feed *feed, int fd, const struct start *start)
{
    struct hub_state *hub = feed->hub;
    struct subscriber *subscriber = calloc(1, sizeof(*subscriber));

    if (!subscriber) {
        close(fd);
        return NULL;
    }
    subscriber->io = (struct loop_io){.fd = fd, .on_io = on_subscriber_io};
    subscriber->feed = feed;
    subscriber->start = malloc(sizeof(*start));
    /* Edge-triggered, once for the stream's whole life: it costs no further system call. */
    if (!subscriber->start || loop_io_add(hub->loop, &subscriber->io, EPOLLOUT | EPOLLRDHUP | EPOLLET) < 0) {
        free(subscriber->start);
        free(subscriber);
        close(fd);
        return NULL;
    }
    *subscriber->start = *start;
    if (hub->options.streams_per_address_max > 0 && start->address[0])
        subscriber->origin = origins_enter(&hub->origins, start->address);
    subscriber->expires_ms = start->expires_ms > 0 ? start->expires_ms : INT64_MAX;
    subscriber->source = start->source;
    if (subscriber->expires_ms < feed->expires_ms)
        feed->expires_ms = subscriber->expires_ms;
    feed->subscriber_count++;
    hub->stats.streams++;
    hub->stats.streams_opened++;
    move_to(subscriber, &feed->opening);
    return subscriber;
}

void subscriber_free(struct subscriber *subscriber)
{
    struct hub_state *hub = subscriber->feed->hub;

    subscriber_set_state(subscriber, SUBSCRIBER_ENDING);
    move_to(subscriber, NULL);
    subscriber->feed->subscriber_count--;
    hub->stats.streams--;
    loop_io_remove(hub->loop, &subscriber->io);
    close(subscriber->io.fd);
    drop_own_bytes(subscriber);
    origins_leave(&hub->origins, subscriber->origin);
    free(subscriber->start);
    free(subscriber);
    if (hub->closing && hub->stats.streams == 0)
        hub->options.on_closed(hub->options.context);
}

void subscriber_open(struct subscriber *subscriber)
{
    struct feed *feed = subscriber->feed;

    assert(subscriber->state == SUBSCRIBER_OPENING);
    catch_up_begin(subscriber);
    subscriber->unready = true; /* what is missing right at the start is said before `ready` */
    free(subscriber->start);
    subscriber->start = NULL;
    subscriber_set_state(subscriber, SUBSCRIBER_CATCHING);
    if (subscriber->list == &feed->opening) {
        move_to(subscriber, &feed->hub->catching);
        loop_task_queue(feed->hub->loop, &feed->hub->service);
    }
}

void subscriber_append_control(struct subscriber *subscriber, const char *name, const char *data)
{
    struct buffer *own = subscriber_own_bytes(subscriber);

    if (!own)
        return;
    if (!name && buffer_size(own) > 0)
        return; /* a comment is there to make bytes flow, and there are bytes already */
    if (name)
        frame_event(own, NULL, name, data, strlen(data));
    else
        frame_comment(own, data);
}

void subscriber_fall_behind(struct subscriber *subscriber)
{
    struct feed *feed = subscriber->feed;
    const struct frame_note *note = frame_log_frame_at(&feed->log, subscriber->offset);
    size_t size_bytes;
    const char *bytes = frame_log_bytes(&feed->log, subscriber->offset, &size_bytes);

    assert(subscriber->state == SUBSCRIBER_LIVE);
    /* The rest of the frame that it is in, or the whole next one; then on from that frame's number. */
    if (note && subscriber_own_bytes(subscriber))
        buffer_append(subscriber->own, bytes, (size_t)(note->end - subscriber->offset));
    subscriber->number = note ? note->number : feed->head.number;
    subscriber->durable = note ? note->durable : feed->head.durable;
    if (note && note->received_us > 0)
        feed->hub->stats.events_sent++;
    subscriber->lagged = true;
    subscriber->missed_status |= feed->status_end > subscriber->offset;
    subscriber_set_state(subscriber, SUBSCRIBER_CATCHING);
    if (subscriber->list == &feed->live) {
        move_to(subscriber, &feed->hub->catching);
        loop_task_queue(feed->hub->loop, &feed->hub->service);
    }
}

/* Counts what a send took out of the log, and how long it had waited there. */
static void account(struct subscriber *subscriber, uint64_t sent_bytes)
{
    struct feed *feed = subscriber->feed;
    const struct frame_note *oldest = frame_log_frame_at(&feed->log, subscriber->offset);
    uint64_t before = frame_log_rank(&feed->log, subscriber->offset);

    subscriber->offset += sent_bytes;
    uint64_t frames = frame_log_rank(&feed->log, subscriber->offset) - before;
    if (oldest && oldest->received_us > 0 && frames > 0) {
        feed->hub->stats.events_sent += frames;
        latency_observe(&feed->hub->stats.latency, loop_clock_us() - oldest->received_us, frames);
    }
}

/* Hands all that is pending to the kernel in one call. Returns 0, -EAGAIN when something is left, or another
 * negative errno. */
static int send_pending(struct subscriber *subscriber)
{
    struct hub_state *hub = subscriber->feed->hub;
    struct iovec parts[2];
    struct msghdr message = {.msg_iov = parts};
    size_t own_size = subscriber->own ? buffer_size(subscriber->own) : 0, log_size = 0;

    /* A stream with a hole in it must not go on: the client comes back with its last id. */
    if (subscriber->broken || (subscriber->own && subscriber->own->failed))
        return -ENOMEM;
    if (own_size > 0)
        parts[message.msg_iovlen++] = (struct iovec){subscriber->own->data + subscriber->own->start, own_size};
    if (subscriber->state == SUBSCRIBER_LIVE) {
        const char *bytes = frame_log_bytes(&subscriber->feed->log, subscriber->offset, &log_size);
        if (log_size > 0)
            parts[message.msg_iovlen++] = (struct iovec){(void *)(uintptr_t)bytes, log_size};
    }
    if (message.msg_iovlen == 0) {
        drop_own_bytes(subscriber);
        return 0;
    }
    /* send() is measurably cheaper than sendmsg(), and one part is the rule. */
    ssize_t sent = message.msg_iovlen == 1
                       ? send(subscriber->io.fd, parts[0].iov_base, parts[0].iov_len, MSG_DONTWAIT | MSG_NOSIGNAL)
                       : sendmsg(subscriber->io.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    hub->stats.sends++;
    if (sent < 0)
        return errno == EINTR || errno == EAGAIN ? -EAGAIN : -errno;
    hub->stats.bytes_sent += (uint64_t)sent;
    if (own_size > 0)
        buffer_consume(subscriber->own, (size_t)sent);
    if ((size_t)sent > own_size)
        account(subscriber, (uint64_t)sent - own_size);
    if (subscriber->own && buffer_size(subscriber->own) == 0)
        drop_own_bytes(subscriber);
    subscriber->blocked_since_ms = loop_turn_ms(hub->loop); /* the last time that it took something */
    return (size_t)sent < own_size + log_size ? -EAGAIN : 0;
}

/* It is to end, and there is nothing to wait for: all that it was to have has been sent, or the rest is not here. */
static bool is_due_to_end(const struct subscriber *subscriber)
{
    return subscriber->leaving &&
           (subscriber->state == SUBSCRIBER_LIVE || (subscriber->state == SUBSCRIBER_CATCHING && subscriber->waits));
}

static void append_bye(struct subscriber *subscriber)
{
    struct buffer *own = subscriber_own_bytes(subscriber);

    if (own)
        frame_retry(own, hub_retry_ms(subscriber->feed->hub));
    subscriber_append_control(subscriber, "bye", "{\"reason\":\"shutdown\"}");
    subscriber_set_state(subscriber, SUBSCRIBER_ENDING);
}

void subscriber_serve(struct subscriber *subscriber)
{
    struct feed *feed = subscriber->feed;
    struct hub_state *hub = feed->hub;
    struct subscriber_list *next = &hub->catching;

    if (subscriber->state == SUBSCRIBER_CATCHING)
        next = catch_up_fill(subscriber);
    int error = send_pending(subscriber);
    if (error == 0 && is_due_to_end(subscriber)) {
        append_bye(subscriber);
        error = send_pending(subscriber);
    }
    if (error == -EAGAIN) {
        if (subscriber->list != &feed->blocked) {
            subscriber->blocked_since_ms = loop_turn_ms(hub->loop);
            move_to(subscriber, &feed->blocked);
        }
        return;
    }
    if (error < 0 || subscriber->state == SUBSCRIBER_ENDING) {
        subscriber_free(subscriber);
        return;
    }
    switch (subscriber->state) {
    case SUBSCRIBER_OPENING:
        /* Not if it stands there already: the feed may be walking over that list. */
        if (subscriber->list != &feed->opening)
            move_to(subscriber, &feed->opening);
        break;
    case SUBSCRIBER_LIVE:
        move_to(subscriber, &feed->live);
        break;
    case SUBSCRIBER_CATCHING:
        move_to(subscriber, next);
        loop_task_queue(hub->loop, &hub->service);
        break;
    case SUBSCRIBER_ENDING:
        break;
    }
}

void subscriber_wake_ahead(struct hub_state *hub)
{
    if (hub->now.durable.number < hub->ahead_least)
        return;
    hub->ahead_least = UINT64_MAX;
    while (!TAILQ_EMPTY(&hub->ahead))
        subscriber_look_again(TAILQ_FIRST(&hub->ahead));
}

void subscriber_cut(struct subscriber *subscriber, const char *data)
{
    if (subscriber->state == SUBSCRIBER_LIVE)
        subscriber_fall_behind(subscriber);
    subscriber_append_control(subscriber, "bye", data);
    subscriber_set_state(subscriber, SUBSCRIBER_ENDING);
    if (subscriber->list != &subscriber->feed->blocked)
        subscriber_serve(subscriber);
}

void subscriber_leave(struct subscriber *subscriber)
{
    subscriber->leaving = true;
    if (subscriber->state == SUBSCRIBER_OPENING || subscriber->state == SUBSCRIBER_CATCHING)
        append_bye(subscriber);
    if (subscriber->list != &subscriber->feed->blocked)
        subscriber_serve(subscriber);
}
