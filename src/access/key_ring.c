#include "access/key_ring.h"

#include "access/members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { JWK_MEMBERS_MAX = 32 };

static const struct ring_key *find(const struct key_ring *ring, const char *kid)
{
    for (size_t i = 0; i < ring->count; i++)
        if (kid && ring->items[i].kid ? strcmp(ring->items[i].kid, kid) == 0 : !kid && !ring->items[i].kid)
            return &ring->items[i];
    return NULL;
}

int key_ring_add(struct key_ring *ring, const char *kid, struct signing_key *key, const char **ret_wrong)
{
    struct ring_key added = {.key = key};
    int error = -EINVAL;

    if (ring->count == KEYS_MAX)
        *ret_wrong = "has more keys than the 64 that can be";
    else if (find(ring, kid))
        *ret_wrong = kid ? "has a key whose `kid` another one has, too"
                         : "has a key without a `kid`, and there is another one without; give both a name";
    else
        error = 0;
    if (error == 0 && kid && !(added.kid = strdup(kid)))
        error = -ENOMEM;
    struct ring_key *items = error == 0 ? realloc(ring->items, (ring->count + 1) * sizeof(*items)) : NULL;
    if (error == 0 && !items)
        error = -ENOMEM;
    if (error < 0) {
        free(added.kid);
        signing_key_free(key);
        return error;
    }
    ring->items = items;
    ring->items[ring->count++] = added;
    return 0;
}

/* Keys for something else are passed over; returns 1 then. */
static int add_jwk(struct key_ring *ring, struct json_slice jwk, const char **ret_wrong)
{
    char kid[KID_BYTES_MAX + 1];
    struct signing_key *key;

    *ret_wrong = "has a key that is not an object of at most 32 different members";
    if (jwk.text[0] != '{' || !members_are_single(jwk, JWK_MEMBERS_MAX))
        return -EINVAL;
    int has_kid = member_text(jwk, "kid", kid, sizeof(kid));
    if (has_kid < 0 && has_kid != -ENOENT) {
        *ret_wrong = "has a key whose `kid` is not a string of at most 255 bytes";
        return -EINVAL;
    }
    int error = signing_key_from_jwk(jwk.text, jwk.size_bytes, &key, ret_wrong);
    if (error == -ENOTSUP)
        return 1;
    return error < 0 ? error : key_ring_add(ring, has_kid == 0 ? kid : NULL, key, ret_wrong);
}

static int add_set(struct key_ring *ring, struct json_slice set, const char **ret_wrong)
{
    struct json_slice keys, jwk;
    size_t before = ring->count;
    int error = 0;

    if (!member_find(set, "keys", &keys)) {
        error = add_jwk(ring, set, ret_wrong);
    } else if (keys.text[0] != '[') {
        *ret_wrong = "has `keys` that are not a list";
        return -EINVAL;
    } else {
        while (error >= 0 && json_next_item(&keys, &jwk))
            error = add_jwk(ring, jwk, ret_wrong);
    }
    if (error >= 0 && ring->count == before) {
        *ret_wrong = "has no key that signs tokens here (`use`, `key_ops`, `kty`, `alg` and `crv` tell)";
        return -EINVAL;
    }
    return error < 0 ? error : 0;
}

int key_ring_add_file(struct key_ring *ring, const char *kid, const char *contents, size_t size_bytes,
                      const char **ret_wrong)
{
    struct json_slice text = json_trim((struct json_slice){contents, size_bytes});
    struct signing_key *key;

    if (text.size_bytes == 0 || text.text[0] != '{') {
        int error = signing_key_from_pem(contents, size_bytes, &key, ret_wrong);
        return error < 0 ? error : key_ring_add(ring, kid, key, ret_wrong);
    }
    *ret_wrong = "is JSON, whose keys have names of their own; leave the name before the `=` out";
    if (kid)
        return -EINVAL;
    *ret_wrong = "is not JSON";
    if (!json_is_valid(text.text, text.size_bytes))
        return -EINVAL;
    return add_set(ring, text, ret_wrong);
}

void key_ring_done(struct key_ring *ring)
{
    for (size_t i = 0; i < ring->count; i++) {
        free(ring->items[i].kid);
        signing_key_free(ring->items[i].key);
    }
    free(ring->items);
    *ring = (struct key_ring){0};
}

const struct signing_key *key_ring_find(const struct key_ring *ring, const char *kid)
{
    const struct ring_key *found = find(ring, kid);

    if (!found && kid)
        found = find(ring, NULL);
    if (!found && !kid && ring->count == 1)
        found = &ring->items[0];
    return found ? found->key : NULL;
}
