/* From a notification's payload to an event: the one place that knows what payloads look like. */
#pragma once

#include "stream/event.h"

/* Reads a payload that arrived on channel. A payload that is an object with a string `table` and a `type`
 * among INSERT, UPDATE, DELETE and TRUNCATE is a row change: its values go out byte for byte. `op`, which is one of
 * these as well or null, is the statement where that was another one than the type says, and stands there only then.
 * Any other JSON, and any other text, is wrapped:
 * {"channel":..,"table":null,"type":null,"id":null,"data":..}. A top-level member `channel` of the payload is
 * replaced by the real one, `_` (which our triggers use to keep equal notifications apart) and `_was` (the row that a
 * DELETE without one is about: event_was) are left out, and of a doubled known member the last counts.
 *
 * Returns 0 and an event with one reference, -ENOMEM, or -E2BIG for more than PAYLOAD_BYTES_MAX. */
int decode_payload(const char *channel, const char *payload, size_t payload_bytes, struct event **ret_event);
