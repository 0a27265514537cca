/* test_libuv.c: what adapters/libuv.h promises, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_libuv.c -lcmocka -luv
 *
 * The clock is libuv's, so no test asks how long something took, only whether
 * it came, and in which order. A uv_run that does not end is ended by a guard.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* what -std=c99 hides and uv.h needs */
#endif
#include "trace.h"

#include <uv.h>

static int refusal; /* of a uv_poll_t */

static int try_uv_poll_init(uv_loop_t *on, uv_poll_t *poll, int fd)
{
    return refusal ? refusal : uv_poll_init(on, poll, fd);
}

#define uv_poll_init try_uv_poll_init
#include "../adapters/libuv.h"
#undef uv_poll_init
#include "../async_gather.h"

#include <signal.h>
#include <sys/resource.h>

enum { HOUR = 3600 * 1000, GUARD = 20 * 1000 };

static uv_loop_t uv;
static struct async_uv host;
static struct async_loop loop;
static struct async_task tasks[4];
static struct async_flag flag;
static int hung;

static void guard_fired(uv_timer_t *guard)
{
    hung = 1;
    uv_stop(guard->loop);
}

/* Before each sleep of uv's: is what it runs for over? */
static void stop_when_ended(uv_prepare_t *prepare)
{
    const struct async_task *task = prepare->data;

    if (async_task_outcome(task) != ASYNC_PENDING)
        uv_stop(prepare->loop);
}

/* uv_run until it ends by itself, or `task`, if there is one, has ended. */
static void run_for(struct async_task *task)
{
    uv_timer_t guard;
    uv_prepare_t prepare;

    hung = 0;
    uv_timer_init(&uv, &guard);
    uv_timer_start(&guard, guard_fired, GUARD, 0);
    uv_prepare_init(&uv, &prepare);
    prepare.data = task;
    if (task)
        uv_prepare_start(&prepare, stop_when_ended);
    else
        uv_unref((uv_handle_t *)&guard);
    uv_run(&uv, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&guard, NULL);
    uv_close((uv_handle_t *)&prepare, NULL);
    uv_run(&uv, UV_RUN_NOWAIT);
    if (hung)
        fail_msg("uv_run does not end; so far:\n%s", trace_text);
}

static void run(void)
{
    run_for(NULL);
}

static int setup(void **state)
{
    async_loop_init(&loop);
    memset(tasks, 0, sizeof tasks);
    memset(&flag, 0, sizeof flag);
    if (uv_loop_init(&uv) < 0 || async_uv_start(&host, &uv, &loop) < 0)
        return -1;
    return trace_setup(state);
}

/* Every test ends with it: what was started is stopped, and nothing is left. */
static void stop_and_close(void)
{
    async_uv_stop(&host);
    run();
    assert_int_equal(uv_loop_close(&uv), 0);
}

#define uv_claim(test) cmocka_unit_test_setup(test, setup)

static void spawn(int which, async_fn *fn, void *frame)
{
    assert_int_equal(async_spawn(&loop, &tasks[which], fn, frame), 0);
}

/* Sleeps `count` times, then says so. */
struct sleeper {
    struct async_frame async;
    const char *name;
    uint32_t ms;
    int count;
    int i;
    int status;
};

static async sleeper(struct async_loop *on, void *frame)
{
    struct sleeper *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < self->count; self->i++) {
        async_catch(self->status, async_sleep_ms(on, self->ms));
        if (self->status < 0) {
            trace("%s: %s", self->name, async_strerror(self->status));
            async_fail(self->status);
        }
        trace("%s %d", self->name, self->i);
    }
    trace("%s: done", self->name);
    async_end();
}

static async waiter(struct async_loop *on, void *frame)
{
    struct sleeper *self = frame;

    async_begin(self);
    await(async_flag_wait(on, &flag));
    trace("%s: flag", self->name);
    async_end();
}

/* Waits for a descriptor, within `ms` if it is not 0. */
struct reader {
    struct async_frame async;
    struct async_timer timer;
    const char *name;
    int fd;
    uint32_t ms;
    int then; /* another descriptor to wait for */
    int status;
};

