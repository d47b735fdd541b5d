#include "stream/json_text.h"

#include "base/limits.h"
#include "unit.h"

#include <dirent.h>

/* Exactly as large as the text, so that a sanitizer sees the first byte read beyond it. */
static bool is_valid(const char *text, size_t size)
{
    char *exact = malloc(size ? size : 1);

    assert_non_null(exact);
    memcpy(exact, text, size);
    bool valid = json_is_valid(exact, size);
    free(exact);
    return valid;
}

static void assert_validity(const char *const *texts, size_t count, bool expected)
{
    for (size_t i = 0; i < count; i++)
        if (is_valid(texts[i], strlen(texts[i])) != expected)
            fail_msg("must be %s: %s", expected ? "valid" : "invalid", texts[i]);
}

static void json_of_the_grammar_is_valid(void **state)
{
    static const char *const TEXTS[] = {
        "0",
        "-0",
        "1e5",
        "-12.50E-3",
        "\"\"",
        "true",
        "false",
        "null",
        " [ ] ",
        "\r\n\t{ }\n",
        "[1,[2,{\"a\":[]}],\"\\u0000\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
        "{\"a\":1,\"a\":2,\"\":{}}",
        "\"\x7f\xc2\x80\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"",
        "\"\\ud800\"",
        "123456789012345678901234567890.000000000000000000000000000001",
    };

    (void)state;
    assert_validity(TEXTS, COUNT_OF(TEXTS), true);
}

static void what_other_parsers_let_pass_is_not_valid(void **state)
{
    static const char *const TEXTS[] = {
        "",
        " ",
        "NaN",
        "Infinity",
        "-Infinity",
        "-",
        "+1",
        ".5",
        "1.",
        "01",
        "-01",
        "1e",
        "1e+",
        "0x10",
        "1 2",
        "'a'",
        "{'a':1}",
        "{a:1}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1]",
        "{1:2}",
        "[1,]",
        "[,1]",
        "[1",
        "[1}",
        "]",
        "{",
        "/* a */ 1",
        "1 // a",
        "nul",
        "nulll",
        "TRUE",
        "\"a",
        "\"\\x41\"",
        "\"\\u12g4\"",
        "\"\\u123",
        "\"\\",
        "\"a\nb\"",
        "\"\t\"",
        "\xef\xbb\xbf{}",
        "\v1",
        "1\f",
        "\"\x80\"",
        "\"\xc0\x80\"",
        "\"\xc1\xbf\"",
        "\"\xe0\x9f\xbf\"",
        "\"\xed\xa0\x80\"",
        "\"\xf0\x8f\xbf\xbf\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xf5\x80\x80\x80\"",
        "\"\xe2\x82\"",
        "\"\xe2\x82",
    };

    (void)state;
    assert_validity(TEXTS, COUNT_OF(TEXTS), false);
    assert_false(is_valid("1\0", 2));
    assert_false(is_valid("\"\0\"", 3));
}

static void nesting_is_valid_up_to_its_bound(void **state)
{
    static char text[4 * JSON_DEPTH_MAX + 16];

    (void)state;
    for (int depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', (size_t)depth);
        text[depth] = '1';
        memset(text + depth + 1, ']', (size_t)depth);
        assert_int_equal(is_valid(text, 2 * (size_t)depth + 1), depth <= JSON_DEPTH_MAX);
    }
    memset(text, '[', sizeof(text));
    assert_false(is_valid(text, sizeof(text)));
}

/* A value is left as the checked grammar leaves it. */
static void assert_walked_over(const char *value, size_t size)
{
    struct json_slice trimmed = json_trim((struct json_slice){value, size}), rest, key, found;
    char *text = malloc(size + 32);

    assert_non_null(text);
    int head = sprintf(text, "{\"a\":");
    memcpy(text + head, value, size);
    memcpy(text + head + size, ",\"b\":2}", 7);
    rest = (struct json_slice){text, (size_t)head + size + 7};
    assert_true(json_next_member(&rest, &key, &found));
    assert_int_equal(found.size_bytes, trimmed.size_bytes);
    assert_memory_equal(found.text, trimmed.text, trimmed.size_bytes);
    assert_true(json_next_member(&rest, &key, &found));
    assert_int_equal(found.size_bytes, 1);
    assert_memory_equal(key.text, "\"b\"", 3);
    free(text);
}

