/* Readers that are slow or do not read at all: they cost the others nothing, and learn what they missed. */
#include "hub_fixture.h"

/* Every event that a stream must have is in it, in order and once, or a gap stands where it is missing. The
 * observer has seen all and knows the numbers. Returns how many are missing. */
static unsigned assert_no_silent_hole(const struct client *client, const struct client *observer)
{
    uint64_t number = NO_NUMBER;
    size_t next = 0; /* of what the observer saw */
    unsigned missing = 0;

    for (size_t i = 0; i < client->seen_count; i++) {
        const struct seen *seen = &client->seen[i];
        if (seen->number == NO_NUMBER)
            continue;
        assert_true(number == NO_NUMBER || seen->number >= number);
        number = seen->number;
        if (seen->serial == 0) {
            /* Up to here all is known to be missing, or nothing is asked for yet. */
            for (; next < observer->seen_count && observer->seen[next].number <= number; next++)
                missing += strncmp(seen->what, "gap", 3) == 0;
            continue;
        }
        while (next < observer->seen_count && observer->seen[next].serial == 0)
            next++;
        assert_true(next < observer->seen_count);
        if (observer->seen[next].serial != seen->serial)
            fail_msg("%u instead of %u, and no gap", seen->serial, observer->seen[next].serial);
        assert_int_equal(observer->seen[next].number, seen->number);
        next++;
    }
    for (; next < observer->seen_count; next++)
        assert_int_equal(observer->seen[next].serial, 0);
    return missing;
}

static size_t count_seen(const struct client *client, const char *what)
{
    size_t count = 0;

    for (size_t i = 0; i < client->seen_count; i++)
        count += strcmp(client->seen[i].what, what) == 0;
    return count;
}

static void use_small_limits(void)
{
    f.options.channel_memory_bytes = 50000;
    f.options.memory_bytes = 100000;
    f.options.feed_log_bytes = 20000;
    f.options.catch_up_bytes = 4000;
    hub_reconfigure(f.hub, &f.options);
}

static void a_reader_that_sleeps_through_ten_thousand_events_is_told_and_the_others_get_all(void **state)
{
    (void)state;
    use_small_limits();
    struct client *observer = subscribe((struct request){.channels = "a"});
    struct client *other = subscribe((struct request){.channels = "a"});
    struct client *asleep = subscribe_and_settle((struct request){.channels = "a"});
    set_reading(asleep, false);
    for (int i = 0; i < 12000; i++) {
        publish('a');
        if (i % 10 == 0)
            settle();
        assert_true(hub_stats(f.hub)->memory_bytes <= f.options.memory_bytes);
    }
    settle();
    assert_int_equal(count_events(observer), 12000);
    assert_int_equal(count_events(other), 12000);
    set_reading(asleep, true);
    settle();
    publish('a');
    settle();
    assert_int_equal(last_serial(asleep), 12001);
    assert_true(count_seen(asleep, "gap:lagged") >= 1);
    unsigned missing = assert_no_silent_hole(asleep, observer);
    assert_true(missing > 10000 && missing < 12000);
    assert_true(hub_stats(f.hub)->gaps_lagged >= 1);
}

static void the_same_over_tcp(void **state)
{
    f.tcp = true;
    a_reader_that_sleeps_through_ten_thousand_events_is_told_and_the_others_get_all(state);
}

static void a_reader_that_lags_behind_the_log_but_not_behind_the_memory_misses_nothing(void **state)
{
    (void)state;
    f.options.feed_log_bytes = 20000;
    f.options.catch_up_bytes = 4000;
    hub_reconfigure(f.hub, &f.options);
    struct client *observer = subscribe((struct request){.channels = "a"});
    struct client *asleep = subscribe_and_settle((struct request){.channels = "a"});
    for (int round = 0; round < 5; round++) {
        set_reading(asleep, false);
        for (int i = 0; i < 2000; i++) {
            publish('a');
            if (i % 10 == 0)
                settle();
        }
        set_reading(asleep, true);
        settle();
    }
    assert_int_equal(count_events(asleep), 10000);
    assert_int_equal(assert_no_silent_hole(asleep, observer), 0);
    assert_string_equal(asleep->last_id, observer->last_id);
}

static void a_burst_larger_than_the_log_reaches_everybody(void **state)
{
    (void)state;
    f.options.feed_log_bytes = 5000;
    hub_reconfigure(f.hub, &f.options);
    struct client *observer = subscribe((struct request){.channels = "a"});
    struct client *other = subscribe_and_settle((struct request){.channels = "a"});
    for (int i = 0; i < 2000; i++)
        publish('a');
    assert_false(hub_is_behind(f.hub));
    settle();
    assert_int_equal(count_events(observer), 2000);
    assert_int_equal(assert_no_silent_hole(other, observer), 0);
    assert_int_equal(count_events(other), 2000);
}

static void the_hub_says_that_it_is_behind_until_it_has_sent(void **state)
{
    (void)state;
    f.options.feed_log_bytes = 20000;
    hub_reconfigure(f.hub, &f.options);
    assert_false(hub_is_behind(f.hub));
    subscribe_and_settle((struct request){.channels = "a"});
    assert_false(hub_is_behind(f.hub));
    for (int i = 0; i < 80; i++)
        publish('a');
    assert_true(hub_is_behind(f.hub));
    settle();
    assert_false(hub_is_behind(f.hub));
}

