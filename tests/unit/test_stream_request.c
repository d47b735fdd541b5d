#include "http/stream_request.h"

#include "unit.h"

#include <errno.h>

static struct buffer problem;

static int begin(void **state)
{
    (void)state;
    buffer_init(&problem, 1000);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buffer_done(&problem);
    return 0;
}

static int parse(const char *path_channel, const char *text, const char *header, struct stream_request *request)
{
    struct query query;

    buffer_clear(&problem);
    assert_int_equal(query_parse(text, &query), 0);
    int error = stream_request_parse(path_channel, &query, header, 3, request, &problem);
    query_done(&query);
    assert_int_equal(buffer_size(&problem) > 0, error == -EINVAL);
    return error;
}

static void assert_refused(const char *path_channel, const char *text, const char *expected_problem)
{
    struct stream_request request = {.start.has_id = true};

    assert_int_equal(parse(path_channel, text, NULL, &request), -EINVAL);
    assert_string_equal(buffer_text(&problem), expected_problem);
    assert_true(request.start.has_id);
    assert_int_equal(request.selection.channels.count, 0);
}

static void a_path_alone_asks_for_one_channel_from_now_on(void **state)
{
    struct stream_request request;

    (void)state;
    assert_int_equal(parse("posts", "", NULL, &request), 0);
    assert_int_equal(request.selection.channels.count, 1);
    assert_string_equal(request.selection.channels.items[0], "posts");
    assert_int_equal(request.selection.tables.count + request.selection.ids.count, 0);
    assert_int_equal(request.selection.types, 0);
    assert_int_equal(request.selection.naming, NAMING_MESSAGE);
    assert_false(request.start.has_id);
    assert_false(request.start.earliest);
    stream_request_done(&request);
    stream_request_done(&request);
}

static void everything_can_be_asked_for_at_once(void **state)
{
    struct stream_request request;

    (void)state;
    assert_int_equal(parse(NULL,
                           "channel=a&channel=b+c&channel=a&table=t&table=s.t&id=7&id=%C3%A4&type=insert&"
                           "type=DELETE&event=table&from=earliest&_=1&access_token=x",
                           NULL, &request),
                     0);
    assert_int_equal(request.selection.channels.count, 2);
    assert_string_equal(request.selection.channels.items[1], "b c");
    assert_int_equal(request.selection.tables.count, 2);
    assert_string_equal(request.selection.tables.items[1], "s.t");
    assert_int_equal(request.selection.ids.count, 2);
    assert_string_equal(request.selection.ids.items[1], "\xc3\xa4");
    assert_int_equal(request.selection.types, EVENT_TYPE_INSERT | EVENT_TYPE_DELETE);
    assert_int_equal(request.selection.naming, NAMING_TABLE);
    assert_true(request.start.earliest);
    assert_false(request.start.has_id);
    stream_request_done(&request);
}

static void assert_id(const char *text, const char *header, bool has_id, const char *expected)
{
    struct stream_request request;

    assert_int_equal(parse("a", text, header, &request), 0);
    assert_int_equal(request.start.has_id, has_id);
    assert_string_equal(request.start.id, expected);
    stream_request_done(&request);
}

static void the_last_event_id_comes_from_the_header_or_else_from_the_query(void **state)
{
    (void)state;
    assert_id("", "12-abc", true, "12-abc");
    assert_id("last_event_id=3-x", NULL, true, "3-x");
    assert_id("lastEventId=3-x", NULL, true, "3-x");
    assert_id("lastEventId=3-x", "", true, "3-x");
    assert_id("lastEventId=3-x", "4-y", true, "4-y");
    assert_id("", "", false, "");
    assert_id("last_event_id=", NULL, false, "");
}

static void an_id_that_cannot_be_ours_is_kept_as_an_unknown_one(void **state)
{
    char longest[ID_BYTES_MAX + 2];

    (void)state;
    assert_id("", "a b", true, "");
    assert_id("", "\xc3\xa4", true, "");
    assert_id("last_event_id=1%0aid:+2", NULL, true, "");
    assert_id("last_event_id=1-x", "<>", true, "");
    memset(longest, '1', sizeof(longest));
    longest[ID_BYTES_MAX + 1] = '\0';
    assert_id("", longest, true, "");
    longest[ID_BYTES_MAX] = '\0';
    assert_id("", longest, true, longest);
}

