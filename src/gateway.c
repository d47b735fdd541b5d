#include "gateway.h"

#include "base/log.h"
#include "durable_options.h"
#include "listeners.h"
#include "postgres/durable_reader.h"
#include "postgres/listener.h"
#include "postgres/trigger_calls.h"
#include "stream_limit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    LAST_REQUESTS_MS = 250, /* at shutdown: for requests of connections that were accepted a moment ago */
    LAST_REQUESTS_INTERVAL_MS = 10,
};

struct gateway {
    struct loop *loop;
    struct config config;
    struct access *access;
    struct tickets tickets;
    struct hub *hub;
    struct listener *listener;
    struct trigger_calls *calls;
    struct durable_reader *durable; /* NULL: switched off */
    struct listeners listeners;
    struct loop_timer drain;
    struct loop_timer last_requests; /* after the last stream */
    int64_t closing_since_ms;
    struct program_stats stats;
    bool database_up;
    bool closing;
};

/* From the hub to the database. */

static void on_channel_wanted(void *context, const char *channel, bool wanted)
{
    struct gateway *gateway = context;

    if (listener_want(gateway->listener, channel, wanted) < 0)
        log_error("channel not listened to", log_text("channel", channel), log_text("reason", "out of memory"));
}

static void on_closed(void *context)
{
    struct gateway *gateway = context;

    loop_timer_set(&gateway->last_requests, LAST_REQUESTS_INTERVAL_MS, LAST_REQUESTS_INTERVAL_MS);
}

static void on_last_requests(struct loop_timer *timer)
{
    struct gateway *gateway = (struct gateway *)((char *)timer - offsetof(struct gateway, last_requests));
    bool recent = loop_turn_ms(gateway->loop) - gateway->closing_since_ms < LAST_REQUESTS_MS;

    if (trigger_calls_waiting(gateway->calls) || (recent && listeners_stats(&gateway->listeners).connections > 0))
        return;
    loop_stop(gateway->loop);
}

/* From the database to the hub. */

static void on_up(void *context)
{
    struct gateway *gateway = context;

    gateway->database_up = true;
    hub_database_up(gateway->hub);
}

static void on_down(void *context, const char *reason)
{
    struct gateway *gateway = context;

    (void)reason; /* the log has it, with the session that it is of */
    hub_database_down(gateway->hub);
    if (gateway->database_up && gateway->durable)
        durable_reader_database_lost(gateway->durable, "the session that listens was lost");
    gateway->database_up = false;
}

static void on_listening(void *context, const char *channel)
{
    struct gateway *gateway = context;

    hub_channel_listening(gateway->hub, channel);
}

static void on_notification(void *context, const char *channel, const char *payload, size_t payload_bytes, int sender)
{
    struct gateway *gateway = context;

    if (gateway->durable && strcmp(channel, DURABLE_CHANNEL) == 0)
        durable_reader_notified(gateway->durable, payload, sender);
    else
        hub_publish(gateway->hub, channel, payload, payload_bytes, sender);
}

static void on_history_wanted(void *context, struct history_page *page, const struct history_request *request)
{
    struct gateway *gateway = context;

    durable_reader_want_history(gateway->durable, page, request);
}

static void on_places_wanted(void *context, struct history_places *places)
{
    struct gateway *gateway = context;

    durable_reader_want_places(gateway->durable, places);
}

/* So that whoever put a durable trigger here finds its channel durable. */
static void on_triggers_changed(void *context)
{
    struct gateway *gateway = context;

    if (gateway->durable)
        durable_reader_notified(gateway->durable, "triggers", 0);
}

static bool is_behind(void *context)
{
    const struct gateway *gateway = context;

    return hub_is_behind(gateway->hub);
}

/* What the HTTP wing asks for. */

static const struct config *current_config(void *context)
{
    const struct gateway *gateway = context;

    return &gateway->config;
}

static const struct access *current_access(void *context)
{
    const struct gateway *gateway = context;

    return gateway->access;
}

static struct http_stats http_stats(void *context)
{
    const struct gateway *gateway = context;

    return listeners_stats(&gateway->listeners);
}

static const struct database_stats *database_stats(void *context)
{
    const struct gateway *gateway = context;

    return listener_stats(gateway->listener);
}

static const struct program_stats *program_stats(void *context)
{
    const struct gateway *gateway = context;

    return &gateway->stats;
}

