/* test_wrap.c: what async_wrap.h promises, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_wrap.c -lcmocka -pthread
 *
 * A state is certain because the workers are held there. Nothing here waits for
 * a time to pass.
 */
#define _POSIX_C_SOURCE 200809L
#include "trace.h"

#include <errno.h>
#include <pthread.h> /* before the name is ours */

/* The nth thread from now on can't be started; 0: each can. */
static int thread_to_fail;

static int pthread_create_or_fail(pthread_t *thread, const pthread_attr_t *with,
                                  void *(*fn)(void *), void *arg)
{
    if (thread_to_fail && --thread_to_fail == 0)
        return EAGAIN;
    return pthread_create(thread, with, fn, arg);
}
#define pthread_create pthread_create_or_fail
#include "async_wrap.h"
#undef pthread_create

#include "async_gather.h"

#include "held.h"

#include <sched.h>
#include <unistd.h>

/* ---- functions that know nothing of us ---------------------------------- */

struct point {
    double x;
    double y;
};
typedef int binary_fn(int a, int b);

static pthread_t ran_on;

static int none(void)
{
    ran_on = pthread_self();
    return 7;
}

static double half(long n)
{
    return (double)n / 2;
}

static struct point middle(struct point a, const struct point *b)
{
    struct point between = {(a.x + b->x) / 2, (a.y + b->y) / 2};

    return between;
}

static const char *pick(const char *const *words, signed char i, int *count)
{
    *count += 1;
    return words[i];
}

static int apply(binary_fn *fn, int a, int b, unsigned short times)
{
    while (times--)
        a = fn(a, b);
    return a;
}

static int minus(int a, int b)
{
    return a - b;
}

static unsigned long long five(char a, short b, int c, long d, long long e)
{
    return (unsigned long long)(a * 10000 + b * 1000 + c * 100 + d * 10 + e);
}

static int six(int a, int b, int c, int d, int e, int f)
{
    return a * 100000 + b * 10000 + c * 1000 + d * 100 + e * 10 + f;
}

static int void_calls;

static void nothing(void)
{
    void_calls++;
}

