/* Answers to requests that libmicrohttpd does not get to see. */
#pragma once

#include "config/config.h"
#include "http/request_guard.h"

/* Sends the problem of head (RFC 9457) as the connection's last answer, with the headers that routed answers have, also
 * for pages of cors.origins. False when the kernel did not take it. */
bool refusal_send(int fd, const struct request_head *head, const struct config *config);
