#include "config/draft.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void draft_init(struct draft *draft, struct buffer *problems)
{
    *draft = (struct draft){.report = {.problems = problems}};
}

void draft_done(struct draft *draft)
{
    config_done(&draft->config);
}

struct place *draft_place(struct draft *draft, const struct setting *setting)
{
    return &draft->places[setting - settings];
}

static int accepted(struct draft *draft, const struct setting *setting, struct place place)
{
    *draft_place(draft, setting) = place;
    return 0;
}

int draft_refuse(struct draft *draft, const struct setting *setting, struct place place, const char *format, ...)
{
    char text[REPORT_PART_BYTES_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    draft_place(draft, setting)->kind = PLACE_REFUSED;
    report_problem(&draft->report, place, setting->path, "%s", text);
    return 0;
}

static int refuse_quoted(struct draft *draft, const struct setting *setting, struct place place, const char *text,
                         const char *wrong)
{
    if (setting->secrecy != SETTING_OPEN)
        return draft_refuse(draft, setting, place, "its value %s", wrong);
    return draft_refuse(draft, setting, place, "\"%.100s\" %s", text, wrong);
}

static int replace_text(struct draft *draft, const struct setting *setting, struct place place, const char *text)
{
    char **field = setting_field(setting, &draft->config);
    char *copy = strdup(text);

    if (!copy)
        return -ENOMEM;
    free(*field);
    *field = copy;
    return accepted(draft, setting, place);
}

static int set_enumeration(struct draft *draft, const struct setting *setting, struct place place, const char *name)
{
    char known[128] = "";

    for (unsigned i = 0; setting->names[i]; i++) {
        size_t length = strlen(known);
        if (strcasecmp(setting->names[i], name) == 0) {
            memcpy(setting_field(setting, &draft->config), &i, sizeof(i));
            return accepted(draft, setting, place);
        }
        snprintf(known + length, sizeof(known) - length, "%s%s", i > 0 ? ", " : "", setting->names[i]);
    }
    return draft_refuse(draft, setting, place, "\"%.100s\" is unknown; use one of: %s", name, known);
}

int draft_set_string(struct draft *draft, const struct setting *setting, struct place place, const char *string)
{
    size_t length = strlen(string);
    const char *wrong = setting->check ? setting->check(string) : NULL;
    char connection_wrong[REPORT_PART_BYTES_MAX];

    if (setting->type == SETTING_ENUMERATION)
        return set_enumeration(draft, setting, place, string);
    assert(setting->type == SETTING_TEXT);
    if (length > 0 && length < (uint64_t)setting->least)
        return draft_refuse(draft, setting, place, "%zu bytes are too few; the least is %" PRId64, length,
                            setting->least);
    if (length > (uint64_t)setting->most)
        return draft_refuse(draft, setting, place, "%zu bytes are too many; the most is %" PRId64, length,
                            setting->most);
    if (wrong)
        return refuse_quoted(draft, setting, place, string, wrong);
    if (setting->secrecy == SETTING_HOLDS_PASSWORD && draft->connection_is_wrong &&
        draft->connection_is_wrong(string, connection_wrong, sizeof(connection_wrong)))
        return draft_refuse(draft, setting, place, "%s", connection_wrong);
    return replace_text(draft, setting, place, string);
}

int draft_set_integer(struct draft *draft, const struct setting *setting, struct place place, int64_t value)
{
    assert(setting->type == SETTING_INTEGER);
    if (value < setting->least)
        return draft_refuse(draft, setting, place, "%" PRId64 " is too small; the least is %" PRId64, value,
                            setting->least);
    if (value > setting->most)
        return draft_refuse(draft, setting, place, "%" PRId64 " is too large; the most is %" PRId64, value,
                            setting->most);
    memcpy(setting_field(setting, &draft->config), &value, sizeof(value));
    return accepted(draft, setting, place);
}

int draft_set_boolean(struct draft *draft, const struct setting *setting, struct place place, bool value)
{
    assert(setting->type == SETTING_BOOLEAN);
    memcpy(setting_field(setting, &draft->config), &value, sizeof(value));
    return accepted(draft, setting, place);
}

int draft_set_list(struct draft *draft, const struct setting *setting, struct place place, const char *const *items,
                   size_t count)
{
    struct text_list *field = setting_field(setting, &draft->config);
    struct text_list list;
    bool refused = false;
    int r;

    assert(setting->type == SETTING_LIST);
    if (count > (uint64_t)setting->most)
        return draft_refuse(draft, setting, place, "%zu items are too many; the most is %" PRId64, count,
                            setting->most);
    for (size_t i = 0; i < count; i++) {
        const char *wrong = setting->check ? setting->check(items[i]) : NULL;
        if (wrong) {
            refuse_quoted(draft, setting, place, items[i], wrong);
            refused = true;
        }
    }
    if (refused)
        return 0;
    r = text_list_init(&list, items, count);
    if (r < 0)
        return r;
    text_list_done(field);
    *field = list;
    return accepted(draft, setting, place);
}

static int set_integer_text(struct draft *draft, const struct setting *setting, struct place place, const char *text)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || isspace((unsigned char)text[0]))
        return draft_refuse(draft, setting, place, "\"%.100s\" is not a whole number; write digits only", text);
    if (errno == ERANGE)
        return draft_refuse(draft, setting, place, "\"%.100s\" is out of range; use %" PRId64 " to %" PRId64, text,
                            setting->least, setting->most);
    return draft_set_integer(draft, setting, place, value);
}

static int set_boolean_text(struct draft *draft, const struct setting *setting, struct place place, const char *text)
{
    bool yes = strcasecmp(text, "true") == 0;

    if (!yes && strcasecmp(text, "false") != 0)
        return draft_refuse(draft, setting, place, "\"%.100s\" is neither true nor false", text);
    return draft_set_boolean(draft, setting, place, yes);
}

/* Ends the item at its comma or its last character other than blanks. Returns its begin, and in *text the
 * next. */
static const char *cut_item(char **text)
{
    char *item = *text + strspn(*text, " \t");
    char *end = item + strcspn(item, ",");

    *text = *end ? end + 1 : NULL;
    while (end > item && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    return item;
}

static int set_list_text(struct draft *draft, const struct setting *setting, struct place place, const char *text)
{
    char *copy = strdup(text);
    char *next = copy;
    const char **items;
    size_t count = 0, count_max = 1;
    int r = -ENOMEM;

    for (const char *c = text; *c; c++)
        count_max += *c == ',';
    items = calloc(count_max, sizeof(*items));
    if (copy && items) {
        if (text[strspn(text, " \t")] == '\0')
            next = NULL;
        while (next)
            items[count++] = cut_item(&next);
        r = draft_set_list(draft, setting, place, items, count);
    }
    free(items);
    free(copy);
    return r;
}

int draft_set_text(struct draft *draft, const struct setting *setting, struct place place, const char *text)
{
    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_ENUMERATION:
        return draft_set_string(draft, setting, place, text);
    case SETTING_INTEGER:
        return set_integer_text(draft, setting, place, text);
    case SETTING_BOOLEAN:
        return set_boolean_text(draft, setting, place, text);
    case SETTING_LIST:
        return set_list_text(draft, setting, place, text);
    }
    abort();
}
