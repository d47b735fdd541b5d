#include "access/members.h"

#include <errno.h>
#include <string.h>

enum { NAME_BYTES_MAX = 512 }; /* of a name that is written with escapes */

/* Whether the JSON string key, unescaped, is name. */
static bool is_named(struct json_slice key, const char *name, size_t name_bytes)
{
    char unescaped[NAME_BYTES_MAX];
    struct buffer buffer = buffer_in(unescaped, sizeof(unescaped));

    if (!memchr(key.text, '\\', key.size_bytes))
        return key.size_bytes - 2 == name_bytes && memcmp(key.text + 1, name, name_bytes) == 0;
    if (key.size_bytes > sizeof(unescaped))
        return false;
    json_append_unescaped(&buffer, key);
    return !buffer.failed && buffer_size(&buffer) == name_bytes && memcmp(buffer_bytes(&buffer), name, name_bytes) == 0;
}

bool members_are_single(struct json_slice object, size_t members_max)
{
    struct json_slice rest = object, key, value;

    while (json_next_member(&rest, &key, &value)) {
        char unescaped[NAME_BYTES_MAX];
        struct buffer name = buffer_in(unescaped, sizeof(unescaped));
        struct json_slice others = rest, other, ignored;
        if (key.size_bytes > sizeof(unescaped) || members_max-- == 0)
            return false;
        json_append_unescaped(&name, key);
        if (name.failed)
            return false;
        while (json_next_member(&others, &other, &ignored))
            if (is_named(other, buffer_bytes(&name), buffer_size(&name)))
                return false;
    }
    return true;
}

bool member_find(struct json_slice object, const char *name, struct json_slice *ret_value)
{
    struct json_slice rest = object, key, value;

    while (json_next_member(&rest, &key, &value)) {
        if (!is_named(key, name, strlen(name)))
            continue;
        *ret_value = value;
        return true;
    }
    return false;
}

int value_text(struct json_slice value, char *ret_text, size_t room_bytes)
{
    struct buffer text = buffer_in(ret_text, room_bytes);

    if (value.size_bytes == 0 || value.text[0] != '"')
        return -EINVAL;
    json_append_unescaped(&text, value);
    size_t size = buffer_size(&text);
    if (text.failed || memchr(ret_text, '\0', size))
        return -EINVAL;
    ret_text[size] = '\0';
    return 0;
}

int member_text(struct json_slice object, const char *name, char *ret_text, size_t room_bytes)
{
    struct json_slice value;

    return member_find(object, name, &value) ? value_text(value, ret_text, room_bytes) : -ENOENT;
}
