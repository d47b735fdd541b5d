/* Closes connections so that the last answer still arrives. Closing a socket while the client is sending, or with bytes
 * unread, makes the kernel send a reset, which throws away what the client has not read yet. So we only end our
 * direction, and drop what comes until the client has ended, too (RFC 9112, section 9.6). */
#pragma once

#include "loop/loop.h"

#include <sys/queue.h>

struct departure;
TAILQ_HEAD(departure_list, departure);

struct departures {
    struct loop *loop;
    struct loop_timer timer;
    struct departure_list list; /* by age */
    size_t count;
};

int departures_init(struct departures *departures, struct loop *loop); /* 0 or a negative errno */
void departures_done(struct departures *departures);                   /* closes all; also fine on a zeroed one */

/* Takes fd. It is closed after HTTP_LINGER_MS at the latest, or when there are more than HTTP_LINGERING_MAX. */
void departures_add(struct departures *departures, int fd);
