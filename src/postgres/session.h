/* What every session of ours relies on, whatever ALTER ROLE and ALTER DATABASE say: names are found in pg_catalog,
 * values are written in one form, nothing runs out of time or is read-only. */
#pragma once

#include "base/transcode.h"

#include <libpq-fe.h>

/* A message that sets all of it for the session; of static storage. It does nothing behind a pooler, where the session
 * is not ours alone and others would go on with our settings: who needs them must not be there (durable_begin.c). */
const char *session_sql(const PGconn *pq);

/* The same for a session whose answers are converted here, not by the server: its bytes come and go as the database has
 * them, wherever there is a converter (session_transcoder). */
const char *session_sql_for_bytes(const PGconn *pq);

/* What converts the text of a session that is set up, both ways; NULL: it is UTF-8. */
struct transcoder *session_transcoder(const PGconn *pq);

/* The same, waiting for the answer; for the command line. Returns 0 or -EIO; PQerrorMessage says why. */
int session_begin(PGconn *pq);
