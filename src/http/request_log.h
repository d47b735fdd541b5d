/* The request log (log.requests): a line for each request that was answered. */
#pragma once

#include "http/exchange.h"
#include "http/request_guard.h"

/* Without the query, which may hold what nobody else should know. A stream's line comes when it begins. */
void request_log_write(const struct exchange *exchange);

/* One that was refused before it was taken apart: without its address, which may be what is wrong with it. */
void request_log_write_refused(const struct config *config, const struct sockaddr *address,
                               const struct request_head *head);
