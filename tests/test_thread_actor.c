/* test_thread_actor.c: what async_thread_actor.h promises, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_thread_actor.c -lcmocka -pthread
 *
 * A state is certain because the methods are held there. Nothing here waits for
 * a time to pass. ROUNDS, from the environment or defined, scales what is
 * repeated; a lost wake-up hangs.
 */
#define _POSIX_C_SOURCE 200809L
#include "trace.h"

#include <errno.h>
#include <pthread.h> /* before the names are ours */

/* The nth of these calls from now on fails; 0: none does. */
static int thread_to_fail, mutex_to_fail, condition_to_fail;

static int fails(int *nth)
{
    return *nth && --*nth == 0 ? EAGAIN : 0;
}

static int pthread_create_or_fail(pthread_t *thread, const pthread_attr_t *with,
                                  void *(*fn)(void *), void *arg)
{
    int error = fails(&thread_to_fail);

    return error ? error : pthread_create(thread, with, fn, arg);
}

static int pthread_mutex_init_or_fail(pthread_mutex_t *mutex,
                                      const pthread_mutexattr_t *with)
{
    int error = fails(&mutex_to_fail);

    return error ? error : pthread_mutex_init(mutex, with);
}

static int pthread_cond_init_or_fail(pthread_cond_t *condition,
                                     const pthread_condattr_t *with)
{
    int error = fails(&condition_to_fail);

    return error ? error : pthread_cond_init(condition, with);
}
#define pthread_create pthread_create_or_fail
#define pthread_mutex_init pthread_mutex_init_or_fail
#define pthread_cond_init pthread_cond_init_or_fail
#include "async_thread_actor.h"
#undef pthread_create
#undef pthread_mutex_init
#undef pthread_cond_init

#include "async_gather.h"

#include "held.h"

#include <sched.h>
#include <stdlib.h>

#ifndef ROUNDS
#define ROUNDS 200
#endif

static int rounds(void)
{
    const char *given = getenv("ROUNDS");

    return given ? atoi(given) : ROUNDS;
}

/* ---- an actor ----------------------------------------------------------- */

struct counter {
    struct async_thread_actor actor;
    int value; /* no lock: the methods that change it run one at a time */
};

static int counter_add(struct counter *counter, int by)
{
    return counter->value += by;
}

static void counter_clear(struct counter *counter)
{
    counter->value = 0;
    errno = EDOM;
}

static int six(int a, int b, int c, int d, int e, int f)
{
    return a * 100000 + b * 10000 + c * 1000 + d * 100 + e * 10 + f;
}

static pthread_t ran_on;

static void where(void)
{
    ran_on = pthread_self();
}

/* Holds its thread. */
static char hold(char name)
{
    enter(name);
    post_take(&go, 1);
    leave();
    return name;
}

/* Holds it until it should stop, and then for its go. */
static char watch(const struct async_job *me, char name)
{
    enter(name);
    while (!async_job_canceled(me))
        (void)sched_yield();
    post_take(&go, 1);
    leave();
    return name;
}

ASYNC_WRAP_METHOD(int, counter_add, struct counter *, counter, int, by)
ASYNC_WRAP_METHOD_VOID(counter_clear, struct counter *, counter)
ASYNC_WRAP_METHOD(int, six, int, a, int, b, int, c, int, d, int, e, int, f)
ASYNC_WRAP_METHOD_VOID(where)
ASYNC_WRAP_METHOD(char, hold, char, name)
ASYNC_WRAP_METHOD(char, watch, const struct async_job *, me, char, name)

/* ---- the cast ----------------------------------------------------------- */

static struct async_loop loop;
static struct async_thread_actor actor;
static struct counter counter;
static struct async_task tasks[10];
static struct async_task closer_tasks[2];
static int started;

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

static void start(unsigned max_concurrency)
{
    int status = async_thread_actor_start(&actor, max_concurrency);

    assert_int_equal(status, 0);
    started = 1;
}

/* Runs what there is to its end. */
static void finish(void)
{
    async_status status = async_run(&loop, NULL, NULL);

    assert_int_equal(status, ASYNC_DONE);
}

/* Makes a call of its own; its argument changes with each evaluation. */
struct caller {
    struct async_frame async;
    struct hold_call hold;
    struct watch_call watch;
    struct async_timer timer;
    struct async_thread_actor_call plain;
    char name;
    char next;   /* the argument */
    int plainly; /* calls by async_thread_actor_call */
    int watches;
    int cleans_up; /* calls in its finally section */
    int again;
    uint32_t limit_ms;
    int rc;
};
static struct caller callers[10];

static char letters[256]; /* each its own place */

static int hold_plainly(struct async_job *job, void *arg)
{
    (void)job;
    (void)hold((char)((char *)arg - letters));
    return 0;
}

static async_status caller_call(struct async_loop *on, struct caller *self)
{
    char name = self->next++;

    if (self->plainly)
        return async_thread_actor_call(on, &actor, &self->plain, hold_plainly,
                                       &letters[(unsigned char)name]);
    return self->watches ? watch_async(on, &actor, &self->watch,
                                       &self->watch.call.job, name)
                         : hold_async(on, &actor, &self->hold, name);
}

static async caller(struct async_loop *on, void *frame)
{
    struct caller *self = frame;

    async_begin(self);
    if (self->cleans_up)
        async_return();
    if (self->limit_ms)
        async_catch(self->rc, async_timeout(on, &self->timer, self->limit_ms,
                                            caller_call(on, self)));
    else
        async_catch(self->rc, caller_call(on, self));
    trace("%c %s", self->name, async_strerror(self->rc));
    if (self->again) {
        self->next = 'A';
        async_catch(self->rc, caller_call(on, self));
        trace("%c again %s", self->name, async_strerror(self->rc));
    }
    async_finally();
    if (self->cleans_up) {
        async_catch(self->rc, caller_call(on, self));
        trace("%c %s", self->name, async_strerror(self->rc));
    }
    async_end();
}

