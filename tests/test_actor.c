/* test_actor.c: what async_actor.h promises, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_actor.c -lcmocka
 */
#include "trace.h"

#include "timeline.h"

#include "poison.h"

#include <errno.h>

/* ---- the cast ----------------------------------------------------------- */

static struct async_actor actor; /* the one that a test is about */

/* A method: works for `ms`, then ends or fails; cleans up for `clean_ms`. */
struct work {
    struct async_frame async;
    const char *name;
    uint32_t ms;
    int error;
    uint32_t clean_ms;
    int is_done;
};

static async work(struct async_loop *on, void *frame)
{
    struct work *self = frame;

    async_begin(self);
    note(self->name, "starts");
    await(async_sleep_ms(on, self->ms));
    if (self->error)
        async_fail(self->error);
    self->is_done = 1;
    async_finally();
    if (self->clean_ms)
        await(async_sleep_ms(on, self->clean_ms));
    note(self->name, self->is_done ? "is done" : "gives up");
    async_end();
}

/* Another one: ignores a cancel, and works on for as long again. */
static async stubborn_work(struct async_loop *on, void *frame)
{
    struct work *self = frame;
    int status;

    async_begin(self);
    note(self->name, "starts");
    async_catch(status, async_sleep_ms(on, self->ms));
    if (status < 0) {
        note(self->name, "does not mind");
        await(async_sleep_ms(on, self->ms));
    }
    if (self->error)
        async_fail(self->error);
    note(self->name, "is done");
    async_end();
}

/* Says nothing of it. */
static async quiet_work(struct async_loop *on, void *frame)
{
    struct work *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, self->ms));
    async_end();
}

/* A call that a test sends itself. */
struct job {
    struct async_actor_call call;
    struct work work;
};

static void send(struct job *job)
{
    assert_int_equal(
        async_actor_send(&loop, &actor, &job->call, work, &job->work), 0);
}

/* Calls a method and says how it ended; then waits for `after_ms`. */
struct caller {
    struct async_frame async;
    struct async_actor_call call;
    struct async_timer timer;
    struct work work;
    async_fn *fn;       /* NULL: work */
    uint32_t before_ms; /* waits that long first */
    uint32_t after_ms;  /* and that long afterwards */
    uint32_t limit_ms;  /* a timeout around it; 0: none */
    int in_finally;     /* calls in its finally section */
    int is_stopped;     /* fails if the call has */
};

static async_status call(struct async_loop *on, struct caller *self)
{
    async_status status = async_actor_call(
        on, &actor, &self->call, self->fn ? self->fn : work, &self->work);

    if (self->limit_ms)
        status = async_timeout(on, &self->timer, self->limit_ms, status);
    return status;
}

static async caller(struct async_loop *on, void *frame)
{
    struct caller *self = frame;
    int status;

    async_begin(self);
    if (self->before_ms)
        await(async_sleep_ms(on, self->before_ms));
    if (!self->in_finally) {
        async_catch(status, call(on, self));
        trace("%u caller of %s: %s", (unsigned)async_now(on), self->work.name,
              async_strerror(status));
        if (status < 0 && self->is_stopped)
            async_fail(status);
        if (self->after_ms) {
            async_catch(status, async_sleep_ms(on, self->after_ms));
            trace("%u caller of %s, afterwards: %s", (unsigned)async_now(on),
                  self->work.name, async_strerror(status));
        }
    }
    async_finally();
    if (self->in_finally) {
        async_catch(status, call(on, self));
        trace("%u caller of %s: %s", (unsigned)async_now(on), self->work.name,
              async_strerror(status));
    }
    async_end();
}

/* Waits for a call's result and says how it ended. */
struct waiter {
    struct async_frame async;
    const char *name;
    struct async_actor_call *call;
    struct async_timer timer;
    uint32_t limit_ms;
    int fills; /* the call's storage, once it has ended */
    int status;
};

static async waiter(struct async_loop *on, void *frame)
{
    struct waiter *self = frame;

    async_begin(self);
    if (self->limit_ms)
        async_catch(self->status,
                    async_timeout(on, &self->timer, self->limit_ms,
                                  async_actor_result(on, self->call)));
    else
        async_catch(self->status, async_actor_result(on, self->call));
    note(self->name, async_strerror(self->status));
    if (self->fills)
        poison(self->call, sizeof *self->call);
    async_end();
}

/* Shuts the actor down, or drains it, `times` times. */
struct closer {
    struct async_frame async;
    const char *name;
    struct async_timer timer;
    uint32_t before_ms;
    uint32_t limit_ms;
    int drains;
    int times; /* more than one */
    int i, status;
};

static async_status close_actor(struct async_loop *on, struct closer *self)
{
    async_status status = self->drains ? async_actor_drain(on, &actor)
                                       : async_actor_shutdown(on, &actor);

    if (self->limit_ms)
        status = async_timeout(on, &self->timer, self->limit_ms, status);
    return status;
}

static async closer(struct async_loop *on, void *frame)
{
    struct closer *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, self->before_ms));
    for (self->i = 0; self->i <= self->times; self->i++) {
        async_catch(self->status, close_actor(on, self));
        note(self->name, async_strerror(self->status));
    }
    async_end();
}

/* Cancels `task` at 10, before or after somebody else's step then. */
static async cancel_at_ten(struct async_loop *on, void *frame)
{
    struct work *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, 10));
    async_cancel(on, &task);
    note("somebody", "cancels");
    async_end();
}

static int actor_setup(void **state)
{
    static const struct async_actor zero;

    actor = zero;
    return timeline_setup(state);
}

/* No call is left behind, no task, no error nobody was told of. */
static int actor_teardown(void **state)
{
    (void)state;
    assert_int_equal(async_actor_queued(&actor), 0);
    assert_int_equal(async_actor_running(&actor), 0);
    assert_null(actor.queue_);
    assert_null(actor.runs_);
    assert_null(actor.line_);
    assert_int_equal(async_alive(&loop), 0);
    assert_int_equal(async_unjoined(&loop), 0);
    return 0;
}
#define actor_claim(test)                                                      \
    cmocka_unit_test_setup_teardown(test, actor_setup, actor_teardown)

/* ---- calls -------------------------------------------------------------- */

static void a_call_runs_the_method_and_gives_its_result(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 10}};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 a is done\n"
                 "10 caller of a: done\n");
    assert_int_equal(async_outcome(&frame.work.async), ASYNC_DONE);
    assert_int_equal(async_task_outcome(&frame.call.task), ASYNC_DONE);
}

static void a_call_gives_the_methods_error(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 10, .error = -EIO}};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 a gives up\n"
                 "10 caller of a: Input/output error\n");
    assert_int_equal(async_task_outcome(&frame.call.task), -EIO);
}

static async at_once(struct async_loop *on, void *frame)
{
    (void)on;
    (void)frame;
    return ASYNC_DONE;
}

static void a_method_without_a_wait_and_a_frame_can_be_called(void **state)
{
    struct async_actor_call ping = {0};
    struct waiter frame = {.name = "ping", .call = &ping};

    (void)state;
    assert_int_equal(async_actor_send(&loop, &actor, &ping, at_once, NULL), 0);
    spawn(&task, waiter, &frame);
    (void)settle();

    assert_trace("0 ping done\n");
}

static void a_sent_call_starts_with_the_next_poll(void **state)
{
    struct job job = {.work = {.name = "a"}};

    (void)state;
    send(&job);
    assert_trace("");
    assert_int_equal(async_actor_running(&actor), 1);
    assert_int_equal(async_task_outcome(&job.call.task), ASYNC_PENDING);
    (void)run_to(10);

    assert_trace("0 a starts\n"
                 "0 a is done\n");
}

/* A host that is told of a change from outside. */
static void count_notify(void *arg)
{
    ++*(int *)arg;
}

static void a_call_sent_from_outside_tells_the_host(void **state)
{
    int notified = 0;
    const struct async_host host = {count_notify, NULL, &notified};
    struct job job = {.work = {.name = "a"}};

    (void)state;
    async_attach(&loop, &host);
    notified = 0;
    send(&job);
    assert_int_equal(notified, 1);
    (void)run_to(10);
    async_attach(&loop, NULL);
    trace_clear();
}

static struct job fifty[50];

/* Sends 50 calls of a second; says of each when it starts and ends. */
static void send_fifty(void)
{
    static const struct job zero;
    size_t i;

    for (i = 0; i < LENGTH(fifty); i++) {
        fifty[i] = zero;
        fifty[i].work.name = "one";
        fifty[i].work.ms = 1000;
        send(&fifty[i]);
    }
}

static size_t count_done(void)
{
    size_t i, done = 0;

    for (i = 0; i < LENGTH(fifty); i++)
        done += async_task_outcome(&fifty[i].call.task) == ASYNC_DONE;
    return done;
}

static void fifty_calls_start_at_once_and_end_at_the_same_time(void **state)
{
    (void)state;
    send_fifty();
    (void)run_to(999);
    assert_int_equal(async_actor_running(&actor), 50);
    assert_int_equal(count_done(), 0);
    (void)run_to(1000);
    assert_int_equal(count_done(), 50);
    trace_clear();
}

