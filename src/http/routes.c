#include "http/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    EVERYWHERE = 1 << SURFACE_ALL | 1 << SURFACE_PUBLIC | 1 << SURFACE_MANAGEMENT,
    PUBLIC = 1 << SURFACE_ALL | 1 << SURFACE_PUBLIC,
    MANAGEMENT = 1 << SURFACE_ALL | 1 << SURFACE_MANAGEMENT,
};

static const struct route routes[] = {
    {"GET", "/streams", streams_get, GUARD_READER, PUBLIC},
    {"GET", "/streams/{}", streams_get, GUARD_READER, PUBLIC},
    {"GET", "/channels", channels_list, GUARD_READER, PUBLIC},
    {"POST", "/tickets", tickets_post, GUARD_BEARER, PUBLIC},
    {"POST", "/session", session_post, GUARD_BEARER, PUBLIC},
    {"DELETE", "/session", session_delete, GUARD_NONE, PUBLIC},
    {"GET", "/triggers", triggers_list, GUARD_MANAGER, MANAGEMENT},
    {"GET", "/triggers/{}", triggers_get, GUARD_MANAGER, MANAGEMENT},
    {"POST", "/triggers", triggers_post, GUARD_MANAGER, MANAGEMENT},
    {"PUT", "/triggers/{}", triggers_put, GUARD_MANAGER, MANAGEMENT},
    {"DELETE", "/triggers/{}", triggers_delete, GUARD_MANAGER, MANAGEMENT},
    {"GET", "/tables", tables_list, GUARD_MANAGER, MANAGEMENT},
    {"GET", "/metrics", metrics_get, GUARD_NONE, MANAGEMENT},
    {"GET", "/livez", health_live, GUARD_NONE, EVERYWHERE},
    {"GET", "/readyz", health_ready, GUARD_NONE, EVERYWHERE},
    {"GET", "/openapi.json", openapi_get, GUARD_NONE, EVERYWHERE},
    {"GET", "/", pages_get, GUARD_NONE, PUBLIC},
    {"GET", "/vendor/{}", pages_get, GUARD_NONE, PUBLIC},
    {"GET", "/{}", pages_get, GUARD_NONE, PUBLIC},
};

/* Whether path fits pattern; then *ret_segment is what stands for "{}", not decoded, or NULL. */
static bool fits(const char *pattern, const char *path, const char **ret_segment)
{
    const char *brace = strchr(pattern, '{');
    size_t fixed = brace ? (size_t)(brace - pattern) : strlen(pattern);

    *ret_segment = NULL;
    if (strncmp(pattern, path, fixed) != 0)
        return false;
    if (!brace)
        return path[fixed] == '\0';
    *ret_segment = path + fixed;
    return !strchr(path + fixed, '/');
}

int routes_find(struct exchange *exchange, struct buffer *ret_allow)
{
    /* HEAD is GET whose body the library leaves out (RFC 9110, section 9.3.2). */
    const char *method = strcmp(exchange->method, "HEAD") == 0 ? "GET" : exchange->method;
    const struct route *first = NULL;
    const char *segment;

    for (const struct route *route = routes; route < routes + sizeof(routes) / sizeof(*routes); route++) {
        if (!(route->surfaces & 1u << exchange->services->surface) || !fits(route->path, exchange->target, &segment))
            continue;
        /* A resource is all routes of its path: /session is none of the pages, whose pattern it fits. */
        if (!first)
            first = route;
        if (strcmp(route->path, first->path) != 0)
            continue;
        if (strcmp(route->method, method) == 0) {
            exchange->route = route;
            return segment ? percent_decode(segment, strlen(segment), &exchange->segment) : 0;
        }
        buffer_printf(ret_allow, "%s%s", route->method, strcmp(route->method, "GET") == 0 ? ", HEAD, " : ", ");
    }
    if (buffer_size(ret_allow) == 0)
        return -ENOENT;
    buffer_append_text(ret_allow, "OPTIONS");
    return -EOPNOTSUPP;
}
