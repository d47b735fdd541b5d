/* A whole regular file in memory. Reads at start and on reload only: it may wait for the disk. */
#pragma once

#include "base/buffer.h"

#include <sys/types.h>

/* Appends the file's bytes to contents, whose bytes_max bounds them, and gives its permission bits in
 * *ret_mode (may be NULL). Returns 0, -EFBIG, -ENOMEM, -EMEDIUMTYPE when it is not a regular file, or the
 * system's -errno; contents may then hold a part. */
int read_file(const char *file, struct buffer *contents, mode_t *ret_mode);

/* What a code of read_file means, in words that follow the file's name. */
const char *read_file_wrong(int r);