static void
of_fifty_calls_with_a_limit_of_ten_the_next_ten_run_when_ten_ended(void **state)
{
    size_t round;

    (void)state;
    actor.max_concurrency = 10;
    send_fifty();
    for (round = 0; round < 5; round++) {
        (void)run_to((async_time)(1000 * round + 999));
        assert_int_equal(async_actor_running(&actor), 10);
        assert_int_equal(async_actor_queued(&actor), 40 - 10 * round);
        assert_int_equal(count_done(), 10 * round);
    }
    (void)run_to(5000);
    assert_int_equal(count_done(), 50);
    trace_clear();
}

static void a_thousand_calls_run_at_once_by_default_and_no_more(void **state)
{
    static struct async_actor_call calls[1002];
    static struct work frames[1002];
    size_t i;

    (void)state;
    for (i = 0; i < LENGTH(calls); i++) {
        frames[i].ms = 10;
        assert_int_equal(
            async_actor_send(&loop, &actor, &calls[i], quiet_work, &frames[i]),
            0);
    }
    assert_int_equal(async_actor_running(&actor), 1000);
    assert_int_equal(async_actor_queued(&actor), 2);
    (void)run_to(10);
    assert_int_equal(async_actor_running(&actor), 2);
    assert_int_equal(async_task_outcome(&calls[999].task), ASYNC_DONE);
    assert_int_equal(async_task_outcome(&calls[1000].task), ASYNC_PENDING);
    (void)run_to(20);
    assert_int_equal(async_task_outcome(&calls[1001].task), ASYNC_DONE);
}

static void calls_start_in_the_order_they_were_sent(void **state)
{
    struct job jobs[4] = {{.work = {.name = "a", .ms = 10}},
                          {.work = {.name = "b", .ms = 5}},
                          {.work = {.name = "c", .ms = 1}},
                          {.work = {.name = "d", .ms = 1}}};
    size_t i;

    (void)state;
    actor.max_concurrency = 2;
    for (i = 0; i < LENGTH(jobs); i++)
        send(&jobs[i]);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "0 b starts\n"
                 "5 b is done\n"
                 "5 c starts\n"
                 "6 c is done\n"
                 "6 d starts\n"
                 "7 d is done\n"
                 "10 a is done\n");
}

static void callers_get_their_turns_in_the_order_they_came(void **state)
{
    struct async_task tasks[3] = {{.fn = NULL}};
    struct caller frames[3] = {{.work = {.name = "a", .ms = 2}, .before_ms = 2},
                               {.work = {.name = "b", .ms = 2}, .before_ms = 1},
                               {.work = {.name = "c", .ms = 2}}};
    size_t i;

    (void)state;
    actor.max_concurrency = 1;
    for (i = 0; i < 3; i++)
        spawn(&tasks[i], caller, &frames[i]);
    (void)run_to(100);

    assert_trace("0 c starts\n"
                 "2 c is done\n"
                 "2 caller of c: done\n"
                 "2 b starts\n"
                 "4 b is done\n"
                 "4 caller of b: done\n"
                 "4 a starts\n"
                 "6 a is done\n"
                 "6 caller of a: done\n");
}

static void
who_comes_when_a_place_is_free_and_calls_wait_waits_too(void **state)
{
    struct job jobs[3] = {{.work = {.name = "a", .ms = 10}},
                          {.work = {.name = "b", .ms = 10}},
                          {.work = {.name = "c", .ms = 10}}};

    (void)state;
    actor.max_concurrency = 1;
    send(&jobs[0]);
    send(&jobs[1]);
    actor.max_concurrency = 2; /* as yet nobody has looked */
    send(&jobs[2]);
    assert_int_equal(async_actor_running(&actor), 2);
    (void)run_to(5);
    assert_trace("0 a starts\n"
                 "0 b starts\n");
    (void)run_to(100);
    assert_trace("10 a is done\n"
                 "10 b is done\n"
                 "10 c starts\n"
                 "20 c is done\n");
}

/* State with a gap between its being read and written. */
struct counter {
    struct async_actor actor;
    int value;
};

struct add {
    struct async_frame async;
    struct counter *counter;
    int by, result;
};

static async counter_add(struct async_loop *on, void *frame)
{
    struct add *self = frame;

    async_begin(self);
    self->result = self->counter->value;
    await(async_sleep_ms(on, 10));
    self->result += self->by;
    self->counter->value = self->result;
    async_end();
}

static int add_three_times(size_t max_concurrency)
{
    struct counter counter = {.value = 0};
    struct async_actor_call calls[3] = {{.cut_ = 0}};
    struct add adds[3] = {{.counter = &counter, .by = 1},
                          {.counter = &counter, .by = 10},
                          {.counter = &counter, .by = 100}};
    size_t i;

    counter.actor.max_concurrency = max_concurrency;
    for (i = 0; i < 3; i++)
        assert_int_equal(async_actor_send(&loop, &counter.actor, &calls[i],
                                          counter_add, &adds[i]),
                         0);
    (void)run_to(100);
    return counter.value;
}

static void one_at_a_time_a_method_has_the_state_to_itself(void **state)
{
    (void)state;
    assert_int_equal(add_three_times(1), 111);
}

static void
several_at_a_time_methods_meet_each_other_at_their_awaits(void **state)
{
    (void)state;
    assert_int_equal(add_three_times(0), 100); /* the last write is left */
}

static void two_actors_do_not_wait_for_each_other(void **state)
{
    struct async_actor other = {.max_concurrency = 1};
    struct job a = {.work = {.name = "a", .ms = 10}};
    struct job b = {.work = {.name = "b", .ms = 10}};

    (void)state;
    actor.max_concurrency = 1;
    send(&a);
    assert_int_equal(async_actor_send(&loop, &other, &b.call, work, &b.work),
                     0);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "0 b starts\n"
                 "10 a is done\n"
                 "10 b is done\n");
}

/* ---- results ------------------------------------------------------------ */

static void the_result_of_a_call_that_has_ended_is_not_waited_for(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 10}};
    struct waiter frame = {.name = "waiter", .call = &job.call};

    (void)state;
    send(&job);
    (void)run_to(20);
    trace_clear();
    spawn(&task, waiter, &frame);
    (void)async_poll(&loop, now);

    assert_trace("20 waiter done\n");
}

static void a_result_can_be_asked_for_twice(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 10, .error = -EIO}};
    struct waiter one = {.name = "one", .call = &job.call}, two = one;

    (void)state;
    send(&job);
    spawn(&task, waiter, &one);
    (void)run_to(20);
    spawn(&task, waiter, &two);
    (void)run_to(30);

    assert_trace("0 a starts\n"
                 "10 a gives up\n"
                 "10 one Input/output error\n"
                 "20 one Input/output error\n");
}

static void
all_who_wait_for_a_call_are_let_go_in_the_order_they_came(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 10, .error = -EIO}};
    struct async_task tasks[3] = {{.fn = NULL}};
    struct waiter frames[3] = {{.name = "one", .call = &job.call},
                               {.name = "two", .call = &job.call},
                               {.name = "three", .call = &job.call}};
    size_t i;

    (void)state;
    send(&job);
    for (i = 0; i < 3; i++)
        spawn(&tasks[i], waiter, &frames[i]);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 a gives up\n"
                 "10 one Input/output error\n"
                 "10 two Input/output error\n"
                 "10 three Input/output error\n");
}

static void a_call_is_waited_for_from_before_it_starts(void **state)
{
    struct job jobs[2] = {{.work = {.name = "a", .ms = 10}},
                          {.work = {.name = "b", .ms = 10}}};
    struct waiter frame = {.name = "waiter", .call = &jobs[1].call};

    (void)state;
    actor.max_concurrency = 1;
    send(&jobs[0]);
    send(&jobs[1]);
    spawn(&task, waiter, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 a is done\n"
                 "10 b starts\n"
                 "20 b is done\n"
                 "20 waiter done\n");
}

static void the_first_of_two_who_wait_may_fill_the_calls_storage(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 10, .error = -EIO}};
    struct async_task other = {.fn = NULL};
    struct waiter one = {.name = "one", .call = &job.call, .fills = 1};
    struct waiter two = {.name = "two", .call = &job.call};

    (void)state;
    send(&job);
    spawn(&task, waiter, &one);
    spawn(&other, waiter, &two);
    (void)run_to(100);
    unpoison(&job.call, sizeof job.call);

    assert_trace("0 a starts\n"
                 "10 a gives up\n"
                 "10 one Input/output error\n"
                 "10 two Input/output error\n");
}

static void a_canceled_waiter_leaves_the_call_and_the_others_alone(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 10}};
    struct async_task other = {.fn = NULL};
    struct waiter one = {.name = "one", .call = &job.call};
    struct waiter two = {.name = "two", .call = &job.call};

    (void)state;
    send(&job);
    spawn(&task, waiter, &one);
    spawn(&other, waiter, &two);
    (void)run_to(5);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "5 one canceled\n"
                 "10 a is done\n"
                 "10 two done\n");
}

static void
a_waiter_canceled_in_the_poll_of_the_end_has_the_result(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 10, .error = -EIO}};
    struct waiter frame = {.name = "waiter", .call = &job.call};
    struct async_task other = {.fn = NULL};
    struct work canceling = {.ms = 0};

    (void)state;
    spawn(&other, cancel_at_ten, &canceling);
    send(&job);
    spawn(&task, waiter, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 somebody cancels\n"
                 "10 a gives up\n"
                 "10 waiter Input/output error\n");
}

