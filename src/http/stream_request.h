/* What a request for a stream asks for, out of its path, query and Last-Event-ID header. Works on plain
 * texts, so that tests need no server. */
#pragma once

#include "base/buffer.h"
#include "http/query.h"
#include "stream/hub.h"

struct stream_request {
    struct selection selection;
    struct start start;
};

/* path_channel: the decoded channel of /streams/{channel}, or NULL. last_event_id: the header's value, or
 * NULL; it wins over the query's. Returns 0; -EINVAL: a sentence for the client was appended to ret_problem;
 * -ENOMEM. */
int stream_request_parse(const char *path_channel, const struct query *query, const char *last_event_id,
                         size_t channels_max, struct stream_request *ret_request, struct buffer *ret_problem);
void stream_request_done(struct stream_request *request); /* also fine on a zeroed one */
