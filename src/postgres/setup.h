/* Installs, mends and removes the database side, which is in sql/. For the command line: it blocks. */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>

/* Installs what is not there, and mends what is not as it should be, in one transaction. With dry_run what would be run
 * is written to out instead, as psql can run it, and nothing changes. What was done is told on out, problems on errors.
 * Returns 0 or a negative errno. */
int setup_run(const char *database, bool dry_run, FILE *out, FILE *errors);

/* Removes all of that: triggers, log and schema; tables and their rows stay as they are. Only when confirmed is the
 * name of the database, which the string does not have to tell; else what would be run is written to out, and nothing
 * changes. Returns 0, -ECANCELED when it was not confirmed (not with dry_run), or another negative errno. */
int setup_remove(const char *database, const char *confirmed, bool dry_run, FILE *out, FILE *errors);

/* Tells on errors when the database side is there, but is not the one that this program installs. A database that
 * cannot be reached is none of its business. */
void setup_look(const char *database, FILE *errors);

/* A session of setup's, with all that it relies on; NULL when there is none, which is told on errors unless that is
 * NULL. */
PGconn *setup_connect(const char *database, FILE *errors);