static async reader(struct async_loop *on, void *frame)
{
    struct reader *self = frame;

    async_begin(self);
    if (self->ms)
        async_catch(self->status, async_timeout(on, &self->timer, self->ms,
                                                async_readable(on, self->fd)));
    else
        async_catch(self->status, async_readable(on, self->fd));
    trace("%s: %s", self->name, async_strerror(self->status));
    if (self->then) {
        async_catch(self->status, async_readable(on, self->then));
        trace("%s then: %s", self->name, async_strerror(self->status));
    }
    async_end();
}

static void open_pipe(int fds[2])
{
    assert_int_equal(pipe(fds), 0);
}

static void close_pipe(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static void put(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

/* Calls `act` from a callback of uv's, once. */
static void (*act)(void);

static void act_in_timer(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
    act();
}

static void act_in_close(uv_handle_t *handle)
{
    (void)handle;
    act();
}

static void start_timer(uv_timer_t *timer, void (*fn)(void))
{
    act = fn;
    uv_timer_init(&uv, timer);
    uv_timer_start(timer, act_in_timer, 1, 0);
}

/* ---- tasks and time ------------------------------------------------------ */

static void tasks_sleep_in_the_order_of_their_deadlines(void **state)
{
    struct sleeper third = {.name = "third", .ms = 9, .count = 1};
    struct sleeper first = {.name = "first", .ms = 1, .count = 1};
    struct sleeper second = {.name = "second", .ms = 5, .count = 1};

    (void)state;
    spawn(0, sleeper, &third);
    spawn(1, sleeper, &first);
    spawn(2, sleeper, &second);
    run();
    assert_trace("first 0\n"
                 "first: done\n"
                 "second 0\n"
                 "second: done\n"
                 "third 0\n"
                 "third: done\n");
    stop_and_close();
}

static async_time clock_in_task;

static async clock_reader(struct async_loop *on, void *frame)
{
    struct sleeper *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, 5));
    clock_in_task = async_now(on);
    async_end();
}

static uint64_t clock_before;

static void block(void)
{
    uv_sleep(30); /* uv_now stands still meanwhile */
    clock_before = uv_hrtime() / 1000000;
}

/* Both timers are due in one go, first the one whose callback is slow. */
static void
a_task_does_not_see_the_time_from_before_a_slow_callback(void **state)
{
    struct sleeper self = {.name = "reader"};
    uv_timer_t timer;

    (void)state;
    spawn(0, clock_reader, &self);
    uv_run(&uv, UV_RUN_NOWAIT);
    start_timer(&timer, block);
    uv_sleep(10);
    run();
    /* uv's clock may be a little coarser than uv_hrtime */
    assert_true(clock_in_task + 5 >= clock_before);
    stop_and_close();
}

static async busy(struct async_loop *on, void *frame)
{
    struct sleeper *self = frame;

    async_begin(self);
    while (!flag.set_)
        await(async_yield_now(on));
    trace("%s ends", self->name);
    async_end();
}

static void set_flag(void)
{
    flag.set_ = 1;
}

static int unblock_fd;

static void on_readable(uv_poll_t *poll, int status, int events)
{
    assert_int_equal(status, 0);
    assert_int_equal(events, UV_READABLE);
    uv_close((uv_handle_t *)poll, NULL);
    trace("poll");
    set_flag();
}

static void write_byte(void)
{
    put(unblock_fd);
}

static void a_task_that_never_waits_starves_no_handle(void **state)
{
    struct sleeper self = {.name = "busy"};
    uv_timer_t timer;
    uv_poll_t poll;
    int fds[2];

    (void)state;
    open_pipe(fds);
    unblock_fd = fds[1];
    uv_poll_init(&uv, &poll, fds[0]);
    uv_poll_start(&poll, UV_READABLE, on_readable);
    start_timer(&timer, write_byte);
    spawn(0, busy, &self);
    run();
    assert_trace("poll\n"
                 "busy ends\n");
    stop_and_close();
    close_pipe(fds);
}

/* ---- waking -------------------------------------------------------------- */

static uv_sem_t asleep;

static void set_from_thread(void *arg)
{
    (void)arg;
    uv_sem_wait(&asleep);
    async_flag_set(&loop, &flag);
}

