/* `where` of a trigger's definition: a list of conditions on columns, all of which a row must meet. Checked, and
 * written anew, so that nothing of the client's own text reaches the database. Inside triggers/ only. */
#pragma once

#include "base/buffer.h"

struct json_object;

/* Appends ,"where":[...] to json, or nothing for an empty list. Returns 0, or -EPROTO: then a sentence was appended to
 * problem. */
int conditions_take(struct json_object *value, struct buffer *json, struct buffer *problem);

/* A word to compare with those that we know, lent; "" for what is not a string, or has a NUL in it. */
const char *condition_word(struct json_object *value);

/* A name of a column, a table, a schema or a channel: a string of 1 to 63 bytes without control characters, lent.
 * Returns 0, or -EPROTO with a sentence. */
int condition_check_name(struct json_object *value, const char *member, const char **ret_text, struct buffer *problem);
