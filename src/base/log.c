#include "base/log.h"

#include "base/buffer.h"
#include "base/log_sink.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A line holds what texts of that size can become: six bytes for each, and a dozen of them. */
enum { TEXT_BYTES_MAX = 1024, LINE_BYTES_MAX = 12 * 6 * TEXT_BYTES_MAX };

static enum log_level log_level_min = LOG_LEVEL_INFO;
static enum log_format log_format = LOG_FORMAT_TEXT;
static bool log_to_journal;

/* Of one phrase, in the window that began at since_ms. */
struct quota {
    const char *phrase;
    int64_t since_ms;
    unsigned lines;
    int64_t suppressed;
};

enum { QUOTAS_MAX = 128 };

static struct quota quotas[QUOTAS_MAX];
static struct log_stats stats;
static struct log_sink sink;
static uint64_t dropped_untold;

/* "device:inode" of the stream that the journal reads; another program may have inherited the variable. */
static bool is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat status;

    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(fd, &status) == 0 &&
           status.st_dev == device && status.st_ino == inode;
}

void log_init(enum log_level level, enum log_format format)
{
    log_level_min = level;
    log_format = format;
    log_to_journal = is_journal(STDERR_FILENO);
    log_sink_open(&sink);
}

/* What a terminal obeys, or does not show as it stands: C1 controls, and characters that break lines, turn the
 * direction of writing around, or have no width. */
static bool is_hidden(const unsigned char *at, size_t sequence)
{
    if (sequence == 2)
        return (at[0] == 0xc2 && at[1] < 0xa0) || (at[0] == 0xd8 && at[1] == 0x9c);
    if (sequence != 3 || (at[0] != 0xe2 && at[0] != 0xef))
        return false;
    if (at[0] == 0xef)
        return at[1] == 0xbb && at[2] == 0xbf;
    return (at[1] == 0x80 && ((at[2] >= 0x8b && at[2] <= 0x8f) || (at[2] >= 0xa8 && at[2] <= 0xae))) ||
           (at[1] == 0x81 && at[2] >= 0xa0 && at[2] <= 0xaf);
}

/* Text in double quotes, with JSON's escapes in both formats; what is not UTF-8 becomes U+FFFD. What is longer than
 * TEXT_BYTES_MAX ends in
 * "...". */
static void append_quoted(struct buffer *line, const char *text)
{
    size_t size = strlen(text);
    size_t shown = size < TEXT_BYTES_MAX ? size : TEXT_BYTES_MAX;

    buffer_append(line, "\"", 1);
    const unsigned char *at = (const unsigned char *)text, *end = at + size;
    while (at < (const unsigned char *)text + shown) {
        size_t sequence = utf8_size(at, end);
        if (*at == '"' || *at == '\\')
            buffer_append(line, "\\", 1);
        if (sequence == 0)
            buffer_append_text(line, "\\ufffd");
        else if (*at < 0x20 || *at == 0x7f)
            buffer_printf(line, "\\u%04x", *at);
        else if (is_hidden(at, sequence))
            buffer_printf(line, "\\u%04x",
                          sequence == 2 ? (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu)
                                        : (at[0] & 0xfu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu));
        else
            buffer_append(line, at, sequence);
        at += sequence ? sequence : 1;
    }
    buffer_append_text(line, shown < size ? "...\"" : "\"");
}

static void append_field(struct buffer *line, const struct log_field *field)
{
    if (log_format == LOG_FORMAT_JSON)
        buffer_printf(line, ",\"%s\":", field->key);
    else
        buffer_printf(line, " %s=", field->key);
    if (field->text)
        append_quoted(line, field->text);
    else
        buffer_printf(line, "%lld", (long long)field->number);
}

static int64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Makes the line, and hands it to whoever reads the log, who may not be there. */
static bool send_line(enum log_level level, const char *phrase, const struct log_field *fields, int64_t suppressed)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    static const int priorities[] = {7, 6, 4, 3}; /* of syslog(3) */
    struct buffer line;
    struct timespec now;
    struct tm parts;
    char date[32];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
    buffer_init(&line, LINE_BYTES_MAX);
    if (log_to_journal)
        buffer_printf(&line, "<%d>", priorities[level]);
    if (log_format == LOG_FORMAT_JSON)
        buffer_printf(&line, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"message\":\"%s\"", date, now.tv_nsec / 1000000,
                      names[level], phrase);
    else
        buffer_printf(&line, "%s.%03ldZ %s %s", date, now.tv_nsec / 1000000, names[level], phrase);
    for (const struct log_field *field = fields; field->key; field++)
        append_field(&line, field);
    if (suppressed > 0)
        append_field(&line, &(const struct log_field){"suppressed", NULL, suppressed});
    buffer_append_text(&line, log_format == LOG_FORMAT_JSON ? "}\n" : "\n");
    bool is_sent = !line.failed && log_sink_write(&sink, buffer_bytes(&line), buffer_size(&line));
    buffer_done(&line);
    if (is_sent)
        stats.lines[level]++;
    return is_sent;
}

static void write_line(enum log_level level, const char *phrase, const struct log_field *fields, int64_t suppressed)
{
    int saved_errno = errno;

    if (dropped_untold > 0) {
        const struct log_field told[] = {log_number("lines", (int64_t)dropped_untold),
                                         log_text("reason", "nobody read the log, or it could not be written"),
                                         {0}};
        if (send_line(LOG_LEVEL_WARN, "lines of the log are missing", told, 0))
            dropped_untold = 0;
    }
    if (dropped_untold > 0 || !send_line(level, phrase, fields, suppressed)) {
        dropped_untold++;
        stats.dropped++;
    }
    errno = saved_errno;
}

/* What the phrase has used of its window. When there are more phrases than places, the rest share the last one. */
static struct quota *find_quota(const char *phrase)
{
    size_t i = 0;

    while (i < QUOTAS_MAX - 1 && quotas[i].phrase && quotas[i].phrase != phrase)
        i++;
    quotas[i].phrase = phrase;
    return &quotas[i];
}

void log_write(enum log_level level, const char *phrase, const struct log_field *fields)
{
    if (level < log_level_min)
        return;
    struct quota *quota = find_quota(phrase);
    int64_t now_ms = clock_ms(), suppressed = 0;
    if (quota->lines == 0 || now_ms - quota->since_ms >= LOG_WINDOW_MS) {
        suppressed = quota->suppressed;
        *quota = (struct quota){.phrase = phrase, .since_ms = now_ms};
    }
    if (quota->lines == LOG_LINES_PER_WINDOW) {
        quota->suppressed++;
        stats.suppressed++;
        return;
    }
    quota->lines++;
    write_line(level, phrase, fields, suppressed);
}

void log_write_all(const char *phrase, const struct log_field *fields)
{
    write_line(LOG_LEVEL_INFO, phrase, fields, 0);
}

const struct log_stats *log_stats(void)
{
    return &stats;
}
