/* Judges tokens by one key, at one time. */
#pragma once

#include "access/token.h"

#include "token_text.h"
#include "unit.h"

#define NOW_S    INT64_C(1700000000)
#define AUDIENCE "streams"

static inline void add_secret(struct key_ring *ring, const char *kid)
{
    struct signing_key *key;
    const char *wrong;

    assert_int_equal(signing_key_from_secret(SECRET, strlen(SECRET), &key, &wrong), 0);
    assert_int_equal(key_ring_add(ring, kid, key, &wrong), 0);
}

/* Judges a token at NOW_S; *ret_grant (may be NULL) is to be unreferenced. */
static inline enum refusal judge_with(const struct key_ring *ring, const char *issuer, const char *token,
                                      struct grant **ret_grant)
{
    char *audiences[] = {(char *)(uintptr_t) "other", (char *)(uintptr_t)AUDIENCE};
    const struct text_list list = {audiences, 2};
    const struct token_policy policy = {ring, &list, issuer};
    const struct signing_key *key = NULL;
    struct grant *grant = grant_new();
    enum refusal refusal = token_verify(token, &policy, NOW_S, grant, &key);

    assert_true(refusal != REFUSAL_NONE || key);
    if (ret_grant)
        *ret_grant = grant;
    else
        grant_unref(grant);
    return refusal;
}
