/* test_race.c: what async_gather.h promises of race, wait and as_completed, a
 * sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_race.c -lcmocka
 */
#include "trace.h"

#include "timeline.h"

#include "cast.h"

#include <errno.h>
#include <stdlib.h>

/* ---- the cast ----------------------------------------------------------- */

/* What one who waits for children needs. */
struct set {
    struct async_batch batch;
    struct async_timer timer;
    struct async_task tasks[4];
    struct child calls[4];
    size_t count;
    uint32_t late_ms;    /* begins so much after it has spawned */
    uint32_t timeout_ms; /* 0: none */
    uint32_t then_ms;    /* waits for so long afterwards */
    int until;
    int rc;
};

/* x, with the set's timeout around it if it has one. */
static async_status in_time(struct set *set, async_status x)
{
    return set->timeout_ms
               ? async_timeout(&loop, &set->timer, set->timeout_ms, x)
               : x;
}

static void spawn_set(struct set *set)
{
    size_t i;

    for (i = 0; i < set->count; i++)
        spawn(&set->tasks[i], child, &set->calls[i]);
}

/* ---- race --------------------------------------------------------------- */

struct racer {
    struct async_frame async;
    struct set set;
};

static async racer(struct async_loop *on, void *frame)
{
    struct racer *self = frame;
    struct set *set = &self->set;

    async_begin(self);
    spawn_set(set);
    if (set->late_ms)
        await(async_sleep_ms(on, set->late_ms));
    async_catch(set->rc, in_time(set, async_race(on, &set->batch, set->tasks,
                                                 set->count)));
    note("race:", async_strerror(set->rc));
    if (set->then_ms) {
        int rc;

        async_catch(rc, async_sleep_ms(on, set->then_ms));
        note("then:", async_strerror(rc));
    }
    if (set->rc < 0)
        async_fail(set->rc);
    async_end();
}

