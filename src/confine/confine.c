#include "confine/confine.h"

#include "confine/landlock.h"
#include "confine/system_calls.h"

#include <errno.h>
#include <stddef.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif
#else
enum { SANITIZED = 0 };
#endif

static int drop_capabilities(void)
{
    cap_t none = cap_init();

    if (!none)
        return -errno;
    int error = cap_set_proc(none) < 0 ? -errno : 0;
    cap_free(none);
    return error;
}

const char *confine_process(const char *const *socket_paths)
{
    /* It needs more system calls than the program, to look for leaks at the end. */
    if (SANITIZED)
        return "built with a sanitizer";
    if (drop_capabilities() < 0)
        return "the capabilities cannot be dropped";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return "this kernel does not know PR_SET_NO_NEW_PRIVS";
    int files_error = landlock_allow_reading_only(socket_paths);
    if (system_calls_filter(socket_paths[0] != NULL) < 0)
        return "this kernel cannot filter system calls (seccomp)";
    return files_error < 0 ? "this kernel cannot confine files (Landlock); only system calls are filtered" : NULL;
}
