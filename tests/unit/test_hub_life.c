/* What comes to an end: channels, streams, the hub; and what there is no room for. */
#include "hub_fixture.h"

static bool a_channel_went(const void *channel)
{
    return strstr(f.wanted, channel);
}

static void a_channel_without_streams_is_kept_for_a_while_and_then_let_go(void **state)
{
    (void)state;
    f.options.linger_ms = 100;
    hub_reconfigure(f.hub, &f.options);
    struct client *client = subscribe_and_settle((struct request){.channels = "a"});
    struct client *other = subscribe_and_settle((struct request){.channels = "b"});
    publish('a');
    settle();
    hang_up(client);
    settle();
    assert_int_equal(hub_stats(f.hub)->streams, 1);
    assert_int_equal(hub_stats(f.hub)->channels, 2);
    wait_until(a_channel_went, "-a", 5000);
    assert_string_equal(f.wanted, "+a +b -a");
    assert_int_equal(hub_stats(f.hub)->channels, 1);
    assert_int_equal(hub_stats(f.hub)->feeds, 1);
    assert_int_equal(hub_stats(f.hub)->memory_bytes, 0);
    /* A late notification of it is nobody's. */
    publish('a');
    publish('b');
    settle();
    assert_story(other, "ready b3");
    struct client *again = subscribe_and_settle((struct request){.channels = "a", .last_id = client->last_id});
    assert_story(again, "gap:expired ready");
    assert_string_equal(f.wanted, "+a +b -a +a");
}

static void a_channel_whose_last_reader_comes_back_in_time_has_forgotten_nothing(void **state)
{
    (void)state;
    struct client *client = subscribe_and_settle((struct request){.channels = "a"});
    publish('a');
    settle();
    hang_up(client);
    wait_until(NULL, NULL, 1200);
    assert_int_equal(hub_stats(f.hub)->feeds, 0);
    assert_int_equal(hub_stats(f.hub)->channels, 1);
    publish('a');
    client = subscribe_and_settle((struct request){.channels = "a", .last_id = client->last_id});
    assert_story(client, "ready a2");
    assert_string_equal(f.wanted, "+a");
}

static bool has_comments(const void *client)
{
    return ((const struct client *)client)->reader.comments >= 2;
}

static void a_quiet_stream_gets_comments_in_every_state(void **state)
{
    struct client *clients[3];

    (void)state;
    f.options.heartbeat_ms = 100;
    hub_reconfigure(f.hub, &f.options);
    struct client *live = subscribe_and_settle((struct request){.channels = "a"});
    f.listen_by_itself = false;
    for (int i = 0; i < 3; i++)
        clients[i] = subscribe_and_settle((struct request){.channels = "b"});
    wait_until(has_comments, live, 5000);
    settle();
    assert_in_range(live->reader.comments, 2, 4);
    for (int i = 0; i < 3; i++)
        assert_in_range(clients[i]->reader.comments, 1, 4);
    assert_story(live, "ready");
    publish('a');
    settle();
    assert_story(live, "ready a1");
}

static void a_stream_that_takes_nothing_for_too_long_is_closed(void **state)
{
    (void)state;
    f.options.stall_ms = 500;
    hub_reconfigure(f.hub, &f.options);
    struct client *idle = subscribe_and_settle((struct request){.channels = "b"});
    struct client *awake = subscribe_and_settle((struct request){.channels = "a"});
    struct client *asleep = subscribe_and_settle((struct request){.channels = "a"});
    set_reading(asleep, false);
    for (int i = 0; i < 3000; i++)
        publish('a');
    settle();
    assert_int_equal(hub_stats(f.hub)->streams, 3);
    wait_until(NULL, NULL, 2500);
    assert_int_equal(hub_stats(f.hub)->streams, 2);
    assert_int_equal(hub_stats(f.hub)->streams_stalled, 1);
    assert_false(awake->ended || idle->ended);
    set_reading(asleep, true);
    wait_until(client_has_ended, asleep, 1000);
    assert_true(asleep->ended);
    assert_int_equal(count_events(awake), 3000);
}

static bool all_have_ended(const void *unused)
{
    (void)unused;
    for (size_t i = 0; i < f.client_count; i++)
        if (!f.clients[i]->ended)
            return false;
    return true;
}

