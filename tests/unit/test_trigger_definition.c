#include "triggers/definition.h"

#include "stream/event.h"
#include "unit.h"

#include <errno.h>

enum { ALL = EVENT_TYPE_INSERT | EVENT_TYPE_UPDATE | EVENT_TYPE_DELETE | EVENT_TYPE_TRUNCATE };

#define NAME_63 "123456789012345678901234567890123456789012345678901234567890123"
#define NAME_55 "1234567890123456789012345678901234567890123456789012345"

static void assert_taken(const char *body, const char *schema, const char *table, const char *channel,
                         unsigned operations)
{
    struct trigger_definition definition = {0};
    struct buffer problem;

    buffer_init(&problem, 1000);
    if (trigger_definition_parse((struct json_slice){body, strlen(body)}, false, &definition, &problem) != 0)
        fail_msg("%s: %s", body, buffer_text(&problem));
    assert_int_equal(buffer_size(&problem), 0);
    assert_string_equal(definition.schema, schema);
    assert_string_equal(definition.table, table);
    assert_string_equal(definition.channel, channel);
    assert_int_equal(definition.operations, operations);
    trigger_definition_done(&definition);
    trigger_definition_done(&definition);
    buffer_done(&problem);
}

static void assert_refused(const char *body, int expected_error, const char *expected_part)
{
    struct trigger_definition definition = {.operations = 77};
    struct buffer problem;

    buffer_init(&problem, 1000);
    int error = trigger_definition_parse((struct json_slice){body, strlen(body)}, false, &definition, &problem);
    if (error != expected_error)
        fail_msg("%d for %s", error, body);
    if (!strstr(buffer_text(&problem), expected_part))
        fail_msg("%s: %s", body, buffer_text(&problem));
    assert_int_equal(definition.operations, 77);
    assert_null(definition.table);
    buffer_done(&problem);
}

static void a_table_is_enough(void **state)
{
    (void)state;
    assert_taken("{\"table\":\"posts\"}", "public", "posts", "posts_changes", ALL);
    assert_taken(" {\"table\" : \"blog.posts\"}\n", "blog", "posts", "posts_changes", ALL);
    assert_taken("{\"table\":{\"name\":\"a.b\"}}", "public", "a.b", "a.b_changes", ALL);
    assert_taken("{\"table\":{\"schema\":\"x.y\",\"name\":\"a b\\\"'\"}}", "x.y", "a b\"'", "a b\"'_changes", ALL);
    assert_taken("{\"table\":\"\\u00e4\"}", "public", "\xc3\xa4", "\xc3\xa4_changes", ALL);
}

static void channel_and_operations_can_be_chosen(void **state)
{
    (void)state;
    assert_taken("{\"operations\":[\"INSERT\",\"DELETE\"],\"channel\":\"c d\",\"table\":\"s.t\"}", "s", "t", "c d",
                 EVENT_TYPE_INSERT | EVENT_TYPE_DELETE);
    assert_taken("{\"table\":\"t\",\"operations\":[\"TRUNCATE\"]}", "public", "t", "t_changes", EVENT_TYPE_TRUNCATE);
}

static void a_doubled_member_is_refused(void **state)
{
    (void)state;
    assert_refused("{\"table\":\"a.b\",\"channel\":\"x\",\"table\":\"t\"}", -EPROTO, "twice");
    assert_refused("{\"table\":\"t\",\"\\u0074able\":\"t\"}", -EPROTO, "twice");
}

static void what_is_not_json_is_told_apart_from_what_is_no_definition(void **state)
{
    static const char *const NOT_JSON[] = {"",
                                           "{",
                                           "{'table':'t'}",
                                           "{\"table\":\"t\"} x",
                                           "NaN",
                                           "{\"table\":\"\xff\"}",
                                           "{\"a\":[[[[[[[[[[[[1]]]]]]]]]]]]}"};
    static const char *const NO_OBJECT[] = {"1", "\"t\"", "[]", "[{\"table\":\"t\"}]", "true", "null"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(NOT_JSON); i++)
        assert_refused(NOT_JSON[i], -EINVAL, "The body is not JSON, or nested too deeply.");
    for (size_t i = 0; i < COUNT_OF(NO_OBJECT); i++)
        assert_refused(NO_OBJECT[i], -EPROTO, "The body must be a JSON object");
}

