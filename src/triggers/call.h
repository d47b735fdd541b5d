/* What the REST interface asks of the database, and what it gets back: the words that http/ and postgres/
 * share, since neither may know the other. */
#pragma once

#include "base/text_list.h"
#include "triggers/definition.h"

enum trigger_verb { TRIGGER_LIST, TRIGGER_GET, TRIGGER_PUT, TRIGGER_DELETE, TRIGGER_TABLES };

struct trigger_request {
    enum trigger_verb verb;
    const char *name;                            /* for GET, PUT and DELETE; PUT without one: the database chooses it */
    const struct trigger_definition *definition; /* for PUT */
    const char *schema, *table, *channel;        /* for LIST and, the first, TABLES; NULL: all */
    const struct text_list *schemas;             /* for TABLES: no others */
    /* For PUT and DELETE: entity tags without quotes, separated by commas, or `*`; NULL: any (RFC 9110, section 13.1).
     */
    const char *if_match, *if_none_match;
    bool dry_run; /* for PUT and DELETE: run it, and take it back */
};

struct trigger_answer {
    const char *json;     /* the trigger, or the list; NULL when there is a problem or nothing to say */
    bool created;         /* PUT made a new one */
    const char *sqlstate; /* NULL: it went well; five characters of PostgreSQL's (08006 when it cannot be reached) */
    const char *message, *detail, *hint; /* of a problem; NULL where there is none */
};

/* Everything is lent for the time of the call. */
typedef void (*trigger_done)(void *context, const struct trigger_answer *answer);
