/* Reads the log of durable channels: makes ticks while this gateway is the lead, reads each tick's events for the hub,
 * and pages of history for streams that come back (docs/durable.md tells how it works).
 *
 * One gateway at a time is the lead: it has a lease, which its session renews. While nothing happens it sleeps, and a
 * writer wakes it. The others follow its ticks, and take over when it gives no sign of life. */
#pragma once

#include "loop/loop.h"
#include "stream/durable.h"
#include "stream/stats.h"

struct durable_reader;

struct durable_reader_options {
    const char *database; /* copied */
    int64_t tick_ms;
    const char *order; /* make_tick()'s; static */
    int64_t retention_s;
    int64_t retention_bytes;
    int64_t event_bytes_max; /* larger ones are cut */
    int64_t page_bytes;
};

/* The internal channel that must be listened to for it. */
#define DURABLE_CHANNEL "tuplecast"

struct durable_reader *durable_reader_new(struct loop *loop, struct hub *hub,
                                          const struct durable_reader_options *options); /* NULL with errno set */
void durable_reader_free(struct durable_reader *reader); /* before the hub; NULL is fine */
void durable_reader_start(struct durable_reader *reader);

/* Takes over changed numbers; the database stays. */
void durable_reader_reconfigure(struct durable_reader *reader, const struct durable_reader_options *options);

/* What came on DURABLE_CHANNEL, and the number of the session that sent it. Anybody may send there: signs of life count
 * only from the session that has the lease, and all else makes the reader look, never believe, and not too often. */
void durable_reader_notified(struct durable_reader *reader, const char *payload, int sender);

/* The LISTEN connection was lost: the server may be gone without a word, and another one in its place. Connects anew,
 * unless the sessions end by themselves in a moment, and say why. reason is static text. */
void durable_reader_database_lost(struct durable_reader *reader, const char *reason);

/* For hub_options.on_history_wanted and on_places_wanted. */
void durable_reader_want_history(struct durable_reader *reader, struct history_page *page,
                                 const struct history_request *request);
void durable_reader_want_places(struct durable_reader *reader, struct history_places *places);

const struct durable_stats *durable_reader_stats(struct durable_reader *reader);
