#include "stream/decode.h"

#include "base/limits.h"
#include "stream/json_text.h"
#include "unit.h"

#include <errno.h>

#define WRAPPED "{\"channel\":\"c\",\"table\":null,\"type\":null,\"id\":null,\"data\":"

/* A wrapped value stands one level deeper than it was allowed to be, so it is looked at alone. */
static bool is_valid(const struct event *event)
{
    if (strncmp(event_json(event), WRAPPED, strlen(WRAPPED)) != 0)
        return json_is_valid(event_json(event), event->json_bytes);
    return event_json(event)[event->json_bytes - 1] == '}' &&
           json_is_valid(event_json(event) + strlen(WRAPPED), event->json_bytes - strlen(WRAPPED) - 1);
}

static struct event *decode(const char *payload, size_t size)
{
    struct event *event = NULL;
    char *exact = malloc(size ? size : 1);

    assert_non_null(exact);
    memcpy(exact, payload, size);
    assert_int_equal(decode_payload("c", exact, size, &event), 0);
    free(exact);
    assert_non_null(event);
    assert_int_equal(event->json_bytes, strlen(event_json(event)));
    assert_int_equal(event->number, 0);
    assert_true(is_valid(event));
    assert_null(strpbrk(event_json(event), "\r\n"));
    return event;
}

static void assert_decoded(const char *payload, const char *expected)
{
    struct event *event = decode(payload, strlen(payload));

    assert_string_equal(event_json(event), expected);
    event_unref(event);
}

static void assert_id(const char *payload, const char *expected_id)
{
    struct event *event = decode(payload, strlen(payload));

    assert_int_equal(event->type, EVENT_TYPE_INSERT);
    if (expected_id)
        assert_string_equal(event_id(event), expected_id);
    else
        assert_null(event_id(event));
    event_unref(event);
}

static void the_classic_payload_goes_out_byte_for_byte(void **state)
{
    const char payload[] = "{\"table\" : \"posts\", \"type\" : \"INSERT\", \"id\" : 7, \"data\" : "
                           "{\"id\":7,\"title\":\"Gr\xc3\xbc\xc3\x9f \\u00e4 \\/\",\"n\":1.50}}";
    struct event *event = decode(payload, sizeof(payload) - 1);

    (void)state;
    assert_string_equal(event_json(event),
                        "{\"channel\":\"c\",\"table\":\"posts\",\"type\":\"INSERT\",\"id\":7,\"data\":"
                        "{\"id\":7,\"title\":\"Gr\xc3\xbc\xc3\x9f \\u00e4 \\/\",\"n\":1.50}}");
    assert_int_equal(event->type, EVENT_TYPE_INSERT);
    assert_string_equal(event_table(event), "posts");
    assert_string_equal(event_id(event), "7");
    assert_null(event_schema(event));
    assert_int_equal(event->references, 1);
    event_unref(event);
}

static void members_go_out_in_one_order_with_unknown_ones_behind(void **state)
{
    (void)state;
    assert_decoded("{\"zeta\":[1],\"cut\":[\"old\"],\"at\":\"now\",\"changed\":[\"a\"],\"old\":{},\"data\":{},"
                   "\"id\":1,\"type\":\"UPDATE\",\"table\":\"t\",\"schema\":\"s\",\"alpha\":null}",
                   "{\"channel\":\"c\",\"schema\":\"s\",\"table\":\"t\",\"type\":\"UPDATE\",\"id\":1,\"data\":{},"
                   "\"old\":{},\"changed\":[\"a\"],\"at\":\"now\",\"cut\":[\"old\"],\"zeta\":[1],\"alpha\":null}");
}

