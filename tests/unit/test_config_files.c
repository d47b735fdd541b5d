#include "config/read_file.h"
#include "config/settings.h"
#include "config_fixture.h"

#include <libconfig.h>
#include <sys/stat.h>
#include <unistd.h>

/* Each test works in a directory of its own. */
static char directory[64];

static int begin(void **state)
{
    strcpy(directory, "/tmp/test_config.XXXXXX");
    if (!mkdtemp(directory) || chdir(directory) < 0 || mkdir("sub", 0700) < 0)
        return -1;
    return fixture_begin(state);
}

static int end(void **state)
{
    static const char *const NAMES[] = {"main.conf", "sub/part.conf", "sub/more.conf", "token", "sub", directory};

    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        remove(NAMES[i]);
    return chdir("/") < 0 ? -1 : fixture_end(state);
}

static void write_bytes(const char *name, const char *bytes, size_t size_bytes, mode_t mode)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size_bytes, file), size_bytes);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(name, mode), 0);
}

static void write_text(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text), 0644);
}

static void expect_file_problems(const char *name, const char *expected)
{
    struct config config = {0};

    assert_int_equal(load_source((struct config_source){.file = name}, &config), -EINVAL);
    assert_string_equal(problems(), expected);
}

static int load_token(struct config *ret_config)
{
    return load_source((struct config_source){.text = "triggers = { token_file = \"token\"; };", .file = "test.conf"},
                       ret_config);
}

static void expect_token_problem(const char *token, size_t size_bytes, mode_t mode, const char *expected)
{
    struct config config = {0};

    write_bytes("token", token, size_bytes, mode);
    assert_int_equal(load_token(&config), -EINVAL);
    assert_non_null(strstr(problems(), "test.conf:1: triggers.token_file: "));
    assert_non_null(strstr(problems(), expected));
}

static void the_sample_file_holds_the_defaults(void **state)
{
    struct config config = {0}, defaults = load_text("");
    int r = load_source((struct config_source){.file = SOURCE_DIR "/etc/tuplecast.conf"}, &config);

    (void)state;
    if (r < 0)
        fail_msg("%s", problems());
    assert_same(&config, &defaults);
    config_done(&config);
    config_done(&defaults);
}

static void the_sample_file_shows_every_setting(void **state)
{
    struct buffer text;
    config_t parsed;

    (void)state;
    buffer_init(&text, 1 << 20);
    assert_int_equal(read_file(SOURCE_DIR "/etc/tuplecast.conf", &text, NULL), 0);
    config_init(&parsed);
    assert_int_equal(config_read_file(&parsed, SOURCE_DIR "/etc/tuplecast.conf"), CONFIG_TRUE);
    for (const struct setting *setting = settings; setting->path; setting++) {
        bool commented_out = strcmp(setting->path, "triggers.token_file") == 0;
        char variable[SETTING_VARIABLE_BYTES];
        setting_variable(setting->path, variable);
        if (setting->not_in_file || commented_out)
            assert_non_null(strstr(buffer_text(&text), commented_out ? "# token_file = " : variable));
        else if (!config_lookup(&parsed, setting->path))
            fail_msg("%s is missing", setting->path);
    }
    config_destroy(&parsed);
    buffer_done(&text);
}

static void a_named_file_must_exist_and_the_default_one_need_not(void **state)
{
    struct config config = {0};

    (void)state;
    if (access(CONFIG_FILE_DEFAULT, F_OK) < 0) {
        assert_int_equal(load_source((struct config_source){0}, &config), 0);
        config_done(&config);
        assert_int_equal(load_source((struct config_source){.file_required = true}, &config), -ENOENT);
        assert_string_equal(problems(), CONFIG_FILE_DEFAULT ": there is no such file\n");
    }
    assert_int_equal(load_source((struct config_source){.file = "none"}, &config), -ENOENT);
    assert_string_equal(problems(), "none: there is no such file\n");
}

static void what_is_no_text_file_is_refused(void **state)
{
    (void)state;
    write_bytes("main.conf", "\0\n", 2, 0644);
    expect_file_problems("main.conf", "main.conf:1: holds a NUL byte; this must be a text file\n");
    expect_file_problems("sub", "sub: cannot be read: it is not a regular file\n");
}

static void an_included_file_is_looked_for_beside_the_including_one(void **state)
{
    struct config config = {0};

    (void)state;
    write_text("main.conf",
               "/*\n@include \"none\"\n*/ listen = \":1\";\n @include \"sub/part.conf\" # and then\nprobe = { };");
    write_text("sub/part.conf", "database = \"a\n@include \\\"\";\nstreams = {\n@include \"more.conf\"\n};");
    write_text("sub/more.conf", "heartbeat_ms = 1000;");
    assert_int_equal(load_source((struct config_source){.file = "main.conf"}, &config), 0);
    assert_int_equal(config.streams.heartbeat_ms, 1000);
    assert_string_equal(config.database, "a\n@include \"");
    config_done(&config);
}

