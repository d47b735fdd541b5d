/* Where the lines of the log go: stderr, without ever waiting for whoever reads it.
 *
 * stderr may be shared with other processes, which expect their writes to wait: so a pipe or a terminal is opened once
 * more, with flags of its own; of a socket each send says that it does not wait; a file never makes anybody wait for a
 * reader. A line that fits only in part is completed before another one begins, and what finds no room is dropped. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct log_sink {
    int fd; /* what is written to; stderr itself, or ours */
    bool is_own, is_socket;
    dev_t device; /* of stderr when it was opened */
    ino_t inode;
    char *rest; /* of a line that was written in part; owned, NULL: nothing */
    size_t rest_bytes;
};

/* Opens it; again, where stderr has become another one. log_sink_write() does it, too: this is for who cannot open
 * anything later. */
void log_sink_open(struct log_sink *sink);
/* Writes a line that ends in a line feed. Returns false when it was dropped. */
bool log_sink_write(struct log_sink *sink, const char *line, size_t size_bytes);
