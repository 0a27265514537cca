/* test_loop.c: what async_loop.h promises, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_loop.c -lcmocka
 *
 * The clock is an argument. Where async_run has to wait, poll_watched below
 * stands between it and the system, so that no test sleeps or hangs.
 */
#include "trace.h"

#include <poll.h> /* before the name is ours */

static int poll_watched(struct pollfd *fds, nfds_t count, int timeout);
#define poll poll_watched
#define ASYNC_RUN_FDS 2
#include "async_gather.h" /* timeouts around calls */
#include "async_loop.h"
#undef poll

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static struct async_loop loop;
static struct async_task tasks[8];
static struct async_flag flag;
static int condition;

/* A host that writes down what it is told. */
static int host_watch_answer;

static void host_notify(void *arg)
{
    (void)arg;
    trace("notify");
}

static int host_watch(void *arg, int fd, int events)
{
    (void)arg;
    trace("watch %d for %d", fd, events);
    return host_watch_answer;
}

static const struct async_host host = {host_notify, host_watch, NULL};

static void (*before_poll)(void); /* what happens when async_run would sleep */
static int poll_interruptions;    /* how often a signal comes instead */

static int poll_watched(struct pollfd *fds, nfds_t count, int timeout)
{
    int ready;

    if (before_poll)
        before_poll();
    if (poll_interruptions) {
        poll_interruptions--;
        errno = EINTR;
        return -1;
    }
    ready = poll(fds, count, 0);
    if (ready == 0 && timeout < 0)
        fail_msg("async_run sleeps for ever");
    return ready;
}

static int setup(void **state)
{
    async_loop_init(&loop);
    memset(tasks, 0, sizeof tasks);
    memset(&flag, 0, sizeof flag);
    condition = 0;
    host_watch_answer = 0;
    before_poll = NULL;
    poll_interruptions = 0;
    (void)async_poll(&loop, 0); /* time begins */
    return trace_setup(state);
}

#define loop_claim(test) cmocka_unit_test_setup(test, setup)

static void spawn(int which, async_fn *fn, void *frame)
{
    assert_int_equal(async_spawn(&loop, &tasks[which], fn, frame), 0);
}

/* Polls, the clock standing still, until there is nothing to do at once. */
static int poll_on(void)
{
    int polls = 1;

    while (async_poll(&loop, 0) == 0)
        if (++polls > 9999)
            fail_msg("the loop never comes to rest");
    return polls;
}

#define assert_forever(ticks) assert_true((ticks) == ASYNC_FOREVER)

/* ---- tasks used all over ------------------------------------------------ */

/* Does what its fields say: waits for `ms` in the body, for `closing_ms` in its
 * clean-up, fails with `error`. */
struct worker {
    struct async_frame async;
    const char *name;
    uint32_t ms;
    uint32_t closing_ms;
    int error;
    int steps;
};

static async worker(struct async_loop *on, void *frame)
{
    struct worker *self = frame;

    self->steps++;
    async_begin(self);
    trace("%s begins", self->name);
    if (self->ms)
        await(async_sleep_ms(on, self->ms));
    if (self->error)
        async_fail(self->error);
    trace("%s ends", self->name);

    async_finally();
    if (self->closing_ms) {
        trace("%s closes", self->name);
        await(async_sleep_ms(on, self->closing_ms));
        trace("%s is closed", self->name);
    }
    async_end();
}

/* Says how its wait for another task ended. */
struct joiner {
    struct async_frame async;
    const char *name;
    struct async_task *task;
    int status;
    int steps;
};

static async joiner(struct async_loop *on, void *frame)
{
    struct joiner *self = frame;

    self->steps++;
    async_begin(self);
    async_catch(self->status, async_join(on, self->task));
    trace("%s: %d", self->name, self->status);
    async_end();
}

/* ---- the ready queue ---------------------------------------------------- */

static void a_zeroed_loop_is_ready_to_use(void **state)
{
    static struct async_loop zeroed;
    struct worker frame = {.name = "a"};

    (void)state;
    assert_int_equal(async_spawn(&zeroed, &tasks[0], worker, &frame), 0);
    assert_forever(async_poll(&zeroed, 0));
    assert_trace("a begins\n"
                 "a ends\n");
}

static void an_idle_loop_waits_for_ever(void **state)
{
    (void)state;
    assert_forever(async_poll(&loop, 0));
    assert_forever(async_poll(&loop, 1000));
}

static void a_spawn_runs_nothing_before_the_poll(void **state)
{
    struct worker frame = {.name = "a"};

    (void)state;
    spawn(0, worker, &frame);
    assert_trace("");
    assert_int_equal(async_alive(&loop), 1);
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_PENDING);

    (void)async_poll(&loop, 0);
    assert_trace("a begins\n"
                 "a ends\n");
    assert_int_equal(async_alive(&loop), 0);
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_DONE);
}

static void tasks_run_in_the_order_of_their_spawns(void **state)
{
    struct worker frames[3] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};
    int i;

    (void)state;
    for (i = 0; i < 3; i++)
        spawn(i, worker, &frames[i]);
    assert_forever(async_poll(&loop, 0));
    assert_trace("a begins\n"
                 "a ends\n"
                 "b begins\n"
                 "b ends\n"
                 "c begins\n"
                 "c ends\n");
}

struct turns {
    struct async_frame async;
    const char *name;
    int turns, i;
    int of_the_loop; /* by async_yield_now in place of async_yield */
};

static async turns(struct async_loop *on, void *frame)
{
    struct turns *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < self->turns; self->i++) {
        trace("%s", self->name);
        if (self->of_the_loop)
            await(async_yield_now(on));
        else
            async_yield();
    }
    async_end();
}

static void tasks_that_yield_take_turns(void **state)
{
    struct turns one = {.name = "a", .turns = 3};
    struct turns two = {.name = "b", .turns = 2};

    (void)state;
    spawn(0, turns, &one);
    spawn(1, turns, &two);
    (void)poll_on();
    assert_trace("a\n"
                 "b\n"
                 "a\n"
                 "b\n"
                 "a\n");
}

static void tasks_that_await_yield_now_take_turns(void **state)
{
    struct turns one = {.name = "a", .turns = 3, .of_the_loop = 1};
    struct turns two = {.name = "b", .turns = 2, .of_the_loop = 1};

    (void)state;
    spawn(0, turns, &one);
    spawn(1, turns, &two);
    (void)poll_on();
    assert_trace("a\n"
                 "b\n"
                 "a\n"
                 "b\n"
                 "a\n");
}

static void a_yield_needs_no_tick_and_is_no_look(void **state)
{
    struct turns frame = {.name = "a", .turns = 1000};
    int polls;

    (void)state;
    spawn(0, turns, &frame);
    polls = poll_on();
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_DONE);
    assert_true(polls > 1); /* and the host has its turns */
    assert_true(polls < 1000);
    assert_int_equal(async_looks(&loop), 0);
    trace_clear();
}

static void a_poll_runs_all_that_was_ready_though_one_never_waits(void **state)
{
    static struct worker frames[300];
    static struct async_task many[300];
    struct turns greedy = {.name = "g", .turns = 100000};
    int i, steps = 0;

    (void)state;
    spawn(0, turns, &greedy);
    for (i = 0; i < 300; i++) {
        frames[i] = (struct worker){.name = "x"};
        (void)async_spawn(&loop, &many[i], worker, &frames[i]);
    }
    assert_int_equal(async_poll(&loop, 0), 0);
    for (i = 0; i < 300; i++)
        steps += frames[i].steps;
    assert_int_equal(steps, 300);
    assert_true(greedy.i < 300);
    trace_clear();
}

static async spawner(struct async_loop *on, void *frame)
{
    struct worker *self = frame;
    static struct worker child;

    async_begin(self);
    child = (struct worker){.name = "child"};
    trace("spawner begins");
    (void)async_spawn(on, &tasks[1], worker, &child);
    trace("spawner ends");
    async_end();
}

static void a_task_spawned_by_a_task_begins_later_in_the_same_poll(void **state)
{
    struct worker frame = {0};

    (void)state;
    spawn(0, spawner, &frame);
    assert_forever(async_poll(&loop, 0));
    assert_trace("spawner begins\n"
                 "spawner ends\n" /* not interrupted */
                 "child begins\n"
                 "child ends\n");
}

static void spawn_again(void *frame)
{
    (void)async_spawn(&loop, &tasks[0], worker, frame);
}

static void a_second_spawn_of_a_live_task_is_caught(void **state)
{
    struct worker frame = {.name = "a"};

    (void)state;
    spawn(0, worker, &frame);
    assert_stops("spawned while it runs", spawn_again, &frame);
}

static void a_second_spawn_of_a_live_task_changes_nothing(void **state)
{
    struct worker one = {.name = "a"}, two = {.name = "b"};

    (void)state;
    spawn(0, worker, &one);
    stops_are_noted(1);
    assert_int_equal(async_spawn(&loop, &tasks[0], worker, &two), ASYNC_EBUSY);
    stops_are_noted(0);
    assert_noted("spawned while it runs");
    (void)async_poll(&loop, 0);
    assert_trace("a begins\n"
                 "a ends\n");
    assert_int_equal(async_alive(&loop), 0);
}

static void the_running_task_is_the_loops_own_knowledge(void **state)
{
    struct turns frame = {.name = "a", .turns = 1};

    (void)state;
    spawn(0, turns, &frame);
    assert_null(async_current(&loop));
    (void)async_poll(&loop, 0);
    assert_null(async_current(&loop));
    trace_clear();
}

static async returns_what_it_likes(struct async_loop *on, void *frame)
{
    (void)on;
    return *(int *)frame;
}

static void a_task_may_be_any_function_that_returns_a_status(void **state)
{
    int done = 42, low = -70000;

    (void)state;
    spawn(0, returns_what_it_likes, &done);
    spawn(1, returns_what_it_likes, &low);
    (void)async_poll(&loop, 0);
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_DONE);
    assert_int_equal(async_task_outcome(&tasks[1]), ASYNC_EINVAL);
}

/* ---- sleep -------------------------------------------------------------- */

static void a_sleeping_task_is_not_stepped_until_its_time(void **state)
{
    struct worker frame = {.name = "a", .ms = 10};
    async_time now;

    (void)state;
    spawn(0, worker, &frame);
    for (now = 0; now < 10; now++)
        assert_int_equal(async_poll(&loop, now), 10 - now);
    assert_int_equal(frame.steps, 1);

    assert_forever(async_poll(&loop, 10));
    assert_int_equal(frame.steps, 2);
    assert_trace("a begins\n"
                 "a ends\n");
}

static void a_wake_does_not_step_a_sleeping_task(void **state)
{
    struct worker frame = {.name = "a", .ms = 10};

    (void)state;
    spawn(0, worker, &frame);
    (void)async_poll(&loop, 0);
    async_wake(&loop);
    assert_int_equal(async_poll(&loop, 5), 5);
    assert_int_equal(frame.steps, 1);
    trace_clear();
}

static void sleepers_wake_in_the_order_of_their_deadlines(void **state)
{
    struct worker frames[3] = {{.name = "a", .ms = 30},
                               {.name = "b", .ms = 10},
                               {.name = "c", .ms = 20}};
    int i;

    (void)state;
    for (i = 0; i < 3; i++)
        spawn(i, worker, &frames[i]);
    assert_int_equal(async_poll(&loop, 0), 10);
    trace_clear();
    assert_forever(async_poll(&loop, 100)); /* all at once */
    assert_trace("b ends\n"
                 "c ends\n"
                 "a ends\n");
}

static void
sleepers_with_one_deadline_wake_in_the_order_they_slept(void **state)
{
    struct worker frames[3] = {{.name = "a", .ms = 30},
                               {.name = "b", .ms = 20},
                               {.name = "c", .ms = 10}};

    (void)state;
    spawn(0, worker, &frames[0]);
    (void)async_poll(&loop, 0);
    spawn(1, worker, &frames[1]);
    (void)async_poll(&loop, 10);
    spawn(2, worker, &frames[2]);
    (void)async_poll(&loop, 20);
    trace_clear();
    (void)async_poll(&loop, 30);
    assert_trace("a ends\n"
                 "b ends\n"
                 "c ends\n");
}

struct sleeps {
    struct async_frame async;
    const char *name;
    uint32_t ms;
    async_time until;
    int steps;
};

static async sleeps_ms(struct async_loop *on, void *frame)
{
    struct sleeps *self = frame;

    self->steps++;
    async_begin(self);
    trace("%s", self->name);
    await(async_sleep_ms(on, self->ms));
    trace("%s slept", self->name);
    async_end();
}

static async sleeps_until(struct async_loop *on, void *frame)
{
    struct sleeps *self = frame;

    self->steps++;
    async_begin(self);
    trace("%s", self->name);
    await(async_sleep_until(on, self->until));
    trace("%s slept", self->name);
    async_end();
}

static void a_sleep_of_0_lets_the_others_run_and_takes_no_tick(void **state)
{
    struct sleeps one = {.name = "a"}, two = {.name = "b"};

    (void)state;
    spawn(0, sleeps_ms, &one);
    spawn(1, sleeps_ms, &two);
    assert_forever(async_poll(&loop, 7));
    assert_trace("a\n"
                 "b\n"
                 "a slept\n"
                 "b slept\n");
}

static void a_sleep_until_a_time_that_is_past_lets_the_others_run(void **state)
{
    struct sleeps one = {.name = "a", .until = 3};
    struct sleeps two = {.name = "b", .until = 7};

    (void)state;
    spawn(0, sleeps_until, &one);
    spawn(1, sleeps_until, &two);
    assert_forever(async_poll(&loop, 7));
    assert_trace("a\n"
                 "b\n"
                 "a slept\n"
                 "b slept\n"); /* 7 is now: not in the future either */
}

static void a_sleep_counts_from_the_time_of_the_poll(void **state)
{
    struct sleeps frame = {.name = "a", .ms = 10};

    (void)state;
    spawn(0, sleeps_ms, &frame);
    assert_int_equal(async_poll(&loop, 1000), 10);
    assert_int_equal(async_poll(&loop, 1005), 5);
    assert_forever(async_poll(&loop, 1010));
    trace_clear();
}

static void the_first_arguments_of_a_wait_count(void **state)
{
    struct sleeps frame = {.name = "a", .ms = 10};

    (void)state;
    spawn(0, sleeps_ms, &frame);
    (void)async_poll(&loop, 0);
    frame.ms = 1000;
    assert_forever(async_poll(&loop, 10));
    assert_trace("a\n"
                 "a slept\n");
}

static async sleeps_for_longer_each_time(struct async_loop *on, void *frame)
{
    struct sleeps *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, self->ms++));
    trace("slept");
    async_end();
}

