/* test_timeout.c: what async_timeout.h promises, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 * Plain timeouts, and timeouts in each other, are in test_gather.c.
 *
 *     cc -I.. test_timeout.c -lcmocka
 */
#include "trace.h"

#include "timeline.h"

#include <errno.h>

/* ---- the cast ----------------------------------------------------------- */

/* Works for `ms`, then ends or fails with `error`; cleans up for `clean_ms`. */
struct child {
    struct async_frame async;
    const char *name;
    uint32_t ms;
    int error;
    uint32_t clean_ms;
    int ended;
};

static async child(struct async_loop *on, struct child *self)
{
    async_begin(self);
    if (self->ms)
        await(async_sleep_ms(on, self->ms));
    if (self->error)
        async_fail(self->error);
    self->ended = 1;
    async_finally();
    if (self->clean_ms)
        await(async_sleep_ms(on, self->clean_ms));
    note(self->name, self->ended ? "is done" : "gives up");
    async_end();
}

/* Awaits its child until a time, or for so long, once it has slept itself. */
struct limited {
    struct async_frame async;
    struct async_timer timer;
    uint32_t late_ms;
    int by_deadline;
    async_time deadline;
    uint32_t ms;
    struct child child;
    uint32_t then_ms; /* then sleeps */
};

static async limited(struct async_loop *on, void *frame)
{
    struct limited *self = frame;
    int status;

    async_begin(self);
    if (self->late_ms)
        await(async_sleep_ms(on, self->late_ms));
    if (self->by_deadline)
        async_catch(status, async_deadline(on, &self->timer, self->deadline,
                                           child(on, &self->child)));
    else
        async_catch(status, async_timeout(on, &self->timer, self->ms,
                                          child(on, &self->child)));
    note(self->by_deadline ? "deadline" : "timeout", async_strerror(status));
    if (self->then_ms) {
        async_catch(status, async_sleep_ms(on, self->then_ms));
        note("next wait", async_strerror(status));
    }
    async_end();
}

/* ---- deadline ----------------------------------------------------------- */

static void a_deadline_ends_what_would_wait_past_it(void **state)
{
    struct limited frame = {.by_deadline = 1,
                            .deadline = 20,
                            .child = {.name = "a", .ms = 50, .clean_ms = 5}};
    async_time next;

    (void)state;
    spawn(&task, limited, &frame);
    next = run_to(100);

    assert_trace("25 a gives up\n"
                 "25 deadline timed out\n");
    assert_true(next == ASYNC_FOREVER);
}

static void a_deadline_is_a_time_however_late_the_wait_begins(void **state)
{
    struct limited frame = {.late_ms = 15,
                            .by_deadline = 1,
                            .deadline = 20,
                            .child = {.name = "a", .ms = 50}};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(100);

    assert_trace("20 a gives up\n"
                 "20 deadline timed out\n");
}

static void a_deadline_that_is_now_cuts_the_first_wait(void **state)
{
    struct limited frame = {.late_ms = 20,
                            .by_deadline = 1,
                            .deadline = 20,
                            .child = {.name = "a", .ms = 50}};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(100);

    assert_trace("20 a gives up\n"
                 "20 deadline timed out\n");
}

static void a_deadline_that_is_past_cuts_the_first_wait(void **state)
{
    struct limited frame = {.late_ms = 20,
                            .by_deadline = 1,
                            .deadline = 7,
                            .child = {.name = "a", .ms = 50, .clean_ms = 5},
                            .then_ms = 10};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(100);

    assert_trace("25 a gives up\n"
                 "25 deadline timed out\n"
                 "35 next wait done\n");
}

static void
a_deadline_that_is_past_leaves_what_does_not_wait_alone(void **state)
{
    struct limited frame = {.late_ms = 20,
                            .by_deadline = 1,
                            .deadline = 7,
                            .child = {.name = "a"},
                            .then_ms = 10};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(100);

    assert_trace("20 a is done\n"
                 "20 deadline done\n"
                 "30 next wait done\n");
}

static void what_ends_before_its_deadline_leaves_no_timer(void **state)
{
    struct limited frame = {
        .by_deadline = 1, .deadline = 20, .child = {.name = "a", .ms = 10}};
    async_time next;

    (void)state;
    spawn(&task, limited, &frame);
    next = run_to(10);

    assert_trace("10 a is done\n"
                 "10 deadline done\n");
    assert_true(next == ASYNC_FOREVER);
}

static void an_error_before_the_deadline_is_returned_as_it_is(void **state)
{
    struct limited frame = {.by_deadline = 1,
                            .deadline = 20,
                            .child = {.name = "a", .ms = 10, .error = -EIO}};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(100);

    assert_trace("10 a gives up\n"
                 "10 deadline Input/output error\n");
}

static void a_cancel_before_the_deadline_is_a_cancel(void **state)
{
    struct limited frame = {.by_deadline = 1,
                            .deadline = 20,
                            .child = {.name = "a", .ms = 50},
                            .then_ms = 30};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("10 a gives up\n"
                 "10 deadline canceled\n"
                 "40 next wait done\n");
}

