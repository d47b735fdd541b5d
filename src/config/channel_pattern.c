#include "config/checks.h"
#include "config/config.h"

#include <stdio.h>
#include <string.h>

/* On a mismatch only the last `*` takes one byte more: what the ones before it took need never be
 * reconsidered. So the work is at most the product of the lengths. */
bool channel_pattern_matches(const char *pattern, const char *name)
{
    const char *star = NULL;   /* the last one seen */
    const char *resume = NULL; /* where the bytes behind it began in name */

    while (*name) {
        if (*pattern == '*') {
            star = pattern++;
            resume = name;
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star + 1;
            name = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool config_channel_allowed(const struct config *config, const char *channel)
{
    /* The gateways' own (postgres/durable_reader.h). */
    if (check_name(channel) || strcmp(channel, "tuplecast") == 0)
        return false;
    for (size_t i = 0; i < config->channels.count; i++)
        if (channel_pattern_matches(config->channels.items[i], channel))
            return true;
    return false;
}

bool config_channels_allowed(const struct config *config, const struct text_list *channels)
{
    for (size_t i = 0; i < channels->count; i++)
        if (!config_channel_allowed(config, channels->items[i]))
            return false;
    return true;
}

bool config_table_allowed(const struct config *config, const char *schema, const char *table)
{
    char path[2 * 64 + 2];

    if (!text_list_has(&config->triggers.schemas, schema))
        return false;
    int size = snprintf(path, sizeof(path), "%s.%s", schema, table);
    for (size_t i = 0; size < (int)sizeof(path) && i < config->triggers.tables.count; i++)
        if (channel_pattern_matches(config->triggers.tables.items[i], path))
            return true;
    return config->triggers.tables.count == 0;
}
