/* JSON Web Tokens (RFC 7519, in the compact form of RFC 7515), with the care of RFC 8725: the algorithm is the key's,
 * nothing in the token says where a key comes from, what is not understood or there twice is refused, and a token must
 * say until when and for whom it is. */
#pragma once

#include "access/grant.h"
#include "access/key_ring.h"
#include "access/refusal.h"

enum { TOKEN_BYTES_MOST = 8192 };

struct token_policy {
    const struct key_ring *keys;
    const struct text_list *audiences; /* of which the token must name one */
    const char *issuer;                /* empty: any */
};

/* Whether a text has the form of a JWT at all: three parts with dots between. */
bool token_is_jwt(const char *token);

/* now_s: Unix time. On REFUSAL_NONE grant has all that the token grants, and *ret_key signed it; otherwise grant holds
 * nothing to be relied on. */
enum refusal token_verify(const char *token, const struct token_policy *policy, int64_t now_s, struct grant *grant,
                          const struct signing_key **ret_key);
