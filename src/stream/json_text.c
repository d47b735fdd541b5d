#include "stream/json_text.h"

#include "base/limits.h"
#include "base/utf8.h"

#include <json-c/json.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

struct scanner {
    const unsigned char *at;
    const unsigned char *end;
};

static void skip_space(struct scanner *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

static bool take(struct scanner *s, unsigned char byte)
{
    if (s->at == s->end || *s->at != byte)
        return false;
    s->at++;
    return true;
}

static bool take_word(struct scanner *s, const char *word)
{
    size_t size = strlen(word);

    if ((size_t)(s->end - s->at) < size || memcmp(s->at, word, size) != 0)
        return false;
    s->at += size;
    return true;
}

static bool take_hex(struct scanner *s, int digits)
{
    for (; digits > 0; digits--, s->at++)
        if (s->at == s->end || !memchr("0123456789abcdefABCDEF", *s->at, 22))
            return false;
    return true;
}

static bool take_string(struct scanner *s)
{
    if (!take(s, '"'))
        return false;
    while (s->at < s->end) {
        unsigned char byte = *s->at;
        if (byte == '"') {
            s->at++;
            return true;
        }
        if (byte < 0x20)
            return false;
        if (byte == '\\') {
            s->at++;
            if (s->at == s->end || !memchr("\"\\/bfnrtu", *s->at, 9))
                return false;
            if (*s->at++ == 'u' && !take_hex(s, 4))
                return false;
        } else if (byte < 0x80) {
            s->at++;
        } else {
            size_t size = utf8_size(s->at, s->end);
            if (size == 0)
                return false;
            s->at += size;
        }
    }
    return false;
}

static bool take_digits(struct scanner *s)
{
    const unsigned char *first = s->at;

    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return s->at > first;
}

static bool take_number(struct scanner *s)
{
    take(s, '-');
    if (!take(s, '0') && !take_digits(s))
        return false;
    if (take(s, '.') && !take_digits(s))
        return false;
    if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
        s->at++;
        if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
            s->at++;
        return take_digits(s);
    }
    return true;
}

static bool take_scalar(struct scanner *s)
{
    if (s->at == s->end)
        return false;
    switch (*s->at) {
    case '"':
        return take_string(s);
    case 't':
        return take_word(s, "true");
    case 'f':
        return take_word(s, "false");
    case 'n':
        return take_word(s, "null");
    default:
        return take_number(s);
    }
}

static bool take_key(struct scanner *s)
{
    skip_space(s);
    if (!take_string(s))
        return false;
    skip_space(s);
    return take(s, ':');
}

/* One value with all that is in it. Iterative: is_object[depth - 1] tells what the innermost open bracket is. */
static bool take_value(struct scanner *s)
{
    bool is_object[JSON_DEPTH_MAX];
    size_t depth = 0;

    for (;;) {
        skip_space(s);
        if (s->at < s->end && (*s->at == '{' || *s->at == '[')) {
            bool object = *s->at++ == '{';
            skip_space(s);
            if (!take(s, object ? '}' : ']')) {
                if (depth == JSON_DEPTH_MAX)
                    return false;
                is_object[depth++] = object;
                if (object && !take_key(s))
                    return false;
                continue;
            }
        } else if (!take_scalar(s)) {
            return false;
        }
        /* A value has ended: close brackets until there is a comma. */
        for (;;) {
            if (depth == 0)
                return true;
            skip_space(s);
            if (take(s, ',')) {
                if (is_object[depth - 1] && !take_key(s))
                    return false;
                break;
            }
            if (!take(s, is_object[depth - 1] ? '}' : ']'))
                return false;
            depth--;
        }
    }
}

static struct scanner scan(struct json_slice slice)
{
    const unsigned char *text = (const unsigned char *)slice.text;

    return (struct scanner){text, text + slice.size_bytes};
}

bool json_is_valid(const char *text, size_t size_bytes)
{
    struct scanner s = scan((struct json_slice){text, size_bytes});

    if (!take_value(&s))
        return false;
    skip_space(&s);
    return s.at == s.end;
}

/* A quote ends a string unless an odd number of backslashes stands before it. */
static bool skip_string(struct scanner *s)
{
    const unsigned char *quote = s->at;

    if (s->at == s->end || *s->at != '"')
        return false;
    for (;;) {
        quote = memchr(quote + 1, '"', (size_t)(s->end - quote - 1));
        if (!quote)
            return false;
        const unsigned char *at = quote;
        while (at > s->at && at[-1] == '\\')
            at--;
        if ((quote - at) % 2 == 0)
            break;
    }
    s->at = quote + 1;
    return true;
}