static void the_first_to_end_wins_and_the_others_are_awaited(void **state)
{
    struct racer frame = {
        .set = {.count = 3,
                .calls = {{.name = "a", .ms = 50, .clean_ms = 7},
                          {.name = "b", .ms = 10},
                          {.name = "c", .ms = 60, .clean_ms = 3}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(100);

    assert_trace("10 b done\n"
                 "13 c canceled\n"
                 "17 a canceled\n"
                 "17 race: done\n");
    assert_int_equal(frame.set.batch.winner, 1);
    assert_int_equal(async_task_outcome(&task), ASYNC_DONE);
}

static void an_error_wins_a_race_and_is_returned(void **state)
{
    struct racer frame = {
        .set = {.count = 2,
                .calls = {{.name = "a", .ms = 10, .error = -EIO},
                          {.name = "b", .ms = 20}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "10 b canceled\n"
                 "10 race: Input/output error\n");
    assert_int_equal(frame.set.batch.winner, 0);
}

static void of_two_racers_on_one_tick_the_one_that_ran_first_wins(void **state)
{
    struct racer frame = {
        .set = {.count = 2,
                .calls = {{.name = "a", .ms = 20}, {.name = "b", .ms = 10}}}};

    (void)state;
    spawn(&task, racer, &frame);
    leap_to(0);
    leap_to(20); /* b first, it was due before */

    assert_trace("20 b done\n"
                 "20 a done\n"
                 "20 race: done\n");
    assert_int_equal(frame.set.batch.winner, 1);
}

static void a_racer_that_has_ended_before_the_race_wins_at_once(void **state)
{
    struct racer frame = {
        .set = {.count = 3,
                .late_ms = 15,
                .calls = {{.name = "a", .ms = 50, .clean_ms = 2},
                          {.name = "b", .ms = 10, .error = -EIO},
                          {.name = "c", .ms = 60}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(100);

    assert_trace("10 b Input/output error\n"
                 "15 c canceled\n"
                 "17 a canceled\n"
                 "17 race: Input/output error\n");
    assert_int_equal(frame.set.batch.winner, 1);
}

static void of_several_ended_before_the_first_in_the_array_wins(void **state)
{
    struct racer frame = {.set = {.count = 3,
                                  .late_ms = 15,
                                  .calls = {{.name = "a", .ms = 50},
                                            {.name = "b", .ms = 12},
                                            {.name = "c", .ms = 10}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(100);

    assert_trace("10 c done\n"
                 "12 b done\n"
                 "15 a canceled\n"
                 "15 race: done\n");
    assert_int_equal(frame.set.batch.winner, 1);
}

static void a_race_of_tasks_that_have_all_ended_does_not_wait(void **state)
{
    struct racer frame = {
        .set = {.count = 2,
                .late_ms = 15,
                .calls = {{.name = "a", .ms = 12}, {.name = "b", .ms = 10}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(100);

    assert_trace("10 b done\n"
                 "12 a done\n"
                 "15 race: done\n");
    assert_int_equal(frame.set.batch.winner, 0);
}

static void a_racer_that_never_waits_wins(void **state)
{
    struct racer frame = {
        .set = {.count = 2, .calls = {{.name = "a", .ms = 5}, {.name = "b"}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(100);

    assert_trace("0 b done\n"
                 "0 a canceled\n"
                 "0 race: done\n");
    assert_int_equal(frame.set.batch.winner, 1);
}

static void a_race_of_one_is_won_by_it(void **state)
{
    struct racer frame = {
        .set = {.count = 1, .calls = {{.name = "a", .ms = 10}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "10 race: done\n");
    assert_int_equal(frame.set.batch.winner, 0);
}

static void a_race_of_none_is_refused(void **state)
{
    struct racer frame = {.set = {.count = 0}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(10);

    assert_trace("0 race: invalid argument\n");
    (void)async_unjoined(&loop);
}

static void
a_loser_that_ignores_the_cancel_is_awaited_all_the_same(void **state)
{
    struct racer frame = {
        .set = {.count = 2,
                .calls = {{.name = "a", .ms = 50, .stubborn = 30},
                          {.name = "b", .ms = 10, .error = -EIO}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(100);

    assert_trace("10 b Input/output error\n"
                 "10 a does not mind\n"
                 "40 a done\n"
                 "40 race: Input/output error\n");
    assert_int_equal(frame.set.batch.winner, 1);
}

static void a_losers_error_is_in_its_outcome_only(void **state)
{
    struct racer frame = {
        .set = {.count = 2,
                .calls = {{.name = "a", .ms = 50, .late_error = -EPERM},
                          {.name = "b", .ms = 10}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(100);

    assert_trace("10 b done\n"
                 "10 a Operation not permitted\n"
                 "10 race: done\n");
    assert_int_equal(async_task_outcome(&frame.set.tasks[0]), -EPERM);
    assert_int_equal(async_unjoined(&loop), 0);
}

static void a_racer_canceled_by_others_wins_with_that(void **state)
{
    struct racer frame = {
        .set = {.count = 2,
                .then_ms = 1,
                .calls = {{.name = "a", .ms = 50}, {.name = "b", .ms = 60}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(10);
    async_cancel(&loop, &frame.set.tasks[1]);
    (void)run_to(100);

    assert_trace("10 b canceled\n"
                 "10 a canceled\n"
                 "10 race: canceled\n"
                 "11 then: done\n"); /* which was not canceled itself */
    assert_int_equal(frame.set.batch.winner, 1);
}

static void an_error_does_not_win_a_collecting_race(void **state)
{
    struct racer frame = {
        .set = {.count = 3,
                .batch = {.collect = 1},
                .calls = {{.name = "a", .ms = 10, .error = -EIO},
                          {.name = "b", .ms = 20},
                          {.name = "c", .ms = 30}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "20 b done\n"
                 "20 c canceled\n"
                 "20 race: done\n");
    assert_int_equal(frame.set.batch.winner, 1);
    assert_int_equal(async_unjoined(&loop), 0);
}

static void when_all_fail_a_collecting_race_returns_the_last_error(void **state)
{
    struct racer frame = {
        .set = {.count = 3,
                .batch = {.collect = 1},
                .calls = {{.name = "a", .ms = 10, .error = -EIO},
                          {.name = "b", .ms = 30, .error = -EPERM},
                          {.name = "c", .ms = 20, .error = -ENOENT}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "20 c No such file or directory\n"
                 "30 b Operation not permitted\n"
                 "30 race: Operation not permitted\n");
    assert_int_equal(frame.set.batch.winner, 1);
}

static void
a_collecting_race_takes_a_success_from_before_not_an_error(void **state)
{
    struct racer frame = {
        .set = {.count = 3,
                .late_ms = 25,
                .batch = {.collect = 1},
                .calls = {{.name = "a", .ms = 10, .error = -EIO},
                          {.name = "b", .ms = 50},
                          {.name = "c", .ms = 20}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "20 c done\n"
                 "25 b canceled\n"
                 "25 race: done\n");
    assert_int_equal(frame.set.batch.winner, 2);
    assert_int_equal(async_unjoined(&loop), 0);
}

static void
of_failures_from_before_a_collecting_race_returns_the_arrays_last(void **state)
{
    struct racer frame = {
        .set = {.count = 2,
                .late_ms = 25,
                .batch = {.collect = 1},
                .calls = {{.name = "a", .ms = 20, .error = -EIO},
                          {.name = "b", .ms = 10, .error = -EPERM}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(100);

    assert_trace("10 b Operation not permitted\n"
                 "20 a Input/output error\n"
                 "25 race: Operation not permitted\n");
    assert_int_equal(frame.set.batch.winner, 1);
}

static void
a_collecting_race_goes_on_after_failures_from_before_it(void **state)
{
    struct racer frame = {
        .set = {.count = 2,
                .late_ms = 15,
                .batch = {.collect = 1},
                .calls = {{.name = "a", .ms = 20, .error = -EIO},
                          {.name = "b", .ms = 10, .error = -EPERM}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(100);

    assert_trace("10 b Operation not permitted\n"
                 "20 a Input/output error\n"
                 "20 race: Input/output error\n");
    assert_int_equal(frame.set.batch.winner, 0);
}

static void a_canceled_race_cancels_all_and_awaits_them(void **state)
{
    struct racer frame = {
        .set = {.count = 2,
                .calls = {{.name = "a", .ms = 50, .clean_ms = 7},
                          {.name = "b", .ms = 60, .clean_ms = 3}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("13 b canceled\n"
                 "17 a canceled\n"
                 "17 race: canceled\n");
    assert_int_equal(frame.set.batch.winner, 2); /* nobody */
}

static void a_race_canceled_before_its_first_step_cancels_all(void **state)
{
    struct racer frame = {
        .set = {.count = 2,
                .calls = {{.name = "a", .ms = 50}, {.name = "b", .ms = 60}}}};

    (void)state;
    spawn(&task, racer, &frame);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 a canceled\n"
                 "0 b canceled\n"
                 "0 race: canceled\n");
}

static void a_second_cancel_of_a_race_waits_for_the_wait_after_it(void **state)
{
    struct racer frame = {
        .set = {.count = 1,
                .then_ms = 20,
                .calls = {{.name = "a", .ms = 50, .clean_ms = 7}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(12);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("17 a canceled\n"
                 "17 race: canceled\n"
                 "17 then: canceled\n");
}

static void
who_ends_well_after_the_cancel_of_a_race_has_not_won_it(void **state)
{
    struct racer frame = {
        .set = {.count = 1, .calls = {{.name = "a", .ms = 50, .stubborn = 5}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("10 a does not mind\n"
                 "15 a done\n"
                 "15 race: canceled\n");
    assert_int_equal(frame.set.batch.winner, 1);
}

static void won_and_then_canceled_is_won(void **state)
{
    struct racer frame = {
        .set = {.count = 2,
                .then_ms = 5,
                .calls = {{.name = "a", .ms = 10}, {.name = "b", .ms = 50}}}};
    struct meddler meddling = {
        .joined = &frame.set.tasks[0], .act = cancel_task, .arg = NULL};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(9);
    spawn(&meddling.task, meddler, &meddling);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "10 b canceled\n"
                 "10 race: done\n"
                 "10 then: canceled\n");
    assert_int_equal(frame.set.batch.winner, 0);
}

static void canceled_and_then_won_on_one_tick_is_canceled(void **state)
{
    struct racer frame = {
        .set = {.count = 2,
                .calls = {{.name = "a", .ms = 10}, {.name = "b", .ms = 50}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(9);
    async_cancel(&loop, &task); /* runs before a, in the poll that follows */
    leap_to(10);

    assert_trace("10 a done\n"
                 "10 b canceled\n"
                 "10 race: canceled\n");
    assert_int_equal(frame.set.batch.winner, 2);
}

static void
a_cancel_while_the_losers_clean_up_is_taken_by_the_next_wait(void **state)
{
    struct racer frame = {
        .set = {.count = 2,
                .then_ms = 5,
                .calls = {{.name = "a", .ms = 10},
                          {.name = "b", .ms = 50, .clean_ms = 7}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(12);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "17 b canceled\n"
                 "17 race: done\n"
                 "17 then: canceled\n");
}

static void a_race_that_times_out_awaits_its_racers(void **state)
{
    struct racer frame = {
        .set = {.count = 2,
                .timeout_ms = 10,
                .calls = {{.name = "a", .ms = 50, .clean_ms = 7},
                          {.name = "b", .ms = 60}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(100);

    assert_trace("10 b canceled\n"
                 "17 a canceled\n"
                 "17 race: timed out\n");
    assert_int_equal(frame.set.batch.winner, 2);
}

static void
a_timeout_while_the_losers_clean_up_does_not_change_the_winner(void **state)
{
    struct racer frame = {
        .set = {.count = 2,
                .timeout_ms = 12,
                .then_ms = 5,
                .calls = {{.name = "a", .ms = 10},
                          {.name = "b", .ms = 50, .clean_ms = 7}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "17 b canceled\n"
                 "17 race: done\n"
                 "22 then: done\n");
}

struct cleaner {
    struct async_frame async;
    struct racer racer;
};

static async cleaner(struct async_loop *on, void *frame)
{
    struct cleaner *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, 5));
    async_finally();
    await(racer(on, &self->racer));
    async_end();
}

static void a_race_in_a_finally_section_is_not_cut_short(void **state)
{
    struct cleaner frame = {
        .racer = {.set = {.count = 2,
                          .calls = {{.name = "a", .ms = 10},
                                    {.name = "b", .ms = 20}}}}};

    (void)state;
    spawn(&task, cleaner, &frame);
    (void)run_to(7);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("15 a done\n"
                 "15 b canceled\n"
                 "15 race: done\n");
}

struct twice {
    struct async_frame async;
    struct set set;
    int round;
};

static async twice(struct async_loop *on, void *frame)
{
    struct twice *self = frame;
    struct set *set = &self->set;

    async_begin(self);
    set->count = 2;
    for (self->round = 0; self->round < 2; self->round++) {
        set->calls[0] = (struct child){.name = "a", .ms = 10};
        set->calls[1] = (struct child){.name = "b", .ms = 20};
        set->calls[self->round].ms = 5;
        spawn_set(set);
        await(async_race(on, &set->batch, set->tasks, set->count));
        trace("%u won by %u", (unsigned)async_now(on),
              (unsigned)set->batch.winner);
    }
    async_end();
}

static void a_batch_and_its_tasks_serve_a_second_race(void **state)
{
    struct twice frame = {.round = 0};

    (void)state;
    spawn(&task, twice, &frame);
    (void)run_to(100);

    assert_trace("5 a done\n"
                 "5 b canceled\n"
                 "5 won by 0\n"
                 "10 b done\n"
                 "10 a canceled\n"
                 "10 won by 1\n");
}

struct outer {
    struct async_frame async;
    struct async_batch batch;
    struct async_task tasks[2];
    struct racer racers[2];
    int rc;
};

static async outer(struct async_loop *on, void *frame)
{
    struct outer *self = frame;

    async_begin(self);
    spawn(&self->tasks[0], racer, &self->racers[0]);
    spawn(&self->tasks[1], racer, &self->racers[1]);
    async_catch(self->rc, async_race(on, &self->batch, self->tasks, 2));
    note("outer race:", async_strerror(self->rc));
    async_end();
}

static void a_race_may_be_a_racer(void **state)
{
    struct outer frame = {
        .racers = {{.set = {.count = 2,
                            .calls = {{.name = "a", .ms = 30},
                                      {.name = "b", .ms = 40, .clean_ms = 1}}}},
                   {.set = {.count = 2,
                            .calls = {{.name = "c", .ms = 10},
                                      {.name = "d", .ms = 50}}}}}};

    (void)state;
    spawn(&task, outer, &frame);
    (void)run_to(100);

    assert_trace("10 c done\n"
                 "10 d canceled\n"
                 "10 race: done\n"
                 "10 a canceled\n"
                 "11 b canceled\n"
                 "11 race: canceled\n"
                 "11 outer race: done\n");
    assert_int_equal(frame.batch.winner, 1);
}

/* ---- somebody else who wants the tasks ---------------------------------- */

struct joiner {
    struct async_frame async;
    const char *name;
    struct async_task *joined;
    int rc;
};

static async joiner(struct async_loop *on, void *frame)
{
    struct joiner *self = frame;

    async_begin(self);
    async_catch(self->rc, async_join(on, self->joined));
    note(self->name, async_strerror(self->rc));
    async_end();
}

static void joiners_of_racers_hear_how_they_ended(void **state)
{
    struct racer frame = {
        .set = {.count = 2,
                .calls = {{.name = "a", .ms = 10}, {.name = "b", .ms = 50}}}};
    struct joiner of_a = {.name = "of a:", .joined = &frame.set.tasks[0]};
    struct joiner of_b = {.name = "of b:", .joined = &frame.set.tasks[1]};
    struct async_task joiners[2] = {{.fn = NULL}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)settle();
    spawn(&joiners[0], joiner, &of_b);
    spawn(&joiners[1], joiner, &of_a);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "10 of a: done\n"
                 "10 b canceled\n"
                 "10 of b: canceled\n"
                 "10 race: done\n");
}

/* Wants tasks that it has not spawned, in each of the ways. */
struct rival {
    struct async_frame async;
    struct async_batch batch;
    struct async_task *tasks, *next;
    size_t count;
    int way;
    int rc;
};

static async_status rival_wants(struct rival *self)
{
    switch (self->way) {
    case 0:
        return async_race(&loop, &self->batch, self->tasks, self->count);
    case 1:
        return async_wait(&loop, &self->batch, self->tasks, self->count,
                          ASYNC_ALL_COMPLETED);
    case 2:
        return async_as_completed(&loop, &self->batch, self->tasks, self->count,
                                  &self->next);
    default:
        return async_gather(&loop, &self->batch, self->tasks, self->count);
    }
}

static async rival(struct async_loop *on, void *frame)
{
    struct rival *self = frame;

    (void)on;
    async_begin(self);
    async_catch(self->rc, rival_wants(self));
    note("rival:", async_strerror(self->rc));
    async_end();
}

static void a_task_that_another_races_is_refused_in_every_way(void **state)
{
    int way;

    for (way = 0; way < 4; way++) {
        struct racer frame = {
            .set = {.count = 1, .calls = {{.name = "a", .ms = 20}}}};
        struct rival other = {.tasks = frame.set.tasks, .count = 1, .way = way};
        struct async_task other_task = {.fn = NULL};

        (void)timeline_setup(state);
        spawn(&task, racer, &frame);
        (void)settle();
        spawn(&other_task, rival, &other);

        assert_stops("gathers a task that was never spawned, or that another",
                     settle_loop, NULL);
    }
}

static void a_task_that_was_never_spawned_is_refused_in_every_way(void **state)
{
    int way;

    for (way = 0; way < 4; way++) {
        struct async_task never = {.fn = NULL};
        struct rival frame = {.tasks = &never, .count = 1, .way = way};

        (void)timeline_setup(state);
        spawn(&task, rival, &frame);

        assert_stops("gathers a task that was never spawned, or that another",
                     settle_loop, NULL);
    }
}

static void
without_assertions_what_is_refused_leaves_the_other_tasks_alone(void **state)
{
    struct child calls[2] = {{.name = "a", .ms = 10, .error = -EIO},
                             {.name = "b", .ms = 20}};
    struct async_task tasks[3] = {{.fn = NULL}}; /* the last never spawned */
    struct joiner of_b = {.name = "of b:", .joined = &tasks[1]};
    struct async_task rivals[4] = {{.fn = NULL}};
    struct rival frames[4] = {{.way = 0}};
    int way;

    (void)state;
    spawn(&tasks[0], child, &calls[0]);
    spawn(&tasks[1], child, &calls[1]);
    spawn(&task, joiner, &of_b);
    (void)settle();
    stops_are_noted(1);
    for (way = 0; way < 4; way++) {
        frames[way] = (struct rival){.tasks = tasks, .count = 3, .way = way};
        spawn(&rivals[way], rival, &frames[way]);
        (void)settle();
    }
    stops_are_noted(0);
    (void)run_to(100);

    assert_noted("gathers a task that was never spawned");
    assert_trace("0 rival: invalid argument\n"
                 "0 rival: invalid argument\n"
                 "0 rival: invalid argument\n"
                 "0 rival: invalid argument\n"
                 "10 a Input/output error\n"
                 "20 b done\n"
                 "20 of b: done\n");
    assert_int_equal(async_unjoined(&loop), -EIO); /* nobody has taken it */
}

/* ---- wait --------------------------------------------------------------- */

struct waiter {
    struct async_frame async;
    struct set set;
};

static void note_outcomes(const struct set *set)
{
    size_t i;

    for (i = 0; i < set->count; i++)
        trace("    %s %s", set->calls[i].name,
              async_strerror(async_task_outcome(&set->tasks[i])));
}

static async waiter(struct async_loop *on, void *frame)
{
    struct waiter *self = frame;
    struct set *set = &self->set;

    async_begin(self);
    spawn_set(set);
    if (set->late_ms)
        await(async_sleep_ms(on, set->late_ms));
    async_catch(set->rc, in_time(set, async_wait(on, &set->batch, set->tasks,
                                                 set->count, set->until)));
    note("wait:", async_strerror(set->rc));
    note_outcomes(set);
    if (set->then_ms) {
        int rc;

        async_catch(rc, async_sleep_ms(on, set->then_ms));
        note("then:", async_strerror(rc));
    }
    async_end();
}

static void wait_for_all_ends_with_the_last_whatever_fails(void **state)
{
    struct waiter frame = {
        .set = {.count = 2,
                .until = ASYNC_ALL_COMPLETED,
                .calls = {{.name = "a", .ms = 10, .error = -EIO},
                          {.name = "b", .ms = 15}}}};

    (void)state;
    spawn(&task, waiter, &frame);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "15 b done\n"
                 "15 wait: done\n"
                 "    a Input/output error\n"
                 "    b done\n");
    assert_int_equal(async_unjoined(&loop), 0);
}

static void wait_for_the_first_ends_with_it_and_the_others_go_on(void **state)
{
    struct waiter frame = {
        .set = {.count = 2,
                .until = ASYNC_FIRST_COMPLETED,
                .calls = {{.name = "a", .ms = 50}, {.name = "b", .ms = 10}}}};

    (void)state;
    spawn(&task, waiter, &frame);
    (void)run_to(100);

    assert_trace("10 b done\n"
                 "10 wait: done\n"
                 "    a pending\n"
                 "    b done\n"
                 "50 a done\n");
}

static void wait_for_an_error_is_not_ended_by_a_success(void **state)
{
    struct waiter frame = {
        .set = {.count = 3,
                .until = ASYNC_FIRST_ERROR,
                .calls = {{.name = "a", .ms = 10},
                          {.name = "b", .ms = 20, .error = -EIO},
                          {.name = "c", .ms = 30}}}};

    (void)state;
    spawn(&task, waiter, &frame);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "20 b Input/output error\n"
                 "20 wait: done\n"
                 "    a done\n"
                 "    b Input/output error\n"
                 "    c pending\n"
                 "30 c done\n");
    assert_int_equal(async_unjoined(&loop), 0);
}

static void wait_for_an_error_ends_when_all_have_ended_well(void **state)
{
    struct waiter frame = {
        .set = {.count = 2,
                .until = ASYNC_FIRST_ERROR,
                .calls = {{.name = "a", .ms = 10}, {.name = "b", .ms = 20}}}};

    (void)state;
    spawn(&task, waiter, &frame);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "20 b done\n"
                 "20 wait: done\n"
                 "    a done\n"
                 "    b done\n");
}

static void a_canceled_task_is_an_error_to_wait_for(void **state)
{
    struct waiter frame = {
        .set = {.count = 2,
                .until = ASYNC_FIRST_ERROR,
                .calls = {{.name = "a", .ms = 50}, {.name = "b", .ms = 20}}}};

    (void)state;
    spawn(&task, waiter, &frame);
    (void)run_to(10);
    async_cancel(&loop, &frame.set.tasks[0]);
    (void)run_to(100);

    assert_trace("10 a canceled\n"
                 "10 wait: done\n"
                 "    a canceled\n"
                 "    b pending\n"
                 "20 b done\n");
}

static void wait_counts_what_had_ended_before(void **state)
{
    static const int untils[] = {ASYNC_FIRST_COMPLETED, ASYNC_FIRST_ERROR};
    size_t i;

    for (i = 0; i < LENGTH(untils); i++) {
        struct waiter frame = {
            .set = {.count = 2,
                    .late_ms = 15,
                    .until = untils[i],
                    .calls = {{.name = "a", .ms = 50},
                              {.name = "b", .ms = 10, .error = -EIO}}}};

        (void)timeline_setup(state);
        spawn(&task, waiter, &frame);
        (void)run_to(100);

        assert_trace("10 b Input/output error\n"
                     "15 wait: done\n"
                     "    a pending\n"
                     "    b Input/output error\n"
                     "50 a done\n");
        assert_int_equal(async_unjoined(&loop), 0);
    }
}

static void a_success_from_before_does_not_end_a_wait_for_an_error(void **state)
{
    struct waiter frame = {
        .set = {.count = 2,
                .late_ms = 15,
                .until = ASYNC_FIRST_ERROR,
                .calls = {{.name = "a", .ms = 20, .error = -EIO},
                          {.name = "b", .ms = 10}}}};

    (void)state;
    spawn(&task, waiter, &frame);
    (void)run_to(100);

    assert_trace("10 b done\n"
                 "20 a Input/output error\n"
                 "20 wait: done\n"
                 "    a Input/output error\n"
                 "    b done\n");
}

static void wait_for_all_that_have_ended_before_does_not_wait(void **state)
{
    struct waiter frame = {
        .set = {.count = 2,
                .late_ms = 25,
                .until = ASYNC_ALL_COMPLETED,
                .calls = {{.name = "a", .ms = 20}, {.name = "b", .ms = 10}}}};

    (void)state;
    spawn(&task, waiter, &frame);
    (void)run_to(100);

    assert_trace("10 b done\n"
                 "20 a done\n"
                 "25 wait: done\n"
                 "    a done\n"
                 "    b done\n");
}

static void
who_ends_between_the_first_and_the_waiters_turn_has_ended_too(void **state)
{
    struct waiter frame = {
        .set = {.count = 2,
                .until = ASYNC_FIRST_COMPLETED,
                .calls = {{.name = "a", .ms = 10}, {.name = "b", .ms = 10}}}};

    (void)state;
    spawn(&task, waiter, &frame);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "10 b done\n"
                 "10 wait: done\n"
                 "    a done\n"
                 "    b done\n");
}

static void a_wait_for_no_tasks_is_refused(void **state)
{
    struct waiter frame = {
        .set = {.count = 0, .until = ASYNC_ALL_COMPLETED, .then_ms = 1}};

    (void)state;
    spawn(&task, waiter, &frame);
    (void)run_to(10);

    assert_trace("0 wait: invalid argument\n"
                 "1 then: done\n");
}

static void a_wait_for_something_unknown_is_refused(void **state)
{
    static const int untils[] = {ASYNC_ALL_COMPLETED + 1, -1};
    size_t i;

    for (i = 0; i < LENGTH(untils); i++) {
        struct waiter frame = {.set = {.count = 1,
                                       .until = untils[i],
                                       .calls = {{.name = "a", .ms = 10}}}};

        (void)timeline_setup(state);
        spawn(&task, waiter, &frame);
        (void)run_to(100);

        assert_trace("0 wait: invalid argument\n"
                     "    a pending\n"
                     "10 a done\n");
    }
}

static void a_wait_that_times_out_leaves_the_tasks_to_go_on(void **state)
{
    struct waiter frame = {
        .set = {.count = 2,
                .timeout_ms = 12,
                .until = ASYNC_ALL_COMPLETED,
                .calls = {{.name = "a", .ms = 10}, {.name = "b", .ms = 20}}}};

    (void)state;
    spawn(&task, waiter, &frame);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "12 wait: timed out\n"
                 "    a done\n"
                 "    b pending\n"
                 "20 b done\n");
}

static void awaited_and_timed_out_on_one_tick_is_awaited(void **state)
{
    struct waiter frame = {
        .set = {.count = 2,
                .timeout_ms = 11,
                .then_ms = 3,
                .until = ASYNC_FIRST_COMPLETED,
                .calls = {{.name = "a", .ms = 10}, {.name = "b", .ms = 20}}}};

    (void)state;
    spawn(&task, waiter, &frame);
    leap_to(0);
    leap_to(11); /* a's sleep is due before the timer */
    (void)run_to(100);

    assert_trace("11 a done\n"
                 "11 wait: done\n"
                 "    a done\n"
                 "    b pending\n"
                 "14 then: done\n"
                 "20 b done\n");
}

static void a_canceled_wait_leaves_the_tasks_to_go_on(void **state)
{
    struct waiter frame = {.set = {.count = 1,
                                   .then_ms = 3,
                                   .until = ASYNC_ALL_COMPLETED,
                                   .calls = {{.name = "a", .ms = 20}}}};

    (void)state;
    spawn(&task, waiter, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("10 wait: canceled\n"
                 "    a pending\n"
                 "13 then: done\n"
                 "20 a done\n");
}

static void a_wait_canceled_before_its_first_step_takes_it_there(void **state)
{
    struct waiter frame = {.set = {.count = 1,
                                   .until = ASYNC_ALL_COMPLETED,
                                   .calls = {{.name = "a", .ms = 20}}}};

    (void)state;
    spawn(&task, waiter, &frame);
    async_cancel(&loop, &task);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 wait: canceled\n"
                 "    a pending\n"
                 "20 a done\n");
}

static void awaited_and_canceled_on_one_tick_is_awaited(void **state)
{
    struct waiter frame = {
        .set = {.count = 2,
                .then_ms = 3,
                .until = ASYNC_FIRST_COMPLETED,
                .calls = {{.name = "a", .ms = 10}, {.name = "b", .ms = 20}}}};
    struct meddler meddling = {
        .joined = &frame.set.tasks[0], .act = cancel_task, .arg = NULL};

    (void)state;
    spawn(&task, waiter, &frame);
    (void)run_to(9);
    spawn(&meddling.task, meddler, &meddling);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "10 wait: done\n"
                 "    a done\n"
                 "    b pending\n"
                 "10 then: canceled\n"
                 "20 b done\n");
}

static void an_error_after_the_wait_has_left_is_nobodys(void **state)
{
    struct waiter frame = {
        .set = {.count = 2,
                .until = ASYNC_FIRST_COMPLETED,
                .calls = {{.name = "a", .ms = 10, .error = -EPERM},
                          {.name = "b", .ms = 20, .error = -EIO}}}};

    (void)state;
    spawn(&task, waiter, &frame);
    (void)run_to(100);

    trace_clear();
    assert_int_equal(async_unjoined(&loop), -EIO);
    assert_int_equal(async_unjoined(&loop), 0);
}

static void joiners_stay_in_line_when_a_wait_leaves(void **state)
{
    struct waiter frame = {.set = {.count = 3,
                                   .until = ASYNC_FIRST_COMPLETED,
                                   .calls = {{.name = "a", .ms = 20},
                                             {.name = "b", .ms = 30},
                                             {.name = "c", .ms = 10}}}};
    struct joiner first = {.name = "first of a:",
                           .joined = &frame.set.tasks[0]};
    struct joiner other = {.name = "of b:", .joined = &frame.set.tasks[1]};
    struct joiner second = {.name = "second of a:",
                            .joined = &frame.set.tasks[0]};
    struct async_task joiners[3] = {{.fn = NULL}};

    (void)state;
    spawn(&task, waiter, &frame);
    (void)settle();
    spawn(&joiners[0], joiner, &first);
    spawn(&joiners[1], joiner, &other);
    spawn(&joiners[2], joiner, &second);
    (void)run_to(15);
    async_cancel(&loop, &joiners[1]);
    (void)run_to(100);

    assert_trace("10 c done\n"
                 "10 wait: done\n"
                 "    a pending\n"
                 "    b pending\n"
                 "    c done\n"
                 "15 of b: canceled\n"
                 "20 a done\n"
                 "20 first of a: done\n"
                 "20 second of a: done\n"
                 "30 b done\n");
}

static void a_batch_that_a_wait_has_left_is_not_looked_at_any_more(void **state)
{
    struct waiter frame = {
        .set = {.count = 2,
                .timeout_ms = 5,
                .until = ASYNC_ALL_COMPLETED,
                .calls = {{.name = "a", .ms = 10}, {.name = "b", .ms = 20}}}};
    struct joiner of_b = {.name = "of b:", .joined = &frame.set.tasks[1]};
    struct async_task joining = {.fn = NULL};

    (void)state;
    spawn(&task, waiter, &frame);
    (void)settle();
    spawn(&joining, joiner, &of_b);
    (void)run_to(6);
    trace_clear();
    memset(&frame.set.batch, 0xEB, sizeof frame.set.batch);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "20 b done\n"
                 "20 of b: done\n");
}

/* Waits for the first, then for all, then gathers them. */
struct patient {
    struct async_frame async;
    struct set set;
};

static async patient(struct async_loop *on, void *frame)
{
    struct patient *self = frame;
    struct set *set = &self->set;

    async_begin(self);
    spawn_set(set);
    await(async_wait(on, &set->batch, set->tasks, set->count,
                     ASYNC_FIRST_COMPLETED));
    note("first", "is over");
    await(async_wait(on, &set->batch, set->tasks, set->count,
                     ASYNC_FIRST_COMPLETED));
    note("again", "takes no time");
    await(async_wait(on, &set->batch, set->tasks, set->count,
                     ASYNC_ALL_COMPLETED));
    note("all", "are over");
    async_catch(set->rc, async_gather(on, &set->batch, set->tasks, set->count));
    note("gather:", async_strerror(set->rc));
    async_end();
}

static void tasks_of_a_wait_may_be_waited_for_again_and_gathered(void **state)
{
    struct patient frame = {
        .set = {.count = 2,
                .calls = {{.name = "a", .ms = 20, .error = -EIO},
                          {.name = "b", .ms = 10}}}};

    (void)state;
    spawn(&task, patient, &frame);
    (void)run_to(100);

    assert_trace("10 b done\n"
                 "10 first is over\n"
                 "10 again takes no time\n"
                 "20 a Input/output error\n"
                 "20 all are over\n"
                 "20 gather: Input/output error\n");
}

struct waiting_cleaner {
    struct async_frame async;
    struct waiter waiter;
};

static async waiting_cleaner(struct async_loop *on, void *frame)
{
    struct waiting_cleaner *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, 5));
    async_finally();
    await(waiter(on, &self->waiter));
    async_end();
}

static void a_wait_in_a_finally_section_is_not_cut_short(void **state)
{
    struct waiting_cleaner frame = {
        .waiter = {.set = {.count = 1,
                           .until = ASYNC_ALL_COMPLETED,
                           .calls = {{.name = "a", .ms = 10}}}}};

    (void)state;
    spawn(&task, waiting_cleaner, &frame);
    (void)run_to(7);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("15 a done\n"
                 "15 wait: done\n"
                 "    a done\n");
}

static void canceling_the_batch_of_a_wait_asks_the_tasks_only(void **state)
{
    struct waiter frame = {
        .set = {.count = 2,
                .until = ASYNC_ALL_COMPLETED,
                .calls = {{.name = "a", .ms = 50, .clean_ms = 3},
                          {.name = "b", .ms = 60}}}};

    (void)state;
    spawn(&task, waiter, &frame);
    (void)run_to(10);
    async_batch_cancel(&loop, &frame.set.batch);
    (void)run_to(100);

    assert_trace("10 b canceled\n"
                 "13 a canceled\n"
                 "13 wait: done\n"
                 "    a canceled\n"
                 "    b canceled\n");
}

/* ---- as completed ------------------------------------------------------- */

/* Takes them as they come; `lazy_ms` passes after each. Leaves after `enough`
 * of them, and then awaits the end of the batch. */
struct taker {
    struct async_frame async;
    struct set set;
    uint32_t lazy_ms;
    size_t enough, taken;
    struct async_task *task;
};

static const char *name_of(const struct async_task *which)
{
    return ((const struct child *)which->frame)->name;
}

static async taker(struct async_loop *on, void *frame)
{
    struct taker *self = frame;
    struct set *set = &self->set;

    async_begin(self);
    spawn_set(set);
    if (set->late_ms)
        await(async_sleep_ms(on, set->late_ms));
    while (!self->enough || self->taken < self->enough) {
        async_catch(set->rc,
                    in_time(set, async_as_completed(on, &set->batch, set->tasks,
                                                    set->count, &self->task)));
        if (set->rc < 0) {
            note("took nothing:", async_strerror(set->rc));
            continue;
        }
        if (!self->task) {
            note("took", "all");
            break;
        }
        self->taken++;
        trace("%u took %s, %s", (unsigned)async_now(on), name_of(self->task),
              async_strerror(async_task_outcome(self->task)));
        if (self->lazy_ms)
            await(async_sleep_ms(on, self->lazy_ms));
    }
    if (set->then_ms)
        await(async_sleep_ms(on, set->then_ms));
    async_finally();
    await(async_batch_end(on, &set->batch));
    note("end:", async_strerror(self->async.status_));
    async_end();
}

static void they_are_taken_in_the_order_in_which_they_end(void **state)
{
    struct taker frame = {.set = {.count = 3,
                                  .calls = {{.name = "a", .ms = 20},
                                            {.name = "b", .ms = 30},
                                            {.name = "c", .ms = 10}}}};

    (void)state;
    spawn(&task, taker, &frame);
    (void)run_to(100);

    assert_trace("10 c done\n"
                 "10 took c, done\n"
                 "20 a done\n"
                 "20 took a, done\n"
                 "30 b done\n"
                 "30 took b, done\n"
                 "30 took all\n"
                 "30 end: done\n");
}

static void on_one_tick_they_are_taken_in_the_order_they_ran_in(void **state)
{
    struct taker frame = {.set = {.count = 3,
                                  .calls = {{.name = "a", .ms = 20},
                                            {.name = "b", .ms = 30},
                                            {.name = "c", .ms = 10}}}};

    (void)state;
    spawn(&task, taker, &frame);
    leap_to(0);
    leap_to(40);

    assert_trace("40 c done\n"
                 "40 a done\n"
                 "40 b done\n"
                 "40 took c, done\n"
                 "40 took a, done\n"
                 "40 took b, done\n"
                 "40 took all\n"
                 "40 end: done\n");
}

static void those_that_ended_before_come_first_as_in_the_array(void **state)
{
    struct taker frame = {.set = {.count = 4,
                                  .late_ms = 25,
                                  .calls = {{.name = "a", .ms = 40},
                                            {.name = "b", .ms = 20},
                                            {.name = "c", .ms = 30},
                                            {.name = "d", .ms = 10}}}};

    (void)state;
    spawn(&task, taker, &frame);
    (void)run_to(100);

    assert_trace("10 d done\n"
                 "20 b done\n"
                 "25 took b, done\n"
                 "25 took d, done\n"
                 "30 c done\n"
                 "30 took c, done\n"
                 "40 a done\n"
                 "40 took a, done\n"
                 "40 took all\n"
                 "40 end: done\n");
}

static void a_slow_taker_misses_none(void **state)
{
    struct taker frame = {.lazy_ms = 25,
                          .set = {.count = 3,
                                  .calls = {{.name = "a", .ms = 10},
                                            {.name = "b", .ms = 30},
                                            {.name = "c", .ms = 20}}}};

    (void)state;
    spawn(&task, taker, &frame);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "10 took a, done\n"
                 "20 c done\n"
                 "30 b done\n"
                 "35 took c, done\n"
                 "60 took b, done\n"
                 "85 took all\n"
                 "85 end: done\n");
}

static void of_no_tasks_all_are_taken_at_once(void **state)
{
    struct taker frame = {.set = {.count = 0}};

    (void)state;
    spawn(&task, taker, &frame);
    (void)run_to(10);

    assert_trace("0 took all\n"
                 "0 end: done\n");
}

static void an_error_is_taken_like_a_result_and_counts_as_joined(void **state)
{
    struct taker frame = {
        .set = {.count = 2,
                .late_ms = 15,
                .calls = {{.name = "a", .ms = 20, .error = -EPERM},
                          {.name = "b", .ms = 10, .error = -EIO}}}};

    (void)state;
    spawn(&task, taker, &frame);
    (void)run_to(100);

    assert_trace("10 b Input/output error\n"
                 "15 took b, Input/output error\n"
                 "20 a Operation not permitted\n"
                 "20 took a, Operation not permitted\n"
                 "20 took all\n"
                 "20 end: done\n");
    assert_int_equal(async_unjoined(&loop), 0);
}

static void after_a_cancel_the_next_ones_can_still_be_taken(void **state)
{
    struct taker frame = {
        .set = {.count = 2,
                .calls = {{.name = "a", .ms = 10}, {.name = "b", .ms = 20}}}};

    (void)state;
    spawn(&task, taker, &frame);
    (void)run_to(5);
    async_cancel(&loop, &task);
    (void)run_to(15);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("5 took nothing: canceled\n"
                 "10 a done\n"
                 "10 took a, done\n"
                 "15 took nothing: canceled\n"
                 "20 b done\n"
                 "20 took b, done\n"
                 "20 took all\n"
                 "20 end: done\n");
}

static void a_taker_canceled_before_its_first_step_takes_it_there(void **state)
{
    struct taker frame = {
        .set = {.count = 1, .calls = {{.name = "a", .ms = 10}}}};

    (void)state;
    spawn(&task, taker, &frame);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 took nothing: canceled\n"
                 "10 a done\n"
                 "10 took a, done\n"
                 "10 took all\n"
                 "10 end: done\n");
}

static void ended_and_canceled_on_one_tick_is_taken(void **state)
{
    struct taker frame = {
        .lazy_ms = 5,
        .set = {.count = 2,
                .calls = {{.name = "a", .ms = 10}, {.name = "b", .ms = 20}}}};
    struct meddler meddling = {
        .joined = &frame.set.tasks[0], .act = cancel_task, .arg = NULL};

    (void)state;
    spawn(&task, taker, &frame);
    (void)run_to(9);
    spawn(&meddling.task, meddler, &meddling);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "10 took a, done\n"
                 "10 b canceled\n" /* it leaves, by its next wait */
                 "10 end: canceled\n");
}

static void what_has_ended_is_taken_without_a_wait_to_cancel(void **state)
{
    struct taker frame = {
        .set = {.count = 2,
                .late_ms = 25,
                .then_ms = 9,
                .calls = {{.name = "a", .ms = 10}, {.name = "b", .ms = 20}}}};

    (void)state;
    spawn(&task, taker, &frame);
    (void)run_to(24);
    trace_clear();
    async_cancel(&loop, &task);
    leap_to(25); /* the sleep before is over: that keeps its result */

    assert_trace("25 took a, done\n"
                 "25 took b, done\n"
                 "25 took all\n"
                 "25 end: canceled\n");
}

static void a_timeout_around_each_one_loses_none(void **state)
{
    struct taker frame = {
        .set = {.count = 2,
                .timeout_ms = 12,
                .calls = {{.name = "a", .ms = 10}, {.name = "b", .ms = 30}}}};

    (void)state;
    spawn(&task, taker, &frame);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "10 took a, done\n"
                 "22 took nothing: timed out\n"
                 "30 b done\n"
                 "30 took b, done\n"
                 "30 took all\n"
                 "30 end: done\n");
}

static void joiners_hear_of_tasks_that_are_taken_too(void **state)
{
    struct taker frame = {
        .set = {.count = 1, .calls = {{.name = "a", .ms = 10}}}};
    struct joiner of_a = {.name = "of a:", .joined = &frame.set.tasks[0]};
    struct async_task joining = {.fn = NULL};

    (void)state;
    spawn(&task, taker, &frame);
    (void)settle();
    spawn(&joining, joiner, &of_a);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "10 of a: done\n"
                 "10 took a, done\n"
                 "10 took all\n"
                 "10 end: done\n");
}

static void a_canceled_batch_is_taken_to_its_end(void **state)
{
    struct taker frame = {
        .set = {.count = 3,
                .calls = {{.name = "a", .ms = 50, .clean_ms = 5},
                          {.name = "b", .ms = 10},
                          {.name = "c", .ms = 60}}}};

    (void)state;
    spawn(&task, taker, &frame);
    (void)run_to(20);
    async_batch_cancel(&loop, &frame.set.batch);
    (void)run_to(22);
    async_batch_cancel(&loop, &frame.set.batch); /* changes nothing */
    (void)run_to(100);

    assert_trace("10 b done\n"
                 "10 took b, done\n"
                 "20 c canceled\n"
                 "20 took c, canceled\n"
                 "25 a canceled\n"
                 "25 took a, canceled\n"
                 "25 took all\n"
                 "25 end: done\n");
}

/* ---- a batch's end ------------------------------------------------------ */

static void who_leaves_early_ends_the_batch_and_awaits_the_rest(void **state)
{
    struct taker frame = {
        .enough = 1,
        .set = {.count = 3,
                .calls = {{.name = "a", .ms = 50, .clean_ms = 7},
                          {.name = "b", .ms = 10},
                          {.name = "c", .ms = 60, .clean_ms = 3}}}};

    (void)state;
    spawn(&task, taker, &frame);
    (void)run_to(100);

    assert_trace("10 b done\n"
                 "10 took b, done\n"
                 "13 c canceled\n"
                 "17 a canceled\n"
                 "17 end: done\n");
    assert_int_equal(async_unjoined(&loop), 0);
}

static void a_cancel_does_not_cut_the_batchs_end_short(void **state)
{
    struct taker frame = {
        .lazy_ms = 5,
        .set = {.count = 2,
                .calls = {{.name = "a", .ms = 10},
                          {.name = "b", .ms = 60, .clean_ms = 7}}}};

    (void)state;
    spawn(&task, taker, &frame);
    (void)run_to(12);
    async_cancel(&loop, &task);
    (void)run_to(15);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "10 took a, done\n"
                 "19 b canceled\n"
                 "19 end: canceled\n");
}

/* Takes one task, ends the batch outside of any finally section, gathers those
 * that have ended, and takes them all in a second round and a third. */
struct leaver {
    struct async_frame async;
    struct set set;
    struct async_task *task;
    int round;
    int rc;
};

static void spawn_again(struct set *set)
{
    size_t i;

    for (i = 0; i < set->count; i++)
        set->calls[i] = (struct child){.name = "again", .ms = 10};
    spawn_set(set);
}

static async leaver(struct async_loop *on, void *frame)
{
    struct leaver *self = frame;
    struct set *set = &self->set;

    async_begin(self);
    spawn_set(set);
    await(async_as_completed(on, &set->batch, set->tasks, set->count,
                             &self->task));
    note("took", name_of(self->task));
    if (set->late_ms)
        await(async_sleep_ms(on, set->late_ms));
    async_catch(self->rc, async_batch_end(on, &set->batch));
    note("end:", async_strerror(self->rc));
    async_catch(self->rc, async_batch_end(on, &set->batch));
    note("end again:", async_strerror(self->rc));
    async_catch(self->rc, async_sleep_ms(on, 5));
    note("sleep:", async_strerror(self->rc));
    async_catch(self->rc,
                async_gather(on, &set->batch, set->tasks, set->count));
    note("gather:", async_strerror(self->rc));
    for (self->round = 0; self->round < 2; self->round++) {
        spawn_again(set);
        do {
            await(async_as_completed(on, &set->batch, set->tasks, set->count,
                                     &self->task));
            note("took", self->task ? name_of(self->task) : "all");
        } while (self->task);
    }
    async_end();
}

static void
a_cancel_outside_finally_does_not_cut_the_end_but_the_next_wait(void **state)
{
    struct leaver frame = {
        .set = {.count = 2,
                .calls = {{.name = "a", .ms = 10},
                          {.name = "b", .ms = 60, .stubborn = 7}}}};

    (void)state;
    spawn(&task, leaver, &frame);
    (void)run_to(12);
    async_cancel(&loop, &task);
    (void)run_to(20);

    assert_trace("10 a done\n"
                 "10 took a\n"
                 "10 b does not mind\n" /* and is not asked twice */
                 "17 b done\n"
                 "17 end: done\n"
                 "17 end again: done\n"
                 "17 sleep: canceled\n"
                 "17 gather: done\n");
    async_cancel(&loop, &task);
    (void)run_to(100);
    trace_clear();
}

static void what_was_not_taken_is_let_go_by_the_batchs_end(void **state)
{
    struct leaver frame = {
        .set = {.count = 3,
                .late_ms = 20,
                .calls = {{.name = "a", .ms = 10},
                          {.name = "b", .ms = 15, .error = -EIO},
                          {.name = "c", .ms = 20}}}};

    (void)state;
    spawn(&task, leaver, &frame);
    (void)run_to(36);

    assert_trace("10 a done\n"
                 "10 took a\n"
                 "15 b Input/output error\n"
                 "20 c done\n"
                 "30 end: done\n"
                 "30 end again: done\n"
                 "35 sleep: done\n"
                 "35 gather: Input/output error\n");
    assert_int_equal(async_unjoined(&loop), 0);

    (void)run_to(100);
    trace_clear();
}

static void a_batch_serves_one_round_after_the_other(void **state)
{
    struct leaver frame = {
        .set = {.count = 2,
                .late_ms = 20,
                .calls = {{.name = "a", .ms = 10}, {.name = "b", .ms = 15}}}};

    (void)state;
    spawn(&task, leaver, &frame);
    (void)run_to(36);
    trace_clear();
    (void)run_to(100);

    assert_trace("45 again done\n"
                 "45 again done\n"
                 "45 took again\n"
                 "45 took again\n"
                 "45 took all\n"
                 "55 again done\n"
                 "55 again done\n"
                 "55 took again\n"
                 "55 took again\n"
                 "55 took all\n");
}

/* Gathers tasks in memory that does not outlast the gather. */
struct short_lived {
    struct async_frame async;
    struct async_batch batch;
    struct async_task *tasks;
    struct child calls[2];
};

static async short_lived(struct async_loop *on, void *frame)
{
    struct short_lived *self = frame;
    int i;

    async_begin(self);
    self->tasks = calloc(2, sizeof *self->tasks);
    assert_non_null(self->tasks);
    for (i = 0; i < 2; i++)
        spawn(&self->tasks[i], child, &self->calls[i]);
    await(async_gather(on, &self->batch, self->tasks, 2));
    free(self->tasks);
    async_batch_cancel(on, &self->batch);
    await(async_batch_end(on, &self->batch));
    note("all", "is well");
    async_end();
}

static void a_batch_does_not_look_at_tasks_after_its_wait(void **state)
{
    struct short_lived frame = {
        .calls = {{.name = "a", .ms = 10}, {.name = "b", .ms = 20}}};

    (void)state;
    spawn(&task, short_lived, &frame);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "20 b done\n"
                 "20 all is well\n");
}

static void a_task_that_is_to_be_taken_is_nobody_elses(void **state)
{
    int way;

    for (way = 0; way < 4; way++) {
        struct taker frame = {.lazy_ms = 50,
                              .set = {.count = 2,
                                      .calls = {{.name = "a", .ms = 10},
                                                {.name = "b", .ms = 20},
                                                {.name = "c", .ms = 20}}}};
        struct rival other = {
            .tasks = &frame.set.tasks[1], .count = 1, .way = way};
        struct async_task other_task = {.fn = NULL};

        (void)timeline_setup(state);
        frame.set.count = 3;
        spawn(&task, taker, &frame);
        (void)run_to(30);
        trace_clear();
        spawn(&other_task, rival, &other);

        assert_stops("gathers a task that was never spawned, or that another",
                     settle_loop, NULL);
    }
}

/* Takes tasks, and sends each into a second round, for itself. */
struct recycler {
    struct async_frame async;
    struct set set;
    struct async_task *task;
};

static async recycler(struct async_loop *on, void *frame)
{
    struct recycler *self = frame;
    struct set *set = &self->set;
    int rc;

    async_begin(self);
    spawn_set(set);
    await(async_as_completed(on, &set->batch, set->tasks, set->count,
                             &self->task));
    note("took", name_of(self->task));
    set->calls[0] = (struct child){.name = "a again", .ms = 30};
    spawn(self->task, child, &set->calls[0]);
    await(async_sleep_ms(on, 5));
    async_finally();
    await(async_batch_end(on, &set->batch));
    note("the batch", "has ended");
    async_catch(rc, async_join(on, self->task));
    note("joined:", async_strerror(rc));
    async_end();
}

static void a_task_that_was_taken_is_not_the_batchs_any_more(void **state)
{
    struct recycler frame = {
        .set = {.count = 2,
                .calls = {{.name = "a", .ms = 10}, {.name = "b", .ms = 60}}}};

    (void)state;
    spawn(&task, recycler, &frame);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "10 took a\n"
                 "15 b canceled\n"
                 "15 the batch has ended\n"
                 "40 a again done\n"
                 "40 joined: done\n");
}

/* Begins to take, gives up by a timeout, and gathers with the same batch. */
struct confused {
    struct async_frame async;
    struct set set;
    struct async_task *task;
    int way;
    int rc;
};

static async_status confused_wants(struct confused *self)
{
    struct set *set = &self->set;

    switch (self->way) {
    case 0:
        return async_race(&loop, &set->batch, set->tasks, set->count);
    case 1:
        return async_wait(&loop, &set->batch, set->tasks, set->count,
                          ASYNC_ALL_COMPLETED);
    case 2:
        return async_map_n(&loop, &set->batch, child, set->calls,
                           sizeof *set->calls, set->count, set->tasks,
                           set->count);
    default:
        return async_gather(&loop, &set->batch, set->tasks, set->count);
    }
}

static async confused(struct async_loop *on, void *frame)
{
    struct confused *self = frame;
    struct set *set = &self->set;

    async_begin(self);
    spawn_set(set);
    async_catch(self->rc,
                async_timeout(on, &set->timer, 5,
                              async_as_completed(on, &set->batch, set->tasks,
                                                 set->count, &self->task)));
    async_catch(self->rc, confused_wants(self));
    note("refused:", async_strerror(self->rc));
    async_finally();
    await(async_batch_end(on, &set->batch));
    note("the batch", "has ended");
    async_end();
}

static void a_batch_that_serves_another_wait_is_refused(void **state)
{
    int way;

    for (way = 0; way < 4; way++) {
        struct confused frame = {
            .way = way,
            .set = {.count = 1, .calls = {{.name = "a", .ms = 10}}}};

        (void)timeline_setup(state);
        spawn(&task, confused, &frame);
        (void)run_to(4);
        now = 5;

        assert_stops("a batch that serves another wait", settle_loop, NULL);
    }
}

static void without_assertions_a_batch_that_serves_another_wait_goes_on_with_it(
    void **state)
{
    int way;

    for (way = 0; way < 4; way++) {
        struct confused frame = {
            .way = way,
            .set = {.count = 1, .calls = {{.name = "a", .ms = 10}}}};

        (void)timeline_setup(state);
        spawn(&task, confused, &frame);
        stops_are_noted(1);
        (void)run_to(100);
        stops_are_noted(0);

        assert_noted("a batch that serves another wait");
        assert_trace("5 refused: busy: already started\n"
                     "5 a canceled\n"
                     "5 the batch has ended\n");
    }
}

static void canceling_the_batch_of_a_race_ends_it_without_a_winner(void **state)
{
    struct racer frame = {
        .set = {.count = 2,
                .then_ms = 1,
                .calls = {{.name = "a", .ms = 50, .clean_ms = 3},
                          {.name = "b", .ms = 60}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(10);
    async_batch_cancel(&loop, &frame.set.batch);
    (void)run_to(100);

    assert_trace("10 b canceled\n"
                 "13 a canceled\n"
                 "13 race: canceled\n"
                 "14 then: done\n");
    assert_int_equal(frame.set.batch.winner, 2);
}

static void
canceling_the_batch_of_a_race_that_is_won_changes_nothing(void **state)
{
    struct racer frame = {
        .set = {.count = 2,
                .calls = {{.name = "a", .ms = 10},
                          {.name = "b", .ms = 60, .stubborn = 20}}}};

    (void)state;
    spawn(&task, racer, &frame);
    (void)run_to(15);
    async_batch_cancel(&loop, &frame.set.batch); /* b was asked once */
    (void)run_to(100);
    async_batch_cancel(&loop, &frame.set.batch); /* nothing waits */

    assert_trace("10 a done\n"
                 "10 b does not mind\n"
                 "30 b done\n"
                 "30 race: done\n");
    assert_int_equal(frame.set.batch.winner, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        timeline_claim(the_first_to_end_wins_and_the_others_are_awaited),
        timeline_claim(an_error_wins_a_race_and_is_returned),
        timeline_claim(of_two_racers_on_one_tick_the_one_that_ran_first_wins),
        timeline_claim(a_racer_that_has_ended_before_the_race_wins_at_once),
        timeline_claim(of_several_ended_before_the_first_in_the_array_wins),
        timeline_claim(a_race_of_tasks_that_have_all_ended_does_not_wait),
        timeline_claim(a_racer_that_never_waits_wins),
        timeline_claim(a_race_of_one_is_won_by_it),
        timeline_claim(a_race_of_none_is_refused),
        timeline_claim(a_loser_that_ignores_the_cancel_is_awaited_all_the_same),
        timeline_claim(a_losers_error_is_in_its_outcome_only),
        timeline_claim(a_racer_canceled_by_others_wins_with_that),
        timeline_claim(an_error_does_not_win_a_collecting_race),
        timeline_claim(when_all_fail_a_collecting_race_returns_the_last_error),
        timeline_claim(
            a_collecting_race_takes_a_success_from_before_not_an_error),
        timeline_claim(
            of_failures_from_before_a_collecting_race_returns_the_arrays_last),
        timeline_claim(a_collecting_race_goes_on_after_failures_from_before_it),
        timeline_claim(a_canceled_race_cancels_all_and_awaits_them),
        timeline_claim(a_race_canceled_before_its_first_step_cancels_all),
        timeline_claim(a_second_cancel_of_a_race_waits_for_the_wait_after_it),
        timeline_claim(who_ends_well_after_the_cancel_of_a_race_has_not_won_it),
        timeline_claim(won_and_then_canceled_is_won),
        timeline_claim(canceled_and_then_won_on_one_tick_is_canceled),
        timeline_claim(
            a_cancel_while_the_losers_clean_up_is_taken_by_the_next_wait),
        timeline_claim(a_race_that_times_out_awaits_its_racers),
        timeline_claim(
            a_timeout_while_the_losers_clean_up_does_not_change_the_winner),
        timeline_claim(a_race_in_a_finally_section_is_not_cut_short),
        timeline_claim(a_batch_and_its_tasks_serve_a_second_race),
        timeline_claim(a_race_may_be_a_racer),
        timeline_claim(joiners_of_racers_hear_how_they_ended),
        timeline_claim(a_task_that_another_races_is_refused_in_every_way),
        timeline_claim(a_task_that_was_never_spawned_is_refused_in_every_way),
        timeline_claim(
            without_assertions_what_is_refused_leaves_the_other_tasks_alone),
        timeline_claim(wait_for_all_ends_with_the_last_whatever_fails),
        timeline_claim(wait_for_the_first_ends_with_it_and_the_others_go_on),
        timeline_claim(wait_for_an_error_is_not_ended_by_a_success),
        timeline_claim(wait_for_an_error_ends_when_all_have_ended_well),
        timeline_claim(a_canceled_task_is_an_error_to_wait_for),
        timeline_claim(wait_counts_what_had_ended_before),
        timeline_claim(a_success_from_before_does_not_end_a_wait_for_an_error),
        timeline_claim(wait_for_all_that_have_ended_before_does_not_wait),
        timeline_claim(
            who_ends_between_the_first_and_the_waiters_turn_has_ended_too),
        timeline_claim(a_wait_for_no_tasks_is_refused),
        timeline_claim(a_wait_for_something_unknown_is_refused),
        timeline_claim(a_wait_that_times_out_leaves_the_tasks_to_go_on),
        timeline_claim(awaited_and_timed_out_on_one_tick_is_awaited),
        timeline_claim(a_canceled_wait_leaves_the_tasks_to_go_on),
        timeline_claim(a_wait_canceled_before_its_first_step_takes_it_there),
        timeline_claim(awaited_and_canceled_on_one_tick_is_awaited),
        timeline_claim(an_error_after_the_wait_has_left_is_nobodys),
        timeline_claim(joiners_stay_in_line_when_a_wait_leaves),
        timeline_claim(a_batch_that_a_wait_has_left_is_not_looked_at_any_more),
        timeline_claim(tasks_of_a_wait_may_be_waited_for_again_and_gathered),
        timeline_claim(a_wait_in_a_finally_section_is_not_cut_short),
        timeline_claim(canceling_the_batch_of_a_wait_asks_the_tasks_only),
        timeline_claim(they_are_taken_in_the_order_in_which_they_end),
        timeline_claim(on_one_tick_they_are_taken_in_the_order_they_ran_in),
        timeline_claim(those_that_ended_before_come_first_as_in_the_array),
        timeline_claim(a_slow_taker_misses_none),
        timeline_claim(of_no_tasks_all_are_taken_at_once),
        timeline_claim(an_error_is_taken_like_a_result_and_counts_as_joined),
        timeline_claim(after_a_cancel_the_next_ones_can_still_be_taken),
        timeline_claim(a_taker_canceled_before_its_first_step_takes_it_there),
        timeline_claim(ended_and_canceled_on_one_tick_is_taken),
        timeline_claim(what_has_ended_is_taken_without_a_wait_to_cancel),
        timeline_claim(a_timeout_around_each_one_loses_none),
        timeline_claim(joiners_hear_of_tasks_that_are_taken_too),
        timeline_claim(a_canceled_batch_is_taken_to_its_end),
        timeline_claim(who_leaves_early_ends_the_batch_and_awaits_the_rest),
        timeline_claim(a_cancel_does_not_cut_the_batchs_end_short),
        timeline_claim(
            a_cancel_outside_finally_does_not_cut_the_end_but_the_next_wait),
        timeline_claim(what_was_not_taken_is_let_go_by_the_batchs_end),
        timeline_claim(a_batch_serves_one_round_after_the_other),
        timeline_claim(a_batch_does_not_look_at_tasks_after_its_wait),
        timeline_claim(a_task_that_is_to_be_taken_is_nobody_elses),
        timeline_claim(a_task_that_was_taken_is_not_the_batchs_any_more),
        timeline_claim(a_batch_that_serves_another_wait_is_refused),
        timeline_claim(
            without_assertions_a_batch_that_serves_another_wait_goes_on_with_it),
        timeline_claim(canceling_the_batch_of_a_race_ends_it_without_a_winner),
        timeline_claim(
            canceling_the_batch_of_a_race_that_is_won_changes_nothing),
    };

    return cmocka_run_group_tests_name(
        "async_gather.h: race, wait, as_completed", tests, NULL, NULL);
}