static void a_deadline_behind_the_wrap_of_the_time_is_ahead(void **state)
{
    struct limited frame = {
        .by_deadline = 1, .deadline = 5, .child = {.name = "a", .ms = 50}};

    (void)state;
    now = (async_time)-10;
    spawn(&task, limited, &frame);
    (void)settle();
    (void)run_to(4);
    assert_trace("");
    (void)run_to(5);

    assert_trace("5 a gives up\n"
                 "5 deadline timed out\n");
}

/* Three steps of 10 ms under one deadline. */
struct stages {
    struct async_frame async;
    struct async_timer timer;
    async_time deadline;
    int i;
};

static async stages(struct async_loop *on, void *frame)
{
    struct stages *self = frame;
    int status;

    async_begin(self);
    self->deadline = (async_time)(async_now(on) + 25);
    for (self->i = 0; self->i < 4; self->i++) {
        async_catch(status, async_deadline(on, &self->timer, self->deadline,
                                           async_sleep_ms(on, 10)));
        note("stage", async_strerror(status));
    }
    async_end();
}

static void one_deadline_and_one_timer_serve_a_row_of_awaits(void **state)
{
    struct stages frame = {0};

    (void)state;
    spawn(&task, stages, &frame);
    (void)run_to(100);

    assert_trace("10 stage done\n"
                 "20 stage done\n"
                 "25 stage timed out\n"
                 "25 stage timed out\n");
}

static void one_timer_serves_one_task_after_the_other(void **state)
{
    static struct async_task first;
    struct limited frame = {.ms = 10, .child = {.name = "a", .ms = 50}};
    struct limited again = frame;

    (void)state;
    first = (struct async_task){0};
    spawn(&first, limited, &frame);
    (void)run_to(20);
    again.timer = frame.timer;
    spawn(&task, limited, &again);
    (void)run_to(100);

    assert_trace("10 a gives up\n"
                 "10 timeout timed out\n"
                 "30 a gives up\n"
                 "30 timeout timed out\n");
}

/* A deadline in a deadline. What times out inside is caught, and another wait
 * follows. */
struct nested {
    struct async_frame async;
    struct async_timer outer;
    async_time until;
    struct middle {
        struct async_frame async;
        struct async_timer timer;
        async_time until;
        struct child child;
    } middle;
};

static async middle(struct async_loop *on, struct middle *self)
{
    int status;

    async_begin(self);
    async_catch(status, async_deadline(on, &self->timer, self->until,
                                       child(on, &self->child)));
    note("inner", async_strerror(status));
    if (status < 0 && status != ASYNC_ETIMEDOUT)
        async_fail(status);
    async_catch(status, async_sleep_ms(on, 100));
    note("inner's next wait", async_strerror(status));
    if (status < 0)
        async_fail(status);
    async_end();
}

static async nested(struct async_loop *on, void *frame)
{
    struct nested *self = frame;
    int status;

    async_begin(self);
    async_catch(status, async_deadline(on, &self->outer, self->until,
                                       middle(on, &self->middle)));
    note("outer", async_strerror(status));
    async_end();
}

static void an_inner_deadline_does_not_outlive_the_outer_one(void **state)
{
    struct nested frame = {
        .until = 20,
        .middle = {.until = 50, .child = {.name = "a", .ms = 100}}};
    async_time next;

    (void)state;
    spawn(&task, nested, &frame);
    next = run_to(20);

    assert_trace("20 a gives up\n"
                 "20 inner canceled\n" /* the limit was not its own */
                 "20 outer timed out\n");
    assert_true(next == ASYNC_FOREVER);
}

static void of_two_deadlines_at_one_time_the_inner_one_is_first(void **state)
{
    struct nested frame = {
        .until = 20,
        .middle = {.until = 20, .child = {.name = "a", .ms = 100}}};

    (void)state;
    spawn(&task, nested, &frame);
    (void)run_to(100);

    assert_trace("20 a gives up\n"
                 "20 inner timed out\n"
                 "20 inner's next wait canceled\n"
                 "20 outer timed out\n");
}

static void of_two_deadlines_that_are_past_the_inner_one_is_first(void **state)
{
    struct nested frame = {
        .until = 5, .middle = {.until = 3, .child = {.name = "a", .ms = 100}}};

    (void)state;
    now = 10;
    spawn(&task, nested, &frame);
    (void)run_to(100);

    assert_trace("10 a gives up\n"
                 "10 inner timed out\n"
                 "10 inner's next wait canceled\n"
                 "10 outer timed out\n");
}

/* ---- no limit ----------------------------------------------------------- */

static void no_timeout_starts_no_timer(void **state)
{
    struct limited frame = {.ms = ASYNC_NO_TIMEOUT,
                            .child = {.name = "a", .ms = 1000000}};
    async_time next;

    (void)state;
    spawn(&task, limited, &frame);
    next = run_to(10);
    assert_int_equal(next, 1000000 - 10);
    (void)run_to(2000000);

    assert_trace("1000000 a is done\n"
                 "1000000 timeout done\n");
}

