/* test_debug.c: what async_debug.h says, and when it is silent.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_debug.c -lcmocka -pthread
 *
 * The clocks are variables. Where async_run has to wait, poll_watched below
 * stands between it and the system, so that no test sleeps or hangs.
 */
#define ASYNC_DEBUG
#include "trace.h"

#include <poll.h> /* before the name is ours */

static int poll_watched(struct pollfd *fds, nfds_t count, int timeout);
#define poll poll_watched
#include "async_debug.h"
#include "async_gather.h"
#include "async_thread.h"
#undef poll

#include <stdlib.h>
#include <unistd.h>

static struct async_loop loop;
static struct async_task tasks[8];
static struct async_debug debug;
static struct async_semaphore semaphore; /* without a permit */
static struct async_flag flag;
static int condition;
static async_time clock_is;

static async_time clock_now(void)
{
    return clock_is;
}

static void (*before_poll)(void); /* what happens when async_run would sleep */
static int poll_may_wait;         /* for a thread, which is certain to come */

static int poll_watched(struct pollfd *fds, nfds_t count, int timeout)
{
    int ready;

    if (before_poll)
        before_poll();
    ready = poll(fds, count, poll_may_wait ? timeout : 0);
    if (ready == 0 && timeout < 0)
        fail_msg("async_run sleeps for ever");
    return ready;
}

/* Writes down what is said: up to the addresses, and with no number behind the
 * words `line` and `state`. */
static void say(void *arg, const char *text)
{
    const char *end = text + strcspn(text, ";");
    const char *at = strstr(text, "line ");

    (void)arg;
    if (!at)
        at = strstr(text, "state "); /* with labels there are no lines */
    if (at && at < end) {
        const char *number = strchr(at, ' ') + 1;
        const char *rest = number + strspn(number, "0123456789");

        trace("%.*sline%.*s", (int)(at - text), text, (int)(end - rest), rest);
    } else {
        trace("%.*s", (int)(end - text), text);
    }
}

static char said[128]; /* the last line, all of it */

static void keep(void *arg, const char *text)
{
    (void)arg;
    assert_true(strlen(text) < sizeof said);
    strcpy(said, text);
}

static int setup(void **state)
{
    async_loop_init(&loop);
    memset(tasks, 0, sizeof tasks);
    memset(&debug, 0, sizeof debug);
    memset(&semaphore, 0, sizeof semaphore);
    memset(&flag, 0, sizeof flag);
    condition = 0;
    clock_is = 0;
    before_poll = NULL;
    poll_may_wait = 0;
    debug.say = say;
    async_debug_start(&loop, &debug);
    (void)async_poll(&loop, 0); /* time begins */
    return trace_setup(state);
}

#define debug_claim(test) cmocka_unit_test_setup(test, setup)

static void spawn(int which, async_fn *fn, void *frame)
{
    assert_int_equal(async_spawn(&loop, &tasks[which], fn, frame), 0);
}

static void dump(void)
{
    async_dump(&loop, say, NULL);
}

/* Until there is nothing to do at once, the clock standing still. */
static void settle(void)
{
    int polls = 0;

    while (async_poll(&loop, async_now(&loop)) == 0)
        if (++polls > 9999)
            fail_msg("the loop never comes to rest");
}

static void assert_sound(void)
{
    const char *wrong = async_loop_check(&loop);

    if (wrong)
        fail_msg("%s", wrong);
}

/* ---- a task that waits, for whatever there is ---------------------------- */

enum what { SLEEP, JOIN, LINE, READ, WRITE, FLAG, UNTIL, BARE };

struct waiter {
    struct async_frame async;
    enum what what;
    uint32_t ms;
    struct async_task *task;
    int fd;
    int line; /* before it waits */
    int rounds;
    const char *closing; /* said in its finally section */
    int closing_stuck;
};

static async waiter(struct async_loop *on, void *frame)
{
    struct waiter *self = frame;

    async_begin(self);
    do {
        if (self->what == SLEEP) {
            self->line = __LINE__ + 1;
            await(async_sleep_ms(on, self->ms));
        } else if (self->what == JOIN) {
            self->line = __LINE__ + 1;
            await(async_join(on, self->task));
        } else if (self->what == LINE) {
            await(async_acquire(on, &semaphore));
        } else if (self->what == READ) {
            await(async_readable(on, self->fd));
        } else if (self->what == WRITE) {
            await(async_writable(on, self->fd));
        } else if (self->what == FLAG) {
            await(async_flag_wait(on, &flag));
        } else if (self->what == UNTIL) {
            await(async_until(on, condition));
        } else {
            await_until(condition);
        }
    } while (self->rounds-- > 0);

    async_finally();
    if (self->closing)
        trace("%s", self->closing);
    if (self->closing_stuck)
        await(async_acquire(on, &semaphore));
    async_end();
}

/* Keeps a host that can watch, and nothing else. */
static void host_notify(void *arg)
{
    (void)arg;
}

static int host_watch(void *arg, int fd, int events)
{
    (void)arg;
    (void)fd;
    (void)events;
    return 0;
}

static const struct async_host host = {host_notify, host_watch, NULL};

/* ---- dump --------------------------------------------------------------- */

static void a_dump_of_an_empty_loop_says_nothing(void **state)
{
    (void)state;
    dump();
    assert_trace("");
}

static void a_sleeper_is_shown_with_the_ticks_that_are_left(void **state)
{
    struct waiter frame = {.what = SLEEP, .ms = 100};

    (void)state;
    spawn(0, waiter, &frame);
    (void)async_poll(&loop, 0);
    (void)async_poll(&loop, 30);
    dump();
    assert_trace("line: sleeps for another 70 ticks\n");
}

static void every_other_wait_has_its_words_too(void **state)
{
    struct waiter frames[7] = {
        {.what = LINE},
        {.what = READ, .fd = 5},
        {.what = FLAG},
        {.what = WRITE, .fd = 300},
        {.what = UNTIL},
        {.what = BARE},
        {.what = JOIN, .task = &tasks[0]},
    };
    int i;

    (void)state;
    async_attach(&loop, &host);
    for (i = 0; i < 7; i++)
        spawn(i, waiter, &frames[i]);
    (void)async_poll(&loop, 0);
    dump(); /* the newest first */
    assert_trace("line: joins a task\n"
                 "line: polls a condition\n"
                 "line: polls a condition\n"
                 "line: waits to write descriptor 300\n"
                 "line: waits for a flag\n"
                 "line: waits to read descriptor 5\n"
                 "line: waits in a line\n");
}

static void a_task_that_has_not_begun_is_shown_at_its_start(void **state)
{
    struct waiter frame = {.what = SLEEP};

    (void)state;
    spawn(0, waiter, &frame);
    dump();
    assert_trace("start: is ready\n");
}

static void a_task_that_was_let_go_is_ready(void **state)
{
    struct waiter frame = {.what = LINE};

    (void)state;
    spawn(0, waiter, &frame);
    (void)async_poll(&loop, 0);
    async_release(&loop, &semaphore);
    dump();
    assert_trace("line: is ready\n");
}

static void a_canceled_task_is_ready(void **state)
{
    struct waiter frame = {.what = SLEEP, .ms = 9};

    (void)state;
    spawn(0, waiter, &frame);
    (void)async_poll(&loop, 0);
    async_cancel(&loop, &tasks[0]);
    dump();
    assert_trace("line: is ready\n");
}

