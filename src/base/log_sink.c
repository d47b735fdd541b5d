#include "base/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

void log_sink_open(struct log_sink *sink)
{
    struct stat status = {0};

    fstat(STDERR_FILENO, &status);
    if (sink->fd > 0 && status.st_dev == sink->device && status.st_ino == sink->inode)
        return;
    if (sink->is_own)
        close(sink->fd);
    free(sink->rest);
    *sink = (struct log_sink){.fd = STDERR_FILENO, .device = status.st_dev, .inode = status.st_ino};
    sink->is_socket = S_ISSOCK(status.st_mode);
    if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode))
        return;
    int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return;
    sink->fd = fd;
    sink->is_own = true;
}

/* Without a descriptor of our own, so much is written only when it can be at once. */
static ssize_t write_shared(const struct log_sink *sink, const char *bytes, size_t size_bytes)
{
    struct pollfd ready = {.fd = sink->fd, .events = POLLOUT};

    if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT)) {
        errno = EAGAIN;
        return -1;
    }
    return write(sink->fd, bytes, size_bytes < PIPE_BUF ? size_bytes : PIPE_BUF);
}

/* Returns how much was written. */
static size_t write_some(const struct log_sink *sink, const char *bytes, size_t size_bytes)
{
    size_t written = 0;

    while (written < size_bytes) {
        ssize_t size = sink->is_socket
                           ? send(sink->fd, bytes + written, size_bytes - written, MSG_DONTWAIT | MSG_NOSIGNAL)
                       : sink->is_own ? write(sink->fd, bytes + written, size_bytes - written)
                                      : write_shared(sink, bytes + written, size_bytes - written);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            break;
        written += (size_t)size;
    }
    return written;
}

bool log_sink_write(struct log_sink *sink, const char *line, size_t size_bytes)
{
    log_sink_open(sink);
    if (sink->rest) {
        size_t written = write_some(sink, sink->rest, sink->rest_bytes);
        sink->rest_bytes -= written;
        memmove(sink->rest, sink->rest + written, sink->rest_bytes);
        if (sink->rest_bytes > 0)
            return false;
        free(sink->rest);
        sink->rest = NULL;
    }
    size_t written = write_some(sink, line, size_bytes);
    if (written == 0 || written == size_bytes)
        return written > 0;
    sink->rest = malloc(size_bytes - written);
    if (!sink->rest)
        return false; /* the line stays cut */
    sink->rest_bytes = size_bytes - written;
    memcpy(sink->rest, line + written, sink->rest_bytes);
    return true;
}
