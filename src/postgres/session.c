#include "postgres/session.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* For the query itself, which must neither run out of time nor be compiled for the processor first. What several
 * statements in one message set LOCAL ends with them: a pooler's next client has nothing of it. */
#define FIRST "SET LOCAL statement_timeout = 0; SET LOCAL jit = off; "

/* Of name and value, for set_config(). All may be set by everybody, and are in all versions from 14 on. */
#define SETTINGS                                                                                                       \
    "('statement_timeout','0'),('role','none'),('search_path','pg_catalog, pg_temp'),"                                 \
    "('standard_conforming_strings','on'),('default_transaction_read_only','off'),"                                    \
    "('default_transaction_isolation','read committed'),('default_transaction_deferrable','off'),"                     \
    "('lock_timeout','0'),('idle_in_transaction_session_timeout','0'),('idle_session_timeout','0'),"                   \
    "('client_min_messages','warning'),('DateStyle','ISO, YMD'),('IntervalStyle','iso_8601'),('TimeZone','UTC'),"      \
    "('extra_float_digits','1'),('bytea_output','hex'),('xmlbinary','base64'),('lc_monetary','C'),"                    \
    "('lc_numeric','C'),('lc_time','C'),('array_nulls','on'),('quote_all_identifiers','off'),"                         \
    "('transform_null_equals','off'),('escape_string_warning','on'),('backslash_quote','safe_encoding'),"              \
    "('row_security','on'),('check_function_bodies','on'),('jit','off'),('plan_cache_mode','auto'),"                   \
    "('enable_seqscan','on'),('enable_indexscan','on'),('enable_indexonlyscan','on'),('enable_bitmapscan','on'),"      \
    "('enable_nestloop','on'),('enable_hashjoin','on'),('enable_mergejoin','on'),('enable_sort','on'),"                \
    "('enable_hashagg','on'),('enable_material','on')"

static const char *make_sql(const PGconn *pq, const char *more)
{
    static char sql[4096];
    const char *since_17 = PQserverVersion(pq) >= 170000 ? ",('transaction_timeout','0')" : "";
    int size = snprintf(sql, sizeof(sql),
                        FIRST "SELECT pg_catalog.set_config(s.name, s.value, false) FROM (VALUES " SETTINGS
                              "%s%s) AS s (name, value) WHERE pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) %d",
                        since_17, more, PQbackendPID(pq));

    assert(size > 0 && size < (int)sizeof(sql));
    return sql;
}

const char *session_sql(const PGconn *pq)
{
    return make_sql(pq, "");
}

/* A client of this encoding gets what there is, and sends what the database's encoding takes. */
#define BYTES "SQL_ASCII"

const char *session_sql_for_bytes(const PGconn *pq)
{
    bool converts = transcoder_find(PQparameterStatus(pq, "server_encoding"));

    return make_sql(pq, converts ? ",('client_encoding','" BYTES "')" : "");
}

struct transcoder *session_transcoder(const PGconn *pq)
{
    const char *own = PQparameterStatus(pq, "client_encoding");

    return own && strcmp(own, BYTES) == 0 ? transcoder_find(PQparameterStatus(pq, "server_encoding")) : NULL;
}

int session_begin(PGconn *pq)
{
    PGresult *result = PQexec(pq, session_sql(pq));
    int error = PQresultStatus(result) == PGRES_TUPLES_OK ? 0 : -EIO;

    PQclear(result);
    return error;
}
