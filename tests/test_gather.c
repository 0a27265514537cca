/* test_gather.c: what async_gather.h promises, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_gather.c -lcmocka
 */
#include "trace.h"

#include "timeline.h"

#include <errno.h>
#include <stdlib.h>

/* ---- the cast ----------------------------------------------------------- */

/* Works for `ms`, then ends or fails with `error`; cleans up for `clean_ms`. */
struct child {
    struct async_frame async;
    const char *name;
    uint32_t ms;
    int error;
    uint32_t clean_ms;
    int result;
};

static async child(struct async_loop *on, void *frame)
{
    struct child *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, self->ms));
    if (self->error)
        async_fail(self->error);
    self->result = (int)self->ms;
    async_finally();
    if (self->clean_ms)
        await(async_sleep_ms(on, self->clean_ms));
    note(self->name, self->result ? "is done" : "gives up");
    async_end();
}

/* Ignores a cancel: works on for as long again, and ends well. */
static async stubborn_child(struct async_loop *on, void *frame)
{
    struct child *self = frame;
    int status;

    async_begin(self);
    async_catch(status, async_sleep_ms(on, self->ms));
    if (status < 0) {
        note(self->name, "does not mind");
        await(async_sleep_ms(on, self->ms));
    }
    self->result = (int)self->ms;
    note(self->name, "is done");
    async_end();
}

/* Spawns `count` of its children and gathers them. */
struct parent {
    struct async_frame async;
    struct async_batch batch;
    struct async_task tasks[3];
    struct child calls[3];
    size_t count;
    uint32_t late_ms; /* gathers that much after it has spawned */
};

static async parent(struct async_loop *on, void *frame)
{
    struct parent *self = frame;
    size_t i;
    int status;

    async_begin(self);
    for (i = 0; i < self->count; i++)
        spawn(&self->tasks[i], child, &self->calls[i]);
    if (self->late_ms)
        await(async_sleep_ms(on, self->late_ms));
    async_catch(status,
                async_gather(on, &self->batch, self->tasks, self->count));
    note("gather", async_strerror(status));
    if (status < 0)
        async_fail(status);
    async_end();
}

/* Cancels `task` at the very moment at which another one has ended, before
 * those run that wait for it otherwise. */
struct meddler {
    struct async_frame async;
    struct async_task *joined;
    struct async_task task;
    int rc;
};

static async meddler(struct async_loop *on, void *frame)
{
    struct meddler *self = frame;

    async_begin(self);
    async_catch(self->rc, async_join(on, self->joined));
    async_cancel(on, &task);
    async_end();
}

/* ---- gather ------------------------------------------------------------- */

static void gather_ends_when_its_last_task_has_ended(void **state)
{
    struct parent frame = {.count = 3,
                           .calls = {{.name = "a", .ms = 20},
                                     {.name = "b", .ms = 30},
                                     {.name = "c", .ms = 10}}};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(100);

    assert_trace("10 c is done\n"
                 "20 a is done\n"
                 "30 b is done\n"
                 "30 gather done\n");
    assert_int_equal(async_task_outcome(&task), ASYNC_DONE);
}

static void results_are_in_input_order_whatever_order_they_came_in(void **state)
{
    struct parent frame = {.count = 3,
                           .calls = {{.name = "a", .ms = 20},
                                     {.name = "b", .ms = 30},
                                     {.name = "c", .ms = 10}}};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(100);

    assert_int_equal(frame.calls[0].result, 20);
    assert_int_equal(frame.calls[1].result, 30);
    assert_int_equal(frame.calls[2].result, 10);
    trace_clear();
}

static void gather_of_tasks_that_have_all_ended_does_not_wait(void **state)
{
    struct parent frame = {
        .count = 2,
        .late_ms = 50,
        .calls = {{.name = "a", .ms = 20}, {.name = "b", .ms = 10}}};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(100);

    assert_trace("10 b is done\n"
                 "20 a is done\n"
                 "50 gather done\n");
}

static void gather_waits_for_the_rest_when_some_have_ended_before(void **state)
{
    struct parent frame = {
        .count = 2,
        .late_ms = 15,
        .calls = {{.name = "a", .ms = 20}, {.name = "b", .ms = 10}}};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(100);

    assert_trace("10 b is done\n"
                 "20 a is done\n"
                 "20 gather done\n");
}

static void gather_of_no_tasks_is_done_at_once(void **state)
{
    struct parent frame = {.count = 0};

    (void)state;
    spawn(&task, parent, &frame);
    (void)async_poll(&loop, 0);

    assert_trace("0 gather done\n");
}

static void
the_first_error_cancels_the_rest_and_awaits_their_clean_up(void **state)
{
    struct parent frame = {.count = 3,
                           .calls = {{.name = "a", .ms = 50, .clean_ms = 7},
                                     {.name = "b", .ms = 10, .error = -EIO},
                                     {.name = "c", .ms = 60, .clean_ms = 3}}};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(100);

    assert_trace("10 b gives up\n"
                 "13 c gives up\n" /* canceled at 10, clean 3 ms later */
                 "17 a gives up\n"
                 "17 gather Input/output error\n");
    assert_int_equal(async_outcome(&frame.calls[0].async), ASYNC_ECANCELED);
    assert_int_equal(async_outcome(&frame.calls[1].async), -EIO);
    assert_int_equal(async_outcome(&frame.calls[2].async), ASYNC_ECANCELED);
}

static void the_failed_task_may_take_its_time_to_clean_up_too(void **state)
{
    struct parent frame = {
        .count = 2,
        .calls = {{.name = "a", .ms = 50},
                  {.name = "b", .ms = 10, .error = -EIO, .clean_ms = 5}}};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(100);

    assert_trace("15 b gives up\n" /* its error is out when it has ended */
                 "15 a gives up\n"
                 "15 gather Input/output error\n");
}

static void the_error_that_came_first_in_time_is_returned(void **state)
{
    struct parent frame = {.count = 3,
                           .calls = {{.name = "a", .ms = 20, .error = -EPERM},
                                     {.name = "b", .ms = 30, .error = -ENOENT},
                                     {.name = "c", .ms = 10, .error = -EIO}}};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(100);

    assert_trace("10 c gives up\n"
                 "10 a gives up\n" /* canceled */
                 "10 b gives up\n"
                 "10 gather Input/output error\n");
}

static void
of_two_errors_on_one_tick_the_one_that_ran_first_is_returned(void **state)
{
    struct parent frame = {.count = 2,
                           .calls = {{.name = "a", .ms = 20, .error = -EPERM},
                                     {.name = "b", .ms = 10, .error = -EIO}}};

    (void)state;
    spawn(&task, parent, &frame);
    leap_to(0);
    leap_to(20); /* both are due: b first, it was due before */

    assert_trace("20 b gives up\n"
                 "20 a gives up\n"
                 "20 gather Input/output error\n");
    assert_int_equal(async_outcome(&frame.calls[0].async), -EPERM);
}

static void an_error_from_before_the_gather_began_cancels_the_rest(void **state)
{
    struct parent frame = {.count = 2,
                           .late_ms = 15,
                           .calls = {{.name = "a", .ms = 50},
                                     {.name = "b", .ms = 10, .error = -EIO}}};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(100);

    assert_trace("10 b gives up\n"
                 "15 a gives up\n"
                 "15 gather Input/output error\n");
}

static void a_canceled_task_is_an_error_for_its_gather(void **state)
{
    struct parent frame = {
        .count = 2,
        .calls = {{.name = "a", .ms = 50}, {.name = "b", .ms = 60}}};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(10);
    async_cancel(&loop, &frame.tasks[0]);
    (void)run_to(100);

    assert_trace("10 a gives up\n"
                 "10 b gives up\n"
                 "10 gather canceled\n");
}

static void a_task_that_ignores_the_cancel_is_awaited_to_its_end(void **state)
{
    struct parent frame = {.count = 2,
                           .late_ms = 5,
                           .calls = {{.name = "a", .ms = 10, .error = -EIO},
                                     {.name = "b", .ms = 40}}};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(1);
    frame.tasks[1].fn = stubborn_child; /* the same frame, from its start */
    frame.calls[1].async = (struct async_frame){0};
    (void)run_to(100);

    assert_trace("10 a gives up\n"
                 "10 b does not mind\n"
                 "50 b is done\n"
                 "50 gather Input/output error\n");
}

static void a_collecting_gather_lets_all_run_to_their_own_ends(void **state)
{
    struct parent frame = {.count = 3,
                           .batch = {.collect = 1},
                           .calls = {{.name = "a", .ms = 30},
                                     {.name = "b", .ms = 10, .error = -EIO},
                                     {.name = "c", .ms = 20, .error = -EPERM}}};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(100);

    assert_trace("10 b gives up\n"
                 "20 c gives up\n"
                 "30 a is done\n"
                 "30 gather done\n");
    assert_int_equal(async_task_outcome(&frame.tasks[0]), ASYNC_DONE);
    assert_int_equal(async_task_outcome(&frame.tasks[1]), -EIO);
    assert_int_equal(async_task_outcome(&frame.tasks[2]), -EPERM);
}

static void a_collecting_gather_takes_errors_from_before_it_began(void **state)
{
    struct parent frame = {.count = 2,
                           .late_ms = 15,
                           .batch = {.collect = 1},
                           .calls = {{.name = "a", .ms = 30},
                                     {.name = "b", .ms = 10, .error = -EIO}}};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(100);

    assert_trace("10 b gives up\n"
                 "30 a is done\n"
                 "30 gather done\n");
    assert_int_equal(async_task_outcome(&frame.tasks[1]), -EIO);
    assert_int_equal(async_unjoined(&loop), 0);
}

static void a_canceled_gather_cancels_its_tasks_and_awaits_them(void **state)
{
    struct parent frame = {.count = 2,
                           .calls = {{.name = "a", .ms = 50, .clean_ms = 7},
                                     {.name = "b", .ms = 60, .clean_ms = 3}}};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("13 b gives up\n"
                 "17 a gives up\n"
                 "17 gather canceled\n");
    assert_int_equal(async_task_outcome(&task), ASYNC_ECANCELED);
}