static void spawn(int from, int to)
{
    for (; from <= to; from++) {
        async_status status =
            async_spawn(&loop, &tasks[from], caller, &callers[from]);

        assert_int_equal(status, 0);
    }
    settle();
}

/* Ends the actor, and says so. */
struct closer {
    struct async_frame async;
    struct async_thread_actor *actor;
    const char *name;
    int drains;
    int rc;
};
static struct closer closers[2];

static async closer(struct async_loop *on, void *frame)
{
    struct closer *self = frame;

    async_begin(self);
    if (self->drains)
        async_catch(self->rc, async_thread_actor_drain(on, self->actor));
    else
        async_catch(self->rc, async_thread_actor_shutdown(on, self->actor));
    trace("%s %s", self->drains ? "drain" : "shutdown",
          async_strerror(self->rc));
    async_end();
}

static void spawn_closer(int i, int drains)
{
    async_status status;

    closers[i] = (struct closer){.actor = &actor, .drains = drains};
    status = async_spawn(&loop, &closer_tasks[i], closer, &closers[i]);
    assert_int_equal(status, 0);
    settle();
}

static void shut_down(void)
{
    spawn_closer(0, 0);
    finish();
}

static int actor_setup(void **state)
{
    static const struct async_thread_actor no_actor;
    static const struct async_task no_task;
    int i;

    async_loop_init(&loop);
    actor = counter.actor = no_actor;
    counter.value = 0;
    for (i = 0; i < 10; i++) {
        tasks[i] = no_task;
        callers[i] =
            (struct caller){.name = (char)('a' + i), .next = (char)('a' + i)};
    }
    closer_tasks[0] = closer_tasks[1] = no_task;
    held_reset();
    started = thread_to_fail = mutex_to_fail = condition_to_fail = 0;
    return trace_setup(state);
}

/* A test that failed has left its threads: the next one must not meet them. */
static int actor_teardown(void **state)
{
    (void)state;
    async_attach(&loop, NULL);
    post_add(&go, 100);
    if (started)
        async_executor_stop(&actor.executor_, ASYNC_STOP_CANCEL);
    return 0;
}

#define actor_claim(test)                                                      \
    cmocka_unit_test_setup_teardown(test, actor_setup, actor_teardown)

/* ---- methods ------------------------------------------------------------ */

struct visit {
    struct async_frame async;
    struct counter_add_call add, adds[50];
    struct counter_clear_call clear;
    struct six_call six;
    struct where_call where;
    int i;
    int sum;
};

static async values(struct async_loop *on, void *frame)
{
    struct visit *self = frame;

    async_begin(self);
    await(counter_add_async(on, &counter.actor, &self->add, &counter, 3));
    trace("%d", self->add.result);
    await(counter_add_async(on, &counter.actor, &self->add, &counter, 4));
    trace("%d", self->add.result);
    await(counter_clear_async(on, &counter.actor, &self->clear, &counter));
    trace("%d, errno %s", counter.value, strerror(self->clear.error));
    await(six_async(on, &counter.actor, &self->six, 1, 2, 3, 4, 5, 6));
    trace("%d", self->six.result);
    await(where_async(on, &counter.actor, &self->where));
    async_finally();
    await(async_thread_actor_shutdown(on, &counter.actor));
    async_end();
}

static void methods_have_their_own_arguments_and_results(void **state)
{
    static struct visit visit;
    async_status status;

    (void)state;
    memset(&visit, 0, sizeof visit);
    (void)async_thread_actor_start(&counter.actor, 1);
    status = async_run(&loop, values, &visit);

    assert_int_equal(status, ASYNC_DONE);
    assert_trace("3\n"
                 "7\n"
                 "0, errno Numerical argument out of domain\n"
                 "123456\n");
}

static void a_method_runs_on_a_thread(void **state)
{
    static struct visit visit;
    int here;

    (void)state;
    memset(&visit, 0, sizeof visit);
    (void)async_thread_actor_start(&counter.actor, 1);
    (void)async_run(&loop, values, &visit);

    here = pthread_equal(ran_on, pthread_self());
    assert_false(here);
    trace_clear();
}

static void the_loop_goes_on_while_a_method_blocks(void **state)
{
    (void)state;
    start(1);
    spawn(0, 0);
    post_take(&entered, 1);
    settle();
    trace("the loop goes on");
    post_add(&go, 1);
    finish();

    assert_trace("the loop goes on\n"
                 "a done\n");
    shut_down();
}

static async sends(struct async_loop *on, void *frame)
{
    struct visit *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < 50; self->i++)
        (void)counter_add_send(on, &counter.actor, &self->adds[self->i],
                               &counter, self->i);
    for (self->i = 0; self->i < 50; self->i++) {
        await(async_thread_actor_result(on, &self->adds[self->i].call));
        self->sum += self->i;
        if (self->adds[self->i].result != self->sum)
            trace("%d: %d", self->i, self->adds[self->i].result);
    }
    async_finally();
    await(async_thread_actor_shutdown(on, &counter.actor));
    async_end();
}

static void one_call_at_a_time_sees_what_the_one_before_it_did(void **state)
{
    static struct visit visit;
    async_status status;

    (void)state;
    memset(&visit, 0, sizeof visit);
    (void)async_thread_actor_start(&counter.actor, 1);
    status = async_run(&loop, sends, &visit);

    assert_int_equal(status, ASYNC_DONE);
    assert_trace("");
    assert_int_equal(counter.value, 49 * 50 / 2);
}

static int square(struct async_job *job, void *arg)
{
    int *number = arg;

    (void)job;
    if (*number < 0)
        return -EDOM;
    *number *= *number;
    return 0;
}

