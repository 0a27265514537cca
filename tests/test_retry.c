/* test_retry.c: what async_retry.h promises, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_retry.c -lcmocka
 */
#include "trace.h"

#include "timeline.h"

#include <errno.h>
#include <stdlib.h>

/* ---- retry -------------------------------------------------------------- */

/* Fails so often with `error`, each time after `ms`, then works. */
struct caller {
    struct async_frame async;
    struct async_retry retry;
    struct call {
        struct async_frame async;
        uint32_t ms;
        int error;
    } call;
    uint32_t ms;
    int fails, error;
    int tried, rc;
    uint32_t then_ms; /* then sleeps */
};

static async call(struct async_loop *on, struct call *self)
{
    async_begin(self);
    if (self->ms)
        await(async_sleep_ms(on, self->ms));
    note("call", self->error ? "fails" : "works");
    if (self->error)
        async_fail(self->error);
    async_end();
}

static async caller(struct async_loop *on, void *frame)
{
    struct caller *self = frame;

    async_begin(self);
    do {
        self->call = (struct call){
            .ms = self->ms,
            .error = self->tried++ < self->fails ? self->error : 0};
        async_catch(self->rc, call(on, &self->call));
        await(async_retry_wait(on, &self->retry, self->rc));
    } while (self->rc < 0);
    async_finally();
    note("caller", async_strerror(self->async.status_));
    if (self->then_ms)
        await(async_sleep_ms(on, self->then_ms));
    async_end();
}

/* Nothing is counted, nothing begun. */
static int is_fresh(const struct async_retry *retry)
{
    return !retry->ms_ && !retry->sleep_ms_ && !retry->tried_ && !retry->begun_;
}

static void what_works_at_once_is_not_tried_again(void **state)
{
    struct caller frame = {.retry = {.first_ms = 10, .max_ms = 100}};
    async_time next;

    (void)state;
    spawn(&task, caller, &frame);
    next = settle();

    assert_trace("0 call works\n"
                 "0 caller done\n");
    assert_true(next == ASYNC_FOREVER);
    assert_true(is_fresh(&frame.retry));
}

static void each_wait_is_twice_the_one_before_up_to_the_longest(void **state)
{
    struct caller frame = {
        .retry = {.first_ms = 10, .max_ms = 50}, .fails = 5, .error = -EIO};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(1000);

    assert_trace("0 call fails\n"
                 "10 call fails\n"
                 "30 call fails\n"
                 "70 call fails\n"
                 "120 call fails\n" /* not 80 */
                 "170 call works\n"
                 "170 caller done\n");
    assert_true(is_fresh(&frame.retry));
}

static void a_wait_begins_when_the_try_has_failed(void **state)
{
    struct caller frame = {.retry = {.first_ms = 10, .max_ms = 50},
                           .ms = 7,
                           .fails = 2,
                           .error = -EIO};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(1000);

    assert_trace("7 call fails\n"
                 "24 call fails\n"
                 "51 call works\n"
                 "51 caller done\n");
}

static void without_a_longest_wait_they_do_not_grow(void **state)
{
    struct caller frame = {
        .retry = {.first_ms = 10}, .fails = 3, .error = -EIO};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(1000);

    assert_trace("0 call fails\n"
                 "10 call fails\n"
                 "20 call fails\n"
                 "30 call works\n"
                 "30 caller done\n");
}

static void an_all_zero_retry_tries_at_once_and_lets_others_run(void **state)
{
    struct caller frames[2] = {{.fails = 2, .error = -EIO}, {.fails = 0}};
    static struct async_task other;

    (void)state;
    other = (struct async_task){0};
    spawn(&task, caller, &frames[0]);
    spawn(&other, caller, &frames[1]);
    (void)settle();

    assert_trace("0 call fails\n"
                 "0 call works\n" /* the other one's */
                 "0 caller done\n"
                 "0 call fails\n"
                 "0 call works\n"
                 "0 caller done\n");
}

static void after_the_last_try_its_error_is_returned_at_once(void **state)
{
    struct caller frame = {.retry = {.tries = 3, .first_ms = 10, .max_ms = 50},
                           .fails = 9,
                           .error = -EIO};
    async_time next;

    (void)state;
    spawn(&task, caller, &frame);
    next = run_to(30);

    assert_trace("0 call fails\n"
                 "10 call fails\n"
                 "30 call fails\n"
                 "30 caller Input/output error\n");
    assert_true(next == ASYNC_FOREVER);
    assert_true(is_fresh(&frame.retry));
    assert_int_equal(async_unjoined(&loop), -EIO);
}

static void one_try_is_no_retry(void **state)
{
    struct caller frame = {
        .retry = {.tries = 1, .first_ms = 10}, .fails = 9, .error = -EIO};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(1000);

    assert_trace("0 call fails\n"
                 "0 caller Input/output error\n");
}

static void the_last_try_may_be_the_one_that_works(void **state)
{
    struct caller frame = {
        .retry = {.tries = 3, .first_ms = 10}, .fails = 2, .error = -EIO};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(1000);

    assert_trace("0 call fails\n"
                 "10 call fails\n"
                 "20 call works\n"
                 "20 caller done\n");
}

