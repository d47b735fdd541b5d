/* What a request brings to prove who it is from: a token or a ticket, out of its headers and its query. Works on plain
 * texts, so that tests need no server.
 *
 * Authorization: Bearer (RFC 6750, section 2.1), ?access_token= where that is switched on (section 2.3), ?ticket=, or
 * the cookie. More than one at once is refused; only the cookie, which browsers send by themselves, gives way. */
#pragma once

#include "access/refusal.h"
#include "http/query.h"

#include <stdbool.h>

struct credential_sources {
    const char *authorization; /* the header's value, or NULL */
    const char *cookies;       /* the Cookie header's value, or NULL */
    const struct query *query;
    const char *cookie_name; /* empty: cookies mean nothing */
    bool query_tokens;
    bool bearer_only; /* nothing but the header counts, and the rest is not looked at */
};

struct credential {
    char *text; /* a copy */
    bool is_ticket;
};

/* On REFUSAL_NONE *ret_credential is to be given to credential_done. */
enum refusal credential_take(const struct credential_sources *sources, struct credential *ret_credential);
void credential_done(struct credential *credential); /* also fine on a zeroed one */
