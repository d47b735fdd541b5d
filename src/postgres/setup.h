/* Installs, upgrades and removes the database side, which is in sql/. For the command line: it blocks. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* Runs, in one transaction, every script whose number is above the version that the database has. With
 * dry_run they are written to out instead, and nothing changes. What was done is told on out, problems on
 * errors. Returns 0 or a negative errno. */
int setup_run(const char *database, bool dry_run, FILE *out, FILE *errors);

/* Removes all of that: triggers, log and schema; tables and their rows stay as they are. Only when confirmed is the
 * name of the database, which the string does not have to tell; else what would be run is written to out, and nothing
 * changes. Returns 0, -ECANCELED when it was not confirmed (not with dry_run), or another negative errno. */
int setup_remove(const char *database, const char *confirmed, bool dry_run, FILE *out, FILE *errors);
