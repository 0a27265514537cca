/* test_faults.c: every system call that can fail is failed once.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_faults.c -lcmocka -pthread
 *
 * What fails is the first, the second, the third such call, and so on until a
 * whole program has gone through without meeting the fault. Each time the
 * program's answer is success or the documented error, all is given back, and
 * the same objects work afterwards.
 */
#define _POSIX_C_SOURCE 200809L
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* The headers are built with these in place of the system's. */
static void *faulty_malloc(size_t size);
static void *faulty_calloc(size_t count, size_t size);
static void *faulty_realloc(void *memory, size_t size);
static void faulty_free(void *memory);
static int faulty_pipe(int fds[2]);
static int faulty_fcntl(int fd, int command, ...);
static int faulty_poll(struct pollfd *fds, nfds_t count, int timeout);
static ssize_t faulty_read(int fd, void *data, size_t size);
static ssize_t faulty_write(int fd, const void *data, size_t size);
static int faulty_close(int fd);
static long faulty_sysconf(int name);
static int faulty_pthread_create(pthread_t *thread, const pthread_attr_t *with,
                                 void *(*fn)(void *), void *arg);
static int faulty_pthread_mutex_init(pthread_mutex_t *mutex,
                                     const pthread_mutexattr_t *with);
static int faulty_pthread_mutex_destroy(pthread_mutex_t *mutex);
static int faulty_pthread_cond_init(pthread_cond_t *condition,
                                    const pthread_condattr_t *with);
static int faulty_pthread_cond_destroy(pthread_cond_t *condition);
static int faulty_pthread_cond_timedwait(pthread_cond_t *condition,
                                         pthread_mutex_t *mutex,
                                         const struct timespec *until);
static int faulty_pthread_condattr_init(pthread_condattr_t *attributes);
static int faulty_pthread_condattr_setclock(pthread_condattr_t *attributes,
                                            clockid_t id);
static int faulty_pthread_condattr_destroy(pthread_condattr_t *attributes);
static int faulty_pthread_attr_init(pthread_attr_t *attributes);
static int faulty_pthread_attr_setstacksize(pthread_attr_t *attributes,
                                            size_t bytes);
static int faulty_pthread_attr_destroy(pthread_attr_t *attributes);

#define malloc faulty_malloc
#define calloc faulty_calloc
#define realloc faulty_realloc
#define free faulty_free
#define pipe faulty_pipe
#define fcntl faulty_fcntl
#define poll faulty_poll
#define read faulty_read
#define write faulty_write
#define close faulty_close
#define sysconf faulty_sysconf
#define pthread_create faulty_pthread_create
#define pthread_mutex_init faulty_pthread_mutex_init
#define pthread_mutex_destroy faulty_pthread_mutex_destroy
#define pthread_cond_init faulty_pthread_cond_init
#define pthread_cond_destroy faulty_pthread_cond_destroy
#define pthread_cond_timedwait faulty_pthread_cond_timedwait
#define pthread_condattr_init faulty_pthread_condattr_init
#define pthread_condattr_setclock faulty_pthread_condattr_setclock
#define pthread_condattr_destroy faulty_pthread_condattr_destroy
#define pthread_attr_init faulty_pthread_attr_init
#define pthread_attr_setstacksize faulty_pthread_attr_setstacksize
#define pthread_attr_destroy faulty_pthread_attr_destroy
#include "async_gather.h"
#include "async_thread.h"
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef pipe
#undef fcntl
#undef poll
#undef read
#undef write
#undef close
#undef sysconf
#undef pthread_create
#undef pthread_mutex_init
#undef pthread_mutex_destroy
#undef pthread_cond_init
#undef pthread_cond_destroy
#undef pthread_cond_timedwait
#undef pthread_condattr_init
#undef pthread_condattr_setclock
#undef pthread_condattr_destroy
#undef pthread_attr_init
#undef pthread_attr_setstacksize
#undef pthread_attr_destroy

