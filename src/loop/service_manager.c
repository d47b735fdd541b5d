#include "loop/service_manager.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    FIRST_PASSED_FD = 3, /* SD_LISTEN_FDS_START */
    REPORT_INTERVAL_MS = 10000,
    MESSAGE_BYTES_MAX = 1024,
};

/* A positive number and nothing else, or -1. */
static int64_t positive_number(const char *text)
{
    char *end;

    if (!text || *text < '0' || *text > '9')
        return -1;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' && number > 0 ? number : -1;
}

static bool is_for_us(const char *pid)
{
    return positive_number(pid) == getpid();
}

/* A datagram that cannot be sent is not sent again: the manager has timeouts of its own, and the loop does not wait. */
static void notify(struct service_manager *manager, struct buffer *message)
{
    if (manager->fd >= 0 && !message->failed) {
        ssize_t sent = sendto(manager->fd, buffer_bytes(message), buffer_size(message), MSG_DONTWAIT | MSG_NOSIGNAL,
                              (const struct sockaddr *)&manager->address, manager->address_size);
        (void)sent;
    }
    buffer_done(message);
}

/* Says `state`, and how things stand. */
static void notify_with_status(struct service_manager *manager, const char *state)
{
    struct buffer message;

    buffer_init(&message, MESSAGE_BYTES_MAX);
    buffer_printf(&message, "%s\nSTATUS=", state);
    manager->append_status(manager, &message);
    notify(manager, &message);
}

static void on_report(struct loop_timer *timer)
{
    notify_with_status((struct service_manager *)((char *)timer - offsetof(struct service_manager, report)),
                       "WATCHDOG=1");
}

/* A path, or "@name" for one outside of the file system; others (vsock) are not for us. */
static void find_address(struct service_manager *manager, const char *path)
{
    size_t size = path ? strlen(path) : 0;

    if (size < 2 || size >= sizeof(manager->address.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    manager->address.sun_family = AF_UNIX;
    memcpy(manager->address.sun_path, path, size);
    if (path[0] == '@')
        manager->address.sun_path[0] = '\0';
    manager->address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

/* Half of the time after which the manager kills us, but often enough for somebody who looks at the status. */
static int64_t report_interval_ms(void)
{
    const char *pid = getenv("WATCHDOG_PID");
    int64_t watchdog_us = !pid || is_for_us(pid) ? positive_number(getenv("WATCHDOG_USEC")) : -1;
    int64_t half_ms = watchdog_us / 2000;

    return watchdog_us > 0 && half_ms < REPORT_INTERVAL_MS ? half_ms : REPORT_INTERVAL_MS;
}

int service_manager_init(struct service_manager *manager, struct loop *loop,
                         void (*append_status)(struct service_manager *manager, struct buffer *out))
{
    *manager = (struct service_manager){.fd = -1, .append_status = append_status};
    find_address(manager, getenv("NOTIFY_SOCKET"));
    int64_t interval_ms = report_interval_ms();
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    if (manager->fd < 0)
        return 0;
    int error = loop_timer_init(&manager->report, loop, on_report);
    if (error == 0)
        loop_timer_set(&manager->report, interval_ms, interval_ms > 0 ? interval_ms : 1);
    return error;
}

void service_manager_done(struct service_manager *manager)
{
    if (!manager->append_status)
        return;
    loop_timer_done(&manager->report);
    if (manager->fd >= 0)
        close(manager->fd);
    *manager = (struct service_manager){0};
}

void service_manager_ready(struct service_manager *manager)
{
    notify_with_status(manager, "READY=1");
}

void service_manager_reloading(struct service_manager *manager)
{
    struct buffer message;

    buffer_init(&message, MESSAGE_BYTES_MAX);
    buffer_printf(&message, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, loop_clock_us());
    notify(manager, &message);
}

void service_manager_stopping(struct service_manager *manager, int64_t most_ms)
{
    struct buffer message;

    buffer_init(&message, MESSAGE_BYTES_MAX);
    buffer_printf(&message, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRId64 "\nSTATUS=Closing", most_ms * 1000);
    notify(manager, &message);
}

static int socket_number(int fd, int option)
{
    int value = -1;
    socklen_t size = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0 ? -1 : value;
}

int service_manager_take_socket(int *ret_fd, const char **ret_problem)
{
    int64_t count = is_for_us(getenv("LISTEN_PID")) ? positive_number(getenv("LISTEN_FDS")) : -1;

    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    *ret_fd = -1;
    if (count < 0)
        return 0;
    *ret_problem = "more than one socket was passed: give the socket unit one ListenStream=";
    if (count > 1)
        return -EINVAL;
    *ret_problem = "what was passed is not a listening stream socket: use ListenStream= and Accept=no";
    if (socket_number(FIRST_PASSED_FD, SO_TYPE) != SOCK_STREAM || socket_number(FIRST_PASSED_FD, SO_ACCEPTCONN) != 1)
        return -EINVAL;
    if (fcntl(FIRST_PASSED_FD, F_SETFD, FD_CLOEXEC) < 0 || fcntl(FIRST_PASSED_FD, F_SETFL, O_NONBLOCK) < 0)
        return -EINVAL;
    *ret_fd = FIRST_PASSED_FD;
    return 0;
}
