/* A row of the database's log, and the event that it is.
 *
 * Its texts come from our own functions, and are what PostgreSQL itself wrote as JSON. So, unlike a notification's
 * payload, they are put together without being checked and taken apart. */
#pragma once

#include "stream/event.h"
#include "stream/json_text.h"

struct log_change {
    const char *channel;
    struct json_slice head; /* the beginning of the object's members: "schema":..,"table":..,"type":..,"id":
                             * with "op":.. behind the type where the statement was another one */
    struct json_slice id;   /* JSON */
    struct json_slice data; /* JSON; empty: left out, because it is too large */
    struct json_slice old;  /* ,"old":..,"changed":.. or ,"_was":.. (of a DELETE without a row: event_was) or empty */
    struct json_slice lost; /* "data.shape","old.shape": columns that could not be made JSON, for `cut`; or empty */
    int64_t at_us;          /* microseconds since 1970, UTC */
    bool old_left_out;
};

/* What one change after the other is made into an event with. It remembers what was the same the last time. */
struct log_decoder {
    struct buffer json, id;
    char *head, *schema, *table; /* the last head, and what it says; owned */
    size_t head_bytes;
    enum event_type type;
    int64_t second; /* whose text is `second_text` */
    char second_text[32];
};

void log_decoder_init(struct log_decoder *decoder);
void log_decoder_done(struct log_decoder *decoder);

/* Returns 0, -E2BIG or -ENOMEM. */
int log_decoder_decode(struct log_decoder *decoder, const struct log_change *change, struct event **ret_event);