/* ---- faults ------------------------------------------------------------- */

enum call {
    NO_CALL,
    ALLOCATION, /* counted, and never failed */
    PIPE,
    FCNTL,
    POLL,
    READ,
    WRITE,
    CLOSE,
    SYSCONF,
    THREAD,
    MUTEX,
    CONDITION,
    CONDITION_ATTRIBUTES,
    CLOCK,
    TIMED_WAIT,
    ATTRIBUTES,
    STACK,
    CALLS
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Under the lock. */
static struct {
    int armed; /* calls are counted, and may fail */
    enum call call;
    int nth;  /* of the calls since it was armed */
    int many; /* from there on */
    int error;
    int met;
    int count[CALLS];
    int fds, mutexes, conditions, attributes; /* opened and not closed */
} faults;

/* Counts the call. Its error, if it is the one to fail. */
static int fault_of(enum call call)
{
    int error = 0;

    (void)pthread_mutex_lock(&lock);
    if (faults.armed) {
        faults.count[call]++;
        if (call == faults.call && faults.count[call] >= faults.nth &&
            faults.count[call] < faults.nth + faults.many) {
            faults.met = 1;
            error = faults.error;
        }
    }
    (void)pthread_mutex_unlock(&lock);
    return error;
}

static void keep_count(int *count, int change)
{
    (void)pthread_mutex_lock(&lock);
    if (faults.armed)
        *count += change;
    (void)pthread_mutex_unlock(&lock);
}

/* From now on the nth `call` fails. */
static void arm(enum call call, int nth, int error)
{
    int i;

    (void)pthread_mutex_lock(&lock);
    faults.armed = 1;
    faults.call = call;
    faults.nth = nth;
    faults.many = 1;
    faults.error = error;
    faults.met = 0;
    for (i = 0; i < CALLS; i++)
        faults.count[i] = 0;
    (void)pthread_mutex_unlock(&lock);
}

/* True if the fault was met. */
static int disarm(void)
{
    int met;

    (void)pthread_mutex_lock(&lock);
    faults.armed = 0;
    met = faults.met;
    (void)pthread_mutex_unlock(&lock);
    return met;
}

static void assert_all_given_back(void)
{
    assert_int_equal(faults.fds, 0);
    assert_int_equal(faults.mutexes, 0);
    assert_int_equal(faults.conditions, 0);
    assert_int_equal(faults.attributes, 0);
    assert_int_equal(faults.count[ALLOCATION], 0);
}

/* ---- in place of the system's ------------------------------------------- */

static void *faulty_malloc(size_t size)
{
    (void)fault_of(ALLOCATION);
    return malloc(size);
}

static void *faulty_calloc(size_t count, size_t size)
{
    (void)fault_of(ALLOCATION);
    return calloc(count, size);
}

static void *faulty_realloc(void *memory, size_t size)
{
    (void)fault_of(ALLOCATION);
    return realloc(memory, size);
}

static void faulty_free(void *memory)
{
    (void)fault_of(ALLOCATION);
    free(memory);
}

/* With errno set, as a system call fails. */
static int failed(int error)
{
    errno = error;
    return -1;
}

static int faulty_pipe(int fds[2])
{
    int error = fault_of(PIPE), status;

    if (error)
        return failed(error);
    status = pipe(fds);
    if (status == 0)
        keep_count(&faults.fds, 2);
    return status;
}

static int faulty_fcntl(int fd, int command, ...)
{
    int error = fault_of(FCNTL), value;
    va_list arguments;

    if (error)
        return failed(error);
    va_start(arguments, command);
    value = va_arg(arguments, int);
    va_end(arguments);
    return fcntl(fd, command, value);
}

static int faulty_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    int error = fault_of(POLL);

    return error ? failed(error) : poll(fds, count, timeout);
}

