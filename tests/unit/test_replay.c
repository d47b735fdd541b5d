#include "stream/replay.h"

#include "unit.h"

static void remember(struct channel *channel, uint64_t number, enum event_type type)
{
    const struct event_parts parts = {.type = type, .json = "1", .json_bytes = 1};
    struct event *event = event_new(&parts);

    assert_non_null(event);
    event->number = number;
    assert_int_equal(channel_remember(channel, event), 0);
    event_unref(event);
}

/* Replays all that comes after number, as "gap7 2 4 8". */
static const char *tell(struct channel *const *channels, size_t count, uint64_t number)
{
    static char story[10000];
    uint64_t gap_known = 0;
    enum replay_step step;
    struct replay replay;

    story[0] = '\0';
    while ((step = replay_next(channels, count, number, 0, gap_known, &replay)) != REPLAY_END) {
        if (step == REPLAY_GAP)
            gap_known = replay.gap_end;
        else
            number = replay.event->number;
        sprintf(story + strlen(story), "%s%s%d", story[0] ? " " : "", step == REPLAY_GAP ? "gap" : "",
                (int)(step == REPLAY_GAP ? gap_known : number));
    }
    return story;
}

static struct channel *channels[3];

static int begin(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        channels[i] = channel_new("a");
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        channel_free(channels[i]);
    return 0;
}

static void several_channels_are_one_sequence_in_the_order_of_numbers(void **state)
{
    (void)state;
    remember(channels[0], 1, EVENT_TYPE_INSERT);
    remember(channels[1], 2, EVENT_TYPE_INSERT);
    remember(channels[1], 3, EVENT_TYPE_INSERT);
    remember(channels[0], 5, EVENT_TYPE_INSERT);
    remember(channels[2], 6, EVENT_TYPE_INSERT);
    assert_string_equal(tell(channels, 3, 0), "1 2 3 5 6");
    assert_string_equal(tell(channels, 3, 3), "5 6");
    assert_string_equal(tell(channels, 3, 4), "5 6");
    assert_string_equal(tell(channels, 3, 6), "");
    assert_string_equal(tell(channels, 1, 0), "1 5");
    assert_string_equal(tell(channels, 0, 0), "");
}

static void what_is_not_known_is_a_gap_before_all_that_others_remember_of_that_part(void **state)
{
    (void)state;
    channels[0]->since = 4;
    remember(channels[0], 8, EVENT_TYPE_INSERT);
    remember(channels[1], 2, EVENT_TYPE_INSERT);
    remember(channels[1], 6, EVENT_TYPE_INSERT);
    channels[2]->since = 7;
    assert_string_equal(tell(channels, 3, 0), "gap7 2 6 8");
    assert_string_equal(tell(channels, 3, 4), "gap7 6 8");
    assert_string_equal(tell(channels, 3, 7), "8");
}

static void an_outage_stands_in_all_channels_and_comes_once(void **state)
{
    (void)state;
    remember(channels[0], 3, EVENT_TYPE_OUTAGE);
    remember(channels[1], 2, EVENT_TYPE_INSERT);
    remember(channels[1], 3, EVENT_TYPE_OUTAGE);
    remember(channels[0], 4, EVENT_TYPE_INSERT);
    assert_string_equal(tell(channels, 2, 0), "2 3 4");
}

static void an_outage_that_one_channel_has_forgotten_is_not_skipped(void **state)
{
    (void)state;
    /* channels[0] knows nothing up to the outage; channels[1] still has it. */
    remember(channels[0], 3, EVENT_TYPE_OUTAGE);
    channel_forget_oldest(channels[0]);
    remember(channels[0], 4, EVENT_TYPE_INSERT);
    remember(channels[1], 2, EVENT_TYPE_INSERT);
    remember(channels[1], 3, EVENT_TYPE_OUTAGE);
    assert_string_equal(tell(channels, 2, 0), "gap3 2 3 4");
}

enum { NUMBERS = 300 };

/* The slow and plain way: look at every number. */
static void tell_plainly(const int owners[NUMBERS], const uint64_t since[3], uint64_t number, char *story)
{
    uint64_t gap_end = 0;

    for (int i = 0; i < 3; i++)
        if (since[i] > number && since[i] > gap_end)
            gap_end = since[i];
    story[0] = '\0';
    if (gap_end > 0)
        sprintf(story, "gap%d", (int)gap_end);
    for (uint64_t i = number + 1; i < NUMBERS; i++)
        if (owners[i] >= 0 && since[owners[i]] < i)
            sprintf(story + strlen(story), "%s%d", story[0] ? " " : "", (int)i);
}

static void random_memories_agree_with_looking_at_every_number(void **state)
{
    static char expected[10000];
    int owners[NUMBERS];
    uint64_t dice = 6;

    (void)state;
    for (int round = 0; round < 300; round++) {
        uint64_t since[3];
        for (int i = 0; i < 3; i++) {
            channel_free(channels[i]);
            channels[i] = channel_new("a");
            channels[i]->since = since[i] = roll(&dice, 20) * 3 + (uint64_t)i;
        }
        for (int i = 1; i < NUMBERS; i++) {
            owners[i] = roll(&dice, 5) == 0 ? (int)roll(&dice, 3) : -1;
            /* A channel's own numbers never meet where another's memory begins. */
            if (owners[i] >= 0 && ((uint64_t)i <= since[owners[i]] || i < 63))
                owners[i] = -1;
            if (owners[i] >= 0)
                remember(channels[owners[i]], (uint64_t)i, EVENT_TYPE_INSERT);
        }
        uint64_t number = roll(&dice, 80);
        tell_plainly(owners, since, number, expected);
        assert_string_equal(tell(channels, 3, number), expected);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(several_channels_are_one_sequence_in_the_order_of_numbers),
        TEST(what_is_not_known_is_a_gap_before_all_that_others_remember_of_that_part),
        TEST(an_outage_stands_in_all_channels_and_comes_once),
        TEST(an_outage_that_one_channel_has_forgotten_is_not_skipped),
        TEST(random_memories_agree_with_looking_at_every_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