static void no_timeout_lets_a_cancel_through(void **state)
{
    struct limited frame = {.ms = ASYNC_NO_TIMEOUT,
                            .child = {.name = "a", .ms = 50}};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("10 a gives up\n"
                 "10 timeout canceled\n");
}

static void no_timeout_hands_an_error_on(void **state)
{
    struct limited frame = {.ms = ASYNC_NO_TIMEOUT,
                            .child = {.name = "a", .ms = 5, .error = -EIO}};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(100);

    assert_trace("5 a gives up\n"
                 "5 timeout Input/output error\n");
}

/* ---- a limit that moves ------------------------------------------------- */

/* A child of 50 ms that is given 20. */
static const struct limited fifty_in_twenty = {
    .ms = 20, .child = {.name = "a", .ms = 50}, .then_ms = 10};

static int reset(struct limited *frame, uint32_t ms)
{
    return async_timeout_reset(&loop, &frame->timer, ms);
}

static void a_reset_gives_more_time_counted_from_now(void **state)
{
    struct limited frame = fifty_in_twenty;
    int status;

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(15);
    status = reset(&frame, 20);
    (void)run_to(100);

    assert_int_equal(status, 0);
    assert_trace("35 a gives up\n"
                 "35 timeout timed out\n"
                 "45 next wait done\n");
}

static void a_reset_gives_less_time_too(void **state)
{
    struct limited frame = fifty_in_twenty;

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(10);
    (void)reset(&frame, 2);
    (void)run_to(100);

    assert_trace("12 a gives up\n"
                 "12 timeout timed out\n"
                 "22 next wait done\n");
}

static void
a_limit_that_is_reset_in_time_again_and_again_never_ends(void **state)
{
    struct limited frame = fifty_in_twenty;
    int i;

    (void)state;
    spawn(&task, limited, &frame);
    for (i = 1; i < 5; i++) {
        (void)run_to((async_time)(10 * i));
        (void)reset(&frame, 20);
    }
    (void)run_to(100);

    assert_trace("50 a is done\n"
                 "50 timeout done\n"
                 "60 next wait done\n");
}

static void a_reset_to_0_ends_it_now(void **state)
{
    struct limited frame = fifty_in_twenty;
    int status;

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(10);
    status = reset(&frame, 0);
    (void)run_to(100);

    assert_int_equal(status, 0);
    assert_trace("10 a gives up\n"
                 "10 timeout timed out\n"
                 "20 next wait done\n");
}

static void a_reset_to_no_timeout_lifts_the_limit(void **state)
{
    struct limited frame = fifty_in_twenty;
    async_time next;

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(10);
    (void)reset(&frame, ASYNC_NO_TIMEOUT);
    next = settle();
    assert_int_equal(next, 40); /* the child's sleep */
    (void)run_to(100);

    assert_trace("50 a is done\n"
                 "50 timeout done\n"
                 "60 next wait done\n");
}

static void a_reset_sets_a_limit_where_there_was_none(void **state)
{
    struct limited frame = fifty_in_twenty;

    (void)state;
    frame.ms = ASYNC_NO_TIMEOUT;
    spawn(&task, limited, &frame);
    (void)run_to(30);
    (void)reset(&frame, 5);
    (void)run_to(100);

    assert_trace("35 a gives up\n"
                 "35 timeout timed out\n"
                 "45 next wait done\n");
}

static void a_reset_moves_a_deadline_too(void **state)
{
    struct limited frame = fifty_in_twenty;

    (void)state;
    frame.by_deadline = 1;
    frame.deadline = 20;
    spawn(&task, limited, &frame);
    (void)run_to(10);
    (void)reset(&frame, 20);
    (void)run_to(100);

    assert_trace("30 a gives up\n"
                 "30 deadline timed out\n"
                 "40 next wait done\n");
}

static void a_limit_that_was_reset_leaves_no_timer(void **state)
{
    struct limited frame = fifty_in_twenty;
    async_time next;

    (void)state;
    frame.then_ms = 0;
    spawn(&task, limited, &frame);
    (void)run_to(10);
    (void)reset(&frame, 500);
    next = run_to(50);

    assert_trace("50 a is done\n"
                 "50 timeout done\n");
    assert_true(next == ASYNC_FOREVER);
}

static int notified;

static void count_notify(void *arg)
{
    (void)arg;
    notified++;
}

static const struct async_host counting_host = {count_notify, NULL, NULL};

static void a_reset_from_outside_tells_the_host(void **state)
{
    struct limited frame = fifty_in_twenty;

    (void)state;
    async_attach(&loop, &counting_host);
    spawn(&task, limited, &frame);
    (void)run_to(10);
    notified = 0;
    (void)reset(&frame, 2);
    assert_int_equal(notified, 1); /* the loop must be polled sooner now */
    (void)run_to(11);
    notified = 0;
    (void)reset(&frame, 0);
    assert_int_equal(notified, 1);
    (void)run_to(100);

    assert_trace("11 a gives up\n"
                 "11 timeout timed out\n"
                 "21 next wait done\n");
    async_attach(&loop, NULL);
}

