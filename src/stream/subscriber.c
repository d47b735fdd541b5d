#include "stream/subscriber.h"

#include "stream/encode.h"
#include "stream/frame.h"
#include "stream/replay.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { EVENTS_SEEN_PER_FILL = 1024 }; /* a filter may drop most of them: bounds the work of one turn */

static void move_to(struct subscriber *subscriber, struct subscriber_list *list)
{
    if (subscriber->list)
        TAILQ_REMOVE(subscriber->list, subscriber, link);
    subscriber->list = list;
    if (list)
        TAILQ_INSERT_TAIL(list, subscriber, link);
}

static void set_state(struct subscriber *subscriber, enum subscriber_state state)
{
    if (subscriber->state == SUBSCRIBER_LIVE)
        subscriber->feed->live_count--;
    if (state == SUBSCRIBER_LIVE)
        subscriber->feed->live_count++;
    subscriber->state = state;
}

/* Own bytes exist only while there are some: an idle stream pays nothing for them. NULL when out of memory.
 */
static struct buffer *own_bytes(struct subscriber *subscriber)
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
    feed->subscriber_count++;
    hub->stats.streams++;
    hub->stats.streams_opened++;
    move_to(subscriber, &feed->opening);
    return subscriber;
}

void subscriber_free(struct subscriber *subscriber)
{
    struct hub_state *hub = subscriber->feed->hub;

    set_state(subscriber, SUBSCRIBER_ENDING);
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

/* Something may be missing up to resumed; the stream goes on behind position. */
static void announce_gap(struct subscriber *subscriber, const char *reason, const char *requested, uint64_t resumed,
                         uint64_t position)
{
    struct buffer *own = own_bytes(subscriber);

    if (own)
        encode_gap(subscriber->feed->hub, reason, requested, resumed, position, own);
    subscriber->gap_known = resumed;
    subscriber->number = position;
}

static uint64_t starting_number(const struct feed *feed, const struct start *start)
{
    uint64_t earliest = UINT64_MAX;

    if (!start->earliest)
        return feed->hub->now.number;
    for (size_t i = 0; i < feed->selection.channels.count; i++)
        if (feed->channels[i]->since < earliest)
            earliest = feed->channels[i]->since;
    return earliest;
}

/* Sets the position, and announces a gap where the client's id has no meaning here. */
static void find_position(struct subscriber *subscriber)
{
    const struct hub_state *hub = subscriber->feed->hub;
    const struct start *start = subscriber->start;
    struct cursor cursor;

    subscriber->number = starting_number(subscriber->feed, start);
    subscriber->quiet_drops = start->earliest ? hub->drops : UINT64_MAX;
    if (!start->has_id)
        return;
    if (cursor_parse(start->id, &cursor) < 0) {
        announce_gap(subscriber, "unknown-id", start->id, subscriber->number, subscriber->number);
    } else if (strcmp(cursor.run, hub->now.run) != 0) {
        announce_gap(subscriber, "restart", start->id, subscriber->number, subscriber->number);
    } else if (cursor.number > hub->now.number) {
        announce_gap(subscriber, "unknown-id", start->id, subscriber->number, subscriber->number);
    } else {
        subscriber->number = cursor.number;
        subscriber->quiet_drops = UINT64_MAX;
    }
}

/* A channel has forgotten a part of what comes next. When the client asked for the earliest there is, that is simply
 * its start. What the other channels remember of that part still follows. */
static void pass_gap(struct subscriber *subscriber, const struct replay *replay)
{
    const struct hub_state *hub = subscriber->feed->hub;
    struct cursor cursor = hub->now;
    char requested[ID_BYTES_MAX + 1];
    uint64_t position = replay->gap_end;

    if (subscriber->quiet_drops == hub->drops) {
        subscriber->gap_known = replay->gap_end;
        return;
    }
    if (replay->event && replay->event->number <= position)
        position = replay->event->number - 1;
    cursor.number = subscriber->number;
    cursor_format(&cursor, requested);
    announce_gap(subscriber, subscriber->lagged ? "lagged" : "expired", requested, replay->gap_end, position);
}

static enum replay_step next_step(const struct subscriber *subscriber, struct replay *ret_replay)
{
    const struct feed *feed = subscriber->feed;

    return replay_next(feed->channels, feed->selection.channels.count, subscriber->number, subscriber->gap_known,
                       ret_replay);
}

void subscriber_open(struct subscriber *subscriber)
{
    struct feed *feed = subscriber->feed;
    struct replay replay;

    assert(subscriber->state == SUBSCRIBER_OPENING);
    find_position(subscriber);
    /* What is missing right at the start is said before `ready`. */
    while (next_step(subscriber, &replay) == REPLAY_GAP)
        pass_gap(subscriber, &replay);
    if (own_bytes(subscriber))
        encode_ready(feed->hub, &feed->selection, subscriber->number, subscriber->own);
    free(subscriber->start);
    subscriber->start = NULL;
    set_state(subscriber, SUBSCRIBER_CATCHING);
    if (subscriber->list == &feed->opening) {
        move_to(subscriber, &feed->hub->catching);
        loop_task_queue(feed->hub->loop, &feed->hub->service);
    }
}

void subscriber_append_control(struct subscriber *subscriber, const char *name, const char *data)
{
    struct buffer *own = own_bytes(subscriber);

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
    if (note && own_bytes(subscriber))
        buffer_append(subscriber->own, bytes, (size_t)(note->end - subscriber->offset));
    subscriber->number = note ? note->number : feed->head_number;
    if (note && note->received_us > 0)
        feed->hub->stats.events_sent++;
    subscriber->lagged = true;
    subscriber->missed_status |= feed->status_end > subscriber->offset;
    set_state(subscriber, SUBSCRIBER_CATCHING);
    if (subscriber->list == &feed->live) {
        move_to(subscriber, &feed->hub->catching);
        loop_task_queue(feed->hub->loop, &feed->hub->service);
    }
}

/* Encodes what comes next out of the channels' memory, until there is enough to send or nothing is left: then
 * it is LIVE. */
static void fill(struct subscriber *subscriber)
{
    struct feed *feed = subscriber->feed;
    struct hub_state *hub = feed->hub;
    struct buffer *own = own_bytes(subscriber);
    struct replay replay;

    for (int seen = 0; own && seen < EVENTS_SEEN_PER_FILL && buffer_size(own) < hub->options.catch_up_bytes; seen++) {
        enum replay_step step = next_step(subscriber, &replay);
        if (step == REPLAY_END) {
            if (subscriber->missed_status)
                frame_event(own, NULL, "status", hub_status(hub), strlen(hub_status(hub)));
            subscriber->missed_status = false;
            set_state(subscriber, SUBSCRIBER_LIVE);
            subscriber->offset = frame_log_head(&feed->log);
            if (feed->head_number < subscriber->number)
                feed->head_number = subscriber->number;
            subscriber->lagged = false;
            subscriber->quiet_drops = UINT64_MAX;
            return;
        }
        if (step == REPLAY_GAP) {
            pass_gap(subscriber, &replay);
            continue;
        }
        if (selection_wants(&feed->selection, replay.event)) {
            encode_event(hub, &feed->selection, replay.event, own);
            hub->stats.events_sent++;
        }
        subscriber->number = replay.event->number;
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

void subscriber_serve(struct subscriber *subscriber)
{
    struct feed *feed = subscriber->feed;
    struct hub_state *hub = feed->hub;

    if (subscriber->state == SUBSCRIBER_CATCHING)
        fill(subscriber);
    int error = send_pending(subscriber);
    if (error == -EAGAIN) {
        if (subscriber->list != &feed->blocked) {
            subscriber->blocked_since_ms = loop_turn_ms(hub->loop);
            move_to(subscriber, &feed->blocked);
        }
        return;
    }
    if (error < 0 || (hub->closing && subscriber->state == SUBSCRIBER_LIVE) || subscriber->state == SUBSCRIBER_ENDING) {
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
        move_to(subscriber, &hub->catching);
        loop_task_queue(hub->loop, &hub->service);
        break;
    case SUBSCRIBER_ENDING:
        break;
    }
}

void subscriber_end(struct subscriber *subscriber, const char *name, const char *data)
{
    if (subscriber->state != SUBSCRIBER_LIVE) {
        subscriber_append_control(subscriber, name, data);
        set_state(subscriber, SUBSCRIBER_ENDING);
    }
    if (subscriber->list != &subscriber->feed->blocked)
        subscriber_serve(subscriber);
}
