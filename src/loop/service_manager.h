/* What a service manager such as systemd passes to a service, and what it wants to hear: sd_listen_fds(3),
 * sd_notify(3), sd_watchdog_enabled(3). Where there is none, all of this does nothing. Why without libsystemd:
 * docs/decisions/0004-service-manager-protocols.md. */
#pragma once

#include "base/buffer.h"
#include "loop/loop.h"

#include <sys/socket.h>
#include <sys/un.h>

struct service_manager {
    struct loop_timer report; /* tells that the loop turns, and how things stand */
    int fd;                   /* -1: nobody wants to hear anything */
    struct sockaddr_un address;
    socklen_t address_size;
    /* Appends one line of plain text, for `systemctl status`. */
    void (*append_status)(struct service_manager *manager, struct buffer *out);
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and takes them out of the environment. From
 * service_manager_ready on the watchdog is fed twice in its time, by a timer of the loop: when the loop hangs, it
 * starves. Returns 0 or a negative errno. */
int service_manager_init(struct service_manager *manager, struct loop *loop,
                         void (*append_status)(struct service_manager *manager, struct buffer *out));
void service_manager_done(struct service_manager *manager); /* also fine on a zeroed one */

void service_manager_ready(struct service_manager *manager);     /* started, or reloaded */
void service_manager_reloading(struct service_manager *manager); /* until the next ready */
/* It ends within most_ms, however long the unit allows. */
void service_manager_stopping(struct service_manager *manager, int64_t most_ms);

/* Takes the listening socket that was passed (LISTEN_PID, LISTEN_FDS) and takes those out of the environment. Returns
 * 0, and *ret_fd is -1 when none was passed; or -EINVAL when what was passed is not one listening stream socket:
 * *ret_problem (fixed text) says what is wrong. */
int service_manager_take_socket(int *ret_fd, const char **ret_problem);
