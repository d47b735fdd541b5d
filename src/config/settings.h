/* The table of all settings: reading, environment names, defaults, checks and printing are driven by it. */
#pragma once

#include "config/config.h"

enum setting_type {
    SETTING_TEXT,        /* char *: least and most are bytes; empty is always allowed unless check refuses it */
    SETTING_INTEGER,     /* int64_t: least and most are values */
    SETTING_BOOLEAN,     /* bool */
    SETTING_LIST,        /* struct text_list: most is the number of items */
    SETTING_ENUMERATION, /* an enum that counts from 0 in the order of names */
};

enum setting_secrecy { SETTING_OPEN, SETTING_HOLDS_PASSWORD, SETTING_SECRET };

enum {
    SETTINGS_MAX = 64,
    SETTING_PATH_BYTES_MAX = 47,
    SETTING_VARIABLE_BYTES = 64, /* room for the name of an environment variable and its NUL */
};

struct setting {
    const char *path; /* "listen" or "group.name", the groups in one piece; NULL ends the table */
    enum setting_type type;
    size_t offset;        /* of the field in struct config */
    const char *fallback; /* the default, written as in the environment */
    int64_t least, most;
    const char *const *names;               /* of an enumeration; NULL ends */
    const char *(*check)(const char *text); /* of a text or an item: what is wrong and what to do, or NULL */
    enum setting_secrecy secrecy;
    const char *not_in_file; /* what to do instead, when it may not come from the file */
    bool needs_restart;
    const char *help; /* one line */
};

extern const struct setting settings[];

/* The setting at path, or NULL. */
const struct setting *setting_find(const char *path);

/* The last part of its path, and the length of the group before it (0 without one). */
const char *setting_leaf(const struct setting *setting);
size_t setting_group_bytes(const struct setting *setting);

void setting_variable(const char *path, char ret_name[SETTING_VARIABLE_BYTES]);

void *setting_field(const struct setting *setting, struct config *config);
const void *setting_field_const(const struct setting *setting, const struct config *config);
unsigned setting_enumeration(const struct setting *setting, const struct config *config);
