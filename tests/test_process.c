/* test_process.c: programs and functions in children of their own.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_process.c -lcmocka
 *
 * After each test no child is left, and no descriptor. Nothing is timed: where
 * something has to have happened first, a pipe says so.
 */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700
#endif
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The headers are built with these in place of the system's. */
static int faulty_pipe(int fds[2]);
static int faulty_fcntl(int fd, int command, ...);
static pid_t faulty_fork(void);
static int faulty_dup2(int from, int to);
static int faulty_open(const char *path, int flags);
static ssize_t faulty_read(int fd, void *data, size_t size);
static ssize_t faulty_write(int fd, const void *data, size_t size);
static int faulty_poll(struct pollfd *fds, nfds_t count, int timeout);
static pid_t faulty_waitpid(pid_t pid, int *how, int flags);

#define ASYNC_PIPE_(fds) faulty_pipe(fds)
#define pipe faulty_pipe
#define fcntl faulty_fcntl
#define fork faulty_fork
#define dup2 faulty_dup2
#define open faulty_open
#define read faulty_read
#define write faulty_write
#define poll faulty_poll
#define waitpid faulty_waitpid
#include "async_process.h"
#include "async_process_executor.h"
#include "async_timeout.h"
#undef pipe
#undef fcntl
#undef fork
#undef dup2
#undef open
#undef read
#undef write
#undef poll
#undef waitpid

/* ---- faults ------------------------------------------------------------- */

enum call {
    NO_CALL,
    PIPE,
    FCNTL,
    FORK,
    DUP2,
    OPEN,
    READ,
    WRITE,
    POLL,
    WAITPID,
    CALLS
};

/* A child has a copy of it: what is counted there goes on from the parent's. */
static struct {
    enum call call;
    int nth;
    int error;
    int met; /* in the parent */
    int count[CALLS];
    void (*after_read)(void); /* of a whole job's result */
    size_t read_of;
    int dies_writing; /* a child, half-way through so many bytes */
} faults;

static pid_t parent;

static int failed(int error)
{
    errno = error;
    return -1;
}

/* True if this call is the one to fail, errno set. */
static int fails(enum call call)
{
    faults.count[call]++;
    if (call != faults.call || faults.count[call] != faults.nth)
        return 0;
    faults.met = 1;
    return failed(faults.error);
}

static int faulty_pipe(int fds[2])
{
    return fails(PIPE) ? -1 : pipe(fds);
}

static int faulty_fcntl(int fd, int command, ...)
{
    va_list arguments;
    int value;

    va_start(arguments, command);
    value = va_arg(arguments, int);
    va_end(arguments);
    return fails(FCNTL) ? -1 : fcntl(fd, command, value);
}

static pid_t faulty_fork(void)
{
    return fails(FORK) ? -1 : fork();
}

static int faulty_dup2(int from, int to)
{
    return fails(DUP2) ? -1 : dup2(from, to);
}

static int faulty_open(const char *path, int flags)
{
    return fails(OPEN) ? -1 : open(path, flags);
}

static ssize_t faulty_read(int fd, void *data, size_t size)
{
    ssize_t count = fails(READ) ? -1 : read(fd, data, size);

    if (faults.after_read && size == faults.read_of && count == (ssize_t)size)
        faults.after_read();
    return count;
}

static ssize_t faulty_write(int fd, const void *data, size_t size)
{
    if (size == (size_t)faults.dies_writing && getpid() != parent) {
        (void)!write(fd, data, size / 2);
        (void)raise(SIGKILL);
    }
    return fails(WRITE) ? -1 : write(fd, data, size);
}

static int faulty_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    return fails(POLL) ? -1 : poll(fds, count, timeout);
}

static pid_t faulty_waitpid(pid_t pid, int *how, int flags)
{
    return fails(WAITPID) ? -1 : waitpid(pid, how, flags);
}

/* ---- before and after each test ----------------------------------------- */

static struct async_loop loop;
static struct async_process_executor executor;
static int fds_before;

