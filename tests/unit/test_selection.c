#include "stream/selection.h"

#include "unit.h"

static const struct selection nothing;

static struct event *make_event(enum event_type type, const char *schema, const char *table, const char *id)
{
    const struct event_parts parts = {
        .type = type, .json = "{}", .json_bytes = 2, .schema = schema, .table = table, .id = id};
    struct event *event = event_new(&parts);

    assert_non_null(event);
    return event;
}

/* Texts separated by a bar; "" is an empty list, "|" one of a single empty text. */
static void add_all(struct text_list *list, const char *texts)
{
    char copy[200], *rest = copy, *text;

    if (!texts[0])
        return;
    snprintf(copy, sizeof(copy), "%s", texts[0] == '|' ? texts + 1 : texts);
    while ((text = strsep(&rest, "|")))
        assert_int_equal(text_list_add(list, text), 0);
}

static void take_key(const char *channels, const char *tables, const char *ids, unsigned types, enum naming naming,
                     char ret_key[500])
{
    struct selection selection = {.types = types, .naming = naming};
    struct buffer key;

    add_all(&selection.channels, channels);
    add_all(&selection.tables, tables);
    add_all(&selection.ids, ids);
    buffer_init(&key, 499);
    selection_key(&selection, &key);
    assert_false(key.failed);
    assert_null(memchr(buffer_bytes(&key), '\0', buffer_size(&key)));
    snprintf(ret_key, 500, "%s", buffer_text(&key));
    buffer_done(&key);
    selection_done(&selection);
    selection_done(&selection);
}

static void the_order_in_which_texts_were_given_does_not_matter(void **state)
{
    char one[500], other[500];

    (void)state;
    take_key("a|b|c", "t|s.t", "1|2|10", 3, NAMING_TYPE, one);
    take_key("c|a|b", "s.t|t", "10|2|1", 3, NAMING_TYPE, other);
    assert_string_equal(one, other);
}

static void different_selections_never_have_the_same_key(void **state)
{
    static const struct {
        const char *channels, *tables, *ids;
        unsigned types;
        enum naming naming;
    } SELECTIONS[] = {
        {"a", "", "", 0, NAMING_MESSAGE},
        {"b", "", "", 0, NAMING_MESSAGE},
        {"a|b", "", "", 0, NAMING_MESSAGE},
        {"ab", "", "", 0, NAMING_MESSAGE},
        {"a,b", "", "", 0, NAMING_MESSAGE},
        {"a", "b", "", 0, NAMING_MESSAGE},
        {"a", "", "b", 0, NAMING_MESSAGE},
        {"a", "b", "b", 0, NAMING_MESSAGE},
        {"a", "b|c", "", 0, NAMING_MESSAGE},
        {"a", "b", "c", 0, NAMING_MESSAGE},
        {"a", "", "b|c", 0, NAMING_MESSAGE},
        {"a", "", "", 1, NAMING_MESSAGE},
        {"a", "", "", 2, NAMING_MESSAGE},
        {"a", "", "", 0, NAMING_TYPE},
        {"a", "", "", 0, NAMING_TABLE},
        {"a)0(", "", "", 0, NAMING_MESSAGE},
        {"a)0()0()0,0", "", "", 0, NAMING_MESSAGE},
        {"1:a", "", "", 0, NAMING_MESSAGE},
        {"a1:b", "", "", 0, NAMING_MESSAGE},
        {"a|1:b", "", "", 0, NAMING_MESSAGE},
        {"a", "1:b", "", 0, NAMING_MESSAGE},
        {"a", "b)1(1:c", "", 0, NAMING_MESSAGE},
        {"A", "", "", 0, NAMING_MESSAGE},
        {"a,b|c", "", "", 0, NAMING_MESSAGE},
        {"a|b,c", "", "", 0, NAMING_MESSAGE},
        {"a:b|c", "", "", 0, NAMING_MESSAGE},
        {"a|b:c", "", "", 0, NAMING_MESSAGE},
        {"ab|c", "", "", 0, NAMING_MESSAGE},
        {"a|bc", "", "", 0, NAMING_MESSAGE},
        {"a b|c", "", "", 0, NAMING_MESSAGE},
        {"a|b c", "", "", 0, NAMING_MESSAGE},
        {"a ", "", "", 0, NAMING_MESSAGE},
    };
    static char keys[COUNT_OF(SELECTIONS)][500];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(SELECTIONS); i++) {
        take_key(SELECTIONS[i].channels, SELECTIONS[i].tables, SELECTIONS[i].ids, SELECTIONS[i].types,
                 SELECTIONS[i].naming, keys[i]);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(keys[i], keys[j]);
    }
}

