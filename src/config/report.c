#include "config/report.h"

#include "config/settings.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static void append_clean(struct buffer *problems, char *text)
{
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    buffer_append_text(problems, text);
}

static void append_place(struct buffer *problems, struct place place, const char *path)
{
    char text[REPORT_PART_BYTES_MAX];
    char variable[SETTING_VARIABLE_BYTES];

    switch (place.kind) {
    case PLACE_FILE:
        if (place.line > 0)
            snprintf(text, sizeof(text), "%s:%u: ", place.file, place.line);
        else
            snprintf(text, sizeof(text), "%s: ", place.file);
        break;
    case PLACE_VARIABLE:
        assert(path);
        setting_variable(path, variable);
        snprintf(text, sizeof(text), "environment %s: ", variable);
        break;
    case PLACE_DATABASE_URL:
        snprintf(text, sizeof(text), "environment DATABASE_URL: ");
        break;
    case PLACE_FLAG:
        snprintf(text, sizeof(text), "command line: ");
        break;
    case PLACE_DEFAULT:
    case PLACE_REFUSED:
        snprintf(text, sizeof(text), "default: ");
        break;
    }
    append_clean(problems, text);
}

void report_problem(struct report *report, struct place place, const char *path, const char *format, ...)
{
    char text[REPORT_PART_BYTES_MAX];
    va_list arguments;

    if (report->count++ >= REPORT_LINES_MAX)
        return;
    append_place(report->problems, place, path);
    if (path) {
        snprintf(text, sizeof(text), "%s: ", path);
        append_clean(report->problems, text);
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    append_clean(report->problems, text);
    buffer_append_text(report->problems, "\n");
}

void report_end(struct report *report)
{
    if (report->count > REPORT_LINES_MAX)
        buffer_printf(report->problems, "and %zu more problems\n", report->count - REPORT_LINES_MAX);
}
