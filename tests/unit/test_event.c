#include "stream/event.h"

#include "unit.h"

static void an_event_keeps_copies_of_its_parts(void **state)
{
    char json[] = "{\"a\":1}", schema[] = "s", table[] = "t", id[] = "7";
    char was[] = "{\"a\":0}and more";
    const struct event_parts parts = {EVENT_TYPE_UPDATE, json, 7, schema, table, id, was, 7};
    struct event *event = event_new(&parts);

    (void)state;
    assert_non_null(event);
    memset(json, 'x', 7);
    schema[0] = table[0] = id[0] = was[0] = 'x';
    assert_string_equal(event_json(event), "{\"a\":1}");
    assert_int_equal(event->json_bytes, 7);
    assert_int_equal(event->type, EVENT_TYPE_UPDATE);
    assert_string_equal(event_schema(event), "s");
    assert_string_equal(event_table(event), "t");
    assert_string_equal(event_id(event), "7");
    assert_string_equal(event_was(event), "{\"a\":0}");
    assert_true(event_size_bytes(event) >= sizeof(*event) + 7);
    event_unref(event);
}

static void parts_that_are_not_there_are_not_there_and_empty_ones_are_empty(void **state)
{
    const struct event_parts parts = {.type = EVENT_TYPE_OUTAGE, .json = "", .table = ""};
    struct event *event = event_new(&parts);

    (void)state;
    assert_non_null(event);
    assert_string_equal(event_json(event), "");
    assert_null(event_schema(event));
    assert_string_equal(event_table(event), "");
    assert_null(event_id(event));
    assert_null(event_was(event));
    event_unref(event);
}

static void an_event_lives_until_its_last_holder_lets_go(void **state)
{
    const struct event_parts parts = {.type = EVENT_TYPE_NONE, .json = "1", .json_bytes = 1};
    struct event *event = event_new(&parts);

    (void)state;
    assert_ptr_equal(event_ref(event), event);
    event_unref(event);
    assert_string_equal(event_json(event), "1");
    event_unref(event);
    event_unref(NULL);
}

static void types_have_names_and_names_have_types(void **state)
{
    static const enum event_type TYPES[] = {EVENT_TYPE_INSERT, EVENT_TYPE_UPDATE, EVENT_TYPE_DELETE,
                                            EVENT_TYPE_TRUNCATE};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        const char *name = event_type_name(TYPES[i]);
        assert_int_equal(event_type_from_name(name, strlen(name)), TYPES[i]);
    }
    assert_int_equal(event_type_from_name("delete", 6), EVENT_TYPE_DELETE);
    assert_null(event_type_name(EVENT_TYPE_NONE));
    assert_null(event_type_name(EVENT_TYPE_OUTAGE));
    assert_int_equal(event_type_from_name("INSERTED", 6), EVENT_TYPE_INSERT);
    assert_int_equal(event_type_from_name("INSERTED", 8), EVENT_TYPE_NONE);
    assert_int_equal(event_type_from_name("INSER", 5), EVENT_TYPE_NONE);
    assert_int_equal(event_type_from_name("", 0), EVENT_TYPE_NONE);
    assert_int_equal(event_type_from_name("OUTAGE", 6), EVENT_TYPE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_keeps_copies_of_its_parts),
        cmocka_unit_test(parts_that_are_not_there_are_not_there_and_empty_ones_are_empty),
        cmocka_unit_test(an_event_lives_until_its_last_holder_lets_go),
        cmocka_unit_test(types_have_names_and_names_have_types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
