/* A subscriber: an open response and its position. Little more than {fd, offset}, because there may be a
 * million of them. */
#pragma once

#include "stream/feed.h"

enum subscriber_state {
    SUBSCRIBER_OPENING,
    SUBSCRIBER_CATCHING,
    SUBSCRIBER_LIVE,
    SUBSCRIBER_ENDING, /* has its last bytes in `own`; closes when they are sent */
};

struct subscriber {
    struct loop_io io; /* first: on_io casts */
    struct feed *feed;
    struct subscriber_list *list; /* the one it stands in */
    TAILQ_ENTRY(subscriber) link;
    TAILQ_ENTRY(subscriber) away_link; /* in feed->away, while `list` is none of the feed's */

    uint64_t offset; /* LIVE: of the next byte in the feed's log */
    /* Other states: of the last event that is in `own` or was sent; on live channels, and on durable ones. */
    uint64_t number;
    struct durable_position durable;
    struct buffer *own;    /* bytes for this one alone, sent before anything else; NULL when there are none */
    struct start *start;   /* while OPENING */
    struct origin *origin; /* NULL when addresses are not counted */
    uint64_t gap_known;    /* up to here the client knows that something may be missing */
    uint64_t quiet_drops;  /* a start from the earliest: as long as hub->drops is this, gaps are just the
                              beginning */
    int64_t blocked_since_ms;
    int64_t expires_ms; /* INT64_MAX: never */
    uint64_t source;    /* of its right to be here */
    enum subscriber_state state;
    bool lagged;        /* was LIVE before it came to be CATCHING */
    bool missed_status; /* the log dropped a control event that it had not sent */
    bool verified;      /* its durable place exists; otherwise that is what a client says */
    bool waits;         /* CATCHING, and there is nothing for it now */
    bool unready;       /* has not been told `ready` */
    bool leaving;       /* gets `bye` when it has sent what it still has */
    bool revoked;       /* its time is over before the time */
    bool broken;        /* something for it could not be kept: it must end */
};

/* Takes fd. NULL when out of memory or epoll refuses; fd is then closed. */
struct subscriber *subscriber_new(struct feed *feed, int fd, const struct start *start);
void subscriber_free(struct subscriber *subscriber);

/* Its channels are listened to: announces gaps, says `ready`, goes on to CATCHING. */
void subscriber_open(struct subscriber *subscriber);

/* Appends a control event, or a comment when name is NULL, to its own bytes: for those that do not read the
 * log. */
void subscriber_append_control(struct subscriber *subscriber, const char *name, const char *data);

/* From LIVE back to CATCHING, because the log is about to drop what it has not sent. */
void subscriber_fall_behind(struct subscriber *subscriber);

/* A stream that is being caught up looks in its turn again for what comes next, whatever it waits for. */
void subscriber_look_again(struct subscriber *subscriber);

/* To a list of those that are being caught up, which what it waits for serves. */
void subscriber_hang_on(struct subscriber *subscriber, struct subscriber_list *list);

/* The hub has come further: those that were ahead of it look again, if it has come up with any. */
void subscriber_wake_ahead(struct hub_state *hub);

/* Its bytes for itself alone, which exist only while there are some: an idle stream pays nothing for them. NULL without
 * memory. */
struct buffer *subscriber_own_bytes(struct subscriber *subscriber);

void subscriber_set_state(struct subscriber *subscriber, enum subscriber_state state);

/* Fills, sends and moves it to the list where it then belongs; may free it. One send at most. */
void subscriber_serve(struct subscriber *subscriber);

/* Its turn to end: `bye`, for a LIVE one after what the log holds, and it closes when that is sent. May free it. */
void subscriber_leave(struct subscriber *subscriber);

/* Ends it now, with `bye` and its data: of the log it gets no frame more than the one that it is in. May free it. */
void subscriber_cut(struct subscriber *subscriber, const char *data);
