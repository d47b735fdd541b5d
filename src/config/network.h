/* Internet addresses and networks, as `trusted_proxies` names them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct ip_address {
    int family; /* AF_INET, AF_INET6, or AF_UNIX for the other end of a Unix socket */
    unsigned char bytes[16];
};

/* IPv4 inside IPv6 (::ffff:192.0.2.1) counts as IPv4. NULL counts as a Unix socket. */
struct ip_address ip_address_of(const struct sockaddr *address);
bool ip_address_parse(const char *text, size_t size_bytes, struct ip_address *ret_address);

/* network: "192.0.2.0/24", "2001:db8::/32", an address, or "unix". False as well when it is none of these. */
bool network_has(const char *network, const struct ip_address *address);

/* For the table of settings, see checks.h. */
const char *check_network(const char *text);
