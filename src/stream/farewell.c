/* How streams end at shutdown: evenly over a time, so that their clients do not all come back in the same moment. */
#include "stream/hub_own.h"
#include "stream/subscriber.h"

enum {
    FAREWELL_INTERVAL_MS = 20,
    FAREWELLS_MIN = 64, /* at once: so few clients are no crowd, and a gateway with few streams stops soon */
};

/* Ends up to count streams of the list. Returns how many of count are left. */
static size_t end_some(struct subscriber_list *list, size_t count)
{
    struct subscriber *next;

    for (struct subscriber *subscriber = TAILQ_FIRST(list); subscriber && count > 0; subscriber = next) {
        next = TAILQ_NEXT(subscriber, link);
        if (subscriber->leaving)
            continue;
        subscriber_leave(subscriber);
        count--;
    }
    return count;
}

/* Those of the feed that are being caught up. */
static size_t end_some_away(struct feed *feed, size_t count)
{
    struct subscriber *next;

    for (struct subscriber *subscriber = TAILQ_FIRST(&feed->away); subscriber && count > 0; subscriber = next) {
        next = TAILQ_NEXT(subscriber, away_link);
        if (subscriber->leaving)
            continue;
        subscriber_leave(subscriber);
        count--;
    }
    return count;
}

static void end_streams(struct hub *hub, size_t count)
{
    struct feed *feed;

    TAILQ_FOREACH (feed, &hub->registry.feeds, link) {
        count = end_some(&feed->live, count);
        count = end_some(&feed->opening, count);
        count = end_some(&feed->blocked, count);
        count = end_some_away(feed, count);
    }
}

void hub_on_farewell(struct loop_timer *timer)
{
    struct hub *hub = (struct hub *)((char *)timer - offsetof(struct hub, farewell));
    int64_t left_ms = hub->farewells_end_ms - loop_turn_ms(hub->state.loop);
    size_t count = SIZE_MAX;

    loop_doing(hub->state.loop, "saying bye to streams");
    if (left_ms > 0) {
        count = hub->state.stats.streams / ((size_t)left_ms / FAREWELL_INTERVAL_MS + 1) + 1;
        count = count < FAREWELLS_MIN ? FAREWELLS_MIN : count;
        loop_timer_set(timer, FAREWELL_INTERVAL_MS, 0);
    }
    end_streams(hub, count);
}

void hub_close(struct hub *hub)
{
    struct hub_state *state = &hub->state;

    if (state->closing)
        return;
    state->closing = true;
    if (state->stats.streams == 0) {
        state->options.on_closed(state->options.context);
        return;
    }
    hub->farewells_end_ms = loop_turn_ms(state->loop) + state->options.close_ms;
    hub_on_farewell(&hub->farewell);
}
