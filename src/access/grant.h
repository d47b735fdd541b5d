/* What a request may see. Never changes once made; shared by reference counts between a request and the tickets that
 * stand for it. */
#pragma once

#include "base/text_list.h"
#include "stream/row_filter.h"

#include <stdbool.h>
#include <stdint.h>

enum { GRANT_CHANNELS_MAX = 256, CLOCK_SKEW_S = 60 };

struct grant {
    unsigned references;
    struct text_list channels; /* names and patterns; empty: all that the configuration allows */
    struct row_filter where;
    int64_t expires_s; /* Unix time from which on it counts no more, skew included; INT64_MAX: never */
    uint64_t source;   /* what vouches for it (access_knows); never 0 */
    uint64_t token;    /* equal for all grants of one token; 0: it has this one alone */
};

struct grant *grant_new(void); /* for everything, for ever; NULL without memory */
struct grant *grant_ref(struct grant *grant);
void grant_unref(struct grant *grant); /* NULL is fine */

/* grant may be NULL, which is what a gateway that is open to all gives. */
bool grant_allows(const struct grant *grant, const char *channel);
