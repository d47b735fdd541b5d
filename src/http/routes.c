#include "http/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct route routes[] = {
    {"GET", "/streams", streams_get, false},
    {"GET", "/streams/{}", streams_get, false},
    {"GET", "/triggers", triggers_list, true},
    {"GET", "/triggers/{}", triggers_get, true},
    {"POST", "/triggers", triggers_post, true},
    {"GET", "/channels", channels_list, false},
    {"GET", "/tables", tables_list, true},
    {"PUT", "/triggers/{}", triggers_put, true},
    {"DELETE", "/triggers/{}", triggers_delete, true},
    {"GET", "/livez", health_live, false},
    {"GET", "/readyz", health_ready, false},
    {"GET", "/metrics", metrics_get, false},
    {"GET", "/", pages_get, false},
    {"GET", "/vendor/{}", pages_get, false},
    {"GET", "/{}", pages_get, false},
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
    const char *segment;

    for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
        if (!fits(routes[i].path, exchange->target, &segment))
            continue;
        if (strcmp(routes[i].method, method) == 0) {
            exchange->route = &routes[i];
            return segment ? percent_decode(segment, strlen(segment), &exchange->segment) : 0;
        }
        buffer_printf(ret_allow, "%s%s", routes[i].method, strcmp(routes[i].method, "GET") == 0 ? ", HEAD, " : ", ");
    }
    if (buffer_size(ret_allow) == 0)
        return -ENOENT;
    buffer_append_text(ret_allow, "OPTIONS");
    return -EOPNOTSUPP;
}
