#include "base/utf8.h"

#include "unit.h"

/* How many bytes the code point takes; 0 when no text may hold it. */
static size_t encode(uint32_t code, char bytes[4])
{
    if (code < 0x80) {
        bytes[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        bytes[0] = (char)(0xc0 | code >> 6);
        bytes[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        bytes[0] = (char)(0xe0 | code >> 12);
        bytes[1] = (char)(0x80 | (code >> 6 & 0x3f));
        bytes[2] = (char)(0x80 | (code & 0x3f));
        return code >= 0xd800 && code <= 0xdfff ? 0 : 3;
    }
    bytes[0] = (char)(0xf0 | code >> 18);
    bytes[1] = (char)(0x80 | (code >> 12 & 0x3f));
    bytes[2] = (char)(0x80 | (code >> 6 & 0x3f));
    bytes[3] = (char)(0x80 | (code & 0x3f));
    return code > 0x10ffff ? 0 : 4;
}

static void every_code_point_but_surrogates_is_a_sequence_and_a_cut_one_is_none(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x1fffff; code += code < 0x11000 ? 1 : 7) {
        char bytes[4] = "";
        size_t size = encode(code, bytes);
        const unsigned char *at = (const unsigned char *)bytes;
        size_t whole = size ? size : code < 0x10000 ? 3 : 4;
        assert_int_equal(utf8_size(at, at + whole), size);
        for (size_t cut = 1; cut < whole; cut++)
            assert_int_equal(utf8_size(at, at + cut), 0);
    }
}

static void overlong_forms_and_stray_bytes_are_none(void **state)
{
    static const char *const TEXTS[] = {"\x80",
                                        "\xbf",
                                        "\xc0\x80",
                                        "\xc1\xbf",
                                        "\xe0\x80\x80",
                                        "\xe0\x9f\xbf",
                                        "\xf0\x80\x80\x80",
                                        "\xf0\x8f\xbf\xbf",
                                        "\xf5\x80\x80",
                                        "\xfe",
                                        "\xff",
                                        "a\xc3",
                                        "\xc3\x28",
                                        "\xe2\x28\xa1",
                                        "\xe2\x82\x28",
                                        "\xf0\x9f\x98\x28"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++)
        assert_false(utf8_is_valid(TEXTS[i], strlen(TEXTS[i])));
}

static void texts_of_sequences_are_valid(void **state)
{
    (void)state;
    assert_true(utf8_is_valid("", 0));
    assert_true(utf8_is_valid("a\0b", 3));
    assert_true(utf8_is_valid("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9));
    assert_false(utf8_is_valid("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_but_surrogates_is_a_sequence_and_a_cut_one_is_none),
        cmocka_unit_test(overlong_forms_and_stray_bytes_are_none),
        cmocka_unit_test(texts_of_sequences_are_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
