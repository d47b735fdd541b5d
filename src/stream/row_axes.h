/* The feeds of one channel whose clients may see some rows only, so arranged that an event meets those that may see it:
 * by the value of one column, such as tenant_id, and thousands of tenants cost an event a look at that column.
 *
 * An axis, once there for a column, stays; feeds of further columns find no place, and are met by every event. */
#pragma once

#include "stream/audience.h"
#include "stream/row_filter.h"

enum { ROW_AXES_MAX = 4 };

struct row_axis {
    char *column;             /* NULL: free */
    struct audience audience; /* by values, in the form of row_value_append */
};

struct row_axes {
    struct row_axis items[ROW_AXES_MAX];
};

/* The axis of a filter's first column, or NULL. */
struct row_axis *row_axes_of(struct row_axes *axes, const struct row_filter *filter);
/* Makes it, if there is room for one more. Returns 0 or -ENOMEM. */
int row_axes_prepare(struct row_axes *axes, const struct row_filter *filter);
void row_axes_done(struct row_axes *axes); /* there must be no feeds left */

/* The feeds of that axis that may see the event, which is a row's. Lent until the axis changes. */
struct feed_array row_axis_find(const struct row_axis *axis, const struct event *event);
