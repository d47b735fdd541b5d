#include "base/descriptors.h"

#include <stdint.h>
#include <sys/resource.h>

size_t descriptors_room(size_t reserved)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return SIZE_MAX;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur > reserved ? limit.rlim_cur - reserved : 1;
}
