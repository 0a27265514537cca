/* test_thread.c: what async_thread.h promises, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_thread.c -lcmocka -pthread
 *
 * A test is certain of a state because it holds the workers there: a job posts
 * that it was entered, and then waits for its own go. Nothing here waits for a
 * time to pass. ROUNDS, from the environment or defined, scales what is
 * repeated; a lost wake-up hangs.
 */
#define _POSIX_C_SOURCE 200809L
#include "trace.h"

#include <pthread.h> /* before the name is ours */

#include <time.h>

static int pthread_create_held(pthread_t *thread, const pthread_attr_t *with,
                               void *(*fn)(void *), void *arg);
static int pthread_cond_timedwait_held(pthread_cond_t *condition,
                                       pthread_mutex_t *mutex,
                                       const struct timespec *until);
static int pthread_join_counted(pthread_t thread, void **result);

/* Between the look at a word and its change a test can have something else
 * happen. */
#include "async_atomic.h"

static void (*volatile before_swap)(volatile size_t *word);
static void (*volatile before_add)(volatile size_t *word, size_t value);

static int swap_if(volatile size_t *word, size_t from, size_t to)
{
    void (*act)(volatile size_t *) =
        __atomic_load_n(&before_swap, __ATOMIC_ACQUIRE);

    if (act)
        act(word);
    return async_atomic_swap_if_(word, from, to);
}

static size_t add(volatile size_t *word, size_t value)
{
    void (*act)(volatile size_t *, size_t) =
        __atomic_load_n(&before_add, __ATOMIC_ACQUIRE);

    if (act)
        act(word, value);
    return async_atomic_add_(word, value);
}

#define async_atomic_swap_if_ swap_if
#define async_atomic_add_ add
#define pthread_create pthread_create_held
#define pthread_join pthread_join_counted
#define pthread_cond_timedwait pthread_cond_timedwait_held
#include "async_thread.h"
#undef pthread_create
#undef pthread_join
#undef pthread_cond_timedwait

#include "async_gather.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#ifndef ROUNDS
#define ROUNDS 1000
#endif

static int rounds(void)
{
    const char *given = getenv("ROUNDS");

    return given ? atoi(given) : ROUNDS;
}

/* ---- between threads ---------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* Under the lock. */
static char ran[256];  /* the names of the jobs that were entered */
static int busy, most; /* jobs at once, and the most there were */

/* So many times something happened that nobody has taken yet; under the lock.
 * All-zero is none. */
struct post {
    int count;
};

static void post_add(struct post *post, int count)
{
    (void)pthread_mutex_lock(&lock);
    post->count += count;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&lock);
}

static void post_take(struct post *post, int count)
{
    (void)pthread_mutex_lock(&lock);
    while (post->count < count)
        (void)pthread_cond_wait(&changed, &lock);
    post->count -= count;
    (void)pthread_mutex_unlock(&lock);
}

static int post_empty(struct post *post)
{
    int count;

    (void)pthread_mutex_lock(&lock);
    count = post->count;
    post->count = 0;
    (void)pthread_mutex_unlock(&lock);
    return count;
}

/* Threads of an executor start when a test lets them. */
static int threads_are_held;
static size_t stack_asked_for;
static int created, joined; /* under the lock */
static struct post let_start;
static void *(*held_fn)(void *);

static void *start_held(void *arg)
{
    post_take(&let_start, 1);
    return held_fn(arg);
}

static int pthread_create_held(pthread_t *thread, const pthread_attr_t *with,
                               void *(*fn)(void *), void *arg)
{
    size_t stack = 0;

    if (with)
        (void)pthread_attr_getstacksize(with, &stack);
    (void)pthread_mutex_lock(&lock);
    stack_asked_for = stack;
    created++;
    (void)pthread_mutex_unlock(&lock);
    if (!threads_are_held)
        return pthread_create(thread, with, fn, arg);
    held_fn = fn;
    return pthread_create(thread, with, start_held, arg);
}

static int pthread_join_counted(pthread_t thread, void **result)
{
    (void)pthread_mutex_lock(&lock);
    joined++;
    (void)pthread_mutex_unlock(&lock);
    return pthread_join(thread, result);
}

/* Time passes when a test says so: then all of it, for who begins to wait. */
static struct timespec waits_until; /* under the lock */
static int waits, time_is_up;

static int pthread_cond_timedwait_held(pthread_cond_t *condition,
                                       pthread_mutex_t *mutex,
                                       const struct timespec *until)
{
    int is_up;

    (void)pthread_mutex_lock(&lock);
    waits++;
    waits_until = *until;
    is_up = time_is_up;
    (void)pthread_mutex_unlock(&lock);
    return is_up ? ETIMEDOUT : pthread_cond_wait(condition, mutex);
}

static void let_time_pass(int is_up)
{
    (void)pthread_mutex_lock(&lock);
    time_is_up = is_up;
    (void)pthread_mutex_unlock(&lock);
}

/* ---- the cast ----------------------------------------------------------- */

static struct async_loop loop;
static struct async_executor executor, other_executor;
static struct async_task tasks[8];
static struct post entered;
static struct post asked, woke; /* wakes */

/* Awaits a job, and then perhaps something else. */
struct caller {
    struct async_frame async;
    const char *name;
    async_job_fn *fn;
    uint32_t limit_ms; /* 0: none */
    int again;         /* awaits a second job */
    int then;          /* awaits something else */
    int result;        /* what its jobs return */
    struct async_timer timer;
    struct async_job job;
    struct post go;
    struct post saw;
    pthread_t thread;
    int status;
};
static struct caller callers[8];

static int job_of(struct async_job *job, void *arg)
{
    struct caller *caller = arg;

    caller->thread = pthread_self();
    return async_job_canceled(job) ? ASYNC_EINVAL : caller->result;
}

static void enter(struct caller *caller)
{
    (void)pthread_mutex_lock(&lock);
    strcat(ran, caller->name);
    busy++;
    most = busy > most ? busy : most;
    (void)pthread_mutex_unlock(&lock);
    post_add(&entered, 1);
}

static void leave(void)
{
    (void)pthread_mutex_lock(&lock);
    busy--;
    (void)pthread_mutex_unlock(&lock);
}

/* Waits for its go. */
static int held_job(struct async_job *job, void *arg)
{
    struct caller *caller = arg;

    (void)job;
    enter(caller);
    post_take(&caller->go, 1);
    leave();
    return caller->result;
}

/* Waits until it should stop, then for its go. */
static int watchful_job(struct async_job *job, void *arg)
{
    struct caller *caller = arg;

    enter(caller);
    while (!async_job_canceled(job))
        (void)sched_yield();
    post_add(&caller->saw, 1);
    post_take(&caller->go, 1);
    leave();
    return caller->result;
}

static async_status offload(struct async_loop *on, struct caller *self)
{
    return async_offload(on, &executor, &self->job, self->fn, self);
}

static async caller(struct async_loop *on, void *frame)
{
    struct caller *self = frame;

    async_begin(self);
    if (self->limit_ms)
        async_catch(
            self->status,
            async_timeout(on, &self->timer, self->limit_ms, offload(on, self)));
    else
        async_catch(self->status, offload(on, self));
    trace("%s %s", self->name, async_strerror(self->status));
    if (self->again) {
        async_catch(self->status, offload(on, self));
        trace("%s again %s", self->name, async_strerror(self->status));
    }
    if (self->then) {
        async_catch(self->status, async_yield_now(on));
        trace("%s then %s", self->name, async_strerror(self->status));
    }
    async_end();
}

static void spawn(int i)
{
    int status = async_spawn(&loop, &tasks[i], caller, &callers[i]);

    assert_int_equal(status, 0);
}

/* Polls until nothing is ready any more. */
static void settle_at(async_time now)
{
    int polls = 0;

    while (async_poll(&loop, now) == 0) {
        if (++polls == 1000)
            fail_msg("the loop does not come to rest");
    }
}

static void settle(void)
{
    settle_at(async_now(&loop));
}

static void spawn_and_settle(int from, int to)
{
    while (from <= to)
        spawn(from++);
    settle();
}

static void go(int from, int to)
{
    while (from <= to)
        post_add(&callers[from++].go, 1);
}

static int started;

static void start(unsigned workers, unsigned places)
{
    int status = async_executor_start(&executor, workers, places);

    assert_int_equal(status, 0);
    started = 1;
}

/* Runs what there is to its end, and stops the executor. */
static void finish(void)
{
    async_status status = async_run(&loop, NULL, NULL);

    assert_int_equal(status, ASYNC_DONE);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
}

static void assert_counts(unsigned threads, unsigned running, unsigned queued,
                          unsigned long done)
{
    struct async_executor_counts counts = async_executor_count(&executor);

    assert_int_equal(counts.threads, threads);
    assert_int_equal(counts.running, running);
    assert_int_equal(counts.queued, queued);
    assert_int_equal(counts.done, done);
}

static int thread_setup(void **state)
{
    static const struct async_executor no_executor;
    static const struct async_task no_task;
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    int i;

    async_loop_init(&loop);
    executor = no_executor;
    other_executor = no_executor;
    for (i = 0; i < 8; i++) {
        tasks[i] = no_task;
        callers[i] = (struct caller){.name = names[i], .fn = held_job};
    }
    entered.count = let_start.count = woke.count = busy = most = 0;
    threads_are_held = waits = time_is_up = created = joined = 0;
    before_swap = NULL;
    before_add = NULL;
    ran[0] = '\0';
    return trace_setup(state);
}
/* A test that failed has left its threads: the next one must not meet them. */
static int thread_teardown(void **state)
{
    int i;

    (void)state;
    async_attach(&loop, NULL);
    for (i = 0; i < 8; i++)
        post_add(&callers[i].go, 100);
    post_add(&let_start, 100);
    if (started)
        async_executor_stop(&executor, ASYNC_STOP_CANCEL);
    started = 0;
    return 0;
}

#define thread_claim(test)                                                     \
    cmocka_unit_test_setup_teardown(test, thread_setup, thread_teardown)

/* ---- results ------------------------------------------------------------ */

static void a_job_that_returns_0_or_more_is_done(void **state)
{
    (void)state;
    start(1, 2);
    callers[0].fn = callers[1].fn = job_of;
    callers[1].result = 7;
    spawn(0);
    spawn(1);
    finish();

    assert_trace("a done\n"
                 "b done\n");
}

