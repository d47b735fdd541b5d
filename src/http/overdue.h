/* The requests that libmicrohttpd has at the moment, so that none takes for ever: the library's own timeout begins anew
 * with each byte. A body that is not there in time is answered with 408; an answer that is not taken in time is cut
 * off. */
#pragma once

#include "http/exchange.h"
#include "loop/loop.h"

struct overdue {
    struct loop *loop;
    struct loop_timer timer;
    struct exchange_list list; /* by age */
};

int overdue_init(struct overdue *overdue, struct loop *loop); /* 0 or a negative errno */
void overdue_done(struct overdue *overdue);                   /* also fine on a zeroed one */

void overdue_add(struct overdue *overdue, struct exchange *exchange);
void overdue_remove(struct overdue *overdue, struct exchange *exchange); /* also when it was never added */
