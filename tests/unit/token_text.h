/* Tokens that are signed here by HS256, with any header and any claims. */
#pragma once

#include "base/buffer.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "0123456789abcdef0123456789abcdef"
#define HEADER "{\"alg\":\"HS256\"}"

/* Appends base64url without padding. */
static inline void append_base64url(struct buffer *out, const void *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *at = bytes;

    for (size_t i = 0; i < size; i += 3) {
        unsigned long group = (unsigned long)at[i] << 16;
        group |= i + 1 < size ? (unsigned long)at[i + 1] << 8 : 0;
        group |= i + 2 < size ? (unsigned long)at[i + 2] : 0;
        size_t count = size - i < 3 ? size - i + 1 : 4;
        for (size_t j = 0; j < count; j++)
            buffer_append(out, &digits[group >> (18 - 6 * j) & 63], 1);
    }
}

/* A token with a right HS256 signature, whatever the header says. To be freed. */
static inline char *sign_bytes(const char *header, size_t header_bytes, const char *claims, size_t claims_bytes)
{
    unsigned char signature[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    struct buffer out;

    buffer_init(&out, 1 << 20);
    append_base64url(&out, header, header_bytes);
    buffer_append_text(&out, ".");
    append_base64url(&out, claims, claims_bytes);
    HMAC(EVP_sha256(), SECRET, (int)strlen(SECRET), (const unsigned char *)buffer_bytes(&out), buffer_size(&out),
         signature, &size);
    buffer_append_text(&out, ".");
    append_base64url(&out, signature, size);
    char *token = strdup(buffer_text(&out));
    buffer_done(&out);
    return token;
}

static inline char *sign(const char *header, const char *claims)
{
    return sign_bytes(header, strlen(header), claims, strlen(claims));
}
