/* The test vectors for JSON Web Signatures of Project Wycheproof, where they lie beside the checkout: each valid token
 * gets as far as its claims, each invalid one does not. */
#include "access/token.h"

#include "unit.h"

#include <json-c/json.h>

#define VECTORS SOURCE_DIR "/../shared/corpora/json-web-signature.json"

static struct json_object *member(struct json_object *object, const char *name)
{
    return json_object_object_get(object, name);
}

/* Whether the signature was found right. The payloads are no claims of ours. */
static bool passes(const struct key_ring *ring, const char *token)
{
    const struct text_list audiences = {0};
    const struct token_policy policy = {ring, &audiences, ""};
    const struct signing_key *key;
    struct grant *grant = grant_new();
    enum refusal refusal = token_verify(token, &policy, 0, grant, &key);

    grant_unref(grant);
    assert_int_not_equal(refusal, REFUSAL_NONE);
    return refusal >= REFUSAL_BAD_CLAIMS;
}

/* Where we differ from what the file says, and why. */
static const char *known_difference(int number)
{
    switch (number) {
    case 346:
    case 350:
        return "the key is for PS256, the token says PS384: the algorithm is the key's";
    case 347:
    case 351:
        return "the key is for ES521, which is no algorithm";
    case 367:
    case 370:
        return "the padding that the comment speaks of is not there: it is the valid token of vector 357";
    case 372:
    case 373:
        return "a character outside the alphabet is an error (RFC 7515, section 2)";
    default:
        return NULL;
    }
}

static void run_group(struct json_object *group, size_t counts[3])
{
    struct json_object *jwk = member(group, "public") ? member(group, "public") : member(group, "private");
    struct json_object *tests = member(group, "tests");
    const char *text = json_object_to_json_string_ext(jwk, JSON_C_TO_STRING_NOSLASHESCAPE), *wrong = NULL;
    struct key_ring ring = {0};
    int error = key_ring_add_file(&ring, NULL, text, strlen(text), &wrong);

    for (size_t i = 0; i < json_object_array_length(tests); i++) {
        struct json_object *test = json_object_array_get_idx(tests, i), *jws = member(test, "jws");
        bool valid = strcmp(json_object_get_string(member(test, "result")), "valid") == 0;
        int number = json_object_get_int(member(test, "tcId"));
        const char *comment = json_object_get_string(member(test, "comment"));
        bool passed = error == 0 && passes(&ring, json_object_get_string(jws));
        if (passed == valid)
            counts[valid]++;
        else if (known_difference(number))
            counts[2]++;
        else
            fail_msg("%s, %d (%s): %s, but is %s", json_object_get_string(member(group, "comment")), number, comment,
                     passed      ? "passed"
                     : error < 0 ? wrong
                                 : "refused",
                     valid ? "valid" : "invalid");
    }
    key_ring_done(&ring);
}

static void each_vector_is_judged_as_it_should_be(void **state)
{
    struct json_object *file = json_object_from_file(VECTORS);
    size_t counts[3] = {0};

    (void)state;
    if (!file) {
        print_message("not there, left out: %s\n", VECTORS);
        skip();
        return;
    }
    struct json_object *groups = member(file, "testGroups");
    for (size_t i = 0; i < json_object_array_length(groups); i++)
        run_group(json_object_array_get_idx(groups, i), counts);
    print_message("%zu invalid ones refused, %zu valid ones passed, %zu differ for a reason\n", counts[0], counts[1],
                  counts[2]);
    assert_int_equal(counts[0] + counts[1] + counts[2], 401);
    assert_int_equal(counts[2], 8);
    json_object_put(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_vector_is_judged_as_it_should_be)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