static void a_task_that_has_ended_is_not_shown(void **state)
{
    struct waiter done = {.what = SLEEP}, failed = {.what = SLEEP, .ms = 9};

    (void)state;
    spawn(0, waiter, &done);
    spawn(1, waiter, &failed);
    (void)async_poll(&loop, 0);
    async_cancel(&loop, &tasks[1]);
    (void)async_poll(&loop, 0);
    assert_int_equal(async_task_outcome(&tasks[1]), ASYNC_ECANCELED);
    dump();
    assert_trace("");
}

static async dumps(struct async_loop *on, void *frame)
{
    struct waiter *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, 1));
    async_dump(on, say, NULL);
    async_end();
}

static void a_task_may_dump_and_is_shown_as_the_one_that_runs(void **state)
{
    struct waiter frame = {0}, other = {.what = FLAG};

    (void)state;
    spawn(0, dumps, &frame);
    spawn(1, waiter, &other);
    (void)async_simulate(&loop, 0, 1);
    assert_trace("line: waits for a flag\n"
                 "line: runs\n");
}

static async frameless(struct async_loop *on, void *frame)
{
    (void)frame;
    return async_sleep_ms(on, 3);
}

static void a_task_without_a_frame_is_shown_without_a_line(void **state)
{
    (void)state;
    spawn(0, frameless, NULL);
    (void)async_poll(&loop, 0);
    dump();
    assert_trace("no frame: sleeps for another 3 ticks\n");
}

static void behind_the_semicolon_are_the_addresses(void **state)
{
    struct waiter first = {.what = SLEEP, .ms = 5};
    struct waiter second = {.what = JOIN, .task = &tasks[0]};
    char expected[128];

    (void)state;
    spawn(0, waiter, &first);
    spawn(1, waiter, &second);
    (void)async_poll(&loop, 0);

    async_dump_task(&loop, &tasks[0], keep, NULL);
    (void)snprintf(expected, sizeof expected, "; function %#lx, task %#lx",
                   (unsigned long)(uintptr_t)waiter,
                   (unsigned long)(uintptr_t)&tasks[0]);
    assert_string_equal(strchr(said, ';'), expected);

    async_dump_task(&loop, &tasks[1], keep, NULL);
    (void)snprintf(
        expected, sizeof expected, "; function %#lx, task %#lx, on %#lx",
        (unsigned long)(uintptr_t)waiter, (unsigned long)(uintptr_t)&tasks[1],
        (unsigned long)(uintptr_t)&tasks[0]);
    assert_string_equal(strchr(said, ';'), expected);
}

static void the_longest_text_fits(void **state)
{
    struct waiter frame = {.what = SLEEP, .ms = 1};

    (void)state;
    spawn(0, waiter, &frame);
    (void)async_poll(&loop, 0);
    tasks[0].wait_.on.deadline = ASYNC_FOREVER; /* a look only, then back */
    async_dump_task(&loop, &tasks[0], keep, NULL);
    tasks[0].wait_.on.deadline = 1;
    assert_non_null(strstr(said, " ticks; function 0x"));
    assert_non_null(strstr(said, ", task 0x"));
}

static void the_line_is_that_of_the_await(void **state)
{
    struct waiter frames[2] = {{.what = SLEEP, .ms = 1},
                               {.what = JOIN, .task = &tasks[0]}};
    char expected[128];
    int i;

    (void)state;
#ifdef ASYNC_USE_LABELS
    skip();
#endif
    assert_int_equal(async_frame_line(&frames[0].async), 0);
    for (i = 0; i < 2; i++)
        spawn(i, waiter, &frames[i]);
    (void)async_poll(&loop, 0);
    for (i = 0; i < 2; i++) {
        assert_int_equal(async_frame_line(&frames[i].async), frames[i].line);
        async_dump_task(&loop, &tasks[i], keep, NULL);
        (void)snprintf(expected, sizeof expected, "line %d: ", frames[i].line);
        assert_memory_equal(said, expected, strlen(expected));
    }
    settle();
    (void)async_poll(&loop, 1);
    assert_int_equal(async_frame_line(&frames[0].async), 0); /* the end */
}

/* Three functions that call each other, and below them one that is awaited. */
struct level {
    struct async_frame async;
    struct async_call_frame call;
    struct level *inner;
    struct waiter leaf;
    int line;
};

static async level(struct async_loop *on, void *frame)
{
    struct level *self = frame;

    async_begin(self);
    if (self->inner) {
        self->line = __LINE__ + 1;
        await(async_call(on, &self->call, level, self->inner));
    } else {
        self->leaf = (struct waiter){.what = SLEEP, .ms = 4};
        self->line = __LINE__ + 1;
        await(waiter(on, &self->leaf));
    }
    async_end();
}

static void calls_are_shown_from_the_inside_out(void **state)
{
    struct level levels[3] = {{.inner = &levels[1]}, {.inner = &levels[2]}};

    (void)state;
    spawn(0, level, levels);
    (void)async_poll(&loop, 0);
    dump();
    assert_trace("line: sleeps for another 4 ticks\n"
                 "  called from line\n"
                 "  called from line\n");
}

static char said_all[1024];

static void keep_all(void *arg, const char *text)
{
    (void)arg;
    strcat(strncat(said_all, text, strcspn(text, ";")), "\n");
}

struct busy {
    struct async_frame async;
    struct async_call_frame call;
    struct busy *calls;
    async_time first, second; /* how long each step takes */
    int from, to;
};

static async busy(struct async_loop *on, void *frame)
{
    struct busy *self = frame;

    async_begin(self);
    clock_is = (async_time)(clock_is + self->first);
    if (self->calls)
        await(async_call(on, &self->call, busy, self->calls));
    self->from = __LINE__ + 1;
    await(async_sleep_ms(on, 5));
    clock_is = (async_time)(clock_is + self->second);
    self->to = __LINE__ + 1;
    await(async_sleep_ms(on, 5));
    async_end();
}

/* What async_call_step_ is in a file of its own: another function. */
static async another_files_call_step(struct async_loop *on, void *frame)
{
    return async_call_step_(on, frame);
}

static void calls_made_in_another_file_are_shown_too(void **state)
{
    struct busy inner = {.first = 0}, outer = {.calls = &inner};

    (void)state;
    spawn(0, busy, &outer);
    (void)async_poll(&loop, 0);
    tasks[0].fn = another_files_call_step;
    dump();
    assert_trace("line: sleeps for another 5 ticks\n"
                 "  called from line\n");
    (void)async_simulate(&loop, 0, 100);
    assert_trace(""); /* no frame was overwritten */
}

static void the_lines_of_calls_are_right(void **state)
{
    struct level levels[2] = {{.inner = &levels[1]}};
    char expected[128];

    (void)state;
#ifdef ASYNC_USE_LABELS
    skip();
#endif
    spawn(0, level, levels);
    (void)async_poll(&loop, 0);
    said_all[0] = '\0';
    async_dump(&loop, keep_all, NULL);
    /* Of what is awaited plainly the outermost one is known. */
    (void)snprintf(expected, sizeof expected,
                   "line %d: sleeps for another 4 ticks\n"
                   "  called from line %d\n",
                   levels[1].line, levels[0].line);
    assert_string_equal(said_all, expected);
}

static void a_call_that_has_ended_is_not_shown(void **state)
{
    struct level levels[2] = {{.inner = &levels[1]}};
    struct waiter frame = {.what = FLAG};

    (void)state;
    spawn(0, level, levels);
    spawn(1, waiter, &frame);
    (void)async_simulate(&loop, 0, 10);
    dump();
    assert_trace("line: waits for a flag\n");
}

/* ---- stuck -------------------------------------------------------------- */