static void a_reset_from_outside_counts_from_the_next_poll(void **state)
{
    struct limited frame = fifty_in_twenty;

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(10);
    (void)reset(&frame, 12); /* the loop's time is 10, but this is later */
    leap_to(18);
    (void)run_to(100);

    assert_trace("30 a gives up\n"
                 "30 timeout timed out\n"
                 "40 next wait done\n");
}

/* Changes the limit it runs under. */
struct worker {
    struct async_frame async;
    struct async_timer timer;
    struct work {
        struct async_frame async;
        struct async_timer *timer;
        uint32_t first_ms, then_ms; /* what it gives itself, and when */
    } work;
};

static async work(struct async_loop *on, struct work *self)
{
    int status;

    async_begin(self);
    status = async_timeout_reset(on, self->timer, self->first_ms);
    note("reset", status == ASYNC_EINVAL ? "refused" : "done");
    await(async_sleep_ms(on, 10));
    status = async_timeout_reset(on, self->timer, self->then_ms);
    note("reset", status == 0 ? "done" : "refused");
    await(async_sleep_ms(on, 50));
    async_finally();
    note("left", async_timeout_left(on, self->timer) ? "some" : "none");
    status = async_timeout_reset(on, self->timer, 1000);
    note("reset", async_strerror(status));
    async_catch(status, async_sleep_ms(on, 5));
    note("clean-up", async_strerror(status));
    async_end();
}

static async worker(struct async_loop *on, void *frame)
{
    struct worker *self = frame;
    int status;

    async_begin(self);
    self->work.timer = &self->timer;
    async_catch(status,
                async_timeout(on, &self->timer, 20, work(on, &self->work)));
    note("timeout", async_strerror(status));
    async_catch(status, async_sleep_ms(on, 5));
    note("next wait", async_strerror(status));
    async_end();
}

static void
what_runs_under_a_limit_may_move_it_from_its_first_wait_on(void **state)
{
    struct worker frame = {.work = {.first_ms = 2, .then_ms = 30}};

    (void)state;
    spawn(&task, worker, &frame);
    (void)run_to(100);

    assert_trace("0 reset refused\n" /* its time has not begun */
                 "10 reset done\n"
                 "40 left none\n"
                 "40 reset timed out\n" /* it is too late */
                 "45 clean-up done\n"
                 "45 timeout timed out\n"
                 "50 next wait done\n");
}

static void
what_runs_under_a_limit_may_end_it_before_its_next_wait(void **state)
{
    struct worker frame = {.work = {.then_ms = 0}};

    (void)state;
    spawn(&task, worker, &frame);
    (void)run_to(100);

    assert_trace("0 reset refused\n"
                 "10 reset done\n"
                 "10 left none\n"
                 "10 reset timed out\n"
                 "15 clean-up done\n"
                 "15 timeout timed out\n"
                 "20 next wait done\n");
}

static void a_reset_before_it_runs_and_after_it_has_is_refused(void **state)
{
    struct limited frame = fifty_in_twenty;

    (void)state;
    assert_int_equal(reset(&frame, 5), ASYNC_EINVAL);
    spawn(&task, limited, &frame);
    assert_int_equal(reset(&frame, 5), ASYNC_EINVAL);
    frame.then_ms = 0;
    (void)run_to(100);
    assert_int_equal(reset(&frame, 5), ASYNC_EINVAL);

    assert_trace("20 a gives up\n"
                 "20 timeout timed out\n");
    assert_true(settle() == ASYNC_FOREVER); /* it started nothing */
}

static void a_reset_while_a_timeout_cleans_up_is_refused(void **state)
{
    struct limited frame = fifty_in_twenty;

    (void)state;
    frame.child.clean_ms = 20;
    spawn(&task, limited, &frame);
    (void)run_to(25);
    assert_int_equal(reset(&frame, 5), ASYNC_ETIMEDOUT);
    assert_int_equal(reset(&frame, ASYNC_NO_TIMEOUT), ASYNC_ETIMEDOUT);
    (void)run_to(100);

    assert_trace("40 a gives up\n"
                 "40 timeout timed out\n"
                 "50 next wait done\n");
}

static void a_reset_while_a_clean_up_is_not_cut_by_it_is_refused(void **state)
{
    struct limited frame = fifty_in_twenty;

    (void)state;
    frame.child.ms = 15;
    frame.child.clean_ms = 20;
    spawn(&task, limited, &frame);
    (void)run_to(25); /* it expired in the clean-up of what had ended well */
    assert_int_equal(reset(&frame, 5), ASYNC_ETIMEDOUT);
    (void)run_to(100);

    assert_trace("35 a is done\n"
                 "35 timeout done\n"
                 "45 next wait done\n");
}

