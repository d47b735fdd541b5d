/* Which setting somebody may have meant. */
#pragma once

#include "config/settings.h"

#include <stdbool.h>

/* Finds the group or the setting that is spelled most like path; a name in no or the wrong group counts as
 * close, too. Returns whether one is close. */
bool nearest_path(const char *path, char ret_path[SETTING_PATH_BYTES_MAX + 1]);

/* The same for a variable of the environment. */
bool nearest_variable(const char *name, char ret_name[SETTING_VARIABLE_BYTES]);
