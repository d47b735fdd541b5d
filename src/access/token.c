#include "access/token.h"

#include "access/base64url.h"
#include "access/claims.h"
#include "access/members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEADER_MEMBERS_MAX = 16, CLAIMS_MAX = 128, AUDIENCE_BYTES_MAX = 1024, TIME_BYTES_MAX = 64 };

static const int64_t TIME_MAX_S = 253402300799; /* the end of the year 9999 */

bool token_is_jwt(const char *token)
{
    const char *first = strchr(token, '.'), *second = first ? strchr(first + 1, '.') : NULL;

    return second && !strchr(second + 1, '.');
}

enum part { PART_HEADER, PART_CLAIMS, PART_SIGNATURE, PARTS };

/* All parts, before anything else looks at them: one token has one text, or it could be changed and still count. */
static enum refusal decode_parts(const char *token, struct buffer parts[PARTS])
{
    for (enum part part = PART_HEADER; part < PARTS; part++) {
        size_t size = strcspn(token, ".");
        if (base64url_decode(token, size, &parts[part]) < 0)
            return REFUSAL_NOT_A_JWT;
        if (parts[part].failed)
            return REFUSAL_NO_MEMORY;
        token += size + (token[size] == '.');
    }
    return REFUSAL_NONE;
}

/* A part as a JSON object without doubled members. */
static enum refusal take_object(const struct buffer *bytes, size_t members_max, enum refusal otherwise,
                                struct json_slice *ret_object)
{
    if (!json_is_valid(buffer_bytes(bytes), buffer_size(bytes)))
        return otherwise;
    *ret_object = json_trim((struct json_slice){buffer_bytes(bytes), buffer_size(bytes)});
    return ret_object->text[0] == '{' && members_are_single(*ret_object, members_max) ? REFUSAL_NONE : otherwise;
}

static bool has_one_of(struct json_slice object, const char *const *names)
{
    struct json_slice value;

    for (; *names; names++)
        if (member_find(object, *names, &value))
            return true;
    return false;
}

static bool is_known_type(struct json_slice header)
{
    char type[32];
    int error = member_text(header, "typ", type, sizeof(type));

    return error == -ENOENT || (error == 0 && (strcasecmp(type, "JWT") == 0 || strcasecmp(type, "at+jwt") == 0 ||
                                               strcasecmp(type, "application/at+jwt") == 0));
}

static enum refusal judge_header(struct json_slice header, const struct key_ring *keys,
                                 const struct signing_key **ret_key)
{
    static const char *const sources[] = {"jwk", "jku", "x5c", "x5u", NULL};
    static const char *const extensions[] = {"crit", "b64", "zip", NULL};
    char algorithm[16], kid[KID_BYTES_MAX + 1];

    if (member_text(header, "alg", algorithm, sizeof(algorithm)) < 0)
        return REFUSAL_ALG_MISSING;
    if (strcasecmp(algorithm, "none") == 0)
        return REFUSAL_ALG_NONE;
    if (has_one_of(header, sources))
        return REFUSAL_KEY_INSIDE;
    if (has_one_of(header, extensions))
        return REFUSAL_CRIT;
    if (!is_known_type(header))
        return REFUSAL_TYP;
    int has_kid = member_text(header, "kid", kid, sizeof(kid));
    if (has_kid < 0 && has_kid != -ENOENT)
        return REFUSAL_KID_BAD;
    *ret_key = key_ring_find(keys, has_kid == 0 ? kid : NULL);
    if (!*ret_key)
        return has_kid == 0 ? REFUSAL_KID_UNKNOWN : REFUSAL_KID_MISSING;
    return strcmp(signing_key_algorithm(*ret_key), algorithm) == 0 ? REFUSAL_NONE : REFUSAL_ALG_NOT_THE_KEYS;
}

/* The text that was signed is the token up to its last dot (RFC 7515, section 5.2). */
static enum refusal judge_signature(const char *token, const struct buffer *signature, const struct signing_key *key)
{
    const struct signed_text signed_text = {
        .text = (const uint8_t *)token,
        .text_bytes = (size_t)(strrchr(token, '.') - token),
        .signature = (const uint8_t *)buffer_bytes(signature),
        .signature_bytes = buffer_size(signature),
    };
    int error = signing_key_verify(key, &signed_text);

    return error == 0 ? REFUSAL_NONE : error == -ENOMEM ? REFUSAL_NO_MEMORY : REFUSAL_SIGNATURE;
}

/* A NumericDate (RFC 7519, section 2): any JSON number, seconds, of which fractions are cut off. What is beyond the
 * years that have four digits is as far away as those: so nobody who adds to it, or makes milliseconds of it,
 * overflows. */
