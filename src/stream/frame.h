/* Server-Sent Events as bytes (WHATWG HTML, section 9.2.6): the only place that knows CR and LF.
 *
 * Whatever comes from outside is made harmless here: CR, LF and NUL in a name or in data become spaces (data
 * is JSON, where a line break can only be white space), so that no byte of a table's name or a row can start
 * a field of its own. */
#pragma once

#include "base/buffer.h"

#include <stdint.h>

/* `id` and `name` may be NULL: no such line; without a name a browser calls onmessage. An id is of
 * [0-9A-Za-z._-]. */
void frame_event(struct buffer *out, const char *id, const char *name, const char *data, size_t data_bytes);

/* A comment, which clients ignore: ": text". */
void frame_comment(struct buffer *out, const char *text);

/* The time after which a client reconnects. */
void frame_retry(struct buffer *out, int64_t retry_ms);
