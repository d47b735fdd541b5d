/* Loaded before the C library (LD_PRELOAD), makes one allocation of the whole program fail, its libraries' included.
 * The test says which through a file that it shares with us, so that one process can be tried again and again.
 *
 * libconfig 1.5 and json-c 0.16 do not always look at what malloc or strdup gave them, and libseccomp 2.5 crashes or
 * turns for ever while it writes a filter; their allocations are left alone.
 *
 * glibc 2.36 reads /etc/nsswitch.conf at the first look-up that a process makes, which is libpq's getpwuid_r(). When it
 * gets no memory for that, it follows a null pointer or aborts by an assertion of its own (nss/nss_database.c), and
 * nobody who calls it can help that. So it reads the file before any allocation fails. What it does after that may
 * fail. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Both are 64 bits, in the machine's own order. */
struct control {
    _Atomic int64_t left;   /* until the one that fails, which is the last: it counts down to 0 */
    _Atomic int64_t failed; /* ever */
};

static struct control *control;
static const char *except;
static __thread bool inside; /* dladdr may allocate */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

/* root is in /etc/passwd, so that no module of nsswitch.conf is loaded for it. */
static void read_nsswitch(void)
{
    char text[4096];
    struct passwd entry;
    struct passwd *found;

    getpwuid_r(0, &entry, text, sizeof text, &found);
}

__attribute__((constructor)) static void open_control(void)
{
    read_nsswitch();

    const char *path = getenv("FAILING_MALLOC_CONTROL");

    except = getenv("FAILING_MALLOC_EXCEPT");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *shared = fd >= 0 ? mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;

    if (fd >= 0)
        close(fd);
    if (shared != MAP_FAILED)
        control = shared;
}

static bool is_left_alone(const void *caller)
{
    Dl_info info;

    inside = true;
    bool found = dladdr(caller, &info) != 0 && info.dli_fname &&
                 (strstr(info.dli_fname, "/libconfig.") || strstr(info.dli_fname, "/libjson-c.") ||
                  strstr(info.dli_fname, "/libseccomp.") || (except && strstr(info.dli_fname, except)));
    inside = false;
    return found;
}

static bool fails(const void *caller)
{
    if (!control || inside || atomic_load(&control->left) <= 0 || is_left_alone(caller))
        return false;
    if (atomic_fetch_sub(&control->left, 1) != 1)
        return false;
    atomic_fetch_add(&control->failed, 1);
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(memory, size);
}

/* Otherwise the C library would be the caller. */
char *strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);

    return copy ? memcpy(copy, text, size) : NULL;
}
