#include "durable_options.h"

struct durable_reader_options durable_options(const struct config *config)
{
    return (struct durable_reader_options){
        .database = config->database,
        .tick_ms = config->durable.tick_ms,
        .order = config->durable.order == DURABLE_ORDER_CAUSAL ? "causal" : "commit_timestamp",
        .retention_s = config->durable.retention_s,
        .retention_bytes = config->durable.retention_bytes,
        .event_bytes_max = config->durable.event_bytes_max,
        .page_bytes = config->durable.page_bytes,
    };
}
