/* What the configuration says of durable channels, as their reader takes it. */
#pragma once

#include "config/config.h"
#include "postgres/durable_reader.h"

/* Texts are lent by config. */
struct durable_reader_options durable_options(const struct config *config);
