/* Which rows a client may see, and what of them. */
#include "stream/row_filter.h"

#include "stream/decode.h"
#include "unit.h"

#include <errno.h>

static struct json_slice slice(const char *text)
{
    return (struct json_slice){text, strlen(text)};
}

static struct row_filter parse(const char *text)
{
    struct row_filter filter = {0};
    const char *wrong = NULL;

    if (row_filter_parse(slice(text), &filter, &wrong) < 0)
        fail_msg("%s: %s", text, wrong);
    return filter;
}

/* What a client with that filter gets of a payload; NULL: nothing. The text is good until the next call. */
static const char *shown(const char *where, const char *payload)
{
    static char json[1024];
    struct row_filter filter = parse(where);
    struct event *event;
    struct buffer out;

    assert_int_equal(decode_payload("c", payload, strlen(payload), &event), 0);
    enum sight sight = row_filter_sees(&filter, event);
    buffer_init(&out, sizeof(json) - 1);
    if (sight != SIGHT_NONE)
        row_filter_append(sight, event, &out);
    snprintf(json, sizeof(json), "%s", buffer_text(&out));
    assert_true(sight == SIGHT_NONE || json_is_valid(json, strlen(json)));
    buffer_done(&out);
    event_unref(event);
    row_filter_done(&filter);
    return sight == SIGHT_NONE ? NULL : json;
}

static bool fits(const char *where, const char *row)
{
    char payload[512];

    snprintf(payload, sizeof(payload), "{\"table\":\"t\",\"type\":\"INSERT\",\"id\":1,\"data\":%s}", row);
    return shown(where, payload) != NULL;
}

