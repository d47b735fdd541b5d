#include "stream/row_filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { EXPONENT_DIGITS_MAX = 9 };

/* All digits of a JSON number, the point left out, and how often to multiply by ten. */
struct decimal {
    const char *digits;
    size_t size_bytes; /* with the point */
    int64_t exponent;
};

static bool take_decimal(struct json_slice number, struct decimal *ret_decimal)
{
    const char *mark = number.text, *end = number.text + number.size_bytes;
    int64_t exponent = 0;

    while (mark < end && *mark != 'e' && *mark != 'E')
        mark++;
    const char *digit = mark + (mark < end);
    bool negative = digit < end && *digit == '-';
    if (digit < end && (*digit == '-' || *digit == '+'))
        digit++;
    if (end - digit > EXPONENT_DIGITS_MAX)
        return false;
    for (; digit < end; digit++)
        exponent = exponent * 10 + (*digit - '0');
    const char *point = memchr(number.text, '.', (size_t)(mark - number.text));
    *ret_decimal = (struct decimal){number.text, (size_t)(mark - number.text), negative ? -exponent : exponent};
    if (point)
        ret_decimal->exponent -= mark - point - 1;
    return true;
}

/* As -DIGITSeEXPONENT without zeros at either end of the digits. */
static bool append_number(struct json_slice number, struct buffer *out)
{
    bool negative = number.text[0] == '-';
    struct json_slice plain = {number.text + negative, number.size_bytes - negative};
    struct decimal decimal;
    size_t zeros = 0, digits = 0;

    if (!take_decimal(plain, &decimal))
        return false;
    buffer_append_text(out, "n");
    for (size_t i = 0; i < decimal.size_bytes; i++) {
        char c = decimal.digits[i];
        if (c == '.' || (c == '0' && digits == 0))
            continue;
        if (c == '0') {
            zeros++;
            continue;
        }
        if (digits == 0 && negative)
            buffer_append_text(out, "-");
        for (; zeros > 0; zeros--)
            buffer_append_text(out, "0");
        buffer_append(out, &c, 1);
        digits++;
    }
    if (digits > 0)
        buffer_printf(out, "e%lld", (long long)(decimal.exponent + (int64_t)zeros));
    return true;
}

bool row_value_append(struct json_slice value, struct buffer *out)
{
    switch (value.size_bytes > 0 ? value.text[0] : '\0') {
    case '"':
        buffer_append_text(out, "s");
        json_append_unescaped(out, value);
        return true;
    case 't':
    case 'f':
        buffer_append(out, value.text, value.size_bytes);
        return true;
    case '\0':
    case 'n':
    case '{':
    case '[':
        return false;
    default:
        return append_number(value, out);
    }
}

static int add_value(struct row_condition *condition, struct json_slice value, size_t *values, const char **ret_wrong)
{
    char room[ROW_VALUE_BYTES_MAX + 2];
    struct buffer text = buffer_in(room, sizeof(room));
    int error = -EINVAL;

    *ret_wrong = "`where` has values that are neither strings, numbers, true nor false, nor lists of these";
    if (row_value_append(value, &text)) {
        *ret_wrong = "`where` has too long a value, one with a NUL, or more than 256 of them";
        const char *plain = buffer_text(&text);
        if (plain && strlen(plain) == buffer_size(&text) && ++*values <= ROW_VALUES_MAX)
            error = text_list_add(&condition->values, plain);
    }
    return error;
}

static int add_values(struct row_condition *condition, struct json_slice value, size_t *values, const char **ret_wrong)
{
    struct json_slice item;
    int error = 0;

    if (value.text[0] != '[')
        return add_value(condition, value, values, ret_wrong);
    while (error == 0 && json_next_item(&value, &item))
        error = add_value(condition, item, values, ret_wrong);
    if (error == 0 && condition->values.count == 0) {
        *ret_wrong = "`where` has an empty list, which no row fits";
        return -EINVAL;
    }
    return error;
}

static int take_column(struct row_condition *condition, struct json_slice key, const char **ret_wrong)
{
    char room[COLUMN_NAME_BYTES_MAX + 2];
    struct buffer name = buffer_in(room, sizeof(room));
    int error = -EINVAL;

    *ret_wrong = "`where` has a column whose name does not have 1 to 63 bytes, or has a NUL";
    json_append_unescaped(&name, key);
    const char *text = buffer_text(&name);
    if (text && text[0] && strlen(text) == buffer_size(&name) && strlen(text) <= COLUMN_NAME_BYTES_MAX) {
        condition->column = strdup(text);
        error = condition->column ? 0 : -ENOMEM;
    }
    return error;
}

static int compare_columns(const void *one, const void *other)
{
    return strcmp(((const struct row_condition *)one)->column, ((const struct row_condition *)other)->column);
}

