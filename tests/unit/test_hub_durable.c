/* Durable channels in the hub. */
#include "log_fixture.h"

static void events_of_a_tick_arrive_with_the_logs_numbers(void **state)
{
    (void)state;
    struct client *client = come("a", NULL);
    tick("aba");
    settle();
    assert_story(client, "ready a1 a3");
    char expected[ID_BYTES_MAX + 1];
    snprintf(expected, sizeof(expected), "3-%s", d.nonce);
    assert_string_equal(client->last_id, expected);
    assert_int_equal(d.requests_ever, 0);
}

static void a_forged_notification_is_no_event(void **state)
{
    (void)state;
    struct client *client = come("a", NULL);
    publish('a');
    tick("a");
    settle();
    assert_story(client, "ready a2");
}

static void what_memory_has_is_resumed_without_the_database(void **state)
{
    (void)state;
    struct client *first = come("a", NULL);
    tick("a");
    settle();
    char id[ID_BYTES_MAX + 1];
    strcpy(id, first->last_id);
    tick("aa");
    assert_story(come("a", id), "ready a2 a3");
    assert_int_equal(d.requests_ever, 0);
}

static void what_memory_never_had_comes_from_the_log(void **state)
{
    (void)state;
    tick("aab");
    char id[ID_BYTES_MAX + 1];
    snprintf(id, sizeof(id), "1-%s", d.log[1].nonce);
    d.page_events = 1;
    struct client *client = come("ab", id);
    assert_story(client, "ready a2 b3");
    tick("b");
    settle();
    assert_story(client, "ready a2 b3 b4");
    assert_true(d.requests_ever > 1);
}

static void many_with_the_same_id_cost_one_page(void **state)
{
    (void)state;
    tick("aaaa");
    char id[ID_BYTES_MAX + 1];
    snprintf(id, sizeof(id), "1-%s", d.log[1].nonce);
    for (int i = 0; i < 50; i++)
        subscribe((struct request){.channels = "a", .last_id = id});
    settle_with_history();
    for (size_t i = 0; i < f.client_count; i++)
        assert_story(f.clients[i], "ready a2 a3 a4");
    assert_int_equal(d.requests_ever, 1);
}

static void a_place_that_is_no_more_is_a_gap(void **state)
{
    (void)state;
    tick("aaa");
    d.oldest = 2;
    char id[ID_BYTES_MAX + 1];
    snprintf(id, sizeof(id), "1-%s", d.log[1].nonce);
    assert_story(come("a", id), "gap:expired ready a3");
    assert_story(come("a", "2-xxxxxx"), "gap:rewound ready");
    assert_story(come("a", "200-xxxxxx"), "gap:rewound ready");
    assert_story(come("a", "nonsense"), "gap:unknown-id ready");
}

static void from_the_earliest_is_all_that_the_log_has(void **state)
{
    (void)state;
    tick("aab");
    struct client *client = subscribe((struct request){.channels = "ab", .earliest = true});
    settle_with_history();
    assert_story(client, "ready a1 a2 b3");
    assert_true(client->seen[0].number == 0);
}

static void a_mixed_stream_resumes_both_kinds_with_one_id(void **state)
{
    (void)state;
    struct client *client = come("ax", NULL);
    publish('x');
    tick("a");
    settle();
    assert_story(client, "ready x1 a2");
    char id[ID_BYTES_MAX + 1];
    strcpy(id, client->last_id);
    tick("a");
    publish('x');
    settle();
    assert_story(come("ax", id), "ready a3 x4");
    strcpy(id, client->last_id);
    assert_story(come("ax", id), "ready");
    /* After a restart the durable part still counts. */
    strcpy(strchr(id, '_') + 1, "3-zzzzzzzz");
    tick("a");
    assert_story(come("ax", id), "gap:restart ready a5");
}

