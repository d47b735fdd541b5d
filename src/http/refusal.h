/* Answers to requests that libmicrohttpd does not get to see. */
#pragma once

#include "base/text_list.h"
#include "http/request_guard.h"

/* Sends the problem of head (RFC 9457) as the connection's last answer, which pages of these origins (cors.origins) may
 * read. False when the kernel did not take it. */
bool refusal_send(int fd, const struct request_head *head, const struct text_list *origins);