static void the_first_arguments_of_a_sleep_of_0_count_too(void **state)
{
    struct sleeps frame = {.ms = 0};

    (void)state;
    spawn(0, sleeps_for_longer_each_time, &frame);
    assert_forever(async_poll(&loop, 0));
    assert_trace("slept\n");
}

struct abandons {
    struct async_frame async;
    int fd;
    uint32_t ms;
};

static async abandons_a_sleep(struct async_loop *on, void *frame)
{
    struct abandons *self = frame;

    async_begin(self);
    await(condition || async_sleep_ms(on, 100));
    trace("first");
    await(async_flag_wait(on, &flag));
    trace("second");
    async_end();
}

static void an_abandoned_sleep_leaves_no_timer_behind(void **state)
{
    struct abandons frame = {0};

    (void)state;
    spawn(0, abandons_a_sleep, &frame);
    assert_int_equal(async_poll(&loop, 0), 100);
    condition = 1;
    async_ready_task_(&loop, &tasks[0]); /* as any spurious step would */
    assert_forever(async_poll(&loop, 10));
    assert_trace("first\n");
    async_flag_set(&loop, &flag);
    assert_forever(async_poll(&loop, 20));
    assert_trace("second\n");
}

static int other_condition;

static async polls_after_an_abandoned_sleep(struct async_loop *on, void *frame)
{
    struct abandons *self = frame;

    async_begin(self);
    await(condition || async_sleep_ms(on, 100));
    trace("first");
    await_until(other_condition);
    trace("second");
    async_end();
}

static void an_abandoned_sleep_makes_room_for_a_plain_condition(void **state)
{
    struct abandons frame = {0};

    (void)state;
    other_condition = 0;
    spawn(0, polls_after_an_abandoned_sleep, &frame);
    assert_int_equal(async_poll(&loop, 0), 100);
    condition = 1;
    async_ready_task_(&loop, &tasks[0]);
    assert_int_equal(async_poll(&loop, 10), ASYNC_POLL_TICKS);
    other_condition = 1;
    assert_forever(async_poll(&loop, 11));
    assert_trace("first\n"
                 "second\n");
}

static async
sleeps_until_the_past_after_an_abandoned_sleep(struct async_loop *on,
                                               void *frame)
{
    struct abandons *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, 100) == ASYNC_DONE || condition);
    trace("first");
    await(async_sleep_until(on, 5));
    trace("second");
    async_end();
}

static void an_abandoned_sleep_makes_room_for_one_until_the_past(void **state)
{
    struct abandons frame = {0};

    (void)state;
    spawn(0, sleeps_until_the_past_after_an_abandoned_sleep, &frame);
    assert_int_equal(async_poll(&loop, 0), 100);
    condition = 1;
    async_ready_task_(&loop, &tasks[0]);
    assert_forever(async_poll(&loop, 10));
    assert_trace("first\n"
                 "second\n");
}

static async reads_after_an_abandoned_read(struct async_loop *on, void *frame)
{
    struct abandons *self = frame;

    async_begin(self);
    await(condition || async_readable(on, 7));
    await(async_readable(on, 8));
    async_end();
}

static void
an_abandoned_wait_for_a_descriptor_is_not_taken_for_another(void **state)
{
    struct abandons frame = {0};

    (void)state;
    async_attach(&loop, &host);
    spawn(0, reads_after_an_abandoned_read, &frame);
    (void)async_poll(&loop, 0);
    trace_clear();
    condition = 1;
    async_ready_task_(&loop, &tasks[0]);
    trace_clear();
    (void)async_poll(&loop, 0);
    assert_trace("watch 7 for 0\n"
                 "watch 8 for 1\n");
}

/* ---- plain conditions --------------------------------------------------- */

struct conditional {
    struct async_frame async;
    int looks;
};

static int look(struct conditional *self)
{
    self->looks++;
    return condition;
}

static async awaits_a_condition(struct async_loop *on, void *frame)
{
    struct conditional *self = frame;

    (void)on;
    async_begin(self);
    await_until(look(self));
    trace("true");
    async_end();
}

static async awaits_async_until(struct async_loop *on, void *frame)
{
    struct conditional *self = frame;

    async_begin(self);
    await(async_until(on, look(self)));
    trace("true");
    async_end();
}

static void a_plain_condition_is_looked_at_once_a_poll_and_counted(void **state)
{
    struct conditional frame = {0};

    (void)state;
    spawn(0, awaits_a_condition, &frame);
    assert_int_equal(async_poll(&loop, 0), ASYNC_POLL_TICKS);
    assert_int_equal(frame.looks, 1); /* by its first step */
    assert_int_equal(async_looks(&loop), 0);
    assert_int_equal(async_poll(&loop, 1), ASYNC_POLL_TICKS);
    assert_int_equal(async_poll(&loop, 2), ASYNC_POLL_TICKS);
    assert_int_equal(frame.looks, 3);
    assert_int_equal(async_looks(&loop), 2);
    condition = 1;
    assert_forever(async_poll(&loop, 3));
    assert_int_equal(async_looks(&loop), 3);
    assert_trace("true\n");
    assert_forever(async_poll(&loop, 4));
    assert_int_equal(async_looks(&loop), 3); /* no more */
}

static void async_until_is_looked_at_once_a_poll_and_counted(void **state)
{
    struct conditional frame = {0};

    (void)state;
    spawn(0, awaits_async_until, &frame);
    assert_int_equal(async_poll(&loop, 0), ASYNC_POLL_TICKS);
    assert_int_equal(async_poll(&loop, 1), ASYNC_POLL_TICKS);
    assert_int_equal(async_poll(&loop, 2), ASYNC_POLL_TICKS);
    assert_int_equal(frame.looks, 3);
    assert_int_equal(async_looks(&loop), 2);
    condition = 1;
    assert_forever(async_poll(&loop, 3));
    assert_trace("true\n");
}

static void a_condition_that_holds_is_not_waited_for(void **state)
{
    struct conditional frames[2] = {{.looks = 0}};

    (void)state;
    condition = 1;
    spawn(0, awaits_a_condition, &frames[0]);
    spawn(1, awaits_async_until, &frames[1]);
    assert_forever(async_poll(&loop, 0));
    assert_int_equal(async_looks(&loop), 0);
    assert_trace("true\n"
                 "true\n");
}

static void a_sooner_deadline_comes_before_the_next_look(void **state)
{
    struct conditional frame = {0};
    struct worker sleeper = {.name = "a", .ms = 1};

    (void)state;
    spawn(0, awaits_a_condition, &frame);
    spawn(1, worker, &sleeper);
    assert_true(async_poll(&loop, 0) <= 1);
    trace_clear();
}

static async condition_of_a_child(struct async_loop *on, void *frame)
{
    struct abandons *self = frame;
    static struct conditional child;

    async_begin(self);
    child = (struct conditional){.looks = 0};
    await(awaits_a_condition(on, &child));
    async_end();
}

static void a_condition_deep_in_a_child_is_looked_at_too(void **state)
{
    struct abandons frame = {0};

    (void)state;
    spawn(0, condition_of_a_child, &frame);
    assert_int_equal(async_poll(&loop, 0), ASYNC_POLL_TICKS);
    condition = 1;
    assert_forever(async_poll(&loop, 1));
    assert_trace("true\n");
}

/* ---- join --------------------------------------------------------------- */

static void a_join_waits_for_the_end_and_hands_over_done(void **state)
{
    struct worker work = {.name = "a", .ms = 10};
    struct joiner join = {.name = "joined", .task = &tasks[0]};

    (void)state;
    spawn(0, worker, &work);
    spawn(1, joiner, &join);
    assert_int_equal(async_poll(&loop, 0), 10);
    assert_int_equal(async_poll(&loop, 5), 5);
    assert_int_equal(join.steps, 1); /* not stepped while it waits */
    assert_forever(async_poll(&loop, 10));
    assert_int_equal(join.steps, 2);
    assert_trace("a begins\n"
                 "a ends\n"
                 "joined: 1\n");
}

static void a_join_hands_over_the_error(void **state)
{
    struct worker work = {.name = "a", .ms = 10, .error = -EIO};
    struct joiner join = {.name = "joined", .task = &tasks[0]};

    (void)state;
    spawn(0, worker, &work);
    spawn(1, joiner, &join);
    (void)async_poll(&loop, 0);
    (void)async_poll(&loop, 10);
    assert_trace("a begins\n"
                 "joined: -5\n");
}

static void a_join_after_the_end_is_over_at_once(void **state)
{
    struct worker work = {.name = "a", .error = -EIO};
    struct joiner one = {.name = "one", .task = &tasks[0]};
    struct joiner two = {.name = "two", .task = &tasks[0]};

    (void)state;
    spawn(0, worker, &work);
    (void)async_poll(&loop, 0);
    spawn(1, joiner, &one);
    spawn(2, joiner, &two);
    assert_forever(async_poll(&loop, 0));
    assert_int_equal(one.steps, 1);
    assert_trace("a begins\n"
                 "one: -5\n"
                 "two: -5\n"); /* as often as one likes */
}

static void many_joiners_are_let_go_in_the_order_they_came(void **state)
{
    struct worker work = {.name = "a", .ms = 10};
    struct joiner joins[3] = {{.name = "one", .task = &tasks[0]},
                              {.name = "two", .task = &tasks[0]},
                              {.name = "three", .task = &tasks[0]}};
    int i;

    (void)state;
    spawn(0, worker, &work);
    for (i = 0; i < 3; i++)
        spawn(i + 1, joiner, &joins[i]);
    (void)async_poll(&loop, 0);
    assert_forever(async_poll(&loop, 10));
    assert_trace("a begins\n"
                 "a ends\n"
                 "one: 1\n"
                 "two: 1\n"
                 "three: 1\n");
}

static void a_task_that_joins_itself_is_refused(void **state)
{
    struct joiner join = {.name = "myself", .task = &tasks[0]};

    (void)state;
    spawn(0, joiner, &join);
    assert_forever(async_poll(&loop, 0));
    assert_trace("myself: -30008\n");
}

static void poll_once(void *arg)
{
    (void)arg;
    (void)async_poll(&loop, 0);
}

static void a_join_of_a_task_that_was_never_spawned_is_caught(void **state)
{
    struct joiner join = {.name = "nobody", .task = &tasks[7]};

    (void)state;
    spawn(0, joiner, &join);
    assert_stops("joins a task that was never spawned", poll_once, NULL);
}

static void a_join_of_a_task_that_was_never_spawned_is_an_error(void **state)
{
    struct joiner join = {.name = "nobody", .task = &tasks[7]};

    (void)state;
    spawn(0, joiner, &join);
    stops_are_noted(1);
    (void)async_poll(&loop, 0);
    stops_are_noted(0);
    assert_trace("nobody: -30006\n");
}

static void a_joined_tasks_storage_may_be_poisoned_at_once(void **state)
{
    struct worker work = {.name = "a", .ms = 10, .error = -EIO};
    struct joiner join = {.name = "joined", .task = &tasks[0]};
    int i;

    (void)state;
    spawn(0, worker, &work);
    spawn(1, joiner, &join);
    (void)async_poll(&loop, 0);
    (void)async_poll(&loop, 10);
    memset(&tasks[0], 0xA5, sizeof tasks[0]);
    memset(&work, 0xA5, sizeof work);
    for (i = 11; i < 20; i++)
        assert_forever(async_poll(&loop, (async_time)i));
    assert_int_equal(async_unjoined(&loop), 0);
    assert_int_equal(async_alive(&loop), 0);
    trace_clear();
}

static async joins_and_poisons(struct async_loop *on, void *frame)
{
    struct joiner *self = frame;

    async_begin(self);
    async_catch(self->status, async_join(on, self->task));
    memset(self->task, self->steps, sizeof *self->task);
    trace("%s: %d", self->name, self->status);
    async_end();
}

static void poison_before_the_second_joiner(int byte)
{
    struct worker work = {.name = "a", .ms = 10, .error = -EIO};
    struct joiner one = {.name = "one", .task = &tasks[0], .steps = byte};
    struct joiner two = {.name = "two", .task = &tasks[0]};

    spawn(0, worker, &work);
    spawn(1, joins_and_poisons, &one);
    spawn(2, joiner, &two);
    (void)async_poll(&loop, 0);
    assert_forever(async_poll(&loop, 10));
    assert_trace("a begins\n"
                 "one: -5\n" /* it has ended and has been joined */
                 "two: -5\n" /* the answer it was let go with */);
}

static void the_first_of_two_joiners_may_zero_the_tasks_storage(void **state)
{
    (void)state;
    poison_before_the_second_joiner(0);
}

static void the_first_of_two_joiners_may_poison_the_tasks_storage(void **state)
{
    (void)state;
    poison_before_the_second_joiner(0xA5);
}

static void the_first_of_two_joiners_may_fill_the_tasks_storage(void **state)
{
    (void)state;
    poison_before_the_second_joiner(0xFF);
}

static void a_task_that_is_done_may_be_freed_unjoined(void **state)
{
    struct async_task *task = calloc(1, sizeof *task);
    struct worker *work = calloc(1, sizeof *work);

    (void)state;
    *work = (struct worker){.name = "a", .ms = 10};
    (void)async_spawn(&loop, task, worker, work);
    (void)async_poll(&loop, 0);
    assert_forever(async_poll(&loop, 10));
    free(task);
    free(work);
    assert_forever(async_poll(&loop, 20));
    assert_int_equal(async_unjoined(&loop), 0);
    trace_clear();
}

static void a_task_that_has_ended_may_be_spawned_again(void **state)
{
    struct worker one = {.name = "a"}, two = {.name = "b"};

    (void)state;
    spawn(0, worker, &one);
    (void)async_poll(&loop, 0);
    spawn(0, worker, &two);
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_PENDING);
    (void)async_poll(&loop, 0);
    assert_trace("a begins\n"
                 "a ends\n"
                 "b begins\n"
                 "b ends\n");
}

/* ---- timers (the heap itself: test_timers*.c) --------------------------- */

static struct async_timer timers[3];

static void fired(struct async_loop *on, struct async_timer *timer)
{
    assert_ptr_equal(on, &loop);
    trace("%s", (const char *)timer->arg);
}

/* A timer counts from the poll that follows its start. */
static void start_timer(int which, async_time ticks,
                        void (*fn)(struct async_loop *on,
                                   struct async_timer *timer),
                        void *arg)
{
    async_timer_start(&loop, &timers[which], ticks, fn, arg);
    (void)async_poll(&loop, async_now(&loop));
}

static void a_timer_fires_once_on_its_tick(void **state)
{
    (void)state;
    memset(timers, 0, sizeof timers);
    (void)async_poll(&loop, 100);
    start_timer(0, 5, fired, "fired");
    assert_int_equal(async_poll(&loop, 104), 1);
    assert_trace("");
    assert_forever(async_poll(&loop, 105));
    assert_forever(async_poll(&loop, 106));
    assert_trace("fired\n");
}

