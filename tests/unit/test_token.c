/* JSON Web Tokens: what is taken, and what each bad one is answered. All of these are signed with the right key. */
#include "token_fixture.h"

#define GOOD_GRANT    "\"tuplecast\":{\"channels\":[\"orders_*\"]}"
#define GOOD          "{\"exp\":1700000100,\"aud\":\"streams\"," GOOD_GRANT "}"
#define TIMED(times)  "{" times ",\"aud\":\"streams\"," GOOD_GRANT "}"
#define FOR(audience) "{\"exp\":1700000100," audience GOOD_GRANT "}"
#define GRANTS(grant) "{\"exp\":1700000100,\"aud\":\"streams\"" grant "}"
#define WHERE(where)  GRANTS(",\"tuplecast\":{\"channels\":[\"a\"],\"where\":" where "}")

struct sample {
    const char *header, *claims;
    enum refusal expected;
};

static const struct sample samples[] = {
    /* Headers. */
    {HEADER, GOOD, REFUSAL_NONE},
    {"{\"alg\":\"HS256\",\"typ\":\"JWT\"}", GOOD, REFUSAL_NONE},
    {"{\"typ\":\"jwt\",\"alg\":\"HS256\"}", GOOD, REFUSAL_NONE},
    {" {\"alg\" : \"HS256\"} ", GOOD, REFUSAL_NONE},
    {"{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"x5t\":\"a\",\"cty\":\"a\"}", GOOD, REFUSAL_NONE},
    {"{\"\\u0061lg\":\"HS256\"}", GOOD, REFUSAL_NONE},
    {"{\"alg\":\"HS256\",\"kid\":\"anything\"}", GOOD, REFUSAL_NONE},
    {"{\"alg\":\"HS384\"}", GOOD, REFUSAL_ALG_NOT_THE_KEYS},
    {"{\"alg\":\"hs256\"}", GOOD, REFUSAL_ALG_NOT_THE_KEYS},
    {"{\"alg\":\"HS256 \"}", GOOD, REFUSAL_ALG_NOT_THE_KEYS},
    {"{\"alg\":\"RS256\"}", GOOD, REFUSAL_ALG_NOT_THE_KEYS},
    {"{\"alg\":\"ES256\"}", GOOD, REFUSAL_ALG_NOT_THE_KEYS},
    {"{\"alg\":\"EdDSA\"}", GOOD, REFUSAL_ALG_NOT_THE_KEYS},
    {"{\"alg\":\"\"}", GOOD, REFUSAL_ALG_NOT_THE_KEYS},
    {"{\"alg\":\"none\"}", GOOD, REFUSAL_ALG_NONE},
    {"{\"alg\":\"None\"}", GOOD, REFUSAL_ALG_NONE},
    {"{\"alg\":\"nOnE\"}", GOOD, REFUSAL_ALG_NONE},
    {"{}", GOOD, REFUSAL_ALG_MISSING},
    {"{\"typ\":\"JWT\"}", GOOD, REFUSAL_ALG_MISSING},
    {"{\"alg\":256}", GOOD, REFUSAL_ALG_MISSING},
    {"{\"alg\":null}", GOOD, REFUSAL_ALG_MISSING},
    {"{\"alg\":[\"HS256\"]}", GOOD, REFUSAL_ALG_MISSING},
    {"{\"alg\":{\"alg\":\"HS256\"}}", GOOD, REFUSAL_ALG_MISSING},
    {"{\"alg\":\"HS256\\u0000\"}", GOOD, REFUSAL_ALG_MISSING},
    {"{\"alg\":\"an algorithm with a long name\"}", GOOD, REFUSAL_ALG_MISSING},
    {"{\"ALG\":\"HS256\"}", GOOD, REFUSAL_ALG_MISSING},
    {"{\"alg\":\"HS256\",\"alg\":\"HS256\"}", GOOD, REFUSAL_BAD_HEADER},
    {"{\"alg\":\"HS256\",\"alg\":\"none\"}", GOOD, REFUSAL_BAD_HEADER},
    {"{\"alg\":\"none\",\"\\u0061lg\":\"HS256\"}", GOOD, REFUSAL_BAD_HEADER},
    {"{\"kid\":\"a\",\"alg\":\"HS256\",\"kid\":\"a\"}", GOOD, REFUSAL_BAD_HEADER},
    {"{\"alg\":\"HS256\"", GOOD, REFUSAL_BAD_HEADER},
    {"{\"alg\":\"HS256\"}}", GOOD, REFUSAL_BAD_HEADER},
    {"{'alg':'HS256'}", GOOD, REFUSAL_BAD_HEADER},
    {"{alg:\"HS256\"}", GOOD, REFUSAL_BAD_HEADER},
    {"{\"alg\":\"HS256\",}", GOOD, REFUSAL_BAD_HEADER},
    {"{\"alg\":\"HS256\"}//", GOOD, REFUSAL_BAD_HEADER},
    {"[\"alg\",\"HS256\"]", GOOD, REFUSAL_BAD_HEADER},
    {"\"HS256\"", GOOD, REFUSAL_BAD_HEADER},
    {"null", GOOD, REFUSAL_BAD_HEADER},
    {"", GOOD, REFUSAL_BAD_HEADER},
    {"\xef\xbb\xbf{\"alg\":\"HS256\"}", GOOD, REFUSAL_BAD_HEADER},
    {"{\"alg\":\"HS\xff\"}", GOOD, REFUSAL_BAD_HEADER},
    {"{\"alg\":\"HS256\",\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"7\":1,\"8\":1,\"9\":1,\"a\":1,\"b\":1,\"c\":"
     "1,"
     "\"d\":1,\"e\":1,\"f\":1,\"g\":1}",
     GOOD, REFUSAL_BAD_HEADER},
    {"{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}", GOOD, REFUSAL_KEY_INSIDE},
    {"{\"alg\":\"HS256\",\"jku\":\"https://evil.example/keys\"}", GOOD, REFUSAL_KEY_INSIDE},
    {"{\"alg\":\"HS256\",\"j\\u006bu\":null}", GOOD, REFUSAL_KEY_INSIDE},
    {"{\"alg\":\"HS256\",\"x5u\":\"https://evil.example/\"}", GOOD, REFUSAL_KEY_INSIDE},
    {"{\"alg\":\"HS256\",\"x5c\":[\"AAAA\"]}", GOOD, REFUSAL_KEY_INSIDE},
    {"{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", GOOD, REFUSAL_CRIT},
    {"{\"alg\":\"HS256\",\"crit\":[]}", GOOD, REFUSAL_CRIT},
    {"{\"alg\":\"HS256\",\"crit\":null}", GOOD, REFUSAL_CRIT},
    {"{\"alg\":\"HS256\",\"b64\":false}", GOOD, REFUSAL_CRIT},
    {"{\"alg\":\"HS256\",\"zip\":\"DEF\"}", GOOD, REFUSAL_CRIT},
    {"{\"alg\":\"HS256\",\"typ\":\"JOSE\"}", GOOD, REFUSAL_TYP},
    {"{\"alg\":\"HS256\",\"typ\":\"dpop+jwt\"}", GOOD, REFUSAL_TYP},
    {"{\"alg\":\"HS256\",\"typ\":\"logout+jwt\"}", GOOD, REFUSAL_TYP},
    {"{\"alg\":\"HS256\",\"typ\":\"\"}", GOOD, REFUSAL_TYP},
    {"{\"alg\":\"HS256\",\"typ\":null}", GOOD, REFUSAL_TYP},
    {"{\"alg\":\"HS256\",\"kid\":7}", GOOD, REFUSAL_KID_BAD},
    {"{\"alg\":\"HS256\",\"kid\":null}", GOOD, REFUSAL_KID_BAD},
    {"{\"alg\":\"HS256\",\"kid\":\"a\\u0000b\"}", GOOD, REFUSAL_KID_BAD},

    /* Claims. */
    {HEADER, "", REFUSAL_BAD_CLAIMS},
    {HEADER, "{", REFUSAL_BAD_CLAIMS},
    {HEADER, "[]", REFUSAL_BAD_CLAIMS},
    {HEADER, "17", REFUSAL_BAD_CLAIMS},
    {HEADER, GOOD GOOD, REFUSAL_BAD_CLAIMS},
    {HEADER, "{\"exp\":NaN}", REFUSAL_BAD_CLAIMS},
    {HEADER, "{\"exp\":1700000100,\"aud\":\"streams\"," GOOD_GRANT ",\"exp\":1900000000}", REFUSAL_BAD_CLAIMS},
    {HEADER, "{\"exp\":1700000100,\"aud\":\"streams\",\"aud\":\"streams\"," GOOD_GRANT "}", REFUSAL_BAD_CLAIMS},
    {HEADER, "{\"exp\":1700000100,\"aud\":\"streams\"," GOOD_GRANT "," GOOD_GRANT "}", REFUSAL_BAD_CLAIMS},
    {HEADER, "{\"exp\":1700000100,\"aud\":\"streams\",\"tuplecas\\u0074\":{}," GOOD_GRANT "}", REFUSAL_BAD_CLAIMS},
    {HEADER, "{}", REFUSAL_EXP_MISSING},
    {HEADER, "{\"aud\":\"streams\"," GOOD_GRANT "}", REFUSAL_EXP_MISSING},

    /* Times; it is 1700000000. */
    {HEADER, TIMED("\"exp\":1700000000"), REFUSAL_NONE},
    {HEADER, TIMED("\"exp\":1699999941"), REFUSAL_NONE},
    {HEADER, TIMED("\"exp\":1699999941.9"), REFUSAL_NONE},
    {HEADER, TIMED("\"exp\":999999999999999"), REFUSAL_NONE},
    {HEADER, TIMED("\"exp\":1700000001,\"nbf\":1700000060,\"iat\":1700000060"), REFUSAL_NONE},
    {HEADER, TIMED("\"exp\":1700000001,\"nbf\":-5,\"iat\":0"), REFUSAL_NONE},
    {HEADER, TIMED("\"exp\":1699999940"), REFUSAL_EXPIRED},
    {HEADER, TIMED("\"exp\":0"), REFUSAL_EXPIRED},
    {HEADER, TIMED("\"exp\":-1"), REFUSAL_EXPIRED},
    {HEADER, TIMED("\"exp\":1700000001,\"nbf\":1700000061"), REFUSAL_NOT_YET},
    {HEADER, TIMED("\"exp\":1700000001,\"nbf\":999999999999999"), REFUSAL_NOT_YET},
    {HEADER, TIMED("\"exp\":\"1700000001\""), REFUSAL_BAD_TIME},
    {HEADER, TIMED("\"exp\":null"), REFUSAL_BAD_TIME},
    {HEADER, TIMED("\"exp\":true"), REFUSAL_BAD_TIME},
    {HEADER, TIMED("\"exp\":[1700000001]"), REFUSAL_BAD_TIME},
    {HEADER, TIMED("\"exp\":{}"), REFUSAL_BAD_TIME},
    {HEADER, TIMED("\"exp\":1e30"), REFUSAL_NONE},
    {HEADER, TIMED("\"exp\":1e999"), REFUSAL_NONE},
    {HEADER, TIMED("\"exp\":1.7E9"), REFUSAL_NONE},
    {HEADER, TIMED("\"exp\":2.1e+9"), REFUSAL_NONE},
    {HEADER, TIMED("\"exp\":17000000e2"), REFUSAL_NONE},
    {HEADER, TIMED("\"exp\":1.7e8"), REFUSAL_EXPIRED},
    {HEADER, TIMED("\"exp\":1e-9"), REFUSAL_EXPIRED},
    {HEADER, TIMED("\"exp\":-1e999"), REFUSAL_EXPIRED},
    {HEADER, TIMED("\"exp\":9223372036854775807"), REFUSAL_NONE},
    {HEADER, TIMED("\"exp\":-9223372036854775809"), REFUSAL_EXPIRED},
    {HEADER, TIMED("\"exp\":99999999999999999999999"), REFUSAL_NONE},
    {HEADER, TIMED("\"exp\":1700000001,\"nbf\":1e30"), REFUSAL_NOT_YET},
    {HEADER, TIMED("\"exp\":1700000001,\"nbf\":-1e30,\"iat\":1.5e9"), REFUSAL_NONE},
    {HEADER, TIMED("\"exp\":1700000000.00000000000000000000000000000000000000000000000000000000000"), REFUSAL_BAD_TIME},
    {HEADER, TIMED("\"exp\":1700000001,\"nbf\":\"0\""), REFUSAL_BAD_TIME},
    {HEADER, TIMED("\"exp\":1700000001,\"nbf\":null"), REFUSAL_BAD_TIME},
    {HEADER, TIMED("\"exp\":1700000001,\"iat\":\"now\""), REFUSAL_BAD_TIME},

    /* Audiences. */
    {HEADER, FOR("\"aud\":\"other\","), REFUSAL_NONE},
    {HEADER, FOR("\"aud\":[\"x\",\"streams\"],"), REFUSAL_NONE},
    {HEADER, FOR("\"aud\":\"s\\u0074reams\","), REFUSAL_NONE},
    {HEADER, FOR(""), REFUSAL_AUD_MISSING},
    {HEADER, FOR("\"aud\":null,"), REFUSAL_AUD_MISSING},
    {HEADER, FOR("\"aud\":1,"), REFUSAL_AUD_MISSING},
    {HEADER, FOR("\"aud\":{\"streams\":1},"), REFUSAL_AUD_MISSING},
    {HEADER, FOR("\"aud\":[\"streams\",1],"), REFUSAL_AUD_MISSING},
    {HEADER, FOR("\"aud\":[],"), REFUSAL_AUD_OTHER},
    {HEADER, FOR("\"aud\":\"\","), REFUSAL_AUD_OTHER},
    {HEADER, FOR("\"aud\":\"stream\","), REFUSAL_AUD_OTHER},
    {HEADER, FOR("\"aud\":\"streams \","), REFUSAL_AUD_OTHER},
    {HEADER, FOR("\"aud\":\"Streams\","), REFUSAL_AUD_OTHER},
    {HEADER, FOR("\"aud\":\"streams\\u0000x\","), REFUSAL_AUD_OTHER},
    {HEADER, FOR("\"aud\":[\"stream\",\"streamss\"],"), REFUSAL_AUD_OTHER},

    /* What is granted. */
    {HEADER, GRANTS(",\"tuplecast\":{\"channels\":[\"*\"],\"where\":{\"a\":1}}"), REFUSAL_NONE},
    {HEADER, GRANTS(""), REFUSAL_NO_GRANT},
    {HEADER, GRANTS(",\"tuplecast\":{}"), REFUSAL_NO_GRANT},
    {HEADER, GRANTS(",\"tuplecast\":{\"where\":{\"a\":1}}"), REFUSAL_NO_GRANT},
    {HEADER, GRANTS(",\"Tuplecast\":{\"channels\":[\"a\"]}"), REFUSAL_NO_GRANT},
    {HEADER, GRANTS(",\"tuplecast\":null"), REFUSAL_BAD_GRANT},
    {HEADER, GRANTS(",\"tuplecast\":[\"a\"]"), REFUSAL_BAD_GRANT},
    {HEADER, GRANTS(",\"tuplecast\":\"orders_*\""), REFUSAL_BAD_GRANT},
    {HEADER, GRANTS(",\"tuplecast\":{\"channels\":[\"a\"],\"wheer\":{\"a\":1}}"), REFUSAL_BAD_GRANT},
    {HEADER, GRANTS(",\"tuplecast\":{\"channels\":[\"a\"],\"where\":{\"a\":1},\"more\":1}"), REFUSAL_BAD_GRANT},
    {HEADER, GRANTS(",\"tuplecast\":{\"channels\":[\"a\"],\"channels\":[\"b\"]}"), REFUSAL_BAD_GRANT},
    {HEADER, GRANTS(",\"tuplecast\":{\"channels\":[\"a\"],\"Where\":{\"a\":1}}"), REFUSAL_BAD_GRANT},
    {HEADER, GRANTS(",\"tuplecast\":{\"channel\":[\"a\"]}"), REFUSAL_BAD_GRANT},
    {HEADER, GRANTS(",\"tuplecast\":{\"channels\":[]}"), REFUSAL_BAD_CHANNELS},
    {HEADER, GRANTS(",\"tuplecast\":{\"channels\":\"a\"}"), REFUSAL_BAD_CHANNELS},
    {HEADER, GRANTS(",\"tuplecast\":{\"channels\":null}"), REFUSAL_BAD_CHANNELS},
    {HEADER, GRANTS(",\"tuplecast\":{\"channels\":{\"a\":1}}"), REFUSAL_BAD_CHANNELS},
    {HEADER, GRANTS(",\"tuplecast\":{\"channels\":[\"a\",1]}"), REFUSAL_BAD_CHANNELS},
    {HEADER, GRANTS(",\"tuplecast\":{\"channels\":[\"\"]}"), REFUSAL_BAD_CHANNELS},
    {HEADER, GRANTS(",\"tuplecast\":{\"channels\":[\"a\\nb\"]}"), REFUSAL_BAD_CHANNELS},
    {HEADER, GRANTS(",\"tuplecast\":{\"channels\":[\"a\\u0000b\"]}"), REFUSAL_BAD_CHANNELS},
    {HEADER, GRANTS(",\"tuplecast\":{\"channels\":[[\"a\"]]}"), REFUSAL_BAD_CHANNELS},
    {HEADER,
     GRANTS(",\"tuplecast\":{\"channels\":[\"0123456789012345678901234567890123456789012345678901234567890123\"]}"),
     REFUSAL_BAD_CHANNELS},
    {HEADER, WHERE("{\"a\":\"x\",\"b\":[1,true,\"y\"],\"c\":false}"), REFUSAL_NONE},
    {HEADER, WHERE("{}"), REFUSAL_BAD_WHERE},
    {HEADER, WHERE("null"), REFUSAL_BAD_WHERE},
    {HEADER, WHERE("[]"), REFUSAL_BAD_WHERE},
    {HEADER, WHERE("\"tenant_id=42\""), REFUSAL_BAD_WHERE},
    {HEADER, WHERE("{\"a\":null}"), REFUSAL_BAD_WHERE},
    {HEADER, WHERE("{\"a\":[]}"), REFUSAL_BAD_WHERE},
    {HEADER, WHERE("{\"a\":[1,null]}"), REFUSAL_BAD_WHERE},
    {HEADER, WHERE("{\"a\":[[1]]}"), REFUSAL_BAD_WHERE},
    {HEADER, WHERE("{\"a\":{\"=\":1}}"), REFUSAL_BAD_WHERE},
    {HEADER, WHERE("{\"\":1}"), REFUSAL_BAD_WHERE},
    {HEADER, WHERE("{\"a\":1,\"a\":2}"), REFUSAL_BAD_WHERE},
    {HEADER, WHERE("{\"a\":1,\"\\u0061\":2}"), REFUSAL_BAD_WHERE},
    {HEADER, WHERE("{\"a\\u0000\":1}"), REFUSAL_BAD_WHERE},
    {HEADER, WHERE("{\"a\":\"x\\u0000y\"}"), REFUSAL_BAD_WHERE},
    {HEADER, WHERE("{\"a\":1e99999999999}"), REFUSAL_BAD_WHERE},
    {HEADER, WHERE("{\"0123456789012345678901234567890123456789012345678901234567890123\":1}"), REFUSAL_BAD_WHERE},
};

