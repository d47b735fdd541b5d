/* The request target as it stood on the wire, taken apart: the library decodes %00 and %0d%0a in paths
 * without a word, so it is not asked (RFC 3986, sections 2.1 and 3; application/x-www-form-urlencoded for the
 * query). */
#pragma once

#include <stddef.h>

struct query_item {
    char *name;
    char *value; /* "" without `=` */
};

struct query {
    struct query_item *items;
    size_t count;
};

enum { QUERY_ITEMS_MAX = 512 };

/* Decodes %XX. Returns 0, -EINVAL for a bad or cut escape or a NUL byte, or -ENOMEM. */
int percent_decode(const char *text, size_t size_bytes, char **ret_text);

/* text is what stands behind the `?`. Returns 0; -EINVAL as above; -E2BIG for more than QUERY_ITEMS_MAX
 * items; -ENOMEM. */
int query_parse(const char *text, struct query *ret_query);
void query_done(struct query *query); /* also fine on a zeroed one */

/* The first value of that name, or NULL. Lent. */
const char *query_first(const struct query *query, const char *name);
