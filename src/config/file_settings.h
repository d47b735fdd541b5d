/* The settings of a configuration text: the only user of libconfig. */
#pragma once

#include "config/draft.h"
#include "config/source_text.h"

/* Sets in draft what source says and reports the rest. The places point into source. Returns 0 or -ENOMEM. */
int file_settings_apply(struct source_text *source, struct draft *draft);
