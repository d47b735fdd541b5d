/* The channels of a listener: which are wanted, which the server knows of, and what must be said to make the
 * two agree. */
#pragma once

#include "base/buffer.h"
#include "base/text_tree.h"
#include "base/transcode.h"

#include <libpq-fe.h>
#include <stdint.h>
#include <sys/queue.h>

struct listened {
    char *name; /* first: the tree compares it */
    bool wanted;
    bool on_server; /* LISTEN is in force there */
    bool in_flight; /* a LISTEN or UNLISTEN for it is on its way: whichever changes on_server */
    bool refused;   /* the server cannot listen to it, whatever we do: not tried again on this connection */
    bool announced; /* it was reported as listening since it was wanted; an outage does not change that */
    TAILQ_ENTRY(listened) link;
};

struct listen_set {
    TAILQ_HEAD(, listened) channels;
    struct text_tree by_name;
    uint64_t on_server_count;
    bool one_by_one; /* a batch failed: find out whose fault it is */
};

void listen_set_init(struct listen_set *set);
void listen_set_done(struct listen_set *set);

/* 0 or -ENOMEM. */
int listen_set_want(struct listen_set *set, const char *name, bool wanted);

/* Appends LISTEN and UNLISTEN for what is not as it is wanted, at most LISTEN_COMMANDS_PER_BATCH, and marks
 * it as on its way. Returns 0, -ENOMEM, or -EILSEQ when there is a name that the database's encoding, that of the
 * transcoder, does not have: that is refused, lent in *ret_refused, and what follows it is to be appended by another
 * call. */
int listen_set_append_commands(struct listen_set *set, PGconn *pq, struct transcoder *transcoder, struct buffer *sql,
                               const char **ret_refused);

/* "LISTEN name;" with the name, as the database has it, quoted by libpq. 0 or -ENOMEM. */
int listen_set_append_command(PGconn *pq, struct buffer *sql, const char *verb, const char *name);

void listen_set_confirm(struct listen_set *set); /* what was on its way has committed */
/* What was on its way failed, and the connection is fine. When it was a single channel it is refused, and its name is
 * lent; otherwise NULL, and they go one by one from here on. */
const char *listen_set_fail(struct listen_set *set);
/* Whether an error is a data exception (class 22), such as a name that the database's encoding has no characters for.
 */
bool listen_set_is_about_a_name(const PGresult *result);

void listen_set_lose(struct listen_set *set); /* the connection is gone, and every LISTEN with it */

/* Reports what is newly in force, and forgets what is neither wanted nor known to the server. on_listening
 * must not change the set. */
void listen_set_announce(struct listen_set *set, void (*on_listening)(void *context, const char *name), void *context);
