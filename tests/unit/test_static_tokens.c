#include "access/static_tokens.h"

#include "unit.h"

#include <errno.h>

#define TOKEN "0123456789abcdef"

static struct static_tokens parse(const char *text)
{
    struct static_tokens tokens = {0};
    struct buffer problem;

    buffer_init(&problem, 1024);
    if (static_tokens_parse(text, strlen(text), &tokens, &problem) < 0)
        fail_msg("%s", buffer_text(&problem));
    buffer_done(&problem);
    return tokens;
}

/* Lent; NULL: unknown. */
static struct grant *find(const struct static_tokens *tokens, const char *token)
{
    struct grant *grant = NULL;
    int error = static_tokens_find(tokens, token, &grant);

    assert_int_equal(error, grant ? 0 : -ENOENT);
    return grant;
}

static void a_line_is_a_token_and_its_channels(void **state)
{
    struct static_tokens tokens =
        parse("# comment\n\n" TOKEN "1 orders_* stock\r\n \t\n" TOKEN "2\n  # more\n" TOKEN "3\t?");
    const struct grant *grant = find(&tokens, TOKEN "1");

    (void)state;
    assert_int_equal(tokens.count, 3);
    assert_true(grant_allows(grant, "orders_eu"));
    assert_true(grant_allows(grant, "stock"));
    assert_false(grant_allows(grant, "other"));
    assert_int_equal(grant->expires_s, INT64_MAX);
    assert_true(grant_allows(find(&tokens, TOKEN "2"), "other"));
    assert_false(grant_allows(find(&tokens, TOKEN "3"), "other"));
    assert_true(grant_allows(find(&tokens, TOKEN "3"), "x"));
    static const char *const others[] = {"",         TOKEN,       TOKEN "4", TOKEN "1 ", " " TOKEN "1",
                                         TOKEN "11", "# comment", "stock"};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_null(find(&tokens, others[i]));
    static_tokens_done(&tokens);
}

static void other_rights_are_another_source(void **state)
{
    struct static_tokens before = parse(TOKEN " a\n" TOKEN "x a\n"), same = parse("# new\n" TOKEN "x a\n" TOKEN " a");
    struct static_tokens other = parse(TOKEN " a b\n");

    (void)state;
    assert_int_equal(find(&before, TOKEN)->source, find(&same, TOKEN)->source);
    assert_int_not_equal(find(&before, TOKEN)->source, find(&other, TOKEN)->source);
    assert_int_not_equal(find(&before, TOKEN)->source, find(&before, TOKEN "x")->source);
    static_tokens_done(&before);
    static_tokens_done(&same);
    static_tokens_done(&other);
}

static void each_mistake_is_named_with_its_line_and_without_the_token(void **state)
{
    static const struct {
        const char *text;
        size_t size_bytes; /* 0: up to the NUL */
        const char *problem;
    } samples[] = {
        {"", 0, "holds no token; write one a line, as from openssl rand -hex 32"},
        {"\n# " TOKEN "\n", 0, "holds no token; write one a line, as from openssl rand -hex 32"},
        {"\n0123456789abcde\n", 0, "line 2 has a token that does not have 16 to 4096 bytes"},
        {TOKEN "\n" TOKEN "!\n", 0, "line 2 has a token with other characters than A-Z a-z 0-9 - . _ ~ + / ="},
        {TOKEN ",x", 0, "line 1 has a token with other characters than A-Z a-z 0-9 - . _ ~ + / ="},
        {TOKEN ";x", 0, "line 1 has a token with other characters than A-Z a-z 0-9 - . _ ~ + / ="},
        {TOKEN "\xc3\xa9", 0, "line 1 has a token with other characters than A-Z a-z 0-9 - . _ ~ + / ="},
        {TOKEN " a\n\n" TOKEN " b\n", 0, "line 3 has a token that stands above already"},
        {TOKEN "\0x", sizeof(TOKEN) + 1, "line 1 has a NUL"},
        {TOKEN " a\x01", 0, "line 1 has a channel that holds a control character"},
        {TOKEN " 0123456789012345678901234567890123456789012345678901234567890123", 0,
         "line 1 has a channel that is too long; PostgreSQL's names have at most 63 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        size_t size = samples[i].size_bytes ? samples[i].size_bytes : strlen(samples[i].text);
        struct static_tokens tokens;
        struct buffer problem;
        buffer_init(&problem, 1024);
        assert_int_equal(static_tokens_parse(samples[i].text, size, &tokens, &problem), -EINVAL);
        assert_string_equal(buffer_text(&problem), samples[i].problem);
        buffer_done(&problem);
    }
}

static void there_are_at_most_1000_tokens_of_256_channels(void **state)
{
    struct static_tokens tokens;
    struct buffer text, problem;

    (void)state;
    buffer_init(&text, 1 << 20);
    buffer_init(&problem, 1024);
    for (int i = 0; i < 1000; i++)
        buffer_printf(&text, TOKEN "%d\n", i);
    tokens = parse(buffer_text(&text));
    assert_int_equal(tokens.count, 1000);
    static_tokens_done(&tokens);
    buffer_append_text(&text, TOKEN "x\n");
    assert_int_equal(static_tokens_parse(buffer_bytes(&text), buffer_size(&text), &tokens, &problem), -EINVAL);
    assert_string_equal(buffer_text(&problem), "line 1001 is one more than the 1000 that can be");
    buffer_clear(&text);
    buffer_clear(&problem);
    buffer_append_text(&text, TOKEN);
    for (int i = 0; i < 257; i++)
        buffer_printf(&text, " c%d", i);
    assert_int_equal(static_tokens_parse(buffer_bytes(&text), buffer_size(&text), &tokens, &problem), -EINVAL);
    assert_string_equal(buffer_text(&problem),
                        "line 1 has a channel that is one channel more than the 256 that a token can have");
    buffer_done(&text);
    buffer_done(&problem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_a_token_and_its_channels),
        cmocka_unit_test(other_rights_are_another_source),
        cmocka_unit_test(each_mistake_is_named_with_its_line_and_without_the_token),
        cmocka_unit_test(there_are_at_most_1000_tokens_of_256_channels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
