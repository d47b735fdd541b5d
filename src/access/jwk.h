/* The numbers of a JSON Web Key (RFC 7518, section 6), and the public keys that libcrypto makes of them. What a key is
 * for is not looked at: signing_key.c does that. object: valid, without doubled members. */
#pragma once

#include "stream/json_text.h"

#include <openssl/evp.h>
#include <stdint.h>

enum { JWK_BYTES_MAX = 1 << 12 };

/* A member that is bytes in base64url. Returns how many; 0 when it is not there, is not that, or does not fit. */
size_t jwk_bytes(struct json_slice object, const char *name, uint8_t out[JWK_BYTES_MAX]);

/* Each returns a key to be freed; or NULL when the numbers are none or do not fit together, or without memory, which
 * libcrypto's queue of errors tells. */
EVP_PKEY *jwk_rsa(struct json_slice object); /* RFC 7518, section 6.3.1 */
/* RFC 7518, section 6.2.1: x and y are as long as the curve's coordinates. group: libcrypto's name of the curve. */
EVP_PKEY *jwk_ec(struct json_slice object, const char *group, size_t coordinate_bytes);
EVP_PKEY *jwk_ed25519(struct json_slice object); /* RFC 8037, section 2 */
