#include "stream/channel.h"

#include "unit.h"

static struct event *numbered_event(uint64_t number, size_t size)
{
    static char json[1000];
    const struct event_parts parts = {.type = EVENT_TYPE_NONE, .json = json, .json_bytes = size};
    struct event *event = event_new(&parts);

    assert_non_null(event);
    event->number = number;
    return event;
}

static void remember(struct channel *channel, uint64_t number)
{
    struct event *event = numbered_event(number, 10);

    assert_int_equal(channel_remember(channel, event), 0);
    event_unref(event);
}

static void assert_next(const struct channel *channel, uint64_t number, uint64_t expected)
{
    struct event *event = channel_next(channel, number);

    assert_int_equal(event ? event->number : 0, expected);
}

static void a_new_channel_is_empty(void **state)
{
    char name[] = "posts";
    struct channel *channel = channel_new(name);

    (void)state;
    assert_non_null(channel);
    name[0] = 'x';
    assert_string_equal(channel->name, "posts");
    assert_false(channel->listening);
    assert_int_equal(channel->memory_bytes, 0);
    assert_null(channel_next(channel, 0));
    channel_forget_oldest(channel);
    assert_int_equal(channel->since, 0);
    channel_free(channel);
    channel_free(NULL);
}

static void the_event_behind_any_number_is_found(void **state)
{
    struct channel *channel = channel_new("a");

    (void)state;
    remember(channel, 10);
    remember(channel, 20);
    remember(channel, 21);
    assert_next(channel, 0, 10);
    assert_next(channel, 9, 10);
    assert_next(channel, 10, 20);
    assert_next(channel, 19, 20);
    assert_next(channel, 20, 21);
    assert_next(channel, 21, 0);
    assert_next(channel, UINT64_MAX, 0);
    channel_free(channel);
}

static void forgetting_moves_since_up_to_what_was_forgotten(void **state)
{
    struct channel *channel = channel_new("a");

    (void)state;
    channel->since = 5;
    remember(channel, 10);
    remember(channel, 20);
    assert_int_equal(channel->since, 5);
    size_t both = channel->memory_bytes;
    channel_forget_oldest(channel);
    assert_int_equal(channel->since, 10);
    assert_int_equal(channel->memory_bytes * 2, both);
    assert_next(channel, 0, 20);
    channel_forget_oldest(channel);
    assert_int_equal(channel->since, 20);
    assert_int_equal(channel->memory_bytes, 0);
    assert_next(channel, 0, 0);
    channel_free(channel);
}

static void the_memory_is_what_its_events_take(void **state)
{
    struct channel *channel = channel_new("a");
    struct event *small = numbered_event(1, 0), *large = numbered_event(2, 900);

    (void)state;
    assert_int_equal(channel_remember(channel, small), 0);
    assert_int_equal(channel_remember(channel, large), 0);
    assert_int_equal(channel->memory_bytes, event_size_bytes(small) + event_size_bytes(large));
    assert_true(event_size_bytes(large) >= event_size_bytes(small) + 850);
    channel_forget_oldest(channel);
    assert_int_equal(channel->memory_bytes, event_size_bytes(large));
    /* The channel holds references of its own. */
    event_unref(small);
    event_unref(large);
    assert_ptr_equal(channel_next(channel, 0), large);
    channel_free(channel);
}

static void one_random_step(uint64_t *dice, struct channel *channel, uint64_t *model, size_t *first, size_t *end)
{
    if (roll(dice, 100) < 45 && *end > *first) {
        channel_forget_oldest(channel);
        (*first)++;
    } else if (*end - *first < 200) {
        model[*end] = (*end > 0 ? model[*end - 1] : 0) + 1 + roll(dice, 3);
        remember(channel, model[*end]);
        (*end)++;
    }
}

static void random_remembering_and_forgetting_agrees_with_a_plain_array(void **state)
{
    enum { STEPS = 50000 };
    static uint64_t model[STEPS];
    struct channel *channel = channel_new("a");
    size_t first = 0, end = 0;
    uint64_t dice = 2;

    (void)state;
    for (int i = 0; i < STEPS; i++) {
        one_random_step(&dice, channel, model, &first, &end);
        assert_int_equal(channel->ring_count, end - first);
        assert_int_equal(channel->since, first > 0 ? model[first - 1] : 0);
        uint64_t asked = roll(&dice, (end > 0 ? model[end - 1] : 0) + 2), expected = 0;
        for (size_t j = end; j > first && model[j - 1] > asked; j--)
            expected = model[j - 1];
        assert_next(channel, asked, expected);
    }
    assert_true(end > 20000);
    channel_free(channel);
}

static void feeds_come_and_go_in_any_order(void **state)
{
    struct channel *channel = channel_new("a");
    const struct selection all = {0};
    char feeds[5];

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(channel_add_feed(channel, (struct feed *)(void *)&feeds[i], &all), 0);
    channel_remove_feed(channel, (struct feed *)(void *)&feeds[1], &all);
    channel_remove_feed(channel, (struct feed *)(void *)&feeds[1], &all);
    channel_remove_feed(channel, (struct feed *)(void *)&feeds[4], &all);
    assert_int_equal(channel->feed_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_not_equal(channel->feeds[i], &feeds[1]);
        assert_ptr_not_equal(channel->feeds[i], &feeds[4]);
    }
    channel_remove_feed(channel, (struct feed *)(void *)&feeds[0], &all);
    channel_remove_feed(channel, (struct feed *)(void *)&feeds[2], &all);
    channel_remove_feed(channel, (struct feed *)(void *)&feeds[3], &all);
    assert_int_equal(channel->feed_count, 0);
    channel_free(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_channel_is_empty),
        cmocka_unit_test(the_event_behind_any_number_is_found),
        cmocka_unit_test(forgetting_moves_since_up_to_what_was_forgotten),
        cmocka_unit_test(the_memory_is_what_its_events_take),
        cmocka_unit_test(random_remembering_and_forgetting_agrees_with_a_plain_array),
        cmocka_unit_test(feeds_come_and_go_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