static void channels_have_names_that_postgresql_can_listen_to(void **state)
{
    char longest[CHANNEL_NAME_BYTES_MAX + 2];
    struct stream_request request;

    (void)state;
    memset(longest, 'x', sizeof(longest));
    longest[CHANNEL_NAME_BYTES_MAX + 1] = '\0';
    assert_refused(longest, "", "A channel's name has 1 to 63 bytes.");
    longest[CHANNEL_NAME_BYTES_MAX] = '\0';
    assert_int_equal(parse(longest, "", NULL, &request), 0);
    stream_request_done(&request);
    assert_int_equal(parse("\xc3\xa4 /\"'*%", "", NULL, &request), 0);
    stream_request_done(&request);
    assert_refused("", "", "A channel's name has 1 to 63 bytes.");
    assert_refused(NULL, "channel=", "A channel's name has 1 to 63 bytes.");
    assert_refused("a\nb", "", "A channel's name has no control characters.");
    assert_refused(NULL, "channel=a%7f", "A channel's name has no control characters.");
    assert_refused(NULL, "table=a", "Name a channel: /streams/<channel>, or /streams?channel=a&channel=b.");
}

static void there_is_a_bound_on_channels(void **state)
{
    struct stream_request request;

    (void)state;
    assert_int_equal(parse("a", "channel=a&channel=b&channel=c", NULL, &request), 0);
    assert_int_equal(request.selection.channels.count, 3);
    stream_request_done(&request);
    assert_refused("a", "channel=b&channel=c&channel=d",
                   "A stream has at most 3 channels (limits.channels_per_stream).");
}

static void there_is_a_bound_on_filters(void **state)
{
    static char text[FILTER_VALUE_BYTES_MAX + 20 * FILTER_VALUES_MAX];
    struct stream_request request;

    (void)state;
    for (int i = 0; i < FILTER_VALUES_MAX; i++)
        sprintf(text + strlen(text), "%s%s=%d", i > 0 ? "&" : "", i % 2 ? "id" : "table", i);
    assert_int_equal(parse("a", text, NULL, &request), 0);
    stream_request_done(&request);
    strcat(text, "&id=one-more");
    assert_refused("a", text, "A stream has at most 256 filter values.");
    memset(text, 'x', sizeof(text));
    memcpy(text, "id=", 3);
    text[3 + FILTER_VALUE_BYTES_MAX] = '\0';
    assert_int_equal(parse("a", text, NULL, &request), 0);
    stream_request_done(&request);
    text[3 + FILTER_VALUE_BYTES_MAX] = 'x';
    text[4 + FILTER_VALUE_BYTES_MAX] = '\0';
    assert_refused("a", text, "`id` has 1 to 1024 bytes.");
    assert_refused("a", "table=", "`table` has 1 to 1024 bytes.");
}

static void words_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    assert_refused("a", "type=MERGE", "`type` is one of INSERT, UPDATE, DELETE and TRUNCATE.");
    assert_refused("a", "type=", "`type` is one of INSERT, UPDATE, DELETE and TRUNCATE.");
    assert_refused("a", "event=Message", "`event` is one of message, type and table.");
    assert_refused("a", "event=", "`event` is one of message, type and table.");
    assert_refused("a", "from=beginning", "`from` is latest or earliest.");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_path_alone_asks_for_one_channel_from_now_on),
        TEST(everything_can_be_asked_for_at_once),
        TEST(the_last_event_id_comes_from_the_header_or_else_from_the_query),
        TEST(an_id_that_cannot_be_ours_is_kept_as_an_unknown_one),
        TEST(channels_have_names_that_postgresql_can_listen_to),
        TEST(there_is_a_bound_on_channels),
        TEST(there_is_a_bound_on_filters),
        TEST(words_that_mean_nothing_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
