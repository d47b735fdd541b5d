/* Each attempt to get out is made by a process of its own, which confines itself first. */
#include "confine/confine.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WENT_THROUGH = 0, REFUSED = 1, FAILED_OTHERWISE = 2, NOT_CONFINED = 3 };

struct attempt {
    const char *what;
    long (*try)(void); /* negative with errno set: failed */
};

static char folder[] = "/tmp/tuplecast-confine.XXXXXX";
static char existing[64];
static char outside[] = "/tmp/tuplecast-outside.XXXXXX";
static const char *socket_paths[2]; /* of the process to be confined */

static long open_for_writing(void)
{
    return open(existing, O_WRONLY);
}

static long open_for_both(void)
{
    return open(existing, O_RDWR);
}

static long open_truncating(void)
{
    return open(existing, O_RDONLY | O_TRUNC);
}

static long create_a_file(void)
{
    char path[80];

    snprintf(path, sizeof(path), "%s/new", folder);
    return open(path, O_RDONLY | O_CREAT, 0600);
}

static long make_a_folder(void)
{
    char path[80];

    snprintf(path, sizeof(path), "%s/new", folder);
    return mkdir(path, 0700);
}

static long remove_a_file(void)
{
    return unlink(existing);
}

static long remove_elsewhere(void)
{
    return unlink(outside);
}

static long rename_a_file(void)
{
    return rename(existing, "/tmp/tuplecast-renamed");
}

static long truncate_a_file(void)
{
    return truncate(existing, 0);
}

static long change_a_mode(void)
{
    return chmod(existing, 0777);
}

static long run_a_program(void)
{
    return execl("/bin/true", "true", (char *)NULL);
}

static long run_a_program_in_memory(void)
{
    return memfd_create("program", 0);
}

static long start_a_process(void)
{
    return fork();
}

static long start_a_process_sharing_memory(void)
{
    return syscall(SYS_vfork);
}

