/* What can be done with one entry of the table in settings.c. */
#include "config/settings.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

const struct setting *setting_find(const char *path)
{
    for (const struct setting *setting = settings; setting->path; setting++)
        if (strcmp(setting->path, path) == 0)
            return setting;
    return NULL;
}

const char *setting_leaf(const struct setting *setting)
{
    const char *dot = strchr(setting->path, '.');

    return dot ? dot + 1 : setting->path;
}

size_t setting_group_bytes(const struct setting *setting)
{
    const char *dot = strchr(setting->path, '.');

    return dot ? (size_t)(dot - setting->path) : 0;
}

void setting_variable(const char *path, char ret_name[SETTING_VARIABLE_BYTES])
{
    int length = snprintf(ret_name, SETTING_VARIABLE_BYTES, "TUPLECAST_%s", path);

    assert(length > 0 && length < SETTING_VARIABLE_BYTES);
    for (char *c = ret_name; *c; c++)
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
}

void *setting_field(const struct setting *setting, struct config *config)
{
    return (char *)config + setting->offset;
}

const void *setting_field_const(const struct setting *setting, const struct config *config)
{
    return (const char *)config + setting->offset;
}

unsigned setting_enumeration(const struct setting *setting, const struct config *config)
{
    unsigned value;

    assert(setting->type == SETTING_ENUMERATION);
    memcpy(&value, setting_field_const(setting, config), sizeof(value));
    return value;
}