static ssize_t faulty_read(int fd, void *data, size_t size)
{
    int error = fault_of(READ);

    return error ? failed(error) : read(fd, data, size);
}

static ssize_t faulty_write(int fd, const void *data, size_t size)
{
    int error = fault_of(WRITE);

    if (error == EAGAIN) /* full: there is something in it already */
        (void)write(fd, data, size);
    return error ? failed(error) : write(fd, data, size);
}

static int faulty_close(int fd)
{
    int error = fault_of(CLOSE), status = close(fd);

    keep_count(&faults.fds, -1);
    return error ? failed(error) : status; /* interrupted, and closed */
}

static long faulty_sysconf(int name)
{
    int error = fault_of(SYSCONF);

    return error ? failed(error) : sysconf(name);
}

static int faulty_pthread_create(pthread_t *thread, const pthread_attr_t *with,
                                 void *(*fn)(void *), void *arg)
{
    int error = fault_of(THREAD);

    return error ? error : pthread_create(thread, with, fn, arg);
}

static int faulty_pthread_mutex_init(pthread_mutex_t *mutex,
                                     const pthread_mutexattr_t *with)
{
    int error = fault_of(MUTEX);

    if (error)
        return error;
    keep_count(&faults.mutexes, 1);
    return pthread_mutex_init(mutex, with);
}

static int faulty_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    keep_count(&faults.mutexes, -1);
    return pthread_mutex_destroy(mutex);
}

static int faulty_pthread_cond_init(pthread_cond_t *condition,
                                    const pthread_condattr_t *with)
{
    int error = fault_of(CONDITION);

    if (error)
        return error;
    keep_count(&faults.conditions, 1);
    return pthread_cond_init(condition, with);
}

static int faulty_pthread_cond_destroy(pthread_cond_t *condition)
{
    keep_count(&faults.conditions, -1);
    return pthread_cond_destroy(condition);
}

static int faulty_pthread_cond_timedwait(pthread_cond_t *condition,
                                         pthread_mutex_t *mutex,
                                         const struct timespec *until)
{
    int error = fault_of(TIMED_WAIT);

    return error ? error : pthread_cond_timedwait(condition, mutex, until);
}

static int faulty_pthread_condattr_init(pthread_condattr_t *attributes)
{
    int error = fault_of(CONDITION_ATTRIBUTES);

    if (error)
        return error;
    keep_count(&faults.attributes, 1);
    return pthread_condattr_init(attributes);
}

static int faulty_pthread_condattr_setclock(pthread_condattr_t *attributes,
                                            clockid_t id)
{
    int error = fault_of(CLOCK);

    return error ? error : pthread_condattr_setclock(attributes, id);
}

static int faulty_pthread_condattr_destroy(pthread_condattr_t *attributes)
{
    keep_count(&faults.attributes, -1);
    return pthread_condattr_destroy(attributes);
}

static int faulty_pthread_attr_init(pthread_attr_t *attributes)
{
    int error = fault_of(ATTRIBUTES);

    if (error)
        return error;
    keep_count(&faults.attributes, 1);
    return pthread_attr_init(attributes);
}

static int faulty_pthread_attr_setstacksize(pthread_attr_t *attributes,
                                            size_t bytes)
{
    int error = fault_of(STACK);

    return error ? error : pthread_attr_setstacksize(attributes, bytes);
}

static int faulty_pthread_attr_destroy(pthread_attr_t *attributes)
{
    keep_count(&faults.attributes, -1);
    return pthread_attr_destroy(attributes);
}

/* ---- a whole program ---------------------------------------------------- */

enum { CALLERS = 4 };

/* Offloads, and sleeps, with a limit on both. */
struct caller {
    struct async_frame async;
    struct async_executor *executor;
    struct async_semaphore *semaphore;
    struct async_timer timer;
    struct async_job job;
    int i, result;
};

static int square(struct async_job *job, void *arg)
{
    struct caller *caller = arg;

    (void)job;
    caller->result = caller->i * caller->i;
    return 0;
}

