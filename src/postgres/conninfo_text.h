/* What a person wrote as a connection string: what is wrong with it, and how it may be shown. */
#pragma once

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether libpq would not take the text as it is meant: then what is wrong and what to do is in ret_wrong, without
 * anything of the text itself, because what stands in the wrong place may be the password. Nothing is asked of the
 * network. */
bool conninfo_is_wrong(const char *text, char *ret_wrong, size_t size);

/* The same for what PG* variables of the environment say, which counts where the text says nothing. */
bool conninfo_environment_is_wrong(char *ret_wrong, size_t size);

/* Appends it in the form of keywords and values, with *** in place of every secret; *** alone when it cannot be read.
 */
void conninfo_redact(const char *text, struct buffer *redacted);