static void fill(char *text, size_t size, char with, int *errno_to_leave)
{
    memset(text, with, size);
    errno = *errno_to_leave;
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

ASYNC_WRAP(int, none)
ASYNC_WRAP(double, half, long, n)
ASYNC_WRAP(struct point, middle, struct point, a, const struct point *, b)
ASYNC_WRAP(const char *, pick, const char *const *, words, signed char, i,
           int *, count)
ASYNC_WRAP(int, apply, binary_fn *, fn, int, a, int, b, unsigned short, times)
ASYNC_WRAP(unsigned long long, five, char, a, short, b, int, c, long, d,
           long long, e)
ASYNC_WRAP(int, six, int, a, int, b, int, c, int, d, int, e, int, f)
ASYNC_WRAP_VOID(nothing)
ASYNC_WRAP_VOID(fill, char *, text, size_t, size, char, with, int *,
                errno_to_leave)
ASYNC_WRAP(size_t, strlen, const char *, text)
ASYNC_WRAP(int, close, int, fd)
ASYNC_WRAP(char, hold, char, name)
ASYNC_WRAP(char, watch, const struct async_job *, me, char, name)
/* Names that what is declared has for what is its own. */
static int odd(int loop, int call, int frame, int self)
{
    return loop * 1000 + call * 100 + frame * 10 + self;
}

static int fn(int from, int minus_this)
{
    return from - minus_this;
}

static int job(int one, int other)
{
    return one * other;
}

ASYNC_WRAP(int, odd, int, loop, int, call, int, frame, int, self)
ASYNC_WRAP(int, fn, int, tasks, int, arg)
ASYNC_WRAP(int, job, int, fn, int, executors)

/* ---- the cast ----------------------------------------------------------- */

static struct async_loop loop;
static struct async_executor executor;
static struct async_executor other_executor;
static struct async_task tasks[8];

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

static void start(unsigned workers, unsigned places)
{
    int status = async_executor_start(&executor, workers, places);

    assert_int_equal(status, 0);
}

/* Runs what there is to its end, and stops the executor. */
static void finish(void)
{
    async_status status = async_run(&loop, NULL, NULL);

    assert_int_equal(status, ASYNC_DONE);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
}

static void run(async_fn *step, void *frame)
{
    async_status status;

    start(2, 2);
    status = async_run(&loop, step, frame);
    assert_int_equal(status, ASYNC_DONE);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
}

static int wrap_setup(void **state)
{
    static const struct async_executor no_executor;
    static const struct async_task no_task;
    int i;

    async_loop_init(&loop);
    executor = other_executor = no_executor;
    for (i = 0; i < 8; i++)
        tasks[i] = no_task;
    held_reset();
    thread_to_fail = 0;
    void_calls = 0;
    return trace_setup(state);
}

/* A test that failed has left its threads: the next one must not meet them. */
static int wrap_teardown(void **state)
{
    (void)state;
    async_attach(&loop, NULL);
    post_add(&go, 100);
    if (executor.limit_)
        async_executor_stop(&executor, ASYNC_STOP_CANCEL);
    if (other_executor.limit_)
        async_executor_stop(&other_executor, ASYNC_STOP_CANCEL);
    return 0;
}

#define wrap_claim(test)                                                       \
    cmocka_unit_test_setup_teardown(test, wrap_setup, wrap_teardown)

/* ---- arguments and results ---------------------------------------------- */

struct all {
    struct async_frame async;
    struct none_call none;
    struct half_call half;
    struct middle_call middle;
    struct pick_call pick;
    struct apply_call apply;
    struct five_call five;
    struct six_call six;
    struct nothing_call nothing;
    struct fill_call fill;
    struct strlen_call strlen;
    struct close_call close;
    struct odd_call odd;
    struct fn_call fn;
    struct job_call job;
    struct point b;
    const char *words[3];
    char text[4];
    int count;
    int rc;
};

static async values(struct async_loop *on, void *frame)
{
    struct all *self = frame;
    const struct point a = {1, 2};

    async_begin(self);
    await(none_async(on, &executor, &self->none));
    await(half_async(on, &executor, &self->half, 5));
    self->b = (struct point){3, 6};
    await(middle_async(on, &executor, &self->middle, a, &self->b));
    self->words[2] = "three";
    await(pick_async(on, &executor, &self->pick, self->words, 2, &self->count));
    await(apply_async(on, &executor, &self->apply, minus, 10, 2, 3));
    await(five_async(on, &executor, &self->five, 1, 2, 3, 4, 5));
    await(six_async(on, &executor, &self->six, 1, 2, 3, 4, 5, 6));
    async_end();
}

static void arguments_and_results_have_the_functions_types(void **state)
{
    static struct all all;

    (void)state;
    memset(&all, 0, sizeof all);
    run(values, &all);

    assert_int_equal(all.none.result, 7);
    assert_true(all.half.result >= 2.5 && all.half.result <= 2.5);
    assert_true(all.middle.result.x >= 2 && all.middle.result.x <= 2);
    assert_true(all.middle.result.y >= 4 && all.middle.result.y <= 4);
    assert_string_equal(all.pick.result, "three");
    assert_int_equal(all.count, 1);
    assert_int_equal(all.apply.result, 4);
    assert_int_equal(all.five.result, 12345);
    assert_int_equal(all.six.result, 123456);
}

static async names(struct async_loop *on, void *frame)
{
    struct all *self = frame;

    async_begin(self);
    await(odd_async(on, &executor, &self->odd, 1, 2, 3, 4));
    await(fn_async(on, &executor, &self->fn, 9, 2));
    await(job_async(on, &executor, &self->job, 6, 7));
    async_end();
}

static void functions_and_arguments_may_be_called_what_they_like(void **state)
{
    static struct all all;

    (void)state;
    memset(&all, 0, sizeof all);
    run(names, &all);

    assert_int_equal(all.odd.result, 1234);
    assert_int_equal(all.fn.result, 7);
    assert_int_equal(all.job.result, 42);
}

static void a_wrapped_function_runs_on_a_thread(void **state)
{
    static struct all all;
    int here;

    (void)state;
    memset(&all, 0, sizeof all);
    run(values, &all);

    here = pthread_equal(ran_on, pthread_self());
    assert_false(here);
}

static async voids(struct async_loop *on, void *frame)
{
    struct all *self = frame;

    async_begin(self);
    await(nothing_async(on, &executor, &self->nothing));
    await(nothing_async(on, &executor, &self->nothing));
    self->count = EDOM;
    await(fill_async(on, &executor, &self->fill, self->text, 3, 'x',
                     &self->count));
    async_end();
}

static void a_function_without_a_result_is_wrapped_too(void **state)
{
    static struct all all;

    (void)state;
    memset(&all, 0, sizeof all);
    run(voids, &all);

    assert_int_equal(void_calls, 2);
    assert_string_equal(all.text, "xxx");
    assert_int_equal(all.fill.error, EDOM);
}

static async systems(struct async_loop *on, void *frame)
{
    struct all *self = frame;

    async_begin(self);
    await(strlen_async(on, &executor, &self->strlen, "four"));
    async_catch(self->rc, close_async(on, &executor, &self->close, -1));
    async_end();
}

static void a_function_of_the_system_is_wrapped_as_it_is(void **state)
{
    static struct all all;

    (void)state;
    memset(&all, 0, sizeof all);
    run(systems, &all);

    assert_int_equal(all.strlen.result, 4);
}

static void
a_function_that_fails_is_done_and_its_errno_is_in_the_call(void **state)
{
    static struct all all;

    (void)state;
    memset(&all, 0, sizeof all);
    errno = EDOM;
    run(systems, &all);

    assert_int_equal(all.rc, ASYNC_DONE);
    assert_int_equal(all.close.result, -1);
    assert_int_equal(all.close.error, EBADF);
}

/* ---- one call after the other ------------------------------------------- */

struct series {
    struct async_frame async;
    struct half_call half;
    int i;
};

static async series(struct async_loop *on, void *frame)
{
    struct series *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < 4; self->i++) {
        await(half_async(on, self->i % 2 ? &other_executor : &executor,
                         &self->half, self->i * 2));
        trace("%d: %d", self->i, (int)self->half.result);
    }
    async_end();
}

