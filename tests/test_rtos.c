/* test_rtos.c: what adapters/rtos.h promises, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_rtos.c -lcmocka
 *
 * The RTOS is three functions and a tick count that soon wraps around: no test
 * waits. With a real one's threads and interrupts: tests/hosts/rtos.c.
 */
#include "trace.h"

#include "../adapters/rtos.h"

#define FIRST_TICK ((async_time)-5)

static struct async_loop loop;
static struct async_task task;
static struct async_flag flag;
static struct async_host preempted; /* a task in whose notify we are */

/* ---- an RTOS ------------------------------------------------------------ */

static async_time tick;
static int given;
static int now_wakes; /* an interrupt, when now is asked for so often */

static async_time now(void)
{
    if (now_wakes && --now_wakes == 0)
        async_wake(&loop);
    return tick;
}

static void take(void *arg, async_time ticks)
{
    assert_ptr_equal(arg, &tick);
    if (ticks == ASYNC_FOREVER)
        trace("take: for ever");
    else
        trace("take: %u", (unsigned)ticks);
    if (preempted.arg) { /* the lower priority goes on */
        preempted.arg = NULL;
        async_byte_told_(&loop.woken_);
    }
    if (given || ticks == ASYNC_FOREVER) {
        given = 0;
        return;
    }
    tick = (async_time)(tick + ticks);
}

static void give(void *arg)
{
    assert_ptr_equal(arg, &tick);
    trace("give");
    given = 1;
}

static struct async_rtos host = {
    .now = now, .take = take, .give = give, .arg = &tick};

static int setup(void **state)
{
    async_loop_init(&loop);
    memset(&task, 0, sizeof task);
    memset(&flag, 0, sizeof flag);
    memset(&preempted, 0, sizeof preempted);
    tick = FIRST_TICK;
    given = now_wakes = 0;
    async_rtos_start(&host, &loop);
    trace_clear();
    return trace_setup(state);
}

/* ---- tasks -------------------------------------------------------------- */

struct work {
    struct async_frame async;
    async_time lasts;
    int i;
};

/* Its steps take so long. */
static async sleeper(struct async_loop *on, void *frame)
{
    struct work *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < 2; self->i++) {
        tick = (async_time)(tick + self->lasts);
        await(async_sleep_ms(on, 10));
        trace("slept until %d", (int)(async_time)(tick - FIRST_TICK));
    }
    async_end();
}

static async flagged(struct async_loop *on, void *frame)
{
    struct work *self = frame;

    async_begin(self);
    tick = (async_time)(tick + self->lasts);
    await(async_flag_wait(on, &flag));
    trace("flag");
    async_end();
}

static async self_waker(struct async_loop *on, void *frame)
{
    struct work *self = frame;

    async_begin(self);
    async_wake(on);
    await(async_sleep_ms(on, 10));
    async_end();
}

static async reader(struct async_loop *on, void *frame)
{
    struct work *self = frame;

    async_begin(self);
    async_catch(self->i, async_readable(on, 0));
    trace("%s", async_strerror(self->i));
    async_end();
}

static void spawn(async_fn *fn, struct work *frame)
{
    assert_int_equal(async_spawn(&loop, &task, fn, frame), 0);
    given = 0;
    trace_clear();
}

static void run(void)
{
    while (async_alive(&loop))
        async_rtos_turn(&host);
}

/* ---- claims ------------------------------------------------------------- */

static void it_sleeps_until_the_next_deadline_over_the_wrap(void **state)
{
    struct work self = {.lasts = 0};

    (void)state;
    spawn(sleeper, &self);
    run();
    assert_trace("take: 10\n"
                 "slept until 10\n"
                 "take: 10\n"
                 "slept until 20\n");
}

static void what_the_steps_took_is_not_slept_again(void **state)
{
    struct work self = {.lasts = 4};

    (void)state;
    spawn(sleeper, &self);
    run();
    assert_trace("take: 6\n"
                 "slept until 10\n"
                 "take: 6\n"
                 "slept until 20\n");
}

static void
a_deadline_that_the_steps_reach_or_pass_is_not_slept_for(void **state)
{
    struct work self = {.lasts = 10};

    (void)state;
    spawn(sleeper, &self);
    run();
    assert_trace("slept until 10\n"
                 "slept until 20\n");
    memset(&self, 0, sizeof self);
    self.lasts = 11;
    tick = FIRST_TICK;
    spawn(sleeper, &self);
    run();
    assert_trace("slept until 11\n"
                 "slept until 22\n");
}

static void without_a_deadline_it_sleeps_until_it_is_woken(void **state)
{
    struct work self = {.lasts = 3};

    (void)state;
    spawn(flagged, &self);
    async_rtos_turn(&host);
    async_flag_set(&loop, &flag);
    run();
    assert_trace("take: for ever\n"
                 "give\n"
                 "flag\n");
}

static void a_wake_between_the_poll_and_the_sleep_ends_the_sleep(void **state)
{
    struct work self = {.lasts = 0};

    (void)state;
    spawn(sleeper, &self);
    now_wakes = 2;
    async_rtos_turn(&host);
    assert_trace("give\n"
                 "take: 10\n");
    assert_int_equal((async_time)(tick - FIRST_TICK), 0);
    run();
    trace_clear();
}

static void a_wake_in_a_poll_is_polled_for_at_once(void **state)
{
    struct work self = {.lasts = 0};

    (void)state;
    spawn(self_waker, &self);
    async_rtos_turn(&host);
    assert_trace("give\n");
    run();
    trace_clear();
}

static void a_loop_that_is_empty_sleeps(void **state)
{
    (void)state;
    async_rtos_turn(&host);
    assert_trace("take: for ever\n");
}

static void there_are_no_descriptors(void **state)
{
    struct work self = {.lasts = 0};

    (void)state;
    spawn(reader, &self);
    run();
    assert_trace("not supported here\n");
}

static void a_stop_lets_who_was_preempted_in_notify_end_it(void **state)
{
    (void)state;
    assert_int_equal(async_byte_wake_(&loop.woken_), 1);
    preempted.arg = &loop;
    async_rtos_stop(&host);
    assert_trace("take: 1\n");
    assert_null(loop.host_);
    async_rtos_stop(&host);
    assert_trace("");
}

static void a_stopped_loop_may_still_be_woken(void **state)
{
    (void)state;
    async_rtos_stop(&host);
    async_wake(&loop);
    assert_trace("");
}

#define host_claim(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
    const struct CMUnitTest claims[] = {
        host_claim(it_sleeps_until_the_next_deadline_over_the_wrap),
        host_claim(what_the_steps_took_is_not_slept_again),
        host_claim(a_deadline_that_the_steps_reach_or_pass_is_not_slept_for),
        host_claim(without_a_deadline_it_sleeps_until_it_is_woken),
        host_claim(a_wake_between_the_poll_and_the_sleep_ends_the_sleep),
        host_claim(a_wake_in_a_poll_is_polled_for_at_once),
        host_claim(a_loop_that_is_empty_sleeps),
        host_claim(there_are_no_descriptors),
        host_claim(a_stop_lets_who_was_preempted_in_notify_end_it),
        host_claim(a_stopped_loop_may_still_be_woken),
    };

    return cmocka_run_group_tests(claims, NULL, NULL);
}
