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

static int pthread_create_held(pthread_t *thread, const pthread_attr_t *with,
                               void *(*fn)(void *), void *arg);
#define pthread_create pthread_create_held
#include "async_thread.h"
#undef pthread_create

#include "async_gather.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

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
    if (!threads_are_held)
        return pthread_create(thread, with, fn, arg);
    held_fn = fn;
    return pthread_create(thread, with, start_held, arg);
}

/* ---- the cast ----------------------------------------------------------- */

static struct async_loop loop;
static struct async_executor executor;
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
    for (i = 0; i < 8; i++) {
        tasks[i] = no_task;
        callers[i] = (struct caller){.name = names[i], .fn = held_job};
    }
    entered.count = let_start.count = woke.count = busy = most = 0;
    threads_are_held = 0;
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
