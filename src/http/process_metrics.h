/* What the process takes of the machine, under the names that Prometheus' client libraries have agreed on. */
#pragma once

#include "base/buffer.h"

#include <stdint.h>

/* started_ms: since 1970. Reads /proc/self/statm and the limits; what cannot be read is left out. */
void process_metrics_append(struct buffer *out, int64_t started_ms);
