#include "loop/loop.h"

#include "base/limits.h"

#include "unit.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static struct loop *loop;
static int calls;

static int begin(void **state)
{
    (void)state;
    calls = 0;
    loop = loop_new();
    return loop ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    loop_free(loop);
    return 0;
}

/* The order in which tasks ran, as their names. */
static char order[64];

struct named_task {
    struct loop_task task;
    char name;
    struct named_task *cancels;
    int again;
};

static void on_named_task(struct loop_task *task)
{
    struct named_task *named = (struct named_task *)task;

    strncat(order, &named->name, 1);
    if (named->cancels)
        loop_task_cancel(loop, &named->cancels->task);
    if (named->again-- > 0)
        loop_task_queue(loop, task);
}

static void on_stop_task(struct loop_task *task)
{
    strcat(order, ".");
    if (++calls == 3)
        loop_stop(loop);
    else
        loop_task_queue(loop, task);
}

static void tasks_run_in_the_order_of_queueing_and_one_that_queues_itself_waits_a_turn(void **state)
{
    struct named_task a = {.task.on_task = on_named_task, .name = 'a', .again = 1};
    struct named_task b = {.task.on_task = on_named_task, .name = 'b'};
    struct loop_task stop = {.on_task = on_stop_task};

    (void)state;
    order[0] = '\0';
    loop_task_queue(loop, &a.task);
    loop_task_queue(loop, &b.task);
    loop_task_queue(loop, &a.task);
    loop_task_queue(loop, &stop);
    assert_int_equal(loop_run(loop), 0);
    assert_string_equal(order, "ab.a..");
}

static void on_bar_io(struct loop_io *io, uint32_t events)
{
    (void)io;
    (void)events;
    strcat(order, "|");
}

static void a_task_that_queues_itself_lets_descriptors_have_their_turn(void **state)
{
    struct named_task a = {.task.on_task = on_named_task, .name = 'a', .again = 2};
    struct loop_task stop = {.on_task = on_stop_task};
    struct loop_io io = {.fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC), .on_io = on_bar_io};

    (void)state;
    order[0] = '\0';
    assert_int_equal(loop_io_add(loop, &io, EPOLLIN), 0);
    loop_task_queue(loop, &a.task);
    loop_task_queue(loop, &stop);
    assert_int_equal(loop_run(loop), 0);
    assert_string_equal(order, "|a.|a.|a.");
    loop_io_remove(loop, &io);
    close(io.fd);
}

static void a_task_can_cancel_others_of_the_same_turn(void **state)
{
    struct named_task c = {.task.on_task = on_named_task, .name = 'c'};
    struct named_task b = {.task.on_task = on_named_task, .name = 'b'};
    struct named_task a = {.task.on_task = on_named_task, .name = 'a', .cancels = &b};
    struct named_task d = {.task.on_task = on_named_task, .name = 'd', .cancels = &d};
    struct loop_task stop = {.on_task = on_stop_task};

    (void)state;
    order[0] = '\0';
    loop_task_cancel(loop, &a.task);
    loop_task_queue(loop, &a.task);
    loop_task_queue(loop, &b.task);
    loop_task_queue(loop, &c.task);
    loop_task_queue(loop, &stop);
    loop_task_queue(loop, &d.task);
    loop_task_cancel(loop, &d.task);
    loop_task_queue(loop, &d.task);
    assert_int_equal(loop_run(loop), 0);
    assert_string_equal(order, "ac.d..");
    assert_false(b.task.queued);
}

static void a_cancelled_last_task_leaves_the_queue_whole(void **state)
{
    struct named_task b = {.task.on_task = on_named_task, .name = 'b'};
    struct named_task a = {.task.on_task = on_named_task, .name = 'a', .cancels = &b};
    struct loop_task stop = {.on_task = on_stop_task};

    (void)state;
    order[0] = '\0';
    calls = 2;
    loop_task_queue(loop, &a.task);
    loop_task_queue(loop, &b.task);
    loop_task_cancel(loop, &b.task);
    loop_task_queue(loop, &stop);
    assert_int_equal(loop_run(loop), 0);
    assert_string_equal(order, "a.");
}