static void each_header_and_each_claim_is_judged_by_what_it_says(void **state)
{
    struct key_ring ring = {0};

    (void)state;
    add_secret(&ring, NULL);
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        char *token = sign(samples[i].header, samples[i].claims);
        enum refusal refusal = judge_with(&ring, "", token, NULL);
        if (refusal != samples[i].expected)
            fail_msg("%s %s: \"%s\"", samples[i].header, samples[i].claims,
                     refusal == REFUSAL_NONE ? "taken" : refusal_words(refusal)->text);
        free(token);
    }
    key_ring_done(&ring);
}

/* Puts one byte into a good token, in place of another one or between two, at every place. */
static void a_token_that_was_changed_anywhere_is_refused(void **state)
{
    static const char strange[] = {'.', '=', '+', '/', '!', ' ', '\n', '\x7f', '\x80'};
    struct key_ring ring = {0};
    char *token = sign(HEADER, GOOD), changed[1024];
    size_t size = strlen(token), judged = 0;
    const char *claims = strchr(token, '.') + 1;

    (void)state;
    add_secret(&ring, NULL);
    assert_int_equal(judge_with(&ring, "", token, NULL), REFUSAL_NONE);
    for (size_t at = 0; at < size; at++) {
        for (size_t i = 0; i < sizeof(strange); i++) {
            memcpy(changed, token, size + 1);
            changed[at] = strange[i];
            if (token[at] != strange[i]) {
                assert_int_equal(judge_with(&ring, "", changed, NULL), REFUSAL_NOT_A_JWT);
                judged++;
            }
            snprintf(changed, sizeof(changed), "%.*s%c%s", (int)at, token, strange[i], token + at);
            assert_int_equal(judge_with(&ring, "", changed, NULL), REFUSAL_NOT_A_JWT);
            judged++;
        }
        if (at < (size_t)(claims - token) || token[at] == '.' || at == size - 1)
            continue;
        memcpy(changed, token, size + 1);
        changed[at] = token[at] == 'A' ? 'B' : 'A';
        assert_int_equal(judge_with(&ring, "", changed, NULL), REFUSAL_SIGNATURE);
        judged++;
    }
    print_message("%zu changed tokens\n", judged);
    assert_true(judged > 2000);
    free(token);
    key_ring_done(&ring);
}