static void a_reset_while_a_cancel_cleans_up_changes_nothing(void **state)
{
    struct limited frame = fifty_in_twenty;
    int status;

    (void)state;
    frame.child.clean_ms = 20;
    spawn(&task, limited, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)settle();
    status = reset(&frame, 5);
    (void)run_to(100);

    assert_int_equal(status, 0);
    assert_trace("30 a gives up\n"
                 "30 timeout canceled\n"
                 "40 next wait done\n");
}

static void reset_twenty(struct async_loop *on, struct async_timer *timer)
{
    struct limited *frame = timer->arg;

    note("reset", async_strerror(async_timeout_reset(on, &frame->timer, 20)));
}

static void a_reset_on_the_tick_before_it_expires_is_in_time(void **state)
{
    struct limited frame = fifty_in_twenty;
    struct async_timer timer = {0};

    (void)state;
    async_timer_start(&loop, &timer, 20, reset_twenty, &frame); /* first */
    spawn(&task, limited, &frame);
    (void)run_to(100);

    assert_trace("20 reset pending\n" /* 0 */
                 "40 a gives up\n"
                 "40 timeout timed out\n"
                 "50 next wait done\n");
}

static void a_reset_on_the_tick_after_it_has_expired_is_refused(void **state)
{
    struct limited frame = fifty_in_twenty;
    struct async_timer timer = {0};

    (void)state;
    spawn(&task, limited, &frame);
    (void)settle();
    async_timer_start(&loop, &timer, 20, reset_twenty, &frame);
    (void)run_to(100);

    assert_trace("20 reset timed out\n"
                 "20 a gives up\n"
                 "20 timeout timed out\n"
                 "30 next wait done\n");
}

static void a_reset_of_the_inner_limit_does_not_move_the_outer_one(void **state)
{
    struct nested frame = {
        .until = 30,
        .middle = {.until = 20, .child = {.name = "a", .ms = 100}}};

    (void)state;
    spawn(&task, nested, &frame);
    (void)run_to(10);
    assert_int_equal(async_timeout_reset(&loop, &frame.middle.timer, 500), 0);
    (void)run_to(100);

    assert_trace("30 a gives up\n"
                 "30 inner canceled\n"
                 "30 outer timed out\n");
}

static void a_reset_of_the_outer_limit_does_not_move_the_inner_one(void **state)
{
    struct nested frame = {
        .until = 15,
        .middle = {.until = 20, .child = {.name = "a", .ms = 100}}};

    (void)state;
    spawn(&task, nested, &frame);
    (void)run_to(10);
    assert_int_equal(async_timeout_reset(&loop, &frame.outer, 40), 0);
    (void)run_to(100);

    assert_trace("20 a gives up\n"
                 "20 inner timed out\n"
                 "50 inner's next wait canceled\n"
                 "50 outer timed out\n");
}

/* ---- what is left ------------------------------------------------------- */

static async_time left(struct limited *frame)
{
    return async_timeout_left(&loop, &frame->timer);
}

static void what_is_left_counts_down_to_0(void **state)
{
    struct limited frame = fifty_in_twenty;

    (void)state;
    frame.child.clean_ms = 20;
    frame.then_ms = 0;
    spawn(&task, limited, &frame);
    assert_true(left(&frame) == ASYNC_FOREVER); /* it is not running yet */
    (void)settle();
    assert_int_equal(left(&frame), 20);
    (void)run_to(5);
    assert_int_equal(left(&frame), 15);
    (void)run_to(19);
    assert_int_equal(left(&frame), 1);
    (void)run_to(20);
    assert_int_equal(left(&frame), 0); /* it cleans up */
    (void)run_to(40);
    assert_true(left(&frame) == ASYNC_FOREVER); /* it is over */

    assert_trace("40 a gives up\n"
                 "40 timeout timed out\n");
}

static void of_no_timeout_all_is_left(void **state)
{
    struct limited frame = fifty_in_twenty;

    (void)state;
    frame.ms = ASYNC_NO_TIMEOUT;
    spawn(&task, limited, &frame);
    (void)run_to(10);

    assert_true(left(&frame) == ASYNC_FOREVER);
}

static void what_is_left_after_a_reset_is_what_it_gave(void **state)
{
    struct limited frame = fifty_in_twenty;

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(10);
    (void)reset(&frame, 33);
    assert_int_equal(left(&frame), 33); /* the next poll begins to count */
    leap_to(15);
    assert_int_equal(left(&frame), 33);
    (void)run_to(20);
    assert_int_equal(left(&frame), 28);
    (void)reset(&frame, 0);
    assert_int_equal(left(&frame), 0);
    (void)reset(&frame, 7);
    assert_int_equal(left(&frame), 0);
}

static void nothing_is_left_while_a_clean_up_outlasts_the_limit(void **state)
{
    struct limited frame = fifty_in_twenty;

    (void)state;
    frame.child.ms = 15;
    frame.child.clean_ms = 20;
    spawn(&task, limited, &frame);
    (void)run_to(25);

    assert_int_equal(left(&frame), 0);
}