static void a_waiter_that_times_out_leaves_the_call_alone(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 10}};
    struct waiter frame = {.name = "waiter", .call = &job.call, .limit_ms = 5};

    (void)state;
    send(&job);
    spawn(&task, waiter, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "5 waiter timed out\n"
                 "10 a is done\n");
}

/* ---- a call used again, and misused -------------------------------------- */

struct again {
    struct async_frame async;
    struct async_actor_call call;
    struct work work;
    int i;
};

static async call_again(struct async_loop *on, void *frame)
{
    struct again *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < 3; self->i++) {
        self->work = (struct work){.name = "a", .ms = 10};
        await(async_actor_call(on, &actor, &self->call, work, &self->work));
    }
    async_end();
}

static void a_call_serves_one_call_after_the_other(void **state)
{
    struct again frame = {.i = 0};

    (void)state;
    spawn(&task, call_again, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 a is done\n"
                 "10 a starts\n"
                 "20 a is done\n"
                 "20 a starts\n"
                 "30 a is done\n");
    assert_int_equal(async_task_outcome(&task), ASYNC_DONE);
}

static void a_call_that_ended_may_be_sent_to_another_actor(void **state)
{
    struct async_actor other = {.max_concurrency = 1};
    struct job job = {.work = {.name = "a", .ms = 10, .error = -EIO}};
    struct waiter frame = {.name = "waiter", .call = &job.call};

    (void)state;
    send(&job);
    spawn(&task, waiter, &frame);
    (void)run_to(10);
    job.work = (struct work){.name = "b", .ms = 10};
    assert_int_equal(
        async_actor_send(&loop, &other, &job.call, work, &job.work), 0);
    assert_int_equal(async_task_outcome(&job.call.task), ASYNC_PENDING);
    assert_int_equal(async_actor_running(&actor), 0);
    assert_int_equal(async_actor_running(&other), 1);
    frame.async = (struct async_frame){0};
    spawn(&task, waiter, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 a gives up\n"
                 "10 waiter Input/output error\n"
                 "10 b starts\n"
                 "20 b is done\n"
                 "20 waiter done\n");
}

static void send_it(void *job)
{
    send(job);
}

static void a_call_sent_twice_is_caught(void **state)
{
    struct job jobs[2] = {{.work = {.name = "a", .ms = 10}},
                          {.work = {.name = "b", .ms = 10}}};

    (void)state;
    actor.max_concurrency = 1;
    send(&jobs[0]);
    send(&jobs[1]);
    assert_stops("a call is sent that waits or runs", send_it, &jobs[0]);
    assert_stops("a call is sent that waits or runs", send_it, &jobs[1]);
    (void)run_to(100);
    trace_clear();
}

static void
without_assertions_a_call_sent_twice_is_refused_and_goes_on(void **state)
{
    struct job jobs[2] = {{.work = {.name = "a", .ms = 10}},
                          {.work = {.name = "b", .ms = 10}}};
    size_t i;

    (void)state;
    actor.max_concurrency = 1;
    send(&jobs[0]);
    send(&jobs[1]);
    stops_are_noted(1);
    for (i = 0; i < 2; i++) {
        assert_int_equal(
            async_actor_send(&loop, &actor, &jobs[i].call, at_once, NULL),
            ASYNC_EBUSY);
        assert_noted("a call is sent that waits or runs");
    }
    stops_are_noted(0);
    assert_int_equal(async_actor_running(&actor), 1);
    assert_int_equal(async_actor_queued(&actor), 1);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 a is done\n"
                 "10 b starts\n"
                 "20 b is done\n");
}

static void ask(void *call)
{
    (void)async_actor_result(&loop, call);
}

static void the_result_of_a_call_that_was_never_sent_is_a_mistake(void **state)
{
    struct async_actor_call never = {.cut_ = 0};

    (void)state;
    assert_stops("waits for a call that was never sent", ask, &never);
    stops_are_noted(1);
    assert_int_equal(async_actor_result(&loop, &never), ASYNC_EINVAL);
    stops_are_noted(0);
}

static void a_wait_for_a_call_outside_a_task_is_a_mistake(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 10}};

    (void)state;
    send(&job);
    assert_stops("a wait outside a running task", ask, &job.call);
    (void)run_to(100);
    assert_int_equal(async_actor_result(&loop, &job.call), ASYNC_DONE);
    trace_clear();
}

static void join_it(void *which)
{
    (void)async_gather(&loop, &(struct async_batch){.collect = 0}, which, 1);
}

static void a_calls_task_is_not_gathered(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 10}};

    (void)state;
    send(&job);
    assert_stops("gathers a task", join_it, &job.call.task);
    (void)run_to(100);
    trace_clear();
}

struct narcissus {
    struct async_frame async;
    struct async_actor_call call;
    int status;
};

static async ask_for_oneself(struct async_loop *on, void *frame)
{
    struct narcissus *self = frame;

    async_begin(self);
    async_catch(self->status, async_actor_result(on, &self->call));
    async_end();
}

static void a_method_that_waits_for_its_own_end_is_refused(void **state)
{
    struct narcissus frame = {.status = 0};

    (void)state;
    assert_int_equal(
        async_actor_send(&loop, &actor, &frame.call, ask_for_oneself, &frame),
        0);
    (void)settle();
    assert_int_equal(frame.status, ASYNC_EDEADLK);
}

/* ---- errors ------------------------------------------------------------- */

static void hear(struct async_loop *on, struct async_task *which,
                 async_status error)
{
    (void)which;
    note("unhandled:", async_strerror(error));
    (void)on;
}

static void
the_error_of_a_call_nobody_waits_for_is_handed_out_once(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 10, .error = -EIO}};

    (void)state;
    loop.unhandled = hear;
    send(&job);
    (void)run_to(100);
    assert_int_equal(async_unjoined(&loop), -EIO);
    assert_int_equal(async_unjoined(&loop), 0);

    assert_trace("0 a starts\n"
                 "10 a gives up\n"
                 "100 unhandled: Input/output error\n");
}

static void an_error_that_somebody_waits_for_is_not_unhandled(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 10, .error = -EIO}};
    struct waiter frame = {.name = "waiter", .call = &job.call};

    (void)state;
    send(&job);
    spawn(&task, waiter, &frame);
    (void)run_to(100);

    assert_int_equal(async_unjoined(&loop), 0);
    assert_int_equal(async_task_outcome(&job.call.task), -EIO);
    trace_clear();
}

static void an_error_that_is_asked_for_later_is_not_unhandled(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 10, .error = -EIO}};
    struct waiter frame = {.name = "waiter", .call = &job.call};

    (void)state;
    send(&job);
    (void)run_to(50);
    spawn(&task, waiter, &frame);
    (void)run_to(100);

    assert_int_equal(async_unjoined(&loop), 0);
    assert_trace("0 a starts\n"
                 "10 a gives up\n"
                 "50 waiter Input/output error\n");
}

static void an_error_nobody_asked_for_is_handed_out_when_its_call_is_sent_again(
    void **state)
{
    struct job jobs[2] = {{.work = {.name = "a", .error = -EIO}},
                          {.work = {.name = "b", .ms = 10}}};

    (void)state;
    loop.unhandled = hear;
    actor.max_concurrency = 1;
    send(&jobs[0]);
    (void)run_to(5);
    send(&jobs[1]);
    jobs[0].work = (struct work){.name = "a"};
    send(&jobs[0]); /* and has to wait */
    assert_null(loop.unjoined_);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "0 a gives up\n"
                 "5 unhandled: Input/output error\n"
                 "5 b starts\n"
                 "15 b is done\n"
                 "15 a starts\n"
                 "15 a is done\n");
}

/* ---- a canceled caller ----------------------------------------------------
 */

static void
the_call_of_a_caller_canceled_while_it_waits_never_runs(void **state)
{
    struct job first = {.work = {.name = "a", .ms = 10}};
    struct caller frame = {.work = {.name = "b", .ms = 10}};
    struct job last = {.work = {.name = "c", .ms = 10}};

    (void)state;
    actor.max_concurrency = 1;
    send(&first);
    spawn(&task, caller, &frame);
    (void)run_to(1);
    send(&last);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "1 caller of b: canceled\n"
                 "10 a is done\n"
                 "10 c starts\n"
                 "20 c is done\n");
    assert_int_equal(async_outcome(&frame.work.async), ASYNC_PENDING);
    assert_int_equal(async_task_outcome(&frame.call.task), ASYNC_ECANCELED);
}

static void the_call_of_a_caller_canceled_while_it_runs_is_canceled_and_awaited(
    void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 50, .clean_ms = 7}};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(12);
    assert_int_equal(async_actor_running(&actor), 1);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "17 a gives up\n"
                 "17 caller of a: canceled\n");
}

static void
a_call_that_is_canceled_keeps_its_place_until_it_has_ended(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 50, .clean_ms = 7}};
    struct job next = {.work = {.name = "b"}};

    (void)state;
    actor.max_concurrency = 1;
    spawn(&task, caller, &frame);
    (void)run_to(10);
    send(&next);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "17 a gives up\n"
                 "17 caller of a: canceled\n"
                 "17 b starts\n"
                 "17 b is done\n");
}