static void a_timer_of_0_ticks_fires_in_one(void **state)
{
    (void)state;
    memset(timers, 0, sizeof timers);
    start_timer(0, 0, fired, "fired");
    assert_int_equal(async_poll(&loop, 0), 1);
    assert_trace("");
    (void)async_poll(&loop, 1);
    assert_trace("fired\n");
}

static void a_stopped_timer_does_not_fire(void **state)
{
    (void)state;
    memset(timers, 0, sizeof timers);
    start_timer(0, 5, fired, "fired");
    async_timer_stop(&loop, &timers[0]);
    async_timer_stop(&loop, &timers[0]); /* nothing, the second time */
    assert_forever(async_poll(&loop, 0));
    assert_forever(async_poll(&loop, 5));
    assert_trace("");
}

static void a_timer_that_never_ran_may_be_stopped(void **state)
{
    (void)state;
    memset(timers, 0, sizeof timers);
    async_timer_stop(&loop, &timers[0]);
    assert_forever(async_poll(&loop, 0));
}

static void
a_running_timer_started_again_fires_at_its_new_time_only(void **state)
{
    (void)state;
    memset(timers, 0, sizeof timers);
    start_timer(0, 5, fired, "first");
    (void)async_poll(&loop, 3);
    start_timer(0, 5, fired, "second");
    assert_int_equal(async_poll(&loop, 5), 3);
    assert_trace("");
    assert_forever(async_poll(&loop, 8));
    assert_trace("second\n");
}

static void fired_and_stopped(struct async_loop *on, struct async_timer *timer)
{
    fired(on, timer);
    async_timer_stop(on, timer);
}

static void
a_timer_stopped_in_its_own_callback_does_not_fire_again(void **state)
{
    (void)state;
    memset(timers, 0, sizeof timers);
    start_timer(0, 5, fired_and_stopped, "fired");
    assert_forever(async_poll(&loop, 5));
    assert_forever(async_poll(&loop, 10));
    assert_trace("fired\n");
}

static void fired_and_stops_the_next(struct async_loop *on,
                                     struct async_timer *timer)
{
    fired(on, timer);
    async_timer_stop(on, timer + 1);
}

static void
a_timer_stopped_by_another_that_is_due_with_it_does_not_fire(void **state)
{
    (void)state;
    memset(timers, 0, sizeof timers);
    start_timer(0, 5, fired_and_stops_the_next, "one");
    start_timer(1, 5, fired, "two");
    start_timer(2, 5, fired, "three");
    assert_forever(async_poll(&loop, 5));
    assert_trace("one\n"
                 "three\n");
}

static void
a_timer_stopped_by_one_due_earlier_in_the_poll_does_not_fire(void **state)
{
    (void)state;
    memset(timers, 0, sizeof timers);
    start_timer(0, 5, fired_and_stops_the_next, "one");
    start_timer(1, 6, fired, "two");
    start_timer(2, 7, fired, "three");
    assert_forever(async_poll(&loop, 50));
    assert_trace("one\n"
                 "three\n");
}

static void fired_and_started_again(struct async_loop *on,
                                    struct async_timer *timer)
{
    fired(on, timer);
    async_timer_start(on, timer, 5, fired_and_started_again, timer->arg);
}

static void
a_timer_started_in_its_callback_counts_from_the_time_of_the_poll(void **state)
{
    (void)state;
    memset(timers, 0, sizeof timers);
    start_timer(0, 5, fired_and_started_again, "fired");
    assert_int_equal(async_poll(&loop, 100), 5); /* once, not nineteen times */
    assert_trace("fired\n");
    assert_int_equal(async_poll(&loop, 104), 1);
    assert_trace("");
    assert_int_equal(async_poll(&loop, 105), 5);
    assert_trace("fired\n");
}

static struct worker spawned_by_a_timer;

static void fired_and_spawns(struct async_loop *on, struct async_timer *timer)
{
    fired(on, timer);
    spawned_by_a_timer = (struct worker){.name = "a"};
    (void)async_spawn(on, &tasks[0], worker, &spawned_by_a_timer);
}

static void a_task_spawned_by_a_timer_runs_in_the_same_poll(void **state)
{
    (void)state;
    memset(timers, 0, sizeof timers);
    start_timer(0, 5, fired_and_spawns, "fired");
    assert_forever(async_poll(&loop, 5));
    assert_trace("fired\n"
                 "a begins\n"
                 "a ends\n");
}

static void a_timers_memory_is_free_once_it_has_fired(void **state)
{
    (void)state;
    memset(timers, 0, sizeof timers);
    start_timer(0, 5, fired, "fired");
    start_timer(1, 9, fired, "other");
    (void)async_poll(&loop, 5);
    memset(&timers[0], 0xA5, sizeof timers[0]);
    assert_forever(async_poll(&loop, 9));
    assert_trace("fired\n"
                 "other\n");
}

/* ---- cancel ------------------------------------------------------------- */

static void a_canceled_sleeper_unwinds_and_leaves_no_timer(void **state)
{
    struct worker work = {.name = "a", .ms = 100};
    struct joiner join = {.name = "joined", .task = &tasks[0]};

    (void)state;
    spawn(0, worker, &work);
    spawn(1, joiner, &join);
    assert_int_equal(async_poll(&loop, 0), 100);
    async_cancel(&loop, &tasks[0]);
    assert_forever(async_poll(&loop, 1));
    assert_trace("a begins\n"
                 "joined: -30001\n");
}

static void a_canceled_tasks_clean_up_may_wait(void **state)
{
    struct worker work = {.name = "a", .ms = 100, .closing_ms = 10};
    struct joiner join = {.name = "joined", .task = &tasks[0]};

    (void)state;
    spawn(0, worker, &work);
    spawn(1, joiner, &join);
    (void)async_poll(&loop, 0);
    async_cancel(&loop, &tasks[0]);
    assert_int_equal(async_poll(&loop, 1), 10);
    assert_forever(async_poll(&loop, 11));
    assert_trace("a begins\n"
                 "a closes\n"
                 "a is closed\n"
                 "joined: -30001\n");
}

static void a_cancel_in_finally_does_not_cut_it_short(void **state)
{
    struct worker work = {.name = "a", .ms = 10, .closing_ms = 10};

    (void)state;
    spawn(0, worker, &work);
    (void)async_poll(&loop, 0);
    (void)async_poll(&loop, 10);
    async_cancel(&loop, &tasks[0]);
    assert_int_equal(async_poll(&loop, 15), 5);
    async_cancel(&loop, &tasks[0]);
    assert_int_equal(async_poll(&loop, 16), 4);
    assert_forever(async_poll(&loop, 20));
    assert_trace("a begins\n"
                 "a ends\n"
                 "a closes\n"
                 "a is closed\n");
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_DONE);
}

struct outer {
    struct async_frame async;
    struct worker child;
    int status;
    int asked;
};

static async outer(struct async_loop *on, void *frame)
{
    struct outer *self = frame;

    async_begin(self);
    await(worker(on, &self->child));
    trace("after the child");
    async_catch(self->status, async_sleep_ms(on, 100));
    trace("next wait: %d", self->status);
    async_catch(self->status, async_sleep_ms(on, 10));
    trace("the one after: %d", self->status);
    async_end();
}

static void a_cancel_in_a_childs_finally_hits_the_wait_after_it(void **state)
{
    struct outer frame = {
        .child = {.name = "child", .ms = 10, .closing_ms = 10}};

    (void)state;
    spawn(0, outer, &frame);
    (void)async_poll(&loop, 0);
    (void)async_poll(&loop, 10);
    async_cancel(&loop, &tasks[0]); /* the child is in its finally */
    assert_int_equal(async_poll(&loop, 15), 5);
    assert_trace("child begins\n"
                 "child ends\n"
                 "child closes\n");
    assert_int_equal(async_poll(&loop, 20), 10);
    assert_trace("child is closed\n"
                 "after the child\n"
                 "next wait: -30001\n"); /* at once */
    assert_forever(async_poll(&loop, 30));
    assert_trace("the one after: 1\n"); /* one cancel, one wait */
}

static async closes_with_a_worker(struct async_loop *on, void *frame)
{
    struct outer *self = frame;

    async_begin(self);
    async_finally();
    await(worker(on, &self->child));
    trace("closed");
    async_end();
}

static void
a_cancel_spares_the_body_of_a_child_that_finally_awaits(void **state)
{
    struct outer frame = {
        .child = {.name = "child", .ms = 10, .closing_ms = 10}};

    (void)state;
    spawn(0, closes_with_a_worker, &frame);
    (void)async_poll(&loop, 0);
    async_cancel(&loop, &tasks[0]);
    assert_int_equal(async_poll(&loop, 5), 5);
    (void)async_poll(&loop, 10);
    assert_forever(async_poll(&loop, 20));
    assert_trace("child begins\n"
                 "child ends\n"
                 "child closes\n"
                 "child is closed\n"
                 "closed\n");
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_DONE);
}

static void a_cancel_unwinds_every_level_from_the_inside_out(void **state)
{
    struct outer frame = {
        .child = {.name = "child", .ms = 10, .closing_ms = 10}};

    (void)state;
    spawn(0, outer, &frame);
    (void)async_poll(&loop, 0);
    async_cancel(&loop, &tasks[0]);
    (void)async_poll(&loop, 5);
    assert_forever(async_poll(&loop, 15));
    assert_trace("child begins\n"
                 "child closes\n"
                 "child is closed\n"); /* and nothing behind the await */
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_ECANCELED);
}

static void a_cancel_before_the_first_step_lands_in_the_first_wait(void **state)
{
    struct worker work = {.name = "a", .ms = 100, .closing_ms = 10};

    (void)state;
    spawn(0, worker, &work);
    async_cancel(&loop, &tasks[0]);
    assert_int_equal(async_poll(&loop, 0), 10);
    assert_forever(async_poll(&loop, 10));
    assert_trace("a begins\n" /* what it needs for its clean-up */
                 "a closes\n"
                 "a is closed\n");
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_ECANCELED);
}

static void a_cancel_of_a_task_that_never_waits_changes_nothing(void **state)
{
    struct worker work = {.name = "a"};

    (void)state;
    spawn(0, worker, &work);
    async_cancel(&loop, &tasks[0]);
    assert_forever(async_poll(&loop, 0));
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_DONE);
    trace_clear();
}

static void a_cancel_after_the_end_does_nothing(void **state)
{
    struct worker work = {.name = "a"};

    (void)state;
    spawn(0, worker, &work);
    (void)async_poll(&loop, 0);
    async_cancel(&loop, &tasks[0]);
    assert_forever(async_poll(&loop, 0));
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_DONE);
    assert_int_equal(work.steps, 1);
    trace_clear();
}

static void a_cancel_before_the_spawn_does_nothing(void **state)
{
    struct worker work = {.name = "a", .ms = 10};

    (void)state;
    async_cancel(&loop, &tasks[0]);
    spawn(0, worker, &work);
    assert_int_equal(async_poll(&loop, 0), 10);
    trace_clear();
}

struct stubborn {
    struct async_frame async;
    int status, i;
};

static async stubborn(struct async_loop *on, void *frame)
{
    struct stubborn *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < 3; self->i++) {
        async_catch(self->status, async_sleep_ms(on, 10));
        trace("%d", self->status);
    }
    async_end();
}

static void a_cancel_that_is_caught_is_used_up(void **state)
{
    struct stubborn frame = {0};

    (void)state;
    spawn(0, stubborn, &frame);
    (void)async_poll(&loop, 0);
    async_cancel(&loop, &tasks[0]);
    assert_int_equal(async_poll(&loop, 5), 10);
    assert_int_equal(async_poll(&loop, 15), 10);
    assert_forever(async_poll(&loop, 25));
    assert_trace("-30001\n"
                 "1\n"
                 "1\n");
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_DONE);
}

static void two_cancels_before_the_task_runs_are_one(void **state)
{
    struct stubborn frame = {0};

    (void)state;
    spawn(0, stubborn, &frame);
    (void)async_poll(&loop, 0);
    async_cancel(&loop, &tasks[0]);
    async_cancel(&loop, &tasks[0]);
    (void)async_poll(&loop, 5);
    (void)async_poll(&loop, 15);
    (void)async_poll(&loop, 25);
    assert_trace("-30001\n"
                 "1\n"
                 "1\n");
}

static void a_cancel_after_one_was_caught_is_another(void **state)
{
    struct stubborn frame = {0};

    (void)state;
    spawn(0, stubborn, &frame);
    (void)async_poll(&loop, 0);
    async_cancel(&loop, &tasks[0]);
    (void)async_poll(&loop, 5);
    async_cancel(&loop, &tasks[0]);
    (void)async_poll(&loop, 6);
    (void)async_poll(&loop, 16);
    assert_trace("-30001\n"
                 "-30001\n"
                 "1\n");
}

static void a_wait_that_is_over_in_the_same_tick_keeps_its_result(void **state)
{
    struct stubborn frame = {0};
    struct worker early = {.name = "early", .ms = 10};

    (void)state;
    spawn(1, worker, &early);
    spawn(0, stubborn, &frame);
    (void)async_poll(&loop, 0);
    trace_clear();
    async_cancel(&loop, &tasks[0]); /* before the poll that ends its sleep */
    (void)async_poll(&loop, 10);
    assert_trace("1\n"      /* the sleep, which is over */
                 "-30001\n" /* the next one takes the cancel */
                 "early ends\n");
    (void)async_poll(&loop, 20);
    assert_trace("1\n");
}

struct canceler {
    struct async_frame async;
    struct async_task *task;
    int status;
};

static async canceler(struct async_loop *on, void *frame)
{
    struct canceler *self = frame;

    async_begin(self);
    trace("cancels");
    async_cancel(on, self->task);
    trace("goes on");
    async_catch(self->status, async_sleep_ms(on, 10));
    trace("canceler: %d", self->status);
    async_end();
}

static void a_task_may_cancel_another_without_being_interrupted(void **state)
{
    struct worker work = {.name = "a", .ms = 100};
    struct canceler frame = {.task = &tasks[0]};

    (void)state;
    spawn(0, worker, &work);
    spawn(1, canceler, &frame);
    assert_int_equal(async_poll(&loop, 0), 10);
    assert_trace("a begins\n"
                 "cancels\n"
                 "goes on\n");
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_ECANCELED);
    (void)async_poll(&loop, 10);
    assert_trace("canceler: 1\n");
}

static void a_task_that_cancels_itself_stops_at_its_next_wait(void **state)
{
    struct canceler frame = {.task = &tasks[0]};

    (void)state;
    spawn(0, canceler, &frame);
    assert_forever(async_poll(&loop, 0));
    assert_trace("cancels\n"
                 "goes on\n"
                 "canceler: -30001\n");
}