struct plain {
    struct async_frame async;
    struct async_thread_actor_call call, other;
    int number, other_number;
    int rc;
};

static async plain(struct async_loop *on, void *frame)
{
    struct plain *self = frame;

    async_begin(self);
    self->number = 5;
    await(async_thread_actor_call(on, &actor, &self->call, square,
                                  &self->number));
    trace("%d", self->number);
    self->number = -1;
    async_catch(self->rc, async_thread_actor_call(on, &actor, &self->call,
                                                  square, &self->number));
    trace("%s", strerror(-self->rc));
    self->other_number = 7;
    self->rc = async_thread_actor_send(on, &actor, &self->other, square,
                                       &self->other_number);
    await(async_thread_actor_result(on, &self->other));
    trace("%d", self->other_number);
    async_finally();
    await(async_thread_actor_shutdown(on, &actor));
    async_end();
}

static void a_method_may_be_any_job_and_its_error_is_the_calls(void **state)
{
    static struct plain frame;
    async_status status;

    (void)state;
    memset(&frame, 0, sizeof frame);
    start(2);
    status = async_run(&loop, plain, &frame);

    assert_int_equal(status, ASYNC_DONE);
    assert_trace("25\n"
                 "Numerical argument out of domain\n"
                 "49\n");
}

/* a runs, b and c wait, c by a plain call; all are asked again. */
static void the_first_arguments_count(void **state)
{
    int i;

    (void)state;
    start(1);
    callers[2].plainly = 1;
    for (i = 0; i < 3; i++)
        callers[i].cleans_up = 1;
    spawn(0, 2);
    post_take(&entered, 1);
    for (i = 0; i < 3; i++) {
        async_cancel(&loop, &tasks[i]); /* which is not heard in there */
        callers[i].next = 'x';
    }
    settle();
    for (i = 0; i < 3; i++)
        assert_true(callers[i].next > 'x');
    assert_int_equal(callers[0].hold.name, 'a');
    assert_int_equal(callers[1].hold.name, 'b');
    post_add(&go, 3);
    finish();

    assert_trace("a done\n"
                 "b done\n"
                 "c done\n");
    assert_string_equal(ran, "abc");
    assert_int_equal(callers[0].hold.result, 'a');
    assert_int_equal(callers[0].hold.name, 'a');
    assert_int_equal(callers[1].hold.result, 'b');
    assert_int_equal(callers[1].hold.name, 'b');
    shut_down();
}

static void a_canceled_call_keeps_its_arguments_until_it_has_ended(void **state)
{
    (void)state;
    start(1);
    spawn(0, 0);
    post_take(&entered, 1);
    async_cancel(&loop, &tasks[0]);
    callers[0].next = 'x';
    settle();
    assert_int_equal(callers[0].hold.name, 'a');
    post_add(&go, 1);
    finish();

    assert_true(callers[0].next > 'x');
    assert_int_equal(callers[0].hold.name, 'a');
    assert_trace("a canceled\n");
    shut_down();
}

static void a_call_serves_one_await_after_the_other(void **state)
{
    (void)state;
    start(1);
    callers[0].again = 1;
    post_add(&go, 2);
    spawn(0, 0);
    finish();

    assert_trace("a done\n"
                 "a again done\n");
    assert_string_equal(ran, "aA");
    shut_down();
}

/* ---- so many at a time -------------------------------------------------- */

static void calls_start_in_the_order_they_came(void **state)
{
    (void)state;
    start(1);
    post_add(&go, 10);
    spawn(0, 9);
    finish();

    assert_string_equal(ran, "abcdefghij");
    assert_trace("a done\nb done\nc done\nd done\ne done\n"
                 "f done\ng done\nh done\ni done\nj done\n");
    shut_down();
}

static void no_more_run_at_once_than_the_actor_allows(void **state)
{
    (void)state;
    start(2);
    spawn(0, 4);
    post_take(&entered, 2);
    assert_int_equal(async_thread_actor_running(&actor), 2);
    assert_int_equal(async_thread_actor_queued(&actor), 3);
    post_add(&go, 5);
    finish();

    assert_int_equal(most, 2);
    assert_int_equal(async_executor_count(&actor.executor_).threads, 2);
    assert_int_equal(async_thread_actor_running(&actor), 0);
    assert_int_equal(async_thread_actor_queued(&actor), 0);
    trace_clear();
    shut_down();
}

static void as_many_run_at_once_as_the_actor_allows(void **state)
{
    (void)state;
    start(10);
    spawn(0, 9);
    post_take(&entered, 10); /* none has its go */
    assert_int_equal(most, 10);
    post_add(&go, 10);
    finish();
    trace_clear();
    shut_down();
}

static void without_a_number_one_runs_at_once(void **state)
{
    (void)state;
    start(0);
    spawn(0, 2);
    post_take(&entered, 1);
    assert_int_equal(async_thread_actor_running(&actor), 1);
    assert_int_equal(async_thread_actor_queued(&actor), 2);
    post_add(&go, 3);
    finish();

    assert_int_equal(most, 1);
    trace_clear();
    shut_down();
}

static void more_than_there_can_be_threads_are_refused(void **state)
{
    int status = async_thread_actor_start(&actor, ASYNC_MAX_WORKERS + 1);

    (void)state;
    assert_int_equal(status, ASYNC_EINVAL);
    start(1);
    status = async_thread_actor_limit(&loop, &actor, ASYNC_MAX_WORKERS + 1);
    assert_int_equal(status, ASYNC_EINVAL);
    post_add(&go, 3);
    spawn(0, 2);
    finish();
    assert_int_equal(most, 1);
    trace_clear();
    shut_down();
}