static void on_counting_timer(struct loop_timer *timer)
{
    if (++calls == 3) {
        loop_timer_stop(timer);
        loop_stop(loop);
    }
}

static void on_failing_timer(struct loop_timer *timer)
{
    (void)timer;
    fail_msg("this timer must not fire");
}

static void a_timer_fires_after_its_delay_and_then_at_every_interval(void **state)
{
    struct loop_timer timer, stopped;
    int64_t start_ms = loop_clock_ms();

    (void)state;
    assert_int_equal(loop_timer_init(&timer, loop, on_counting_timer), 0);
    assert_int_equal(loop_timer_init(&stopped, loop, on_failing_timer), 0);
    loop_timer_set(&stopped, 10, 10);
    loop_timer_stop(&stopped);
    loop_timer_set(&timer, 20, 10);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(calls, 3);
    assert_true(loop_clock_ms() - start_ms >= 39);
    assert_true(loop_turn_ms(loop) <= loop_clock_ms());
    loop_timer_done(&timer);
    loop_timer_done(&stopped);
    loop_timer_done(&stopped);
}

static void a_timer_without_delay_still_fires(void **state)
{
    struct loop_timer timer;

    (void)state;
    calls = 2;
    assert_int_equal(loop_timer_init(&timer, loop, on_counting_timer), 0);
    loop_timer_set(&timer, -5, 0);
    assert_int_equal(loop_run(loop), 0);
    loop_timer_done(&timer);
}

static void on_last_task(struct loop_task *task)
{
    (void)task;
    loop_stop(loop);
}

/* At the end of the turn: a stop from within would leave out what else was in the batch. */
static struct loop_task last = {.on_task = on_last_task};

static struct loop_timer *pair[2];

static void on_first_of_pair(struct loop_timer *timer)
{
    struct loop_timer *other = timer == pair[0] ? pair[1] : pair[0];

    calls++;
    loop_timer_done(other);
    free(other);
    pair[other == pair[0] ? 0 : 1] = NULL;
    loop_task_queue(loop, &last);
}

static void a_timer_that_is_due_but_removed_in_the_same_turn_does_not_fire(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        pair[i] = malloc(sizeof(*pair[i]));
        assert_non_null(pair[i]);
        assert_int_equal(loop_timer_init(pair[i], loop, on_first_of_pair), 0);
        loop_timer_set(pair[i], 1, 0);
    }
    usleep(5000);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(calls, 1);
    for (int i = 0; i < 2; i++) {
        if (pair[i])
            loop_timer_done(pair[i]);
        free(pair[i]);
    }
}

enum { CROWD = 40 };

static struct loop_io *crowd[CROWD];

static void remove_from_crowd(int i)
{
    int fd = crowd[i]->fd;

    loop_io_remove(loop, crowd[i]);
    close(fd);
    free(crowd[i]);
    crowd[i] = NULL;
}

static void on_crowd_io(struct loop_io *io, uint32_t events)
{
    assert_true(events & EPOLLIN);
    calls++;
    /* Everybody else goes, and so do we: none of them may be called any more. */
    for (int i = 0; i < CROWD; i++)
        if (crowd[i] && crowd[i] != io)
            remove_from_crowd(i);
    for (int i = 0; i < CROWD; i++)
        if (crowd[i])
            remove_from_crowd(i);
    loop_task_queue(loop, &last);
}

static void what_is_removed_within_a_batch_is_called_no_more_and_may_be_freed(void **state)
{
    (void)state;
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = malloc(sizeof(*crowd[i]));
        assert_non_null(crowd[i]);
        *crowd[i] = (struct loop_io){.fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC), .on_io = on_crowd_io};
        assert_int_equal(loop_io_add(loop, crowd[i], EPOLLIN), 0);
    }
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(calls, 1);
}

