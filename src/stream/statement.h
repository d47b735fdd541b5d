/* Statements that change many rows: what their rows have in common comes first, each row follows as a list of values
 * (docs/decisions/0011). Here a row becomes the payload that it would have been by itself.
 *
 *     {"_":18,"schema":"public","table":"posts","type":"INSERT","key":["id"],"columns":["id","title"]}
 *     {"_":18,"row":[17,"Hello"]}
 *     {"_":18,"row":[18,"Rows, cast to every browser"]}
 *
 * `"op":"UPDATE"` between type and key says which statement it was, where the type is another one. Its DELETEs have no
 * data: their rows say what was there, so that whoever may see it is told that it has gone (event_was).
 *
 * PostgreSQL delivers the notifications of a transaction together and in the order in which they were sent (NOTIFY,
 * Notes), so only the last statement is remembered, with the session that sent it: of one connection, for as long as
 * that lasts.
 *
 * Anybody may send what looks like one. What that brings about are events, as of any payload, and gaps, by rows of no
 * statement; but nothing very large of something small: a row's value stands once in the data, and once more for each
 * time that the key names it, which is KEY_COLUMNS_MAX times at the most. */
#pragma once

#include "base/buffer.h"
#include "stream/json_text.h"

/* Zeroed it is one that knows nothing. */
struct statement {
    struct buffer text;       /* the notification; what follows points into it */
    struct json_slice number; /* empty: nothing is known */
    int sender;               /* the session, by the number that its server knows it by */
    struct json_slice schema, table, type, op, key,
        columns;         /* key and columns are arrays of strings; op may be empty */
    struct buffer whole; /* of the row that was put together last */
};

void statement_done(struct statement *statement);

/* On a new connection, or when notifications may have been missed: rows that still come are nobody's. */
void statement_forget(struct statement *statement);

/* True when the payload is the beginning of a statement, which is remembered in place of the one before; without memory
 * none is. False, and nothing has changed, when a member is missing, of another type or there twice. */
bool statement_begin(struct statement *statement, int sender, const char *payload, size_t payload_bytes);

/* True when the payload is a row of some statement: with lists where there must be some, and no member twice. */
bool statement_is_row(const char *payload, size_t payload_bytes);

/* Makes of such a row the payload that stands for itself, lent until the next call. 0; -ENOENT when it is not a row of
 * the statement that is remembered, or another session's; -EBADMSG when it has not as many values as that has columns;
 * -ENOMEM. */
int statement_expand(struct statement *statement, int sender, const char *payload, size_t payload_bytes,
                     struct json_slice *ret_payload);
