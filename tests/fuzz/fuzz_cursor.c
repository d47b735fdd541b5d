/* An id from a client: what is taken is exactly what we would have written. */
#include "stream/cursor.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor cursor = {.number = 5, .run = "x"};
    char id[ID_BYTES_MAX + 1];
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    int axes = cursor_parse(text, &cursor);
    if (axes > 0) {
        cursor_format(&cursor, (unsigned)axes, id);
        assert(strcmp(id, text) == 0);
    } else {
        assert(axes == -EINVAL && cursor.number == 5 && strcmp(cursor.run, "x") == 0);
    }
    free(text);
    return 0;
}
