/* test_asyncio.c: what asyncio's own tests ask of tasks, sleeps, cancels and
 * runs, and the other tests here do not.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_asyncio.c -lcmocka
 */
#include "trace.h"

#include "timeline.h"

#include <errno.h>
#include <signal.h>

/* ---- the cast ----------------------------------------------------------- */

/* Sleeps; if that is canceled it goes on as it is told. */
struct sleeper {
    struct async_frame async;
    const char *name;
    uint32_t ms, then_ms;
    enum { HAND_ON, CATCH, FAIL } answers; /* a cancel */
};

static async sleeper(struct async_loop *on, void *frame)
{
    struct sleeper *self = frame;
    int status;

    async_begin(self);
    async_catch(status, async_sleep_ms(on, self->ms));
    note(self->name, async_strerror(status));
    if (status < 0 && self->answers == HAND_ON)
        async_fail(status);
    if (status < 0 && self->answers == FAIL)
        async_fail(-EIO);
    if (self->then_ms) {
        async_catch(status, async_sleep_ms(on, self->then_ms));
        note(self->name, async_strerror(status));
    }
    async_end();
}

static struct sleeper sleeping;
static struct async_task other;

static int asyncio_setup(void **state)
{
    sleeping = (struct sleeper){.name = "sleeper", .ms = 50};
    other = (struct async_task){0};
    return timeline_setup(state);
}
#define asyncio_claim(test) cmocka_unit_test_setup(test, asyncio_setup)

/* Joins `other` and tells how it ended; before that it may cancel itself. */
struct joiner {
    struct async_frame async;
    int cancels_itself;
};

static async joiner(struct async_loop *on, void *frame)
{
    struct joiner *self = frame;
    int status;

    async_begin(self);
    if (self->cancels_itself)
        async_cancel(on, async_current(on));
    async_catch(status, async_join(on, &other));
    note("join", async_strerror(status));
    if (status < 0)
        async_fail(status);
    async_end();
}

static void cancel_other(struct async_loop *on, struct async_timer *timer)
{
    (void)timer;
    async_cancel(on, &other);
}

/* ---- sleep -------------------------------------------------------------- */

static void two_sleeps_in_a_row_last_as_long_as_both(void **state)
{
    (void)state;
    sleeping.then_ms = 70;
    spawn(&task, sleeper, &sleeping);
    (void)run_to(200);

    assert_trace("50 sleeper done\n"
                 "120 sleeper done\n");
    assert_int_equal(async_task_outcome(&task), ASYNC_DONE);
}

static void a_sleep_of_0_lets_what_is_ready_run_first(void **state)
{
    struct sleeper second = {.name = "second"};

    (void)state;
    sleeping.ms = 0;
    sleeping.then_ms = 1;
    spawn(&task, sleeper, &sleeping);
    spawn(&other, sleeper, &second);
    (void)run_to(10);

    assert_trace("0 sleeper done\n"
                 "0 second done\n"
                 "1 sleeper done\n");
}

/* Adds what two functions return that never wait. */
struct addend {
    struct async_frame async;
    int value;
};

static async addend(struct async_loop *on, struct addend *self, int value)
{
    (void)on;

    async_begin(self);
    self->value = value;
    async_end();
}

struct addition {
    struct async_frame async;
    struct addend a, b;
    int sum;
};

static async addition(struct async_loop *on, void *frame)
{
    struct addition *self = frame;

    async_begin(self);
    await(addend(on, &self->a, 42));
    await(addend(on, &self->b, 1000));
    self->sum = self->a.value + self->b.value;
    async_end();
}

static void a_task_has_the_sum_of_what_it_awaited(void **state)
{
    struct addition frame = {.sum = 0};

    (void)state;
    spawn(&task, addition, &frame);
    (void)settle();

    assert_int_equal(async_task_outcome(&task), ASYNC_DONE);
    assert_int_equal(frame.sum, 1042);
}

/* ---- cancel ------------------------------------------------------------- */

