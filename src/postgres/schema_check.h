/* Looks over a queue of queries whether the database side is the right one, and says in the log when it is not. A
 * schema that is not as it should be may well work: so that is said, and no more. */
#pragma once

#include "postgres/query_queue.h"
#include "postgres/schema_state.h"

struct schema_check {
    struct query_queue *queue; /* lent */
    void (*on_done)(void *context, const char *sqlstate, const char *message);
    void *context;
    struct schema_state state; /* being collected */
    char said[1024];           /* is in the log already */
};

/* Asks, one query after the other. on_done is called once, from no call of ours: with sqlstate NULL when the state is
 * known, or said not to be; otherwise the connection is lost. Returns what query_queue_add() returns. */
int schema_check_begin(struct schema_check *check);
