/* Events as the frames that a stream carries: with their id, and named as the selection asks. */
#pragma once

#include "stream/hub_state.h"
#include "stream/selection.h"

void encode_event(struct hub_state *hub, const struct selection *selection, const struct event *event,
                  struct buffer *out);

/* A gap event: between the ids requested (may be NULL) and resumed something may be missing; the stream goes on behind
 * position, which is its id and not above resumed. reason is one of restart, outage, lagged, expired and unknown-id; it
 * is counted. */
void encode_gap(struct hub_state *hub, const char *reason, const char *requested, uint64_t resumed, uint64_t position,
                struct buffer *out);

/* The ready event: everything numbered above number follows. */
void encode_ready(const struct hub_state *hub, const struct selection *selection, uint64_t number, struct buffer *out);