static void fired_and_cancels(struct async_loop *on, struct async_timer *timer)
{
    trace("timer");
    async_cancel(on, timer->arg);
}

static void a_timer_may_cancel_a_task(void **state)
{
    struct worker work = {.name = "a", .ms = 100};

    (void)state;
    memset(timers, 0, sizeof timers);
    spawn(0, worker, &work);
    start_timer(0, 5, fired_and_cancels, &tasks[0]);
    (void)async_poll(&loop, 0);
    assert_forever(async_poll(&loop, 5));
    assert_trace("a begins\n"
                 "timer\n");
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_ECANCELED);
}

static void a_cancel_right_after_a_wait_was_over_leaves_its_result(void **state)
{
    struct stubborn frame = {0};

    (void)state;
    memset(timers, 0, sizeof timers);
    spawn(0, stubborn, &frame);
    (void)async_poll(&loop, 0);
    start_timer(0, 10, fired_and_cancels, &tasks[0]);
    (void)async_poll(&loop, 10);
    assert_trace("timer\n"    /* due after the sleep, in the same tick */
                 "1\n"        /* which keeps its result */
                 "-30001\n"); /* the next one takes the cancel */
}

static void a_canceled_join_leaves_the_joined_task_alone(void **state)
{
    struct worker work = {.name = "a", .ms = 10, .error = -EIO};
    struct joiner one = {.name = "one", .task = &tasks[0]};
    struct joiner two = {.name = "two", .task = &tasks[0]};

    (void)state;
    spawn(0, worker, &work);
    spawn(1, joiner, &one);
    spawn(2, joiner, &two);
    (void)async_poll(&loop, 0);
    async_cancel(&loop, &tasks[1]);
    assert_int_equal(async_poll(&loop, 1), 9);
    assert_trace("a begins\n"
                 "one: -30001\n");
    assert_forever(async_poll(&loop, 10));
    assert_trace("two: -5\n"); /* its place in line was not lost */
    assert_int_equal(one.steps, 3);
}

static void
the_error_of_a_task_whose_only_joiner_was_canceled_is_not_lost(void **state)
{
    struct worker work = {.name = "a", .ms = 10, .error = -EIO};
    struct joiner join = {.name = "join", .task = &tasks[0]};

    (void)state;
    spawn(0, worker, &work);
    spawn(1, joiner, &join);
    (void)async_poll(&loop, 0);
    async_cancel(&loop, &tasks[1]);
    (void)async_poll(&loop, 1);
    (void)async_poll(&loop, 10);
    assert_int_equal(async_unjoined(&loop), -EIO);
    trace_clear();
}

static async yields_first(struct async_loop *on, void *frame)
{
    struct stubborn *self = frame;

    async_begin(self);
    async_catch(self->status, async_yield_now(on));
    trace("yield: %d", self->status);
    async_catch(self->status, async_sleep_ms(on, 10));
    trace("sleep: %d", self->status);
    async_end();
}

static void a_cancel_that_is_waiting_lands_in_a_yield_too(void **state)
{
    struct stubborn frame = {0};

    (void)state;
    spawn(0, yields_first, &frame);
    async_cancel(&loop, &tasks[0]);
    assert_int_equal(async_poll(&loop, 0), 10);
    assert_trace("yield: -30001\n"); /* its first wait */
    (void)async_poll(&loop, 10);
    assert_trace("sleep: 1\n");
}

static async yields_then_waits_for_a_condition(struct async_loop *on,
                                               void *frame)
{
    struct stubborn *self = frame;

    async_begin(self);
    async_catch(self->status, async_yield_now(on));
    trace("yield: %d", self->status);
    await_until(condition);
    async_catch(self->status, async_sleep_ms(on, 10));
    trace("sleep: %d", self->status);
    async_end();
}

static void a_cancel_is_not_lost_between_a_yield_and_a_condition(void **state)
{
    struct stubborn frame = {0};

    (void)state;
    spawn(0, yields_then_waits_for_a_condition, &frame);
    async_cancel(&loop, &tasks[0]);
    (void)async_poll(&loop, 0);
    condition = 1;
    (void)async_poll(&loop, 1);
    (void)async_poll(&loop, 11);
    assert_trace("yield: -30001\n"
                 "sleep: 1\n");
}

static void a_plain_condition_is_not_canceled_but_the_next_wait_is(void **state)
{
    struct stubborn frame = {0};

    (void)state;
    spawn(0, yields_then_waits_for_a_condition, &frame);
    (void)async_poll(&loop, 0);
    assert_trace("yield: 1\n");
    async_cancel(&loop, &tasks[0]);
    assert_int_equal(async_poll(&loop, 1), ASYNC_POLL_TICKS);
    assert_int_equal(async_poll(&loop, 2), ASYNC_POLL_TICKS);
    assert_trace("");
    condition = 1;
    assert_forever(async_poll(&loop, 3));
    assert_trace("sleep: -30001\n");
}

/* What follows a wait, in the step that ends it. */
struct follows {
    struct async_frame async;
    int of_flag;
    int plain; /* a condition in place of a yield */
    int status;
};

static async follows(struct async_loop *on, void *frame)
{
    struct follows *self = frame;

    async_begin(self);
    if (self->of_flag)
        async_catch(self->status, async_flag_wait(on, &flag));
    else
        async_catch(self->status, async_sleep_ms(on, 99));
    trace("%d", self->status);
    if (self->plain)
        await_until(condition);
    else
        async_yield();
    trace("goes on");
    async_end();
}

static void
a_yield_or_a_condition_after_a_caught_cancel_is_not_lost(void **state)
{
    struct follows frame = {.plain = 0};

    (void)state;
    for (; frame.plain < 2;
         frame = (struct follows){.plain = frame.plain + 1}) {
        spawn(0, follows, &frame);
        (void)async_poll(&loop, 0);
        async_cancel(&loop, &tasks[0]);
        (void)async_poll(&loop, 0);
        condition = 1;
        (void)async_poll(&loop, 1);
        assert_trace("-30001\n"
                     "goes on\n");
    }
}

static void
a_yield_or_a_condition_after_a_flag_beats_a_cancel_is_not_lost(void **state)
{
    struct follows frame = {.of_flag = 1};

    (void)state;
    for (; frame.plain < 2;
         frame = (struct follows){.of_flag = 1, .plain = frame.plain + 1}) {
        condition = 0;
        spawn(0, follows, &frame);
        (void)async_poll(&loop, 0);
        async_cancel(&loop, &tasks[0]);
        flag.set_ = 1; /* without a wake: the cancel steps the task */
        (void)async_poll(&loop, 0);
        condition = 1;
        (void)async_poll(&loop, 1);
        assert_trace("1\n"
                     "goes on\n");
    }
}

static void async_until_is_canceled(void **state)
{
    struct conditional frame = {0};

    (void)state;
    spawn(0, awaits_async_until, &frame);
    (void)async_poll(&loop, 0);
    async_cancel(&loop, &tasks[0]);
    assert_forever(async_poll(&loop, 1));
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_ECANCELED);
}

static int true_at_look;

static int becomes_true(struct conditional *self)
{
    return ++self->looks >= true_at_look;
}

static async until_then_sleeps(struct async_loop *on, void *frame)
{
    struct conditional *self = frame;

    async_begin(self);
    await(async_until(on, becomes_true(self)));
    trace("true");
    await(async_sleep_ms(on, 10));
    trace("slept");
    async_end();
}

/* An interrupt may come at any look, so between the two of a cancel as well. */
static void
a_cancel_is_never_lost_to_a_condition_that_becomes_true(void **state)
{
    (void)state;
    for (true_at_look = 1; true_at_look < 6; true_at_look++) {
        struct conditional frame = {0};

        memset(tasks, 0, sizeof tasks);
        async_loop_init(&loop);
        spawn(0, until_then_sleeps, &frame);
        (void)async_poll(&loop, 0);
        async_cancel(&loop, &tasks[0]);
        (void)async_poll(&loop, 1);
        (void)async_poll(&loop, 2);
        (void)async_poll(&loop, 3);
        assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_ECANCELED);
        trace_clear();
    }
}

struct interrupted {
    struct async_frame async;
    int asked, interrupt_at;
};

static int interrupt(struct interrupted *self)
{
    if (++self->asked == self->interrupt_at)
        async_flag_set(&loop, &flag);
    return 0;
}

static async waits_for_the_flag_then_sleeps(struct async_loop *on, void *frame)
{
    struct interrupted *self = frame;

    async_begin(self);
    await((interrupt(self), async_flag_wait(on, &flag)));
    trace("flag");
    await(async_sleep_ms(on, 10));
    async_end();
}

static void a_cancel_is_never_lost_to_a_flag_that_is_set_meanwhile(void **state)
{
    int at;

    (void)state;
    for (at = 1; at < 6; at++) {
        struct interrupted frame = {.interrupt_at = at};

        memset(tasks, 0, sizeof tasks);
        memset(&flag, 0, sizeof flag);
        async_loop_init(&loop);
        spawn(0, waits_for_the_flag_then_sleeps, &frame);
        (void)async_poll(&loop, 0);
        async_cancel(&loop, &tasks[0]);
        (void)async_poll(&loop, 1);
        (void)async_poll(&loop, 2);
        (void)async_poll(&loop, 3);
        assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_ECANCELED);
        trace_clear();
    }
}

/* ---- errors nobody joins ------------------------------------------------ */

static void unhandled(struct async_loop *on, struct async_task *task,
                      async_status error)
{
    assert_ptr_equal(on, &loop);
    trace("unhandled: task %d, %d", (int)(task - tasks), error);
}

static void the_error_of_a_task_nobody_joins_is_handed_out_once(void **state)
{
    struct worker frames[2] = {{.name = "a", .error = -EIO},
                               {.name = "b", .error = -EPIPE}};

    (void)state;
    spawn(0, worker, &frames[0]);
    spawn(1, worker, &frames[1]);
    (void)async_poll(&loop, 0);
    assert_int_equal(async_unjoined(&loop), -EIO); /* in order */
    assert_int_equal(async_unjoined(&loop), -EPIPE);
    assert_int_equal(async_unjoined(&loop), 0);
    trace_clear();
}

static void the_unhandled_hook_is_told_which_task_and_which_error(void **state)
{
    struct worker work = {.name = "a", .error = -EIO};

    (void)state;
    loop.unhandled = unhandled;
    spawn(3, worker, &work);
    (void)async_poll(&loop, 0);
    assert_trace("a begins\n"); /* it could still be joined */
    assert_int_equal(async_unjoined(&loop), -EIO);
    assert_int_equal(async_unjoined(&loop), 0);
    assert_trace("unhandled: task 3, -5\n");
}

static void the_error_of_a_joined_task_is_not_unhandled(void **state)
{
    struct worker before = {.name = "before", .ms = 10, .error = -EIO};
    struct worker after = {.name = "after", .error = -EIO};
    struct joiner one = {.name = "one", .task = &tasks[0]};
    struct joiner two = {.name = "two", .task = &tasks[1]};

    (void)state;
    loop.unhandled = unhandled;
    spawn(0, worker, &before);
    spawn(1, worker, &after);
    spawn(2, joiner, &one); /* before its end */
    (void)async_poll(&loop, 0);
    spawn(3, joiner, &two); /* after its end */
    (void)async_poll(&loop, 10);
    trace_clear();
    assert_int_equal(async_unjoined(&loop), 0);
    assert_trace("");
}

static void a_task_spawned_again_reports_its_unjoined_error_first(void **state)
{
    struct worker one = {.name = "a", .error = -EIO}, two = {.name = "b"};

    (void)state;
    loop.unhandled = unhandled;
    spawn(0, worker, &one);
    (void)async_poll(&loop, 0);
    trace("again");
    spawn(0, worker, &two);
    (void)async_poll(&loop, 0);
    assert_int_equal(async_unjoined(&loop), 0);
    assert_trace("a begins\n"
                 "again\n"
                 "unhandled: task 0, -5\n"
                 "b begins\n"
                 "b ends\n");
}

static void unhandled_and_poisoned(struct async_loop *on,
                                   struct async_task *task, async_status error)
{
    unhandled(on, task, error);
    memset(task, 0, sizeof *task);
}

static void the_unhandled_hook_may_take_the_tasks_storage(void **state)
{
    struct worker work = {.name = "a", .error = -EIO};

    (void)state;
    loop.unhandled = unhandled_and_poisoned;
    spawn(0, worker, &work);
    (void)async_poll(&loop, 0);
    assert_int_equal(async_unjoined(&loop), -EIO);
    trace_clear();
}

/* ---- flags and wakes ---------------------------------------------------- */

struct flagged {
    struct async_frame async;
    const char *name;
    struct async_flag *flag;
    int steps;
};

static async flagged(struct async_loop *on, void *frame)
{
    struct flagged *self = frame;

    self->steps++;
    async_begin(self);
    await(async_flag_wait(on, self->flag));
    trace("%s", self->name);
    async_end();
}

static void a_flag_lets_its_waiter_go(void **state)
{
    struct flagged frame = {.name = "a", .flag = &flag};

    (void)state;
    spawn(0, flagged, &frame);
    assert_forever(async_poll(&loop, 0)); /* nothing is polled */
    assert_int_equal(frame.steps, 1);
    async_flag_set(&loop, &flag);
    assert_forever(async_poll(&loop, 1));
    assert_trace("a\n");
    assert_int_equal(async_looks(&loop), 0);
}

static void a_flag_set_before_the_wait_is_not_lost(void **state)
{
    struct flagged frame = {.name = "a", .flag = &flag};

    (void)state;
    async_flag_set(&loop, &flag);
    (void)async_poll(&loop, 0);
    spawn(0, flagged, &frame);
    assert_forever(async_poll(&loop, 1));
    assert_trace("a\n");
}

static void what_was_set_before_a_flag_is_cleared_is_forgotten(void **state)
{
    struct flagged frame = {.name = "a", .flag = &flag};

    (void)state;
    async_flag_set(&loop, &flag);
    async_flag_clear(&flag);
    spawn(0, flagged, &frame);
    assert_forever(async_poll(&loop, 0));
    assert_trace("");
    async_flag_set(&loop, &flag);
    (void)async_poll(&loop, 1);
    assert_trace("a\n");
}

static void a_flag_is_cleared_by_the_one_who_takes_it(void **state)
{
    struct flagged frames[2] = {{.name = "a", .flag = &flag},
                                {.name = "b", .flag = &flag}};

    (void)state;
    spawn(0, flagged, &frames[0]);
    spawn(1, flagged, &frames[1]);
    (void)async_poll(&loop, 0);
    async_flag_set(&loop, &flag);
    async_flag_set(&loop, &flag); /* a level, not a count */
    assert_forever(async_poll(&loop, 1));
    assert_trace("a\n");
    async_flag_set(&loop, &flag);
    assert_forever(async_poll(&loop, 2));
    assert_trace("b\n");
}

