/* Where streams go on, and what they are told when they cannot. */
#include "hub_fixture.h"

static struct client *resume(const char *channels, const char *last_id)
{
    struct client *client = subscribe((struct request){.channels = channels, .last_id = last_id});

    settle();
    return client;
}

static void a_client_that_comes_back_gets_exactly_what_it_missed(void **state)
{
    (void)state;
    struct client *client = subscribe((struct request){.channels = "a"});
    for (int i = 0; i < 5; i++)
        publish('a');
    settle();
    assert_story(resume("a", id_of(client, 2)), "ready a3 a4 a5");
    assert_story(resume("a", id_of(client, 5)), "ready");
    hang_up(client);
    publish('a');
    client = resume("a", client->last_id);
    publish('a');
    settle();
    assert_story(client, "ready a6 a7");
}

static void the_id_of_ready_is_a_place_to_come_back_to(void **state)
{
    (void)state;
    struct client *client = subscribe((struct request){.channels = "a"});
    settle();
    assert_story(client, "ready");
    publish('a');
    assert_story(resume("a", client->last_id), "ready a1");
}

static void ready_says_where_the_client_was(void **state)
{
    (void)state;
    struct client *client = subscribe((struct request){.channels = "a"});
    publish('a');
    publish('a');
    settle();
    struct client *again = resume("a", id_of(client, 1));
    assert_story(again, "ready a2");
    assert_int_equal(again->seen[0].number, client->seen[1].number);
}

static void an_id_of_one_stream_is_good_in_another_over_the_same_channels(void **state)
{
    (void)state;
    struct client *both = subscribe((struct request){.channels = "ab"});
    publish('a');
    publish('b');
    publish_row('a', 'x', "INSERT");
    publish('b');
    settle();
    assert_story(resume("ab", id_of(both, 1)), "ready b2 a3 b4");
    assert_story(resume("a", id_of(both, 2)), "ready a3");
    struct client *filtered = subscribe((struct request){.channels = "ab", .tables = "x", .last_id = id_of(both, 1)});
    settle();
    assert_story(filtered, "ready a3");
}

static void what_happens_between_catching_up_and_going_live_is_neither_lost_nor_doubled(void **state)
{
    (void)state;
    struct client *observer = subscribe((struct request){.channels = "a"});
    for (int i = 0; i < 3000; i++)
        publish('a');
    settle();
    struct client *client = subscribe((struct request){.channels = "a", .last_id = id_of(observer, 1)});
    for (int i = 0; i < 50; i++) {
        publish('a');
        wait_until(NULL, NULL, 0);
    }
    settle();
    assert_int_equal(client->seen_count, 3050);
    for (size_t i = 1; i < client->seen_count; i++)
        assert_int_equal(client->seen[i].serial, i + 1);
    assert_string_equal(client->last_id, observer->last_id);
}

static void an_id_of_another_run_is_told_to_be_from_before_a_restart(void **state)
{
    (void)state;
    struct client *client = subscribe((struct request){.channels = "a"});
    publish('a');
    settle();
    assert_story(client, "ready a1");
    client = resume("a", "1-00000000");
    publish('a');
    settle();
    assert_story(client, "gap:restart ready a2");
    assert_int_equal(client->seen[0].number, client->seen[1].number);
    assert_int_equal(client->seen[0].requested, 1);
    assert_int_equal(hub_stats(f.hub)->gaps_restart, 1);
}

static void an_id_that_is_none_of_ours_is_told_to_be_unknown(void **state)
{
    char future[64];

    (void)state;
    struct client *client = subscribe((struct request){.channels = "a"});
    publish('a');
    settle();
    struct client *strange = resume("a", "0x-strange");
    assert_story(strange, "gap:unknown-id ready");
    struct client *impossible = resume("a", "");
    assert_story(impossible, "gap:unknown-id ready");
    snprintf(future, sizeof(future), "%" PRIu64 "-%s", client->seen[1].number + 1, f.run);
    assert_story(resume("a", future), "gap:unknown-id ready");
    assert_int_equal(hub_stats(f.hub)->gaps_unknown_id, 3);
}

static void an_id_older_than_the_memory_is_told_to_have_expired(void **state)
{
    (void)state;
    f.options.channel_memory_bytes = 2000;
    hub_reconfigure(f.hub, &f.options);
    struct client *client = subscribe((struct request){.channels = "a"});
    for (int i = 0; i < 100; i++) {
        publish('a');
        settle();
    }
    struct client *late = resume("a", id_of(client, 50));
    assert_string_equal(late->seen[0].what, "gap:expired");
    assert_string_equal(late->seen[1].what, "ready");
    assert_int_equal(late->seen[0].requested, client->seen[50].number);
    assert_int_equal(late->seen[0].number, late->seen[1].number);
    /* What is still remembered follows, right behind where the gap ends. */
    unsigned first = late->seen[2].serial;
    assert_true(first > 80);
    assert_int_equal(late->seen[0].number, client->seen[first - 1].number);
    assert_int_equal(late->seen_count, 2 + 101 - first);
    char last_forgotten[ID_BYTES_MAX + 1];
    strcpy(last_forgotten, id_of(client, first - 1));
    struct client *just = resume("a", last_forgotten);
    assert_int_equal(just->seen_count, 1 + 101 - first);
    assert_string_equal(just->seen[0].what, "ready");
    assert_int_equal(hub_stats(f.hub)->gaps_expired, 1);
}

