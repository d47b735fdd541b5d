/* UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The size of the sequence at `at`, which is below end; 0 when there is none. */
size_t utf8_size(const unsigned char *at, const unsigned char *end);

bool utf8_is_valid(const char *bytes, size_t size_bytes);