static void
a_wake_for_something_else_does_not_release_a_flags_waiter(void **state)
{
    struct flagged frame = {.name = "a", .flag = &flag};
    struct async_flag other = {0};

    (void)state;
    spawn(0, flagged, &frame);
    (void)async_poll(&loop, 0);
    async_flag_set(&loop, &other);
    assert_forever(async_poll(&loop, 1));
    async_wake(&loop);
    assert_forever(async_poll(&loop, 2));
    assert_trace("");
    async_flag_set(&loop, &flag);
    assert_forever(async_poll(&loop, 3));
    assert_trace("a\n");
}

static void a_flags_waiter_is_not_stepped_without_a_wake(void **state)
{
    struct flagged frame = {.name = "a", .flag = &flag};
    struct conditional polling = {0};
    async_time now;

    (void)state;
    spawn(0, flagged, &frame);
    spawn(1, awaits_a_condition, &polling); /* so that lookers are walked */
    for (now = 0; now < 10; now++)
        (void)async_poll(&loop, now);
    assert_int_equal(frame.steps, 1);
    assert_int_equal(polling.looks, 10);
}

static void a_canceled_wait_leaves_the_flag_as_it_is(void **state)
{
    struct flagged frame = {.name = "a", .flag = &flag};
    struct flagged next = {.name = "b", .flag = &flag};

    (void)state;
    spawn(0, flagged, &frame);
    (void)async_poll(&loop, 0);
    async_cancel(&loop, &tasks[0]);
    (void)async_poll(&loop, 1);
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_ECANCELED);
    async_flag_set(&loop, &flag);
    spawn(1, flagged, &next);
    assert_forever(async_poll(&loop, 2));
    assert_trace("b\n");
}

static void a_wake_before_a_poll_is_remembered(void **state)
{
    (void)state;
    async_attach(&loop, &host);
    (void)async_poll(&loop, 0);
    trace_clear();
    async_wake(&loop);
    assert_trace("notify\n");
    assert_forever(async_poll(&loop, 0));
}

static void wakes_before_a_poll_are_one(void **state)
{
    (void)state;
    async_attach(&loop, &host);
    (void)async_poll(&loop, 0);
    trace_clear();
    async_wake(&loop);
    async_wake(&loop);
    async_wake(&loop);
    assert_trace("notify\n");
    (void)async_poll(&loop, 0);
    async_wake(&loop);
    assert_trace("notify\n"); /* after the poll it counts anew */
}

static async wakes_its_own_loop(struct async_loop *on, void *frame)
{
    struct flagged *self = frame;

    async_begin(self);
    async_wake(on);
    async_end();
}

static void a_wake_during_a_poll_asks_for_another(void **state)
{
    struct flagged frame = {0};

    (void)state;
    spawn(0, wakes_its_own_loop, &frame);
    assert_int_equal(async_poll(&loop, 0), 0);
    assert_forever(async_poll(&loop, 0));
}

static int wake_again;

/* What happens on other threads while this one is in notify: the loop polls,
 * and someone else wakes it. */
static void notify_is_slow(void *arg)
{
    (void)arg;
    trace("notify");
    if (wake_again) {
        wake_again = 0;
        assert_forever(async_poll(&loop, 0));
        async_wake(&loop);
    }
}

static void
a_wake_after_a_poll_notifies_though_an_earlier_one_still_does(void **state)
{
    const struct async_host slow = {notify_is_slow, NULL, NULL};

    (void)state;
    wake_again = 0;
    async_attach(&loop, &slow);
    (void)async_poll(&loop, 0);
    trace_clear();
    wake_again = 1;
    async_wake(&loop);
    async_attach(&loop, NULL);
    assert_trace("notify\n"
                 "notify\n"); /* else the second would sleep through */
}

/* ---- the host ----------------------------------------------------------- */

static void attaching_a_host_notifies_it(void **state)
{
    (void)state;
    async_attach(&loop, &host);
    assert_trace("notify\n");
}

static void a_spawn_from_outside_notifies(void **state)
{
    struct worker work = {.name = "a"};

    (void)state;
    async_attach(&loop, &host);
    assert_forever(async_poll(&loop, 0));
    trace_clear();
    spawn(0, worker, &work);
    assert_trace("notify\n");
}

static void a_cancel_from_outside_notifies(void **state)
{
    struct worker work = {.name = "a", .ms = 100};

    (void)state;
    async_attach(&loop, &host);
    spawn(0, worker, &work);
    (void)async_poll(&loop, 0);
    trace_clear();
    async_cancel(&loop, &tasks[0]);
    assert_trace("notify\n");
}

static void a_timer_started_from_outside_notifies(void **state)
{
    (void)state;
    memset(timers, 0, sizeof timers);
    async_attach(&loop, &host);
    (void)async_poll(&loop, 0);
    trace_clear();
    async_timer_start(&loop, &timers[0], 100, fired, "");
    assert_trace("notify\n");
    assert_int_equal(async_poll(&loop, 0), 100);
    async_timer_start(&loop, &timers[1], 50, fired, "");
    assert_trace("notify\n");
    assert_int_equal(async_poll(&loop, 0), 50);
}

static void
a_timer_started_after_the_first_was_stopped_is_not_forgotten(void **state)
{
    (void)state;
    memset(timers, 0, sizeof timers);
    async_attach(&loop, &host);
    async_timer_start(&loop, &timers[0], 100, fired, "");
    async_timer_start(&loop, &timers[1], 200, fired, "");
    assert_int_equal(async_poll(&loop, 0), 100);
    async_timer_stop(&loop, &timers[0]);
    trace_clear();
    async_timer_start(&loop, &timers[2], 50, fired, "");
    assert_trace("notify\n");
    assert_int_equal(async_poll(&loop, 0), 50);
}

static async busy(struct async_loop *on, void *frame)
{
    struct outer *self = frame;

    async_begin(self);
    self->child = (struct worker){.name = "child", .ms = 100};
    (void)async_spawn(on, &tasks[1], worker, &self->child);
    async_timer_start(on, &timers[0], 5, fired, "");
    async_cancel(on, &tasks[2]);
    await(async_sleep_ms(on, 3));
    async_end();
}

static void what_changes_inside_a_poll_does_not_notify(void **state)
{
    struct outer frame = {0};
    struct worker work = {.name = "a", .ms = 100};

    (void)state;
    memset(timers, 0, sizeof timers);
    spawn(2, worker, &work);
    (void)async_poll(&loop, 0);
    spawn(0, busy, &frame);
    async_attach(&loop, &host);
    trace_clear();
    assert_int_equal(async_poll(&loop, 0), 3);
    assert_trace("child begins\n");
}

static void a_loop_whose_host_was_taken_away_notifies_nobody(void **state)
{
    (void)state;
    async_attach(&loop, &host);
    (void)async_poll(&loop, 0);
    trace_clear();
    async_attach(&loop, NULL);
    async_wake(&loop);
    assert_trace("");
}

struct reader {
    struct async_frame async;
    const char *name;
    int fd, events, status, steps;
};

static async reader(struct async_loop *on, void *frame)
{
    struct reader *self = frame;

    self->steps++;
    async_begin(self);
    if (self->events == ASYNC_READABLE)
        async_catch(self->status, async_readable(on, self->fd));
    else
        async_catch(self->status, async_writable(on, self->fd));
    trace("%s: %d", self->name, self->status);
    async_end();
}

static void a_descriptor_is_watched_until_it_is_ready(void **state)
{
    struct reader frame = {.name = "r", .fd = 7, .events = ASYNC_READABLE};

    (void)state;
    async_attach(&loop, &host);
    spawn(0, reader, &frame);
    trace_clear();
    assert_forever(async_poll(&loop, 0));
    assert_trace("watch 7 for 1\n");
    async_ready(&loop, 7, ASYNC_READABLE);
    assert_trace("watch 7 for 0\n"); /* no notify: who reports polls next */
    assert_forever(async_poll(&loop, 1));
    assert_trace("r: 1\n");
    assert_int_equal(frame.steps, 2);
}

static void two_tasks_may_wait_for_one_descriptor(void **state)
{
    struct reader reads = {.name = "r", .fd = 7, .events = ASYNC_READABLE};
    struct reader writes = {.name = "w", .fd = 7, .events = ASYNC_WRITABLE};

    (void)state;
    async_attach(&loop, &host);
    spawn(0, reader, &reads);
    spawn(1, reader, &writes);
    trace_clear();
    (void)async_poll(&loop, 0);
    assert_trace("watch 7 for 1\n"
                 "watch 7 for 3\n");
    async_ready(&loop, 7, ASYNC_WRITABLE);
    assert_trace("watch 7 for 1\n"); /* the reader still waits */
    (void)async_poll(&loop, 1);
    assert_trace("w: 1\n");
    async_ready(&loop, 7, ASYNC_READABLE);
    (void)async_poll(&loop, 2);
    assert_trace("watch 7 for 0\n"
                 "r: 1\n");
}

static void all_who_wait_for_an_event_are_let_go_by_it(void **state)
{
    struct reader frames[3] = {
        {.name = "a", .fd = 7, .events = ASYNC_READABLE},
        {.name = "b", .fd = 8, .events = ASYNC_READABLE},
        {.name = "c", .fd = 7, .events = ASYNC_READABLE}};
    int i;

    (void)state;
    async_attach(&loop, &host);
    for (i = 0; i < 3; i++)
        spawn(i, reader, &frames[i]);
    (void)async_poll(&loop, 0);
    async_ready(&loop, 7, ASYNC_READABLE);
    trace_clear();
    (void)async_poll(&loop, 1);
    assert_trace("a: 1\n"
                 "c: 1\n");
    async_ready(&loop, 8, ASYNC_READABLE | ASYNC_WRITABLE);
    trace_clear();
    (void)async_poll(&loop, 2);
    assert_trace("b: 1\n");
}

static void a_report_nobody_waits_for_is_answered_with_no_more(void **state)
{
    (void)state;
    async_attach(&loop, &host);
    trace_clear();
    async_ready(&loop, 9, ASYNC_READABLE);
    assert_trace("watch 9 for 0\n");
    assert_forever(async_poll(&loop, 0));
}

static void
a_canceled_wait_for_a_descriptor_is_not_watched_any_more(void **state)
{
    struct reader frame = {.name = "r", .fd = 7, .events = ASYNC_READABLE};

    (void)state;
    async_attach(&loop, &host);
    spawn(0, reader, &frame);
    (void)async_poll(&loop, 0);
    async_cancel(&loop, &tasks[0]);
    trace_clear();
    assert_forever(async_poll(&loop, 1));
    assert_trace("watch 7 for 0\n"
                 "r: -30001\n");
}

static void a_host_that_cannot_watch_is_an_error_of_the_wait(void **state)
{
    const struct async_host blind = {host_notify, NULL, NULL};
    struct reader one = {.name = "one", .fd = 7, .events = ASYNC_READABLE};
    struct reader two = {.name = "two", .fd = 7, .events = ASYNC_READABLE};
    struct reader three = {.name = "three", .fd = 7, .events = ASYNC_READABLE};

    (void)state;
    spawn(0, reader, &one);
    (void)async_poll(&loop, 0);
    assert_trace("one: -30007\n"); /* no host */
    async_attach(&loop, &blind);
    spawn(1, reader, &two);
    trace_clear();
    (void)async_poll(&loop, 0);
    assert_trace("two: -30007\n");
    host_watch_answer = ASYNC_EFULL;
    async_attach(&loop, &host);
    spawn(2, reader, &three);
    trace_clear();
    assert_forever(async_poll(&loop, 0));
    assert_trace("watch 7 for 1\n"
                 "three: -30005\n");
}

static int watch_and_report(void *arg, int fd, int events)
{
    (void)arg;
    if (events)
        async_ready(&loop, fd, events);
    return 0;
}

static void a_host_may_report_from_within_watch(void **state)
{
    const struct async_host eager = {host_notify, watch_and_report, NULL};
    struct reader frame = {.name = "r", .fd = 7, .events = ASYNC_READABLE};

    (void)state;
    async_attach(&loop, &eager);
    spawn(0, reader, &frame);
    trace_clear();
    (void)poll_on();
    assert_trace("r: 1\n");
}

/* ---- mistakes ----------------------------------------------------------- */

static async polls(struct async_loop *on, void *frame)
{
    struct stubborn *self = frame;

    async_begin(self);
    self->status = (int)async_poll(on, 0);
    trace("polled");
    async_end();
}

static void a_poll_inside_a_poll_is_caught(void **state)
{
    struct stubborn frame = {0};

    (void)state;
    spawn(0, polls, &frame);
    assert_stops("async_poll from inside async_poll", poll_once, NULL);
}

static void
a_poll_inside_a_poll_does_nothing_where_nothing_is_asserted(void **state)
{
    struct stubborn frame = {.status = 77};
    struct worker work = {.name = "a"};

    (void)state;
    spawn(0, polls, &frame);
    spawn(1, worker, &work);
    stops_are_noted(1);
    assert_forever(async_poll(&loop, 0));
    stops_are_noted(0);
    assert_int_equal(frame.status, 0);
    assert_trace("polled\n"
                 "a begins\n"
                 "a ends\n");
}

static void sleep_outside(void *arg)
{
    (void)arg;
    (void)async_sleep_ms(&loop, 10);
}

static void read_outside(void *arg)
{
    (void)arg;
    (void)async_readable(&loop, 0);
}

static void join_outside(void *task)
{
    (void)async_join(&loop, task);
}

static void wait_outside_for_a_flag(void *arg)
{
    (void)arg;
    (void)async_flag_wait(&loop, &flag);
}

static void a_wait_outside_a_task_is_caught(void **state)
{
    struct worker work = {.name = "a", .ms = 10};

    (void)state;
    spawn(0, worker, &work);
    (void)async_poll(&loop, 0);
    assert_stops("a wait outside a running task", sleep_outside, NULL);
    assert_stops("a wait outside a running task", read_outside, NULL);
    assert_stops("a wait outside a running task", join_outside, &tasks[0]);
    assert_stops("a wait outside a running task", wait_outside_for_a_flag,
                 NULL);
    trace_clear();
}

static struct async_loop other_loop;

static async sleeps_on_the_other_loop(struct async_loop *on, void *frame)
{
    struct sleeps *self = frame;

    (void)on;
    async_begin(self);
    await(async_sleep_ms(&other_loop, 10));
    async_end();
}

static void a_wait_on_a_loop_that_is_not_the_tasks_is_caught(void **state)
{
    struct sleeps frame = {0};

    (void)state;
    async_loop_init(&other_loop);
    spawn(0, sleeps_on_the_other_loop, &frame);
    assert_stops("a wait outside a running task", poll_once, NULL);
}