static void
a_caller_canceled_before_its_first_step_cancels_its_call(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 50, .clean_ms = 7}};

    (void)state;
    spawn(&task, caller, &frame);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a starts\n" /* up to its first wait */
                 "7 a gives up\n"
                 "7 caller of a: canceled\n");
}

static void
a_caller_canceled_in_the_poll_of_the_send_cancels_its_call(void **state)
{
    struct job first = {.work = {.name = "a", .ms = 10}};
    struct caller frame = {.work = {.name = "b", .ms = 50}};

    (void)state;
    actor.max_concurrency = 1;
    send(&first);
    spawn(&task, caller, &frame);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "0 caller of b: canceled\n"
                 "10 a is done\n");
}

static void ended_and_then_canceled_on_one_tick_is_ended(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 10}, .after_ms = 5};
    struct async_task other = {.fn = NULL};
    struct work canceling = {.ms = 0};

    (void)state;
    spawn(&task, caller, &frame);
    (void)async_poll(&loop, now); /* the method sleeps before the other does */
    spawn(&other, cancel_at_ten, &canceling);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 a is done\n"
                 "10 somebody cancels\n"
                 "10 caller of a: done\n"
                 "10 caller of a, afterwards: canceled\n");
}

static void canceled_and_then_ended_on_one_tick_is_ended_too(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 10}, .after_ms = 5};
    struct async_task other = {.fn = NULL};
    struct work canceling = {.ms = 0};

    (void)state;
    spawn(&other, cancel_at_ten, &canceling);
    spawn(&task, caller, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 somebody cancels\n"
                 "10 a is done\n"
                 "10 caller of a: done\n"
                 "10 caller of a, afterwards: canceled\n");
}

static void
a_cancel_that_landed_before_the_end_on_one_tick_is_not_lost(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 10}, .after_ms = 5};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(9);
    now = 10;
    async_cancel(&loop, &task); /* readies the caller before the method */
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 a is done\n"
                 "10 caller of a: done\n"
                 "10 caller of a, afterwards: canceled\n");
}

static void a_method_that_ignores_the_cancel_leaves_it_to_the_callers_next_wait(
    void **state)
{
    struct caller frame = {
        .work = {.name = "a", .ms = 10}, .fn = stubborn_work, .after_ms = 5};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(5);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "5 a does not mind\n"
                 "15 a is done\n"
                 "15 caller of a: done\n"
                 "15 caller of a, afterwards: canceled\n");
}

static void an_error_after_a_cancel_is_given_and_the_cancel_kept(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 10, .error = -EIO},
                           .fn = stubborn_work,
                           .after_ms = 5};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(5);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "5 a does not mind\n"
                 "15 caller of a: Input/output error\n"
                 "15 caller of a, afterwards: canceled\n");
}

static void a_cancel_that_was_taken_is_not_taken_twice(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 50}, .after_ms = 5};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 a gives up\n"
                 "10 caller of a: canceled\n"
                 "15 caller of a, afterwards: done\n");
}

static void
a_second_cancel_does_not_cut_the_methods_clean_up_short(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 50, .clean_ms = 7},
                           .after_ms = 5};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(12);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "17 a gives up\n"
                 "17 caller of a: canceled\n"
                 "17 caller of a, afterwards: canceled\n"); /* the second */
}

static void a_cancel_does_not_cut_a_call_in_a_finally_section(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 10}, .in_finally = 1};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(5);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 a is done\n"
                 "10 caller of a: done\n");
    assert_int_equal(async_task_outcome(&task), ASYNC_DONE);
}

static void
a_cancel_does_not_drop_a_waiting_call_of_a_finally_section(void **state)
{
    struct job first = {.work = {.name = "a", .ms = 10}};
    struct caller frame = {.work = {.name = "b", .ms = 10}, .in_finally = 1};

    (void)state;
    actor.max_concurrency = 1;
    send(&first);
    spawn(&task, caller, &frame);
    (void)run_to(5);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 a is done\n"
                 "10 b starts\n"
                 "20 b is done\n"
                 "20 caller of b: done\n");
}

static void a_canceled_callers_unwinding_is_not_an_unhandled_error(void **state)
{
    struct job first = {.work = {.name = "a", .ms = 50}};
    struct caller waits = {.work = {.name = "b", .ms = 10}};
    struct async_task other = {.fn = NULL};

    (void)state;
    actor.max_concurrency = 1;
    send(&first);
    spawn(&other, caller, &waits);
    (void)run_to(1);
    async_cancel(&loop, &other);
    (void)run_to(100);

    assert_int_equal(async_unjoined(&loop), 0);
    trace_clear();
}

/* ---- a canceled call ------------------------------------------------------
 */

static void
a_waiting_call_that_is_canceled_ends_at_once_and_never_runs(void **state)
{
    struct job first = {.work = {.name = "a", .ms = 10}};
    struct caller frame = {.work = {.name = "b", .ms = 10}};
    struct job last = {.work = {.name = "c"}};

    (void)state;
    actor.max_concurrency = 1;
    send(&first);
    spawn(&task, caller, &frame);
    (void)run_to(1);
    send(&last);
    async_actor_cancel(&loop, &frame.call);
    assert_int_equal(async_actor_queued(&actor), 1);
    assert_int_equal(async_task_outcome(&frame.call.task), ASYNC_ECANCELED);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "1 caller of b: canceled\n"
                 "10 a is done\n"
                 "10 c starts\n"
                 "10 c is done\n");
}

static void a_running_call_that_is_canceled_cleans_up_first(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 50, .clean_ms = 7},
                           .after_ms = 3};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(10);
    async_actor_cancel(&loop, &frame.call);
    async_actor_cancel(&loop, &frame.call);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "17 a gives up\n"
                 "17 caller of a: canceled\n"
                 "20 caller of a, afterwards: done\n");
}

static void
to_cancel_a_call_that_has_ended_or_was_never_sent_does_nothing(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 10}};

    (void)state;
    async_actor_cancel(&loop, &job.call);
    assert_int_equal(async_task_outcome(&job.call.task), ASYNC_PENDING);
    send(&job);
    (void)run_to(20);
    async_actor_cancel(&loop, &job.call);
    (void)run_to(30);
    assert_int_equal(async_task_outcome(&job.call.task), ASYNC_DONE);
    trace_clear();
}

static void
a_canceled_call_nobody_waits_for_is_unhandled_as_a_task_is(void **state)
{
    struct job jobs[2] = {{.work = {.name = "a", .ms = 10}},
                          {.work = {.name = "b", .ms = 10}}};

    (void)state;
    actor.max_concurrency = 1;
    send(&jobs[0]);
    send(&jobs[1]);
    (void)run_to(5);
    async_actor_cancel(&loop, &jobs[1].call); /* it waits */
    assert_int_equal(async_unjoined(&loop), ASYNC_ECANCELED);
    async_actor_cancel(&loop, &jobs[0].call); /* it runs */
    (void)run_to(6);
    assert_int_equal(async_unjoined(&loop), ASYNC_ECANCELED);
    assert_int_equal(async_unjoined(&loop), 0);
    trace_clear();
}

static void
a_call_canceled_before_its_first_step_runs_up_to_its_first_wait(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 10}};
    struct waiter frame = {.name = "waiter", .call = &job.call};

    (void)state;
    send(&job);
    async_actor_cancel(&loop, &job.call);
    spawn(&task, waiter, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "0 a gives up\n"
                 "0 waiter canceled\n");
}

static void a_canceled_call_that_is_sent_again_runs(void **state)
{
    struct job jobs[2] = {{.work = {.name = "a", .ms = 10}},
                          {.work = {.name = "b", .ms = 10}}};

    (void)state;
    loop.unhandled = hear;
    actor.max_concurrency = 1;
    send(&jobs[0]);
    send(&jobs[1]);
    async_actor_cancel(&loop, &jobs[1].call);
    send(&jobs[1]);
    (void)run_to(100);

    assert_trace("0 unhandled: canceled\n"
                 "0 a starts\n"
                 "10 a is done\n"
                 "10 b starts\n"
                 "20 b is done\n");
}

static void
a_call_that_was_canceled_and_sent_again_can_be_shut_down(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 50}};
    struct waiter frame = {.name = "waiter", .call = &job.call};
    struct closer closing = {.name = "shutdown", .before_ms = 10};
    struct async_task other = {.fn = NULL};

    (void)state;
    send(&job);
    async_actor_cancel(&loop, &job.call);
    spawn(&task, waiter, &frame);
    (void)run_to(5);
    job.work = (struct work){.name = "b", .ms = 50};
    send(&job);
    frame.async = (struct async_frame){0};
    spawn(&task, waiter, &frame);
    spawn(&other, closer, &closing);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "0 a gives up\n"
                 "0 waiter canceled\n"
                 "5 b starts\n"
                 "15 b gives up\n"
                 "15 waiter closed\n"
                 "15 shutdown done\n");
}

/* ---- timeouts ----------------------------------------------------------- */