static void
the_joiner_of_a_sleeper_that_a_timer_cancels_is_told_so(void **state)
{
    struct async_timer timer = {0};
    struct joiner frame = {.cancels_itself = 0};
    async_time next;

    (void)state;
    sleeping.ms = 5000;
    spawn(&other, sleeper, &sleeping);
    spawn(&task, joiner, &frame);
    async_timer_start(&loop, &timer, 100, cancel_other, NULL);
    next = run_to(100);

    assert_trace("100 sleeper canceled\n"
                 "100 join canceled\n");
    assert_true(next == ASYNC_FOREVER); /* nothing waits for 5000 */
}

static void a_task_ends_canceled_with_the_one_it_joins(void **state)
{
    struct joiner frame = {.cancels_itself = 0};

    (void)state;
    spawn(&other, sleeper, &sleeping);
    spawn(&task, joiner, &frame);
    (void)run_to(5);
    async_cancel(&loop, &other);
    (void)run_to(100);

    assert_trace("5 sleeper canceled\n"
                 "5 join canceled\n");
    assert_int_equal(async_task_outcome(&task), ASYNC_ECANCELED);
}

static void a_task_and_the_one_it_joins_may_be_canceled_at_once(void **state)
{
    int task_first;

    (void)state;
    for (task_first = 0; task_first < 2; task_first++) {
        struct joiner frame = {.cancels_itself = 0};

        (void)asyncio_setup(state);
        spawn(&other, sleeper, &sleeping);
        spawn(&task, joiner, &frame);
        (void)run_to(5);
        async_cancel(&loop, task_first ? &task : &other);
        async_cancel(&loop, task_first ? &other : &task);
        (void)run_to(100);

        assert_trace(task_first ? "5 join canceled\n"
                                  "5 sleeper canceled\n"
                                : "5 sleeper canceled\n"
                                  "5 join canceled\n");
        assert_int_equal(async_task_outcome(&task), ASYNC_ECANCELED);
        assert_int_equal(async_task_outcome(&other), ASYNC_ECANCELED);
    }
}

static void
a_task_that_cancels_itself_and_joins_leaves_the_other_alone(void **state)
{
    struct joiner frame = {.cancels_itself = 1};

    (void)state;
    spawn(&other, sleeper, &sleeping);
    spawn(&task, joiner, &frame);
    (void)run_to(100);

    assert_trace("0 join canceled\n"
                 "50 sleeper done\n");
}

static void
a_cancel_that_was_caught_does_not_touch_the_waits_after_it(void **state)
{
    (void)state;
    sleeping.answers = CATCH;
    sleeping.then_ms = 30;
    spawn(&task, sleeper, &sleeping);
    (void)run_to(5);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("5 sleeper canceled\n"
                 "35 sleeper done\n");
    assert_int_equal(async_task_outcome(&task), ASYNC_DONE);
}

static void a_cancel_that_is_answered_with_an_error_is_that_error(void **state)
{
    (void)state;
    sleeping.answers = FAIL;
    spawn(&task, sleeper, &sleeping);
    (void)run_to(5);
    async_cancel(&loop, &task);
    assert_int_equal(async_task_outcome(&task), ASYNC_PENDING);
    (void)run_to(100);

    assert_trace("5 sleeper canceled\n");
    assert_int_equal(async_task_outcome(&task), -EIO);
    assert_int_equal(async_unjoined(&loop), -EIO);
}

/* Awaits a sleeper as a child, and catches what comes up. */
struct above {
    struct async_frame async;
    struct sleeper child;
};

static async above(struct async_loop *on, void *frame)
{
    struct above *self = frame;
    int status;

    async_begin(self);
    async_catch(status, sleeper(on, &self->child));
    note("above", async_strerror(status));
    async_end();
}

static void
a_cancel_that_went_through_a_child_may_be_caught_above_it(void **state)
{
    struct above frame = {.child = {.name = "child", .ms = 50}};

    (void)state;
    spawn(&task, above, &frame);
    (void)run_to(5);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("5 child canceled\n"
                 "5 above canceled\n");
    assert_int_equal(async_task_outcome(&task), ASYNC_DONE);
    assert_int_equal(async_outcome(&frame.child.async), ASYNC_ECANCELED);
}

