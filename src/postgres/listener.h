/* The one LISTEN connection: which channels are listened to, whether the database is really there, and what
 * it says.
 *
 * Promises. A channel is reported as listening only after its LISTEN has committed: nothing notified from
 * then on is missed. The database counts as up only when every wanted LISTEN is in force (again) and a
 * notification to ourselves has come back, so that a pooler or a standby, which take a LISTEN and deliver
 * nothing, are found out. A dead or frozen connection is noticed within probe_interval_ms + probe_timeout_ms:
 * both must pass without a sign of life. The socket is read all the time. */
#pragma once

#include "loop/loop.h"
#include "stream/stats.h"

#include <stdbool.h>
#include <stddef.h>

struct listener;

struct listener_hooks {
    void (*on_up)(void *context);
    void (*on_down)(void *context, const char *reason); /* also after an attempt to connect that failed */
    void (*on_listening)(void *context, const char *channel);
    /* sender: the number of the session that sent it, as the server knows it. */
    void (*on_notification)(void *context, const char *channel, const char *payload, size_t payload_bytes, int sender);
    bool (*is_behind)(void *context); /* true: reading may wait a little (READ_PAUSE_MS at the most) */
};

struct listener_options {
    const char *database; /* libpq connection string; copied */
    int64_t probe_interval_ms;
    int64_t probe_timeout_ms;
};

/* No hook is called from within listener_want. A hook must not free the listener. NULL with errno set. */
struct listener *listener_new(struct loop *loop, const struct listener_options *options,
                              const struct listener_hooks *hooks, void *context);
void listener_free(struct listener *listener);
void listener_start(struct listener *listener);

/* From now on the channel is wanted, or not. Names are of 1 to CHANNEL_NAME_BYTES_MAX bytes. 0 or -ENOMEM. */
int listener_want(struct listener *listener, const char *channel, bool wanted);

void listener_set_probe(struct listener *listener, int64_t interval_ms, int64_t timeout_ms);

const struct database_stats *listener_stats(const struct listener *listener);

/* Why the database is away; "" while it is up. Lent. */
const char *listener_problem(const struct listener *listener);