static async caller(struct async_loop *on, void *frame)
{
    struct caller *self = frame;

    async_begin(self);
    await(async_acquire(on, self->semaphore));
    await(async_timeout(
        on, &self->timer, 60000,
        async_offload(on, self->executor, &self->job, square, self)));
    await(async_sleep_ms(on, 1));
    async_finally();
    async_release(on, self->semaphore);
    async_end();
}

struct program {
    struct async_frame async;
    struct async_executor *executor;
    struct async_semaphore semaphore;
    struct async_batch map, gather;
    struct async_task tasks[2], other_task;
    struct caller callers[CALLERS], other;
};

static async program(struct async_loop *on, void *frame)
{
    struct program *self = frame;
    int i;

    async_begin(self);
    self->semaphore.permits = 2;
    for (i = 0; i < CALLERS; i++)
        self->callers[i] = (struct caller){
            .executor = self->executor, .semaphore = &self->semaphore, .i = i};
    await(async_map(on, &self->map, caller, self->callers, self->tasks));
    self->other = self->callers[0];
    self->other = (struct caller){
        .executor = self->executor, .semaphore = &self->semaphore, .i = 9};
    (void)async_spawn(on, &self->other_task, caller, &self->other);
    await(async_gather(on, &self->gather, &self->other_task, 1));
    async_end();
}

/* ---- a job that is held -------------------------------------------------- */

static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int inside, may_leave; /* under the lock */

/* Stays until it may leave. */
static int held_job(struct async_job *job, void *arg)
{
    (void)job;
    (void)arg;
    (void)pthread_mutex_lock(&lock);
    inside++;
    (void)pthread_cond_broadcast(&changed);
    while (!may_leave)
        (void)pthread_cond_wait(&changed, &lock);
    (void)pthread_mutex_unlock(&lock);
    return 0;
}

static void wait_for_inside(int count)
{
    (void)pthread_mutex_lock(&lock);
    while (inside < count)
        (void)pthread_cond_wait(&changed, &lock);
    (void)pthread_mutex_unlock(&lock);
}

static void let_leave(void)
{
    (void)pthread_mutex_lock(&lock);
    may_leave = 1;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&lock);
}

/* ---- what runs it -------------------------------------------------------- */

static struct async_loop loop;
static struct async_executor executor;

/* Starts, runs and stops it all. The first error, or ASYNC_DONE. */
static int whole_program(void)
{
    static struct program frame;
    static const struct program zero;
    int status = async_executor_start(&executor, 0, 1), i;

    if (status < 0)
        return status;
    frame = zero;
    frame.executor = &executor;
    status = async_run(&loop, program, &frame);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
    for (i = 0; i < CALLERS && status > 0; i++)
        if (frame.callers[i].result != i * i)
            return ASYNC_EINVAL;
    return status;
}

/* Fails the first, the second, ... `call` with `error`, until there is no such
 * one. Each time the program returns `expected`, or else goes through; then it
 * goes through with the same objects. Returns how many calls were failed. */
static int fail_each(enum call call, int error, int expected)
{
    int nth, met = 1;

    for (nth = 1; met && nth < 1000; nth++) {
        int status, again;

        arm(call, nth, error);
        status = whole_program();
        met = disarm();
        if (status != expected)
            assert_int_equal(status, ASYNC_DONE);
        assert_all_given_back();
        assert_int_equal(async_alive(&loop), 0);
        assert_int_equal(async_unjoined(&loop), 0);

        arm(NO_CALL, 0, 0);
        again = whole_program();
        (void)disarm();
        assert_int_equal(again, ASYNC_DONE);
        assert_all_given_back();
    }
    return nth - 2;
}

static int faults_setup(void **state)
{
    static const struct async_executor no_executor;

    async_loop_init(&loop);
    executor = no_executor;
    memset(&faults, 0, sizeof faults);
    return trace_setup(state);
}