static void the_statement_is_told_where_it_was_another_one_than_the_type_says(void **state)
{
    (void)state;
#define WITH_OP(op) "{\"op\":" op ",\"table\":\"t\",\"type\":\"DELETE\",\"id\":7}"
#define DELETED(op) "{\"channel\":\"c\",\"table\":\"t\",\"type\":\"DELETE\"," op "\"id\":7,\"data\":null}"
    assert_decoded(WITH_OP("\"UPDATE\""), DELETED("\"op\":\"UPDATE\","));
    assert_decoded(WITH_OP("\"uPdate\""), DELETED("\"op\":\"UPDATE\","));
    assert_decoded(WITH_OP("\"TRUNCATE\""), DELETED("\"op\":\"TRUNCATE\","));
    assert_decoded(WITH_OP("\"INSERT\""), DELETED("\"op\":\"INSERT\","));
    assert_decoded(WITH_OP("\"DELETE\""), DELETED(""));
    assert_decoded(WITH_OP("null"), DELETED(""));
    assert_decoded(WITH_OP("\"MERGE\""), WRAPPED WITH_OP("\"MERGE\"") "}");
    assert_decoded(WITH_OP("\"\""), WRAPPED WITH_OP("\"\"") "}");
    assert_decoded(WITH_OP("1"), WRAPPED WITH_OP("1") "}");
    assert_decoded(WITH_OP("[\"UPDATE\"]"), WRAPPED WITH_OP("[\"UPDATE\"]") "}");
    assert_decoded(
        "{\"table\":\"t\",\"type\":\"INSERT\",\"op\":\"DELETE\",\"\\u006fp\":\"UPDATE\"}",
        "{\"channel\":\"c\",\"table\":\"t\",\"type\":\"INSERT\",\"op\":\"UPDATE\",\"id\":null,\"data\":null}");
}

static void assert_was(const char *payload, const char *expected)
{
    struct event *event = decode(payload, strlen(payload));

    assert_null(strstr(event_json(event), "secret"));
    if (expected)
        assert_string_equal(event_was(event), expected);
    else
        assert_null(event_was(event));
    event_unref(event);
}

static void what_a_deleted_row_was_is_kept_for_filters_and_not_sent(void **state)
{
    (void)state;
    assert_was(
        "{\"table\":\"t\",\"type\":\"DELETE\",\"op\":\"UPDATE\",\"id\":7,\"data\":null,\"_was\":{\"a\":\"secret\"}}",
        "{\"a\":\"secret\"}");
    assert_was("{\"table\":\"t\",\"type\":\"DELETE\",\"\\u005fwas\":{\"a\":\"secret\"},\"z\":1}", "{\"a\":\"secret\"}");
    assert_was("{\"table\":\"t\",\"type\":\"UPDATE\",\"_was\":{\"a\":\"secret\"}}", NULL);
    assert_was("{\"table\":\"t\",\"type\":\"DELETE\",\"_was\":[\"secret\"]}", NULL);
    assert_was("{\"table\":\"t\",\"type\":\"DELETE\",\"_was\":null}", NULL);
}

static void rows_with_odd_json_in_them_pass_byte_for_byte(void **state)
{
    enum { DEPTH = 3900 };
    static const char *const VALUES[] = {"{\"a\":1,\"a\":2}", "\"a\\u0000b\"", "[\"\\ud800\",\"\\udc00x\"]",
                                         "{\"\\ud83d\":{\"\\u0000\":[]}}"};
    static char deep[2 * DEPTH + 1], payload[8000], expected[8100];

    (void)state;
    memset(deep, '[', DEPTH);
    memset(deep + DEPTH, ']', DEPTH);
    for (size_t i = 0; i <= COUNT_OF(VALUES); i++) {
        const char *value = i < COUNT_OF(VALUES) ? VALUES[i] : deep;
        snprintf(payload, sizeof(payload), "{\"table\":\"t\",\"type\":\"INSERT\",\"id\":1,\"data\":{\"j\":%s,\"k\":1}}",
                 value);
        snprintf(expected, sizeof(expected),
                 "{\"channel\":\"c\",\"table\":\"t\",\"type\":\"INSERT\",\"id\":1,\"data\":{\"j\":%s,\"k\":1}}", value);
        assert_decoded(payload, expected);
    }
}

static void id_and_data_are_null_when_they_are_not_there(void **state)
{
    (void)state;
    assert_decoded("{\"table\":\"t\",\"type\":\"TRUNCATE\"}",
                   "{\"channel\":\"c\",\"table\":\"t\",\"type\":\"TRUNCATE\",\"id\":null,\"data\":null}");
}