static void
tasks_that_join_each_other_are_reported_and_the_run_ends(void **state)
{
    struct waiter frames[2] = {{.what = JOIN, .task = &tasks[1]},
                               {.what = JOIN, .task = &tasks[0]}};

    (void)state;
    spawn(0, waiter, &frames[0]);
    spawn(1, waiter, &frames[1]);
    assert_int_equal(async_run(&loop, NULL, NULL), ASYNC_EDEADLK);
    assert_trace("nothing can ever wake these tasks: 2\n"
                 "line: joins a task\n"
                 "line: joins a task\n");
    assert_int_equal(async_alive(&loop), 2);
}

static void a_stuck_function_is_canceled_and_cleans_up(void **state)
{
    struct waiter frame = {.what = LINE, .closing = "cleans up"};

    (void)state;
    assert_int_equal(async_run(&loop, waiter, &frame), ASYNC_EDEADLK);
    assert_trace("nothing can ever wake these tasks: 1\n"
                 "line: waits in a line\n"
                 "cleans up\n");
    assert_int_equal(async_outcome(&frame.async), ASYNC_ECANCELED);
    assert_int_equal(async_alive(&loop), 0);
}

static void
a_function_that_is_stuck_in_its_clean_up_too_is_given_up(void **state)
{
    struct waiter frame = {
        .what = LINE, .closing = "cleans up", .closing_stuck = 1};

    (void)state;
    assert_int_equal(async_run(&loop, waiter, &frame), ASYNC_EDEADLK);
    assert_int_equal(async_alive(&loop), 0);
    assert_null(semaphore.line_);
    assert_sound();
    assert_trace("nothing can ever wake these tasks: 1\n"
                 "line: waits in a line\n"
                 "cleans up\n"
                 "nothing can ever wake these tasks: 1\n"
                 "line: waits in a line\n");
}

struct stubborn {
    struct async_frame async;
    int times, left;
};

/* Catches the cancel of each wait. */
static async stubborn(struct async_loop *on, void *frame)
{
    struct stubborn *self = frame;
    int status = 0;

    async_begin(self);
    while (self->times != self->left) {
        async_catch(status, async_acquire(on, &semaphore));
        assert_int_equal(status, ASYNC_ECANCELED);
        self->times++;
    }
    async_finally();
    trace("cleans up");
    async_end();
}

static void
a_function_that_is_stuck_again_after_a_caught_cancel_cleans_up(void **state)
{
    struct stubborn frame = {.left = 3};

    (void)state;
    assert_int_equal(async_run(&loop, stubborn, &frame), ASYNC_EDEADLK);
    assert_int_equal(frame.times, 3);
    assert_non_null(strstr(trace_text, "cleans up"));
    trace_clear();
}

static void a_function_that_catches_every_cancel_is_given_up(void **state)
{
    struct stubborn frame = {.left = -1};

    (void)state;
    assert_int_equal(async_run(&loop, stubborn, &frame), ASYNC_EDEADLK);
    assert_int_equal(async_alive(&loop), 0);
    trace_clear();
}

static void tasks_beside_a_stuck_function_live_on(void **state)
{
    struct waiter frame = {.what = LINE, .closing = "fn cleans up"};
    struct waiter other = {.what = LINE, .closing = "the other ends"};

    (void)state;
    spawn(0, waiter, &other);
    assert_int_equal(async_run(&loop, waiter, &frame), ASYNC_EDEADLK);
    assert_trace("nothing can ever wake these tasks: 2\n"
                 "line: waits in a line\n"
                 "line: waits in a line\n"
                 "fn cleans up\n"
                 "nothing can ever wake these tasks: 1\n"
                 "line: waits in a line\n");
    assert_int_equal(async_alive(&loop), 1);

    async_release(&loop, &semaphore);
    assert_int_equal(async_run(&loop, NULL, NULL), ASYNC_DONE);
    assert_trace("the other ends\n");
}

struct holder {
    struct async_frame async;
    struct async_task task;
    struct waiter waiter;
};

static async holds_a_permit(struct async_loop *on, void *frame)
{
    struct holder *self = frame;

    async_begin(self);
    self->waiter = (struct waiter){.what = LINE, .closing = "has got it"};
    (void)async_spawn(on, &self->task, waiter, &self->waiter);
    await(async_join(on, &self->task));
    async_finally();
    async_release(on, &semaphore);
    await(async_join(on, &self->task));
    async_end();
}

static void a_clean_up_may_free_the_others(void **state)
{
    struct holder frame = {.async = {0}};

    (void)state;
    assert_int_equal(async_run(&loop, holds_a_permit, &frame), ASYNC_EDEADLK);
    assert_trace("nothing can ever wake these tasks: 2\n"
                 "line: waits in a line\n"
                 "line: joins a task\n"
                 "has got it\n");
    assert_int_equal(async_alive(&loop), 0);
}

static void a_run_that_only_sleeps_is_not_stuck(void **state)
{
    struct waiter frame = {.what = SLEEP, .ms = 1, .rounds = 3};

    (void)state;
    assert_int_equal(async_run(&loop, waiter, &frame), ASYNC_DONE);
    assert_trace("");
}

static void sets_the_flag(void)
{
    async_flag_set(&loop, &flag);
}

static void a_run_that_waits_for_a_flag_is_not_stuck(void **state)
{
    struct waiter frame = {.what = FLAG};

    (void)state;
    before_poll = sets_the_flag; /* as a signal handler does */
    assert_int_equal(async_run(&loop, waiter, &frame), ASYNC_DONE);
    assert_trace("");
}

static void makes_it_true(void)
{
    condition = 1;
}

static void a_run_that_polls_a_condition_is_not_stuck(void **state)
{
    struct waiter until = {.what = UNTIL}, bare = {.what = BARE};

    (void)state;
    before_poll = makes_it_true;
    assert_int_equal(async_run(&loop, waiter, &until), ASYNC_DONE);
    condition = 0;
    assert_int_equal(async_run(&loop, waiter, &bare), ASYNC_DONE);
    assert_trace("");
}

static int pipe_fds[2];

static void writes_into_the_pipe(void)
{
    assert_int_equal(write(pipe_fds[1], "", 1), 1);
}

static void a_run_that_waits_for_a_descriptor_is_not_stuck(void **state)
{
    struct waiter frame = {.what = READ};

    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    frame.fd = pipe_fds[0];
    before_poll = writes_into_the_pipe;
    assert_int_equal(async_run(&loop, waiter, &frame), ASYNC_DONE);
    assert_trace("");
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
}

static void releases(struct async_loop *on, struct async_timer *timer)
{
    (void)timer;
    async_release(on, &semaphore);
}

static void a_run_whose_tasks_a_timer_will_wake_is_not_stuck(void **state)
{
    struct waiter frame = {.what = LINE};
    struct async_timer timer = {.fn = NULL};

    (void)state;
    async_timer_start(&loop, &timer, 2, releases, NULL);
    assert_int_equal(async_run(&loop, waiter, &frame), ASYNC_DONE);
    assert_trace("");
}

/* A job that is certain to run when the loop has nothing to do. */
struct offloader {
    struct async_frame async;
    struct async_executor *executor;
    struct async_job job;
};

static int reads_from_the_pipe(struct async_job *job, void *arg)
{
    char byte;

    (void)job;
    (void)arg;
    return read(pipe_fds[0], &byte, 1) == 1 ? 0 : ASYNC_EINVAL;
}

static async offloader(struct async_loop *on, void *frame)
{
    struct offloader *self = frame;

    async_begin(self);
    await(async_offload(on, self->executor, &self->job, reads_from_the_pipe,
                        NULL));
    async_end();
}

