#include "base/text_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int text_list_init(struct text_list *ret_list, const char *const *items, size_t count)
{
    struct text_list list = {.items = calloc(count + 1, sizeof(*list.items))};

    if (!list.items)
        return -ENOMEM;
    for (; list.count < count; list.count++) {
        list.items[list.count] = strdup(items[list.count]);
        if (!list.items[list.count]) {
            text_list_done(&list);
            return -ENOMEM;
        }
    }
    *ret_list = list;
    return 0;
}

int text_list_add(struct text_list *list, const char *text)
{
    if (text_list_has(list, text))
        return 0;
    char **items = realloc(list->items, (list->count + 1) * sizeof(*items));
    if (!items)
        return -ENOMEM;
    list->items = items;
    items[list->count] = strdup(text);
    if (!items[list->count])
        return -ENOMEM;
    list->count++;
    return 0;
}

bool text_list_has(const struct text_list *list, const char *text)
{
    for (size_t i = 0; text && i < list->count; i++)
        if (strcmp(list->items[i], text) == 0)
            return true;
    return false;
}

void text_list_done(struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct text_list){0};
}

bool text_list_equal(const struct text_list *one, const struct text_list *other)
{
    if (one->count != other->count)
        return false;
    for (size_t i = 0; i < one->count; i++)
        if (strcmp(one->items[i], other->items[i]) != 0)
            return false;
    return true;
}
