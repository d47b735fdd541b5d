#include "stream/expiry.h"

#include "stream/hub_own.h"
#include "stream/subscriber.h"

#include <stddef.h>

enum { ENDS_PER_TURN = 4096 };

typedef void visitor(struct subscriber *subscriber, void *context); /* may free it */

static void walk_list(struct subscriber_list *list, visitor *visit, void *context)
{
    struct subscriber *next;

    for (struct subscriber *subscriber = TAILQ_FIRST(list); subscriber; subscriber = next) {
        next = TAILQ_NEXT(subscriber, link);
        visit(subscriber, context);
    }
}

static void walk_feed(struct feed *feed, visitor *visit, void *context)
{
    walk_list(&feed->opening, visit, context);
    walk_list(&feed->live, visit, context);
    walk_list(&feed->blocked, visit, context);
    struct subscriber *next;
    for (struct subscriber *subscriber = TAILQ_FIRST(&feed->away); subscriber; subscriber = next) {
        next = TAILQ_NEXT(subscriber, away_link);
        visit(subscriber, context);
    }
}

struct ending {
    int64_t now_ms;
    int left;
};

/* Meanwhile its feed learns anew when the next one's time is over. */
static void end_when_over(struct subscriber *subscriber, void *context)
{
    struct ending *ending = context;

    if (subscriber->state == SUBSCRIBER_ENDING)
        return;
    if (subscriber->expires_ms <= ending->now_ms && ending->left > 0) {
        ending->left--;
        subscriber_cut(subscriber, subscriber->revoked ? "{\"reason\":\"revoked\"}" : "{\"reason\":\"expired\"}");
    } else if (subscriber->expires_ms < subscriber->feed->expires_ms) {
        subscriber->feed->expires_ms = subscriber->expires_ms;
    }
}

void expiry_run(struct loop_task *task)
{
    struct hub_state *state = (struct hub_state *)((char *)task - offsetof(struct hub_state, expiry));
    struct hub *hub = (struct hub *)((char *)state - offsetof(struct hub, state));
    struct ending ending = {loop_turn_ms(state->loop), ENDS_PER_TURN};
    struct feed *feed;

    loop_doing(state->loop, "ending streams whose right is over");
    TAILQ_FOREACH (feed, &hub->registry.feeds, link) {
        if (feed->expires_ms > ending.now_ms)
            continue;
        feed->expires_ms = INT64_MAX;
        walk_feed(feed, end_when_over, &ending);
    }
    if (ending.left == 0)
        loop_task_queue(state->loop, &state->expiry);
}

struct revoking {
    bool (*still_valid)(void *context, uint64_t source, const struct selection *selection);
    void *context;
    int64_t now_ms;
    bool any;
};

static void revoke_unless_valid(struct subscriber *subscriber, void *context)
{
    struct revoking *revoking = context;
    struct feed *feed = subscriber->feed;

    if (revoking->still_valid(revoking->context, subscriber->source, &feed->selection))
        return;
    subscriber->revoked = true;
    subscriber->expires_ms = feed->expires_ms = revoking->now_ms;
    revoking->any = true;
}

void hub_revoke(struct hub *hub, bool (*still_valid)(void *context, uint64_t source, const struct selection *selection),
                void *context)
{
    struct revoking revoking = {still_valid, context, loop_turn_ms(hub->state.loop), false};
    struct feed *feed;

    TAILQ_FOREACH (feed, &hub->registry.feeds, link)
        walk_feed(feed, revoke_unless_valid, &revoking);
    if (revoking.any)
        loop_task_queue(hub->state.loop, &hub->state.expiry);
}