static void a_run_that_waits_for_jobs_is_not_stuck(void **state)
{
    static struct async_executor executor;
    struct offloader frames[5];
    int i;

    (void)state;
    memset(frames, 0, sizeof frames);
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(async_executor_start(&executor, 1, 1), 0);
    for (i = 0; i < 5; i++) { /* one runs, one is queued, the others wait */
        frames[i].executor = &executor;
        spawn(i, offloader, &frames[i]);
    }
    before_poll = writes_into_the_pipe;
    poll_may_wait = 1;
    assert_int_equal(async_run(&loop, NULL, NULL), ASYNC_DONE);
    assert_trace("");
    (void)async_executor_stop(&executor, ASYNC_STOP_DRAIN);
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
}

static void async_stuck_tells_a_host_of_its_own(void **state)
{
    struct waiter in_line = {.what = LINE}, sleeper = {.what = SLEEP, .ms = 5};

    (void)state;
    assert_false(async_stuck(&loop)); /* nobody lives */
    spawn(0, waiter, &in_line);
    assert_false(async_stuck(&loop)); /* it is ready */
    (void)async_poll(&loop, 0);
    assert_true(async_stuck(&loop));
    async_wake(&loop);
    assert_false(async_stuck(&loop)); /* a poll is due */
    (void)async_poll(&loop, 0);
    assert_true(async_stuck(&loop));
    spawn(1, waiter, &sleeper);
    (void)async_poll(&loop, 0);
    assert_false(async_stuck(&loop)); /* who knows what the sleeper does */
    (void)async_poll(&loop, 5);
    assert_true(async_stuck(&loop));
    async_release(&loop, &semaphore);
    assert_false(async_stuck(&loop));
    (void)async_poll(&loop, 5);
    assert_false(async_stuck(&loop));
    assert_trace("");
}

static void a_timer_that_was_only_just_started_is_not_stuck(void **state)
{
    struct waiter frame = {.what = LINE};
    struct async_timer timer = {.fn = NULL};

    (void)state;
    spawn(0, waiter, &frame);
    (void)async_poll(&loop, 0);
    async_timer_start(&loop, &timer, 2, releases, NULL);
    assert_false(async_stuck(&loop));
    async_timer_stop(&loop, &timer);
    assert_true(async_stuck(&loop));
}

/* ---- steps -------------------------------------------------------------- */

static void a_slow_step_is_told_of(void **state)
{
    struct busy frame = {.first = 99, .second = 100}; /* 100 ms is slow */

    (void)state;
    debug.clock = clock_now;
    spawn(0, busy, &frame);
    (void)async_poll(&loop, 0);
    assert_trace("");
    (void)async_poll(&loop, 5);
    assert_trace("a step took 100 ticks, in which nothing else ran:\n"
                 "  from line\n"
                 "  to line\n");
}

static void the_lines_of_a_slow_step_are_right(void **state)
{
    struct busy frame = {.second = 7};
    char expected[128];

    (void)state;
#ifdef ASYNC_USE_LABELS
    skip();
#endif
    debug.say = keep_all;
    debug.clock = clock_now;
    debug.slow = 7;
    said_all[0] = '\0';
    spawn(0, busy, &frame);
    (void)async_poll(&loop, 0);
    (void)async_poll(&loop, 5);
    (void)snprintf(expected, sizeof expected,
                   "a step took 7 ticks, in which nothing else ran:\n"
                   "  from line %d\n"
                   "  to line %d\n",
                   frame.from, frame.to);
    assert_string_equal(said_all, expected);
}

static async ends_slowly(struct async_loop *on, void *frame)
{
    struct busy *self = frame;

    (void)on;
    async_begin(self);
    clock_is = (async_time)(clock_is + self->first);
    async_end();
}

static void a_slow_step_from_the_start_to_the_end_is_told_of(void **state)
{
    struct busy frame = {.first = 1000};

    (void)state;
    debug.clock = clock_now;
    spawn(0, ends_slowly, &frame);
    (void)async_poll(&loop, 0);
    assert_trace("a step took 1000 ticks, in which nothing else ran:\n"
                 "  from start\n"
                 "  to end\n");
}

static async closes_slowly(struct async_loop *on, void *frame)
{
    struct busy *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, 5));
    async_finally();
    clock_is = (async_time)(clock_is + self->first);
    async_end();
}

static void a_slow_clean_up_after_a_cancel_is_told_of(void **state)
{
    struct busy frame = {.first = 1000};

    (void)state;
    debug.clock = clock_now;
    spawn(0, closes_slowly, &frame);
    (void)async_poll(&loop, 0);
    async_cancel(&loop, &tasks[0]);
    (void)async_poll(&loop, 0);
    assert_trace("a step took 1000 ticks, in which nothing else ran:\n"
                 "  from line\n"
                 "  to end\n");
}

static void a_slow_step_names_the_function_that_was_called(void **state)
{
    struct busy inner = {.second = 200}, outer = {.calls = &inner};
    char expected[128];

    (void)state;
    debug.clock = clock_now;
    debug.say = keep;
    said[0] = '\0';
    spawn(0, busy, &outer);
    (void)async_poll(&loop, 0);
    assert_string_equal(said, "");
    (void)async_poll(&loop, 5);
    (void)snprintf(expected, sizeof expected, "; function %#lx",
                   (unsigned long)(uintptr_t)busy);
    assert_string_equal(strchr(said, ';'), expected);
    assert_memory_equal(said, "  to ", 5);
#ifndef ASYNC_USE_LABELS
    (void)snprintf(expected, sizeof expected, "  to line %d;", inner.to);
    assert_memory_equal(said, expected, strlen(expected));
#endif
}

static void what_is_slow_can_be_set(void **state)
{
    struct busy frame = {.first = 19, .second = 20};

    (void)state;
    debug.clock = clock_now;
    debug.slow = 20;
    spawn(0, busy, &frame);
    (void)async_poll(&loop, 0);
    (void)async_poll(&loop, 5);
    assert_trace("a step took 20 ticks, in which nothing else ran:\n"
                 "  from line\n"
                 "  to line\n");
}

static void without_a_clock_no_step_is_slow(void **state)
{
    struct busy frame = {.first = 5000};

    (void)state;
    spawn(0, busy, &frame);
    (void)async_poll(&loop, 0);
    assert_trace("");
}

static void a_clock_that_wraps_makes_no_step_slow(void **state)
{
    struct busy frame = {.first = 9};

    (void)state;
    clock_is = (async_time)-5;
    debug.clock = clock_now;
    spawn(0, busy, &frame);
    (void)async_poll(&loop, 0);
    assert_trace("");
}

static void steps_are_counted(void **state)
{
    struct waiter frame = {.what = SLEEP, .ms = 1, .rounds = 9};

    (void)state;
    spawn(0, waiter, &frame);
    (void)async_simulate(&loop, 0, 100);
    assert_int_equal(debug.steps, 11);
    assert_int_equal(async_looks(&loop), 0);
}

static void a_spin_shows_in_the_looks(void **state)
{
    struct waiter frame = {.what = BARE};

    (void)state;
    spawn(0, waiter, &frame);
    (void)async_simulate(&loop, 0, 1000);
    assert_int_equal(async_looks(&loop), 1000);
}

static void what_is_not_watched_any_more_says_nothing(void **state)
{
    struct busy frame = {.first = 5000};

    (void)state;
    debug.clock = clock_now;
    async_debug_stop(&loop);
    spawn(0, busy, &frame);
    (void)async_poll(&loop, 0);
    assert_trace("");
    assert_int_equal(debug.steps, 0);
}

