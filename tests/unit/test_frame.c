#include "stream/frame.h"

#include "sse_reader.h"
#include "unit.h"

struct heard {
    int events;
    char id[100], type[100], data[1000];
    size_t data_bytes;
};

static void on_event(void *context, const struct sse_event *event)
{
    struct heard *heard = context;

    heard->events++;
    snprintf(heard->id, sizeof(heard->id), "%s", event->id);
    snprintf(heard->type, sizeof(heard->type), "%s", event->type);
    assert_true(event->data_bytes < sizeof(heard->data));
    memcpy(heard->data, event->data, event->data_bytes + 1);
    heard->data_bytes = event->data_bytes;
}

static struct heard hear(const struct buffer *bytes, struct sse_reader *reader)
{
    struct heard heard = {0};

    sse_reader_init(reader, on_event, &heard);
    sse_read(reader, buffer_bytes(bytes), buffer_size(bytes));
    sse_reader_done(reader);
    return heard;
}

/* Encodes, reads back, and demands exactly this one event. */
static void assert_heard(const char *id, const char *name, const char *data, size_t data_bytes,
                         const char *expected_type, const char *expected_data)
{
    struct sse_reader reader;
    struct buffer bytes;

    buffer_init(&bytes, 10000);
    frame_event(&bytes, id, name, data, data_bytes);
    struct heard heard = hear(&bytes, &reader);
    buffer_done(&bytes);
    assert_int_equal(heard.events, 1);
    assert_string_equal(heard.id, id ? id : "");
    assert_string_equal(heard.type, expected_type);
    assert_int_equal(heard.data_bytes, data_bytes);
    assert_string_equal(heard.data, expected_data);
    assert_int_equal(reader.retry_ms, -1);
    assert_int_equal(reader.comments, 0);
}

static void a_frame_is_id_event_and_data(void **state)
{
    struct buffer bytes;

    (void)state;
    buffer_init(&bytes, 1000);
    frame_event(&bytes, "1-a", "posts", "{}", 2);
    frame_event(&bytes, NULL, NULL, "1", 1);
    frame_comment(&bytes, "ok");
    frame_retry(&bytes, 2137);
    assert_string_equal(buffer_text(&bytes), "id: 1-a\nevent: posts\ndata: {}\n\n"
                                             "data: 1\n\n"
                                             ": ok\n\n"
                                             "retry: 2137\n\n");
    buffer_done(&bytes);
}

static void a_reader_gets_what_was_written(void **state)
{
    (void)state;
    assert_heard("1-a", "posts", "{\"a\":1}", 7, "posts", "{\"a\":1}");
    assert_heard("1-a", NULL, "{}", 2, "message", "{}");
    assert_heard(NULL, "gap", "", 0, "gap", "");
    assert_heard(NULL, NULL, " two spaces", 11, "message", " two spaces");
    assert_heard(NULL, " x", ":", 1, " x", ":");
    assert_heard(NULL, "a: b", "\xef\xbb\xbf", 3, "a: b", "\xef\xbb\xbf");
}

static void line_breaks_and_nul_in_data_start_no_field_of_their_own(void **state)
{
    (void)state;
    assert_heard("1-a", NULL, "a\nid: 2\ndata: b", 15, "message", "a id: 2 data: b");
    assert_heard("1-a", NULL, "a\rid: 2\rdata: b", 15, "message", "a id: 2 data: b");
    assert_heard("1-a", NULL, "a\r\nretry: 1\r\n\r\n", 15, "message", "a  retry: 1    ");
    assert_heard("1-a", NULL, "a\0b\0", 4, "message", "a b ");
    assert_heard("1-a", NULL, "\n\n", 2, "message", "  ");
}

static void line_breaks_in_a_name_start_no_field_of_their_own(void **state)
{
    (void)state;
    assert_heard("1-a", "x\ndata: y", "1", 1, "x data: y", "1");
    assert_heard("1-a", "x\r\n\r\nid: 9", "1", 1, "x    id: 9", "1");
    assert_heard("1-a", "x\r", "1", 1, "x ", "1");
}

static void a_comment_and_a_retry_are_no_events(void **state)
{
    struct sse_reader reader;
    struct buffer bytes;

    (void)state;
    buffer_init(&bytes, 1000);
    frame_comment(&bytes, "a\nid: 7\r\ndata: x\r\revent: y");
    frame_comment(&bytes, "");
    frame_retry(&bytes, 3000);
    assert_int_equal(hear(&bytes, &reader).events, 0);
    assert_int_equal(reader.comments, 2);
    assert_int_equal(reader.retry_ms, 3000);
    buffer_done(&bytes);
}

static void frames_behind_one_another_are_heard_however_the_bytes_are_cut(void **state)
{
    struct heard heard = {0};
    struct sse_reader reader;
    struct buffer bytes;
    uint64_t dice = 11;

    (void)state;
    buffer_init(&bytes, 100000);
    for (int i = 0; i < 500; i++) {
        char data[32];
        snprintf(data, sizeof(data), "{\"id\":%d}", i);
        frame_event(&bytes, i % 3 ? "1-a" : NULL, i % 5 ? NULL : "table", data, strlen(data));
        if (i % 7 == 0)
            frame_comment(&bytes, "");
    }
    assert_false(bytes.failed);
    sse_reader_init(&reader, on_event, &heard);
    while (buffer_size(&bytes) > 0) {
        size_t portion = 1 + roll(&dice, 40);
        portion = portion < buffer_size(&bytes) ? portion : buffer_size(&bytes);
        sse_read(&reader, buffer_bytes(&bytes), portion);
        buffer_consume(&bytes, portion);
    }
    assert_int_equal(heard.events, 500);
    assert_string_equal(heard.data, "{\"id\":499}");
    assert_string_equal(heard.type, "message");
    sse_reader_done(&reader);
    buffer_done(&bytes);
}

static void random_names_and_data_come_back_with_only_line_breaks_changed(void **state)
{
    static const char ALPHABET[] = "\r\n\n\r :ab\0{\"id:data:event:\xc3";
    uint64_t dice = 5;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char name[16], data[40], expected_name[16], expected_data[40];
        size_t name_size = 1 + roll(&dice, sizeof(name) - 2), data_size = roll(&dice, sizeof(data) - 1);
        for (size_t i = 0; i < name_size; i++) {
            name[i] = ALPHABET[roll(&dice, sizeof(ALPHABET) - 1)];
            name[i] = name[i] ? name[i] : 'x';
            expected_name[i] = strchr("\r\n", name[i]) ? ' ' : name[i];
        }
        for (size_t i = 0; i < data_size; i++) {
            data[i] = ALPHABET[roll(&dice, sizeof(ALPHABET) - 1)];
            expected_data[i] = strchr("\r\n", data[i]) ? ' ' : data[i];
        }
        name[name_size] = expected_name[name_size] = data[data_size] = expected_data[data_size] = '\0';
        assert_heard("1-a", name, data, data_size, expected_name, expected_data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_id_event_and_data),
        cmocka_unit_test(a_reader_gets_what_was_written),
        cmocka_unit_test(line_breaks_and_nul_in_data_start_no_field_of_their_own),
        cmocka_unit_test(line_breaks_in_a_name_start_no_field_of_their_own),
        cmocka_unit_test(a_comment_and_a_retry_are_no_events),
        cmocka_unit_test(frames_behind_one_another_are_heard_however_the_bytes_are_cut),
        cmocka_unit_test(random_names_and_data_come_back_with_only_line_breaks_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