static void the_most_tries_there_can_be_are_made(void **state)
{
    struct caller frame = {
        .retry = {.tries = UINT16_MAX}, .fails = 100000, .error = -EIO};

    (void)state;
    frame.retry.first_ms = 1;
    spawn(&task, caller, &frame);
    while (async_alive(&loop)) {
        (void)run_to(now + 1);
        trace_clear();
    }

    assert_int_equal(frame.tried, UINT16_MAX);
    assert_int_equal(now, UINT16_MAX - 1);
}

static void tries_without_end_go_on_with_the_longest_wait(void **state)
{
    struct caller frame = {
        .retry = {.first_ms = 1, .max_ms = 4}, .fails = 70000, .error = -EIO};

    (void)state;
    spawn(&task, caller, &frame);
    while (async_alive(&loop)) {
        (void)run_to(now + 1);
        trace_clear();
    }

    assert_int_equal(now, 1 + 2 + (70000 - 2) * 4);
}

static void a_cancel_is_never_tried_again(void **state)
{
    struct caller frame = {
        .retry = {.first_ms = 10}, .fails = 1, .error = ASYNC_ECANCELED};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(1000);

    assert_trace("0 call fails\n"
                 "0 caller canceled\n");
    assert_int_equal(frame.tried, 1);
}

static void a_cancel_during_a_try_ends_it_all(void **state)
{
    struct caller frame = {.retry = {.first_ms = 10}, .ms = 50};
    async_time next;

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(20);
    async_cancel(&loop, &task);
    next = settle();

    assert_trace("20 caller canceled\n");
    assert_true(next == ASYNC_FOREVER);
}

static void a_cancel_between_two_tries_ends_it_all(void **state)
{
    struct caller frame = {.retry = {.first_ms = 10, .max_ms = 80},
                           .fails = 9,
                           .error = -EIO,
                           .then_ms = 5};
    async_time next;

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(20);
    async_cancel(&loop, &task);
    (void)settle();
    async_cancel(&loop, &task); /* its clean-up is not cut */
    next = run_to(25);

    assert_trace("0 call fails\n"
                 "10 call fails\n"
                 "20 caller canceled\n");
    assert_true(next == ASYNC_FOREVER);
    assert_int_equal(async_alive(&loop), 0);
    assert_true(is_fresh(&frame.retry));
}

static void a_cancel_before_it_begins_lands_between_two_tries(void **state)
{
    struct caller frame = {
        .retry = {.first_ms = 10}, .fails = 9, .error = -EIO};

    (void)state;
    spawn(&task, caller, &frame);
    async_cancel(&loop, &task);
    (void)run_to(1000);

    assert_trace("0 call fails\n"
                 "0 caller canceled\n");
}

static void a_cancel_on_the_tick_of_the_next_try_lands_in_that(void **state)
{
    struct caller frame = {
        .retry = {.first_ms = 10}, .ms = 5, .fails = 1, .error = -EIO};

    (void)state;
    spawn(&task, caller, &frame);
    (void)run_to(14);
    async_cancel(&loop, &task);
    leap_to(15);
    (void)run_to(1000);

    assert_trace("5 call fails\n"
                 "15 caller canceled\n");
    assert_int_equal(frame.tried, 2);
}

/* Two waits in a row; the first is for what failed, the second counts on or
 * from the beginning. */
struct two_rounds {
    struct async_frame async;
    struct async_retry retry;
    struct async_timer timer;
    int ends_by; /* a success, a reset, a timeout */
};

enum { NOTHING, SUCCESS, RESET, LIMIT };

static async two_rounds(struct async_loop *on, void *frame)
{
    struct two_rounds *self = frame;
    int status;

    async_begin(self);
    await(async_retry_wait(on, &self->retry, -EIO));
    note("wait", "10");
    await(async_retry_wait(on, &self->retry, -EIO));
    note("wait", "20");
    if (self->ends_by == SUCCESS) {
        await(async_retry_wait(on, &self->retry, 7));
    } else if (self->ends_by == RESET) {
        async_retry_reset(&self->retry);
    } else if (self->ends_by == LIMIT) {
        async_catch(status,
                    async_timeout(on, &self->timer, 5,
                                  async_retry_wait(on, &self->retry, -EIO)));
        note("wait", async_strerror(status));
    }
    await(async_retry_wait(on, &self->retry, -EIO));
    note("wait", "is over");
    async_end();
}

static void waits_grow_as_long_as_there_is_no_success(void **state)
{
    struct two_rounds frame = {.retry = {.first_ms = 10, .max_ms = 1000}};

    (void)state;
    spawn(&task, two_rounds, &frame);
    (void)run_to(1000);

    assert_trace("10 wait 10\n"
                 "30 wait 20\n"
                 "70 wait is over\n");
}

