/* Text between the encoding of a database and UTF-8, by the C library's iconv.
 *
 * The server could do that, too. But what it cannot convert fails the whole answer, and a notification of that kind
 * ends the session: so its bytes come as they are, and each sequence that is nothing in UTF-8 becomes U+FFFD here.
 *
 * Text that is ASCII, or UTF-8 already in a database of UTF8, is never copied. In SQL_ASCII, which is bytes of any
 * kind, those that are UTF-8 stay what they are. */
#pragma once

#include "base/buffer.h"

#include <stddef.h>

struct transcoder;

/* By PostgreSQL's name of an encoding. NULL: the C library has no converter that agrees with the server's, which must
 * convert then. Opened once, and kept as long as the program runs; the first call
 * for an encoding reads files. */
struct transcoder *transcoder_find(const char *encoding);

/* The text in UTF-8: itself when it is that already (always without a transcoder), else made in room, and lent until
 * room changes. *size_bytes goes in and out. NULL when room is too small or there is no memory. */
const char *transcode_in(struct transcoder *transcoder, const char *text, size_t *size_bytes, struct buffer *room);

/* A text in UTF-8 as the database has it, lent in the same way. What the encoding lacks becomes `lacking`, or is
 * -EILSEQ when that is NULL; then what is returned means the same as text and nothing else does. -ENOMEM. */
int transcode_out(struct transcoder *transcoder, const char *text, const char *lacking, struct buffer *room,
                  const char **ret_text);
