/* The keys that tokens may be signed with, each found by the `kid` of a token's header. */
#pragma once

#include "access/signing_key.h"
#include "base/buffer.h"
#include "stream/json_text.h"

enum { KEYS_MAX = 64, KID_BYTES_MAX = 255, KEY_FILE_BYTES_MAX = 1 << 18 };

struct ring_key {
    char *kid; /* NULL: for tokens whatever they name, when no other key has that name */
    struct signing_key *key;
};

struct key_ring {
    struct ring_key *items;
    size_t count;
};

/* Adds keys. kid may be NULL. Returns 0; -EINVAL, and *ret_wrong (fixed text) says why; or -ENOMEM. */
int key_ring_add(struct key_ring *ring, const char *kid, struct signing_key *key,
                 const char **ret_wrong); /* takes it */
/* Of a PEM file, a JWKS (RFC 7517, section 5) or a single JWK; a kid goes with a PEM file only. */
int key_ring_add_file(struct key_ring *ring, const char *kid, const char *contents, size_t size_bytes,
                      const char **ret_wrong);
void key_ring_done(struct key_ring *ring); /* also fine on a zeroed one */

/* The key of that name; NULL for a token that names none. NULL when there is none, or several might be meant. Lent. */
const struct signing_key *key_ring_find(const struct key_ring *ring, const char *kid);