static void a_loop_of_another_configuration_is_caught(void **state)
{
    struct worker work = {.name = "a"};

    (void)state;
    loop.stamp_ ^= 1; /* as if ASYNC_TIME_BITS were another there */
    assert_stops("a loop meets another configuration", poll_once, NULL);
    assert_stops("a loop meets another configuration", spawn_again, &work);
}

static void the_stamp_tells_every_configuration_from_every_other(void **state)
{
    static const int bits[] = {8, 16, 32, 64};
    unsigned char seen[256] = {0};
    int i, radix, list;

    (void)state;
    for (i = 0; i < 4; i++)
        for (radix = 1; radix <= 6; radix++)
            for (list = 0; list <= 1; list++) {
#define ASYNC_STAMP_OF(time_bits, radix_bits, task_list)                       \
    ((uint8_t)(0x80 | (radix_bits) << 4 | (task_list) << 3 |                   \
               ((time_bits) / 8 - 1)))
                uint8_t stamp = ASYNC_STAMP_OF(bits[i], radix, list);

                assert_int_equal(seen[stamp]++, 0);
            }
    assert_int_equal(
        ASYNC_STAMP_,
        ASYNC_STAMP_OF(ASYNC_TIME_BITS, ASYNC_RADIX_BITS, ASYNC_TASK_LIST));
}

/* ---- async_run ---------------------------------------------------------- */

static void async_run_runs_to_the_end_and_returns_done(void **state)
{
    struct worker work = {.name = "a", .ms = 2};

    (void)state;
    assert_int_equal(async_run(&loop, worker, &work), ASYNC_DONE);
    assert_trace("a begins\n"
                 "a ends\n");
}

static void async_run_returns_its_functions_error(void **state)
{
    struct worker work = {.name = "a", .error = -EIO};

    (void)state;
    assert_int_equal(async_run(&loop, worker, &work), -EIO);
    trace_clear();
}

static void async_run_waits_for_everything_that_was_spawned(void **state)
{
    struct worker work = {.name = "a"}, other = {.name = "b", .ms = 1};

    (void)state;
    spawn(0, worker, &other);
    assert_int_equal(async_run(&loop, worker, &work), ASYNC_DONE);
    assert_trace("b begins\n"
                 "a begins\n"
                 "a ends\n"
                 "b ends\n");
}

static void async_run_of_no_function_runs_what_was_spawned(void **state)
{
    struct worker work = {.name = "a"};

    (void)state;
    spawn(0, worker, &work);
    assert_int_equal(async_run(&loop, NULL, NULL), ASYNC_DONE);
    assert_int_equal(async_run(&loop, NULL, NULL), ASYNC_DONE);
    assert_trace("a begins\n"
                 "a ends\n");
}

static void async_run_returns_the_first_error_nobody_joined(void **state)
{
    struct worker work = {.name = "a"};
    struct worker frames[2] = {{.name = "b", .error = -EIO},
                               {.name = "c", .error = -EPIPE}};

    (void)state;
    spawn(0, worker, &frames[0]);
    spawn(1, worker, &frames[1]);
    assert_int_equal(async_run(&loop, worker, &work), -EIO);
    trace_clear();
}

static void async_run_prefers_its_functions_own_error(void **state)
{
    struct worker work = {.name = "a", .error = -ENOENT};
    struct worker other = {.name = "b", .error = -EIO};

    (void)state;
    spawn(0, worker, &other);
    assert_int_equal(async_run(&loop, worker, &work), -ENOENT);
    trace_clear();
}

static void async_run_hands_errors_to_the_hook_if_there_is_one(void **state)
{
    struct worker work = {.name = "a"};
    struct worker other = {.name = "b", .error = -EIO};

    (void)state;
    loop.unhandled = unhandled;
    spawn(0, worker, &other);
    assert_int_equal(async_run(&loop, worker, &work), ASYNC_DONE);
    assert_trace("b begins\n"
                 "a begins\n"
                 "a ends\n"
                 "unhandled: task 0, -5\n");
}

static async runs(struct async_loop *on, void *frame)
{
    struct outer *self = frame;

    async_begin(self);
    self->status = async_run(on, worker, &self->child);
    trace("inner run: %d", self->status);
    async_end();
}

static void async_run_of_a_running_loop_is_refused(void **state)
{
    struct outer frame = {.child = {.name = "child"}};

    (void)state;
    assert_int_equal(async_run(&loop, runs, &frame), ASYNC_DONE);
    assert_trace("inner run: -30004\n"); /* the child has not begun */
}

static void async_run_of_a_loop_that_is_polled_is_refused(void **state)
{
    struct outer frame = {.child = {.name = "child"}};

    (void)state;
    spawn(0, runs, &frame);
    (void)async_poll(&loop, 0);
    assert_trace("inner run: -30004\n");
}

static void async_run_of_a_loop_with_a_host_is_refused(void **state)
{
    struct worker work = {.name = "a"};

    (void)state;
    async_attach(&loop, &host);
    trace_clear();
    assert_int_equal(async_run(&loop, worker, &work), ASYNC_EBUSY);
    assert_trace("");
}

static async runs_another_loop(struct async_loop *on, void *frame)
{
    struct outer *self = frame;
    static struct async_loop another;

    (void)on;
    async_begin(self);
    async_loop_init(&another);
    self->status = async_run(&another, worker, &self->child);
    trace("other loop: %d", self->status);
    await(async_sleep_ms(on, 1));
    trace("own loop goes on");
    async_end();
}

static void a_second_loop_may_run_inside_a_task(void **state)
{
    struct outer frame = {.child = {.name = "child", .ms = 1}};

    (void)state;
    assert_int_equal(async_run(&loop, runs_another_loop, &frame), ASYNC_DONE);
    assert_trace("child begins\n"
                 "child ends\n"
                 "other loop: 1\n"
                 "own loop goes on\n");
}

static void handler(int number)
{
    (void)number;
    async_flag_set(&loop, &flag);
}

static void raise_once(void)
{
    before_poll = NULL;
    (void)raise(SIGTERM);
}

static void a_signal_handler_may_set_a_flag_while_async_run_sleeps(void **state)
{
    struct flagged frame = {.name = "signaled", .flag = &flag};
    void (*before)(int) = signal(SIGTERM, handler);

    (void)state;
    before_poll = raise_once; /* when all is idle */
    assert_int_equal(async_run(&loop, flagged, &frame), ASYNC_DONE);
    (void)signal(SIGTERM, before);
    assert_trace("signaled\n");
    assert_int_equal(frame.steps, 2);
}

static async raises(struct async_loop *on, void *frame)
{
    struct stubborn *self = frame;

    (void)on;
    async_begin(self);
    (void)raise(SIGTERM);
    async_end();
}

static void a_signal_handler_may_set_a_flag_while_a_task_runs(void **state)
{
    struct flagged frame = {.name = "signaled", .flag = &flag};
    struct stubborn raiser = {0};
    void (*before)(int) = signal(SIGTERM, handler);

    (void)state;
    spawn(0, flagged, &frame);
    assert_int_equal(async_run(&loop, raises, &raiser), ASYNC_DONE);
    (void)signal(SIGTERM, before);
    assert_trace("signaled\n");
}

static async wakes_with_an_errno(struct async_loop *on, void *frame)
{
    struct stubborn *self = frame;

    async_begin(self);
    errno = ERANGE; /* what a handler has interrupted */
    async_wake(on);
    self->status = errno;
    async_end();
}

static void a_wake_of_async_run_leaves_errno_alone(void **state)
{
    struct stubborn frame = {0};

    (void)state;
    assert_int_equal(async_run(&loop, wakes_with_an_errno, &frame), ASYNC_DONE);
    assert_int_equal(frame.status, ERANGE);
}

static void the_last_signal_sets_the_flag(void)
{
    if (poll_interruptions == 1)
        async_flag_set(&loop, &flag);
}

static void async_run_goes_on_after_an_interrupted_sleep(void **state)
{
    struct flagged frame = {.name = "a", .flag = &flag};

    (void)state;
    poll_interruptions = 3;
    before_poll = the_last_signal_sets_the_flag;
    assert_int_equal(async_run(&loop, flagged, &frame), ASYNC_DONE);
    assert_int_equal(poll_interruptions, 0);
    assert_trace("a\n");
}

struct piped {
    struct async_frame async;
    int fds[2];
    char buffer[8];
};

static async reads_a_pipe(struct async_loop *on, void *frame)
{
    struct piped *self = frame;

    async_begin(self);
    await(async_readable(on, self->fds[0]));
    memset(self->buffer, 0, sizeof self->buffer);
    if (read(self->fds[0], self->buffer, sizeof self->buffer - 1) < 0)
        async_fail(-errno);
    trace("read \"%s\"", self->buffer);
    async_end();
}

static int pipe_to_write_to;

static void write_once(void)
{
    before_poll = NULL;
    trace("write");
    assert_int_equal(write(pipe_to_write_to, "hello", 5), 5);
}

static void async_run_waits_for_a_pipe_to_be_readable(void **state)
{
    struct piped frame = {.buffer = ""};

    (void)state;
    assert_int_equal(pipe(frame.fds), 0);
    pipe_to_write_to = frame.fds[1];
    before_poll = write_once;
    assert_int_equal(async_run(&loop, reads_a_pipe, &frame), ASYNC_DONE);
    assert_trace("write\n"
                 "read \"hello\"\n");
    (void)close(frame.fds[0]);
    (void)close(frame.fds[1]);
}

static void a_pipe_whose_other_end_is_closed_is_readable(void **state)
{
    struct piped frame = {.buffer = ""};

    (void)state;
    assert_int_equal(pipe(frame.fds), 0);
    (void)close(frame.fds[1]);
    assert_int_equal(async_run(&loop, reads_a_pipe, &frame), ASYNC_DONE);
    assert_trace("read \"\"\n");
    (void)close(frame.fds[0]);
}

static async writes_when_it_can(struct async_loop *on, void *frame)
{
    struct piped *self = frame;

    async_begin(self);
    await(async_writable(on, self->fds[1]));
    trace("writable");
    if (write(self->fds[1], "abc", 3) < 0)
        async_fail(-errno);
    async_end();
}

static void one_task_may_write_what_another_reads(void **state)
{
    struct piped reading = {.buffer = ""}, writing;

    (void)state;
    assert_int_equal(pipe(reading.fds), 0);
    writing = reading;
    spawn(0, reads_a_pipe, &reading);
    assert_int_equal(async_run(&loop, writes_when_it_can, &writing),
                     ASYNC_DONE);
    assert_trace("writable\n"
                 "read \"abc\"\n");
    (void)close(reading.fds[0]);
    (void)close(reading.fds[1]);
}

static void a_descriptor_too_many_is_refused_and_the_others_go_on(void **state)
{
    struct piped frames[2] = {{.buffer = ""}, {.buffer = ""}};
    struct reader third = {.name = "third", .events = ASYNC_READABLE};
    int fds[2];

    (void)state;
    assert_int_equal(pipe(frames[0].fds), 0);
    assert_int_equal(pipe(frames[1].fds), 0);
    assert_int_equal(pipe(fds), 0);
    third.fd = fds[0];
    spawn(0, reads_a_pipe, &frames[0]);
    spawn(1, reads_a_pipe, &frames[1]);
    assert_int_equal(write(frames[0].fds[1], "0", 1), 1);
    assert_int_equal(write(frames[1].fds[1], "1", 1), 1);
    assert_int_equal(async_run(&loop, reader, &third), ASYNC_DONE);
    assert_int_equal(frames[0].buffer[0], '0');
    assert_int_equal(frames[1].buffer[0], '1');
    assert_int_equal(third.status, ASYNC_EFULL);
    trace_clear();
    (void)close(fds[0]);
    (void)close(fds[1]);
    (void)close(frames[0].fds[0]);
    (void)close(frames[0].fds[1]);
    (void)close(frames[1].fds[0]);
    (void)close(frames[1].fds[1]);
}

static void async_run_leaves_no_descriptor_open(void **state)
{
    struct worker work = {.name = "a"};
    int lowest = dup(0), after;

    (void)state;
    (void)close(lowest);
    (void)async_run(&loop, worker, &work);
    after = dup(0);
    (void)close(after);
    assert_int_equal(after, lowest);
    trace_clear();
}

static void a_loop_may_be_run_again(void **state)
{
    struct worker one = {.name = "a"}, two = {.name = "b", .ms = 1};

    (void)state;
    assert_int_equal(async_run(&loop, worker, &one), ASYNC_DONE);
    assert_int_equal(async_run(&loop, worker, &two), ASYNC_DONE);
    assert_trace("a begins\n"
                 "a ends\n"
                 "b begins\n"
                 "b ends\n");
}

/* ---- calls -----------------------------------------------------------------
 */

/* A chain: each level calls the next, the last one does what `at_the_end` says.
 * Levels with an odd `left` await the next one plainly, if `mixed`. */
struct caller {
    struct async_frame async;
    struct async_call_frame call;
    struct async_timer timer;
    int left;
    int mixed;
    uint32_t limit_ms;   /* of the call, 0 for none */
    uint32_t closing_ms; /* of this level's clean-up */
    int in_finally;      /* calls from there */
    async_fn *at_the_end;
    void *frame;
    int status;
    int steps;
};

static async caller(struct async_loop *on, void *frame)
{
    struct caller *self = frame;

    self->steps++;
    async_begin(self);
    if (self->in_finally)
        async_return();
    if (self->left && self->mixed && self->left % 2)
        async_catch(self->status, caller(on, self + 1));
    else if (self->limit_ms)
        async_catch(
            self->status,
            async_timeout(on, &self->timer, self->limit_ms,
                          async_call(on, &self->call, caller, self + 1)));
    else
        async_catch(self->status,
                    async_call(on, &self->call,
                               self->left ? caller : self->at_the_end,
                               self->left ? (void *)(self + 1) : self->frame));
    trace("%d: %s", self->left, async_strerror(self->status));
    if (self->status < 0)
        async_fail(self->status);

    async_finally();
    if (self->in_finally) {
        async_catch(self->status,
                    async_call(on, &self->call, caller, self + 1));
        trace("%d: %s", self->left, async_strerror(self->status));
    }
    if (self->closing_ms) {
        await(async_sleep_ms(on, self->closing_ms));
        trace("%d is closed", self->left);
    }
    async_end();
}

enum { LEVELS = 4 };

static struct caller callers[LEVELS];

/* Spawns the chain; the caller may change `callers` before the first poll. */
static void spawn_callers(async_fn *at_the_end, void *frame)
{
    int i;

    memset(callers, 0, sizeof callers);
    for (i = 0; i < LEVELS; i++)
        callers[i].left = LEVELS - 1 - i;
    callers[LEVELS - 1].at_the_end = at_the_end;
    callers[LEVELS - 1].frame = frame;
    spawn(0, caller, callers);
}

