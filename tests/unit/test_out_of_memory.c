/* One allocation after the other fails: nothing may crash or leak, and no stream may miss anything without a gap or its
 * own end. The linker sends the program's allocations here, see test_out_of_memory.cmake. */
#include "base/log.h"
#include "http/stream_request.h"
#include "hub_model.h"
#include "stream/decode.h"
#include "stream/statement.h"
#include "triggers/definition.h"

#include <search.h>

/* Weak, so that the program links without the options, too; then there is nothing to test. */
void *__real_malloc(size_t size) __attribute__((weak));
void *__real_calloc(size_t count, size_t size) __attribute__((weak));
void *__real_realloc(void *memory, size_t size) __attribute__((weak));
char *__real_strdup(const char *text) __attribute__((weak));
void *__real_tsearch(const void *key, void **root, int (*compare)(const void *, const void *)) __attribute__((weak));

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);
void *__wrap_tsearch(const void *key, void **root, int (*compare)(const void *, const void *));

static uint64_t allocations, failing_first, failing_end; /* those numbered failing_first up to failing_end fail */

static bool fails(void)
{
    if (f.own_work > 0 || failing_first == 0)
        return false;
    allocations++;
    return allocations >= failing_first && allocations < failing_end;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

void *__wrap_tsearch(const void *key, void **root, int (*compare)(const void *, const void *))
{
    return fails() ? NULL : __real_tsearch(key, root, compare);
}

/* From now on, the n-th allocation fails, and so do the `more` after it. */
static void fail_from(uint64_t n, uint64_t more)
{
    allocations = 0;
    failing_first = n;
    failing_end = n + 1 + more;
}

/* Returns whether there was anything to fail. */
static bool fail_no_more(void)
{
    bool reached = allocations >= failing_first;

    failing_first = 0;
    return reached;
}

static void decoding_fails_cleanly_at_every_allocation(void **state)
{
    static const char *const PAYLOADS[] = {
        "{\"table\":\"posts\",\"type\":\"INSERT\",\"id\":7,\"data\":{\"id\":7}}",
        "{\"schema\":\"s\\u0061\",\"t\\u0061ble\":\"p\\u0061\",\"type\":\"DELETE\",\"id\":{\"a\":1},\"channel\":1}",
        "{\"table\":\"t\",\"type\":\"UPDATE\",\"ch\\u0061nnel\":\"forged\"}",
        "not json \xff",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(PAYLOADS); i++) {
        bool reached = true;
        struct event *whole = NULL;
        assert_int_equal(decode_payload("c", PAYLOADS[i], strlen(PAYLOADS[i]), &whole), 0);
        for (uint64_t n = 1; reached; n++) {
            struct event *event = NULL;
            fail_from(n, 0);
            int error = decode_payload("c", PAYLOADS[i], strlen(PAYLOADS[i]), &event);
            reached = fail_no_more();
            if (error == 0)
                assert_string_equal(event_json(event), event_json(whole));
            else
                assert_int_equal(error, -ENOMEM);
            assert_true(reached || error == 0);
            event_unref(event);
        }
        event_unref(whole);
    }
}

static void rows_of_statements_fail_cleanly_at_every_allocation(void **state)
{
    static const char BEGINNING[] =
        "{\"_\":1,\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"key\":[],\"columns\":[\"a\"]}";
    static const char ROW[] = "{\"_\":1,\"row\":[7]}";
    bool reached = true;

    (void)state;
    for (uint64_t n = 1; reached; n++) {
        struct statement statement = {0};
        struct json_slice whole;
        fail_from(n, 0);
        bool begun = statement_begin(&statement, SENDER, BEGINNING, strlen(BEGINNING));
        int error = statement_expand(&statement, SENDER, ROW, strlen(ROW), &whole);
        reached = fail_no_more();
        assert_true(begun); /* it is no event, whether or not it could be remembered */
        assert_true(error == 0 || error == -ENOENT || error == -ENOMEM);
        assert_true(reached == (error != 0));
        assert_int_equal(statement_begin(&statement, SENDER, BEGINNING, strlen(BEGINNING)), true);
        assert_int_equal(statement_expand(&statement, SENDER, ROW, strlen(ROW), &whole), 0);
        statement_done(&statement);
    }
}

/* What stands in its place is not whole, so the one before it is not known any more, either. */
static void a_statement_that_cannot_be_kept_takes_the_one_before_it_along(void **state)
{
    static const char BEGINNING[] =
        "{\"_\":1,\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"key\":[],\"columns\":[\"a\"]}";
    static const char ROW[] = "{\"_\":1,\"row\":[7]}", LATER_ROW[] = "{\"_\":2,\"row\":[7]}";
    static char later[8000];
    struct statement statement = {0};
    struct json_slice whole;

    (void)state;
    int size = snprintf(
        later, sizeof(later),
        "{\"_\":2,\"schema\":\"s\",\"table\":\"%07800d\",\"type\":\"INSERT\",\"key\":[],\"columns\":[\"a\"]}", 0);
    assert_true(statement_begin(&statement, SENDER, BEGINNING, strlen(BEGINNING)));
    assert_int_equal(statement_expand(&statement, SENDER, ROW, strlen(ROW), &whole), 0);
    fail_from(1, 0);
    assert_true(statement_begin(&statement, SENDER, later, (size_t)size));
    assert_true(fail_no_more());
    assert_int_equal(statement_expand(&statement, SENDER, ROW, strlen(ROW), &whole), -ENOENT);
    assert_int_equal(statement_expand(&statement, SENDER, LATER_ROW, strlen(LATER_ROW), &whole), -ENOENT);
    statement_done(&statement);
}

static void requests_fail_cleanly_at_every_allocation(void **state)
{
    bool reached = true;

    (void)state;
    for (uint64_t n = 1; reached; n++) {
        struct stream_request request = {0};
        struct query query = {0};
        struct buffer problem;
        buffer_init(&problem, 1000);
        fail_from(n, 0);
        int error = query_parse("channel=b&table=t&id=7&id=8&x&type=insert", &query);
        if (error == 0)
            error = stream_request_parse("a", &query, "1-x", 5, &request, &problem);
        reached = fail_no_more();
        assert_int_equal(error, reached ? -ENOMEM : 0);
        assert_int_equal(buffer_size(&problem), 0);
        stream_request_done(&request);
        query_done(&query);
        buffer_done(&problem);
    }
}

static void trigger_definitions_fail_cleanly_at_every_allocation(void **state)
{
    const char body[] = "{\"table\":\"s.t\",\"channel\":\"c\",\"operations\":[\"INSERT\"]}";
    bool reached = true;

    (void)state;
    for (uint64_t n = 1; reached; n++) {
        struct trigger_definition definition = {0};
        struct buffer problem;
        buffer_init(&problem, 1000);
        fail_from(n, 0);
        int error = trigger_definition_parse((struct json_slice){body, sizeof(body) - 1}, true, &definition, &problem);
        reached = fail_no_more();
        assert_int_equal(error, reached ? -ENOMEM : 0);
        trigger_definition_done(&definition);
        buffer_done(&problem);
    }
}

static void one_turn(void)
{
    wait_until(NULL, NULL, 0);
}

/* A little of everything: streams that come, lag, come back and go; events, an outage. */
static void live_a_little(void)
{
    static char id[ID_BYTES_MAX + 1];
    struct client *first = model_subscribe(&(struct request){.channels = "ab"});
    struct client *asleep = model_subscribe(&(struct request){.channels = "a", .address = "192.0.2.1"});

    one_turn();
    set_reading(asleep, false);
    for (int i = 0; i < 40; i++) {
        model_publish("aab"[i % 3], 't', EVENT_TYPE_INSERT);
        if (i % 10 == 0)
            one_turn();
    }
    model_subscribe(&(struct request){.channels = "a", .naming = NAMING_TABLE, .earliest = true});
    model_publish_statement('a', 't', EVENT_TYPE_INSERT, 3);
    one_turn();
    model_outage();
    model_publish_statement('b', 'u', EVENT_TYPE_DELETE, 3);
    strcpy(id, first->last_id);
    hang_up(first);
    for (int i = 0; i < 10; i++)
        model_publish('b', 'u', EVENT_TYPE_DELETE);
    one_turn();
    model_subscribe(&(struct request){.channels = "ab", .tables = "u", .last_id = id[0] ? id : NULL});
    set_reading(asleep, true);
    model_publish('a', 't', EVENT_TYPE_UPDATE);
    one_turn();
    database_down();
    model_subscribe(&(struct request){.channels = "ca"});
    one_turn();
    model_outage();
    model_publish('c', 't', EVENT_TYPE_INSERT);
}

static bool live_with_failures(uint64_t n, uint64_t more)
{
    open_hub();
    model.count = 0;
    model.where = more ? "allocations failing from" : "allocation";
    model.which = n;
    f.options.channel_memory_bytes = 4000;
    f.options.memory_bytes = 9000;
    f.options.feed_log_bytes = 1500;
    f.options.catch_up_bytes = 600;
    f.options.streams_per_address_max = 5;
    hub_reconfigure(f.hub, &f.options);
    database_up();
    fail_from(n, more);
    live_a_little();
    bool reached = fail_no_more();
    settle();
    model_publish('a', 't', EVENT_TYPE_INSERT);
    model_publish('b', 't', EVENT_TYPE_INSERT);
    settle();
    for (size_t i = 0; i < f.client_count; i++) {
        /* Refused, or ended because something for it could not be kept: it comes back with its last id. */
        bool went_on = !f.clients[i]->ended;
        assert_true(model.beginnings[i].error == 0 || !went_on);
        check_stream(i, went_on);
    }
    close_hub();
    return reached;
}

static void no_stream_misses_anything_silently_when_one_allocation_fails(void **state)
{
    uint64_t n = 1;

    (void)state;
    log_init((enum log_level)(LOG_LEVEL_ERROR + 1), LOG_FORMAT_TEXT);
    while (live_with_failures(n, 0))
        n++;
    printf("%" PRIu64 " allocations failed, one in each run\n", n - 1);
    assert_true(n > 50);
}

static void no_stream_misses_anything_silently_when_memory_is_short_for_a_while(void **state)
{
    (void)state;
    for (uint64_t more = 1; more < 200; more *= 3)
        for (uint64_t n = 1; live_with_failures(n, more); n += 1 + more / 4)
            ;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding_fails_cleanly_at_every_allocation),
        cmocka_unit_test(rows_of_statements_fail_cleanly_at_every_allocation),
        cmocka_unit_test(a_statement_that_cannot_be_kept_takes_the_one_before_it_along),
        cmocka_unit_test(requests_fail_cleanly_at_every_allocation),
        cmocka_unit_test(trigger_definitions_fail_cleanly_at_every_allocation),
        cmocka_unit_test(no_stream_misses_anything_silently_when_one_allocation_fails),
        cmocka_unit_test(no_stream_misses_anything_silently_when_memory_is_short_for_a_while),
    };

    if (!__real_malloc) {
        printf("linked without test_out_of_memory.cmake: left out\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