static void a_higher_limit_starts_those_that_wait(void **state)
{
    int status;

    (void)state;
    start(1);
    spawn(0, 4);
    post_take(&entered, 1);
    status = async_thread_actor_limit(&loop, &actor, 4);
    assert_int_equal(status, 0);
    settle();
    post_take(&entered, 3);
    assert_int_equal(async_thread_actor_queued(&actor), 1);
    post_add(&go, 5);
    finish();

    assert_int_equal(most, 4);
    trace_clear();
    shut_down();
}

static void a_lower_limit_cuts_no_call_short_and_starts_fewer(void **state)
{
    (void)state;
    start(3);
    spawn(0, 5);
    post_take(&entered, 3);
    (void)async_thread_actor_limit(&loop, &actor, 0); /* one */
    settle();
    assert_int_equal(async_thread_actor_running(&actor), 3);
    assert_trace("");
    (void)pthread_mutex_lock(&lock);
    most = 0;
    (void)pthread_mutex_unlock(&lock);
    post_add(&go, 3);
    while (async_thread_actor_running(&actor) != 1 ||
           async_thread_actor_queued(&actor) != 2) {
        (void)sched_yield();
        settle();
    }
    post_take(&entered, 1);
    assert_int_equal(most, 1);
    post_add(&go, 3);
    finish();

    assert_int_equal(most, 1);
    assert_int_equal(strlen(ran), 6);
    trace_clear();
    shut_down();
}

/* ---- sent, and asked for later ------------------------------------------ */

struct asker {
    struct async_frame async;
    struct async_thread_actor_call *call;
    char name;
    int rc;
};

static async asker(struct async_loop *on, void *frame)
{
    struct asker *self = frame;

    async_begin(self);
    async_catch(self->rc, async_thread_actor_result(on, self->call));
    trace("%c hears %s", self->name, async_strerror(self->rc));
    async_end();
}

static struct asker askers[3];
static struct hold_call sent;
static struct watch_call sent_watch;

static void spawn_askers(struct async_thread_actor_call *call)
{
    int i;

    for (i = 0; i < 3; i++) {
        askers[i] = (struct asker){.call = call, .name = (char)('x' + i)};
        (void)async_spawn(&loop, &tasks[i], asker, &askers[i]);
    }
    settle();
}

static void send_held(char name)
{
    int status;

    memset(&sent, 0, sizeof sent);
    status = hold_send(&loop, &actor, &sent, name);
    assert_int_equal(status, 0);
    settle();
}

static void any_number_may_ask_for_a_result(void **state)
{
    (void)state;
    start(1);
    send_held('s');
    spawn_askers(&sent.call);
    post_add(&go, 1);
    finish();

    assert_trace("x hears done\n"
                 "y hears done\n"
                 "z hears done\n");
    assert_int_equal(sent.result, 's');
    spawn_askers(&sent.call); /* it has ended: at once */
    assert_trace("x hears done\n"
                 "y hears done\n"
                 "z hears done\n");
    shut_down();
}

static void a_call_goes_on_when_who_asks_for_it_is_canceled(void **state)
{
    (void)state;
    start(1);
    send_held('s');
    spawn_askers(&sent.call);
    post_take(&entered, 1);
    async_cancel(&loop, &tasks[1]);
    settle();
    assert_trace("y hears canceled\n");
    post_add(&go, 1);
    finish();

    assert_trace("x hears done\n"
                 "z hears done\n");
    assert_int_equal(sent.result, 's');
    shut_down();
}

static void resend(void *arg)
{
    (void)arg;
    (void)hold_send(&loop, &actor, &sent, 'x');
}

static void a_call_that_is_sent_again_too_soon_keeps_its_arguments(void **state)
{
    int status;

    (void)state;
    start(1);
    spawn(0, 0);
    post_take(&entered, 1);
    send_held('s'); /* it waits */
    assert_stops("a call is sent that waits or runs", resend, NULL);
    stops_are_noted(1);
    status = hold_send(&loop, &actor, &sent, 'y');
    stops_are_noted(0);
    assert_int_equal(status, ASYNC_EBUSY);
    post_add(&go, 2);
    finish();

    assert_string_equal(ran, "as");
    assert_int_equal(sent.name, 's');
    trace_clear();
    status = hold_send(&loop, &actor, &sent, 't'); /* and again, in time */
    assert_int_equal(status, 0);
    post_add(&go, 1);
    finish();
    assert_string_equal(ran, "ast");
    shut_down();
}

static void ask_unsent(void *arg)
{
    static struct async_thread_actor_call never;
    async_status status;

    (void)arg;
    status = async_thread_actor_result(&loop, &never);
    assert_int_equal(status, 0);
}

static void a_call_that_was_never_sent_is_caught(void **state)
{
    (void)state;
    assert_stops("waits for a call that was never sent", ask_unsent, NULL);
}

static void poll_loop(void *arg)
{
    (void)arg;
    (void)async_poll(&loop, 0);
}

static void an_actor_that_was_not_started_is_caught(void **state)
{
    (void)state;
    (void)async_spawn(&loop, &tasks[0], caller, &callers[0]);
    assert_stops("call async_executor_start first", poll_loop, NULL);
    async_loop_init(&loop);
}

/* ---- cancel, timeout ---------------------------------------------------- */

static void a_waiting_call_whose_caller_is_canceled_never_runs(void **state)
{
    (void)state;
    start(1);
    spawn(0, 2);
    post_take(&entered, 1);
    async_cancel(&loop, &tasks[1]);
    settle();
    assert_trace("b canceled\n");
    assert_int_equal(async_thread_actor_queued(&actor), 1);
    post_add(&go, 2);
    finish();

    assert_trace("a done\n"
                 "c done\n");
    assert_string_equal(ran, "ac");
    shut_down();
}