#define ALL_LEVELS(says) "0: " says "\n1: " says "\n2: " says "\n3: " says "\n"

static void a_call_that_completes_at_once_does_not_suspend(void **state)
{
    struct worker self = {.name = "leaf"};

    (void)state;
    spawn_callers(worker, &self);
    assert_forever(async_poll(&loop, 0));
    assert_trace("leaf begins\nleaf ends\n" ALL_LEVELS("done"));
    assert_int_equal(callers[0].steps, 1);
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_DONE);
}

static void a_resumed_call_steps_none_of_the_levels_above_it(void **state)
{
    struct worker self = {.name = "leaf", .ms = 5, .closing_ms = 5};
    int i;

    (void)state;
    spawn_callers(worker, &self);
    (void)async_poll(&loop, 0);
    (void)async_poll(&loop, 5);
    assert_trace("leaf begins\nleaf ends\nleaf closes\n");
    assert_int_equal(self.steps, 2);
    for (i = 0; i < LEVELS; i++)
        assert_int_equal(callers[i].steps, 1);
    (void)async_poll(&loop, 10);
    assert_trace("leaf is closed\n" ALL_LEVELS("done"));
    for (i = 0; i < LEVELS; i++)
        assert_int_equal(callers[i].steps, 2);
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_DONE);
}

static void an_error_of_a_call_goes_through_every_level(void **state)
{
    struct worker self = {.name = "leaf", .ms = 5, .error = -5};

    (void)state;
    spawn_callers(worker, &self);
    callers[1].closing_ms = 5;
    (void)async_poll(&loop, 0);
    (void)async_poll(&loop, 5);
    (void)async_poll(&loop, 10);
    assert_trace("leaf begins\n"
                 "0: Input/output error\n"
                 "1: Input/output error\n"
                 "2: Input/output error\n"
                 "2 is closed\n"
                 "3: Input/output error\n");
    assert_int_equal(async_task_outcome(&tasks[0]), -5);
}

static void calls_and_plain_awaits_mix(void **state)
{
    struct worker self = {.name = "leaf", .ms = 5, .closing_ms = 5};

    (void)state;
    spawn_callers(worker, &self);
    callers[0].mixed = callers[2].mixed = 1;
    (void)async_poll(&loop, 0);
    (void)async_poll(&loop, 5);
    (void)async_poll(&loop, 10);
    assert_trace(
        "leaf begins\nleaf ends\nleaf closes\nleaf is closed\n" ALL_LEVELS(
            "done"));
}

static void a_cancel_lands_in_the_innermost_call(void **state)
{
    struct worker self = {.name = "leaf", .ms = 5, .closing_ms = 5};

    (void)state;
    spawn_callers(worker, &self);
    (void)async_poll(&loop, 0);
    async_cancel(&loop, &tasks[0]);
    (void)async_poll(&loop, 1);
    assert_trace("leaf begins\nleaf closes\n");
    assert_forever(async_poll(&loop, 6));
    assert_trace("leaf is closed\n" ALL_LEVELS("canceled"));
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_ECANCELED);
}

static void a_cancel_waits_for_a_call_from_finally(void **state)
{
    struct worker self = {.name = "leaf", .ms = 5};

    (void)state;
    spawn_callers(worker, &self);
    callers[1].in_finally = 1;
    (void)async_poll(&loop, 0);
    async_cancel(&loop, &tasks[0]);
    (void)async_poll(&loop, 1);
    assert_trace("leaf begins\n");
    (void)async_poll(&loop, 5);
    assert_trace("leaf ends\n" ALL_LEVELS("done"));
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_DONE);
}

static void a_timeout_around_a_call_ends_what_is_inside_it_only(void **state)
{
    struct worker self = {.name = "leaf", .ms = 50, .closing_ms = 5};

    (void)state;
    spawn_callers(worker, &self);
    callers[1].limit_ms = 10;
    (void)async_poll(&loop, 0);
    (void)async_poll(&loop, 10);
    assert_trace("leaf begins\nleaf closes\n");
    (void)async_poll(&loop, 15);
    assert_trace("leaf is closed\n"
                 "0: canceled\n"
                 "1: canceled\n"
                 "2: timed out\n"
                 "3: timed out\n");
}

static void a_call_that_ends_in_time_stops_its_timeout(void **state)
{
    struct worker self = {.name = "leaf", .ms = 5};

    (void)state;
    spawn_callers(worker, &self);
    callers[1].limit_ms = 10;
    (void)async_poll(&loop, 0);
    assert_forever(async_poll(&loop, 5));
    assert_trace("leaf begins\nleaf ends\n" ALL_LEVELS("done"));
}

static void a_plain_yield_in_a_called_function_is_a_yield(void **state)
{
    struct turns self = {.name = "leaf", .turns = 2};

    (void)state;
    spawn_callers(turns, &self);
    assert_int_equal(poll_on(), 1);
    assert_true(async_looks(&loop) == 0);
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_DONE);
    trace_clear();
}

static void a_plain_condition_in_a_called_function_is_looked_at(void **state)
{
    struct conditional self = {.looks = 0};

    (void)state;
    spawn_callers(awaits_a_condition, &self);
    assert_int_equal(async_poll(&loop, 0), 1);
    condition = 1;
    (void)async_poll(&loop, 1);
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_DONE);
    trace_clear();
}

/* Calls the same function over and over, by one call. */
struct repeats {
    struct async_frame async;
    struct async_call_frame call;
    struct worker worker;
    int i;
};

static async repeats(struct async_loop *on, void *frame)
{
    struct repeats *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < 3; self->i++) {
        memset(&self->worker, 0, sizeof self->worker);
        self->worker.name = "leaf";
        self->worker.ms = self->i % 2 ? 1 : 0;
        await(async_call(on, &self->call, worker, &self->worker));
    }
    async_end();
}

static void a_call_may_be_used_again(void **state)
{
    struct repeats self = {.i = 0};

    (void)state;
    spawn(0, repeats, &self);
    (void)async_poll(&loop, 0);
    (void)async_poll(&loop, 1);
    assert_trace("leaf begins\nleaf ends\n"
                 "leaf begins\nleaf ends\n"
                 "leaf begins\nleaf ends\n");
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_DONE);
}

/* A tree: sums 1 for each of its leaves. */
struct tree {
    struct async_frame async;
    struct async_call_frame call;
    int depth, i;
    long *sum;
};

static async tree(struct async_loop *on, void *frame)
{
    struct tree *self = frame;

    async_begin(self);
    if (self->depth == 0) {
        await(async_yield_now(on));
        ++*self->sum;
        async_return();
    }
    for (self->i = 0; self->i < 3; self->i++) {
        memset(self + 1, 0, sizeof *self);
        self[1].depth = self->depth - 1;
        self[1].sum = self->sum;
        await(async_call(on, &self->call, tree, self + 1));
    }
    async_end();
}

static void calls_recurse(void **state)
{
    struct tree levels[6];
    long sum = 0;

    (void)state;
    memset(levels, 0, sizeof levels);
    levels[0].depth = 5;
    levels[0].sum = &sum;
    spawn(0, tree, levels);
    (void)poll_on();
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_DONE);
    assert_int_equal(sum, 3 * 3 * 3 * 3 * 3);
}

/* Calls, in its finally section, what cancels its own task between two waits.
 */
struct cleaner {
    struct async_frame async;
    struct async_call_frame calls[2];
    int depth, status;
};

static async clean(struct async_loop *on, void *frame)
{
    struct cleaner *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, 1)); /* from here on it is stepped alone */
    async_cancel(on, async_current(on));
    async_catch(self->status, async_sleep_ms(on, 10));
    trace("clean-up %s", async_strerror(self->status));
    async_end();
}

static async clean_deeper(struct async_loop *on, void *frame)
{
    struct cleaner *self = frame;

    return async_call(on, &self->calls[1], clean, &self[1]);
}

static async call_to_clean(struct async_loop *on, void *frame)
{
    struct cleaner *self = frame;

    async_begin(self);
    async_finally();
    await(async_call(on, &self->calls[0], self->depth ? clean_deeper : clean,
                     &self[1]));
    async_end();
}

static void a_cancel_from_within_a_call_from_finally_waits_for_it(void **state)
{
    int depth;

    (void)state;
    for (depth = 0; depth < 2; depth++) {
        struct cleaner frames[3] = {{.depth = depth}};

        spawn(0, call_to_clean, frames);
        (void)async_poll(&loop, 0);
        (void)async_poll(&loop, 1);
        (void)async_poll(&loop, 11);
        assert_trace("clean-up done\n");
        assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_DONE);
        async_loop_init(&loop);
    }
}

static void a_cancel_from_within_a_call_lands_in_its_next_wait(void **state)
{
    struct cleaner frames[2] = {{.depth = 0}};

    (void)state;
    spawn(0, clean_deeper, frames);
    (void)async_poll(&loop, 0);
    (void)async_poll(&loop, 1);
    assert_trace("clean-up canceled\n");
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_DONE);
}

static void call_outside(void *call)
{
    (void)async_call(&loop, call, worker, NULL);
}

static void a_call_outside_a_task_is_caught(void **state)
{
    struct async_call_frame call = {.status_ = 0};

    (void)state;
    assert_stops("a wait outside a running task", call_outside, &call);
}

/* ---- every so often --------------------------------------------------------
 */

/* Says at what time it ticks. */
struct periodic {
    struct async_frame async;
    struct async_ticker ticker;
    uint32_t ms;
    int count, i;
};

static async periodic(struct async_loop *on, void *frame)
{
    struct periodic *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < self->count; self->i++) {
        await(async_every(on, &self->ticker, self->ms));
        trace("tick at %lu", (unsigned long)async_now(on));
    }
    async_end();
}

static void a_ticker_does_not_drift(void **state)
{
    struct periodic self = {.ms = 10, .count = 3};

    (void)state;
    spawn(0, periodic, &self);
    (void)async_poll(&loop, 0);
    assert_int_equal(async_poll(&loop, 13), 7); /* late, and the next is not */
    assert_int_equal(async_poll(&loop, 20), 10);
    (void)async_poll(&loop, 31);
    assert_trace("tick at 13\ntick at 20\ntick at 31\n");
    assert_int_equal(self.ticker.missed, 0);
}

static void
a_ticker_that_skips_leaves_missed_ticks_out_and_counts_them(void **state)
{
    struct periodic self = {.ms = 10, .count = 2};

    (void)state;
    spawn(0, periodic, &self);
    (void)async_poll(&loop, 0);
    assert_int_equal(async_poll(&loop, 47), 3);
    assert_int_equal(self.ticker.missed, 3);
    (void)async_poll(&loop, 50);
    assert_trace("tick at 47\ntick at 50\n");
}

static void a_tick_that_is_one_period_late_is_missed_once(void **state)
{
    struct periodic self = {.ms = 10, .count = 2};

    (void)state;
    spawn(0, periodic, &self);
    (void)async_poll(&loop, 0);
    assert_int_equal(async_poll(&loop, 20), 10);
    assert_int_equal(self.ticker.missed, 1);
    (void)async_poll(&loop, 30);
    assert_trace("tick at 20\ntick at 30\n");
}

static void a_ticker_that_bursts_makes_up_for_every_tick(void **state)
{
    struct periodic self = {.ms = 10, .count = 5, .ticker.late = ASYNC_BURST};

    (void)state;
    spawn(0, periodic, &self);
    (void)async_poll(&loop, 0);
    assert_int_equal(async_poll(&loop, 42), 8);
    (void)async_poll(&loop, 50);
    assert_trace("tick at 42\ntick at 42\ntick at 42\ntick at 42\n"
                 "tick at 50\n");
    assert_int_equal(self.ticker.missed, 0);
}

static void a_ticker_that_delays_begins_anew_after_a_late_tick(void **state)
{
    struct periodic self = {.ms = 10, .count = 3, .ticker.late = ASYNC_DELAY};

    (void)state;
    spawn(0, periodic, &self);
    (void)async_poll(&loop, 0);
    assert_int_equal(async_poll(&loop, 42), 10);
    assert_int_equal(async_poll(&loop, 55), 7); /* not late by a period */
    (void)async_poll(&loop, 62);
    assert_trace("tick at 42\ntick at 55\ntick at 62\n");
}

static void a_ticker_of_0_ms_ticks_in_every_tick(void **state)
{
    struct periodic self = {.ms = 0, .count = 2};

    (void)state;
    spawn(0, periodic, &self);
    assert_int_equal(async_poll(&loop, 0), 1);
    assert_int_equal(async_poll(&loop, 1), 1);
    (void)async_poll(&loop, 2);
    assert_trace("tick at 1\ntick at 2\n");
}

static void a_canceled_ticker_leaves_no_timer(void **state)
{
    struct periodic self = {.ms = 10, .count = 3};

    (void)state;
    spawn(0, periodic, &self);
    (void)async_poll(&loop, 0);
    async_cancel(&loop, &tasks[0]);
    assert_forever(async_poll(&loop, 1));
    assert_trace("");
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_ECANCELED);
}

/* ---- simulated time --------------------------------------------------------
 */

static void a_simulation_jumps_from_deadline_to_deadline(void **state)
{
    struct periodic self = {.ms = 10, .count = 3};

    (void)state;
    spawn(0, periodic, &self);
    assert_int_equal(async_simulate(&loop, 5, 1000), 35);
    assert_trace("tick at 15\ntick at 25\ntick at 35\n");
    assert_int_equal(async_alive(&loop), 0);
}

static void a_simulation_ends_when_its_time_is_over(void **state)
{
    struct periodic self = {.ms = 10, .count = 1000};

    (void)state;
    spawn(0, periodic, &self);
    assert_int_equal(async_simulate(&loop, 0, 25), 25);
    assert_trace("tick at 10\ntick at 20\n");
    assert_int_equal(async_simulate(&loop, 25, 5), 30); /* due at its end */
    assert_trace("tick at 30\n");
}

static void a_simulation_does_what_can_be_done_at_once(void **state)
{
    struct turns self = {.name = "turn", .turns = 2, .of_the_loop = 1};

    (void)state;
    spawn(0, turns, &self);
    assert_int_equal(async_simulate(&loop, 7, 0), 7);
    assert_trace("turn\nturn\n");
    assert_int_equal(async_alive(&loop), 0);
}

struct day {
    struct async_frame async;
    struct async_ticker ticker;
    unsigned long ticks;
};

static async day(struct async_loop *on, void *frame)
{
    struct day *self = frame;

    async_begin(self);
    for (;;) {
        await(async_every(on, &self->ticker, 100));
        self->ticks++;
    }
    async_end();
}

