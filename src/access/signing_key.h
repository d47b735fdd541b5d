/* A key that tokens are signed with, and the only place that knows cryptography, all of it by libcrypto (OpenSSL 3).
 * docs/decisions/0008 tells why that.
 *
 * The algorithm belongs to the key. What a token's header says is only ever compared with it, so there is no way to
 * have a public key taken for a secret, or a signature left out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct signing_key;

enum {
    SHA256_BYTES = 32,
    SECRET_BYTES_MIN = 32, /* RFC 7518, section 3.2 */
    RSA_BITS_MIN = 2048,   /* RFC 7518, section 3.3 */
    RSA_BITS_MAX = 8192,
};

/* Each returns 0 and a key; or -EINVAL, and *ret_wrong (fixed text) says what is wrong with it and what to do; -ENOTSUP
 * when it is a key for something else, which a set of keys may hold (RFC 7517, section 5); or -ENOMEM. */
int signing_key_from_secret(const char *secret, size_t size_bytes, struct signing_key **ret_key,
                            const char **ret_wrong); /* for HS256 */
int signing_key_from_pem(const char *pem, size_t size_bytes, struct signing_key **ret_key, const char **ret_wrong);
/* json: a valid object without doubled members. An RSA key without `alg` is for RS256. */
int signing_key_from_jwk(const char *json, size_t size_bytes, struct signing_key **ret_key, const char **ret_wrong);
void signing_key_free(struct signing_key *key); /* NULL is fine */

const char *signing_key_algorithm(const struct signing_key *key); /* "ES256" and so on */
bool signing_key_is_secret(const struct signing_key *key);        /* whoever has it can make tokens */
/* The same for the same key with the same algorithm. Lent. */
const uint8_t *signing_key_fingerprint(const struct signing_key *key);

/* What was signed, and the signature itself (RFC 7515, section 5.2), decoded. All lent. */
struct signed_text {
    const uint8_t *text;
    size_t text_bytes;
    const uint8_t *signature;
    size_t signature_bytes;
};

/* Whether it was signed with key by the key's algorithm: 0; -EBADMSG: it was not; -ENOMEM: nobody knows. */
int signing_key_verify(const struct signing_key *key, const struct signed_text *signed_text);

/* To be called before all else. libcrypto sets itself up at its first use, and where that lacked memory it crashes at
 * the second. Returns 0; or -ENOMEM. */
int crypto_start(void);

/* Returns 0; or -ENOMEM, and ret_digest holds nothing to be relied on. */
__attribute__((warn_unused_result)) int sha256(const void *bytes, size_t size_bytes, uint8_t ret_digest[SHA256_BYTES]);
