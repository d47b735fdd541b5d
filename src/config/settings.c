#include "config/settings.h"

#include "config/checks.h"
#include "config/network.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define FIELD(member) offsetof(struct config, member)

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)

/* No sum or product of a few of these overflows. */
#define BYTES_MOST (1024 * 1024 * MIB)

static const char *const LEVELS[] = {"debug", "info", "warn", "error", NULL};
static const char *const FORMATS[] = {"text", "json", NULL};

const struct setting settings[] = {
    {.path = "database",
     .type = SETTING_TEXT,
     .offset = FIELD(database),
     .fallback = "",
     .most = 8192,
     .secrecy = SETTING_HOLDS_PASSWORD,
     .needs_restart = true,
     .help = "PostgreSQL to listen to: any libpq connection string; empty: the PG* variables."},
    {.path = "listen",
     .type = SETTING_TEXT,
     .offset = FIELD(listen),
     .fallback = "127.0.0.1:8080",
     .most = 255,
     .check = check_listen,
     .needs_restart = true,
     .help = "Address to serve: host:port, [v6]:port, :port (all addresses) or unix:/path."},
    {.path = "channels",
     .type = SETTING_LIST,
     .offset = FIELD(channels),
     .fallback = "",
     .most = 1000,
     .check = check_name,
     .help = "Channels that clients may subscribe to: names, or patterns with * and ?."},
    {.path = "trusted_proxies",
     .type = SETTING_LIST,
     .offset = FIELD(trusted_proxies),
     .fallback = "",
     .most = 1000,
     .check = check_network,
     .help = "Addresses and networks of proxies whose X-Forwarded-For is believed; unix: Unix sockets."},
    {.path = "confine",
     .type = SETTING_BOOLEAN,
     .offset = FIELD(confine),
     .fallback = "true",
     .needs_restart = true,
     .help = "Whether the program gives up at start what it does not need, where the kernel can see to that."},
    {.path = "triggers.token_file",
     .type = SETTING_TEXT,
     .offset = FIELD(triggers.token_file),
     .fallback = "",
     .most = 4095,
     .check = check_path,
     .help = "File with the bearer token that /triggers asks for; not readable by everybody."},
    {.path = "triggers.token",
     .type = SETTING_TEXT,
     .offset = FIELD(triggers.token),
     .fallback = "",
     .least = TOKEN_BYTES_MIN,
     .most = TOKEN_BYTES_MAX,
     .check = check_token,
     .secrecy = SETTING_SECRET,
     .not_in_file = "name a file of its own in triggers.token_file, or set TUPLECAST_TRIGGERS_TOKEN",
     .help = "The bearer token that /triggers asks for."},
    {.path = "triggers.schemas",
     .type = SETTING_LIST,
     .offset = FIELD(triggers.schemas),
     .fallback = "public",
     .most = 1000,
     .check = check_name,
     .help = "Schemas whose tables /triggers may put triggers on."},
    {.path = "triggers.tables",
     .type = SETTING_LIST,
     .offset = FIELD(triggers.tables),
     .fallback = "",
     .most = 1000,
     .check = check_name,
     .help = "Patterns of schema.table that /triggers may touch; empty: all tables of those schemas."},
    {.path = "triggers.database",
     .type = SETTING_TEXT,
     .offset = FIELD(triggers.database),
     .fallback = "",
     .most = 8192,
     .secrecy = SETTING_HOLDS_PASSWORD,
     .needs_restart = true,
     .help = "The database as the role that /triggers works as; empty: as in `database`."},
    {.path = "streams.heartbeat_ms",
     .type = SETTING_INTEGER,
     .offset = FIELD(streams.heartbeat_ms),
     .fallback = "15000",
     .least = 1000,
     .most = 3600000,
     .help = "Milliseconds between comments that keep an idle stream open."},
    {.path = "streams.retry_ms",
     .type = SETTING_INTEGER,
     .offset = FIELD(streams.retry_ms),
     .fallback = "2000",
     .least = 100,
     .most = 3600000,
     .help = "Milliseconds a client waits before it reconnects; spread around this."},
    {.path = "streams.linger_ms",
     .type = SETTING_INTEGER,
     .offset = FIELD(streams.linger_ms),
     .fallback = "60000",
     .most = 86400000,
     .help = "Milliseconds a channel is kept listening and remembered after its last stream."},
    {.path = "streams.stall_ms",
     .type = SETTING_INTEGER,
     .offset = FIELD(streams.stall_ms),
     .fallback = "60000",
     .least = 1000,
     .most = 3600000,
     .help = "Milliseconds after which a stream that takes nothing while bytes wait is closed."},
    {.path = "streams.close_ms",
     .type = SETTING_INTEGER,
     .offset = FIELD(streams.close_ms),
     .fallback = "2000",
     .most = 600000,
     .help = "Milliseconds over which streams are ended at shutdown, one after the other."},
    {.path = "streams.drain_ms",
     .type = SETTING_INTEGER,
     .offset = FIELD(streams.drain_ms),
     .fallback = "5000",
     .most = 600000,
     .help = "Milliseconds more that streams get to take their last bytes."},
    {.path = "limits.streams",
     .type = SETTING_INTEGER,
     .offset = FIELD(limits.streams),
     .fallback = "20000",
     .least = 1,
     .most = 10000000,
     .help = "Streams open at once."},
    {.path = "limits.streams_per_address",
     .type = SETTING_INTEGER,
     .offset = FIELD(limits.streams_per_address),
     .fallback = "0",
     .most = 10000000,
     .help = "Streams open at once from one client address; 0: no limit."},
    {.path = "limits.channels",
     .type = SETTING_INTEGER,
     .offset = FIELD(limits.channels),
     .fallback = "1000",
     .least = 1,
     .most = 100000,
     .help = "Channels listened to at once."},
    {.path = "limits.channels_per_stream",
     .type = SETTING_INTEGER,
     .offset = FIELD(limits.channels_per_stream),
     .fallback = "64",
     .least = 1,
     .most = 1000,
     .help = "Channels that one stream may ask for."},
    {.path = "limits.channel_memory_bytes",
     .type = SETTING_INTEGER,
     .offset = FIELD(limits.channel_memory_bytes),
     .fallback = "33554432",
     .least = 64 * KIB,
     .most = BYTES_MOST,
     .help = "Bytes of past events remembered for one channel."},
    {.path = "limits.memory_bytes",
     .type = SETTING_INTEGER,
     .offset = FIELD(limits.memory_bytes),
     .fallback = "268435456",
     .least = MIB,
     .most = BYTES_MOST,
     .help = "Bytes that all channels and feeds may take together."},
    {.path = "limits.feed_log_bytes",
     .type = SETTING_INTEGER,
     .offset = FIELD(limits.feed_log_bytes),
     .fallback = "1048576",
     .least = 128 * KIB,
     .most = 1024 * MIB,
     .help = "Bytes of encoded events that streams with the same request share."},
    {.path = "limits.send_buffer_bytes",
     .type = SETTING_INTEGER,
     .offset = FIELD(limits.send_buffer_bytes),
     .fallback = "65536",
     .least = 4 * KIB,
     .most = 16 * MIB,
     .help = "Bytes that the kernel holds for one stream."},
    {.path = "limits.catch_up_bytes",
     .type = SETTING_INTEGER,
     .offset = FIELD(limits.catch_up_bytes),
     .fallback = "65536",
     .least = 16 * KIB,
     .most = 16 * MIB,
     .help = "Bytes held for one stream while it catches up."},
    {.path = "limits.requests",
     .type = SETTING_INTEGER,
     .offset = FIELD(limits.requests),
     .fallback = "1024",
     .least = 1,
     .most = 100000,
     .needs_restart = true,
     .help = "Requests other than streams in flight at once."},
    {.path = "limits.requests_per_address",
     .type = SETTING_INTEGER,
     .offset = FIELD(limits.requests_per_address),
     .fallback = "0",
     .most = 100000,
     .help = "Requests in flight at once from one client address; 0: no limit."},
    {.path = "limits.connects_per_address_per_s",
     .type = SETTING_INTEGER,
     .offset = FIELD(limits.connects_per_address_per_s),
     .fallback = "0",
     .most = 1000,
     .help = "Connections that one client address may make per second, over 10 s; 0: no limit."},
    {.path = "limits.head_timeout_ms",
     .type = SETTING_INTEGER,
     .offset = FIELD(limits.head_timeout_ms),
     .fallback = "10000",
     .least = 100,
     .most = 600000,
     .help = "Milliseconds in which a request's head must arrive."},
    {.path = "limits.body_timeout_ms",
     .type = SETTING_INTEGER,
     .offset = FIELD(limits.body_timeout_ms),
     .fallback = "10000",
     .least = 100,
     .most = 600000,
     .help = "Milliseconds in which a request's body must arrive, from its head on."},
    {.path = "probe.interval_ms",
     .type = SETTING_INTEGER,
     .offset = FIELD(probe.interval_ms),
     .fallback = "3000",
     .least = 200,
     .most = 60000,
     .help = "Milliseconds between probes of the database connection."},
    {.path = "probe.timeout_ms",
     .type = SETTING_INTEGER,
     .offset = FIELD(probe.timeout_ms),
     .fallback = "4000",
     .least = 200,
     .most = 60000,
     .help = "Milliseconds after which an unanswered probe means that the connection is lost."},
    {.path = "durable.enabled",
     .type = SETTING_BOOLEAN,
     .offset = FIELD(durable.enabled),
     .fallback = "true",
     .needs_restart = true,
     .help = "Whether durable channels are read, where the database has them."},
    {.path = "durable.tick_ms",
     .type = SETTING_INTEGER,
     .offset = FIELD(durable.tick_ms),
     .fallback = "20",
     .least = 5,
     .most = 1000,
     .help = "Milliseconds between two looks at the log while there is work."},
    {.path = "durable.retention_s",
     .type = SETTING_INTEGER,
     .offset = FIELD(durable.retention_s),
     .fallback = "86400",
     .least = 60,
     .most = 31536000,
     .help = "Seconds for which durable events are kept."},
    {.path = "durable.retention_bytes",
     .type = SETTING_INTEGER,
     .offset = FIELD(durable.retention_bytes),
     .fallback = "10737418240",
     .least = 1048576,
     .most = 70368744177664,
     .help = "Bytes that the log may take; what is oldest goes first."},
    {.path = "durable.event_bytes_max",
     .type = SETTING_INTEGER,
     .offset = FIELD(durable.event_bytes_max),
     .fallback = "16777216",
     .least = 8192,
     .most = 33554432,
     .help = "Bytes of the largest durable event; of larger ones the row is left out."},
    {.path = "durable.page_bytes",
     .type = SETTING_INTEGER,
     .offset = FIELD(durable.page_bytes),
     .fallback = "1048576",
     .least = 65536,
     .most = 33554432,
     .help = "Bytes of history that are read at once."},
    {.path = "cors.origins",
     .type = SETTING_LIST,
     .offset = FIELD(cors.origins),
     .fallback = "",
     .most = 1000,
     .check = check_origin,
     .help = "Web origins that may use the gateway: scheme://host[:port], or * for all."},
    {.path = "log.level",
     .type = SETTING_ENUMERATION,
     .offset = FIELD(log.level),
     .fallback = "info",
     .names = LEVELS,
     .help = "Least important lines to log: debug, info, warn or error."},
    {.path = "log.format",
     .type = SETTING_ENUMERATION,
     .offset = FIELD(log.format),
     .fallback = "text",
     .names = FORMATS,
     .help = "Form of log lines: text or json."},
    {.path = "log.requests",
     .type = SETTING_BOOLEAN,
     .offset = FIELD(log.requests),
     .fallback = "false",
     .help = "Whether each request is logged."},
    {.path = NULL},
};

