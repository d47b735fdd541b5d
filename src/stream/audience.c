#include "stream/audience.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct audience_of_id {
    char *id; /* first: the tree compares it */
    struct feed_array feeds;
};

static int append(struct feed_array *array, struct feed *feed)
{
    struct feed **items = array->items;

    /* Grows at powers of two. */
    if ((array->count & (array->count - 1)) == 0) {
        items = realloc(array->items, (array->count ? array->count * 2 : 1) * sizeof(struct feed *));
        if (!items)
            return -ENOMEM;
        array->items = items;
    }
    items[array->count++] = feed;
    return 0;
}

static void take_out(struct feed_array *array, const struct feed *feed)
{
    size_t i = 0;

    while (i < array->count && array->items[i] != feed)
        i++;
    assert(i < array->count);
    array->items[i] = array->items[--array->count];
    if (array->count == 0) {
        free(array->items);
        array->items = NULL;
    }
}

static int add_to_id(struct audience *audience, struct feed *feed, const char *id)
{
    struct audience_of_id *entry = text_tree_find(&audience->by_id, id);

    if (entry)
        return append(&entry->feeds, feed);
    entry = calloc(1, sizeof(*entry));
    if (entry)
        entry->id = strdup(id);
    if (!entry || !entry->id || append(&entry->feeds, feed) < 0 || !text_tree_add(&audience->by_id, entry)) {
        if (entry) {
            free(entry->feeds.items);
            free(entry->id);
        }
        free(entry);
        return -ENOMEM;
    }
    audience->id_count++;
    return 0;
}

static void remove_from_id(struct audience *audience, struct feed *feed, const char *id)
{
    struct audience_of_id *entry = text_tree_find(&audience->by_id, id);

    take_out(&entry->feeds, feed);
    if (entry->feeds.count > 0)
        return;
    text_tree_remove(&audience->by_id, entry);
    free(entry->id);
    free(entry);
    audience->id_count--;
}

int audience_add(struct audience *audience, struct feed *feed, char *const *ids, size_t id_count)
{
    int error = id_count == 0 ? append(&audience->general, feed) : 0;
    size_t added = 0;

    while (error == 0 && added < id_count) {
        error = add_to_id(audience, feed, ids[added]);
        added += error == 0;
    }
    while (error < 0 && added > 0)
        remove_from_id(audience, feed, ids[--added]);
    return error;
}

void audience_remove(struct audience *audience, struct feed *feed, char *const *ids, size_t id_count)
{
    if (id_count == 0)
        take_out(&audience->general, feed);
    for (size_t i = 0; i < id_count; i++)
        remove_from_id(audience, feed, ids[i]);
}

void audience_done(struct audience *audience)
{
    assert(audience->general.count == 0 && audience->id_count == 0);
    free(audience->general.items);
    audience->general = (struct feed_array){0};
}

struct feed_array audience_of(const struct audience *audience, const char *id)
{
    const struct audience_of_id *entry = audience->id_count > 0 ? text_tree_find(&audience->by_id, id) : NULL;

    return entry ? entry->feeds : (struct feed_array){0};
}

void audience_find(const struct audience *audience, const struct event *event, struct feed_array ret_arrays[2])
{
    const char *id = event_id(event);

    ret_arrays[0] = audience->general;
    ret_arrays[1] = id ? audience_of(audience, id) : (struct feed_array){0};
}
