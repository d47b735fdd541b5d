/* History in the hub: who reads which page of the log, and how often. */
#include "log_fixture.h"

#include <sys/resource.h>

enum { CROWD = 2000, CROWD_LOG = 4000 };

/* Ticks of 1 to 40 events on channel a, of before this gateway began. */
static void fill_log(uint64_t events)
{
    while (d.end < events) {
        char channels[41] = "";
        uint64_t count = 1 + roll(&d.dice, 40);
        memset(channels, 'a', count < events - d.end ? count : events - d.end);
        snprintf(d.nonce, sizeof(d.nonce), "%06u", (unsigned)roll(&d.dice, 1000000));
        write_log(channels);
    }
    begin();
}

static struct client *come_behind(uint64_t number, const char *tables)
{
    char id[ID_BYTES_MAX + 1];

    snprintf(id, sizeof(id), "%" PRIu64 "-%s", number, d.log[number].nonce);
    return subscribe((struct request){.channels = "a", .tables = tables, .last_id = id});
}

/* Of the table t, all behind number. */
static void assert_seldom_behind(const struct client *client, uint64_t number)
{
    size_t seen = 0;

    for (uint64_t at = number + 1; at <= d.end; at++) {
        if (d.log[at].serial % SELDOM)
            continue;
        while (seen < client->seen_count && client->seen[seen].serial == 0) {
            if (strncmp(client->seen[seen].what, "gap", 3) == 0)
                fail_msg("a gap behind %" PRIu64, number);
            seen++;
        }
        if (seen == client->seen_count || client->seen[seen].serial != d.log[at].serial)
            fail_msg("behind %" PRIu64 ": event %u is missing or out of order", number, d.log[at].serial);
        seen++;
    }
    assert_int_equal(count_events(client), d.end / SELDOM - number / SELDOM);
}

static uint64_t place_of_crowd(size_t i)
{
    return 1 + i * 1237 % CROWD * (CROWD_LOG / CROWD); /* all of them, in no order */
}

/* CROWD streams, each with a place of its own and, but for five, with a feed of its own. */
static void crowd(size_t answer_every)
{
    const struct rlimit files = {3 * CROWD, 3 * CROWD};

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    d.seldom = true;
    fill_log(CROWD_LOG);
    for (size_t i = 0; i < CROWD; i++) {
        char tables[] = {'t', (char)('A' + i % 26), (char)('A' + i / 26 % 26), (char)('a' + i / 26 / 26), '\0'};
        come_behind(place_of_crowd(i), tables);
        if (answer_every > 0 && i % answer_every == 0) {
            wait_until(NULL, NULL, 0);
            answer_requests();
        }
    }
    settle_with_history();
    for (size_t i = 0; i < CROWD; i++)
        assert_seldom_behind(f.clients[i], place_of_crowd(i));
}

static void a_crowd_reads_each_page_of_the_log_at_most_twice(void **state)
{
    (void)state;
    crowd(0);
    printf("%d pages for a log of %d, and %d questions\n", d.requests_ever, CROWD_LOG / 100, d.places_ever);
    assert_true(d.requests_ever <= 2 * CROWD_LOG / 100);
    assert_true(d.requests_most <= 2);
}

static void so_does_a_crowd_that_comes_while_pages_do(void **state)
{
    (void)state;
    crowd(7);
    printf("%d pages for a log of %d, and %d questions\n", d.requests_ever, CROWD_LOG / 100, d.places_ever);
    assert_true(d.requests_ever <= 2 * CROWD_LOG / 100);
}

static void it_does_so_in_memory_for_two_pages(void **state)
{
    (void)state;
    hub_free(f.hub);
    f.options.memory_bytes = 128 << 10;
    f.hub = hub_new(f.loop, &f.options);
    database_up();
    crowd(0);
    printf("%d pages for a log of %d, and %d questions\n", d.requests_ever, CROWD_LOG / 100, d.places_ever);
    /* On a machine that is slow, some come too late for those that they could go with. */
    assert_true(d.requests_ever <= 3 * CROWD_LOG / 100);
    assert_true(hub_stats(f.hub)->history_bytes <= (32 << 10) + 2 * (64 << 10));
}