static int open_fds(void)
{
    int fd, count = 0;

    for (fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* No child, no descriptor, no task. */
static void assert_nothing_left(void)
{
    int child = waitpid(-1, NULL, WNOHANG);

    assert_int_equal(child, -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(open_fds(), fds_before);
    assert_int_equal(async_alive(&loop), 0);
    assert_int_equal(executor.running, 0);
    assert_int_equal(executor.queued, 0);
}

static int process_setup(void **state)
{
    static const struct async_process_executor no_executor;

    async_loop_init(&loop);
    executor = no_executor;
    executor.limit = 3;
    memset(&faults, 0, sizeof faults);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ; /* what a test that failed has left */
    fds_before = open_fds();
    parent = getpid();
    (void)alarm(60); /* not a limit: a hang ends by a signal */
    return trace_setup(state);
}

/* ---- a caller ----------------------------------------------------------- */

/* Offloads once; says how it ended. */
struct caller {
    struct async_frame async;
    async_process_fn *fn;
    void *arg;
    uint32_t limit_ms; /* 0: none */
    struct async_timer timer;
    struct async_process_job job;
    int status;
    int number;
    long result;
};

static async caller(struct async_loop *on, void *frame)
{
    struct caller *self = frame;

    async_begin(self);
    async_catch(
        self->status,
        async_timeout(on, &self->timer,
                      self->limit_ms ? self->limit_ms : ASYNC_NO_TIMEOUT,
                      async_process_offload(on, &executor, &self->job, self->fn,
                                            self->arg, &self->result,
                                            sizeof self->result)));
    assert_true(executor.running <= 3);
    async_end();
}

enum { MANY = 200 };

static struct caller callers[MANY];
static struct async_task tasks[MANY];

static int process_teardown(void **state)
{
    int i;

    (void)state;
    memset(&faults, 0, sizeof faults);
    (void)alarm(0);
    assert_int_equal(async_loop_end(&loop), 0); /* no timer either */
    for (i = 0; i < MANY; i++)
        if (callers[i].job.child_.is_ == ASYNC_CHILD_IS_ALIVE_)
            (void)kill(callers[i].job.child_.pid_, SIGKILL);
    assert_nothing_left();
    return 0;
}

#define process_claim(test)                                                    \
    cmocka_unit_test_setup_teardown(test, process_setup, process_teardown)

/* Runs `fn` in a child; how the await ended. */
static struct caller call(async_process_fn *fn, void *arg)
{
    static struct caller frame;

    frame = (struct caller){.fn = fn, .arg = arg, .result = 5};
    assert_int_equal(async_run(&loop, caller, &frame), ASYNC_DONE);
    return frame;
}

/* ---- functions in children ---------------------------------------------- */

static int memory = 1;

static int double_it(void *arg, void *result)
{
    memory = 2;
    *(long *)result = *(long *)result + 2 * *(int *)arg;
    return 0;
}

static void a_function_runs_in_a_child_and_its_result_comes_back(void **state)
{
    int number = 21;
    struct caller it = call(double_it, &number);

    (void)state;
    assert_int_equal(it.status, ASYNC_DONE);
    assert_int_equal(it.result, 42);
    assert_int_equal(it.job.exit_code, 0);
    assert_int_equal(it.job.signal, 0);
    assert_int_equal(memory, 1); /* it was the child's own */
}

static int fail_with_result(void *arg, void *result)
{
    *(long *)result = 7;
    return *(int *)arg;
}

static void its_error_is_the_awaits_and_the_result_comes_with_it(void **state)
{
    int error = -ENOSPC, too_large = -100000, positive = 5;
    struct caller it = call(fail_with_result, &error);

    (void)state;
    assert_int_equal(it.status, -ENOSPC);
    assert_int_equal(it.result, 7);
    assert_int_equal(it.job.exit_code, 0);
    assert_int_equal(call(fail_with_result, &too_large).status, ASYNC_EINVAL);
    assert_int_equal(call(fail_with_result, &positive).status, ASYNC_DONE);
}

static int die(void *arg, void *result)
{
    int how = *(int *)arg;

    *(long *)result = 1;
    if (how == 0)
        abort();
    if (how < 0)
        exit(-how - 1);
    (void)kill(getpid(), how);
    return 0;
}

static void assert_death(int how, int status, int exit_code, int signal)
{
    struct caller it = call(die, &how);

    assert_int_equal(it.status, status);
    assert_int_equal(it.job.exit_code, exit_code);
    assert_int_equal(it.job.signal, signal);
    assert_int_equal(it.result, 0);
    assert_nothing_left();
}

static void a_crash_is_an_error_that_says_which_signal_it_was(void **state)
{
    (void)state;
    assert_death(SIGSEGV, ASYNC_EKILLED, -1, SIGSEGV);
    assert_death(0, ASYNC_EKILLED, -1, SIGABRT);
    assert_death(SIGKILL, ASYNC_EKILLED, -1, SIGKILL);
    assert_death(SIGTERM, ASYNC_EKILLED, -1, SIGTERM);
}

static void an_exit_is_an_error_that_says_with_which_code(void **state)
{
    (void)state;
    (void)fflush(NULL);
    assert_death(-4, ASYNC_EEXITED, 3, 0);
    assert_death(-1, ASYNC_EEXITED, 0, 0);
}

static void a_child_that_dies_within_its_result_leaves_none_of_it(void **state)
{
    int number = -1;
    struct caller it;

    (void)state;
    faults.dies_writing = sizeof it.result;
    it = call(double_it, &number);

    assert_int_equal(it.status, ASYNC_EKILLED);
    assert_int_equal(it.job.signal, SIGKILL);
    assert_int_equal(it.result, 0);
}

static void a_child_that_dies_within_its_status_is_an_error(void **state)
{
    int number = -1;
    struct caller it;

    (void)state;
    faults.dies_writing = sizeof(int);
    it = call(double_it, &number);

    assert_int_equal(it.status, ASYNC_EKILLED);
    assert_int_equal(it.result, 0);
}

static int close_all_and_exit(void *arg, void *result)
{
    int fd;

    (void)arg;
    (void)result;
    for (fd = 0; fd < 1024; fd++)
        (void)close(fd);
    _exit(9);
}

static void a_child_that_closes_its_pipe_is_waited_for(void **state)
{
    struct caller it = call(close_all_and_exit, NULL);

    (void)state;
    assert_int_equal(it.status, ASYNC_EEXITED);
    assert_int_equal(it.job.exit_code, 9);
}

struct large {
    unsigned char bytes[300001];
};

static int fill(void *arg, void *result)
{
    struct large *large = result;
    size_t i;

    (void)arg;
    for (i = 0; i < sizeof large->bytes; i++)
        large->bytes[i] = (unsigned char)(i * 7 + i / 256);
    return 0;
}

struct large_caller {
    struct async_frame async;
    struct async_process_job job;
    struct large result, expected;
};

static async large_caller(struct async_loop *on, void *frame)
{
    struct large_caller *self = frame;

    async_begin(self);
    await(async_process_offload(on, &executor, &self->job, fill, NULL,
                                &self->result, sizeof self->result));
    async_end();
}

static void a_result_may_be_larger_than_a_pipes_buffer(void **state)
{
    static struct large_caller frame;
    int status = async_run(&loop, large_caller, &frame);

    (void)state;
    (void)fill(NULL, &frame.expected);
    assert_int_equal(status, ASYNC_DONE);
    assert_memory_equal(&frame.result, &frame.expected, sizeof frame.result);
}

struct empty_caller {
    struct async_frame async;
    struct async_process_job job;
};

static int expect_nothing(void *arg, void *result)
{
    return !arg && !result ? 0 : -EINVAL;
}

static async empty_caller(struct async_loop *on, void *frame)
{
    struct empty_caller *self = frame;

    async_begin(self);
    await(async_process_offload(on, &executor, &self->job, expect_nothing, NULL,
                                NULL, 0));
    await(async_process_offload(on, &executor, &self->job, expect_nothing, NULL,
                                NULL, 0)); /* the job serves again */
    async_end();
}

static void there_may_be_no_result_and_a_job_may_serve_again(void **state)
{
    struct empty_caller frame = {.job = {.is_ = 0}};

    (void)state;
    assert_int_equal(async_run(&loop, empty_caller, &frame), ASYNC_DONE);
}

static void an_executor_without_a_limit_is_refused(void **state)
{
    int number = 1;

    (void)state;
    executor.limit = 0;
    assert_int_equal(call(double_it, &number).status, ASYNC_EINVAL);
    assert_int_equal(faults.count[FORK], 0);
}

/* ---- many --------------------------------------------------------------- */

/* Its place among the forks. */
static int place(void *arg, void *result)
{
    (void)arg;
    *(long *)result = faults.count[FORK];
    return 0;
}

static void spawn_callers(int count, async_process_fn *fn)
{
    int i;

    memset(callers, 0, sizeof callers);
    memset(tasks, 0, sizeof tasks);
    for (i = 0; i < count; i++) {
        callers[i].fn = fn;
        callers[i].arg = &callers[i].number;
        callers[i].number = i;
        (void)async_spawn(&loop, &tasks[i], caller, &callers[i]);
    }
}

static void jobs_run_up_to_the_limit_in_the_order_they_came(void **state)
{
    int i;

    (void)state;
    spawn_callers(MANY, place);
    (void)async_run(&loop, NULL, NULL);

    for (i = 0; i < MANY; i++) {
        assert_int_equal(callers[i].status, ASYNC_DONE);
        assert_int_equal(callers[i].result, i + 1);
    }
    assert_int_equal(faults.count[FORK], MANY);
}

/* Stays for ever; should the test be gone, not so long. */
static int stay(void *arg, void *result)
{
    (void)arg;
    (void)result;
    (void)alarm(60);
    for (;;)
        (void)pause();
    return 0;
}

struct limits {
    struct async_frame async;
};

static async limits(struct async_loop *on, void *frame)
{
    struct limits *self = frame;
    int i;

    async_begin(self);
    await(async_yield_now(on));
    trace("%u run, %u wait", executor.running, executor.queued);
    executor.limit = 1;
    async_cancel(on, &tasks[0]);
    async_cancel(on, &tasks[1]);
    await(async_join(on, &tasks[0]));
    await(async_join(on, &tasks[1]));
    trace("%u run, %u wait", executor.running, executor.queued);
    executor.limit = 3;
    (void)async_spawn(on, &tasks[7], caller, &callers[7]);
    await(async_yield_now(on));
    await(async_yield_now(on));
    trace("%u run, %u wait", executor.running, executor.queued);
    async_cancel(on, &tasks[2]);
    await(async_join(on, &tasks[2]));
    trace("%u run, %u wait", executor.running, executor.queued);
    for (i = 3; i < 8; i++)
        async_cancel(on, &tasks[i]);
    async_end();
}

static void the_limit_may_change_and_counts_from_the_next_job_on(void **state)
{
    struct limits frame = {{0, 0}};

    (void)state;
    spawn_callers(7, stay);
    callers[7].fn = stay;
    assert_int_equal(async_run(&loop, limits, &frame), ASYNC_DONE);
    assert_trace("3 run, 4 wait\n"
                 "1 run, 4 wait\n"
                 "1 run, 5 wait\n" /* none overtakes */
                 "3 run, 2 wait\n");
}

/* ---- canceled ----------------------------------------------------------- */

struct canceler {
    struct async_frame async;
    int which;
    int ready[2]; /* -1: none; a child says in it that it may be canceled */
    int times;
    char said;
    size_t count;
};

static async canceler(struct async_loop *on, void *frame)
{
    struct canceler *self = frame;

    async_begin(self);
    if (self->ready[0] > 0)
        await(async_read(on, self->ready[0], &self->said, 1, &self->count));
    else
        await(async_yield_now(on));
    for (; self->times >= 0; self->times--) {
        async_cancel(on, &tasks[self->which]);
        await(async_yield_now(on));
        await(async_yield_now(on));
    }
    async_end();
}

static void a_queued_job_that_is_canceled_never_runs(void **state)
{
    struct canceler frame = {.which = 2};
    int i;

    (void)state;
    executor.limit = 1;
    spawn_callers(5, place);
    assert_int_equal(async_run(&loop, canceler, &frame), ASYNC_DONE);

    assert_int_equal(callers[2].status, ASYNC_ECANCELED);
    assert_int_equal(callers[2].job.exit_code, -1);
    assert_int_equal(faults.count[FORK], 4);
    for (i = 0; i < 5; i++)
        if (i != 2)
            assert_int_equal(callers[i].result, i < 2 ? i + 1 : i);
}

static void a_running_job_that_is_canceled_is_killed_and_reaped(void **state)
{
    struct canceler frame = {.which = 0};

    (void)state;
    spawn_callers(1, stay);
    assert_int_equal(async_run(&loop, canceler, &frame), ASYNC_DONE);

    assert_int_equal(callers[0].status, ASYNC_ECANCELED);
    assert_int_equal(callers[0].job.signal, SIGKILL);
}

static void what_waits_behind_a_canceled_job_runs_then(void **state)
{
    struct canceler frame = {.which = 0};

    (void)state;
    executor.limit = 1;
    spawn_callers(2, stay);
    callers[1].fn = place;
    assert_int_equal(async_run(&loop, canceler, &frame), ASYNC_DONE);

    assert_int_equal(callers[0].status, ASYNC_ECANCELED);
    assert_int_equal(callers[1].status, ASYNC_DONE);
    assert_int_equal(callers[1].result, 2);
}

static int ready_fd;

/* Says that it may be canceled, and stays. */
static int say_and_stay(void *arg, void *result)
{
    (void)!write(ready_fd, "", 1);
    return stay(arg, result);
}

static int ignore_and_stay(void *arg, void *result)
{
    (void)signal(SIGTERM, SIG_IGN);
    return say_and_stay(arg, result);
}

static void finish(int n)
{
    (void)n;
    _exit(5);
}

static int catch_and_stay(void *arg, void *result)
{
    (void)signal(SIGTERM, finish);
    return say_and_stay(arg, result);
}

static int close_and_stay(void *arg, void *result)
{
    int fd;

    for (fd = 3; fd < 1024; fd++)
        if (fd != ready_fd)
            (void)close(fd);
    return say_and_stay(arg, result);
}

/* Cancels `fn` so often when it has said that it is ready. */
static void cancel_when_ready(async_process_fn *fn, int times)
{
    struct canceler frame = {.times = times - 1};
    int status;

    assert_int_equal(pipe(frame.ready), 0);
    assert_int_equal(fcntl(frame.ready[0], F_SETFL, O_NONBLOCK), 0);
    ready_fd = frame.ready[1];
    executor.keep_descriptors = 1;
    spawn_callers(1, fn);
    status = async_run(&loop, canceler, &frame);
    (void)close(frame.ready[0]);
    (void)close(frame.ready[1]);

    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(callers[0].status, ASYNC_ECANCELED);
}

static void with_a_grace_it_gets_a_sigterm_first(void **state)
{
    (void)state;
    executor.grace_ms = 60000;
    cancel_when_ready(say_and_stay, 1);
    assert_int_equal(callers[0].job.signal, SIGTERM);
}

static void one_that_handles_the_sigterm_ends_as_it_likes(void **state)
{
    (void)state;
    executor.grace_ms = 60000;
    cancel_when_ready(catch_and_stay, 1);
    assert_int_equal(callers[0].job.exit_code, 5);
}

static void one_that_ignores_the_sigterm_is_killed_after_the_grace(void **state)
{
    (void)state;
    executor.grace_ms = 20;
    cancel_when_ready(ignore_and_stay, 1);
    assert_int_equal(callers[0].job.signal, SIGKILL);
}

static void a_second_cancel_does_not_cut_the_grace_short(void **state)
{
    (void)state;
    executor.grace_ms = 20;
    cancel_when_ready(ignore_and_stay, 3);
    assert_int_equal(callers[0].job.signal, SIGKILL);
}

static void
a_child_that_has_closed_its_pipe_and_stays_can_be_canceled(void **state)
{
    (void)state;
    cancel_when_ready(close_and_stay, 1);
    assert_int_equal(callers[0].job.signal, SIGKILL);
}

static void a_job_that_takes_too_long_is_killed_and_has_timed_out(void **state)
{
    struct caller frame = {.fn = stay, .limit_ms = 10};

    (void)state;
    assert_int_equal(async_run(&loop, caller, &frame), ASYNC_DONE);
    assert_int_equal(frame.status, ASYNC_ETIMEDOUT);
    assert_int_equal(frame.job.signal, SIGKILL);
}

static void cancel_the_first(void)
{
    async_cancel(&loop, &tasks[0]);
}

static void a_result_that_is_here_whole_beats_a_cancel(void **state)
{
    (void)state;
    faults.after_read = cancel_the_first;
    faults.read_of = sizeof(long);
    spawn_callers(1, place);
    (void)async_run(&loop, NULL, NULL);

    assert_int_equal(callers[0].status, ASYNC_DONE);
    assert_int_equal(callers[0].result, 1);
    assert_int_equal(callers[0].job.exit_code, 0);
}

/* ---- what a child has --------------------------------------------------- */

static int count_fds(void *arg, void *result)
{
    (void)arg;
    *(long *)result = open_fds();
    return 0;
}

static void a_child_has_the_standard_streams_and_its_pipe(void **state)
{
    int fds[2], many, i;
    struct caller it;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    many = dup2(fds[0], 900); /* far behind the pipe */
    it = call(count_fds, NULL);
    (void)close(many);
    for (i = 0; i < 2; i++)
        (void)close(fds[i]);

    assert_int_equal(it.result, 4);
}

static int first_fd;

static void a_child_has_no_more_when_its_pipe_has_the_first_number(void **state)
{
    (void)state;
    first_fd = fcntl(2, F_DUPFD, 3);
    (void)close(first_fd);
    assert_int_equal(call(count_fds, NULL).result, 4);
}

static void a_child_has_all_descriptors_if_it_is_to_keep_them(void **state)
{
    struct caller it;
    int before;

    (void)state;
    executor.keep_descriptors = 1;
    before = open_fds();
    it = call(count_fds, NULL);

    assert_int_equal(it.result, before + 2 + 1); /* the run's, its own pipe */
}

static void note(int n)
{
    (void)n;
    trace("a handler ran");
}

/* A digit each: its handlers are gone, nothing is blocked, what was ignored
 * is, SIGPIPE kills. */
static int look_at_signals(void *arg, void *result)
{
    struct sigaction action;
    sigset_t blocked;
    int n, some = 0;

    (void)arg;
    (void)sigaction(SIGUSR1, NULL, &action);
    *(long *)result = action.sa_handler == SIG_DFL;
    (void)sigprocmask(SIG_BLOCK, NULL, &blocked);
    for (n = 1; n < 32; n++)
        some += sigismember(&blocked, n) > 0;
    *(long *)result += 10 * (some == 0);
    (void)sigaction(SIGHUP, NULL, &action);
    *(long *)result += 100 * (action.sa_handler == SIG_IGN);
    (void)sigaction(SIGPIPE, NULL, &action);
    *(long *)result += 1000 * (action.sa_handler == SIG_DFL);
    return 0;
}

static void
a_child_has_no_handlers_and_nothing_blocked_but_ignores_the_same(void **state)
{
    sigset_t blocked, before, after;
    struct caller it;

    (void)state;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGUSR2);
    (void)sigprocmask(SIG_BLOCK, &blocked, &before);
    (void)signal(SIGUSR1, note);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    it = call(look_at_signals, NULL);
    (void)sigprocmask(SIG_SETMASK, &before, &after);
    (void)signal(SIGUSR1, SIG_DFL);
    (void)signal(SIGHUP, SIG_DFL);
    (void)signal(SIGPIPE, SIG_DFL);

    assert_int_equal(it.result, 1111);
    assert_int_equal(sigismember(&after, SIGUSR2), 1); /* ours is as it was */
    assert_int_equal(sigismember(&after, SIGUSR1), 0);
}

static int run_the_loop(void *arg, void *result)
{
    int host = loop.host_ != NULL;

    (void)arg;
    async_wake(&loop); /* tells nobody */
    *(long *)result = host ? -1 : async_run(&loop, NULL, NULL);
    return 0;
}

static void a_child_can_not_run_its_parents_loop(void **state)
{
    (void)state;
    assert_int_equal(call(run_the_loop, NULL).result, ASYNC_EBUSY);
}

static struct async_loop own_loop;

static int run_a_loop(void *arg, void *result)
{
    struct empty_caller frame = {.job = {.is_ = 0}};

    (void)arg;
    executor.running = 0;
    *(long *)result = async_run(&own_loop, empty_caller, &frame);
    return 0;
}

static void a_child_may_run_a_loop_of_its_own_with_children(void **state)
{
    (void)state;
    assert_int_equal(call(run_a_loop, NULL).result, ASYNC_DONE);
}

static void what_is_not_flushed_comes_once(void **state)
{
    FILE *file = tmpfile();
    char text[16] = "";

    (void)state;
    assert_non_null(file);
    (void)fprintf(file, "once");
    executor.keep_descriptors = 1;
    (void)call(place, NULL);
    rewind(file);
    assert_int_equal(fread(text, 1, sizeof text - 1, file), 4);
    (void)fclose(file);
    assert_string_equal(text, "once");
}

/* ---- where it is not as usual ------------------------------------------- */

static void a_result_comes_even_if_somebody_else_reaps(void **state)
{
    int number = 21, how = SIGKILL;
    struct caller whole, none;

    (void)state;
    (void)signal(SIGCHLD, SIG_IGN);
    whole = call(double_it, &number);
    none = call(die, &how);
    (void)signal(SIGCHLD, SIG_DFL);

    assert_int_equal(whole.status, ASYNC_DONE);
    assert_int_equal(whole.result, 42);
    assert_int_equal(none.status, -ECHILD);
    assert_int_equal(none.job.exit_code, -1);
    assert_int_equal(none.job.signal, 0);
}

static void tell_nobody(void *arg)
{
    (void)arg;
}

static void
where_nothing_can_be_watched_that_is_the_error_and_nothing_is_left(void **state)
{
    const struct async_host host = {tell_nobody, NULL, NULL};

    (void)state;
    async_attach(&loop, &host);
    spawn_callers(4, stay);
    while (async_alive(&loop))
        (void)async_poll(&loop, async_clock_now());
    async_attach(&loop, NULL);

    assert_int_equal(callers[0].status, ASYNC_ENOTSUP);
    assert_int_equal(callers[0].job.signal, SIGKILL);
    assert_int_equal(callers[3].status, ASYNC_ENOTSUP);
}

/* ---- programs ----------------------------------------------------------- */

/* Starts a shell with a script, waits for it. */
struct shell {
    struct async_frame async;
    const char *script;
    int flags;
    uint32_t limit_ms;
    struct async_timer timer;
    struct async_process process;
    int started, status;
};

static int start_shell(struct async_process *process, const char *script,
                       int flags)
{
    char sh[] = "sh", c[] = "-c", text[512], *argv[4];

    (void)snprintf(text, sizeof text, "%s", script);
    argv[0] = sh;
    argv[1] = c;
    argv[2] = text;
    argv[3] = NULL;
    return async_process_start(&loop, process, argv, flags);
}

static async shell(struct async_loop *on, void *frame)
{
    struct shell *self = frame;

    async_begin(self);
    self->started = start_shell(&self->process, self->script, self->flags);
    if (self->started < 0)
        async_return();
    async_catch(
        self->status,
        async_timeout(on, &self->timer,
                      self->limit_ms ? self->limit_ms : ASYNC_NO_TIMEOUT,
                      async_process_wait(on, &self->process)));
    async_end();
}

static struct shell run_shell(const char *script, int flags)
{
    static struct shell frame;

    frame = (struct shell){.script = script, .flags = flags};
    assert_int_equal(async_run(&loop, shell, &frame), ASYNC_DONE);
    return frame;
}

static void a_program_is_awaited_and_its_exit_code_known(void **state)
{
    struct shell it = run_shell("exit 7", 0);

    (void)state;
    assert_int_equal(it.status, ASYNC_DONE);
    assert_int_equal(it.process.exit_code, 7);
    assert_int_equal(it.process.signal, 0);
}

static void a_program_that_is_killed_says_by_which_signal(void **state)
{
    struct shell it = run_shell("kill -SEGV $$", 0);

    (void)state;
    assert_int_equal(it.status, ASYNC_DONE);
    assert_int_equal(it.process.exit_code, -1);
    assert_int_equal(it.process.signal, SIGSEGV);
}

static int start(const char *program, struct async_process *process)
{
    char name[64], *argv[2];

    (void)snprintf(name, sizeof name, "%s", program);
    argv[0] = name;
    argv[1] = NULL;
    return async_process_start(&loop, process, argv,
                               ASYNC_STDIN_PIPE | ASYNC_STDOUT_PIPE |
                                   ASYNC_STDERR_PIPE | ASYNC_NEW_GROUP);
}

static void a_program_that_is_not_there_is_starts_error(void **state)
{
    struct async_process process = {.grace_ms = 0};

    (void)state;
    assert_int_equal(start("/no/such/program", &process), -ENOENT);
    assert_int_equal(process.pid, 0);
    assert_int_equal(process.in, -1);
    assert_nothing_left();
    assert_int_equal(start("no_such_program_in_path", &process), -ENOENT);
    assert_int_equal(start("/etc/passwd", &process), -EACCES);
}

static void a_start_that_can_not_be_is_refused(void **state)
{
    static const int wrong[] = {ASYNC_STDIN_PIPE | ASYNC_STDIN_NULL,
                                ASYNC_STDOUT_PIPE | ASYNC_STDOUT_NULL,
                                ASYNC_STDERR_PIPE | ASYNC_STDERR_NULL,
                                ASYNC_STDERR_PIPE | ASYNC_STDERR_TO_STDOUT,
                                ASYNC_STDERR_NULL | ASYNC_STDERR_TO_STDOUT,
                                256,
                                -1};
    struct async_process process = {.grace_ms = 0};
    char *none[] = {NULL};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(start_shell(&process, "exit", wrong[i]), ASYNC_EINVAL);
    assert_int_equal(async_process_start(&loop, &process, none, 0),
                     ASYNC_EINVAL);
    assert_int_equal(async_process_start(&loop, &process, NULL, 0),
                     ASYNC_EINVAL);
    assert_int_equal(faults.count[FORK], 0);
}

struct twice {
    struct async_frame async;
    struct async_process process;
    int before, unstarted, killed, busy, again, kill_after, second;
};

static async twice(struct async_loop *on, void *frame)
{
    struct twice *self = frame;

    async_begin(self);
    async_catch(self->before, async_process_wait(on, &self->process));
    async_catch(self->unstarted, async_process_end(on, &self->process));
    self->killed = async_process_kill(&self->process, SIGTERM);
    (void)start_shell(&self->process, "read x; exit 3", ASYNC_STDIN_PIPE);
    self->busy = start_shell(&self->process, "exit 4", 0);
    async_close(&self->process.in);
    await(async_process_wait(on, &self->process));
    async_catch(self->again, async_process_wait(on, &self->process));
    self->again = self->again == ASYNC_DONE ? self->process.exit_code : -1;
    self->kill_after = async_process_kill(&self->process, SIGKILL);
    await(async_process_end(on, &self->process));
    (void)start_shell(&self->process, "exit 5", 0);
    await(async_process_wait(on, &self->process));
    self->second = self->process.exit_code;
    async_end();
}

static void a_process_is_one_program_at_a_time_and_may_serve_again(void **state)
{
    struct twice frame = {.process = {.grace_ms = 0}};

    (void)state;
    assert_int_equal(async_run(&loop, twice, &frame), ASYNC_DONE);
    assert_int_equal(frame.before, ASYNC_EINVAL);
    assert_int_equal(frame.unstarted, ASYNC_DONE);
    assert_int_equal(frame.killed, -ESRCH);
    assert_int_equal(frame.busy, ASYNC_EBUSY);
    assert_int_equal(frame.again, 3);
    assert_int_equal(frame.kill_after, -ESRCH);
    assert_int_equal(frame.second, 5);
}

static void a_program_that_somebody_else_reaps_is_an_error(void **state)
{
    struct shell it;

    (void)state;
    (void)signal(SIGCHLD, SIG_IGN);
    it = run_shell("exit 7", 0);
    (void)signal(SIGCHLD, SIG_DFL);

    assert_int_equal(it.status, -ECHILD);
    assert_int_equal(it.process.exit_code, -1);
}

/* ---- its end ------------------------------------------------------------ */

static void a_program_that_takes_too_long_is_killed_and_reaped(void **state)
{
    struct shell frame = {.script = "exec sleep 60", .limit_ms = 10};

    (void)state;
    assert_int_equal(async_run(&loop, shell, &frame), ASYNC_DONE);
    assert_int_equal(frame.status, ASYNC_ETIMEDOUT);
    assert_int_equal(frame.process.signal, SIGKILL);
}

static void with_a_grace_a_program_may_end_by_itself(void **state)
{
    struct shell frame = {.script = "exec sleep 60", .limit_ms = 10};

    (void)state;
    frame.process.grace_ms = 60000;
    assert_int_equal(async_run(&loop, shell, &frame), ASYNC_DONE);
    assert_int_equal(frame.status, ASYNC_ETIMEDOUT);
    assert_int_equal(frame.process.signal, SIGTERM);
}

struct killer {
    struct async_frame async;
    struct async_process process;
    const char *script;
    int signal, flags;
    uint32_t grace_ms;
    int canceled; /* in its clean-up */
    char text[16];
    size_t count;
    int status;
};

/* Kills a program when it has said that it is ready, or has it end. */
static async killer(struct async_loop *on, void *frame)
{
    struct killer *self = frame;

    async_begin(self);
    self->process.grace_ms = self->grace_ms;
    self->status = start_shell(&self->process, self->script,
                               ASYNC_STDOUT_PIPE | self->flags);
    if (self->status < 0)
        async_fail(self->status);
    await(async_read(on, self->process.out, self->text, sizeof self->text,
                     &self->count));
    if (!self->signal)
        async_return();
    if (async_process_kill(&self->process, self->signal) < 0)
        async_fail(ASYNC_EINVAL);
    async_catch(self->status, async_read(on, self->process.out, self->text,
                                         sizeof self->text, &self->count));
    await(async_process_wait(on, &self->process));
    async_finally();
    if (self->canceled)
        async_cancel(on, async_current(on));
    await(async_process_end(on, &self->process));
    async_end();
}

static void a_program_can_be_sent_a_signal(void **state)
{
    struct killer frame = {
        .script = "trap 'exit 9' USR1; echo x; while :; do sleep 0.01; done",
        .signal = SIGUSR1};

    (void)state;
    assert_int_equal(async_run(&loop, killer, &frame), ASYNC_DONE);
    assert_int_equal(frame.process.exit_code, 9);
}

static void a_group_is_killed_with_all_that_it_has_started(void **state)
{
    struct killer frame = {.script = "sleep 60 & echo x; wait",
                           .signal = SIGTERM,
                           .flags = ASYNC_NEW_GROUP};

    (void)state;
    assert_int_equal(async_run(&loop, killer, &frame), ASYNC_DONE);
    assert_int_equal(frame.status, ASYNC_ECLOSED); /* nobody has its output */
    assert_int_equal(frame.process.signal, SIGTERM);
}

static void what_still_runs_in_a_finally_section_is_killed_there(void **state)
{
    struct killer frame = {.script = "echo x; exec sleep 60"};

    (void)state;
    assert_int_equal(async_run(&loop, killer, &frame), ASYNC_DONE);
    assert_int_equal(frame.process.signal, SIGKILL);
    assert_int_equal(frame.process.out, -1);
}

static void an_end_is_not_cut_short_by_a_cancel(void **state)
{
    struct killer frame = {.script = "trap '' TERM; echo x; exec sleep 60",
                           .grace_ms = 20,
                           .canceled = 1};

    (void)state;
    assert_int_equal(async_run(&loop, killer, &frame), ASYNC_DONE);
    assert_int_equal(frame.process.signal, SIGKILL);
}

/* Waits for a program that ignores SIGTERM, or ends it, once it has said that
 * it is ready. */
struct patient {
    struct async_frame async;
    struct async_process process;
    int ends, ready;
    char text[4];
    size_t count;
    int status, signal, next;
};

static async patient(struct async_loop *on, void *frame)
{
    struct patient *self = frame;

    async_begin(self);
    self->process.grace_ms = 20;
    self->status =
        start_shell(&self->process, "trap '' TERM; echo x; exec sleep 60",
                    ASYNC_STDOUT_PIPE);
    if (self->status < 0)
        async_fail(self->status);
    await(async_read(on, self->process.out, self->text, sizeof self->text,
                     &self->count));
    self->ready = 1;
    if (self->ends)
        async_catch(self->status, async_process_end(on, &self->process));
    else
        async_catch(self->status, async_process_wait(on, &self->process));
    self->signal = self->process.signal;
    async_catch(self->next, async_yield_now(on));
    async_finally();
    await(async_process_end(on, &self->process));
    async_end();
}

struct pusher {
    struct async_frame async;
    struct async_task task;
    struct patient patient;
    int times;
};

/* Cancels it twice. */
static async pusher(struct async_loop *on, void *frame)
{
    struct pusher *self = frame;

    async_begin(self);
    (void)async_spawn(on, &self->task, patient, &self->patient);
    await(async_until(on, self->patient.ready));
    for (self->times = 0; self->times < 2; self->times++) {
        async_cancel(on, &self->task);
        await(async_yield_now(on));
        await(async_yield_now(on));
    }
    async_catch(self->times, async_join(on, &self->task));
    async_end();
}

static void a_second_cancel_does_not_cut_a_programs_grace_short(void **state)
{
    struct pusher frame = {.patient = {.ends = 0}};

    (void)state;
    assert_int_equal(async_run(&loop, pusher, &frame), ASYNC_DONE);
    assert_int_equal(frame.patient.status, ASYNC_ECANCELED);
    assert_int_equal(frame.patient.signal, SIGKILL);
    assert_int_equal(frame.patient.next, ASYNC_ECANCELED); /* stays asked */
}

static void an_end_is_not_cut_short_in_a_body_either(void **state)
{
    struct pusher frame = {.patient = {.ends = 1}};

    (void)state;
    assert_int_equal(async_run(&loop, pusher, &frame), ASYNC_DONE);
    assert_int_equal(frame.patient.status, ASYNC_DONE);
    assert_int_equal(frame.patient.signal, SIGKILL);
    assert_int_equal(frame.patient.next, ASYNC_ECANCELED); /* stays asked */
}

/* ---- its streams -------------------------------------------------------- */

struct reader {
    struct async_frame async;
    struct async_process process;
    const char *script, *input;
    int flags;
    char text[256], part[16];
    size_t count, length;
    int status;
};

/* Writes its input, reads all of its output in small parts. */
static async reader(struct async_loop *on, void *frame)
{
    struct reader *self = frame;

    async_begin(self);
    if (self->process.pid == 0)
        self->status = start_shell(&self->process, self->script, self->flags);
    if (self->status < 0)
        async_fail(self->status);
    if (self->input)
        await(async_write(on, self->process.in, self->input,
                          strlen(self->input), &self->count));
    async_close(&self->process.in);
    for (;;) {
        async_catch(self->status, async_read(on, self->process.out, self->part,
                                             sizeof self->part, &self->count));
        if (self->status < 0)
            break;
        memcpy(self->text + self->length, self->part, self->count);
        self->length += self->count;
    }
    await(async_process_wait(on, &self->process));
    async_finally();
    await(async_process_end(on, &self->process));
    async_end();
}

static struct reader read_shell(const char *script, const char *input,
                                int flags)
{
    static struct reader frame;

    frame = (struct reader){.script = script, .input = input, .flags = flags};
    assert_int_equal(async_run(&loop, reader, &frame), ASYNC_DONE);
    assert_int_equal(frame.status, ASYNC_ECLOSED);
    assert_int_equal(frame.count, 0);
    return frame;
}

static void a_program_reads_and_is_read_to_its_end(void **state)
{
    struct reader it =
        read_shell("sort", "the pear\nthe fig, and the plum\nan apple\n",
                   ASYNC_STDIN_PIPE | ASYNC_STDOUT_PIPE);

    (void)state;
    assert_string_equal(it.text, "an apple\nthe fig, and the plum\nthe pear\n");
    assert_int_equal(it.process.exit_code, 0);
}

static void errors_may_go_where_the_output_goes(void **state)
{
    struct reader it = read_shell("echo a; echo b >&2; echo c", NULL,
                                  ASYNC_STDOUT_PIPE | ASYNC_STDERR_TO_STDOUT);

    (void)state;
    assert_string_equal(it.text, "a\nb\nc\n");
}

static void a_stream_may_be_nothing(void **state)
{
    struct reader it =
        read_shell("cat; echo a >&2; echo b; test -t 2 || :", NULL,
                   ASYNC_STDIN_NULL | ASYNC_STDOUT_PIPE | ASYNC_STDERR_NULL);
    struct shell silent =
        run_shell("echo this line is too much", ASYNC_STDOUT_NULL);

    (void)state;
    assert_string_equal(it.text, "b\n");
    assert_int_equal(silent.process.exit_code, 0);
}

/* When it starts, the parent has no standard streams: so pipes would get their
 * numbers. */
static void streams_may_have_each_others_numbers(void **state)
{
    static struct reader it;
    static const struct reader zero;
    int i, saved[3], before, after, started, status, watched;

    (void)state;
    (void)fflush(NULL);
    it = zero;
    it.input = "quite\n";
    for (i = 0; i < 3; i++) {
        saved[i] = fcntl(i, F_DUPFD, 100);
        (void)close(i);
    }
    before = open_fds();
    started = start_shell(&it.process, "tr a-z A-Z; echo b >&2",
                          ASYNC_STDIN_PIPE | ASYNC_STDOUT_PIPE |
                              ASYNC_STDERR_TO_STDOUT);
    after = open_fds();
    watched = it.process.child_.fd_ >= 0;
    for (i = 0; i < 3; i++) {
        if (it.process.child_.fd_ == i)
            it.process.child_.fd_ = fcntl(i, F_DUPFD, 3);
        (void)dup2(saved[i], i);
        (void)close(saved[i]);
    }
    status = async_run(&loop, reader, &it);

    assert_int_equal(started, 0);
    assert_int_equal(after - before, 2 + watched);
    assert_int_equal(status, ASYNC_DONE);
    assert_string_equal(it.text, "QUITE\nb\n");
}

/* With stdin closed, /dev/null may come as number 0. */
static void what_was_closed_stays_closed_beside_dev_null(void **state)
{
    struct shell it;
    int saved = fcntl(0, F_DUPFD, 100);

    (void)state;
    (void)close(0);
    it = run_shell("test -e /dev/fd/0 && exit 1; exit 0", ASYNC_STDOUT_NULL);
    (void)dup2(saved, 0);
    (void)close(saved);

    assert_int_equal(it.process.exit_code, 0);
}

static void what_a_program_gets_is_no_more_with_dev_null(void **state)
{
    static const char count[] =
        "n=0; for i in 3 4 5 6 7 8 9 10 11 12; do "
        "[ -e /dev/fd/$i ] && n=$((n+1)); done; exit $n";
    struct shell plain = run_shell(count, 0);
    struct shell nothing = run_shell(
        count, ASYNC_STDIN_NULL | ASYNC_STDOUT_NULL | ASYNC_STDERR_NULL);

    (void)state;
    assert_true(plain.process.exit_code >= 0);
    assert_int_equal(nothing.process.exit_code, plain.process.exit_code);
}

struct two {
    struct async_frame async;
    struct async_process first, second;
};

/* Ends the first one's input while the second lives. */
static async two(struct async_loop *on, void *frame)
{
    struct two *self = frame;

    async_begin(self);
    if (start_shell(&self->first, "exec cat", ASYNC_STDIN_PIPE) < 0 ||
        start_shell(&self->second, "exec cat", ASYNC_STDIN_PIPE) < 0)
        async_fail(ASYNC_EINVAL);
    async_close(&self->first.in);
    await(async_process_wait(on, &self->first));
    async_finally();
    await(async_process_end(on, &self->first));
    await(async_process_end(on, &self->second));
    async_end();
}

static void no_program_holds_anothers_pipe(void **state)
{
    struct two frame = {.first = {.grace_ms = 0}};

    (void)state;
    assert_int_equal(async_run(&loop, two, &frame), ASYNC_DONE);
    assert_int_equal(frame.first.exit_code, 0);
}

static void a_program_dies_by_a_broken_pipe_though_we_ignore_it(void **state)
{
    struct shell it;

    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    it = run_shell("kill -PIPE $$; exit 1", 0);
    (void)signal(SIGPIPE, SIG_DFL);

    assert_int_equal(it.process.signal, SIGPIPE);
}

/* ---- reading and writing ------------------------------------------------ */

enum { MEGABYTE = 1 << 20 };

struct flow {
    struct async_process cat;
    unsigned char sent[MEGABYTE], got[MEGABYTE + 1];
    size_t sent_count, got_count, part;
    int read_status;
};

static struct flow flow;

struct half {
    struct async_frame async;
};

static async feed(struct async_loop *on, void *frame)
{
    struct half *self = frame;

    async_begin(self);
    await(async_write(on, flow.cat.in, flow.sent, MEGABYTE, &flow.sent_count));
    async_close(&flow.cat.in);
    async_end();
}

static async drain(struct async_loop *on, void *frame)
{
    struct half *self = frame;

    async_begin(self);
    for (;;) {
        async_catch(flow.read_status,
                    async_read(on, flow.cat.out, flow.got + flow.got_count,
                               sizeof flow.got - flow.got_count, &flow.part));
        if (flow.read_status < 0)
            break;
        flow.got_count += flow.part;
    }
    await(async_process_wait(on, &flow.cat));
    async_finally();
    await(async_process_end(on, &flow.cat));
    async_end();
}

/* A megabyte goes through cat, written while it is read. */
static void flow_through_cat(void)
{
    struct half frames[2] = {{{0, 0}}, {{0, 0}}};
    struct async_task feeder = {.fn = NULL};
    size_t i;
    int started;

    memset(&flow, 0, sizeof flow);
    for (i = 0; i < MEGABYTE; i++)
        flow.sent[i] = (unsigned char)(i * 31 + i / 4096);
    started = start_shell(&flow.cat, "exec cat",
                          ASYNC_STDIN_PIPE | ASYNC_STDOUT_PIPE);
    assert_int_equal(started, 0);
    (void)async_spawn(&loop, &feeder, feed, &frames[0]);
    assert_int_equal(async_run(&loop, drain, &frames[1]), ASYNC_DONE);
    assert_int_equal(flow.sent_count, MEGABYTE);
    assert_int_equal(flow.got_count, MEGABYTE);
    assert_int_equal(flow.read_status, ASYNC_ECLOSED);
    assert_memory_equal(flow.sent, flow.got, MEGABYTE);
    assert_int_equal(flow.cat.exit_code, 0);
}

static void a_megabyte_is_written_while_it_is_read(void **state)
{
    (void)state;
    flow_through_cat();
}

/* Writes to, or reads from, one end of a pipe. */
struct end {
    struct async_frame async;
    int fd, writes;
    char *data;
    size_t size, count;
    int status;
};

static async end(struct async_loop *on, void *frame)
{
    struct end *self = frame;

    async_begin(self);
    if (self->writes)
        async_catch(self->status, async_write(on, self->fd, self->data,
                                              self->size, &self->count));
    else
        async_catch(self->status, async_read(on, self->fd, self->data,
                                             self->size, &self->count));
    async_end();
}

static void open_pipe(int fds[2])
{
    int i;

    assert_int_equal(pipe(fds), 0);
    for (i = 0; i < 2; i++)
        (void)fcntl(fds[i], F_SETFL, O_NONBLOCK);
}

/* With SIGPIPE as usual, blocked, or ignored. */
static void a_write_that_nobody_reads_is_an_error_and_no_signal(void **state)
{
    struct end frame = {.writes = 1, .data = (char *)flow.sent, .size = 10};
    sigset_t pipe_only, before, pending;
    int fds[2], i, n, status;

    (void)state;
    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    for (i = 0; i < 3; i++) {
        open_pipe(fds);
        (void)close(fds[0]);
        frame.async = (struct async_frame){0, 0};
        frame.fd = fds[1];
        if (i == 1)
            (void)sigprocmask(SIG_BLOCK, &pipe_only, NULL);
        if (i == 2)
            (void)signal(SIGPIPE, SIG_IGN);
        status = async_run(&loop, end, &frame);
        (void)sigpending(&pending);
        n = sigismember(&pending, SIGPIPE);
        if (n)
            (void)sigwait(&pipe_only, &n);
        (void)signal(SIGPIPE, SIG_DFL);
        (void)sigprocmask(SIG_UNBLOCK, &pipe_only, &before);
        (void)close(fds[1]);

        assert_int_equal(status, ASYNC_DONE);
        assert_int_equal(frame.status, -EPIPE);
        assert_int_equal(frame.count, 0);
        assert_int_equal(sigismember(&before, SIGPIPE), i == 1);
        assert_int_equal(n != 0, i == 1); /* who blocks it, gets it */
    }
}

/* Reads a page, and no more. */
static async read_a_page(struct async_loop *on, void *frame)
{
    struct end *self = frame;

    async_begin(self);
    await(async_read(on, self->fd, self->data, self->size, &self->count));
    async_finally();
    async_close(&self->fd);
    async_end();
}

static void a_write_whose_reader_goes_says_how_much_it_has_taken(void **state)
{
    struct end frame = {
        .writes = 1, .data = (char *)flow.sent, .size = MEGABYTE};
    struct end page = {.data = (char *)flow.got, .size = 4096};
    struct async_task task = {.fn = NULL};
    int fds[2], status;

    (void)state;
    open_pipe(fds);
    frame.fd = fds[1];
    page.fd = fds[0];
    (void)async_spawn(&loop, &task, end, &frame);
    status = async_run(&loop, read_a_page, &page);
    (void)close(fds[1]);

    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(frame.status, -EPIPE);
    assert_true(frame.count > 0 && frame.count < MEGABYTE);
}

struct stopper {
    struct async_frame async;
    struct async_task *task;
};

/* Cancels a task when it waits. */
static async stopper(struct async_loop *on, void *frame)
{
    struct stopper *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, 5));
    async_cancel(on, self->task);
    async_end();
}