static void an_outage_of_notifications_is_no_gap_for_durable_channels(void **state)
{
    (void)state;
    struct client *durable = come("a", NULL), *mixed = come("ax", NULL);
    database_down();
    hub_durable_down(f.hub);
    settle();
    uint64_t from = d.end;
    write_log("aa");
    database_up();
    hub_durable_up(f.hub, hub_durable_position(f.hub));
    read_tick(from);
    settle();
    assert_story(durable, "ready down up a1 a2");
    assert_story(mixed, "ready down gap:outage up a1 a2");
}

static void a_tick_that_is_read_again_is_not_told_again(void **state)
{
    const struct text_list *wanted;

    (void)state;
    struct client *client = come("a", NULL);
    strcpy(d.nonce, "twice0");
    write_log("aaa");
    assert_int_equal(hub_durable_begin(f.hub, 0, 3, d.nonce, "a", &wanted), 0);
    const struct log_change change = change_of("a", 1);
    hub_durable_event(f.hub, 1, &change);
    hub_durable_down(f.hub);
    hub_durable_up(f.hub, hub_durable_position(f.hub));
    read_tick(0);
    settle();
    assert_story(client, "ready a1 a2 a3");
}

static void who_comes_from_a_replica_that_is_ahead_gets_nothing_twice(void **state)
{
    (void)state;
    come("a", NULL);
    strcpy(d.nonce, "ahead0");
    write_log("aa");
    struct client *client = come("a", "2-ahead0");
    read_tick(0);
    settle_with_history();
    assert_story(client, "ready");
    tick("a");
    settle();
    assert_story(client, "ready a3");
}

static void a_lost_part_of_the_log_is_a_gap_for_all(void **state)
{
    (void)state;
    struct client *client = come("a", NULL), *live = come("x", NULL);
    tick("a");
    settle();
    hub_durable_lost(f.hub, HISTORY_EXPIRED, &(struct durable_position){10, "later0"});
    settle();
    assert_story(client, "ready a1 gap:expired");
    assert_string_equal(client->last_id, "10-later0");
    assert_story(live, "ready");
}

static void closing_says_bye_once_to_who_waits_for_the_log(void **state)
{
    char ahead[ID_BYTES_MAX + 1];

    (void)state;
    tick("a");
    struct client *earliest = subscribe((struct request){.channels = "a", .earliest = true});
    snprintf(ahead, sizeof(ahead), "%" PRIu64 "-ahead0", d.end + 1);
    struct client *resuming = subscribe((struct request){.channels = "a", .last_id = ahead});
    settle(); /* nobody answers what they ask the log */
    hub_close(f.hub);
    settle();
    assert_story(earliest, "bye");
    assert_story(resuming, "bye");
    assert_true(earliest->ended && resuming->ended);
    assert_int_equal(f.closed_calls, 1);
}

/* A reader of channels that comes and goes, with the id that it has. */
struct reader {
    const char *channels;
    struct client *client;
    char last_id[ID_BYTES_MAX + 1];
    unsigned *got;
    size_t count, read; /* read: what of the client's has been taken */
    uint64_t from;      /* began behind that number */
};

static void take(struct reader *reader)
{
    for (; reader->client && reader->read < reader->client->seen_count; reader->read++) {
        const struct seen *seen = &reader->client->seen[reader->read];
        if (strncmp(seen->what, "gap:", 4) == 0)
            fail_msg("a gap for %s: %s", reader->channels, seen->what);
        if (seen->serial > 0)
            reader->got[reader->count++] = seen->serial;
    }
    if (reader->client && reader->client->last_id[0])
        strcpy(reader->last_id, reader->client->last_id);
}

static void check(const struct reader *reader)
{
    size_t at = 0;

    for (uint64_t number = reader->from + 1; number <= d.end; number++) {
        if (!strchr(reader->channels, d.log[number].channel))
            continue;
        if (at >= reader->count || reader->got[at] != d.log[number].serial)
            fail_msg("%s: event %u is missing or out of order at %zu", reader->channels, d.log[number].serial, at);
        at++;
    }
    assert_int_equal(at, reader->count);
}