static void a_jobs_error_is_what_its_await_returns(void **state)
{
    (void)state;
    start(1, 2);
    callers[0].fn = callers[1].fn = job_of;
    callers[0].result = -EIO;
    callers[1].result = ASYNC_EFULL;
    spawn(0);
    spawn(1);
    finish();

    assert_int_equal(callers[0].status, -EIO);
    assert_int_equal(callers[1].status, ASYNC_EFULL);
    trace_clear();
}

static void a_job_runs_on_a_thread_of_its_own(void **state)
{
    (void)state;
    start(1, 1);
    callers[0].fn = job_of;
    spawn(0);
    finish();

    assert_trace("a done\n");
    assert_false(pthread_equal(callers[0].thread, pthread_self()));
}

static void the_loop_goes_on_while_a_job_blocks(void **state)
{
    (void)state;
    start(1, 1);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    callers[1].fn = job_of;
    callers[1].then = 1;
    tasks[1].fn = NULL;
    spawn(1);
    settle();

    assert_trace(""); /* b is queued; it has run its first step */
    assert_counts(1, 1, 1, 0);
    go(0, 0);
    finish();
    assert_trace("a done\n"
                 "b done\n"
                 "b then done\n");
}

/* Offloads one job after the other from one frame. */
struct series {
    struct async_frame async;
    struct async_executor *executor;
    struct async_job job;
    int i, times;
    long value, sum;
};

static int square(struct async_job *job, void *arg)
{
    struct series *series = arg;

    (void)job;
    series->value = (long)series->i * series->i;
    return 0;
}

static async series(struct async_loop *on, void *frame)
{
    struct series *self = frame;

    async_begin(self);
    for (self->i = 1; self->i <= self->times; self->i++) {
        await(async_offload(on, self->executor, &self->job, square, self));
        self->sum += self->value;
    }
    async_end();
}

static long sum_of_squares(long times)
{
    return times * (times + 1) * (2 * times + 1) / 6;
}

static void a_job_struct_serves_one_call_after_the_other(void **state)
{
    struct series frame = {.executor = &executor, .times = 100};
    async_status status;

    (void)state;
    start(2, 2);
    status = async_run(&loop, series, &frame);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);

    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(frame.sum, sum_of_squares(100));
}

/* ---- threads ------------------------------------------------------------ */

static void threads_are_started_when_there_is_work_for_them(void **state)
{
    (void)state;
    start(4, 4);
    assert_counts(0, 0, 0, 0);

    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    assert_counts(1, 1, 0, 0);

    spawn_and_settle(1, 1);
    post_take(&entered, 1);
    assert_counts(2, 2, 0, 0);

    go(0, 1);
    finish();
    trace_clear();
}

static void
a_thread_that_has_nothing_to_do_is_used_before_another_is_started(void **state)
{
    struct series frame = {.executor = &executor, .times = 200};
    async_status status;

    (void)state;
    start(4, 4);
    status = async_run(&loop, series, &frame); /* one job at a time */

    assert_int_equal(status, ASYNC_DONE);
    assert_counts(1, 0, 0, 200);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
}

static void no_more_jobs_run_at_once_than_there_are_workers(void **state)
{
    (void)state;
    start(3, 5);
    spawn_and_settle(0, 4);
    post_take(&entered, 3);

    assert_counts(3, 3, 2, 0);
    go(0, 4);
    finish();
    assert_int_equal(most, 3);
    trace_clear();
}

static void the_counts_say_what_there_is(void **state)
{
    struct async_executor_counts counts;

    (void)state;
    start(1, 3);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 3);
    counts = async_executor_count(&executor);
    assert_int_equal(counts.limit, 1);
    assert_counts(1, 1, 3, 0);

    go(0, 0);
    post_take(&entered, 1); /* b runs */
    assert_counts(1, 1, 2, 1);

    go(1, 3);
    (void)async_run(&loop, NULL, NULL);
    assert_counts(1, 0, 0, 4);

    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
    assert_counts(0, 0, 0, 4); /* its threads are gone */
    trace_clear();
}

static void without_a_number_there_is_a_worker_a_processor(void **state)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct async_executor_counts counts;

    (void)state;
    start(0, 0);
    counts = async_executor_count(&executor);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);

    assert_int_equal(counts.limit, processors < ASYNC_MAX_WORKERS
                                       ? processors
                                       : ASYNC_MAX_WORKERS);
}

static void without_a_number_there_are_as_many_places_as_workers(void **state)
{
    (void)state;
    start(2, 0);
    spawn_and_settle(0, 1);
    post_take(&entered, 2);
    spawn_and_settle(2, 4);

    assert_counts(2, 2, 2, 0); /* and one waits outside */
    go(0, 4);
    finish();
    trace_clear();
}

static void more_workers_than_can_be_are_refused(void **state)
{
    int status = async_executor_start(&executor, ASYNC_MAX_WORKERS + 1, 1);

    (void)state;
    assert_int_equal(status, ASYNC_EINVAL);
    start(ASYNC_MAX_WORKERS, 1);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
}

static void poll_loop(void *arg)
{
    (void)arg;
    (void)async_poll(&loop, 0);
}

static void an_executor_that_was_not_started_is_caught(void **state)
{
    (void)state;
    spawn(0);

    assert_stops("call async_executor_start first", poll_loop, NULL);
}

static void
an_executor_that_was_not_started_fails_without_assertions(void **state)
{
    (void)state;
    spawn(0);
    stops_are_noted(1);
    settle();
    stops_are_noted(0);

    assert_noted("call async_executor_start first");
    assert_trace("a invalid argument\n");
}

static void a_second_loop_on_one_executor_is_caught(void **state)
{
    static struct async_loop other;

    (void)state;
    start(1, 1);
    callers[0].fn = job_of;
    spawn(0);
    finish();
    start(1, 1);
    spawn(1);
    settle();
    other = loop; /* the task below belongs to loop, the executor to other */
    executor.loop_ = &other;
    spawn(2);

    assert_stops("an executor serves one loop", poll_loop, NULL);
    go(1, 1);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
    trace_clear();
}

/* ---- the queue ---------------------------------------------------------- */

static void a_job_beyond_the_queue_waits_for_a_place(void **state)
{
    (void)state;
    start(1, 1);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 2);

    assert_counts(1, 1, 1, 0); /* b is queued, c waits outside */
    go(0, 2);
    finish();
    assert_trace("a done\n"
                 "b done\n"
                 "c done\n");
    assert_string_equal(ran, "abc");
}

static void jobs_run_in_the_order_they_were_offloaded_in(void **state)
{
    (void)state;
    start(1, 2);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 7); /* two are queued, five wait outside */
    go(0, 7);
    finish();

    assert_string_equal(ran, "abcdefgh");
    trace_clear();
}

static void
a_late_job_does_not_overtake_those_who_wait_for_a_place(void **state)
{
    (void)state;
    start(1, 1);
    callers[0].again = 1;
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 2); /* b is queued, c waits outside */
    go(0, 0);
    post_take(&entered, 1); /* b runs, and a's job is on its way back */
    settle();               /* c gets the place; a comes again */
    go(0, 2);
    finish();

    assert_string_equal(ran, "abca");
    trace_clear();
}

static void
a_late_job_does_not_overtake_although_there_are_places_for_both(void **state)
{
    (void)state;
    start(2, 2);
    callers[0].again = callers[1].again = 1;
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 1);
    post_take(&entered, 1);
    spawn_and_settle(2, 4); /* c and d are queued, e waits outside */
    go(0, 0);
    post_take(&entered, 1); /* c runs */
    go(1, 1);
    post_take(&entered, 1); /* d runs, and the queue is empty */
    settle();               /* a and b come again, beside e */
    go(2, 2);
    post_take(&entered, 1); /* c's worker takes the first of the queue */
    assert_string_equal(ran, "abcde");

    go(3, 4);
    go(0, 1);
    finish();
    trace_clear();
}

static void tasks_outside_get_in_as_places_become_free(void **state)
{
    (void)state;
    start(1, 2);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 4); /* b and c are queued, d and e wait outside */
    assert_counts(1, 1, 2, 0);
    go(0, 0);
    post_take(&entered, 1); /* b runs */
    assert_counts(1, 1, 1, 1);
    settle();

    assert_counts(1, 1, 2, 1); /* d has taken its place */
    go(1, 4);
    finish();
    assert_string_equal(ran, "abcde");
    trace_clear();
}

/* ---- cancel ------------------------------------------------------------- */

static void a_queued_job_that_is_canceled_never_runs(void **state)
{
    (void)state;
    start(1, 3);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 1);
    async_cancel(&loop, &tasks[1]);
    settle();

    assert_trace("b canceled\n");
    assert_counts(1, 1, 0, 0);
    go(0, 0);
    finish();
    assert_string_equal(ran, "a");
    trace_clear();
}

/* a runs, b to d are queued, `one` is canceled. */
static void cancel_one_of_the_queue(int one)
{
    start(1, 3);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 3);
    async_cancel(&loop, &tasks[one]);
    settle();
    spawn_and_settle(4, 4); /* e takes the free place, at the end */
    assert_counts(1, 1, 3, 0);
    go(0, 4);
    finish();
    trace_clear();
}

static void the_first_of_the_queue_can_be_canceled(void **state)
{
    (void)state;
    cancel_one_of_the_queue(1);
    assert_string_equal(ran, "acde");
}

static void one_amid_the_queue_can_be_canceled(void **state)
{
    (void)state;
    cancel_one_of_the_queue(2);
    assert_string_equal(ran, "abde");
}

static void the_last_of_the_queue_can_be_canceled(void **state)
{
    (void)state;
    cancel_one_of_the_queue(3);
    assert_string_equal(ran, "abce");
}

static void a_task_that_waits_outside_the_queue_can_be_canceled(void **state)
{
    (void)state;
    start(1, 1);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 3); /* b is queued, c and d wait outside */
    async_cancel(&loop, &tasks[2]);
    settle();

    assert_trace("c canceled\n");
    go(0, 3);
    finish();
    assert_string_equal(ran, "abd");
    trace_clear();
}

