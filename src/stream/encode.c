#include "stream/encode.h"

#include "stream/frame.h"
#include "stream/json_text.h"

#include <string.h>

enum { GAP_BYTES_MAX = 1024, READY_BYTES_MAX = 1 << 20 };

/* The line is put together anew, of what may be seen. */
static void encode_filtered(const struct selection *selection, const struct event *event, const char *id,
                            struct buffer *out)
{
    struct buffer json;

    buffer_init(&json, FRAME_BYTES_MAX);
    row_filter_append(row_filter_sees(&selection->where, event), event, &json);
    if (json.failed)
        out->failed = true;
    frame_event(out, id, selection_event_name(selection, event), buffer_bytes(&json), buffer_size(&json));
    buffer_done(&json);
}

void encode_event(struct hub_state *hub, const struct selection *selection, unsigned axes, const struct event *event,
                  const struct cursor *place, struct buffer *out)
{
    char id[ID_BYTES_MAX + 1];

    if (event->type == EVENT_TYPE_OUTAGE) {
        struct cursor before = *place;
        before.number = event->number - 1;
        cursor_format(&before, axes, id);
        encode_gap(hub, "outage", id, axes, place, place, out);
        return;
    }
    cursor_format(place, axes, id);
    if (selection->where.count > 0)
        encode_filtered(selection, event, id, out);
    else
        frame_event(out, id, selection_event_name(selection, event), event_json(event), event->json_bytes);
}

static void count_gap(struct stream_stats *stats, const char *reason)
{
    switch (reason[0]) {
    case 'r':
        stats->gaps_restart += reason[2] == 's';
        stats->gaps_rewound += reason[2] == 'w';
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

void encode_gap(struct hub_state *hub, const char *reason, const char *requested, unsigned axes,
                const struct cursor *resumed, const struct cursor *position, struct buffer *out)
{
    char id[ID_BYTES_MAX + 1], resumed_id[ID_BYTES_MAX + 1];
    struct buffer json;

    cursor_format(position, axes, id);
    cursor_format(resumed, axes, resumed_id);
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

void encode_ready(const struct hub_state *hub, const struct selection *selection, unsigned axes,
                  const struct cursor *place, struct buffer *out)
{
    const struct text_list *channels = &selection->channels;
    char id[ID_BYTES_MAX + 1];
    struct buffer json;

    cursor_format(place, axes, id);
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