_Static_assert(sizeof(settings) / sizeof(settings[0]) <= SETTINGS_MAX + 1, "raise SETTINGS_MAX");
_Static_assert(sizeof(enum log_level) == sizeof(unsigned), "enumerations are stored as unsigned");

const struct setting *setting_find(const char *path)
{
    for (const struct setting *setting = settings; setting->path; setting++)
        if (strcmp(setting->path, path) == 0)
            return setting;
    return NULL;
}

const char *setting_leaf(const struct setting *setting)
{
    const char *dot = strchr(setting->path, '.');

    return dot ? dot + 1 : setting->path;
}

size_t setting_group_bytes(const struct setting *setting)
{
    const char *dot = strchr(setting->path, '.');

    return dot ? (size_t)(dot - setting->path) : 0;
}

void setting_variable(const char *path, char ret_name[SETTING_VARIABLE_BYTES])
{
    int length = snprintf(ret_name, SETTING_VARIABLE_BYTES, "TUPLECAST_%s", path);

    assert(length > 0 && length < SETTING_VARIABLE_BYTES);
    for (char *c = ret_name; *c; c++)
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
}

void *setting_field(const struct setting *setting, struct config *config)
{
    return (char *)config + setting->offset;
}

const void *setting_field_const(const struct setting *setting, const struct config *config)
{
    return (const char *)config + setting->offset;
}

unsigned setting_enumeration(const struct setting *setting, const struct config *config)
{
    unsigned value;

    assert(setting->type == SETTING_ENUMERATION);
    memcpy(&value, setting_field_const(setting, config), sizeof(value));
    return value;
}