static void a_place_left_by_a_canceled_job_goes_to_one_who_waits(void **state)
{
    (void)state;
    start(1, 1);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 2); /* b is queued, c waits outside */
    async_cancel(&loop, &tasks[1]);
    settle();
    go(0, 2);
    finish();

    assert_string_equal(ran, "ac");
    assert_trace("b canceled\n"
                 "a done\n"
                 "c done\n");
}

static void
a_place_left_before_any_worker_came_goes_to_one_who_waits(void **state)
{
    struct async_executor_counts counts;

    (void)state;
    threads_are_held = 1;
    start(1, 1);
    spawn_and_settle(0, 1); /* a is queued, b waits outside; no worker yet */
    async_cancel(&loop, &tasks[0]);
    settle();
    counts = async_executor_count(&executor);

    assert_trace("a canceled\n");
    assert_int_equal(counts.queued, 1); /* b: nothing else would let it in */
    post_add(&let_start, 1);
    go(1, 1);
    finish();
    assert_trace("b done\n");
}

static void
a_task_canceled_when_it_was_promised_a_place_gives_it_on(void **state)
{
    (void)state;
    start(1, 1);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 3); /* b is queued, c and d wait outside */
    go(0, 0);
    post_take(&entered, 1); /* b runs: there is a place, and c will hear it */
    async_cancel(&loop, &tasks[2]);
    settle();
    go(1, 3);
    finish();

    assert_string_equal(ran, "abd");
    assert_int_equal(callers[2].status, ASYNC_ECANCELED);
    assert_int_equal(callers[3].status, ASYNC_DONE);
    trace_clear();
}

static void
a_running_job_sees_the_cancel_and_its_frame_stays_till_it_ends(void **state)
{
    (void)state;
    start(1, 1);
    callers[0].fn = watchful_job;
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    async_cancel(&loop, &tasks[0]);
    settle();
    post_take(&callers[0].saw, 1);
    settle();

    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_PENDING);
    go(0, 0);
    finish();
    assert_trace("a canceled\n");
}

static void
a_second_cancel_does_not_free_the_frame_of_a_running_job(void **state)
{
    (void)state;
    start(1, 1);
    callers[0].fn = watchful_job;
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    async_cancel(&loop, &tasks[0]);
    settle();
    async_cancel(&loop, &tasks[0]);
    settle();

    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_PENDING);
    go(0, 0);
    finish();
    assert_trace("a canceled\n");
}

static void a_canceled_jobs_struct_serves_the_next_call(void **state)
{
    (void)state;
    start(1, 1);
    callers[0].fn = watchful_job;
    callers[0].again = 1;
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    async_cancel(&loop, &tasks[0]);
    settle();
    callers[0].fn = job_of; /* it fails if it is told to stop */
    go(0, 0);
    finish();

    assert_trace("a canceled\n"
                 "a again done\n");
}

static struct post notified;

static void notify_test(void *arg)
{
    (void)arg;
    post_add(&notified, 1);
}

static const struct async_host test_host = {notify_test, NULL, NULL};

/* a's job has ended, and nobody has polled since. */
static void let_a_end_unseen(void)
{
    callers[0].then = 1;
    start(1, 1);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    async_attach(&loop, &test_host);
    settle();
    (void)post_empty(&notified);
    go(0, 0);
    post_take(&notified, 1);
    async_attach(&loop, NULL);
}

static void a_result_on_its_way_when_the_cancel_comes_is_kept(void **state)
{
    (void)state;
    let_a_end_unseen();
    async_cancel(&loop, &tasks[0]);
    finish();

    assert_trace("a done\n"
                 "a then canceled\n");
}

static void a_job_canceled_in_its_first_step_never_runs(void **state)
{
    (void)state;
    start(1, 1);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn(1);
    async_cancel(&loop, &tasks[1]);
    settle();

    assert_trace("b canceled\n");
    go(0, 0);
    finish();
    assert_string_equal(ran, "a");
    trace_clear();
}

/* ---- in the same instant --------------------------------------------------
 */

static struct post reached, may_go_on;

static int is_slot(volatile size_t *word)
{
    return word >= executor.ring_ && word < executor.ring_ + ASYNC_RING;
}

/* A worker takes the job just before the loop withdraws it. */
static void begin_before_swap(volatile size_t *word)
{
    if (!is_slot(word))
        return;
    __atomic_store_n(&before_swap, NULL, __ATOMIC_RELEASE);
    post_add(&let_start, 1);
    post_take(&entered, 1);
}

static void a_job_that_begins_as_it_is_withdrawn_is_awaited(void **state)
{
    (void)state;
    threads_are_held = 1;
    start(1, 1);
    spawn_and_settle(0, 0);
    __atomic_store_n(&before_swap, begin_before_swap, __ATOMIC_RELEASE);
    async_cancel(&loop, &tasks[0]);
    settle();

    assert_trace(""); /* it runs */
    assert_int_equal(async_executor_count(&executor).canceled, 0);
    go(0, 0);
    finish();
    assert_trace("a canceled\n");
    assert_counts(0, 0, 0, 1);
}

/* The loop withdraws the job just before a worker takes it. */
static void wait_before_swap(volatile size_t *word)
{
    if (!is_slot(word))
        return;
    __atomic_store_n(&before_swap, NULL, __ATOMIC_RELEASE);
    post_add(&reached, 1);
    post_take(&may_go_on, 1);
}

static void a_job_that_is_withdrawn_as_it_begins_never_runs(void **state)
{
    (void)state;
    threads_are_held = 1;
    start(1, 1);
    spawn_and_settle(0, 0);
    __atomic_store_n(&before_swap, wait_before_swap, __ATOMIC_RELEASE);
    post_add(&let_start, 1);
    post_take(&reached, 1);
    async_cancel(&loop, &tasks[0]);
    settle();
    assert_trace("a canceled\n");

    callers[1].fn = job_of; /* in the next slot */
    spawn_and_settle(1, 1);
    post_add(&may_go_on, 1);
    finish();
    assert_string_equal(ran, "");
    assert_trace("b done\n");
    assert_counts(0, 0, 0, 1);
}

/* The last worker is about to end when a job comes. */
static void wait_before_end(volatile size_t *word, size_t value)
{
    if (word != &executor.crew_ || value != (size_t)-ASYNC_CREW_)
        return;
    __atomic_store_n(&before_add, NULL, __ATOMIC_RELEASE);
    post_add(&reached, 1);
    post_take(&may_go_on, 1);
}

static void
a_job_that_comes_as_the_last_thread_ends_is_not_forgotten(void **state)
{
    (void)state;
    start(1, 1);
    callers[1].fn = job_of;
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    let_time_pass(1);
    __atomic_store_n(&before_add, wait_before_end, __ATOMIC_RELEASE);
    go(0, 0);
    post_take(&reached, 1); /* it has looked, and is still counted */
    spawn_and_settle(1, 1);
    post_add(&may_go_on, 1);
    (void)async_run(&loop, NULL, NULL);

    assert_trace("a done\n"
                 "b done\n");
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
}

/* A worker looks for the last time, and sleeps; a job comes in between. */
static void wait_before_idle(volatile size_t *word, size_t value)
{
    if (word != &executor.crew_ || value != 1)
        return;
    __atomic_store_n(&before_add, NULL, __ATOMIC_RELEASE);
    post_add(&reached, 1);
    post_take(&may_go_on, 1);
}

static void
a_job_that_comes_as_a_thread_goes_idle_is_not_forgotten(void **state)
{
    (void)state;
    __atomic_store_n(&before_add, wait_before_idle, __ATOMIC_RELEASE);
    start(1, 1);
    callers[0].fn = callers[1].fn = job_of;
    spawn(0);
    (void)async_run(&loop, NULL, NULL);
    post_take(&reached, 1); /* it has found nothing, and is not counted idle */
    spawn_and_settle(1, 1);
    post_add(&may_go_on, 1);
    (void)async_run(&loop, NULL, NULL);

    assert_trace("a done\n"
                 "b done\n");
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
}

/* ---- timeouts ----------------------------------------------------------- */

static void a_timeout_tells_a_running_job_and_awaits_it(void **state)
{
    (void)state;
    start(1, 1);
    callers[0].fn = watchful_job;
    callers[0].limit_ms = 20;
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    settle_at(19);
    assert_int_equal(post_empty(&callers[0].saw), 0);
    settle_at(20);
    post_take(&callers[0].saw, 1);

    assert_trace(""); /* the job has not ended */
    go(0, 0);
    finish();
    assert_trace("a timed out\n");
}

static void a_queued_job_that_times_out_never_runs(void **state)
{
    (void)state;
    start(1, 1);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    callers[1].limit_ms = callers[2].limit_ms = 20;
    spawn_and_settle(1, 2); /* b is queued, c waits outside */
    settle_at(20);

    assert_trace("b timed out\n"
                 "c timed out\n");
    go(0, 0);
    finish();
    assert_string_equal(ran, "a");
    trace_clear();
}

static void a_job_in_time_leaves_no_timer(void **state)
{
    async_time next;

    (void)state;
    start(1, 1);
    callers[0].fn = job_of;
    callers[0].limit_ms = 60000;
    spawn(0);
    finish();
    next = async_poll(&loop, async_now(&loop));

    assert_trace("a done\n");
    assert_true(next == ASYNC_FOREVER);
}

static void
a_cancel_while_a_timed_out_job_ends_is_taken_by_the_next_wait(void **state)
{
    (void)state;
    start(1, 1);
    callers[0].fn = watchful_job;
    callers[0].limit_ms = 20;
    callers[0].then = 1;
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    settle_at(20);
    async_cancel(&loop, &tasks[0]);
    settle_at(21);
    go(0, 0);
    finish();

    assert_trace("a timed out\n"
                 "a then canceled\n");
}

/* ---- stop --------------------------------------------------------------- */

static void stop_and_drain_runs_what_is_queued(void **state)
{
    (void)state;
    start(1, 8);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 7);
    go(0, 7);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);

    assert_string_equal(ran, "abcdefgh");
    finish();
    assert_trace("a done\n"
                 "b done\n"
                 "c done\n"
                 "d done\n"
                 "e done\n"
                 "f done\n"
                 "g done\n"
                 "h done\n");
}

