#include "config/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, struct buffer *contents)
{
    char bytes[4096];

    for (;;) {
        ssize_t size = read(fd, bytes, sizeof(bytes));
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return size < 0 ? -errno : 0;
        if ((size_t)size > contents->bytes_max - buffer_size(contents))
            return -EFBIG;
        buffer_append(contents, bytes, (size_t)size);
        if (contents->failed)
            return -ENOMEM;
    }
}

int read_file(const char *file, struct buffer *contents, mode_t *ret_mode)
{
    struct stat status;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO must not hold us up */
    int r;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) < 0)
        r = -errno;
    else if (!S_ISREG(status.st_mode))
        r = -EMEDIUMTYPE;
    else
        r = read_all(fd, contents);
    close(fd);
    if (r == 0 && ret_mode)
        *ret_mode = status.st_mode & 07777;
    return r;
}

const char *read_file_wrong(int r)
{
    switch (r) {
    case -EMEDIUMTYPE:
        return "it is not a regular file";
    case -EFBIG:
        return "it is too large";
    default:
        return strerrordesc_np(-r);
    }
}
