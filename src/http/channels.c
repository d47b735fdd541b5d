/* GET /channels: what can be subscribed to, what is going on there, and how far away the database is. */
#include "base/limits.h"
#include "http/reply.h"
#include "http/routes.h"
#include "stream/json_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { CHANNELS_BYTES_MAX = 64 << 20 };

struct listing {
    const struct config *config;
    const struct grant *grant; /* of who asks; NULL: for everything */
    struct hub_channel *items; /* names are lent */
    size_t count, capacity;
    bool failed;
};

static void add(struct listing *listing, const struct hub_channel *channel)
{
    if (listing->count == listing->capacity) {
        size_t capacity = listing->capacity ? listing->capacity * 2 : 64;
        struct hub_channel *items = realloc(listing->items, capacity * sizeof(*items));
        if (!items) {
            listing->failed = true;
            return;
        }
        listing->items = items;
        listing->capacity = capacity;
    }
    listing->items[listing->count++] = *channel;
}

static void on_channel(void *context, const struct hub_channel *channel)
{
    struct listing *listing = context;

    /* After a reload some may not be allowed any more. */
    if (config_channel_allowed(listing->config, channel->name) && grant_allows(listing->grant, channel->name))
        add(listing, channel);
}

static int by_name(const void *one, const void *other)
{
    return strcmp(((const struct hub_channel *)one)->name, ((const struct hub_channel *)other)->name);
}

static bool is_pattern(const char *name)
{
    return strpbrk(name, "*?") != NULL;
}

/* Those that the configuration names and nobody reads. */
static void add_configured(struct listing *listing)
{
    const struct text_list *names = &listing->config->channels;
    size_t known = listing->count;

    if (known > 0)
        qsort(listing->items, known, sizeof(*listing->items), by_name);
    for (size_t i = 0; i < names->count; i++) {
        const struct hub_channel channel = {.name = names->items[i]};
        if (!is_pattern(channel.name) && grant_allows(listing->grant, channel.name) &&
            !(known > 0 && bsearch(&channel, listing->items, known, sizeof(channel), by_name)))
            add(listing, &channel);
    }
    if (listing->count > 0)
        qsort(listing->items, listing->count, sizeof(*listing->items), by_name);
}

/* Live events carry no time of their own: this is what can be said of how long they take to get here. */
static void write_database(const struct database_stats *stats, struct buffer *json)
{
    buffer_printf(json, ",\"database\":\"%s\"", stats->up ? "up" : "down");
    if (stats->up && stats->round_trip_us >= 0)
        buffer_printf(json, ",\"round_trip_ms\":%.3f", (double)stats->round_trip_us / 1e3);
}

static void write_listing(const struct listing *listing, const struct database_stats *database, struct buffer *json)
{
    const bool all = !listing->grant || listing->grant->channels.count == 0;
    const struct text_list *names = all ? &listing->config->channels : &listing->grant->channels;
    const char *separator = "";

    buffer_append_text(json, "{\"items\":[");
    for (size_t i = 0; i < listing->count; i++) {
        const struct hub_channel *channel = &listing->items[i];
        buffer_append_text(json, i > 0 ? ",{\"channel\":" : "{\"channel\":");
        json_append_string(json, channel->name, strlen(channel->name));
        /* Who sees some of the rows only does not learn how many others there are. */
        if (!listing->grant || listing->grant->where.count == 0)
            buffer_printf(json, ",\"streams\":%zu,\"events\":%" PRIu64, channel->streams, channel->published);
        buffer_printf(json, ",\"listening\":%s,\"durable\":%s}", channel->listening ? "true" : "false",
                      channel->durable ? "true" : "false");
    }
    buffer_append_text(json, "],\"patterns\":[");
    for (size_t i = 0; i < names->count; i++) {
        if (!is_pattern(names->items[i]))
            continue;
        buffer_append_text(json, separator);
        json_append_string(json, names->items[i], strlen(names->items[i]));
        separator = ",";
    }
    buffer_append_text(json, "]");
    write_database(database, json);
    buffer_append_text(json, "}\n");
}

enum MHD_Result channels_list(struct exchange *exchange)
{
    struct listing listing = {.config = exchange->services->config(exchange->services->context),
                              .grant = exchange->grant};
    enum MHD_Result result = MHD_NO;
    struct buffer json;

    buffer_init(&json, CHANNELS_BYTES_MAX);
    hub_each_channel(exchange->services->hub, on_channel, &listing);
    if (!listing.failed)
        add_configured(&listing);
    write_listing(&listing, exchange->services->database_stats(exchange->services->context), &json);
    const char *text = buffer_text(&json);
    if (text && !listing.failed)
        result = reply_json(exchange, MHD_HTTP_OK, text);
    buffer_done(&json);
    free(listing.items);
    return result;
}