static async cancels_itself_and_ends(struct async_loop *on, void *frame)
{
    struct sleeper *self = frame;

    async_begin(self);
    async_cancel(on, async_current(on));
    async_end();
}

static void a_task_that_cancels_itself_and_ends_is_done(void **state)
{
    (void)state;
    spawn(&task, cancels_itself_and_ends, &sleeping);
    (void)run_to(10);

    assert_int_equal(async_task_outcome(&task), ASYNC_DONE);
}

static void a_cancel_after_a_failure_does_not_hide_the_error(void **state)
{
    (void)state;
    sleeping.answers = FAIL;
    spawn(&task, sleeper, &sleeping);
    (void)run_to(5);
    async_cancel(&loop, &task);
    (void)run_to(10);
    async_cancel(&loop, &task); /* it has failed */
    (void)run_to(20);

    trace_clear();
    assert_int_equal(async_task_outcome(&task), -EIO);
    assert_int_equal(async_unjoined(&loop), -EIO);
}

/* Catches a timeout, and goes on. */
struct limited {
    struct async_frame async;
    struct async_timer timer;
};

static async limited(struct async_loop *on, void *frame)
{
    struct limited *self = frame;
    int status;

    async_begin(self);
    async_catch(status,
                async_timeout(on, &self->timer, 10, async_sleep_ms(on, 50)));
    note("timeout", async_strerror(status));
    async_end();
}

static void a_task_that_was_timed_out_inside_was_not_canceled(void **state)
{
    struct limited frame = {{0, 0}, {{0}, NULL, NULL}};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(100);

    assert_trace("10 timeout timed out\n");
    assert_int_equal(async_task_outcome(&task), ASYNC_DONE);
}

/* ---- limits around joins and groups ------------------------------------- */

/* Joins `other`, for so long at the most. */
struct patient {
    struct async_frame async;
    struct async_timer timer;
    uint32_t ms;
};

static async patient(struct async_loop *on, void *frame)
{
    struct patient *self = frame;
    int status;

    async_begin(self);
    async_catch(status, async_timeout(on, &self->timer, self->ms,
                                      async_join(on, &other)));
    note("join", async_strerror(status));
    async_end();
}

static void a_join_limited_to_0_ms_leaves_the_task_alone(void **state)
{
    struct patient frame = {.ms = 0};

    (void)state;
    spawn(&other, sleeper, &sleeping);
    spawn(&task, patient, &frame);
    (void)run_to(100);

    assert_trace("0 join timed out\n"
                 "50 sleeper done\n");
    assert_int_equal(async_task_outcome(&other), ASYNC_DONE);
}

static void a_join_without_a_limit_waits_for_the_end(void **state)
{
    struct patient frame = {.ms = ASYNC_NO_TIMEOUT};

    (void)state;
    spawn(&other, sleeper, &sleeping);
    spawn(&task, patient, &frame);
    (void)run_to(100);

    assert_trace("50 sleeper done\n"
                 "50 join done\n");
}

/* One timer for a limit of 40 ms and for one of 10 ms inside it. */
struct twice {
    struct async_frame async;
    struct async_timer timer;
    struct sleeper child;
};

static async twice(struct async_loop *on, void *frame)
{
    struct twice *self = frame;
    int status;

    async_begin(self);
    async_catch(status,
                async_timeout(on, &self->timer, 40,
                              async_timeout(on, &self->timer, 10,
                                            sleeper(on, &self->child))));
    note("twice", async_strerror(status));
    async_catch(status,
                async_timeout(on, &self->timer, 20, async_sleep_ms(on, 100)));
    note("again", async_strerror(status));
    async_end();
}

static void
one_timer_around_and_inside_is_the_limit_that_began_first(void **state)
{
    struct twice frame = {.child = {.name = "child", .ms = 100}};

    (void)state;
    spawn(&task, twice, &frame);
    (void)run_to(200);

    assert_trace("10 child canceled\n"
                 "10 twice timed out\n"
                 "30 again timed out\n");
}