static bool skip_scalar(struct scanner *s)
{
    const unsigned char *first = s->at;

    while (s->at < s->end && !memchr(",:]}[{\" \t\n\r", *s->at, 11))
        s->at++;
    return s->at > first;
}

/* One value of a text that is known to be JSON: brackets match, so they are only counted, and it may be nested as
 * deeply as it likes. Of any other text it stays within the bounds. */
static bool skip_value(struct scanner *s)
{
    size_t depth = 0;

    do {
        skip_space(s);
        if (s->at == s->end)
            return false;
        switch (*s->at) {
        case '{':
        case '[':
            depth++;
            s->at++;
            break;
        case '}':
        case ']':
            if (depth == 0)
                return false;
            depth--;
            s->at++;
            break;
        case ',':
        case ':':
            if (depth == 0)
                return false;
            s->at++;
            break;
        case '"':
            if (!skip_string(s))
                return false;
            break;
        default:
            if (!skip_scalar(s))
                return false;
        }
    } while (depth > 0);
    return true;
}

static bool next_value(struct scanner *s, struct json_slice *rest, struct json_slice *ret_value)
{
    skip_space(s);
    const unsigned char *value = s->at;
    if (!skip_value(s))
        return false;
    *ret_value = (struct json_slice){(const char *)value, (size_t)(s->at - value)};
    *rest = (struct json_slice){(const char *)s->at, (size_t)(s->end - s->at)};
    return true;
}

bool json_next_member(struct json_slice *rest, struct json_slice *ret_key, struct json_slice *ret_value)
{
    struct scanner s = scan(*rest);

    skip_space(&s);
    if (!take(&s, '{') && !take(&s, ','))
        return false;
    skip_space(&s);
    const unsigned char *key = s.at;
    if (!skip_string(&s))
        return false;
    *ret_key = (struct json_slice){(const char *)key, (size_t)(s.at - key)};
    skip_space(&s);
    return take(&s, ':') && next_value(&s, rest, ret_value);
}

bool json_next_item(struct json_slice *rest, struct json_slice *ret_value)
{
    struct scanner s = scan(*rest);

    skip_space(&s);
    return (take(&s, '[') || take(&s, ',')) && next_value(&s, rest, ret_value);
}

struct json_slice json_trim(struct json_slice slice)
{
    while (slice.size_bytes > 0 && strchr(" \t\r\n", slice.text[0]) && slice.text[0] != '\0') {
        slice.text++;
        slice.size_bytes--;
    }
    while (slice.size_bytes > 0 && strchr(" \t\r\n", slice.text[slice.size_bytes - 1]) &&
           slice.text[slice.size_bytes - 1] != '\0')
        slice.size_bytes--;
    return slice;
}

void json_append_unescaped(struct buffer *buffer, struct json_slice string)
{
    if (!memchr(string.text, '\\', string.size_bytes)) {
        buffer_append(buffer, string.text + 1, string.size_bytes - 2);
        return;
    }
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *value = NULL;
    if (tokener && string.size_bytes < INT_MAX)
        value = json_tokener_parse_ex(tokener, string.text, (int)string.size_bytes);
    if (value)
        buffer_append(buffer, json_object_get_string(value), (size_t)json_object_get_string_len(value));
    else
        buffer->failed = true;
    json_object_put(value);
    if (tokener)
        json_tokener_free(tokener);
}

void json_append_string(struct buffer *buffer, const char *bytes, size_t size_bytes)
{
    const unsigned char *at = (const unsigned char *)bytes;
    const unsigned char *end = at + size_bytes;
    const unsigned char *plain = at; /* from here up to `at` nothing needs an escape */

    buffer_append(buffer, "\"", 1);
    while (at < end) {
        size_t size = utf8_size(at, end);
        if (size > 0 && *at >= 0x20 && *at != '"' && *at != '\\') {
            at += size;
            continue;
        }
        buffer_append(buffer, plain, (size_t)(at - plain));
        if (size == 0)
            buffer_append_text(buffer, "\\ufffd");
        else if (*at == '"' || *at == '\\')
            buffer_printf(buffer, "\\%c", *at);
        else if (*at == '\n' || *at == '\r' || *at == '\t')
            buffer_append_text(buffer, *at == '\n' ? "\\n" : *at == '\r' ? "\\r" : "\\t");
        else
            buffer_printf(buffer, "\\u%04x", *at);
        plain = ++at;
    }
    buffer_append(buffer, plain, (size_t)(at - plain));
    buffer_append(buffer, "\"", 1);
}
