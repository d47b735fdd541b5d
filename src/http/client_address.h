/* Who a client is, as far as its address tells. */
#pragma once

#include "base/text_list.h"
#include "config/network.h"
#include "stream/origins.h"

/* What counts as one client: an IPv4 address, or an IPv6 network of 64 bits, since that is what one customer gets. ""
 * for a Unix socket. */
void client_address_key(const struct ip_address *address, char ret_key[ORIGIN_BYTES_MAX]);

/* Whether the peer is a proxy that is believed when it says whom it speaks for. */
bool client_address_is_trusted(const struct text_list *trusted_proxies, const struct ip_address *peer);

/* The client that a trusted peer speaks for. forwarded is X-Forwarded-For, to which each proxy appends who asked it: so
 * it is read from its end, past those that are trusted, too. Gives the last one believed when something else stands
 * there. */
struct ip_address client_address_forwarded(const struct text_list *trusted_proxies, struct ip_address peer,
                                           const char *forwarded);
