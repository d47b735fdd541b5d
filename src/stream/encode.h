/* Events as the frames that a stream carries: with their id, and named as the selection asks. */
#pragma once

#include "stream/hub_state.h"
#include "stream/selection.h"

void encode_event(struct hub_state *hub, const struct selection *selection, const struct event *event,
                  struct buffer *out);

/* A gap event: something may be missing between requested, which may be NULL, and the number resumed, where the stream
 * goes on. reason is one of restart, outage, lagged, expired and unknown-id; it is counted. */
void encode_gap(struct hub_state *hub, const char *reason, const char *requested, uint64_t resumed, struct buffer *out);