static void a_call_serves_one_await_after_the_other(void **state)
{
    static struct series frame;

    (void)state;
    memset(&frame, 0, sizeof frame);
    (void)async_executor_start(&other_executor, 1, 1);
    run(series, &frame);

    assert_trace("0: 0\n"
                 "1: 1\n"
                 "2: 2\n"
                 "3: 3\n");
}

static void the_executor_is_chosen_at_each_call(void **state)
{
    static struct series frame;

    (void)state;
    memset(&frame, 0, sizeof frame);
    (void)async_executor_start(&other_executor, 1, 1);
    run(series, &frame);

    assert_int_equal(async_executor_count(&executor).done, 2);
    assert_int_equal(async_executor_count(&other_executor).done, 2);
}

/* ---- calls that are held ------------------------------------------------ */

/* Awaits a held call; its argument changes with each evaluation. */
struct holder {
    struct async_frame async;
    struct hold_call hold;
    struct watch_call watch;
    struct async_timer timer;
    char next; /* the argument */
    int watches;
    int cleans_up; /* calls in its finally section */
    int again;
    uint32_t limit_ms;
    int rc;
};
static struct holder holders[8];

static async_status holder_call(struct async_loop *on, struct holder *self)
{
    char name = self->next++;

    return self->watches ? watch_async(on, &executor, &self->watch,
                                       &self->watch.job, name)
                         : hold_async(on, &executor, &self->hold, name);
}

