/* Connection parameters for PQconnectStartParams, made so that connecting never blocks.
 *
 * libpq looks up host names in the calling thread. So the names are found here, looked up by resolver.h, and
 * given to libpq as `hostaddr` beside `host` (which it still needs for TLS and .pgpass). It gets one host at a time:
 * connecting without blocking, it has no time-out of its own after which it would go on to the next one. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { CONNINFO_HOSTS_MAX = 64, CONNINFO_WORDS_MAX = 24, CONNINFO_TIMEOUT_S_MAX = 60 };

struct conninfo_host {
    char *host;     /* as given: a name, an address, a socket directory, or "" for libpq's default */
    char *hostaddr; /* "" until it is known; stays "" where none is needed */
    char *port;
};

struct conninfo {
    char *text; /* what the configuration says; "" leaves everything to libpq's environment variables */
    struct conninfo_host hosts[CONNINFO_HOSTS_MAX];
    size_t host_count;  /* 0: nothing to look up, libpq gets text as it is */
    int64_t timeout_ms; /* for each host: connect_timeout; 0: it does not say */

    /* Filled by conninfo_params; NULL-terminated, lent. */
    const char *keywords[CONNINFO_WORDS_MAX];
    const char *values[CONNINFO_WORDS_MAX];
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

/* Fills keywords and values for hosts[index], which needs no look-up any more; index counts for nothing where there are
 * no hosts. */
void conninfo_params(struct conninfo *info, size_t index);
