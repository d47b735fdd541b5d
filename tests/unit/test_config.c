#include "config_fixture.h"

static void expect_printed(const struct config *config, const char *expected_part)
{
    struct buffer text;

    buffer_init(&text, 1 << 20);
    config_print(config, NULL, &text);
    if (!strstr(buffer_text(&text), expected_part))
        fail_msg("%s lacks %s", buffer_text(&text), expected_part);
    buffer_done(&text);
}

static void without_any_source_every_setting_has_its_default(void **state)
{
    struct config config = load_text("");

    (void)state;
    assert_string_equal(config.database, "");
    assert_string_equal(config.listen, "127.0.0.1:8080");
    assert_int_equal(config.channels.count, 0);
    assert_string_equal(config.triggers.token, "");
    assert_int_equal(config.triggers.schemas.count, 1);
    assert_string_equal(config.triggers.schemas.items[0], "public");
    assert_int_equal(config.streams.heartbeat_ms, 15000);
    assert_int_equal(config.limits.memory_bytes, 268435456);
    assert_int_equal(config.log.level, LOG_LEVEL_INFO);
    assert_int_equal(config.log.format, LOG_FORMAT_TEXT);
    config_done(&config);
}

static void a_file_sets_values_of_every_type(void **state)
{
    struct config config = load_text("database = \"dbname=a\" \"pp\";\n"
                                     "channels = ( \"a\", \"b_*\" );\n"
                                     "triggers = { schemas = [ \"x\" ]; };\n"
                                     "streams : { heartbeat_ms = 2000; linger_ms = 3000L; };\n"
                                     "limits = { memory_bytes = 8589934592; };\n"
                                     "log = { level = \"warn\"; format = \"json\"; };");

    (void)state;
    assert_string_equal(config.database, "dbname=app");
    assert_int_equal(config.channels.count, 2);
    assert_string_equal(config.channels.items[1], "b_*");
    assert_string_equal(config.triggers.schemas.items[0], "x");
    assert_int_equal(config.streams.heartbeat_ms, 2000);
    assert_int_equal(config.streams.linger_ms, 3000);
    assert_int_equal(config.limits.memory_bytes, INT64_C(8589934592));
    assert_int_equal(config.log.level, LOG_LEVEL_WARN);
    assert_int_equal(config.log.format, LOG_FORMAT_JSON);
    config_done(&config);
}

static void a_flag_wins_over_the_environment_and_that_over_the_file(void **state)
{
    static const char *const VARIABLES[] = {"TUPLECAST_LISTEN=:2", "TUPLECAST_LOG_LEVEL=error",
                                            "TUPLECAST_CHANNELS= a , b,c ", "TUPLECAST_STREAMS_RETRY_MS=", NULL};
    struct config config = {0};

    (void)state;
    environment = VARIABLES;
    assert_int_equal(load_source((struct config_source){.text = "listen = \":3\"; log = { level = \"debug\"; };"
                                                                "streams = { retry_ms = 100; };",
                                                        .listen = ":1"},
                                 &config),
                     0);
    assert_string_equal(config.listen, ":1");
    assert_int_equal(config.log.level, LOG_LEVEL_ERROR);
    assert_int_equal(config.channels.count, 3);
    assert_string_equal(config.channels.items[0], "a");
    assert_string_equal(config.channels.items[2], "c");
    assert_int_equal(config.streams.retry_ms, 100);
    config_done(&config);
}

static void DATABASE_URL_counts_only_when_no_other_source_names_a_database(void **state)
{
    static const char *const BOTH[] = {"DATABASE_URL=postgres://b", "TUPLECAST_DATABASE=dbname=a", NULL};
    struct config config;

    (void)state;
    environment = BOTH;
    config = load_text("");
    assert_string_equal(config.database, "dbname=a");
    config_done(&config);
    environment = (const char *const[]){BOTH[0], NULL};
    config = load_text("database = \"\";");
    assert_string_equal(config.database, "postgres://b");
    config_done(&config);
    config = load_text("database = \"dbname=c\";");
    assert_string_equal(config.database, "dbname=c");
    config_done(&config);
}

