#include "stream/log_change.h"

#include "base/limits.h"
#include "stream/row_filter.h"
#include "unit.h"

#include <errno.h>

#define HEAD  "\"schema\":\"public\",\"table\":\"posts\",\"type\":\"UPDATE\",\"id\":"
#define AT_US INT64_C(1795555580115470) /* 2026-11-24T21:26:20.115470 UTC */
#define AT    ",\"at\":\"2026-11-24T21:26:20.115470+00:00\""

struct fixture {
    struct log_decoder decoder;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    log_decoder_init(&fixture->decoder);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    log_decoder_done(&fixture->decoder);
    free(fixture);
    return 0;
}

static struct json_slice slice(const char *text)
{
    return (struct json_slice){text, strlen(text)};
}

static struct log_change change(const char *head, const char *id, const char *data, const char *old)
{
    return (struct log_change){
        .channel = "c", .head = slice(head), .id = slice(id), .data = slice(data), .old = slice(old), .at_us = AT_US};
}

static struct event *decode(void **state, const struct log_change *from)
{
    struct fixture *fixture = *state;
    struct event *event = NULL;

    assert_int_equal(log_decoder_decode(&fixture->decoder, from, &event), 0);
    assert_true(json_is_valid(event_json(event), event->json_bytes));
    assert_null(strpbrk(event_json(event), "\r\n"));
    return event;
}

static void assert_decoded(void **state, const struct log_change *from, const char *expected)
{
    struct event *event = decode(state, from);

    assert_string_equal(event_json(event), expected);
    event_unref(event);
}

static void a_row_goes_out_as_the_log_has_it(void **state)
{
    struct log_change one = change(HEAD, "7", "{\"id\":7,\"n\":1.50}", ",\"old\":{\"id\":7},\"changed\":[\"n\"]");
    struct event *event = decode(state, &one);

    assert_string_equal(event_json(event),
                        "{\"channel\":\"c\"," HEAD
                        "7,\"data\":{\"id\":7,\"n\":1.50},\"old\":{\"id\":7},\"changed\":[\"n\"]" AT "}");
    assert_int_equal(event->type, EVENT_TYPE_UPDATE);
    assert_string_equal(event_schema(event), "public");
    assert_string_equal(event_table(event), "posts");
    assert_string_equal(event_id(event), "7");
    event_unref(event);
}

static void what_was_left_out_for_its_size_is_named_in_cut(void **state)
{
    struct log_change one = change(HEAD, "7", "", "");

    assert_decoded(state, &one, "{\"channel\":\"c\"," HEAD "7,\"data\":null" AT ",\"cut\":[\"data\"]}");
    one.old_left_out = true;
    assert_decoded(state, &one, "{\"channel\":\"c\"," HEAD "7,\"data\":null" AT ",\"cut\":[\"data\",\"old\"]}");
    one.data = slice("{}");
    assert_decoded(state, &one, "{\"channel\":\"c\"," HEAD "7,\"data\":{}" AT ",\"cut\":[\"old\"]}");
}

static void columns_that_could_not_be_made_json_are_named_in_cut(void **state)
{
    struct log_change one = change(HEAD, "7", "{}", ",\"old\":{},\"changed\":[]");

    one.lost = slice("\"data.shape\",\"old.shape\"");
    assert_decoded(state, &one,
                   "{\"channel\":\"c\"," HEAD "7,\"data\":{},\"old\":{},\"changed\":[]" AT
                   ",\"cut\":[\"data.shape\",\"old.shape\"]}");
    one.old = slice("");
    one.old_left_out = true;
    one.lost = slice("\"data.a\\\"b\"");
    assert_decoded(state, &one, "{\"channel\":\"c\"," HEAD "7,\"data\":{}" AT ",\"cut\":[\"old\",\"data.a\\\"b\"]}");
    one.data = slice("");
    assert_decoded(state, &one,
                   "{\"channel\":\"c\"," HEAD "7,\"data\":null" AT ",\"cut\":[\"data\",\"old\",\"data.a\\\"b\"]}");
}

#define LEFT "\"schema\":\"s\",\"table\":\"t\",\"type\":\"DELETE\",\"op\":\"UPDATE\",\"id\":"

static void what_a_deleted_row_was_is_kept_for_filters_and_not_sent(void **state)
{
    struct log_change one = change(LEFT, "7", "null", ",\"_was\":{\"a\":1}");
    struct event *event = decode(state, &one);

    assert_string_equal(event_json(event), "{\"channel\":\"c\"," LEFT "7,\"data\":null" AT "}");
    assert_int_equal(event->type, EVENT_TYPE_DELETE);
    assert_string_equal(event_was(event), "{\"a\":1}");
    event_unref(event);
    one = change(LEFT, "7", "null", "");
    event = decode(state, &one);
    assert_null(event_was(event));
    event_unref(event);
}