static void a_canceled_collecting_gather_is_canceled_all_the_same(void **state)
{
    struct parent frame = {.count = 1,
                           .batch = {.collect = 1},
                           .calls = {{.name = "a", .ms = 50, .clean_ms = 7}}};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("17 a gives up\n"
                 "17 gather canceled\n");
}

static void a_cancel_before_the_gather_began_cancels_its_tasks(void **state)
{
    struct parent frame = {.count = 1, .calls = {{.name = "a", .ms = 50}}};

    (void)state;
    spawn(&task, parent, &frame);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a gives up\n"
                 "0 gather canceled\n");
}

static void a_second_cancel_does_not_cut_the_clean_up_short(void **state)
{
    struct parent frame = {.count = 1,
                           .calls = {{.name = "a", .ms = 50, .clean_ms = 7}}};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(12);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("17 a gives up\n"
                 "17 gather canceled\n");
}

static void an_error_before_a_cancel_is_what_gather_returns(void **state)
{
    struct parent frame = {.count = 2,
                           .calls = {{.name = "a", .ms = 10, .error = -EIO},
                                     {.name = "b", .ms = 60, .clean_ms = 20}}};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(15);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("10 a gives up\n"
                 "30 b gives up\n"
                 "30 gather Input/output error\n");
}

static void a_cancel_before_an_error_is_what_gather_returns(void **state)
{
    struct parent frame = {.count = 1,
                           .calls = {{.name = "a", .ms = 50, .clean_ms = 5}}};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(11);
    frame.calls[0].async.status_ = -EIO; /* its clean-up fails */
    (void)run_to(100);

    assert_trace("15 a gives up\n"
                 "15 gather canceled\n");
    assert_int_equal(async_task_outcome(&frame.tasks[0]), -EIO);
}

static void a_gather_that_ends_on_the_tick_of_a_cancel_has_ended(void **state)
{
    struct parent frame = {.count = 1, .calls = {{.name = "a", .ms = 10}}};
    struct meddler meddling = {.joined = &frame.tasks[0]};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(9);
    spawn(&meddling.task, meddler, &meddling);
    (void)run_to(100);

    assert_trace("10 a is done\n"
                 "10 gather done\n");
}

static void canceling_the_batch_of_a_gather_makes_it_return_that(void **state)
{
    struct parent frame = {.count = 2,
                           .calls = {{.name = "a", .ms = 50, .clean_ms = 7},
                                     {.name = "b", .ms = 60}}};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(10);
    async_batch_cancel(&loop, &frame.batch);
    (void)run_to(100);

    assert_trace("10 b gives up\n"
                 "17 a gives up\n"
                 "17 gather canceled\n");
}

static void
canceling_the_batch_of_a_gather_that_unwinds_changes_nothing(void **state)
{
    struct parent frame = {.count = 2,
                           .late_ms = 5,
                           .calls = {{.name = "a", .ms = 10, .error = -EIO},
                                     {.name = "b", .ms = 40}}};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(1);
    frame.tasks[1].fn = stubborn_child; /* the same frame, from its start */
    frame.calls[1].async = (struct async_frame){0};
    (void)run_to(20);
    async_batch_cancel(&loop, &frame.batch); /* b was asked once */
    (void)run_to(100);
    async_batch_cancel(&loop, &frame.batch); /* nothing waits */

    assert_trace("10 a gives up\n"
                 "10 b does not mind\n"
                 "50 b is done\n"
                 "50 gather Input/output error\n");
}

static void failed_tasks_of_a_gather_are_not_reported_as_unhandled(void **state)
{
    struct parent frame = {
        .count = 3,
        .batch = {.collect = 1},
        .late_ms = 10,
        .calls = {{.name = "a", .ms = 5, .error = -EIO}, /* before it began */
                  {.name = "b", .ms = 20, .error = -EPERM},
                  {.name = "c", .ms = 30, .error = -ENOENT}}};

    (void)state;
    spawn(&task, parent, &frame);
    (void)run_to(100);

    trace_clear();
    assert_int_equal(async_unjoined(&loop), 0);
}

/* Gathers two sets with one batch. */
struct twice {
    struct async_frame async;
    struct async_batch batch;
    struct async_task tasks[2];
    struct child calls[2];
};

static async twice(struct async_loop *on, void *frame)
{
    struct twice *self = frame;
    int status;

    async_begin(self);
    self->calls[0] = (struct child){.name = "a", .ms = 10, .error = -EIO};
    self->calls[1] = (struct child){.name = "b", .ms = 20};
    spawn(&self->tasks[0], child, &self->calls[0]);
    spawn(&self->tasks[1], child, &self->calls[1]);
    async_catch(status, async_gather(on, &self->batch, self->tasks, 2));
    note("first gather", async_strerror(status));
    self->calls[0] = (struct child){.name = "c", .ms = 10};
    self->calls[1] = (struct child){.name = "d", .ms = 20};
    spawn(&self->tasks[0], child, &self->calls[0]);
    spawn(&self->tasks[1], child, &self->calls[1]);
    async_catch(status, async_gather(on, &self->batch, self->tasks, 2));
    note("second gather", async_strerror(status));
    async_end();
}

static void a_batch_and_its_tasks_serve_a_second_gather(void **state)
{
    struct twice frame = {0};

    (void)state;
    spawn(&task, twice, &frame);
    (void)run_to(100);

    assert_trace("10 a gives up\n"
                 "10 b gives up\n"
                 "10 first gather Input/output error\n"
                 "20 c is done\n"
                 "30 d is done\n"
                 "30 second gather done\n");
}

struct grandparent {
    struct async_frame async;
    struct async_batch batch;
    struct async_task tasks[2];
    struct parent parents[2];
};

static async grandparent(struct async_loop *on, void *frame)
{
    struct grandparent *self = frame;
    int status;

    async_begin(self);
    spawn(&self->tasks[0], parent, &self->parents[0]);
    spawn(&self->tasks[1], parent, &self->parents[1]);
    async_catch(status, async_gather(on, &self->batch, self->tasks, 2));
    note("outer gather", async_strerror(status));
    async_end();
}

static void
an_error_of_an_inner_gather_cancels_the_outer_ones_other_tasks(void **state)
{
    struct grandparent frame = {
        .parents = {{.count = 2,
                     .calls = {{.name = "a", .ms = 50, .clean_ms = 5},
                               {.name = "b", .ms = 10, .error = -EIO}}},
                    {.count = 1, .calls = {{.name = "c", .ms = 60}}}}};

    (void)state;
    spawn(&task, grandparent, &frame);
    (void)run_to(100);

    assert_trace("10 b gives up\n"
                 "15 a gives up\n"
                 "15 gather Input/output error\n"
                 "15 c gives up\n"
                 "15 gather canceled\n"
                 "15 outer gather Input/output error\n");
}