static void
a_running_call_whose_caller_is_canceled_is_told_and_awaited(void **state)
{
    (void)state;
    start(1);
    callers[0].watches = 1;
    spawn(0, 1);
    post_take(&entered, 1);
    async_cancel(&loop, &tasks[0]);
    settle();
    assert_trace("");
    assert_int_equal(async_thread_actor_running(&actor), 1);
    post_add(&go, 2);
    finish();

    assert_trace("a canceled\n"
                 "b done\n");
    assert_string_equal(ran, "ab");
    shut_down();
}

static void a_call_canceled_in_its_callers_first_step_is_canceled(void **state)
{
    (void)state;
    start(1);
    post_add(&go, 1); /* a thread may be faster than the cancel */
    (void)async_spawn(&loop, &tasks[0], caller, &callers[0]);
    async_cancel(&loop, &tasks[0]);
    finish();

    assert_trace("a canceled\n");
    shut_down();
}

static void
one_that_has_to_wait_is_canceled_in_that_step_and_never_runs(void **state)
{
    (void)state;
    start(1);
    spawn(0, 0);
    post_take(&entered, 1);
    (void)async_spawn(&loop, &tasks[1], caller, &callers[1]);
    async_cancel(&loop, &tasks[1]);
    settle();
    assert_trace("b canceled\n");
    post_add(&go, 1);
    finish();

    assert_string_equal(ran, "a");
    trace_clear();
    shut_down();
}

static void a_canceled_call_is_made_again(void **state)
{
    (void)state;
    start(1);
    callers[0].again = 1;
    spawn(0, 0);
    post_take(&entered, 1);
    async_cancel(&loop, &tasks[0]);
    settle();
    post_add(&go, 2);
    finish();

    assert_trace("a canceled\n"
                 "a again done\n");
    assert_string_equal(ran, "aA");
    shut_down();
}

static void a_running_call_that_times_out_is_told_and_awaited(void **state)
{
    (void)state;
    start(1);
    callers[0].watches = 1;
    callers[0].limit_ms = 10;
    spawn(0, 0);
    post_take(&entered, 1);
    settle_at(ASYNC_TICK_HZ);
    assert_trace("");
    post_add(&go, 1);
    finish();

    assert_trace("a timed out\n");
    shut_down();
}

static void a_waiting_call_that_times_out_never_runs(void **state)
{
    (void)state;
    start(1);
    callers[1].limit_ms = 10;
    spawn(0, 1);
    post_take(&entered, 1);
    settle_at(ASYNC_TICK_HZ);
    assert_trace("b timed out\n");
    post_add(&go, 1);
    finish();

    assert_trace("a done\n");
    assert_string_equal(ran, "a");
    shut_down();
}

static void a_sent_call_that_waits_can_be_canceled(void **state)
{
    (void)state;
    start(1);
    callers[9].watches = 0;
    spawn(9, 9);
    post_take(&entered, 1);
    send_held('s');
    spawn_askers(&sent.call);
    async_thread_actor_cancel(&loop, &sent.call);
    settle();
    assert_trace("x hears canceled\n"
                 "y hears canceled\n"
                 "z hears canceled\n");
    post_add(&go, 1);
    finish();

    assert_trace("j done\n");
    assert_string_equal(ran, "j");
    shut_down();
}

static void send_watch(void)
{
    memset(&sent_watch, 0, sizeof sent_watch);
    (void)watch_send(&loop, &actor, &sent_watch, &sent_watch.call.job, 's');
    settle();
    post_take(&entered, 1);
}

static void
a_sent_call_that_runs_is_told_and_awaited_when_canceled(void **state)
{
    (void)state;
    start(1);
    send_watch();
    spawn_askers(&sent_watch.call);
    async_thread_actor_cancel(&loop, &sent_watch.call);
    async_thread_actor_cancel(&loop, &sent_watch.call); /* no news */
    settle();
    assert_trace("");
    post_add(&go, 1);
    finish();

    assert_trace("x hears canceled\n"
                 "y hears canceled\n"
                 "z hears canceled\n");
    async_thread_actor_cancel(&loop, &sent_watch.call); /* it has ended */
    shut_down();
}

/* ---- shutdown ----------------------------------------------------------- */

static void a_shutdown_tells_who_runs_and_closes_who_waits(void **state)
{
    (void)state;
    start(2);
    callers[0].watches = callers[1].watches = 1;
    spawn(0, 4);
    post_take(&entered, 2);
    spawn_closer(0, 0);
    assert_trace("c closed\n"
                 "d closed\n"
                 "e closed\n");
    post_add(&go, 1);
    post_add(&go, 1);
    finish();

    assert_int_equal(strlen(ran), 2);
    assert_int_equal(callers[0].rc, ASYNC_ECLOSED);
    assert_int_equal(callers[1].rc, ASYNC_ECLOSED);
    assert_int_equal(closers[0].rc, ASYNC_DONE);
    trace_clear();
}

static void a_shutdown_is_done_when_the_last_call_has_ended(void **state)
{
    (void)state;
    start(1);
    callers[0].watches = 1;
    spawn(0, 0);
    post_take(&entered, 1);
    spawn_closer(0, 0);
    settle();
    assert_trace("");
    assert_int_equal(async_thread_actor_running(&actor), 1);
    post_add(&go, 1);
    finish();

    assert_trace("a closed\n"
                 "shutdown done\n");
    assert_int_equal(async_thread_actor_running(&actor), 0);
}

static void after_a_shutdown_the_threads_are_gone(void **state)
{
    (void)state;
    start(3);
    spawn(0, 2);
    post_take(&entered, 3);
    post_add(&go, 3);
    finish();
    assert_int_equal(async_executor_count(&actor.executor_).threads, 3);
    trace_clear();
    shut_down();

    assert_trace("shutdown done\n");
    assert_int_equal(async_executor_count(&actor.executor_).threads, 0);
}