static void all_problems_are_reported_each_with_its_place(void **state)
{
    static const char *const VARIABLES[] = {"TUPLECAST_LISTEN=here", "TUPLECAST_STREAMS_STALL_MS=1s", NULL};
    struct config config = {0};

    (void)state;
    environment = VARIABLES;
    assert_int_equal(
        load_source((struct config_source){.file = "a.conf",
                                           .text = "streams = {\n"
                                                   "  heartbeat_ms = 5;\n"
                                                   "  drain_ms = 600001;\n"
                                                   "};\n"
                                                   "limits = { streams = \"many\"; requests = 1.5; };\n"
                                                   "channels = ( \"a\", 7 );\n"
                                                   "cors = { origins = ( \"a\", \"*\", \"http://b/\" ); };\n"
                                                   "probe = 3;",
                                           .log_level = "loud"},
                    &config),
        -EINVAL);
    assert_string_equal(
        problems(),
        "a.conf:2: streams.heartbeat_ms: 5 is too small; the least is 1000\n"
        "a.conf:3: streams.drain_ms: 600001 is too large; the most is 600000\n"
        "a.conf:5: limits.streams: is a text; write a whole number, without quotes\n"
        "a.conf:5: limits.requests: is a number with a fraction; write a whole number, without quotes\n"
        "a.conf:6: channels: item 2 is a number; write a text in double quotes\n"
        "a.conf:7: cors.origins: \"a\" is no origin; write scheme://host[:port] in lower case, or \"*\" for "
        "all\n"
        "a.conf:7: cors.origins: \"http://b/\" has a character that no host in an origin has; write "
        "scheme://host[:port], no path, lower case\n"
        "a.conf:8: probe: is a number; this is a group of settings: write probe = { ... };\n"
        "environment TUPLECAST_LISTEN: listen: \"here\" has no port; write host:port, [v6]:port, :port or "
        "unix:/path\n"
        "environment TUPLECAST_STREAMS_STALL_MS: streams.stall_ms: \"1s\" is not a whole number; write "
        "digits only\n"
        "command line: log.level: \"loud\" is unknown; use one of: debug, info, warn, error\n");
}

static void an_unknown_setting_is_refused_with_the_nearest_known_one(void **state)
{
    (void)state;
    expect_problems("lisen = \"\";\nstream = { };\nretry_ms = 3;\nstreams = { hartbeat_ms = 3; levle = 1; };\nzzz = 1;",
                    "test.conf:1: lisen: there is no such setting; did you mean listen?\n"
                    "test.conf:2: stream: there is no such setting; did you mean streams?\n"
                    "test.conf:3: retry_ms: there is no such setting; did you mean streams.retry_ms?\n"
                    "test.conf:4: streams.hartbeat_ms: there is no such setting; did you mean streams.heartbeat_ms?\n"
                    "test.conf:4: streams.levle: there is no such setting; take it out\n"
                    "test.conf:5: zzz: there is no such setting; take it out\n");
}

static void a_syntax_error_names_file_and_line(void **state)
{
    (void)state;
    expect_problems("listen = \":1\";\n\nchannels = ( \"a\", );\n",
                    "test.conf:3: syntax error here or just before; look for a missing ';' or '\"', or a ',' behind "
                    "the last item of a list\n");
    expect_problems("listen = \":1\";\nlisten = \":2\";", "test.conf:2: duplicate setting name; keep one of them\n");
    expect_problems("\n/* listen = \":1\";\n\n",
                    "test.conf:2: the comment that begins here does not end in this file\n");
    expect_problems("\n\nlisten = \":1;\n\n", "test.conf:3: the text that begins here does not end in this file\n");
}

static void of_very_many_problems_the_first_hundred_are_spelled_out(void **state)
{
    char text[8192] = "streams = {";
    struct config config = {0};
    size_t lines = 0;

    (void)state;
    for (int i = 0; i < 600; i++)
        sprintf(text + strlen(text), "a%d=1;", i);
    strcat(text, "};");
    assert_int_equal(load_source((struct config_source){.text = text}, &config), -EINVAL);
    for (const char *line = problems(); (line = strchr(line, '\n')); line++)
        lines++;
    assert_int_equal(lines, 101);
    assert_non_null(strstr(problems(), "\nand 500 more problems\n"));
    strcpy(text, "limits = {};\n");
    for (int i = 0; i < 1000; i++)
        strcat(text, "a:1;");
    expect_problems(text, "test.conf:2: too many settings; the most is 1000 with all includes\n");
}

