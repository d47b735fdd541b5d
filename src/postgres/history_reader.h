/* Pages of history, over a connection of their own that is made on demand, so that they delay no tick. Part of the
 * durable reader. */
#pragma once

#include "postgres/durable_health.h"
#include "postgres/durable_reader.h"

struct history_reader;

/* health, and its stats, are written to, and must live as long. NULL with errno set. */
struct history_reader *history_reader_new(struct loop *loop, const struct durable_reader_options *options,
                                          struct durable_health *health);
void history_reader_free(struct history_reader *reader); /* pages that are being read fail; NULL is fine */
void history_reader_reconfigure(struct history_reader *reader, const struct durable_reader_options *options);

void history_reader_want(struct history_reader *reader, struct history_page *page,
                         const struct history_request *request);
void history_reader_judge(struct history_reader *reader, struct history_places *places);

/* The server that the ticks come from: `host` of the connection string. */
void history_reader_begin_with(struct history_reader *reader, size_t host);

/* Gives its connection up in a moment, if it does not end by itself: the server may be gone. Pages that are being read
 * fail. reason is static text. */
void history_reader_reset(struct history_reader *reader, const char *reason);
