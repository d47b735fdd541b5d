/* `tuplecast setup --remove`: the way back. */
#include "postgres/setup.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

/* Each trigger in a transaction of its own, so that no table waits for another one; partitions' clones go with theirs.
 * Then all the rest, which nobody writes to any more. */
static const char list_sql[] =
    "SELECT pg_catalog.format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::pg_catalog.regclass)"
    "  FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid"
    " WHERE p.pronamespace = pg_catalog.to_regnamespace('tuplecast') AND t.tgparentid = 0"
    " UNION ALL "
    "SELECT 'DROP SCHEMA tuplecast CASCADE' WHERE pg_catalog.to_regnamespace('tuplecast') IS NOT NULL"
    " UNION ALL "
    "SELECT pg_catalog.format('REVOKE CREATE ON DATABASE %I FROM tuplecast_owner', pg_catalog.current_database())"
    " WHERE pg_catalog.to_regrole('tuplecast_owner') IS NOT NULL"
    "   AND pg_catalog.has_database_privilege('tuplecast_owner', pg_catalog.current_database(), 'CREATE')"
    "   AND pg_catalog.current_setting('is_superuser') = 'on'"
    " UNION ALL "
    /* The role that setup made, unless another database or another role still has to do with it. */
    "SELECT 'DROP ROLE tuplecast_owner'"
    "  FROM pg_catalog.pg_roles r"
    " WHERE r.rolname = 'tuplecast_owner' AND pg_catalog.current_setting('is_superuser') = 'on'"
    "   AND pg_catalog.shobj_description(r.oid, 'pg_authid') = 'made by tuplecast setup' AND NOT r.rolcanlogin"
    "   AND NOT EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE r.oid IN (m.roleid, m.member))"
    "   AND NOT EXISTS (SELECT FROM pg_catalog.pg_shdepend d JOIN pg_catalog.pg_database b ON b.oid = d.dbid"
    "                    WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND d.refobjid = r.oid"
    "                      AND b.datname <> pg_catalog.current_database())";

static int run(PGconn *pq, const char *sql, FILE *errors)
{
    PGresult *result = PQexec(pq, sql);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool is_done = PQresultStatus(result) == PGRES_COMMAND_OK;

    if (!is_done && strncmp(sql, "DROP ROLE", 9) == 0 && sqlstate && strcmp(sqlstate, "2BP01") == 0) {
        fprintf(errors, "tuplecast setup: the role stays, because there is more that is its own: %s\n", sql);
        is_done = true;
    } else if (!is_done)
        fprintf(errors, "tuplecast setup: %s: %s%s", sql, PQerrorMessage(pq),
                sqlstate && strcmp(sqlstate, "55P03") == 0 ? "Somebody uses the table. Run it again later: what was "
                                                             "removed stays removed.\n"
                                                           : "");
    PQclear(result);
    return is_done ? 0 : -EIO;
}

static int run_all(PGconn *pq, const PGresult *statements, FILE *errors)
{
    /* A DDL statement that waits for a lock makes every new writer wait behind it. */
    int error = run(pq, "SET lock_timeout = '2s'", errors);

    for (int i = 0; i < PQntuples(statements) && error == 0; i++)
        error = run(pq, PQgetvalue(statements, i, 0), errors);
    return error;
}

static int remove_from(PGconn *pq, const char *confirmed, bool dry_run, FILE *out, FILE *errors)
{
    PGresult *statements = PQexec(pq, list_sql);
    int error = 0;

    if (PQresultStatus(statements) != PGRES_TUPLES_OK) {
        fprintf(errors, "tuplecast setup: cannot read the catalog: %s", PQerrorMessage(pq));
        error = -EIO;
    } else if (PQntuples(statements) == 0) {
        fprintf(out, "tuplecast setup: nothing of ours is in the database %s\n", PQdb(pq));
    } else if (!dry_run && confirmed && strcmp(confirmed, PQdb(pq)) == 0) {
        error = run_all(pq, statements, errors);
        if (error == 0)
            fprintf(out, "tuplecast setup: removed from the database %s; your tables are as they were\n", PQdb(pq));
    } else {
        for (int i = 0; i < PQntuples(statements); i++)
            fprintf(out, "%s;\n", PQgetvalue(statements, i, 0));
        if (!dry_run) {
            fprintf(errors,
                    "tuplecast setup: nothing was removed. All triggers of ours, and the log of durable channels with "
                    "what clients have not read yet, are lost for good by: tuplecast setup --remove=%s\n",
                    PQdb(pq));
            error = -ECANCELED;
        }
    }
    PQclear(statements);
    return error;
}

int setup_remove(const char *database, const char *confirmed, bool dry_run, FILE *out, FILE *errors)
{
    PGconn *pq = setup_connect(database, errors);
    int error = pq ? remove_from(pq, confirmed, dry_run, out, errors) : -EIO;

    PQfinish(pq);
    return error;
}
