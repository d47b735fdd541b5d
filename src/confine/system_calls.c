#include "confine/system_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>

/* What we, libpq with TLS, libmicrohttpd and the C library's name look-ups use once the program runs. Without an
 * argument that matters; a name that this machine does not know is passed over. */
static const char *const harmless[] = {
    /* memory */
    "brk", "mmap", "munmap", "mremap", "mprotect", "madvise",
    /* descriptors */
    "read", "write", "readv", "writev", "pread64", "close", "lseek", "fcntl", "dup", "fadvise64", "ioctl",
    /* files; opening them is below */
    "stat", "lstat", "fstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat",
    "getdents64", "getcwd", "statfs", "fstatfs",
    /* sockets; making them is below, and listen is not here: that was done before */
    "accept4", "connect", "bind", "getsockname", "getpeername", "setsockopt", "getsockopt", "sendto", "recvfrom",
    "sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "shutdown",
    /* the loop */
    "epoll_wait", "epoll_pwait", "epoll_ctl", "epoll_create1", "poll", "ppoll", "select", "pselect6", "timerfd_create",
    "timerfd_settime", "eventfd2",
    /* threads and signals; starting threads is below */
    "futex", "set_robust_list", "rseq", "exit", "exit_group", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
    "sigaltstack", "tgkill", "gettid", "getpid", "getppid", "sched_yield", "sched_getaffinity", "restart_syscall",
    "membarrier",
    /* what time it is, and who we are */
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "getrandom", "uname",
    "sysinfo", "getrlimit", "setrlimit", "prlimit64", "getrusage", "times", "getuid", "geteuid", "getgid", "getegid",
    NULL};

/* From 424 on all machines have the same numbers (Linux 5.1). Linux gives out some eight a year, and is at 470: it will
 * be long until there are so many. More would take longer to write at each start. */
enum { FIRST_NEW_CALL = 424, CALLS_MAX = 640 };

/* New ones that the program has no use for whatever its libraries become: these are refused. */
static const char *const forbidden_new[] = {"pidfd_send_signal",
                                            "pidfd_open",
                                            "pidfd_getfd",
                                            "process_madvise",
                                            "process_mrelease",
                                            "memfd_secret",
                                            "io_uring_setup",
                                            "io_uring_enter",
                                            "io_uring_register",
                                            "open_tree",
                                            "open_tree_attr",
                                            "move_mount",
                                            "fsopen",
                                            "fsconfig",
                                            "fsmount",
                                            "fspick",
                                            "mount_setattr",
                                            "quotactl_fd",
                                            "landlock_create_ruleset",
                                            "landlock_add_rule",
                                            "landlock_restrict_self",
                                            "lsm_set_self_attr",
                                            NULL};

/* Those that have rules of their own. */
static const char *const with_rules[] = {"openat", "open", "socket", "clone", "clone3", "unlink", NULL};

static void mark(bool decided[CALLS_MAX], const char *const *names)
{
    for (; *names; names++) {
        int number = seccomp_syscall_resolve_name(*names);
        if (number >= 0 && number < CALLS_MAX)
            decided[number] = true;
    }
}

static bool is_known(int number)
{
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

    free(name);
    return name != NULL;
}

/* A C library that is newer than this program tries calls that we do not know, and takes the older ones when they do
 * not exist: that is what it is told of calls that are new or unknown. EPERM it would believe. */
static int deny_existence_of_new_ones(scmp_filter_ctx filter)
{
    bool decided[CALLS_MAX] = {false};
    int error = 0;

    mark(decided, harmless);
    mark(decided, forbidden_new);
    mark(decided, with_rules);
    for (int number = 0; number < CALLS_MAX && error == 0; number++)
        if (!decided[number] && (number >= FIRST_NEW_CALL || !is_known(number)))
            error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0);
    return error;
}

static int allow(scmp_filter_ctx filter, const char *name)
{
    int number = seccomp_syscall_resolve_name(name);

    return number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
}

/* Only for reading what is there. */
static int allow_opening(scmp_filter_ctx filter)
{
    const scmp_datum_t changing = O_ACCMODE | O_CREAT | O_TRUNC;
    int error =
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, changing, O_RDONLY));

    return error < 0 ? error
                     : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
                                        SCMP_A1(SCMP_CMP_MASKED_EQ, changing, O_RDONLY));
}

/* TCP, UDP and Unix sockets, no raw ones; and netlink, which getaddrinfo asks for our addresses. */
static int allow_sockets(scmp_filter_ctx filter)
{
    static const int families[] = {AF_INET, AF_INET6, AF_UNIX}, types[] = {SOCK_STREAM, SOCK_DGRAM};
    const scmp_datum_t type_bits = ~(scmp_datum_t)(SOCK_CLOEXEC | SOCK_NONBLOCK);
    int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, AF_NETLINK, 0),
                                 SCMP_A2(SCMP_CMP_EQ, 0 /* NETLINK_ROUTE */, 0));

    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 2 && error == 0; j++)
            error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                                     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0),
                                     SCMP_A1(SCMP_CMP_MASKED_EQ, type_bits, (scmp_datum_t)types[j]));
    return error;
}

/* Threads, not processes. The flags of clone3 are behind a pointer, where a filter cannot see them: ENOSYS makes the C
 * library fall back to clone. */
static int allow_threads(scmp_filter_ctx filter)
{
    int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));

    return error < 0 ? error : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

int system_calls_filter(bool removes_files)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int error = filter ? 0 : -ENOMEM;

    for (const char *const *name = harmless; *name && error == 0; name++)
        error = allow(filter, *name);
    if (error == 0)
        error = allow_opening(filter);
    if (error == 0)
        error = allow_sockets(filter);
    if (error == 0)
        error = allow_threads(filter);
    if (error == 0 && removes_files)
        error = allow(filter, "unlink");
    if (error == 0)
        error = deny_existence_of_new_ones(filter);
    /* Looks a call up by halves, or all of these rules would be walked through at each. Without it they are. */
    if (error == 0)
        (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (error == 0)
        error = seccomp_load(filter);
    if (filter)
        seccomp_release(filter);
    return error;
}