static void starts_without_a_say_function(void *argument)
{
    static struct async_debug mute;

    (void)argument;
    async_debug_start(&loop, &mute);
}

static void a_watch_that_could_say_nothing_is_caught(void **state)
{
    (void)state;
    assert_stops("async_debug_start without a say function",
                 starts_without_a_say_function, NULL);
}

/* ---- overwritten frames ------------------------------------------------- */

static void a_frame_overwritten_while_it_waits_is_told_of(void **state)
{
    struct waiter frame = {.what = SLEEP, .ms = 5};

    (void)state;
    spawn(0, waiter, &frame);
    (void)async_poll(&loop, 0);
    frame = (struct waiter){.what = SLEEP, .ms = 5}; /* a second request */
    assert_trace("");
    (void)async_poll(&loop, 5);
    assert_trace("a frame was overwritten while its function waited, and this "
                 "one began anew:\n"
                 "end: runs\n"); /* its wait was over */
}

static void a_called_frame_overwritten_while_it_waits_is_told_of(void **state)
{
    struct busy inner = {.first = 0}, outer = {.calls = &inner};

    (void)state;
    spawn(0, busy, &outer);
    (void)async_poll(&loop, 0);
    inner = (struct busy){.first = 0};
    (void)async_poll(&loop, 5);
    assert_trace("a frame was overwritten while its function waited, and this "
                 "one began anew:\n"
                 "line: runs\n"
                 "  called from line\n");
}

/* Waits by another function's frame, its own stays as it is. */
struct wrapper {
    struct async_frame async;
    struct waiter waiter;
};

static async wrapper(struct async_loop *on, void *frame)
{
    struct wrapper *self = frame;

    return waiter(on, &self->waiter);
}

static void a_function_that_leaves_its_frame_alone_is_not_told_of(void **state)
{
    struct wrapper frame = {.waiter = {.what = SLEEP, .ms = 5, .rounds = 3}};

    (void)state;
    spawn(0, wrapper, &frame);
    (void)async_simulate(&loop, 0, 100);
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_DONE);
    assert_trace("");
}

/* ---- lost wakes --------------------------------------------------------- */

static size_t sweep(void)
{
    return async_sweep(&loop, say, NULL);
}

static void a_sweep_finds_a_flag_that_was_set_on_another_loop(void **state)
{
    struct waiter frame = {.what = FLAG, .closing = "it ends"};
    static struct async_loop another;

    (void)state;
    async_loop_init(&another);
    spawn(0, waiter, &frame);
    (void)async_poll(&loop, 0);
    async_flag_set(&another, &flag);
    assert_true(async_poll(&loop, 1) == ASYNC_FOREVER);
    assert_trace("");

    assert_int_equal(sweep(), 1);
    assert_trace("it ends\n"
                 "wakes were lost, these tasks went on only now:\n"
                 "line: waits for a flag\n");
    assert_int_equal(async_alive(&loop), 0);
    assert_sound();
}

static void
a_sweep_finds_a_task_that_waits_for_the_same_flag_again(void **state)
{
    struct waiter frames[3] = {{.what = FLAG, .rounds = 9},
                               {.what = FLAG, .rounds = 9},
                               {.what = FLAG, .rounds = 9}};
    int others, which, i;

    (void)state;
    for (others = 0; others < 3; others++) /* alone, and among others */
        for (which = 0; which <= others; which++) {
            assert_int_equal(setup(NULL), 0);
            for (i = 0; i <= others; i++) {
                memset(&frames[i].async, 0, sizeof frames[i].async);
                spawn(i, waiter, &frames[i]);
                (void)async_poll(&loop, 0);
            }
            flag.set_ = 1; /* as by another loop */
            assert_int_equal(sweep(), 1);
            assert_trace("wakes were lost, these tasks went on only now:\n"
                         "line: waits for a flag\n");
            assert_int_equal(sweep(), 0);
            assert_trace("");
            assert_sound();
        }
}

static async either(struct async_loop *on, void *frame)
{
    struct waiter *self = frame;

    async_begin(self);
    await(condition || async_sleep_ms(on, 1000));
    await(async_acquire(on, &semaphore));
    async_end();
}

static void a_sweep_finds_a_condition_that_a_task_does_not_poll(void **state)
{
    struct waiter frame = {.what = SLEEP};

    (void)state;
    spawn(0, either, &frame);
    (void)async_poll(&loop, 0);
    assert_int_equal(sweep(), 0);
    condition = 1;
    assert_int_equal(sweep(), 1);
    assert_trace("wakes were lost, these tasks went on only now:\n"
                 "line: sleeps for another 1000 ticks\n");
    assert_sound();
}

static void a_sweep_finds_nothing_where_nothing_is_lost(void **state)
{
    struct waiter frames[8] = {
        {.what = SLEEP, .ms = 9},
        {.what = LINE},
        {.what = READ, .fd = 5},
        {.what = WRITE, .fd = 6},
        {.what = FLAG},
        {.what = FLAG},
        {.what = JOIN, .task = &tasks[0]},
        {.what = SLEEP, .ms = 9},
    };
    int i;

    (void)state;
    async_attach(&loop, &host);
    for (i = 0; i < 8; i++)
        spawn(i, waiter, &frames[i]);
    (void)async_poll(&loop, 0);
    assert_int_equal(sweep(), 0);
    assert_int_equal(sweep(), 0);
    assert_trace("");
    assert_sound();

    (void)async_poll(&loop, 9); /* all goes on as if nothing had been */
    async_flag_set(&loop, &flag);
    (void)async_poll(&loop, 9);
    assert_int_equal(async_alive(&loop), 4);
    assert_int_equal(async_task_outcome(&tasks[4]), ASYNC_DONE);
}

static void a_sweep_leaves_plain_conditions_to_the_polls(void **state)
{
    struct waiter frames[2] = {{.what = UNTIL}, {.what = BARE}};

    (void)state;
    spawn(0, waiter, &frames[0]);
    spawn(1, waiter, &frames[1]);
    (void)async_poll(&loop, 0);
    condition = 1;
    assert_int_equal(sweep(), 0);
    assert_trace("");
    assert_int_equal(async_looks(&loop), 0);
    (void)async_poll(&loop, 1);
    assert_int_equal(async_alive(&loop), 0);
}

static void a_sweep_leaves_alone_what_is_ready(void **state)
{
    struct waiter frame = {.what = FLAG};

    (void)state;
    spawn(0, waiter, &frame);
    assert_int_equal(sweep(), 0);
    assert_int_equal(debug.steps, 0);
    assert_trace("");
}

static async sweeps(struct async_loop *on, void *frame)
{
    struct waiter *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, 1));
    trace("%d", (int)async_sweep(on, say, NULL));
    assert_true(async_current(on) == &tasks[0]);
    async_yield(); /* what others did is not taken for its own */
    trace("the sweeper ends");
    async_end();
}

static void a_task_may_sweep(void **state)
{
    struct waiter frames[3] = {
        {.what = SLEEP}, {.what = FLAG, .closing = "it ends"}, {.what = FLAG}};

    (void)state;
    spawn(0, sweeps, &frames[0]);
    spawn(1, waiter, &frames[1]);
    spawn(2, waiter, &frames[2]);
    (void)async_poll(&loop, 0);
    flag.set_ = 1;
    frames[1].rounds = 0;
    (void)async_simulate(&loop, 0, 9);
    /* tasks[2] is the newer one, and took the flag. */
    assert_trace("wakes were lost, these tasks went on only now:\n"
                 "line: waits for a flag\n"
                 "1\n"
                 "the sweeper ends\n");
    assert_int_equal(async_alive(&loop), 1);
    assert_sound();
}