static void a_success_begins_from_the_first_wait(void **state)
{
    struct two_rounds frame = {.retry = {.first_ms = 10, .max_ms = 1000},
                               .ends_by = SUCCESS};

    (void)state;
    spawn(&task, two_rounds, &frame);
    (void)run_to(1000);

    assert_trace("10 wait 10\n"
                 "30 wait 20\n"
                 "40 wait is over\n");
}

static void a_reset_begins_from_the_first_wait(void **state)
{
    struct two_rounds frame = {
        .retry = {.tries = 4, .first_ms = 10, .max_ms = 1000, .seed = 0},
        .ends_by = RESET};

    (void)state;
    spawn(&task, two_rounds, &frame);
    (void)run_to(1000);

    assert_trace("10 wait 10\n"
                 "30 wait 20\n"
                 "40 wait is over\n");
    assert_int_equal(frame.retry.tried_, 1);
    assert_int_equal(frame.retry.tries, 4);
    assert_int_equal(frame.retry.max_ms, 1000);
}

static void a_wait_that_is_cut_begins_from_the_first_one(void **state)
{
    struct two_rounds frame = {.retry = {.first_ms = 10, .max_ms = 1000},
                               .ends_by = LIMIT};

    (void)state;
    spawn(&task, two_rounds, &frame);
    (void)run_to(1000);

    assert_trace("10 wait 10\n"
                 "30 wait 20\n"
                 "35 wait timed out\n"
                 "45 wait is over\n");
}

/* Hands over what it was told, and how the wait ended. */
struct teller {
    struct async_frame async;
    struct async_retry retry;
    int status, rc;
};

static async teller(struct async_loop *on, void *frame)
{
    struct teller *self = frame;

    async_begin(self);
    async_catch(self->rc, async_retry_wait(on, &self->retry, self->status));
    async_end();
}

static void a_success_is_returned_at_once(void **state)
{
    struct teller frame = {.retry = {.first_ms = 10}, .status = 7};

    (void)state;
    spawn(&task, teller, &frame);
    (void)settle();

    assert_int_equal(frame.rc, 7);
}

static void a_status_that_is_none_is_refused(void **state)
{
    struct teller frame = {.retry = {.first_ms = 10}, .status = ASYNC_PENDING};

    (void)state;
    spawn(&task, teller, &frame);
    (void)settle();

    assert_int_equal(frame.rc, ASYNC_EINVAL);
}

/* So many waits in a row; how long they were. */
struct waits {
    struct async_frame async;
    struct async_retry retry;
    async_time since;
    int i, count;
    uint32_t ms[4000];
};

static async waits(struct async_loop *on, void *frame)
{
    struct waits *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < self->count; self->i++) {
        self->since = async_now(on);
        await(async_retry_wait(on, &self->retry, -EIO));
        self->ms[self->i] = (uint32_t)(async_now(on) - self->since);
    }
    async_end();
}

static void run_waits(struct waits *frame)
{
    task = (struct async_task){0};
    frame->async = (struct async_frame){0};
    spawn(&task, waits, frame);
    (void)run_to(now + 10000000);
    assert_int_equal(async_alive(&loop), 0);
}

static void
chance_takes_up_to_half_of_each_wait_and_all_of_that_evenly(void **state)
{
    static struct waits frame;
    uint32_t least = UINT32_MAX, most = 0;
    int i, counts[4] = {0};

    (void)state;
    frame = (struct waits){.count = 4000};
    frame.retry = (struct async_retry){.first_ms = 100, .seed = 12345};
    run_waits(&frame);
    for (i = 0; i < 4000; i++) {
        if (frame.ms[i] < least)
            least = frame.ms[i];
        if (frame.ms[i] > most)
            most = frame.ms[i];
        if (frame.ms[i] < 100)
            counts[(frame.ms[i] - 50) * 4 / 50]++;
    }

    assert_int_equal(least, 50);
    assert_int_equal(most, 100);
    for (i = 0; i < 4; i++) /* about 980 each, give or take 5 deviations */
        assert_in_range(counts[i], 850, 1120);
}

static void chance_does_not_change_what_the_next_wait_is_twice_of(void **state)
{
    static struct waits frame;
    uint32_t whole = 10;
    int i;

    (void)state;
    frame = (struct waits){.count = 12};
    frame.retry =
        (struct async_retry){.first_ms = 10, .max_ms = 10000, .seed = 7};
    run_waits(&frame);

    for (i = 0; i < 12; i++) {
        assert_in_range(frame.ms[i], whole / 2, whole);
        whole = whole > 5000 ? 10000 : whole * 2;
    }
}

static void
chance_of_an_odd_or_no_wait_stays_between_half_and_whole(void **state)
{
    static struct waits frame;
    uint32_t ms;
    int i, half = 0;

    (void)state;
    for (ms = 0; ms < 4; ms++) {
        frame = (struct waits){.count = 100};
        frame.retry = (struct async_retry){.first_ms = ms, .seed = 99};
        run_waits(&frame);
        for (i = 0; i < 100; i++) {
            assert_in_range(frame.ms[i], ms / 2, ms);
            half += ms == 3 && frame.ms[i] == 1;
        }
    }
    assert_true(half > 10); /* 1, 2 and 3 */
}

