#include "postgres/schema_state.h"

#include "base/embedded.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum schema_kind kind_of(const char *name)
{
    static const struct {
        const char *name;
        enum schema_kind kind;
    } kinds[] = {
        {"none", SCHEMA_NONE},       {"foreign", SCHEMA_FOREIGN},
        {"odd", SCHEMA_ODD},         {"unreadable", SCHEMA_UNREADABLE},
        {"present", SCHEMA_PRESENT}, {"right", SCHEMA_RIGHT},
        {"newer", SCHEMA_NEWER},     {"older", SCHEMA_OLDER},
        {"other", SCHEMA_OTHER},     {"altered", SCHEMA_ALTERED},
        {"empty", SCHEMA_ALTERED},
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].kind;
    return SCHEMA_ODD;
}

const char *schema_state_sql(void)
{
    return (const char *)embedded_find("sql/setup/state.sql")->data;
}

void schema_state_take(struct schema_state *ret_state, const PGresult *result)
{
    *ret_state = (struct schema_state){
        .kind = kind_of(PQgetvalue(result, 0, 0)),
        .superuser = PQgetvalue(result, 0, 2)[0] == 't',
        .mendable = PQgetvalue(result, 0, 3)[0] == 't',
    };
    snprintf(ret_state->detail, sizeof(ret_state->detail), "%s", PQgetvalue(result, 0, 1));
}

/* compare.sql with fingerprint.sql in its place. Made once, and kept. */
const char *schema_compare_sql(void)
{
    static const char mark[] = "$fingerprint";
    static char *sql;
    const char *around = (const char *)embedded_find("sql/setup/compare.sql")->data;
    const struct embedded_file *inner = embedded_find("sql/setup/fingerprint.sql");
    const char *place = strstr(around, "($fingerprint)") + 1; /* the comment before it names the mark, too */
    size_t size = strlen(around) + inner->size_bytes + 1;

    if (!sql && (sql = malloc(size)))
        snprintf(sql, size, "%.*s%s%s", (int)(place - around), around, (const char *)inner->data,
                 place + sizeof(mark) - 1);
    return sql;
}

void schema_state_compare(struct schema_state *state, const PGresult *result)
{
    const char *altered = PQgetvalue(result, 0, 1);
    size_t size = strlen(state->detail);

    /* What belongs to strangers was found by the first query. */
    state->kind = kind_of(PQgetvalue(result, 0, 0));
    if (state->kind == SCHEMA_RIGHT && size > 0)
        state->kind = SCHEMA_ALTERED;
    if (state->kind != SCHEMA_RIGHT && altered[0])
        snprintf(state->detail + size, sizeof(state->detail) - size, "%s%s", size > 0 ? "; " : "", altered);
}

int schema_state_read(PGconn *pq, bool own, struct schema_state *ret_state)
{
    char version[12];
    const char *const whose[] = {own ? "t" : "f"}, *const ours[] = {version, embedded_scripts_checksum};
    PGresult *result = PQexecParams(pq, schema_state_sql(), 1, NULL, whose, NULL, NULL, 0);
    int error = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 ? 0 : -EIO;

    if (error == 0)
        schema_state_take(ret_state, result);
    PQclear(result);
    if (error < 0 || ret_state->kind != SCHEMA_PRESENT)
        return error;
    snprintf(version, sizeof(version), "%d", SCHEMA_VERSION);
    result = schema_compare_sql() ? PQexecParams(pq, schema_compare_sql(), 2, NULL, ours, NULL, NULL, 0) : NULL;
    error = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 ? 0 : -EIO;
    if (error == 0)
        schema_state_compare(ret_state, result);
    PQclear(result);
    return error;
}

void schema_state_say(const struct schema_state *state, char *text, size_t size)
{
    text[0] = '\0';
    switch (state->kind) {
    case SCHEMA_NONE:
    case SCHEMA_UNREADABLE:
    case SCHEMA_PRESENT:
    case SCHEMA_RIGHT:
        return;
    case SCHEMA_FOREIGN:
        snprintf(text, size, "%s%s", state->detail,
                 state->mendable ? ": `tuplecast setup`, run as a superuser, mends it" : "");
        return;
    case SCHEMA_ODD:
        snprintf(text, size, "%s: run `tuplecast setup --remove`, then `tuplecast setup`", state->detail);
        return;
    case SCHEMA_NEWER:
        snprintf(text, size, "the database side is of a newer version than this program: use the newer program");
        return;
    case SCHEMA_OLDER:
        snprintf(text, size, "the database side is older than this program: run `tuplecast setup`");
        return;
    case SCHEMA_OTHER:
        snprintf(text, size, "the database side is another build's of this version: run `tuplecast setup`");
        return;
    case SCHEMA_ALTERED:
        snprintf(text, size, "the database side is not as it was installed (%s): run `tuplecast setup`, which mends it",
                 state->detail[0] ? state->detail : "setup did not come to its end");
        return;
    }
}