static void stop_and_drain_turns_away_who_waits_outside(void **state)
{
    (void)state;
    start(1, 1);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 3); /* b is queued, c and d wait outside */
    go(0, 3);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
    finish();

    assert_string_equal(ran, "ab");
    assert_int_equal(callers[0].status, ASYNC_DONE);
    assert_int_equal(callers[1].status, ASYNC_DONE);
    assert_int_equal(callers[2].status, ASYNC_ECLOSED);
    assert_int_equal(callers[3].status, ASYNC_ECLOSED);
    trace_clear();
}

static void
stop_and_cancel_drops_what_is_queued_and_asks_what_runs(void **state)
{
    (void)state;
    start(1, 2);
    callers[0].fn = watchful_job; /* it ends when it is asked to */
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 3); /* b and c are queued, d waits outside */
    go(0, 3);
    async_executor_stop(&executor, ASYNC_STOP_CANCEL);
    finish();

    assert_string_equal(ran, "a");
    assert_int_equal(callers[0].status, ASYNC_DONE); /* it returned 0 */
    assert_int_equal(callers[1].status, ASYNC_ECLOSED);
    assert_int_equal(callers[2].status, ASYNC_ECLOSED);
    assert_int_equal(callers[3].status, ASYNC_ECLOSED);
    trace_clear();
}

static void stop_and_cancel_asks_every_running_job(void **state)
{
    int i;

    (void)state;
    start(4, 1);
    for (i = 0; i < 4; i++)
        callers[i].fn = watchful_job;
    spawn_and_settle(0, 0); /* one after the other: there is one place */
    post_take(&entered, 1);
    spawn_and_settle(1, 1);
    post_take(&entered, 1);
    spawn_and_settle(2, 2);
    post_take(&entered, 1);
    spawn_and_settle(3, 3);
    post_take(&entered, 1);
    go(0, 3);
    async_executor_stop(&executor, ASYNC_STOP_CANCEL);
    finish();

    for (i = 0; i < 4; i++)
        assert_int_equal(callers[i].status, ASYNC_DONE);
    trace_clear();
}

static void an_offload_after_the_stop_is_closed(void **state)
{
    (void)state;
    start(1, 1);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
    spawn(0);
    finish();

    assert_trace("a closed\n");
    assert_string_equal(ran, "");
}

static void who_was_promised_a_place_is_turned_away_by_a_stop(void **state)
{
    (void)state;
    start(1, 1);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    async_attach(&loop, &test_host);
    spawn_and_settle(1, 2); /* b is queued, c waits outside */
    (void)post_empty(&notified);
    go(0, 1);
    post_take(&notified, 1);
    async_attach(&loop, NULL);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
    finish();

    assert_string_equal(ran, "ab");
    assert_int_equal(callers[2].status, ASYNC_ECLOSED);
    trace_clear();
}

static void a_second_stop_does_nothing(void **state)
{
    (void)state;
    start(1, 1);
    callers[0].fn = job_of;
    spawn(0);
    finish();
    async_executor_stop(&executor, ASYNC_STOP_CANCEL);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);

    assert_trace("a done\n");
    assert_counts(0, 0, 0, 1);
}

static void stop_of_an_executor_without_threads_returns_at_once(void **state)
{
    (void)state;
    start(4, 4);
    async_executor_stop(&executor, ASYNC_STOP_CANCEL);
    assert_counts(0, 0, 0, 0);
}

static void a_stopped_executor_can_be_started_again(void **state)
{
    (void)state;
    start(1, 1);
    callers[0].fn = callers[1].fn = job_of;
    spawn(0);
    finish();
    start(2, 2);
    spawn(1);
    finish();

    assert_trace("a done\n"
                 "b done\n");
}

/* Stops its executor itself, with jobs of its own on it. */
struct stopper {
    struct async_frame async;
    int how;
};

static async stopper(struct async_loop *on, void *frame)
{
    struct stopper *self = frame;

    async_begin(self);
    await(async_yield_now(on));
    async_executor_stop(&executor, self->how);
    trace("stopped");
    async_end();
}

static void a_task_may_stop_the_executor_that_others_wait_for(void **state)
{
    struct stopper frame = {.how = ASYNC_STOP_CANCEL};

    (void)state;
    start(1, 1);
    callers[0].fn = watchful_job;
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 2); /* b is queued, c waits outside */
    go(0, 0);
    (void)async_spawn(&loop, &tasks[3], stopper, &frame);
    finish();

    assert_int_equal(callers[0].status, ASYNC_DONE);
    assert_int_equal(callers[1].status, ASYNC_ECLOSED);
    assert_int_equal(callers[2].status, ASYNC_ECLOSED);
    trace_clear();
}

/* ---- idle threads ------------------------------------------------------- */

/* Until so many threads sleep. */
static void wait_for_idle(unsigned count)
{
    while (async_atomic_load_(&executor.crew_) % ASYNC_CREW_ != count)
        (void)sched_yield();
}

/* Until so many threads are left. */
static void wait_for_threads(unsigned count)
{
    while (async_executor_count(&executor).threads != count)
        (void)sched_yield();
}

/* Three threads, that have each done a job and sleep. */
static void start_three_idle(void)
{
    int i;

    start(3, 3);
    spawn_and_settle(0, 2);
    post_take(&entered, 3);
    go(0, 2);
    (void)async_run(&loop, NULL, NULL);
    wait_for_idle(3);
    for (i = 0; i < 3; i++)
        callers[i].async = (struct async_frame){0};
    trace_clear();
    ran[0] = '\0';
}

static void the_thread_that_went_idle_last_is_used_first(void **state)
{
    pthread_t last = pthread_self();
    int i;

    (void)state;
    start_three_idle();
    callers[0].fn = job_of;
    for (i = 0; i < 20; i++) {
        spawn(0);
        (void)async_run(&loop, NULL, NULL);
        wait_for_idle(3);
        if (i > 0)
            assert_true(pthread_equal(last, callers[0].thread));
        last = callers[0].thread;
        callers[0].async = (struct async_frame){0};
    }
    trace_clear();
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
}

static void a_thread_that_was_idle_for_long_ends(void **state)
{
    (void)state;
    let_time_pass(1);
    start(2, 2);
    spawn_and_settle(0, 1);
    post_take(&entered, 2);
    assert_counts(2, 2, 0, 0);
    go(0, 1);
    (void)async_run(&loop, NULL, NULL);
    wait_for_threads(0);

    assert_counts(0, 0, 0, 2);
    trace_clear();
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
}

static void work_for_which_all_threads_have_ended_gets_new_ones(void **state)
{
    int i;

    (void)state;
    let_time_pass(1);
    start(1, 1);
    callers[0].fn = job_of;
    for (i = 0; i < rounds() / 10; i++) {
        spawn(0);
        (void)async_run(&loop, NULL, NULL);
        if (i % 2)
            wait_for_threads(0);
        callers[0].async = (struct async_frame){0};
    }
    assert_int_equal(async_executor_count(&executor).done, rounds() / 10);
    trace_clear();
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
}

/* How long a thread waits for work, in milliseconds. */
static double patience_of(uint32_t idle_ms)
{
    struct timespec before, after;

    executor.idle_ms = idle_ms;
    start(1, 1);
    callers[0].fn = job_of;
    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    spawn(0);
    (void)async_run(&loop, NULL, NULL);
    wait_for_idle(1);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    trace_clear();
    if (!waits)
        return -1;
    /* the moment lies so far behind one between these two */
    assert_true((double)waits_until.tv_sec * 1e3 +
                    (double)waits_until.tv_nsec / 1e6 >=
                (double)before.tv_sec * 1e3 + (double)before.tv_nsec / 1e6 +
                    (idle_ms ? idle_ms : 10000) - 0.001);
    return (double)(waits_until.tv_sec - after.tv_sec) * 1e3 +
           (double)(waits_until.tv_nsec - after.tv_nsec) / 1e6;
}

static void a_thread_waits_as_long_as_idle_ms_says(void **state)
{
    double patience = patience_of(123456);

    (void)state;
    assert_true(patience <= 123456);
}

static void without_idle_ms_a_thread_waits_for_10_s(void **state)
{
    double patience = patience_of(0);

    (void)state;
    assert_true(patience <= 10000);
    assert_true(waits > 0);
}

static void a_thread_may_be_kept_for_ever(void **state)
{
    double patience;

    (void)state;
    let_time_pass(1);
    patience = patience_of(UINT32_MAX);
    assert_true(patience < 0); /* it never asked for the time */
}

static void an_ended_threads_jobs_are_still_counted(void **state)
{
    (void)state;
    let_time_pass(1);
    start(1, 1);
    callers[0].fn = callers[1].fn = job_of;
    spawn(0);
    (void)async_run(&loop, NULL, NULL);
    wait_for_threads(0);
    spawn(1);
    (void)async_run(&loop, NULL, NULL);
    wait_for_threads(0);

    assert_counts(0, 0, 0, 2);
    trace_clear();
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
    assert_int_equal(created, 2);
    assert_int_equal(joined, 2);
}

/* ---- jobs that block, beside idle threads -------------------------------- */

static void
no_job_waits_behind_one_that_blocks_while_a_thread_is_idle(void **state)
{
    int blocks, i;

    (void)state;
    start(2, 8);
    for (blocks = 0; blocks < 8; blocks++) {
        spawn_and_settle(0, 1); /* both have begun, and sleep then */
        post_take(&entered, 2);
        go(0, 1);
        (void)async_run(&loop, NULL, NULL);
        wait_for_idle(2);
        for (i = 0; i < 8; i++) {
            callers[i].async = (struct async_frame){0};
            callers[i].fn = i == blocks ? held_job : job_of;
            spawn(i);
        }
        do
            settle();
        while (async_alive(&loop) > 1); /* all but one come back */
        go(blocks, blocks);
        (void)async_run(&loop, NULL, NULL);
        post_take(&entered, 1);
        for (i = 0; i < 8; i++) {
            callers[i].async = (struct async_frame){0};
            callers[i].fn = held_job;
        }
        trace_clear();
        ran[0] = '\0';
    }
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
}

/* Holds the loop until a job has begun. */
struct holdup {
    struct async_frame async;
};

static async holdup(struct async_loop *on, void *frame)
{
    struct holdup *self = frame;

    (void)on;
    async_begin(self);
    post_take(&entered, 1);
    async_end();
}

