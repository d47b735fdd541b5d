/* Files as far as landlock(7) confines them. */
#pragma once

/* From now on files can be read only; nothing can be made, changed, removed or run, but the files at removable_paths
 * (NULL ends) and what stands in the same folders can be removed. Needs PR_SET_NO_NEW_PRIVS. Returns 0 or a negative
 * errno. */
int landlock_allow_reading_only(const char *const *removable_paths);
