/* What streams say while all goes well. */
#include "hub_fixture.h"

static void a_stream_is_ready_when_its_channel_is_listened_to(void **state)
{
    (void)state;
    f.listen_by_itself = false;
    struct client *client = subscribe((struct request){.channels = "a"});
    assert_string_equal(f.wanted, "+a");
    publish('a');
    settle();
    assert_story(client, "");
    hub_channel_listening(f.hub, "a");
    publish('a');
    settle();
    assert_story(client, "ready a2");
    hub_channel_listening(f.hub, "a");
    publish('a');
    settle();
    assert_story(client, "ready a2 a3");
}

static void a_stream_is_ready_when_all_of_its_channels_are_listened_to(void **state)
{
    (void)state;
    f.listen_by_itself = false;
    struct client *client = subscribe((struct request){.channels = "ba"});
    hub_channel_listening(f.hub, "a");
    settle();
    assert_story(client, "");
    hub_channel_listening(f.hub, "b");
    settle();
    assert_story(client, "ready");
    assert_string_equal(client->last_data, "{\"channels\":[\"a\",\"b\"],\"database\":\"up\"}");
    assert_true(strlen(client->last_id) > 0);
}

static void a_stream_is_ready_only_when_the_database_is_up(void **state)
{
    (void)state;
    database_down();
    struct client *client = subscribe((struct request){.channels = "a"});
    settle();
    database_up();
    settle();
    publish('a');
    settle();
    assert_story(client, "down up ready a1");
}

static void every_subscriber_gets_every_event_in_order(void **state)
{
    enum { SUBSCRIBERS = 300, EVENTS = 20 };
    char expected[200] = "ready";
    struct client *clients[SUBSCRIBERS];

    (void)state;
    for (int i = 0; i < SUBSCRIBERS; i++)
        clients[i] = subscribe((struct request){.channels = "a"});
    settle();
    for (int i = 1; i <= EVENTS; i++) {
        publish('a');
        sprintf(expected + strlen(expected), " a%d", i);
        if (i % 3 == 0)
            settle();
    }
    settle();
    for (int i = 0; i < SUBSCRIBERS; i++)
        assert_story(clients[i], expected);
    assert_int_equal(hub_stats(f.hub)->events_published, EVENTS);
    assert_int_equal(hub_stats(f.hub)->events_sent, EVENTS * SUBSCRIBERS);
    assert_int_equal(hub_stats(f.hub)->latency.count, EVENTS * SUBSCRIBERS);
    assert_int_equal(hub_stats(f.hub)->streams, SUBSCRIBERS);
    assert_int_equal(hub_stats(f.hub)->feeds, 1);
}

static void the_same_over_tcp(void **state)
{
    f.tcp = true;
    every_subscriber_gets_every_event_in_order(state);
}

static void several_channels_come_over_one_stream_in_the_order_of_commit(void **state)
{
    (void)state;
    struct client *both = subscribe((struct request){.channels = "ab"});
    struct client *same = subscribe((struct request){.channels = "ba"});
    struct client *one = subscribe((struct request){.channels = "b"});
    for (int i = 0; i < 3; i++) {
        publish('a');
        publish('b');
        publish('b');
    }
    publish('c');
    settle();
    assert_story(both, "ready a1 b2 b3 a4 b5 b6 a7 b8 b9");
    assert_story(same, "ready a1 b2 b3 a4 b5 b6 a7 b8 b9");
    assert_story(one, "ready b2 b3 b5 b6 b8 b9");
    assert_int_equal(hub_stats(f.hub)->feeds, 2);
}

static void filters_choose_tables_types_and_ids(void **state)
{
    (void)state;
    struct client *tables = subscribe((struct request){.channels = "a", .tables = "tx"});
    struct client *types = subscribe((struct request){.channels = "a", .types = EVENT_TYPE_DELETE});
    struct client *ids = subscribe((struct request){.channels = "a", .ids = "35"});
    struct client *all = subscribe((struct request){.channels = "a"});
    publish_row('a', 't', "INSERT");
    publish_row('a', 'u', "DELETE");
    publish_row('a', 'x', "UPDATE");
    publish_row('a', 't', "DELETE");
    publish_row('a', 'u', "INSERT");
    settle();
    assert_story(tables, "ready a1 a3 a4");
    assert_story(types, "ready a2 a4");
    assert_story(ids, "ready a3 a5");
    assert_story(all, "ready a1 a2 a3 a4 a5");
}

