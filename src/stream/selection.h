/* What one request asks to see, and may: channels, filters, how events are named, and which rows its token grants.
 * Equal selections share a feed. */
#pragma once

#include "base/buffer.h"
#include "base/text_list.h"
#include "stream/event.h"
#include "stream/row_filter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum naming {
    NAMING_MESSAGE, /* no event line: onmessage */
    NAMING_TYPE,    /* INSERT, UPDATE, ... */
    NAMING_TABLE,   /* the table's name */
};

struct selection {
    struct text_list channels;
    struct text_list tables; /* "table" or "schema.table"; empty: all */
    struct text_list ids;    /* empty: all */
    unsigned types;          /* of enum event_type; 0: all */
    enum naming naming;
    struct row_filter where; /* not asked for, but granted */
};

void selection_done(struct selection *selection); /* also fine on a zeroed one */

/* Puts lists into one order, so that equal requests get equal keys, and appends a text that is the same for
 * equal selections only. */
void selection_key(struct selection *selection, struct buffer *ret_key);

/* Whether the filters let event pass. An outage always passes; what is not a row change passes when there is
 * no filter. */
bool selection_wants(const struct selection *selection, const struct event *event);

/* A quick look before that, for who goes through many events: an id has one of 64 marks, and what has none of the ids
 * of the selection has none of their marks, but by chance. All marks when ids do not matter. */
uint64_t selection_id_marks(const struct selection *selection);
unsigned char event_id_mark(const struct event *event); /* 0 to 63 */

/* The SSE event name for event; NULL for none. The names of control events, `error` and `open` are kept off: a table of
 * that name gets `_` behind it. The text is lent by the event, or constant. */
const char *selection_event_name(const struct selection *selection, const struct event *event);
