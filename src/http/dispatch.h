/* From libmicrohttpd's callbacks to a route's handler: looks at the request as it came, checks who asks,
 * collects the body. */
#pragma once

#include "http/exchange.h"

/* What the library's access handler is to do: called when the head is there, for each piece of the body, and
 * at its end. */
enum MHD_Result dispatch(struct exchange *exchange, const char *method, const char *upload, size_t *upload_bytes);
