#include "stream/audience.h"

#include "unit.h"

enum { FEEDS = 40, IDS = 6 };

static char names[IDS][8] = {"0", "1", "2", "3", "4", "5"};

/* Feeds are looked at by their address alone. */
static char feeds[FEEDS];

static struct feed *feed_at(size_t i)
{
    return (struct feed *)(void *)&feeds[i];
}

static struct event *event_with_id(const char *id)
{
    const struct event_parts parts = {.type = EVENT_TYPE_INSERT, .json = "1", .json_bytes = 1, .id = id};
    struct event *event = event_new(&parts);

    assert_non_null(event);
    return event;
}

static size_t count_of(const struct audience *audience, const char *id, size_t feed)
{
    struct event *event = event_with_id(id);
    struct feed_array found[2];
    size_t count = 0;

    audience_find(audience, event, found);
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < found[i].count; j++)
            count += found[i].items[j] == feed_at(feed);
    event_unref(event);
    return count;
}

static void an_event_meets_those_who_want_all_and_those_who_want_its_id(void **state)
{
    char *const ids[] = {names[1], names[2]};
    struct audience audience = {0};

    (void)state;
    assert_int_equal(audience_add(&audience, feed_at(0), NULL, 0), 0);
    assert_int_equal(audience_add(&audience, feed_at(1), ids, 2), 0);
    assert_int_equal(count_of(&audience, "1", 0), 1);
    assert_int_equal(count_of(&audience, NULL, 0), 1);
    assert_int_equal(count_of(&audience, "1", 1), 1);
    assert_int_equal(count_of(&audience, "2", 1), 1);
    assert_int_equal(count_of(&audience, "3", 1), 0);
    assert_int_equal(count_of(&audience, NULL, 1), 0);
    audience_remove(&audience, feed_at(0), NULL, 0);
    audience_remove(&audience, feed_at(1), ids, 2);
    assert_int_equal(count_of(&audience, "1", 1), 0);
    assert_null(audience.by_id.root);
    audience_done(&audience);
}

/* Which ids a feed asks for, as bits; 0: all. */
static size_t list_ids(unsigned wanted, char *ret_ids[IDS])
{
    size_t count = 0;

    for (size_t i = 0; i < IDS; i++)
        if (wanted & 1U << i)
            ret_ids[count++] = names[i];
    return count;
}

static void random_feeds_are_met_exactly_when_they_are_there_and_want_it(void **state)
{
    struct audience audience = {0};
    unsigned wanted[FEEDS] = {0};
    bool is_there[FEEDS] = {false};
    uint64_t dice = 9;
    char *ids[IDS];

    (void)state;
    for (int step = 0; step < 5000; step++) {
        size_t feed = roll(&dice, FEEDS);
        if (is_there[feed]) {
            audience_remove(&audience, feed_at(feed), ids, list_ids(wanted[feed], ids));
        } else {
            wanted[feed] = roll(&dice, 3) ? (unsigned)roll(&dice, 1U << IDS) : 0;
            assert_int_equal(audience_add(&audience, feed_at(feed), ids, list_ids(wanted[feed], ids)), 0);
        }
        is_there[feed] = !is_there[feed];
        size_t asked = roll(&dice, FEEDS), id = roll(&dice, IDS);
        bool expected = is_there[asked] && (!wanted[asked] || wanted[asked] & 1U << id);
        assert_int_equal(count_of(&audience, names[id], asked), expected);
    }
    for (size_t feed = 0; feed < FEEDS; feed++)
        if (is_there[feed])
            audience_remove(&audience, feed_at(feed), ids, list_ids(wanted[feed], ids));
    audience_done(&audience);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_meets_those_who_want_all_and_those_who_want_its_id),
        cmocka_unit_test(random_feeds_are_met_exactly_when_they_are_there_and_want_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
