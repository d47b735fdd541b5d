/* What feeds and subscribers share with their hub. Inside stream/ only; everybody else uses hub.h. */
#pragma once

#include "loop/loop.h"
#include "stream/cursor.h"
#include "stream/history.h"
#include "stream/hub.h"
#include "stream/stats.h"
#include "stream/tick_log.h"

#include <sys/queue.h>

struct feed;
TAILQ_HEAD(feed_list, feed);

struct hub_state {
    struct loop *loop;
    struct hub_options options;
    struct stream_stats stats;

    struct cursor now;              /* the newest number given, this run, and the newest durable event's place */
    struct text_list durable_names; /* of all durable channels; meaningless before they are known */
    bool durable_known;
    bool durable_failing; /* as the reader says: it may take long */
    bool durable_told;    /* the streams of durable channels know that */
    int64_t database_up_ms;
    bool durable_up;                   /* the log is being read, and what follows now.durable will come */
    struct durable_position open_tick; /* the end of the tick that is being published */
    bool to_include;                   /* there are durable channels that are not read yet */
    bool any_turned;                   /* there are channels whose `turned` is set */
    bool tick_open;                    /* in the middle of a tick: no channel can join */
    struct history history;
    struct tick_log ticks;
    struct log_decoder decoder;
    uint64_t feed_serial; /* of the newest feed */
    uint64_t drops;       /* events that any channel forgot, ever */
    struct origins origins;
    bool database_up;
    bool closing; /* no stream begins any more, and those that there are end one after the other */

    /* Work for the service task: subscribers to be caught up, beside those that hang on pages of history; and feeds
     * with bytes to send. */
    struct subscriber_list catching;
    struct subscriber_list ahead; /* of this gateway, as they come from one that has read more of the log */
    uint64_t ahead_least;         /* no durable place of theirs is below; UINT64_MAX: there are none */
    struct feed_list dirty;
    struct loop_task service;
    struct loop_task expiry; /* streams whose time is over (expiry.h) */
};

/* Between three and five quarters of the configured time, so that many clients do not come back in the same
 * moment. */
int64_t hub_retry_ms(const struct hub_state *state);

/* What a `status` event says now to streams with these axes (cursor.h). */
static inline const char *hub_status(const struct hub_state *hub, unsigned axes)
{
    if (!hub->database_up)
        return "{\"database\":\"down\"}";
    return (axes & AXIS_DURABLE) && hub->durable_told ? "{\"database\":\"up\",\"durable\":\"down\"}"
                                                      : "{\"database\":\"up\"}";
}
