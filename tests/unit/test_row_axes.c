#include "stream/row_axes.h"

#include "stream/channel.h"
#include "stream/decode.h"
#include "unit.h"

enum { FEEDS = 60, COLUMNS = 6 };

/* Feeds are looked at by their address alone. */
static char feeds[FEEDS];
static struct selection selections[FEEDS];
static size_t met[FEEDS];

static struct feed *feed_at(size_t i)
{
    return (struct feed *)(void *)&feeds[i];
}

static void meet(struct feed *feed, const struct event *event)
{
    (void)event;
    met[(char *)feed - feeds]++;
}

/* Some see all, some ask for ids, most may see some rows; of more columns than there are axes. */
static void make_selection(struct selection *selection, uint64_t *dice)
{
    struct row_filter *where = &selection->where;
    const char *wrong;
    char text[128];

    if (roll(dice, 8) == 0)
        return;
    if (roll(dice, 8) == 0)
        assert_int_equal(text_list_add(&selection->ids, "1"), 0);
    snprintf(text, sizeof(text), "{\"c%d\":[%d,%d],\"t\":%d}", (int)roll(dice, COLUMNS), (int)roll(dice, 3),
             (int)roll(dice, 3), (int)roll(dice, 3));
    assert_int_equal(row_filter_parse((struct json_slice){text, strlen(text)}, where, &wrong), 0);
}

static struct event *make_event(uint64_t *dice)
{
    static const char *const types[] = {"INSERT", "UPDATE", "DELETE", "TRUNCATE"};
    struct event *event;
    struct buffer payload;

    buffer_init(&payload, 4096);
    const char *type = types[roll(dice, 40) == 0 ? 3 : roll(dice, 3)];
    buffer_printf(&payload, "{\"table\":\"t\",\"type\":\"%s\",\"id\":%d,\"%s\":", type, (int)roll(dice, 2),
                  strcmp(type, "DELETE") != 0 ? "data" : ((const char *const[]){"old", "_was", "data"})[roll(dice, 3)]);
    if (strcmp(type, "TRUNCATE") == 0) {
        buffer_append_text(&payload, "null}");
    } else {
        for (int i = 0; i < COLUMNS; i++)
            buffer_printf(&payload, "%s\"c%d\":%d.0", i > 0 ? "," : "{", i, (int)roll(dice, 3));
        buffer_printf(&payload, ",\"t\":%d}}", (int)roll(dice, 3));
    }
    assert_int_equal(decode_payload("c", buffer_bytes(&payload), buffer_size(&payload), &event), 0);
    buffer_done(&payload);
    return event;
}

static void every_feed_that_may_see_an_event_is_met_once(void **state)
{
    struct channel *channel = channel_new("c");
    bool is_there[FEEDS] = {false};
    size_t wanted = 0, unwanted = 0;
    uint64_t dice = 11;

    (void)state;
    for (int step = 0; step < 4000; step++) {
        size_t feed = roll(&dice, FEEDS);
        if (is_there[feed]) {
            channel_remove_feed(channel, feed_at(feed), &selections[feed]);
            selection_done(&selections[feed]);
        } else {
            make_selection(&selections[feed], &dice);
            assert_int_equal(channel_add_feed(channel, feed_at(feed), &selections[feed]), 0);
        }
        is_there[feed] = !is_there[feed];
        struct event *event = make_event(&dice);
        memset(met, 0, sizeof(met));
        channel_each_reader(channel, event, meet);
        for (size_t i = 0; i < FEEDS; i++) {
            bool wants = is_there[i] && selection_wants(&selections[i], event);
            assert_true(met[i] <= is_there[i]);
            assert_true(met[i] == 1 || !wants);
            wanted += wants;
            unwanted += met[i] == 1 && !wants;
        }
        event_unref(event);
    }
    print_message("%zu met that wanted it, %zu that did not\n", wanted, unwanted);
    for (size_t i = 0; i < FEEDS; i++) {
        if (is_there[i])
            channel_remove_feed(channel, feed_at(i), &selections[i]);
        selection_done(&selections[i]);
    }
    channel_free(channel);
}

/* A thousand tenants cost an event a look at one column. */
static void an_event_meets_only_its_tenant(void **state)
{
    static char tenants[1000];
    static struct selection own[1000];
    struct channel *channel = channel_new("c");
    struct event *event;
    const char *wrong;
    char text[64];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "{\"tenant_id\":%d}", i);
        assert_int_equal(row_filter_parse((struct json_slice){text, strlen(text)}, &own[i].where, &wrong), 0);
        assert_int_equal(channel_add_feed(channel, (struct feed *)(void *)&tenants[i], &own[i]), 0);
    }
    static const char payload[] = "{\"table\":\"t\",\"type\":\"INSERT\",\"id\":1,\"data\":{\"tenant_id\":417}}";
    assert_int_equal(decode_payload("c", payload, strlen(payload), &event), 0);
    const struct feed_array found = row_axis_find(&channel->axes.items[0], event);
    assert_int_equal(found.count, 1);
    assert_ptr_equal(found.items[0], &tenants[417]);
    struct feed_array others[2];
    audience_find(&channel->audience, event, others);
    assert_int_equal(others[0].count + others[1].count, 0);
    event_unref(event);
    for (int i = 0; i < 1000; i++) {
        channel_remove_feed(channel, (struct feed *)(void *)&tenants[i], &own[i]);
        selection_done(&own[i]);
    }
    channel_free(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_feed_that_may_see_an_event_is_met_once),
        cmocka_unit_test(an_event_meets_only_its_tenant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