static void numbers_are_equal_by_value_and_strings_by_what_they_say(void **state)
{
    static const struct {
        const char *where, *row;
        bool fits;
    } samples[] = {
        {"{\"a\":42}", "{\"a\":42}", true},
        {"{\"a\":42}", "{\"a\":42.0}", true},
        {"{\"a\":42}", "{\"a\":42.00000000}", true},
        {"{\"a\":42}", "{\"a\":4.2e1}", true},
        {"{\"a\":42}", "{\"a\":0.42E+2}", true},
        {"{\"a\":42}", "{\"a\":4200e-2}", true},
        {"{\"a\":42}", "{\"a\":4.3e1}", false},
        {"{\"a\":42}", "{\"a\":-42}", false},
        {"{\"a\":42}", "{\"a\":420}", false},
        {"{\"a\":42}", "{\"a\":4.2}", false},
        {"{\"a\":42}", "{\"a\":402}", false},
        {"{\"a\":42}", "{\"a\":\"42\"}", false},
        {"{\"a\":42}", "{\"a\":[42]}", false},
        {"{\"a\":42}", "{\"a\":{\"a\":42}}", false},
        {"{\"a\":42}", "{\"a\":null}", false},
        {"{\"a\":42}", "{\"a\":true}", false},
        {"{\"a\":42}", "{\"a\":42e99999999999}", false},
        {"{\"a\":0}", "{\"a\":-0.000}", true},
        {"{\"a\":0}", "{\"a\":0e5}", true},
        {"{\"a\":0}", "{\"a\":false}", false},
        {"{\"a\":100}", "{\"a\":1e2}", true},
        {"{\"a\":-1.5}", "{\"a\":-15e-1}", true},
        {"{\"a\":12345678901234567890123456789012345678}", "{\"a\":12345678901234567890123456789012345678.0}", true},
        {"{\"a\":12345678901234567890123456789012345678}", "{\"a\":12345678901234567890123456789012345679}", false},
        {"{\"a\":9007199254740993}", "{\"a\":9007199254740992}", false},
        {"{\"a\":\"x\"}", "{\"a\":\"x\"}", true},
        {"{\"a\":\"x\"}", "{\"a\":\"\\u0078\"}", true},
        {"{\"a\":\"\\u00e9\"}", "{\"a\":\"\xc3\xa9\"}", true},
        {"{\"a\":\"x\"}", "{\"a\":\"X\"}", false},
        {"{\"a\":\"x\"}", "{\"a\":\"x \"}", false},
        {"{\"a\":\"x\"}", "{\"a\":\"x\\u0000\"}", false},
        {"{\"a\":\"n42e0\"}", "{\"a\":42}", false},
        {"{\"a\":\"true\"}", "{\"a\":true}", false},
        {"{\"a\":true}", "{\"a\":true}", true},
        {"{\"a\":true}", "{\"a\":false}", false},
        {"{\"a\":[1,2,\"x\"]}", "{\"a\":2}", true},
        {"{\"a\":[1,2,\"x\"]}", "{\"a\":\"x\"}", true},
        {"{\"a\":[1,2,\"x\"]}", "{\"a\":3}", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(samples); i++)
        if (fits(samples[i].where, samples[i].row) != samples[i].fits)
            fail_msg("%s %s", samples[i].where, samples[i].row);
}

static void a_row_whose_column_cannot_be_seen_is_not_shown(void **state)
{
    (void)state;
    assert_false(fits("{\"a\":1}", "{}"));
    assert_false(fits("{\"a\":1}", "null"));
    assert_false(fits("{\"a\":1}", "[1]"));
    assert_false(fits("{\"a\":1}", "{\"b\":1}"));
    assert_false(fits("{\"a\":1}", "{\"A\":1}"));
    assert_false(fits("{\"a\":1}", "{\"b\":{\"a\":1}}"));
    assert_false(fits("{\"a\":1,\"b\":2}", "{\"a\":1}"));
    assert_false(fits("{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":3}"));
    assert_true(fits("{\"a\":1,\"b\":2}", "{\"b\":2,\"c\":3,\"a\":1}"));
    assert_true(fits("{\"a\":1}", "{\"\\u0061\":1}"));
    /* Twice: which one would a client take? */
    assert_false(fits("{\"a\":1}", "{\"a\":1,\"a\":2}"));
    assert_false(fits("{\"a\":1}", "{\"a\":2,\"a\":1}"));
    assert_false(fits("{\"a\":1}", "{\"a\":1,\"\\u0061\":2}"));
}

#define CHANGE(type, members) "{\"table\":\"t\",\"type\":\"" type "\",\"id\":1," members "}"
#define SHOWN(type, members)  "{\"channel\":\"c\",\"table\":\"t\",\"type\":\"" type "\",\"id\":1," members "}"

static void old_is_shown_only_of_a_row_that_could_be_seen(void **state)
{
    const char mine[] = "{\"tenant\":1}";

    (void)state;
    assert_string_equal(
        shown(mine,
              CHANGE("UPDATE", "\"data\":{\"tenant\":1,\"x\":2},\"old\":{\"tenant\":1,\"x\":1},\"changed\":[\"x\"]")),
        SHOWN("UPDATE", "\"data\":{\"tenant\":1,\"x\":2},\"old\":{\"tenant\":1,\"x\":1},\"changed\":[\"x\"]"));
    /* It comes over from another tenant. */
    assert_string_equal(
        shown(mine, CHANGE("UPDATE",
                           "\"data\":{\"tenant\":1},\"old\":{\"tenant\":2,\"x\":1},\"changed\":[\"tenant\",\"x\"]")),
        SHOWN("UPDATE", "\"data\":{\"tenant\":1}"));
    /* It goes over to another tenant. */
    assert_null(
        shown(mine, CHANGE("UPDATE", "\"data\":{\"tenant\":2},\"old\":{\"tenant\":1},\"changed\":[\"tenant\"]")));
    /* The old row cannot be seen. */
    assert_string_equal(shown(mine, CHANGE("UPDATE", "\"data\":{\"tenant\":1},\"old\":{\"x\":1},\"changed\":[\"x\"]")),
                        SHOWN("UPDATE", "\"data\":{\"tenant\":1}"));
    assert_string_equal(shown(mine, CHANGE("UPDATE", "\"data\":{\"tenant\":1},\"changed\":[\"x\"],\"cut\":[\"old\"]")),
                        SHOWN("UPDATE", "\"data\":{\"tenant\":1}"));
    /* Cut for its size. */
    assert_null(shown(mine, CHANGE("UPDATE", "\"data\":null,\"cut\":[\"data\"]")));
    assert_null(shown(mine, CHANGE("UPDATE", "\"data\":null,\"old\":{\"tenant\":1},\"cut\":[\"data\"]")));
    assert_null(shown(mine, CHANGE("INSERT", "\"data\":null,\"cut\":[\"data\"]")));
}

static void a_delete_is_shown_to_whom_the_row_belonged(void **state)
{
    const char mine[] = "{\"tenant\":1}";

    (void)state;
    assert_string_equal(shown(mine, CHANGE("DELETE", "\"data\":{\"tenant\":1}")),
                        SHOWN("DELETE", "\"data\":{\"tenant\":1}"));
    assert_string_equal(shown(mine, CHANGE("DELETE", "\"data\":null,\"old\":{\"tenant\":1}")),
                        SHOWN("DELETE", "\"data\":null,\"old\":{\"tenant\":1}"));
    assert_null(shown(mine, CHANGE("DELETE", "\"data\":{\"tenant\":2}")));
    assert_null(shown(mine, CHANGE("DELETE", "\"data\":{\"tenant\":2},\"old\":{\"tenant\":1}")));
    assert_null(shown(mine, CHANGE("DELETE", "\"data\":null,\"old\":{\"tenant\":2}")));
    assert_null(shown(mine, CHANGE("DELETE", "\"data\":null,\"cut\":[\"data\"]")));
}

static void a_delete_without_its_row_is_shown_to_whom_that_belonged(void **state)
{
    const char mine[] = "{\"tenant\":1}";
    const char *const gone = SHOWN("DELETE", "\"data\":null");

    (void)state;
    assert_string_equal(shown(mine, CHANGE("DELETE", "\"data\":null,\"_was\":{\"tenant\":1,\"x\":2}")), gone);
    assert_string_equal(
        shown(mine, CHANGE("DELETE", "\"op\":\"UPDATE\",\"_was\":{\"tenant\":1}")),
        "{\"channel\":\"c\",\"table\":\"t\",\"type\":\"DELETE\",\"op\":\"UPDATE\",\"id\":1,\"data\":null}");
    assert_null(shown(mine, CHANGE("DELETE", "\"data\":null,\"_was\":{\"tenant\":2}")));
    assert_null(shown(mine, CHANGE("DELETE", "\"data\":null,\"_was\":{\"x\":1}")));
    assert_null(shown(mine, CHANGE("DELETE", "\"data\":null,\"_was\":[1]")));
    assert_null(shown(mine, CHANGE("DELETE", "\"op\":\"UPDATE\",\"data\":null")));
    /* The row itself counts for more. */
    assert_null(shown(mine, CHANGE("DELETE", "\"data\":{\"tenant\":2},\"_was\":{\"tenant\":1}")));
    assert_null(shown(mine, CHANGE("DELETE", "\"data\":null,\"old\":{\"tenant\":2},\"_was\":{\"tenant\":1}")));
    /* Only a DELETE may be without it. */
    assert_null(shown(mine, CHANGE("UPDATE", "\"data\":null,\"_was\":{\"tenant\":1}")));
    assert_null(shown(mine, CHANGE("INSERT", "\"op\":\"UPDATE\",\"data\":null,\"_was\":{\"tenant\":1}")));
}

static void a_column_that_was_left_out_fits_nothing(void **state)
{
    const char mine[] = "{\"tenant\":1}";

    (void)state;
    assert_null(shown(mine, CHANGE("INSERT", "\"data\":{\"x\":1},\"cut\":[\"data.tenant\"]")));
    assert_null(shown(mine, CHANGE("DELETE", "\"data\":{\"x\":1},\"cut\":[\"data.tenant\"]")));
    assert_null(shown(mine, CHANGE("DELETE", "\"data\":null,\"_was\":{\"x\":1},\"cut\":[\"old.tenant\"]")));
    assert_string_equal(shown(mine, CHANGE("INSERT", "\"data\":{\"tenant\":1},\"cut\":[\"data.x\"]")),
                        SHOWN("INSERT", "\"data\":{\"tenant\":1},\"cut\":[\"data.x\"]"));
    /* The old row's column cannot be seen, so nothing of that row is told. */
    assert_string_equal(shown(mine, CHANGE("UPDATE", "\"data\":{\"tenant\":1},\"old\":{\"x\":1},\"changed\":[\"x\"],"
                                                     "\"cut\":[\"old.tenant\"]")),
                        SHOWN("UPDATE", "\"data\":{\"tenant\":1}"));
}

static void cut_tells_nothing_of_an_old_row_that_is_not_shown(void **state)
{
    const char mine[] = "{\"tenant\":1}";

    (void)state;
#define CUT(old, cut) CHANGE("UPDATE", "\"data\":{\"tenant\":1}," old "\"cut\":[" cut "]")
    assert_string_equal(
        shown(mine, CUT("\"old\":{\"tenant\":2},", "\"data.x\",\"old.x\",\"old.y\",\"data.y\",\"changed\"")),
        SHOWN("UPDATE", "\"data\":{\"tenant\":1},\"cut\":[\"data.x\",\"data.y\"]"));
    assert_string_equal(shown(mine, CUT("\"old\":{\"tenant\":2},", "\"old.\\\"x\"")),
                        SHOWN("UPDATE", "\"data\":{\"tenant\":1}"));
    assert_string_equal(shown(mine, CUT("", "\"old\",\"id\"")),
                        SHOWN("UPDATE", "\"data\":{\"tenant\":1},\"cut\":[\"id\"]"));
    assert_string_equal(shown(mine, CUT("\"old\":{\"tenant\":1},", "\"old.x\"")),
                        SHOWN("UPDATE", "\"data\":{\"tenant\":1},\"old\":{\"tenant\":1},\"cut\":[\"old.x\"]"));
}

static void a_row_is_judged_however_deep_its_json_is(void **state)
{
    enum { DEPTH = 3000 };
    static char row[2 * DEPTH + 64], payload[2 * DEPTH + 128];
    struct row_filter filter = parse("{\"a\":1}");
    struct event *event;

    (void)state;
    for (int a = 1; a <= 2; a++) {
        int head = sprintf(row, "{\"deep\":");
        memset(row + head, '[', DEPTH);
        memset(row + head + DEPTH, ']', DEPTH);
        sprintf(row + head + 2 * DEPTH, ",\"a\":%d}", a);
        int size = sprintf(payload, "{\"table\":\"t\",\"type\":\"INSERT\",\"id\":1,\"data\":%s}", row);
        assert_int_equal(decode_payload("c", payload, (size_t)size, &event), 0);
        assert_int_equal(row_filter_sees(&filter, event), a == 1 ? SIGHT_ROW : SIGHT_NONE);
        event_unref(event);
    }
    row_filter_done(&filter);
}

static void truncate_has_no_row_and_is_shown(void **state)
{
    (void)state;
    assert_non_null(shown("{\"a\":1}", "{\"table\":\"t\",\"type\":\"TRUNCATE\",\"id\":null,\"data\":null}"));
    assert_null(shown("{\"a\":1}", "{\"table\":\"t\",\"type\":\"TRUNCATE\",\"id\":null,\"data\":{\"a\":2}}"));
    assert_null(shown("{\"a\":1}", "{\"table\":\"t\",\"type\":\"TRUNCATE\",\"data\":null,\"old\":{\"a\":2}}"));
}

static void what_is_not_known_is_not_shown(void **state)
{
    (void)state;
    assert_null(shown("{\"a\":1}", "{\"a\":1}"));
    assert_null(shown("{\"a\":1}", "{\"data\":{\"a\":1}}"));
    assert_null(shown("{\"a\":1}", "plain text"));
    assert_null(shown("{\"a\":1}", "[{\"a\":1}]"));
    assert_string_equal(
        shown("{\"a\":1}", CHANGE("INSERT", "\"data\":{\"a\":1},\"previous\":{\"a\":2},\"ol\\u0064\":{\"a\":2}")),
        SHOWN("INSERT", "\"data\":{\"a\":1}"));
    assert_string_equal(shown("{\"a\":1}", CHANGE("INSERT", "\"data\":{\"a\":2},\"dat\\u0061\":{\"a\":1}")),
                        SHOWN("INSERT", "\"data\":{\"a\":1}"));
}

static void filters_that_say_the_same_have_the_same_key(void **state)
{
    static const char *const same[] = {"{\"a\":1,\"b\":[2,\"x\"]}", "{\"b\":[\"x\",2.0,2],\"a\":1.0}",
                                       "{ \"\\u0062\" : [ 2e0 , \"\\u0078\" ] , \"a\" : 10e-1 }"};
    static const char *const others[] = {"{\"a\":1}", "{\"a\":1,\"b\":[2]}", "{\"a\":1,\"b\":[2,\"x\",3]}",
                                         "{\"a\":\"1\",\"b\":[2,\"x\"]}", "{\"a\":1,\"bn2e0\":\"x\"}"};
    struct buffer key, other;

    (void)state;
    buffer_init(&key, 4096);
    buffer_init(&other, 4096);
    for (size_t i = 0; i < COUNT_OF(same) + COUNT_OF(others); i++) {
        struct row_filter filter = parse(i < COUNT_OF(same) ? same[i] : others[i - COUNT_OF(same)]), copy;
        assert_int_equal(row_filter_copy(&filter, &copy), 0);
        row_filter_done(&filter);
        buffer_clear(&other);
        row_filter_key(&copy, i == 0 ? &key : &other);
        row_filter_done(&copy);
        if (i > 0 && i < COUNT_OF(same))
            assert_string_equal(buffer_text(&key), buffer_text(&other));
        else if (i > 0)
            assert_string_not_equal(buffer_text(&key), buffer_text(&other));
    }
    buffer_done(&key);
    buffer_done(&other);
}

static void a_filter_has_at_most_16_columns_and_256_values(void **state)
{
    struct row_filter filter;
    struct buffer text;
    const char *wrong;

    (void)state;
    buffer_init(&text, 1 << 16);
    for (int columns = 16; columns <= 17; columns++) {
        buffer_clear(&text);
        for (int i = 0; i < columns; i++)
            buffer_printf(&text, "%s\"c%d\":1", i > 0 ? "," : "{", i);
        buffer_append_text(&text, "}");
        assert_int_equal(row_filter_parse(slice(buffer_text(&text)), &filter, &wrong), columns == 16 ? 0 : -EINVAL);
        if (columns == 16)
            row_filter_done(&filter);
    }
    for (int values = 256; values <= 257; values++) {
        buffer_clear(&text);
        for (int i = 0; i < values; i++)
            buffer_printf(&text, "%s%d", i > 0 ? "," : "{\"a\":[", i);
        buffer_append_text(&text, "]}");
        assert_int_equal(row_filter_parse(slice(buffer_text(&text)), &filter, &wrong), values == 256 ? 0 : -EINVAL);
        if (values == 256)
            row_filter_done(&filter);
    }
    buffer_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_equal_by_value_and_strings_by_what_they_say),
        cmocka_unit_test(a_row_whose_column_cannot_be_seen_is_not_shown),
        cmocka_unit_test(old_is_shown_only_of_a_row_that_could_be_seen),
        cmocka_unit_test(a_delete_is_shown_to_whom_the_row_belonged),
        cmocka_unit_test(a_delete_without_its_row_is_shown_to_whom_that_belonged),
        cmocka_unit_test(a_column_that_was_left_out_fits_nothing),
        cmocka_unit_test(cut_tells_nothing_of_an_old_row_that_is_not_shown),
        cmocka_unit_test(a_row_is_judged_however_deep_its_json_is),
        cmocka_unit_test(truncate_has_no_row_and_is_shown),
        cmocka_unit_test(what_is_not_known_is_not_shown),
        cmocka_unit_test(filters_that_say_the_same_have_the_same_key),
        cmocka_unit_test(a_filter_has_at_most_16_columns_and_256_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