static void what_is_left_of_a_deadline_is_the_time_till_then(void **state)
{
    struct limited frame = fifty_in_twenty;

    (void)state;
    frame.by_deadline = 1;
    frame.deadline = 30;
    spawn(&task, limited, &frame);
    (void)run_to(12);

    assert_int_equal(left(&frame), 18);
}

/* ---- what a child makes of its timeout ---------------------------------- */

/* Catches what cuts its sleeps short, so many times; then its way. */
struct catcher {
    struct async_frame async;
    struct async_timer timer;
    struct catching {
        struct async_frame async;
        struct async_timer timer;
        int times, error;
        int limits_clean_up; /* to 10 ms */
    } catching;
    uint32_t ms;
    int self_cancels;
};

static async catching(struct async_loop *on, struct catching *self)
{
    int status;

    async_begin(self);
    for (;;) {
        async_catch(status, async_sleep_ms(on, 30));
        note("sleep", async_strerror(status));
        if (status > 0 || self->times-- == 0)
            break;
    }
    if (status < 0)
        async_fail(self->error ? self->error : status);
    async_finally();
    if (self->limits_clean_up) {
        async_catch(status, async_timeout(on, &self->timer, 10,
                                          async_sleep_ms(on, 100)));
        note("clean-up", async_strerror(status));
    }
    async_end();
}

static async catcher(struct async_loop *on, void *frame)
{
    struct catcher *self = frame;
    int status;

    async_begin(self);
    async_catch(status, async_timeout(on, &self->timer, self->ms,
                                      catching(on, &self->catching)));
    note("timeout", async_strerror(status));
    async_end();
}

static void
a_child_that_answers_a_timeout_with_an_error_fails_with_that(void **state)
{
    struct catcher frame = {.ms = 10, .catching = {.error = -EIO}};

    (void)state;
    spawn(&task, catcher, &frame);
    (void)run_to(200);

    assert_trace("10 sleep canceled\n"
                 "10 timeout Input/output error\n");
}

static void
a_child_that_passes_a_timeout_on_after_some_time_is_timed_out(void **state)
{
    struct catcher frame = {.ms = 10,
                            .catching = {.times = 1, .error = ASYNC_ECANCELED}};

    (void)state;
    spawn(&task, catcher, &frame);
    (void)run_to(20);
    async_cancel(&loop, &task); /* and a cancel on top of it */
    (void)run_to(200);

    assert_trace("10 sleep canceled\n"
                 "20 sleep canceled\n"
                 "20 timeout timed out\n"); /* its own comes first */
}

static void a_cancel_reaches_a_child_that_has_caught_its_timeout(void **state)
{
    struct catcher frame = {.ms = 10, .catching = {.times = 2}};

    (void)state;
    spawn(&task, catcher, &frame);
    (void)run_to(20);
    async_cancel(&loop, &task);
    (void)run_to(200);

    assert_trace("10 sleep canceled\n"
                 "20 sleep canceled\n"
                 "50 sleep done\n" /* it holds both up, and ends well */
                 "50 timeout done\n");
    assert_int_equal(async_task_outcome(&task), ASYNC_DONE);
}

static void a_clean_up_after_a_timeout_may_have_a_limit_of_its_own(void **state)
{
    struct catcher frame = {.ms = 10, .catching = {.limits_clean_up = 1}};

    (void)state;
    spawn(&task, catcher, &frame);
    (void)run_to(200);

    assert_trace("10 sleep canceled\n"
                 "20 clean-up timed out\n"
                 "20 timeout timed out\n");
}

/* Is canceled, catches it, and then awaits something with a limit. */
struct afterwards {
    struct async_frame async;
    struct async_timer timer;
    uint32_t ms;
    int again; /* is canceled once more meanwhile */
};

static async afterwards(struct async_loop *on, void *frame)
{
    struct afterwards *self = frame;
    int status;

    async_begin(self);
    async_cancel(on, async_current(on));
    async_catch(status, async_sleep_ms(on, 50));
    note("sleep", async_strerror(status));
    if (self->again)
        async_cancel(on, async_current(on));
    async_catch(status, async_timeout(on, &self->timer, self->ms,
                                      async_sleep_ms(on, 100)));
    note("timeout", async_strerror(status));
    async_catch(status, async_sleep_ms(on, 5));
    note("next wait", async_strerror(status));
    async_end();
}

static void a_timeout_after_a_cancel_that_was_caught_is_a_timeout(void **state)
{
    struct afterwards frame = {.ms = 10};

    (void)state;
    spawn(&task, afterwards, &frame);
    (void)run_to(200);

    assert_trace("0 sleep canceled\n"
                 "10 timeout timed out\n"
                 "15 next wait done\n");
}

static void a_timeout_of_0_after_a_cancel_that_was_caught_is_one(void **state)
{
    struct afterwards frame = {.ms = 0};

    (void)state;
    spawn(&task, afterwards, &frame);
    (void)run_to(200);

    assert_trace("0 sleep canceled\n"
                 "0 timeout timed out\n"
                 "5 next wait done\n");
}