static int compare_values(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

/* So that equal filters look the same; a column that is there twice stands beside itself then. */
static int put_in_order(struct row_filter *filter, const char **ret_wrong)
{
    qsort(filter->items, filter->count, sizeof(*filter->items), compare_columns);
    for (size_t i = 0; i < filter->count; i++) {
        struct text_list *values = &filter->items[i].values;
        qsort(values->items, values->count, sizeof(*values->items), compare_values);
        if (i > 0 && strcmp(filter->items[i - 1].column, filter->items[i].column) == 0) {
            *ret_wrong = "`where` names a column twice";
            return -EINVAL;
        }
    }
    return 0;
}

int row_filter_parse(struct json_slice object, struct row_filter *ret_filter, const char **ret_wrong)
{
    struct row_filter filter = {calloc(ROW_COLUMNS_MAX, sizeof(*filter.items)), 0};
    struct json_slice rest = object, key, value;
    size_t values = 0;
    int error = filter.items ? 0 : -ENOMEM;

    while (error == 0 && json_next_member(&rest, &key, &value)) {
        *ret_wrong = "`where` names more than 16 columns";
        if (filter.count == ROW_COLUMNS_MAX) {
            error = -EINVAL;
            break;
        }
        struct row_condition *condition = &filter.items[filter.count++];
        error = take_column(condition, key, ret_wrong);
        if (error == 0)
            error = add_values(condition, value, &values, ret_wrong);
    }
    if (error == 0 && filter.count == 0) {
        *ret_wrong = "`where` is not an object that names columns";
        error = -EINVAL;
    }
    if (error == 0)
        error = put_in_order(&filter, ret_wrong);
    if (error < 0) {
        row_filter_done(&filter);
        return error;
    }
    *ret_filter = filter;
    return 0;
}

int row_filter_copy(const struct row_filter *filter, struct row_filter *ret_copy)
{
    struct row_filter copy = {0};

    if (filter->count > 0 && !(copy.items = calloc(filter->count, sizeof(*copy.items))))
        return -ENOMEM;
    for (; copy.count < filter->count; copy.count++) {
        const struct row_condition *from = &filter->items[copy.count];
        struct row_condition *to = &copy.items[copy.count];
        to->column = strdup(from->column);
        if (!to->column ||
            text_list_init(&to->values, (const char *const *)from->values.items, from->values.count) < 0) {
            free(to->column);
            row_filter_done(&copy);
            return -ENOMEM;
        }
    }
    *ret_copy = copy;
    return 0;
}

void row_filter_done(struct row_filter *filter)
{
    for (size_t i = 0; i < filter->count; i++) {
        free(filter->items[i].column);
        text_list_done(&filter->items[i].values);
    }
    free(filter->items);
    *filter = (struct row_filter){0};
}

void row_filter_key(const struct row_filter *filter, struct buffer *ret_key)
{
    buffer_printf(ret_key, "%zu{", filter->count);
    for (size_t i = 0; i < filter->count; i++) {
        const struct row_condition *condition = &filter->items[i];
        buffer_printf(ret_key, "%zu:%s%zu(", strlen(condition->column), condition->column, condition->values.count);
        for (size_t j = 0; j < condition->values.count; j++)
            buffer_printf(ret_key, "%zu:%s", strlen(condition->values.items[j]), condition->values.items[j]);
        buffer_append_text(ret_key, ")");
    }
    buffer_append_text(ret_key, "}");
}

/* Whether the JSON string key, unescaped, is name. Without memory it is not. */
static bool is_column(struct json_slice key, const char *name)
{
    struct buffer unescaped;

    if (!memchr(key.text, '\\', key.size_bytes))
        return key.size_bytes - 2 == strlen(name) && memcmp(key.text + 1, name, key.size_bytes - 2) == 0;
    buffer_init(&unescaped, key.size_bytes);
    json_append_unescaped(&unescaped, key);
    bool is = !unescaped.failed && buffer_size(&unescaped) == strlen(name) &&
              memcmp(buffer_bytes(&unescaped), name, buffer_size(&unescaped)) == 0;
    buffer_done(&unescaped);
    return is;
}

static bool value_fits(const struct row_condition *condition, struct json_slice value)
{
    char room[ROW_VALUE_BYTES_MAX + 2];
    struct buffer text = buffer_in(room, sizeof(room));
    const char *plain = row_value_append(value, &text) ? buffer_text(&text) : NULL;

    return plain && strlen(plain) == buffer_size(&text) && text_list_has(&condition->values, plain);
}

/* A column that is there twice has no value that one could rely on. */
static bool row_fits(const struct row_filter *filter, struct json_slice row)
{
    struct json_slice rest = row, key, value;
    unsigned seen = 0, fitting = 0;

    _Static_assert(ROW_COLUMNS_MAX <= 8 * sizeof(seen), "a bit for each column");
    while (json_next_member(&rest, &key, &value)) {
        for (size_t i = 0; i < filter->count; i++) {
            if (!is_column(key, filter->items[i].column))
                continue;
            if (seen & 1u << i)
                return false;
            seen |= 1u << i;
            fitting |= value_fits(&filter->items[i], value) ? 1u << i : 0;
        }
    }
    return fitting == (1u << filter->count) - 1;
}

static bool is_member(struct json_slice key, const char *name)
{
    return key.size_bytes - 2 == strlen(name) && memcmp(key.text + 1, name, key.size_bytes - 2) == 0;
}

/* Our own line: a known member is there once, and its name is without escapes. */
static struct json_slice find_member(const struct event *event, const char *name)
{
    struct json_slice rest = {event_json(event), event->json_bytes}, key, value;

    while (json_next_member(&rest, &key, &value))
        if (is_member(key, name))
            return value;
    return (struct json_slice){"", 0};
}

static bool is_absent(struct json_slice value)
{
    return value.size_bytes == 0 || value.text[0] == 'n';
}

/* The row of a DELETE that has no data. */
static struct json_slice deleted_row(const struct event *event, struct json_slice old)
{
    const char *was = event_was(event);

    return is_absent(old) && was ? (struct json_slice){was, strlen(was)} : old;
}

enum sight row_filter_sees(const struct row_filter *filter, const struct event *event)
{
    if (filter->count == 0)
        return SIGHT_ALL;
    if (event->type == EVENT_TYPE_NONE || event->type == EVENT_TYPE_OUTAGE)
        return event->type == EVENT_TYPE_OUTAGE ? SIGHT_ALL : SIGHT_NONE;
    struct json_slice data = find_member(event, "data"), old = find_member(event, "old");
    bool sees_old = !is_absent(old) && row_fits(filter, old);
    if (event->type == EVENT_TYPE_TRUNCATE)
        return is_absent(data) && is_absent(old) ? SIGHT_ROW : SIGHT_NONE;
    if (is_absent(data) && event->type == EVENT_TYPE_DELETE)
        data = deleted_row(event, old);
    if (!row_fits(filter, data))
        return SIGHT_NONE;
    return sees_old ? SIGHT_ALL : SIGHT_ROW;
}

bool row_filter_value(const struct event *event, const char *column, struct buffer *out)
{
    struct json_slice row = find_member(event, "data"), key, value, found = {"", 0};

    if (is_absent(row) && event->type == EVENT_TYPE_DELETE)
        row = deleted_row(event, find_member(event, "old"));
    while (json_next_member(&row, &key, &value)) {
        if (!is_column(key, column))
            continue;
        if (found.size_bytes > 0)
            return false;
        found = value;
    }
    return row_value_append(found, out);
}

/* Whether an item of `cut`, a string, tells something of the old row. */
static bool is_about_old(struct json_slice item)
{
    static const char column[] = "\"old.";

    return is_member(item, "old") || is_member(item, "changed") ||
           (item.size_bytes > sizeof(column) && memcmp(item.text, column, sizeof(column) - 1) == 0);
}

/* `cut` without what it says of the old row, or nothing when it says nothing else. */
static void append_cut(struct json_slice cut, struct buffer *out)
{
    const char *before = ",\"cut\":[", *end = "";
    struct json_slice item;

    while (json_next_item(&cut, &item)) {
        if (item.text[0] != '"' || is_about_old(item))
            continue;
        buffer_append_text(out, before);
        buffer_append(out, item.text, item.size_bytes);
        before = ",";
        end = "]";
    }
    buffer_append_text(out, end);
}

void row_filter_append(enum sight sight, const struct event *event, struct buffer *out)
{
    static const char *const shown[] = {"channel", "schema", "table", "type", "op",     "id",
                                        "data",    "at",     "cut",   "old",  "changed"};
    const size_t count = sizeof(shown) / sizeof(*shown) - (sight == SIGHT_ROW ? 2 : 0);
    struct json_slice rest = {event_json(event), event->json_bytes}, key, value;
    const char *separator = "{";

    while (json_next_member(&rest, &key, &value)) {
        for (size_t i = 0; i < count; i++) {
            if (!is_member(key, shown[i]))
                continue;
            if (sight == SIGHT_ROW && is_member(key, "cut")) {
                append_cut(value, out); /* `channel` stands before it */
                continue;
            }
            buffer_append_text(out, separator);
            buffer_append(out, key.text, key.size_bytes);
            buffer_append_text(out, ":");
            buffer_append(out, value.text, value.size_bytes);
            separator = ",";
        }
    }
    buffer_append_text(out, "}");
}
