#include "http/query.h"

#include "unit.h"

#include <errno.h>

static void assert_decodes(const char *text, const char *expected)
{
    char *decoded = NULL;

    assert_int_equal(percent_decode(text, strlen(text), &decoded), 0);
    assert_string_equal(decoded, expected);
    free(decoded);
}

static void percent_escapes_are_decoded_and_a_plus_stays_a_plus(void **state)
{
    (void)state;
    assert_decodes("", "");
    assert_decodes("plain", "plain");
    assert_decodes("a%2Fb%2fc", "a/b/c");
    assert_decodes("%C3%a4+%25%0d%0A", "\xc3\xa4+%\r\n");
    assert_decodes("%2541", "%41");
}

static void bad_escapes_and_nul_are_refused(void **state)
{
    static const char *const TEXTS[] = {"%", "a%", "%4", "%4g", "%g4", "%%41", "%00", "a%00b", "% 41", "%+1"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        char *exact = malloc(strlen(TEXTS[i])), *decoded = NULL;
        assert_non_null(exact);
        memcpy(exact, TEXTS[i], strlen(TEXTS[i]));
        if (percent_decode(exact, strlen(TEXTS[i]), &decoded) != -EINVAL)
            fail_msg("taken: %s", TEXTS[i]);
        assert_null(decoded);
        free(exact);
    }
}

static void only_as_much_as_was_given_is_decoded(void **state)
{
    char *decoded;

    (void)state;
    assert_int_equal(percent_decode("ab%41", 2, &decoded), 0);
    assert_string_equal(decoded, "ab");
    free(decoded);
    assert_int_equal(percent_decode("ab%41", 4, &decoded), -EINVAL);
}

static void a_query_is_a_list_of_names_and_values_in_order(void **state)
{
    static const char *const EXPECTED[][2] = {{"a", "1"}, {"b", ""},      {"c", ""},  {"a", "2=3"},
                                              {"", "x"},  {"d e", "f g"}, {"=", "&"}, {"a", "?/"}};
    struct query query;

    (void)state;
    assert_int_equal(query_parse("a=1&b&c=&a=2=3&=x&d+e=f%20g&%3D=%26&a=?/", &query), 0);
    assert_int_equal(query.count, COUNT_OF(EXPECTED));
    for (size_t i = 0; i < query.count; i++) {
        assert_string_equal(query.items[i].name, EXPECTED[i][0]);
        assert_string_equal(query.items[i].value, EXPECTED[i][1]);
    }
    assert_string_equal(query_first(&query, "a"), "1");
    assert_string_equal(query_first(&query, "b"), "");
    assert_null(query_first(&query, "e"));
    query_done(&query);
    query_done(&query);
}

static void empty_pieces_are_nothing(void **state)
{
    struct query query;

    (void)state;
    assert_int_equal(query_parse("", &query), 0);
    assert_int_equal(query.count, 0);
    query_done(&query);
    assert_int_equal(query_parse("&&a=1&&", &query), 0);
    assert_int_equal(query.count, 1);
    query_done(&query);
}

static void a_bad_escape_anywhere_spoils_the_query(void **state)
{
    struct query query = {0};

    (void)state;
    assert_int_equal(query_parse("a=1&b=%zz", &query), -EINVAL);
    assert_int_equal(query_parse("a=1&b%0=1", &query), -EINVAL);
    assert_int_equal(query_parse("a=%00", &query), -EINVAL);
    assert_int_equal(query_parse("a=%", &query), -EINVAL);
    assert_null(query.items);
}

static void there_may_be_so_many_items_and_no_more(void **state)
{
    char text[4 * QUERY_ITEMS_MAX + 8] = "";
    struct query query;

    (void)state;
    for (int i = 0; i < QUERY_ITEMS_MAX; i++)
        memcpy(text + 4 * i, "a=1&", 5);
    assert_int_equal(query_parse(text, &query), 0);
    assert_int_equal(query.count, QUERY_ITEMS_MAX);
    query_done(&query);
    strcat(text, "b");
    assert_int_equal(query_parse(text, &query), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percent_escapes_are_decoded_and_a_plus_stays_a_plus),
        cmocka_unit_test(bad_escapes_and_nul_are_refused),
        cmocka_unit_test(only_as_much_as_was_given_is_decoded),
        cmocka_unit_test(a_query_is_a_list_of_names_and_values_in_order),
        cmocka_unit_test(empty_pieces_are_nothing),
        cmocka_unit_test(a_bad_escape_anywhere_spoils_the_query),
        cmocka_unit_test(there_may_be_so_many_items_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