static void a_definition_without_a_table_is_refused(void **state)
{
    (void)state;
    assert_refused("{}", -EPROTO, "`table` is missing.");
    assert_refused("{\"channel\":\"c\"}", -EPROTO, "`table` is missing.");
    assert_refused("{\"table\":{}}", -EPROTO, "`table` needs a `name`.");
    assert_refused("{\"table\":{\"schema\":\"s\"}}", -EPROTO, "`table` needs a `name`.");
    assert_refused("{\"table\":null}", -EPROTO, "`table` must be a string.");
    assert_refused("{\"table\":7}", -EPROTO, "`table` must be a string.");
    assert_refused("{\"table\":\"\"}", -EPROTO, "`table` must be 1 to 63 bytes long");
    assert_refused("{\"table\":{\"name\":[]}}", -EPROTO, "`table.name` must be a string.");
}

static void a_table_with_unclear_dots_is_refused(void **state)
{
    static const char *const TABLES[] = {"a.b.c", ".a", "a.", ".", "a..b"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(TABLES); i++) {
        char body[64];
        snprintf(body, sizeof(body), "{\"table\":\"%s\"}", TABLES[i]);
        assert_refused(body, -EPROTO, "`table` must be \"table\", \"schema.table\", or");
    }
}

static void names_are_as_long_as_postgresql_allows_and_no_longer(void **state)
{
    (void)state;
    assert_taken("{\"table\":\"" NAME_63 "\",\"channel\":\"" NAME_63 "\"}", "public", NAME_63, NAME_63, ALL);
    assert_taken("{\"table\":\"" NAME_55 "\"}", "public", NAME_55, NAME_55 "_changes", ALL);
    assert_refused("{\"table\":\"" NAME_55 "6\"}", -EPROTO, "`channel` is needed");
    assert_refused("{\"table\":{\"name\":\"" NAME_63 "4\"}}", -EPROTO, "must be 1 to 63 bytes long");
    assert_refused("{\"table\":\"t\",\"channel\":\"" NAME_63 "4\"}", -EPROTO, "must be 1 to 63 bytes long");
    assert_refused("{\"table\":\"t\",\"channel\":\"\"}", -EPROTO, "`channel` must be 1 to 63 bytes long");
}

static void control_characters_and_nul_in_names_are_refused(void **state)
{
    (void)state;
    assert_refused("{\"table\":\"t\\n\"}", -EPROTO, "`table` must not hold control characters.");
    assert_refused("{\"table\":\"t\",\"channel\":\"\\u007f\"}", -EPROTO, "control characters");
    assert_refused("{\"table\":\"t\",\"channel\":\"a\\u0000b\"}", -EPROTO, "without NUL");
    assert_refused("{\"table\":{\"schema\":\"\\t\",\"name\":\"t\"}}", -EPROTO, "`table.schema` must not hold");
}

static void operations_are_a_list_of_known_ones_each_once(void **state)
{
    static const char *const OPERATIONS[] = {
        "[]",   "[\"INSERT\",\"INSERT\"]", "[\"insert\"]",      "[\"MERGE\"]",        "\"INSERT\"", "[1]", "[null]",
        "null", "{\"INSERT\":true}",       "[\"INSERT\",\"\"]", "[\"INSERT\\u0000\"]"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(OPERATIONS); i++) {
        char body[100];
        snprintf(body, sizeof(body), "{\"table\":\"t\",\"operations\":%s}", OPERATIONS[i]);
        assert_refused(body, -EPROTO, "`operations` must be a list of INSERT, UPDATE, DELETE and TRUNCATE");
    }
}

