/* Which rows a client may see: those whose columns have given values. What cannot be seen to fit is not shown.
 *
 * An event is shown when its row is: `data`, which is the row after an INSERT or UPDATE and before a DELETE; or `old`
 * where a DELETE has only that; or what it is said to have been (event_was) where it has neither, as when a row leaves
 * a trigger's `where` or its key changes. The `old` of an UPDATE is shown when that row is to be seen, too, and left
 * out otherwise, with what `cut` says of it: so a row that comes over from another client's shows nothing of what it
 * was, and one that goes over is not shown any more. A column that `cut` names is not in its row, and so is not seen to
 * fit. TRUNCATE has no row, and is shown. Members that we do not know are never shown, as they may hold anything. */
#pragma once

#include "base/buffer.h"
#include "base/text_list.h"
#include "stream/event.h"
#include "stream/json_text.h"

enum { ROW_COLUMNS_MAX = 16, ROW_VALUES_MAX = 256, ROW_VALUE_BYTES_MAX = 1024, COLUMN_NAME_BYTES_MAX = 63 };

struct row_condition {
    char *column;
    struct text_list values; /* in the form of row_value_append */
};

struct row_filter {
    struct row_condition *items; /* all must hold; in the order of the columns' names */
    size_t count;                /* 0: every row, and everything else */
};

/* Reads {"tenant_id":42,"kind":["a","b"]}, a valid object: a value is a string, a number, true or false, or a list of
 * those of which one must fit. Returns 0; -EINVAL, and *ret_wrong says why in fixed text; or -ENOMEM. */
int row_filter_parse(struct json_slice object, struct row_filter *ret_filter, const char **ret_wrong);
int row_filter_copy(const struct row_filter *filter, struct row_filter *ret_copy); /* 0 or -ENOMEM */
void row_filter_done(struct row_filter *filter);                                   /* also fine on a zeroed one */

/* Appends a text that is the same for equal filters only. */
void row_filter_key(const struct row_filter *filter, struct buffer *ret_key);

enum sight {
    SIGHT_NONE,
    SIGHT_ROW, /* the row, without `old` and `changed`, also in `cut` */
    SIGHT_ALL, /* all that we know of; without a filter simply all */
};

/* What of a row change or another payload may be shown. */
enum sight row_filter_sees(const struct row_filter *filter, const struct event *event);

/* Appends what a column of the row that decides holds, in the form of row_value_append; false when that cannot be seen.
 */
bool row_filter_value(const struct event *event, const char *column, struct buffer *out);

/* Appends the event's JSON as far as it may be shown; sight is not SIGHT_NONE. */
void row_filter_append(enum sight sight, const struct event *event, struct buffer *out);

/* Appends a scalar so that equal values have equal texts: numbers by value (42, 42.0 and 4.2e1 are one, of any size),
 * strings by what they say, and neither equals the other. Returns false for null, lists, objects, and numbers whose
 * exponent has more than nine digits. */
bool row_value_append(struct json_slice value, struct buffer *out);