static void
one_seed_makes_one_row_of_waits_and_another_one_another(void **state)
{
    static struct waits frames[3];
    int i;

    (void)state;
    for (i = 0; i < 3; i++) {
        frames[i] = (struct waits){.count = 20};
        frames[i].retry =
            (struct async_retry){.first_ms = 1000, .seed = i == 2 ? 42u : 41u};
        run_waits(&frames[i]);
    }

    assert_memory_equal(frames[0].ms, frames[1].ms, sizeof frames[0].ms);
    assert_memory_not_equal(frames[0].ms, frames[2].ms, sizeof frames[0].ms);
}

/* ---- rate --------------------------------------------------------------- */

static struct async_rate rate;

static int rate_setup(void **state)
{
    rate = (struct async_rate){0};
    return timeline_setup(state);
}
#define rate_claim(test) cmocka_unit_test_setup(test, rate_setup)

/* Waits for so many turns, and works for so long after each. */
struct taker {
    struct async_frame async;
    const char *name;
    int turns;
    uint32_t work_ms;
    struct async_timer timer;
    uint32_t limit_ms; /* for each wait; 0: none */
};

static async taker(struct async_loop *on, void *frame)
{
    struct taker *self = frame;
    int status;

    async_begin(self);
    while (self->turns-- > 0) {
        if (self->limit_ms)
            async_catch(status, async_timeout(on, &self->timer, self->limit_ms,
                                              async_rate_wait(on, &rate)));
        else
            async_catch(status, async_rate_wait(on, &rate));
        note(self->name, status > 0 ? "goes" : async_strerror(status));
        if (self->work_ms) {
            async_catch(status, async_sleep_ms(on, self->work_ms));
            if (status < 0)
                note(self->name, "stops working");
        }
    }
    async_end();
}

/* `count` takers of a turn each, a, b, c. */
static struct async_task tasks[8];
static struct taker takers[8];

static void spawn_takers(int count)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    int i;

    for (i = 0; i < count; i++) {
        tasks[i] = (struct async_task){0};
        takers[i] = (struct taker){.name = names[i], .turns = 1};
        spawn(&tasks[i], taker, &takers[i]);
    }
}

static void turns_come_evenly_first_come_first_served(void **state)
{
    async_time next;

    (void)state;
    rate.count = 1;
    rate.ms = 10;
    spawn_takers(4);
    next = run_to(30);

    assert_trace("0 a goes\n"
                 "10 b goes\n"
                 "20 c goes\n"
                 "30 d goes\n");
    assert_true(next == ASYNC_FOREVER); /* no timer is left */
}

static void one_task_takes_turn_after_turn(void **state)
{
    struct taker frame = {.name = "a", .turns = 4};

    (void)state;
    rate.count = 2;
    rate.ms = 10;
    spawn(&task, taker, &frame);
    (void)run_to(100);

    assert_trace("0 a goes\n"
                 "5 a goes\n"
                 "10 a goes\n"
                 "15 a goes\n");
}

static void what_does_not_divide_evenly_does_not_drift(void **state)
{
    struct taker frame = {.name = "a", .turns = 8};

    (void)state;
    rate.count = 3;
    rate.ms = 10;
    spawn(&task, taker, &frame);
    (void)run_to(100);

    assert_trace("0 a goes\n"
                 "4 a goes\n"  /* 3.33 */
                 "7 a goes\n"  /* 6.67 */
                 "10 a goes\n" /* 10 */
                 "14 a goes\n"
                 "17 a goes\n"
                 "20 a goes\n"
                 "24 a goes\n");
}

static void more_turns_than_ticks_come_several_a_tick(void **state)
{
    struct taker frame = {.name = "a", .turns = 9};

    (void)state;
    rate.count = 5;
    rate.ms = 2;
    rate.burst = 3;
    spawn(&task, taker, &frame);
    (void)run_to(100);

    assert_trace("0 a goes\n"
                 "0 a goes\n"
                 "0 a goes\n"
                 "1 a goes\n" /* 0.4, 0.8 */
                 "1 a goes\n"
                 "2 a goes\n" /* 1.2, 1.6, 2 */
                 "2 a goes\n"
                 "2 a goes\n"
                 "3 a goes\n");
}

static void a_rate_too_fast_for_its_burst_is_one_burst_a_poll(void **state)
{
    struct taker frame = {.name = "a", .turns = 5};

    (void)state;
    rate.count = 100;
    rate.ms = 10;
    rate.burst = 2;
    spawn(&task, taker, &frame);
    (void)run_to(100);

    assert_trace("0 a goes\n"
                 "0 a goes\n"
                 "1 a goes\n"
                 "1 a goes\n"
                 "2 a goes\n");
}