static void a_slow_client_alone_does_not_hold_up_the_database(void **state)
{
    (void)state;
    use_small_limits();
    struct client *asleep = subscribe_and_settle((struct request){.channels = "a"});
    set_reading(asleep, false);
    for (int i = 0; i < 2000; i++) {
        publish('a');
        settle();
        assert_false(hub_is_behind(f.hub));
    }
}

static void one_who_lags_in_catching_up_gets_on_with_a_gap(void **state)
{
    (void)state;
    use_small_limits();
    struct client *observer = subscribe_and_settle((struct request){.channels = "a"});
    publish('a');
    settle();
    struct client *late = subscribe((struct request){.channels = "a", .last_id = observer->last_id});
    set_reading(late, false);
    for (int i = 0; i < 3000; i++) {
        publish('a');
        if (i % 10 == 0)
            settle();
    }
    set_reading(late, true);
    settle();
    publish('a');
    settle();
    assert_int_equal(last_serial(late), 3002);
    assert_true(assert_no_silent_hole(late, observer) > 1000);
}

static void a_quiet_channel_survives_beside_a_busy_one(void **state)
{
    char first[ID_BYTES_MAX + 1];

    (void)state;
    use_small_limits();
    struct client *client = subscribe_and_settle((struct request){.channels = "abc"});
    publish('a');
    settle();
    strcpy(first, client->last_id);
    publish('a');
    for (int i = 0; i < 3000; i++) {
        publish("bc"[i % 2]);
        if (i % 10 == 0)
            settle();
        assert_true(hub_stats(f.hub)->memory_bytes <= f.options.memory_bytes);
    }
    struct client *late = subscribe_and_settle((struct request){.channels = "a", .last_id = first});
    assert_story(late, "ready a2");
}

static void status_and_heartbeats_do_not_tear_a_blocked_stream(void **state)
{
    (void)state;
    use_small_limits();
    f.options.heartbeat_ms = 1;
    hub_reconfigure(f.hub, &f.options);
    struct client *observer = subscribe((struct request){.channels = "a"});
    struct client *asleep = subscribe_and_settle((struct request){.channels = "a"});
    set_reading(asleep, false);
    for (int i = 0; i < 300; i++) {
        publish('a');
        if (i % 60 == 0) {
            database_down();
            database_up();
        }
        settle();
    }
    wait_until(NULL, NULL, 1200);
    assert_true(observer->reader.comments > 0);
    set_reading(asleep, true);
    settle();
    assert_int_equal(last_serial(asleep), 300);
    assert_int_equal(count_seen(observer, "gap:outage"), 5);
    assert_int_equal(count_seen(asleep, "gap:outage") + count_seen(asleep, "gap:lagged") > 0, 1);
    assert_no_silent_hole(asleep, observer);
}

static void who_lags_still_learns_that_the_database_is_up_again(void **state)
{
    (void)state;
    /* The word may stand anywhere: in the socket, in the log that is dropped, or behind it. */
    for (int up_at = 5; up_at < 300; up_at += 16) {
        fixture_end(NULL);
        fixture_begin(NULL);
        use_small_limits();
        struct client *asleep = subscribe_and_settle((struct request){.channels = "a"});
        database_down();
        settle();
        assert_story(asleep, "ready down");
        set_reading(asleep, false);
        for (int i = 0; i < 1000; i++) {
            if (i == up_at)
                database_up();
            publish('a');
            if (i % 10 == 0)
                settle();
        }
        set_reading(asleep, true);
        settle();
        const char *last_status = "";
        for (size_t i = 0; i < asleep->seen_count; i++)
            if (strcmp(asleep->seen[i].what, "up") == 0 || strcmp(asleep->seen[i].what, "down") == 0)
                last_status = asleep->seen[i].what;
        if (strcmp(last_status, "up") != 0)
            fail_msg("up before event %d, and the last word is %s", up_at + 1, last_status);
    }
}

static void who_leaves_in_the_middle_of_a_burst_harms_nobody(void **state)
{
    enum { SUBSCRIBERS = 400 };
    struct client *clients[SUBSCRIBERS];

    (void)state;
    for (int i = 0; i < SUBSCRIBERS; i++)
        clients[i] = subscribe((struct request){.channels = "a"});
    settle();
    for (int i = 0; i < 100; i++) {
        publish('a');
        hang_up(clients[i * 3]);
        wait_until(NULL, NULL, 0);
        publish('a');
        hang_up(clients[SUBSCRIBERS - 1 - i * 2]);
    }
    settle();
    for (int i = 0; i < SUBSCRIBERS; i++) {
        if (clients[i]->io.fd >= 0)
            assert_int_equal(clients[i]->seen_count, 201);
    }
    assert_true(hub_stats(f.hub)->streams < SUBSCRIBERS - 130);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reader_that_sleeps_through_ten_thousand_events_is_told_and_the_others_get_all),
        TEST(the_same_over_tcp),
        TEST(a_reader_that_lags_behind_the_log_but_not_behind_the_memory_misses_nothing),
        TEST(a_burst_larger_than_the_log_reaches_everybody),
        TEST(the_hub_says_that_it_is_behind_until_it_has_sent),
        TEST(a_slow_client_alone_does_not_hold_up_the_database),
        TEST(one_who_lags_in_catching_up_gets_on_with_a_gap),
        TEST(a_quiet_channel_survives_beside_a_busy_one),
        TEST(status_and_heartbeats_do_not_tear_a_blocked_stream),
        TEST(who_lags_still_learns_that_the_database_is_up_again),
        TEST(who_leaves_in_the_middle_of_a_burst_harms_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