static void the_first_job_of_a_round_begins_before_the_round_ends(void **state)
{
    struct holdup frame = {{0}};

    (void)state;
    start(1, 1);
    spawn(0);
    (void)async_spawn(&loop, &tasks[1], holdup, &frame);
    settle(); /* or it hangs */

    assert_counts(1, 1, 0, 0);
    go(0, 0);
    finish();
    assert_trace("a done\n");
}

/* Holds the loop until a's job is over, and its thread sleeps. */
static async idle_in_between(struct async_loop *on, void *frame)
{
    struct holdup *self = frame;

    (void)on;
    async_begin(self);
    post_take(&entered, 1);
    go(0, 0);
    wait_for_idle(1);
    async_end();
}

static void a_later_job_of_a_round_wakes_who_went_idle_in_it(void **state)
{
    struct holdup frame = {{0}};

    (void)state;
    start(1, 2);
    callers[2].fn = job_of;
    spawn(0);
    (void)async_spawn(&loop, &tasks[1], idle_in_between, &frame);
    spawn(2);
    finish(); /* or it hangs */

    assert_trace("a done\n"
                 "c done\n");
}

static void all_threads_wake_for_jobs_of_one_round(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < rounds() / 20 + 1; i++) {
        int k;

        start(4, 8);
        spawn_and_settle(0, 3);
        post_take(&entered, 4);
        go(0, 3);
        (void)async_run(&loop, NULL, NULL);
        if (i % 2) /* else some are on their way to sleep */
            wait_for_idle(4);
        ran[0] = '\0';
        for (k = 0; k < 4; k++)
            callers[k].async = (struct async_frame){0};
        spawn_and_settle(0, 3);
        post_take(&entered, 4); /* or it hangs */
        go(0, 3);
        (void)async_run(&loop, NULL, NULL);
        for (k = 0; k < 4; k++)
            callers[k].async = (struct async_frame){0};
        async_executor_stop(&executor, ASYNC_STOP_DRAIN);
        trace_clear();
        ran[0] = '\0';
    }
}

/* ---- the limit, changed ------------------------------------------------- */

static void a_higher_limit_starts_threads_for_what_is_queued(void **state)
{
    int status;

    (void)state;
    start(1, 3);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 3);
    assert_counts(1, 1, 3, 0);
    status = async_executor_limit(&executor, 3);
    post_take(&entered, 2);

    assert_int_equal(status, 0);
    assert_counts(3, 3, 1, 0);
    assert_int_equal(async_executor_count(&executor).limit, 3);
    go(0, 3);
    finish();
    trace_clear();
}

static void a_lower_limit_ends_threads_after_the_job_they_are_at(void **state)
{
    (void)state;
    start(3, 5);
    spawn_and_settle(0, 2);
    post_take(&entered, 3);
    spawn_and_settle(3, 7);
    assert_int_equal(async_executor_limit(&executor, 1), 0);
    assert_counts(3, 3, 5, 0); /* nothing is cut short */
    go(0, 1);
    wait_for_threads(1);
    assert_counts(1, 1, 5, 2); /* c's thread is the one that stays */
    most = 1;
    go(2, 7);
    finish();

    assert_int_equal(most, 1);
    trace_clear();
}

static void a_lower_limit_ends_idle_threads(void **state)
{
    (void)state;
    start_three_idle();
    assert_int_equal(async_executor_limit(&executor, 1), 0);
    wait_for_threads(1);
    callers[0].async = (struct async_frame){0};
    callers[0].fn = job_of;
    spawn(0);
    (void)async_run(&loop, NULL, NULL);

    assert_counts(1, 0, 0, 4);
    assert_int_equal(executor.orders_, 0); /* no job needs the lock any more */
    trace_clear();
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
}

static void the_limit_can_go_up_and_down_under_way(void **state)
{
    static struct async_task many_tasks[8];
    static struct series many[8];
    static const struct async_task no_task;
    int i, wrong = 0, times = rounds();

    (void)state;
    start(1, 2);
    for (i = 0; i < 8; i++) {
        many_tasks[i] = no_task;
        many[i] = (struct series){.executor = &executor, .times = times};
        (void)async_spawn(&loop, &many_tasks[i], series, &many[i]);
    }
    for (i = 1; async_alive(&loop); i++) {
        (void)async_poll(&loop, 0);
        wrong += async_executor_limit(&executor, 1 + (unsigned)i % 4) != 0;
    }
    assert_int_equal(wrong, 0);
    for (i = 0; i < 8; i++)
        wrong += many[i].sum != sum_of_squares(times);
    assert_int_equal(wrong, 0);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
}

static void a_limit_of_0_is_one_a_processor(void **state)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    (void)state;
    start(1, 1);
    assert_int_equal(async_executor_limit(&executor, 0), 0);
    assert_int_equal(async_executor_count(&executor).limit,
                     processors < ASYNC_MAX_WORKERS ? processors
                                                    : ASYNC_MAX_WORKERS);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
}

static void a_limit_that_cannot_be_changes_nothing(void **state)
{
    int before, too_high, after;

    (void)state;
    before = async_executor_limit(&executor, 1);
    start(1, 1);
    too_high = async_executor_limit(&executor, ASYNC_MAX_WORKERS + 1);
    assert_int_equal(async_executor_count(&executor).limit, 1);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
    after = async_executor_limit(&executor, 2);

    assert_int_equal(before, ASYNC_ECLOSED);
    assert_int_equal(too_high, ASYNC_EINVAL);
    assert_int_equal(after, ASYNC_ECLOSED);
}

/* ---- more counts --------------------------------------------------------- */

static void canceled_jobs_are_counted(void **state)
{
    (void)state;
    start(1, 3);
    callers[0].fn = watchful_job;
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 4); /* three are queued, one waits outside */
    async_cancel(&loop, &tasks[4]);
    async_cancel(&loop, &tasks[2]);
    settle();
    assert_int_equal(async_executor_count(&executor).canceled, 1);

    go(0, 0);
    async_executor_stop(&executor, ASYNC_STOP_CANCEL);
    assert_int_equal(async_executor_count(&executor).canceled, 3);
    assert_counts(0, 0, 0, 1);
    finish();
    trace_clear();
}

static void oldest_is_how_long_the_first_in_the_queue_has_waited(void **state)
{
    (void)state;
    settle_at(100);
    start(1, 3);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    assert_int_equal(async_executor_count(&executor).oldest, 0);
    spawn_and_settle(1, 1);
    settle_at(130);
    spawn_and_settle(2, 2);
    assert_int_equal(async_executor_count(&executor).oldest, 30);
    settle_at(150);
    assert_int_equal(async_executor_count(&executor).oldest, 50);

    async_cancel(&loop, &tasks[1]);
    settle_at(150);
    assert_int_equal(async_executor_count(&executor).oldest, 20);
    go(0, 0);
    post_take(&entered, 1);
    assert_int_equal(async_executor_count(&executor).oldest, 0);
    go(2, 2);
    finish();
    trace_clear();
}

/* ---- threads as they are asked for --------------------------------------- */

static void log_started(struct async_executor *of)
{
    (void)pthread_mutex_lock(&lock);
    strcat(ran, (const char *)of->arg);
    (void)pthread_mutex_unlock(&lock);
}

static void log_stopping(struct async_executor *of)
{
    (void)of;
    (void)pthread_mutex_lock(&lock);
    strcat(ran, ">");
    (void)pthread_mutex_unlock(&lock);
}

static void a_thread_is_announced_first_and_last(void **state)
{
    (void)state;
    executor.started = log_started;
    executor.stopping = log_stopping;
    executor.arg = "<";
    start(1, 2);
    spawn_and_settle(0, 1);
    go(0, 1);
    finish();

    assert_string_equal(ran, "<ab>");
    trace_clear();
}

static void a_thread_that_ends_idle_is_announced_too(void **state)
{
    (void)state;
    executor.started = log_started;
    executor.stopping = log_stopping;
    executor.arg = "<";
    let_time_pass(1);
    start(1, 1);
    callers[0].fn = callers[1].fn = held_job;
    go(0, 1);
    spawn(0);
    (void)async_run(&loop, NULL, NULL);
    wait_for_threads(0);
    spawn(1);
    finish();

    assert_string_equal(ran, "<a><b>");
    trace_clear();
}

static void
the_hooks_run_on_the_thread_and_the_fields_outlast_a_stop(void **state)
{
    int i;

    (void)state;
    executor.started = log_started;
    executor.arg = "<";
    for (i = 0; i < 2; i++) {
        start(1, 1);
        callers[i].fn = job_of;
        spawn(i);
        finish();
    }
    assert_string_equal(ran, "<<");
    trace_clear();
}

#ifdef __linux__
static char thread_name[16];

static int tell_name(struct async_job *job, void *arg)
{
    (void)job;
    (void)arg;
    return prctl(PR_GET_NAME, (unsigned long)(size_t)thread_name, 0, 0, 0);
}

static void threads_have_the_executors_name(void **state)
{
    char own[16] = "";

    (void)state;
    executor.name = "blocking files of all kinds";
    start(1, 1);
    callers[0].fn = tell_name;
    spawn(0);
    finish();
    (void)prctl(PR_GET_NAME, (unsigned long)(size_t)own, 0, 0, 0);

    assert_string_equal(thread_name, "blocking files ");
    assert_string_not_equal(own, thread_name);
    trace_clear();
}
#endif

static void threads_have_the_stack_they_were_given(void **state)
{
    (void)state;
    executor.stack_bytes = 1 << 20;
    start(1, 1);
    callers[0].fn = job_of;
    spawn(0);
    finish();
    assert_int_equal(stack_asked_for, 1 << 20);

    executor.stack_bytes = 0;
    start(1, 1);
    callers[1].fn = job_of;
    spawn(1);
    finish();
    assert_int_equal(stack_asked_for, 0); /* as the system does */
    trace_clear();
}

static void a_stack_that_is_too_small_is_the_jobs_error(void **state)
{
    (void)state;
    executor.stack_bytes = 1;
    start(1, 1);
    callers[0].fn = job_of;
    spawn(0);
    finish();

    assert_int_equal(callers[0].status, -EINVAL);
    trace_clear();
}

/* ---- start --------------------------------------------------------------- */

static void a_started_executor_is_busy(void **state)
{
    int status;

    (void)state;
    start(1, 1);
    status = async_executor_start(&executor, 2, 2);

    assert_int_equal(status, ASYNC_EBUSY);
    assert_int_equal(async_executor_count(&executor).limit, 1);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
}