static void a_token_that_was_cut_is_refused(void **state)
{
    struct key_ring ring = {0};
    char *token = sign(HEADER, GOOD);
    const char *signature = strrchr(token, '.') + 1;

    (void)state;
    add_secret(&ring, NULL);
    for (size_t size = strlen(token) - 1; size > 0; size--) {
        size_t of_signature = token + size > signature ? (size_t)(token + size - signature) : 0;
        token[size] = '\0';
        enum refusal refusal = judge_with(&ring, "", token, NULL);
        /* A length that base64 cannot have, or bits that are left over, are seen before the signature is looked at. */
        if (token + size < signature || of_signature % 4 == 1)
            assert_int_equal(refusal, REFUSAL_NOT_A_JWT);
        else if (of_signature % 4 == 0)
            assert_int_equal(refusal, REFUSAL_SIGNATURE);
        else
            assert_true(refusal == REFUSAL_SIGNATURE || refusal == REFUSAL_NOT_A_JWT);
    }
    assert_int_equal(judge_with(&ring, "", "", NULL), REFUSAL_NOT_A_JWT);
    free(token);
    key_ring_done(&ring);
}

static void a_token_has_at_most_8192_bytes(void **state)
{
    struct key_ring ring = {0};
    char claims[8192];

    (void)state;
    add_secret(&ring, NULL);
    for (int padding = 6000; padding < 6100; padding++) {
        snprintf(claims, sizeof(claims), "{\"exp\":1700000100,\"aud\":\"streams\"," GOOD_GRANT ",\"x\":\"%0*d\"}",
                 padding, 0);
        char *token = sign(HEADER, claims);
        assert_int_equal(judge_with(&ring, "", token, NULL), strlen(token) <= 8192 ? REFUSAL_NONE : REFUSAL_TOO_LONG);
        free(token);
    }
    key_ring_done(&ring);
}