static void closing_says_bye_to_everybody_and_then_tells(void **state)
{
    (void)state;
    struct client *live = subscribe_and_settle((struct request){.channels = "a"});
    struct client *other = subscribe_and_settle((struct request){.channels = "ab", .tables = "x"});
    f.listen_by_itself = false;
    struct client *opening = subscribe_and_settle((struct request){.channels = "c"});
    publish('a');
    hub_close(f.hub);
    assert_int_equal(f.closed_calls, 1);
    settle();
    assert_true(all_have_ended(NULL));
    assert_story(live, "ready a1 bye");
    assert_story(other, "ready bye");
    assert_story(opening, "bye");
    assert_string_equal(live->last_data, "{\"reason\":\"shutdown\"}");
    assert_int_equal(hub_stats(f.hub)->streams, 0);
    hub_close(f.hub);
    publish('a');
    database_down();
    database_up();
    settle();
    assert_int_equal(f.closed_calls, 1);
}

static void closing_waits_for_those_who_are_slow(void **state)
{
    (void)state;
    struct client *observer = subscribe_and_settle((struct request){.channels = "a"});
    struct client *asleep = subscribe_and_settle((struct request){.channels = "a"});
    set_reading(asleep, false);
    for (int i = 0; i < 2000; i++)
        publish('a');
    settle();
    hub_close(f.hub);
    settle();
    assert_true(observer->ended);
    assert_false(asleep->ended);
    assert_int_equal(f.closed_calls, 0);
    set_reading(asleep, true);
    wait_until(client_has_ended, asleep, 5000);
    assert_true(asleep->ended);
    assert_int_equal(asleep->seen_count, 2002);
    assert_string_equal(asleep->seen[2001].what, "bye");
    assert_int_equal(f.closed_calls, 1);
}

static void closing_ends_many_streams_over_a_time_and_each_is_told_when_to_come_back(void **state)
{
    enum { COUNT = 150, AT_ONCE = 64 };
    struct client *clients[COUNT];
    size_t with_event = 0, same_retry = 0;

    (void)state;
    f.options.close_ms = 300;
    hub_reconfigure(f.hub, &f.options);
    for (int i = 0; i < COUNT; i++)
        clients[i] = subscribe_and_settle((struct request){.channels = "a"});
    hub_close(f.hub);
    assert_int_equal(hub_stats(f.hub)->streams, COUNT - AT_ONCE);
    publish('a');
    wait_until(all_have_ended, NULL, 10000);
    for (int i = 0; i < COUNT; i++) {
        bool saw_event = count_events(clients[i]) == 1;
        assert_story(clients[i], saw_event ? "ready a1 bye" : "ready bye");
        with_event += saw_event;
        assert_in_range(clients[i]->reader.retry_ms, 1500, 2500);
        same_retry += clients[i]->reader.retry_ms == clients[0]->reader.retry_ms;
    }
    assert_int_equal(with_event, COUNT - AT_ONCE);
    assert_in_range(same_retry, 1, COUNT / 2);
    assert_int_equal(f.closed_calls, 1);
}

static void closing_an_idle_hub_tells_at_once(void **state)
{
    (void)state;
    hub_close(f.hub);
    assert_int_equal(f.closed_calls, 1);
}

static void a_hub_can_be_freed_at_any_time(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        set_reading(subscribe_and_settle((struct request){.channels = "a"}), i % 2);
    for (int i = 0; i < 1000; i++)
        publish('a');
    wait_until(NULL, NULL, 0);
    subscribe((struct request){.channels = "b", .last_id = "1-x"});
    f.listen_by_itself = false;
    subscribe((struct request){.channels = "c"});
    hub_close(f.hub);
    /* The fixture's end does it. */
}

static int admit(const char *channels)
{
    struct selection selection = make_selection(&(struct request){.channels = channels});
    int error = hub_admit(f.hub, &selection, &(struct start){0});

    selection_done(&selection);
    return error;
}

