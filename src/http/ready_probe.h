/* Asks a running gateway's /readyz, for health checks. Blocks, for a few seconds at most. */
#pragma once

#include "config/listen_address.h"

#include <stdio.h>

/* Returns 0 when it is ready; otherwise a negative errno, after the reason was written to errors. */
int ready_probe(const struct listen_address *address, FILE *errors);