static void a_canceled_read_has_read_nothing(void **state)
{
    char data[4] = "";
    struct end frame = {.data = data, .size = 4, .count = 9}, again;
    struct async_task task = {.fn = NULL};
    struct stopper stop = {.task = &task};
    int fds[2], status;

    (void)state;
    open_pipe(fds);
    frame.fd = fds[0];
    again = frame;
    (void)async_spawn(&loop, &task, end, &frame);
    (void)async_run(&loop, stopper, &stop);
    (void)!write(fds[1], "abc", 3);
    status = async_run(&loop, end, &again);
    (void)close(fds[0]);
    (void)close(fds[1]);

    assert_int_equal(frame.status, ASYNC_ECANCELED);
    assert_int_equal(frame.count, 0);
    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(again.count, 3);
    assert_string_equal(data, "abc");
}

static void a_canceled_write_says_where_to_go_on(void **state)
{
    struct end frame = {
        .writes = 1, .data = (char *)flow.sent, .size = MEGABYTE};
    struct async_task task = {.fn = NULL};
    struct stopper stop = {.task = &task};
    size_t got = 0;
    ssize_t part;
    int fds[2];

    (void)state;
    open_pipe(fds);
    frame.fd = fds[1];
    (void)async_spawn(&loop, &task, end, &frame);
    (void)async_run(&loop, stopper, &stop);
    while ((part = read(fds[0], flow.got, sizeof flow.got)) > 0)
        got += (size_t)part;
    (void)close(fds[0]);
    (void)close(fds[1]);

    assert_int_equal(frame.status, ASYNC_ECANCELED);
    assert_true(frame.count > 0);
    assert_int_equal(frame.count, got);
}

