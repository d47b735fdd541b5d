/* A place in what a gateway has published, and its text form, the event id: "<number>-<run>".
 *
 * Numbers count everything a hub publishes, over all channels, so one cursor is enough for a stream of
 * several channels. The run is random, new for each start of the gateway: a number means nothing in another
 * run. Clients treat the text as opaque. */
#pragma once

#include "base/limits.h"

#include <stdint.h>

enum { CURSOR_RUN_BYTES = 8 };

struct cursor {
    uint64_t number;
    char run[CURSOR_RUN_BYTES + 1];
};

/* Fills run with CURSOR_RUN_BYTES random characters of [0-9a-z] and a NUL. Returns 0 or a negative errno. */
int cursor_new_run(char run[CURSOR_RUN_BYTES + 1]);

/* Writes the id with its NUL; it is never longer than ID_BYTES_MAX. */
void cursor_format(const struct cursor *cursor, char ret_id[ID_BYTES_MAX + 1]);

/* Returns 0, or -EINVAL when id is not of our form. */
int cursor_parse(const char *id, struct cursor *ret_cursor);