/* Fails, and takes its time to clean up. */
static async fails_slowly(struct async_loop *on, struct sleeper *self)
{
    int status;

    async_begin(self);
    async_fail(-EIO);
    async_finally();
    async_catch(status, async_sleep_ms(on, self->ms));
    note(self->name, async_strerror(status));
    async_end();
}

/* A group whose body fails; a member may, too. */
struct failing {
    struct async_frame async;
    struct async_group group;
    struct async_member member;
    struct async_timer timer;
    struct sleeper body, sleeper;
};

static async failing(struct async_loop *on, void *frame)
{
    struct failing *self = frame;
    int status;

    async_begin(self);
    (void)async_group_spawn(on, &self->group, &self->member, sleeper,
                            &self->sleeper);
    async_catch(status,
                async_timeout(on, &self->timer, 10,
                              async_group(on, &self->group,
                                          fails_slowly(on, &self->body))));
    note("group", async_strerror(status));
    async_catch(status, async_sleep_ms(on, 5));
    note("after it", async_strerror(status));
    async_end();
}

static void
a_failed_body_cleans_up_in_its_own_time_under_a_limit_too(void **state)
{
    struct failing frame = {
        .body = {.name = "body", .ms = 30},
        .sleeper = {.name = "member", .ms = 100, .answers = FAIL}};

    (void)state;
    spawn(&task, failing, &frame);
    (void)run_to(200);

    assert_trace("30 body done\n"       /* not timed out at 10 */
                 "30 member canceled\n" /* and fails, but second */
                 "30 group Input/output error\n"
                 "35 after it done\n");
}

/* A group with a member that fails. */
struct failed {
    struct async_frame async;
    struct async_group group;
    struct async_member member;
    struct sleeper body, member_body;
};

static async fails_at_once(struct async_loop *on, void *frame)
{
    struct sleeper *self = frame;

    (void)on;

    async_begin(self);
    async_fail(-EIO);
    async_end();
}

static async failed(struct async_loop *on, void *frame)
{
    struct failed *self = frame;
    int status;

    async_begin(self);
    (void)async_group_spawn(on, &self->group, &self->member, fails_at_once,
                            &self->member_body);
    async_catch(status,
                async_group(on, &self->group, sleeper(on, &self->body)));
    note("group", async_strerror(status));
    async_catch(status, async_yield_now(on));
    note("a turn", async_strerror(status));
    async_catch(status, async_sleep_ms(on, 5));
    note("a sleep", async_strerror(status));
    async_end();
}

static void a_group_that_failed_leaves_no_cancel_behind(void **state)
{
    struct failed frame = {.body = {.name = "body", .ms = 100}};

    (void)state;
    spawn(&task, failed, &frame);
    (void)run_to(200);

    assert_trace("0 body canceled\n"
                 "0 group Input/output error\n"
                 "0 a turn done\n"
                 "5 a sleep done\n");
}

/* ---- run ---------------------------------------------------------------- */

/* Waits for nothing but its turn, for ever; or for a permit, for ever. */
struct endless {
    struct async_frame async;
    int yields, catches;
    struct async_semaphore semaphore;
};

static async endless(struct async_loop *on, void *frame)
{
    struct endless *self = frame;
    int status;

    async_begin(self);
    do {
        async_catch(status, self->yields ? async_yield_now(on)
                                         : async_acquire(on, &self->semaphore));
    } while (status > 0);
    trace("stopped: %s", async_strerror(status));
    if (!self->catches)
        async_fail(status);
    async_end();
}

static struct async_flag interrupted;

static void on_interrupt(int number)
{
    (void)number;
    async_flag_set(&loop, &interrupted);
}

/* What a program does about SIGINT: cancels `main` when the flag is set. */
struct watcher {
    struct async_frame async;
    int cancels_before; /* it has been canceled before */
    struct async_task *main;
};

static async watcher(struct async_loop *on, void *frame)
{
    struct watcher *self = frame;

    async_begin(self);
    await(async_yield_now(on));
    if (self->cancels_before)
        async_cancel(on, self->main);
    (void)raise(SIGINT);
    await(async_flag_wait(on, &interrupted));
    trace("interrupted");
    async_cancel(on, self->main);
    async_end();
}

