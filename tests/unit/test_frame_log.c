#include "stream/frame_log.h"

#include "unit.h"

static const struct durable_position nowhere;

static void append(struct frame_log *log, const char *frame, uint64_t number)
{
    buffer_append_text(frame_log_begin_frame(log), frame);
    assert_int_equal(frame_log_end_frame(log, number, &nowhere, (int64_t)number * 10), 0);
}

static void assert_bytes(const struct frame_log *log, uint64_t offset, const char *expected)
{
    size_t size;
    const char *bytes = frame_log_bytes(log, offset, &size);

    assert_int_equal(size, strlen(expected));
    assert_memory_equal(bytes, expected, size);
}

static void every_byte_knows_its_frame(void **state)
{
    struct frame_log log;

    (void)state;
    frame_log_init(&log);
    assert_int_equal(frame_log_head(&log), 0);
    assert_null(frame_log_frame_at(&log, 0));
    append(&log, "one", 1);
    append(&log, "three", 3);
    assert_int_equal(frame_log_head(&log), 8);
    assert_bytes(&log, 2, "ethree");
    assert_bytes(&log, 8, "");
    assert_int_equal(frame_log_frame_at(&log, 0)->number, 1);
    assert_int_equal(frame_log_frame_at(&log, 2)->number, 1);
    assert_int_equal(frame_log_frame_at(&log, 2)->end, 3);
    assert_int_equal(frame_log_frame_at(&log, 3)->number, 3);
    assert_int_equal(frame_log_frame_at(&log, 3)->received_us, 30);
    assert_null(frame_log_frame_at(&log, 8));
    assert_int_equal(frame_log_rank(&log, 0), 0);
    assert_int_equal(frame_log_rank(&log, 2), 0);
    assert_int_equal(frame_log_rank(&log, 3), 1);
    assert_int_equal(frame_log_rank(&log, 8), 2);
    frame_log_done(&log);
}

static void trimming_drops_the_front_and_offsets_stay(void **state)
{
    struct frame_log log;

    (void)state;
    frame_log_init(&log);
    append(&log, "one", 1);
    append(&log, "two", 2);
    append(&log, "three", 3);
    frame_log_trim(&log, 3);
    assert_bytes(&log, 3, "twothree");
    assert_int_equal(frame_log_rank(&log, 3), 1);
    assert_int_equal(frame_log_frame_at(&log, 3)->number, 2);
    frame_log_trim(&log, 3);
    frame_log_trim(&log, 11);
    assert_int_equal(frame_log_head(&log), 11);
    assert_int_equal(frame_log_rank(&log, 11), 3);
    append(&log, "four", 4);
    assert_bytes(&log, 11, "four");
    assert_int_equal(frame_log_rank(&log, 15), 4);
    frame_log_done(&log);
}

static void a_frame_that_failed_is_taken_back_and_the_log_goes_on(void **state)
{
    struct frame_log log;

    (void)state;
    frame_log_init(&log);
    for (int round = 0; round < 2; round++) {
        uint64_t head = frame_log_head(&log);
        struct buffer *frame = frame_log_begin_frame(&log);
        buffer_append_text(frame, "half of a fr");
        frame->failed = true;
        assert_true(frame_log_end_frame(&log, 9, &nowhere, 0) < 0);
        assert_int_equal(frame_log_head(&log), head);
        append(&log, "one", 1);
        append(&log, "two", 2);
        assert_bytes(&log, head, "onetwo");
        frame_log_trim(&log, head + 3);
        assert_bytes(&log, head + 3, "two");
    }
    frame_log_done(&log);
}

static void an_empty_log_gives_its_memory_back_and_keeps_its_place(void **state)
{
    struct frame_log log;

    (void)state;
    frame_log_init(&log);
    append(&log, "one", 1);
    frame_log_shrink(&log);
    assert_bytes(&log, 0, "one");
    frame_log_trim(&log, 3);
    frame_log_shrink(&log);
    assert_null(log.bytes.data);
    assert_null(log.notes);
    frame_log_shrink(&log);
    assert_int_equal(frame_log_head(&log), 3);
    assert_int_equal(frame_log_rank(&log, 3), 1);
    append(&log, "two", 2);
    assert_bytes(&log, 3, "two");
    assert_int_equal(frame_log_rank(&log, 6), 2);
    frame_log_done(&log);
}

enum { FRAMES = 30000 };

/* The model: where each frame ever written ends, and one byte that fills it. */
static uint64_t ends[FRAMES + 1]; /* ends[0] is 0: frame i is from ends[i] to ends[i + 1] */
static char fills[FRAMES];
static size_t frames, kept; /* kept: the first frame that is still there */

static void random_step(uint64_t *dice, struct frame_log *log)
{
    char frame[200];
    uint64_t die = roll(dice, 100);

    if (die < 60 && frames < FRAMES) {
        size_t size = 1 + roll(dice, sizeof(frame) - 1);
        fills[frames] = (char)('a' + roll(dice, 26));
        memset(frame, fills[frames], size);
        buffer_append(frame_log_begin_frame(log), frame, size);
        if (roll(dice, 50) == 0) {
            log->bytes.failed = true;
            assert_true(frame_log_end_frame(log, 0, &nowhere, 0) < 0);
            return;
        }
        assert_int_equal(frame_log_end_frame(log, frames * 3, &nowhere, 0), 0);
        ends[frames + 1] = ends[frames] + size;
        frames++;
    } else if (die < 90) {
        size_t most = frames - kept < 3 ? frames - kept : 3;
        kept += roll(dice, 20) == 0 ? frames - kept : roll(dice, most + 1);
        frame_log_trim(log, ends[kept]);
    } else {
        frame_log_shrink(log);
    }
}

static void check_random_place(uint64_t *dice, const struct frame_log *log)
{
    assert_int_equal(log->tail, ends[kept]);
    assert_int_equal(frame_log_head(log), ends[frames]);
    size_t frame = kept + roll(dice, frames - kept + 1);
    if (frame == frames) {
        assert_null(frame_log_frame_at(log, ends[frames]));
        assert_int_equal(frame_log_rank(log, ends[frames]), frames);
        return;
    }
    uint64_t offset = ends[frame] + roll(dice, ends[frame + 1] - ends[frame]);
    size_t size;
    const char *bytes = frame_log_bytes(log, offset, &size);
    assert_int_equal(size, ends[frames] - offset);
    assert_int_equal(bytes[0], fills[frame]);
    assert_int_equal(bytes[ends[frame + 1] - offset - 1], fills[frame]);
    assert_int_equal(bytes[size - 1], fills[frames - 1]);
    assert_int_equal(frame_log_frame_at(log, offset)->number, frame * 3);
    assert_int_equal(frame_log_frame_at(log, offset)->end, ends[frame + 1]);
    assert_int_equal(frame_log_rank(log, offset), frame);
}

static void random_use_agrees_with_a_plain_model(void **state)
{
    struct frame_log log;
    uint64_t dice = 4;

    (void)state;
    frame_log_init(&log);
    for (int i = 0; i < 45000; i++) {
        random_step(&dice, &log);
        check_random_place(&dice, &log);
    }
    assert_true(frames > 20000 && kept > 10000);
    frame_log_done(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_knows_its_frame),
        cmocka_unit_test(trimming_drops_the_front_and_offsets_stay),
        cmocka_unit_test(a_frame_that_failed_is_taken_back_and_the_log_goes_on),
        cmocka_unit_test(an_empty_log_gives_its_memory_back_and_keeps_its_place),
        cmocka_unit_test(random_use_agrees_with_a_plain_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
