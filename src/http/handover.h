/* Handing a stream's socket from libmicrohttpd to the hub (docs/handover.md tells how and why).
 *
 * The library writes the response's head and our greeting, then ends the response and closes its descriptor;
 * we keep a duplicate. */
#pragma once

#include "http/exchange.h"
#include "http/stream_request.h"

#include <sys/queue.h>

struct handover {
    int fd; /* our duplicate of the connection's descriptor; -1 when given away */
    struct stream_request request;
    struct buffer greeting;
    bool ended; /* the library has handed all of the greeting to the kernel */
    STAILQ_ENTRY(handover) link;
};

STAILQ_HEAD(handover_list, handover);

/* Queues the response for exchange and sets exchange->handover. Takes the contents of request when it succeeds. Returns
 * 0; or -EMFILE (no descriptor for the duplicate) or -ENOMEM, and nothing was queued. */
int handover_begin(struct exchange *exchange, struct stream_request *request);

/* Whether a request that has ended was a stream whose head and greeting are with the kernel, so that its socket is
 * ours. exchange may be NULL. */
bool handover_is_complete(const struct exchange *exchange, enum MHD_RequestTerminationCode how);

/* The response of a stream; its body is the greeting, then what the hub sends. handover is lent, and may be NULL where
 * no body is asked for. NULL without memory. */
struct MHD_Response *handover_new_response(struct handover *handover);

/* Adds the headers that every answer with a stream has; false without memory. */
bool handover_add_headers(struct MHD_Response *response);

void handover_free(struct handover *handover); /* closes fd; NULL is fine */