static void random_text(uint64_t *dice, char text[8])
{
    size_t size = 1 + roll(dice, 3);

    for (size_t i = 0; i < size; i++)
        text[i] = "1:,a"[roll(dice, 4)];
    text[size] = '\0';
}

/* Sorted lists as one text that cannot be mistaken: texts hold no bar and no slash. */
static void canonical(struct selection *selection, char *text)
{
    struct text_list *lists[] = {&selection->channels, &selection->tables, &selection->ids};

    text[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        strcat(text, "/");
        for (size_t j = 0; j < lists[i]->count; j++)
            strcat(strcat(text, lists[i]->items[j]), "|");
    }
    sprintf(text + strlen(text), "/%u/%d", selection->types, (int)selection->naming);
}

static void random_selections_have_equal_keys_exactly_when_they_are_equal(void **state)
{
    enum { SELECTIONS = 1500 };
    static char keys[SELECTIONS][200], canonicals[SELECTIONS][200];
    uint64_t dice = 21;
    int equal = 0;

    (void)state;
    for (int i = 0; i < SELECTIONS; i++) {
        struct selection selection = {.types = (unsigned)roll(&dice, 2), .naming = (enum naming)roll(&dice, 2)};
        struct text_list *lists[] = {&selection.channels, &selection.tables, &selection.ids};
        struct buffer key;
        char text[8];
        for (uint64_t left = 1 + roll(&dice, 3); left > 0; left--) {
            random_text(&dice, text);
            assert_int_equal(text_list_add(lists[roll(&dice, 3)], text), 0);
        }
        buffer_init(&key, 200);
        selection_key(&selection, &key);
        snprintf(keys[i], sizeof(keys[i]), "%s", buffer_text(&key));
        canonical(&selection, canonicals[i]);
        buffer_done(&key);
        selection_done(&selection);
        for (int j = 0; j < i; j++) {
            bool same = strcmp(canonicals[i], canonicals[j]) == 0;
            assert_int_equal(strcmp(keys[i], keys[j]) == 0, same);
            equal += same;
        }
    }
    assert_true(equal > 0);
}

static void assert_wants(const struct selection *selection, struct event *event, bool expected)
{
    assert_int_equal(selection_wants(selection, event), expected);
    event_unref(event);
}

static void without_filters_everything_passes(void **state)
{
    (void)state;
    assert_wants(&nothing, make_event(EVENT_TYPE_INSERT, "s", "t", "1"), true);
    assert_wants(&nothing, make_event(EVENT_TYPE_NONE, NULL, NULL, NULL), true);
    assert_wants(&nothing, make_event(EVENT_TYPE_OUTAGE, NULL, NULL, NULL), true);
}

static void tables_match_with_or_without_their_schema(void **state)
{
    struct selection selection = {0};

    (void)state;
    add_all(&selection.tables, "posts|app.users|a.b.c|.x");
    assert_wants(&selection, make_event(EVENT_TYPE_INSERT, NULL, "posts", "1"), true);
    assert_wants(&selection, make_event(EVENT_TYPE_INSERT, "any", "posts", "1"), true);
    assert_wants(&selection, make_event(EVENT_TYPE_INSERT, "any", "Posts", "1"), false);
    assert_wants(&selection, make_event(EVENT_TYPE_INSERT, "app", "users", "1"), true);
    assert_wants(&selection, make_event(EVENT_TYPE_INSERT, "ap", "users", "1"), false);
    assert_wants(&selection, make_event(EVENT_TYPE_INSERT, "app", "user", "1"), false);
    assert_wants(&selection, make_event(EVENT_TYPE_INSERT, "app.", "users", "1"), false);
    assert_wants(&selection, make_event(EVENT_TYPE_INSERT, NULL, "users", "1"), false);
    assert_wants(&selection, make_event(EVENT_TYPE_INSERT, "a", "b.c", "1"), true);
    assert_wants(&selection, make_event(EVENT_TYPE_INSERT, "a.b", "c", "1"), true);
    assert_wants(&selection, make_event(EVENT_TYPE_INSERT, "", "x", "1"), true);
    assert_wants(&selection, make_event(EVENT_TYPE_NONE, NULL, NULL, NULL), false);
    assert_wants(&selection, make_event(EVENT_TYPE_OUTAGE, NULL, NULL, NULL), true);
    selection_done(&selection);
}

