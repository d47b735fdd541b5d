/* Connection parameters for PQconnectStartParams, made so that connecting never blocks.
 *
 * libpq looks up host names in the calling thread. So the names are found here, looked up by resolver.h, and
 * given to libpq as `hostaddr` beside `host` (which it still needs for TLS and .pgpass). */
#pragma once

#include <stddef.h>

enum { CONNINFO_HOSTS_MAX = 64, CONNINFO_WORDS_MAX = 24 };

struct conninfo_host {
    char *host;     /* as given: a name, an address, a socket directory, or "" for libpq's default */
    char *hostaddr; /* "" until it is known; stays "" where none is needed */
    char *port;     /* "" for the default */
};

struct conninfo {
    char *text; /* what the configuration says; "" leaves everything to libpq's environment variables */
    struct conninfo_host hosts[CONNINFO_HOSTS_MAX];
    size_t host_count; /* 0: nothing to look up, libpq gets text as it is */

    /* Filled by conninfo_params; NULL-terminated, lent. */
    const char *keywords[CONNINFO_WORDS_MAX];
    const char *values[CONNINFO_WORDS_MAX];
    char *joined[3]; /* host, hostaddr, port */
};

/* Returns 0, -EINVAL when text is no connection string (the reason is in ret_problem, to be freed with free),
 * or -ENOMEM. */
int conninfo_init(struct conninfo *info, const char *text, char **ret_problem);
void conninfo_done(struct conninfo *info);

/* Whether hosts[index] is a name that must be looked up. */
int conninfo_needs_lookup(const struct conninfo *info, size_t index);

/* Gives hosts[index] its address; a further call for the same name adds a host with that address. 0, -ENOMEM,
 * -E2BIG. */
int conninfo_add_address(struct conninfo *info, size_t index, const char *address);

/* Fills keywords and values, without the hosts that still need a look-up. 0 or -ENOMEM. */
int conninfo_params(struct conninfo *info);
