/* JSON as text: checked strictly, taken apart without copying, and written.
 *
 * json-c is lenient (it reads NaN, single quotes, comments) and clamps numbers, while we promise that
 * PostgreSQL's own bytes go out unchanged. So the shape is checked here, by the grammar of RFC 8259, and
 * values are passed on as they stand. */
#pragma once

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

struct json_slice {
    const char *text; /* not NUL-terminated */
    size_t size_bytes;
};

/* True when text is one JSON value in UTF-8 with nothing but white space around it, nested at most
 * JSON_DEPTH_MAX deep. */
bool json_is_valid(const char *text, size_t size_bytes);

/* Walks over the members of an object that is known to be JSON, because json_is_valid has accepted it or PostgreSQL has
 * written it as such (start with text = the whole object); however deeply it is nested. Stores the key with its quotes
 * and the value as they stand, moves *rest on, and returns false when there is no further member, or no object. */
bool json_next_member(struct json_slice *rest, struct json_slice *ret_key, struct json_slice *ret_value);

/* The same for the items of an array. */
bool json_next_item(struct json_slice *rest, struct json_slice *ret_value);

/* Takes the white space off both ends. */
struct json_slice json_trim(struct json_slice slice);

/* Appends the text of a valid JSON string (given with its quotes), escapes undone. A lone surrogate becomes
 * U+FFFD. */
void json_append_unescaped(struct buffer *buffer, struct json_slice string);

/* Appends bytes as a JSON string with its quotes. What is not UTF-8 becomes U+FFFD. */
void json_append_string(struct buffer *buffer, const char *bytes, size_t size_bytes);
