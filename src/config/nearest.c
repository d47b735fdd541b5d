#include "config/nearest.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* How many bytes must be put in, taken out or replaced to make one of the other. */
static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned row[SETTING_PATH_BYTES_MAX + 1];

    if (a_length > SETTING_PATH_BYTES_MAX || b_length > SETTING_PATH_BYTES_MAX)
        return UINT_MAX;
    for (unsigned j = 0; j <= b_length; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a_length; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b_length; j++) {
            unsigned replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
            if (replaced < row[j])
                row[j] = replaced;
        }
    }
    return row[b_length];
}

/* A third of the name may be wrong, and no more than three bytes. */
static unsigned distance_max(size_t length)
{
    return length / 3 < 3 ? (unsigned)(length / 3) : 3;
}

bool nearest_path(const char *path, char ret_path[SETTING_PATH_BYTES_MAX + 1])
{
    const char *dot = strchr(path, '.');
    const char *leaf = dot ? dot + 1 : path;
    size_t path_length = strlen(path), leaf_length = strlen(leaf);
    unsigned best = UINT_MAX;

    for (const struct setting *setting = settings; setting->path; setting++) {
        const char *known = setting_leaf(setting);
        size_t group_bytes = setting_group_bytes(setting);
        unsigned whole = distance(path, path_length, setting->path, strlen(setting->path));
        unsigned elsewhere = distance(leaf, leaf_length, known, strlen(known));
        unsigned group = distance(path, path_length, setting->path, group_bytes);
        if (whole < best && whole <= distance_max(path_length)) {
            best = whole;
            snprintf(ret_path, SETTING_PATH_BYTES_MAX + 1, "%s", setting->path);
        }
        if (elsewhere < best && elsewhere <= distance_max(leaf_length)) {
            best = elsewhere;
            snprintf(ret_path, SETTING_PATH_BYTES_MAX + 1, "%s", setting->path);
        }
        if (group < best && group_bytes > 0 && group <= distance_max(path_length)) {
            best = group;
            snprintf(ret_path, SETTING_PATH_BYTES_MAX + 1, "%.*s", (int)group_bytes, setting->path);
        }
    }
    return best != UINT_MAX;
}

bool nearest_variable(const char *name, char ret_name[SETTING_VARIABLE_BYTES])
{
    const size_t prefix = strlen("TUPLECAST_");
    size_t length = strlen(name) - prefix;
    unsigned best = UINT_MAX;
    char known[SETTING_VARIABLE_BYTES];

    for (const struct setting *setting = settings; setting->path; setting++) {
        setting_variable(setting->path, known);
        size_t group_bytes = setting_group_bytes(setting) > 0 ? setting_group_bytes(setting) + 1 : 0;
        const char *leaf = known + prefix + group_bytes;
        unsigned whole = distance(name + prefix, length, known + prefix, strlen(known + prefix));
        unsigned alone = distance(name + prefix, length, leaf, strlen(leaf));
        unsigned least = whole < alone ? whole : alone;
        if (least < best && least <= distance_max(length)) {
            best = least;
            memcpy(ret_name, known, sizeof(known));
        }
    }
    return best != UINT_MAX;
}