static void an_executor_whose_jobs_are_not_back_is_busy(void **state)
{
    int before, after;

    (void)state;
    start(1, 1);
    spawn_and_settle(0, 0);
    go(0, 0);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
    before = async_executor_start(&executor, 1, 1);
    (void)async_run(&loop, NULL, NULL);
    after = async_executor_start(&executor, 1, 1);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);

    assert_int_equal(before, ASYNC_EBUSY);
    assert_int_equal(after, 0);
    assert_trace("a done\n");
}

/* ---- stop within a time -------------------------------------------------- */

static void a_stop_that_takes_too_long_names_the_job_that_is_stuck(void **state)
{
    struct async_job *stuck = NULL;
    int first, second;

    (void)state;
    start(1, 2);
    callers[0].job.name = "reading the tape";
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 1);
    let_time_pass(1);
    first = async_executor_stop_within(&executor, ASYNC_STOP_DRAIN, 5, &stuck);
    assert_int_equal(first, ASYNC_ETIMEDOUT);
    assert_ptr_equal(stuck, &callers[0].job);
    assert_string_equal(stuck->name, "reading the tape");
    assert_counts(1, 1, 1, 0); /* it is all still there */

    go(0, 1);
    let_time_pass(0);
    second = async_executor_stop_within(&executor, ASYNC_STOP_DRAIN, 5, &stuck);
    assert_int_equal(second, 0);
    assert_counts(0, 0, 0, 2);
    finish();
    assert_trace("a done\n"
                 "b done\n");
}

static void of_several_stuck_jobs_the_first_is_named(void **state)
{
    struct async_job *stuck = NULL;
    int status, i;

    (void)state;
    start(3, 3);
    settle_at(10);
    for (i = 2; i >= 0; i--) { /* c is the first */
        spawn(i);
        settle_at((async_time)(100 - i));
        post_take(&entered, 1);
    }
    let_time_pass(1);
    status = async_executor_stop_within(&executor, ASYNC_STOP_DRAIN, 5, &stuck);
    go(0, 2);
    let_time_pass(0);
    finish();

    assert_int_equal(status, ASYNC_ETIMEDOUT);
    assert_ptr_equal(stuck, &callers[2].job);
    trace_clear();
}

static void after_a_stop_that_took_too_long_the_executor_is_closed(void **state)
{
    int status, limit;

    (void)state;
    start(1, 1);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 2); /* b is queued, c waits outside */
    let_time_pass(1);
    status = async_executor_stop_within(&executor, ASYNC_STOP_CANCEL, 5, NULL);
    spawn_and_settle(3, 3);
    limit = async_executor_limit(&executor, 2);

    assert_int_equal(status, ASYNC_ETIMEDOUT);
    assert_int_equal(limit, ASYNC_ECLOSED);
    assert_int_equal(callers[1].status, ASYNC_ECLOSED);
    assert_int_equal(callers[2].status, ASYNC_ECLOSED);
    assert_int_equal(callers[3].status, ASYNC_ECLOSED);
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_PENDING);
    go(0, 0);
    let_time_pass(0);
    finish();
    assert_int_equal(callers[0].status, ASYNC_DONE);
    trace_clear();
}

static void a_stuck_jobs_await_ends_when_it_does(void **state)
{
    async_status status;

    (void)state;
    start(1, 1);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    let_time_pass(1);
    assert_int_equal(
        async_executor_stop_within(&executor, ASYNC_STOP_DRAIN, 5, NULL),
        ASYNC_ETIMEDOUT);
    go(0, 0);
    status = async_run(&loop, NULL, NULL); /* before the second stop */

    assert_int_equal(status, ASYNC_DONE);
    assert_trace("a done\n");
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
}

static void what_a_drain_left_queued_a_cancel_drops(void **state)
{
    (void)state;
    start(1, 2);
    callers[0].fn = watchful_job;
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 2);
    let_time_pass(1);
    assert_int_equal(
        async_executor_stop_within(&executor, ASYNC_STOP_DRAIN, 5, NULL),
        ASYNC_ETIMEDOUT);
    go(0, 0);
    async_executor_stop(&executor, ASYNC_STOP_CANCEL);
    finish();

    assert_string_equal(ran, "a");
    assert_int_equal(callers[1].status, ASYNC_ECLOSED);
    assert_int_equal(callers[2].status, ASYNC_ECLOSED);
    trace_clear();
}

static void a_stop_in_time_returns_0(void **state)
{
    struct async_job none, *stuck = &none;
    int first, second;

    (void)state;
    start(1, 1);
    callers[0].fn = job_of;
    spawn(0);
    (void)async_run(&loop, NULL, NULL);
    first =
        async_executor_stop_within(&executor, ASYNC_STOP_DRAIN, 60000, &stuck);
    second = async_executor_stop_within(&executor, ASYNC_STOP_DRAIN, 0, &stuck);

    assert_int_equal(first, 0);
    assert_int_equal(second, 0); /* it is stopped */
    assert_ptr_equal(stuck, &none);
    trace_clear();
}

static int stops_its_executor(struct async_job *job, void *arg)
{
    (void)job;
    (void)arg;
    return async_executor_stop_within(&executor, ASYNC_STOP_DRAIN, UINT32_MAX,
                                      NULL);
}

static void a_job_that_stops_its_executor_is_caught(void **state)
{
    (void)state;
    start(1, 1);
    callers[0].fn = stops_its_executor;
    stops_are_noted(1);
    spawn(0);
    (void)async_run(&loop, NULL, NULL);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
    stops_are_noted(0);

    assert_noted("an executor is stopped by a job of its own");
    assert_trace("a would wait for itself\n");
}

static void a_job_that_begins_after_the_stop_sees_it(void **state)
{
    (void)state;
    threads_are_held = 1;
    start(1, 1);
    callers[0].fn = watchful_job;
    spawn_and_settle(0, 0);
    (void)async_atomic_add_(&executor.orders_, ASYNC_ORDER_STOP_); /* first */
    post_add(&let_start, 1);
    go(0, 0);
    finish();

    assert_trace("a done\n");
}

/* ---- a fork ---------------------------------------------------------------
 */

/* What the child returns, 99 if it hangs. */
static int in_a_child(int (*act)(void))
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        (void)alarm(20);
        _exit(act());
    }
    assert_true(child > 0);
    (void)waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static int child_offloads(void)
{
    spawn(2);
    settle();
    return callers[2].status == ASYNC_ENOTSUP ? 0 : 1;
}

static int child_limits_and_stops(void)
{
    struct async_executor_counts counts = async_executor_count(&executor);

    if (counts.running != 1 || counts.queued != 1)
        return 1;
    if (async_executor_limit(&executor, 2) != ASYNC_ENOTSUP)
        return 2;
    if (async_executor_start(&executor, 1, 1) != ASYNC_EBUSY)
        return 3;
    if (async_executor_stop_within(&executor, ASYNC_STOP_DRAIN, 60000, NULL) !=
        ASYNC_ENOTSUP)
        return 4;
    async_executor_stop(&executor, ASYNC_STOP_CANCEL);
    settle();
    if (callers[1].status != ASYNC_ECLOSED)
        return 5;
    spawn(2);
    settle();
    return callers[2].status == ASYNC_ECLOSED ? 0 : 6;
}

static int child_cancels(void)
{
    async_cancel(&loop, &tasks[1]);
    settle();
    return callers[1].status == ASYNC_ECANCELED ? 0 : 1;
}

static int child_starts_its_own(void)
{
    static struct async_loop other;
    struct series frame = {.executor = &other_executor, .times = 10};

    if (async_executor_start(&other_executor, 2, 2) != 0 ||
        async_run(&other, series, &frame) != ASYNC_DONE)
        return 1;
    async_executor_stop(&other_executor, ASYNC_STOP_DRAIN);
    return frame.sum == sum_of_squares(10) ? 0 : 2;
}

/* One job runs, one is queued, the lock is held: a child has that for ever. */
static int fork_in_the_midst(int (*act)(void))
{
    int status;

    start(1, 2);
    spawn_and_settle(0, 0);
    post_take(&entered, 1);
    spawn_and_settle(1, 1);
    async_os_lock_take_(&executor.lock_);
    status = in_a_child(act);
    async_os_lock_give_(&executor.lock_);
    trace_clear();
    go(0, 1);
    finish();
    assert_trace("a done\n"
                 "b done\n"); /* the parent has not noticed */
    return status;
}

static void a_job_in_a_forks_child_is_refused(void **state)
{
    (void)state;
    assert_int_equal(fork_in_the_midst(child_offloads), 0);
}

static void all_but_counts_is_refused_in_a_forks_child(void **state)
{
    (void)state;
    assert_int_equal(fork_in_the_midst(child_limits_and_stops), 0);
}

static void a_queued_job_can_be_canceled_in_a_forks_child(void **state)
{
    (void)state;
    assert_int_equal(fork_in_the_midst(child_cancels), 0);
}

static void a_forks_child_may_have_an_executor_of_its_own(void **state)
{
    (void)state;
#if THREAD_SANITIZER /* which forbids threads there */
    (void)child_starts_its_own;
    skip();
#else
    assert_int_equal(fork_in_the_midst(child_starts_its_own), 0);
#endif
}

/* ---- many --------------------------------------------------------------- */

enum { MANY = 40 };

static void run_many(unsigned workers, unsigned places)
{
    static struct async_task many_tasks[MANY];
    static struct series many[MANY];
    static const struct async_task no_task;
    int i, wrong = 0, times = rounds() / 20 + 1;
    async_status status;

    start(workers, places);
    for (i = 0; i < MANY; i++) {
        many_tasks[i] = no_task;
        many[i] = (struct series){.executor = &executor, .times = times};
        (void)async_spawn(&loop, &many_tasks[i], series, &many[i]);
    }
    status = async_run(&loop, NULL, NULL);

    assert_int_equal(status, ASYNC_DONE);
    for (i = 0; i < MANY; i++)
        wrong += many[i].sum != sum_of_squares(times);
    assert_int_equal(wrong, 0);
    assert_int_equal(async_executor_count(&executor).done,
                     (unsigned long)MANY * (unsigned long)times);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
}

