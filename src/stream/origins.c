#include "stream/origins.h"

#include <stdlib.h>
#include <string.h>

size_t origins_count(const struct origins *origins, const char *address)
{
    const struct origin *origin = text_tree_find(&origins->by_address, address);

    return origin ? origin->streams : 0;
}

struct origin *origins_enter(struct origins *origins, const char *address)
{
    struct origin *origin = text_tree_find(&origins->by_address, address);

    if (!origin) {
        origin = calloc(1, sizeof(*origin));
        if (origin)
            origin->address = strdup(address);
        if (!origin || !origin->address || !text_tree_add(&origins->by_address, origin)) {
            if (origin)
                free(origin->address);
            free(origin);
            return NULL;
        }
    }
    origin->streams++;
    return origin;
}

void origins_leave(struct origins *origins, struct origin *origin)
{
    if (!origin || --origin->streams > 0)
        return;
    text_tree_remove(&origins->by_address, origin);
    free(origin->address);
    free(origin);
}