static void after_a_shutdown_calls_are_closed(void **state)
{
    int status;

    (void)state;
    start(1);
    shut_down();
    trace_clear();
    spawn(0, 0);
    assert_trace("a closed\n");
    status = hold_send(&loop, &actor, &sent, 'x');
    assert_int_equal(status, ASYNC_ECLOSED);
    assert_string_equal(ran, "");
}

static void a_shutdown_of_an_actor_without_calls_is_done_at_once(void **state)
{
    (void)state;
    start(1);
    spawn_closer(0, 0);
    assert_trace("shutdown done\n");
}

static void a_second_shutdown_does_nothing(void **state)
{
    (void)state;
    start(1);
    spawn_closer(0, 0);
    spawn_closer(1, 0);
    assert_trace("shutdown done\n"
                 "shutdown done\n");
}

static void several_may_await_a_shutdown(void **state)
{
    (void)state;
    start(1);
    callers[0].watches = 1;
    spawn(0, 0);
    post_take(&entered, 1);
    spawn_closer(0, 0);
    spawn_closer(1, 0);
    post_add(&go, 1);
    finish();

    assert_trace("a closed\n"
                 "shutdown done\n"
                 "shutdown done\n");
}

static void a_shutdown_that_is_canceled_leaves_the_actor_closed(void **state)
{
    (void)state;
    start(1);
    callers[0].watches = 1;
    spawn(0, 1);
    post_take(&entered, 1);
    spawn_closer(0, 0);
    async_cancel(&loop, &closer_tasks[0]);
    settle();
    assert_trace("b closed\n"
                 "shutdown canceled\n");
    spawn(2, 2);
    assert_trace("c closed\n");
    post_add(&go, 1);
    finish();
    assert_trace("a closed\n");
    assert_int_equal(async_executor_count(&actor.executor_).threads, 1);
    spawn_closer(1, 0); /* gives the thread back */
    assert_trace("shutdown done\n");
    assert_int_equal(async_executor_count(&actor.executor_).threads, 0);
}

static struct post woke;

static void notify_test(void *arg)
{
    (void)arg;
    post_add(&woke, 1);
}

/* The call that runs has ended, and the loop has been woken but not heard. */
static void let_it_end_unheard(void)
{
    static const struct async_host host = {notify_test, NULL, NULL};

    async_attach(&loop, &host);
    settle();
    (void)pthread_mutex_lock(&lock);
    woke.count = 0;
    (void)pthread_mutex_unlock(&lock);
    post_add(&go, 1);
    post_take(&woke, 1);
    async_attach(&loop, NULL);
}

static void
a_call_that_has_ended_when_the_shutdown_comes_keeps_its_result(void **state)
{
    (void)state;
    start(1);
    spawn(0, 0);
    post_take(&entered, 1);
    let_it_end_unheard();
    spawn_closer(0, 0);
    finish();

    assert_trace("a done\n"
                 "shutdown done\n");
}

static void
a_call_that_has_ended_when_its_caller_is_canceled_keeps_its_result(void **state)
{
    (void)state;
    start(1);
    spawn(0, 0);
    post_take(&entered, 1);
    let_it_end_unheard();
    async_cancel(&loop, &tasks[0]);
    finish();

    assert_trace("a done\n");
    shut_down();
}

static int gives_up(struct async_job *job, void *arg)
{
    (void)arg;
    enter('g');
    while (!async_job_canceled(job))
        (void)sched_yield();
    leave();
    return ASYNC_ECANCELED;
}

static struct async_thread_actor_call given_up;

static void a_method_that_gives_up_for_a_shutdown_is_closed(void **state)
{
    (void)state;
    start(1);
    memset(&given_up, 0, sizeof given_up);
    (void)async_thread_actor_send(&loop, &actor, &given_up, gives_up, NULL);
    spawn_askers(&given_up);
    post_take(&entered, 1);
    spawn_closer(0, 0);
    finish();

    assert_int_equal(askers[0].rc, ASYNC_ECLOSED);
    assert_int_equal(closers[0].rc, ASYNC_DONE);
    trace_clear();
}

static void a_sent_call_that_a_shutdown_closes_is_no_unheard_error(void **state)
{
    async_status status;

    (void)state;
    start(1);
    send_watch();
    send_held('t');
    spawn_closer(0, 0);
    post_add(&go, 1);
    status = async_run(&loop, NULL, NULL);

    assert_int_equal(status, ASYNC_DONE);
    assert_trace("shutdown done\n");
    assert_string_equal(ran, "s");
}

static void a_sent_calls_error_that_nobody_asks_for_is_not_lost(void **state)
{
    static int number = -1;
    static struct async_thread_actor_call call;
    async_status status;

    (void)state;
    start(1);
    (void)async_thread_actor_send(&loop, &actor, &call, square, &number);
    status = async_run(&loop, NULL, NULL);
    assert_int_equal(status, -EDOM);
    shut_down();
    trace_clear();
}

static void an_actor_can_be_started_again(void **state)
{
    (void)state;
    start(1);
    shut_down();
    start(2);
    post_add(&go, 3);
    spawn(0, 2);
    finish();
    assert_int_equal(strlen(ran), 3);
    trace_clear();
    shut_down();
    assert_trace("shutdown done\n");
}

