/* What every session of ours relies on, whatever ALTER ROLE and ALTER DATABASE say: names are found in pg_catalog,
 * values are written in one form, nothing runs out of time or is read-only. */
#pragma once

#include <libpq-fe.h>

/* A message that sets all of it for the session; of static storage. It does nothing behind a pooler, where the session
 * is not ours alone and others would go on with our settings: who needs them must not be there (durable_begin.c). */
const char *session_sql(const PGconn *pq);

/* The same, waiting for the answer; for the command line. Returns 0 or -EIO; PQerrorMessage says why. */
int session_begin(PGconn *pq);