static async holder(struct async_loop *on, void *frame)
{
    struct holder *self = frame;

    async_begin(self);
    if (self->cleans_up)
        async_return();
    if (self->limit_ms)
        async_catch(self->rc, async_timeout(on, &self->timer, self->limit_ms,
                                            holder_call(on, self)));
    else
        async_catch(self->rc, holder_call(on, self));
    trace("%c %s", (int)(self - holders) + 'a', async_strerror(self->rc));
    if (self->again) {
        self->next = 'A';
        async_catch(self->rc, hold_async(on, &executor, &self->hold, 'A'));
        trace("again %c %s", self->hold.result, async_strerror(self->rc));
    }
    async_finally();
    if (self->cleans_up) {
        async_catch(self->rc, holder_call(on, self));
        trace("%c %s", (int)(self - holders) + 'a', async_strerror(self->rc));
    }
    async_end();
}

static void spawn_holders(int count)
{
    int i;

    for (i = 0; i < count; i++) {
        async_status status =
            async_spawn(&loop, &tasks[i], holder, &holders[i]);

        assert_int_equal(status, 0);
    }
    settle();
}

static int holders_setup(void **state)
{
    int i;

    for (i = 0; i < 8; i++)
        holders[i] = (struct holder){.next = (char)('a' + i)};
    return wrap_setup(state);
}

#define holders_claim(test)                                                    \
    cmocka_unit_test_setup_teardown(test, holders_setup, wrap_teardown)

static void the_loop_goes_on_while_a_call_blocks(void **state)
{
    (void)state;
    start(1, 1);
    spawn_holders(1);
    post_take(&entered, 1);
    settle();
    trace("the loop goes on");
    post_add(&go, 1);
    finish();

    assert_trace("the loop goes on\n"
                 "a done\n");
}

/* a runs, b is queued, c waits for a place; all are asked again. */
static void the_first_arguments_count(void **state)
{
    int i;

    (void)state;
    start(1, 1);
    for (i = 0; i < 3; i++)
        holders[i].cleans_up = 1;
    spawn_holders(3);
    post_take(&entered, 1);
    for (i = 0; i < 3; i++) {
        async_cancel(&loop, &tasks[i]); /* which is not heard in there */
        holders[i].next = 'x';
    }
    settle();
    for (i = 0; i < 3; i++)
        assert_true(holders[i].next > 'x');
    post_add(&go, 3);
    finish();

    assert_trace("a done\n"
                 "b done\n"
                 "c done\n");
    assert_string_equal(ran, "abc");
    for (i = 0; i < 3; i++) {
        assert_int_equal(holders[i].hold.name, 'a' + i);
        assert_int_equal(holders[i].hold.result, 'a' + i);
    }
}

static void a_canceled_call_keeps_its_arguments_until_it_has_ended(void **state)
{
    (void)state;
    start(1, 1);
    spawn_holders(1);
    post_take(&entered, 1);
    async_cancel(&loop, &tasks[0]);
    holders[0].next = 'x';
    settle();
    post_add(&go, 1);
    finish();

    assert_true(holders[0].next > 'x');
    assert_int_equal(holders[0].hold.name, 'a');
    assert_trace("a canceled\n");
}

static void calls_run_in_the_order_they_were_made_in(void **state)
{
    (void)state;
    start(1, 2);
    spawn_holders(6);
    post_add(&go, 6);
    finish();

    assert_string_equal(ran, "abcdef");
    assert_int_equal(most, 1);
}

/* ---- cancel, timeout, stop ---------------------------------------------- */

static void a_queued_call_that_is_canceled_never_runs(void **state)
{
    (void)state;
    start(1, 2);
    spawn_holders(2);
    post_take(&entered, 1);
    async_cancel(&loop, &tasks[1]);
    settle();
    assert_trace("b canceled\n");
    post_add(&go, 1);
    finish();

    assert_trace("a done\n");
    assert_string_equal(ran, "a");
    assert_int_equal(holders[1].hold.result, 0);
    assert_int_equal(async_outcome(&holders[1].hold.async), ASYNC_ECANCELED);
}

