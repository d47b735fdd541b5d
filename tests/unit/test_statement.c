#include "stream/statement.h"

#include "base/limits.h"
#include "stream/decode.h"
#include "unit.h"

#include <errno.h>

enum { SENDER = 4711 };

#define POSTS                                                                                                          \
    "{\"_\":18,\"schema\":\"public\",\"table\":\"posts\",\"type\":\"INSERT\",\"key\":[\"id\"],\"columns\":[\"id\","    \
    "\"title\"]}"

static bool begin(struct statement *statement, const char *payload)
{
    char *exact = malloc(strlen(payload));

    assert_non_null(exact);
    memcpy(exact, payload, strlen(payload));
    bool begun = statement_begin(statement, SENDER, exact, strlen(payload));
    free(exact); /* nothing of the statement may be in it */
    return begun;
}

static int expand(struct statement *statement, const char *payload, struct json_slice *ret_whole)
{
    char *exact = malloc(strlen(payload));

    assert_non_null(exact);
    memcpy(exact, payload, strlen(payload));
    assert_true(statement_is_row(exact, strlen(payload)));
    int error = statement_expand(statement, SENDER, exact, strlen(payload), ret_whole);
    free(exact);
    return error;
}

static void assert_whole(const char *beginning, const char *row, const char *expected)
{
    struct statement statement = {0};
    struct json_slice whole;

    assert_true(begin(&statement, beginning));
    assert_int_equal(expand(&statement, row, &whole), 0);
    assert_int_equal(whole.size_bytes, strlen(expected));
    assert_memory_equal(whole.text, expected, whole.size_bytes);
    assert_true(json_is_valid(whole.text, whole.size_bytes));
    statement_done(&statement);
}

static void a_row_becomes_the_payload_that_it_would_have_been(void **state)
{
    (void)state;
    assert_whole(POSTS, "{\"_\":18,\"row\":[1.50,\"Gr\xc3\xbc\xc3\x9f \\u00e4, [\\\"\"]}",
                 "{\"schema\":\"public\",\"table\":\"posts\",\"type\":\"INSERT\",\"id\":1.50,"
                 "\"data\":{\"id\":1.50,\"title\":\"Gr\xc3\xbc\xc3\x9f \\u00e4, [\\\"\"}}");
    assert_whole(POSTS, "{\"_\":18,\"row\":[null,{\"a\":[1,{}],\n\"b\":2}],\"n\":99}",
                 "{\"schema\":\"public\",\"table\":\"posts\",\"type\":\"INSERT\",\"id\":null,"
                 "\"data\":{\"id\":null,\"title\":{\"a\":[1,{}],\n\"b\":2}}}");
    /* What stands around a value of the type json is a part of it. */
    assert_whole(POSTS, "{\"_\":18,\"row\":[null, \t{\"a\":[1,{}],\n\"b\":2}  ],\"n\":99}",
                 "{\"schema\":\"public\",\"table\":\"posts\",\"type\":\"INSERT\",\"id\":null,"
                 "\"data\":{\"id\":null,\"title\": \t{\"a\":[1,{}],\n\"b\":2}  }}");
}

static void names_stand_as_they_came(void **state)
{
    (void)state;
    assert_whole(
        "{\"_\":1,\"schema\":\"a\\\"b\",\"table\":\"]\",\"type\":\"DELETE\",\"key\":[\"x,\\u0001\"],\"columns\":[\"}\","
        "\"x,\\u0001\"]}",
        "{\"_\":1,\"row\":[1,2]}",
        "{\"schema\":\"a\\\"b\",\"table\":\"]\",\"type\":\"DELETE\",\"id\":2,\"data\":{\"}\":1,\"x,\\u0001\":2}}");
}

