/* Base64 with the URL alphabet and without padding (RFC 4648, section 5; RFC 7515, section 2), taken strictly: each
 * sequence of bytes has one text, so that a token cannot be changed without breaking it. */
#pragma once

#include "base/buffer.h"

/* Appends the decoded bytes. Returns 0 or -EINVAL: a character outside the alphabet, padding, a length that cannot be,
 * or bits that are not used and not zero. */
int base64url_decode(const char *text, size_t size_bytes, struct buffer *ret_bytes);