static void a_forged_channel_is_replaced_however_it_is_spelled(void **state)
{
    const char *const expected =
        "{\"channel\":\"c\",\"table\":\"t\",\"type\":\"DELETE\",\"id\":null,\"data\":null,\"x\":{\"channel\":1}}";

    (void)state;
    assert_decoded("{\"channel\":\"evil\",\"table\":\"t\",\"type\":\"DELETE\",\"x\":{\"channel\":1}}", expected);
    assert_decoded("{\"table\":\"t\",\"type\":\"DELETE\",\"x\":{\"channel\":1},\"ch\\u0061nnel\":\"evil\"}", expected);
    assert_decoded("{\"\\u0063\\u0068\\u0061\\u006e\\u006e\\u0065\\u006C\":\"evil\",\"table\":\"t\","
                   "\"type\":\"DELETE\",\"channel\":2,\"x\":{\"channel\":1},\"channel\":{}}",
                   expected);
}

static void known_keys_spelled_with_escapes_are_known(void **state)
{
    (void)state;
    assert_decoded("{\"t\\u0061ble\":\"t\",\"\\u0074\\u0079\\u0070\\u0065\":\"INSERT\",\"i\\u0064\":1,"
                   "\"\\u005f\":9}",
                   "{\"channel\":\"c\",\"table\":\"t\",\"type\":\"INSERT\",\"id\":1,\"data\":null}");
}

static void of_doubled_known_members_the_last_counts_and_stands_once(void **state)
{
    (void)state;
    assert_decoded("{\"table\":\"a\",\"type\":\"INSERT\",\"id\":1,\"table\":\"b\",\"id\":2,\"type\":\"UPDATE\"}",
                   "{\"channel\":\"c\",\"table\":\"b\",\"type\":\"UPDATE\",\"id\":2,\"data\":null}");
    assert_decoded("{\"table\":\"a\",\"type\":\"INSERT\",\"table\":1}",
                   WRAPPED "{\"table\":\"a\",\"type\":\"INSERT\",\"table\":1}}");
}

static void the_serial_that_keeps_equal_notifications_apart_is_left_out(void **state)
{
    (void)state;
    assert_decoded("{\"_\":12,\"table\":\"t\",\"type\":\"INSERT\",\"id\":1,\"data\":{\"_\":1},\"__\":2,\"_\":13}",
                   "{\"channel\":\"c\",\"table\":\"t\",\"type\":\"INSERT\",\"id\":1,\"data\":{\"_\":1},\"__\":2}");
}

static void a_type_in_any_case_of_letters_is_one_and_goes_out_in_capitals(void **state)
{
    (void)state;
    assert_decoded("{\"table\":\"t\",\"type\":\"iNsert\"}",
                   "{\"channel\":\"c\",\"table\":\"t\",\"type\":\"INSERT\",\"id\":null,\"data\":null}");
}

static void ids_of_every_kind_are_kept_and_scalars_can_be_filtered_by(void **state)
{
    (void)state;
#define WITH_ID(id) "{\"table\":\"t\",\"type\":\"INSERT\",\"id\":" id "}"
    assert_id(WITH_ID("7"), "7");
    assert_id(WITH_ID("-7.50"), "-7.50");
    assert_id(WITH_ID("123456789012345678901234567890"), "123456789012345678901234567890");
    assert_id(WITH_ID("\"a\\u00e4\\n\""), "a\xc3\xa4\n");
    assert_id(WITH_ID("\"\""), "");
    assert_id(WITH_ID("true"), "true");
    assert_id(WITH_ID("null"), NULL);
    assert_id(WITH_ID("{\"a\":1, \"b\":2}"), "{\"a\":1, \"b\":2}");
    assert_id("{\"table\":\"t\",\"type\":\"INSERT\"}", NULL);
    assert_decoded(WITH_ID("[1,2]"), WRAPPED WITH_ID("[1,2]") "}");
}

static void numbers_of_thirty_digits_pass_unharmed(void **state)
{
    (void)state;
    assert_decoded("{\"table\":\"t\",\"type\":\"INSERT\",\"id\":123456789012345678901234567890,"
                   "\"data\":{\"n\":0.123456789012345678901234567890,\"e\":1E+400}}",
                   "{\"channel\":\"c\",\"table\":\"t\",\"type\":\"INSERT\","
                   "\"id\":123456789012345678901234567890,"
                   "\"data\":{\"n\":0.123456789012345678901234567890,\"e\":1E+400}}");
}

