#include "base/log.h"

#include "base/buffer.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A line holds what texts of that size can become: six bytes for each, and a dozen of them. */
enum { TEXT_BYTES_MAX = 1024, LINE_BYTES_MAX = 12 * 6 * TEXT_BYTES_MAX };

static enum log_level log_level_min = LOG_LEVEL_INFO;
static enum log_format log_format = LOG_FORMAT_TEXT;

void log_init(enum log_level level, enum log_format format)
{
    log_level_min = level;
    log_format = format;
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

void log_write(enum log_level level, const char *phrase, const struct log_field *fields)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    struct buffer line;
    struct timespec now;
    struct tm parts;
    char date[32];

    if (level < log_level_min)
        return;
    int saved_errno = errno;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
    buffer_init(&line, LINE_BYTES_MAX);
    if (log_format == LOG_FORMAT_JSON)
        buffer_printf(&line, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"message\":\"%s\"", date, now.tv_nsec / 1000000,
                      names[level], phrase);
    else
        buffer_printf(&line, "%s.%03ldZ %s %s", date, now.tv_nsec / 1000000, names[level], phrase);
    for (const struct log_field *field = fields; field->key; field++)
        append_field(&line, field);
    buffer_append_text(&line, log_format == LOG_FORMAT_JSON ? "}\n" : "\n");
    /* Nothing can be done about a log that cannot be written. */
    if (!line.failed && write(STDERR_FILENO, buffer_bytes(&line), buffer_size(&line)) < 0)
        errno = saved_errno;
    buffer_done(&line);
    errno = saved_errno;
}
