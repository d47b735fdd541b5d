/* The gateway: builds every part, connects the two wings, and orders start and stop. */
#pragma once

#include "access/access.h"
#include "config/config.h"
#include "loop/loop.h"

struct gateway;

/* Takes the contents of config, access, and listen_fd, a listening socket, unless that is negative. Returns 0; or a
 * negative errno, which the caller logs; what it failed at was logged. */
int gateway_new(struct loop *loop, struct config *config, struct access *access, int listen_fd,
                struct gateway **ret_gateway);
void gateway_free(struct gateway *gateway); /* NULL is fine */

/* How things stand, in one line of plain text. */
void gateway_append_status(const struct gateway *gateway, struct buffer *out);

/* Takes the contents of config over, as far as a running gateway can, and access. Streams that may not go on end. */
void gateway_reload(struct gateway *gateway, struct config *config, struct access *access);

/* It stays as it is: what was to be loaded has mistakes. */
void gateway_reload_failed(struct gateway *gateway);

/* No new connections, `bye` to every stream over streams.close_ms; stops the loop when all have taken it and requests
 * have their answers, at the latest after streams.drain_ms more. A second call stops it at once. Returns the
 * milliseconds that it may take. */
int64_t gateway_close(struct gateway *gateway);