static void a_running_call_that_is_canceled_is_told_and_awaited(void **state)
{
    (void)state;
    start(1, 1);
    holders[0].watches = 1;
    spawn_holders(1);
    post_take(&entered, 1);
    async_cancel(&loop, &tasks[0]);
    settle();
    assert_trace("");
    post_add(&go, 1);
    finish();

    assert_trace("a canceled\n");
    assert_int_equal(holders[0].watch.result, 'a'); /* it has returned */
}

static void a_queued_call_canceled_in_its_first_step_never_runs(void **state)
{
    (void)state;
    start(1, 1);
    spawn_holders(1);
    post_take(&entered, 1);
    (void)async_spawn(&loop, &tasks[1], holder, &holders[1]);
    async_cancel(&loop, &tasks[1]);
    settle();
    assert_trace("b canceled\n");
    post_add(&go, 1);
    finish();

    assert_trace("a done\n");
    assert_string_equal(ran, "a");
}

static void a_canceled_call_is_made_again(void **state)
{
    (void)state;
    start(1, 1);
    holders[0].watches = 0;
    holders[0].again = 1;
    spawn_holders(1);
    post_take(&entered, 1);
    async_cancel(&loop, &tasks[0]);
    settle();
    post_add(&go, 2);
    finish();

    assert_trace("a canceled\n"
                 "again A done\n");
    assert_string_equal(ran, "aA");
}

static void a_running_call_that_times_out_is_told_and_awaited(void **state)
{
    (void)state;
    start(1, 1);
    holders[0].watches = 1;
    holders[0].limit_ms = 10;
    spawn_holders(1);
    post_take(&entered, 1);
    settle_at(ASYNC_TICK_HZ);
    assert_trace("");
    post_add(&go, 1);
    finish();

    assert_trace("a timed out\n");
}

static void a_queued_call_that_times_out_never_runs(void **state)
{
    (void)state;
    start(1, 1);
    holders[1].limit_ms = 10;
    spawn_holders(2);
    post_take(&entered, 1);
    settle_at(ASYNC_TICK_HZ);
    assert_trace("b timed out\n");
    post_add(&go, 1);
    finish();

    assert_trace("a done\n");
    assert_string_equal(ran, "a");
}

static void a_call_to_a_stopped_executor_is_closed(void **state)
{
    (void)state;
    start(1, 1);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
    spawn_holders(1);

    assert_trace("a closed\n");
    assert_string_equal(ran, "");
}

static void a_call_that_gets_no_thread_fails_and_can_be_made_again(void **state)
{
    int nth;

    (void)state;
    for (nth = 1;; nth++) {
        int failed;

        (void)holders_setup(state);
        holders[0].again = 1;
        start(1, 1);
        thread_to_fail = nth;
        post_add(&go, 2);
        spawn_holders(1);
        finish();
        failed = !thread_to_fail;
        if (!failed)
            break;
        assert_int_equal(nth, 1);
        assert_trace("a Resource temporarily unavailable\n"
                     "again A done\n");
        assert_string_equal(ran, "A");
    }
    assert_trace("a done\n"
                 "again A done\n");
}

/* ---- calls as tasks ----------------------------------------------------- */

struct map {
    struct async_frame async;
    struct half_call calls[8];
    struct async_task tasks[3];
    struct async_batch batch;
};

static async map(struct async_loop *on, void *frame)
{
    struct map *self = frame;
    int i;

    async_begin(self);
    for (i = 0; i < 8; i++)
        half_prepare(&self->calls[i], &executor, 2 * i);
    await(async_map(on, &self->batch, half_task, self->calls, self->tasks));
    async_end();
}

static void prepared_calls_are_mapped(void **state)
{
    static struct map frame;
    int i;

    (void)state;
    memset(&frame, 0, sizeof frame);
    run(map, &frame);

    for (i = 0; i < 8; i++)
        assert_int_equal((int)frame.calls[i].result, i);
}

