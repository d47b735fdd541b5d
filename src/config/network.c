#include "config/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

struct network {
    struct ip_address address;
    unsigned bits;
};

static struct ip_address from_v6(const struct in6_addr *v6)
{
    struct ip_address address = {.family = AF_INET6};

    memcpy(address.bytes, v6, 16);
    if (IN6_IS_ADDR_V4MAPPED(v6)) {
        address = (struct ip_address){.family = AF_INET};
        memcpy(address.bytes, &v6->s6_addr[12], 4);
    }
    return address;
}

struct ip_address ip_address_of(const struct sockaddr *address)
{
    struct ip_address result = {.family = AF_UNIX};

    if (address && address->sa_family == AF_INET6)
        return from_v6(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
    if (address && address->sa_family == AF_INET) {
        result.family = AF_INET;
        memcpy(result.bytes, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    }
    return result;
}

bool ip_address_parse(const char *text, size_t size_bytes, struct ip_address *ret_address)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr v6;
    struct in_addr v4;

    if (size_bytes >= sizeof(copy))
        return false;
    memcpy(copy, text, size_bytes);
    copy[size_bytes] = '\0';
    if (inet_pton(AF_INET6, copy, &v6) == 1) {
        *ret_address = from_v6(&v6);
        return true;
    }
    if (inet_pton(AF_INET, copy, &v4) != 1)
        return false;
    *ret_address = (struct ip_address){.family = AF_INET};
    memcpy(ret_address->bytes, &v4, 4);
    return true;
}

static unsigned bits_max(const struct network *network)
{
    return network->address.family == AF_INET6 ? 128 : 32;
}

static const char *parse(const char *text, struct network *ret_network)
{
    size_t size = strcspn(text, "/");
    const char *bits = text[size] ? text + size + 1 : NULL;

    if (strcmp(text, "unix") == 0) {
        *ret_network = (struct network){.address.family = AF_UNIX};
        return NULL;
    }
    if (!ip_address_parse(text, size, &ret_network->address))
        return "is no address; write one such as 192.0.2.1, a network such as 192.0.2.0/24 or 2001:db8::/32, or "
               "\"unix\"";
    ret_network->bits = bits_max(ret_network);
    if (!bits)
        return NULL;
    if (strspn(bits, "0123456789") != strlen(bits) || strlen(bits) < 1 || strlen(bits) > 3 ||
        strtoul(bits, NULL, 10) > bits_max(ret_network))
        return "has something other than a number of bits behind the slash; IPv4 has 32, IPv6 128";
    ret_network->bits = (unsigned)strtoul(bits, NULL, 10);
    return NULL;
}

bool network_has(const char *text, const struct ip_address *address)
{
    struct network network;

    if (parse(text, &network) || network.address.family != address->family)
        return false;
    for (unsigned bit = 0; bit < network.bits; bit++)
        if (((network.address.bytes[bit / 8] ^ address->bytes[bit / 8]) & (0x80 >> bit % 8)) != 0)
            return false;
    return true;
}

const char *check_network(const char *text)
{
    struct network ignored;

    return parse(text, &ignored);
}
