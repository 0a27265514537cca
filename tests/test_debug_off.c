/* test_debug_off.c: async_debug.h in a program built without ASYNC_DEBUG.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_debug_off.c -lcmocka
 */
#include "trace.h"

#include "async_debug.h"

static struct async_loop loop;
static struct async_task tasks[2];

static void say(void *arg, const char *text)
{
    (void)arg;
    trace("%.*s", (int)strcspn(text, ";"), text);
}

static async_time clock_is;

static async_time clock_now(void)
{
    return clock_is;
}

struct busy {
    struct async_frame async;
};

static async busy(struct async_loop *on, void *frame)
{
    struct busy *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, 1));
    clock_is = (async_time)(clock_is + 1000);
    await(async_sleep_ms(on, 1));
    async_end();
}

static int setup(void **state)
{
    async_loop_init(&loop);
    memset(tasks, 0, sizeof tasks);
    (void)async_poll(&loop, 0);
    return trace_setup(state);
}

#define off_claim(test) cmocka_unit_test_setup(test, setup)

static void a_dump_shows_states(void **state)
{
    struct busy frame = {{0}};

    (void)state;
    (void)async_spawn(&loop, &tasks[0], busy, &frame);
    async_dump(&loop, say, NULL);
    assert_trace("start: is ready\n");
    (void)async_poll(&loop, 0);
    assert_int_equal(async_frame_line(&frame.async), 0);
    async_dump(&loop, say, NULL);
#ifndef ASYNC_USE_LABELS /* with them a state is a distance */
    assert_trace("state 2: sleeps for another 1 ticks\n");
#endif
    (void)async_poll(&loop, 1);
    async_dump(&loop, say, NULL);
#ifndef ASYNC_USE_LABELS
    assert_trace("state 3: sleeps for another 1 ticks\n");
#endif
    trace_clear();
}

static void the_check_and_the_sweep_work(void **state)
{
    struct busy frame = {{0}};

    (void)state;
    (void)async_spawn(&loop, &tasks[0], busy, &frame);
    (void)async_poll(&loop, 0);
    assert_int_equal(async_sweep(&loop, say, NULL), 0);
    assert_null(async_loop_check(&loop));
    tasks[0].wait_.next = NULL;
    assert_non_null(async_loop_check(&loop));
    assert_trace("");
}

static void a_watch_says_that_it_sees_nothing_and_changes_nothing(void **state)
{
    struct async_debug debug = {.say = say, .clock = clock_now, .shuffle = 1};
    struct busy frames[2] = {{{0}}, {{0}}};

    (void)state;
    async_debug_start(&loop, &debug);
    assert_trace("this file is built without ASYNC_DEBUG, and what runs from "
                 "here is not watched\n"
                 "what is ready runs in an order of chance, seed 1\n");
    (void)async_spawn(&loop, &tasks[0], busy, &frames[0]);
    (void)async_spawn(&loop, &tasks[1], busy, &frames[1]);
    (void)async_simulate(&loop, 0, 10);
    assert_int_equal(async_alive(&loop), 0);
    assert_int_equal(debug.steps, 0);
    assert_trace("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        off_claim(a_dump_shows_states),
        off_claim(the_check_and_the_sweep_work),
        off_claim(a_watch_says_that_it_sees_nothing_and_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