static void who_comes_back_alone_reads_from_its_own_place(void **state)
{
    (void)state;
    fill_log(1000);
    struct client *client = come_behind(990, NULL);
    settle();
    assert_int_equal(d.request_count, 0);
    answer_places();
    settle();
    assert_int_equal(d.request_count, 1);
    assert_int_equal(d.requests[0].from.number, 990);
    settle_with_history();
    assert_int_equal(count_events(client), 10);
    assert_int_equal(d.requests_ever, 1);
    assert_int_equal(d.places_ever, 1);
}

static void places_that_are_none_cost_no_page(void **state)
{
    (void)state;
    fill_log(1000);
    for (unsigned i = 1; i <= 300; i++) {
        char id[ID_BYTES_MAX + 1];
        snprintf(id, sizeof(id), "%u-forged", i);
        subscribe((struct request){.channels = "a", .last_id = id});
    }
    subscribe((struct request){.channels = "a", .last_id = "9999999999999999999-forged"});
    settle_with_history();
    for (size_t i = 0; i < f.client_count; i++)
        assert_story(f.clients[i], "gap:rewound ready");
    assert_int_equal(d.requests_ever, 0);
    assert_true(d.places_ever <= 4);
}

static void a_page_that_fails_is_read_again_for_those_that_wait(void **state)
{
    (void)state;
    fill_log(500);
    for (uint64_t number = 401; number <= 450; number++)
        come_behind(number, NULL);
    settle();
    hub_places_fail(d.places);
    d.places = NULL;
    settle();
    assert_null(d.places);
    hub_durable_down(f.hub);
    hub_durable_up(f.hub, hub_durable_position(f.hub));
    settle();
    answer_places();
    settle();
    assert_int_equal(d.request_count, 1);
    d.request_count = 0;
    hub_history_fail(d.requests[0].page);
    hub_durable_down(f.hub);
    settle();
    assert_int_equal(d.request_count, 0);
    hub_durable_up(f.hub, hub_durable_position(f.hub));
    settle_with_history();
    for (uint64_t number = 401; number <= 450; number++)
        assert_int_equal(count_events(f.clients[number - 401]), 500 - number);
    assert_int_equal(d.requests_ever, 2);
}

static void pages_of_a_history_that_is_no_more_are_not_read(void **state)
{
    (void)state;
    fill_log(300);
    struct client *before = come_behind(100, NULL), *waiting;
    settle_with_history();
    assert_int_equal(count_events(before), 200);
    waiting = come_behind(1, NULL);
    settle();
    answer_places();
    settle();
    assert_int_equal(d.request_count, 1);
    /* The database lost the end of its log, and goes on. */
    d.end = 150;
    struct durable_position end = position_at(d.end);
    hub_durable_lost(f.hub, HISTORY_REWOUND, &end);
    f.published = 150;
    f.options.channel_memory_bytes = 0;
    hub_reconfigure(f.hub, &f.options);
    for (int i = 0; i < 15; i++)
        tick("aaaaaaaaaa");
    settle_with_history();
    assert_string_equal(waiting->seen[0].what, "gap:rewound");
    assert_int_equal(count_events(waiting), 150);
    struct client *after = come_behind(151, NULL);
    settle_with_history();
    assert_int_equal(count_events(after), 149);
    for (size_t i = 1; i < after->seen_count; i++)
        assert_int_equal(after->seen[i].serial, d.log[151 + i].serial);
}

static void who_leaves_while_waiting_leaves_nothing_behind(void **state)
{
    (void)state;
    fill_log(1000);
    for (uint64_t number = 1; number <= 300; number++)
        come_behind(number, NULL);
    settle();
    for (size_t i = 0; i < 100; i++)
        hang_up(f.clients[i]);
    settle();
    answer_places();
    settle();
    for (size_t i = 100; i < 299; i++)
        hang_up(f.clients[i]);
    settle_with_history();
    assert_int_equal(count_events(f.clients[299]), 700);
}

