#include "config/file_settings.h"

#include "config/nearest.h"

#include <errno.h>
#include <inttypes.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct walk {
    const struct source_text *source;
    struct draft *draft;
};

static struct place node_place(const struct walk *walk, const config_setting_t *node)
{
    return source_text_place(walk->source, config_setting_source_line(node));
}

static const char *type_name(const config_setting_t *node)
{
    switch (config_setting_type(node)) {
    case CONFIG_TYPE_GROUP:
        return "a group";
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return "a number";
    case CONFIG_TYPE_FLOAT:
        return "a number with a fraction";
    case CONFIG_TYPE_STRING:
        return "a text";
    case CONFIG_TYPE_BOOL:
        return "true or false";
    case CONFIG_TYPE_ARRAY:
    case CONFIG_TYPE_LIST:
        return "a list";
    default:
        return "nothing";
    }
}

static const char *wanted(enum setting_type type)
{
    switch (type) {
    case SETTING_TEXT:
    case SETTING_ENUMERATION:
        return "write a text in double quotes";
    case SETTING_INTEGER:
        return "write a whole number, without quotes";
    case SETTING_BOOLEAN:
        return "write true or false, without quotes";
    case SETTING_LIST:
        return "write a list of texts, as in ( \"one\", \"two\" )";
    }
    abort();
}

static int apply_integer(struct walk *walk, const struct setting *setting, const config_setting_t *node)
{
    /* libconfig cuts hexadecimal numbers to 32 bits. */
    if (config_setting_get_format(node) != CONFIG_FORMAT_DEFAULT)
        return draft_refuse(walk->draft, setting, node_place(walk, node), "write the number in decimal");
    return draft_set_integer(walk->draft, setting, node_place(walk, node), config_setting_get_int64(node));
}

static int apply_list(struct walk *walk, const struct setting *setting, const config_setting_t *node)
{
    int count = config_setting_length(node);
    const char **items = calloc((size_t)count + 1, sizeof(*items));
    int r;

    if (!items)
        return -ENOMEM;
    for (int i = 0; i < count; i++) {
        const config_setting_t *element = config_setting_get_elem(node, (unsigned)i);
        if (config_setting_type(element) != CONFIG_TYPE_STRING) {
            r = draft_refuse(walk->draft, setting, node_place(walk, node), "item %d is %s; %s", i + 1,
                             type_name(element), wanted(SETTING_TEXT));
            goto out;
        }
        items[i] = config_setting_get_string(element);
    }
    r = draft_set_list(walk->draft, setting, node_place(walk, node), items, (size_t)count);
out:
    free(items);
    return r;
}

static int apply_setting(struct walk *walk, const struct setting *setting, const config_setting_t *node)
{
    struct place place = node_place(walk, node);
    int type = config_setting_type(node);

    if (setting->not_in_file)
        return draft_refuse(walk->draft, setting, place, "must not stand in this file, which others can often read; %s",
                            setting->not_in_file);
    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_ENUMERATION:
        if (type == CONFIG_TYPE_STRING)
            return draft_set_string(walk->draft, setting, place, config_setting_get_string(node));
        break;
    case SETTING_INTEGER:
        if (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64)
            return apply_integer(walk, setting, node);
        break;
    case SETTING_BOOLEAN:
        if (type == CONFIG_TYPE_BOOL)
            return draft_set_boolean(walk->draft, setting, place, config_setting_get_bool(node) == CONFIG_TRUE);
        break;
    case SETTING_LIST:
        if (type == CONFIG_TYPE_LIST || type == CONFIG_TYPE_ARRAY)
            return apply_list(walk, setting, node);
        break;
    }
    return draft_refuse(walk->draft, setting, place, "is %s; %s", type_name(node), wanted(setting->type));
}

static bool is_group(const char *name)
{
    size_t length = strlen(name);

    for (const struct setting *setting = settings; setting->path; setting++)
        if (setting_group_bytes(setting) == length && strncmp(setting->path, name, length) == 0)
            return true;
    return false;
}

static void report_unknown(struct walk *walk, const config_setting_t *node, const char *path)
{
    char nearest[SETTING_PATH_BYTES_MAX + 1];

    if (nearest_path(path, nearest))
        report_problem(&walk->draft->report, node_place(walk, node), path, "there is no such setting; did you mean %s?",
                       nearest);
    else
        report_problem(&walk->draft->report, node_place(walk, node), path, "there is no such setting; take it out");
}

/* A setting or a group; group is NULL at the top. */
static int apply_node(struct walk *walk, const char *group, const config_setting_t *node)
{
    const char *name = config_setting_name(node);
    const struct setting *setting;
    char path[128];
    int r = 0;

    snprintf(path, sizeof(path), "%s%s%s", group ? group : "", group ? "." : "", name);
    setting = setting_find(path);
    if (setting)
        return apply_setting(walk, setting, node);
    if (group || !is_group(name)) {
        report_unknown(walk, node, path);
        return 0;
    }
    if (config_setting_type(node) != CONFIG_TYPE_GROUP) {
        report_problem(&walk->draft->report, node_place(walk, node), path,
                       "is %s; this is a group of settings: write %s = { ... };", type_name(node), name);
        return 0;
    }
    for (int i = 0; i < config_setting_length(node) && r == 0; i++)
        r = apply_node(walk, name, config_setting_get_elem(node, (unsigned)i));
    return r;
}

static void report_syntax(struct walk *walk, const config_t *parsed)
{
    const char *wrong = config_error_text(parsed);
    const char *hint = "";

    /* libconfig notices most of these one line late. */
    if (strcmp(wrong, "syntax error") == 0)
        hint = " here or just before; look for a missing ';' or '\"', or a ',' behind the last item of a list";
    else if (strcmp(wrong, "duplicate setting name") == 0)
        hint = "; keep one of them";
    report_problem(&walk->draft->report, source_text_place(walk->source, (unsigned)config_error_line(parsed)), NULL,
                   "%s%s", wrong, hint);
}

int file_settings_apply(struct source_text *source, struct draft *draft)
{
    struct walk walk = {source, draft};
    const char *text = buffer_text(&source->text);
    const config_setting_t *root;
    config_t parsed;
    int r = 0;

    if (!text)
        return -ENOMEM;
    config_init(&parsed);
    config_set_include_dir(&parsed, "/dev/null"); /* so that nothing which looks like an include is opened */
    if (config_read_string(&parsed, text) == CONFIG_TRUE) {
        root = config_root_setting(&parsed);
        for (int i = 0; i < config_setting_length(root) && r == 0; i++)
            r = apply_node(&walk, NULL, config_setting_get_elem(root, (unsigned)i));
    } else {
        report_syntax(&walk, &parsed);
    }
    config_destroy(&parsed);
    return r;
}
