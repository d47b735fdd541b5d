#include "stream/origins.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

static int compare_first_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct origin *find(const struct origins *origins, const char *address)
{
    void *node = tfind(&address, &origins->by_address, compare_first_text);

    return node ? *(struct origin **)node : NULL;
}

size_t origins_count(const struct origins *origins, const char *address)
{
    const struct origin *origin = find(origins, address);

    return origin ? origin->streams : 0;
}

struct origin *origins_enter(struct origins *origins, const char *address)
{
    struct origin *origin = find(origins, address);

    if (!origin) {
        origin = calloc(1, sizeof(*origin));
        if (origin)
            origin->address = strdup(address);
        if (!origin || !origin->address || !tsearch(origin, &origins->by_address, compare_first_text)) {
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
    tdelete(origin, &origins->by_address, compare_first_text);
    free(origin->address);
    free(origin);
}
