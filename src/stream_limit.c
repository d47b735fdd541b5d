#include "stream_limit.h"

#include "base/descriptors.h"
#include "base/log.h"

enum { DESCRIPTORS_RESERVED = 64 }; /* for everything that is not a stream */

size_t stream_limit(const struct config *config)
{
    size_t wanted = (size_t)config->limits.streams;
    size_t room = descriptors_room((size_t)config->limits.requests + DESCRIPTORS_RESERVED);

    if (room >= wanted)
        return wanted;
    log_warn("fewer streams than configured", log_number("limits.streams", (int64_t)wanted),
             log_number("possible", (int64_t)room),
             log_text("reason", "the limit of open files: raise it (LimitNOFILE, ulimit -n)"));
    return room;
}
