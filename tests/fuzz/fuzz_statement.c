/* Notifications of a statement and its rows, one in each line: whatever is taken for a row of it becomes a payload that
 * is JSON, a row change with as many members as there are columns, and bounded by the two. */
#include "base/limits.h"
#include "stream/decode.h"
#include "stream/statement.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t members(struct json_slice object)
{
    struct json_slice key, value;
    size_t count = 0;

    while (json_next_member(&object, &key, &value))
        count++;
    return count;
}

static size_t items(struct json_slice array)
{
    struct json_slice item;
    size_t count = 0;

    while (json_next_item(&array, &item))
        count++;
    return count;
}

static void check_whole(const struct statement *statement, size_t row_bytes, struct json_slice whole)
{
    struct json_slice rest = whole, key, value;
    struct event *event = NULL;
    size_t columns = items(statement->columns);
    bool has_row = false;

    assert(json_is_valid(whole.text, whole.size_bytes));
    /* Names at the most in id, data, old and changed; values in data or old, and in the id as often as it has columns.
     */
    assert(whole.size_bytes <= 5 * buffer_size(&statement->text) + (KEY_COLUMNS_MAX + 1) * (row_bytes + 5) + 120);
    while (json_next_member(&rest, &key, &value))
        if ((key.size_bytes == 6 && (memcmp(key.text, "\"data\"", 6) == 0 || memcmp(key.text, "\"_was\"", 6) == 0)) ||
            (key.size_bytes == 5 && memcmp(key.text, "\"old\"", 5) == 0)) {
            bool is_null = value.text[0] == 'n' && key.text[1] == 'd'; /* then it is told what the row was */
            assert(is_null || (value.text[0] == '{' && members(value) == columns));
            has_row |= !is_null;
        }
    assert(has_row);
    assert(decode_payload("posts", whole.text, whole.size_bytes, &event) == 0);
    event_unref(event);
}

static void take_line(struct statement *statement, const uint8_t *line, size_t size)
{
    struct json_slice whole;
    char *exact = malloc(size ? size : 1);

    assert(exact);
    memcpy(exact, line, size);
    if (!statement_begin(statement, 1, exact, size) && statement_is_row(exact, size)) {
        int error = statement_expand(statement, 1, exact, size, &whole);
        assert(error == 0 || error == -ENOENT || error == -EBADMSG);
        if (error == 0)
            check_whole(statement, size, whole);
    }
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct statement statement = {0};

    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t line_bytes = end ? (size_t)(end - data) : size;
        take_line(&statement, data, line_bytes);
        if (end)
            line_bytes++;
        data += line_bytes;
        size -= line_bytes;
    }
    statement_done(&statement);
    return 0;
}
