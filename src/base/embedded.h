/* The files that travel inside the program (the web page, the database scripts), so that one binary is
 * enough. The tables are written at build time by scripts/embed.cmake. */
#pragma once

#include <stddef.h>

struct embedded_file {
    const char *path;          /* as in the source tree: "www/index.html" */
    const unsigned char *data; /* followed by a NUL that size_bytes does not count */
    size_t size_bytes;
};

extern const struct embedded_file embedded_files[]; /* ends with a NULL path */

/* The paths of the scripts that make the database side, in the order in which they run; NULL ends. The checksum is
 * SHA-256, in hexadecimal digits, of theirs in that order. */
extern const char *const embedded_scripts[];
extern const char embedded_scripts_checksum[];

/* The file at path, or NULL. */
const struct embedded_file *embedded_find(const char *path);
