/* The files that travel inside the program (the web page, the database scripts), so that one binary is
 * enough. The table is written at build time by scripts/embed.cmake; it is sorted by path and ends with a
 * NULL path. */
#pragma once

#include <stddef.h>

struct embedded_file {
    const char *path;          /* as in the source tree: "www/index.html", "sql/001-base.sql" */
    const unsigned char *data; /* followed by a NUL that size_bytes does not count */
    size_t size_bytes;
};

extern const struct embedded_file embedded_files[];

/* The file at path, or NULL. */
const struct embedded_file *embedded_find(const char *path);