static async sweeps_when_swept(struct async_loop *on, void *frame)
{
    struct waiter *self = frame;

    async_begin(self);
    await(async_flag_wait(on, &flag));
    flag.set_ = 1; /* for the next one */
    trace("%d", (int)async_sweep(on, say, NULL));
    async_end();
}

static void a_sweep_within_a_sweep_does_nothing(void **state)
{
    struct waiter frames[3] = {{.what = FLAG}};
    int i;

    (void)state;
    for (i = 0; i < 3; i++)
        spawn(i, sweeps_when_swept, &frames[i]);
    (void)async_poll(&loop, 0);
    flag.set_ = 1;
    assert_int_equal(sweep(), 3);
    assert_trace("0\n"
                 "wakes were lost, these tasks went on only now:\n"
                 "line: waits for a flag\n"
                 "0\n"
                 "line: waits for a flag\n"
                 "0\n"
                 "line: waits for a flag\n");
    assert_sound();
}

static int notified;

static void count_notify(void *arg)
{
    (void)arg;
    notified++;
}

static const struct async_host counting_host = {count_notify, NULL, NULL};

static struct async_timer passing;

static async passes_on(struct async_loop *on, void *frame)
{
    struct waiter *self = frame;

    async_begin(self);
    await(async_flag_wait(on, &flag));
    async_release(on, &semaphore);
    async_timer_start(on, &passing, 5, releases, NULL);
    async_end();
}

static void a_sweep_between_polls_notifies_the_host_at_its_end(void **state)
{
    struct waiter frame = {.what = LINE}, other = {.what = FLAG};

    (void)state;
    spawn(0, waiter, &frame);
    spawn(1, passes_on, &other);
    (void)async_poll(&loop, 0);
    flag.set_ = 1;
    async_attach(&loop, &counting_host);
    notified = 0;
    assert_int_equal(sweep(), 1);
    assert_int_equal(notified, 1);
    (void)async_poll(&loop, 0);
    assert_int_equal(async_alive(&loop), 0);
    trace_clear();
}

/* ---- shuffle ------------------------------------------------------------ */

struct turns {
    struct async_frame async;
    int name, turns;
};

static async turns(struct async_loop *on, void *frame)
{
    struct turns *self = frame;

    (void)on;
    async_begin(self);
    for (; self->turns > 0; self->turns--) {
        trace_text[trace_length++] = (char)('a' + self->name);
        trace_text[trace_length] = '\0';
        async_yield();
    }
    async_end();
}

/* The order in which `count` tasks take `rounds` turns. */
static const char *order_of(uint32_t seed, int count, int rounds)
{
    static struct async_task many[26];
    static struct turns frames[26];
    int i;

    async_loop_init(&loop);
    memset(&debug, 0, sizeof debug);
    memset(many, 0, sizeof many);
    debug.say = say;
    debug.shuffle = seed;
    async_debug_start(&loop, &debug);
    trace_clear();
    for (i = 0; i < count; i++) {
        frames[i] = (struct turns){.name = i, .turns = rounds};
        (void)async_spawn(&loop, &many[i], turns, &frames[i]);
    }
    settle();
    assert_int_equal(async_alive(&loop), 0);
    return trace_text;
}

static void a_shuffle_says_its_seed(void **state)
{
    (void)state;
    debug.shuffle = 4000000000u;
    async_debug_start(&loop, &debug);
    assert_trace("what is ready runs in an order of chance, seed 4000000000\n");
}

static void without_a_seed_the_first_come_is_the_first_served(void **state)
{
    (void)state;
    assert_string_equal(order_of(0, 4, 3), "abcdabcdabcd");
}

static void the_same_seed_is_the_same_order(void **state)
{
    char first[128];
    uint32_t seed;

    (void)state;
    for (seed = 1; seed < 50; seed++) {
        strcpy(first, order_of(seed, 26, 4));
        assert_string_equal(order_of(seed, 26, 4), first);
    }
    trace_clear();
}

static void another_seed_is_another_order(void **state)
{
    char first[128];

    (void)state;
    strcpy(first, order_of(1, 26, 1));
    assert_string_not_equal(order_of(2, 26, 1), first);
    assert_string_not_equal(order_of(3, 26, 1), first);
    assert_string_not_equal(first, "abcdefghijklmnopqrstuvwxyz");
    trace_clear();
}

static void every_order_of_three_comes_up(void **state)
{
    char seen[7][4] = {""};
    int count = 0, i;
    uint32_t seed;

    (void)state;
    for (seed = 1; seed < 200; seed++) {
        const char *order = order_of(seed, 3, 1);

        for (i = 0; i < count && strcmp(seen[i], order); i++)
            ;
        assert_true(i < 6);
        if (i == count)
            strcpy(seen[count++], order);
    }
    assert_int_equal(count, 6);
    trace_clear();
}

static void each_task_runs_once_before_any_runs_twice(void **state)
{
    uint32_t seed;
    int count, round, i;

    (void)state;
    for (seed = 1; seed < 50; seed++)
        for (count = 1; count <= 26; count++) {
            const char *order = order_of(seed, count, 4);

            for (round = 0; round < 4; round++) {
                unsigned once = 0;

                for (i = 0; i < count; i++)
                    once |= 1u << (*order++ - 'a');
                if (once != (1u << count) - 1)
                    fail_msg("seed %u, %d tasks: %s", (unsigned)seed, count,
                             trace_text);
            }
        }
    trace_clear();
}

static void a_shuffle_of_very_many_tasks_loses_none(void **state)
{
    static struct async_task many[3000];
    static struct waiter frames[3000];
    int i;

    (void)state;
    memset(many, 0, sizeof many);
    debug.shuffle = 7;
    async_debug_start(&loop, &debug);
    trace_clear();
    for (i = 0; i < 3000; i++) {
        frames[i] = (struct waiter){.what = SLEEP, .rounds = 3};
        (void)async_spawn(&loop, &many[i], waiter, &frames[i]);
    }
    settle();
    assert_int_equal(async_alive(&loop), 0);
    assert_int_equal(debug.steps, 3000 * 5);
    assert_sound();
}

/* ---- check -------------------------------------------------------------- */

#define LIST_IS_BROKEN                                                         \
    "the list of live tasks is broken: one was overwritten, or given back"
#define QUEUE_IS_BROKEN                                                        \
    "the queue of ready tasks is broken: one was overwritten, or given back"
#define LINE_IS_BROKEN                                                         \
    "a line is broken: a task that waits there was overwritten, or given back"

/* Six tasks: two sleep, two wait for the flag, one in line, one is ready. */
static struct waiter six[6];

static void six_tasks(void)
{
    static const enum what what[6] = {SLEEP, FLAG, LINE, SLEEP, FLAG, SLEEP};
    int i;

    assert_int_equal(setup(NULL), 0);
    for (i = 0; i < 6; i++) {
        six[i] = (struct waiter){.what = what[i], .ms = 10};
        spawn(i, waiter, &six[i]);
        if (i < 5)
            (void)async_poll(&loop, 0);
    }
    assert_sound();
}

static void a_sound_loop_passes_the_check(void **state)
{
    (void)state;
    assert_sound();
    six_tasks();
    settle();
    assert_sound();
    async_flag_set(&loop, &flag);
    assert_sound();
    (void)async_poll(&loop, 10);
    assert_sound();
}

