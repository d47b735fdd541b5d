/* A token from a client, before and behind its signature: nothing unsigned gets in, and what is signed is judged
 * without a fault. The first byte chooses whether the input is a token, or claims that are then signed rightly. */
#include "access/token.h"

#include "../unit/token_text.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct key_ring make_ring(void)
{
    struct key_ring ring = {0};
    struct signing_key *key = NULL;
    const char *wrong;

    if (signing_key_from_secret(SECRET, strlen(SECRET), &key, &wrong) < 0 || key_ring_add(&ring, NULL, key, &wrong) < 0)
        abort();
    return ring;
}

static enum refusal judge(const char *token)
{
    char *audience[] = {(char[]){"streams"}};
    const struct text_list audiences = {audience, 1};
    struct key_ring ring = make_ring();
    const struct token_policy policy = {&ring, &audiences, ""};
    const struct signing_key *key;
    struct grant *grant = grant_new();

    if (!grant)
        abort();
    enum refusal refusal = token_verify(token, &policy, 1700000000, grant, &key);
    if (refusal == REFUSAL_NONE)
        assert(grant->channels.count > 0 && grant->channels.count <= GRANT_CHANNELS_MAX &&
               grant->where.count <= ROW_COLUMNS_MAX && grant->expires_s > 1700000000);
    grant_unref(grant);
    key_ring_done(&ring);
    return refusal;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = calloc(1, size);
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    if (data[0] == 't') {
        assert(judge(text) != REFUSAL_NONE); /* nobody guesses the signature */
    } else if (data[0] == 'h') {
        char *token = sign(text, "{}");
        assert(judge(token) != REFUSAL_NONE);
        free(token);
    } else {
        char *token = sign(HEADER, text);
        enum refusal refusal = judge(token);
        assert(refusal == REFUSAL_NONE || refusal == REFUSAL_TOO_LONG || refusal >= REFUSAL_BAD_CLAIMS);
        free(token);
    }
    free(text);
    return 0;
}
