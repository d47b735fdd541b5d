#include "http/query.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

static int decode(const char *text, size_t size_bytes, bool plus_is_space, char **ret_text)
{
    char *decoded = malloc(size_bytes + 1);
    size_t end = 0;

    if (!decoded)
        return -ENOMEM;
    for (size_t i = 0; i < size_bytes; i++) {
        char byte = plus_is_space && text[i] == '+' ? ' ' : text[i];
        if (byte == '%') {
            int high = size_bytes - i > 2 ? hex_digit(text[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
            if (low < 0 || high * 16 + low == 0) {
                free(decoded);
                return -EINVAL;
            }
            byte = (char)(high * 16 + low);
            i += 2;
        }
        decoded[end++] = byte;
    }
    decoded[end] = '\0';
    *ret_text = decoded;
    return 0;
}

int percent_decode(const char *text, size_t size_bytes, char **ret_text)
{
    return decode(text, size_bytes, false, ret_text);
}

static int add_item(struct query *query, const char *text, size_t size_bytes)
{
    const char *equals = memchr(text, '=', size_bytes);
    size_t name_size = equals ? (size_t)(equals - text) : size_bytes;
    struct query_item item = {0};

    if (query->count == QUERY_ITEMS_MAX)
        return -E2BIG;
    int error = decode(text, name_size, true, &item.name);
    if (error == 0)
        error = equals ? decode(equals + 1, size_bytes - name_size - 1, true, &item.value)
                       : ((item.value = strdup("")) ? 0 : -ENOMEM);
    if (error < 0) {
        free(item.name);
        return error;
    }
    query->items[query->count++] = item;
    return 0;
}

int query_parse(const char *text, struct query *ret_query)
{
    struct query query = {0};
    size_t pieces = 1;

    for (const char *at = text; *at; at++)
        pieces += *at == '&';
    query.items = calloc(pieces < QUERY_ITEMS_MAX ? pieces : QUERY_ITEMS_MAX, sizeof(*query.items));
    if (!query.items)
        return -ENOMEM;
    while (*text) {
        size_t size = strcspn(text, "&");
        int error = size > 0 ? add_item(&query, text, size) : 0;
        if (error < 0) {
            query_done(&query);
            return error;
        }
        text += size + (text[size] == '&');
    }
    *ret_query = query;
    return 0;
}

void query_done(struct query *query)
{
    for (size_t i = 0; i < query->count; i++) {
        free(query->items[i].name);
        free(query->items[i].value);
    }
    free(query->items);
    *query = (struct query){0};
}

const char *query_first(const struct query *query, const char *name)
{
    for (size_t i = 0; i < query->count; i++)
        if (strcmp(query->items[i].name, name) == 0)
            return query->items[i].value;
    return NULL;
}
