/* Whether durable channels are read, as operators and clients are told: a failure that passes is nobody's business, one
 * that lasts is everybody's.
 *
 * The reader says each time that a look at the log went well, and each time that something failed. When nothing went
 * well for DURABLE_LASTING_MS, the channels count as down, and the newest failure is the reason; a refusal counts at
 * once. The next thing that goes well ends that. */
#pragma once

#include "loop/loop.h"
#include "stream/hub.h"
#include "stream/stats.h"

enum { DURABLE_LASTING_MS = 5000 };

struct durable_health {
    struct loop *loop;
    struct hub *hub;
    struct durable_stats *stats; /* lent: `up`, `faults` and `problem` are ours to write */
    struct loop_timer timer;

    int64_t works_ms;                         /* when a look at the log last went well, or the program began */
    enum durable_fault fault;                 /* the newest failure since then; NONE: it only takes long */
    bool is_down;                             /* as was told */
    int64_t failing_since_ms[DURABLE_FAULTS]; /* of history and retention; 0: it works */
};

/* Returns 0, or -errno. */
int durable_health_init(struct durable_health *health, struct loop *loop, struct hub *hub, struct durable_stats *stats);
void durable_health_done(struct durable_health *health); /* fine on a zeroed one */

void durable_health_works(struct durable_health *health);
void durable_health_connected(struct durable_health *health);
/* Something failed that may work when it is tried again. */
void durable_health_fails(struct durable_health *health, enum durable_fault fault);
/* It will not work before somebody does something about it; why is a sentence for everybody. */
void durable_health_refused(struct durable_health *health, enum durable_fault fault, const char *why);
/* DURABLE_FAULT_HISTORY or _RETENTION: it was tried, and went well or not. */
void durable_health_upkeep(struct durable_health *health, enum durable_fault fault, bool went_well);
