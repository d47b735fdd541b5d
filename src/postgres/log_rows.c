#include "postgres/log_rows.h"

#include <endian.h>
#include <string.h>

enum { KIND, NUMBER, NONCE, CHANNEL, HEAD, ID, DATA, OLD, AT, CUT, LOST };

/* PostgreSQL's timestamps count from 2000 (src/include/datatype/timestamp.h). */
static const int64_t epoch_us = (int64_t)946684800 * 1000000;

static int64_t integer_at(const PGresult *result, int row, int column)
{
    uint64_t bytes = 0;

    if (PQgetlength(result, row, column) == sizeof(bytes))
        memcpy(&bytes, PQgetvalue(result, row, column), sizeof(bytes));
    return (int64_t)be64toh(bytes);
}

static struct json_slice text_at(const PGresult *result, int row, int column)
{
    return (struct json_slice){PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column)};
}

bool log_row_is_unreadable(const char *sqlstate)
{
    /* What cannot be converted, is corrupt, or does not fit into memory. */
    return strncmp(sqlstate, "22", 2) == 0 || strcmp(sqlstate, "XX001") == 0 || strcmp(sqlstate, "54000") == 0;
}

const char *log_row_kind(const PGresult *result, int row)
{
    return PQgetvalue(result, row, KIND);
}

struct durable_position log_row_position(const PGresult *result, int row)
{
    struct durable_position position = {.number = (uint64_t)integer_at(result, row, NUMBER)};

    strncat(position.nonce, PQgetvalue(result, row, NONCE), NONCE_BYTES);
    return position;
}

struct log_change log_row_change(const PGresult *result, int row)
{
    return (struct log_change){
        .channel = PQgetvalue(result, row, CHANNEL),
        .head = text_at(result, row, HEAD),
        .id = text_at(result, row, ID),
        .data = text_at(result, row, DATA),
        .old = text_at(result, row, OLD),
        .lost = text_at(result, row, LOST),
        .at_us = integer_at(result, row, AT) + epoch_us,
        .old_left_out = PQgetvalue(result, row, CUT)[3] & 1, /* an integer of four bytes, the last one last */
    };
}