static void many_jobs_of_many_tasks_all_come_back(void **state)
{
    (void)state;
    run_many(4, 8);
}

static void one_worker_and_one_place_are_enough(void **state)
{
    (void)state;
    run_many(1, 1);
}

static void many_workers_and_one_place_are_enough(void **state)
{
    (void)state;
    run_many(8, 1);
}

/* ---- looking before sleeping ----------------------------------------------
 */

static void with_spin_many_jobs_of_many_tasks_all_come_back(void **state)
{
    (void)state;
    executor.spin = 100;
    run_many(2, 8);
}

static void with_spin_a_job_that_takes_long_still_wakes_the_loop(void **state)
{
    (void)state;
    executor.spin = 3;
    start(1, 1);
    async_attach(&loop, &test_host);
    spawn_and_settle(0, 0); /* the loop has looked for long enough */
    post_take(&entered, 1);
    (void)post_empty(&notified);
    go(0, 0);
    post_take(&notified, 1);
    async_attach(&loop, NULL);
    finish();

    assert_trace("a done\n");
}

static void while_the_loop_looks_nobody_wakes_it(void **state)
{
    (void)state;
    executor.spin = UINT32_MAX;
    start(1, 1);
    async_attach(&loop, &test_host);
    (void)async_poll(&loop, 0);
    (void)post_empty(&notified);
    callers[0].fn = job_of;
    spawn(0);
    (void)post_empty(&notified);
    (void)async_poll(&loop, 0); /* it ends when the job is back */
    settle();                   /* and no worker counts to so many */

    assert_trace("a done\n");
    assert_int_equal(post_empty(&notified), 0);
    async_attach(&loop, NULL);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
}

/* Two jobs that wait for each other on their threads, again and again. */
struct twins {
    struct async_frame async;
    struct async_batch batch;
    struct async_task tasks[2];
    struct twin {
        struct async_frame async;
        struct async_job job;
        struct twin *other;
        volatile size_t arrived;
    } twins[2];
    int i, times;
};

static int meet(struct async_job *job, void *arg)
{
    struct twin *twin = arg;

    (void)job;
    async_atomic_store_(&twin->arrived, 1);
    while (!async_atomic_load_(&twin->other->arrived))
        (void)sched_yield();
    return 0;
}

static async twin(struct async_loop *on, void *frame)
{
    struct twin *self = frame;

    async_begin(self);
    await(async_offload(on, &executor, &self->job, meet, self));
    async_end();
}

static async twins(struct async_loop *on, void *frame)
{
    struct twins *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < self->times; self->i++) {
        self->twins[0] = (struct twin){.other = &self->twins[1]};
        self->twins[1] = (struct twin){.other = &self->twins[0]};
        await(async_map(on, &self->batch, twin, self->twins, self->tasks));
    }
    async_end();
}

static void two_jobs_that_end_at_once_both_come_back(void **state)
{
    struct twins frame = {.times = rounds()};
    async_status status;

    (void)state;
    start(2, 2);
    status = async_run(&loop, twins, &frame);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);

    assert_int_equal(status, ASYNC_DONE);
}

/* Cancels one of the `series` at random, again and again. */
static struct async_task victims[MANY];
static struct series victim_frames[MANY];

struct canceler {
    struct async_frame async;
    int i, times, stopped;
    uint64_t random;
};

static async canceler(struct async_loop *on, void *frame)
{
    struct canceler *self = frame;
    unsigned victim;

    async_begin(self);
    for (self->i = 0; self->i < self->times; self->i++) {
        self->random ^= self->random >> 12; /* xorshift64*, Vigna 2016 */
        self->random ^= self->random << 25;
        self->random ^= self->random >> 27;
        victim =
            (unsigned)(self->random * UINT64_C(2685821657736338717) >> 33) %
            MANY;
        if (async_task_outcome(&victims[victim]) == ASYNC_PENDING) {
            async_cancel(on, &victims[victim]);
        } else {
            self->stopped++;
            victim_frames[victim] =
                (struct series){.executor = &executor, .times = 5};
            (void)async_spawn(on, &victims[victim], series,
                              &victim_frames[victim]);
        }
        await(async_yield_now(on));
    }
    async_end();
}

static void ignore_unhandled(struct async_loop *on, struct async_task *task,
                             async_status error)
{
    (void)on;
    (void)task;
    (void)error;
}

static void no_place_is_lost_by_cancels_at_random(void **state)
{
    static const struct async_task no_task;
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 20261120;
    struct canceler frame = {.times = 20 * rounds(), .random = seed | 1};
    async_status status;
    int i;

    (void)state;
    print_message("# SEED=%llu\n", (unsigned long long)seed);
    loop.unhandled = ignore_unhandled;
    start(2, 3);
    for (i = 0; i < MANY; i++) {
        victims[i] = no_task;
        victim_frames[i] = (struct series){.executor = &executor, .times = 5};
        (void)async_spawn(&loop, &victims[i], series, &victim_frames[i]);
    }
    status = async_run(&loop, canceler, &frame);
    assert_int_equal(status, ASYNC_DONE);
    assert_true(frame.stopped > rounds());
    assert_int_equal(async_executor_count(&executor).queued, 0);

    spawn_and_settle(0, 0); /* there are as many places as at the start */
    post_take(&entered, 1);
    spawn_and_settle(1, 1);
    post_take(&entered, 1);
    spawn_and_settle(2, 7);
    assert_int_equal(async_executor_count(&executor).running, 2);
    assert_int_equal(async_executor_count(&executor).queued, 3);
    go(0, 7);
    finish();
    trace_clear();
}

/* ---- several threads with loops ----------------------------------------- */

struct side {
    struct async_loop loop;
    struct async_executor executor;
    struct series series;
    async_status status;
};

static void *run_side(void *arg)
{
    struct side *side = arg;

    side->status = async_executor_start(&side->executor, 2, 1);
    if (side->status < 0)
        return NULL;
    side->series.executor = &side->executor;
    side->series.times = rounds() / 2 + 1;
    side->status = async_run(&side->loop, series, &side->series);
    async_executor_stop(&side->executor, ASYNC_STOP_DRAIN);
    return NULL;
}

static void two_loops_run_in_two_threads_each_with_its_executor(void **state)
{
    static struct side sides[2];
    pthread_t threads[2];
    int i, error = 0;

    (void)state;
    for (i = 0; i < 2; i++) {
        memset(&sides[i], 0, sizeof sides[i]);
        error |= pthread_create(&threads[i], NULL, run_side, &sides[i]);
    }
    assert_int_equal(error, 0);
    for (i = 0; i < 2; i++)
        (void)pthread_join(threads[i], NULL);

    for (i = 0; i < 2; i++) {
        assert_int_equal(sides[i].status, ASYNC_DONE);
        assert_int_equal(sides[i].series.sum,
                         sum_of_squares(sides[i].series.times));
    }
}

/* ---- wakes from other threads ------------------------------------------- */

static struct async_flag flag;

/* Sets the flag as often as it is asked to. */
static void *set_flag(void *arg)
{
    int times = *(const int *)arg;

    while (times--) {
        post_take(&asked, 1);
        async_flag_set(&loop, &flag);
    }
    return NULL;
}

struct flag_waiter {
    struct async_frame async;
    int i, times;
};

static async flag_waiter(struct async_loop *on, void *frame)
{
    struct flag_waiter *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < self->times; self->i++) {
        post_add(&asked, 1);
        await(async_flag_wait(on, &flag));
    }
    async_end();
}

static void a_flag_set_by_another_thread_ends_async_runs_sleep(void **state)
{
    struct flag_waiter frame = {.times = rounds()};
    pthread_t thread;
    async_status status;
    int error;

    (void)state;
    flag = (struct async_flag){0};
    error = pthread_create(&thread, NULL, set_flag, &frame.times);
    assert_int_equal(error, 0);
    status = async_run(&loop, flag_waiter, &frame);
    (void)pthread_join(thread, NULL);

    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(frame.i, frame.times);
}

/* Wakes the loop as often as it is asked to. */
static void *wake_loop(void *arg)
{
    int times = *(const int *)arg;

    while (times--) {
        post_take(&asked, 1);
        async_wake(&loop);
        post_add(&woke, 1);
    }
    return NULL;
}

static void every_wake_after_a_poll_notifies_the_host(void **state)
{
    int i, times = rounds();
    pthread_t thread;
    int error;

    (void)state;
    async_attach(&loop, &test_host);
    (void)post_empty(&notified);
    error = pthread_create(&thread, NULL, wake_loop, &times);
    assert_int_equal(error, 0);
    for (i = 0; i < times; i++) {
        post_add(&asked, 1);
        post_take(&notified, 1);
        (void)async_poll(&loop, 0);
    }
    (void)pthread_join(thread, NULL);
    async_attach(&loop, NULL);

    assert_int_equal(post_empty(&notified), 0); /* and only once each */
}

static void wake_while_taking(struct async_loop *on)
{
    async_wake(on);
}

static void a_wake_that_comes_while_the_poll_takes_jobs_is_kept(void **state)
{
    async_time next;

    (void)state;
    loop.take_posted_ = wake_while_taking; /* just after it took the last */
    async_wake(&loop);
    next = async_poll(&loop, 0);

    assert_true(next == 0);
}

/* A host that is slow to come back. */
static struct post in_notify, may_return;
static volatile size_t returned;

static void notify_slowly(void *arg)
{
    int i;

    (void)arg;
    post_add(&in_notify, 1);
    post_take(&may_return, 1);
    for (i = 0; i < 1000; i++)
        (void)sched_yield();
    async_atomic_store_(&returned, 1);
}

static void
attach_returns_when_nobody_is_in_the_former_hosts_notify(void **state)
{
    static const struct async_host slow = {notify_slowly, NULL, NULL};
    size_t returned_before;
    pthread_t thread;
    int error, times = 1;

    (void)state;
    (void)async_poll(&loop, 0);
    post_add(&may_return, 1);
    async_attach(&loop, &slow); /* tells it itself, once */
    post_take(&in_notify, 1);
    async_atomic_store_(&returned, 0);
    error = pthread_create(&thread, NULL, wake_loop, &times);
    assert_int_equal(error, 0);
    post_add(&asked, 1);
    post_take(&in_notify, 1);
    post_add(&may_return, 1);
    async_attach(&loop, NULL);
    returned_before = async_atomic_load_(&returned);
    (void)pthread_join(thread, NULL);

    assert_int_equal(returned_before, 1);
}

