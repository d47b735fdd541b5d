#include "stream/cursor.h"

#include "unit.h"

#include <errno.h>

static void an_id_is_the_number_and_the_run(void **state)
{
    struct cursor cursor = {.number = 1042, .run = "k3f90abz"}, parsed = {0};
    char id[ID_BYTES_MAX + 1];

    (void)state;
    cursor_format(&cursor, AXIS_LIVE, id);
    assert_string_equal(id, "1042-k3f90abz");
    assert_int_equal(cursor_parse(id, &parsed), AXIS_LIVE);
    assert_int_equal(parsed.number, 1042);
    assert_string_equal(parsed.run, "k3f90abz");
}

static void a_durable_id_is_the_number_and_the_ticks_nonce(void **state)
{
    struct cursor cursor = {.number = 7, .run = "k3f90abz", .durable = {1042, "k3f9ab"}}, parsed = {0};
    char id[ID_BYTES_MAX + 1];

    (void)state;
    cursor_format(&cursor, AXIS_DURABLE, id);
    assert_string_equal(id, "1042-k3f9ab");
    assert_int_equal(cursor_parse(id, &parsed), AXIS_DURABLE);
    assert_int_equal(parsed.durable.number, 1042);
    assert_string_equal(parsed.durable.nonce, "k3f9ab");
    cursor_format(&cursor, AXIS_DURABLE | AXIS_LIVE, id);
    assert_string_equal(id, "1042-k3f9ab_7-k3f90abz");
}

static void any_place_survives_formatting_and_parsing(void **state)
{
    char id[ID_BYTES_MAX + 1];
    uint64_t dice = 3;

    (void)state;
    for (int i = 0; i < 3000; i++) {
        struct cursor cursor = {.durable.nonce = "0z1y2x"}, parsed = {0};
        int axes = 1 + i % 3;
        assert_int_equal(cursor_new_run(cursor.run), 0);
        cursor.number = roll(&dice, UINT64_C(1) << roll(&dice, 63));
        cursor.durable.number = roll(&dice, UINT64_C(1) << roll(&dice, 63));
        cursor_format(&cursor, (unsigned)axes, id);
        assert_true(strlen(id) <= ID_BYTES_MAX);
        assert_int_equal(cursor_parse(id, &parsed), axes);
        assert_int_equal(parsed.number, axes & AXIS_LIVE ? cursor.number : 0);
        assert_string_equal(parsed.run, axes & AXIS_LIVE ? cursor.run : "");
        assert_int_equal(parsed.durable.number, axes & AXIS_DURABLE ? cursor.durable.number : 0);
        assert_string_equal(parsed.durable.nonce, axes & AXIS_DURABLE ? "0z1y2x" : "");
    }
}

static void runs_are_of_digits_and_letters_and_differ(void **state)
{
    char one[CURSOR_RUN_BYTES + 1], other[CURSOR_RUN_BYTES + 1];

    (void)state;
    assert_int_equal(cursor_new_run(one), 0);
    assert_int_equal(cursor_new_run(other), 0);
    assert_int_equal(strspn(one, "0123456789abcdefghijklmnopqrstuvwxyz"), CURSOR_RUN_BYTES);
    assert_int_equal(strlen(one), CURSOR_RUN_BYTES);
    assert_string_not_equal(one, other);
}

static void what_is_not_of_our_form_is_refused_and_nothing_is_touched(void **state)
{
    static const char *const IDS[] = {
        "",
        "1",
        "1-",
        "-aaaaaaaa",
        "a-aaaaaaaa",
        "1-aaaaaaa",
        "1-aaaaaaaaa",
        "1-aaaaaaaA",
        "1-aaaa-aaa",
        "01-aaaaaaaa",
        "00-aaaaaaaa",
        "+1-aaaaaaaa",
        " 1-aaaaaaaa",
        "1-aaaaaaaa ",
        "1 -aaaaaaaa",
        "1--aaaaaaaa",
        "1-aaaaaaa\xc3",
        "1.aaaaaaaa",
        "18446744073709551616-aaaaaaaa",
        "99999999999999999999-aaaaaaaa",
        "1-aaaaaa_",
        "1-aaaaaa_1-bbbbbb",
        "1-aaaaaaaa_1-bbbbbb",
        "1-aaaaaa_1-bbbbbbbb_",
        "1-aaaaaa_1-bbbbbbbb_1-cccccccc",
        "1-aaaaaa 1-bbbbbbbb",
        "111111111111111111111111111111111111111111111111111111111111111-aaaaaaaa",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(IDS); i++) {
        struct cursor cursor = {.number = 5, .run = "x"};
        if (cursor_parse(IDS[i], &cursor) != -EINVAL)
            fail_msg("taken: %s", IDS[i]);
        assert_int_equal(cursor.number, 5);
        assert_string_equal(cursor.run, "x");
    }
}

static void zero_and_the_largest_number_of_nineteen_digits_are_places(void **state)
{
    struct cursor cursor = {0};

    (void)state;
    assert_int_equal(cursor_parse("0-aaaaaaaa", &cursor), AXIS_LIVE);
    assert_int_equal(cursor.number, 0);
    assert_int_equal(cursor_parse("9999999999999999999-aaaaaaaa", &cursor), AXIS_LIVE);
    assert_true(cursor.number == UINT64_C(9999999999999999999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_the_number_and_the_run),
        cmocka_unit_test(a_durable_id_is_the_number_and_the_ticks_nonce),
        cmocka_unit_test(any_place_survives_formatting_and_parsing),
        cmocka_unit_test(runs_are_of_digits_and_letters_and_differ),
        cmocka_unit_test(what_is_not_of_our_form_is_refused_and_nothing_is_touched),
        cmocka_unit_test(zero_and_the_largest_number_of_nineteen_digits_are_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
