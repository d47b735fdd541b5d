#include "access/base64url.h"

#include <errno.h>

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int base64url_decode(const char *text, size_t size_bytes, struct buffer *ret_bytes)
{
    unsigned bits = 0, held = 0;

    if (size_bytes % 4 == 1)
        return -EINVAL;
    for (size_t i = 0; i < size_bytes; i++) {
        int value = digit(text[i]);
        if (value < 0)
            return -EINVAL;
        bits = (bits << 6 | (unsigned)value) & 0xffff;
        held += 6;
        if (held >= 8) {
            unsigned char byte = (unsigned char)(bits >> (held - 8));
            held -= 8;
            buffer_append(ret_bytes, &byte, 1);
        }
    }
    return (bits & ((1u << held) - 1)) == 0 ? 0 : -EINVAL;
}
