/* The request log (log.requests): a line for each request that was answered. */
#pragma once

#include "http/exchange.h"

/* Without the query, which may hold what nobody else should know. A stream's line comes when it begins. */
void request_log_write(const struct exchange *exchange);