static void come_and_go(uint64_t seed)
{
    static const char *const CHANNELS[] = {"a", "b", "ab", "acd", "abcd", "d", "bc", "cd"};
    struct reader readers[COUNT_OF(CHANNELS)] = {0};

    d.dice = seed;
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        readers[i].channels = CHANNELS[i];
        readers[i].got = calloc(LOG_MAX, sizeof(unsigned));
        readers[i].client = come(CHANNELS[i], NULL);
    }
    for (int round = 0; round < 600; round++) {
        struct reader *reader = &readers[roll(&d.dice, COUNT_OF(readers))];
        char events[16] = "";
        switch (roll(&d.dice, 6)) {
        case 0:
        case 1:
        case 2:
            for (size_t i = 0, count = 1 + roll(&d.dice, 15); i < count; i++)
                events[i] = "abcd"[roll(&d.dice, 4)];
            tick(events);
            break;
        case 3:
            if (reader->client) {
                take(reader);
                hang_up(reader->client);
                reader->client = NULL;
            } else if (f.client_count < CLIENTS_MAX) {
                reader->client = subscribe((struct request){.channels = reader->channels, .last_id = reader->last_id});
                reader->read = 0;
            }
            break;
        case 4:
            d.page_events = 1 + roll(&d.dice, 40);
            answer_requests();
            break;
        default:
            if (reader->client)
                set_reading(reader->client, !reader->client->reading);
            settle();
        }
        if (round % 8 == 0)
            settle_with_history();
        for (size_t i = 0; i < COUNT_OF(readers); i++)
            take(&readers[i]);
    }
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        if (!readers[i].client) {
            readers[i].client = subscribe((struct request){.channels = CHANNELS[i], .last_id = readers[i].last_id});
            readers[i].read = 0;
        }
        set_reading(readers[i].client, true);
    }
    settle_with_history();
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        take(&readers[i]);
        check(&readers[i]);
        free(readers[i].got);
    }
    assert_true(d.requests_ever > 10);
}

static void nothing_is_lost_or_doubled_however_clients_come_and_go(void **state)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        /* Small memories, so that much comes out of the log. */
        f.options.channel_memory_bytes = 1000 + seed * 500;
        f.options.feed_log_bytes = 3000;
        hub_reconfigure(f.hub, &f.options);
        come_and_go(seed);
        fixture_end(state);
        set_up(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_of_a_tick_arrive_with_the_logs_numbers, set_up, fixture_end),
        cmocka_unit_test_setup_teardown(a_forged_notification_is_no_event, set_up, fixture_end),
        cmocka_unit_test_setup_teardown(what_memory_has_is_resumed_without_the_database, set_up, fixture_end),
        cmocka_unit_test_setup_teardown(what_memory_never_had_comes_from_the_log, set_up, fixture_end),
        cmocka_unit_test_setup_teardown(many_with_the_same_id_cost_one_page, set_up, fixture_end),
        cmocka_unit_test_setup_teardown(a_place_that_is_no_more_is_a_gap, set_up, fixture_end),
        cmocka_unit_test_setup_teardown(from_the_earliest_is_all_that_the_log_has, set_up, fixture_end),
        cmocka_unit_test_setup_teardown(a_mixed_stream_resumes_both_kinds_with_one_id, set_up, fixture_end),
        cmocka_unit_test_setup_teardown(an_outage_of_notifications_is_no_gap_for_durable_channels, set_up, fixture_end),
        cmocka_unit_test_setup_teardown(a_tick_that_is_read_again_is_not_told_again, set_up, fixture_end),
        cmocka_unit_test_setup_teardown(who_comes_from_a_replica_that_is_ahead_gets_nothing_twice, set_up, fixture_end),
        cmocka_unit_test_setup_teardown(a_lost_part_of_the_log_is_a_gap_for_all, set_up, fixture_end),
        cmocka_unit_test_setup_teardown(closing_says_bye_once_to_who_waits_for_the_log, set_up, fixture_end),
        cmocka_unit_test_setup_teardown(nothing_is_lost_or_doubled_however_clients_come_and_go, set_up, fixture_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
