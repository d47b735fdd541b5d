#include "base/utf8.h"

size_t utf8_size(const unsigned char *at, const unsigned char *end)
{
    size_t left = (size_t)(end - at);
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;

    if (size == 0 || size > left)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf0 && at[1] < 0x90) ||
        (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return size;
}

bool utf8_is_valid(const char *bytes, size_t size_bytes)
{
    const unsigned char *at = (const unsigned char *)bytes;
    const unsigned char *end = at + size_bytes;

    while (at < end) {
        size_t size = utf8_size(at, end);
        if (size == 0)
            return false;
        at += size;
    }
    return true;
}
