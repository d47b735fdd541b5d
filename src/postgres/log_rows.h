/* Rows of tuplecast.read_events() (sql/ticks.sql), as they come in binary form. */
#pragma once

#include "stream/log_change.h"

#include <libpq-fe.h>

/* Whether an error is of one row's bytes, so that the others can be read without it. */
bool log_row_is_unreadable(const char *sqlstate);
/* The kind of a row: "event", "end", or a verdict. Lent. */
const char *log_row_kind(const PGresult *result, int row);
struct durable_position log_row_position(const PGresult *result, int row);
/* Of an event. Its texts are lent by result. */
struct log_change log_row_change(const PGresult *result, int row);
