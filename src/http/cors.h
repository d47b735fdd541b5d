/* What pages of other origins may do: the CORS protocol of the fetch standard, section 3.2. An origin that is named
 * exactly may send cookies; "*" lets everybody read, but without them. */
#pragma once

#include "http/exchange.h"

/* The entry of cors.origins that lets the origin in, or NULL; an exact one rather than "*". Lent by either. */
const char *cors_match(const struct text_list *origins, const char *origin);

/* Adds what every response has: Vary, and for an allowed origin that it may read this. */
void cors_add(const struct exchange *exchange, struct MHD_Response *response);

/* Adds the answer to a preflight, if this is one from an allowed origin. methods: as in Allow. */
void cors_add_preflight(const struct exchange *exchange, const char *methods, struct MHD_Response *response);