static void there_is_room_for_so_many_streams_and_channels(void **state)
{
    int error;

    (void)state;
    f.options.streams_max = 3;
    f.options.channels_max = 3;
    hub_reconfigure(f.hub, &f.options);
    subscribe((struct request){.channels = "ab"});
    assert_int_equal(admit("abc"), 0);
    assert_int_equal(admit("cd"), -ENOSPC);
    struct client *refused = subscribe_with(&(struct request){.channels = "cd"}, &error);
    settle();
    assert_int_equal(error, -ENOSPC);
    assert_story(refused, "busy");
    assert_true(refused->ended);
    assert_int_equal(hub_stats(f.hub)->channels, 2);
    subscribe((struct request){.channels = "c"});
    assert_int_equal(admit("d"), -ENOSPC);
    assert_int_equal(admit("a"), 0);
    struct client *last = subscribe((struct request){.channels = "a"});
    assert_int_equal(admit("a"), -EMFILE);
    refused = subscribe_with(&(struct request){.channels = "a"}, &error);
    settle();
    assert_int_equal(error, -EMFILE);
    assert_story(refused, "busy");
    hang_up(last);
    settle();
    assert_int_equal(admit("a"), 0);
    hub_close(f.hub);
    assert_int_equal(admit("a"), -ESHUTDOWN);
    subscribe_with(&(struct request){.channels = "a"}, &error);
    assert_int_equal(error, -ESHUTDOWN);
}

static void one_address_has_room_for_so_many_streams(void **state)
{
    int error;

    (void)state;
    f.options.streams_per_address_max = 2;
    hub_reconfigure(f.hub, &f.options);
    struct client *first = subscribe((struct request){.channels = "a", .address = "192.0.2.1"});
    subscribe((struct request){.channels = "b", .address = "192.0.2.1"});
    struct client *refused = subscribe_with(&(struct request){.channels = "a", .address = "192.0.2.1"}, &error);
    assert_int_equal(error, -EUSERS);
    for (int i = 0; i < 3; i++) {
        subscribe((struct request){.channels = "a", .address = i ? "192.0.2.2" : "192.0.2.3"});
        subscribe((struct request){.channels = "a"});
    }
    settle();
    assert_story(refused, "busy");
    assert_true(refused->ended);
    hang_up(first);
    settle();
    subscribe((struct request){.channels = "a", .address = "192.0.2.1"});
}

static void a_client_that_is_gone_before_its_stream_begins_is_no_matter(void **state)
{
    (void)state;
    struct selection selection = make_selection(&(struct request){.channels = "a"});
    struct start start = {0};
    int fds[2];
    connect_pair(fds);
    close(fds[1]);
    assert_int_equal(hub_subscribe(f.hub, &selection, &start, fds[0]), 0);
    settle();
    hub_channel_listening(f.hub, "a");
    settle();
    assert_int_equal(hub_stats(f.hub)->streams, 0);
    assert_int_equal(hub_stats(f.hub)->streams_opened, 1);
}

static void smaller_limits_hold_from_the_next_event_on(void **state)
{
    (void)state;
    subscribe_and_settle((struct request){.channels = "ab"});
    for (int i = 0; i < 400; i++)
        publish("ab"[i % 2]);
    settle();
    assert_true(hub_stats(f.hub)->memory_bytes > 20000);
    f.options.memory_bytes = 10000;
    hub_reconfigure(f.hub, &f.options);
    publish('a');
    assert_true(hub_stats(f.hub)->memory_bytes <= 10000);
    f.options.channel_memory_bytes = 0;
    hub_reconfigure(f.hub, &f.options);
    publish('a');
    publish('b');
    assert_int_equal(hub_stats(f.hub)->memory_bytes, 0);
    settle();
    assert_int_equal(last_serial(f.clients[0]), 403);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_channel_without_streams_is_kept_for_a_while_and_then_let_go),
        TEST(a_channel_whose_last_reader_comes_back_in_time_has_forgotten_nothing),
        TEST(a_quiet_stream_gets_comments_in_every_state),
        TEST(a_stream_that_takes_nothing_for_too_long_is_closed),
        TEST(closing_says_bye_to_everybody_and_then_tells),
        TEST(closing_ends_many_streams_over_a_time_and_each_is_told_when_to_come_back),
        TEST(closing_waits_for_those_who_are_slow),
        TEST(closing_an_idle_hub_tells_at_once),
        TEST(a_hub_can_be_freed_at_any_time),
        TEST(there_is_room_for_so_many_streams_and_channels),
        TEST(one_address_has_room_for_so_many_streams),
        TEST(a_client_that_is_gone_before_its_stream_begins_is_no_matter),
        TEST(smaller_limits_hold_from_the_next_event_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
