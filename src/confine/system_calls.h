/* Which system calls are left to the program (seccomp(2), by libseccomp). */
#pragma once

#include <stdbool.h>

/* From now on every other call fails: with EPERM, or with ENOSYS when it is newer than this program's libraries or
 * unknown, so that they fall back on older ones. Returns 0; -ENOSYS when the kernel does not have it; or another
 * negative errno. */
int system_calls_filter(bool removes_files);
