/* The gateway: builds every part, connects the two wings, and orders start and stop. */
#pragma once

#include "config/config.h"
#include "loop/loop.h"

struct gateway;

/* Takes the contents of config. Returns 0; or a negative errno, after the reason was logged. */
int gateway_new(struct loop *loop, struct config *config, struct gateway **ret_gateway);
void gateway_free(struct gateway *gateway); /* NULL is fine */

/* Takes the contents of config over, as far as a running gateway can. */
void gateway_reload(struct gateway *gateway, struct config *config);

/* No new connections, `bye` to every stream; stops the loop when all have taken it, at the latest after
 * streams.drain_ms. A second call stops it at once. */
void gateway_close(struct gateway *gateway);