/* Runs `endless` beside a watcher that knows it, and returns how it ended. */
struct program {
    struct async_frame async;
    struct endless work;
    struct watcher watcher;
    struct async_task watching;
};

static async program(struct async_loop *on, void *frame)
{
    struct program *self = frame;

    async_begin(self);
    self->watcher.main = async_current(on);
    spawn(&self->watching, watcher, &self->watcher);
    await(endless(on, &self->work));
    async_end();
}

static int run_interrupted(struct program *frame)
{
    void (*before)(int) = signal(SIGINT, on_interrupt);
    int status = async_run(&loop, program, frame);

    (void)signal(SIGINT, before);
    return status;
}

static void an_interrupt_stops_a_run_that_only_takes_turns(void **state)
{
    struct program frame = {.work = {.yields = 1}};

    (void)state;
    assert_int_equal(run_interrupted(&frame), ASYNC_ECANCELED);
    assert_trace("interrupted\n"
                 "stopped: canceled\n");
}

static void an_interrupt_stops_a_run_that_waits(void **state)
{
    struct program frame = {.work = {.yields = 0}};

    (void)state;
    assert_int_equal(run_interrupted(&frame), ASYNC_ECANCELED);
    assert_trace("interrupted\n"
                 "stopped: canceled\n");
}

static void a_run_that_catches_its_cancel_is_done(void **state)
{
    struct program frame = {.work = {.catches = 1}};

    (void)state;
    assert_int_equal(run_interrupted(&frame), ASYNC_DONE);
    trace_clear();
}

static void
an_interrupt_of_a_run_that_was_canceled_changes_nothing(void **state)
{
    struct program frame = {.watcher = {.cancels_before = 1}};

    (void)state;
    assert_int_equal(run_interrupted(&frame), ASYNC_ECANCELED);
    assert_trace("interrupted\n" /* two cancels before it runs are one */
                 "stopped: canceled\n");
}

/* Leaves a task behind that is not over when it is. */
struct leaver {
    struct async_frame async;
    struct leftover {
        struct async_frame async;
        int error;
    } leftover;
};

static async leftover(struct async_loop *on, void *frame)
{
    struct leftover *self = frame;

    async_begin(self);
    await(async_yield_now(on));
    await(async_yield_now(on));
    trace("the leftover ends");
    if (self->error)
        async_fail(self->error);
    async_end();
}

static async leaver(struct async_loop *on, void *frame)
{
    struct leaver *self = frame;

    (void)on;

    async_begin(self);
    spawn(&other, leftover, &self->leftover);
    trace("the function ends");
    async_end();
}

static void tell_unhandled(struct async_loop *on, struct async_task *which,
                           async_status error)
{
    (void)on;
    trace("unhandled: %s %s", which == &other ? "leftover" : "?",
          async_strerror(error));
}

static void a_run_lets_what_was_left_behind_end_by_itself(void **state)
{
    struct leaver frame = {.leftover = {.error = 0}};

    (void)state;
    assert_int_equal(async_run(&loop, leaver, &frame), ASYNC_DONE);
    assert_trace("the function ends\n"
                 "the leftover ends\n");
    assert_int_equal(async_task_outcome(&other), ASYNC_DONE);
}

static void
an_error_of_what_was_left_behind_is_told_and_the_run_is_done(void **state)
{
    struct leaver frame = {.leftover = {.error = -EIO}};

    (void)state;
    loop.unhandled = tell_unhandled;
    assert_int_equal(async_run(&loop, leaver, &frame), ASYNC_DONE);
    assert_trace("the function ends\n"
                 "the leftover ends\n"
                 "unhandled: leftover Input/output error\n");
}

static void
an_error_of_what_was_left_behind_is_the_runs_without_a_hook(void **state)
{
    struct leaver frame = {.leftover = {.error = -EIO}};

    (void)state;
    assert_int_equal(async_run(&loop, leaver, &frame), -EIO);
    trace_clear();
}

