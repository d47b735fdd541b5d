/* Installs and upgrades the database side from the scripts in sql/. For the command line: it blocks. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* Runs, in one transaction, every script whose number is above the version that the database has. With
 * dry_run they are written to out instead, and nothing changes. What was done is told on out, problems on
 * errors. Returns 0 or a negative errno. */
int setup_run(const char *database, bool dry_run, FILE *out, FILE *errors);
