/* Variables of the environment that look like ours and are not. */
#include "config/config.h"
#include "config/nearest.h"
#include "config/settings.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES_MAX = 60 };

#define PREFIX "TUPLECAST_"

static bool ends_with(const char *name, size_t length, const char *end)
{
    return length >= strlen(end) && memcmp(name + length - strlen(end), end, strlen(end)) == 0;
}

/* What Kubernetes (and Docker's links before it) sets for a service whose name begins with ours: .._SERVICE_HOST,
 * .._SERVICE_PORT, .._SERVICE_PORT_NAME, .._PORT=tcp://10.0.0.1:8080, .._PORT_8080_TCP and what follows it. */
static bool is_of_a_service(const char *name, size_t length, const char *value)
{
    char copy[NAME_BYTES_MAX + 1];

    if (length > NAME_BYTES_MAX)
        return false;
    snprintf(copy, sizeof(copy), "%.*s", (int)length, name);
    if (ends_with(copy, length, "_SERVICE_HOST") || strstr(copy, "_SERVICE_PORT"))
        return true;
    if (ends_with(copy, length, "_PORT") && strstr(value, "://"))
        return true;
    for (const char *at = copy; (at = strstr(at, "_PORT_")); at++) {
        const char *digits = at + strlen("_PORT_");
        size_t count = strspn(digits, "0123456789");
        if (count > 0 && (strncmp(digits + count, "_TCP", 4) == 0 || strncmp(digits + count, "_UDP", 4) == 0 ||
                          strncmp(digits + count, "_SCTP", 5) == 0))
            return true;
    }
    return false;
}

static bool is_ours(const char *name, size_t length)
{
    char known[SETTING_VARIABLE_BYTES];

    for (const struct setting *setting = settings; setting->path; setting++) {
        setting_variable(setting->path, known);
        if (strlen(known) == length && memcmp(known, name, length) == 0)
            return true;
    }
    return false;
}

static void append_line(struct buffer *lines, const char *name, size_t length)
{
    char shown[NAME_BYTES_MAX + 1], nearest[SETTING_VARIABLE_BYTES];

    snprintf(shown, sizeof(shown), "%.*s", (int)(length < NAME_BYTES_MAX ? length : NAME_BYTES_MAX), name);
    for (char *c = shown; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_')
            *c = '?';
    buffer_printf(lines, "environment %s: there is no such setting", shown);
    if (nearest_variable(shown, nearest))
        buffer_printf(lines, "; did you mean %s?\n", nearest);
    else
        buffer_append_text(lines, "; it changes nothing\n");
}

void config_odd_variables(char *const *environment, struct buffer *lines)
{
    for (; environment && *environment; environment++) {
        const char *name = *environment;
        size_t length = strcspn(name, "=");
        if (strncmp(name, PREFIX, strlen(PREFIX)) == 0 && name[length] == '=' && !is_ours(name, length) &&
            !is_of_a_service(name, length, name + length + 1))
            append_line(lines, name, length);
    }
}
