/* What the operator decided. It is read from several sources, checked as a whole and never changed
 * afterwards: a reload makes a second configuration and swaps it in.
 *
 * A setting comes from the first of: flag, TUPLECAST_* variable, file, DATABASE_URL (`database` only),
 * default. An empty variable counts as not set. The variable of streams.heartbeat_ms is
 * TUPLECAST_STREAMS_HEARTBEAT_MS; lists are comma separated there and in flags. Everything about a setting
 * stands in the table in settings.c. */
#pragma once

#include "base/buffer.h"
#include "base/log.h"
#include "base/text_list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum access_streams { ACCESS_CLOSED, ACCESS_OPEN, ACCESS_TOKEN };
enum same_site { SAME_SITE_STRICT, SAME_SITE_LAX, SAME_SITE_NONE };

#define CONFIG_FILE_DEFAULT "/etc/tuplecast/tuplecast.conf"

/* In which order transactions are told of on durable channels (docs/durable.md). */
enum durable_order { DURABLE_ORDER_CAUSAL, DURABLE_ORDER_COMMIT_TIMESTAMP };

/* Texts are never NULL once loaded; empty means not set. */
struct config {
    char *database;                   /* a libpq connection string; empty: libpq's own PG* variables */
    char *listen;                     /* see listen_address.h */
    struct text_list channels;        /* names and patterns; empty: none */
    struct text_list trusted_proxies; /* networks, see network.h; empty: none */
    bool confine;
    struct {
        char *token_file;
        char *token; /* from the environment or from token_file */
        struct text_list schemas;
        struct text_list tables; /* patterns of "schema.table"; empty: all */
        char *database;          /* empty: the one above */
    } triggers;
    struct {
        int64_t heartbeat_ms;
        int64_t retry_ms;
        int64_t linger_ms;
        int64_t stall_ms;
        int64_t close_ms;
        int64_t drain_ms;
    } streams;
    struct {
        int64_t streams;
        int64_t streams_per_address; /* 0: no limit */
        int64_t channels;
        int64_t channels_per_stream;
        int64_t channel_memory_bytes; /* at most memory_bytes */
        int64_t memory_bytes;
        int64_t feed_log_bytes;
        int64_t send_buffer_bytes;
        int64_t catch_up_bytes;
        int64_t requests;
        int64_t requests_per_address;       /* 0: no limit */
        int64_t connects_per_address_per_s; /* 0: no limit */
        int64_t head_timeout_ms;
        int64_t body_timeout_ms;
    } limits;
    struct {
        int64_t interval_ms;
        int64_t timeout_ms;
    } probe;
    struct {
        bool enabled;
        enum durable_order order;
        int64_t tick_ms;
        int64_t retention_s;
        int64_t retention_bytes;
        int64_t event_bytes_max;
        int64_t page_bytes;
    } durable;
    struct {
        enum access_streams streams;
        char *tokens_file;
        struct text_list jwt_keys; /* files, or "kid=file" */
        char *jwt_secret;
        struct text_list jwt_audiences;
        char *jwt_issuer; /* empty: any */
        char *cookie;     /* its name; empty: none */
        enum same_site cookie_same_site;
        bool cookie_secure;
        bool query_tokens;
        struct text_list hosts; /* patterns; empty: see http/host.h */
    } access;
    struct {
        char *listen; /* empty: everything is served at the address above */
    } management;
    struct {
        struct text_list origins;
    } cors;
    struct {
        enum log_level level;
        enum log_format format;
        bool requests;
    } log;
};

/* Where to look. All texts are lent for the call; NULL means not given. */
struct config_source {
    const char *file;                                     /* must exist; NULL: CONFIG_FILE_DEFAULT, if that exists */
    const char *text;                                     /* read instead of any file; it may not @include */
    bool file_required;                                   /* the default file must exist, too */
    const char *database, *listen, *channels, *log_level; /* flags */
    char *(*getenv)(const char *name);                    /* NULL: an empty environment */
    /* Whether something is wrong with a connection string, and what, without anything of it: only libpq can read them.
     * NULL: they are taken as they are. */
    bool (*connection_is_wrong)(const char *connection, char *ret_wrong, size_t size);
};

/* Appends one line to problems for everything wrong that it finds: where, which setting, what, what to do.
 * 128 KiB always suffice. Returns 0; -EINVAL; -ENOENT when the only trouble is that there is no such file;
 * -ENOMEM. */
int config_load(const struct config_source *source, struct config *ret_config, struct buffer *problems);
void config_done(struct config *config); /* also fine on a zeroed struct */

/* Appends the configuration as a file that could be read back, with *** in place of every secret. redact appends a
 * connection string without what is secret in it; NULL: all of it is. */
void config_print(const struct config *config, void (*redact)(const char *connection, struct buffer *text),
                  struct buffer *text);

/* Appends a line for each variable of the environment that begins as ours do and is none of a setting: the name, and
 * the nearest that there is. environment ends with NULL. Kubernetes has variables of that kind for a service of our
 * name. */
void config_odd_variables(char *const *environment, struct buffer *lines);

/* In a pattern `*` stands for any bytes, `?` for one; nothing else is special. */
bool channel_pattern_matches(const char *pattern, const char *name);

/* Whether clients may subscribe to channel. False as well for what cannot be a channel's name at all. */
bool config_channel_allowed(const struct config *config, const char *channel);
bool config_channels_allowed(const struct config *config, const struct text_list *channels); /* to all of them */

/* Whether triggers may be put on that table, or dropped from it. */
bool config_table_allowed(const struct config *config, const char *schema, const char *table);

/* Gives loaded the values of running for settings that a running gateway cannot change. Returns whether any differed,
 * and appends their names, separated by ", ". */
bool config_keep_fixed(struct config *running, struct config *loaded, struct buffer *names);
