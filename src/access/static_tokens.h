/* Fixed tokens from a file. A line is a token, and behind it the channels that it allows, names or patterns; without
 * any it allows all that the configuration does. Empty lines and those that begin with # mean nothing.
 *
 * Only digests are kept, so that neither the time of a comparison nor a look at the memory tells a token. */
#pragma once

#include "access/grant.h"
#include "access/signing_key.h"
#include "base/buffer.h"

enum { STATIC_TOKENS_MAX = 1000, TOKENS_FILE_BYTES_MAX = 1 << 20 };

struct static_token {
    uint8_t digest[SHA256_BYTES];
    struct grant *grant;
};

struct static_tokens {
    struct static_token *items;
    size_t count;
};

/* Returns 0; -EINVAL, and a clause with the line's number was appended to problem; or -ENOMEM. */
int static_tokens_parse(const char *contents, size_t size_bytes, struct static_tokens *ret_tokens,
                        struct buffer *problem);
void static_tokens_done(struct static_tokens *tokens); /* also fine on a zeroed one */

/* Returns 0 and a grant, lent; -ENOENT: nobody knows the token; or -ENOMEM. */
int static_tokens_find(const struct static_tokens *tokens, const char *token, struct grant **ret_grant);