static void check_corpus_file(const char *path, const char *name)
{
    static char text[1 << 21];
    FILE *file = fopen(path, "rb");

    assert_non_null(file);
    size_t size = fread(text, 1, sizeof(text), file);
    fclose(file);
    bool valid = is_valid(text, size);
    if ((name[0] == 'y' && !valid) || (name[0] == 'n' && valid))
        fail_msg("%s is %s", name, valid ? "valid" : "invalid");
    if (valid)
        assert_walked_over(text, size);
}

static void the_json_test_suite_is_judged_as_it_says(void **state)
{
    const char *folder = SOURCE_DIR "/../shared/corpora/json";
    DIR *files = opendir(folder);
    char path[4096];
    int checked = 0;

    (void)state;
    if (!files) {
        printf("not there, left out: %s\n", folder);
        return;
    }
    for (struct dirent *entry; (entry = readdir(files));) {
        if (!strstr(entry->d_name, ".json"))
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        check_corpus_file(path, entry->d_name);
        checked++;
    }
    closedir(files);
    assert_true(checked > 250);
}

static void members_are_taken_apart_as_they_stand(void **state)
{
    const char text[] = " { \"a\" : 1 ,\"b\\u0063\":[ 1, {\"x\":2} ] , \"\":{} , \"a\":\"}\" } ";
    static const char *const EXPECTED[][2] = {
        {"\"a\"", "1"}, {"\"b\\u0063\"", "[ 1, {\"x\":2} ]"}, {"\"\"", "{}"}, {"\"a\"", "\"}\""}};
    struct json_slice rest = {text, sizeof(text) - 1}, key, value;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(EXPECTED); i++) {
        assert_true(json_next_member(&rest, &key, &value));
        assert_int_equal(key.size_bytes, strlen(EXPECTED[i][0]));
        assert_memory_equal(key.text, EXPECTED[i][0], key.size_bytes);
        assert_int_equal(value.size_bytes, strlen(EXPECTED[i][1]));
        assert_memory_equal(value.text, EXPECTED[i][1], value.size_bytes);
    }
    assert_false(json_next_member(&rest, &key, &value));
}

static void values_of_every_kind_and_depth_are_walked_over(void **state)
{
    static const char *const VALUES[] = {
        "1",
        " -1.5e-7 ",
        "true",
        "\"\"",
        "\"\\\\\"",
        "\"\\\"\"",
        "[]",
        "{ }",
        "\"a\\\\\\\"]\"",
        "[\"]\",\"}\"]",
        "{\"}\":\"{\"}",
        "\"\\ud800\\u0000\"",
        "[1,[2,3]]",
        "{\"a\":1,\"a\":2}",
        "[\"\\\\\",\"\"]",
        "\n[ 1 ]\r",
    };
    const size_t depth = 1000000;
    char *deep = malloc(2 * depth);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(VALUES); i++) {
        assert_true(json_is_valid(VALUES[i], strlen(VALUES[i])));
        assert_walked_over(VALUES[i], strlen(VALUES[i]));
    }
    assert_non_null(deep);
    memset(deep, '[', depth);
    memset(deep + depth, ']', depth);
    assert_walked_over(deep, 2 * depth);
    free(deep);
}

static void what_is_not_json_is_walked_over_within_its_bounds(void **state)
{
    static const char *const TEXTS[] = {
        "{\"a",     "{\"a\\\"",  "{\"a\"",    "{\"a\":",     "{\"a\":\"b", "{\"a\":[",   "{\"a\":[1", "{\"a\":]",
        "{\"a\":}", "{\"a\":,1", "{\"a\"::1", "{\"a\":[\"]", "{1:2}",      "{\"a\":[{}", "{\"a\" 1}", "{"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        size_t size = strlen(TEXTS[i]);
        char *exact = malloc(size); /* the sanitizers see a byte too far */
        assert_non_null(exact);
        memcpy(exact, TEXTS[i], size);
        struct json_slice rest = {exact, size}, key, value;
        assert_false(json_next_member(&rest, &key, &value));
        free(exact);
    }
}

static void what_is_not_an_object_has_no_members(void **state)
{
    static const char *const TEXTS[] = {"{}", " { } ", "[1,2]", "[{\"a\":1}]", "\"{\"", "1", "null"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        struct json_slice rest = {TEXTS[i], strlen(TEXTS[i])}, key, value;
        assert_false(json_next_member(&rest, &key, &value));
    }
}