static void events_are_named_as_the_request_says(void **state)
{
    (void)state;
    struct client *message = subscribe((struct request){.channels = "a"});
    struct client *type = subscribe((struct request){.channels = "a", .naming = NAMING_TYPE});
    struct client *table = subscribe((struct request){.channels = "a", .naming = NAMING_TABLE});
    publish_row('a', 't', "UPDATE");
    settle();
    assert_string_equal(message->last_type, "message");
    assert_string_equal(type->last_type, "UPDATE");
    assert_string_equal(table->last_type, "t");
    assert_string_equal(message->last_id, table->last_id);
}

static void who_comes_later_gets_what_comes_later(void **state)
{
    (void)state;
    struct client *first = subscribe((struct request){.channels = "a"});
    publish('a');
    struct client *second = subscribe((struct request){.channels = "a"});
    publish('a');
    settle();
    struct client *third = subscribe((struct request){.channels = "a"});
    publish('a');
    settle();
    assert_story(first, "ready a1 a2 a3");
    assert_story(second, "ready a2 a3");
    assert_story(third, "ready a3");
}

static void one_event_has_one_id_in_all_streams_and_ids_only_rise(void **state)
{
    (void)state;
    struct client *one = subscribe((struct request){.channels = "a"});
    struct client *other = subscribe((struct request){.channels = "ab"});
    for (int i = 0; i < 5; i++)
        publish('a');
    settle();
    for (unsigned serial = 1; serial <= 5; serial++)
        assert_string_equal(id_of(one, serial), id_of(other, serial));
    for (size_t i = 1; i < one->seen_count; i++)
        assert_true(one->seen[i].number > one->seen[i - 1].number);
    assert_true(strlen(one->last_id) <= ID_BYTES_MAX);
    assert_int_equal(strspn(one->last_id, "0123456789abcdefghijklmnopqrstuvwxyz._-"), strlen(one->last_id));
}

static void everybody_is_told_that_the_database_goes_and_comes(void **state)
{
    (void)state;
    struct client *client = subscribe_and_settle((struct request){.channels = "a"});
    publish('a');
    database_down();
    database_down();
    settle();
    assert_story(client, "ready a1 down");
    database_up();
    database_up();
    publish('a');
    settle();
    assert_story(client, "ready a1 down gap:outage up a2");
    assert_int_equal(hub_stats(f.hub)->gaps_outage, 1);
}

static void an_outage_is_told_before_what_comes_after_it(void **state)
{
    (void)state;
    struct client *client = subscribe_and_settle((struct request){.channels = "a"});
    publish('a');
    database_down();
    publish('a');
    settle();
    assert_story(client, "ready a1 down gap:outage a2");
    database_up();
    publish('a');
    settle();
    assert_story(client, "ready a1 down gap:outage a2 up a3");
}

static void streams_that_wait_for_the_database_are_told_each_thing_once(void **state)
{
    struct client *clients[3];

    (void)state;
    database_down();
    for (int i = 0; i < 3; i++)
        clients[i] = subscribe((struct request){.channels = "a"});
    settle();
    for (int i = 0; i < 3; i++)
        assert_story(clients[i], "down");
    database_up();
    settle();
    for (int i = 0; i < 3; i++)
        assert_story(clients[i], "down up ready");
}

static void streams_that_wait_for_a_channel_hear_of_the_database_too(void **state)
{
    struct client *clients[3];

    (void)state;
    f.listen_by_itself = false;
    for (int i = 0; i < 3; i++)
        clients[i] = subscribe((struct request){.channels = "a"});
    database_down();
    settle();
    database_up();
    hub_channel_listening(f.hub, "a");
    settle();
    for (int i = 0; i < 3; i++)
        assert_story(clients[i], "down up ready");
}

static void an_event_that_is_too_large_is_a_gap_and_the_stream_goes_on(void **state)
{
    (void)state;
    char *payload = calloc(1, PAYLOAD_BYTES_MAX + 1);
    struct client *client = subscribe_and_settle((struct request){.channels = "a"});
    struct client *other = subscribe_and_settle((struct request){.channels = "b"});
    publish('a');
    hub_publish(f.hub, "a", payload, PAYLOAD_BYTES_MAX + 1, SENDER);
    free(payload);
    publish('a');
    publish('b');
    settle();
    assert_memory_equal(story(client), "ready a1 gap:lagged a2", 22);
    assert_story(other, "ready b3");
    assert_int_equal(hub_stats(f.hub)->events_rejected, 1);
}

