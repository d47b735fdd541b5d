#include "stream/event.h"

#include <assert.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    enum event_type type;
    const char *name;
} type_names[] = {
    {EVENT_TYPE_INSERT, "INSERT"},
    {EVENT_TYPE_UPDATE, "UPDATE"},
    {EVENT_TYPE_DELETE, "DELETE"},
    {EVENT_TYPE_TRUNCATE, "TRUNCATE"},
};

static size_t text_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static uint32_t put_bytes(struct event *event, size_t *at, const char *bytes, size_t size)
{
    size_t here = *at;

    if (!bytes)
        return 0;
    memcpy(event->text + here, bytes, size);
    event->text[here + size] = '\0';
    *at += size + 1;
    return (uint32_t)here;
}

static uint32_t put_text(struct event *event, size_t *at, const char *text)
{
    return put_bytes(event, at, text, text ? strlen(text) : 0);
}

struct event *event_new(const struct event_parts *parts)
{
    size_t text_bytes = parts->json_bytes + 1 + text_size(parts->schema) + text_size(parts->table) +
                        text_size(parts->id) + (parts->was ? parts->was_bytes + 1 : 0);
    assert(text_bytes < UINT32_MAX);
    struct event *event = malloc(sizeof(*event) + text_bytes);

    if (!event)
        return NULL;
    *event = (struct event){.references = 1, .json_bytes = (uint32_t)parts->json_bytes, .type = parts->type};
    memcpy(event->text, parts->json, parts->json_bytes);
    event->text[parts->json_bytes] = '\0';
    size_t at = parts->json_bytes + 1;
    event->schema_at = put_text(event, &at, parts->schema);
    event->table_at = put_text(event, &at, parts->table);
    event->id_at = put_text(event, &at, parts->id);
    event->was_at = put_bytes(event, &at, parts->was, parts->was_bytes);
    assert(at == text_bytes);
    return event;
}

struct event *event_ref(struct event *event)
{
    event->references++;
    return event;
}

void event_unref(struct event *event)
{
    if (event && --event->references == 0)
        free(event);
}

size_t event_size_bytes(const struct event *event)
{
    return malloc_usable_size((void *)(uintptr_t)event) + sizeof(size_t);
}

const char *event_type_name(enum event_type type)
{
    for (size_t i = 0; i < sizeof(type_names) / sizeof(*type_names); i++)
        if (type_names[i].type == type)
            return type_names[i].name;
    return NULL;
}

enum event_type event_type_from_name(const char *name, size_t size_bytes)
{
    for (size_t i = 0; i < sizeof(type_names) / sizeof(*type_names); i++)
        if (strlen(type_names[i].name) == size_bytes && strncasecmp(type_names[i].name, name, size_bytes) == 0)
            return type_names[i].type;
    return EVENT_TYPE_NONE;
}