static void a_day_passes_in_no_time(void **state)
{
    enum { DAY = 24 * 3600 * 1000 };
    struct day self = {.ticks = 0};

    (void)state;
    spawn(0, day, &self);
    assert_int_equal(async_simulate(&loop, 0, DAY), DAY);
    assert_int_equal(self.ticks, DAY / 100);
    assert_int_equal(self.ticker.missed, 0);
}

static void end_loop(void *unused)
{
    (void)unused;
    (void)async_loop_end(&loop);
}

static void a_loop_that_ends_with_a_live_task_is_caught(void **state)
{
    struct worker work = {.name = "a", .ms = 10};

    (void)state;
    assert_int_equal(async_loop_end(&loop), 0);
    spawn(0, worker, &work);
    (void)async_poll(&loop, 0);
    assert_stops("a loop ends that has tasks, timers or a host", end_loop,
                 NULL);
    (void)async_poll(&loop, 10);
    assert_int_equal(async_loop_end(&loop), 0);
    trace_clear();
}

static void a_loop_that_ends_hands_over_the_errors_nobody_joined(void **state)
{
    struct worker first = {.name = "a", .error = -5};
    struct worker second = {.name = "b", .error = -9};

    (void)state;
    spawn(0, worker, &first);
    (void)async_poll(&loop, 0);
    spawn(1, worker, &second);
    (void)async_poll(&loop, 0);
    assert_int_equal(async_loop_end(&loop), -5);
    assert_int_equal(async_unjoined(&loop), 0);
    trace_clear();
}

static void a_loop_that_ends_with_a_running_timer_is_busy(void **state)
{
    struct async_timer timer = {.arg = NULL};

    (void)state;
    stops_are_noted(1);
    async_timer_start(&loop, &timer, 5, fired, NULL);
    assert_int_equal(async_loop_end(&loop), ASYNC_EBUSY); /* not polled yet */
    (void)async_poll(&loop, 0);
    assert_int_equal(async_loop_end(&loop), ASYNC_EBUSY);
    async_timer_stop(&loop, &timer);
    assert_int_equal(async_loop_end(&loop), 0);
    async_attach(&loop, &host);
    assert_int_equal(async_loop_end(&loop), ASYNC_EBUSY);
    async_attach(&loop, NULL);
    assert_int_equal(async_loop_end(&loop), 0);
    trace_clear();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        loop_claim(a_zeroed_loop_is_ready_to_use),
        loop_claim(an_idle_loop_waits_for_ever),
        loop_claim(a_spawn_runs_nothing_before_the_poll),
        loop_claim(tasks_run_in_the_order_of_their_spawns),
        loop_claim(tasks_that_yield_take_turns),
        loop_claim(tasks_that_await_yield_now_take_turns),
        loop_claim(a_yield_needs_no_tick_and_is_no_look),
        loop_claim(a_poll_runs_all_that_was_ready_though_one_never_waits),
        loop_claim(a_task_spawned_by_a_task_begins_later_in_the_same_poll),
        loop_claim(a_second_spawn_of_a_live_task_is_caught),
        loop_claim(a_second_spawn_of_a_live_task_changes_nothing),
        loop_claim(the_running_task_is_the_loops_own_knowledge),
        loop_claim(a_task_may_be_any_function_that_returns_a_status),
        loop_claim(a_sleeping_task_is_not_stepped_until_its_time),
        loop_claim(a_wake_does_not_step_a_sleeping_task),
        loop_claim(sleepers_wake_in_the_order_of_their_deadlines),
        loop_claim(sleepers_with_one_deadline_wake_in_the_order_they_slept),
        loop_claim(a_sleep_of_0_lets_the_others_run_and_takes_no_tick),
        loop_claim(a_sleep_until_a_time_that_is_past_lets_the_others_run),
        loop_claim(a_sleep_counts_from_the_time_of_the_poll),
        loop_claim(the_first_arguments_of_a_wait_count),
        loop_claim(the_first_arguments_of_a_sleep_of_0_count_too),
        loop_claim(an_abandoned_sleep_leaves_no_timer_behind),
        loop_claim(an_abandoned_sleep_makes_room_for_a_plain_condition),
        loop_claim(an_abandoned_sleep_makes_room_for_one_until_the_past),
        loop_claim(an_abandoned_wait_for_a_descriptor_is_not_taken_for_another),
        loop_claim(a_plain_condition_is_looked_at_once_a_poll_and_counted),
        loop_claim(async_until_is_looked_at_once_a_poll_and_counted),
        loop_claim(a_condition_that_holds_is_not_waited_for),
        loop_claim(a_sooner_deadline_comes_before_the_next_look),
        loop_claim(a_condition_deep_in_a_child_is_looked_at_too),
        loop_claim(a_join_waits_for_the_end_and_hands_over_done),
        loop_claim(a_join_hands_over_the_error),
        loop_claim(a_join_after_the_end_is_over_at_once),
        loop_claim(many_joiners_are_let_go_in_the_order_they_came),
        loop_claim(a_task_that_joins_itself_is_refused),
        loop_claim(a_join_of_a_task_that_was_never_spawned_is_caught),
        loop_claim(a_join_of_a_task_that_was_never_spawned_is_an_error),
        loop_claim(a_joined_tasks_storage_may_be_poisoned_at_once),
        loop_claim(the_first_of_two_joiners_may_zero_the_tasks_storage),
        loop_claim(the_first_of_two_joiners_may_poison_the_tasks_storage),
        loop_claim(the_first_of_two_joiners_may_fill_the_tasks_storage),
        loop_claim(a_task_that_is_done_may_be_freed_unjoined),
        loop_claim(a_task_that_has_ended_may_be_spawned_again),
        loop_claim(a_timer_fires_once_on_its_tick),
        loop_claim(a_timer_of_0_ticks_fires_in_one),
        loop_claim(a_stopped_timer_does_not_fire),
        loop_claim(a_timer_that_never_ran_may_be_stopped),
        loop_claim(a_running_timer_started_again_fires_at_its_new_time_only),
        loop_claim(a_timer_stopped_in_its_own_callback_does_not_fire_again),
        loop_claim(
            a_timer_stopped_by_another_that_is_due_with_it_does_not_fire),
        loop_claim(
            a_timer_stopped_by_one_due_earlier_in_the_poll_does_not_fire),
        loop_claim(
            a_timer_started_in_its_callback_counts_from_the_time_of_the_poll),
        loop_claim(a_task_spawned_by_a_timer_runs_in_the_same_poll),
        loop_claim(a_timers_memory_is_free_once_it_has_fired),
        loop_claim(a_canceled_sleeper_unwinds_and_leaves_no_timer),
        loop_claim(a_canceled_tasks_clean_up_may_wait),
        loop_claim(a_cancel_in_finally_does_not_cut_it_short),
        loop_claim(a_cancel_in_a_childs_finally_hits_the_wait_after_it),
        loop_claim(a_cancel_spares_the_body_of_a_child_that_finally_awaits),
        loop_claim(a_cancel_unwinds_every_level_from_the_inside_out),
        loop_claim(a_cancel_before_the_first_step_lands_in_the_first_wait),
        loop_claim(a_cancel_of_a_task_that_never_waits_changes_nothing),
        loop_claim(a_cancel_after_the_end_does_nothing),
        loop_claim(a_cancel_before_the_spawn_does_nothing),
        loop_claim(a_cancel_that_is_caught_is_used_up),
        loop_claim(two_cancels_before_the_task_runs_are_one),
        loop_claim(a_cancel_after_one_was_caught_is_another),
        loop_claim(a_wait_that_is_over_in_the_same_tick_keeps_its_result),
        loop_claim(a_task_may_cancel_another_without_being_interrupted),
        loop_claim(a_task_that_cancels_itself_stops_at_its_next_wait),
        loop_claim(a_timer_may_cancel_a_task),
        loop_claim(a_cancel_right_after_a_wait_was_over_leaves_its_result),
        loop_claim(a_canceled_join_leaves_the_joined_task_alone),
        loop_claim(
            the_error_of_a_task_whose_only_joiner_was_canceled_is_not_lost),
        loop_claim(a_cancel_that_is_waiting_lands_in_a_yield_too),
        loop_claim(a_cancel_is_not_lost_between_a_yield_and_a_condition),
        loop_claim(a_plain_condition_is_not_canceled_but_the_next_wait_is),
        loop_claim(a_yield_or_a_condition_after_a_caught_cancel_is_not_lost),
        loop_claim(
            a_yield_or_a_condition_after_a_flag_beats_a_cancel_is_not_lost),
        loop_claim(async_until_is_canceled),
        loop_claim(a_cancel_is_never_lost_to_a_condition_that_becomes_true),
        loop_claim(a_cancel_is_never_lost_to_a_flag_that_is_set_meanwhile),
        loop_claim(the_error_of_a_task_nobody_joins_is_handed_out_once),
        loop_claim(the_unhandled_hook_is_told_which_task_and_which_error),
        loop_claim(the_error_of_a_joined_task_is_not_unhandled),
        loop_claim(a_task_spawned_again_reports_its_unjoined_error_first),
        loop_claim(the_unhandled_hook_may_take_the_tasks_storage),
        loop_claim(a_flag_lets_its_waiter_go),
        loop_claim(a_flag_set_before_the_wait_is_not_lost),
        loop_claim(what_was_set_before_a_flag_is_cleared_is_forgotten),
        loop_claim(a_flag_is_cleared_by_the_one_who_takes_it),
        loop_claim(a_wake_for_something_else_does_not_release_a_flags_waiter),
        loop_claim(a_flags_waiter_is_not_stepped_without_a_wake),
        loop_claim(a_canceled_wait_leaves_the_flag_as_it_is),
        loop_claim(a_wake_before_a_poll_is_remembered),
        loop_claim(wakes_before_a_poll_are_one),
        loop_claim(a_wake_during_a_poll_asks_for_another),
        loop_claim(
            a_wake_after_a_poll_notifies_though_an_earlier_one_still_does),
        loop_claim(attaching_a_host_notifies_it),
        loop_claim(a_spawn_from_outside_notifies),
        loop_claim(a_cancel_from_outside_notifies),
        loop_claim(a_timer_started_from_outside_notifies),
        loop_claim(
            a_timer_started_after_the_first_was_stopped_is_not_forgotten),
        loop_claim(what_changes_inside_a_poll_does_not_notify),
        loop_claim(a_loop_whose_host_was_taken_away_notifies_nobody),
        loop_claim(a_descriptor_is_watched_until_it_is_ready),
        loop_claim(two_tasks_may_wait_for_one_descriptor),
        loop_claim(all_who_wait_for_an_event_are_let_go_by_it),
        loop_claim(a_report_nobody_waits_for_is_answered_with_no_more),
        loop_claim(a_canceled_wait_for_a_descriptor_is_not_watched_any_more),
        loop_claim(a_host_that_cannot_watch_is_an_error_of_the_wait),
        loop_claim(a_host_may_report_from_within_watch),
        loop_claim(a_poll_inside_a_poll_is_caught),
        loop_claim(a_poll_inside_a_poll_does_nothing_where_nothing_is_asserted),
        loop_claim(a_wait_outside_a_task_is_caught),
        loop_claim(a_wait_on_a_loop_that_is_not_the_tasks_is_caught),
        loop_claim(a_loop_of_another_configuration_is_caught),
        loop_claim(the_stamp_tells_every_configuration_from_every_other),
        loop_claim(async_run_runs_to_the_end_and_returns_done),
        loop_claim(async_run_returns_its_functions_error),
        loop_claim(async_run_waits_for_everything_that_was_spawned),
        loop_claim(async_run_of_no_function_runs_what_was_spawned),
        loop_claim(async_run_returns_the_first_error_nobody_joined),
        loop_claim(async_run_prefers_its_functions_own_error),
        loop_claim(async_run_hands_errors_to_the_hook_if_there_is_one),
        loop_claim(async_run_of_a_running_loop_is_refused),
        loop_claim(async_run_of_a_loop_that_is_polled_is_refused),
        loop_claim(async_run_of_a_loop_with_a_host_is_refused),
        loop_claim(a_second_loop_may_run_inside_a_task),
        loop_claim(a_signal_handler_may_set_a_flag_while_async_run_sleeps),
        loop_claim(a_signal_handler_may_set_a_flag_while_a_task_runs),
        loop_claim(a_wake_of_async_run_leaves_errno_alone),
        loop_claim(async_run_goes_on_after_an_interrupted_sleep),
        loop_claim(async_run_waits_for_a_pipe_to_be_readable),
        loop_claim(a_pipe_whose_other_end_is_closed_is_readable),
        loop_claim(one_task_may_write_what_another_reads),
        loop_claim(a_descriptor_too_many_is_refused_and_the_others_go_on),
        loop_claim(async_run_leaves_no_descriptor_open),
        loop_claim(a_loop_may_be_run_again),
        loop_claim(a_call_that_completes_at_once_does_not_suspend),
        loop_claim(a_resumed_call_steps_none_of_the_levels_above_it),
        loop_claim(an_error_of_a_call_goes_through_every_level),
        loop_claim(calls_and_plain_awaits_mix),
        loop_claim(a_cancel_lands_in_the_innermost_call),
        loop_claim(a_cancel_waits_for_a_call_from_finally),
        loop_claim(a_timeout_around_a_call_ends_what_is_inside_it_only),
        loop_claim(a_call_that_ends_in_time_stops_its_timeout),
        loop_claim(a_plain_yield_in_a_called_function_is_a_yield),
        loop_claim(a_plain_condition_in_a_called_function_is_looked_at),
        loop_claim(a_cancel_from_within_a_call_from_finally_waits_for_it),
        loop_claim(a_cancel_from_within_a_call_lands_in_its_next_wait),
        loop_claim(a_call_may_be_used_again),
        loop_claim(calls_recurse),
        loop_claim(a_call_outside_a_task_is_caught),
        loop_claim(a_ticker_does_not_drift),
        loop_claim(a_ticker_that_skips_leaves_missed_ticks_out_and_counts_them),
        loop_claim(a_tick_that_is_one_period_late_is_missed_once),
        loop_claim(a_ticker_that_bursts_makes_up_for_every_tick),
        loop_claim(a_ticker_that_delays_begins_anew_after_a_late_tick),
        loop_claim(a_ticker_of_0_ms_ticks_in_every_tick),
        loop_claim(a_canceled_ticker_leaves_no_timer),
        loop_claim(a_simulation_jumps_from_deadline_to_deadline),
        loop_claim(a_simulation_ends_when_its_time_is_over),
        loop_claim(a_simulation_does_what_can_be_done_at_once),
        loop_claim(a_day_passes_in_no_time),
        loop_claim(a_loop_that_ends_with_a_live_task_is_caught),
        loop_claim(a_loop_that_ends_hands_over_the_errors_nobody_joined),
        loop_claim(a_loop_that_ends_with_a_running_timer_is_busy),
    };

    return cmocka_run_group_tests_name("async_loop.h", tests, NULL, NULL);
}
