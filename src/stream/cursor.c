#include "stream/cursor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyz";

int cursor_new_run(char run[CURSOR_RUN_BYTES + 1])
{
    uint32_t random[CURSOR_RUN_BYTES];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return -EIO;
    for (int i = 0; i < CURSOR_RUN_BYTES; i++)
        run[i] = alphabet[random[i] % (sizeof(alphabet) - 1)];
    run[CURSOR_RUN_BYTES] = '\0';
    return 0;
}

/* "<number>-<nonce>". One for each event that is replayed, so by hand. */
static void format_durable(const struct durable_position *durable, char ret_id[ID_BYTES_MAX + 1])
{
    char digits[20];
    size_t count = 0, nonce_bytes = strnlen(durable->nonce, NONCE_BYTES);
    uint64_t number = durable->number;

    do
        digits[sizeof(digits) - ++count] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    memcpy(ret_id, digits + sizeof(digits) - count, count);
    ret_id[count++] = '-';
    memcpy(ret_id + count, durable->nonce, nonce_bytes);
    ret_id[count + nonce_bytes] = '\0';
}

void cursor_format(const struct cursor *cursor, unsigned axes, char ret_id[ID_BYTES_MAX + 1])
{
    const struct durable_position *durable = &cursor->durable;

    if (axes == AXIS_LIVE)
        snprintf(ret_id, ID_BYTES_MAX + 1, "%" PRIu64 "-%.8s", cursor->number, cursor->run);
    else if (axes == AXIS_DURABLE)
        format_durable(durable, ret_id);
    else
        snprintf(ret_id, ID_BYTES_MAX + 1, "%" PRIu64 "-%.6s_%" PRIu64 "-%.8s", durable->number, durable->nonce,
                 cursor->number, cursor->run);
}

/* "<number>-<mark>" at *text, which moves behind it. Returns the mark's length, or -EINVAL. */
static int parse_part(const char **text, uint64_t *ret_number, char ret_mark[CURSOR_RUN_BYTES + 1])
{
    const char *at = *text;
    size_t digits = strspn(at, "0123456789");
    uint64_t number = 0;

    /* 19 digits always fit; a leading zero would make two texts of one place. */
    if (digits == 0 || digits > 19 || (digits > 1 && at[0] == '0') || at[digits] != '-')
        return -EINVAL;
    for (size_t i = 0; i < digits; i++)
        number = number * 10 + (uint64_t)(at[i] - '0');
    size_t size = strspn(at + digits + 1, alphabet);
    if (size != CURSOR_RUN_BYTES && size != NONCE_BYTES)
        return -EINVAL;
    *ret_number = number;
    memcpy(ret_mark, at + digits + 1, size);
    ret_mark[size] = '\0';
    *text = at + digits + 1 + size;
    return (int)size;
}

int cursor_parse(const char *id, struct cursor *ret_cursor)
{
    struct cursor cursor = *ret_cursor;
    char mark[CURSOR_RUN_BYTES + 1];
    uint64_t number;
    int axes = 0;
    int size = parse_part(&id, &number, mark);

    if (size == NONCE_BYTES) {
        axes = AXIS_DURABLE;
        cursor.durable.number = number;
        memcpy(cursor.durable.nonce, mark, NONCE_BYTES + 1);
        if (*id == '_') {
            id++;
            size = parse_part(&id, &number, mark);
            if (size != CURSOR_RUN_BYTES)
                return -EINVAL;
        }
    }
    if (size == CURSOR_RUN_BYTES) {
        axes |= AXIS_LIVE;
        cursor.number = number;
        memcpy(cursor.run, mark, CURSOR_RUN_BYTES + 1);
    }
    if (*id != '\0' || axes == 0)
        return -EINVAL;
    *ret_cursor = cursor;
    return axes;
}
