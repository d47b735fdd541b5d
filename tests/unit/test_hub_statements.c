/* Statements and their rows on the way to streams: each row is an event like any other, or a gap. */
#include "hub_fixture.h"

#define STATEMENT(number, table, type)                                                                                 \
    "{\"_\":" number ",\"schema\":\"s\",\"table\":\"" table "\",\"type\":\"" type                                      \
    "\",\"key\":[\"id\"],\"columns\":[\"id\",\"text\"]}"

/* The fixture counts for us: an id is the event's serial. */
static void expect_serials(char channel, unsigned last)
{
    for (f.published = 1; f.published <= last; f.published++)
        f.channels[f.published] = channel;
    f.published = last;
}

static void rows_are_events_in_the_order_in_which_they_came_and_a_long_one_among_them_is_none_of_theirs(void **state)
{
    (void)state;
    struct client *client = subscribe_and_settle((struct request){.channels = "a"});
    expect_serials('a', 4);
    notify('a', STATEMENT("1", "t", "INSERT"));
    notify('a', "{\"_\":1,\"row\":[1,\"x\"]}");
    notify('a',
           "{\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"_\":3,\"id\":2,\"data\":null,\"cut\":[\"data\"]}");
    settle();
    assert_string_equal(
        client->last_data,
        "{\"channel\":\"a\",\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"id\":2,\"data\":null,"
        "\"cut\":[\"data\"]}");
    notify('a', "{\"_\":1,\"row\":[3,{\"a\":\n1}],\"n\":4}");
    settle();
    assert_string_equal(client->last_data,
                        "{\"channel\":\"a\",\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"id\":3,\"data\":{"
                        "\"id\":3,\"text\":{\"a\": 1}}}");
    notify('a', "{\"_\":1,\"row\":[4,null],\"old\":[4,\"y\"]}");
    settle();
    assert_string_equal(client->last_data,
                        "{\"channel\":\"a\",\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"id\":4,\"data\":{"
                        "\"id\":4,\"text\":null},\"old\":{\"id\":4,\"text\":\"y\"},\"changed\":[\"text\"]}");
    assert_story(client, "ready a1 a2 a3 a4");
    assert_int_equal(hub_stats(f.hub)->events_published, 4); /* the statement is none */
}

static void rows_are_filtered_by_id_table_and_type(void **state)
{
    (void)state;
    struct client *one = subscribe_and_settle((struct request){.channels = "a", .ids = "2"});
    struct client *table = subscribe_and_settle((struct request){.channels = "a", .tables = "u"});
    struct client *type = subscribe_and_settle((struct request){.channels = "a", .types = EVENT_TYPE_DELETE});
    expect_serials('a', 4);
    notify('a', STATEMENT("1", "t", "INSERT"));
    notify('a', "{\"_\":1,\"row\":[1,0]}");
    notify('a', "{\"_\":1,\"row\":[2,0]}");
    notify('a', STATEMENT("2", "u", "INSERT"));
    notify('a', "{\"_\":2,\"row\":[3,0]}");
    notify('a', STATEMENT("3", "t", "DELETE"));
    notify('a', "{\"_\":3,\"row\":[4,0]}");
    settle();
    assert_story(one, "ready a2");
    assert_story(table, "ready a3");
    assert_story(type, "ready a4");
}

/* What stands in front of the row that is lost, and comes after it, arrives; other channels hear nothing of it. */
static void assert_gap(const char *row, int sender)
{
    struct client *client = subscribe_and_settle((struct request){.channels = "a"});
    struct client *other = subscribe_and_settle((struct request){.channels = "b"});
    uint64_t rejected = hub_stats(f.hub)->events_rejected;

    expect_serials('a', 2);
    notify('a', STATEMENT("1", "t", "INSERT"));
    notify('a', "{\"_\":1,\"row\":[1,0]}");
    hub_publish(f.hub, "a", row, strlen(row), sender);
    notify('a', "{\"_\":1,\"row\":[2,0]}");
    settle();
    assert_memory_equal(story(client), "ready a1 gap:lagged a2", 23);
    assert_story(other, "ready");
    assert_int_equal(hub_stats(f.hub)->events_rejected, rejected + 1);
}

static void a_row_of_another_statement_is_a_gap(void **state)
{
    (void)state;
    assert_gap("{\"_\":2,\"row\":[9,0]}", SENDER);
}

static void a_row_of_another_session_is_a_gap(void **state)
{
    (void)state;
    assert_gap("{\"_\":1,\"row\":[9,0]}", SENDER + 1);
}

static void a_row_with_too_few_or_too_many_values_is_a_gap(void **state)
{
    (void)state;
    assert_gap("{\"_\":1,\"row\":[9]}", SENDER);
    assert_gap("{\"_\":1,\"row\":[9,0,0]}", SENDER);
}

static void a_statement_is_remembered_before_its_channel_is_read(void **state)
{
    (void)state;
    notify('a', STATEMENT("1", "t", "INSERT")); /* nobody reads a yet */
    struct client *client = subscribe_and_settle((struct request){.channels = "a"});
    expect_serials('a', 1);
    notify('a', "{\"_\":1,\"row\":[1,0]}");
    settle();
    assert_story(client, "ready a1");
}

static void a_statement_is_not_remembered_across_connections(void **state)
{
    (void)state;
    struct client *client = subscribe_and_settle((struct request){.channels = "a"});
    expect_serials('a', 2);
    notify('a', STATEMENT("1", "t", "INSERT"));
    notify('a', "{\"_\":1,\"row\":[1,0]}");
    settle();
    database_down();
    database_up();
    notify('a', "{\"_\":1,\"row\":[2,0]}");
    settle();
    assert_int_equal(hub_stats(f.hub)->events_rejected, 1);
    assert_int_equal(count_events(client), 1);
    assert_non_null(strstr(story(client), "gap:lagged"));
}

static void what_only_looks_like_a_statement_does_not_replace_the_last_one(void **state)
{
    (void)state;
    expect_serials('a', 1);
    notify('a', STATEMENT("1", "t", "INSERT"));
    notify('a', "{\"_\":2,\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"key\":[],\"columns\":7}");
    struct client *client = subscribe_and_settle((struct request){.channels = "a"});
    notify('a', "{\"_\":1,\"row\":[1,0]}");
    settle();
    assert_story(client, "ready a1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_are_events_in_the_order_in_which_they_came_and_a_long_one_among_them_is_none_of_theirs),
        TEST(rows_are_filtered_by_id_table_and_type),
        TEST(a_row_of_another_statement_is_a_gap),
        TEST(a_row_of_another_session_is_a_gap),
        TEST(a_row_with_too_few_or_too_many_values_is_a_gap),
        TEST(a_statement_is_remembered_before_its_channel_is_read),
        TEST(a_statement_is_not_remembered_across_connections),
        TEST(what_only_looks_like_a_statement_does_not_replace_the_last_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
