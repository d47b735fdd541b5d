#include "access/refusal.h"

#include <assert.h>

#define INVALID_TOKEN      "invalid_token"
#define INVALID_REQUEST    "invalid_request"
#define INSUFFICIENT_SCOPE "insufficient_scope"

static const struct refusal_words words[REFUSALS] = {
    [REFUSAL_NO_MEMORY] = {503, 0, "There is no memory to look at the token; try again."},
    [REFUSAL_CLOSED] = {403, 0, "Streams are closed here: the setting access.streams is neither open nor token."},
    [REFUSAL_NO_TOKEN] = {401, 0, "Send a token as Authorization: Bearer, in the cookie, or a ticket as ?ticket=."},
    [REFUSAL_NOT_BEARER] = {401, 0, "The Authorization header is not of the form Bearer <token>."},
    [REFUSAL_TWO_TOKENS] = {400, INVALID_REQUEST, "The request has more than one token or ticket; send one."},
    [REFUSAL_QUERY_TOKEN_OFF] = {400, INVALID_REQUEST,
                                 "Tokens in the address are switched off here (access.query_tokens); use a header, a "
                                 "cookie or a ticket."},
    [REFUSAL_TWO_COOKIES] = {400, INVALID_REQUEST, "The cookie with the token is there more than once; delete one."},
    [REFUSAL_BEARER_ONLY] = {401, 0, "Here a token counts only as Authorization: Bearer."},

    [REFUSAL_TOO_LONG] = {401, INVALID_TOKEN, "The token has more than 8192 bytes."},
    [REFUSAL_UNKNOWN_TOKEN] = {401, INVALID_TOKEN, "The token is not among those that are configured."},
    [REFUSAL_UNKNOWN_TICKET] = {401, INVALID_TOKEN, "The ticket is unknown, was used before, or is older than 30 s."},
    [REFUSAL_NOT_A_JWT] = {401, INVALID_TOKEN, "The token is not a JWT: three parts in base64url with dots between."},
    [REFUSAL_BAD_HEADER] = {401, INVALID_TOKEN,
                            "The header of the token is not a JSON object of at most 16 different members."},
    [REFUSAL_ALG_NONE] = {401, INVALID_TOKEN, "The token is not signed: alg is none."},
    [REFUSAL_ALG_MISSING] = {401, INVALID_TOKEN, "The header of the token has no alg that is a string."},
    [REFUSAL_ALG_NOT_THE_KEYS] = {401, INVALID_TOKEN, "The alg of the token is not the one of the key."},
    [REFUSAL_KEY_INSIDE] = {401, INVALID_TOKEN,
                            "The token brings a key, or says where to fetch one (jwk, jku, x5c, x5u)."},
    [REFUSAL_CRIT] = {401, INVALID_TOKEN, "The token asks for an extension (crit, b64, zip) that is not known here."},
    [REFUSAL_TYP] = {401, INVALID_TOKEN, "The typ of the token is neither JWT nor at+jwt."},
    [REFUSAL_KID_BAD] = {401, INVALID_TOKEN, "The kid of the token is not a string of at most 255 bytes."},
    [REFUSAL_KID_MISSING] = {401, INVALID_TOKEN, "The token has no kid, and several keys are configured."},
    [REFUSAL_KID_UNKNOWN] = {401, INVALID_TOKEN, "No key with the kid of the token is configured."},
    [REFUSAL_SIGNATURE] = {401, INVALID_TOKEN, "The signature of the token is wrong."},
    [REFUSAL_BAD_CLAIMS] = {401, INVALID_TOKEN,
                            "The claims of the token are not a JSON object of at most 128 different members."},
    [REFUSAL_EXP_MISSING] = {401, INVALID_TOKEN, "The token has no exp."},
    [REFUSAL_EXPIRED] = {401, INVALID_TOKEN, "The token has expired (exp)."},
    [REFUSAL_BAD_TIME] = {401, INVALID_TOKEN, "The token has an exp, nbf or iat that is not a time in seconds."},
    [REFUSAL_NOT_YET] = {401, INVALID_TOKEN, "The token does not count yet (nbf)."},
    [REFUSAL_AUD_MISSING] = {401, INVALID_TOKEN, "The token has no aud that is a string or a list of strings."},
    [REFUSAL_AUD_OTHER] = {401, INVALID_TOKEN, "The token is for another audience (aud)."},
    [REFUSAL_ISS_OTHER] = {401, INVALID_TOKEN, "The token is from another issuer (iss)."},
    [REFUSAL_REVOKED] = {401, INVALID_TOKEN, "The token was revoked by a change of the configuration."},

    [REFUSAL_NO_GRANT] = {403, INSUFFICIENT_SCOPE, "The token has no claim tuplecast that names channels."},
    [REFUSAL_BAD_GRANT] = {403, INSUFFICIENT_SCOPE,
                           "The claim tuplecast is not an object with channels, and maybe where, each once."},
    [REFUSAL_BAD_CHANNELS] = {403, INSUFFICIENT_SCOPE,
                              "The channels of the claim tuplecast are not a list of 1 to 256 names or patterns."},
    [REFUSAL_BAD_WHERE] = {403, INSUFFICIENT_SCOPE,
                           "The where of the claim tuplecast is not an object of at most 16 different columns with "
                           "strings, numbers, true, false, or lists of these."},
    [REFUSAL_OTHER_CHANNEL] = {403, INSUFFICIENT_SCOPE, "The token does not allow this channel."},
};

const struct refusal_words *refusal_words(enum refusal refusal)
{
    assert(refusal > REFUSAL_NONE && refusal < REFUSALS);
    return &words[refusal];
}
