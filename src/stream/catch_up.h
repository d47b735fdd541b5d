/* Catching up: what a subscriber that does not read its feed's log gets next, out of the channels' memory, or of the
 * database's log where that has forgotten it. Inside stream/ only. */
#pragma once

#include "stream/subscriber.h"

/* Sets the place where it begins, and announces a gap where the client's id has no meaning here. */
void catch_up_begin(struct subscriber *subscriber);

/* Encodes what comes next into its own bytes, until there is enough to send, its part of the turn is over or nothing is
 * left: then it is LIVE. Returns the list in which it is served what follows, or what it waits for: `waits` is then
 * set.
 */
struct subscriber_list *catch_up_fill(struct subscriber *subscriber);

/* The verdict on its place; NULL: none, it is asked for again. */
void catch_up_judged(struct subscriber *subscriber, const struct history_place *place);

/* Behind its durable place, and up to resumed, something is not there any more. */
void catch_up_lose(struct subscriber *subscriber, const char *reason, const struct durable_position *resumed);

const char *catch_up_reason(enum history_verdict verdict); /* of a gap; not for HISTORY_OK */