static void a_call_that_waits_too_long_never_runs(void **state)
{
    struct job first = {.work = {.name = "a", .ms = 10}};
    struct caller frame = {
        .work = {.name = "b", .ms = 10}, .limit_ms = 5, .after_ms = 20};

    (void)state;
    actor.max_concurrency = 1;
    send(&first);
    spawn(&task, caller, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "5 caller of b: timed out\n"
                 "10 a is done\n"
                 "25 caller of b, afterwards: done\n");
}

static void a_call_that_runs_too_long_is_canceled_and_awaited(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 10, .clean_ms = 7},
                           .limit_ms = 5,
                           .after_ms = 20};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "12 a gives up\n"
                 "12 caller of a: timed out\n"
                 "32 caller of a, afterwards: done\n");
}

static void ended_and_timed_out_on_one_tick_is_ended(void **state)
{
    struct caller frame = {
        .work = {.name = "a", .ms = 10}, .limit_ms = 10, .after_ms = 5};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 a is done\n"
                 "10 caller of a: done\n"
                 "15 caller of a, afterwards: done\n");
}

static void timed_out_and_ended_on_one_late_tick_is_ended_too(void **state)
{
    struct caller frame = {
        .work = {.name = "a", .ms = 10}, .limit_ms = 5, .after_ms = 5};

    (void)state;
    spawn(&task, caller, &frame);
    leap_to(0);
    leap_to(10);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 a is done\n"
                 "10 caller of a: done\n"
                 "15 caller of a, afterwards: done\n");
}

static void
a_method_that_ignores_the_timeout_leaves_no_cancel_behind(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 10},
                           .fn = stubborn_work,
                           .limit_ms = 5,
                           .after_ms = 5};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "5 a does not mind\n"
                 "15 a is done\n"
                 "15 caller of a: done\n"
                 "20 caller of a, afterwards: done\n");
}

static void timed_out_and_canceled_is_timed_out_and_then_canceled(void **state)
{
    struct caller frame = {
        .work = {.name = "a", .ms = 10}, .limit_ms = 5, .after_ms = 5};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(4);
    now = 5;
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "5 a gives up\n"
                 "5 caller of a: timed out\n"
                 "5 caller of a, afterwards: canceled\n");
}

static void
timed_out_and_canceled_and_ignored_is_the_result_and_canceled_once(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 10},
                           .fn = stubborn_work,
                           .limit_ms = 5,
                           .after_ms = 5};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(4);
    now = 5;
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "5 a does not mind\n"
                 "15 a is done\n"
                 "15 caller of a: done\n"
                 "15 caller of a, afterwards: canceled\n");
}

static void
a_deadline_while_a_canceled_call_cleans_up_changes_nothing(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 50, .clean_ms = 10},
                           .limit_ms = 15,
                           .after_ms = 5};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "20 a gives up\n"
                 "20 caller of a: canceled\n"
                 "25 caller of a, afterwards: done\n");
}

static async limit_to_nothing(struct async_loop *on, void *frame)
{
    struct caller *self = frame;
    int status;

    async_begin(self);
    async_catch(status, async_timeout(on, &self->timer, 0, call(on, self)));
    note("caller:", async_strerror(status));
    async_end();
}

static void a_timeout_of_0_ms_cancels_a_call_that_was_just_sent(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 10}};

    (void)state;
    spawn(&task, limit_to_nothing, &frame);
    (void)settle();

    assert_trace("0 a starts\n"
                 "0 a gives up\n"
                 "0 caller: timed out\n");
}

static void a_timeout_of_0_ms_leaves_a_call_that_is_refused_alone(void **state)
{
    struct closer closing = {.name = "shutdown"};
    struct caller frame = {.work = {.name = "a", .ms = 10}};
    struct async_task other = {.fn = NULL};

    (void)state;
    spawn(&other, closer, &closing);
    (void)settle();
    spawn(&task, limit_to_nothing, &frame);
    (void)settle();

    assert_trace("0 shutdown done\n"
                 "0 caller: closed\n");
}

/* ---- the limit ---------------------------------------------------------- */

static void a_raised_limit_starts_calls_that_wait(void **state)
{
    struct job jobs[4] = {{.work = {.name = "a", .ms = 10}},
                          {.work = {.name = "b", .ms = 10}},
                          {.work = {.name = "c", .ms = 10}},
                          {.work = {.name = "d", .ms = 10}}};
    size_t i;

    (void)state;
    actor.max_concurrency = 1;
    for (i = 0; i < 4; i++)
        send(&jobs[i]);
    (void)run_to(5);
    async_actor_limit(&loop, &actor, 3);
    assert_int_equal(async_actor_running(&actor), 3);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "5 b starts\n"
                 "5 c starts\n"
                 "10 a is done\n"
                 "10 d starts\n"
                 "15 b is done\n"
                 "15 c is done\n"
                 "20 d is done\n");
}

static void a_lowered_limit_cuts_nobody_short(void **state)
{
    struct job jobs[5] = {{.work = {.name = "a", .ms = 10}},
                          {.work = {.name = "b", .ms = 20}},
                          {.work = {.name = "c", .ms = 30}},
                          {.work = {.name = "d", .ms = 5}},
                          {.work = {.name = "e", .ms = 5}}};
    size_t i;

    (void)state;
    actor.max_concurrency = 3;
    for (i = 0; i < 5; i++)
        send(&jobs[i]);
    (void)run_to(5);
    async_actor_limit(&loop, &actor, 1);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "0 b starts\n"
                 "0 c starts\n"
                 "10 a is done\n"
                 "20 b is done\n"
                 "30 c is done\n"
                 "30 d starts\n"
                 "35 d is done\n"
                 "35 e starts\n"
                 "40 e is done\n");
}

static void a_limit_of_0_is_a_thousand_again(void **state)
{
    struct job jobs[3] = {{.work = {.name = "a"}},
                          {.work = {.name = "b"}},
                          {.work = {.name = "c"}}};
    size_t i;

    (void)state;
    actor.max_concurrency = 1;
    for (i = 0; i < 3; i++)
        send(&jobs[i]);
    async_actor_limit(&loop, &actor, 0);
    assert_int_equal(async_actor_running(&actor), 3);
    (void)settle();
    trace_clear();
}

static void a_raised_limit_lets_a_draining_actor_end_sooner(void **state)
{
    struct job jobs[2] = {{.work = {.name = "a", .ms = 10}},
                          {.work = {.name = "b", .ms = 10}}};
    struct closer frame = {.name = "drain", .drains = 1};

    (void)state;
    actor.max_concurrency = 1;
    send(&jobs[0]);
    send(&jobs[1]);
    spawn(&task, closer, &frame);
    (void)run_to(5);
    async_actor_limit(&loop, &actor, 2);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "5 b starts\n"
                 "10 a is done\n"
                 "15 b is done\n"
                 "15 drain done\n");
}

/* ---- methods that call -------------------------------------------------- */

/* A method that calls another one of the same actor. */
struct nesting {
    struct async_frame async;
    struct async_actor *target;
    struct async_actor_call call;
    struct work work;
    int status;
};

static async nest(struct async_loop *on, void *frame)
{
    struct nesting *self = frame;

    async_begin(self);
    note("outer", "starts");
    async_catch(self->status, async_actor_call(on, self->target, &self->call,
                                               work, &self->work));
    note("outer:", async_strerror(self->status));
    async_end();
}

static void a_method_may_call_another_while_there_is_room(void **state)
{
    struct async_actor_call outer = {.cut_ = 0};
    struct nesting frame = {.target = &actor,
                            .work = {.name = "inner", .ms = 10}};

    (void)state;
    actor.max_concurrency = 2;
    assert_int_equal(async_actor_send(&loop, &actor, &outer, nest, &frame), 0);
    (void)run_to(100);

    assert_trace("0 outer starts\n"
                 "0 inner starts\n"
                 "10 inner is done\n"
                 "10 outer: done\n");
}

static void
a_method_that_calls_another_one_at_a_time_is_seen_to_be_stuck(void **state)
{
    struct async_actor_call outer = {.cut_ = 0};
    struct nesting frame = {.target = &actor,
                            .work = {.name = "inner", .ms = 10}};

    (void)state;
    actor.max_concurrency = 1;
    assert_int_equal(async_actor_send(&loop, &actor, &outer, nest, &frame), 0);
    assert_false(async_stuck(&loop));
    assert_int_equal(run_to(50), ASYNC_FOREVER);
    assert_true(async_stuck(&loop));
    async_actor_limit(&loop, &actor, 2); /* which helps */
    (void)run_to(100);

    assert_trace("0 outer starts\n"
                 "50 inner starts\n"
                 "60 inner is done\n"
                 "60 outer: done\n");
}

static void
a_method_that_is_stuck_on_its_own_actor_can_be_canceled(void **state)
{
    struct async_actor_call outer = {.cut_ = 0};
    struct nesting frame = {.target = &actor,
                            .work = {.name = "inner", .ms = 10}};

    (void)state;
    actor.max_concurrency = 1;
    assert_int_equal(async_actor_send(&loop, &actor, &outer, nest, &frame), 0);
    (void)run_to(50);
    async_actor_cancel(&loop, &outer);
    (void)run_to(100);

    assert_trace("0 outer starts\n"
                 "50 outer: canceled\n");
}

struct plain {
    struct async_frame async;
    struct work work;
};

static async nest_plainly(struct async_loop *on, void *frame)
{
    struct plain *self = frame;

    async_begin(self);
    note("outer", "starts");
    await(work(on, &self->work));
    note("outer", "is done");
    async_end();
}

