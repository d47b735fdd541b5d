/* A long life in a short time: publishing, outages, clients that come, go, come back with old ids, stop reading and go
 * on, all by the roll of dice. Each stream is then held against what happened. */
#include "hub_model.h"

#include <fcntl.h>
#include <sys/wait.h>

enum { SLOTS = 30, STEPS = 1200, CHANNELS_OF_A_REQUEST = 7 };

static const char *const CHANNEL_SETS[CHANNELS_OF_A_REQUEST] = {"a", "b", "c", "ab", "ca", "bc", "abc"};

struct world {
    uint64_t dice;
    struct client *slots[SLOTS];
};

/* Any id that anybody has ever read. */
static void pick_any_id(struct world *world, char id[ID_BYTES_MAX + 1])
{
    const struct client *client = f.clients[roll(&world->dice, f.client_count)];

    strcpy(id, "no-such-id");
    if (client->seen_count == 0)
        return;
    uint64_t number = client->seen[roll(&world->dice, client->seen_count)].number;
    if (number != NO_NUMBER)
        snprintf(id, ID_BYTES_MAX + 1, "%" PRIu64 "-%s", number, f.run);
}

static void come_back(struct world *world, size_t slot)
{
    struct request request = {.channels = CHANNEL_SETS[roll(&world->dice, CHANNELS_OF_A_REQUEST)]};
    char id[ID_BYTES_MAX + 1] = "";

    if (world->slots[slot]) {
        strcpy(id, world->slots[slot]->last_id);
        hang_up(world->slots[slot]);
    }
    switch (roll(&world->dice, 8)) {
    case 0:
        pick_any_id(world, id);
        break;
    case 1:
        strcpy(id, "17-anotherrun");
        break;
    case 2:
        id[0] = '\0';
        break;
    default:
        break;
    }
    request.last_id = id[0] ? id : NULL;
    request.earliest = roll(&world->dice, 3) == 0;
    request.tables = roll(&world->dice, 3) == 0 ? "u" : NULL;
    request.types = roll(&world->dice, 4) == 0 ? EVENT_TYPE_UPDATE | EVENT_TYPE_DELETE : 0;
    world->slots[slot] = model_subscribe(&request);
}

static void burst(struct world *world)
{
    static const enum event_type TYPES[] = {EVENT_TYPE_INSERT, EVENT_TYPE_UPDATE, EVENT_TYPE_DELETE};
    char channel = "aaaabbc"[roll(&world->dice, 7)];

    for (uint64_t left = 1 + roll(&world->dice, 30); left > 0; left--)
        model_publish(channel, "ttu"[roll(&world->dice, 3)], TYPES[roll(&world->dice, 3)]);
}

static void one_step(struct world *world)
{
    size_t slot = roll(&world->dice, SLOTS);
    uint64_t die = roll(&world->dice, 100);

    if (die < 40)
        burst(world);
    else if (die < 60)
        wait_until(NULL, NULL, 0);
    else if (die < 70)
        settle();
    else if (die < 80 && f.client_count < CLIENTS_MAX - 1)
        come_back(world, slot);
    else if (die < 88 && world->slots[slot])
        set_reading(world->slots[slot], false);
    else if (die < 96 && world->slots[slot])
        set_reading(world->slots[slot], true);
    else if (die < 98)
        model_outage();
    else if (die < 99) {
        database_down();
        for (int i = 0; i < 4; i++)
            come_back(world, roll(&world->dice, SLOTS));
        settle();
        model_outage();
    }
    assert_true(hub_stats(f.hub)->memory_bytes <= f.options.memory_bytes);
    assert_true(hub_stats(f.hub)->feed_bytes <= hub_stats(f.hub)->feeds * (f.options.feed_log_bytes + 1000));
}

static void live_through(uint64_t seed)
{
    static struct world there;
    struct world *world = &there;

    there = (struct world){.dice = seed};
    model.count = 0;
    model.where = "seed";
    model.which = seed;
    f.options.channel_memory_bytes = 4000 + roll(&world->dice, 60000);
    f.options.memory_bytes = 2 * f.options.channel_memory_bytes;
    f.options.feed_log_bytes = 1000 + roll(&world->dice, 20000);
    f.options.catch_up_bytes = 500 + roll(&world->dice, 10000);
    hub_reconfigure(f.hub, &f.options);
    f.tcp = seed % 4 == 0;
    /* All channels are listened to as long as the world lasts. */
    model_subscribe(&(struct request){.channels = "abc"});
    settle();
    for (int i = 0; i < STEPS; i++)
        one_step(world);
    for (size_t i = 0; i < f.client_count; i++)
        if (f.clients[i]->io.fd >= 0)
            set_reading(f.clients[i], true);
    /* TCP with a small window takes pauses. */
    size_t before;
    do {
        before = f.progress;
        settle();
        wait_until(NULL, NULL, f.tcp ? 300 : 0);
    } while (f.progress != before);
    for (size_t i = 0; i < f.client_count; i++) {
        bool complete = f.clients[i]->io.fd >= 0;
        if (complete && f.clients[i]->ended)
            fail_stream(i, "the hub has ended the stream; it came at", model.beginnings[i].floor);
        check_stream(i, complete);
    }
}

static void no_stream_ever_misses_anything_without_a_gap(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        live_through(seed);
        fixture_end(NULL);
        fixture_begin(NULL);
    }
}

/* In a child, because a failed check leaves the test. */
static bool model_complains(void)
{
    fflush(NULL);
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        dup2(STDERR_FILENO, STDOUT_FILENO);
        setenv("CMOCKA_TEST_ABORT", "1", 1);
        check_stream(0, true);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status != 0;
}

static void the_model_itself_sees_what_is_missing_doubled_or_out_of_order(void **state)
{
    (void)state;
    model.count = 0;
    struct client *client = model_subscribe(&(struct request){.channels = "a"});
    settle();
    for (int i = 0; i < 6; i++)
        model_publish('a', 't', EVENT_TYPE_INSERT);
    settle();
    assert_story(client, "ready a1 a2 a3 a4 a5 a6");
    assert_false(model_complains());
    const struct seen third = client->seen[3], fourth = client->seen[4];
    client->seen[3] = fourth;
    assert_true(model_complains());
    client->seen[4] = third;
    assert_true(model_complains());
    client->seen[3] = (struct seen){.what = "gap:lagged", .number = third.number};
    client->seen[4] = fourth;
    assert_false(model_complains());
    client->seen[3] = (struct seen){.what = "up", .number = NO_NUMBER};
    assert_true(model_complains());
    client->seen[3] = third;
    client->seen_count--;
    assert_true(model_complains());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_stream_ever_misses_anything_without_a_gap),
        TEST(the_model_itself_sees_what_is_missing_doubled_or_out_of_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
