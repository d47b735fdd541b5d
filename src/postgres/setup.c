/* `tuplecast setup`.
 *
 * What is run is one text, which is made before anything is run: so --dry-run prints exactly that. It is, in a
 * transaction:
 *
 *   begin.sql, superuser.sql          (only a superuser's) the role, the schema, and the way to the owner's rights
 *   prepare.sql, the scripts, finish.sql        with the owner's rights alone, whoever runs it
 *   superuser_end.sql
 *
 * Nothing that is found is trusted: a schema that does not belong to who should own it is not looked into at all. */
#include "postgres/setup.h"

#include "base/buffer.h"
#include "base/embedded.h"
#include "postgres/schema_state.h"
#include "postgres/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SERVER_VERSION_MIN = 140000, TEXT_BYTES_MAX = 1 << 22, TRIES = 3, SENTENCE_BYTES = 1024 };

#define DELIMITER "$tuplecast_setup$"

static void on_notice(void *context, const PGresult *result)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (context && message)
        fprintf(context, "tuplecast setup: %s\n", message);
}

PGconn *setup_connect(const char *database, FILE *errors)
{
    const char *const keywords[] = {
        "fallback_application_name", "target_session_attrs", "connect_timeout", "dbname", "client_encoding", NULL};
    const char *const values[] = {"tuplecast setup", "primary", errors ? NULL : "3", database, "UTF8", NULL};
    PGconn *pq = PQconnectdbParams(keywords, values, 1);

    PQsetNoticeReceiver(pq, on_notice, NULL); /* not before it is known which we want */
    if (PQstatus(pq) != CONNECTION_OK || session_begin(pq) < 0) {
        if (errors)
            fprintf(errors, "tuplecast setup: cannot connect: %s", PQerrorMessage(pq));
    } else if (PQserverVersion(pq) < SERVER_VERSION_MIN) {
        if (errors)
            fprintf(errors, "tuplecast setup: PostgreSQL %d is too old; 14 or later is needed\n",
                    PQserverVersion(pq) / 10000);
    } else {
        PQsetNoticeReceiver(pq, on_notice, errors);
        return pq;
    }
    PQfinish(pq);
    return NULL;
}

/* Appends a file of sql/, with the values of its marks. */
static void append_file(struct buffer *text, const char *path)
{
    const char *at = (const char *)embedded_find(path)->data;
    char version[12];

    snprintf(version, sizeof(version), "%d", SCHEMA_VERSION);
    const char *const marks[][2] = {
        {"$version", version},
        {"$checksum", embedded_scripts_checksum},
        {"($fingerprint)", NULL},
    };
    buffer_printf(text, "-- %s\n", path);
    while (*at) {
        size_t plain = strcspn(at, "$(");
        bool is_mark = false;
        buffer_append(text, at, plain);
        at += plain;
        for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]) && !is_mark; i++) {
            is_mark = strncmp(path, "sql/setup/finish", 16) == 0 && strncmp(at, marks[i][0], strlen(marks[i][0])) == 0;
            if (is_mark && marks[i][1])
                buffer_append_text(text, marks[i][1]);
            else if (is_mark)
                buffer_printf(text, "(%s)", (const char *)embedded_find("sql/setup/fingerprint.sql")->data);
            if (is_mark)
                at += strlen(marks[i][0]);
        }
        if (!is_mark && *at)
            buffer_append(text, at++, 1);
    }
    buffer_append_text(text, "\n");
}

/* Without its COMMIT. */
static void append_text(struct buffer *text, const struct schema_state *state)
{
    buffer_append_text(text, "BEGIN;\n");
    append_file(text, "sql/setup/begin.sql");
    if (state->superuser) {
        append_file(text, "sql/setup/superuser.sql");
        buffer_append_text(text, "SELECT pg_temp.tuplecast_run(" DELIMITER "\n");
    } else if (state->kind == SCHEMA_NONE) {
        buffer_append_text(text, "CREATE SCHEMA tuplecast;\n\n");
    }
    append_file(text, "sql/setup/prepare.sql");
    for (const char *const *script = embedded_scripts; *script; script++)
        append_file(text, *script);
    append_file(text, "sql/setup/finish.sql");
    if (state->superuser) {
        buffer_append_text(text, DELIMITER ");\n\n");
        append_file(text, "sql/setup/superuser_end.sql");
    }
}

/* The line of what was run in which the server found the mistake. */
static void print_line(FILE *errors, const PGresult *result, const char *text)
{
    const char *inner = PQresultErrorField(result, PG_DIAG_INTERNAL_QUERY);
    const char *position = PQresultErrorField(result, inner ? PG_DIAG_INTERNAL_POSITION : PG_DIAG_STATEMENT_POSITION);
    const char *at = inner ? inner : text;

    if (!position)
        return;
    /* It counts characters, and most are bytes: the line is right nearly always. */
    size_t offset = (size_t)strtoul(position, NULL, 10);
    if (offset == 0 || offset > strlen(at))
        return;
    const char *begin = at + offset - 1;
    while (begin > at && begin[-1] != '\n')
        begin--;
    fprintf(errors, "    in: %.*s\n", (int)strcspn(begin, "\n"), begin);
}

static void print_error(FILE *errors, const PGresult *result, PGconn *pq, const char *text)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);

    if (!message) {
        fprintf(errors, "tuplecast setup: %s", PQerrorMessage(pq));
        return;
    }
    fprintf(errors, "tuplecast setup: the database refused: %s\n", message);
    if (detail)
        fprintf(errors, "    %s\n", detail);
    if (hint)
        fprintf(errors, "    %s\n", hint);
    print_line(errors, result, text);
}

