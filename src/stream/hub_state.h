/* What feeds and subscribers share with their hub. Inside stream/ only; everybody else uses hub.h. */
#pragma once

#include "loop/loop.h"
#include "stream/cursor.h"
#include "stream/hub.h"
#include "stream/stats.h"

#include <sys/queue.h>

struct subscriber;
TAILQ_HEAD(subscriber_list, subscriber);

struct feed;
TAILQ_HEAD(feed_list, feed);

struct hub_state {
    struct loop *loop;
    struct hub_options options;
    struct stream_stats stats;

    struct cursor now; /* the newest number given, and this run */
    uint64_t drops;    /* events that any channel forgot, ever */
    struct origins origins;
    bool database_up;
    bool closing; /* each stream ends as soon as it has taken its `bye` */

    /* Work for the service task: subscribers to be caught up, and feeds with bytes to send. */
    struct subscriber_list catching;
    struct feed_list dirty;
    struct loop_task service;
};

/* What a `status` event says now. */
static inline const char *hub_status(const struct hub_state *hub)
{
    return hub->database_up ? "{\"database\":\"up\"}" : "{\"database\":\"down\"}";
}
