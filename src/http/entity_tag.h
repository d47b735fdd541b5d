/* Conditional requests (RFC 9110, section 13.1). */
#pragma once

#include "http/exchange.h"

/* Does the client have what the tag, in its quotes, stands for? So If-None-Match says, whose weak tags are equal to
 * strong ones. Without memory it does not. */
bool entity_tag_is_known(const struct exchange *exchange, const char *tag);