static void a_cancel_reaches_the_tasks_of_inner_gathers(void **state)
{
    struct grandparent frame = {
        .parents = {
            {.count = 1, .calls = {{.name = "a", .ms = 50, .clean_ms = 2}}},
            {.count = 1, .calls = {{.name = "b", .ms = 60}}}}};

    (void)state;
    spawn(&task, grandparent, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("10 b gives up\n"
                 "10 gather canceled\n"
                 "12 a gives up\n"
                 "12 gather canceled\n"
                 "12 outer gather canceled\n");
}

/* Gathers a task that it has not spawned. */
struct rival {
    struct async_frame async;
    struct async_batch batch;
    struct async_task *tasks;
};

static async rival(struct async_loop *on, void *frame)
{
    struct rival *self = frame;
    int status;

    async_begin(self);
    async_catch(status, async_gather(on, &self->batch, self->tasks, 1));
    note("rival", async_strerror(status));
    async_end();
}

static void a_gather_of_a_task_that_was_never_spawned_is_caught(void **state)
{
    struct async_task never = {0};
    struct rival frame = {.tasks = &never};

    (void)state;
    spawn(&task, rival, &frame);

    assert_stops("gathers a task that was never spawned", settle_loop, NULL);
}

static void a_second_gather_of_one_task_is_caught(void **state)
{
    struct parent frame = {.count = 1, .calls = {{.name = "a", .ms = 20}}};
    struct rival other = {.tasks = frame.tasks};
    struct async_task other_task = {0};

    (void)state;
    spawn(&task, parent, &frame);
    (void)settle();
    spawn(&other_task, rival, &other);

    assert_stops("gathers a task", settle_loop, NULL);
}

static void
without_assertions_a_wrong_gather_is_refused_and_harms_nobody(void **state)
{
    struct parent frame = {.count = 1, .calls = {{.name = "a", .ms = 20}}};
    struct async_task never = {0}, others[2] = {0};
    struct rival of_a = {.tasks = frame.tasks}, of_never = {.tasks = &never};

    (void)state;
    spawn(&task, parent, &frame);
    (void)settle();
    spawn(&others[0], rival, &of_a);
    spawn(&others[1], rival, &of_never);
    stops_are_noted(1);
    (void)run_to(100);
    stops_are_noted(0);

    assert_noted("gathers a task");
    assert_trace("0 rival invalid argument\n"
                 "0 rival invalid argument\n"
                 "20 a is done\n"
                 "20 gather done\n");
}

/* ---- gather, and somebody who joins one of its tasks -------------------- */

struct joiner {
    struct async_frame async;
    const char *name;
    struct async_task *joined;
    uint32_t late_ms;
};

static async joiner(struct async_loop *on, void *frame)
{
    struct joiner *self = frame;
    int status;

    async_begin(self);
    if (self->late_ms)
        await(async_sleep_ms(on, self->late_ms));
    async_catch(status, async_join(on, self->joined));
    note(self->name, async_strerror(status));
    async_end();
}

static void
a_gathered_task_can_be_joined_before_and_after_it_was_gathered(void **state)
{
    struct parent frame = {
        .count = 2,
        .late_ms = 5,
        .calls = {{.name = "a", .ms = 20}, {.name = "b", .ms = 10}}};
    struct joiner before = {.name = "before", .joined = &frame.tasks[0]};
    struct joiner after = {
        .name = "after", .joined = &frame.tasks[0], .late_ms = 7};
    struct async_task joiners[2] = {0};

    (void)state;
    spawn(&task, parent, &frame);
    (void)settle();
    spawn(&joiners[0], joiner, &before);
    spawn(&joiners[1], joiner, &after);
    (void)run_to(100);

    assert_trace("10 b is done\n" /* which neither of them has joined */
                 "20 a is done\n"
                 "20 before done\n"
                 "20 after done\n"
                 "20 gather done\n");
}

static void a_joiner_and_the_gather_both_get_a_tasks_error(void **state)
{
    struct parent frame = {.count = 1,
                           .calls = {{.name = "a", .ms = 20, .error = -EIO}}};
    struct joiner other = {
        .name = "joiner", .joined = &frame.tasks[0], .late_ms = 1};
    struct async_task joining = {0};

    (void)state;
    spawn(&task, parent, &frame);
    spawn(&joining, joiner, &other);
    (void)run_to(100);

    assert_trace("20 a gives up\n"
                 "20 joiner Input/output error\n"
                 "20 gather Input/output error\n");
}

static void a_canceled_joiner_leaves_the_gathered_task_alone(void **state)
{
    struct parent frame = {.count = 1, .calls = {{.name = "a", .ms = 20}}};
    struct joiner other = {.name = "joiner", .joined = &frame.tasks[0]};
    struct async_task joining = {0};

    (void)state;
    spawn(&task, parent, &frame);
    (void)settle();
    spawn(&joining, joiner, &other);
    (void)run_to(10);
    async_cancel(&loop, &joining);
    (void)run_to(100);

    assert_trace("10 joiner canceled\n"
                 "20 a is done\n"
                 "20 gather done\n");
}

static void
a_joiner_canceled_before_the_gather_began_has_left_the_line(void **state)
{
    struct parent frame = {
        .count = 1, .late_ms = 10, .calls = {{.name = "a", .ms = 20}}};
    struct joiner first = {.name = "first", .joined = &frame.tasks[0]};
    struct joiner second = {.name = "second", .joined = &frame.tasks[0]};
    struct async_task joining[2] = {0};

    (void)state;
    spawn(&task, parent, &frame);
    (void)settle();
    spawn(&joining[0], joiner, &first);
    spawn(&joining[1], joiner, &second);
    (void)run_to(5);
    async_cancel(&loop, &joining[0]);
    (void)run_to(100);

    assert_trace("5 first canceled\n"
                 "20 a is done\n"
                 "20 second done\n"
                 "20 gather done\n");
}

/* ---- map -------------------------------------------------------------- */

static int running, most; /* calls at once, and the most there were */

static void count_in(void)
{
    running++;
    if (running > most)
        most = running;
}

static async mapped(struct async_loop *on, void *frame)
{
    struct child *self = frame;

    async_begin(self);
    count_in();
    note(self->name, "starts");
    await(async_sleep_ms(on, self->ms));
    if (self->error)
        async_fail(self->error);
    self->result = (int)self->ms;
    async_finally();
    if (self->clean_ms)
        await(async_sleep_ms(on, self->clean_ms));
    running--;
    note(self->name, self->result ? "is done" : "gives up");
    async_end();
}

struct mapper {
    struct async_frame async;
    struct async_batch batch;
    struct async_task tasks[4];
    struct child calls[4];
    size_t count, limit;
};

static async mapper(struct async_loop *on, void *frame)
{
    struct mapper *self = frame;
    int status;

    async_begin(self);
    running = most = 0;
    async_catch(status, async_map_n(on, &self->batch, mapped, self->calls,
                                    sizeof *self->calls, self->count,
                                    self->tasks, self->limit));
    note("map", async_strerror(status));
    if (status < 0)
        async_fail(status);
    async_end();
}

static void
map_starts_the_calls_in_order_and_the_next_when_one_has_ended(void **state)
{
    struct mapper frame = {.count = 4,
                           .limit = 2,
                           .calls = {{.name = "a", .ms = 30},
                                     {.name = "b", .ms = 10},
                                     {.name = "c", .ms = 10},
                                     {.name = "d", .ms = 5}}};

    (void)state;
    spawn(&task, mapper, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "0 b starts\n"
                 "10 b is done\n"
                 "10 c starts\n"
                 "20 c is done\n"
                 "20 d starts\n"
                 "25 d is done\n"
                 "30 a is done\n"
                 "30 map done\n");
    assert_int_equal(most, 2);
    assert_int_equal(frame.calls[0].result, 30);
    assert_int_equal(frame.calls[3].result, 5);
}

static void map_with_one_task_makes_one_call_after_the_other(void **state)
{
    struct mapper frame = {.count = 3,
                           .limit = 1,
                           .calls = {{.name = "a", .ms = 10},
                                     {.name = "b", .ms = 10},
                                     {.name = "c", .ms = 10}}};

    (void)state;
    spawn(&task, mapper, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 a is done\n"
                 "10 b starts\n"
                 "20 b is done\n"
                 "20 c starts\n"
                 "30 c is done\n"
                 "30 map done\n");
}

static void map_of_fewer_frames_than_tasks_leaves_tasks_unused(void **state)
{
    struct mapper frame = {
        .count = 1, .limit = 4, .calls = {{.name = "a", .ms = 10}}};

    (void)state;
    spawn(&task, mapper, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 a is done\n"
                 "10 map done\n");
    assert_int_equal(async_task_outcome(&frame.tasks[1]), ASYNC_PENDING);
}

static void map_of_no_frames_is_done_at_once(void **state)
{
    struct mapper with = {.count = 0, .limit = 4}, without = {0};
    struct async_task other = {0};

    (void)state;
    spawn(&task, mapper, &with);
    spawn(&other, mapper, &without);
    (void)async_poll(&loop, 0);

    assert_trace("0 map done\n"
                 "0 map done\n");
}

static void map_of_frames_without_a_task_is_refused(void **state)
{
    struct mapper frame = {
        .count = 1, .limit = 0, .calls = {{.name = "a", .ms = 10}}};

    (void)state;
    spawn(&task, mapper, &frame);
    (void)async_poll(&loop, 0);

    assert_trace("0 map invalid argument\n");
    assert_int_equal(frame.calls[0].async.state_, 0); /* and was not started */
}

static void after_an_error_map_starts_no_more_calls(void **state)
{
    struct mapper frame = {.count = 4,
                           .limit = 2,
                           .calls = {{.name = "a", .ms = 30, .clean_ms = 2},
                                     {.name = "b", .ms = 10, .error = -EIO},
                                     {.name = "c", .ms = 10},
                                     {.name = "d", .ms = 5}}};

    (void)state;
    spawn(&task, mapper, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "0 b starts\n"
                 "10 b gives up\n"
                 "12 a gives up\n"
                 "12 map Input/output error\n");
    assert_int_equal(async_outcome(&frame.calls[2].async), ASYNC_PENDING);
    assert_int_equal(frame.calls[2].async.state_, 0);
    assert_int_equal(frame.calls[3].async.state_, 0);
}

static void a_collecting_map_makes_all_calls_whatever_fails(void **state)
{
    struct mapper frame = {.count = 3,
                           .limit = 1,
                           .batch = {.collect = 1},
                           .calls = {{.name = "a", .ms = 10},
                                     {.name = "b", .ms = 10, .error = -EIO},
                                     {.name = "c", .ms = 10}}};

    (void)state;
    spawn(&task, mapper, &frame);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "10 a is done\n"
                 "10 b starts\n"
                 "20 b gives up\n"
                 "20 c starts\n"
                 "30 c is done\n"
                 "30 map done\n");
    assert_int_equal(async_outcome(&frame.calls[1].async), -EIO);
}

static void
a_canceled_map_starts_no_more_calls_and_awaits_the_others(void **state)
{
    struct mapper frame = {.count = 4,
                           .limit = 2,
                           .calls = {{.name = "a", .ms = 30, .clean_ms = 4},
                                     {.name = "b", .ms = 30},
                                     {.name = "c", .ms = 10},
                                     {.name = "d", .ms = 5}}};

    (void)state;
    spawn(&task, mapper, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a starts\n"
                 "0 b starts\n"
                 "10 b gives up\n"
                 "14 a gives up\n"
                 "14 map canceled\n");
    assert_int_equal(frame.calls[2].async.state_, 0);
}

static void a_map_whose_batch_is_canceled_starts_no_more_calls(void **state)
{
    int collect;

    for (collect = 0; collect < 2; collect++) {
        struct mapper frame = {.count = 3,
                               .limit = 2,
                               .batch = {.collect = collect},
                               .calls = {{.name = "a", .ms = 30},
                                         {.name = "b", .ms = 40},
                                         {.name = "c", .ms = 10}}};

        (void)timeline_setup(state);
        spawn(&task, mapper, &frame);
        (void)run_to(10);
        async_batch_cancel(&loop, &frame.batch);
        (void)run_to(100);

        assert_trace("0 a starts\n"
                     "0 b starts\n"
                     "10 a gives up\n"
                     "10 b gives up\n"
                     "10 map canceled\n");
        assert_int_equal(frame.calls[2].async.state_, 0);
    }
}

static void failed_calls_of_a_map_are_not_reported_as_unhandled(void **state)
{
    struct mapper frame = {.count = 3,
                           .limit = 1,
                           .batch = {.collect = 1},
                           .calls = {{.name = "a", .ms = 1, .error = -EIO},
                                     {.name = "b", .ms = 1, .error = -EIO},
                                     {.name = "c", .ms = 1, .error = -EIO}}};

    (void)state;
    spawn(&task, mapper, &frame);
    (void)run_to(100);

    trace_clear();
    assert_int_equal(async_unjoined(&loop), 0);
}

/* True arrays: the macro finds out how long they are. */
struct fifty {
    struct async_frame async;
    struct async_batch batch;
    struct async_task tasks[10];
    struct one_second {
        struct async_frame async;
        int i, result;
    } calls[50];
};

static async one_second(struct async_loop *on, void *frame)
{
    struct one_second *self = frame;

    async_begin(self);
    count_in();
    await(async_sleep_ms(on, 1000));
    self->result = self->i * self->i;
    running--;
    async_end();
}