static void large_numbers_are_not_cut_to_32_bits(void **state)
{
    struct config config = load_text("limits = { channel_memory_bytes = 4295032832; memory_bytes=+04295032833/**/; };"
                                     "channels = ( \"4295032832\" ); # 4295032832");

    (void)state;
    assert_int_equal(config.limits.channel_memory_bytes, INT64_C(4295032832));
    assert_int_equal(config.limits.memory_bytes, INT64_C(4295032833));
    assert_string_equal(config.channels.items[0], "4295032832");
    config_done(&config);
    expect_problems("limits = { memory_bytes = 0x100000000; };",
                    "test.conf:1: limits.memory_bytes: write the number in decimal\n");
    expect_problems("limits = { memory_bytes = 99999999999999999999; };",
                    "test.conf:1: limits.memory_bytes: 9223372036854775807 is too large; the most is 1099511627776\n");
    expect_problems("limits = { memory_bytes = -99999999999; };",
                    "test.conf:1: limits.memory_bytes: -99999999999 is too small; the least is 1048576\n");
    expect_problems("a-4295032832 = 1;", "test.conf:1: a-4295032832: there is no such setting; take it out\n");
}

static void a_channel_may_not_remember_more_than_all_channels_together(void **state)
{
    (void)state;
    expect_problems("limits = {\nmemory_bytes = 2000000; };",
                    "test.conf:2: limits.memory_bytes: 2000000 is less than limits.channel_memory_bytes, which is "
                    "33554432; raise this one or lower that one\n");
    expect_problems("limits = {\nchannel_memory_bytes = 268435457; };",
                    "test.conf:2: limits.channel_memory_bytes: 268435457 is more than limits.memory_bytes, which is "
                    "268435456; lower this one or raise that one\n");
    expect_problems("limits = {\nchannel_memory_bytes = 268435457; memory_bytes = \"1G\"; };",
                    "test.conf:2: limits.memory_bytes: is a text; write a whole number, without quotes\n");
}

static void control_characters_cannot_forge_a_problem_line(void **state)
{
    (void)state;
    expect_problems("log = { level = \"a\\nb\x1b\"; };",
                    "test.conf:1: log.level: \"a?b?\" is unknown; use one of: debug, info, warn, error\n");
}

static void channel_names_are_as_long_as_PostgreSQL_allows_and_no_longer(void **state)
{
    char text[128];
    struct config config;

    (void)state;
    snprintf(text, sizeof(text), "channels = ( \"%063d\" );", 1);
    config = load_text(text);
    config_done(&config);
    snprintf(text, sizeof(text), "channels = ( \"%064d\", \"\", \"a\\tb\" );", 1);
    expect_problems(text, "test.conf:1: channels: \"0000000000000000000000000000000000000000000000000000000000000001\" "
                          "is too long; PostgreSQL's names have at most 63 bytes\n"
                          "test.conf:1: channels: \"\" is an empty name; take it out or write one\n"
                          "test.conf:1: channels: \"a?b\" holds a control character\n");
}

static void at_most_a_thousand_channels_can_be_listed(void **state)
{
    char variable[4096] = "TUPLECAST_CHANNELS=x";
    struct config config = {0};

    (void)state;
    for (size_t i = strlen(variable), n = 1; n < 1000; n++, i += 2)
        memcpy(variable + i, ",x", 3);
    environment = (const char *const[]){variable, NULL};
    config = load_text("");
    assert_int_equal(config.channels.count, 1000);
    config_done(&config);
    strcat(variable, ",y");
    expect_problems("", "environment TUPLECAST_CHANNELS: channels: 1001 items are too many; the most is 1000\n");
}

static void a_token_in_the_configuration_file_is_refused_with_the_reason(void **state)
{
    (void)state;
    expect_problems("triggers = { token = \"" TOKEN "\"; };",
                    "test.conf:1: triggers.token: must not stand in this file, which others can often read; name a "
                    "file of its own in triggers.token_file, or set TUPLECAST_TRIGGERS_TOKEN\n");
}

static void as_it_is(const char *connection, struct buffer *text)
{
    buffer_append_text(text, connection);
}

