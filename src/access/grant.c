#include "access/grant.h"

#include "config/config.h"

#include <stdlib.h>

struct grant *grant_new(void)
{
    struct grant *grant = calloc(1, sizeof(*grant));

    if (grant) {
        grant->references = 1;
        grant->expires_s = INT64_MAX;
    }
    return grant;
}

struct grant *grant_ref(struct grant *grant)
{
    grant->references++;
    return grant;
}

void grant_unref(struct grant *grant)
{
    if (!grant || --grant->references > 0)
        return;
    text_list_done(&grant->channels);
    row_filter_done(&grant->where);
    free(grant);
}

bool grant_allows(const struct grant *grant, const char *channel)
{
    if (!grant || grant->channels.count == 0)
        return true;
    for (size_t i = 0; i < grant->channels.count; i++)
        if (channel_pattern_matches(grant->channels.items[i], channel))
            return true;
    return false;
}