/* A test that failed has left its threads: the next one must not meet them. */
static int faults_teardown(void **state)
{
    (void)state;
    (void)disarm();
    let_leave();
    if (executor.limit_)
        async_executor_stop(&executor, ASYNC_STOP_CANCEL);
    return 0;
}

#define faults_claim(test)                                                     \
    cmocka_unit_test_setup_teardown(test, faults_setup, faults_teardown)

/* ---- each call, each time ----------------------------------------------- */

static void nothing_is_ever_allocated(void **state)
{
    int status;
    void *volatile memory;

    (void)state;
    arm(NO_CALL, 0, 0);
    memory = faulty_malloc(1); /* it would be seen */
    memory = faulty_realloc(memory, 2);
    faulty_free(memory);
    faulty_free(faulty_calloc(1, 1));
    (void)disarm();
    assert_int_equal(faults.count[ALLOCATION], 5);

    arm(NO_CALL, 0, 0);
    status = whole_program();
    (void)disarm();

    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(faults.count[ALLOCATION], 0);
}

static void each_pipe_may_fail(void **state)
{
    (void)state;
    assert_int_equal(fail_each(PIPE, EMFILE, -EMFILE), 1);
}

static void each_fcntl_may_fail(void **state)
{
    (void)state;
    assert_true(fail_each(FCNTL, EINVAL, -EINVAL) > 0);
}

static void each_poll_may_be_interrupted(void **state)
{
    (void)state;
    assert_true(fail_each(POLL, EINTR, ASYNC_DONE) > 0);
}

static void each_read_may_be_interrupted(void **state)
{
    (void)state;
    assert_true(fail_each(READ, EINTR, ASYNC_DONE) > 0);
}

static void each_read_may_find_nothing(void **state)
{
    (void)state;
    assert_true(fail_each(READ, EAGAIN, ASYNC_DONE) > 0);
}

static void each_write_may_be_interrupted(void **state)
{
    (void)state;
    assert_true(fail_each(WRITE, EINTR, ASYNC_DONE) > 0);
}

static void each_write_may_find_the_pipe_full(void **state)
{
    (void)state;
    assert_true(fail_each(WRITE, EAGAIN, ASYNC_DONE) > 0);
}

static void each_close_may_be_interrupted(void **state)
{
    (void)state;
    assert_int_equal(fail_each(CLOSE, EINTR, ASYNC_DONE), 2);
}

static void each_sysconf_may_fail(void **state)
{
    (void)state;
    assert_int_equal(fail_each(SYSCONF, EINVAL, ASYNC_DONE), 1);
}

static void each_thread_may_not_start(void **state)
{
    (void)state;
    assert_true(fail_each(THREAD, EAGAIN, -EAGAIN) > 0);
}

static void each_mutex_may_not_be_had(void **state)
{
    (void)state;
    assert_int_equal(fail_each(MUTEX, ENOMEM, -ENOMEM), 1);
}

static void each_condition_variable_may_not_be_had(void **state)
{
    (void)state;
    assert_true(fail_each(CONDITION, ENOMEM, -ENOMEM) > 1);
}

static void each_conditions_attributes_may_not_be_had(void **state)
{
    (void)state;
    assert_true(fail_each(CONDITION_ATTRIBUTES, ENOMEM, -ENOMEM) > 1);
}

static void each_condition_may_not_know_the_clock(void **state)
{
    (void)state;
    assert_true(fail_each(CLOCK, EINVAL, -EINVAL) > 1);
}

static void each_idle_thread_may_have_waited_long_enough(void **state)
{
    (void)state;
    (void)fail_each(TIMED_WAIT, ETIMEDOUT, ASYNC_DONE);
}

static void each_threads_attributes_may_not_be_had(void **state)
{
    (void)state;
    executor.stack_bytes = 1 << 20;
    assert_true(fail_each(ATTRIBUTES, ENOMEM, -ENOMEM) > 0);
}