/* Returns 0, -EAGAIN when another setup was faster, or a gateway that looked at the schema was in the way, and there is
 * another try, or -EIO. */
static int run(PGconn *pq, const char *text, bool last_try, FILE *errors)
{
    PGresult *result = PQexec(pq, text);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    ExecStatusType status = PQresultStatus(result);
    int error = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? 0 : -EIO;

    if (sqlstate && !last_try &&
        (strcmp(sqlstate, "42P06") == 0 || strcmp(sqlstate, "23505") == 0 || strcmp(sqlstate, "40001") == 0 ||
         strcmp(sqlstate, "40P01") == 0))
        error = -EAGAIN;
    if (error == -EIO)
        print_error(errors, result, pq, text);
    PQclear(result);
    return error;
}

/* What was run is looked at before it counts. */
static int commit(PGconn *pq, FILE *errors)
{
    char sentence[SENTENCE_BYTES];
    struct schema_state state;
    int error = schema_state_read(pq, true, &state);

    if (error < 0) {
        fprintf(errors, "tuplecast setup: cannot read what was installed: %s", PQerrorMessage(pq));
    } else if (state.kind != SCHEMA_RIGHT) {
        schema_state_say(&state, sentence, sizeof(sentence));
        fprintf(errors,
                "tuplecast setup: this cannot be mended: %s\nRun `tuplecast setup --remove`, then `tuplecast setup`.\n",
                sentence);
        error = -EIO;
    } else {
        error = run(pq, "COMMIT", true, errors);
    }
    return error;
}

static void tell_what_was_done(const struct schema_state *state, FILE *out)
{
    if (state->kind == SCHEMA_NONE)
        fprintf(out, "tuplecast setup: installed version %d\n", SCHEMA_VERSION);
    else if (state->kind == SCHEMA_OTHER || state->kind == SCHEMA_OLDER)
        fprintf(out, "tuplecast setup: installed version %d in place of %s\n", SCHEMA_VERSION,
                state->kind == SCHEMA_OLDER ? "an older one" : "another build's");
    else
        fprintf(out, "tuplecast setup: mended version %d: %s\n", SCHEMA_VERSION,
                state->detail[0] ? state->detail : "setup had not come to its end");
}

static int install(PGconn *pq, const struct schema_state *state, bool dry_run, bool last_try, FILE *out, FILE *errors)
{
    char sentence[SENTENCE_BYTES];
    struct buffer text;
    int error = 0;

    schema_state_say(state, sentence, sizeof(sentence));
    buffer_init(&text, TEXT_BYTES_MAX);
    append_text(&text, state);
    const char *sql = buffer_text(&text);
    if (!sql) {
        fputs("tuplecast setup: out of memory\n", errors);
        error = -ENOMEM;
    } else if (dry_run) {
        if (sentence[0])
            fprintf(out, "-- %s\n", sentence);
        fprintf(out, "%s\nCOMMIT;\n", sql);
    } else {
        error = run(pq, sql, last_try, errors);
        if (error == 0)
            error = commit(pq, errors);
        if (error == 0)
            tell_what_was_done(state, out);
    }
    buffer_done(&text);
    return error;
}

static int try_once(PGconn *pq, bool dry_run, bool last_try, FILE *out, FILE *errors)
{
    char sentence[SENTENCE_BYTES];
    struct schema_state state;

    if (schema_state_read(pq, true, &state) < 0) {
        fprintf(errors, "tuplecast setup: cannot read the catalog: %s", PQerrorMessage(pq));
        return -EIO;
    }
    bool is_refused =
        (state.kind == SCHEMA_FOREIGN && !state.mendable) || state.kind == SCHEMA_ODD || state.kind == SCHEMA_NEWER;
    if (is_refused) {
        schema_state_say(&state, sentence, sizeof(sentence));
        fprintf(errors, "tuplecast setup: %s.\n", sentence);
        return -EEXIST;
    }
    if (state.kind == SCHEMA_RIGHT) {
        fprintf(out, "%stuplecast setup: version %d is installed, nothing to do\n", dry_run ? "-- " : "",
                SCHEMA_VERSION);
        return 0;
    }
    if (state.superuser)
        fputs("-- As a superuser: what is installed belongs to the role tuplecast_owner, who cannot log in.\n",
              dry_run ? out : errors);
    return install(pq, &state, dry_run, last_try, out, errors);
}

int setup_run(const char *database, bool dry_run, FILE *out, FILE *errors)
{
    PGconn *pq = setup_connect(database, errors);
    int error = pq ? -EAGAIN : -EIO;

    for (int i = 0; i < TRIES && error == -EAGAIN; i++) {
        error = try_once(pq, dry_run, i == TRIES - 1, out, errors);
        if (error == -EAGAIN)
            PQclear(PQexec(pq, "ROLLBACK"));
    }
    PQfinish(pq);
    return error;
}

void setup_look(const char *database, FILE *errors)
{
    PGconn *pq = setup_connect(database, NULL);
    char sentence[SENTENCE_BYTES] = "";
    struct schema_state state;

    if (pq && schema_state_read(pq, false, &state) == 0)
        schema_state_say(&state, sentence, sizeof(sentence));
    if (sentence[0])
        fprintf(errors, "the database: %s\n", sentence);
    PQfinish(pq);
}