static void a_loop_may_be_ended_twice_and_run_again(void **state)
{
    struct leaver frame = {.leftover = {.error = 0}};

    (void)state;
    assert_int_equal(async_run(&loop, leaver, &frame), ASYNC_DONE);
    assert_int_equal(async_loop_end(&loop), 0);
    assert_int_equal(async_loop_end(&loop), 0);
    trace_clear();

    frame = (struct leaver){.leftover = {.error = 0}};
    assert_int_equal(async_run(&loop, leaver, &frame), ASYNC_DONE);
    assert_trace("the function ends\n"
                 "the leftover ends\n");
}

static void a_task_stays_where_it_was_when_a_simulation_is_over(void **state)
{
    (void)state;
    sleeping.then_ms = 50;
    spawn(&task, sleeper, &sleeping);
    (void)async_simulate(&loop, 0, 70);

    assert_trace("50 sleeper done\n");
    assert_int_equal(async_task_outcome(&task), ASYNC_PENDING);
    async_cancel(&loop, &task);
    now = 70;
    (void)run_to(200);
    assert_trace("70 sleeper canceled\n");
    assert_int_equal(async_task_outcome(&task), ASYNC_DONE);
}

static void nothing_runs_outside_a_run(void **state)
{
    struct leaver frame = {.leftover = {.error = 0}};

    (void)state;
    assert_null(async_current(&loop));
    assert_int_equal(async_run(&loop, leaver, &frame), ASYNC_DONE);
    assert_null(async_current(&loop));
    trace_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        asyncio_claim(two_sleeps_in_a_row_last_as_long_as_both),
        asyncio_claim(a_sleep_of_0_lets_what_is_ready_run_first),
        asyncio_claim(a_task_has_the_sum_of_what_it_awaited),
        asyncio_claim(the_joiner_of_a_sleeper_that_a_timer_cancels_is_told_so),
        asyncio_claim(a_task_ends_canceled_with_the_one_it_joins),
        asyncio_claim(a_task_and_the_one_it_joins_may_be_canceled_at_once),
        asyncio_claim(
            a_task_that_cancels_itself_and_joins_leaves_the_other_alone),
        asyncio_claim(
            a_cancel_that_was_caught_does_not_touch_the_waits_after_it),
        asyncio_claim(a_cancel_that_is_answered_with_an_error_is_that_error),
        asyncio_claim(
            a_cancel_that_went_through_a_child_may_be_caught_above_it),
        asyncio_claim(a_task_that_cancels_itself_and_ends_is_done),
        asyncio_claim(a_cancel_after_a_failure_does_not_hide_the_error),
        asyncio_claim(a_task_that_was_timed_out_inside_was_not_canceled),
        asyncio_claim(a_join_limited_to_0_ms_leaves_the_task_alone),
        asyncio_claim(a_join_without_a_limit_waits_for_the_end),
        asyncio_claim(
            one_timer_around_and_inside_is_the_limit_that_began_first),
        asyncio_claim(
            a_failed_body_cleans_up_in_its_own_time_under_a_limit_too),
        asyncio_claim(a_group_that_failed_leaves_no_cancel_behind),
        asyncio_claim(an_interrupt_stops_a_run_that_only_takes_turns),
        asyncio_claim(an_interrupt_stops_a_run_that_waits),
        asyncio_claim(a_run_that_catches_its_cancel_is_done),
        asyncio_claim(an_interrupt_of_a_run_that_was_canceled_changes_nothing),
        asyncio_claim(a_run_lets_what_was_left_behind_end_by_itself),
        asyncio_claim(
            an_error_of_what_was_left_behind_is_told_and_the_run_is_done),
        asyncio_claim(
            an_error_of_what_was_left_behind_is_the_runs_without_a_hook),
        asyncio_claim(a_loop_may_be_ended_twice_and_run_again),
        asyncio_claim(a_task_stays_where_it_was_when_a_simulation_is_over),
        asyncio_claim(nothing_runs_outside_a_run),
    };

    return cmocka_run_group_tests_name("as in asyncio", tests, NULL, NULL);
}