static void each_threads_stack_may_be_refused(void **state)
{
    (void)state;
    executor.stack_bytes = 1 << 20;
    assert_true(fail_each(STACK, EINVAL, -EINVAL) > 0);
}

/* ---- what is promised when they fail ------------------------------------ */

static void a_run_without_a_pipe_says_so_and_runs_nothing(void **state)
{
    struct program frame = {.executor = &executor};
    int status;

    (void)state;
    arm(PIPE, 1, EMFILE);
    status = async_run(&loop, program, &frame);
    (void)disarm();

    assert_int_equal(status, -EMFILE);
    assert_int_equal(frame.async.state_, 0); /* not started */
    assert_int_equal(async_alive(&loop), 0);
}

static void without_a_pipe_what_was_spawned_before_is_still_there(void **state)
{
    struct async_semaphore semaphore = {.permits = 1};
    struct caller frame = {.executor = &executor, .semaphore = &semaphore};
    struct async_task task = {0};
    int without, with, started;

    (void)state;
    started = async_executor_start(&executor, 1, 1);
    assert_int_equal(started, 0);
    (void)async_spawn(&loop, &task, caller, &frame);
    arm(PIPE, 1, ENFILE);
    without = async_run(&loop, NULL, NULL);
    (void)disarm();
    with = async_run(&loop, NULL, NULL);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);

    assert_int_equal(without, -ENFILE);
    assert_int_equal(with, ASYNC_DONE);
    assert_int_equal(async_task_outcome(&task), ASYNC_DONE);
}

static void poll_loop(void *arg)
{
    (void)arg;
    (void)async_poll(&loop, 0);
}

/* After it `call` has failed in async_executor_start. */
static void fail_to_start(enum call call)
{
    int status;

    arm(call, 1, ENOMEM);
    status = async_executor_start(&executor, 2, 2);
    (void)disarm();

    assert_int_equal(status, -ENOMEM);
    assert_all_given_back();
}

static void offload_to_an_executor_whose_mutex_failed_is_caught(void **state)
{
    static struct async_semaphore semaphore;
    static struct caller frame;
    static struct async_task task;

    (void)state;
    semaphore.permits = 1;
    frame.executor = &executor;
    frame.semaphore = &semaphore;
    fail_to_start(MUTEX);
    (void)async_spawn(&loop, &task, caller, &frame);

    assert_stops("call async_executor_start first", poll_loop, NULL);
}

static void
offload_to_an_executor_whose_condition_failed_is_caught(void **state)
{
    static struct async_semaphore semaphore;
    static struct caller frame;
    static struct async_task task;

    (void)state;
    semaphore.permits = 1;
    frame.executor = &executor;
    frame.semaphore = &semaphore;
    fail_to_start(CONDITION);
    (void)async_spawn(&loop, &task, caller, &frame);

    assert_stops("call async_executor_start first", poll_loop, NULL);
}

static void without_a_processor_count_there_is_one_worker(void **state)
{
    struct async_executor_counts counts;
    int status;

    (void)state;
    arm(SYSCONF, 1, EINVAL);
    status = async_executor_start(&executor, 0, 0);
    (void)disarm();
    counts = async_executor_count(&executor);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);

    assert_int_equal(status, 0);
    assert_int_equal(counts.limit, 1);
}

/* ---- threads that can't be started -------------------------------------- */

/* Offloads once or twice. */
struct holder {
    struct async_frame async;
    struct async_job job;
    int status;
    int again;
};

static async holder(struct async_loop *on, void *frame)
{
    struct holder *self = frame;

    async_begin(self);
    async_catch(self->status,
                async_offload(on, &executor, &self->job, held_job, NULL));
    if (self->again)
        async_catch(self->status,
                    async_offload(on, &executor, &self->job, held_job, NULL));
    async_end();
}

