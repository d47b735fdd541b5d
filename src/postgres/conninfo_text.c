#include "postgres/conninfo_text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENCODE_IT                                                                                                      \
    "in a URI each of : / ? # [ ] @ % in a user's name or password is written as % and two digits, as in %40 for @"

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_uri(const char *text)
{
    return begins_with(text, "postgresql://") || begins_with(text, "postgres://");
}

/* Parameters that other programs know, and libpq does not. Only what is in this list is ever named: anything else may
 * be a part of a password. */
static const char *const elsewhere[] = {
    "schema",
    "search_path",
    "currentSchema",
    "pgbouncer",
    "connection_limit",
    "pool_timeout",
    "pool",
    "pool_size",
    "sslaccept",
    "sslidentity",
    "socket_timeout",
    "statement_cache_size",
    "ssl",
    "useSSL",
    "charset",
    "encoding",
    "serverVersion",
    "prepared_statement_cache_size",
    "timezone",
    "command_timeout",
    "min_size",
    "max_size",
    "prepared_statements",
    "connection_timeout",
    "username",
    "server",
    "database",
    "db",
    "hostname",
    "pwd",
};

/* The name of such a parameter in the text, or NULL. */
static const char *find_elsewhere(const char *text)
{
    for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
        size_t length = strlen(elsewhere[i]);
        for (const char *at = text; (at = strcasestr(at, elsewhere[i])); at++)
            if ((at == text || strchr("?& \t\n;", at[-1])) && at[length + strspn(at + length, " ")] == '=')
                return elsewhere[i];
    }
    return NULL;
}

/* Nothing but printable ASCII that no name of a host lacks; "" is libpq's default. */
static bool is_host(const char *host, size_t length)
{
    if (length == 0 || host[0] == '/' || host[0] == '@')
        return true;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)host[i]) && !strchr(".-_:%", host[i]) && (unsigned char)host[i] < 0x80)
            return false;
    return true;
}

static bool is_address(const char *address, size_t length)
{
    char copy[INET6_ADDRSTRLEN + 32];
    unsigned char ignored[sizeof(struct in6_addr)];

    if (length == 0)
        return true;
    if (length >= sizeof(copy))
        return false;
    snprintf(copy, sizeof(copy), "%.*s", (int)length, address);
    copy[strcspn(copy, "%")] = '\0';
    return inet_pton(AF_INET, copy, ignored) == 1 || inet_pton(AF_INET6, copy, ignored) == 1;
}

static bool is_port(const char *port, size_t length)
{
    if (length == 0)
        return true;
    if (length > 5 || strspn(port, "0123456789") < length)
        return false;
    long number = strtol(port, NULL, 10);
    return number > 0 && number <= 65535;
}

/* Whether each part of a list with commas is. */
static bool all(const char *list, bool (*is)(const char *text, size_t length))
{
    for (;; list++) {
        size_t length = strcspn(list, ",");
        if (!is(list, length))
            return false;
        list += length;
        if (!*list)
            return true;
    }
}

static bool is_one_of(const char *value, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(value, *words) == 0)
            return true;
    return false;
}

