/* Responses, so that a handler is a list of checks and one reply. Each function queues a response and returns
 * what a handler returns. CORS headers, where configured, are on all of them. */
#pragma once

#include "http/exchange.h"

/* Bytes are copied. */
enum MHD_Result reply_bytes(struct exchange *exchange, unsigned status, const char *content_type, const void *bytes,
                            size_t size_bytes);
enum MHD_Result reply_json(struct exchange *exchange, unsigned status, const char *json);

/* application/problem+json (RFC 9457). detail says what to do about it. */
enum MHD_Result reply_problem(struct exchange *exchange, unsigned status, const char *detail, ...)
    __attribute__((format(printf, 3, 4)));

/* The parts of the above, for who must do more: a response without CORS and with no headers but Content-Type;
 * NULL without memory. */
struct MHD_Response *reply_new(const char *content_type, const void *bytes, size_t size_bytes);
struct MHD_Response *reply_new_problem(unsigned status, const struct trigger_answer *from_database, const char *detail);
/* The body of that answer. */
void reply_append_problem(struct buffer *json, unsigned status, const struct trigger_answer *from_database,
                          const char *detail);
/* Adds CORS and what every response has, queues it and drops our reference. Every response closes its connection: what
 * comes behind a request was not seen by the request guard (docs/decisions/0005-one-request-per-connection.md). */
enum MHD_Result reply_queue(struct exchange *exchange, unsigned status, struct MHD_Response *response);

/* A header whose value may come from outside: false when it cannot stand in one. */
bool reply_add_header(struct MHD_Response *response, const char *name, const char *value);

const char *status_title(unsigned status);