static void json_that_is_no_row_change_is_wrapped_as_it_stands(void **state)
{
    (void)state;
    assert_decoded("42", WRAPPED "42}");
    assert_decoded(" [1, 2] ", WRAPPED "[1, 2]}");
    assert_decoded("\"a\\nb\"", WRAPPED "\"a\\nb\"}");
    assert_decoded("null", WRAPPED "null}");
    assert_decoded("{}", WRAPPED "{}}");
    assert_decoded("{\"table\":\"t\"}", WRAPPED "{\"table\":\"t\"}}");
    assert_decoded("{\"table\":\"t\",\"type\":\"MERGE\"}", WRAPPED "{\"table\":\"t\",\"type\":\"MERGE\"}}");
    assert_decoded("{\"table\":7,\"type\":\"INSERT\"}", WRAPPED "{\"table\":7,\"type\":\"INSERT\"}}");
    assert_decoded("{\"table\":\"t\",\"type\":\"INSERT\",\"schema\":1}",
                   WRAPPED "{\"table\":\"t\",\"type\":\"INSERT\",\"schema\":1}}");
}

static void a_wrapped_payload_has_nothing_that_a_filter_could_match(void **state)
{
    const char payload[] = "{\"table\":\"t\",\"type\":\"x\",\"id\":1,\"schema\":\"s\"}";
    struct event *event = decode(payload, sizeof(payload) - 1);

    (void)state;
    assert_int_equal(event->type, EVENT_TYPE_NONE);
    assert_null(event_table(event));
    assert_null(event_id(event));
    assert_null(event_schema(event));
    event_unref(event);
}

static void other_text_becomes_a_json_string(void **state)
{
    (void)state;
    assert_decoded("", WRAPPED "\"\"}");
    assert_decoded("hello \"you\"\r\ndata: x\n\nid: 1", WRAPPED "\"hello \\\"you\\\"\\r\\ndata: x\\n\\nid: 1\"}");
    assert_decoded("NaN", WRAPPED "\"NaN\"}");
    assert_decoded("{'table':'t','type':'INSERT'}", WRAPPED "\"{'table':'t','type':'INSERT'}\"}");
    assert_decoded("{\"a\":1} // x", WRAPPED "\"{\\\"a\\\":1} // x\"}");
    assert_decoded("[Infinity]", WRAPPED "\"[Infinity]\"}");
    assert_decoded("\xff\xfe", WRAPPED "\"\\ufffd\\ufffd\"}");
    assert_decoded("[\"\xe2\x28\xa1\"]", WRAPPED "\"[\\\"\\ufffd(\\ufffd\\\"]\"}");
}

static void a_nul_byte_is_carried_as_an_escape(void **state)
{
    struct event *event = decode("a\0b", 3);

    (void)state;
    assert_string_equal(event_json(event), WRAPPED "\"a\\u0000b\"}");
    event_unref(event);
}

static void lone_surrogates_pass_as_they_were_written(void **state)
{
    const char payload[] = "{\"table\":\"\\udc00\",\"type\":\"INSERT\",\"id\":\"\\ud800\",\"data\":[\"\\ud800\"]}";
    struct event *event = decode(payload, sizeof(payload) - 1);

    (void)state;
    assert_string_equal(event_json(event), "{\"channel\":\"c\",\"table\":\"\\udc00\",\"type\":\"INSERT\","
                                           "\"id\":\"\\ud800\",\"data\":[\"\\ud800\"]}");
    assert_string_equal(event_table(event), "\xef\xbf\xbd");
    assert_string_equal(event_id(event), "\xef\xbf\xbd");
    event_unref(event);
}

static void pretty_printed_json_comes_out_on_one_line(void **state)
{
    (void)state;
    assert_decoded("\r\n{\n  \"table\": \"t\",\r\n  \"type\": \"INSERT\",\n  \"data\": {\n    \"a\": 1\r  }\n}\n",
                   "{\"channel\":\"c\",\"table\":\"t\",\"type\":\"INSERT\",\"id\":null,"
                   "\"data\":{     \"a\": 1   }}");
    assert_decoded("\n[\n1\r\n]\n", WRAPPED "[ 1  ]}");
}