/* Of a value that libpq took as it is, what is wrong, or NULL. */
static const char *value_wrong(const char *keyword, const char *value, bool uri)
{
    static const char *const sslmodes[] = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full", NULL};
    static const char *const sessions[] = {"any",     "read-write",     "read-only", "primary",
                                           "standby", "prefer-standby", NULL};
    static const char *const bindings[] = {"disable", "prefer", "require", NULL};

    if (strcmp(keyword, "host") == 0 && !all(value, is_host))
        return uri ? "the host has a character that no host's name has; " ENCODE_IT
                   : "the host has a character that no host's name has; between keywords stand spaces, no semicolons "
                     "or "
                     "commas: host=db user=me password='..' dbname=app";
    if (strcmp(keyword, "hostaddr") == 0 && !all(value, is_address))
        return "hostaddr is no IP address; a host's name is written as host";
    if (strcmp(keyword, "port") == 0 && !all(value, is_port))
        return uri ? "the port is no number from 1 to 65535; " ENCODE_IT : "the port is no number from 1 to 65535";
    if (strcmp(keyword, "dbname") == 0 && strstr(value, "://"))
        return "dbname is the name of a database; a URI stands alone, without any keyword";
    if (strcmp(keyword, "sslmode") == 0 && !is_one_of(value, sslmodes))
        return "sslmode is one of disable, allow, prefer, require, verify-ca, verify-full";
    if (strcmp(keyword, "target_session_attrs") == 0 && !is_one_of(value, sessions))
        return "target_session_attrs is one of any, read-write, read-only, primary, standby, prefer-standby";
    if ((strcmp(keyword, "channel_binding") == 0 || strcmp(keyword, "gssencmode") == 0) && !is_one_of(value, bindings))
        return "channel_binding and gssencmode are one of disable, prefer, require";
    if (strcmp(keyword, "connect_timeout") == 0 && value[strspn(value, " -0123456789")] != '\0')
        return "connect_timeout is a number of seconds";
    return NULL;
}

/* What people take for a connection string, and libpq for the name of a database: it would send it to the server, whose
 * log would have it. NULL: it may be one. */
static const char *shape_wrong(const char *text)
{
    size_t length = strlen(text);
    const char *scheme = strstr(text, "://");
    const char *equals = strchr(text, '=');

    if (strchr("\"'`", text[0]))
        return "has quotes around it, which are no part of it; docker's --env-file, for one, keeps them: take them out";
    bool is_whole = is_uri(text) || !equals || (scheme && scheme < equals);
    if (is_whole && (isspace((unsigned char)text[0]) || isspace((unsigned char)text[length - 1])))
        return "has white space before or behind it; a file that ends in a line feed is often the reason: take it out";
    if (is_uri(text))
        return NULL;
    if (scheme && (!equals || scheme < equals)) {
        if (begins_with(text, "postgresql+") || begins_with(text, "postgres+"))
            return "names a driver behind postgresql+, as SQLAlchemy has it: write postgresql://";
        if (begins_with(text, "jdbc:"))
            return "is JDBC's: write postgresql://user:password@host/database";
        return "has another scheme than postgresql://, the only one there is here";
    }
    if (!equals && strpbrk(text, ":/@?#; \t\n"))
        return "is neither a URI (postgresql://user:password@host/database), nor keywords (host=db user=me), nor the "
               "name of a "
               "database";
    return NULL;
}

/* In a URI an @ ends the password, and may stand nowhere else: libpq would take the rest of the password for a host,
 * and ask the network for it. */
static const char *uri_wrong(const char *uri)
{
    const char *rest = strstr(uri, "://") + 3;
    const char *at = strchr(rest, '@');

    if (at && (strchr(at + 1, '@') || (size_t)(at - rest) > strcspn(rest, "/?")))
        return "has an @, / or ? in the user's name or the password; " ENCODE_IT;
    return NULL;
}

/* What PQconninfoParse did not take. What it says about it quotes the text. */
static void explain(const char *text, char *ret_wrong, size_t size)
{
    const char *known = find_elsewhere(text);
    bool bad_percent = false;

    for (const char *at = text; (at = strchr(at, '%')); at++)
        bad_percent |= !isxdigit((unsigned char)at[1]) || !isxdigit((unsigned char)at[2]) || begins_with(at, "%00");
    if (known)
        snprintf(ret_wrong, size, "has the parameter %s, which libpq does not have%s", known,
                 strcasecmp(known, "schema") == 0 || strcmp(known, "currentSchema") == 0
                     ? ": take it out; tables are named with their schema in a trigger's definition"
                     : ": take it out (PostgreSQL's documentation, 34.1.2, lists those there are)");
    else if (is_uri(text) && bad_percent)
        snprintf(ret_wrong, size,
                 "has a %% that is not followed by two hexadecimal digits; a %% itself is written %%25");
    else if (is_uri(text))
        snprintf(
            ret_wrong, size, "%s",
            "is a URI that cannot be read: a parameter behind ? has another name than libpq knows, or a part of it "
            "is not encoded; " ENCODE_IT);
    else
        snprintf(ret_wrong, size,
                 "has keywords that cannot be read: one that libpq does not know, or a value with spaces or "
                 "quotes; that stands in single quotes, with \\ before each ' and \\ in it: password='a b\\'c'");
}

