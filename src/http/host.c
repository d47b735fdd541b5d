#include "http/host.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

enum { HOST_BYTES_MAX = 255 };

static bool is_address(const char *name)
{
    char plain[INET6_ADDRSTRLEN];
    struct in6_addr ignored;
    size_t size = strlen(name);

    if (inet_pton(AF_INET, name, &ignored) == 1)
        return true;
    if (name[0] != '[' || name[size - 1] != ']' || size - 2 >= sizeof(plain))
        return false;
    memcpy(plain, name + 1, size - 2);
    plain[size - 2] = '\0';
    return inet_pton(AF_INET6, plain, &ignored) == 1;
}

static bool is_localhost(const char *name)
{
    size_t size = strlen(name);

    /* RFC 6761, section 6.3: names below it are the same, and nobody else's. */
    return strcmp(name, "localhost") == 0 || (size > 10 && strcmp(name + size - 10, ".localhost") == 0);
}

bool host_is_ours(const struct config *config, bool on_loopback, const char *host)
{
    const struct text_list *names = &config->access.hosts;
    char name[HOST_BYTES_MAX + 1];

    if (!host)
        return true;
    const char *port = strrchr(host, ':');
    size_t size = port && port[1 + strspn(port + 1, "0123456789")] == '\0' ? (size_t)(port - host) : strlen(host);
    if (size > 1 && host[size - 1] == '.')
        size--; /* the same name, written in full */
    if (size == 0 || size > HOST_BYTES_MAX)
        return false;
    for (size_t i = 0; i < size; i++)
        name[i] = (char)tolower((unsigned char)host[i]);
    name[size] = '\0';
    if (is_address(name))
        return true;
    for (size_t i = 0; i < names->count; i++)
        if (channel_pattern_matches(names->items[i], name))
            return true;
    return names->count == 0 && (!on_loopback || is_localhost(name));
}