struct pair {
    struct async_frame async;
    int fd;
    size_t count;
    char text[4];
};

static async two_writes(struct async_loop *on, void *frame)
{
    struct pair *self = frame;

    async_begin(self);
    await(async_write(on, self->fd, "ab", 2, &self->count));
    await(async_write(on, self->fd, "cd", 2, &self->count));
    await(async_write(on, self->fd, "", 0, &self->count));
    if (self->count != 0)
        async_fail(ASYNC_EINVAL);
    self->count = 5;
    await(async_read(on, -1, self->text, 0, &self->count));
    if (self->count != 0)
        async_fail(ASYNC_EINVAL);
    async_end();
}

static void writes_count_each_anew_and_nothing_is_done_at_once(void **state)
{
    struct pair frame = {.count = 1};
    char text[8] = "";
    int fds[2], status;

    (void)state;
    open_pipe(fds);
    frame.fd = fds[1];
    status = async_run(&loop, two_writes, &frame);
    (void)!read(fds[0], text, sizeof text);
    (void)close(fds[0]);
    (void)close(fds[1]);

    assert_int_equal(status, ASYNC_DONE);
    assert_string_equal(text, "abcd");
}

static void no_descriptor_is_an_error(void **state)
{
    char data[1];
    struct end frame = {.fd = -1, .data = data, .size = 1};

    (void)state;
    assert_int_equal(async_run(&loop, end, &frame), ASYNC_DONE);
    assert_int_equal(frame.status, ASYNC_EINVAL);
    frame.async = (struct async_frame){0, 0};
    frame.writes = 1;
    assert_int_equal(async_run(&loop, end, &frame), ASYNC_DONE);
    assert_int_equal(frame.status, ASYNC_EINVAL);
}