static async fifty(struct async_loop *on, void *frame)
{
    struct fifty *self = frame;

    async_begin(self);
    running = most = 0;
    await(async_map(on, &self->batch, one_second, self->calls, self->tasks));
    note("map", "done");
    async_end();
}

static void
fifty_calls_of_a_second_ten_at_a_time_take_five_seconds(void **state)
{
    static struct fifty frame;
    int i, wrong = 0;

    (void)state;
    for (i = 0; i < 50; i++)
        frame.calls[i].i = i;
    spawn(&task, fifty, &frame);
    (void)run_to(10000);

    assert_trace("5000 map done\n");
    assert_int_equal(most, 10);
    for (i = 0; i < 50; i++)
        wrong += frame.calls[i].result != i * i;
    assert_int_equal(wrong, 0);
}

/* ---- timeout ---------------------------------------------------------- */

/* Awaits its child for so long. */
struct limited {
    struct async_frame async;
    struct async_timer timer;
    uint32_t ms;
    int (*step)(struct async_loop *on, void *frame);
    struct child child;
    uint32_t then_ms; /* then sleeps */
};

static async limited(struct async_loop *on, void *frame)
{
    struct limited *self = frame;
    int status;

    async_begin(self);
    async_catch(status, async_timeout(on, &self->timer, self->ms,
                                      self->step(on, &self->child)));
    note("timeout", async_strerror(status));
    if (self->then_ms) {
        async_catch(status, async_sleep_ms(on, self->then_ms));
        note("next wait", async_strerror(status));
    }
    async_end();
}

static void a_child_in_time_is_not_disturbed(void **state)
{
    struct limited frame = {
        .ms = 20, .step = child, .child = {.name = "a", .ms = 10}};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(100);

    assert_trace("10 a is done\n"
                 "10 timeout done\n");
    assert_int_equal(frame.child.result, 10);
}

static void a_childs_own_error_is_returned_as_it_is(void **state)
{
    struct limited frame = {.ms = 20,
                            .step = child,
                            .child = {.name = "a", .ms = 10, .error = -EIO}};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(100);

    assert_trace("10 a gives up\n"
                 "10 timeout Input/output error\n");
}

static void a_child_that_never_waits_starts_no_timer(void **state)
{
    struct limited frame = {
        .ms = 20, .step = stubborn_child, .child = {.name = "a"}};
    async_time next;

    (void)state;
    frame.child.async.state_ = ASYNC_AT_END_; /* a finished frame */
    frame.child.async.status_ = ASYNC_DONE;
    spawn(&task, limited, &frame);
    next = settle();

    assert_trace("0 timeout done\n");
    assert_true(next == ASYNC_FOREVER);
}

static void a_child_too_late_unwinds_through_its_finally_first(void **state)
{
    struct limited frame = {.ms = 20,
                            .step = child,
                            .child = {.name = "a", .ms = 50, .clean_ms = 5}};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(100);

    assert_trace("25 a gives up\n" /* awaits in its finally for 5 ms */
                 "25 timeout timed out\n");
    assert_int_equal(async_outcome(&frame.child.async), ASYNC_ECANCELED);
}

static void an_error_in_the_clean_up_does_not_hide_the_timeout(void **state)
{
    struct limited frame = {
        .ms = 20,
        .step = child,
        .child = {.name = "a", .ms = 50, .error = -EIO, .clean_ms = 5}};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(100);

    assert_trace("25 a gives up\n"
                 "25 timeout timed out\n");
}

static void
a_child_that_ignores_the_timeout_and_ends_returns_its_result(void **state)
{
    struct limited frame = {
        .ms = 20, .step = stubborn_child, .child = {.name = "a", .ms = 50}};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(100);

    assert_trace("20 a does not mind\n"
                 "70 a is done\n"
                 "70 timeout done\n");
}

static void a_timeout_asks_only_once(void **state)
{
    struct limited frame = {.ms = 20,
                            .step = stubborn_child,
                            .child = {.name = "a", .ms = 50},
                            .then_ms = 10};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(100);

    assert_trace("20 a does not mind\n"
                 "70 a is done\n"
                 "70 timeout done\n"
                 "80 next wait done\n"); /* nor is the next wait disturbed */
}

static void no_timer_is_left_behind_by_a_child_in_time(void **state)
{
    struct limited frame = {
        .ms = 20, .step = child, .child = {.name = "a", .ms = 10}};
    async_time next;

    (void)state;
    spawn(&task, limited, &frame);
    next = run_to(10);

    trace_clear();
    assert_true(next == ASYNC_FOREVER);
}

static void no_timer_is_left_behind_by_a_child_too_late(void **state)
{
    struct limited frame = {
        .ms = 20, .step = child, .child = {.name = "a", .ms = 50}};
    async_time next;

    (void)state;
    spawn(&task, limited, &frame);
    next = run_to(20);

    trace_clear();
    assert_true(next == ASYNC_FOREVER);
}

static void no_timer_is_left_behind_by_a_canceled_child(void **state)
{
    struct limited frame = {
        .ms = 20, .step = child, .child = {.name = "a", .ms = 50}};
    async_time next;

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(5);
    async_cancel(&loop, &task);
    next = settle();

    assert_trace("5 a gives up\n"
                 "5 timeout canceled\n");
    assert_true(next == ASYNC_FOREVER);
}

static void a_timeout_of_0_ms_comes_with_the_next_step(void **state)
{
    struct limited frame = {.ms = 0,
                            .step = child,
                            .child = {.name = "a", .ms = 50, .clean_ms = 5}};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(100);

    assert_trace("5 a gives up\n" /* asked to stop at 0 */
                 "5 timeout timed out\n");
}

static void
a_timeout_of_0_ms_leaves_a_child_that_does_not_wait_alone(void **state)
{
    struct limited frame = {.ms = 0, .step = stubborn_child};

    (void)state;
    frame.child.async.state_ = ASYNC_AT_END_;
    frame.child.async.status_ = ASYNC_DONE;
    spawn(&task, limited, &frame);
    (void)run_to(100);

    assert_trace("0 timeout done\n");
}

struct shrinking {
    struct async_frame async;
    struct async_timer timer;
    struct async_flag flag;
    uint32_t ms;
};

static async shrinking(struct async_loop *on, void *frame)
{
    struct shrinking *self = frame;
    int status;

    async_begin(self);
    async_catch(status, async_timeout(on, &self->timer, self->ms--,
                                      async_flag_wait(on, &self->flag)));
    note("timeout", async_strerror(status));
    async_end();
}

static void the_first_ms_count_however_often_they_are_evaluated(void **state)
{
    struct shrinking frame = {.ms = 20};
    int i;

    (void)state;
    spawn(&task, shrinking, &frame);
    for (i = 0; i < 10; i++) {
        (void)run_to(now + 1);
        async_wake(&loop); /* it looks at its flag, and at its ms */
    }
    (void)run_to(100);

    assert_true(frame.ms < 15);
    assert_trace("20 timeout timed out\n");
}

/* One timer for one timeout after the other. */
struct repeated {
    struct async_frame async;
    struct async_timer timer;
    int i;
};

static async repeated(struct async_loop *on, void *frame)
{
    struct repeated *self = frame;
    int status;

    async_begin(self);
    for (self->i = 0; self->i < 4; self->i++) {
        async_catch(status,
                    async_timeout(on, &self->timer, 10,
                                  async_sleep_ms(on, self->i % 2 ? 5 : 50)));
        note("timeout", async_strerror(status));
    }
    async_end();
}

static void a_timer_serves_one_timeout_after_the_other(void **state)
{
    struct repeated frame = {0};

    (void)state;
    spawn(&task, repeated, &frame);
    (void)run_to(100);

    assert_trace("10 timeout timed out\n"
                 "15 timeout done\n"
                 "25 timeout timed out\n"
                 "30 timeout done\n");
}

/* ---- timeout, around everything that waits ------------------------------ */

struct waiter {
    struct async_frame async;
    struct async_timer timer;
    enum { SLEEP, YIELD, UNTIL, FLAG, JOIN, ACQUIRE, GATHER, MAP } what;
    struct async_task other;
    struct async_semaphore semaphore;
    struct async_flag flag;
    struct async_batch batch;
    struct async_task tasks[2];
    struct child calls[2];
};

static async_status wait_for(struct async_loop *on, struct waiter *self)
{
    switch (self->what) {
    case SLEEP:
        return async_sleep_ms(on, 50);
    case YIELD:
        return async_yield_now(on);
    case UNTIL:
        return async_until(on, async_now(on) == 50);
    case FLAG:
        return async_flag_wait(on, &self->flag);
    case JOIN:
        return async_join(on, &self->other);
    case ACQUIRE:
        return async_acquire(on, &self->semaphore);
    case GATHER:
        return async_gather(on, &self->batch, self->tasks, 2);
    default:
        return async_map(on, &self->batch, child, self->calls, self->tasks);
    }
}

static async waiter(struct async_loop *on, void *frame)
{
    struct waiter *self = frame;
    int status;

    async_begin(self);
    async_catch(status,
                async_timeout(on, &self->timer, 20, wait_for(on, self)));
    note("timeout", async_strerror(status));
    async_end();
}

/* Runs a waiter, and returns its last poll's answer. */
static async_time wait_out(struct waiter *frame)
{
    spawn(&task, waiter, frame);
    return run_to(30);
}

static void timeout_cuts_a_sleep(void **state)
{
    struct waiter frame = {.what = SLEEP};
    async_time next = wait_out(&frame);

    (void)state;
    assert_trace("20 timeout timed out\n");
    assert_true(next == ASYNC_FOREVER);
}

static void timeout_lets_a_yield_through(void **state)
{
    struct waiter frame = {.what = YIELD};
    async_time next = wait_out(&frame);

    (void)state;
    assert_trace("0 timeout done\n");
    assert_true(next == ASYNC_FOREVER);
}

static void timeout_cuts_a_wait_for_a_condition(void **state)
{
    struct waiter frame = {.what = UNTIL};
    async_time next = wait_out(&frame);

    (void)state;
    assert_trace("20 timeout timed out\n");
    assert_true(next == ASYNC_FOREVER);
}

