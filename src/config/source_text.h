/* A configuration file and what it includes, as one text that remembers where each line came from.
 *
 * The includes are put in here and not by libconfig, which would end the process on a directory, follow a
 * file that includes itself for as long as it likes, and resolve names against the working directory. As in
 * libconfig,
 * `@include "name"` begins a line, outside of comments and texts; a relative name is relative to the file
 * that holds it. */
#pragma once

#include "config/report.h"

enum {
    SOURCE_BYTES_MAX = 256 * 1024,
    SOURCE_SETTINGS_MAX = 1000, /* for each one it adds, libconfig looks through the whole group */
    SOURCE_FILES_MAX = 64,
    SOURCE_DEPTH_MAX = 8,
};

/* Lines from flat_line on (counted from 1) are those of files[file] from line on, until the next span. */
struct source_span {
    unsigned flat_line;
    unsigned file;
    unsigned line;
};

struct source_text {
    struct buffer text;
    size_t bytes; /* taken from files so far */
    unsigned settings;
    unsigned lines;
    char *files[SOURCE_FILES_MAX];
    unsigned file_count;
    struct source_span spans[2 * SOURCE_FILES_MAX];
    unsigned span_count;
};

void source_text_init(struct source_text *source);
void source_text_done(struct source_text *source); /* ends the life of the places it lent */

/* Fills an empty source. Returns 0; -EINVAL when it has reported problems; -ENOENT, not reported, when there
 * is no such file; -ENOMEM. */
int source_text_read(struct source_text *source, const char *file, struct report *report);
int source_text_set(struct source_text *source, const char *name, const char *text, struct report *report);

/* Where a line of the text came from. Lends the file's name. */
struct place source_text_place(const struct source_text *source, unsigned flat_line);
