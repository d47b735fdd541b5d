/* Catching up: what a subscriber that does not read its feed's log gets next, out of the channels' memory, or of the
 * database's log where that has forgotten it. Inside stream/ only. */
#pragma once

#include "stream/subscriber.h"

/* Sets the place where it begins, and announces a gap where the client's id has no meaning here. */
void catch_up_begin(struct subscriber *subscriber);

/* Encodes what comes next into its own bytes, until there is enough to send or nothing is left: then it is LIVE. Or it
 * waits for a page of history: `waits` is then set. */
void catch_up_fill(struct subscriber *subscriber);

/* Behind its durable place, and up to resumed, something is not there any more. */
void catch_up_lose(struct subscriber *subscriber, const char *reason, const struct durable_position *resumed);

const char *catch_up_reason(enum history_verdict verdict); /* of a gap; not for HISTORY_OK */