/* ---- each call fails once ----------------------------------------------- */

struct whole {
    struct async_frame async;
    struct async_process process;
    struct async_process_job job;
    char text[8];
    size_t count, length;
    int i, status;
    long result;
};

/* A program and two jobs. */
static async whole(struct async_loop *on, void *frame)
{
    struct whole *self = frame;

    async_begin(self);
    self->status =
        start_shell(&self->process, "exec cat",
                    ASYNC_STDIN_PIPE | ASYNC_STDOUT_PIPE | ASYNC_STDERR_NULL);
    if (self->status < 0)
        async_fail(self->status);
    await(async_write(on, self->process.in, "abcd", 4, &self->count));
    async_close(&self->process.in);
    for (;;) {
        async_catch(self->status,
                    async_read(on, self->process.out, self->text + self->length,
                               sizeof self->text - self->length, &self->count));
        if (self->status == ASYNC_ECLOSED)
            break;
        if (self->status < 0)
            async_fail(self->status);
        self->length += self->count;
    }
    await(async_process_wait(on, &self->process));
    if (self->length != 4 || memcmp(self->text, "abcd", 4) != 0 ||
        self->process.exit_code != 0)
        async_fail(ASYNC_EINVAL);
    for (self->i = 0; self->i < 2; self->i++) {
        await(async_process_offload(on, &executor, &self->job, double_it,
                                    &self->i, &self->result,
                                    sizeof self->result));
        if (self->result != 2 * self->i)
            async_fail(ASYNC_EINVAL);
    }
    async_finally();
    await(async_process_end(on, &self->process));
    async_end();
}

