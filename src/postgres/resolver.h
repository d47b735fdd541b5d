/* Host names looked up without blocking the loop: getaddrinfo_a(3) does it in a thread of the C library's
 * own.
 *
 * Its completion is asked for every few milliseconds; the alternatives (a signal, a callback on that thread)
 * would bring threads into our code for something that happens once per connection. */
#pragma once

#include "loop/loop.h"
#include "postgres/conninfo.h"

struct resolver;

struct resolver *resolver_new(struct loop *loop, void (*on_done)(void *context, const char *problem), void *context);
/* Cancels what runs. NULL is fine. A look-up that cannot be cancelled is left to finish on its own. */
void resolver_free(struct resolver *resolver);

/* Gives every name of info its addresses, then calls on_done from the loop: problem is NULL, or says which
 * name was not found (only when not a single host is left to try). info is lent until then. One at a time.
 * deadline_ms: for all names together. */
void resolver_start(struct resolver *resolver, struct conninfo *info, int64_t deadline_ms);
void resolver_stop(struct resolver *resolver);