static void the_issuer_counts_where_one_is_set(void **state)
{
    struct key_ring ring = {0};
    char *with = sign(HEADER, "{\"iss\":\"me\",\"exp\":1700000100,\"aud\":\"streams\"," GOOD_GRANT "}");
    char *without = sign(HEADER, GOOD);

    (void)state;
    add_secret(&ring, NULL);
    assert_int_equal(judge_with(&ring, "me", with, NULL), REFUSAL_NONE);
    assert_int_equal(judge_with(&ring, "", with, NULL), REFUSAL_NONE);
    assert_int_equal(judge_with(&ring, "m", with, NULL), REFUSAL_ISS_OTHER);
    assert_int_equal(judge_with(&ring, "me", without, NULL), REFUSAL_ISS_OTHER);
    free(with);
    free(without);
    key_ring_done(&ring);
}

static void a_key_is_found_by_kid(void **state)
{
    struct key_ring ring = {0};
    char *a = sign("{\"alg\":\"HS256\",\"kid\":\"a\"}", GOOD), *b = sign("{\"alg\":\"HS256\",\"kid\":\"b\"}", GOOD);
    char *none = sign(HEADER, GOOD);

    (void)state;
    assert_int_equal(judge_with(&ring, "", none, NULL), REFUSAL_KID_MISSING);
    add_secret(&ring, "a");
    assert_int_equal(judge_with(&ring, "", a, NULL), REFUSAL_NONE);
    assert_int_equal(judge_with(&ring, "", b, NULL), REFUSAL_KID_UNKNOWN);
    assert_int_equal(judge_with(&ring, "", none, NULL), REFUSAL_NONE);
    add_secret(&ring, "c");
    assert_int_equal(judge_with(&ring, "", none, NULL), REFUSAL_KID_MISSING);
    add_secret(&ring, NULL);
    assert_int_equal(judge_with(&ring, "", none, NULL), REFUSAL_NONE);
    assert_int_equal(judge_with(&ring, "", b, NULL), REFUSAL_NONE);
    free(a);
    free(b);
    free(none);
    key_ring_done(&ring);
}

