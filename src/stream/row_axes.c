#include "stream/row_axes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct row_axis *row_axes_of(struct row_axes *axes, const struct row_filter *filter)
{
    for (size_t i = 0; i < ROW_AXES_MAX && axes->items[i].column; i++)
        if (strcmp(axes->items[i].column, filter->items[0].column) == 0)
            return &axes->items[i];
    return NULL;
}

int row_axes_prepare(struct row_axes *axes, const struct row_filter *filter)
{
    size_t i = 0;

    if (row_axes_of(axes, filter))
        return 0;
    while (i < ROW_AXES_MAX && axes->items[i].column)
        i++;
    if (i == ROW_AXES_MAX)
        return 0;
    axes->items[i].column = strdup(filter->items[0].column);
    return axes->items[i].column ? 0 : -ENOMEM;
}

void row_axes_done(struct row_axes *axes)
{
    for (size_t i = 0; i < ROW_AXES_MAX; i++) {
        audience_done(&axes->items[i].audience);
        free(axes->items[i].column);
        axes->items[i].column = NULL;
    }
}

struct feed_array row_axis_find(const struct row_axis *axis, const struct event *event)
{
    struct feed_array found = {0};
    char room[ROW_VALUE_BYTES_MAX + 2];
    struct buffer value = buffer_in(room, sizeof(room));

    if (axis->audience.id_count == 0)
        return found;
    if (row_filter_value(event, axis->column, &value) && buffer_text(&value))
        found = audience_of(&axis->audience, buffer_text(&value));
    return found;
}