static void a_method_may_await_another_as_a_plain_function(void **state)
{
    struct async_actor_call outer = {.cut_ = 0};
    struct plain frame = {.work = {.name = "inner", .ms = 10}};

    (void)state;
    actor.max_concurrency = 1;
    assert_int_equal(
        async_actor_send(&loop, &actor, &outer, nest_plainly, &frame), 0);
    (void)run_to(100);

    assert_trace("0 outer starts\n"
                 "0 inner starts\n"
                 "10 inner is done\n"
                 "10 outer is done\n");
}

static void actors_may_call_each_other(void **state)
{
    struct async_actor other = {.max_concurrency = 1};
    struct async_actor_call calls[2] = {{.cut_ = 0}};
    struct nesting frames[2] = {
        {.target = &other, .work = {.name = "x", .ms = 10}},
        {.target = &other, .work = {.name = "y", .ms = 10}}};
    size_t i;

    (void)state;
    for (i = 0; i < 2; i++)
        assert_int_equal(
            async_actor_send(&loop, &actor, &calls[i], nest, &frames[i]), 0);
    (void)run_to(100);

    assert_trace("0 outer starts\n"
                 "0 outer starts\n"
                 "0 x starts\n"
                 "10 x is done\n"
                 "10 outer: done\n"
                 "10 y starts\n"
                 "20 y is done\n"
                 "20 outer: done\n");
}

static void a_cancel_goes_through_actors_that_call_each_other(void **state)
{
    struct async_actor other = {.max_concurrency = 1};
    struct async_actor_call outer = {.cut_ = 0};
    struct nesting frame = {.target = &other,
                            .work = {.name = "x", .ms = 10, .clean_ms = 7}};

    (void)state;
    assert_int_equal(async_actor_send(&loop, &actor, &outer, nest, &frame), 0);
    (void)run_to(5);
    async_actor_cancel(&loop, &outer);
    (void)run_to(100);

    assert_trace("0 outer starts\n"
                 "0 x starts\n"
                 "12 x gives up\n"
                 "12 outer: canceled\n");
}

/* ---- shutdown ----------------------------------------------------------- */

static void shutdown_cancels_what_runs_and_what_waits_never_runs(void **state)
{
    struct async_task tasks[3] = {{.fn = NULL}};
    struct caller frames[3] = {{.work = {.name = "a", .ms = 50, .clean_ms = 7}},
                               {.work = {.name = "b", .ms = 50, .clean_ms = 3}},
                               {.work = {.name = "c", .ms = 50}}};
    struct closer frame = {.name = "shutdown", .before_ms = 10};
    size_t i;

    (void)state;
    actor.max_concurrency = 2;
    for (i = 0; i < 3; i++)
        spawn(&tasks[i], caller, &frames[i]);
    spawn(&task, closer, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "0 b starts\n"
                 "10 caller of c: closed\n"
                 "13 b gives up\n"
                 "13 caller of b: closed\n"
                 "17 a gives up\n"
                 "17 caller of a: closed\n"
                 "17 shutdown done\n");
    assert_int_equal(async_outcome(&frames[0].work.async), ASYNC_ECANCELED);
    assert_int_equal(async_task_outcome(&frames[0].call.task), ASYNC_ECLOSED);
    assert_int_equal(async_outcome(&frames[2].work.async), ASYNC_PENDING);
    assert_int_equal(async_task_outcome(&frames[2].call.task), ASYNC_ECLOSED);
}

static void calls_are_canceled_in_the_order_they_started(void **state)
{
    struct job jobs[3] = {{.work = {.name = "a", .ms = 50}},
                          {.work = {.name = "b", .ms = 50}},
                          {.work = {.name = "c", .ms = 50}}};
    struct closer frame = {.name = "shutdown", .before_ms = 10};
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++)
        send(&jobs[i]);
    spawn(&task, closer, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "0 b starts\n"
                 "0 c starts\n"
                 "10 a gives up\n"
                 "10 b gives up\n"
                 "10 c gives up\n"
                 "10 shutdown done\n");
}

static void a_shut_actor_takes_no_calls(void **state)
{
    struct closer frame = {.name = "shutdown"};
    struct caller late = {.work = {.name = "a"}};
    struct job job = {.work = {.name = "b"}};

    (void)state;
    spawn(&task, closer, &frame);
    (void)settle();
    assert_int_equal(
        async_actor_send(&loop, &actor, &job.call, work, &job.work),
        ASYNC_ECLOSED);
    assert_int_equal(async_task_outcome(&job.call.task), ASYNC_PENDING);
    spawn(&task, caller, &late);
    (void)settle();

    assert_trace("0 shutdown done\n"
                 "0 caller of a: closed\n");
}

static void an_actor_that_is_shutting_down_takes_no_calls(void **state)
{
    struct job first = {.work = {.name = "a", .ms = 50, .clean_ms = 10}};
    struct closer frame = {.name = "shutdown"};
    struct caller late = {.work = {.name = "b"}};
    struct async_task other = {.fn = NULL};

    (void)state;
    send(&first);
    spawn(&task, closer, &frame);
    (void)run_to(5);
    spawn(&other, caller, &late);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "5 caller of b: closed\n"
                 "10 a gives up\n"
                 "10 shutdown done\n");
}

static void a_call_refused_leaves_the_error_of_its_last_one(void **state)
{
    struct job job = {.work = {.name = "a", .error = -EIO}};
    struct closer frame = {.name = "shutdown"};

    (void)state;
    send(&job);
    (void)settle();
    spawn(&task, closer, &frame);
    (void)settle();
    assert_int_equal(
        async_actor_send(&loop, &actor, &job.call, work, &job.work),
        ASYNC_ECLOSED);
    assert_int_equal(async_task_outcome(&job.call.task), -EIO);
    assert_int_equal(async_unjoined(&loop), -EIO);
    trace_clear();
}

static void
calls_that_a_shutdown_cut_short_are_no_unhandled_errors(void **state)
{
    struct job jobs[2] = {{.work = {.name = "a", .ms = 50}},
                          {.work = {.name = "b", .ms = 50}}};
    struct closer frame = {.name = "shutdown", .before_ms = 10};

    (void)state;
    actor.max_concurrency = 1;
    send(&jobs[0]);
    send(&jobs[1]);
    spawn(&task, closer, &frame);
    (void)run_to(100);

    assert_int_equal(async_unjoined(&loop), 0);
    trace_clear();
}

static void a_method_that_fails_in_a_shutdown_has_its_error(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 10, .error = -EIO},
                           .fn = stubborn_work};
    struct closer closing = {.name = "shutdown", .before_ms = 5};
    struct async_task other = {.fn = NULL};

    (void)state;
    spawn(&task, caller, &frame);
    spawn(&other, closer, &closing);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "5 a does not mind\n"
                 "15 caller of a: Input/output error\n"
                 "15 shutdown done\n");
}

static void
an_error_in_a_shutdown_that_nobody_waits_for_is_unhandled(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 10, .error = -EIO}};
    struct closer frame = {.name = "shutdown", .before_ms = 5};

    (void)state;
    send(&job);
    job.call.task.fn = stubborn_work;
    spawn(&task, closer, &frame);
    (void)run_to(100);

    assert_int_equal(async_unjoined(&loop), -EIO);
    trace_clear();
}

static void ended_and_shut_down_on_one_tick_is_ended(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 10}};
    struct closer closing = {.name = "shutdown", .before_ms = 10};
    struct async_task other = {.fn = NULL};

    (void)state;
    spawn(&other, closer, &closing); /* it is the first to run at 10 */
    spawn(&task, caller, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 a is done\n"
                 "10 caller of a: done\n"
                 "10 shutdown done\n");
}

static void
a_canceled_caller_is_told_canceled_if_a_shutdown_follows(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 50, .clean_ms = 10},
                           .after_ms = 5};
    struct closer closing = {.name = "shutdown", .before_ms = 12};
    struct async_task other = {.fn = NULL};

    (void)state;
    spawn(&task, caller, &frame);
    spawn(&other, closer, &closing);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "20 a gives up\n"
                 "20 caller of a: canceled\n"
                 "20 shutdown done\n"
                 "25 caller of a, afterwards: done\n");
}

static void
a_caller_canceled_during_a_shutdown_is_told_closed_then_canceled(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 50, .clean_ms = 10},
                           .after_ms = 5};
    struct closer closing = {.name = "shutdown", .before_ms = 10};
    struct async_task other = {.fn = NULL};

    (void)state;
    spawn(&task, caller, &frame);
    spawn(&other, closer, &closing);
    (void)run_to(12);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "20 a gives up\n"
                 "20 caller of a: closed\n"
                 "20 caller of a, afterwards: canceled\n"
                 "20 shutdown done\n");
}

static void a_second_shutdown_waits_as_the_first_does(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 50, .clean_ms = 10}};
    struct closer one = {.name = "one", .before_ms = 10};
    struct closer two = {.name = "two", .before_ms = 12, .times = 1};
    struct async_task other = {.fn = NULL};

    (void)state;
    send(&job);
    spawn(&task, closer, &one);
    spawn(&other, closer, &two);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "20 a gives up\n"
                 "20 one done\n"
                 "20 two done\n"
                 "20 two done\n"); /* and once more, when nothing runs */
}