static void
a_job_for_which_no_thread_starts_fails_and_can_be_tried_again(void **state)
{
    struct holder frame = {.again = 1};
    int started, status;

    (void)state;
    inside = 0;
    may_leave = 1;
    started = async_executor_start(&executor, 2, 2);
    assert_int_equal(started, 0);
    arm(THREAD, 1, EAGAIN);
    status = async_run(&loop, holder, &frame);
    (void)disarm();
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);

    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(frame.status, ASYNC_DONE); /* the second time */
    assert_int_equal(inside, 1);
}

static void a_first_thread_that_does_not_start_is_its_jobs_error(void **state)
{
    struct holder frame = {0};
    int started, status;

    (void)state;
    started = async_executor_start(&executor, 2, 2);
    assert_int_equal(started, 0);
    arm(THREAD, 1, EAGAIN);
    status = async_run(&loop, holder, &frame);
    (void)disarm();

    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(frame.status, -EAGAIN);
    assert_int_equal(async_executor_count(&executor).queued, 0);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
}

static void
jobs_share_the_threads_there_are_and_the_next_job_tries_again(void **state)
{
    static struct holder frames[3];
    static struct async_task tasks[3];
    struct async_executor_counts counts[3];
    int i, started, status;

    (void)state;
    memset(frames, 0, sizeof frames);
    memset(tasks, 0, sizeof tasks);
    inside = may_leave = 0;
    started = async_executor_start(&executor, 2, 2);
    assert_int_equal(started, 0);
    arm(THREAD, 2, EAGAIN);
    for (i = 0; i < 3; i++) {
        (void)async_spawn(&loop, &tasks[i], holder, &frames[i]);
        (void)async_poll(&loop, 0);
        if (i != 1)
            wait_for_inside(i == 0 ? 1 : 2);
        counts[i] = async_executor_count(&executor);
    }
    (void)disarm();
    let_leave();
    status = async_run(&loop, NULL, NULL);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);

    assert_int_equal(counts[0].threads, 1);
    assert_int_equal(counts[1].threads, 1); /* the second did not start */
    assert_int_equal(counts[1].queued, 1);
    assert_int_equal(counts[2].threads, 2); /* a third was tried */
    assert_int_equal(status, ASYNC_DONE);
    for (i = 0; i < 3; i++)
        assert_int_equal(frames[i].status, ASYNC_DONE);
}

static void
all_jobs_of_a_round_fail_if_no_thread_starts_and_places_are_free(void **state)
{
    static struct holder frames[4];
    static struct async_task tasks[4];
    int i, started, status;

    (void)state;
    memset(frames, 0, sizeof frames);
    memset(tasks, 0, sizeof tasks);
    inside = 0;
    may_leave = 1;
    started = async_executor_start(&executor, 2, 2);
    assert_int_equal(started, 0);
    arm(THREAD, 1, EAGAIN); /* for the first job of the round */
    faults.many = 2;        /* and at its end */
    for (i = 0; i < 4; i++)
        (void)async_spawn(&loop, &tasks[i], holder, &frames[i]);
    status = async_run(&loop, NULL, NULL);
    (void)disarm();
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);

    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(frames[0].status, -EAGAIN); /* its place was free again */
    assert_int_equal(frames[1].status, -EAGAIN);
    assert_int_equal(frames[2].status, -EAGAIN);
    assert_int_equal(frames[3].status, ASYNC_DONE); /* it waited outside */
    assert_int_equal(inside, 1);
}

