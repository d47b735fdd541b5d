/* The hub's side of durable channels: what the reader of the database's log tells it, and what it asks.
 *
 * A durable event has a number that is the same on every replica, and the nonce of the tick that gave it. The reader
 * publishes ticks in order, each between hub_durable_begin and hub_durable_end; what a tick has on channels that nobody
 * reads here is not read. What came before this gateway's memory is history, read from the log in pages on demand and
 * shared by all streams of the same channels (history.h). */
#pragma once

#include "base/text_list.h"
#include "stream/cursor.h"
#include "stream/hub.h"
#include "stream/log_change.h"

/* Whether a client's place exists. If not, resumed is where it goes on. */
enum history_verdict { HISTORY_OK, HISTORY_EXPIRED, HISTORY_REWOUND, HISTORY_UNKNOWN_ID };

/* The names of all durable channels, from now on; again whenever they may have changed. Before the first call no stream
 * starts; a database without durable channels has none. Open streams whose channel becomes durable, or is durable no
 * more, get a gap, if anything may have come neither way. Returns 0, or -ENOMEM, which changes nothing; without
 * names it always succeeds. */
int hub_durable_channels(struct hub *hub, char *const *names, size_t count);
/* They have changed, and hub_durable_channels will follow: until then no stream starts. */
void hub_durable_channels_changed(struct hub *hub);

/* The reader is connected, and goes on behind position: at first the newest there is, later where hub_durable_position
 * is. */
void hub_durable_up(struct hub *hub, const struct durable_position *position);
void hub_durable_down(struct hub *hub); /* pages that were asked for are asked for again later */
/* It is down, and that lasts, or it is not any more: streams of durable channels are told by `status`, unless the
 * database is away as a whole. */
void hub_durable_failing(struct hub *hub, bool failing);

/* Behind the last event that was published, or what was passed over; maybe in the middle of a tick. Meaningless before
 * hub_durable_up. */
const struct durable_position *hub_durable_position(const struct hub *hub);

/* A tick with the events base + 1 to base + count; base is where hub_durable_position is, or a part of it was published
 * before and is skipped now. channels are the names of those that have events in it, with line feeds between, or NULL
 * when they are not known. ret_wanted (lent until the end) tells whose events are wanted; it may be empty. Returns 0; 1
 * when channels has names that hub_durable_channels did not, which count as durable from now on: that list is out of
 * date; or -ENOMEM: then the tick has not begun, and is to be read later. */
int hub_durable_begin(struct hub *hub, uint64_t base, uint64_t count, const char *nonce, const char *channels,
                      const struct text_list **ret_wanted);
void hub_durable_event(struct hub *hub, uint64_t number, const struct log_change *change);
/* An event of the tick that cannot be read, of one of the channels that are wanted. */
void hub_durable_unreadable(struct hub *hub, uint64_t number);
void hub_durable_end(struct hub *hub);
/* Instead of the end, or between ticks: what comes behind the position is not in the log any more (HISTORY_EXPIRED), or
 * the database is not where it was, and has other events behind an earlier place (HISTORY_REWOUND). All durable
 * channels get a gap and go on behind resumed. */
void hub_durable_lost(struct hub *hub, enum history_verdict why, const struct durable_position *resumed);

/* A page of history that options.on_history_wanted asks for. */
struct history_page;

struct history_request {
    struct durable_position from;
    const struct text_list *channels; /* lent until the answer */
    uint64_t count;                   /* how many events to look at, at most */
};

/* Answers, in this order: at most one verdict, events, one end; or a failure, at any time, and then nothing more. */
void hub_history_verdict(struct history_page *page, enum history_verdict verdict,
                         const struct durable_position *resumed);
void hub_history_event(struct history_page *page, const struct durable_position *position,
                       const struct log_change *change);
void hub_history_end(struct history_page *page, const struct durable_position *end); /* all up to end was looked at */
void hub_history_fail(struct history_page *page); /* asked for again when the database is there */

/* Places that clients claim, for options.on_places_wanted to judge. */
struct history_places;

size_t hub_places_count(const struct history_places *places);
/* A place's number; 0 with an empty nonce is the earliest there is. */
const struct durable_position *hub_places_at(const struct history_places *places, size_t index);

/* Answers: a verdict on each of them, by its index, and one end; or a failure, at any time, and then nothing more. A
 * stream goes on behind resumed. */
void hub_places_verdict(struct history_places *places, size_t index, enum history_verdict verdict,
                        const struct durable_position *resumed);
void hub_places_end(struct history_places *places);
void hub_places_fail(struct history_places *places); /* asked again when the database is there */
