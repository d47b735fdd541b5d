/* The log's retention: gives up, now and then, what is older or more than is to be kept. Only the lead does it, over a
 * connection of its own that is made on demand: emptying a partition ends with the removal of its files, behind the
 * COMMIT and without a lock, but the session is busy for as long as the file system needs. Neither a tick nor a page of
 * history waits for that. Part of the durable reader. */
#pragma once

#include "postgres/durable_health.h"
#include "postgres/durable_reader.h"

struct retention;

/* health, and its stats, are written to, and must live as long. NULL with errno set. */
struct retention *retention_new(struct loop *loop, const struct durable_reader_options *options,
                                struct durable_health *health);
void retention_free(struct retention *retention); /* NULL is fine */
void retention_reconfigure(struct retention *retention, const struct durable_reader_options *options);

/* The server that the ticks come from: `host` of the connection string. */
void retention_begin_with(struct retention *retention, size_t host);

/* Gives its connection up in a moment, if it does not end by itself. reason is static text. */
void retention_reset(struct retention *retention, const char *reason);

void retention_set_lead(struct retention *retention, bool lead);
