#include "config/mask.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static bool is_secret(const char *key, size_t length)
{
    static const char *const SECRETS[] = {"password", "sslpassword", "oauth_client_secret", "scram_client_key",
                                          "scram_server_key"};

    for (size_t i = 0; i < sizeof(SECRETS) / sizeof(SECRETS[0]); i++)
        if (strlen(SECRETS[i]) == length && memcmp(SECRETS[i], key, length) == 0)
            return true;
    return false;
}

/* libpq decodes the keywords of a URI, so that pass%77ord is one, too. */
static bool is_secret_encoded(const char *key, size_t length)
{
    char decoded[32];
    size_t decoded_length = 0;

    for (size_t i = 0; i < length; i++) {
        char c = key[i];
        if (decoded_length == sizeof(decoded))
            return false;
        if (c == '%' && i + 2 < length && isxdigit((unsigned char)key[i + 1]) && isxdigit((unsigned char)key[i + 2])) {
            char digits[] = {key[i + 1], key[i + 2], '\0'};
            c = (char)strtoul(digits, NULL, 16);
            i += 2;
        }
        decoded[decoded_length++] = c;
    }
    return is_secret(decoded, decoded_length);
}

/* The `:password` of user:password@host; NULL when there is none. *ret_end is the `@`. */
static const char *find_uri_password(const char *authority, const char **ret_end)
{
    const char *at = memrchr(authority, '@', strcspn(authority, "/"));
    const char *colon;

    if (!at)
        at = strrchr(authority, '@');
    colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
    *ret_end = at;
    return colon;
}

static void mask_uri(const char *uri, const char *authority, struct buffer *masked)
{
    const char *end;
    const char *password = find_uri_password(authority, &end);
    const char *c = uri;

    if (password) {
        buffer_append(masked, uri, (size_t)(password - uri));
        buffer_append_text(masked, ":***");
        c = end;
    }
    for (;;) {
        size_t plain = strcspn(c, "?&");
        size_t key;
        plain += c[plain] != '\0';
        buffer_append(masked, c, plain);
        c += plain;
        if (*c == '\0')
            return;
        key = strcspn(c, "=&");
        if (c[key] == '=' && is_secret_encoded(c, key)) {
            buffer_append(masked, c, key + 1);
            buffer_append_text(masked, "***");
            c += strcspn(c, "&");
        }
    }
}

/* The end of a value: behind its closing quote, at a blank, or NULL when a quote is left open. */
static const char *value_end(const char *value)
{
    bool quoted = *value == '\'';
    const char *c = value + quoted;

    for (; *c; c++) {
        if (quoted ? *c == '\'' : isspace((unsigned char)*c) != 0)
            return c + quoted;
        if (*c == '\\' && c[1])
            c++;
    }
    return quoted ? NULL : c;
}

static void mask_keywords(const char *text, struct buffer *masked)
{
    const char *c = text;

    while (*c) {
        const char *key = c + strspn(c, " \t\n\v\f\r");
        size_t key_length = strcspn(key, "= \t\n\v\f\r");
        const char *equals = key + key_length + strspn(key + key_length, " \t\n\v\f\r");
        const char *value, *end;
        if (*key == '\0')
            break;
        value = *equals == '=' ? equals + 1 + strspn(equals + 1, " \t\n\v\f\r") : NULL;
        end = value ? value_end(value) : NULL;
        if (!end) {
            buffer_append(masked, c, (size_t)(key - c));
            buffer_append_text(masked, "***");
            return;
        }
        if (is_secret(key, key_length)) {
            buffer_append(masked, c, (size_t)(value - c));
            buffer_append_text(masked, "***");
        } else {
            buffer_append(masked, c, (size_t)(end - c));
        }
        c = end;
    }
    buffer_append_text(masked, c);
}

void mask_passwords(const char *connection, struct buffer *masked)
{
    const char *scheme_end = strstr(connection, "://");
    const char *equals = strchr(connection, '=');

    if (scheme_end && (!equals || scheme_end < equals))
        mask_uri(connection, scheme_end + strlen("://"), masked);
    else if (equals)
        mask_keywords(connection, masked);
    else
        buffer_append_text(masked, connection); /* at most the name of a database */
}
