/* GET /metrics: Prometheus' text format, version 0.0.4. */
#include "base/log.h"
#include "http/process_metrics.h"
#include "http/reply.h"
#include "http/routes.h"

#include <inttypes.h>

enum { METRICS_BYTES_MAX = 1 << 16 };

static void head(struct buffer *out, const char *name, const char *type, const char *help)
{
    buffer_printf(out, "# HELP tuplecast_%s %s\n# TYPE tuplecast_%s %s\n", name, help, name, type);
}

static void counter(struct buffer *out, const char *name, const char *help, uint64_t value)
{
    head(out, name, "counter", help);
    buffer_printf(out, "tuplecast_%s %" PRIu64 "\n", name, value);
}

static void gauge(struct buffer *out, const char *name, const char *help, double value)
{
    head(out, name, "gauge", help);
    buffer_printf(out, "tuplecast_%s %.9g\n", name, value);
}

static void histogram(struct buffer *out, const char *name, const char *help, const struct latency_histogram *times)
{
    static const int64_t bounds_us[] = LATENCY_BOUNDS_US;
    uint64_t below = 0;

    head(out, name, "histogram", help);
    for (size_t i = 0; i < LATENCY_BUCKETS - 1; i++) {
        below += times->buckets[i];
        buffer_printf(out, "tuplecast_%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, (double)bounds_us[i] / 1e6, below);
    }
    buffer_printf(out, "tuplecast_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, times->count);
    buffer_printf(out, "tuplecast_%s_sum %.6f\ntuplecast_%s_count %" PRIu64 "\n", name, (double)times->sum_us / 1e6,
                  name, times->count);
}

static void loop(struct buffer *out, const struct loop_stats *stats)
{
    histogram(out, "loop_turn_seconds", "Turns of the loop: nobody else is served while one goes on.", &stats->turns);
    counter(out, "loop_long_turns_total", "Turns that needed more than 50 ms of the processor. The log names what did.",
            stats->long_turns);
}

static void streams(struct buffer *out, const struct stream_stats *stats)
{
    gauge(out, "streams", "Open streams.", (double)stats->streams);
    gauge(out, "streams_limit", "Streams that may be open at once.", (double)stats->streams_max);
    counter(out, "streams_opened_total", "Streams ever opened.", stats->streams_opened);
    counter(out, "streams_stalled_total", "Streams closed because the client took nothing for too long.",
            stats->streams_stalled);
    gauge(out, "channels", "Channels that are listened to or remembered.", (double)stats->channels);
    gauge(out, "feeds", "Distinct selections that are encoded.", (double)stats->feeds);
    gauge(out, "memory_bytes", "Memory of remembered events.", (double)stats->memory_bytes);
    gauge(out, "feed_bytes", "Encoded events that wait to be sent.", (double)stats->feed_bytes);
    gauge(out, "durable_history_bytes", "Pages of history that are kept.", (double)stats->history_bytes);
    counter(out, "events_published_total", "Events taken in.", stats->events_published);
    counter(out, "notifications_ignored_total", "Notifications on the names of durable channels, which feed no stream.",
            stats->notifications_ignored);
    counter(out, "events_rejected_total", "Events that could not be taken in; a gap was announced.",
            stats->events_rejected);
    counter(out, "events_sent_total", "Events handed to the kernel, once for each stream.", stats->events_sent);
    counter(out, "bytes_sent_total", "Bytes of streams handed to the kernel.", stats->bytes_sent);
    counter(out, "sends_total", "System calls that sent them.", stats->sends);
    head(out, "gaps_total", "counter", "Gaps announced to streams, by reason.");
    buffer_printf(
        out,
        "tuplecast_gaps_total{reason=\"restart\"} %" PRIu64 "\ntuplecast_gaps_total{reason=\"outage\"} %" PRIu64 "\n"
        "tuplecast_gaps_total{reason=\"lagged\"} %" PRIu64 "\ntuplecast_gaps_total{reason=\"expired\"} %" PRIu64 "\n"
        "tuplecast_gaps_total{reason=\"rewound\"} %" PRIu64 "\ntuplecast_gaps_total{reason=\"unknown-id\"} %" PRIu64
        "\n",
        stats->gaps_restart, stats->gaps_outage, stats->gaps_lagged, stats->gaps_expired, stats->gaps_rewound,
        stats->gaps_unknown_id);
    histogram(out, "delivery_latency_seconds",
              "From reading an event off the database connection to handing it to the kernel.", &stats->latency);
}

static void database(struct buffer *out, const struct database_stats *stats)
{
    gauge(out, "database_up", "1 while every LISTEN is in force.", stats->up);
    counter(out, "database_connects_total", "Times the database connection came up.", stats->connects);
    counter(out, "database_losses_total", "Times the database connection was lost.", stats->losses);
    counter(out, "notifications_total", "Notifications received.", stats->notifications);
    gauge(out, "channels_listening", "Channels with a LISTEN in force.", (double)stats->channels_listening);
    if (stats->round_trip_us >= 0)
        gauge(out, "round_trip_seconds", "Time that the last notification to ourselves took.",
              (double)stats->round_trip_us / 1e6);
    if (stats->queue_usage >= 0)
        gauge(out, "notification_queue_usage", "Share of the server's notification queue that is in use, 0 to 1.",
              stats->queue_usage);
}

static void durable(struct buffer *out, const struct durable_stats *stats)
{
    gauge(out, "durable_lead", "1 while this gateway makes the ticks of the durable channels.", stats->lead);
    gauge(out, "durable_up", "1 while the log of the durable channels is read.", stats->up);
    head(out, "durable_fault", "gauge", "1 for what lasts: why the log is not read, or what of its upkeep fails.");
    for (int fault = DURABLE_FAULT_NONE + 1; fault < DURABLE_FAULTS; fault++)
        buffer_printf(out, "tuplecast_durable_fault{reason=\"%s\"} %d\n", durable_fault_name((enum durable_fault)fault),
                      stats->faults[fault]);
    gauge(out, "durable_lag_seconds",
          "Time since the log was looked at and all was read: what is committed waits no longer than that.",
          (double)stats->lag_ms / 1e3);
    counter(out, "durable_ticks_total", "Ticks read.", stats->ticks);
    counter(out, "durable_history_pages_total", "Pages of history asked for.", stats->history_pages);
    counter(out, "durable_unreadable_events_total", "Events that could not be read, and were passed over.",
            stats->unreadable);
    if (!stats->lead)
        return;
    gauge(out, "durable_log_bytes", "Size of the log, as of the last upkeep.", (double)stats->log_bytes);
    gauge(out, "durable_log_age_seconds", "Age of the oldest tick that is kept.", (double)stats->oldest_age_s);
    gauge(out, "durable_retention_bytes", "Size up to which the log is kept.", (double)stats->retention_bytes);
    gauge(out, "durable_retention_seconds", "Age up to which ticks are kept.", (double)stats->retention_s);
}

static void http(struct buffer *out, const struct http_stats *stats)
{
    static const char *const reasons[BUSY_REASONS] = {"closing", "streams", "descriptors", "address", "channels"};

    gauge(out, "http_connections", "Connections that are not streams.", (double)stats->connections);
    counter(out, "http_connections_total", "Connections ever accepted.", stats->connections_opened);
    counter(out, "http_accept_failures_total", "Connections that could not be accepted.", stats->accept_failures);
    counter(out, "http_connections_refused_total", "Connections refused because of a limit for their address.",
            stats->connections_refused);
    head(out, "http_responses_total", "counter", "Responses by class of status.");
    for (unsigned class = 2; class <= 5; class ++)
        buffer_printf(out, "tuplecast_http_responses_total{class=\"%uxx\"} %" PRIu64 "\n", class,
                      stats->responses[class]);
    head(out, "busy_total", "counter", "Streams that were refused for now, by what there was no room for.");
    for (size_t i = 0; i < BUSY_REASONS; i++)
        buffer_printf(out, "tuplecast_busy_total{reason=\"%s\"} %" PRIu64 "\n", reasons[i], stats->busy[i]);
}

static void program(struct buffer *out, const struct program_stats *stats)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    const struct log_stats *log = log_stats();

    gauge(out, "config_reload_success", "0 when the last reload found mistakes and changed nothing.",
          !stats->reload_failed);
    gauge(out, "config_loaded_seconds", "When the configuration in force was read, in seconds since 1970.",
          (double)(stats->loaded_ms / 1000));
    head(out, "log_lines_total", "counter", "Lines written to the log, by level.");
    for (size_t i = 0; i <= LOG_LEVEL_ERROR; i++)
        buffer_printf(out, "tuplecast_log_lines_total{level=\"%s\"} %" PRIu64 "\n", levels[i], log->lines[i]);
    counter(out, "log_dropped_total", "Lines that could not be written: nobody reads the log, or the disk is full.",
            log->dropped);
    counter(out, "log_suppressed_total", "Lines not written, since there were too many of their kind.",
            log->suppressed);
}

enum MHD_Result metrics_get(struct exchange *exchange)
{
    const struct http_services *services = exchange->services;
    struct buffer out;

    buffer_init(&out, METRICS_BYTES_MAX);
    head(&out, "build_info", "gauge", "The version that runs.");
    buffer_printf(&out, "tuplecast_build_info{version=\"%s\"} 1\n", TUPLECAST_VERSION);
    streams(&out, hub_stats(services->hub));
    database(&out, services->database_stats(services->context));
    if (services->durable_stats(services->context))
        durable(&out, services->durable_stats(services->context));
    const struct http_stats stats = services->http_stats(services->context);
    http(&out, &stats);
    program(&out, services->program_stats(services->context));
    loop(&out, services->program_stats(services->context)->loop);
    process_metrics_append(&out, services->program_stats(services->context)->started_ms);
    enum MHD_Result result = reply_bytes(exchange, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8",
                                         buffer_bytes(&out), buffer_size(&out));
    buffer_done(&out);
    return result;
}
