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

void cursor_format(const struct cursor *cursor, char ret_id[ID_BYTES_MAX + 1])
{
    snprintf(ret_id, ID_BYTES_MAX + 1, "%" PRIu64 "-%s", cursor->number, cursor->run);
}

int cursor_parse(const char *id, struct cursor *ret_cursor)
{
    size_t digits = strspn(id, "0123456789");
    uint64_t number = 0;

    /* 19 digits always fit; a leading zero would make two texts of one place. */
    if (digits == 0 || digits > 19 || (digits > 1 && id[0] == '0') || id[digits] != '-')
        return -EINVAL;
    const char *run = id + digits + 1;
    if (strlen(run) != CURSOR_RUN_BYTES || strspn(run, alphabet) != CURSOR_RUN_BYTES)
        return -EINVAL;
    for (size_t i = 0; i < digits; i++)
        number = number * 10 + (uint64_t)(id[i] - '0');
    ret_cursor->number = number;
    memcpy(ret_cursor->run, run, CURSOR_RUN_BYTES + 1);
    return 0;
}