static void a_status_reaches_who_waits_for_a_page(void **state)
{
    (void)state;
    fill_log(500);
    struct client *unjudged = come_behind(100, NULL), *waiting = come_behind(200, NULL);
    settle();
    database_down();
    settle();
    assert_story(unjudged, "down");
    answer_places();
    settle();
    assert_int_equal(d.request_count, 1);
    database_up();
    settle();
    assert_story(waiting, "down up");
    settle_with_history();
    assert_int_equal(count_events(unjudged), 400);
    assert_int_equal(count_events(waiting), 300);
}

static void who_is_ahead_is_woken_when_its_place_is_reached(void **state)
{
    (void)state;
    fill_log(500);
    snprintf(d.nonce, sizeof(d.nonce), "ahead0");
    write_log("aaaa");
    struct client *first = come_behind(502, NULL), *second = come_behind(504, NULL);
    settle_with_history();
    read_tick(500);
    settle();
    assert_int_equal(count_events(first), 2);
    assert_story(second, "ready");
    tick("a");
    settle();
    assert_int_equal(count_events(first), 3);
    assert_int_equal(count_events(second), 1);
}

static void a_filter_for_ids_finds_them_in_pages(void **state)
{
    char id[ID_BYTES_MAX + 1];

    (void)state;
    fill_log(5000);
    d.page_events = 5000;
    snprintf(id, sizeof(id), "3-%s", d.log[3].nonce);
    struct client *client = subscribe((struct request){.channels = "a", .ids = "2579", .last_id = id});
    settle_with_history();
    assert_story(client, "ready a5 a7 a9");
    assert_string_not_equal(client->last_id, "");
    tick("a");
    settle();
    assert_story(client, "ready a5 a7 a9");
}

/* As the reader tells of an event that cannot be read. */
static void a_verdict_on_a_page_is_for_who_is_where_it_begins(void **state)
{
    struct durable_position behind;

    (void)state;
    fill_log(500);
    struct client *there = come_behind(100, NULL), *further = come_behind(102, NULL);
    settle();
    while (d.places) {
        answer_places();
        settle();
    }
    assert_int_equal(d.request_count, 1);
    assert_int_equal(d.requests[0].from.number, 100);
    d.request_count = 0;
    behind = position_at(101);
    hub_history_verdict(d.requests[0].page, HISTORY_EXPIRED, &behind);
    hub_history_end(d.requests[0].page, &behind);
    settle_with_history();
    assert_string_equal(there->seen[0].what, "gap:expired");
    assert_int_equal(count_events(there), 399);
    assert_string_equal(further->seen[0].what, "ready");
    assert_int_equal(count_events(further), 398);
}

static void a_client_that_does_not_read_keeps_no_page(void **state)
{
    (void)state;
    fill_log(20000);
    d.page_events = 1000;
    struct client *client = come_behind(1, NULL);
    set_reading(client, false);
    settle_with_history();
    assert_true(d.requests_ever <= 3);
    struct client *other = come_behind(2, NULL);
    settle_with_history();
    assert_int_equal(count_events(other), 19998);
    assert_true(hub_stats(f.hub)->history_bytes <= f.options.memory_bytes / 4 + (2 << 20));
    set_reading(client, true);
    settle_with_history();
    assert_int_equal(count_events(client), 19999);
}

#define HISTORY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_log, fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HISTORY_TEST(a_crowd_reads_each_page_of_the_log_at_most_twice),
        HISTORY_TEST(so_does_a_crowd_that_comes_while_pages_do),
        HISTORY_TEST(it_does_so_in_memory_for_two_pages),
        HISTORY_TEST(who_comes_back_alone_reads_from_its_own_place),
        HISTORY_TEST(places_that_are_none_cost_no_page),
        HISTORY_TEST(a_page_that_fails_is_read_again_for_those_that_wait),
        HISTORY_TEST(pages_of_a_history_that_is_no_more_are_not_read),
        HISTORY_TEST(who_leaves_while_waiting_leaves_nothing_behind),
        HISTORY_TEST(a_status_reaches_who_waits_for_a_page),
        HISTORY_TEST(who_is_ahead_is_woken_when_its_place_is_reached),
        HISTORY_TEST(a_filter_for_ids_finds_them_in_pages),
        HISTORY_TEST(a_verdict_on_a_page_is_for_who_is_where_it_begins),
        HISTORY_TEST(a_client_that_does_not_read_keeps_no_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
