/* The log: one line on stderr for each thing worth knowing, a fixed phrase and then key=value pairs.
 *
 * When stderr is systemd's journal (JOURNAL_STREAM, systemd.exec(5)) each line begins with its priority, "<4>"
 * (sd-daemon(3)). Of one phrase at most LOG_LINES_PER_WINDOW lines are written in LOG_WINDOW_MS; the first line of a
 * later window says in `suppressed` how many are missing.
 *
 * Nobody waits for whoever reads the log: lines that find no room are dropped, and counted, and the next line that
 * finds some is preceded by one that says how many are missing (log_sink.h).
 *
 * A line never holds a payload, a row value or a secret. Text values are quoted and their control characters
 * escaped, so that nothing from outside can forge a line. This is the program's only global state.
 *
 *     log_warn("stream closed", log_text("reason", "stalled"), log_number("pending_bytes", 4096));
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { LOG_LINES_PER_WINDOW = 50, LOG_WINDOW_MS = 10000 };

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_field {
    const char *key; /* NULL ends a list */
    const char *text;
    int64_t number; /* used when text is NULL */
};

static inline struct log_field log_text(const char *key, const char *text)
{
    return (struct log_field){key, text ? text : "", 0};
}

static inline struct log_field log_number(const char *key, int64_t number)
{
    return (struct log_field){key, 0, number};
}

/* Lines below level are dropped. May be called again at any time. */
void log_init(enum log_level level, enum log_format format);

/* Lines since the start: written, by level, and suppressed. */
struct log_stats {
    uint64_t lines[LOG_LEVEL_ERROR + 1];
    uint64_t suppressed;
    uint64_t dropped; /* that could not be written: nobody reads the log, or the disk is full */
};
const struct log_stats *log_stats(void);

/* Use the macros. The phrase is fixed text of ours: one place in memory for each. */
void log_write(enum log_level level, const char *phrase, const struct log_field *fields);

/* Writes whatever the level, and is not limited: for a log that somebody has switched on. */
void log_write_all(const char *phrase, const struct log_field *fields);

#define LOG_FIELDS(...)        ((const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0, 0, 0}})
#define log_debug(phrase, ...) log_write(LOG_LEVEL_DEBUG, (phrase), LOG_FIELDS(__VA_ARGS__))
#define log_info(phrase, ...)  log_write(LOG_LEVEL_INFO, (phrase), LOG_FIELDS(__VA_ARGS__))
#define log_warn(phrase, ...)  log_write(LOG_LEVEL_WARN, (phrase), LOG_FIELDS(__VA_ARGS__))
#define log_all(phrase, ...)   log_write_all((phrase), LOG_FIELDS(__VA_ARGS__))
#define log_error(phrase, ...) log_write(LOG_LEVEL_ERROR, (phrase), LOG_FIELDS(__VA_ARGS__))