static void on_prepare(uv_prepare_t *prepare) /* uv is about to wait */
{
    uv_sem_post(&asleep);
    uv_close((uv_handle_t *)prepare, NULL);
}

static void a_thread_wakes_a_task(void **state)
{
    struct sleeper self = {.name = "waiter"};
    uv_prepare_t prepare;
    uv_thread_t thread;

    (void)state;
    spawn(0, waiter, &self);
    uv_run(&uv, UV_RUN_NOWAIT);
    assert_trace("");
    assert_int_equal(uv_sem_init(&asleep, 0), 0);
    assert_int_equal(uv_thread_create(&thread, set_from_thread, NULL), 0);
    uv_prepare_init(&uv, &prepare);
    uv_prepare_start(&prepare, on_prepare);
    run();
    assert_trace("waiter: flag\n");
    uv_thread_join(&thread);
    uv_sem_destroy(&asleep);
    stop_and_close();
}

static void wake_often(void *arg)
{
    int i;

    (void)arg;
    for (i = 0; i < 20000; i++)
        async_wake(&loop);
}

static void a_thread_may_go_on_waking_while_the_host_stops(void **state)
{
    struct sleeper self = {.name = "sleeper", .ms = 1, .count = 2};
    uv_thread_t thread;

    (void)state;
    assert_int_equal(uv_thread_create(&thread, wake_often, NULL), 0);
    spawn(0, sleeper, &self);
    run();
    assert_trace("sleeper 0\n"
                 "sleeper 1\n"
                 "sleeper: done\n");
    stop_and_close();
    uv_thread_join(&thread);
}

static void on_signal(int number)
{
    (void)number;
    async_flag_set(&loop, &flag);
}

static void raise_signal(void)
{
    (void)raise(SIGUSR1);
}

static void a_signal_handler_wakes_a_task(void **state)
{
    struct sleeper self = {.name = "waiter"};
    uv_timer_t timer;

    (void)state;
    (void)signal(SIGUSR1, on_signal);
    spawn(0, waiter, &self);
    start_timer(&timer, raise_signal);
    run();
    (void)signal(SIGUSR1, SIG_DFL);
    assert_trace("waiter: flag\n");
    stop_and_close();
}

static void wakes_of_no_task_keep_nothing_going(void **state)
{
    (void)state;
    (void)signal(SIGUSR1, on_signal);
    run();
    raise_signal();
    assert_int_equal(uv_loop_alive(&uv), 0);
    run();
    (void)signal(SIGUSR1, SIG_DFL);
    stop_and_close();
}

static void cancel_first(void)
{
    async_cancel(&loop, &tasks[0]);
}

static void a_cancel_from_outside_ends_a_long_sleep(void **state)
{
    struct sleeper self = {.name = "sleeper", .ms = HOUR, .count = 1};
    uv_timer_t timer;

    (void)state;
    spawn(0, sleeper, &self);
    start_timer(&timer, cancel_first);
    run();
    assert_trace("sleeper: canceled\n");
    assert_int_equal(async_unjoined(&loop), ASYNC_ECANCELED);
    stop_and_close();
}

static struct sleeper late;

static void spawn_late(void)
{
    struct sleeper frame = {.name = "late", .ms = 1, .count = 1};

    late = frame;
    spawn(1, sleeper, &late);
}

static void a_task_spawned_in_a_callback_shortens_the_sleep(void **state)
{
    struct sleeper self = {.name = "sleeper", .ms = HOUR, .count = 1};
    uv_timer_t timer;

    (void)state;
    spawn(0, sleeper, &self);
    uv_run(&uv, UV_RUN_NOWAIT);
    start_timer(&timer, spawn_late);
    run_for(&tasks[1]);
    assert_trace("late 0\n"
                 "late: done\n");
    cancel_first();
    run();
    assert_trace("sleeper: canceled\n");
    stop_and_close();
}

/* ---- what keeps uv_run going --------------------------------------------- */

static void a_loop_without_tasks_lets_uv_run_end(void **state)
{
    (void)state;
    run();
    assert_int_equal(uv_loop_alive(&uv), 0);
    stop_and_close();
}