static void a_row_may_be_nested_more_deeply_than_a_notification_can_be(void **state)
{
    enum { DEPTH = 100000 };
    char *data = malloc(2 * DEPTH + 32);
    struct fixture *fixture = *state;
    struct row_filter filter;
    const char *wrong;
    struct event *event;

    assert_non_null(data);
    memset(data, '[', 2 * DEPTH + 32);
    memcpy(data, "{\"deep\":", 8);
    memset(data + 8 + DEPTH, ']', DEPTH);
    strcpy(data + 8 + 2 * DEPTH, ",\"a\":1}");
    struct log_change one = change(HEAD, "1", data, "");
    assert_int_equal(log_decoder_decode(&fixture->decoder, &one, &event), 0);
    assert_non_null(strstr(event_json(event), data));
    assert_int_equal(row_filter_parse(slice("{\"a\":1}"), &filter, &wrong), 0);
    assert_int_equal(row_filter_sees(&filter, event), SIGHT_ROW);
    row_filter_done(&filter);
    event_unref(event);
    free(data);
}

static void one_head_after_the_other_is_looked_into(void **state)
{
    const char other[] = "\"schema\":\"s\",\"table\":\"gr\\u00fc\\\"n\",\"type\":\"DELETE\",\"id\":";

    for (int round = 0; round < 2; round++) {
        struct log_change one = change(HEAD, "1", "{}", ""), two = change(other, "null", "{}", "");
        event_unref(decode(state, &one));
        struct event *event = decode(state, &two);
        assert_int_equal(event->type, EVENT_TYPE_DELETE);
        assert_string_equal(event_table(event), "gr\xc3\xbc\"n");
        assert_null(event_id(event));
        event_unref(event);
    }
}

static void a_head_that_is_not_ours_tells_nothing(void **state)
{
    const char *const heads[] = {"", "x", "\"type\":\"INSERT\"", "\"type\":\"TRICK\",\"id\":", "\"id\":1},{\"id\":"};

    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        struct log_change one = change(heads[i], "1", "{}", "");
        assert_decoded(state, &one, "{\"channel\":\"c\",\"table\":null,\"type\":null,\"id\":null,\"data\":{}" AT "}");
    }
}

static void keys_are_what_filters_compare_with(void **state)
{
    struct log_change text = change(HEAD, "\"a\\u0041\\\\\"", "{}", ""), object = change(HEAD, "{\"a\":1}", "{}", ""),
                      nul = change(HEAD, "\"a\\u0000b\"", "{}", "");
    struct event *event = decode(state, &text);

    assert_string_equal(event_id(event), "aA\\");
    event_unref(event);
    event = decode(state, &object);
    assert_string_equal(event_id(event), "{\"a\":1}");
    event_unref(event);
    event = decode(state, &nul); /* it does not pass for "a" */
    assert_string_equal(event_id(event), "a\x1a"
                                         "b");
    event_unref(event);
}

static void line_breaks_between_tokens_become_spaces(void **state)
{
    struct log_change one = change(HEAD, "1", "{\"j\":{\"a\":1,\r\n\"b\":2}}", "");

    assert_decoded(state, &one, "{\"channel\":\"c\"," HEAD "1,\"data\":{\"j\":{\"a\":1,  \"b\":2}}" AT "}");
}

static void times_before_1970_and_of_the_same_second_are_right(void **state)
{
    const struct {
        int64_t at_us;
        const char *text;
    } times[] = {
        {0, "1970-01-01T00:00:00.000000+00:00"},       {999999, "1970-01-01T00:00:00.999999+00:00"},
        {-1, "1969-12-31T23:59:59.999999+00:00"},      {-1000000, "1969-12-31T23:59:59.000000+00:00"},
        {1000000, "1970-01-01T00:00:01.000000+00:00"},
    };
    char expected[256];

    for (size_t i = 0; i < COUNT_OF(times); i++) {
        struct log_change one = change(HEAD, "1", "{}", "");
        one.at_us = times[i].at_us;
        snprintf(expected, sizeof(expected), "{\"channel\":\"c\"," HEAD "1,\"data\":{},\"at\":\"%s\"}", times[i].text);
        assert_decoded(state, &one, expected);
    }
}

static void the_largest_row_passes_and_one_byte_more_does_not(void **state)
{
    struct fixture *fixture = *state;
    char *data = malloc(PAYLOAD_BYTES_MAX);
    struct event *event = NULL;

    assert_non_null(data);
    memset(data, ' ', PAYLOAD_BYTES_MAX);
    data[0] = '{';
    data[PAYLOAD_BYTES_MAX - 2] = '}';
    struct log_change one = change(HEAD, "1", "", "");
    one.data = (struct json_slice){data, PAYLOAD_BYTES_MAX - 1};
    event_unref(decode(state, &one));
    one.data.size_bytes++;
    assert_int_equal(log_decoder_decode(&fixture->decoder, &one, &event), -E2BIG);
    assert_null(event);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_row_goes_out_as_the_log_has_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_left_out_for_its_size_is_named_in_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(columns_that_could_not_be_made_json_are_named_in_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_deleted_row_was_is_kept_for_filters_and_not_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_row_may_be_nested_more_deeply_than_a_notification_can_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_head_after_the_other_is_looked_into, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_head_that_is_not_ours_tells_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_are_what_filters_compare_with, set_up, tear_down),
        cmocka_unit_test_setup_teardown(line_breaks_between_tokens_become_spaces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(times_before_1970_and_of_the_same_second_are_right, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_largest_row_passes_and_one_byte_more_does_not, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