/* Asks for a wake, and goes on for some steps: the wake comes before the run's
 * end, in the midst of it or after it. */
struct asker {
    struct async_frame async;
    int i, steps;
};

static async asker(struct async_loop *on, void *frame)
{
    struct asker *self = frame;

    async_begin(self);
    post_add(&asked, 1);
    for (self->i = 0; self->i < self->steps; self->i++)
        await(async_yield_now(on));
    async_end();
}

static void nobody_notifies_a_run_that_has_ended(void **state)
{
    int i, error, times = rounds(), wrong = 0;
    pthread_t thread;

    (void)state;
    error = pthread_create(&thread, NULL, wake_loop, &times);
    assert_int_equal(error, 0);
    for (i = 0; i < times; i++) {
        struct asker frame = {.steps = i % 50};
        struct pollfd input = {.events = POLLIN};
        int fds[2];

        wrong += async_run(&loop, asker, &frame) != ASYNC_DONE;
        wrong += pipe(fds) != 0; /* where the run's own pipe was */
        post_take(&woke, 1);
        input.fd = fds[0];
        wrong += poll(&input, 1, 0) != 0;
        (void)close(fds[0]);
        (void)close(fds[1]);
    }
    (void)pthread_join(thread, NULL);

    assert_int_equal(wrong, 0);
}

static void a_worker_may_still_be_waking_the_loop_when_a_run_ends(void **state)
{
    int i, wrong = 0;

    (void)state;
    start(2, 2);
    for (i = 0; i < rounds(); i++) {
        struct series frame = {.executor = &executor, .times = 1};

        wrong += async_run(&loop, series, &frame) != ASYNC_DONE;
        wrong += frame.sum != 1;
    }
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);

    assert_int_equal(wrong, 0);
}

static void executors_start_and_stop_again_and_again(void **state)
{
    int i, wrong = 0;

    (void)state;
    for (i = 0; i < rounds() / 4; i++) {
        struct series frame = {.executor = &executor, .times = 2};

        start(2, 1);
        wrong += async_run(&loop, series, &frame) != ASYNC_DONE;
        async_executor_stop(&executor,
                            i % 2 ? ASYNC_STOP_DRAIN : ASYNC_STOP_CANCEL);
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        thread_claim(a_job_that_returns_0_or_more_is_done),
        thread_claim(a_jobs_error_is_what_its_await_returns),
        thread_claim(a_job_runs_on_a_thread_of_its_own),
        thread_claim(the_loop_goes_on_while_a_job_blocks),
        thread_claim(a_job_struct_serves_one_call_after_the_other),
        thread_claim(threads_are_started_when_there_is_work_for_them),
        thread_claim(
            a_thread_that_has_nothing_to_do_is_used_before_another_is_started),
        thread_claim(no_more_jobs_run_at_once_than_there_are_workers),
        thread_claim(the_counts_say_what_there_is),
        thread_claim(without_a_number_there_is_a_worker_a_processor),
        thread_claim(without_a_number_there_are_as_many_places_as_workers),
        thread_claim(more_workers_than_can_be_are_refused),
        thread_claim(an_executor_that_was_not_started_is_caught),
        thread_claim(an_executor_that_was_not_started_fails_without_assertions),
        thread_claim(a_second_loop_on_one_executor_is_caught),
        thread_claim(a_job_beyond_the_queue_waits_for_a_place),
        thread_claim(jobs_run_in_the_order_they_were_offloaded_in),
        thread_claim(a_late_job_does_not_overtake_those_who_wait_for_a_place),
        thread_claim(
            a_late_job_does_not_overtake_although_there_are_places_for_both),
        thread_claim(tasks_outside_get_in_as_places_become_free),
        thread_claim(a_queued_job_that_is_canceled_never_runs),
        thread_claim(the_first_of_the_queue_can_be_canceled),
        thread_claim(one_amid_the_queue_can_be_canceled),
        thread_claim(the_last_of_the_queue_can_be_canceled),
        thread_claim(a_task_that_waits_outside_the_queue_can_be_canceled),
        thread_claim(a_place_left_by_a_canceled_job_goes_to_one_who_waits),
        thread_claim(a_place_left_before_any_worker_came_goes_to_one_who_waits),
        thread_claim(a_task_canceled_when_it_was_promised_a_place_gives_it_on),
        thread_claim(
            a_running_job_sees_the_cancel_and_its_frame_stays_till_it_ends),
        thread_claim(a_second_cancel_does_not_free_the_frame_of_a_running_job),
        thread_claim(a_canceled_jobs_struct_serves_the_next_call),
        thread_claim(a_result_on_its_way_when_the_cancel_comes_is_kept),
        thread_claim(a_job_canceled_in_its_first_step_never_runs),
        thread_claim(a_job_that_begins_as_it_is_withdrawn_is_awaited),
        thread_claim(a_job_that_is_withdrawn_as_it_begins_never_runs),
        thread_claim(a_job_that_comes_as_the_last_thread_ends_is_not_forgotten),
        thread_claim(a_job_that_comes_as_a_thread_goes_idle_is_not_forgotten),
        thread_claim(a_timeout_tells_a_running_job_and_awaits_it),
        thread_claim(a_queued_job_that_times_out_never_runs),
        thread_claim(a_job_in_time_leaves_no_timer),
        thread_claim(
            a_cancel_while_a_timed_out_job_ends_is_taken_by_the_next_wait),
        thread_claim(stop_and_drain_runs_what_is_queued),
        thread_claim(stop_and_drain_turns_away_who_waits_outside),
        thread_claim(stop_and_cancel_drops_what_is_queued_and_asks_what_runs),
        thread_claim(stop_and_cancel_asks_every_running_job),
        thread_claim(an_offload_after_the_stop_is_closed),
        thread_claim(who_was_promised_a_place_is_turned_away_by_a_stop),
        thread_claim(a_second_stop_does_nothing),
        thread_claim(stop_of_an_executor_without_threads_returns_at_once),
        thread_claim(a_stopped_executor_can_be_started_again),
        thread_claim(a_task_may_stop_the_executor_that_others_wait_for),
        thread_claim(the_thread_that_went_idle_last_is_used_first),
        thread_claim(a_thread_that_was_idle_for_long_ends),
        thread_claim(work_for_which_all_threads_have_ended_gets_new_ones),
        thread_claim(a_thread_waits_as_long_as_idle_ms_says),
        thread_claim(without_idle_ms_a_thread_waits_for_10_s),
        thread_claim(a_thread_may_be_kept_for_ever),
        thread_claim(an_ended_threads_jobs_are_still_counted),
        thread_claim(
            no_job_waits_behind_one_that_blocks_while_a_thread_is_idle),
        thread_claim(the_first_job_of_a_round_begins_before_the_round_ends),
        thread_claim(a_later_job_of_a_round_wakes_who_went_idle_in_it),
        thread_claim(all_threads_wake_for_jobs_of_one_round),
        thread_claim(a_higher_limit_starts_threads_for_what_is_queued),
        thread_claim(a_lower_limit_ends_threads_after_the_job_they_are_at),
        thread_claim(a_lower_limit_ends_idle_threads),
        thread_claim(the_limit_can_go_up_and_down_under_way),
        thread_claim(a_limit_of_0_is_one_a_processor),
        thread_claim(a_limit_that_cannot_be_changes_nothing),
        thread_claim(canceled_jobs_are_counted),
        thread_claim(oldest_is_how_long_the_first_in_the_queue_has_waited),
        thread_claim(a_thread_is_announced_first_and_last),
        thread_claim(a_thread_that_ends_idle_is_announced_too),
        thread_claim(the_hooks_run_on_the_thread_and_the_fields_outlast_a_stop),
        thread_claim(threads_have_the_stack_they_were_given),
        thread_claim(a_stack_that_is_too_small_is_the_jobs_error),
        thread_claim(a_started_executor_is_busy),
        thread_claim(an_executor_whose_jobs_are_not_back_is_busy),
        thread_claim(a_stop_that_takes_too_long_names_the_job_that_is_stuck),
        thread_claim(of_several_stuck_jobs_the_first_is_named),
        thread_claim(after_a_stop_that_took_too_long_the_executor_is_closed),
        thread_claim(a_stuck_jobs_await_ends_when_it_does),
        thread_claim(what_a_drain_left_queued_a_cancel_drops),
        thread_claim(a_stop_in_time_returns_0),
        thread_claim(a_job_that_stops_its_executor_is_caught),
        thread_claim(a_job_that_begins_after_the_stop_sees_it),
        thread_claim(a_job_in_a_forks_child_is_refused),
        thread_claim(all_but_counts_is_refused_in_a_forks_child),
        thread_claim(a_queued_job_can_be_canceled_in_a_forks_child),
        thread_claim(a_forks_child_may_have_an_executor_of_its_own),
        thread_claim(with_spin_many_jobs_of_many_tasks_all_come_back),
        thread_claim(with_spin_a_job_that_takes_long_still_wakes_the_loop),
        thread_claim(while_the_loop_looks_nobody_wakes_it),
#ifdef __linux__
        thread_claim(threads_have_the_executors_name),
#endif
        thread_claim(many_jobs_of_many_tasks_all_come_back),
        thread_claim(one_worker_and_one_place_are_enough),
        thread_claim(many_workers_and_one_place_are_enough),
        thread_claim(two_jobs_that_end_at_once_both_come_back),
        thread_claim(no_place_is_lost_by_cancels_at_random),
        thread_claim(two_loops_run_in_two_threads_each_with_its_executor),
        thread_claim(a_flag_set_by_another_thread_ends_async_runs_sleep),
        thread_claim(every_wake_after_a_poll_notifies_the_host),
        thread_claim(a_wake_that_comes_while_the_poll_takes_jobs_is_kept),
        thread_claim(attach_returns_when_nobody_is_in_the_former_hosts_notify),
        thread_claim(nobody_notifies_a_run_that_has_ended),
        thread_claim(a_worker_may_still_be_waking_the_loop_when_a_run_ends),
        thread_claim(executors_start_and_stop_again_and_again),
    };

    return cmocka_run_group_tests_name("async_thread.h", tests, NULL, NULL);
}