static void an_actor_that_was_started_is_not_started_again(void **state)
{
    int status;

    (void)state;
    start(1);
    status = async_thread_actor_start(&actor, 2);
    assert_int_equal(status, ASYNC_EBUSY);
    callers[0].watches = 1;
    spawn(0, 1); /* it is as it was */
    post_take(&entered, 1);
    assert_int_equal(async_thread_actor_queued(&actor), 1);
    spawn_closer(0, 0);
    async_cancel(&loop, &closer_tasks[0]);
    settle();
    status = async_thread_actor_start(&actor, 2); /* a call still runs */
    assert_int_equal(status, ASYNC_EBUSY);
    post_add(&go, 1);
    finish();
    status = async_thread_actor_start(&actor, 2); /* it has a thread still */
    assert_int_equal(status, ASYNC_EBUSY);
    shut_down();
    start(2);
    shut_down();
    trace_clear();
}

static void an_actor_that_was_never_started_can_be_shut_down(void **state)
{
    (void)state;
    spawn_closer(0, 0);
    spawn_closer(1, 1);

    assert_trace("shutdown done\n"
                 "drain done\n");
}

/* ---- drain -------------------------------------------------------------- */

static void a_drain_lets_all_that_were_taken_end_and_takes_no_more(void **state)
{
    (void)state;
    start(1);
    spawn(0, 2);
    post_take(&entered, 1);
    spawn_closer(0, 1);
    spawn(3, 3);
    assert_trace("d closed\n");
    post_add(&go, 3);
    finish();

    assert_trace("a done\n"
                 "b done\n"
                 "c done\n"
                 "drain done\n");
    assert_string_equal(ran, "abc");
    assert_int_equal(async_executor_count(&actor.executor_).threads, 0);
}

static void a_shutdown_may_come_while_the_actor_drains(void **state)
{
    (void)state;
    start(1);
    callers[0].watches = 1;
    spawn(0, 2);
    post_take(&entered, 1);
    spawn_closer(0, 1);
    spawn_closer(1, 0);
    assert_trace("b closed\n"
                 "c closed\n");
    post_add(&go, 1);
    finish();

    assert_trace("a closed\n"
                 "drain done\n"
                 "shutdown done\n");
}

static void a_drain_that_is_canceled_lets_the_calls_go_on(void **state)
{
    (void)state;
    start(1);
    spawn(0, 1);
    post_take(&entered, 1);
    spawn_closer(0, 1);
    async_cancel(&loop, &closer_tasks[0]);
    settle();
    assert_trace("drain canceled\n");
    post_add(&go, 2);
    finish();
    assert_trace("a done\n"
                 "b done\n");
    spawn_closer(0, 1);
    assert_trace("drain done\n");
    assert_int_equal(async_executor_count(&actor.executor_).threads, 0);
}

/* ---- faults ------------------------------------------------------------- */

static void a_call_that_gets_no_thread_fails_and_can_be_made_again(void **state)
{
    int nth;

    (void)state;
    for (nth = 1;; nth++) {
        int met;

        (void)actor_setup(state);
        start(1);
        callers[0].again = 1;
        thread_to_fail = nth;
        post_add(&go, 2);
        spawn(0, 0);
        finish();
        met = !thread_to_fail;
        if (!met)
            break;
        assert_trace("a Resource temporarily unavailable\n"
                     "a again done\n");
        shut_down();
    }
    assert_int_equal(nth, 2);
    assert_trace("a done\n"
                 "a again done\n");
    shut_down();
}

static void
with_fewer_threads_than_it_allows_every_call_still_runs(void **state)
{
    (void)state;
    start(4);
    thread_to_fail = 2;
    post_add(&go, 6);
    spawn(0, 5);
    finish();
    assert_int_equal(strlen(ran), 6);
    trace_clear();
    shut_down();
}

static void a_start_that_fails_says_why_and_can_be_tried_again(void **state)
{
    int status;

    (void)state;
    mutex_to_fail = 1;
    status = async_thread_actor_start(&actor, 1);
    assert_int_equal(status, -EAGAIN);
    condition_to_fail = 1;
    status = async_thread_actor_start(&actor, 1);
    assert_int_equal(status, -EAGAIN);
    start(1);
    post_add(&go, 1);
    spawn(0, 0);
    finish();
    assert_trace("a done\n");
    shut_down();
}

/* ---- many --------------------------------------------------------------- */

static int tick(struct async_job *job, void *arg)
{
    int *ticks = arg;

    (void)pthread_mutex_lock(&lock);
    *ticks += 1;
    (void)pthread_mutex_unlock(&lock);
    return async_job_canceled(job) ? ASYNC_ECANCELED : 0;
}

static unsigned long seed;

static unsigned next_random(unsigned below)
{
    seed = seed * 1103515245u + 12345u;
    return (unsigned)(seed >> 16) % below;
}

enum { MANY = 40 };
static struct async_thread_actor_call many[MANY];
static int ticks;

static void ignore_unhandled(struct async_loop *on, struct async_task *task,
                             async_status error)
{
    (void)on;
    (void)task;
    if (error != ASYNC_ECANCELED)
        fail_msg("unheard: %s", async_strerror(error));
}

static void calls_canceled_limited_and_shut_down_at_random_all_end(void **state)
{
    int round, i;

    (void)state;
    seed = 20261120;
    for (round = 0; round < rounds(); round++) {
        int done = 0, canceled = 0, closed = 0, counted;
        unsigned shuts_at = next_random(2 * MANY);

        (void)actor_setup(state);
        loop.unhandled = ignore_unhandled;
        ticks = 0;
        memset(many, 0, sizeof many);
        start(1 + next_random(4));
        for (i = 0; i < MANY; i++) {
            int status =
                async_thread_actor_send(&loop, &actor, &many[i], tick, &ticks);

            if (status == ASYNC_ECLOSED)
                closed++;
            else
                assert_int_equal(status, 0);
            if (next_random(3) == 0)
                (void)async_poll(&loop, 0);
            if (next_random(3) == 0)
                async_thread_actor_cancel(&loop, &many[next_random(MANY)]);
            if (next_random(8) == 0)
                (void)async_thread_actor_limit(&loop, &actor, next_random(5));
            if ((unsigned)i == shuts_at)
                spawn_closer(0, (int)next_random(2));
        }
        spawn_closer(1, 0);
        finish();
        for (i = 0; i < MANY; i++) {
            int outcome = async_task_outcome(&many[i].call_.task);

            if (outcome == ASYNC_DONE)
                done++;
            else if (outcome == ASYNC_ECANCELED)
                canceled++;
            else if (outcome == ASYNC_ECLOSED)
                closed++;
        }
        if (done + canceled + closed != MANY || ticks < done)
            fail_msg("round %d: %d done, %d canceled, %d closed, %d ran", round,
                     done, canceled, closed, ticks);
        counted = (int)async_executor_count(&actor.executor_).threads;
        assert_int_equal(counted, 0);
    }
    trace_clear();
}

