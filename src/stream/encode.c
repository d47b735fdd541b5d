#include "stream/encode.h"

#include "stream/frame.h"
#include "stream/json_text.h"

#include <string.h>

enum { GAP_BYTES_MAX = 1024, READY_BYTES_MAX = 1 << 20 };

static void format_id(const struct hub_state *hub, uint64_t number, char ret_id[ID_BYTES_MAX + 1])
{
    struct cursor cursor = hub->now;

    cursor.number = number;
    cursor_format(&cursor, ret_id);
}

void encode_event(struct hub_state *hub, const struct selection *selection, const struct event *event,
                  struct buffer *out)
{
    char id[ID_BYTES_MAX + 1];

    if (event->type == EVENT_TYPE_OUTAGE) {
        format_id(hub, event->number - 1, id);
        encode_gap(hub, "outage", id, event->number, event->number, out);
        return;
    }
    format_id(hub, event->number, id);
    frame_event(out, id, selection_event_name(selection, event), event_json(event), event->json_bytes);
}

static void count_gap(struct stream_stats *stats, const char *reason)
{
    switch (reason[0]) {
    case 'r':
        stats->gaps_restart++;
        break;
    case 'o':
        stats->gaps_outage++;
        break;
    case 'l':
        stats->gaps_lagged++;
        break;
    case 'e':
        stats->gaps_expired++;
        break;
    default:
        stats->gaps_unknown_id++;
        break;
    }
}

void encode_gap(struct hub_state *hub, const char *reason, const char *requested, uint64_t resumed, uint64_t position,
                struct buffer *out)
{
    char id[ID_BYTES_MAX + 1], resumed_id[ID_BYTES_MAX + 1];
    struct buffer json;

    format_id(hub, position, id);
    format_id(hub, resumed, resumed_id);
    buffer_init(&json, GAP_BYTES_MAX);
    buffer_printf(&json, "{\"reason\":\"%s\",\"requested\":", reason);
    if (requested && requested[0])
        json_append_string(&json, requested, strlen(requested));
    else
        buffer_append_text(&json, "null");
    buffer_printf(&json, ",\"resumed\":\"%s\"}", resumed_id);
    if (json.failed)
        out->failed = true;
    frame_event(out, id, "gap", buffer_bytes(&json), buffer_size(&json));
    buffer_done(&json);
    count_gap(&hub->stats, reason);
}

void encode_ready(const struct hub_state *hub, const struct selection *selection, uint64_t number, struct buffer *out)
{
    const struct text_list *channels = &selection->channels;
    char id[ID_BYTES_MAX + 1];
    struct buffer json;

    format_id(hub, number, id);
    buffer_init(&json, READY_BYTES_MAX);
    buffer_append_text(&json, "{\"channels\":[");
    for (size_t i = 0; i < channels->count; i++) {
        buffer_append_text(&json, i > 0 ? "," : "");
        json_append_string(&json, channels->items[i], strlen(channels->items[i]));
    }
    buffer_printf(&json, "],\"database\":\"%s\"}", hub->database_up ? "up" : "down");
    if (json.failed)
        out->failed = true;
    frame_event(out, id, "ready", buffer_bytes(&json), buffer_size(&json));
    buffer_done(&json);
}