static void timeout_cuts_a_wait_for_a_flag(void **state)
{
    struct waiter frame = {.what = FLAG};
    async_time next = wait_out(&frame);

    (void)state;
    assert_trace("20 timeout timed out\n");
    assert_true(next == ASYNC_FOREVER);
}

static void timeout_cuts_a_join_and_the_joined_task_goes_on(void **state)
{
    struct waiter frame = {.what = JOIN};
    struct child other = {.name = "other", .ms = 25};
    async_time next;

    (void)state;
    spawn(&frame.other, child, &other);
    next = wait_out(&frame);

    assert_trace("20 timeout timed out\n"
                 "25 other is done\n");
    assert_true(next == ASYNC_FOREVER);
}

static void timeout_cuts_a_wait_for_a_permit(void **state)
{
    struct waiter frame = {.what = ACQUIRE};
    async_time next = wait_out(&frame);

    (void)state;
    assert_trace("20 timeout timed out\n");
    assert_true(next == ASYNC_FOREVER);
    async_release(&loop, &frame.semaphore);
    assert_int_equal(frame.semaphore.permits, 1); /* nobody is in line */
}

static void timeout_around_gather_awaits_the_canceled_tasks(void **state)
{
    struct waiter frame = {.what = GATHER,
                           .calls = {{.name = "a", .ms = 50, .clean_ms = 5},
                                     {.name = "b", .ms = 10}}};
    async_time next;

    (void)state;
    spawn(&frame.tasks[0], child, &frame.calls[0]);
    spawn(&frame.tasks[1], child, &frame.calls[1]);
    next = wait_out(&frame);

    assert_trace("10 b is done\n"
                 "25 a gives up\n"
                 "25 timeout timed out\n");
    assert_true(next == ASYNC_FOREVER);
}

static void timeout_around_map_awaits_the_canceled_calls(void **state)
{
    struct waiter frame = {.what = MAP,
                           .calls = {{.name = "a", .ms = 50, .clean_ms = 5},
                                     {.name = "b", .ms = 10}}};
    async_time next = wait_out(&frame);

    (void)state;
    assert_trace("10 b is done\n"
                 "25 a gives up\n"
                 "25 timeout timed out\n");
    assert_true(next == ASYNC_FOREVER);
}

static void
an_error_inside_a_gather_beats_the_timeout_that_comes_later(void **state)
{
    struct waiter frame = {.what = GATHER,
                           .calls = {{.name = "a", .ms = 50, .clean_ms = 15},
                                     {.name = "b", .ms = 10, .error = -EIO}}};
    async_time next;

    (void)state;
    spawn(&frame.tasks[0], child, &frame.calls[0]);
    spawn(&frame.tasks[1], child, &frame.calls[1]);
    next = wait_out(&frame);

    assert_trace("10 b gives up\n"
                 "25 a gives up\n"
                 "25 timeout Input/output error\n");
    assert_true(next == ASYNC_FOREVER);
}

/* ---- what wins on one tick ---------------------------------------------- */

static void finished_and_timed_out_is_finished(void **state)
{
    struct limited frame = {
        .ms = 20, .step = child, .child = {.name = "a", .ms = 20}};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(100);

    assert_trace("20 a is done\n"
                 "20 timeout done\n");
}

static void timed_out_and_finished_on_one_late_tick_is_finished(void **state)
{
    struct limited frame = {
        .ms = 20, .step = child, .child = {.name = "a", .ms = 30}};

    (void)state;
    spawn(&task, limited, &frame);
    leap_to(0);
    leap_to(40); /* the deadline was due first */

    assert_trace("40 a is done\n"
                 "40 timeout done\n");
}

static void
a_timeout_that_came_with_the_result_does_not_touch_the_next_wait(void **state)
{
    struct limited frame = {.ms = 20,
                            .step = child,
                            .child = {.name = "a", .ms = 20},
                            .then_ms = 10};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(100);

    assert_trace("20 a is done\n"
                 "20 timeout done\n"
                 "30 next wait done\n");
}

static void
a_wait_that_ends_on_the_deadline_leaves_it_to_the_childs_next_wait(void **state)
{
    struct limited frame = {
        .ms = 20,
        .step = child,
        /* the sleep ends at 20, and the clean-up's wait is not cut */
        .child = {.name = "a", .ms = 20, .clean_ms = 5}};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(100);

    assert_trace("25 a is done\n"
                 "25 timeout done\n");
}

struct two_sleeps {
    struct async_frame async;
    struct async_timer timer;
    struct pair {
        struct async_frame async;
    } pair;
};

static async pair(struct async_loop *on, struct pair *self)
{
    async_begin(self);
    await(async_sleep_ms(on, 20));
    note("first sleep", "done");
    await(async_sleep_ms(on, 20));
    note("second sleep", "done");
    async_end();
}

static async two_sleeps(struct async_loop *on, void *frame)
{
    struct two_sleeps *self = frame;
    int status;

    async_begin(self);
    async_catch(status,
                async_timeout(on, &self->timer, 20, pair(on, &self->pair)));
    note("timeout", async_strerror(status));
    async_end();
}

static void
a_child_between_two_waits_at_the_deadline_is_cut_in_the_second(void **state)
{
    struct two_sleeps frame = {0};

    (void)state;
    spawn(&task, two_sleeps, &frame);
    (void)run_to(100);

    assert_trace("20 first sleep done\n"
                 "20 timeout timed out\n");
}

/* The same again and again. */
struct punctual {
    struct async_frame async;
    struct async_timer timer;
    int i, in_time;
};

static async punctual(struct async_loop *on, void *frame)
{
    struct punctual *self = frame;
    int status;

    async_begin(self);
    for (self->i = 0; self->i < 300; self->i++) {
        async_catch(status,
                    async_timeout(on, &self->timer, 5, async_sleep_ms(on, 5)));
        self->in_time += status == ASYNC_DONE;
    }
    async_end();
}

static void
results_on_the_deadline_leave_no_timeout_behind_however_many(void **state)
{
    struct punctual frame = {0};

    (void)state;
    spawn(&task, punctual, &frame);
    (void)run_to(2000);

    assert_int_equal(frame.in_time, 300);
}

struct sleeper {
    struct async_frame async;
    uint32_t ms, then_ms;
};

static async sleeper(struct async_loop *on, void *frame)
{
    struct sleeper *self = frame;
    int status;

    async_begin(self);
    async_catch(status, async_sleep_ms(on, self->ms));
    note("sleep", async_strerror(status));
    async_catch(status, async_sleep_ms(on, self->then_ms));
    note("next wait", async_strerror(status));
    async_end();
}

/* Cancels `task` at its time: of two timers for one tick the one that was
 * started first fires first. */
static void cancel_task(struct async_loop *on, struct async_timer *timer)
{
    (void)timer;
    async_cancel(on, &task);
}

static void finished_and_canceled_is_finished(void **state)
{
    struct sleeper frame = {.ms = 20, .then_ms = 10};
    struct async_timer canceler = {0};

    (void)state;
    spawn(&task, sleeper, &frame);
    (void)settle();
    async_timer_start(&loop, &canceler, 20, cancel_task, NULL);
    (void)run_to(100);

    assert_trace("20 sleep done\n"
                 "20 next wait canceled\n");
}

static void canceled_and_finished_on_one_tick_is_finished(void **state)
{
    struct sleeper frame = {.ms = 20, .then_ms = 10};
    struct async_timer canceler = {0};

    (void)state;
    async_timer_start(&loop, &canceler, 20, cancel_task, NULL); /* first */
    spawn(&task, sleeper, &frame);
    (void)run_to(100);

    assert_trace("20 sleep done\n"
                 "20 next wait canceled\n");
}

struct holder {
    struct async_frame async;
    const char *name;
    struct async_semaphore *semaphore;
    struct async_timer timer;
    uint32_t limit_ms; /* for the wait in line; 0: none */
    uint32_t hold_ms;
    int holds;
};

static async holder(struct async_loop *on, void *frame)
{
    struct holder *self = frame;
    int status;

    async_begin(self);
    if (self->limit_ms)
        async_catch(status, async_timeout(on, &self->timer, self->limit_ms,
                                          async_acquire(on, self->semaphore)));
    else
        async_catch(status, async_acquire(on, self->semaphore));
    if (status < 0) {
        note(self->name, async_strerror(status));
        async_fail(status);
    }
    self->holds = 1;
    note(self->name, "holds");
    await(async_sleep_ms(on, self->hold_ms));
    async_finally();
    if (self->holds) {
        note(self->name, "releases");
        async_release(on, self->semaphore);
    }
    async_end();
}

static void
granted_and_canceled_holds_the_permit_till_the_next_wait(void **state)
{
    struct async_semaphore semaphore = {.permits = 0};
    struct holder frame = {.name = "a", .semaphore = &semaphore, .hold_ms = 10};

    (void)state;
    spawn(&task, holder, &frame);
    (void)run_to(5);
    async_release(&loop, &semaphore);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("5 a holds\n"
                 "5 a releases\n"); /* its sleep was canceled */
    assert_int_equal(semaphore.permits, 1);
    assert_int_equal(async_task_outcome(&task), ASYNC_ECANCELED);
}

static void canceled_and_granted_on_one_tick_holds_the_permit_too(void **state)
{
    struct async_semaphore semaphore = {.permits = 0};
    struct holder frame = {.name = "a", .semaphore = &semaphore, .hold_ms = 10};

    (void)state;
    spawn(&task, holder, &frame);
    (void)run_to(5);
    async_cancel(&loop, &task);
    async_release(&loop, &semaphore);
    (void)run_to(100);

    assert_trace("5 a holds\n"
                 "5 a releases\n");
    assert_int_equal(semaphore.permits, 1);
}

static void granted_and_timed_out_holds_the_permit(void **state)
{
    struct async_semaphore semaphore = {.permits = 0};
    struct holder frame = {
        .name = "a", .semaphore = &semaphore, .limit_ms = 20, .hold_ms = 10};

    (void)state;
    spawn(&task, holder, &frame);
    (void)run_to(19);
    async_release(&loop, &semaphore);
    (void)run_to(100);
    assert_trace("19 a holds\n"
                 "29 a releases\n");

    frame.async = (struct async_frame){0};
    frame.holds = 0;
    semaphore.permits = 0;
    spawn(&task, holder, &frame);
    (void)run_to(119);
    async_release(&loop, &semaphore); /* granted, but it has not run */
    leap_to(120);
    (void)run_to(200);
    assert_trace("120 a holds\n"
                 "130 a releases\n");
}

