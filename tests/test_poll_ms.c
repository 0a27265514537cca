/* test_poll_ms.c: how long a host may wait, on a clock that is a variable.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_poll_ms.c -lcmocka
 */
#define _POSIX_C_SOURCE 200809L
#include "trace.h"

#include <time.h> /* before the name is ours */

static int64_t now_ms;

static int clock_gettime_set(clockid_t clock, struct timespec *time)
{
    (void)clock;
    time->tv_sec = (time_t)(now_ms / 1000);
    time->tv_nsec = (long)(now_ms % 1000) * 1000000;
    return 0;
}

#define clock_gettime clock_gettime_set
#include "async_loop.h"

static struct async_loop loop;
static struct async_task task, other;

struct worker {
    struct async_frame async;
    uint32_t sleep_ms, work_ms;
};
static struct worker frame, other_frame;

/* Works, which takes a time, then sleeps. */
static async worker(struct async_loop *on, void *arg)
{
    struct worker *self = arg;

    async_begin(self);
    now_ms += self->work_ms;
    await(async_sleep_ms(on, self->sleep_ms));
    async_end();
}

static int poll_setup(void **state)
{
    static const struct async_task no_task;

    async_loop_init(&loop);
    task = other = no_task;
    frame = other_frame = (struct worker){.sleep_ms = 100};
    now_ms = 5000;
    return trace_setup(state);
}

#define poll_claim(test) cmocka_unit_test_setup(test, poll_setup)

static void a_wait_lasts_till_the_first_deadline(void **state)
{
    (void)state;
    async_spawn(&loop, &task, worker, &frame);
    assert_int_equal(async_poll_ms(&loop), 100);
}

static void what_the_steps_took_is_not_waited_for_again(void **state)
{
    (void)state;
    other_frame.work_ms = 30;
    async_spawn(&loop, &task, worker, &frame);
    async_spawn(&loop, &other, worker, &other_frame);
    assert_int_equal(async_poll_ms(&loop), 70);
}

static void
a_deadline_that_passed_during_the_steps_is_not_waited_for(void **state)
{
    (void)state;
    other_frame.work_ms = 101;
    async_spawn(&loop, &task, worker, &frame);
    async_spawn(&loop, &other, worker, &other_frame);
    assert_int_equal(async_poll_ms(&loop), 0);
}

static void without_a_deadline_it_is_for_ever(void **state)
{
    (void)state;
    assert_int_equal(async_poll_ms(&loop), -1);
}

static void after_the_last_task_there_is_no_wait(void **state)
{
    (void)state;
    frame.sleep_ms = 0;
    async_spawn(&loop, &task, worker, &frame);
    assert_int_equal(async_poll_ms(&loop), 0);
    assert_int_equal(async_alive(&loop), 0);
    assert_int_equal(async_poll_ms(&loop), -1);
}

static void no_wait_is_longer_than_its_type_can_say(void **state)
{
    (void)state;
    frame.sleep_ms = 4000000000u;
    async_spawn(&loop, &task, worker, &frame);
    assert_int_equal(async_poll_ms(&loop), INT_MAX / 1000 * 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        poll_claim(a_wait_lasts_till_the_first_deadline),
        poll_claim(what_the_steps_took_is_not_waited_for_again),
        poll_claim(a_deadline_that_passed_during_the_steps_is_not_waited_for),
        poll_claim(without_a_deadline_it_is_for_ever),
        poll_claim(after_the_last_task_there_is_no_wait),
        poll_claim(no_wait_is_longer_than_its_type_can_say),
    };

    return cmocka_run_group_tests_name("async_poll_ms", tests, NULL, NULL);
}
