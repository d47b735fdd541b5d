/* One thing that happened on a channel. Never changes once it has its number; shared by reference counts,
 * because the channel's memory and a catch-up may hold it at the same time.
 *
 * Everything is in one allocation; texts are lent as long as the event lives. */
#pragma once

#include "stream/cursor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum event_type {
    EVENT_TYPE_NONE = 0, /* a payload that is not a row change */
    EVENT_TYPE_INSERT = 1 << 0,
    EVENT_TYPE_UPDATE = 1 << 1,
    EVENT_TYPE_DELETE = 1 << 2,
    EVENT_TYPE_TRUNCATE = 1 << 3,
    EVENT_TYPE_OUTAGE = 1 << 7, /* not a change: here events may be missing, because the database was away */
};

struct event {
    uint64_t number; /* the hub's; 0 until published */
    /* Of a durable event its own place; of another one, the last durable event's that was published before it. */
    struct durable_position durable;
    int64_t received_us; /* CLOCK_MONOTONIC, when it was read from the database */
    uint32_t references;
    uint32_t json_bytes;
    uint32_t schema_at, table_at, id_at, was_at; /* offsets into text; 0: none */
    enum event_type type;
    bool is_durable;
    char text[]; /* the JSON line, NUL; then what filters look at, each with its NUL */
};

/* What an event is made of. json is one line of JSON; a NULL text means there is none. */
struct event_parts {
    enum event_type type;
    const char *json;
    size_t json_bytes;
    const char *schema, *table, *id;
    const char *was; /* not ended by a NUL */
    size_t was_bytes;
};

struct event *event_new(const struct event_parts *parts); /* copies; one reference; NULL when out of memory */
struct event *event_ref(struct event *event);
void event_unref(struct event *event); /* NULL is fine */

/* Memory that the event takes, in bytes. */
size_t event_size_bytes(const struct event *event);

static inline const char *event_json(const struct event *event)
{
    return event->text;
}

/* The texts that filters compare with: NULL where there is none. A numeric id is text as PostgreSQL wrote it.
 */
static inline const char *event_schema(const struct event *event)
{
    return event->schema_at ? event->text + event->schema_at : NULL;
}

static inline const char *event_table(const struct event *event)
{
    return event->table_at ? event->text + event->table_at : NULL;
}

static inline const char *event_id(const struct event *event)
{
    return event->id_at ? event->text + event->id_at : NULL;
}

/* The row that a DELETE without one is about, as a JSON object: who may see it is told of the DELETE. For filters
 * alone, since nobody is sent it. */
static inline const char *event_was(const struct event *event)
{
    return event->was_at ? event->text + event->was_at : NULL;
}

/* "INSERT" and so on; NULL for EVENT_TYPE_NONE and EVENT_TYPE_OUTAGE. */
const char *event_type_name(enum event_type type);

/* The type of that name, in any case of letters; EVENT_TYPE_NONE when there is none. */
enum event_type event_type_from_name(const char *name, size_t size_bytes);
