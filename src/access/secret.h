/* Comparing what may be a secret. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Whether given is secret; the duration does not tell how much of it was right. */
bool secret_equal(const char *given, const char *secret);
bool secret_equal_bytes(const void *one, const void *other, size_t size_bytes);
