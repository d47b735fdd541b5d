/* Tickets: what a client that cannot send headers puts into an address instead of its token. Each counts once, for a
 * short while, and is worth nothing in a log. They live in this process alone. */
#pragma once

#include "access/grant.h"

#include <stddef.h>

enum {
    TICKET_LIFE_S = 30,
    TICKETS_MAX = 4096,
    TICKET_SECRET_BYTES = 16,
    TICKET_TEXT_BYTES = 64, /* with its NUL */
};

struct ticket {
    unsigned char secret[TICKET_SECRET_BYTES];
    struct grant *grant; /* NULL: the place is free */
    int64_t expires_ms;
};

struct tickets {
    struct ticket *places;
    size_t next; /* where to look for a free place first */
};

int tickets_init(struct tickets *tickets);  /* 0 or -ENOMEM */
void tickets_done(struct tickets *tickets); /* also fine on a zeroed one */

/* Writes a ticket for grant, which gets a reference. now_ms: of any clock that runs on. Returns 0; -EDQUOT: its token
 * has as many open ones as there are places left, so that none can take them all; -ENOSPC: as many as can be are open;
 * or the -errno of getrandom(2). */
int tickets_issue(struct tickets *tickets, struct grant *grant, int64_t now_ms, char ret_text[TICKET_TEXT_BYTES]);

/* Takes the ticket out. The caller gets the reference; NULL: there is no such ticket (any more). */
struct grant *tickets_redeem(struct tickets *tickets, const char *text, int64_t now_ms);