static void problems_name_the_included_file_and_its_line(void **state)
{
    (void)state;
    write_text("main.conf", "\n@include \"sub/part.conf\"\nlisten = 1;\n");
    write_text("sub/part.conf", "streams = {\n@include \"more.conf\"\n\n retry_ms = 1; };");
    write_text("sub/more.conf", "\nheartbeat_ms = 1;");
    expect_file_problems("main.conf", "sub/more.conf:2: streams.heartbeat_ms: 1 is too small; the least is 1000\n"
                                      "sub/part.conf:4: streams.retry_ms: 1 is too small; the least is 100\n"
                                      "main.conf:3: listen: is a number; write a text in double quotes\n");
    write_text("sub/more.conf", "@include \"../none\"");
    expect_file_problems("main.conf", "sub/more.conf:1: cannot include sub/../none: No such file or directory\n");
    write_text("sub/more.conf", "@include \"../sub\"");
    expect_file_problems("main.conf", "sub/more.conf:1: cannot include sub/../sub: it is not a regular file\n");
}

static void includes_end_even_when_files_include_themselves(void **state)
{
    char wide[100 * 25] = "";

    (void)state;
    write_text("main.conf", "@include \"main.conf\"\n@include \"main.conf\"\n");
    expect_file_problems("main.conf", "main.conf:1: includes are nested too deep; does a file include itself?\n");
    for (unsigned i = 0; i < 100; i++)
        strcat(wide, "@include \"token\"\n");
    write_text("main.conf", wide);
    write_text("token", "# nothing");
    expect_file_problems("main.conf", "main.conf:64: too many includes; put some files together\n");
    expect_problems("@include \"/etc/passwd\"", "test.conf:1: includes are for files only\n");
    expect_problems("@include\t\"a\" @include \"b\"",
                    "test.conf:1: cannot read this include; write @include \"name\" on a line of its own, without "
                    "backslashes\n");
}

static void too_large_a_configuration_is_refused(void **state)
{
    static char large[300 * 1024];

    (void)state;
    memset(large, ' ', sizeof(large) - 1);
    expect_problems(large, "test.conf:1: the configuration is too large; the most is 262144 bytes with all includes\n");
    large[262144 - 1] = '\0';
    struct config config = load_text(large);
    config_done(&config);
}

static void the_token_is_read_from_its_file_without_the_newline(void **state)
{
    struct config config = {0};

    (void)state;
    write_bytes("token", TOKEN "\n", sizeof(TOKEN), 0640);
    assert_int_equal(load_token(&config), 0);
    assert_string_equal(config.triggers.token, TOKEN);
    config_done(&config);
}

static void a_token_file_that_is_no_secret_or_holds_no_token_is_refused(void **state)
{
    static char large[5000];
    struct config config = {0};

    (void)state;
    memset(large, 'a', sizeof(large));
    assert_int_equal(load_token(&config), -EINVAL);
    assert_non_null(strstr(problems(), "No such file"));
    expect_token_problem(TOKEN, strlen(TOKEN), 0604, "can be read by everybody");
    expect_token_problem("short\n", 6, 0600, "has 5 bytes; the least is 16");
    expect_token_problem("", 0, 0600, "has 0 bytes");
    expect_token_problem(large, 4097, 0600, "more than 4096 bytes");
    expect_token_problem(large, 5000, 0600, "too large");
    expect_token_problem("0123456789 abcdef", 17, 0600, "printable");
    expect_token_problem("0123456789abcdef\n\n", 18, 0600, "printable");
    expect_token_problem("0123456789\0abcdef", 17, 0600, "NUL");
    write_bytes("token", large, 4096, 0600);
    assert_int_equal(load_token(&config), 0);
    config_done(&config);
}

static void a_token_in_the_environment_spares_the_file(void **state)
{
    struct config config = {0};

    (void)state;
    environment = (const char *const[]){"TUPLECAST_TRIGGERS_TOKEN=" TOKEN, NULL};
    assert_int_equal(load_token(&config), 0);
    assert_string_equal(config.triggers.token, TOKEN);
    config_done(&config);
    environment = (const char *const[]){"TUPLECAST_TRIGGERS_TOKEN=tops cret 90123456", NULL};
    expect_problems("",
                    "environment TUPLECAST_TRIGGERS_TOKEN: triggers.token: its value may hold nothing but printable "
                    "ASCII characters other than the space\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_sample_file_holds_the_defaults),
        TEST(the_sample_file_shows_every_setting),
        TEST(a_named_file_must_exist_and_the_default_one_need_not),
        TEST(what_is_no_text_file_is_refused),
        TEST(an_included_file_is_looked_for_beside_the_including_one),
        TEST(problems_name_the_included_file_and_its_line),
        TEST(includes_end_even_when_files_include_themselves),
        TEST(too_large_a_configuration_is_refused),
        TEST(the_token_is_read_from_its_file_without_the_newline),
        TEST(a_token_file_that_is_no_secret_or_holds_no_token_is_refused),
        TEST(a_token_in_the_environment_spares_the_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
