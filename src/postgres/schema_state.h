/* Whether the database side is the one that this program installs (sql/setup/state.sql, compare.sql). Two queries: the
 * first looks at the catalog alone, and says whether the second may look into the schema. */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

enum { SCHEMA_VERSION = 1, SCHEMA_DETAIL_BYTES = 768 };

enum schema_kind {
    SCHEMA_NONE,
    SCHEMA_FOREIGN, /* belongs to somebody else than who would install it, or who is trusted: nothing in it is used */
    SCHEMA_ODD,     /* a form of before the first release, or nothing of ours */
    SCHEMA_UNREADABLE, /* this role has not been granted anything yet */
    SCHEMA_PRESENT,    /* the second query is to be asked */
    SCHEMA_RIGHT,
    SCHEMA_NEWER,
    SCHEMA_OLDER,
    SCHEMA_OTHER, /* of this version, but of another build */
    SCHEMA_ALTERED,
};

struct schema_state {
    enum schema_kind kind;
    bool superuser, mendable;
    char detail[SCHEMA_DETAIL_BYTES];
};

/* The first query. Its parameter is `t` for setup: the schema has to belong to who asks (tuplecast_owner, for a
 * superuser). For who calls what is in it, `f`: it has to belong to somebody who gains nothing by that. */
const char *schema_state_sql(void);
void schema_state_take(struct schema_state *ret_state, const PGresult *result);

/* The second one; its parameters are the version and the checksum of this program. NULL when there is no memory. */
const char *schema_compare_sql(void);
void schema_state_compare(struct schema_state *state, const PGresult *result);

/* Both, waiting for the answers. 0 or -EIO; PQerrorMessage says why. */
int schema_state_read(PGconn *pq, bool own, struct schema_state *ret_state);

/* What is wrong, and what to do; "" when nothing is, or nothing is known. */
void schema_state_say(const struct schema_state *state, char *text, size_t size);
