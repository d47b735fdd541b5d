#include "http/credential.h"

#include "unit.h"

#include <strings.h>

struct sample {
    const char *authorization, *cookies, *query;
    bool query_tokens;
    enum refusal refusal;
    const char *token, *ticket; /* what is found */
};

static const struct sample samples[] = {
    {"Bearer abc", NULL, "", false, REFUSAL_NONE, "abc", NULL},
    {"bearer  abc", NULL, "", false, REFUSAL_NONE, "abc", NULL},
    {"BEARER a.b.c=", "stream=x", "", false, REFUSAL_NONE, "a.b.c=", NULL},
    {NULL, NULL, "ticket=1-a&channel=b", false, REFUSAL_NONE, NULL, "1-a"},
    {NULL, "stream=x", "ticket=1-a", false, REFUSAL_NONE, NULL, "1-a"},
    {"Basic YTpi", NULL, "ticket=1-a", false, REFUSAL_NONE, NULL, "1-a"},
    {NULL, NULL, "ticket=", false, REFUSAL_NONE, NULL, ""},
    {NULL, NULL, "access_token=a%2eb", true, REFUSAL_NONE, "a.b", NULL},
    {NULL, "stream=abc", "", false, REFUSAL_NONE, "abc", NULL},
    {NULL, "a=b; stream=abc ;c=d", "", false, REFUSAL_NONE, "abc", NULL},
    {NULL, "stream=\"abc\"", "", false, REFUSAL_NONE, "abc", NULL},
    {NULL, "stream=a=b", "", false, REFUSAL_NONE, "a=b", NULL},
    {NULL, "stream=\"", "", false, REFUSAL_NONE, "\"", NULL},
    {"Basic YTpi", "stream=abc", "", false, REFUSAL_NONE, "abc", NULL},
    {NULL, NULL, "", false, REFUSAL_NO_TOKEN, NULL, NULL},
    {NULL, "", "", false, REFUSAL_NO_TOKEN, NULL, NULL},
    {NULL, "stream=", "", false, REFUSAL_NONE, "", NULL},
    {NULL, "stream", "", false, REFUSAL_NO_TOKEN, NULL, NULL},
    {NULL, "xstream=abc; streamx=abc; Stream=abc", "", false, REFUSAL_NO_TOKEN, NULL, NULL},
    {NULL, ";;; ;=;stream", "", false, REFUSAL_NO_TOKEN, NULL, NULL},
    {NULL, NULL, "Ticket=1-a", false, REFUSAL_NO_TOKEN, NULL, NULL},
    {"", NULL, "", false, REFUSAL_NOT_BEARER, NULL, NULL},
    {"Bearer", NULL, "", false, REFUSAL_NOT_BEARER, NULL, NULL},
    {"Bearer ", NULL, "", false, REFUSAL_NOT_BEARER, NULL, NULL},
    {"Bearer a b", NULL, "", false, REFUSAL_NOT_BEARER, NULL, NULL},
    {"Bearer a\tb", NULL, "", false, REFUSAL_NOT_BEARER, NULL, NULL},
    {"Bearerabc", NULL, "", false, REFUSAL_NOT_BEARER, NULL, NULL},
    {"Token abc", NULL, "", false, REFUSAL_NOT_BEARER, NULL, NULL},
    {"abc", NULL, "", false, REFUSAL_NOT_BEARER, NULL, NULL},
    {"Bearer a", NULL, "ticket=1-a", false, REFUSAL_TWO_TOKENS, NULL, NULL},
    {"Bearer a", NULL, "access_token=a", true, REFUSAL_TWO_TOKENS, NULL, NULL},
    {NULL, NULL, "access_token=a&ticket=1-a", true, REFUSAL_TWO_TOKENS, NULL, NULL},
    {NULL, NULL, "ticket=1-a&ticket=1-a", false, REFUSAL_TWO_TOKENS, NULL, NULL},
    {NULL, NULL, "access_token=a&access_token=a", true, REFUSAL_TWO_TOKENS, NULL, NULL},
    {NULL, NULL, "access_token=a", false, REFUSAL_QUERY_TOKEN_OFF, NULL, NULL},
    {"Bearer a", NULL, "access_token=a", false, REFUSAL_QUERY_TOKEN_OFF, NULL, NULL},
    {NULL, NULL, "access%5ftoken", false, REFUSAL_QUERY_TOKEN_OFF, NULL, NULL},
    {NULL, "stream=a; stream=b", "", false, REFUSAL_TWO_COOKIES, NULL, NULL},
    {NULL, "stream=a;stream=a", "", false, REFUSAL_TWO_COOKIES, NULL, NULL},
    {"Basic YTpi", "stream=a;stream=a", "", false, REFUSAL_TWO_COOKIES, NULL, NULL},
    {"Bearer a", "stream=a;stream=a", "", false, REFUSAL_NONE, "a", NULL},
};

static void each_way_is_found_and_two_at_once_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        const struct sample *sample = &samples[i];
        struct credential credential = {0};
        struct query query;
        assert_int_equal(query_parse(sample->query, &query), 0);
        const struct credential_sources sources = {
            sample->authorization, sample->cookies, &query, "stream", sample->query_tokens, false};
        enum refusal refusal = credential_take(&sources, &credential);
        const char *wanted = sample->token ? sample->token : sample->ticket;
        if (refusal != sample->refusal || !credential.text != !wanted ||
            (wanted && (strcmp(credential.text, wanted) != 0 || credential.is_ticket != (sample->ticket != NULL))))
            fail_msg("%zu: refusal %d, %s", i, (int)refusal, credential.text);
        credential_done(&credential);
        query_done(&query);
    }
}

static void where_only_the_header_counts_nothing_else_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        const struct sample *sample = &samples[i];
        struct credential credential = {0};
        struct query query;
        assert_int_equal(query_parse(sample->query, &query), 0);
        const struct credential_sources sources = {
            sample->authorization, sample->cookies, &query, "stream", true, true};
        enum refusal refusal = credential_take(&sources, &credential);
        assert_true(refusal == REFUSAL_NONE || refusal == REFUSAL_BEARER_ONLY);
        assert_int_equal(refusal == REFUSAL_NONE, credential.text != NULL);
        assert_false(credential.is_ticket);
        if (refusal == REFUSAL_NONE)
            assert_int_equal(strncasecmp(sample->authorization, "Bearer ", 7), 0);
        credential_done(&credential);
        query_done(&query);
    }
}

static void without_a_name_cookies_mean_nothing(void **state)
{
    const struct query query = {0};
    const struct credential_sources sources = {NULL, "=abc; stream=abc", &query, "", false, false};
    struct credential credential = {0};

    (void)state;
    assert_int_equal(credential_take(&sources, &credential), REFUSAL_NO_TOKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_is_found_and_two_at_once_are_refused),
        cmocka_unit_test(where_only_the_header_counts_nothing_else_does),
        cmocka_unit_test(without_a_name_cookies_mean_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
