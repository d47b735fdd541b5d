/* Problem lines: "etc/tuplecast.conf:12: streams.heartbeat_ms: 5 is too small; the least is 1000". */
#pragma once

#include "base/buffer.h"

#include <stddef.h>

enum place_kind {
    PLACE_DEFAULT,
    PLACE_FILE,
    PLACE_VARIABLE, /* of the setting's own name */
    PLACE_DATABASE_URL,
    PLACE_FLAG,
    PLACE_REFUSED, /* a value was given and not taken */
};

struct place {
    enum place_kind kind;
    const char *file; /* of a PLACE_FILE; outlives the report */
    unsigned line;    /* 0: the file as a whole */
};

struct report {
    struct buffer *problems;
    size_t count;
};

enum {
    REPORT_PART_BYTES_MAX = 512, /* of a line: its place, its path, what is wrong */
    REPORT_LINES_MAX = 100,
};

/* Appends one line. path may be NULL for what concerns no setting. Control characters become '?', so that
 * nothing from outside can forge a line; what is longer than REPORT_LINE_BYTES_MAX is cut. */
void report_problem(struct report *report, struct place place, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

void report_end(struct report *report);
