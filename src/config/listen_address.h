/* The address to serve, as written in the configuration: "host:port", "[v6]:port", ":port" (all addresses of
 * the machine) or "unix:/path". Names are not looked up here. */
#pragma once

#include <stdint.h>

enum {
    LISTEN_HOST_BYTES_MAX = 253, /* the longest DNS name */
    LISTEN_PATH_BYTES_MAX = 107, /* what sockaddr_un holds beside its NUL */
};

struct listen_address {
    char host[LISTEN_HOST_BYTES_MAX + 1]; /* without brackets; empty: all addresses */
    uint16_t port;                        /* 0: any free one */
    char path[LISTEN_PATH_BYTES_MAX + 1]; /* not empty: a Unix socket, and host and port mean nothing */
};

/* Returns 0 or -EINVAL; then *ret_wrong (may be NULL) says what is wrong and what to do, in fixed text. */
int listen_address_parse(const char *text, struct listen_address *ret_address, const char **ret_wrong);
