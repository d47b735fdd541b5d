#include "postgres/conninfo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *option_value(const PQconninfoOption *options, const char *keyword)
{
    for (; options && options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val && options->val[0] ? options->val : NULL;
    return NULL;
}

static const char *pick(const PQconninfoOption *given, const PQconninfoOption *defaults, const char *keyword)
{
    const char *value = option_value(given, keyword);

    return value ? value : option_value(defaults, keyword);
}

/* The index-th part of a comma-separated list, on the heap; a list of one part stands for all indexes. ""
 * when there is none. */
static char *list_part(const char *list, size_t index)
{
    if (!list)
        return strdup("");
    const char *first_comma = strchr(list, ',');
    for (; index > 0 && first_comma; index--) {
        const char *comma = strchr(list, ',');
        if (!comma)
            return strdup("");
        list = comma + 1;
    }
    return strndup(list, strcspn(list, ","));
}

static size_t list_count(const char *list)
{
    size_t count = 1;

    for (; *list; list++)
        count += *list == ',';
    return count;
}

static bool has_empty_part(const char *list)
{
    return list && (list[0] == ',' || list[strlen(list) - 1] == ',' || strstr(list, ",,"));
}

/* libpq's own rules: a port that is left out is its default, one port is for all hosts, other counts must be equal. */
static int split_hosts(struct conninfo *info, const char *hosts, const char *addresses, const char *ports)
{
    size_t count = list_count(hosts ? hosts : addresses);

    if (count > CONNINFO_HOSTS_MAX)
        return -E2BIG;
    for (size_t i = 0; i < count; i++) {
        struct conninfo_host *host = &info->hosts[info->host_count++];
        *host = (struct conninfo_host){list_part(hosts, i), list_part(addresses, i), list_part(ports, i)};
        if (host->port && host->port[0] == '\0') {
            free(host->port);
            host->port = strdup("5432");
        }
        if (!host->host || !host->hostaddr || !host->port)
            return -ENOMEM;
    }
    return 0;
}

/* Whether libpq should see the lists as they are: it refuses those that do not fit together and says why, and only it
 * knows the host that an empty place in them stands for. */
static bool is_for_libpq(const char *hosts, const char *addresses, const char *ports)
{
    if (!hosts && !addresses)
        return true;
    if (hosts && addresses && list_count(hosts) != list_count(addresses))
        return true;
    size_t count = list_count(hosts ? hosts : addresses), port_count = ports ? list_count(ports) : 1;

    return (port_count != 1 && port_count != count) || has_empty_part(hosts) || has_empty_part(addresses);
}

/* connect_timeout as libpq reads it: seconds, less than 2 are 2, and none or less is no limit. There is always one
 * here. */
static int64_t timeout_ms(const char *text)
{
    long seconds = text ? strtol(text, NULL, 10) : 0;

    if (seconds <= 0)
        return 0;
    if (seconds < 2)
        return 2000;
    return seconds > CONNINFO_TIMEOUT_S_MAX ? CONNINFO_TIMEOUT_S_MAX * INT64_C(1000) : seconds * INT64_C(1000);
}

/* True for what PQconnectdb would read as a connection string; anything else is a database's name. */
static bool is_connection_string(const char *text)
{
    return strchr(text, '=') || strncmp(text, "postgresql://", 13) == 0 || strncmp(text, "postgres://", 11) == 0;
}

int conninfo_init(struct conninfo *info, const char *text, char **ret_problem)
{
    PQconninfoOption *given = NULL, *defaults = NULL;
    char *problem = NULL;
    int error = 0;

    *info = (struct conninfo){.text = strdup(text)};
    if (!info->text)
        return -ENOMEM;
    if (is_connection_string(text)) {
        given = PQconninfoParse(text, &problem);
        if (!given) {
            /* libpq's own words quote the text. */
            *ret_problem = strdup("the connection string cannot be read; `tuplecast check` says why");
            PQfreemem(problem);
            conninfo_done(info);
            return -EINVAL;
        }
    }
    defaults = PQconndefaults();
    const char *host = pick(given, defaults, "host");
    const char *address = pick(given, defaults, "hostaddr");
    const char *port = pick(given, defaults, "port");
    info->timeout_ms = timeout_ms(pick(given, defaults, "connect_timeout"));
    /* A service file may name hosts that we do not see. */
    if (!pick(given, defaults, "service") && !is_for_libpq(host, address, port))
        error = split_hosts(info, host, address, port);
    PQconninfoFree(given);
    PQconninfoFree(defaults);
    if (error < 0)
        conninfo_done(info);
    return error;
}

void conninfo_done(struct conninfo *info)
{
    for (size_t i = 0; i < info->host_count; i++) {
        free(info->hosts[i].host);
        free(info->hosts[i].hostaddr);
        free(info->hosts[i].port);
    }
    free(info->text);
    *info = (struct conninfo){0};
}

int conninfo_needs_lookup(const struct conninfo *info, size_t index)
{
    const char *host = info->hosts[index].host;
    unsigned char address[sizeof(struct in6_addr)];

    return host[0] != '\0' && host[0] != '/' && host[0] != '@' && info->hosts[index].hostaddr[0] == '\0' &&
           inet_pton(AF_INET, host, address) != 1 && inet_pton(AF_INET6, host, address) != 1;
}

int conninfo_add_address(struct conninfo *info, size_t index, const char *address)
{
    struct conninfo_host *host = &info->hosts[index];

    if (host->hostaddr[0] == '\0') {
        char *copy = strdup(address);
        if (!copy)
            return -ENOMEM;
        free(host->hostaddr);
        host->hostaddr = copy;
        return 0;
    }
    if (info->host_count == CONNINFO_HOSTS_MAX)
        return -E2BIG;
    struct conninfo_host more = {strdup(host->host), strdup(address), strdup(host->port)};
    if (!more.host || !more.hostaddr || !more.port) {
        free(more.host);
        free(more.hostaddr);
        free(more.port);
        return -ENOMEM;
    }
    info->hosts[info->host_count++] = more;
    return 0;
}

void conninfo_params(struct conninfo *info, size_t index)
{
    /* What stands before `dbname` is a default that the connection string may override; what stands behind it
     * is not. Two minutes of silence on a dead network are libpq's default; ours is ten seconds. */
    static const char *const defaults[][2] = {
        {"fallback_application_name", "tuplecast"},
        {"keepalives_idle", "5"},
        {"keepalives_interval", "2"},
        {"keepalives_count", "2"},
        {"tcp_user_timeout", "9000"},
    };
    size_t count = 0;

    for (size_t i = 0; i < sizeof(defaults) / sizeof(*defaults); i++, count++) {
        info->keywords[count] = defaults[i][0];
        info->values[count] = defaults[i][1];
    }
    info->keywords[count] = "dbname";
    info->values[count++] = info->text;
    if (info->host_count > 0) {
        const struct conninfo_host *host = &info->hosts[index];
        const char *const words[][2] = {{"host", host->host}, {"hostaddr", host->hostaddr}, {"port", host->port}};
        for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++, count++) {
            info->keywords[count] = words[i][0];
            info->values[count] = words[i][1];
        }
    }
    info->keywords[count] = "client_encoding";
    info->values[count++] = "UTF8";
    info->keywords[count] = info->values[count] = NULL;
}
