#include "http/entity_tag.h"

#include "base/limits.h"

#include <string.h>

/* Is the tag in the list, or does that stand for any? */
static bool names_tag(const char *list, const char *tag)
{
    size_t tag_size = strlen(tag);

    if (strcmp(list, "*") == 0)
        return true;
    while (*list) {
        list += strspn(list, " \t,");
        if (strncmp(list, "W/", 2) == 0)
            list += 2;
        if (strncmp(list, tag, tag_size) == 0)
            return true;
        const char *end = list[0] == '"' ? strchr(list + 1, '"') : NULL;
        if (!end)
            return false;
        list = end + 1;
    }
    return false;
}

bool entity_tag_is_known(const struct exchange *exchange, const char *tag)
{
    struct buffer lines;

    buffer_init(&lines, 2 * HTTP_HEAD_BYTES_MAX);
    const char *list = exchange_header_lines(exchange, MHD_HTTP_HEADER_IF_NONE_MATCH, ", ", &lines);
    bool is_known = list && names_tag(list, tag);
    buffer_done(&lines);
    return is_known;
}