static void an_overwritten_task_is_found(void **state)
{
    static const unsigned char with[] = {0x00, 0xFF, 0xA5};
    int i;
    size_t j;

    (void)state;
    for (i = 0; i < 6; i++) /* the oldest, the newest, those between */
        for (j = 0; j < sizeof with; j++) {
            six_tasks();
            memset(&tasks[i], with[j], sizeof tasks[i]);
            assert_string_equal(async_loop_check(&loop), LIST_IS_BROKEN);
        }
}

static void a_task_given_back_to_somebody_else_is_found(void **state)
{
    struct async_loop another;

    (void)state;
    six_tasks();
    async_loop_init(&another);
    tasks[2] = (struct async_task){.fn = NULL};
    (void)async_spawn(&another, &tasks[2], waiter, &six[2]);
    assert_string_equal(async_loop_check(&loop), LIST_IS_BROKEN);
}

static void a_task_whose_first_bytes_were_overwritten_is_found(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 6; i++) {
        six_tasks();
        memset(&tasks[i].wait_, 0, sizeof tasks[i].wait_);
        assert_string_equal(async_loop_check(&loop), LIST_IS_BROKEN);
    }
}

static void a_lost_task_is_found(void **state)
{
    (void)state;
    six_tasks();
    loop.alive_++;
    assert_string_equal(async_loop_check(&loop), LIST_IS_BROKEN);
}

static void a_task_neither_ready_nor_waiting_is_found(void **state)
{
    (void)state;
    six_tasks();
    tasks[0].wait_.kind = ASYNC_WAIT_NONE_;
    assert_string_equal(
        async_loop_check(&loop),
        "a live task is neither ready nor waiting: it was overwritten");
}

static void a_task_that_waits_in_no_line_is_found(void **state)
{
    (void)state;
    six_tasks();
    tasks[2].wait_.next = NULL;
    assert_string_equal(async_loop_check(&loop),
                        "a live task waits in no line: it was overwritten");
}

static void a_broken_ready_queue_is_found(void **state)
{
    (void)state;
    six_tasks();
    spawn(6, waiter, &six[0]);
    spawn(7, waiter, &six[0]);
    assert_sound();
    loop.ready_ = NULL; /* nobody is in it */
    assert_string_equal(async_loop_check(&loop), QUEUE_IS_BROKEN);
    loop.ready_ = &tasks[7];
    tasks[6].next_ = &tasks[6]; /* it never comes to its end */
    assert_string_equal(async_loop_check(&loop), QUEUE_IS_BROKEN);
    tasks[7].next_ = &tasks[7]; /* one is left out */
    assert_string_equal(async_loop_check(&loop), QUEUE_IS_BROKEN);
    tasks[7].next_ = &tasks[0]; /* one who is not ready stands in it */
    tasks[0].next_ = NULL;
    assert_string_equal(async_loop_check(&loop), QUEUE_IS_BROKEN);
}

static void a_broken_line_of_lookers_is_found(void **state)
{
    (void)state;
    six_tasks();
    loop.lookers_ = NULL;
    assert_string_equal(async_loop_check(&loop), LINE_IS_BROKEN);
    six_tasks();
    loop.lookers_ = &tasks[0].wait_; /* a sleeper */
    assert_string_equal(async_loop_check(&loop), LINE_IS_BROKEN);
    six_tasks();
    tasks[1].wait_.next = &tasks[1].wait_; /* one is left out */
    tasks[1].wait_.prev = &tasks[1].wait_;
    assert_string_equal(async_loop_check(&loop), LINE_IS_BROKEN);
}

static void a_broken_line_of_a_lock_is_found(void **state)
{
    struct waiter frame = {.what = LINE};

    (void)state;
    six_tasks();
    spawn(6, waiter, &frame);
    (void)async_poll(&loop, 0);
    assert_sound();
    tasks[2].wait_.prev = &tasks[2].wait_;
    assert_string_equal(async_loop_check(&loop), LINE_IS_BROKEN);
}

static void a_broken_line_of_a_descriptor_is_found(void **state)
{
    struct waiter frame = {.what = READ, .fd = 5};
    struct async_wait_ **line = async_fd_line_(&loop, 5);

    (void)state;
    six_tasks();
    async_attach(&loop, &host);
    spawn(6, waiter, &frame);
    (void)async_poll(&loop, 0);
    assert_sound();
    *line = NULL;
    assert_string_equal(async_loop_check(&loop), LINE_IS_BROKEN);
}

static void
a_failed_task_that_is_gone_before_it_was_joined_is_found(void **state)
{
    (void)state;
    six_tasks();
    async_cancel(&loop, &tasks[0]);
    async_cancel(&loop, &tasks[3]);
    settle();
    assert_sound();
    memset(&tasks[3], 0, sizeof tasks[3]);
    assert_string_equal(async_loop_check(&loop),
                        "a failed task that nobody has joined was overwritten, "
                        "or given back");
}

/* ---- the check against random programs ---------------------------------- */

enum { ACTORS = 12 };

static struct async_task actor_tasks[ACTORS];
static struct actor {
    struct async_frame async;
    struct async_timer limit;
    struct async_call_frame call;
    struct waiter waiter;
    int left, action, other, status, holds;
} actors[ACTORS];
static struct async_timer timers[4];
static uint32_t chance;

static int chance_of(int count)
{
    chance ^= chance << 13;
    chance ^= chance >> 17;
    chance ^= chance << 5;
    return (int)(chance % (uint32_t)count);
}

static void random_timer(struct async_loop *on, struct async_timer *timer)
{
    (void)timer;
    if (chance_of(2))
        async_flag_set(on, &flag);
    else
        condition = 1;
}

/* What can be done without waiting: from a task, or between polls. */
static void random_change(void)
{
    int which = chance_of(ACTORS);

    switch (chance_of(5)) {
    case 0:
        async_cancel(&loop, &actor_tasks[which]);
        break;
    case 1:
        async_flag_set(&loop, &flag);
        break;
    case 2:
        async_timer_start(&loop, &timers[which % 4], (async_time)chance_of(200),
                          random_timer, NULL);
        break;
    case 3:
        async_timer_stop(&loop, &timers[which % 4]);
        break;
    default:
        condition = chance_of(2);
        break;
    }
}

static async actor(struct async_loop *on, void *frame);

static void random_spawn(void)
{
    int which = chance_of(ACTORS);

    if (actor_tasks[which].wait_.flags & ASYNC_IS_ALIVE_)
        return;
    actors[which] = (struct actor){.left = chance_of(9)};
    (void)async_spawn(&loop, &actor_tasks[which], actor, &actors[which]);
}

/* Each wait has a limit, so that no two wait for each other for ever. */
#define RANDOMLY(x)                                                            \
    async_catch(self->status, async_timeout(on, &self->limit,                  \
                                            (uint32_t)(self->other * 9), x))

