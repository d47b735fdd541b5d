#include "postgres/conninfo.h"

#include "base/buffer.h"

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

static int split_hosts(struct conninfo *info, const char *hosts, const char *ports)
{
    size_t count = list_count(hosts);

    if (count > CONNINFO_HOSTS_MAX)
        return -E2BIG;
    for (size_t i = 0; i < count; i++) {
        struct conninfo_host *host = &info->hosts[info->host_count++];
        *host = (struct conninfo_host){list_part(hosts, i), strdup(""), list_part(ports, i)};
        if (!host->host || !host->hostaddr || !host->port)
            return -ENOMEM;
    }
    return 0;
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
            *ret_problem = strdup(problem ? problem : "out of memory");
            PQfreemem(problem);
            conninfo_done(info);
            return -EINVAL;
        }
    }
    defaults = PQconndefaults();
    const char *host = option_value(given, "host");
    const char *port = option_value(given, "port");
    /* A service file may name hosts that we do not see; an address needs no look-up. Both stay libpq's
     * business. */
    bool leave = option_value(given, "hostaddr") || option_value(given, "service") ||
                 (!host && (option_value(defaults, "hostaddr") || option_value(defaults, "service")));
    if (!host)
        host = option_value(defaults, "host");
    if (!port)
        port = option_value(defaults, "port");
    if (host && !leave)
        error = split_hosts(info, host, port);
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
    for (size_t i = 0; i < 3; i++)
        free(info->joined[i]);
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

static char *join(const struct conninfo *info, size_t part_offset)
{
    struct buffer list;
    char *copy = NULL;
    bool first = true;

    buffer_init(&list, 1 << 16);
    for (size_t i = 0; i < info->host_count; i++) {
        /* A name that was not found is left out: libpq would look it up again, and block. */
        if (conninfo_needs_lookup(info, i))
            continue;
        buffer_append_text(&list, first ? "" : ",");
        first = false;
        buffer_append_text(&list, *(char *const *)((const char *)&info->hosts[i] + part_offset));
    }
    const char *text = buffer_text(&list);
    if (text)
        copy = strdup(text);
    buffer_done(&list);
    return copy;
}

int conninfo_params(struct conninfo *info)
{
    static const char *const joined_keywords[] = {"host", "hostaddr", "port"};
    static const size_t joined_offsets[] = {offsetof(struct conninfo_host, host),
                                            offsetof(struct conninfo_host, hostaddr),
                                            offsetof(struct conninfo_host, port)};
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
    for (size_t i = 0; i < 3 && info->host_count > 0; i++, count++) {
        free(info->joined[i]);
        info->joined[i] = join(info, joined_offsets[i]);
        if (!info->joined[i])
            return -ENOMEM;
        info->keywords[count] = joined_keywords[i];
        info->values[count] = info->joined[i];
    }
    info->keywords[count] = "client_encoding";
    info->values[count++] = "UTF8";
    info->keywords[count] = info->values[count] = NULL;
    return 0;
}