static void the_database_gets_a_checked_and_completed_definition(void **state)
{
    static const char body[] =
        "{\"table\":\"t\",\"old\":true,\"durable\":false,\"level\":\"row\","
        "\"columns\":[\"a\",\"b\\\"\"],\"where\":[{\"column\":\"n\",\"op\":\"in\",\"value\":[1,\"x\",true,1.50]},"
        "{\"op\":\"is null\",\"column\":\"m\"}],\"operations\":[\"DELETE\",\"INSERT\"]}";
    struct trigger_definition definition = {0};
    struct buffer problem;

    (void)state;
    buffer_init(&problem, 1000);
    assert_int_equal(trigger_definition_parse((struct json_slice){body, strlen(body)}, false, &definition, &problem),
                     0);
    assert_string_equal(
        definition.json,
        "{\"schema\":\"public\",\"table\":\"t\",\"channel\":\"t_changes\",\"operations\":[\"INSERT\",\"DELETE\"]"
        ",\"old\":true,\"level\":\"row\",\"columns\":[\"a\",\"b\\\"\"],\"where\":[{\"column\":\"n\",\"op\":\"in\","
        "\"value\":[1,\"x\","
        "true,"
        "1.50]},{\"column\":\"m\",\"op\":\"is null\"}]}");
    trigger_definition_done(&definition);
    buffer_done(&problem);
}

/* The definition as the database gets it, behind the operations. Good until the next call. */
static const char *rest_of_json(const char *body, bool whole_channel)
{
    static char rest[1000];
    struct trigger_definition definition = {0};
    struct buffer problem;

    buffer_init(&problem, 1000);
    if (trigger_definition_parse((struct json_slice){body, strlen(body)}, whole_channel, &definition, &problem) != 0)
        fail_msg("%s: %s", body, buffer_text(&problem));
    snprintf(rest, sizeof(rest), "%s", strchr(definition.json, ']') + 1);
    trigger_definition_done(&definition);
    buffer_done(&problem);
    return rest;
}

static void what_is_to_be_agreed_to_is_passed_on(void **state)
{
    (void)state;
    assert_string_equal(rest_of_json("{\"table\":\"t\",\"always\":true,\"row_security\":\"ignored\","
                                     "\"prepare_transaction\":\"fails\"}",
                                     false),
                        ",\"always\":true,\"row_security\":\"ignored\",\"prepare_transaction\":\"fails\"}");
    assert_string_equal(rest_of_json("{\"table\":\"t\",\"always\":false}", false), "}");
}

static void any_other_word_than_the_one_is_refused_with_what_that_means(void **state)
{
    static const char *const OTHERS[] = {"true",        "false", "null",          "\"\"", "1",
                                         "\"refused\"", "[]",    "[\"ignored\"]", "{}",   "\"ignored\\u0000\""};
    char body[100];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(OTHERS); i++) {
        snprintf(body, sizeof(body), "{\"table\":\"t\",\"row_security\":%s}", OTHERS[i]);
        assert_refused(
            body, -EPROTO,
            "`row_security` must be \"ignored\", which means that all who may read the channel get all rows, "
            "or be left out.");
        snprintf(body, sizeof(body), "{\"table\":\"t\",\"prepare_transaction\":%s}", OTHERS[i]);
        assert_refused(body, -EPROTO,
                       "`prepare_transaction` must be \"fails\", which means that PREPARE TRANSACTION fails after a "
                       "change of this table, or be left out.");
    }
    assert_refused("{\"table\":\"t\",\"always\":\"true\"}", -EPROTO, "`always` must be true or false.");
    assert_refused("{\"table\":\"t\",\"always\":null}", -EPROTO, "`always` must be true or false.");
}

static void a_whole_channel_is_asked_for_outside_of_the_definition(void **state)
{
    (void)state;
    assert_string_equal(rest_of_json("{\"table\":\"t\",\"durable\":true}", true),
                        ",\"durable\":true,\"whole_channel\":true}");
    assert_string_equal(rest_of_json("{\"table\":\"t\"}", true), ",\"whole_channel\":true}");
    assert_refused("{\"table\":\"t\",\"whole_channel\":true}", -EPROTO, "`whole_channel` is not known");
}

