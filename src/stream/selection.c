#include "stream/selection.h"

#include <stdlib.h>
#include <string.h>

void selection_done(struct selection *selection)
{
    text_list_done(&selection->channels);
    text_list_done(&selection->tables);
    text_list_done(&selection->ids);
    row_filter_done(&selection->where);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sizes make the key unambiguous, whatever characters the texts hold. */
static void append_list(struct text_list *list, struct buffer *key)
{
    if (list->count > 0)
        qsort(list->items, list->count, sizeof(*list->items), compare_texts);
    buffer_printf(key, "%zu(", list->count);
    for (size_t i = 0; i < list->count; i++)
        buffer_printf(key, "%zu:%s", strlen(list->items[i]), list->items[i]);
    buffer_append_text(key, ")");
}

void selection_key(struct selection *selection, struct buffer *ret_key)
{
    append_list(&selection->channels, ret_key);
    append_list(&selection->tables, ret_key);
    append_list(&selection->ids, ret_key);
    buffer_printf(ret_key, "%u,%d", selection->types, (int)selection->naming);
    row_filter_key(&selection->where, ret_key);
}

static bool wants_table(const struct selection *selection, const struct event *event)
{
    const char *schema = event_schema(event);
    const char *table = event_table(event);

    if (selection->tables.count == 0 || text_list_has(&selection->tables, table))
        return true;
    if (!schema || !table)
        return false;
    size_t schema_size = strlen(schema);
    for (size_t i = 0; i < selection->tables.count; i++) {
        const char *wanted = selection->tables.items[i];
        if (strncmp(wanted, schema, schema_size) == 0 && wanted[schema_size] == '.' &&
            strcmp(wanted + schema_size + 1, table) == 0)
            return true;
    }
    return false;
}

bool selection_wants(const struct selection *selection, const struct event *event)
{
    if (event->type == EVENT_TYPE_OUTAGE)
        return true;
    if (selection->types != 0 && !(selection->types & event->type))
        return false;
    if (!wants_table(selection, event))
        return false;
    if (selection->ids.count > 0 && !text_list_has(&selection->ids, event_id(event)))
        return false;
    return row_filter_sees(&selection->where, event) != SIGHT_NONE;
}

/* FNV-1a (Noll's page on it has the constants), folded. */
static unsigned char id_mark(const char *id)
{
    uint32_t hash = 2166136261U;

    for (; id && *id; id++)
        hash = (hash ^ (unsigned char)*id) * 16777619U;
    return (unsigned char)((hash ^ hash >> 16) & 63);
}

unsigned char event_id_mark(const struct event *event)
{
    return id_mark(event_id(event));
}

uint64_t selection_id_marks(const struct selection *selection)
{
    uint64_t marks = 0;

    for (size_t i = 0; i < selection->ids.count; i++)
        marks |= (uint64_t)1 << id_mark(selection->ids.items[i]);
    return selection->ids.count > 0 ? marks : UINT64_MAX;
}

const char *selection_event_name(const struct selection *selection, const struct event *event)
{
    static const char *const reserved[][2] = {{"ready", "ready_"}, {"gap", "gap_"},   {"status", "status_"},
                                              {"bye", "bye_"},     {"busy", "busy_"}, {"error", "error_"},
                                              {"open", "open_"}};
    const char *name = selection->naming == NAMING_TYPE    ? event_type_name(event->type)
                       : selection->naming == NAMING_TABLE ? event_table(event)
                                                           : NULL;

    for (size_t i = 0; name && i < sizeof(reserved) / sizeof(*reserved); i++)
        if (strcmp(name, reserved[i][0]) == 0)
            return reserved[i][1];
    return name && name[0] ? name : NULL;
}