static void trimming_takes_the_white_space_of_json_and_nothing_else(void **state)
{
    const char text[] = " \t\r\n a b \0 \v\n ";
    struct json_slice slice = json_trim((struct json_slice){text, sizeof(text) - 1});

    (void)state;
    assert_int_equal(slice.size_bytes, 7);
    assert_memory_equal(slice.text, "a b \0 \v", 7);
    assert_int_equal(json_trim((struct json_slice){" \n ", 3}).size_bytes, 0);
    assert_int_equal(json_trim((struct json_slice){"", 0}).size_bytes, 0);
}

static void assert_unescaped(const char *string, const char *expected, size_t expected_bytes)
{
    struct buffer buffer;

    buffer_init(&buffer, 1000);
    json_append_unescaped(&buffer, (struct json_slice){string, strlen(string)});
    assert_int_equal(buffer_size(&buffer), expected_bytes);
    assert_memory_equal(buffer_bytes(&buffer), expected, expected_bytes);
    assert_false(buffer.failed);
    buffer_done(&buffer);
}

static void escapes_are_undone(void **state)
{
    (void)state;
    assert_unescaped("\"\"", "", 0);
    assert_unescaped("\"plain \xc3\xa4\"", "plain \xc3\xa4", 8);
    assert_unescaped("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
    assert_unescaped("\"\\u0041\\u00e4\\u20AC\\ud83d\\ude00\"", "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 10);
    assert_unescaped("\"a\\u0000b\"", "a\0b", 3);
    assert_unescaped("\"\\ud800\"", "\xef\xbf\xbd", 3);
    assert_unescaped("\"x\\udc00y\"", "x\xef\xbf\xbdy", 5);
}

static void assert_quoted(const char *bytes, size_t size, const char *expected)
{
    struct buffer buffer;

    buffer_init(&buffer, 1000);
    json_append_string(&buffer, bytes, size);
    assert_string_equal(buffer_text(&buffer), expected);
    assert_true(json_is_valid(buffer_bytes(&buffer), buffer_size(&buffer)));
    buffer_done(&buffer);
}

static void any_bytes_become_a_json_string(void **state)
{
    (void)state;
    assert_quoted("", 0, "\"\"");
    assert_quoted("a/b\x7f\xc3\xa4", 6, "\"a/b\x7f\xc3\xa4\"");
    assert_quoted("\"\\\n\r\t\b\0", 7, "\"\\\"\\\\\\n\\r\\t\\u0008\\u0000\"");
    assert_quoted("\xff_\xe2\x82_\xed\xa0\x80", 8, "\"\\ufffd_\\ufffd\\ufffd_\\ufffd\\ufffd\\ufffd\"");
}

static void random_bytes_survive_quoting_and_unescaping(void **state)
{
    uint64_t dice = 7;
    char bytes[32];

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t size = roll(&dice, sizeof(bytes));
        bool ascii = roll(&dice, 2) == 0;
        struct buffer quoted, plain;
        for (size_t i = 0; i < size; i++)
            bytes[i] = (char)roll(&dice, ascii ? 128 : 256);
        buffer_init(&quoted, 1000);
        buffer_init(&plain, 1000);
        json_append_string(&quoted, bytes, size);
        assert_true(json_is_valid(buffer_bytes(&quoted), buffer_size(&quoted)));
        json_append_unescaped(&plain, (struct json_slice){buffer_bytes(&quoted), buffer_size(&quoted)});
        assert_false(plain.failed);
        if (ascii) {
            assert_int_equal(buffer_size(&plain), size);
            assert_memory_equal(buffer_bytes(&plain), bytes, size);
        }
        buffer_done(&quoted);
        buffer_done(&plain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_of_the_grammar_is_valid),
        cmocka_unit_test(what_other_parsers_let_pass_is_not_valid),
        cmocka_unit_test(nesting_is_valid_up_to_its_bound),
        cmocka_unit_test(the_json_test_suite_is_judged_as_it_says),
        cmocka_unit_test(members_are_taken_apart_as_they_stand),
        cmocka_unit_test(values_of_every_kind_and_depth_are_walked_over),
        cmocka_unit_test(what_is_not_json_is_walked_over_within_its_bounds),
        cmocka_unit_test(what_is_not_an_object_has_no_members),
        cmocka_unit_test(trimming_takes_the_white_space_of_json_and_nothing_else),
        cmocka_unit_test(escapes_are_undone),
        cmocka_unit_test(any_bytes_become_a_json_string),
        cmocka_unit_test(random_bytes_survive_quoting_and_unescaping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
