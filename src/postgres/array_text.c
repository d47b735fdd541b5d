#include "postgres/array_text.h"

#include "base/buffer.h"

#include <string.h>

char *array_text(const struct text_list *list)
{
    struct buffer text;

    buffer_init(&text, 1 << 24);
    buffer_append_text(&text, "{");
    for (size_t i = 0; i < list->count; i++) {
        buffer_append_text(&text, i > 0 ? ",\"" : "\"");
        for (const char *at = list->items[i]; *at; at++) {
            if (*at == '"' || *at == '\\')
                buffer_append_text(&text, "\\");
            buffer_append(&text, at, 1);
        }
        buffer_append_text(&text, "\"");
    }
    buffer_append_text(&text, "}");
    char *copy = buffer_text(&text) ? strdup(buffer_text(&text)) : NULL;
    buffer_done(&text);
    return copy;
}