static void what_is_nested_too_deeply_travels_as_text(void **state)
{
    static char payload[2 * JSON_DEPTH_MAX + 4];

    (void)state;
    memset(payload, '[', JSON_DEPTH_MAX + 1);
    payload[JSON_DEPTH_MAX + 1] = '1';
    memset(payload + JSON_DEPTH_MAX + 2, ']', JSON_DEPTH_MAX + 1);
    struct event *event = decode(payload, strlen(payload));
    assert_memory_equal(event_json(event), WRAPPED "\"[[", sizeof(WRAPPED) + 2);
    event_unref(event);
    payload[2 * JSON_DEPTH_MAX + 2] = '\0';
    event = decode(payload + 1, strlen(payload + 1));
    assert_memory_equal(event_json(event), WRAPPED "[[", sizeof(WRAPPED) + 1);
    event_unref(event);
}

static void the_name_of_a_channel_cannot_break_out_of_its_string(void **state)
{
    struct event *event;

    (void)state;
    assert_int_equal(decode_payload("a\",\"x\":\"\n\xff", "1", 1, &event), 0);
    assert_string_equal(event_json(event), "{\"channel\":\"a\\\",\\\"x\\\":\\\"\\n\\ufffd\",\"table\":null,"
                                           "\"type\":null,\"id\":null,\"data\":1}");
    event_unref(event);
}

static void the_largest_payload_passes_and_one_byte_more_does_not(void **state)
{
    char *payload = malloc(PAYLOAD_BYTES_MAX + 1);
    struct event *event = NULL;

    (void)state;
    assert_non_null(payload);
    memset(payload, 0x01, PAYLOAD_BYTES_MAX + 1);
    assert_int_equal(decode_payload("c", payload, PAYLOAD_BYTES_MAX, &event), 0);
    assert_int_equal(event->json_bytes, sizeof(WRAPPED) - 1 + 6 * PAYLOAD_BYTES_MAX + 3);
    event_unref(event);
    event = NULL;
    assert_int_equal(decode_payload("c", payload, PAYLOAD_BYTES_MAX + 1, &event), -E2BIG);
    assert_null(event);
    free(payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_classic_payload_goes_out_byte_for_byte),
        cmocka_unit_test(members_go_out_in_one_order_with_unknown_ones_behind),
        cmocka_unit_test(the_statement_is_told_where_it_was_another_one_than_the_type_says),
        cmocka_unit_test(what_a_deleted_row_was_is_kept_for_filters_and_not_sent),
        cmocka_unit_test(rows_with_odd_json_in_them_pass_byte_for_byte),
        cmocka_unit_test(id_and_data_are_null_when_they_are_not_there),
        cmocka_unit_test(a_forged_channel_is_replaced_however_it_is_spelled),
        cmocka_unit_test(known_keys_spelled_with_escapes_are_known),
        cmocka_unit_test(of_doubled_known_members_the_last_counts_and_stands_once),
        cmocka_unit_test(the_serial_that_keeps_equal_notifications_apart_is_left_out),
        cmocka_unit_test(a_type_in_any_case_of_letters_is_one_and_goes_out_in_capitals),
        cmocka_unit_test(ids_of_every_kind_are_kept_and_scalars_can_be_filtered_by),
        cmocka_unit_test(numbers_of_thirty_digits_pass_unharmed),
        cmocka_unit_test(json_that_is_no_row_change_is_wrapped_as_it_stands),
        cmocka_unit_test(a_wrapped_payload_has_nothing_that_a_filter_could_match),
        cmocka_unit_test(other_text_becomes_a_json_string),
        cmocka_unit_test(a_nul_byte_is_carried_as_an_escape),
        cmocka_unit_test(lone_surrogates_pass_as_they_were_written),
        cmocka_unit_test(pretty_printed_json_comes_out_on_one_line),
        cmocka_unit_test(what_is_nested_too_deeply_travels_as_text),
        cmocka_unit_test(the_name_of_a_channel_cannot_break_out_of_its_string),
        cmocka_unit_test(the_largest_payload_passes_and_one_byte_more_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