static void timed_out_and_canceled_is_timed_out_and_then_canceled(void **state)
{
    struct limited frame = {.ms = 20,
                            .step = child,
                            .child = {.name = "a", .ms = 50},
                            .then_ms = 10};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task); /* the cancel was first, but has not run */
    leap_to(20);
    (void)run_to(100);

    assert_trace("20 a gives up\n"
                 "20 timeout timed out\n"
                 "20 next wait canceled\n");
}

static void canceled_in_the_poll_that_times_out_is_timed_out_first(void **state)
{
    struct limited frame = {.ms = 20,
                            .step = child,
                            .child = {.name = "a", .ms = 50},
                            .then_ms = 10};
    struct async_timer canceler = {0};

    (void)state;
    spawn(&task, limited, &frame);
    (void)settle();
    async_timer_start(&loop, &canceler, 20, cancel_task, NULL);
    (void)run_to(100);

    assert_trace("20 a gives up\n"
                 "20 timeout timed out\n"
                 "20 next wait canceled\n");
}

static void canceled_before_it_would_time_out_is_canceled(void **state)
{
    struct limited frame = {.ms = 20,
                            .step = child,
                            .child = {.name = "a", .ms = 50},
                            .then_ms = 10};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(19);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("19 a gives up\n"
                 "19 timeout canceled\n"
                 "29 next wait done\n"); /* one cancel is taken once */
}

static void
a_cancel_while_a_timeout_cleans_up_is_taken_by_the_next_wait(void **state)
{
    struct limited frame = {.ms = 20,
                            .step = child,
                            .child = {.name = "a", .ms = 50, .clean_ms = 10},
                            .then_ms = 10};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(25);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("30 a gives up\n" /* its clean-up is not cut short */
                 "30 timeout timed out\n"
                 "30 next wait canceled\n");
}

static void a_deadline_while_a_cancel_cleans_up_changes_nothing(void **state)
{
    struct limited frame = {.ms = 20,
                            .step = child,
                            .child = {.name = "a", .ms = 50, .clean_ms = 10},
                            .then_ms = 10};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(15);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("25 a gives up\n"
                 "25 timeout canceled\n"
                 "35 next wait done\n");
}

/* The same with a gather: its wait for the canceled tasks is a clean-up too. */
struct gathering {
    struct async_frame async;
    struct async_timer timer;
    struct async_batch batch;
    struct async_task tasks[1];
    struct child calls[1];
};

static async gathering(struct async_loop *on, void *frame)
{
    struct gathering *self = frame;
    int status;

    async_begin(self);
    spawn(&self->tasks[0], child, &self->calls[0]);
    async_catch(status,
                async_timeout(on, &self->timer, 20,
                              async_gather(on, &self->batch, self->tasks, 1)));
    note("timeout", async_strerror(status));
    async_catch(status, async_sleep_ms(on, 10));
    note("next wait", async_strerror(status));
    async_end();
}

static void
a_cancel_while_a_timed_out_gather_cleans_up_is_not_lost(void **state)
{
    struct gathering frame = {
        .calls = {{.name = "a", .ms = 50, .clean_ms = 10}}};

    (void)state;
    spawn(&task, gathering, &frame);
    (void)run_to(25);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("30 a gives up\n"
                 "30 timeout timed out\n"
                 "30 next wait canceled\n");
}

static void a_gather_that_is_timed_out_and_canceled_loses_neither(void **state)
{
    struct gathering frame = {
        .calls = {{.name = "a", .ms = 50, .clean_ms = 10}}};
    struct async_timer canceler = {0};

    (void)state;
    spawn(&task, gathering, &frame);
    (void)settle();
    async_timer_start(&loop, &canceler, 20, cancel_task, NULL);
    (void)run_to(100);

    assert_trace("30 a gives up\n"
                 "30 timeout timed out\n"
                 "30 next wait canceled\n");
}

/* ---- timeouts in each other --------------------------------------------- */

/* A timeout in a timeout. The inner one's end is either handed on or caught;
 * then comes another wait. */
struct nested {
    struct async_frame async;
    struct async_timer timer;
    uint32_t ms;
    struct inner {
        struct async_frame async;
        struct async_timer timer;
        uint32_t ms, then_ms;
        int catches;
        struct child child;
    } inner;
    uint32_t then_ms;
};

static async inner(struct async_loop *on, struct inner *self)
{
    int status;

    async_begin(self);
    async_catch(status, async_timeout(on, &self->timer, self->ms,
                                      child(on, &self->child)));
    note("inner", async_strerror(status));
    if (status < 0 && !self->catches)
        async_fail(status);
    async_catch(status, async_sleep_ms(on, self->then_ms));
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
    async_catch(status, async_timeout(on, &self->timer, self->ms,
                                      inner(on, &self->inner)));
    note("outer", async_strerror(status));
    if (self->then_ms) {
        async_catch(status, async_sleep_ms(on, self->then_ms));
        note("outer's next wait", async_strerror(status));
    }
    async_end();
}

static void an_inner_timeout_that_is_handed_on_ends_the_outer_one(void **state)
{
    struct nested frame = {
        .ms = 50, .inner = {.ms = 20, .child = {.name = "a", .ms = 100}}};
    async_time next;

    (void)state;
    spawn(&task, nested, &frame);
    next = run_to(20);

    assert_trace("20 a gives up\n"
                 "20 inner timed out\n"
                 "20 outer timed out\n");
    assert_true(next == ASYNC_FOREVER);
}

static void
an_inner_timeout_that_is_caught_leaves_the_outer_one_running(void **state)
{
    struct nested frame = {.ms = 50,
                           .inner = {.ms = 20,
                                     .catches = 1,
                                     .then_ms = 100,
                                     .child = {.name = "a", .ms = 100}}};

    (void)state;
    spawn(&task, nested, &frame);
    (void)run_to(200);

    assert_trace("20 a gives up\n"
                 "20 inner timed out\n"
                 "50 inner's next wait canceled\n"
                 "50 outer timed out\n");
}

static void
an_outer_timeout_ends_what_the_inner_one_would_still_allow(void **state)
{
    struct nested frame = {
        .ms = 20,
        .inner = {.ms = 50, .child = {.name = "a", .ms = 100, .clean_ms = 5}}};
    async_time next;

    (void)state;
    spawn(&task, nested, &frame);
    next = run_to(25);

    assert_trace("25 a gives up\n"
                 "25 inner canceled\n" /* from outside: it is not its own */
                 "25 outer timed out\n");
    assert_true(next == ASYNC_FOREVER);
}

static void
two_nested_timeouts_on_one_tick_are_the_inner_one_first(void **state)
{
    struct nested frame = {.ms = 20,
                           .then_ms = 10,
                           .inner = {.ms = 20,
                                     .catches = 1,
                                     .then_ms = 100,
                                     .child = {.name = "a", .ms = 100}}};

    (void)state;
    spawn(&task, nested, &frame);
    (void)run_to(200);

    assert_trace("20 a gives up\n"
                 "20 inner timed out\n"
                 "20 inner's next wait canceled\n"
                 "20 outer timed out\n"
                 "30 outer's next wait done\n");
}

static void
two_nested_timeouts_with_a_slow_clean_up_keep_that_order(void **state)
{
    struct nested frame = {
        .ms = 20,
        .inner = {.ms = 20,
                  .catches = 1,
                  .then_ms = 100,
                  .child = {.name = "a", .ms = 100, .clean_ms = 5}}};

    (void)state;
    spawn(&task, nested, &frame);
    (void)run_to(200);

    assert_trace("25 a gives up\n"
                 "25 inner timed out\n"
                 "25 inner's next wait canceled\n"
                 "25 outer timed out\n");
}

static void an_inner_deadline_after_the_outer_one_on_a_late_tick_is_still_first(
    void **state)
{
    struct nested frame = {
        .ms = 20, .inner = {.ms = 30, .child = {.name = "a", .ms = 100}}};

    (void)state;
    spawn(&task, nested, &frame);
    leap_to(0);
    leap_to(40);
    (void)run_to(200);

    assert_trace("40 a gives up\n"
                 "40 inner timed out\n"
                 "40 outer timed out\n");
}

static void an_outer_deadline_while_the_inner_one_cleans_up_takes_the_next_wait(
    void **state)
{
    struct nested frame = {
        .ms = 25,
        .inner = {.ms = 20,
                  .catches = 1,
                  .then_ms = 100,
                  .child = {.name = "a", .ms = 100, .clean_ms = 10}}};

    (void)state;
    spawn(&task, nested, &frame);
    (void)run_to(200);

    assert_trace("30 a gives up\n"
                 "30 inner timed out\n"
                 "30 inner's next wait canceled\n"
                 "30 outer timed out\n");
}

