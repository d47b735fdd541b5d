/* Settings that are wrong in one way each, made from the table of all settings: each is refused with a line that names
 * it, and changes nothing. */
#include "config_fixture.h"

#include "config/settings.h"

#include <inttypes.h>

static unsigned refused;

static void refuse(struct config_source source, const char *where)
{
    struct config config = {.limits.streams = -7};
    int error = load_source(source, &config);

    if (error != -EINVAL || !strstr(problems(), where))
        fail_msg("%s: %d: %s", where, error, problems());
    if (strchr(problems(), '\n') != strrchr(problems(), '\n'))
        fail_msg("more than one line for one mistake: %s", problems());
    assert_null(config.database);
    assert_int_equal(config.limits.streams, -7);
    refused++;
}

static void refuse_variable(const struct setting *setting, const char *value)
{
    char name[SETTING_VARIABLE_BYTES];
    static char pair[20000];
    const char *const pairs[] = {pair, NULL};

    setting_variable(setting->path, name);
    snprintf(pair, sizeof(pair), "%s=%s", name, value);
    environment = pairs;
    refuse((struct config_source){.text = ""}, name);
    environment = NULL;
}

static void refuse_text(const struct setting *setting, const char *value)
{
    static char text[20000];
    int group = (int)setting_group_bytes(setting);

    if (group)
        snprintf(text, sizeof(text), "%.*s = { %s = %s; };\n", group, setting->path, setting_leaf(setting), value);
    else
        snprintf(text, sizeof(text), "%s = %s;\n", setting->path, value);
    refuse((struct config_source){.text = text, .file = "test.conf"}, setting->path);
}

static void numbers_out_of_range_or_not_numbers_at_all(void **state)
{
    static const char *const texts[] = {"x",
                                        "1x",
                                        "x1",
                                        "1.5",
                                        "1e3",
                                        "0x10",
                                        "-",
                                        "+",
                                        "--1",
                                        "1 2",
                                        "1,2",
                                        "1_000",
                                        "1000s",
                                        "one",
                                        "nan",
                                        "inf",
                                        "9223372036854775808",
                                        "99999999999999999999",
                                        "-9223372036854775809",
                                        "true"};
    static const char *const values[] = {"\"1000\"", "1.5", "true", "( )", "( 1 )", "{ }", "[ ]", "\"\"", "1e3"};
    char number[32];

    (void)state;
    for (const struct setting *setting = settings; setting->path; setting++) {
        if (setting->type != SETTING_INTEGER)
            continue;
        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
            refuse_variable(setting, texts[i]);
        for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
            refuse_text(setting, values[i]);
        snprintf(number, sizeof(number), "%" PRId64, setting->least - 1);
        refuse_variable(setting, number);
        refuse_text(setting, number);
        snprintf(number, sizeof(number), "%" PRId64, setting->most + 1);
        refuse_variable(setting, number);
    }
}

static void words_that_are_none_of_those_that_there_are(void **state)
{
    static const char *const texts[] = {"yess", "2", "TRUE!", "on off", "-1", "debug,info", "Info ", "0x1"};
    static const char *const values[] = {"( )", "{ }", "( true )", "1.5", "\"maybe\""};

    (void)state;
    for (const struct setting *setting = settings; setting->path; setting++) {
        if (setting->type != SETTING_BOOLEAN && setting->type != SETTING_ENUMERATION)
            continue;
        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
            if (strcmp(texts[i], "Info ") != 0)
                refuse_variable(setting, texts[i]);
        for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
            refuse_text(setting, values[i]);
    }
}

static void texts_and_lists_of_the_wrong_kind(void **state)
{
    static const char *const values[] = {"1", "true", "1.5", "{ }"};

    (void)state;
    for (const struct setting *setting = settings; setting->path; setting++) {
        bool is_list = setting->type == SETTING_LIST;
        if ((setting->type != SETTING_TEXT && !is_list) || setting->not_in_file)
            continue;
        for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
            refuse_text(setting, values[i]);
        refuse_text(setting, is_list ? "( 1 )" : "( )");
        refuse_text(setting, is_list ? "( ( ) )" : "( \"a\" )");
        refuse_text(setting, is_list ? "\"a\"" : "[ \"a\" ]");
        if (is_list)
            refuse_text(setting, "( \"a\x01\" )");
    }
}

static void networks_addresses_and_origins_that_are_none(void **state)
{
    static const char *const networks[] = {"localhost",  "1.2.3",      "1.2.3.4.5", "1.2.3.256",   "1.2.3.4/",
                                           "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/x", "1.2.3.4/8/8", "::1/129",
                                           "[::1]",      ":::",        "::1%lo",    "unix:",       "UNIX",
                                           "*",          "1.2.3.4:80", "0x1.2.3.4", "1.2.3.4/1e1", "/8"};
    static const char *const listens[] = {
        "8080",  "a",         ":",      ":x",     "a:",           "a:65536", "a:-1",          "::1:80",
        "[::1]", "[::1]x:80", "[x]:80", "a b:80", "1.2.3.256:80", "unix:",   "unix:relative", "a:80:90"};

    (void)state;
    for (size_t i = 0; i < sizeof(networks) / sizeof(*networks); i++)
        refuse_variable(setting_find("trusted_proxies"), networks[i]);
    for (size_t i = 0; i < sizeof(listens) / sizeof(*listens); i++)
        refuse_variable(setting_find("listen"), listens[i]);
}

static void they_are_many(void **state)
{
    (void)state;
    printf("%u configurations were refused\n", refused);
    assert_true(refused > 600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_out_of_range_or_not_numbers_at_all, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(words_that_are_none_of_those_that_there_are, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(texts_and_lists_of_the_wrong_kind, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(networks_addresses_and_origins_that_are_none, fixture_begin, fixture_end),
        cmocka_unit_test(they_are_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
