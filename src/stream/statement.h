/* Statements that change many rows: what their rows have in common comes first, each row follows as a list of values
 * (docs/decisions/0011). Here a row becomes the payload that it would have been by itself.
 *
 *     {"_":18,"schema":"public","table":"posts","type":"INSERT","key":["id"],"columns":["id","title"]}
 *     {"_":18,"row":[17,"Hello"]}
 *     {"_":18,"row":[18,"Rows, cast to every browser"]}
 *
 * PostgreSQL delivers the notifications of a transaction together and in the order in which they were sent (NOTIFY,
 * Notes), so only the last statement is remembered: of one connection, for as long as that lasts. Anybody may send what
 * looks like one; no more can be had by it than by a payload that stands for itself. */
#pragma once

#include "base/buffer.h"
#include "stream/json_text.h"

/* Zeroed it is one that knows nothing. */
struct statement {
    struct buffer text;                                  /* the notification; what follows points into it */
    struct json_slice number;                            /* empty: nothing is known */
    struct json_slice schema, table, type, key, columns; /* key and columns are arrays of strings */
    struct buffer whole;                                 /* of the row that was put together last */
};

void statement_done(struct statement *statement);

/* On a new connection, or when notifications may have been missed: rows that still come are nobody's. */
void statement_forget(struct statement *statement);

/* True when the payload is the beginning of a statement, which is remembered in place of the one before; without memory
 * none is. */
bool statement_begin(struct statement *statement, const char *payload, size_t payload_bytes);

/* True when the payload is a row of some statement. */
bool statement_is_row(const char *payload, size_t payload_bytes);

/* Makes of such a row the payload that stands for itself, lent until the next call. 0; -ENOENT when it is not a row of
 * the statement that is remembered; -EBADMSG when it has not as many values as that has columns; -ENOMEM. */
int statement_expand(struct statement *statement, const char *payload, size_t payload_bytes,
                     struct json_slice *ret_payload);