static void the_key_may_be_none_several_columns_or_come_with_the_row(void **state)
{
    (void)state;
    assert_whole("{\"_\":1,\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"key\":[],\"columns\":[\"a\"]}",
                 "{\"_\":1,\"row\":[7]}",
                 "{\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"id\":null,\"data\":{\"a\":7}}");
    assert_whole("{\"_\":1,\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"key\":[\"b\",\"a\"],\"columns\":["
                 "\"a\",\"b\",\"c\"]}",
                 "{\"_\":1,\"row\":[7,\"x\",8]}",
                 "{\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"id\":{\"b\":\"x\",\"a\":7},\"data\":{\"a\":7,"
                 "\"b\":\"x\",\"c\":8}}");
    /* A replica identity may be a unique index on (a, a). */
    assert_whole(
        "{\"_\":1,\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"key\":[\"a\",\"a\"],\"columns\":[\"a\"]}",
        "{\"_\":1,\"row\":[7]}",
        "{\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"id\":{\"a\":7,\"a\":7},\"data\":{\"a\":7}}");
    assert_whole("{\"_\":1,\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"key\":[\"k\"],\"columns\":[]}",
                 "{\"_\":1,\"row\":[],\"id\":{\"k\":1}}",
                 "{\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"id\":{\"k\":1},\"data\":{}}");
}

static void old_values_come_with_the_names_of_what_changed(void **state)
{
    static const char BEGINNING[] = "{\"_\":1,\"schema\":\"s\",\"table\":\"t\",\"type\":\"UPDATE\",\"key\":[\"a\"],"
                                    "\"columns\":[\"a\",\"b\",\"c\"]}";

    (void)state;
    assert_whole(
        BEGINNING, "{\"_\":1,\"row\":[1,\"x\",1.0],\"old\":[1,null,1.00],\"n\":2}",
        "{\"schema\":\"s\",\"table\":\"t\",\"type\":\"UPDATE\",\"id\":1,\"data\":{\"a\":1,\"b\":\"x\",\"c\":1.0},"
        "\"old\":{\"a\":1,\"b\":null,\"c\":1.00},\"changed\":[\"b\",\"c\"]}");
    assert_whole(BEGINNING, "{\"_\":1,\"row\":[1,2,3],\"old\":[1,2,3]}",
                 "{\"schema\":\"s\",\"table\":\"t\",\"type\":\"UPDATE\",\"id\":1,\"data\":{\"a\":1,\"b\":2,\"c\":3},"
                 "\"old\":{\"a\":1,\"b\":2,\"c\":3},\"changed\":[]}");
}

#define BY_UPDATE(type, more)                                                                                          \
    "{\"_\":1,\"schema\":\"s\",\"table\":\"t\",\"type\":\"" type "\"," more "\"key\":[\"a\"],\"columns\":[\"a\","      \
    "\"b\"]}"

static void the_statement_may_have_been_another_one_than_the_type_says(void **state)
{
    (void)state;
    assert_whole(
        BY_UPDATE("INSERT", "\"op\":\"UPDATE\","), "{\"_\":1,\"row\":[1,2]}",
        "{\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"op\":\"UPDATE\",\"id\":1,\"data\":{\"a\":1,\"b\":2}}");
    assert_whole(
        BY_UPDATE("DELETE", "\"op\":\"DELETE\","), "{\"_\":1,\"row\":[1,2]}",
        "{\"schema\":\"s\",\"table\":\"t\",\"type\":\"DELETE\",\"op\":\"DELETE\",\"id\":1,\"data\":{\"a\":1,\"b\":2}}");
}

static void a_delete_by_another_statement_has_no_data_and_says_what_was_there(void **state)
{
    struct json_slice whole;
    struct statement statement = {0};
    struct event *event;

    (void)state;
    assert_whole(BY_UPDATE("DELETE", "\"op\":\"UPDATE\","), "{\"_\":1,\"row\":[1,{\"x\":2}]}",
                 "{\"schema\":\"s\",\"table\":\"t\",\"type\":\"DELETE\",\"op\":\"UPDATE\",\"id\":1,\"data\":null,"
                 "\"_was\":{\"a\":1,\"b\":{\"x\":2}}}");
    assert_true(begin(&statement, BY_UPDATE("DELETE", "\"op\":\"UPDATE\",")));
    assert_int_equal(expand(&statement, "{\"_\":1,\"row\":[7,2]}", &whole), 0);
    assert_int_equal(decode_payload("c", whole.text, whole.size_bytes, &event), 0);
    assert_string_equal(event_json(event), "{\"channel\":\"c\",\"schema\":\"s\",\"table\":\"t\",\"type\":\"DELETE\","
                                           "\"op\":\"UPDATE\",\"id\":7,\"data\":null}");
    assert_string_equal(event_was(event), "{\"a\":7,\"b\":2}");
    event_unref(event);
    assert_false(begin(&statement, BY_UPDATE("DELETE", "\"op\":null,")));
    assert_false(begin(&statement, BY_UPDATE("DELETE", "\"op\":\"UPDATE\",\"op\":\"UPDATE\",")));
    statement_done(&statement);
}