static const char *database_problem(void *context)
{
    const struct gateway *gateway = context;

    return listener_problem(gateway->listener);
}

static int call_trigger(void *context, const struct trigger_request *request, trigger_done done, void *done_context)
{
    struct gateway *gateway = context;

    return trigger_calls_add(gateway->calls, request, done, done_context);
}

static struct hub_options hub_options(struct gateway *gateway)
{
    const struct config *config = &gateway->config;

    return (struct hub_options){
        .heartbeat_ms = config->streams.heartbeat_ms,
        .linger_ms = config->streams.linger_ms,
        .stall_ms = config->streams.stall_ms,
        .retry_ms = config->streams.retry_ms,
        .close_ms = config->streams.close_ms,
        .streams_max = stream_limit(config),
        .streams_per_address_max = (size_t)config->limits.streams_per_address,
        .channels_max = (size_t)config->limits.channels,
        .channel_memory_bytes = (size_t)config->limits.channel_memory_bytes,
        .memory_bytes = (size_t)config->limits.memory_bytes,
        .feed_log_bytes = (size_t)config->limits.feed_log_bytes,
        .catch_up_bytes = (size_t)config->limits.catch_up_bytes,
        .send_buffer_bytes = (int)config->limits.send_buffer_bytes,
        .on_channel_wanted = on_channel_wanted,
        .on_closed = on_closed,
        .on_history_wanted = config->durable.enabled ? on_history_wanted : NULL,
        .on_places_wanted = config->durable.enabled ? on_places_wanted : NULL,
        .context = gateway,
    };
}

static int build_hub(struct gateway *gateway)
{
    struct hub_options options = hub_options(gateway);

    gateway->hub = hub_new(gateway->loop, &options);
    return gateway->hub ? 0 : -errno;
}

static int build_postgres(struct gateway *gateway)
{
    const struct listener_hooks hooks = {on_up, on_down, on_listening, on_notification, is_behind};
    const struct listener_options options = {
        .database = gateway->config.database,
        .probe_interval_ms = gateway->config.probe.interval_ms,
        .probe_timeout_ms = gateway->config.probe.timeout_ms,
    };

    gateway->listener = listener_new(gateway->loop, &options, &hooks, gateway);
    if (!gateway->listener)
        return -errno;
    gateway->calls = trigger_calls_new(gateway->loop,
                                       gateway->config.triggers.database[0] ? gateway->config.triggers.database
                                                                            : gateway->config.database,
                                       on_triggers_changed, gateway);
    return gateway->calls ? 0 : -errno;
}

static int build_durable(struct gateway *gateway)
{
    const struct durable_reader_options options = durable_options(&gateway->config);

    if (!gateway->config.durable.enabled)
        return 0;
    gateway->durable = durable_reader_new(gateway->loop, gateway->hub, &options);
    return gateway->durable ? listener_want(gateway->listener, DURABLE_CHANNEL, true) : -errno;
}

static const struct durable_stats *durable_stats(void *context)
{
    const struct gateway *gateway = context;

    return gateway->durable ? durable_reader_stats(gateway->durable) : NULL;
}

static int build_http(struct gateway *gateway, int listen_fd)
{
    const struct http_services services = {
        .hub = gateway->hub,
        .tickets = &gateway->tickets,
        .config = current_config,
        .access = current_access,
        .http_stats = http_stats,
        .database_stats = database_stats,
        .program_stats = program_stats,
        .database_problem = database_problem,
        .call_trigger = call_trigger,
        .durable_stats = durable_stats,
        .context = gateway,
    };

    return listeners_open(&gateway->listeners, gateway->loop, &gateway->config, listen_fd, &services);
}

static void on_drain(struct loop_timer *timer)
{
    struct gateway *gateway = (struct gateway *)((char *)timer - offsetof(struct gateway, drain));

    log_warn("streams cut off", log_number("streams", (int64_t)hub_stats(gateway->hub)->streams),
             log_text("reason", "they did not take their last bytes within streams.drain_ms"));
    loop_stop(gateway->loop);
}

int gateway_new(struct loop *loop, struct config *config, struct access *access, int listen_fd,
                struct gateway **ret_gateway)
{
    struct gateway *gateway = calloc(1, sizeof(*gateway));
    int error;

