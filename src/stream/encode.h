/* Events as the frames that a stream carries: with their id, and named as the selection asks. */
#pragma once

#include "stream/hub_state.h"
#include "stream/selection.h"

/* axes and place make the event's id: the stream has seen all up to there when it has this event. */
void encode_event(struct hub_state *hub, const struct selection *selection, unsigned axes, const struct event *event,
                  const struct cursor *place, struct buffer *out);

/* A gap event: between the ids requested (may be NULL) and resumed something may be missing; the stream goes on behind
 * position, which is its id and not above resumed. reason is one of restart, outage, lagged, expired, rewound and
 * unknown-id; it is counted. */
void encode_gap(struct hub_state *hub, const char *reason, const char *requested, unsigned axes,
                const struct cursor *resumed, const struct cursor *position, struct buffer *out);

/* The ready event: everything behind place follows. */
void encode_ready(const struct hub_state *hub, const struct selection *selection, unsigned axes,
                  const struct cursor *place, struct buffer *out);
