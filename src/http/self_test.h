/* Does this libmicrohttpd let go of a stream's socket as we need it to? Part of that is promised nowhere, so it is
 * tried at every start. */
#pragma once

#include "http/services.h"

/* Hands one stream over on a loopback connection and looks at the bytes. Returns 0; or a negative errno, and
 * *ret_problem (fixed text) says what went differently. Takes a few milliseconds. */
int handover_self_test(const struct http_services *services, const char **ret_problem);