static void a_second_shutdown_cuts_no_clean_up_short(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 50, .clean_ms = 10}};
    struct closer closing = {
        .name = "shutdown", .before_ms = 5, .limit_ms = 2, .times = 1};
    struct async_task other = {.fn = NULL};

    (void)state;
    spawn(&task, caller, &frame);
    spawn(&other, closer, &closing);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "7 shutdown timed out\n"
                 "9 shutdown timed out\n"
                 "15 a gives up\n"
                 "15 caller of a: closed\n");
}

static void
a_canceled_shutdown_stays_shut_and_can_be_awaited_again(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 50, .clean_ms = 10}};
    struct closer frame = {.name = "shutdown", .before_ms = 10, .times = 1};

    (void)state;
    send(&job);
    spawn(&task, closer, &frame);
    (void)run_to(12);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "12 shutdown canceled\n"
                 "20 a gives up\n"
                 "20 shutdown done\n");
}

static void a_shutdown_canceled_in_the_poll_it_is_over_in_is_over(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 10}};
    struct closer frame = {.name = "drain", .drains = 1};
    struct async_task other = {.fn = NULL};
    struct work canceling = {.ms = 0};

    (void)state;
    send(&job);
    spawn(&task, closer, &frame);
    (void)async_poll(&loop, now);
    spawn(&other, cancel_at_ten, &canceling);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 a is done\n"
                 "10 somebody cancels\n"
                 "10 drain done\n");
}

struct owner {
    struct async_frame async;
    int status;
};

static async own(struct async_loop *on, void *frame)
{
    struct owner *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, 10));
    async_finally();
    async_catch(self->status, async_actor_shutdown(on, &actor));
    note("owner:", async_strerror(self->status));
    async_end();
}

static void a_shutdown_in_a_finally_section_is_not_cut_short(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 50, .clean_ms = 10}};
    struct owner frame = {.status = 0};

    (void)state;
    send(&job);
    spawn(&task, own, &frame);
    (void)run_to(5);
    async_cancel(&loop, &task);
    (void)run_to(7);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "15 a gives up\n"
                 "15 owner: done\n");
    async_claim_(&loop, &task);
}

static void a_shutdown_asks_each_method_only_once(void **state)
{
    struct caller frame = {.work = {.name = "a", .ms = 10},
                           .fn = stubborn_work};
    struct owner owner = {.status = 0};
    struct async_task other = {.fn = NULL};

    (void)state;
    spawn(&other, caller, &frame);
    spawn(&task, own, &owner);
    (void)run_to(5);
    async_cancel(&loop, &task);
    (void)run_to(7);
    async_cancel(&loop, &task); /* steps the owner, who goes on waiting */
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "5 a does not mind\n"
                 "15 a is done\n"
                 "15 caller of a: done\n"
                 "15 owner: done\n");
    async_claim_(&loop, &task);
}

/* Opens the actor again, and has it work. */
struct opener {
    struct async_frame async;
    struct job job;
};

static async reopen(struct async_loop *on, void *frame)
{
    static const struct async_actor zero;
    struct opener *self = frame;

    async_begin(self);
    await(async_actor_shutdown(on, &actor));
    actor = zero;
    send(&self->job);
    async_end();
}

static void
the_first_of_two_who_shut_an_actor_down_may_assign_it_anew(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 50}};
    struct opener opening = {.job = {.work = {.name = "b", .ms = 20}}};
    struct closer frame = {.name = "shutdown"};
    struct async_task other = {.fn = NULL};

    (void)state;
    send(&job);
    spawn(&other, reopen, &opening);
    spawn(&task, closer, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "0 a gives up\n"
                 "0 shutdown done\n"
                 "0 b starts\n"
                 "20 b is done\n");
}

static void a_method_that_shuts_its_own_actor_down_is_refused(void **state)
{
    struct closer frame = {.name = "method"};
    struct closer drain = {.name = "method", .drains = 1, .before_ms = 1};
    struct async_actor_call calls[2] = {{.cut_ = 0}};
    struct job other = {.work = {.name = "a", .ms = 10}};

    (void)state;
    send(&other);
    assert_int_equal(async_actor_send(&loop, &actor, &calls[0], closer, &frame),
                     0);
    assert_int_equal(async_actor_send(&loop, &actor, &calls[1], closer, &drain),
                     0);
    (void)run_to(5);
    assert_false(actor.is_closed_);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "0 method would wait for itself\n"
                 "1 method would wait for itself\n"
                 "10 a is done\n");
}

/* Calls a method of another actor, which shuts the first one down. */
struct circle {
    struct async_frame async;
    struct async_actor_call call;
    struct closer closer;
    struct async_actor *other;
    int status;
};

static async circle(struct async_loop *on, void *frame)
{
    struct circle *self = frame;

    async_begin(self);
    async_catch(self->status, async_actor_call(on, self->other, &self->call,
                                               closer, &self->closer));
    note("circle:", async_strerror(self->status));
    async_end();
}

static void a_shutdown_by_way_of_another_actor_unwinds_the_circle(void **state)
{
    struct async_actor other = {.max_concurrency = 0};
    struct async_actor_call outer = {.cut_ = 0};
    struct circle frame = {.other = &other,
                           .closer = {.name = "shutdown", .before_ms = 10}};

    (void)state;
    assert_int_equal(async_actor_send(&loop, &actor, &outer, circle, &frame),
                     0);
    (void)run_to(100);

    assert_trace("10 shutdown canceled\n" /* by the method it has canceled */
                 "10 circle: done\n");
    assert_int_equal(async_alive(&loop), 0);
}

static void shutdown_of_an_idle_actor_does_not_wait(void **state)
{
    struct closer frame = {.name = "shutdown"};

    (void)state;
    spawn(&task, closer, &frame);
    (void)async_poll(&loop, 0);
    (void)async_poll(&loop, 0);

    assert_trace("0 shutdown done\n");
}

static void a_shut_actor_that_is_assigned_anew_is_open(void **state)
{
    struct closer frame = {.name = "shutdown"};
    struct caller late = {.work = {.name = "a"}};

    (void)state;
    spawn(&task, closer, &frame);
    (void)settle();
    actor = (struct async_actor){.max_concurrency = 1};
    spawn(&task, caller, &late);
    (void)settle();

    assert_trace("0 shutdown done\n"
                 "0 a starts\n"
                 "0 a is done\n"
                 "0 caller of a: done\n");
}

static void an_actor_that_nothing_runs_on_is_all_zero_again(void **state)
{
    static const struct async_actor zero;
    struct job jobs[3] = {{.work = {.name = "a", .ms = 10}},
                          {.work = {.name = "b", .ms = 20}},
                          {.work = {.name = "c", .ms = 5}}};
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++)
        send(&jobs[i]);
    (void)run_to(100);

    assert_memory_equal(&actor, &zero, sizeof actor);
    trace_clear();
}

/* ---- drain -------------------------------------------------------------- */

static void drain_lets_all_calls_end_and_takes_no_more(void **state)
{
    struct job jobs[2] = {{.work = {.name = "a", .ms = 10}},
                          {.work = {.name = "b", .ms = 10}}};
    struct closer frame = {.name = "drain", .drains = 1};
    struct caller late = {.work = {.name = "c"}};
    struct async_task other = {.fn = NULL};

    (void)state;
    actor.max_concurrency = 1;
    send(&jobs[0]);
    send(&jobs[1]);
    spawn(&task, closer, &frame);
    (void)run_to(5);
    spawn(&other, caller, &late);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "5 caller of c: closed\n"
                 "10 a is done\n"
                 "10 b starts\n"
                 "20 b is done\n"
                 "20 drain done\n");
}

static void a_shutdown_ends_a_drain_sooner(void **state)
{
    struct job jobs[2] = {{.work = {.name = "a", .ms = 50, .clean_ms = 5}},
                          {.work = {.name = "b", .ms = 50}}};
    struct closer drain = {.name = "drain", .drains = 1};
    struct closer frame = {.name = "shutdown", .before_ms = 10};
    struct async_task other = {.fn = NULL};

    (void)state;
    actor.max_concurrency = 1;
    send(&jobs[0]);
    send(&jobs[1]);
    spawn(&task, closer, &drain);
    spawn(&other, closer, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "15 a gives up\n"
                 "15 drain done\n"
                 "15 shutdown done\n");
}

static void a_canceled_drain_leaves_the_calls_alone(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 20}};
    struct closer frame = {.name = "drain", .drains = 1, .times = 1};

    (void)state;
    send(&job);
    spawn(&task, closer, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 drain canceled\n"
                 "20 a is done\n"
                 "20 drain done\n");
}

static void a_drain_may_be_timed_out_and_followed_by_a_shutdown(void **state)
{
    struct job job = {.work = {.name = "a", .ms = 50}};
    struct closer frame = {.name = "drain", .drains = 1, .limit_ms = 10};
    struct closer shut = {.name = "shutdown", .before_ms = 10};
    struct async_task other = {.fn = NULL};

    (void)state;
    send(&job);
    spawn(&task, closer, &frame);
    spawn(&other, closer, &shut);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 drain timed out\n"
                 "10 a gives up\n"
                 "10 shutdown done\n");
}