static void payloads_of_other_forms_arrive_and_cannot_break_the_stream(void **state)
{
    static const char *const PAYLOADS[] = {"",
                                           "plain\n\ndata: forged\nid: 9\n\n",
                                           "{\"a\":\r\n1}",
                                           "[1,2]",
                                           "\xff",
                                           "{\"_\":1,\"row\":7}",
                                           "{\"_\":1,\"schema\":\"s\",\"columns\":[]}"};
    static const char *const EXPECTED[] = {"\"\"",
                                           "\"plain\\n\\ndata: forged\\nid: 9\\n\\n\"",
                                           "{\"a\":  1}",
                                           "[1,2]",
                                           "\"\\ufffd\"",
                                           "{\"_\":1,\"row\":7}",
                                           "{\"_\":1,\"schema\":\"s\",\"columns\":[]}"};

    (void)state;
    /* The fixture's own reader expects our payloads only. */
    for (size_t i = 0; i < COUNT_OF(PAYLOADS); i++) {
        char expected[200];
        struct selection selection = make_selection(&(struct request){.channels = "a"});
        struct start start = {0};
        char bytes[4096];
        int fds[2];
        connect_pair(fds);
        assert_int_equal(hub_subscribe(f.hub, &selection, &start, fds[0]), 0);
        listen_to_wanted();
        settle();
        ssize_t size = recv(fds[1], bytes, sizeof(bytes), 0);
        assert_true(size > 0);
        notify('a', PAYLOADS[i]);
        settle();
        size = recv(fds[1], bytes, sizeof(bytes) - 1, 0);
        assert_true(size > 0);
        bytes[size] = '\0';
        snprintf(expected, sizeof(expected),
                 "\ndata: {\"channel\":\"a\",\"table\":null,\"type\":null,\"id\":null,\"data\":%s}\n\n", EXPECTED[i]);
        assert_memory_equal(bytes, "id: ", 4);
        assert_string_equal(strchr(bytes, '\n'), expected);
        close(fds[1]);
        settle();
    }
}

static void the_greeting_is_a_comment_and_a_reconnect_time_that_differs(void **state)
{
    int64_t least = INT64_MAX, most = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        struct sse_reader reader;
        struct buffer bytes;
        buffer_init(&bytes, 1000);
        hub_append_greeting(f.hub, &bytes);
        assert_memory_equal(buffer_bytes(&bytes), ": ok\n", 5);
        sse_reader_init(&reader, NULL, NULL);
        sse_read(&reader, buffer_bytes(&bytes), buffer_size(&bytes));
        least = reader.retry_ms < least ? reader.retry_ms : least;
        most = reader.retry_ms > most ? reader.retry_ms : most;
        sse_reader_done(&reader);
        buffer_done(&bytes);
    }
    assert_true(least >= 1500 && least < 1700);
    assert_true(most <= 2500 && most > 2300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stream_is_ready_when_its_channel_is_listened_to),
        TEST(a_stream_is_ready_when_all_of_its_channels_are_listened_to),
        TEST(a_stream_is_ready_only_when_the_database_is_up),
        TEST(every_subscriber_gets_every_event_in_order),
        TEST(the_same_over_tcp),
        TEST(several_channels_come_over_one_stream_in_the_order_of_commit),
        TEST(filters_choose_tables_types_and_ids),
        TEST(events_are_named_as_the_request_says),
        TEST(who_comes_later_gets_what_comes_later),
        TEST(one_event_has_one_id_in_all_streams_and_ids_only_rise),
        TEST(everybody_is_told_that_the_database_goes_and_comes),
        TEST(an_outage_is_told_before_what_comes_after_it),
        TEST(streams_that_wait_for_the_database_are_told_each_thing_once),
        TEST(streams_that_wait_for_a_channel_hear_of_the_database_too),
        TEST(an_event_that_is_too_large_is_a_gap_and_the_stream_goes_on),
        TEST(payloads_of_other_forms_arrive_and_cannot_break_the_stream),
        TEST(the_greeting_is_a_comment_and_a_reconnect_time_that_differs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
