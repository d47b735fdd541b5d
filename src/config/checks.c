#include "config/checks.h"

#include "base/limits.h"
#include "config/listen_address.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if (is_control(*text))
            return true;
    return false;
}

const char *check_listen(const char *text)
{
    struct listen_address ignored;
    const char *wrong = NULL;

    if (has_control(text))
        return "holds a control character";
    listen_address_parse(text, &ignored, &wrong);
    return wrong;
}

const char *check_name(const char *text)
{
    if (text[0] == '\0')
        return "is an empty name; take it out or write one";
    if (strlen(text) > CHANNEL_NAME_BYTES_MAX)
        return "is too long; PostgreSQL's names have at most 63 bytes";
    if (has_control(text))
        return "holds a control character";
    return NULL;
}

static const char *check_origin_host(const char *host, size_t length)
{
    char v6[INET6_ADDRSTRLEN];
    struct in6_addr ignored;

    if (length == 0)
        return "names no host; write scheme://host[:port]";
    if (host[0] == '[') {
        if (length - 1 > sizeof(v6) || host[length - 1] != ']')
            return "has something other than an IPv6 address in brackets";
        memcpy(v6, host + 1, length - 2);
        v6[length - 2] = '\0';
        return inet_pton(AF_INET6, v6, &ignored) == 1 ? NULL : "has something other than an IPv6 address in brackets";
    }
    for (size_t i = 0; i < length; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789.-_", host[i]))
            return "has a character that no host in an origin has; write scheme://host[:port], no path, "
                   "lower case";
    return NULL;
}

const char *check_origin(const char *text)
{
    size_t scheme_length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+.-");
    const char *host = text + scheme_length + strlen("://");
    const char *port;
    size_t digits;

    if (strcmp(text, "*") == 0)
        return NULL;
    if (scheme_length == 0 || strncmp(text + scheme_length, "://", 3) != 0)
        return "is no origin; write scheme://host[:port] in lower case, or \"*\" for all";
    port = host + strcspn(host, host[0] == '[' ? "]" : ":");
    if (*port == ']')
        port++;
    if (*port == ':') {
        digits = strspn(port + 1, "0123456789");
        if (digits == 0 || digits > 5 || port[1 + digits] != '\0')
            return "has something other than a port number behind the host; an origin has no path";
        if ((strncmp(text, "https://", 8) == 0 && strcmp(port, ":443") == 0) ||
            (strncmp(text, "http://", 7) == 0 && strcmp(port, ":80") == 0))
            return "names the usual port, which browsers leave out, so it would match none; leave it out too";
    } else if (*port != '\0') {
        return "has something behind the host; an origin has no path";
    }
    return check_origin_host(host, (size_t)(port - host));
}

const char *check_path(const char *text)
{
    return has_control(text) ? "holds a control character" : NULL;
}

const char *check_token(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return "may hold nothing but printable ASCII characters other than the space";
    return NULL;
}

const char *check_key_file(const char *text)
{
    const char *equals = strchr(text, '=');

    if (has_control(text))
        return "holds a control character";
    if (text[0] == '/')
        return NULL;
    if (!equals || equals == text || equals[1] != '/' || equals - text > 255)
        return "is neither an absolute path nor a key's name and its file; write /path or kid=/path";
    return NULL;
}

const char *check_claim(const char *text)
{
    if (text[0] == '\0' || strlen(text) > 1023)
        return "does not have 1 to 1023 bytes";
    return has_control(text) ? "holds a control character" : NULL;
}

/* A token (RFC 6265, section 4.1.1; RFC 9110, section 5.6.2). */
const char *check_cookie(const char *text)
{
    if (text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~")] != '\0')
        return "has a character that no cookie's name has; write letters, digits, - and _";
    return NULL;
}

const char *check_host(const char *text)
{
    if (text[0] == '\0' || strlen(text) > 253)
        return "does not have 1 to 253 bytes";
    if (text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-_*?[]:")] != '\0' ||
        (text[0] != '[' && strchr(text, ':')))
        return "has something other than a host's name in lower case, without a port; * and ? are patterns";
    return NULL;
}

const char *check_management_listen(const char *text)
{
    return text[0] ? check_listen(text) : NULL;
}