bool conninfo_is_wrong(const char *text, char *ret_wrong, size_t size)
{
    PQconninfoOption *options;
    const char *wrong = NULL;
    char *problem = NULL;

    if (text[0] == '\0')
        return false;
    wrong = shape_wrong(text);
    if (!wrong && is_uri(text))
        wrong = uri_wrong(text);
    if (wrong) {
        snprintf(ret_wrong, size, "%s", wrong);
        return true;
    }
    if (!is_uri(text) && !strchr(text, '='))
        return false; /* the name of a database */
    options = PQconninfoParse(text, &problem);
    PQfreemem(problem);
    if (!options) {
        explain(text, ret_wrong, size);
        return true;
    }
    for (const PQconninfoOption *option = options; option->keyword && !wrong; option++)
        if (option->val && option->val[0])
            wrong = value_wrong(option->keyword, option->val, is_uri(text));
    if (wrong)
        snprintf(ret_wrong, size, "%s", wrong);
    PQconninfoFree(options);
    return wrong != NULL;
}

bool conninfo_environment_is_wrong(char *ret_wrong, size_t size)
{
    PQconninfoOption *options = PQconndefaults();
    const char *wrong = NULL;

    for (const PQconninfoOption *option = options; option && option->keyword && !wrong; option++) {
        const char *value = option->envvar ? getenv(option->envvar) : NULL;
        if (value && value[0])
            wrong = value_wrong(option->keyword, value, false);
        if (wrong)
            snprintf(ret_wrong, size, "environment %s: %s", option->envvar, wrong);
    }
    PQconninfoFree(options);
    return wrong != NULL;
}

/* libpq marks what is not to be shown; the secrets that newer versions have are marked as if they were for debugging
 * only. */
static bool is_secret(const PQconninfoOption *option)
{
    return option->dispchar[0] == '*' || strstr(option->keyword, "password") || strstr(option->keyword, "secret") ||
           strstr(option->keyword, "_key");
}

static void append_value(struct buffer *text, const char *value)
{
    bool plain = value[0] != '\0';

    for (const char *c = value; *c; c++)
        plain &= (unsigned char)*c > ' ' && *c != '\'' && *c != '\\';
    buffer_append_text(text, plain ? "" : "'");
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\')
            buffer_append_text(text, "\\");
        buffer_append(text, value, 1);
    }
    buffer_append_text(text, plain ? "" : "'");
}

void conninfo_redact(const char *text, struct buffer *redacted)
{
    char ignored[512];
    char *problem = NULL;
    bool first = true;

    if (text[0] == '\0')
        return;
    if (conninfo_is_wrong(text, ignored, sizeof(ignored))) {
        buffer_append_text(redacted, "***");
        return;
    }
    if (!is_uri(text) && !strchr(text, '=')) {
        buffer_append_text(redacted, text);
        return;
    }
    PQconninfoOption *options = PQconninfoParse(text, &problem);
    PQfreemem(problem);
    for (const PQconninfoOption *option = options; option && option->keyword; option++) {
        if (!option->val || option->val[0] == '\0')
            continue;
        buffer_printf(redacted, "%s%s=", first ? "" : " ", option->keyword);
        if (is_secret(option))
            buffer_append_text(redacted, "***");
        else
            append_value(redacted, option->val);
        first = false;
    }
    PQconninfoFree(options);
    if (!options)
        buffer_append_text(redacted, "***");
}