static void on_changing_io(struct loop_io *io, uint32_t events)
{
    calls++;
    if (events & EPOLLOUT) {
        assert_int_equal(loop_io_change(loop, io, EPOLLIN), 0);
    } else {
        loop_io_remove(loop, io);
        loop_stop(loop);
    }
}

static void the_events_waited_for_can_be_changed(void **state)
{
    struct loop_io io = {.fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC), .on_io = on_changing_io};
    struct loop_io never_added = {.fd = -1};

    (void)state;
    loop_io_remove(loop, &never_added);
    assert_int_equal(loop_io_add(loop, &io, EPOLLOUT), 0);
    assert_int_equal(loop_io_add(loop, &io, EPOLLOUT), -EEXIST);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(calls, 2);
    close(io.fd);
}

static void on_test_signal(struct loop_signals *signals, int signal_number)
{
    (void)signals;
    assert_true(signal_number == SIGUSR1 || signal_number == SIGUSR2);
    if (++calls == 2)
        loop_stop(loop);
}

static void signals_arrive_as_calls_of_the_loop(void **state)
{
    struct loop_signals signals;
    sigset_t set;

    (void)state;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    assert_int_equal(loop_signals_init(&signals, loop, &set, on_test_signal), 0);
    raise(SIGUSR1);
    raise(SIGUSR2);
    assert_int_equal(calls, 0);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(calls, 2);
    loop_signals_done(&signals);
    loop_signals_done(&signals);
}

static void a_stop_before_the_run_counts_and_the_loop_can_run_again(void **state)
{
    struct loop_task stop = {.on_task = on_stop_task};

    (void)state;
    order[0] = '\0';
    loop_stop(loop);
    assert_int_equal(loop_run(loop), 0);
    loop_task_queue(loop, &stop);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(calls, 3);
}

static void on_greedy_task(struct loop_task *task)
{
    struct timespec now, begin;

    (void)task;
    loop_doing(loop, "being greedy");
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 <= LOOP_TURN_MS_MAX + 2);
}

static void a_turn_that_takes_long_is_counted_and_the_log_names_what_did(void **state)
{
    struct loop_task greedy = {.on_task = on_greedy_task}, modest = {.on_task = on_stop_task};
    char said[4096] = "";
    int log = memfd_create("stderr", MFD_CLOEXEC), before = dup(STDERR_FILENO);

    (void)state;
    loop_task_queue(loop, &greedy);
    loop_task_queue(loop, &modest);
    dup2(log, STDERR_FILENO);
    int result = loop_run(loop);
    dup2(before, STDERR_FILENO);
    assert_int_equal(result, 0);
    assert_true(pread(log, said, sizeof(said) - 1, 0) > 0);
    assert_non_null(strstr(said, "a turn of the loop took long"));
    assert_non_null(strstr(said, "longest=\"being greedy\""));
    assert_int_equal(loop_stats(loop)->long_turns, 1);
    assert_int_equal(loop_stats(loop)->turns.count, 3);
    assert_int_equal(loop_stats(loop)->turns.buckets[0] + loop_stats(loop)->turns.buckets[1], 2);
    close(log);
    close(before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tasks_run_in_the_order_of_queueing_and_one_that_queues_itself_waits_a_turn),
        TEST(a_task_that_queues_itself_lets_descriptors_have_their_turn),
        TEST(a_task_can_cancel_others_of_the_same_turn),
        TEST(a_cancelled_last_task_leaves_the_queue_whole),
        TEST(a_timer_fires_after_its_delay_and_then_at_every_interval),
        TEST(a_timer_without_delay_still_fires),
        TEST(a_timer_that_is_due_but_removed_in_the_same_turn_does_not_fire),
        TEST(what_is_removed_within_a_batch_is_called_no_more_and_may_be_freed),
        TEST(the_events_waited_for_can_be_changed),
        TEST(signals_arrive_as_calls_of_the_loop),
        TEST(a_turn_that_takes_long_is_counted_and_the_log_names_what_did),
        TEST(a_stop_before_the_run_counts_and_the_loop_can_run_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
