/* The hub: channels with their memory, feeds, and the streams that read them. Everything between the database
 * and the sockets.
 *
 *     hub_publish -> decode -> channel's memory
 *                           -> each feed that wants it: encoded once onto the feed's log -> send() to each
 * subscriber
 *
 * A subscriber is in one of three states. OPENING: a channel of its feed is not listened to yet. CATCHING: it
 * gets what it missed out of the channels' memory, through bytes of its own. LIVE: it is an offset into its
 * feed's log. A slow one never holds up anybody: it falls from LIVE to CATCHING when the log moves past it,
 * and is told `gap` when the memory does, too.
 *
 * All work is bounded per turn of the loop. Callbacks of ours never happen inside a call into the hub, except
 * where noted. */
#pragma once

#include "base/limits.h"
#include "loop/loop.h"
#include "stream/origins.h"
#include "stream/selection.h"
#include "stream/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hub;
struct history_page;
struct history_places;
struct history_request;

struct hub_options {
    int64_t heartbeat_ms;
    int64_t linger_ms; /* how long a channel without streams is kept */
    int64_t stall_ms;  /* how long a stream may take nothing while bytes wait for it */
    int64_t retry_ms;  /* told to clients, give or take a quarter */
    int64_t close_ms;  /* over which hub_close ends the streams */
    size_t streams_max;
    size_t streams_per_address_max; /* 0: no limit */
    size_t channels_max;
    size_t channel_memory_bytes;
    size_t memory_bytes; /* of all channels */
    size_t feed_log_bytes;
    size_t catch_up_bytes;
    int send_buffer_bytes; /* SO_SNDBUF of a stream's socket */

    /* LISTEN on the channel, or stop. Called from within hub_subscribe and from a timer; must not call back.
     */
    void (*on_channel_wanted)(void *context, const char *channel, bool wanted);
    /* After hub_close: the last stream is gone. May be called from within hub_close; must not free the hub.
     */
    void (*on_closed)(void *context);
    /* Read a page of the log (stream/durable.h). The request is lent; the answer comes later, or at once as a failure.
     * NULL: no durable channels. */
    void (*on_history_wanted)(void *context, struct history_page *page, const struct history_request *request);
    /* Judge places of the log; the same. */
    void (*on_places_wanted)(void *context, struct history_places *places);
    void *context;
};

struct hub *hub_new(struct loop *loop, const struct hub_options *options); /* NULL with errno set */
void hub_free(struct hub *hub);                                            /* closes what is open; NULL is fine */

/* Takes over changed options, except on_* and context. */
void hub_reconfigure(struct hub *hub, const struct hub_options *options);

/* The database's side. sender: the number of the session that sent it; rows are only of its own statements. */
void hub_publish(struct hub *hub, const char *channel, const char *payload, size_t payload_bytes, int sender);
void hub_channel_listening(struct hub *hub, const char *channel); /* LISTEN is in force */
void hub_database_down(struct hub *hub);
void hub_database_up(struct hub *hub); /* every LISTEN is in force again */

/* True while our own sending is so far behind that reading more would only cost memory. Slow clients do not
 * count. */
bool hub_is_behind(const struct hub *hub);

/* Where a stream begins. */
struct start {
    bool has_id;
    char id[ID_BYTES_MAX + 1];      /* empty when what the client sent cannot be an id of ours */
    char address[ORIGIN_BYTES_MAX]; /* the client's, for the limit per address; empty: not counted */
    bool earliest;      /* without an id that means something: all that is remembered, not only what comes */
    int64_t expires_ms; /* on the loop's clock: when it ends with `bye`; 0: never */
    uint64_t source;    /* what vouches for it, for hub_revoke */
};

/* Whether there is room for a stream: 0, -EMFILE (streams), -EUSERS (streams of that address), -ENOSPC
 * (channels), -ESHUTDOWN. */
int hub_admit(const struct hub *hub, const struct selection *selection, const struct start *start);

/* The first bytes of every stream, the same for all but for the reconnect time: to be sent before
 * hub_subscribe. */
void hub_append_greeting(const struct hub *hub, struct buffer *out);

/* Starts a stream on fd, a connected non-blocking socket on which the HTTP head and the greeting were sent.
 * Takes fd and the contents of selection in any case. Returns 0 or a negative errno as hub_admit, or -ENOMEM;
 * fd is then closed, after a `busy` where it fits. */
int hub_subscribe(struct hub *hub, struct selection *selection, const struct start *start, int fd);

/* Ends the streams, with `bye`, that may not go on: of which still_valid says no. It must not call back. */
void hub_revoke(struct hub *hub, bool (*still_valid)(void *context, uint64_t source, const struct selection *selection),
                void *context);

/* Ends every stream within close_ms, evenly, with a `bye` and a reconnect time of its own; each closes as soon as it
 * has taken that. Until its turn a stream goes on. Few streams do not take so long (farewell.c). */
void hub_close(struct hub *hub);

const struct stream_stats *hub_stats(const struct hub *hub);

/* A channel that the hub knows: one with streams, or that had some a moment ago. */
struct hub_channel {
    const char *name;
    size_t streams;     /* that read it now */
    uint64_t published; /* events, since the hub has known it */
    bool listening;     /* everything that is committed from now on arrives */
    bool durable;
};

/* Calls visit for each channel, in no order; everything is lent for the call. */
void hub_each_channel(const struct hub *hub, void (*visit)(void *context, const struct hub_channel *channel),
                      void *context);
