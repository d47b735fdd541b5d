/* Each stream takes a file descriptor. */
#pragma once

#include "config/config.h"

/* As many streams as configured, but no more than there are descriptors for. */
size_t stream_limit(const struct config *config);
