#include "confine/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Everything that the first version (Linux 5.13) knows: its last right is MAKE_SYM. */
static const uint64_t every_right = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

static int allow(int rules_fd, const char *path, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights};

    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return -errno;
    long result = syscall(SYS_landlock_add_rule, rules_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    int error = result < 0 ? -errno : 0;
    close(rule.parent_fd);
    return error;
}

static int allow_removing(int rules_fd, const char *path)
{
    char *copy = strdup(path);
    int error = copy ? allow(rules_fd, dirname(copy), LANDLOCK_ACCESS_FS_REMOVE_FILE) : -ENOMEM;

    free(copy);
    return error;
}

int landlock_allow_reading_only(const char *const *removable_paths)
{
    const struct landlock_ruleset_attr attributes = {.handled_access_fs = every_right};
    long rules_fd = syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);

    if (rules_fd < 0)
        return -errno;
    int error = allow((int)rules_fd, "/", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR);
    for (; *removable_paths && error == 0; removable_paths++)
        error = allow_removing((int)rules_fd, *removable_paths);
    if (error == 0 && syscall(SYS_landlock_restrict_self, (int)rules_fd, 0) < 0)
        error = -errno;
    close((int)rules_fd);
    return error;
}
