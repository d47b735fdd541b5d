/* One request and its response, from the first byte of the target to the end. The HTTP wing's own header:
 * libmicrohttpd's types are allowed here and below, nowhere else. */
#pragma once

#include "base/buffer.h"
#include "http/query.h"
#include "http/services.h"

#include <microhttpd.h>
#include <sys/queue.h>

struct http_server;
struct exchange;
struct handover;
TAILQ_HEAD(exchange_list, exchange);

/* A resource: which requests it is for, and who answers them. A handler queues exactly one response, or
 * suspends the connection. */
enum guard {
    GUARD_NONE,
    GUARD_READER,  /* who may read streams */
    GUARD_BEARER,  /* the same, by a token in the header alone */
    GUARD_MANAGER, /* changes something, or tells about it: only with the trigger token */
};

struct route {
    const char *method;
    const char *path; /* segments; "{}" stands for one, maybe empty, decoded into exchange->segment */
    enum MHD_Result (*handle)(struct exchange *exchange);
    enum guard guard;
    unsigned surfaces; /* bits of 1 << enum surface */
};

struct exchange {
    struct http_server *server;
    const struct http_services *services;
    struct http_stats *stats;
    struct MHD_Connection *connection;
    const char *method; /* lent by the library */
    char *target;       /* the path as it stood on the wire */
    char *authority;    /* of a target in absolute form, or NULL */
    const char *query_text;
    struct query query;
    const struct route *route;
    char *segment;
    struct grant *grant; /* of who asks; NULL: none was needed */
    struct buffer body;
    int64_t began_us; /* when its target had arrived */
    unsigned status;  /* of the answer; 0: none yet */
    bool started;     /* the head has been looked at */
    bool whole;       /* the body is there */

    /* overdue.h */
    TAILQ_ENTRY(exchange) link;
    int64_t begun_ms;
    bool listed, cut;

    struct handover *handover; /* of a stream; NULL otherwise */

    /* An answer that comes later. */
    bool suspended;
    struct MHD_Response *late_response;
    unsigned late_status;
};

/* A request's target has arrived, and is copied. stats is where responses are counted. NULL without memory. */
struct exchange *exchange_new(struct http_server *server, const struct http_services *services,
                              struct http_stats *stats, struct MHD_Connection *connection, const char *target);
void exchange_free(struct exchange *exchange); /* NULL is fine; not while it is suspended */

/* The value of a request header, or NULL. Lent. */
const char *exchange_header(const struct exchange *exchange, const char *name);
/* The values of all lines of that name, joined in out; NULL when there is none, or without memory (out->failed). */
const char *exchange_header_lines(const struct exchange *exchange, const char *name, const char *separator,
                                  struct buffer *out);

/* Which host the request is for, maybe with a port: the one in its target, as Host does not count then (RFC 9112,
 * section 3.2.2), or the one in Host. NULL: none is named. Lent. */
const char *exchange_host(const struct exchange *exchange);
