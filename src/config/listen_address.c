#include "config/listen_address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *parse_path(const char *path, struct listen_address *address)
{
    size_t length = strlen(path);

    if (path[0] != '/' || length < 2)
        return "names no absolute path; write unix:/path";
    if (length > LISTEN_PATH_BYTES_MAX)
        return "has a path longer than the 107 bytes that a Unix socket can have; use a shorter one";
    memcpy(address->path, path, length + 1);
    return NULL;
}

static bool is_v6(const char *host)
{
    char plain[INET6_ADDRSTRLEN];
    struct in6_addr ignored;
    size_t length = strcspn(host, "%"); /* a zone may follow, as in fe80::1%eth0 */

    if (length >= sizeof(plain))
        return false;
    memcpy(plain, host, length);
    plain[length] = '\0';
    return inet_pton(AF_INET6, plain, &ignored) == 1;
}

static bool is_name_or_v4(const char *host)
{
    struct in_addr ignored;

    if (host[strspn(host, "0123456789.")] == '\0')
        return inet_pton(AF_INET, host, &ignored) == 1;
    for (const char *c = host; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '.' && *c != '_')
            return false;
    return true;
}

static const char *parse_host(const char *host, size_t length, struct listen_address *address)
{
    bool bracketed = length >= 2 && host[0] == '[' && host[length - 1] == ']';

    if (bracketed) {
        host++;
        length -= 2;
    }
    if (length > LISTEN_HOST_BYTES_MAX)
        return "has too long a host name; the most is 253 bytes";
    memcpy(address->host, host, length);
    address->host[length] = '\0';
    if (bracketed)
        return is_v6(address->host) ? NULL : "has something other than an IPv6 address in brackets";
    if (memchr(host, ':', length))
        return "has several colons; write an IPv6 address in brackets, as in [::1]:8080";
    if (length > 0 && !is_name_or_v4(address->host))
        return "has something other than a host name or an address before the port";
    return NULL;
}

static const char *parse_port(const char *text, struct listen_address *address)
{
    size_t length = strspn(text, "0123456789");

    if (length == 0 || text[length] != '\0')
        return "has no port number at its end; write host:port, [v6]:port, :port or unix:/path";
    if (length > 5 || strtoul(text, NULL, 10) > UINT16_MAX)
        return "has a port above 65535";
    address->port = (uint16_t)strtoul(text, NULL, 10);
    return NULL;
}

static const char *parse(const char *text, struct listen_address *address)
{
    const char *colon = strrchr(text, ':');
    const char *wrong;

    if (strncmp(text, "unix:", 5) == 0)
        return parse_path(text + 5, address);
    if (!colon)
        return "has no port; write host:port, [v6]:port, :port or unix:/path";
    wrong = parse_port(colon + 1, address);
    return wrong ? wrong : parse_host(text, (size_t)(colon - text), address);
}

int listen_address_parse(const char *text, struct listen_address *ret_address, const char **ret_wrong)
{
    struct listen_address address = {0};
    const char *wrong = parse(text, &address);

    if (wrong) {
        if (ret_wrong)
            *ret_wrong = wrong;
        return -EINVAL;
    }
    *ret_address = address;
    return 0;
}