static long start_a_process_by_clone(void)
{
    return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static long trace_the_parent(void)
{
    return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static long read_the_parents_memory(void)
{
    char byte;
    struct iovec local = {&byte, 1}, remote = {folder, 1};

    return process_vm_readv(getppid(), &local, 1, &remote, 1, 0);
}

static long kill_the_parent(void)
{
    return kill(getppid(), 0);
}

static long make_a_raw_socket(void)
{
    return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static long make_a_packet_socket(void)
{
    return socket(AF_PACKET, SOCK_DGRAM, 0);
}

static long make_an_audit_socket(void)
{
    return socket(AF_NETLINK, SOCK_RAW, 9);
}

static long listen_anew(void)
{
    return listen(socket(AF_INET, SOCK_STREAM, 0), 1);
}

static long become_another_user(void)
{
    return setuid(65534);
}

static long get_a_namespace(void)
{
    return unshare(CLONE_NEWUSER);
}

static long mount_something(void)
{
    return mount("none", folder, "tmpfs", 0, NULL);
}

static long load_a_bpf_program(void)
{
    return syscall(SYS_bpf, 0, NULL, 0);
}

static long get_a_ring(void)
{
    return syscall(SYS_io_uring_setup, 1, NULL);
}

static long watch_events(void)
{
    return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}

static long ask_for_keys(void)
{
    return syscall(SYS_keyctl, 0, 0, 0, 0, 0);
}

static long change_the_root(void)
{
    return chroot(folder);
}

static const struct attempt escapes[] = {
    {"open for writing", open_for_writing},
    {"open for both", open_for_both},
    {"open truncating", open_truncating},
    {"create a file", create_a_file},
    {"make a folder", make_a_folder},
    {"remove a file", remove_a_file},
    {"rename a file", rename_a_file},
    {"truncate a file", truncate_a_file},
    {"change a mode", change_a_mode},
    {"run a program", run_a_program},
    {"run a program in memory", run_a_program_in_memory},
    {"start a process", start_a_process},
    {"start a process sharing memory", start_a_process_sharing_memory},
    {"start a process by clone", start_a_process_by_clone},
    {"trace the parent", trace_the_parent},
    {"read the parent's memory", read_the_parents_memory},
    {"kill the parent", kill_the_parent},
    {"make a raw socket", make_a_raw_socket},
    {"make a packet socket", make_a_packet_socket},
    {"make an audit socket", make_an_audit_socket},
    {"listen anew", listen_anew},
    {"become another user", become_another_user},
    {"get a namespace", get_a_namespace},
    {"mount something", mount_something},
    {"load a BPF program", load_a_bpf_program},
    {"get a ring", get_a_ring},
    {"watch events", watch_events},
    {"ask for keys", ask_for_keys},
    {"change the root", change_the_root},
    {0},
};

static long read_a_file(void)
{
    return open(existing, O_RDONLY | O_CLOEXEC);
}

static void *do_nothing(void *argument)
{
    return argument;
}

static long start_a_thread(void)
{
    pthread_t thread;

    errno = pthread_create(&thread, NULL, do_nothing, NULL);
    return errno || pthread_join(thread, NULL) ? -1 : 0;
}

static long look_up_a_name(void)
{
    struct gaicb request = {.ar_name = "localhost"};
    struct gaicb *list[1] = {&request};

    return getaddrinfo_a(GAI_WAIT, list, 1, NULL) == 0 && request.ar_result ? 0 : -1;
}

static long connect_a_unix_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/there-is-none"};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 && errno == ENOENT ? 0 : -1;
}

static long ask_a_name_server(void)
{
    return socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
}

static long make_a_timer(void)
{
    return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
}

static const struct attempt needs[] = {
    {"read a file", read_a_file},
    {"start a thread", start_a_thread},
    {"look up a name", look_up_a_name},
    {"connect a Unix socket", connect_a_unix_socket},
    {"ask a name server", ask_a_name_server},
    {"make a timer", make_a_timer},
    {0},
};

static int outcome(long (*try)(void))
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        if (confine_process(socket_paths))
            _exit(NOT_CONFINED);
        _exit(try() >= 0                                             ? WENT_THROUGH
              : errno == EPERM || errno == EACCES || errno == ENOSYS ? REFUSED
                                                                     : FAILED_OTHERWISE);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect(const struct attempt *attempts, int expected)
{
    for (; attempts->what; attempts++) {
        int got = outcome(attempts->try);
        if (got != expected)
            fail_msg("%s: %d, not %d", attempts->what, got, expected);
    }
}

static void there_is_no_way_out(void **state)
{
    (void)state;
    expect(escapes, REFUSED);
}

static void what_the_program_needs_goes_on(void **state)
{
    (void)state;
    expect(needs, WENT_THROUGH);
}

static void its_own_socket_can_be_removed_and_nothing_elsewhere(void **state)
{
    struct stat ignored;

    (void)state;
    socket_paths[0] = existing;
    assert_int_equal(outcome(remove_elsewhere), REFUSED);
    assert_int_equal(outcome(open_for_writing), REFUSED);
    assert_int_equal(outcome(remove_a_file), WENT_THROUGH);
    assert_int_equal(stat(existing, &ignored), -1);
    socket_paths[0] = NULL;
}

static long call_number(long number)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        if (confine_process(socket_paths))
            _exit(0);
        _exit(syscall(number, -1, 0, 0, 0, 0, 0) < 0 ? errno : 0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* A newer C library tries its newer calls first, and takes older ones only when these do not exist. */
static void calls_that_are_newer_do_not_exist_and_known_ones_are_refused(void **state)
{
    enum {
        GAP = 380,
        CLOSE_RANGE = 436,
        EPOLL_PWAIT2 = 441,
        FUTEX_WAITV = 449,
        FCHMODAT2 = 452,
        MSEAL = 462,
        NONE_YET = 600
    };
    static const long newer[] = {SYS_clone3, GAP,   CLOSE_RANGE, EPOLL_PWAIT2, FUTEX_WAITV,
                                 FCHMODAT2,  MSEAL, NONE_YET,    639};
    static const long refused[] = {SYS_execve,  SYS_ptrace,         SYS_mount,   SYS_bpf,        SYS_setuid,
                                   SYS_mkdirat, SYS_io_uring_setup, SYS_unshare, SYS_pidfd_open, SYS_memfd_create};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(newer); i++)
        if (call_number(newer[i]) != ENOSYS)
            fail_msg("call %ld: %ld, not ENOSYS", newer[i], call_number(newer[i]));
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        if (call_number(refused[i]) != EPERM)
            fail_msg("call %ld: %ld, not EPERM", refused[i], call_number(refused[i]));
}

static long is_without_privileges(void)
{
    static const char *const lines[] = {"\nCapInh:\t0000000000000000\n",
                                        "\nCapPrm:\t0000000000000000\n",
                                        "\nCapEff:\t0000000000000000\n",
                                        "\nCapAmb:\t0000000000000000\n",
                                        "\nNoNewPrivs:\t1\n",
                                        "\nSeccomp:\t2\n"};
    char text[8192] = "";
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

    if (read(fd, text, sizeof(text) - 1) <= 0)
        return -1;
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (!strstr(text, lines[i]))
            return -1;
    return 0;
}

static void no_privilege_is_left(void **state)
{
    (void)state;
    assert_int_equal(outcome(is_without_privileges), WENT_THROUGH);
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder) || close(mkstemp(outside)) < 0)
        return -1;
    snprintf(existing, sizeof(existing), "%s/existing", folder);
    int fd = open(existing, O_WRONLY | O_CREAT, 0600);
    return fd < 0 ? -1 : close(fd);
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(existing);
    unlink(outside);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_no_way_out),
        cmocka_unit_test(what_the_program_needs_goes_on),
        cmocka_unit_test(no_privilege_is_left),
        cmocka_unit_test(calls_that_are_newer_do_not_exist_and_known_ones_are_refused),
        cmocka_unit_test(its_own_socket_can_be_removed_and_nothing_elsewhere),
    };
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        const char *missing = confine_process(socket_paths);
        if (missing)
            printf("left out: %s\n", missing);
        exit(missing != NULL);
    }
    waitpid(child, &status, 0);
    if (status)
        return 0;
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