static void what_is_printed_reads_back_as_the_same_configuration(void **state)
{
    struct config config = load_text("database = \"dbname='a\\\\\\\\b \\\"c\\\" \\x01\\n\\\\x41'\";\n"
                                     "channels = ( \"\xc3\xa4*\", \"a\\\\[b]\", \"\\\"\" );\n"
                                     "triggers = { schemas = ( ); };\n"
                                     "limits = { streams_per_address = 9; memory_bytes = 1099511627776; };\n"
                                     "cors = { origins = ( \"https://app.example\", \"*\" ); };\n"
                                     "log = { level = \"error\"; format = \"json\"; };");
    struct config again;
    struct buffer text;

    (void)state;
    buffer_init(&text, 1 << 20);
    config_print(&config, as_it_is, &text);
    again = load_text(buffer_text(&text));
    assert_string_equal(again.database, config.database);
    assert_true(text_list_equal(&again.channels, &config.channels));
    assert_int_equal(again.triggers.schemas.count, 0);
    assert_same(&config, &again);
    buffer_done(&text);
    config_done(&config);
    config_done(&again);
}

static void no_secret_is_printed(void **state)
{
    struct config config = {0};
    struct buffer text;

    (void)state;
    environment = (const char *const[]){"TUPLECAST_TRIGGERS_TOKEN=" TOKEN, NULL};
    config = load_text("database = \"postgresql://me:sesame@db/app\";");
    buffer_init(&text, 1 << 20);
    config_print(&config, NULL, &text);
    assert_null(strstr(buffer_text(&text), "sesame"));
    assert_null(strstr(buffer_text(&text), TOKEN));
    expect_printed(&config, "    # token = \"***\";\n");
    expect_printed(&config, "database = \"***\";\n");
    buffer_done(&text);
    config_done(&config);
}

static void changes_that_need_a_restart_are_named_and_not_taken_over(void **state)
{
    struct config before = load_text(""), same = load_text("streams = { retry_ms = 100; }; channels = ( \"a\" );");
    struct config other = load_text("listen = \":1\"; limits = { requests = 9; }; log = { level = \"warn\"; };");
    struct buffer names;

    (void)state;
    buffer_init(&names, 1024);
    assert_false(config_keep_fixed(&before, &same, &names));
    assert_int_equal(buffer_size(&names), 0);
    assert_true(config_keep_fixed(&before, &other, &names));
    assert_string_equal(buffer_text(&names), "listen, limits.requests");
    assert_string_equal(other.listen, "127.0.0.1:8080");
    assert_int_equal(other.limits.requests, 1024);
    assert_int_equal(other.log.level, LOG_LEVEL_WARN);
    buffer_done(&names);
    config_done(&before);
    config_done(&same);
    config_done(&other);
}

static void done_is_fine_on_a_zeroed_and_on_a_done_configuration(void **state)
{
    struct config config = {0};

    (void)state;
    config_done(&config);
    config = load_text("channels = ( \"a\" );");
    config_done(&config);
    config_done(&config);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_any_source_every_setting_has_its_default),
        TEST(a_file_sets_values_of_every_type),
        TEST(a_flag_wins_over_the_environment_and_that_over_the_file),
        TEST(DATABASE_URL_counts_only_when_no_other_source_names_a_database),
        TEST(all_problems_are_reported_each_with_its_place),
        TEST(an_unknown_setting_is_refused_with_the_nearest_known_one),
        TEST(a_syntax_error_names_file_and_line),
        TEST(of_very_many_problems_the_first_hundred_are_spelled_out),
        TEST(large_numbers_are_not_cut_to_32_bits),
        TEST(a_channel_may_not_remember_more_than_all_channels_together),
        TEST(control_characters_cannot_forge_a_problem_line),
        TEST(channel_names_are_as_long_as_PostgreSQL_allows_and_no_longer),
        TEST(at_most_a_thousand_channels_can_be_listed),
        TEST(a_token_in_the_configuration_file_is_refused_with_the_reason),
        TEST(what_is_printed_reads_back_as_the_same_configuration),
        TEST(no_secret_is_printed),
        TEST(changes_that_need_a_restart_are_named_and_not_taken_over),
        TEST(done_is_fine_on_a_zeroed_and_on_a_done_configuration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
