/* Connection strings without their passwords. */
#pragma once

#include "base/buffer.h"

/* Appends a libpq connection string, URI or keyword form, with *** in place of every password. When in doubt
 * (a URI whose password holds an unescaped '/', a keyword string that does not parse) it hides too much. */
void mask_passwords(const char *connection, struct buffer *masked);
