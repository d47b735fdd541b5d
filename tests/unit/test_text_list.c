#include "base/text_list.h"

#include "unit.h"

static void a_list_owns_copies_of_its_items(void **state)
{
    char text[] = "one";
    const char *const items[] = {text, "two", ""};
    struct text_list list;

    (void)state;
    assert_int_equal(text_list_init(&list, items, 3), 0);
    text[0] = 'x';
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[0], "one");
    assert_string_equal(list.items[1], "two");
    assert_string_equal(list.items[2], "");
    text_list_done(&list);
    assert_int_equal(list.count, 0);
    text_list_done(&list);
}

static void an_empty_list_can_be_made_and_grows(void **state)
{
    struct text_list list;

    (void)state;
    assert_int_equal(text_list_init(&list, NULL, 0), 0);
    assert_int_equal(list.count, 0);
    assert_int_equal(text_list_add(&list, "a"), 0);
    assert_true(text_list_has(&list, "a"));
    text_list_done(&list);
}

static void a_text_is_added_once_only(void **state)
{
    struct text_list list = {0};
    char name[8];

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 50; i++) {
            snprintf(name, sizeof(name), "%d", i);
            assert_int_equal(text_list_add(&list, name), 0);
        }
    }
    assert_int_equal(list.count, 50);
    assert_string_equal(list.items[49], "49");
    assert_true(text_list_has(&list, "0"));
    assert_false(text_list_has(&list, "50"));
    assert_false(text_list_has(&list, ""));
    assert_false(text_list_has(&list, NULL));
    text_list_done(&list);
    assert_false(text_list_has(&list, "0"));
}

static void lists_are_equal_when_items_and_order_are(void **state)
{
    const char *const one[] = {"a", "b"}, *const other[] = {"b", "a"};
    struct text_list a = {0}, b = {0}, c = {0}, shorter = {0}, empty = {0};

    (void)state;
    assert_int_equal(text_list_init(&a, one, 2), 0);
    assert_int_equal(text_list_init(&b, one, 2), 0);
    assert_int_equal(text_list_init(&c, other, 2), 0);
    assert_int_equal(text_list_init(&shorter, one, 1), 0);
    assert_true(text_list_equal(&a, &b));
    assert_false(text_list_equal(&a, &c));
    assert_false(text_list_equal(&a, &shorter));
    assert_false(text_list_equal(&empty, &shorter));
    assert_true(text_list_equal(&empty, &empty));
    text_list_done(&a);
    text_list_done(&b);
    text_list_done(&c);
    text_list_done(&shorter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_owns_copies_of_its_items),
        cmocka_unit_test(an_empty_list_can_be_made_and_grows),
        cmocka_unit_test(a_text_is_added_once_only),
        cmocka_unit_test(lists_are_equal_when_items_and_order_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
