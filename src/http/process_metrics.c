#include "http/process_metrics.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* The second number of /proc/self/statm (proc(5)), in pages; or -1. */
static long resident_pages(void)
{
    char text[256] = "";
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    long pages;

    if (fd >= 0)
        close(fd);
    return size > 0 && sscanf(text, "%*d %ld", &pages) == 1 ? pages : -1;
}

static double cpu_seconds(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static void append(struct buffer *out, const char *name, const char *type, const char *help, double value)
{
    buffer_printf(out, "# HELP process_%s %s\n# TYPE process_%s %s\nprocess_%s %.14g\n", name, help, name, type, name,
                  value);
}

void process_metrics_append(struct buffer *out, int64_t started_ms)
{
    struct rlimit limit;
    long pages = resident_pages();

    append(out, "start_time_seconds", "gauge", "When the process started, in seconds since 1970.",
           (double)started_ms / 1000);
    append(out, "cpu_seconds_total", "counter", "Processor time, user and system.", cpu_seconds());
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        append(out, "max_fds", "gauge", "File descriptors that the process may have.", (double)limit.rlim_cur);
    if (pages >= 0)
        append(out, "resident_memory_bytes", "gauge", "Memory that is in use.",
               (double)pages * (double)sysconf(_SC_PAGESIZE));
}