static void on_async_timer(struct async_loop *on, struct async_timer *timer)
{
    (void)on;
    (void)timer;
    trace("timer");
}

static void
a_timer_of_ours_that_outlives_the_tasks_lets_uv_run_end(void **state)
{
    struct sleeper self = {.name = "sleeper", .ms = 1, .count = 1};
    struct async_timer timer = {.arg = NULL};

    (void)state;
    async_timer_start(&loop, &timer, HOUR, on_async_timer, NULL);
    spawn(0, sleeper, &self);
    run();
    assert_trace("sleeper 0\n"
                 "sleeper: done\n");
    stop_and_close();
}

static void a_finished_loop_takes_a_new_task_in_the_next_uv_run(void **state)
{
    struct sleeper self = {.name = "first", .ms = 1, .count = 1};

    (void)state;
    spawn(0, sleeper, &self);
    run();
    assert_trace("first 0\n"
                 "first: done\n");
    spawn_late();
    run();
    assert_trace("late 0\n"
                 "late: done\n");
    stop_and_close();
}

static void a_task_spawned_in_the_last_timer_is_run(void **state)
{
    uv_timer_t timer;

    (void)state;
    start_timer(&timer, spawn_late);
    run();
    assert_trace("late 0\n"
                 "late: done\n");
    stop_and_close();
}

/* Nothing comes after it in that turn of uv's loop. */
static void a_task_spawned_in_the_last_close_callback_is_run(void **state)
{
    uv_timer_t timer;

    (void)state;
    act = spawn_late;
    uv_timer_init(&uv, &timer);
    uv_close((uv_handle_t *)&timer, act_in_close);
    run();
    assert_trace("late 0\n"
                 "late: done\n");
    stop_and_close();
}

/* ---- descriptors --------------------------------------------------------- */

static void a_descriptor_becomes_readable(void **state)
{
    struct reader self = {.name = "reader"};
    uv_timer_t timer;
    int fds[2];

    (void)state;
    open_pipe(fds);
    self.fd = fds[0];
    unblock_fd = fds[1];
    spawn(0, reader, &self);
    start_timer(&timer, write_byte);
    run();
    assert_trace("reader: done\n");
    stop_and_close();
    close_pipe(fds);
}

static void a_wait_for_a_descriptor_times_out(void **state)
{
    struct reader self = {.name = "reader", .ms = 5};
    int fds[2];

    (void)state;
    open_pipe(fds);
    self.fd = fds[0];
    spawn(0, reader, &self);
    run();
    assert_trace("reader: timed out\n");
    stop_and_close();
    close_pipe(fds);
}

static void a_wait_for_a_descriptor_is_canceled(void **state)
{
    struct reader self = {.name = "reader"};
    uv_timer_t timer;
    int fds[2];

    (void)state;
    open_pipe(fds);
    self.fd = fds[0];
    spawn(0, reader, &self);
    start_timer(&timer, cancel_first);
    run();
    assert_trace("reader: canceled\n");
    stop_and_close();
    close_pipe(fds);
}

static void two_tasks_may_wait_for_one_descriptor(void **state)
{
    struct reader one = {.name = "one"}, two = {.name = "two"};
    uv_timer_t timer;
    int fds[2];

    (void)state;
    open_pipe(fds);
    one.fd = two.fd = fds[0];
    unblock_fd = fds[1];
    spawn(0, reader, &one);
    spawn(1, reader, &two);
    start_timer(&timer, write_byte);
    run();
    assert_trace("one: done\n"
                 "two: done\n");
    stop_and_close();
    close_pipe(fds);
}

/* The poll in which one.fd is left waits for one.then. */
struct move {
    struct reader one, two;
    int fds[3][2];
};

static void begin_move(struct move *move)
{
    static const struct reader one = {.name = "one"}, two = {.name = "two"};
    int i;

    for (i = 0; i < 3; i++)
        open_pipe(move->fds[i]);
    move->one = one;
    move->two = two;
    move->one.fd = move->fds[0][0];
    move->one.then = move->fds[2][0];
    move->two.fd = move->fds[1][0];
    spawn(0, reader, &move->one);
    spawn(1, reader, &move->two);
    uv_run(&uv, UV_RUN_NOWAIT);
    async_cancel(&loop, &tasks[0]);
}