static void a_second_cancel_under_a_limit_is_a_cancel(void **state)
{
    struct afterwards frame = {.ms = 10, .again = 1};

    (void)state;
    spawn(&task, afterwards, &frame);
    (void)run_to(200);

    assert_trace("0 sleep canceled\n"
                 "0 timeout canceled\n"
                 "5 next wait done\n");
}

static void a_second_cancel_under_a_limit_of_0_comes_after_it(void **state)
{
    struct afterwards frame = {.ms = 0, .again = 1};

    (void)state;
    spawn(&task, afterwards, &frame);
    (void)run_to(200);

    assert_trace("0 sleep canceled\n"
                 "0 timeout timed out\n"
                 "0 next wait canceled\n");
}

/* A plain yield under a limit that is over at once. */
static async yielder(struct async_loop *on, void *frame)
{
    struct afterwards *self = frame;
    int status;

    async_begin(self);
    async_catch(status,
                async_timeout(on, &self->timer, self->ms, async_yield_now(on)));
    note("timeout", async_strerror(status));
    async_catch(status, async_sleep_ms(on, 5));
    note("next wait", async_strerror(status));
    async_end();
}

static void a_timeout_of_0_lets_a_yield_through_which_is_over(void **state)
{
    struct afterwards frame = {.ms = 0};

    (void)state;
    spawn(&task, yielder, &frame);
    (void)run_to(200);

    assert_trace("0 timeout done\n"
                 "5 next wait done\n");
}

/* Runs as far as its first wait, whatever its limit. */
static void a_timeout_of_0_does_not_keep_a_child_from_beginning(void **state)
{
    struct worker frame = {.work = {.first_ms = 2}};

    (void)state;
    spawn(&task, worker, &frame);
    (void)settle();
    assert_trace("0 reset refused\n");
    (void)async_timeout_reset(&loop, &frame.timer, 0);
    (void)run_to(100);

    assert_trace("0 left none\n"
                 "0 reset timed out\n"
                 "5 clean-up done\n"
                 "5 timeout timed out\n"
                 "10 next wait done\n");
}

/* A task that outlives the one who waits for it with a limit. */
struct joiner {
    struct async_frame async;
    struct async_timer timer;
    struct async_task *other;
};

static async joiner(struct async_loop *on, void *frame)
{
    struct joiner *self = frame;
    int status;

    async_begin(self);
    async_catch(status, async_timeout(on, &self->timer, 10,
                                      async_join(on, self->other)));
    note("join", async_strerror(status));
    async_catch(status, async_join(on, self->other));
    note("join", async_strerror(status));
    async_end();
}

static void a_task_that_is_joined_with_a_limit_may_be_joined_again(void **state)
{
    struct joiner frame = {0};
    struct limited other = {.ms = ASYNC_NO_TIMEOUT,
                            .child = {.name = "other", .ms = 30}};
    static struct async_task other_task;

    (void)state;
    other_task = (struct async_task){0};
    frame.other = &other_task;
    spawn(&other_task, limited, &other);
    spawn(&task, joiner, &frame);
    (void)run_to(200);

    assert_trace("10 join timed out\n" /* the other one goes on */
                 "30 other is done\n"
                 "30 timeout done\n"
                 "30 join done\n");
}

/* ---- mistakes ----------------------------------------------------------- */

#define LEVELS 256

/* Awaits a sleep under so many limits of 0. */
struct deep {
    struct async_frame async;
    struct async_timer timers[LEVELS];
};

static async deep(struct async_loop *on, void *frame)
{
    struct deep *self = frame;
    async_status status;
    int i;

    async_begin(self);
    for (;;) {
        status = async_sleep_ms(on, 100);
        for (i = 0; i < LEVELS; i++)
            status = async_timeout(on, &self->timers[i], 0, status);
        if (status != ASYNC_PENDING)
            break;
        async_yield();
    }
    async_end();
}

static void poll_once(void *argument)
{
    (void)argument;
    (void)async_poll(&loop, now);
}

static void timeouts_nested_too_deep_are_caught(void **state)
{
    static struct deep frame;

    (void)state;
    spawn(&task, deep, &frame);
    assert_stops("timeouts nested too deep", poll_once, NULL);
}

/* Sleeps; from the third time it is asked on it wants a permit instead. */
struct fickle {
    struct async_frame async;
    struct async_semaphore none;
    int times;
};

static async_status change_its_mind(struct async_loop *on, struct fickle *self)
{
    return ++self->times >= 3 ? async_acquire(on, &self->none)
                              : async_sleep_ms(on, 50);
}

static async fickle(struct async_loop *on, void *frame)
{
    struct fickle *self = frame;

    async_begin(self);
    await(change_its_mind(on, self));
    async_end();
}

struct caller {
    struct async_frame async;
    struct async_timer timer;
    struct async_call_frame call;
    struct fickle fickle;
};

static async caller(struct async_loop *on, void *frame)
{
    struct caller *self = frame;
    int status;

    async_begin(self);
    async_catch(status, async_timeout(on, &self->timer, 10,
                                      async_call(on, &self->call, fickle,
                                                 &self->fickle)));
    note("caller", async_strerror(status));
    async_end();
}