static void a_row_belongs_to_the_last_statement_or_to_none(void **state)
{
    struct statement statement = {0};
    struct json_slice whole;

    (void)state;
    assert_int_equal(expand(&statement, "{\"_\":18,\"row\":[1,2]}", &whole), -ENOENT);
    assert_true(begin(&statement, POSTS));
    assert_int_equal(expand(&statement, "{\"_\":18,\"row\":[1,2]}", &whole), 0);
    assert_int_equal(expand(&statement, "{\"_\":1,\"row\":[1,2]}", &whole), -ENOENT);
    assert_int_equal(expand(&statement, "{\"_\":181,\"row\":[1,2]}", &whole), -ENOENT);
    assert_true(begin(
        &statement, "{\"_\":19,\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"key\":[],\"columns\":[\"a\"]}"));
    assert_int_equal(expand(&statement, "{\"_\":18,\"row\":[1,2]}", &whole), -ENOENT);
    assert_int_equal(expand(&statement, "{\"_\":19,\"row\":[1]}", &whole), 0);
    statement_forget(&statement);
    assert_int_equal(expand(&statement, "{\"_\":19,\"row\":[1]}", &whole), -ENOENT);
    statement_done(&statement);
}

static void a_row_belongs_to_the_session_that_sent_its_statement(void **state)
{
    static const char ROW[] = "{\"_\":18,\"row\":[1,2]}";
    struct statement statement = {0};
    struct json_slice whole;

    (void)state;
    assert_true(begin(&statement, POSTS));
    assert_int_equal(statement_expand(&statement, SENDER + 1, ROW, strlen(ROW), &whole), -ENOENT);
    assert_int_equal(statement_expand(&statement, SENDER, ROW, strlen(ROW), &whole), 0);
    assert_true(statement_begin(&statement, SENDER + 1, POSTS, strlen(POSTS)));
    assert_int_equal(statement_expand(&statement, SENDER, ROW, strlen(ROW), &whole), -ENOENT);
    assert_int_equal(statement_expand(&statement, SENDER + 1, ROW, strlen(ROW), &whole), 0);
    statement_done(&statement);
}

static void a_row_has_as_many_values_as_there_are_columns(void **state)
{
    static const char *const ROWS[] = {"{\"_\":18,\"row\":[]}", "{\"_\":18,\"row\":[1]}", "{\"_\":18,\"row\":[1,2,3]}",
                                       "{\"_\":18,\"row\":[1,2],\"old\":[1]}"};
    struct statement statement = {0};
    struct json_slice whole;

    (void)state;
    assert_true(begin(&statement, POSTS));
    for (size_t i = 0; i < COUNT_OF(ROWS); i++)
        assert_int_equal(expand(&statement, ROWS[i], &whole), -EBADMSG);
    statement_done(&statement);
}