/* Fails the first, the second, ... `call`, until there is none, neither in the
 * parent nor in a child. Each time the program goes through, or ends with what
 * is expected, or with a child that has exited. Returns how often it was met
 * and had a consequence, or none if none is expected. */
static int fail_each(enum call call, int error, int expected)
{
    static const struct whole zero;
    int nth, met = 0, missed = 0;

    for (nth = 1; missed < 10; nth++) {
        static struct whole frame;
        int status;

        memset(&faults, 0, sizeof faults);
        frame = zero;
        faults.call = call;
        faults.nth = nth;
        faults.error = error;
        status = async_run(&loop, whole, &frame);
        if (expected == ASYNC_DONE ||
            (status != expected && status != ASYNC_EEXITED))
            assert_int_equal(status, ASYNC_DONE);
        met += expected < 0 ? status != ASYNC_DONE : faults.met;
        missed = faults.met || status < 0 ? 0 : missed + 1;
        memset(&faults, 0, sizeof faults);
        assert_nothing_left();
    }
    return met;
}

static void each_pipe_may_fail(void **state)
{
    (void)state;
    assert_int_equal(fail_each(PIPE, EMFILE, -EMFILE), 1 + 3 + 2);
}

static void each_fcntl_may_fail(void **state)
{
    (void)state; /* two for each pipe's ends, one more for each but exec's */
    assert_int_equal(fail_each(FCNTL, EINVAL, -EINVAL), 2 * 5 + 4);
}

