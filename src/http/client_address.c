#include "http/client_address.h"

#include <arpa/inet.h>
#include <string.h>

void client_address_key(const struct ip_address *address, char ret_key[ORIGIN_BYTES_MAX])
{
    struct ip_address network = *address;

    ret_key[0] = '\0';
    if (network.family == AF_UNIX)
        return;
    if (network.family == AF_INET6)
        memset(&network.bytes[8], 0, 8);
    inet_ntop(network.family, network.bytes, ret_key, ORIGIN_BYTES_MAX);
}

bool client_address_is_trusted(const struct text_list *trusted_proxies, const struct ip_address *peer)
{
    for (size_t i = 0; i < trusted_proxies->count; i++)
        if (network_has(trusted_proxies->items[i], peer))
            return true;
    return false;
}

struct ip_address client_address_forwarded(const struct text_list *trusted_proxies, struct ip_address peer,
                                           const char *forwarded)
{
    size_t end = strlen(forwarded);

    while (end > 0 && client_address_is_trusted(trusted_proxies, &peer)) {
        while (end > 0 && strchr(" \t,", forwarded[end - 1]))
            end--;
        size_t begin = end;
        while (begin > 0 && !strchr(" \t,", forwarded[begin - 1]))
            begin--;
        if (!ip_address_parse(forwarded + begin, end - begin, &peer))
            break;
        end = begin;
    }
    return peer;
}