static void end_move(struct move *move)
{
    int i;

    async_cancel(&loop, &tasks[1]);
    run();
    assert_trace("two: canceled\n");
    stop_and_close();
    for (i = 0; i < 3; i++)
        close_pipe(move->fds[i]);
}

static void a_poll_that_leaves_a_descriptor_may_take_another(void **state)
{
    struct move move;
    uv_timer_t timer;

    (void)state;
    begin_move(&move);
    unblock_fd = move.fds[2][1];
    uv_run(&uv, UV_RUN_NOWAIT);
    assert_trace("one: canceled\n");
    start_timer(&timer, write_byte);
    run_for(&tasks[0]);
    assert_trace("one then: done\n");
    end_move(&move);
}

static async canceler(struct async_loop *on, void *frame)
{
    struct sleeper *self = frame;

    async_begin(self);
    async_cancel(on, &tasks[0]);
    async_end();
}

static void a_descriptor_can_be_taken_and_left_in_one_poll(void **state)
{
    struct sleeper frame = {.name = "canceler"};
    struct move move;

    (void)state;
    begin_move(&move);
    spawn(2, canceler, &frame);
    uv_run(&uv, UV_RUN_NOWAIT);
    assert_trace("one: canceled\n"
                 "one then: canceled\n");
    end_move(&move);
}

static void a_stop_comes_after_a_change_that_was_not_turned_to(void **state)
{
    struct move move;
    int i;

    (void)state;
    begin_move(&move);
    while (trace_length == 0)
        (void)async_poll(&loop, 0);
    assert_trace("one: canceled\n");
    stop_and_close();
    for (i = 0; i < 3; i++)
        close_pipe(move.fds[i]);
}

static void a_handle_of_uvs_may_watch_the_same_descriptor(void **state)
{
    struct reader self = {.name = "reader"};
    uv_poll_t poll;
    int fds[2];

    (void)state;
    open_pipe(fds);
    uv_poll_init(&uv, &poll, fds[0]);
    uv_poll_start(&poll, UV_READABLE, on_readable);
    self.fd = fds[0];
    spawn(0, reader, &self);
    uv_run(&uv, UV_RUN_NOWAIT);
    put(fds[1]);
    run();
    assert_int_equal(self.status, ASYNC_DONE);
    assert_non_null(strstr(trace_text, "poll\n"));
    trace_clear();
    stop_and_close();
    close_pipe(fds);
}

static void what_epoll_refuses_is_the_result_of_the_wait(void **state)
{
    struct reader self = {.name = "reader"};
    int fds[2];

    (void)state;
    open_pipe(fds);
    close_pipe(fds);
    self.fd = fds[0];
    spawn(0, reader, &self);
    run();
    assert_int_equal(self.status, -EBADF);
    trace_clear();
    stop_and_close();
}

static void a_number_that_was_left_may_be_watched_by_others(void **state)
{
    struct reader self = {.name = "reader"};
    uv_poll_t poll;
    int fds[2];

    (void)state;
    open_pipe(fds);
    self.fd = fds[0];
    put(fds[1]);
    spawn(0, reader, &self);
    run();
    assert_trace("reader: done\n");
    uv_poll_init(&uv, &poll, fds[0]);
    uv_poll_start(&poll, UV_READABLE, on_readable);
    uv_run(&uv, UV_RUN_NOWAIT);
    assert_trace("poll\n");
    stop_and_close();
    close_pipe(fds);
}

/* ---- stopping ------------------------------------------------------------ */

static void a_stop_leaves_no_handle_behind(void **state)
{
    struct reader readers[2] = {{.name = "a"}, {.name = "b"}};
    struct sleeper self = {.name = "sleeper", .ms = HOUR, .count = 1};
    int fds[2][2], i;

    (void)state;
    for (i = 0; i < 2; i++) {
        open_pipe(fds[i]);
        readers[i].fd = fds[i][0];
        spawn(i, reader, &readers[i]);
    }
    spawn(2, sleeper, &self);
    uv_run(&uv, UV_RUN_NOWAIT);
    stop_and_close();
    assert_trace("");
    for (i = 0; i < 2; i++)
        close_pipe(fds[i]);
}