static void a_burst_goes_at_once_and_then_evenly(void **state)
{
    (void)state;
    rate.count = 1;
    rate.ms = 10;
    rate.burst = 3;
    spawn_takers(6);
    (void)run_to(100);

    assert_trace("0 a goes\n"
                 "0 b goes\n"
                 "0 c goes\n"
                 "10 d goes\n"
                 "20 e goes\n"
                 "30 f goes\n");
}

static void a_pause_saves_turns_up_to_a_burst_and_no_more(void **state)
{
    (void)state;
    rate.count = 1;
    rate.ms = 10;
    rate.burst = 3;
    spawn_takers(5);
    (void)run_to(100);
    trace_clear();
    spawn_takers(5);
    (void)run_to(200);

    assert_trace("100 a goes\n"
                 "100 b goes\n"
                 "100 c goes\n"
                 "110 d goes\n"
                 "120 e goes\n");
}

static void a_short_pause_saves_the_turns_of_that_time(void **state)
{
    (void)state;
    rate.count = 1;
    rate.ms = 10;
    rate.burst = 3;
    spawn_takers(3); /* at 0 all are taken; new ones at 10, 20, 30 */
    (void)run_to(25);
    trace_clear();
    spawn_takers(4);
    (void)run_to(200);

    assert_trace("25 a goes\n"
                 "25 b goes\n"
                 "30 c goes\n"
                 "40 d goes\n");
}

static void after_a_pause_the_turns_are_counted_from_the_first(void **state)
{
    struct taker frame = {.name = "a", .turns = 3, .work_ms = 27};

    (void)state;
    rate.count = 1;
    rate.ms = 10;
    spawn(&task, taker, &frame);
    (void)run_to(54);
    spawn_takers(2);
    (void)run_to(200);

    assert_trace("0 a goes\n"
                 "27 a goes\n"
                 "54 a goes\n"
                 "64 a goes\n" /* not 60 */
                 "74 b goes\n");
}

static void work_that_is_quicker_than_the_rate_does_not_slow_it(void **state)
{
    struct taker frame = {.name = "a", .turns = 4, .work_ms = 9};

    (void)state;
    rate.count = 1;
    rate.ms = 10;
    spawn(&task, taker, &frame);
    (void)run_to(200);

    assert_trace("0 a goes\n"
                 "10 a goes\n"
                 "20 a goes\n"
                 "30 a goes\n");
}

static void a_late_poll_moves_no_turn_but_its_own(void **state)
{
    (void)state;
    rate.count = 1;
    rate.ms = 10;
    spawn_takers(4);
    leap_to(0);
    leap_to(13);
    leap_to(20);
    leap_to(39);

    assert_trace("0 a goes\n"
                 "13 b goes\n"
                 "20 c goes\n" /* not 23 */
                 "39 d goes\n");
}

static void a_very_late_poll_makes_up_for_a_burst_at_the_most(void **state)
{
    (void)state;
    rate.count = 1;
    rate.ms = 10;
    rate.burst = 2;
    spawn_takers(8);
    leap_to(0);
    leap_to(45); /* 10, 20, 30, 40 were due */
    (void)run_to(100);

    assert_trace("0 a goes\n"
                 "0 b goes\n"
                 "45 c goes\n"
                 "45 d goes\n"
                 "55 e goes\n" /* and counted from then on */
                 "65 f goes\n"
                 "75 g goes\n"
                 "85 h goes\n");
}

static void a_late_poll_makes_up_for_what_fits_a_burst(void **state)
{
    (void)state;
    rate.count = 1;
    rate.ms = 10;
    rate.burst = 3;
    spawn_takers(8);
    leap_to(0);
    leap_to(25);
    (void)run_to(100);

    assert_trace("0 a goes\n"
                 "0 b goes\n"
                 "0 c goes\n"
                 "25 d goes\n"
                 "25 e goes\n"
                 "30 f goes\n"
                 "40 g goes\n"
                 "50 h goes\n");
}

static void
a_turn_that_a_late_poll_leaves_over_is_there_for_the_next_one(void **state)
{
    (void)state;
    rate.count = 1;
    rate.ms = 10;
    rate.burst = 2;
    spawn_takers(3);
    leap_to(0);
    leap_to(25); /* 10 and 20 were due, and one waited */
    spawn_takers(2);
    (void)run_to(100);

    assert_trace("0 a goes\n"
                 "0 b goes\n"
                 "25 c goes\n"
                 "25 a goes\n"
                 "30 b goes\n");
}

static void a_canceled_waiter_leaves_its_turn_to_the_next(void **state)
{
    (void)state;
    rate.count = 1;
    rate.ms = 10;
    spawn_takers(4);
    (void)run_to(5);
    async_cancel(&loop, &tasks[1]);
    (void)run_to(100);

    assert_trace("0 a goes\n"
                 "5 b canceled\n"
                 "10 c goes\n"
                 "20 d goes\n");
}

static void
a_canceled_waiter_in_the_middle_leaves_the_others_in_order(void **state)
{
    (void)state;
    rate.count = 1;
    rate.ms = 10;
    spawn_takers(5);
    (void)run_to(5);
    async_cancel(&loop, &tasks[2]);
    async_cancel(&loop, &tasks[4]);
    (void)run_to(100);

    assert_trace("0 a goes\n"
                 "5 c canceled\n"
                 "5 e canceled\n"
                 "10 b goes\n"
                 "20 d goes\n");
}