static void conditions_that_make_no_sense_are_refused(void **state)
{
    static const char *const CONDITIONS[] = {
        "{}",
        "[1]",
        "[{}]",
        "[{\"column\":\"a\",\"op\":\"=\"}]",
        "[{\"column\":\"a\",\"op\":\"like\",\"value\":1}]",
        "[{\"column\":\"a\",\"op\":\"=\",\"value\":null}]",
        "[{\"column\":\"a\",\"op\":\"=\",\"value\":[1]}]",
        "[{\"column\":\"a\",\"op\":\"in\",\"value\":[]}]",
        "[{\"column\":\"a\",\"op\":\"in\",\"value\":1}]",
        "[{\"column\":\"a\",\"op\":\"is null\",\"value\":1}]",
        "[{\"column\":\"a\",\"op\":\"is null\\u0000\"}]",
        "[{\"column\":\"a\",\"op\":\"=\",\"value\":1,\"x\":2}]",
        "[{\"column\":\"a\",\"op\":\"=\",\"value\":99999999999999999999}]",
        "[{\"column\":\"\",\"op\":\"=\",\"value\":1}]",
        "[{\"column\":\"a\",\"op\":\"=\",\"value\":\"\\u0000\"}]",
    };
    char body[300];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CONDITIONS); i++) {
        snprintf(body, sizeof(body), "{\"table\":\"t\",\"where\":%s}", CONDITIONS[i]);
        assert_refused(body, -EPROTO, "");
    }
}

static void an_unknown_member_is_named(void **state)
{
    (void)state;
    assert_refused("{\"table\":\"t\",\"colums\":[\"a\"]}", -EPROTO, "`colums` is not known");
    assert_refused("{\"Table\":\"t\"}", -EPROTO, "`Table` is not known");
    assert_refused("{\"\":1}", -EPROTO, "`` is not known");
    assert_refused("{\"table\":\"t\",\"level\":\"rows\"}", -EPROTO, "`level` must be \"row\" or \"statement\".");
    assert_refused("{\"table\":\"t\",\"level\":\"row\\u0000\"}", -EPROTO, "`level` must be \"row\" or \"statement\".");
}

static void a_trigger_name_is_short_and_plain(void **state)
{
    static const char *const BAD[] = {
        "", "a b", "a/b", "a%", "\xc3\xa4", "a\n", "12345678901234567890123456789012345678901"};

    (void)state;
    assert_true(trigger_name_is_valid("a"));
    assert_true(trigger_name_is_valid("Az09_.-"));
    assert_true(trigger_name_is_valid("1234567890123456789012345678901234567890"));
    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        assert_false(trigger_name_is_valid(BAD[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_enough),
        cmocka_unit_test(channel_and_operations_can_be_chosen),
        cmocka_unit_test(a_doubled_member_is_refused),
        cmocka_unit_test(what_is_not_json_is_told_apart_from_what_is_no_definition),
        cmocka_unit_test(a_definition_without_a_table_is_refused),
        cmocka_unit_test(a_table_with_unclear_dots_is_refused),
        cmocka_unit_test(names_are_as_long_as_postgresql_allows_and_no_longer),
        cmocka_unit_test(control_characters_and_nul_in_names_are_refused),
        cmocka_unit_test(operations_are_a_list_of_known_ones_each_once),
        cmocka_unit_test(the_database_gets_a_checked_and_completed_definition),
        cmocka_unit_test(what_is_to_be_agreed_to_is_passed_on),
        cmocka_unit_test(any_other_word_than_the_one_is_refused_with_what_that_means),
        cmocka_unit_test(a_whole_channel_is_asked_for_outside_of_the_definition),
        cmocka_unit_test(conditions_that_make_no_sense_are_refused),
        cmocka_unit_test(an_unknown_member_is_named),
        cmocka_unit_test(a_trigger_name_is_short_and_plain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
