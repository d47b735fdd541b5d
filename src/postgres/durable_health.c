#include "postgres/durable_health.h"

#include "base/log.h"
#include "stream/durable.h"

#include <stdio.h>
#include <string.h>

enum { LOOK_MS = 1000 };

static void tell_up(struct durable_health *health)
{
    if (!health->is_down)
        return;
    health->is_down = false;
    for (int fault = 0; fault < DURABLE_FAULT_HISTORY; fault++)
        health->stats->faults[fault] = false;
    health->stats->problem[0] = '\0';
    log_info("durable channels are read again");
    hub_durable_failing(health->hub, false);
}

static void tell_down(struct durable_health *health, enum durable_fault fault, const char *why)
{
    if (health->is_down && strcmp(health->stats->problem, why) == 0)
        return;
    for (int other = 0; other < DURABLE_FAULT_HISTORY; other++)
        health->stats->faults[other] = other == (int)fault;
    snprintf(health->stats->problem, sizeof(health->stats->problem), "%s", why);
    health->is_down = true;
    health->stats->up = false;
    if (fault == DURABLE_FAULT_ABSENT)
        log_info("no durable channels", log_text("reason", why));
    else
        log_warn("no durable channels", log_text("reason", why));
    hub_durable_failing(health->hub, true);
}

static void on_look(struct loop_timer *timer)
{
    struct durable_health *health = (struct durable_health *)((char *)timer - offsetof(struct durable_health, timer));
    int64_t now_ms = loop_turn_ms(health->loop);

    if (!health->is_down && now_ms - health->works_ms >= DURABLE_LASTING_MS) {
        enum durable_fault fault = health->fault != DURABLE_FAULT_NONE ? health->fault : DURABLE_FAULT_TICKS;
        tell_down(health, fault, durable_fault_sentence(fault));
    }
    for (int fault = DURABLE_FAULT_HISTORY; fault < DURABLE_FAULTS; fault++) {
        int64_t since_ms = health->failing_since_ms[fault];
        bool lasts = since_ms > 0 && now_ms - since_ms >= DURABLE_LASTING_MS;
        if (lasts && !health->stats->faults[fault])
            log_warn("the upkeep of durable channels fails",
                     log_text("reason", durable_fault_sentence((enum durable_fault)fault)));
        health->stats->faults[fault] = lasts;
    }
}

int durable_health_init(struct durable_health *health, struct loop *loop, struct hub *hub, struct durable_stats *stats)
{
    *health = (struct durable_health){
        .loop = loop, .hub = hub, .stats = stats, .works_ms = loop_clock_ms(), .fault = DURABLE_FAULT_CONNECTION};
    int error = loop_timer_init(&health->timer, loop, on_look);
    if (error == 0)
        loop_timer_set(&health->timer, LOOK_MS, LOOK_MS);
    return error;
}

void durable_health_done(struct durable_health *health)
{
    loop_timer_done(&health->timer);
}

void durable_health_works(struct durable_health *health)
{
    health->works_ms = loop_turn_ms(health->loop);
    health->fault = DURABLE_FAULT_NONE;
    health->stats->up = true;
    tell_up(health);
}

void durable_health_connected(struct durable_health *health)
{
    if (health->fault == DURABLE_FAULT_CONNECTION)
        health->fault = DURABLE_FAULT_NONE;
}

void durable_health_fails(struct durable_health *health, enum durable_fault fault)
{
    /* The connection is lost because something else failed, and is not what is wrong. */
    if (fault != DURABLE_FAULT_CONNECTION || health->fault == DURABLE_FAULT_NONE)
        health->fault = fault;
}

void durable_health_refused(struct durable_health *health, enum durable_fault fault, const char *why)
{
    health->fault = fault;
    tell_down(health, fault, why);
}

void durable_health_upkeep(struct durable_health *health, enum durable_fault fault, bool went_well)
{
    int64_t *since_ms = &health->failing_since_ms[fault];

    if (went_well)
        *since_ms = 0;
    else if (*since_ms == 0)
        *since_ms = loop_turn_ms(health->loop);
}