static void each_fork_may_fail(void **state)
{
    (void)state;
    assert_int_equal(fail_each(FORK, EAGAIN, -EAGAIN), 3);
}

static void each_step_of_a_child_towards_its_program_may_fail(void **state)
{
    (void)state;
    assert_int_equal(fail_each(DUP2, EBUSY, -EBUSY), 3);
    assert_int_equal(fail_each(OPEN, ENFILE, -ENFILE), 1);
}

static void each_read_may_fail(void **state)
{
    (void)state; /* what exec says; output, its end; two of each job or more */
    assert_true(fail_each(READ, EIO, -EIO) >= 1 + 2 + 2 * 2);
}

static void each_write_may_fail(void **state)
{
    (void)state; /* input; in the first child two, the second never comes */
    assert_int_equal(fail_each(WRITE, EIO, -EIO), 1 + 2);
}

static void each_call_may_be_interrupted(void **state)
{
    (void)state;
    assert_true(fail_each(READ, EINTR, ASYNC_DONE) > 0);
    assert_true(fail_each(WRITE, EINTR, ASYNC_DONE) > 0);
    assert_true(fail_each(POLL, EINTR, ASYNC_DONE) > 0);
    assert_true(fail_each(WAITPID, EINTR, ASYNC_DONE) > 0);
}