static void
a_timeout_lands_in_the_next_wait_of_a_call_that_gives_its_own_up(void **state)
{
    struct caller frame = {.call = {.fn_ = NULL}};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(100);

    assert_trace("10 caller timed out\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        timeline_claim(a_deadline_ends_what_would_wait_past_it),
        timeline_claim(a_deadline_is_a_time_however_late_the_wait_begins),
        timeline_claim(a_deadline_that_is_now_cuts_the_first_wait),
        timeline_claim(a_deadline_that_is_past_cuts_the_first_wait),
        timeline_claim(a_deadline_that_is_past_leaves_what_does_not_wait_alone),
        timeline_claim(what_ends_before_its_deadline_leaves_no_timer),
        timeline_claim(an_error_before_the_deadline_is_returned_as_it_is),
        timeline_claim(a_cancel_before_the_deadline_is_a_cancel),
        timeline_claim(a_deadline_behind_the_wrap_of_the_time_is_ahead),
        timeline_claim(one_deadline_and_one_timer_serve_a_row_of_awaits),
        timeline_claim(one_timer_serves_one_task_after_the_other),
        timeline_claim(an_inner_deadline_does_not_outlive_the_outer_one),
        timeline_claim(of_two_deadlines_at_one_time_the_inner_one_is_first),
        timeline_claim(of_two_deadlines_that_are_past_the_inner_one_is_first),
        timeline_claim(no_timeout_starts_no_timer),
        timeline_claim(no_timeout_lets_a_cancel_through),
        timeline_claim(no_timeout_hands_an_error_on),
        timeline_claim(a_reset_gives_more_time_counted_from_now),
        timeline_claim(a_reset_gives_less_time_too),
        timeline_claim(
            a_limit_that_is_reset_in_time_again_and_again_never_ends),
        timeline_claim(a_reset_to_0_ends_it_now),
        timeline_claim(a_reset_to_no_timeout_lifts_the_limit),
        timeline_claim(a_reset_sets_a_limit_where_there_was_none),
        timeline_claim(a_reset_moves_a_deadline_too),
        timeline_claim(a_limit_that_was_reset_leaves_no_timer),
        timeline_claim(a_reset_from_outside_tells_the_host),
        timeline_claim(a_reset_from_outside_counts_from_the_next_poll),
        timeline_claim(
            what_runs_under_a_limit_may_move_it_from_its_first_wait_on),
        timeline_claim(what_runs_under_a_limit_may_end_it_before_its_next_wait),
        timeline_claim(a_reset_before_it_runs_and_after_it_has_is_refused),
        timeline_claim(a_reset_while_a_timeout_cleans_up_is_refused),
        timeline_claim(a_reset_while_a_clean_up_is_not_cut_by_it_is_refused),
        timeline_claim(a_reset_while_a_cancel_cleans_up_changes_nothing),
        timeline_claim(a_reset_on_the_tick_before_it_expires_is_in_time),
        timeline_claim(a_reset_on_the_tick_after_it_has_expired_is_refused),
        timeline_claim(a_reset_of_the_inner_limit_does_not_move_the_outer_one),
        timeline_claim(a_reset_of_the_outer_limit_does_not_move_the_inner_one),
        timeline_claim(what_is_left_counts_down_to_0),
        timeline_claim(of_no_timeout_all_is_left),
        timeline_claim(what_is_left_after_a_reset_is_what_it_gave),
        timeline_claim(nothing_is_left_while_a_clean_up_outlasts_the_limit),
        timeline_claim(what_is_left_of_a_deadline_is_the_time_till_then),
        timeline_claim(
            a_child_that_answers_a_timeout_with_an_error_fails_with_that),
        timeline_claim(
            a_child_that_passes_a_timeout_on_after_some_time_is_timed_out),
        timeline_claim(a_cancel_reaches_a_child_that_has_caught_its_timeout),
        timeline_claim(a_clean_up_after_a_timeout_may_have_a_limit_of_its_own),
        timeline_claim(a_timeout_after_a_cancel_that_was_caught_is_a_timeout),
        timeline_claim(a_timeout_of_0_after_a_cancel_that_was_caught_is_one),
        timeline_claim(a_second_cancel_under_a_limit_is_a_cancel),
        timeline_claim(a_second_cancel_under_a_limit_of_0_comes_after_it),
        timeline_claim(a_timeout_of_0_lets_a_yield_through_which_is_over),
        timeline_claim(a_timeout_of_0_does_not_keep_a_child_from_beginning),
        timeline_claim(a_task_that_is_joined_with_a_limit_may_be_joined_again),
        timeline_claim(timeouts_nested_too_deep_are_caught),
        timeline_claim(
            a_timeout_lands_in_the_next_wait_of_a_call_that_gives_its_own_up),
    };

    return cmocka_run_group_tests_name("async_timeout.h", tests, NULL, NULL);
}