static void
a_limit_that_gets_no_more_threads_is_content_with_what_there_are(void **state)
{
    static struct holder frames[2];
    static struct async_task tasks[2];
    int i, started, limited, status;

    (void)state;
    memset(frames, 0, sizeof frames);
    memset(tasks, 0, sizeof tasks);
    inside = may_leave = 0;
    started = async_executor_start(&executor, 1, 2);
    assert_int_equal(started, 0);
    for (i = 0; i < 2; i++)
        (void)async_spawn(&loop, &tasks[i], holder, &frames[i]);
    (void)async_poll(&loop, 0);
    wait_for_inside(1);
    arm(THREAD, 1, EAGAIN);
    limited = async_executor_limit(&executor, 2);
    (void)disarm();
    assert_int_equal(async_executor_count(&executor).threads, 1);
    let_leave();
    status = async_run(&loop, NULL, NULL);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);

    assert_int_equal(limited, 0);
    assert_int_equal(status, ASYNC_DONE);
    for (i = 0; i < 2; i++)
        assert_int_equal(frames[i].status, ASYNC_DONE);
}

/* ---- the wake's own calls ----------------------------------------------- */

/* Wakes its loop while the first write fails with `error`. */
struct waker {
    struct async_frame async;
    int error;
    int error_after, writes;
};

static async waker(struct async_loop *on, void *frame)
{
    struct waker *self = frame;

    async_begin(self);
    arm(WRITE, 1, self->error);
    errno = EDOM;
    async_wake(on);
    self->error_after = errno;
    (void)disarm();
    self->writes = faults.count[WRITE];
    async_end();
}

static void
a_wake_tries_again_when_it_is_interrupted_and_leaves_errno_alone(void **state)
{
    struct waker frame = {.error = EINTR};
    int status = async_run(&loop, waker, &frame);

    (void)state;
    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(frame.writes, 2);
    assert_int_equal(frame.error_after, EDOM);
}

static void
a_wake_into_a_full_pipe_is_content_and_leaves_errno_alone(void **state)
{
    struct waker frame = {.error = EAGAIN};
    int status = async_run(&loop, waker, &frame);

    (void)state;
    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(frame.writes, 1);
    assert_int_equal(frame.error_after, EDOM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        faults_claim(nothing_is_ever_allocated),
        faults_claim(each_pipe_may_fail),
        faults_claim(each_fcntl_may_fail),
        faults_claim(each_poll_may_be_interrupted),
        faults_claim(each_read_may_be_interrupted),
        faults_claim(each_read_may_find_nothing),
        faults_claim(each_write_may_be_interrupted),
        faults_claim(each_write_may_find_the_pipe_full),
        faults_claim(each_close_may_be_interrupted),
        faults_claim(each_sysconf_may_fail),
        faults_claim(each_thread_may_not_start),
        faults_claim(each_mutex_may_not_be_had),
        faults_claim(each_condition_variable_may_not_be_had),
        faults_claim(each_conditions_attributes_may_not_be_had),
        faults_claim(each_condition_may_not_know_the_clock),
        faults_claim(each_idle_thread_may_have_waited_long_enough),
        faults_claim(each_threads_attributes_may_not_be_had),
        faults_claim(each_threads_stack_may_be_refused),
        faults_claim(a_run_without_a_pipe_says_so_and_runs_nothing),
        faults_claim(without_a_pipe_what_was_spawned_before_is_still_there),
        faults_claim(offload_to_an_executor_whose_mutex_failed_is_caught),
        faults_claim(offload_to_an_executor_whose_condition_failed_is_caught),
        faults_claim(without_a_processor_count_there_is_one_worker),
        faults_claim(
            a_job_for_which_no_thread_starts_fails_and_can_be_tried_again),
        faults_claim(a_first_thread_that_does_not_start_is_its_jobs_error),
        faults_claim(
            jobs_share_the_threads_there_are_and_the_next_job_tries_again),
        faults_claim(
            all_jobs_of_a_round_fail_if_no_thread_starts_and_places_are_free),
        faults_claim(
            a_limit_that_gets_no_more_threads_is_content_with_what_there_are),
        faults_claim(
            a_wake_tries_again_when_it_is_interrupted_and_leaves_errno_alone),
        faults_claim(a_wake_into_a_full_pipe_is_content_and_leaves_errno_alone),
    };

    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