static void types_and_ids_filter_and_all_filters_must_agree(void **state)
{
    struct selection selection = {.types = EVENT_TYPE_INSERT | EVENT_TYPE_DELETE};

    (void)state;
    assert_wants(&selection, make_event(EVENT_TYPE_INSERT, NULL, "t", NULL), true);
    assert_wants(&selection, make_event(EVENT_TYPE_UPDATE, NULL, "t", NULL), false);
    assert_wants(&selection, make_event(EVENT_TYPE_NONE, NULL, NULL, NULL), false);
    assert_wants(&selection, make_event(EVENT_TYPE_OUTAGE, NULL, NULL, NULL), true);
    add_all(&selection.ids, "7|{\"a\":1}");
    assert_wants(&selection, make_event(EVENT_TYPE_INSERT, NULL, "t", "7"), true);
    assert_wants(&selection, make_event(EVENT_TYPE_INSERT, NULL, "t", "{\"a\":1}"), true);
    assert_wants(&selection, make_event(EVENT_TYPE_INSERT, NULL, "t", "07"), false);
    assert_wants(&selection, make_event(EVENT_TYPE_INSERT, NULL, "t", NULL), false);
    assert_wants(&selection, make_event(EVENT_TYPE_UPDATE, NULL, "t", "7"), false);
    assert_wants(&selection, make_event(EVENT_TYPE_OUTAGE, NULL, NULL, NULL), true);
    selection_done(&selection);
}

static void assert_named(enum naming naming, struct event *event, const char *expected)
{
    struct selection selection = {.naming = naming};
    const char *name = selection_event_name(&selection, event);

    if (expected) {
        assert_non_null(name);
        assert_string_equal(name, expected);
    } else {
        assert_null(name);
    }
    event_unref(event);
}

static void events_are_named_as_asked(void **state)
{
    (void)state;
    assert_named(NAMING_MESSAGE, make_event(EVENT_TYPE_INSERT, "s", "posts", "1"), NULL);
    assert_named(NAMING_TYPE, make_event(EVENT_TYPE_TRUNCATE, "s", "posts", "1"), "TRUNCATE");
    assert_named(NAMING_TYPE, make_event(EVENT_TYPE_NONE, NULL, NULL, NULL), NULL);
    assert_named(NAMING_TABLE, make_event(EVENT_TYPE_INSERT, "s", "posts", "1"), "posts");
    assert_named(NAMING_TABLE, make_event(EVENT_TYPE_INSERT, "s", "", "1"), NULL);
    assert_named(NAMING_TABLE, make_event(EVENT_TYPE_NONE, NULL, NULL, NULL), NULL);
}

static void no_table_takes_the_name_of_a_control_event(void **state)
{
    static const char *const NAMES[] = {"ready", "gap", "status", "bye", "busy", "error", "open"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        char expected[16];
        snprintf(expected, sizeof(expected), "%s_", NAMES[i]);
        assert_named(NAMING_TABLE, make_event(EVENT_TYPE_INSERT, NULL, NAMES[i], NULL), expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_in_which_texts_were_given_does_not_matter),
        cmocka_unit_test(different_selections_never_have_the_same_key),
        cmocka_unit_test(random_selections_have_equal_keys_exactly_when_they_are_equal),
        cmocka_unit_test(without_filters_everything_passes),
        cmocka_unit_test(tables_match_with_or_without_their_schema),
        cmocka_unit_test(types_and_ids_filter_and_all_filters_must_agree),
        cmocka_unit_test(events_are_named_as_asked),
        cmocka_unit_test(no_table_takes_the_name_of_a_control_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