    if (!gateway) {
        access_free(access);
        return -ENOMEM;
    }
    gateway->loop = loop;
    gateway->access = access;
    gateway->config = *config;
    *config = (struct config){0};
    gateway->stats.loop = loop_stats(loop);
    gateway->stats.started_ms = gateway->stats.loaded_ms = loop_wall_ms();
    error = loop_timer_init(&gateway->drain, loop, on_drain);
    if (error == 0)
        error = loop_timer_init(&gateway->last_requests, loop, on_last_requests);
    if (error == 0)
        error = tickets_init(&gateway->tickets);
    if (error == 0)
        error = build_hub(gateway);
    if (error == 0)
        error = build_postgres(gateway);
    if (error == 0)
        error = build_durable(gateway);
    if (error == 0)
        error = build_http(gateway, listen_fd);
    if (error < 0) {
        gateway_free(gateway);
        return error;
    }
    listener_start(gateway->listener);
    if (gateway->durable)
        durable_reader_start(gateway->durable);
    *ret_gateway = gateway;
    return 0;
}

void gateway_free(struct gateway *gateway)
{
    if (!gateway)
        return;
    /* Calls first: answering them resumes suspended connections, which the server must have back before it
     * stops. */
    trigger_calls_free(gateway->calls);
    listeners_close(&gateway->listeners);
    durable_reader_free(gateway->durable);
    hub_free(gateway->hub);
    listener_free(gateway->listener);
    loop_timer_done(&gateway->last_requests);
    loop_timer_done(&gateway->drain);
    tickets_done(&gateway->tickets);
    access_free(gateway->access);
    config_done(&gateway->config);
    free(gateway);
}

void gateway_append_status(const struct gateway *gateway, struct buffer *out)
{
    const struct stream_stats *streams = hub_stats(gateway->hub);

    buffer_printf(out, "%" PRIu64 " streams, %" PRIu64 " channels, database %s", streams->streams, streams->channels,
                  listener_stats(gateway->listener)->up ? "up" : "down");
}

/* Whether a stream may go on under the configuration that is in force now. */
static bool still_valid(void *context, uint64_t source, const struct selection *selection)
{
    const struct gateway *gateway = context;

    return config_channels_allowed(&gateway->config, &selection->channels) && access_knows(gateway->access, source);
}

void gateway_reload(struct gateway *gateway, struct config *config, struct access *access)
{
    struct buffer names;

    loop_doing(gateway->loop, "reloading the configuration");
    buffer_init(&names, 4096);
    if (config_keep_fixed(&gateway->config, config, &names))
        log_warn("settings differ that need a restart", log_text("settings", buffer_text(&names)));
    buffer_done(&names);
    config_done(&gateway->config);
    gateway->config = *config;
    *config = (struct config){0};
    access_free(gateway->access);
    gateway->access = access;
    hub_revoke(gateway->hub, still_valid, gateway);
    struct hub_options options = hub_options(gateway);
    hub_reconfigure(gateway->hub, &options);
    const struct durable_reader_options durable = durable_options(&gateway->config);
    if (gateway->durable)
        durable_reader_reconfigure(gateway->durable, &durable);
    listener_set_probe(gateway->listener, gateway->config.probe.interval_ms, gateway->config.probe.timeout_ms);
    log_init(gateway->config.log.level, gateway->config.log.format);
    gateway->stats.loaded_ms = loop_wall_ms();
    gateway->stats.reload_failed = false;
    log_info("configuration reloaded");
}

void gateway_reload_failed(struct gateway *gateway)
{
    gateway->stats.reload_failed = true;
    log_error("configuration not reloaded", log_text("reason", "it has mistakes; the old one stays in force"));
}

int64_t gateway_close(struct gateway *gateway)
{
    int64_t most_ms = gateway->config.streams.close_ms + gateway->config.streams.drain_ms;

    if (gateway->closing) {
        loop_stop(gateway->loop);
        return 0;
    }
    gateway->closing = true;
    gateway->closing_since_ms = loop_turn_ms(gateway->loop);
    log_info("closing", log_number("streams", (int64_t)hub_stats(gateway->hub)->streams));
    listeners_stop_accepting(&gateway->listeners);
    loop_timer_set(&gateway->drain, most_ms, 0);
    hub_close(gateway->hub);
    return most_ms;
}
