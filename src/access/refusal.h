/* Why a request is not let in: one answer for each reason, so that a client learns what is wrong with its token, and
 * nothing else. */
#pragma once

enum refusal {
    REFUSAL_NONE,
    REFUSAL_NO_MEMORY,

    /* Of the request. */
    REFUSAL_CLOSED,
    REFUSAL_NO_TOKEN,
    REFUSAL_NOT_BEARER,
    REFUSAL_TWO_TOKENS,
    REFUSAL_QUERY_TOKEN_OFF,
    REFUSAL_TWO_COOKIES,
    REFUSAL_BEARER_ONLY,

    /* Of a token. */
    REFUSAL_TOO_LONG,
    REFUSAL_UNKNOWN_TOKEN,
    REFUSAL_UNKNOWN_TICKET,
    REFUSAL_NOT_A_JWT,
    REFUSAL_BAD_HEADER,
    REFUSAL_ALG_NONE,
    REFUSAL_ALG_MISSING,
    REFUSAL_ALG_NOT_THE_KEYS,
    REFUSAL_KEY_INSIDE,
    REFUSAL_CRIT,
    REFUSAL_TYP,
    REFUSAL_KID_BAD,
    REFUSAL_KID_MISSING,
    REFUSAL_KID_UNKNOWN,
    REFUSAL_SIGNATURE,
    REFUSAL_BAD_CLAIMS,
    REFUSAL_EXP_MISSING,
    REFUSAL_EXPIRED,
    REFUSAL_BAD_TIME,
    REFUSAL_NOT_YET,
    REFUSAL_AUD_MISSING,
    REFUSAL_AUD_OTHER,
    REFUSAL_ISS_OTHER,
    REFUSAL_REVOKED,

    /* Of what the token grants. */
    REFUSAL_NO_GRANT,
    REFUSAL_BAD_GRANT,
    REFUSAL_BAD_CHANNELS,
    REFUSAL_BAD_WHERE,
    REFUSAL_OTHER_CHANNEL,
    REFUSALS,
};

struct refusal_words {
    unsigned status;
    const char *error; /* of RFC 6750, section 3.1; NULL: nothing was sent that could be wrong */
    const char *text;  /* a sentence of ASCII without quotes and backslashes, as error_description takes it */
};

const struct refusal_words *refusal_words(enum refusal refusal); /* not of REFUSAL_NONE */
