/* Whether a session may read the log of durable channels; and when it may not, which channels are durable all the same:
 * the catalog, which everybody may read, names them by their triggers. */
#pragma once

#include "base/text_list.h"
#include "postgres/query_queue.h"
#include "postgres/schema_check.h"
#include "stream/stats.h"

enum admission_verdict {
    ADMITTED,
    REFUSED, /* `fault` and `why` are set */
    UNDONE,  /* the connection is lost, or an error made it so */
};

struct durable_admission {
    struct query_queue *queue; /* lent */
    const char *order;         /* make_tick()'s; static */
    void (*on_done)(void *context, enum admission_verdict verdict);
    void *context;

    struct schema_check schema;
    enum durable_fault fault;
    char why[256]; /* a sentence that everybody may read, without names of roles */
    /* Of durable channels, when it is refused; kept until the next time it is asked. With DURABLE_FAULT_ABSENT they are
     * hints, and say at most which of the known names are still in use: everybody can make such triggers. */
    struct text_list names;
    bool names_known; /* false: nobody who can be trusted says which there are */
};

/* Asks, one query after the other. on_done is called once, from no call of ours, unless this fails. Returns 0, or what
 * query_queue_add() returns. */
int durable_admission_begin(struct durable_admission *admission);
void durable_admission_done(struct durable_admission *admission);
