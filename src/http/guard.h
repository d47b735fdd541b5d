/* Who may use a resource: the trigger token for what changes something, what `access` says for streams. */
#pragma once

#include "http/exchange.h"

/* Whether the request may use its route; sets exchange->grant. Otherwise it has been answered, and *ret_result is what
 * a handler returns. */
bool guard_admits(struct exchange *exchange, enum MHD_Result *ret_result);

/* The answer for that reason: application/problem+json, and WWW-Authenticate as in RFC 6750, section 3. */
enum MHD_Result reply_refusal(struct exchange *exchange, enum refusal refusal);
