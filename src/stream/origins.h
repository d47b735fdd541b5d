/* How many streams each client address has, for limits.streams_per_address. */
#pragma once

#include "base/text_tree.h"

#include <stdbool.h>
#include <stddef.h>

/* What counts as one address: an IPv4 address, or an IPv6 network of 64 bits, since that is what one customer
 * gets; as text. */
enum { ORIGIN_BYTES_MAX = 48 };

struct origin {
    char *address; /* first: the tree compares it */
    size_t streams;
};

struct origins {
    struct text_tree by_address;
};

/* Streams that address has now. */
size_t origins_count(const struct origins *origins, const char *address);

/* Counts one more; the origin is lent until the same number of origins_leave. NULL when out of memory. */
struct origin *origins_enter(struct origins *origins, const char *address);
void origins_leave(struct origins *origins, struct origin *origin); /* NULL is fine */