static void a_prepared_call_is_spawned(void **state)
{
    static struct half_call call;

    (void)state;
    memset(&call, 0, sizeof call);
    start(1, 1);
    (void)async_spawn(&loop, &tasks[0], half_task,
                      half_prepare(&call, &executor, 84));
    finish();

    assert_int_equal((int)call.result, 42);
    assert_int_equal(async_outcome(&call.async), ASYNC_DONE);
}

struct twice {
    struct async_frame async;
    struct half_call half;
    int prepares;
    int calls;
};

static async twice(struct async_loop *on, void *frame)
{
    struct twice *self = frame;

    async_begin(self);
    half_prepare(&self->half, &executor, 10);
    await(half_task(on, &self->half));
    trace("%d", (int)self->half.result);
    self->half.n = 20;
    if (self->prepares)
        half_prepare(&self->half, &executor, 30);
    if (self->calls)
        await(half_async(on, &executor, &self->half, 40));
    else
        await(half_task(on, &self->half));
    trace("%d", (int)self->half.result);
    async_end();
}

static void a_finished_call_stays_finished(void **state)
{
    static struct twice frame;

    (void)state;
    memset(&frame, 0, sizeof frame);
    run(twice, &frame);

    assert_trace("5\n"
                 "5\n");
}

static void a_finished_call_that_is_prepared_again_runs_again(void **state)
{
    static struct twice frame;

    (void)state;
    memset(&frame, 0, sizeof frame);
    frame.prepares = 1;
    run(twice, &frame);

    assert_trace("5\n"
                 "15\n");
}

static void a_call_that_was_a_task_is_awaited(void **state)
{
    static struct twice frame;

    (void)state;
    memset(&frame, 0, sizeof frame);
    frame.calls = 1;
    run(twice, &frame);

    assert_trace("5\n"
                 "20\n");
}

static void prepare_first(void *arg)
{
    (void)arg;
    hold_prepare(&holders[0].hold, &executor, 'x');
}

static void preparing_a_call_that_runs_is_caught(void **state)
{
    (void)state;
    start(1, 1);
    spawn_holders(1);
    post_take(&entered, 1);

    assert_stops("a wrapped call is prepared while it runs", prepare_first,
                 NULL);
    post_add(&go, 1);
    finish();
    assert_trace("a done\n");
    prepare_first(NULL); /* then it may be */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        wrap_claim(arguments_and_results_have_the_functions_types),
        wrap_claim(functions_and_arguments_may_be_called_what_they_like),
        wrap_claim(a_wrapped_function_runs_on_a_thread),
        wrap_claim(a_function_without_a_result_is_wrapped_too),
        wrap_claim(a_function_of_the_system_is_wrapped_as_it_is),
        wrap_claim(a_function_that_fails_is_done_and_its_errno_is_in_the_call),
        wrap_claim(a_call_serves_one_await_after_the_other),
        wrap_claim(the_executor_is_chosen_at_each_call),
        holders_claim(the_loop_goes_on_while_a_call_blocks),
        holders_claim(the_first_arguments_count),
        holders_claim(a_canceled_call_keeps_its_arguments_until_it_has_ended),
        holders_claim(calls_run_in_the_order_they_were_made_in),
        holders_claim(a_queued_call_that_is_canceled_never_runs),
        holders_claim(a_running_call_that_is_canceled_is_told_and_awaited),
        holders_claim(a_queued_call_canceled_in_its_first_step_never_runs),
        holders_claim(a_canceled_call_is_made_again),
        holders_claim(a_running_call_that_times_out_is_told_and_awaited),
        holders_claim(a_queued_call_that_times_out_never_runs),
        holders_claim(a_call_to_a_stopped_executor_is_closed),
        holders_claim(a_call_that_gets_no_thread_fails_and_can_be_made_again),
        wrap_claim(prepared_calls_are_mapped),
        wrap_claim(a_prepared_call_is_spawned),
        wrap_claim(a_finished_call_stays_finished),
        wrap_claim(a_finished_call_that_is_prepared_again_runs_again),
        wrap_claim(a_call_that_was_a_task_is_awaited),
        holders_claim(preparing_a_call_that_runs_is_caught),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
