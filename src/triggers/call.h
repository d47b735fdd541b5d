/* What the REST interface asks of the database, and what it gets back: the words that http/ and postgres/
 * share, since neither may know the other. */
#pragma once

#include "triggers/definition.h"

enum trigger_verb { TRIGGER_LIST, TRIGGER_GET, TRIGGER_PUT, TRIGGER_DELETE };

struct trigger_request {
    enum trigger_verb verb;
    const char *name;                            /* not for LIST */
    const struct trigger_definition *definition; /* for PUT */
    const char *schema, *table, *channel;        /* for LIST; NULL: all */
};

struct trigger_answer {
    const char *json;     /* the trigger, or the list; NULL when there is a problem or nothing to say */
    bool created;         /* PUT made a new one */
    const char *sqlstate; /* NULL: it went well; five characters of PostgreSQL's (08006 when it cannot be reached) */
    const char *message, *detail, *hint; /* of a problem; NULL where there is none */
};

/* Everything is lent for the time of the call. */
typedef void (*trigger_done)(void *context, const struct trigger_answer *answer);