static void the_last_waiter_that_is_canceled_leaves_no_timer(void **state)
{
    async_time next;

    (void)state;
    rate.count = 1;
    rate.ms = 10;
    spawn_takers(3);
    (void)run_to(5);
    async_cancel(&loop, &tasks[2]);
    async_cancel(&loop, &tasks[1]);
    next = settle();

    assert_trace("0 a goes\n"
                 "5 c canceled\n"
                 "5 b canceled\n");
    assert_true(next == ASYNC_FOREVER);
    assert_int_equal(async_loop_end(&loop), 0);
}

static void a_turn_nobody_took_is_there_for_the_next_one(void **state)
{
    (void)state;
    rate.count = 1;
    rate.ms = 10;
    spawn_takers(2);
    (void)run_to(5);
    async_cancel(&loop, &tasks[1]);
    (void)run_to(12);
    spawn_takers(2);
    (void)run_to(100);

    assert_trace("0 a goes\n"
                 "5 b canceled\n"
                 "12 a goes\n"
                 "22 b goes\n");
}

static void a_turn_that_came_before_the_cancel_is_kept(void **state)
{
    struct taker frame = {.name = "x", .turns = 2, .work_ms = 50};

    (void)state;
    rate.count = 1;
    rate.ms = 10;
    spawn_takers(1);
    spawn(&task, taker, &frame);
    (void)run_to(9);
    async_cancel(&loop, &task);
    leap_to(10); /* both before it runs */
    (void)run_to(100);

    assert_trace("0 a goes\n"
                 "10 x goes\n"
                 "10 x stops working\n" /* the next wait takes the cancel */
                 "20 x goes\n");
}

static void a_cancel_before_the_first_step_takes_no_turn(void **state)
{
    (void)state;
    rate.count = 1;
    rate.ms = 10;
    spawn_takers(3);
    async_cancel(&loop, &tasks[1]);
    (void)run_to(100);

    assert_trace("0 a goes\n"
                 "0 b canceled\n"
                 "10 c goes\n");
}

static void a_cancel_does_not_keep_from_a_turn_that_is_there(void **state)
{
    struct taker frame = {.name = "x", .turns = 1, .work_ms = 50};

    (void)state;
    rate.count = 1;
    rate.ms = 10;
    spawn(&task, taker, &frame);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 x goes\n"
                 "0 x stops working\n");
}

static void a_waiter_that_times_out_leaves_its_turn_to_the_next(void **state)
{
    struct taker frame = {.name = "x", .turns = 1, .limit_ms = 4};

    (void)state;
    rate.count = 1;
    rate.ms = 10;
    spawn_takers(1);
    spawn(&task, taker, &frame);
    (void)settle();
    spawn_takers(1);
    (void)run_to(100);

    assert_trace("0 a goes\n"
                 "4 x timed out\n"
                 "10 a goes\n");
}

static void a_turn_on_the_tick_of_the_timeout_is_kept(void **state)
{
    struct taker frame = {.name = "x", .turns = 1, .limit_ms = 10};

    (void)state;
    rate.count = 1;
    rate.ms = 10;
    spawn_takers(1);
    spawn(&task, taker, &frame);
    (void)run_to(100);

    assert_trace("0 a goes\n"
                 "10 x goes\n");
}

static void a_newcomer_does_not_overtake_those_who_wait(void **state)
{
    struct taker frame = {.name = "x", .turns = 1};

    (void)state;
    rate.count = 1;
    rate.ms = 10;
    spawn_takers(3);
    (void)run_to(9);
    spawn(&task, taker, &frame); /* runs at 10, before b, who has its turn */
    leap_to(10);
    (void)run_to(100);

    assert_trace("0 a goes\n"
                 "10 b goes\n"
                 "20 c goes\n"
                 "30 x goes\n");
}

/* Waits for a turn in its finally section. */
struct last_wish {
    struct async_frame async;
};

static async last_wish(struct async_loop *on, void *frame)
{
    struct last_wish *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, 50));
    async_finally();
    await(async_rate_wait(on, &rate));
    note("finally", "goes");
    async_end();
}

static void a_turn_is_waited_for_in_a_finally_section_too(void **state)
{
    struct last_wish frame = {{0, 0}};

    (void)state;
    rate.count = 1;
    rate.ms = 10;
    spawn_takers(2);
    spawn(&task, last_wish, &frame);
    (void)run_to(5);
    async_cancel(&loop, &task);
    (void)run_to(8);
    async_cancel(&loop, &task); /* is not cut */
    (void)run_to(100);

    assert_trace("0 a goes\n"
                 "10 b goes\n"
                 "20 finally goes\n");
    assert_int_equal(async_task_outcome(&task), ASYNC_ECANCELED);
}

