#include "postgres/setup.h"

#include "base/embedded.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

enum { SERVER_VERSION_MIN = 140000 };

static int fail(FILE *errors, const char *what, PGconn *pq)
{
    fprintf(errors, "tuplecast setup: %s: %s", what, PQerrorMessage(pq));
    return -EIO;
}

static int run(PGconn *pq, const char *sql, FILE *errors)
{
    PGresult *result = PQexec(pq, sql);
    ExecStatusType status = PQresultStatus(result);

    PQclear(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? 0 : fail(errors, "the database refused", pq);
}

/* Trigger functions run as their owner, whoever writes: so that must not be a superuser. A superuser's installation,
 * this one or an earlier one, belongs to a role that can do nothing else. */
static const char as_superuser[] =
    "DO $$\n"
    "DECLARE\n"
    "    thing record;\n"
    "BEGIN\n"
    "    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'tuplecast_owner') THEN\n"
    "        BEGIN\n"
    "            CREATE ROLE tuplecast_owner NOLOGIN;\n"
    "        EXCEPTION WHEN duplicate_object OR unique_violation THEN\n"
    "            NULL; -- for another database of this server, at the same moment\n"
    "        END;\n"
    "    END IF;\n"
    "    EXECUTE pg_catalog.format('GRANT CREATE ON DATABASE %I TO tuplecast_owner', pg_catalog.current_database());\n"
    "    FOR thing IN\n"
    "        SELECT 'SCHEMA tuplecast' AS name, nspowner AS owner FROM pg_catalog.pg_namespace WHERE nspname = "
    "'tuplecast'\n"
    "        UNION ALL\n"
    "        SELECT 'ROUTINE ' || oid::pg_catalog.regprocedure, proowner FROM pg_catalog.pg_proc\n"
    "         WHERE pronamespace = pg_catalog.to_regnamespace('tuplecast')\n"
    "        UNION ALL\n"
    "        SELECT 'TABLE ' || oid::pg_catalog.regclass, relowner FROM pg_catalog.pg_class\n"
    "         WHERE relnamespace = pg_catalog.to_regnamespace('tuplecast') AND relkind IN ('r', 'p', 'v', 'S')\n"
    "    LOOP\n"
    "        IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE oid = thing.owner) THEN\n"
    "            EXECUTE 'ALTER ' || thing.name || ' OWNER TO tuplecast_owner';\n"
    "        END IF;\n"
    "    END LOOP;\n"
    "    EXECUTE pg_catalog.format('SET LOCAL ROLE %I',\n"
    "        coalesce((SELECT pg_catalog.pg_get_userbyid(nspowner) FROM pg_catalog.pg_namespace WHERE nspname = "
    "'tuplecast'),\n"
    "                 'tuplecast_owner'));\n"
    "END\n"
    "$$;\n";

static int take_role(PGconn *pq, bool dry_run, FILE *out, FILE *errors)
{
    const char *superuser = PQparameterStatus(pq, "is_superuser");

    if (!superuser || strcmp(superuser, "on") != 0)
        return 0;
    fprintf(dry_run ? out : errors,
            "-- As a superuser: what is installed belongs to the role tuplecast_owner, who cannot log in.\n");
    if (!dry_run)
        return run(pq, as_superuser, errors);
    fputs(as_superuser, out);
    return 0;
}

/* The version that is installed; 0 when there is none. */
static int installed_version(PGconn *pq, int *ret_version, FILE *errors)
{
    PGresult *result = PQexec(pq, "SELECT pg_catalog.to_regclass('tuplecast.version') IS NOT NULL");
    bool there = PQresultStatus(result) == PGRES_TUPLES_OK && PQgetvalue(result, 0, 0)[0] == 't';
    int error = PQresultStatus(result) == PGRES_TUPLES_OK ? 0 : fail(errors, "cannot read the catalog", pq);

    PQclear(result);
    *ret_version = 0;
    if (error < 0 || !there)
        return error;
    result = PQexec(pq, "SELECT pg_catalog.max(version) FROM tuplecast.version");
    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        *ret_version = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
    else
        error = fail(errors, "cannot read tuplecast.version", pq);
    PQclear(result);
    return error;
}

/* The number that a script's name begins with. */
static int script_version(const struct embedded_file *file)
{
    return (int)strtol(file->path + strlen("sql/"), NULL, 10);
}

/* The scripts stand in the table in the order of their names, and so of their numbers. */
static int run_scripts(PGconn *pq, int from_version, bool dry_run, FILE *out, FILE *errors)
{
    int error = 0, version = from_version;

    for (const struct embedded_file *file = embedded_files; file->path && error == 0; file++) {
        if (strncmp(file->path, "sql/", 4) != 0 || script_version(file) <= from_version)
            continue;
        version = script_version(file);
        if (dry_run)
            fprintf(out, "-- %s\n%s\n", file->path, (const char *)file->data);
        else
            error = run(pq, (const char *)file->data, errors);
    }
    if (error < 0 || dry_run)
        return error;
    if (version == from_version)
        fprintf(out, "tuplecast setup: version %d is installed, nothing to do\n", version);
    else
        fprintf(out, "tuplecast setup: installed version %d\n", version);
    return 0;
}

int setup_run(const char *database, bool dry_run, FILE *out, FILE *errors)
{
    const char *const keywords[] = {"fallback_application_name", "target_session_attrs", "dbname", "client_encoding",
                                    NULL};
    const char *const values[] = {"tuplecast setup", "primary", database, "UTF8", NULL};
    PGconn *pq = PQconnectdbParams(keywords, values, 1);
    int error, version = 0;

    if (PQstatus(pq) != CONNECTION_OK) {
        error = fail(errors, "cannot connect", pq);
    } else if (PQserverVersion(pq) < SERVER_VERSION_MIN) {
        fprintf(errors, "tuplecast setup: PostgreSQL %d is too old; 14 or later is needed\n",
                PQserverVersion(pq) / 10000);
        error = -EPROTO;
    } else {
        /* Two installations at once take turns. */
        error = run(pq,
                    "BEGIN; SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('tuplecast "
                    "setup', 0))",
                    errors);
        if (error == 0)
            error = installed_version(pq, &version, errors);
        if (error == 0)
            error = take_role(pq, dry_run, out, errors);
        if (error == 0)
            error = run_scripts(pq, version, dry_run, out, errors);
        if (error == 0)
            error = run(pq, "COMMIT", errors);
    }
    PQfinish(pq);
    return error;
}
