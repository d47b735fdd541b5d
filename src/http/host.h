/* Which names a gateway answers to. A web page whose own name is made to point at the gateway ("DNS rebinding") can
 * make a browser ask it, and read the answers as its own; what gives it away is that name in Host.
 *
 * A name counts that access.hosts allows; without that setting localhost counts on a loopback address, and every name
 * elsewhere. An IP address always counts, as no page can have one that is not its own. */
#pragma once

#include "config/config.h"

/* host: what the request is for (exchange_host), maybe with a port; NULL: nothing, which no browser does. */
bool host_is_ours(const struct config *config, bool on_loopback, const char *host);