static void a_loop_that_was_stopped_starts_again(void **state)
{
    struct sleeper self = {.name = "sleeper", .ms = 1, .count = 1};

    (void)state;
    async_uv_stop(&host);
    run();
    spawn(0, sleeper, &self);
    run();
    assert_trace("");
    assert_int_equal(async_uv_start(&host, &uv, &loop), 0);
    run();
    assert_trace("sleeper 0\n"
                 "sleeper: done\n");
    stop_and_close();
}

static int open_fds(void)
{
    int fd, count = 0;

    for (fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* One more number may be had each time, until it works. */
static void a_start_that_fails_has_done_nothing(void **state)
{
    struct rlimit limit, less;
    int free_fd, open, more = 0, error;

    (void)state;
    async_uv_stop(&host);
    run();
    free_fd = dup(0);
    close(free_fd);
    open = open_fds();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    for (;;) {
        less = limit;
        less.rlim_cur = (rlim_t)(free_fd + more);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
        error = async_uv_start(&host, &uv, &loop);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        if (error == 0)
            break;
        assert_int_equal(error, -EMFILE);
        assert_int_equal(open_fds(), open);
        assert_int_equal(uv_loop_alive(&uv), 0);
        more++;
    }
    assert_true(more >= 3);
    async_uv_stop(&host);
    run();
    refusal = UV_ENOMEM;
    assert_int_equal(async_uv_start(&host, &uv, &loop), UV_ENOMEM);
    refusal = 0;
    assert_int_equal(open_fds(), open);
    assert_null(loop.host_);
    assert_int_equal(async_uv_start(&host, &uv, &loop), 0);
    async_uv_stop(&host);
    run();
    assert_int_equal(open_fds(), open);
    assert_int_equal(async_uv_start(&host, &uv, &loop), 0);
    stop_and_close();
}

int main(void)
{
    const struct CMUnitTest claims[] = {
        uv_claim(tasks_sleep_in_the_order_of_their_deadlines),
        uv_claim(a_task_does_not_see_the_time_from_before_a_slow_callback),
        uv_claim(a_task_that_never_waits_starves_no_handle),
        uv_claim(a_thread_wakes_a_task),
        uv_claim(a_signal_handler_wakes_a_task),
        uv_claim(wakes_of_no_task_keep_nothing_going),
        uv_claim(a_thread_may_go_on_waking_while_the_host_stops),
        uv_claim(a_cancel_from_outside_ends_a_long_sleep),
        uv_claim(a_task_spawned_in_a_callback_shortens_the_sleep),
        uv_claim(a_loop_without_tasks_lets_uv_run_end),
        uv_claim(a_timer_of_ours_that_outlives_the_tasks_lets_uv_run_end),
        uv_claim(a_finished_loop_takes_a_new_task_in_the_next_uv_run),
        uv_claim(a_task_spawned_in_the_last_timer_is_run),
        uv_claim(a_task_spawned_in_the_last_close_callback_is_run),
        uv_claim(a_descriptor_becomes_readable),
        uv_claim(a_wait_for_a_descriptor_times_out),
        uv_claim(a_wait_for_a_descriptor_is_canceled),
        uv_claim(two_tasks_may_wait_for_one_descriptor),
        uv_claim(a_poll_that_leaves_a_descriptor_may_take_another),
        uv_claim(a_descriptor_can_be_taken_and_left_in_one_poll),
        uv_claim(a_stop_comes_after_a_change_that_was_not_turned_to),
        uv_claim(a_handle_of_uvs_may_watch_the_same_descriptor),
        uv_claim(what_epoll_refuses_is_the_result_of_the_wait),
        uv_claim(a_number_that_was_left_may_be_watched_by_others),
        uv_claim(a_stop_leaves_no_handle_behind),
        uv_claim(a_loop_that_was_stopped_starts_again),
        uv_claim(a_start_that_fails_has_done_nothing),
    };

    return cmocka_run_group_tests(claims, NULL, NULL);
}