static async side(struct async_loop *on, void *frame)
{
    struct visit *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < 20; self->i++) {
        await(counter_add_async(on, &counter.actor, &self->add, &counter, 1));
        await(six_async(on, &actor, &self->six, 0, 0, 0, 0, 0, self->i));
    }
    async_end();
}

static void actors_on_one_loop_do_not_disturb_each_other(void **state)
{
    static struct visit visits[3];
    int i;

    (void)state;
    memset(visits, 0, sizeof visits);
    start(2);
    (void)async_thread_actor_start(&counter.actor, 1);
    for (i = 0; i < 3; i++)
        (void)async_spawn(&loop, &tasks[i], side, &visits[i]);
    finish();

    assert_int_equal(counter.value, 60);
    closers[1] = (struct closer){.actor = &counter.actor};
    (void)async_spawn(&loop, &closer_tasks[1], closer, &closers[1]);
    shut_down();
    assert_trace("shutdown done\n"
                 "shutdown done\n");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        actor_claim(methods_have_their_own_arguments_and_results),
        actor_claim(a_method_runs_on_a_thread),
        actor_claim(the_loop_goes_on_while_a_method_blocks),
        actor_claim(one_call_at_a_time_sees_what_the_one_before_it_did),
        actor_claim(a_method_may_be_any_job_and_its_error_is_the_calls),
        actor_claim(the_first_arguments_count),
        actor_claim(a_canceled_call_keeps_its_arguments_until_it_has_ended),
        actor_claim(a_call_serves_one_await_after_the_other),
        actor_claim(calls_start_in_the_order_they_came),
        actor_claim(no_more_run_at_once_than_the_actor_allows),
        actor_claim(as_many_run_at_once_as_the_actor_allows),
        actor_claim(without_a_number_one_runs_at_once),
        actor_claim(more_than_there_can_be_threads_are_refused),
        actor_claim(a_higher_limit_starts_those_that_wait),
        actor_claim(a_lower_limit_cuts_no_call_short_and_starts_fewer),
        actor_claim(any_number_may_ask_for_a_result),
        actor_claim(a_call_goes_on_when_who_asks_for_it_is_canceled),
        actor_claim(a_call_that_is_sent_again_too_soon_keeps_its_arguments),
        actor_claim(a_call_that_was_never_sent_is_caught),
        actor_claim(an_actor_that_was_not_started_is_caught),
        actor_claim(a_waiting_call_whose_caller_is_canceled_never_runs),
        actor_claim(
            a_running_call_whose_caller_is_canceled_is_told_and_awaited),
        actor_claim(a_call_canceled_in_its_callers_first_step_is_canceled),
        actor_claim(
            one_that_has_to_wait_is_canceled_in_that_step_and_never_runs),
        actor_claim(a_canceled_call_is_made_again),
        actor_claim(a_running_call_that_times_out_is_told_and_awaited),
        actor_claim(a_waiting_call_that_times_out_never_runs),
        actor_claim(a_sent_call_that_waits_can_be_canceled),
        actor_claim(a_sent_call_that_runs_is_told_and_awaited_when_canceled),
        actor_claim(a_shutdown_tells_who_runs_and_closes_who_waits),
        actor_claim(a_shutdown_is_done_when_the_last_call_has_ended),
        actor_claim(after_a_shutdown_the_threads_are_gone),
        actor_claim(after_a_shutdown_calls_are_closed),
        actor_claim(a_shutdown_of_an_actor_without_calls_is_done_at_once),
        actor_claim(a_second_shutdown_does_nothing),
        actor_claim(several_may_await_a_shutdown),
        actor_claim(a_shutdown_that_is_canceled_leaves_the_actor_closed),
        actor_claim(
            a_call_that_has_ended_when_the_shutdown_comes_keeps_its_result),
        actor_claim(
            a_call_that_has_ended_when_its_caller_is_canceled_keeps_its_result),
        actor_claim(a_method_that_gives_up_for_a_shutdown_is_closed),
        actor_claim(a_sent_call_that_a_shutdown_closes_is_no_unheard_error),
        actor_claim(a_sent_calls_error_that_nobody_asks_for_is_not_lost),
        actor_claim(an_actor_can_be_started_again),
        actor_claim(an_actor_that_was_started_is_not_started_again),
        actor_claim(an_actor_that_was_never_started_can_be_shut_down),
        actor_claim(a_drain_lets_all_that_were_taken_end_and_takes_no_more),
        actor_claim(a_shutdown_may_come_while_the_actor_drains),
        actor_claim(a_drain_that_is_canceled_lets_the_calls_go_on),
        actor_claim(a_call_that_gets_no_thread_fails_and_can_be_made_again),
        actor_claim(with_fewer_threads_than_it_allows_every_call_still_runs),
        actor_claim(a_start_that_fails_says_why_and_can_be_tried_again),
        actor_claim(calls_canceled_limited_and_shut_down_at_random_all_end),
        actor_claim(actors_on_one_loop_do_not_disturb_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
