#include "http/stream_request.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int add_channel(struct stream_request *request, const char *name, size_t channels_max, struct buffer *problem)
{
    size_t size = strlen(name);

    if (size == 0 || size > CHANNEL_NAME_BYTES_MAX) {
        buffer_printf(problem, "A channel's name has 1 to %d bytes.", CHANNEL_NAME_BYTES_MAX);
        return -EINVAL;
    }
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f) {
            buffer_append_text(problem, "A channel's name has no control characters.");
            return -EINVAL;
        }
    }
    /* The server would refuse to LISTEN to it. */
    if (!utf8_is_valid(name, size)) {
        buffer_append_text(problem, "A channel's name is UTF-8.");
        return -EINVAL;
    }
    if (request->selection.channels.count == channels_max && !text_list_has(&request->selection.channels, name)) {
        buffer_printf(problem, "A stream has at most %zu channels (limits.channels_per_stream).", channels_max);
        return -EINVAL;
    }
    return text_list_add(&request->selection.channels, name);
}

static int add_filter(struct stream_request *request, struct text_list *list, const struct query_item *item,
                      struct buffer *problem)
{
    if (item->value[0] == '\0' || strlen(item->value) > FILTER_VALUE_BYTES_MAX) {
        buffer_printf(problem, "`%s` has 1 to %d bytes.", item->name, FILTER_VALUE_BYTES_MAX);
        return -EINVAL;
    }
    if (request->selection.tables.count + request->selection.ids.count == FILTER_VALUES_MAX) {
        buffer_printf(problem, "A stream has at most %d filter values.", FILTER_VALUES_MAX);
        return -EINVAL;
    }
    return text_list_add(list, item->value);
}

static int set_naming(struct selection *selection, const char *value, struct buffer *problem)
{
    static const char *const names[] = {[NAMING_MESSAGE] = "message", [NAMING_TYPE] = "type", [NAMING_TABLE] = "table"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(names[i], value) == 0) {
            selection->naming = (enum naming)i;
            return 0;
        }
    }
    buffer_append_text(problem, "`event` is one of message, type and table.");
    return -EINVAL;
}

static int set_from(struct start *start, const char *value, struct buffer *problem)
{
    if (strcmp(value, "latest") != 0 && strcmp(value, "earliest") != 0) {
        buffer_append_text(problem, "`from` is latest or earliest.");
        return -EINVAL;
    }
    start->earliest = value[0] == 'e';
    return 0;
}

/* An id that cannot be ours is kept as "": the stream answers with a gap that says so, since any status but
 * 200 would make a browser give up. */
static void set_id(struct start *start, const char *value)
{
    size_t size = strlen(value);

    start->has_id = size > 0;
    start->id[0] = '\0';
    if (size <= ID_BYTES_MAX &&
        strspn(value, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-") == size)
        strcpy(start->id, value);
}

static int take_item(struct stream_request *request, const struct query_item *item, size_t channels_max,
                     struct buffer *problem)
{
    struct selection *selection = &request->selection;

    if (strcmp(item->name, "channel") == 0)
        return add_channel(request, item->value, channels_max, problem);
    if (strcmp(item->name, "table") == 0)
        return add_filter(request, &selection->tables, item, problem);
    if (strcmp(item->name, "id") == 0)
        return add_filter(request, &selection->ids, item, problem);
    if (strcmp(item->name, "event") == 0)
        return set_naming(selection, item->value, problem);
    if (strcmp(item->name, "from") == 0)
        return set_from(&request->start, item->value, problem);
    if (strcmp(item->name, "type") == 0) {
        enum event_type type = event_type_from_name(item->value, strlen(item->value));
        if (type == EVENT_TYPE_NONE) {
            buffer_append_text(problem, "`type` is one of INSERT, UPDATE, DELETE and TRUNCATE.");
            return -EINVAL;
        }
        selection->types |= type;
        return 0;
    }
    if (strcmp(item->name, "last_event_id") == 0 || strcmp(item->name, "lastEventId") == 0)
        set_id(&request->start, item->value);
    /* Anything else is left alone: proxies and polyfills add parameters of their own. */
    return 0;
}

int stream_request_parse(const char *path_channel, const struct query *query, const char *last_event_id,
                         size_t channels_max, struct stream_request *ret_request, struct buffer *ret_problem)
{
    struct stream_request request = {0};
    int error = path_channel ? add_channel(&request, path_channel, channels_max, ret_problem) : 0;

    for (size_t i = 0; error == 0 && i < query->count; i++)
        error = take_item(&request, &query->items[i], channels_max, ret_problem);
    if (error == 0 && request.selection.channels.count == 0) {
        buffer_append_text(ret_problem, "Name a channel: /streams/<channel>, or /streams?channel=a&channel=b.");
        error = -EINVAL;
    }
    if (last_event_id && last_event_id[0])
        set_id(&request.start, last_event_id);
    if (error < 0) {
        stream_request_done(&request);
        return error;
    }
    *ret_request = request;
    return 0;
}

void stream_request_done(struct stream_request *request)
{
    selection_done(&request->selection);
}