static void a_token_grants_channels_rows_and_a_time(void **state)
{
    struct key_ring ring = {0};
    struct grant *grant;
    char *token =
        sign(HEADER, "{\"exp\":1700000100,\"aud\":\"streams\",\"tuplecast\":{\"channels\":[\"orders_*\",\"a?\"],"
                     "\"where\":{\"tenant_id\":42}}}");

    (void)state;
    add_secret(&ring, NULL);
    assert_int_equal(judge_with(&ring, "", token, &grant), REFUSAL_NONE);
    assert_true(grant_allows(grant, "orders_eu"));
    assert_true(grant_allows(grant, "ab"));
    assert_false(grant_allows(grant, "orders"));
    assert_false(grant_allows(grant, "abc"));
    assert_int_equal(grant->expires_s, 1700000160);
    assert_int_equal(grant->where.count, 1);
    assert_string_equal(grant->where.items[0].column, "tenant_id");
    grant_unref(grant);
    free(token);
    key_ring_done(&ring);
}

static void every_refusal_fits_into_its_header(void **state)
{
    (void)state;
    for (enum refusal refusal = REFUSAL_NONE + 1; refusal < REFUSALS; refusal++) {
        const struct refusal_words *words = refusal_words(refusal);
        assert_non_null(words->text);
        assert_true(words->status == 400 || words->status == 401 || words->status == 403 || words->status == 503);
        for (const char *c = words->text; *c; c++)
            assert_true(*c >= ' ' && *c <= '~' && *c != '"' && *c != '\\'); /* RFC 6750, section 3 */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_header_and_each_claim_is_judged_by_what_it_says),
        cmocka_unit_test(a_token_that_was_changed_anywhere_is_refused),
        cmocka_unit_test(a_token_that_was_cut_is_refused),
        cmocka_unit_test(a_token_has_at_most_8192_bytes),
        cmocka_unit_test(the_issuer_counts_where_one_is_set),
        cmocka_unit_test(a_key_is_found_by_kid),
        cmocka_unit_test(a_token_grants_channels_rows_and_a_time),
        cmocka_unit_test(every_refusal_fits_into_its_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
