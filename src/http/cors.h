/* What pages of other origins may do: the CORS protocol of the fetch standard, section 3.2. An origin that is named
 * exactly may send cookies; "*" lets everybody read, but without them. */
#pragma once

#include "http/exchange.h"

enum { CORS_HEADERS_MAX = 4 };

struct cors_header {
    const char *name, *value;
};

/* What every answer has to a request from origin (NULL: from none): Vary, and for an allowed origin that it may read
 * the answer. Values are lent by origin or fixed. Returns how many there are. */
size_t cors_headers(const struct config *config, const char *origin, struct cors_header ret_headers[CORS_HEADERS_MAX]);

/* Adds those to a response. */
void cors_add(const struct exchange *exchange, struct MHD_Response *response);

/* Adds the answer to a preflight, if this is one from an allowed origin. methods: as in Allow. */
void cors_add_preflight(const struct exchange *exchange, const char *methods, struct MHD_Response *response);
