#include "stream/stats.h"

#include <string.h>

static const struct {
    const char *name, *sentence;
} faults[DURABLE_FAULTS] = {
    [DURABLE_FAULT_NONE] = {"none", ""},
    [DURABLE_FAULT_CONNECTION] = {"connection", "the log cannot be reached; the gateway's log says why"},
    [DURABLE_FAULT_POOLER] = {"pooler", "there is a pooler between this gateway and the database"},
    [DURABLE_FAULT_ABSENT] = {"absent", "the database side is not installed"},
    [DURABLE_FAULT_SCHEMA] = {"schema", "the database side is not the right one"},
    [DURABLE_FAULT_RIGHTS] = {"rights", "the role of this gateway may not read the log"},
    [DURABLE_FAULT_STANDBY] = {"standby", "the database is a standby"},
    [DURABLE_FAULT_ORDER] = {"order", "the database cannot order the events as durable.order says"},
    [DURABLE_FAULT_TICKS] = {"ticks", "ticks cannot be made; the gateway's log says why"},
    [DURABLE_FAULT_READING] = {"reading", "the log cannot be read; the gateway's log says why"},
    [DURABLE_FAULT_HISTORY] = {"history",
                               "history cannot be read, and who comes back waits; the gateway's log says why"},
    [DURABLE_FAULT_RETENTION] = {"retention", "the log cannot be shortened, and grows; the gateway's log says why"},
};

const char *durable_fault_name(enum durable_fault fault)
{
    return faults[fault].name;
}

enum durable_fault durable_fault_of(const char *name, size_t bytes)
{
    for (size_t i = 0; i < DURABLE_FAULTS; i++)
        if (strlen(faults[i].name) == bytes && memcmp(faults[i].name, name, bytes) == 0)
            return (enum durable_fault)i;
    return DURABLE_FAULT_READING;
}

const char *durable_fault_sentence(enum durable_fault fault)
{
    return faults[fault].sentence;
}