static void each_read_and_write_may_find_it_not_ready(void **state)
{
    (void)state;
    assert_true(fail_each(READ, EAGAIN, -EAGAIN) > 0); /* exec's blocks */
    assert_true(fail_each(WRITE, EAGAIN, ASYNC_EEXITED) > 0); /* a child's */
}

static volatile sig_atomic_t ticks;

static void tick(int n)
{
    (void)n;
    ticks++;
}

/* STORM_US, from the environment: between two signals. */
static void nothing_is_lost_in_a_storm_of_signals(void **state)
{
    const struct itimerval never = {{0, 0}, {0, 0}};
    const char *given = getenv("STORM_US");
    struct itimerval often = never;
    struct sigaction action;
    int i;

    (void)state;
    often.it_value.tv_usec = given ? atoi(given) : 300;
    often.it_interval = often.it_value;
    memset(&action, 0, sizeof action);
    action.sa_handler = tick; /* without SA_RESTART */
    (void)sigaction(SIGALRM, &action, NULL);
    (void)setitimer(ITIMER_REAL, &often, NULL);
    for (i = 0; i < 3; i++) {
        flow_through_cat();
        spawn_callers(20, place);
        (void)async_run(&loop, NULL, NULL);
        assert_int_equal(callers[19].status, ASYNC_DONE);
        assert_int_equal(callers[19].result, faults.count[FORK]);
    }
    (void)setitimer(ITIMER_REAL, &never, NULL);
    (void)signal(SIGALRM, SIG_DFL);
    assert_true(ticks > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        process_claim(a_function_runs_in_a_child_and_its_result_comes_back),
        process_claim(its_error_is_the_awaits_and_the_result_comes_with_it),
        process_claim(a_crash_is_an_error_that_says_which_signal_it_was),
        process_claim(an_exit_is_an_error_that_says_with_which_code),
        process_claim(a_child_that_dies_within_its_result_leaves_none_of_it),
        process_claim(a_child_that_dies_within_its_status_is_an_error),
        process_claim(a_child_that_closes_its_pipe_is_waited_for),
        process_claim(a_result_may_be_larger_than_a_pipes_buffer),
        process_claim(there_may_be_no_result_and_a_job_may_serve_again),
        process_claim(an_executor_without_a_limit_is_refused),
        process_claim(jobs_run_up_to_the_limit_in_the_order_they_came),
        process_claim(the_limit_may_change_and_counts_from_the_next_job_on),
        process_claim(a_queued_job_that_is_canceled_never_runs),
        process_claim(a_running_job_that_is_canceled_is_killed_and_reaped),
        process_claim(what_waits_behind_a_canceled_job_runs_then),
        process_claim(with_a_grace_it_gets_a_sigterm_first),
        process_claim(one_that_handles_the_sigterm_ends_as_it_likes),
        process_claim(one_that_ignores_the_sigterm_is_killed_after_the_grace),
        process_claim(a_second_cancel_does_not_cut_the_grace_short),
        process_claim(
            a_child_that_has_closed_its_pipe_and_stays_can_be_canceled),
        process_claim(a_job_that_takes_too_long_is_killed_and_has_timed_out),
        process_claim(a_result_that_is_here_whole_beats_a_cancel),
        process_claim(a_child_has_the_standard_streams_and_its_pipe),
        process_claim(a_child_has_no_more_when_its_pipe_has_the_first_number),
        process_claim(a_child_has_all_descriptors_if_it_is_to_keep_them),
        process_claim(
            a_child_has_no_handlers_and_nothing_blocked_but_ignores_the_same),
        process_claim(a_child_can_not_run_its_parents_loop),
        process_claim(a_child_may_run_a_loop_of_its_own_with_children),
        process_claim(what_is_not_flushed_comes_once),
        process_claim(a_result_comes_even_if_somebody_else_reaps),
        process_claim(
            where_nothing_can_be_watched_that_is_the_error_and_nothing_is_left),
        process_claim(a_program_is_awaited_and_its_exit_code_known),
        process_claim(a_program_that_is_killed_says_by_which_signal),
        process_claim(a_program_that_is_not_there_is_starts_error),
        process_claim(a_start_that_can_not_be_is_refused),
        process_claim(a_process_is_one_program_at_a_time_and_may_serve_again),
        process_claim(a_program_that_somebody_else_reaps_is_an_error),
        process_claim(a_program_that_takes_too_long_is_killed_and_reaped),
        process_claim(with_a_grace_a_program_may_end_by_itself),
        process_claim(a_program_can_be_sent_a_signal),
        process_claim(a_group_is_killed_with_all_that_it_has_started),
        process_claim(what_still_runs_in_a_finally_section_is_killed_there),
        process_claim(an_end_is_not_cut_short_by_a_cancel),
        process_claim(a_second_cancel_does_not_cut_a_programs_grace_short),
        process_claim(an_end_is_not_cut_short_in_a_body_either),
        process_claim(a_program_reads_and_is_read_to_its_end),
        process_claim(errors_may_go_where_the_output_goes),
        process_claim(a_stream_may_be_nothing),
        process_claim(streams_may_have_each_others_numbers),
        process_claim(what_was_closed_stays_closed_beside_dev_null),
        process_claim(what_a_program_gets_is_no_more_with_dev_null),
        process_claim(no_program_holds_anothers_pipe),
        process_claim(a_program_dies_by_a_broken_pipe_though_we_ignore_it),
        process_claim(a_megabyte_is_written_while_it_is_read),
        process_claim(a_write_that_nobody_reads_is_an_error_and_no_signal),
        process_claim(a_write_whose_reader_goes_says_how_much_it_has_taken),
        process_claim(a_canceled_read_has_read_nothing),
        process_claim(a_canceled_write_says_where_to_go_on),
        process_claim(writes_count_each_anew_and_nothing_is_done_at_once),
        process_claim(no_descriptor_is_an_error),
        process_claim(each_pipe_may_fail),
        process_claim(each_fcntl_may_fail),
        process_claim(each_fork_may_fail),
        process_claim(each_step_of_a_child_towards_its_program_may_fail),
        process_claim(each_read_may_fail),
        process_claim(each_write_may_fail),
        process_claim(each_call_may_be_interrupted),
        process_claim(each_read_and_write_may_find_it_not_ready),
        process_claim(nothing_is_lost_in_a_storm_of_signals),
    };

    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