static int take_time(struct json_slice claims, const char *name, int64_t *ret_s)
{
    char text[TIME_BYTES_MAX + 1];
    struct json_slice value;
    char *end;

    if (!member_find(claims, name, &value))
        return -ENOENT;
    if (value.size_bytes >= sizeof(text) || !strchr("-0123456789", value.text[0]))
        return -EINVAL;
    memcpy(text, value.text, value.size_bytes);
    text[value.size_bytes] = '\0';
    double seconds = strtod(text, &end);
    if (*end != '\0')
        return -EINVAL;
    *ret_s = seconds > (double)TIME_MAX_S ? TIME_MAX_S : seconds < -(double)TIME_MAX_S ? -TIME_MAX_S : (int64_t)seconds;
    return 0;
}

static enum refusal judge_times(struct json_slice claims, int64_t now_s, struct grant *grant)
{
    int64_t exp_s = 0, nbf_s = 0, iat_s = 0;
    int exp = take_time(claims, "exp", &exp_s), nbf = take_time(claims, "nbf", &nbf_s);
    int iat = take_time(claims, "iat", &iat_s);

    if (exp == -ENOENT)
        return REFUSAL_EXP_MISSING;
    if (exp < 0 || nbf == -EINVAL || iat == -EINVAL)
        return REFUSAL_BAD_TIME;
    grant->expires_s = exp_s + CLOCK_SKEW_S;
    if (now_s >= grant->expires_s)
        return REFUSAL_EXPIRED;
    return nbf == 0 && now_s < nbf_s - CLOCK_SKEW_S ? REFUSAL_NOT_YET : REFUSAL_NONE;
}

static enum refusal judge_audience(struct json_slice claims, const struct text_list *audiences)
{
    char name[AUDIENCE_BYTES_MAX];
    struct json_slice value, item;
    bool found = false;

    if (!member_find(claims, "aud", &value) || (value.text[0] != '"' && value.text[0] != '['))
        return REFUSAL_AUD_MISSING;
    if (value.text[0] == '"')
        return value_text(value, name, sizeof(name)) == 0 && text_list_has(audiences, name) ? REFUSAL_NONE
                                                                                            : REFUSAL_AUD_OTHER;
    while (json_next_item(&value, &item)) {
        if (item.text[0] != '"')
            return REFUSAL_AUD_MISSING;
        found |= value_text(item, name, sizeof(name)) == 0 && text_list_has(audiences, name);
    }
    return found ? REFUSAL_NONE : REFUSAL_AUD_OTHER;
}

static bool is_from(struct json_slice claims, const char *issuer)
{
    char name[AUDIENCE_BYTES_MAX];

    return issuer[0] == '\0' || (member_text(claims, "iss", name, sizeof(name)) == 0 && strcmp(name, issuer) == 0);
}

static enum refusal judge_claims(struct json_slice claims, const struct token_policy *policy, int64_t now_s,
                                 struct grant *grant)
{
    enum refusal refusal = judge_times(claims, now_s, grant);

    if (refusal == REFUSAL_NONE)
        refusal = judge_audience(claims, policy->audiences);
    if (refusal == REFUSAL_NONE && !is_from(claims, policy->issuer))
        refusal = REFUSAL_ISS_OTHER;
    return refusal == REFUSAL_NONE ? claims_take(claims, grant) : refusal;
}

enum refusal token_verify(const char *token, const struct token_policy *policy, int64_t now_s, struct grant *grant,
                          const struct signing_key **ret_key)
{
    struct json_slice header, claims;
    struct buffer parts[PARTS];

    if (strnlen(token, TOKEN_BYTES_MOST + 1) > TOKEN_BYTES_MOST)
        return REFUSAL_TOO_LONG;
    if (!token_is_jwt(token))
        return REFUSAL_NOT_A_JWT;
    for (enum part part = PART_HEADER; part < PARTS; part++)
        buffer_init(&parts[part], TOKEN_BYTES_MOST);
    enum refusal refusal = decode_parts(token, parts);
    if (refusal == REFUSAL_NONE)
        refusal = take_object(&parts[PART_HEADER], HEADER_MEMBERS_MAX, REFUSAL_BAD_HEADER, &header);
    if (refusal == REFUSAL_NONE)
        refusal = judge_header(header, policy->keys, ret_key);
    /* Nothing that the claims say is looked at before. */
    if (refusal == REFUSAL_NONE)
        refusal = judge_signature(token, &parts[PART_SIGNATURE], *ret_key);
    if (refusal == REFUSAL_NONE)
        refusal = take_object(&parts[PART_CLAIMS], CLAIMS_MAX, REFUSAL_BAD_CLAIMS, &claims);
    if (refusal == REFUSAL_NONE)
        refusal = judge_claims(claims, policy, now_s, grant);
    for (enum part part = PART_HEADER; part < PARTS; part++)
        buffer_done(&parts[part]);
    return refusal;
}
