/* A feed: one distinct selection, encoded once for all who ask the same.
 *
 * Its subscribers stand in lists, one for each condition:
 *   opening   wait for LISTEN
 *   live      writable; ordered by offset: who was served longest ago stands first
 *   blocked   their socket is full; epoll tells when it is not
 * Those that are being caught up and are writable are `away`. They stand in a list of what serves them next: the hub's
 * `catching` or `ahead`, or one of history.h. */
#pragma once

#include "stream/channel.h"
#include "stream/frame_log.h"
#include "stream/hub_state.h"
#include "stream/selection.h"

struct feed {
    char *key; /* first: the tree of feeds compares it */
    struct hub_state *hub;
    uint64_t serial; /* unlike that of any other feed, ever */
    struct selection selection;
    uint64_t id_marks;                 /* selection_id_marks() */
    struct channel **channels;         /* lent; as many as selection.channels, in the same order */
    struct text_list durable_channels; /* the names of the durable ones; its texts are the selection's */
    struct history_series *history;    /* the log's pages of those; NULL as long as nobody needed them */

    unsigned axes; /* AXIS_LIVE, AXIS_DURABLE: of the kinds of its channels */

    struct frame_log log;
    size_t counted_bytes; /* what of the log is in stats.feed_bytes */
    struct cursor head;   /* while somebody is LIVE: all that is wanted up to this place is before the log's head */
    size_t live_count;    /* who reads the log, writable or blocked: without any, nothing is encoded */
    uint64_t status_end;  /* offset behind the last control event on the log */
    size_t subscriber_count;
    int64_t expires_ms;    /* no subscriber's time is over before; INT64_MAX: of none it ever is */
    int64_t last_frame_ms; /* for the heartbeat */

    struct subscriber_list opening, live, blocked;
    struct subscriber_list away;  /* by away_link */
    TAILQ_ENTRY(feed) link;       /* all feeds of the hub */
    TAILQ_ENTRY(feed) dirty_link; /* hub->dirty */
    bool dirty;
};

/* Takes key and the contents of selection; channels are copied. NULL when out of memory: then nothing is
 * taken. */
struct feed *feed_new(struct hub_state *hub, char *key, struct selection *selection, struct channel **channels);
void feed_free(struct feed *feed); /* closes its subscribers */

/* Its channels may have become live or durable. */
void feed_find_axes(struct feed *feed);

/* All its channels are being listened to, or read from the log. */
bool feed_is_ready(const struct feed *feed);

/* Encodes event for those who read the log. Without memory they fall back to catching up. */
void feed_append_event(struct feed *feed, const struct event *event);

/* A gap on the log, behind which place is where the stream is. */
void feed_append_gap(struct feed *feed, const char *reason, const char *requested, const struct cursor *place);

/* Everybody goes back to catching up: for when something could not be put onto the log. */
void feed_fall_behind(struct feed *feed);

/* Drops the older half of the log, a frame at least; who has not sent that falls back to catching up. */
void feed_halve_log(struct feed *feed);

/* A frame without an event to every subscriber, in whichever state: a control event, or a comment when name
 * is NULL. */
void feed_append_control(struct feed *feed, const char *name, const char *data);

/* Sends what is pending to at most sends_max subscribers; returns how many sends were made. Frees those that
 * are gone. */
int feed_flush(struct feed *feed, int sends_max);

/* Whether live, writable subscribers have more than half the log in front of them. */
bool feed_is_behind(const struct feed *feed);
