/* A trigger as the REST interface sees it: the definition that a client sends, checked before it goes
 * anywhere. */
#pragma once

#include "base/buffer.h"
#include "base/limits.h"
#include "stream/json_text.h"

#include <stdbool.h>

enum { TRIGGER_NAME_BYTES_MAX = 40 };

struct trigger_definition {
    char *schema; /* "public" unless given */
    char *table;
    char *channel;       /* "<table>_changes" unless given */
    unsigned operations; /* of enum event_type; INSERT, UPDATE, DELETE and TRUNCATE unless given */
    char *json;          /* the whole definition, completed and checked, as the database gets it */
};

/* Whether name can be a trigger's: 1 to TRIGGER_NAME_BYTES_MAX of [0-9A-Za-z_.-]. */
bool trigger_name_is_valid(const char *name);

/* Reads a JSON body; whole_channel says that the channel's other triggers shall become durable, or live, with this one.
 * Returns 0; -EINVAL when it is not JSON, or -EPROTO when it is not a definition: then a sentence that says what is
 * wrong was appended to ret_problem; -ENOMEM. */
int trigger_definition_parse(struct json_slice body, bool whole_channel, struct trigger_definition *ret_definition,
                             struct buffer *ret_problem);
void trigger_definition_done(struct trigger_definition *definition); /* also fine on a zeroed one */
