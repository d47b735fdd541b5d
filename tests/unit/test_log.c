#include "base/log.h"

#include "stream/json_text.h"
#include "unit.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char said[1 << 16];

static int stderr_before, memory;

/* From here to what_was_said, stderr goes into memory. */
static void listen_to_stderr(void)
{
    memory = memfd_create("stderr", MFD_CLOEXEC);
    stderr_before = dup(STDERR_FILENO);
    assert_true(memory >= 0 && stderr_before >= 0);
    dup2(memory, STDERR_FILENO);
}

static const char *what_was_said(void)
{
    dup2(stderr_before, STDERR_FILENO);
    close(stderr_before);
    ssize_t size = pread(memory, said, sizeof(said) - 1, 0);
    assert_true(size >= 0);
    said[size] = '\0';
    close(memory);
    return said;
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;

    while (*text)
        lines += *text++ == '\n';
    return lines;
}

static void assert_json_lines(const char *text, size_t lines_expected)
{
    size_t lines = 0;

    for (; *text; lines++) {
        size_t size = strcspn(text, "\n");
        if (text[size] != '\n' || !json_is_valid(text, size) || text[0] != '{')
            fail_msg("this line is not a JSON object: %.*s", (int)size, text);
        text += size + 1;
    }
    assert_int_equal(lines, lines_expected);
}

static void a_line_is_a_date_a_level_a_phrase_and_pairs(void **state)
{
    int year;

    (void)state;
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    listen_to_stderr();
    log_warn("stream closed", log_text("reason", "stalled"), log_number("bytes", -4096), log_text("none", NULL));
    const char *text = what_was_said();
    assert_int_equal(sscanf(text, "%4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3dZ ", &year), 1);
    assert_true(year >= 2020);
    assert_string_equal(strchr(text, ' '), " warn stream closed reason=\"stalled\" bytes=-4096 none=\"\"\n");
}