static void a_drain_ends_when_the_last_waiting_call_is_canceled(void **state)
{
    struct job jobs[2] = {{.work = {.name = "a", .ms = 10}},
                          {.work = {.name = "b", .ms = 50}}};
    struct closer frame = {.name = "drain", .drains = 1};

    (void)state;
    actor.max_concurrency = 1;
    send(&jobs[0]);
    send(&jobs[1]);
    spawn(&task, closer, &frame);
    (void)run_to(5);
    async_actor_cancel(&loop, &jobs[1].call);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 a is done\n"
                 "10 drain done\n");
    assert_int_equal(async_unjoined(&loop), ASYNC_ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        actor_claim(a_call_runs_the_method_and_gives_its_result),
        actor_claim(a_call_gives_the_methods_error),
        actor_claim(a_method_without_a_wait_and_a_frame_can_be_called),
        actor_claim(a_sent_call_starts_with_the_next_poll),
        actor_claim(a_call_sent_from_outside_tells_the_host),
        actor_claim(fifty_calls_start_at_once_and_end_at_the_same_time),
        actor_claim(
            of_fifty_calls_with_a_limit_of_ten_the_next_ten_run_when_ten_ended),
        actor_claim(a_thousand_calls_run_at_once_by_default_and_no_more),
        actor_claim(calls_start_in_the_order_they_were_sent),
        actor_claim(callers_get_their_turns_in_the_order_they_came),
        actor_claim(who_comes_when_a_place_is_free_and_calls_wait_waits_too),
        actor_claim(one_at_a_time_a_method_has_the_state_to_itself),
        actor_claim(several_at_a_time_methods_meet_each_other_at_their_awaits),
        actor_claim(two_actors_do_not_wait_for_each_other),
        actor_claim(the_result_of_a_call_that_has_ended_is_not_waited_for),
        actor_claim(a_result_can_be_asked_for_twice),
        actor_claim(all_who_wait_for_a_call_are_let_go_in_the_order_they_came),
        actor_claim(a_call_is_waited_for_from_before_it_starts),
        actor_claim(the_first_of_two_who_wait_may_fill_the_calls_storage),
        actor_claim(a_canceled_waiter_leaves_the_call_and_the_others_alone),
        actor_claim(a_waiter_canceled_in_the_poll_of_the_end_has_the_result),
        actor_claim(a_waiter_that_times_out_leaves_the_call_alone),
        actor_claim(a_call_serves_one_call_after_the_other),
        actor_claim(a_call_that_ended_may_be_sent_to_another_actor),
        actor_claim(a_call_sent_twice_is_caught),
        actor_claim(
            without_assertions_a_call_sent_twice_is_refused_and_goes_on),
        actor_claim(the_result_of_a_call_that_was_never_sent_is_a_mistake),
        actor_claim(a_wait_for_a_call_outside_a_task_is_a_mistake),
        actor_claim(a_calls_task_is_not_gathered),
        actor_claim(a_method_that_waits_for_its_own_end_is_refused),
        actor_claim(the_error_of_a_call_nobody_waits_for_is_handed_out_once),
        actor_claim(an_error_that_somebody_waits_for_is_not_unhandled),
        actor_claim(an_error_that_is_asked_for_later_is_not_unhandled),
        actor_claim(
            an_error_nobody_asked_for_is_handed_out_when_its_call_is_sent_again),
        actor_claim(the_call_of_a_caller_canceled_while_it_waits_never_runs),
        actor_claim(
            the_call_of_a_caller_canceled_while_it_runs_is_canceled_and_awaited),
        actor_claim(a_call_that_is_canceled_keeps_its_place_until_it_has_ended),
        actor_claim(a_caller_canceled_before_its_first_step_cancels_its_call),
        actor_claim(a_caller_canceled_in_the_poll_of_the_send_cancels_its_call),
        actor_claim(ended_and_then_canceled_on_one_tick_is_ended),
        actor_claim(canceled_and_then_ended_on_one_tick_is_ended_too),
        actor_claim(
            a_cancel_that_landed_before_the_end_on_one_tick_is_not_lost),
        actor_claim(
            a_method_that_ignores_the_cancel_leaves_it_to_the_callers_next_wait),
        actor_claim(an_error_after_a_cancel_is_given_and_the_cancel_kept),
        actor_claim(a_cancel_that_was_taken_is_not_taken_twice),
        actor_claim(a_second_cancel_does_not_cut_the_methods_clean_up_short),
        actor_claim(a_cancel_does_not_cut_a_call_in_a_finally_section),
        actor_claim(a_cancel_does_not_drop_a_waiting_call_of_a_finally_section),
        actor_claim(a_canceled_callers_unwinding_is_not_an_unhandled_error),
        actor_claim(
            a_waiting_call_that_is_canceled_ends_at_once_and_never_runs),
        actor_claim(a_running_call_that_is_canceled_cleans_up_first),
        actor_claim(
            to_cancel_a_call_that_has_ended_or_was_never_sent_does_nothing),
        actor_claim(a_canceled_call_nobody_waits_for_is_unhandled_as_a_task_is),
        actor_claim(
            a_call_canceled_before_its_first_step_runs_up_to_its_first_wait),
        actor_claim(a_canceled_call_that_is_sent_again_runs),
        actor_claim(a_call_that_was_canceled_and_sent_again_can_be_shut_down),
        actor_claim(a_call_that_waits_too_long_never_runs),
        actor_claim(a_call_that_runs_too_long_is_canceled_and_awaited),
        actor_claim(ended_and_timed_out_on_one_tick_is_ended),
        actor_claim(timed_out_and_ended_on_one_late_tick_is_ended_too),
        actor_claim(a_method_that_ignores_the_timeout_leaves_no_cancel_behind),
        actor_claim(timed_out_and_canceled_is_timed_out_and_then_canceled),
        actor_claim(
            timed_out_and_canceled_and_ignored_is_the_result_and_canceled_once),
        actor_claim(a_deadline_while_a_canceled_call_cleans_up_changes_nothing),
        actor_claim(a_timeout_of_0_ms_cancels_a_call_that_was_just_sent),
        actor_claim(a_timeout_of_0_ms_leaves_a_call_that_is_refused_alone),
        actor_claim(a_raised_limit_starts_calls_that_wait),
        actor_claim(a_lowered_limit_cuts_nobody_short),
        actor_claim(a_limit_of_0_is_a_thousand_again),
        actor_claim(a_raised_limit_lets_a_draining_actor_end_sooner),
        actor_claim(a_method_may_call_another_while_there_is_room),
        actor_claim(
            a_method_that_calls_another_one_at_a_time_is_seen_to_be_stuck),
        actor_claim(a_method_that_is_stuck_on_its_own_actor_can_be_canceled),
        actor_claim(a_method_may_await_another_as_a_plain_function),
        actor_claim(actors_may_call_each_other),
        actor_claim(a_cancel_goes_through_actors_that_call_each_other),
        actor_claim(shutdown_cancels_what_runs_and_what_waits_never_runs),
        actor_claim(calls_are_canceled_in_the_order_they_started),
        actor_claim(a_shut_actor_takes_no_calls),
        actor_claim(an_actor_that_is_shutting_down_takes_no_calls),
        actor_claim(a_call_refused_leaves_the_error_of_its_last_one),
        actor_claim(calls_that_a_shutdown_cut_short_are_no_unhandled_errors),
        actor_claim(a_method_that_fails_in_a_shutdown_has_its_error),
        actor_claim(an_error_in_a_shutdown_that_nobody_waits_for_is_unhandled),
        actor_claim(ended_and_shut_down_on_one_tick_is_ended),
        actor_claim(a_canceled_caller_is_told_canceled_if_a_shutdown_follows),
        actor_claim(
            a_caller_canceled_during_a_shutdown_is_told_closed_then_canceled),
        actor_claim(a_second_shutdown_waits_as_the_first_does),
        actor_claim(a_second_shutdown_cuts_no_clean_up_short),
        actor_claim(a_canceled_shutdown_stays_shut_and_can_be_awaited_again),
        actor_claim(a_shutdown_canceled_in_the_poll_it_is_over_in_is_over),
        actor_claim(a_shutdown_in_a_finally_section_is_not_cut_short),
        actor_claim(a_shutdown_asks_each_method_only_once),
        actor_claim(the_first_of_two_who_shut_an_actor_down_may_assign_it_anew),
        actor_claim(a_method_that_shuts_its_own_actor_down_is_refused),
        actor_claim(a_shutdown_by_way_of_another_actor_unwinds_the_circle),
        actor_claim(shutdown_of_an_idle_actor_does_not_wait),
        actor_claim(a_shut_actor_that_is_assigned_anew_is_open),
        actor_claim(an_actor_that_nothing_runs_on_is_all_zero_again),
        actor_claim(drain_lets_all_calls_end_and_takes_no_more),
        actor_claim(a_shutdown_ends_a_drain_sooner),
        actor_claim(a_canceled_drain_leaves_the_calls_alone),
        actor_claim(a_drain_may_be_timed_out_and_followed_by_a_shutdown),
        actor_claim(a_drain_ends_when_the_last_waiting_call_is_canceled),
    };

    return cmocka_run_group_tests_name("async_actor.h", tests, NULL, NULL);
}
