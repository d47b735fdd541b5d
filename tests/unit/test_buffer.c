#include "base/buffer.h"

#include "unit.h"

static void contents_grow_at_the_end_and_go_at_the_front(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 100);
    buffer_append_text(&buffer, "one ");
    buffer_append(&buffer, "two\0", 4);
    assert_int_equal(buffer_size(&buffer), 8);
    buffer_consume(&buffer, 4);
    assert_string_equal(buffer_text(&buffer), "two");
    buffer_consume(&buffer, 1000);
    assert_int_equal(buffer_size(&buffer), 0);
    assert_string_equal(buffer_text(&buffer), "");
    assert_false(buffer.failed);
    buffer_done(&buffer);
}

static void nothing_passes_the_largest_size_and_the_failure_is_remembered(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 10);
    buffer_append_text(&buffer, "0123456789");
    assert_false(buffer.failed);
    buffer_append(&buffer, "", 0);
    assert_false(buffer.failed);
    buffer_append_text(&buffer, "x");
    assert_true(buffer.failed);
    assert_int_equal(buffer_size(&buffer), 10);
    buffer_consume(&buffer, 5);
    buffer_append_text(&buffer, "y");
    assert_true(buffer.failed);
    assert_int_equal(buffer_size(&buffer), 5);
    assert_null(buffer_text(&buffer));
    buffer_clear(&buffer);
    assert_false(buffer.failed);
    buffer_append_text(&buffer, "again");
    assert_memory_equal(buffer_bytes(&buffer), "again", 5);
    buffer_done(&buffer);
}

static void a_size_that_would_overflow_fails_and_does_no_harm(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 10);
    buffer_append_text(&buffer, "abc");
    buffer_append(&buffer, "", SIZE_MAX);
    assert_true(buffer.failed);
    assert_int_equal(buffer_size(&buffer), 3);
    buffer_done(&buffer);
}

static void formatted_text_may_be_long_and_is_cut_nowhere(void **state)
{
    char long_text[2001];
    struct buffer buffer;

    (void)state;
    memset(long_text, 'z', 2000);
    long_text[2000] = '\0';
    buffer_init(&buffer, 5000);
    buffer_printf(&buffer, "%d-%s-%s", -7, "x", "");
    assert_string_equal(buffer_text(&buffer), "-7-x-");
    buffer_printf(&buffer, "%s|%s", long_text, long_text);
    assert_int_equal(buffer_size(&buffer), 5 + 4001);
    buffer_printf(&buffer, "%s", long_text);
    assert_true(buffer.failed);
    assert_int_equal(buffer_size(&buffer), 5 + 4001);
    buffer_done(&buffer);
}

static void contents_of_exactly_the_largest_size_can_still_be_lent_as_a_text(void **state)
{
    char text[301];
    struct buffer buffer;

    (void)state;
    memset(text, 'x', 300);
    text[300] = '\0';
    buffer_init(&buffer, 300);
    buffer_append_text(&buffer, text);
    const char *lent = buffer_text(&buffer);
    bool is_lent = lent && strcmp(lent, text) == 0 && !buffer.failed;
    buffer_clear(&buffer);
    buffer_printf(&buffer, "%s", text);
    bool is_printed = !buffer.failed && buffer_size(&buffer) == 300;
    buffer_done(&buffer);
    assert_true(is_lent);
    assert_true(is_printed);
}

static void done_is_fine_on_a_zeroed_and_on_a_done_buffer(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    buffer_done(&buffer);
    buffer_init(&buffer, 10);
    buffer_done(&buffer);
    buffer_append_text(&buffer, "a");
    assert_int_equal(buffer_size(&buffer), 1);
    buffer_done(&buffer);
    buffer_done(&buffer);
    assert_int_equal(buffer_size(&buffer), 0);
    assert_string_equal(buffer_bytes(&buffer), "");
}

static void one_random_step(uint64_t *dice, struct buffer *buffer, char *model, size_t *model_size, size_t max)
{
    char piece[700];
    size_t size = roll(dice, roll(dice, 4) == 0 ? sizeof(piece) : 20);

    if (roll(dice, 5) < 2) {
        buffer_consume(buffer, size);
        size = size < *model_size ? size : *model_size;
        memmove(model, model + size, *model_size - size);
        *model_size -= size;
        return;
    }
    memset(piece, 'a' + (int)roll(dice, 26), sizeof(piece));
    buffer_append(buffer, piece, size);
    if (size > max - *model_size) {
        assert_true(buffer->failed);
        buffer_clear(buffer);
        *model_size = 0;
        return;
    }
    memcpy(model + *model_size, piece, size);
    *model_size += size;
}

static void random_appends_and_consumptions_agree_with_a_plain_array(void **state)
{
    enum { BYTES_MAX = 3000 };
    char model[BYTES_MAX];
    size_t model_size = 0;
    uint64_t dice = 1;
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, BYTES_MAX);
    for (int i = 0; i < 100000; i++) {
        one_random_step(&dice, &buffer, model, &model_size, BYTES_MAX);
        assert_int_equal(buffer_size(&buffer), model_size);
        assert_memory_equal(buffer_bytes(&buffer), model, model_size);
        assert_true(buffer.capacity <= 2 * BYTES_MAX);
    }
    buffer_done(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contents_grow_at_the_end_and_go_at_the_front),
        cmocka_unit_test(nothing_passes_the_largest_size_and_the_failure_is_remembered),
        cmocka_unit_test(a_size_that_would_overflow_fails_and_does_no_harm),
        cmocka_unit_test(formatted_text_may_be_long_and_is_cut_nowhere),
        cmocka_unit_test(contents_of_exactly_the_largest_size_can_still_be_lent_as_a_text),
        cmocka_unit_test(done_is_fine_on_a_zeroed_and_on_a_done_buffer),
        cmocka_unit_test(random_appends_and_consumptions_agree_with_a_plain_array),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