static void lines_below_the_level_are_dropped(void **state)
{
    (void)state;
    log_init(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    listen_to_stderr();
    log_debug("one");
    log_info("two");
    log_warn("three");
    log_error("four");
    const char *text = what_was_said();
    assert_int_equal(count_lines(text), 2);
    assert_non_null(strstr(text, " warn three\n"));
    assert_non_null(strstr(text, " error four\n"));
}

static void no_text_from_outside_can_forge_a_line_or_a_pair(void **state)
{
    (void)state;
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    listen_to_stderr();
    log_info("told", log_text("name", "a\" level=\"x\\\n2030-01-01T00:00:00.000Z error b\r\t\x1b[2J\x7f"));
    const char *text = what_was_said();
    assert_int_equal(count_lines(text), 1);
    assert_string_equal(strstr(text, " name="), " name=\"a\\\" level=\\\"x\\\\\\u000a2030-01-01T00:00:00.000Z error "
                                                "b\\u000d\\u0009\\u001b[2J\\u007f\"\n");
}

static void what_a_terminal_obeys_or_does_not_show_is_escaped(void **state)
{
    (void)state;
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    listen_to_stderr();
    log_info("seen",
             log_text("c1", "a\xc2\x80 \xc2\x9b"
                            "31m\xc2\x9f"),
             log_text("lines", "\xe2\x80\xa8\xe2\x80\xa9"),
             log_text("bidi", "\xe2\x80\xae\xe2\x81\xa6\xe2\x80\x8f\xd8\x9c"),
             log_text("wide", "\xef\xbb\xbf\xe2\x80\x8b"),
             log_text("fine", "\xc2\xa0\xc3\xa9\xe2\x82\xac\xe2\x80\x94\xd8\xa7\xef\xbc\x81\xf0\x9f\x98\x80"));
    const char *text = what_was_said();
    assert_non_null(strstr(text, "c1=\"a\\u0080 \\u009b31m\\u009f\""));
    assert_non_null(strstr(text, "lines=\"\\u2028\\u2029\""));
    assert_non_null(strstr(text, "bidi=\"\\u202e\\u2066\\u200f\\u061c\""));
    assert_non_null(strstr(text, "wide=\"\\ufeff\\u200b\""));
    assert_non_null(
        strstr(text, "fine=\"\xc2\xa0\xc3\xa9\xe2\x82\xac\xe2\x80\x94\xd8\xa7\xef\xbc\x81\xf0\x9f\x98\x80\""));
}

static void the_json_form_is_one_object_on_each_line(void **state)
{
    (void)state;
    log_init(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    listen_to_stderr();
    log_debug("plain");
    log_error("told", log_text("name", "a\"\\\n\r\x01\x7f/\xc3\xa4"), log_number("count", INT64_MIN));
    const char *text = what_was_said();
    assert_json_lines(text, 2);
    assert_non_null(strstr(text, "\"level\":\"debug\",\"message\":\"plain\"}\n"));
    assert_non_null(strstr(text, ",\"name\":\"a\\\"\\\\\\u000a\\u000d\\u0001\\u007f/\xc3\xa4\","
                                 "\"count\":-9223372036854775808}\n"));
}

static void the_json_form_is_valid_whatever_bytes_a_text_holds(void **state)
{
    char long_text[2000];

    (void)state;
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    listen_to_stderr();
    log_info("told", log_text("name", "\xff\xc3 \xed\xa0\x80"));
    /* The place where a long text is cut lies within a character. */
    for (size_t i = 0; i + 3 < sizeof(long_text); i += 3)
        memcpy(long_text + i, "\xe2\x82\xac", 3);
    long_text[sizeof(long_text) - 2] = '\0';
    log_info("told", log_text("name", long_text));
    assert_json_lines(what_was_said(), 2);
}

static void a_long_text_is_cut_and_says_so(void **state)
{
    char long_text[5000];

    (void)state;
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    listen_to_stderr();
    log_info("told", log_text("name", long_text));
    const char *text = what_was_said();
    assert_int_equal(count_lines(text), 1);
    assert_true(strlen(text) < 1200);
    assert_non_null(strstr(text, "xxx...\"\n"));
}

static void a_line_is_never_lost_however_much_its_texts_hold(void **state)
{
    char hostile[2001], plain[2001];

    (void)state;
    memset(hostile, '\n', 2000);
    memset(plain, 'x', 2000);
    hostile[2000] = plain[2000] = '\0';
    for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
        log_init(LOG_LEVEL_INFO, (enum log_format)format);
        listen_to_stderr();
        log_error("escapes", log_text("name", hostile));
        log_error("many", log_text("a", plain), log_text("b", plain), log_text("c", plain), log_text("d", plain));
        const char *text = what_was_said();
        assert_non_null(strstr(text, "escapes"));
        assert_non_null(strstr(text, "many"));
        assert_int_equal(count_lines(text), 2);
        if (format == LOG_FORMAT_JSON)
            assert_json_lines(text, 2);
    }
}

static void errno_is_left_as_it_was_even_when_nobody_listens(void **state)
{
    (void)state;
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    listen_to_stderr();
    int before = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    errno = ENOTTY;
    log_info("nobody hears this");
    int after = errno;
    dup2(before, STDERR_FILENO);
    close(before);
    assert_string_equal(what_was_said(), "");
    assert_int_equal(after, ENOTTY);
}

static void of_one_phrase_so_many_lines_are_written_and_others_are_not_touched(void **state)
{
    uint64_t suppressed_before = log_stats()->suppressed;

    (void)state;
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    listen_to_stderr();
    for (int i = 0; i < 10 * LOG_LINES_PER_WINDOW; i++)
        log_info("again and again", log_number("i", i));
    log_info("another");
    for (int i = 0; i < 2 * LOG_LINES_PER_WINDOW; i++)
        log_all("all of it");
    const char *text = what_was_said();
    assert_int_equal(count_lines(text), 3 * LOG_LINES_PER_WINDOW + 1);
    assert_non_null(strstr(text, "another"));
    assert_int_equal(log_stats()->suppressed - suppressed_before, 9 * LOG_LINES_PER_WINDOW);
}

static void lines_for_the_journal_begin_with_their_priority(void **state)
{
    struct stat status;
    char stream[64];

    (void)state;
    listen_to_stderr();
    assert_int_equal(fstat(STDERR_FILENO, &status), 0);
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev, (unsigned long long)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_init(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    log_debug("d");
    log_info("i");
    log_warn("w");
    log_error("e");
    setenv("JOURNAL_STREAM", "1:1", 1);
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_warn("somebody else's");
    unsetenv("JOURNAL_STREAM");
    const char *text = what_was_said();
    const char *const begins[] = {"<7>", "<6>", "<4>", "<3>", "20"};
    for (int i = 0; i < 5; i++) {
        assert_memory_equal(text, begins[i], strlen(begins[i]));
        text = strchr(text, '\n') + 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_a_date_a_level_a_phrase_and_pairs),
        cmocka_unit_test(lines_below_the_level_are_dropped),
        cmocka_unit_test(no_text_from_outside_can_forge_a_line_or_a_pair),
        cmocka_unit_test(what_a_terminal_obeys_or_does_not_show_is_escaped),
        cmocka_unit_test(the_json_form_is_one_object_on_each_line),
        cmocka_unit_test(the_json_form_is_valid_whatever_bytes_a_text_holds),
        cmocka_unit_test(a_long_text_is_cut_and_says_so),
        cmocka_unit_test(a_line_is_never_lost_however_much_its_texts_hold),
        cmocka_unit_test(of_one_phrase_so_many_lines_are_written_and_others_are_not_touched),
        cmocka_unit_test(lines_for_the_journal_begin_with_their_priority),
        cmocka_unit_test(errno_is_left_as_it_was_even_when_nobody_listens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