static void
two_timeouts_and_a_cancel_on_one_tick_are_taken_one_by_one(void **state)
{
    struct nested frame = {.ms = 20,
                           .then_ms = 10,
                           .inner = {.ms = 20,
                                     .catches = 1,
                                     .then_ms = 100,
                                     .child = {.name = "a", .ms = 100}}};

    (void)state;
    spawn(&task, nested, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    leap_to(20);
    (void)run_to(200);

    assert_trace("20 a gives up\n"
                 "20 inner timed out\n"
                 "20 inner's next wait canceled\n"
                 "20 outer timed out\n"
                 "20 outer's next wait canceled\n");
}

/* ---- timeouts and finally sections -------------------------------------- */

struct cleaner {
    struct async_frame async;
    struct async_timer timer;
};

static async cleaner(struct async_loop *on, void *frame)
{
    struct cleaner *self = frame;
    int status;

    async_begin(self);
    await(async_sleep_ms(on, 10));
    async_finally();
    async_catch(status,
                async_timeout(on, &self->timer, 20, async_sleep_ms(on, 100)));
    note("clean-up", async_strerror(status));
    async_end();
}

static void a_timeout_set_in_a_finally_section_cuts_the_wait_there(void **state)
{
    struct cleaner frame = {0};

    (void)state;
    spawn(&task, cleaner, &frame);
    (void)run_to(200);

    assert_trace("30 clean-up timed out\n");
    assert_int_equal(async_task_outcome(&task), ASYNC_DONE);
}

static void
a_cancel_does_not_cut_a_wait_in_a_finally_section_its_timeout_does(void **state)
{
    struct cleaner frame = {0};

    (void)state;
    spawn(&task, cleaner, &frame);
    (void)run_to(15);
    async_cancel(&loop, &task);
    (void)run_to(200);

    assert_trace("30 clean-up timed out\n");
}

static void a_canceled_function_may_limit_its_clean_up(void **state)
{
    struct cleaner frame = {0};

    (void)state;
    spawn(&task, cleaner, &frame);
    (void)run_to(5);
    async_cancel(&loop, &task);
    (void)run_to(200);

    assert_trace("25 clean-up timed out\n"); /* from 5 on, for 20 */
    assert_int_equal(async_task_outcome(&task), ASYNC_ECANCELED);
}

struct limited_cleaner {
    struct async_frame async;
    struct async_timer timer;
    struct cleaner cleaner;
};

static async limited_cleaner(struct async_loop *on, void *frame)
{
    struct limited_cleaner *self = frame;
    int status;

    async_begin(self);
    async_catch(status, async_timeout(on, &self->timer, 15,
                                      cleaner(on, &self->cleaner)));
    note("timeout", async_strerror(status));
    async_end();
}

static void
a_timeout_from_outside_does_not_cut_a_finally_sections_wait(void **state)
{
    struct limited_cleaner frame = {0};

    (void)state;
    spawn(&task, limited_cleaner, &frame);
    (void)run_to(200);

    assert_trace(
        "30 clean-up timed out\n" /* its own limit, not the one of 15 */
        "30 timeout done\n");     /* and the body had ended well */
}

/* ---- semaphore -------------------------------------------------------- */

struct queue {
    struct async_semaphore semaphore;
    struct async_task tasks[4];
    struct holder holders[4];
};

/* Four holders, a to d, of `permits`; each holds for 10 ms. */
static void spawn_holders(struct queue *queue, size_t permits)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    int i;

    queue->semaphore.permits = permits;
    for (i = 0; i < 4; i++) {
        queue->holders[i].name = names[i];
        queue->holders[i].semaphore = &queue->semaphore;
        queue->holders[i].hold_ms = 10;
        spawn(&queue->tasks[i], holder, &queue->holders[i]);
    }
}

static void permits_are_granted_in_the_order_they_were_asked_for(void **state)
{
    struct queue queue = {0};

    (void)state;
    spawn_holders(&queue, 1);
    (void)run_to(100);

    assert_trace("0 a holds\n"
                 "10 a releases\n"
                 "10 b holds\n"
                 "20 b releases\n"
                 "20 c holds\n"
                 "30 c releases\n"
                 "30 d holds\n"
                 "40 d releases\n");
    assert_int_equal(queue.semaphore.permits, 1);
}

static void as_many_hold_a_permit_as_there_are(void **state)
{
    struct queue queue = {0};

    (void)state;
    spawn_holders(&queue, 3);
    (void)run_to(100);

    assert_trace("0 a holds\n"
                 "0 b holds\n"
                 "0 c holds\n"
                 "10 a releases\n"
                 "10 b releases\n"
                 "10 c releases\n"
                 "10 d holds\n"
                 "20 d releases\n");
    assert_int_equal(queue.semaphore.permits, 3);
}

static void a_canceled_waiter_leaves_the_line(void **state)
{
    struct queue queue = {0};

    (void)state;
    spawn_holders(&queue, 1);
    (void)run_to(5);
    async_cancel(&loop, &queue.tasks[1]);
    (void)run_to(100);

    assert_trace("0 a holds\n"
                 "5 b canceled\n"
                 "10 a releases\n"
                 "10 c holds\n"
                 "20 c releases\n"
                 "20 d holds\n"
                 "30 d releases\n");
    assert_int_equal(queue.semaphore.permits, 1);
}

static void a_waiter_that_times_out_leaves_the_line(void **state)
{
    struct queue queue = {.holders = {[1] = {.limit_ms = 5}}};

    (void)state;
    spawn_holders(&queue, 1);
    (void)run_to(100);

    assert_trace("0 a holds\n"
                 "5 b timed out\n"
                 "10 a releases\n"
                 "10 c holds\n"
                 "20 c releases\n"
                 "20 d holds\n"
                 "30 d releases\n");
    assert_int_equal(queue.semaphore.permits, 1);
}

static void
a_latecomer_does_not_overtake_one_who_was_granted_a_permit(void **state)
{
    struct async_semaphore semaphore = {.permits = 0};
    struct holder first = {
        .name = "first", .semaphore = &semaphore, .hold_ms = 10};
    struct holder late = {
        .name = "latecomer", .semaphore = &semaphore, .hold_ms = 10};
    struct async_task late_task = {0};

    (void)state;
    spawn(&task, holder, &first);
    (void)run_to(5);
    spawn(&late_task, holder, &late); /* runs first */
    async_release(&loop, &semaphore);
    (void)run_to(100);

    assert_trace("5 first holds\n"
                 "15 first releases\n"
                 "15 latecomer holds\n"
                 "25 latecomer releases\n");
}

static int notified;

static void count_notify(void *arg)
{
    (void)arg;
    notified++;
}

static void
a_release_from_outside_a_task_lets_one_go_and_tells_the_host(void **state)
{
    static const struct async_host host = {count_notify, NULL, NULL};
    struct queue queue = {0};
    int before;

    (void)state;
    spawn_holders(&queue, 0);
    async_attach(&loop, &host);
    (void)settle();
    before = notified;
    async_release(&loop, &queue.semaphore);

    assert_true(notified > before);
    (void)run_to(1);
    assert_trace("0 a holds\n");
    async_attach(&loop, NULL);
}

static void a_release_with_nobody_in_line_keeps_the_permit(void **state)
{
    struct async_semaphore semaphore = {.permits = 1};

    (void)state;
    async_release(&loop, &semaphore);

    assert_int_equal(semaphore.permits, 2);
}

/* ---- semaphore, at random against a model ------------------------------- */

enum { CLIENTS = 8, PERMITS = 2, TURNS = 20000 };

/* The model: who stands in line, who has been let go, what is left. */
static struct {
    int line[CLIENTS], length;
    int granted[CLIENTS];
    size_t permits;
    const char *wrong; /* the first thing that was */
} model;

static struct {
    struct async_semaphore semaphore;
    struct async_task tasks[CLIENTS];
    struct client {
        struct async_frame async;
        struct async_timer timer;
        int id, holds;
        uint32_t limit_ms, hold_ms;
    } clients[CLIENTS];
    int acquired, canceled, timed_out;
    int stopping;
} crowd;

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state >> 12; /* xorshift64*, Vigna 2016 */
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * UINT64_C(2685821657736338717)) >> 33) %
           limit;
}

static void model_check(int holds, const char *what)
{
    if (!holds && !model.wrong)
        model.wrong = what;
}

static void model_begin(int id)
{
    model_check(!model.granted[id], "acquires while it was granted one");
    if (model.permits) {
        model.permits--;
        model.granted[id] = 1;
    } else {
        model.line[model.length++] = id;
    }
}

static void model_end(int id, int status)
{
    int i, at = -1;

    if (status == ASYNC_DONE) {
        model_check(model.granted[id], "went out of turn");
        model.granted[id] = 0;
        return;
    }
    model_check(!model.granted[id], "lost a permit that it was granted");
    for (i = 0; i < model.length; i++)
        if (model.line[i] == id)
            at = i;
    model_check(at >= 0, "gave up, and was not in line");
    if (at < 0)
        return;
    for (i = at; i + 1 < model.length; i++)
        model.line[i] = model.line[i + 1];
    model.length--;
}

static void model_release(void)
{
    int i;

    if (!model.length) {
        model.permits++;
        return;
    }
    model.granted[model.line[0]] = 1;
    for (i = 0; i + 1 < model.length; i++)
        model.line[i] = model.line[i + 1];
    model.length--;
}

static async client(struct async_loop *on, void *frame)
{
    struct client *self = frame;
    int status;

    async_begin(self);
    await(async_sleep_ms(on, random_below(4)));
    self->limit_ms = random_below(4);
    self->hold_ms = random_below(8);
    model_begin(self->id);
    if (self->limit_ms)
        async_catch(status, async_timeout(on, &self->timer, self->limit_ms,
                                          async_acquire(on, &crowd.semaphore)));
    else
        async_catch(status, async_acquire(on, &crowd.semaphore));
    model_end(self->id, status);
    crowd.acquired += status == ASYNC_DONE;
    crowd.canceled += status == ASYNC_ECANCELED;
    crowd.timed_out += status == ASYNC_ETIMEDOUT;
    if (status < 0)
        async_fail(status);
    self->holds = 1;
    await(async_sleep_ms(on, self->hold_ms));
    async_finally();
    if (self->holds) {
        self->holds = 0;
        model_release();
        async_release(on, &crowd.semaphore);
    }
    async_end();
}

static void crowd_act(void)
{
    int i = (int)random_below(CLIENTS);

    if (async_task_outcome(&crowd.tasks[i]) != ASYNC_PENDING ||
        !crowd.tasks[i].fn) {
        if (crowd.stopping)
            return;
        crowd.clients[i] = (struct client){.id = i};
        (void)async_spawn(&loop, &crowd.tasks[i], client, &crowd.clients[i]);
    } else if (random_below(4) == 0 || crowd.stopping) {
        async_cancel(&loop, &crowd.tasks[i]);
    }
}

