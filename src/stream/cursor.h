/* A place in what is published, and its text form, the event id.
 *
 * There are two ways of counting. On live channels, numbers count everything that this gateway has published; they mean
 * something in this run only, a random text that is new for each start: "<number>-<run>". On durable channels, the
 * number comes from the database, with the nonce of the tick that gave it: "<number>-<nonce>", the same on every
 * replica. A stream of both kinds has both in its ids, "<number>-<nonce>_<number>-<run>", so one id resumes it. Clients
 * treat the text as opaque. */
#pragma once

#include "base/limits.h"

#include <stdint.h>

enum { CURSOR_RUN_BYTES = 8, NONCE_BYTES = 6 };

/* Behind the durable event of that number. */
struct durable_position {
    uint64_t number;
    char nonce[NONCE_BYTES + 2]; /* of the tick that gave the number; "": not known */
};

enum { AXIS_LIVE = 1, AXIS_DURABLE = 2 };

struct cursor {
    uint64_t number; /* AXIS_LIVE */
    char run[CURSOR_RUN_BYTES + 1];
    struct durable_position durable; /* AXIS_DURABLE */
};

/* Fills run with CURSOR_RUN_BYTES random characters of [0-9a-z] and a NUL. Returns 0 or a negative errno. */
int cursor_new_run(char run[CURSOR_RUN_BYTES + 1]);

/* Writes the id for those axes, with its NUL; it is never longer than ID_BYTES_MAX. */
void cursor_format(const struct cursor *cursor, unsigned axes, char ret_id[ID_BYTES_MAX + 1]);

/* Returns the axes that the id has, the others are left as they are; or -EINVAL when it is not of our form. */
int cursor_parse(const char *id, struct cursor *ret_cursor);