static void what_only_looks_like_it_is_an_ordinary_payload(void **state)
{
    static const char *const PAYLOADS[] = {
        "",
        "{\"_\":",
        "{\"_\":18",
        "{\"_\":18,",
        "{\"_\":18,\"row\":[",
        "{\"_\":18,\"row\":[1]",
        "{\"_\":18,\"row\":7}",
        "{\"_\":\"18\",\"row\":[1]}",
        "{\"_\":,\"row\":[1]}",
        "{\"_\": 18,\"row\":[1]}",
        "{\"row\":[1],\"_\":18}",
        "{\"_\":18,\"schema\":\"s\"}",
        "{\"_\":18,\"schema\":null,\"table\":\"t\",\"type\":\"INSERT\",\"key\":[],\"columns\":[]}",
        "{\"_\":18,\"schema\":\"s\",\"table\":7,\"type\":\"INSERT\",\"key\":[],\"columns\":[]}",
        "{\"_\":18,\"schema\":\"s\",\"table\":\"t\",\"type\":{},\"key\":[],\"columns\":[]}",
        "{\"_\":18,\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"key\":\"id\",\"columns\":[]}",
        "{\"_\":18,\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"key\":[1],\"columns\":[]}",
        "{\"_\":18,\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"key\":[],\"columns\":[1]}",
        "{\"_\":18,\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"key\":[],\"columns\":[\"a\"]",
        "{\"_\":18,\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"id\":7,\"data\":{\"id\":7}}",
        "{\"_\":18,\"row\":[1],\"old\":7}",
        "{\"_\":18,\"row\":[1],\"row\":[1]}",
        "{\"_\":18,\"row\":[1],\"old\":[1],\"old\":[2]}",
        "{\"_\":18,\"row\":[1],\"id\":1,\"id\":2}",
        "{\"_\":18,\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"key\":[],\"columns\":[],\"schema\":\"s\"}",
        "{\"_\":18,\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"key\":[],\"columns\":[],\"table\":\"u\"}",
        "{\"_\":18,\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"key\":[],\"columns\":[],\"type\":\"INSERT\"}",
        "{\"_\":18,\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"key\":[],\"columns\":[],\"key\":[]}",
        "{\"_\":18,\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"key\":[],\"columns\":[],\"columns\":[\"a\"]}",
    };
    struct statement statement = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(PAYLOADS); i++) {
        assert_false(begin(&statement, PAYLOADS[i]));
        assert_false(statement_is_row(PAYLOADS[i], strlen(PAYLOADS[i])));
    }
    statement_done(&statement);
}

/* Whoever names a long column again and again as the key, as often as he may. */
static void nothing_very_large_is_made_of_a_long_value_and_a_long_key(void **state)
{
    static char beginning[8000], row[8000];
    struct statement statement = {0};
    struct json_slice whole;

    (void)state;
    assert_int_equal(KEY_COLUMNS_MAX, 32); /* PostgreSQL's max_index_keys: with less, tables would lose their rows */
    for (int columns = KEY_COLUMNS_MAX + 1; columns >= KEY_COLUMNS_MAX; columns--) {
        char *at =
            beginning + sprintf(beginning, "{\"_\":1,\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"key\":[");
        for (int i = 0; i < columns; i++)
            at += sprintf(at, "%s\"k\"", i > 0 ? "," : "");
        strcpy(at, "],\"columns\":[\"k\"]}");
        assert_int_equal(begin(&statement, beginning), columns <= KEY_COLUMNS_MAX);
    }
    sprintf(row, "{\"_\":1,\"row\":[\"%07900d\"]}", 0);
    assert_int_equal(expand(&statement, row, &whole), 0);
    assert_true(whole.size_bytes < (KEY_COLUMNS_MAX + 2) * sizeof(row));
    statement_done(&statement);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_becomes_the_payload_that_it_would_have_been),
        cmocka_unit_test(names_stand_as_they_came),
        cmocka_unit_test(the_key_may_be_none_several_columns_or_come_with_the_row),
        cmocka_unit_test(old_values_come_with_the_names_of_what_changed),
        cmocka_unit_test(the_statement_may_have_been_another_one_than_the_type_says),
        cmocka_unit_test(a_delete_by_another_statement_has_no_data_and_says_what_was_there),
        cmocka_unit_test(a_row_belongs_to_the_last_statement_or_to_none),
        cmocka_unit_test(a_row_belongs_to_the_session_that_sent_its_statement),
        cmocka_unit_test(a_row_has_as_many_values_as_there_are_columns),
        cmocka_unit_test(what_only_looks_like_it_is_an_ordinary_payload),
        cmocka_unit_test(nothing_very_large_is_made_of_a_long_value_and_a_long_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