static void permits_are_never_lost_doubled_or_granted_out_of_turn(void **state)
{
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 20261120;
    int turn;

    (void)state;
    print_message("# SEED=%llu\n", (unsigned long long)seed);
    random_state = seed | 1;
    memset(&model, 0, sizeof model);
    memset(&crowd, 0, sizeof crowd);
    model.permits = crowd.semaphore.permits = PERMITS;
    loop.unhandled = NULL;

    for (turn = 0; turn < TURNS && !model.wrong; turn++) {
        uint32_t acts = random_below(5);

        while (acts--)
            crowd_act();
        now += random_below(3);
        (void)async_poll(&loop, now);
        model_check(crowd.semaphore.permits == model.permits,
                    "another number of permits");
    }
    crowd.stopping = 1;
    for (turn = 0; async_alive(&loop) && turn < 1000; turn++) {
        crowd_act();
        (void)async_poll(&loop, ++now);
    }

    assert_string_equal(model.wrong ? model.wrong : "nothing", "nothing");
    assert_int_equal(async_alive(&loop), 0);
    assert_int_equal(crowd.semaphore.permits, PERMITS);
    assert_true(crowd.acquired > TURNS / 20); /* and it did happen */
    assert_true(crowd.canceled > TURNS / 100);
    assert_true(crowd.timed_out > TURNS / 100);
    while (async_unjoined(&loop) != 0)
        ;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        timeline_claim(gather_ends_when_its_last_task_has_ended),
        timeline_claim(results_are_in_input_order_whatever_order_they_came_in),
        timeline_claim(gather_of_tasks_that_have_all_ended_does_not_wait),
        timeline_claim(gather_waits_for_the_rest_when_some_have_ended_before),
        timeline_claim(gather_of_no_tasks_is_done_at_once),
        timeline_claim(
            the_first_error_cancels_the_rest_and_awaits_their_clean_up),
        timeline_claim(the_failed_task_may_take_its_time_to_clean_up_too),
        timeline_claim(the_error_that_came_first_in_time_is_returned),
        timeline_claim(
            of_two_errors_on_one_tick_the_one_that_ran_first_is_returned),
        timeline_claim(an_error_from_before_the_gather_began_cancels_the_rest),
        timeline_claim(a_canceled_task_is_an_error_for_its_gather),
        timeline_claim(a_task_that_ignores_the_cancel_is_awaited_to_its_end),
        timeline_claim(a_collecting_gather_lets_all_run_to_their_own_ends),
        timeline_claim(a_collecting_gather_takes_errors_from_before_it_began),
        timeline_claim(a_canceled_gather_cancels_its_tasks_and_awaits_them),
        timeline_claim(a_canceled_collecting_gather_is_canceled_all_the_same),
        timeline_claim(a_cancel_before_the_gather_began_cancels_its_tasks),
        timeline_claim(a_second_cancel_does_not_cut_the_clean_up_short),
        timeline_claim(an_error_before_a_cancel_is_what_gather_returns),
        timeline_claim(a_cancel_before_an_error_is_what_gather_returns),
        timeline_claim(a_gather_that_ends_on_the_tick_of_a_cancel_has_ended),
        timeline_claim(canceling_the_batch_of_a_gather_makes_it_return_that),
        timeline_claim(
            canceling_the_batch_of_a_gather_that_unwinds_changes_nothing),
        timeline_claim(failed_tasks_of_a_gather_are_not_reported_as_unhandled),
        timeline_claim(a_batch_and_its_tasks_serve_a_second_gather),
        timeline_claim(
            an_error_of_an_inner_gather_cancels_the_outer_ones_other_tasks),
        timeline_claim(a_cancel_reaches_the_tasks_of_inner_gathers),
        timeline_claim(a_gather_of_a_task_that_was_never_spawned_is_caught),
        timeline_claim(a_second_gather_of_one_task_is_caught),
        timeline_claim(
            without_assertions_a_wrong_gather_is_refused_and_harms_nobody),
        timeline_claim(
            a_gathered_task_can_be_joined_before_and_after_it_was_gathered),
        timeline_claim(a_joiner_and_the_gather_both_get_a_tasks_error),
        timeline_claim(a_canceled_joiner_leaves_the_gathered_task_alone),
        timeline_claim(
            a_joiner_canceled_before_the_gather_began_has_left_the_line),
        timeline_claim(
            map_starts_the_calls_in_order_and_the_next_when_one_has_ended),
        timeline_claim(map_with_one_task_makes_one_call_after_the_other),
        timeline_claim(map_of_fewer_frames_than_tasks_leaves_tasks_unused),
        timeline_claim(map_of_no_frames_is_done_at_once),
        timeline_claim(map_of_frames_without_a_task_is_refused),
        timeline_claim(after_an_error_map_starts_no_more_calls),
        timeline_claim(a_collecting_map_makes_all_calls_whatever_fails),
        timeline_claim(
            a_canceled_map_starts_no_more_calls_and_awaits_the_others),
        timeline_claim(a_map_whose_batch_is_canceled_starts_no_more_calls),
        timeline_claim(failed_calls_of_a_map_are_not_reported_as_unhandled),
        timeline_claim(fifty_calls_of_a_second_ten_at_a_time_take_five_seconds),
        timeline_claim(a_child_in_time_is_not_disturbed),
        timeline_claim(a_childs_own_error_is_returned_as_it_is),
        timeline_claim(a_child_that_never_waits_starts_no_timer),
        timeline_claim(a_child_too_late_unwinds_through_its_finally_first),
        timeline_claim(an_error_in_the_clean_up_does_not_hide_the_timeout),
        timeline_claim(
            a_child_that_ignores_the_timeout_and_ends_returns_its_result),
        timeline_claim(a_timeout_asks_only_once),
        timeline_claim(no_timer_is_left_behind_by_a_child_in_time),
        timeline_claim(no_timer_is_left_behind_by_a_child_too_late),
        timeline_claim(no_timer_is_left_behind_by_a_canceled_child),
        timeline_claim(a_timeout_of_0_ms_comes_with_the_next_step),
        timeline_claim(
            a_timeout_of_0_ms_leaves_a_child_that_does_not_wait_alone),
        timeline_claim(the_first_ms_count_however_often_they_are_evaluated),
        timeline_claim(a_timer_serves_one_timeout_after_the_other),
        timeline_claim(timeout_cuts_a_sleep),
        timeline_claim(timeout_lets_a_yield_through),
        timeline_claim(timeout_cuts_a_wait_for_a_condition),
        timeline_claim(timeout_cuts_a_wait_for_a_flag),
        timeline_claim(timeout_cuts_a_join_and_the_joined_task_goes_on),
        timeline_claim(timeout_cuts_a_wait_for_a_permit),
        timeline_claim(timeout_around_gather_awaits_the_canceled_tasks),
        timeline_claim(timeout_around_map_awaits_the_canceled_calls),
        timeline_claim(
            an_error_inside_a_gather_beats_the_timeout_that_comes_later),
        timeline_claim(finished_and_timed_out_is_finished),
        timeline_claim(timed_out_and_finished_on_one_late_tick_is_finished),
        timeline_claim(
            a_timeout_that_came_with_the_result_does_not_touch_the_next_wait),
        timeline_claim(
            a_wait_that_ends_on_the_deadline_leaves_it_to_the_childs_next_wait),
        timeline_claim(
            a_child_between_two_waits_at_the_deadline_is_cut_in_the_second),
        timeline_claim(
            results_on_the_deadline_leave_no_timeout_behind_however_many),
        timeline_claim(finished_and_canceled_is_finished),
        timeline_claim(canceled_and_finished_on_one_tick_is_finished),
        timeline_claim(
            granted_and_canceled_holds_the_permit_till_the_next_wait),
        timeline_claim(canceled_and_granted_on_one_tick_holds_the_permit_too),
        timeline_claim(granted_and_timed_out_holds_the_permit),
        timeline_claim(timed_out_and_canceled_is_timed_out_and_then_canceled),
        timeline_claim(canceled_in_the_poll_that_times_out_is_timed_out_first),
        timeline_claim(canceled_before_it_would_time_out_is_canceled),
        timeline_claim(
            a_cancel_while_a_timeout_cleans_up_is_taken_by_the_next_wait),
        timeline_claim(a_deadline_while_a_cancel_cleans_up_changes_nothing),
        timeline_claim(a_cancel_while_a_timed_out_gather_cleans_up_is_not_lost),
        timeline_claim(a_gather_that_is_timed_out_and_canceled_loses_neither),
        timeline_claim(an_inner_timeout_that_is_handed_on_ends_the_outer_one),
        timeline_claim(
            an_inner_timeout_that_is_caught_leaves_the_outer_one_running),
        timeline_claim(
            an_outer_timeout_ends_what_the_inner_one_would_still_allow),
        timeline_claim(two_nested_timeouts_on_one_tick_are_the_inner_one_first),
        timeline_claim(
            two_nested_timeouts_with_a_slow_clean_up_keep_that_order),
        timeline_claim(
            an_inner_deadline_after_the_outer_one_on_a_late_tick_is_still_first),
        timeline_claim(
            an_outer_deadline_while_the_inner_one_cleans_up_takes_the_next_wait),
        timeline_claim(
            two_timeouts_and_a_cancel_on_one_tick_are_taken_one_by_one),
        timeline_claim(a_timeout_set_in_a_finally_section_cuts_the_wait_there),
        timeline_claim(
            a_cancel_does_not_cut_a_wait_in_a_finally_section_its_timeout_does),
        timeline_claim(a_canceled_function_may_limit_its_clean_up),
        timeline_claim(
            a_timeout_from_outside_does_not_cut_a_finally_sections_wait),
        timeline_claim(permits_are_granted_in_the_order_they_were_asked_for),
        timeline_claim(as_many_hold_a_permit_as_there_are),
        timeline_claim(a_canceled_waiter_leaves_the_line),
        timeline_claim(a_waiter_that_times_out_leaves_the_line),
        timeline_claim(
            a_latecomer_does_not_overtake_one_who_was_granted_a_permit),
        timeline_claim(
            a_release_from_outside_a_task_lets_one_go_and_tells_the_host),
        timeline_claim(a_release_with_nobody_in_line_keeps_the_permit),
        timeline_claim(permits_are_never_lost_doubled_or_granted_out_of_turn),
    };

    return cmocka_run_group_tests_name("async_gather.h", tests, NULL, NULL);
}