static void a_rate_without_turns_is_refused(void **state)
{
    (void)state;
    rate.ms = 10;
    spawn_takers(1);
    (void)run_to(100);

    assert_trace("0 a invalid argument\n");
}

static void a_rate_of_no_time_is_no_limit(void **state)
{
    struct taker frame = {.name = "x", .turns = 3};

    (void)state;
    rate.count = 1;
    spawn(&task, taker, &frame);
    (void)run_to(100);

    assert_trace("0 x goes\n"
                 "0 x goes\n"
                 "0 x goes\n");
}

static void turns_come_evenly_across_the_wrap_of_the_time(void **state)
{
    struct taker frame = {.name = "x", .turns = 3};

    (void)state;
    rate.count = 1;
    rate.ms = 10;
    now = (async_time)-15;
    spawn(&task, taker, &frame);
    (void)run_to(20);

    trace_clear();
    assert_int_equal(async_alive(&loop), 0);
    assert_int_equal(rate.next_, 15);
}

static void
a_pause_of_more_than_half_the_range_of_a_time_saves_a_burst(void **state)
{
    struct taker frame = {.name = "x", .turns = 3};
    async_time pause = (async_time)(ASYNC_MAX_TICKS + 1000);

    (void)state;
    rate.count = 1;
    rate.ms = 10;
    rate.burst = 2;
    spawn_takers(2);
    (void)run_to(5);
    trace_clear();
    spawn(&task, taker, &frame);
    leap_to(pause); /* what was next lies ahead, by a comparison */
    (void)run_to((async_time)(pause + 50));

    trace_clear();
    assert_int_equal(async_alive(&loop), 0);
    assert_true(rate.next_ == (async_time)(pause + 20));
}

static void a_rate_serves_again_after_its_line_was_empty(void **state)
{
    (void)state;
    rate.count = 1;
    rate.ms = 10;
    spawn_takers(2);
    (void)run_to(10);
    spawn_takers(2);
    (void)run_to(100);

    assert_trace("0 a goes\n"
                 "10 b goes\n"
                 "20 a goes\n"
                 "30 b goes\n");
}

/* Random takers with cancels and late polls, against what is promised. */
static int most_at_once, at_once;
static async_time at;
static async_time gone[4000];
static size_t gone_count;

struct walker {
    struct async_frame async;
    int number;
};

static int served; /* the highest number that was let go */
static int
    served_before; /* on this tick: who has a turn may run in any order */

static async walker(struct async_loop *on, void *frame)
{
    struct walker *self = frame;

    async_begin(self);
    await(async_rate_wait(on, &rate));
    if (async_now(on) != at) {
        at_once = 0;
        served_before = served;
    }
    at = async_now(on);
    if (++at_once > most_at_once)
        most_at_once = at_once;
    assert_true(self->number > served_before);
    if (self->number > served)
        served = self->number;
    gone[gone_count++] = at;
    async_end();
}

static void turns_are_never_too_many_too_few_or_out_of_order(void **state)
{
    static struct walker walkers[40];
    static struct async_task walks[40];
    unsigned seed = 1;
    int round, i, wrong = 0;

    (void)state;
    for (round = 0; round < 400; round++) {
        int late = round % 2;
        size_t n;

        (void)rate_setup(state);
        srand(seed = (unsigned)round + 1);
        rate.count = 1 + (uint32_t)rand() % 9;
        rate.ms = 1 + (uint32_t)rand() % 60;
        rate.burst = (uint32_t)rand() % 5;
        served = served_before = -1;
        gone_count = 0;
        most_at_once = at_once = 0;
        at = (async_time)-1;
        for (i = 0; i < 40; i++) {
            walks[i] = (struct async_task){0};
            walkers[i] = (struct walker){.number = i};
            spawn(&walks[i], walker, &walkers[i]);
            if (rand() % 3 == 0) { /* some time passes */
                if (late)
                    leap_to(now + (async_time)(rand() % 40));
                else
                    (void)run_to(now + (async_time)(rand() % 40));
            }
            if (rand() % 8 == 0)
                async_cancel(&loop, &walks[rand() % (i + 1)]);
        }
        if (late)
            for (i = 0; i < 400; i++)
                leap_to(now + (async_time)(rand() % 40));
        (void)run_to(now + 3000);
        assert_int_equal(async_alive(&loop), 0);
        assert_true(async_poll(&loop, now) == ASYNC_FOREVER);
        while (async_unjoined(&loop) != 0)
            ;
        /* none of all those in `ms`: so many and what was saved up */
        for (n = 0; !late && n + rate.count + (rate.burst ? rate.burst : 1) <=
                                 gone_count;
             n++) {
            size_t last = n + rate.count + (rate.burst ? rate.burst : 1) - 1;

            wrong += gone[last] - gone[n] < rate.ms;
        }
        if ((uint32_t)most_at_once > (rate.burst ? rate.burst : 1))
            wrong++;
        if (wrong)
            fail_msg("seed %u", seed);
    }
}

