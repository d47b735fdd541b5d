#include "config/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Large enough for any one value; the escapes take four bytes at most. */
enum { VALUE_BYTES_MAX = 64 * 1024 };

static void print_quoted(const char *value, size_t size_bytes, struct buffer *text)
{
    buffer_append_text(text, "\"");
    for (size_t i = 0; i < size_bytes; i++) {
        char c = value[i];
        if (c == '"' || c == '\\')
            buffer_printf(text, "\\%c", c);
        else if ((unsigned char)c < 0x20 || c == 0x7f)
            buffer_printf(text, "\\x%02X", (unsigned)c);
        else
            buffer_append(text, &c, 1);
    }
    buffer_append_text(text, "\"");
}

typedef void redact_connection(const char *connection, struct buffer *text);

static void print_text(const struct setting *setting, const char *value, redact_connection *redact, struct buffer *text)
{
    struct buffer masked;

    buffer_init(&masked, VALUE_BYTES_MAX);
    if (setting->secrecy == SETTING_HOLDS_PASSWORD && redact)
        redact(value, &masked);
    else if (setting->secrecy != SETTING_OPEN)
        buffer_append_text(&masked, value[0] ? "***" : "");
    else
        buffer_append_text(&masked, value);
    text->failed |= masked.failed;
    print_quoted(buffer_bytes(&masked), buffer_size(&masked), text);
    buffer_done(&masked);
}

static void print_list(const struct text_list *list, struct buffer *text)
{
    buffer_append_text(text, "( ");
    for (size_t i = 0; i < list->count; i++) {
        buffer_append_text(text, i > 0 ? ", " : "");
        print_quoted(list->items[i], strlen(list->items[i]), text);
    }
    buffer_append_text(text, list->count > 0 ? " )" : ")");
}

static void print_value(const struct setting *setting, const struct config *config, redact_connection *redact,
                        struct buffer *text)
{
    const void *field = setting_field_const(setting, config);

    switch (setting->type) {
    case SETTING_TEXT:
        print_text(setting, *(char *const *)field, redact, text);
        return;
    case SETTING_INTEGER:
        buffer_printf(text, "%" PRId64, *(const int64_t *)field);
        return;
    case SETTING_BOOLEAN:
        buffer_append_text(text, *(const bool *)field ? "true" : "false");
        return;
    case SETTING_LIST:
        print_list(field, text);
        return;
    case SETTING_ENUMERATION:
        buffer_printf(text, "\"%s\"", setting->names[setting_enumeration(setting, config)]);
        return;
    }
    abort();
}

static bool same_group(const struct setting *one, const struct setting *other)
{
    size_t length = setting_group_bytes(one);

    return other->path && setting_group_bytes(other) == length && strncmp(one->path, other->path, length) == 0;
}

void config_print(const struct config *config, redact_connection *redact, struct buffer *text)
{
    for (const struct setting *setting = settings; setting->path; setting++) {
        size_t group_bytes = setting_group_bytes(setting);
        const char *indent = group_bytes > 0 ? "    " : "";
        if (group_bytes > 0 && (setting == settings || !same_group(setting, setting - 1)))
            buffer_printf(text, "%.*s = {\n", (int)group_bytes, setting->path);
        buffer_printf(text, "%s# %s\n%s%s%s = ", indent, setting->help, indent, setting->not_in_file ? "# " : "",
                      setting_leaf(setting));
        print_value(setting, config, redact, text);
        buffer_append_text(text, ";\n");
        if (group_bytes > 0 && !same_group(setting, setting + 1))
            buffer_append_text(text, "};\n");
    }
}