static void an_id_from_before_a_channel_was_listened_to_has_expired_there(void **state)
{
    (void)state;
    struct client *client = subscribe((struct request){.channels = "a"});
    publish('a');
    settle();
    struct client *both = resume("ab", client->last_id);
    assert_story(both, "gap:expired ready");
    publish('b');
    settle();
    assert_story(resume("ab", both->seen[1].number == NO_NUMBER ? "" : both->last_id), "ready");
}

static void an_outage_is_told_in_its_place_to_who_comes_back_later(void **state)
{
    (void)state;
    struct client *client = subscribe_and_settle((struct request){.channels = "ab"});
    publish('a');
    publish('b');
    database_down();
    database_up();
    publish('a');
    publish('b');
    settle();
    assert_story(client, "ready a1 b2 down gap:outage up a3 b4");
    struct client *again = resume("ab", id_of(client, 1));
    assert_story(again, "ready b2 gap:outage a3 b4");
    assert_story(resume("b", id_of(client, 1)), "ready b2 gap:outage b4");
    assert_story(resume("ab", id_of(client, 3)), "ready b4");
    struct client *behind = subscribe(
        (struct request){.channels = "ab", .tables = "q", .types = EVENT_TYPE_DELETE, .last_id = id_of(client, 1)});
    settle();
    assert_story(behind, "ready gap:outage");
}

static void a_client_that_comes_back_during_the_outage_gets_what_it_missed_and_then_the_gap(void **state)
{
    (void)state;
    struct client *client = subscribe((struct request){.channels = "a"});
    publish('a');
    publish('a');
    settle();
    database_down();
    struct client *again = resume("a", id_of(client, 1));
    struct client *fresh = subscribe((struct request){.channels = "a"});
    settle();
    database_up();
    publish('a');
    settle();
    assert_story(again, "down up ready a2 gap:outage a3");
    assert_story(fresh, "down up ready a3");
}

static void the_earliest_start_is_all_that_is_remembered(void **state)
{
    (void)state;
    subscribe((struct request){.channels = "a"});
    publish('a');
    publish('a');
    struct client *client = subscribe((struct request){.channels = "a", .earliest = true});
    publish('a');
    settle();
    assert_story(client, "ready a1 a2 a3");
    /* Channel b is known from here on only, and that is not a gap: nobody asked for more than there is. */
    struct client *both = subscribe((struct request){.channels = "ab", .earliest = true});
    settle();
    publish('b');
    settle();
    assert_story(both, "ready a1 a2 a3 b4");
    struct client *restarted = subscribe((struct request){.channels = "a", .earliest = true, .last_id = "5-00000000"});
    struct client *resumed =
        subscribe((struct request){.channels = "a", .earliest = true, .last_id = id_of(client, 2)});
    settle();
    assert_story(restarted, "gap:restart ready a1 a2 a3");
    assert_story(resumed, "ready a3");
}

static void the_earliest_start_is_no_gap_when_the_memory_has_moved(void **state)
{
    (void)state;
    f.options.channel_memory_bytes = 2000;
    hub_reconfigure(f.hub, &f.options);
    subscribe((struct request){.channels = "a"});
    for (int i = 0; i < 100; i++)
        publish('a');
    struct client *client = subscribe((struct request){.channels = "a", .earliest = true});
    settle();
    assert_string_equal(client->seen[0].what, "ready");
    assert_true(client->seen_count > 3);
    for (size_t i = 1; i < client->seen_count; i++)
        assert_int_equal(client->seen[i].serial, 101 - client->seen_count + i);
}

static void an_outage_is_told_from_the_earliest_on_even_where_one_channel_has_forgotten_it(void **state)
{
    (void)state;
    for (size_t bytes = 1500; bytes < 2500; bytes += 16) {
        fixture_end(NULL);
        fixture_begin(NULL);
        f.options.channel_memory_bytes = bytes;
        hub_reconfigure(f.hub, &f.options);
        subscribe((struct request){.channels = "ab"});
        publish('b');
        database_down();
        database_up();
        /* Step by step, channel a forgets up to the outage and beyond; b remembers all. */
        for (int i = 0; i < 12; i++) {
            publish('a');
            struct client *client = subscribe_and_settle((struct request){.channels = "ab", .earliest = true});
            const char *told = story(client);
            if (!strstr(told, "b1 ") || !strstr(told, " gap:"))
                fail_msg("with %zu bytes, after %d events: %s", bytes, i + 1, told);
            hang_up(client);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_that_comes_back_gets_exactly_what_it_missed),
        TEST(the_id_of_ready_is_a_place_to_come_back_to),
        TEST(ready_says_where_the_client_was),
        TEST(an_id_of_one_stream_is_good_in_another_over_the_same_channels),
        TEST(what_happens_between_catching_up_and_going_live_is_neither_lost_nor_doubled),
        TEST(an_id_of_another_run_is_told_to_be_from_before_a_restart),
        TEST(an_id_that_is_none_of_ours_is_told_to_be_unknown),
        TEST(an_id_older_than_the_memory_is_told_to_have_expired),
        TEST(an_id_from_before_a_channel_was_listened_to_has_expired_there),
        TEST(an_outage_is_told_in_its_place_to_who_comes_back_later),
        TEST(a_client_that_comes_back_during_the_outage_gets_what_it_missed_and_then_the_gap),
        TEST(the_earliest_start_is_all_that_is_remembered),
        TEST(the_earliest_start_is_no_gap_when_the_memory_has_moved),
        TEST(an_outage_is_told_from_the_earliest_on_even_where_one_channel_has_forgotten_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