/* With demand that never ends the turns are as many as there can be. */
static void
a_rate_that_is_always_wanted_is_used_up_however_late_the_polls(void **state)
{
    static struct taker frame;

    (void)state;
    rate.count = 7;
    rate.ms = 50;
    rate.burst = 2;
    frame = (struct taker){.name = "x", .turns = 100000};
    spawn(&task, taker, &frame);
    srand(1);
    while (now < 50000) {
        leap_to(now + 1 + (async_time)(rand() % 7)); /* less than a turn late */
        trace_clear();
    }

    assert_in_range(100000 - frame.turns, 7000, 7003);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        timeline_claim(what_works_at_once_is_not_tried_again),
        timeline_claim(each_wait_is_twice_the_one_before_up_to_the_longest),
        timeline_claim(a_wait_begins_when_the_try_has_failed),
        timeline_claim(without_a_longest_wait_they_do_not_grow),
        timeline_claim(an_all_zero_retry_tries_at_once_and_lets_others_run),
        timeline_claim(after_the_last_try_its_error_is_returned_at_once),
        timeline_claim(one_try_is_no_retry),
        timeline_claim(the_last_try_may_be_the_one_that_works),
        timeline_claim(the_most_tries_there_can_be_are_made),
        timeline_claim(tries_without_end_go_on_with_the_longest_wait),
        timeline_claim(a_cancel_is_never_tried_again),
        timeline_claim(a_cancel_during_a_try_ends_it_all),
        timeline_claim(a_cancel_between_two_tries_ends_it_all),
        timeline_claim(a_cancel_before_it_begins_lands_between_two_tries),
        timeline_claim(a_cancel_on_the_tick_of_the_next_try_lands_in_that),
        timeline_claim(waits_grow_as_long_as_there_is_no_success),
        timeline_claim(a_success_begins_from_the_first_wait),
        timeline_claim(a_reset_begins_from_the_first_wait),
        timeline_claim(a_wait_that_is_cut_begins_from_the_first_one),
        timeline_claim(a_success_is_returned_at_once),
        timeline_claim(a_status_that_is_none_is_refused),
        timeline_claim(
            chance_takes_up_to_half_of_each_wait_and_all_of_that_evenly),
        timeline_claim(chance_does_not_change_what_the_next_wait_is_twice_of),
        timeline_claim(
            chance_of_an_odd_or_no_wait_stays_between_half_and_whole),
        timeline_claim(one_seed_makes_one_row_of_waits_and_another_one_another),
        rate_claim(turns_come_evenly_first_come_first_served),
        rate_claim(one_task_takes_turn_after_turn),
        rate_claim(what_does_not_divide_evenly_does_not_drift),
        rate_claim(more_turns_than_ticks_come_several_a_tick),
        rate_claim(a_rate_too_fast_for_its_burst_is_one_burst_a_poll),
        rate_claim(a_burst_goes_at_once_and_then_evenly),
        rate_claim(a_pause_saves_turns_up_to_a_burst_and_no_more),
        rate_claim(a_short_pause_saves_the_turns_of_that_time),
        rate_claim(after_a_pause_the_turns_are_counted_from_the_first),
        rate_claim(work_that_is_quicker_than_the_rate_does_not_slow_it),
        rate_claim(a_late_poll_moves_no_turn_but_its_own),
        rate_claim(a_very_late_poll_makes_up_for_a_burst_at_the_most),
        rate_claim(a_late_poll_makes_up_for_what_fits_a_burst),
        rate_claim(
            a_turn_that_a_late_poll_leaves_over_is_there_for_the_next_one),
        rate_claim(a_canceled_waiter_leaves_its_turn_to_the_next),
        rate_claim(a_canceled_waiter_in_the_middle_leaves_the_others_in_order),
        rate_claim(the_last_waiter_that_is_canceled_leaves_no_timer),
        rate_claim(a_turn_nobody_took_is_there_for_the_next_one),
        rate_claim(a_turn_that_came_before_the_cancel_is_kept),
        rate_claim(a_cancel_before_the_first_step_takes_no_turn),
        rate_claim(a_cancel_does_not_keep_from_a_turn_that_is_there),
        rate_claim(a_waiter_that_times_out_leaves_its_turn_to_the_next),
        rate_claim(a_turn_on_the_tick_of_the_timeout_is_kept),
        rate_claim(a_newcomer_does_not_overtake_those_who_wait),
        rate_claim(a_turn_is_waited_for_in_a_finally_section_too),
        rate_claim(a_rate_without_turns_is_refused),
        rate_claim(a_rate_of_no_time_is_no_limit),
        rate_claim(turns_come_evenly_across_the_wrap_of_the_time),
        rate_claim(a_pause_of_more_than_half_the_range_of_a_time_saves_a_burst),
        rate_claim(a_rate_serves_again_after_its_line_was_empty),
        rate_claim(turns_are_never_too_many_too_few_or_out_of_order),
        rate_claim(
            a_rate_that_is_always_wanted_is_used_up_however_late_the_polls),
    };

    return cmocka_run_group_tests_name("async_retry.h", tests, NULL, NULL);
}