static async actor(struct async_loop *on, void *frame)
{
    struct actor *self = frame;

    async_begin(self);
    for (; self->left > 0; self->left--) {
        self->other = chance_of(ACTORS);
        self->action = chance_of(12);
        self->holds = 0;
        self->waiter = (struct waiter){.what = self->action % 2 ? SLEEP : LINE,
                                       .ms = (uint32_t)chance_of(99)};
        if (self->action == 0)
            RANDOMLY(async_sleep_ms(on, self->waiter.ms));
        else if (self->action == 1)
            RANDOMLY(async_yield_now(on));
        else if (self->action == 2)
            RANDOMLY(async_flag_wait(on, &flag));
        else if (self->action == 3)
            RANDOMLY(async_until(on, condition));
        else if (self->action == 4 && actor_tasks[self->other].fn)
            RANDOMLY(async_join(on, &actor_tasks[self->other]));
        else if (self->action == 5 || self->action == 6)
            RANDOMLY(async_call(on, &self->call, waiter, &self->waiter));
        else if (self->action == 7)
            RANDOMLY(waiter(on, &self->waiter));
        else if (self->action == 8)
            RANDOMLY(async_readable(on, self->other * 64));
        else if (self->action == 9)
            async_yield();
        else if (self->action == 10)
            random_spawn();
        else
            random_change();
        if (chance_of(9) == 0)
            async_fail(ASYNC_ECLOSED);
        if (chance_of(9) == 0)
            async_release(on, &semaphore);
    }
    async_finally();
    if (chance_of(3) == 0)
        await(async_sleep_ms(on, 3));
    async_end();
}

static void the_check_holds_after_every_poll_of_random_programs(void **state)
{
    uint32_t seed;
    size_t polls = 0;

    (void)state;
    for (seed = 1; seed <= 1000; seed++) {
        async_time now = 0;
        int round;

        (void)setup(NULL);
        async_attach(&loop, &host);
        memset(actor_tasks, 0, sizeof actor_tasks);
        memset(actors, 0, sizeof actors);
        memset(timers, 0, sizeof timers);
        chance = seed;
        debug.shuffle = seed % 2 ? seed : 0;
        async_debug_start(&loop, &debug);
        trace_clear();
        for (round = 0; round < 200; round++) {
            const char *wrong;
            async_time ticks = async_poll(&loop, now);

            polls++;
            wrong = async_loop_check(&loop);
            if (!wrong && chance_of(4) == 0) {
                (void)async_sweep(&loop, keep, NULL);
                wrong = async_loop_check(&loop);
            }
            random_spawn();
            random_change();
            async_ready(&loop, chance_of(ACTORS) * 64, ASYNC_READABLE);
            if (!wrong)
                wrong = async_loop_check(&loop);
            if (wrong)
                fail_msg("seed %u, round %d: %s", (unsigned)seed, round, wrong);
            now = (async_time)(now + (ticks > 50 ? 50 : ticks));
        }
        assert_trace("");
    }
    assert_int_equal(polls, 200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        debug_claim(a_dump_of_an_empty_loop_says_nothing),
        debug_claim(a_sleeper_is_shown_with_the_ticks_that_are_left),
        debug_claim(every_other_wait_has_its_words_too),
        debug_claim(a_task_that_has_not_begun_is_shown_at_its_start),
        debug_claim(a_task_that_was_let_go_is_ready),
        debug_claim(a_canceled_task_is_ready),
        debug_claim(a_task_that_has_ended_is_not_shown),
        debug_claim(a_task_may_dump_and_is_shown_as_the_one_that_runs),
        debug_claim(a_task_without_a_frame_is_shown_without_a_line),
        debug_claim(behind_the_semicolon_are_the_addresses),
        debug_claim(the_longest_text_fits),
        debug_claim(the_line_is_that_of_the_await),
        debug_claim(calls_are_shown_from_the_inside_out),
        debug_claim(calls_made_in_another_file_are_shown_too),
        debug_claim(the_lines_of_calls_are_right),
        debug_claim(a_call_that_has_ended_is_not_shown),
        debug_claim(tasks_that_join_each_other_are_reported_and_the_run_ends),
        debug_claim(a_stuck_function_is_canceled_and_cleans_up),
        debug_claim(a_function_that_is_stuck_in_its_clean_up_too_is_given_up),
        debug_claim(
            a_function_that_is_stuck_again_after_a_caught_cancel_cleans_up),
        debug_claim(a_function_that_catches_every_cancel_is_given_up),
        debug_claim(tasks_beside_a_stuck_function_live_on),
        debug_claim(a_clean_up_may_free_the_others),
        debug_claim(a_run_that_only_sleeps_is_not_stuck),
        debug_claim(a_run_that_waits_for_a_flag_is_not_stuck),
        debug_claim(a_run_that_polls_a_condition_is_not_stuck),
        debug_claim(a_run_that_waits_for_a_descriptor_is_not_stuck),
        debug_claim(a_run_whose_tasks_a_timer_will_wake_is_not_stuck),
        debug_claim(a_run_that_waits_for_jobs_is_not_stuck),
        debug_claim(async_stuck_tells_a_host_of_its_own),
        debug_claim(a_timer_that_was_only_just_started_is_not_stuck),
        debug_claim(a_slow_step_is_told_of),
        debug_claim(the_lines_of_a_slow_step_are_right),
        debug_claim(a_slow_step_from_the_start_to_the_end_is_told_of),
        debug_claim(a_slow_clean_up_after_a_cancel_is_told_of),
        debug_claim(a_slow_step_names_the_function_that_was_called),
        debug_claim(what_is_slow_can_be_set),
        debug_claim(without_a_clock_no_step_is_slow),
        debug_claim(a_clock_that_wraps_makes_no_step_slow),
        debug_claim(steps_are_counted),
        debug_claim(a_spin_shows_in_the_looks),
        debug_claim(what_is_not_watched_any_more_says_nothing),
        debug_claim(a_watch_that_could_say_nothing_is_caught),
        debug_claim(a_frame_overwritten_while_it_waits_is_told_of),
        debug_claim(a_called_frame_overwritten_while_it_waits_is_told_of),
        debug_claim(a_function_that_leaves_its_frame_alone_is_not_told_of),
        debug_claim(a_sweep_finds_a_flag_that_was_set_on_another_loop),
        debug_claim(a_sweep_finds_a_task_that_waits_for_the_same_flag_again),
        debug_claim(a_sweep_finds_a_condition_that_a_task_does_not_poll),
        debug_claim(a_sweep_finds_nothing_where_nothing_is_lost),
        debug_claim(a_sweep_leaves_plain_conditions_to_the_polls),
        debug_claim(a_sweep_leaves_alone_what_is_ready),
        debug_claim(a_task_may_sweep),
        debug_claim(a_sweep_within_a_sweep_does_nothing),
        debug_claim(a_sweep_between_polls_notifies_the_host_at_its_end),
        debug_claim(a_shuffle_says_its_seed),
        debug_claim(without_a_seed_the_first_come_is_the_first_served),
        debug_claim(the_same_seed_is_the_same_order),
        debug_claim(another_seed_is_another_order),
        debug_claim(every_order_of_three_comes_up),
        debug_claim(each_task_runs_once_before_any_runs_twice),
        debug_claim(a_shuffle_of_very_many_tasks_loses_none),
        debug_claim(a_sound_loop_passes_the_check),
        debug_claim(an_overwritten_task_is_found),
        debug_claim(a_task_given_back_to_somebody_else_is_found),
        debug_claim(a_task_whose_first_bytes_were_overwritten_is_found),
        debug_claim(a_lost_task_is_found),
        debug_claim(a_task_neither_ready_nor_waiting_is_found),
        debug_claim(a_task_that_waits_in_no_line_is_found),
        debug_claim(a_broken_ready_queue_is_found),
        debug_claim(a_broken_line_of_lookers_is_found),
        debug_claim(a_broken_line_of_a_lock_is_found),
        debug_claim(a_broken_line_of_a_descriptor_is_found),
        debug_claim(a_failed_task_that_is_gone_before_it_was_joined_is_found),
        debug_claim(the_check_holds_after_every_poll_of_random_programs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
