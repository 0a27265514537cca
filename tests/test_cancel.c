/* test_cancel.c: a cancel, whatever a task waits for and whoever asks when.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_cancel.c -lcmocka -pthread
 *
 * Two lists make the tests: what the subject waits for, and when it is
 * canceled. Each is run with no timeout around the wait, with one and with two
 * nested ones, and by the subject itself and three async_calls deep. A subject
 * notes how its wait ended, waits for something else if it ended well, and has
 * a clean-up that takes 3 ms. Its wait would be over at 20, the one after it
 * 50 ms later. Then its memory and everything on the way is filled with
 * rubbish and poisoned, and the loop goes on.
 */
#define _POSIX_C_SOURCE 200809L
#include "trace.h"

#include "async_gather.h"
#include "async_thread.h"

#include "poison.h"

#include <sched.h>

enum { LEVELS = 3 };

static struct async_loop loop;
static async_time now;
static struct async_executor executor;
static struct async_flag flag;
static struct async_semaphore semaphore;
static int watched;                  /* the events of descriptor 7 */
static volatile size_t may_go;       /* a job */
static volatile size_t may_go_first; /* the job in front of it */

static void note(const char *what)
{
    trace("%u %s", (unsigned)async_now(&loop), what);
}

/* ---- who is waited for -------------------------------------------------- */

struct other {
    struct async_frame async;
    uint32_t ms;
    int finals;
};

static async other(struct async_loop *on, void *frame)
{
    struct other *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, self->ms));
    async_finally();
    self->finals++;
    async_end();
}

static int job_of(struct async_job *job, void *arg)
{
    while (!async_atomic_load_(arg) && !async_job_canceled(job))
        (void)sched_yield();
    return 0;
}

/* ---- the subject -------------------------------------------------------- */

#define WAITS(X)                                                               \
    X(it_sleeps)                                                               \
    X(it_sleeps_until_a_time)                                                  \
    X(it_waits_for_a_tick)                                                     \
    X(it_waits_for_a_condition)                                                \
    X(it_waits_for_a_flag)                                                     \
    X(it_waits_for_a_permit)                                                   \
    X(it_waits_for_a_descriptor)                                               \
    X(it_joins)                                                                \
    X(it_gathers)                                                              \
    X(it_maps)                                                                 \
    X(its_job_is_queued)                                                       \
    X(its_job_runs)                                                            \
    X(it_looks_at_a_plain_condition)

/* These are over in the poll that they begin in. */
#define TURNS(X)                                                               \
    X(it_yields)                                                               \
    X(it_sleeps_until_the_past)                                                \
    X(it_yields_plainly)

#define WAIT_ENUM(wait) wait,
enum wait { WAITS(WAIT_ENUM) TURNS(WAIT_ENUM) WAIT_KINDS };

struct subject {
    struct async_frame async;
    enum wait wait;
    int nesting;
    uint32_t inner_ms, outer_ms;
    int cancels_itself;
    async_time begun;
    int is_waiting; /* for the first thing */
    int finals, closed;
    int status;
    struct async_timer inner, outer;
    struct async_ticker ticker;
    struct async_batch batch;
    struct async_job job;
    struct async_task tasks[2];
    struct other others[2];
    struct async_call_frame call;
    struct level {
        struct async_frame async;
        struct async_call_frame call;
        struct level *below; /* NULL: waits */
        struct subject *subject;
        int finals;
    } levels[LEVELS];
};

/* What one test uses, to be poisoned as a whole. */
static struct {
    struct subject subject;
    struct async_task task;
    struct other joined;
    struct async_task joined_task;
    struct canceler {
        struct async_frame async;
        uint32_t ms;
    } canceler;
    struct async_task canceler_task;
    struct async_timer timer;
    struct async_job first_job;
    struct async_task first_task;
    struct async_frame first_frame;
} stage;

static async wait_once(struct async_loop *on, struct subject *self)
{
    switch (self->wait) {
    case it_sleeps:
        return async_sleep_ms(on, 20);
    case it_sleeps_until_a_time:
        return async_sleep_until(on, (async_time)(self->begun + 20));
    case it_waits_for_a_tick:
        return async_every(on, &self->ticker, 20);
    case it_waits_for_a_condition:
        return async_until(on, async_now(on) >= 20);
    case it_waits_for_a_flag:
        return async_flag_wait(on, &flag);
    case it_waits_for_a_permit:
        return async_acquire(on, &semaphore);
    case it_waits_for_a_descriptor:
        return async_readable(on, 7);
    case it_joins:
        return async_join(on, &stage.joined_task);
    case it_gathers:
        return async_gather(on, &self->batch, self->tasks, 2);
    case it_maps:
        return async_map_n(on, &self->batch, other, self->others,
                           sizeof *self->others, 2, self->tasks, 1);
    case its_job_is_queued:
    case its_job_runs:
        return async_offload(on, &executor, &self->job, job_of,
                             (void *)(size_t)&may_go);
    case it_yields:
        return async_yield_now(on);
    case it_sleeps_until_the_past:
        return async_sleep_until(on, (async_time)(self->begun - 1));
    default:
        return async_now(on) >= 20;
    }
}

static async wait_with_timeouts(struct async_loop *on, struct subject *self)
{
    switch (self->nesting) {
    case 0:
        return wait_once(on, self);
    case 1:
        return async_timeout(on, &self->inner, self->inner_ms,
                             wait_once(on, self));
    default:
        return async_timeout(on, &self->outer, self->outer_ms,
                             async_timeout(on, &self->inner, self->inner_ms,
                                           wait_once(on, self)));
    }
}

static async level(struct async_loop *on, void *frame)
{
    struct level *self = frame;

    async_begin(self);
    if (self->below)
        await(async_call(on, &self->call, level, self->below));
    else if (self->subject->wait == it_yields_plainly)
        async_yield();
    else
        await(wait_with_timeouts(on, self->subject));
    async_finally();
    self->finals++;
    async_end();
}

static async subject(struct async_loop *on, void *frame)
{
    struct subject *self = frame;
    int i;

    async_begin(self);
    self->begun = async_now(on);
    if (self->wait == it_gathers)
        for (i = 0; i < 2; i++)
            (void)async_spawn(on, &self->tasks[i], other, &self->others[i]);
    if (self->cancels_itself)
        async_cancel(on, async_current(on));
    self->is_waiting = 1;
    self->status = ASYNC_DONE;
    if (self->levels[0].subject)
        async_catch(self->status,
                    async_call(on, &self->call, level, &self->levels[0]));
    else if (self->wait == it_yields_plainly)
        async_yield();
    else
        async_catch(self->status, wait_with_timeouts(on, self));
    self->is_waiting = 0;
    for (i = 0; i < 2; i++)
        if (async_task_outcome(&self->tasks[i]) == ASYNC_PENDING &&
            self->tasks[i].fn)
            note("has left a task behind");
    if (on->coming_ > (self->wait == its_job_is_queued))
        note("has left its job behind");
    trace("%u the wait: %d", (unsigned)async_now(on), self->status);
    if (self->status < 0)
        async_fail(self->status);
    async_catch(self->status, async_sleep_ms(on, 50));
    trace("%u the next: %d", (unsigned)async_now(on), self->status);
    if (self->status < 0)
        async_fail(self->status);
    async_finally();
    self->finals++;
    note("closes");
    self->begun = async_now(on);
    await_until(async_now(on) != self->begun);
    await(async_sleep_ms(on, 2));
    self->closed++;
    note("is closed");
    async_end();
}

/* ---- who cancels -------------------------------------------------------- */

static void cancel(void)
{
    async_cancel(&loop, &stage.task);
}

static async canceler(struct async_loop *on, void *frame)
{
    struct canceler *self = frame;

    async_begin(self);
    if (self->ms)
        await(async_sleep_ms(on, self->ms));
    cancel();
    async_end();
}

static void fired(struct async_loop *on, struct async_timer *timer)
{
    (void)on;
    (void)timer;
    cancel();
}

/* Occupies the one worker. */
static async first_caller(struct async_loop *on, void *frame)
{
    struct {
        struct async_frame async;
    } *self = frame;

    async_begin(self);
    await(async_offload(on, &executor, &stage.first_job, job_of,
                        (void *)(size_t)&may_go_first));
    async_end();
}

/* ---- the stage ---------------------------------------------------------- */

static void notify_nobody(void *arg)
{
    (void)arg;
}

static int watch(void *arg, int fd, int events)
{
    (void)arg;
    (void)fd;
    watched = events;
    return 0;
}

static void spawn(struct async_task *task, async_fn *fn, void *frame)
{
    int status = async_spawn(&loop, task, fn, frame);

    assert_int_equal(status, 0);
}

/* Until a worker has handed its job back, and told the loop. */
static void await_a_job(void)
{
    while (!async_atomic_load_(&loop.posted_) ||
           !(async_byte_(&loop.woken_) & ASYNC_WOKEN_))
        (void)sched_yield();
}

/* Until the only worker has taken up its only job. */
static void await_the_worker(void)
{
    while (async_executor_count(&executor).running != 1)
        (void)sched_yield();
}

/* Everything that happens now. */
static void settle(void)
{
    int polls = 0;

    for (;;) {
        if (async_poll(&loop, now) == 0) {
            if (++polls == 100)
                fail_msg("the loop does not come to rest");
        } else if (async_atomic_load_(&stage.subject.job.canceled_) &&
                   stage.subject.job.is_ == ASYNC_JOB_IS_CANCELED_) {
            await_a_job();
        } else {
            break;
        }
    }
}

/* What ends the wait at 20, if nobody has ended it before. */
static void end_the_wait(void)
{
    switch (stage.subject.wait) {
    case it_waits_for_a_flag:
        async_flag_set(&loop, &flag);
        break;
    case it_waits_for_a_permit:
        async_release(&loop, &semaphore);
        break;
    case it_waits_for_a_descriptor:
        if (stage.subject.is_waiting)
            async_ready(&loop, 7, ASYNC_READABLE);
        break;
    case its_job_is_queued:
        async_atomic_store_(&may_go_first, 1);
        await_a_job();
        if (!stage.subject.is_waiting)
            break;
        while (async_atomic_load_(&executor.finished_) ==
               (size_t)&stage.first_job)
            if (async_atomic_load_(&may_go) == 0)
                async_atomic_store_(&may_go, 1);
        break;
    case its_job_runs:
        async_atomic_store_(&may_go, 1);
        if (stage.subject.is_waiting)
            await_a_job();
        break;
    default:
        break;
    }
}

/* It is ready for its first step. */
static void begin(void)
{
    if (!stage.task.fn)
        spawn(&stage.task, subject, &stage.subject);
}

/* Time passes, tick by tick. */
static void run_to(async_time end)
{
    begin();
    settle();
    if (stage.subject.wait == its_job_runs &&
        stage.subject.job.is_ == ASYNC_JOB_IS_SUBMITTED_)
        await_the_worker();
    while (now < end) {
        now++;
        if (now == 20)
            end_the_wait();
        settle();
    }
}

enum { BY_ITSELF = 1 };

static void set_up(enum wait wait, int nesting, int depth)
{
    static const struct async_host host = {notify_nobody, watch, NULL};
    struct subject *self = &stage.subject;
    int i;

    unpoison(&stage, sizeof stage);
    memset(&stage, 0, sizeof stage);
    trace_clear();
    now = 0;
    watched = 0;
    flag = (struct async_flag){0};
    semaphore = (struct async_semaphore){0};
    async_atomic_store_(&may_go, 0);
    async_atomic_store_(&may_go_first, 0);
    async_loop_init(&loop);
    async_attach(&loop, &host);
    (void)async_executor_start(&executor, 1, 4);
    self->wait = wait;
    self->nesting = nesting;
    self->inner_ms = self->outer_ms = 1000;
    for (i = 0; i < depth; i++) {
        self->levels[i].subject = self;
        self->levels[i].below = i + 1 < depth ? &self->levels[i + 1] : NULL;
    }
    for (i = 0; i < 2; i++)
        self->others[i].ms = wait == it_maps ? 10 : 20;
    stage.joined.ms = 20;
    trace_clear();
    if (wait == it_joins)
        spawn(&stage.joined_task, other, &stage.joined);
    if (wait == its_job_is_queued) {
        spawn(&stage.first_task, first_caller, &stage.first_frame);
        settle();
        await_the_worker();
    }
}

/* Nobody is left anywhere. */
static void check_the_loop(void)
{
    size_t i;

    assert_int_equal(async_alive(&loop), 0);
    assert_null(loop.ready_);
    assert_null(loop.current_);
    assert_null(loop.lookers_);
    assert_null(loop.unjoined_);
    assert_null(loop.deadlines_.due);
    for (i = 0; i < ASYNC_LEVELS_ * ASYNC_SLOTS_; i++)
        assert_null(loop.deadlines_.slots[i]);
    for (i = 0; i < ASYNC_FD_LINES_; i++)
        assert_null(loop.fds_[i]);
    assert_int_equal(loop.coming_, 0);
    assert_int_equal(watched, 0);
    assert_null(semaphore.line_);
    assert_int_equal(executor.promised_, 0);
#if ASYNC_TASK_LIST
    assert_null(loop.newest_);
#endif
}

/* All that began has been cleaned up after, once; nothing that was handed out
 * is lost; and what is poisoned now is touched by nobody any more. */
static void tear_down(int outcome, int got)
{
    const struct subject *self = &stage.subject;
    int i;

    assert_int_equal(async_task_outcome(&stage.task), outcome);
    assert_int_equal(self->finals, 1);
    assert_int_equal(self->closed, 1);
    for (i = 0; i < LEVELS; i++)
        assert_int_equal(self->levels[i].finals,
                         self->levels[i].subject != NULL);
    if (self->wait == it_gathers)
        for (i = 0; i < 2; i++)
            assert_int_equal(self->others[i].finals, 1);
    if (self->wait == it_maps)
        assert_true(self->others[1].finals <= 1 &&
                    self->others[1].finals >= got);
    if (self->wait == it_joins)
        assert_int_equal(async_task_outcome(&stage.joined_task), ASYNC_DONE);
    if (self->wait == it_waits_for_a_permit)
        assert_int_equal(semaphore.permits, !got);
    if (self->wait == it_waits_for_a_flag)
        assert_int_equal(flag.set_, !got);
    assert_int_equal(self->inner.wait_.flags, 0);
    assert_int_equal(self->outer.wait_.flags, 0);
    while (async_unjoined(&loop) != 0)
        ;
    async_timer_stop(&loop, &stage.timer);
    poison(&stage, sizeof stage);
    for (i = 0; i < 50; i++) {
        now = (async_time)(now + 7);
        async_wake(&loop);
        (void)async_poll(&loop, now);
    }
    check_the_loop();
    async_executor_stop(&executor, ASYNC_STOP_CANCEL);
    (void)async_poll(&loop, now);
    check_the_loop();
    async_attach(&loop, NULL);
    unpoison(&stage, sizeof stage);
}

/* ---- traces ------------------------------------------------------------- */

static const char at_once[] = "0 the wait: -30001\n"
                              "0 closes\n"
                              "3 is closed\n";
static const char next_at_once[] = "0 the wait: 1\n"
                                   "0 the next: -30001\n"
                                   "0 closes\n"
                                   "3 is closed\n";
static const char at_5[] = "5 the wait: -30001\n"
                           "5 closes\n"
                           "8 is closed\n";
static const char late_at_5[] = "5 the wait: -30002\n"
                                "5 closes\n"
                                "8 is closed\n";
static const char at_20[] = "20 the wait: -30001\n"
                            "20 closes\n"
                            "23 is closed\n";
static const char late_at_20[] = "20 the wait: -30002\n"
                                 "20 closes\n"
                                 "23 is closed\n";
static const char by_the_next[] = "20 the wait: 1\n"
                                  "20 the next: -30001\n"
                                  "20 closes\n"
                                  "23 is closed\n";
static const char undisturbed_turn[] = "0 the wait: 1\n"
                                       "50 the next: 1\n"
                                       "50 closes\n"
                                       "53 is closed\n";
static const char undisturbed[] = "20 the wait: 1\n"
                                  "70 the next: 1\n"
                                  "70 closes\n"
                                  "73 is closed\n";

/* ---- when --------------------------------------------------------------- */

/* A wait that knows no loop hears nothing; the next one does. */
static int is_deaf(enum wait wait)
{
    return wait == it_looks_at_a_plain_condition;
}

static int is_turn(enum wait wait)
{
    return wait >= it_yields;
}

/* A wait for a task that has to run before it is over. */
static int is_for_tasks(enum wait wait)
{
    return wait == it_joins || wait == it_gathers || wait == it_maps;
}

static void expect(const char *expected, int outcome)
{
    int got;

    run_to(90);
    if (strcmp(trace_text, expected))
        print_error("with %d timeouts, %s:\n", stage.subject.nesting,
                    stage.subject.levels[0].subject ? "called" : "not called");
    got = strstr(trace_text, "wait: 1") != NULL;
    assert_trace(expected);
    tear_down(outcome, got);
}

static void expect_canceled(const char *expected)
{
    if (stage.subject.wait == it_yields_plainly)
        expected = next_at_once;
    if (is_deaf(stage.subject.wait))
        expected = by_the_next;
    expect(expected, ASYNC_ECANCELED);
}

static void canceled_before_its_first_step(enum wait wait)
{
    (void)wait;
    begin();
    cancel();
    expect_canceled(at_once);
}

static void canceled_by_itself(enum wait wait)
{
    (void)wait;
    stage.subject.cancels_itself = 1;
    expect_canceled(at_once);
}

static void canceled_by_a_task_just_before_its_first_step(enum wait wait)
{
    (void)wait;
    spawn(&stage.canceler_task, canceler, &stage.canceler);
    begin();
    expect_canceled(at_once);
}

static void canceled_by_a_task_just_after_its_first_step(enum wait wait)
{
    begin();
    spawn(&stage.canceler_task, canceler, &stage.canceler);
    expect_canceled(is_turn(wait) ? next_at_once : at_once);
}

static void canceled_from_outside(enum wait wait)
{
    (void)wait;
    run_to(4);
    now = 5;
    cancel();
    expect_canceled(at_5);
}

static void canceled_by_a_timer(enum wait wait)
{
    (void)wait;
    async_timer_start(&loop, &stage.timer, 5, fired, NULL);
    expect_canceled(at_5);
}

static void canceled_by_another_task(enum wait wait)
{
    (void)wait;
    stage.canceler.ms = 5;
    spawn(&stage.canceler_task, canceler, &stage.canceler);
    expect_canceled(at_5);
}

static void canceled_twice_at_once(enum wait wait)
{
    (void)wait;
    run_to(4);
    now = 5;
    cancel();
    cancel();
    expect_canceled(at_5);
}

static void canceled_again_in_its_clean_up(enum wait wait)
{
    async_timer_start(&loop, &stage.timer, is_deaf(wait) ? 21 : 6, fired, NULL);
    run_to(4);
    now = 5;
    cancel();
    expect_canceled(at_5);
}

static void canceled_in_its_clean_up_only(enum wait wait)
{
    async_timer_start(&loop, &stage.timer, is_turn(wait) ? 51 : 71, fired,
                      NULL);
    expect(is_turn(wait) ? undisturbed_turn : undisturbed, ASYNC_DONE);
}

static void canceled_after_its_end(enum wait wait)
{
    run_to(73);
    cancel();
    async_timer_start(&loop, &stage.timer, 2, fired, NULL);
    expect(is_turn(wait) ? undisturbed_turn : undisturbed, ASYNC_DONE);
}

static void canceled_on_the_tick_that_ends_it(enum wait wait)
{
    run_to(19);
    cancel();
    now = 20;
    end_the_wait();
    expect(is_for_tasks(wait) ? at_20 : by_the_next, ASYNC_ECANCELED);
}

static void canceled_by_a_task_right_after_its_end(enum wait wait)
{
    (void)wait;
    run_to(0);
    stage.canceler.ms = 20; /* the last one of those that 20 brings */
    spawn(&stage.canceler_task, canceler, &stage.canceler);
    expect(by_the_next, ASYNC_ECANCELED);
}

/* ---- timeouts ----------------------------------------------------------- */

static void set_timeouts(uint32_t ms)
{
    struct subject *self = &stage.subject;

    if (self->nesting != 2 || self->levels[0].subject)
        self->inner_ms = ms;
    if (self->nesting == 2)
        self->outer_ms = ms;
}

static void timed_out(enum wait wait)
{
    set_timeouts(5);
    if (stage.subject.nesting == 0 || is_deaf(wait))
        expect(undisturbed, ASYNC_DONE);
    else
        expect(late_at_5, ASYNC_ETIMEDOUT);
}

static void timed_out_and_canceled(enum wait wait)
{
    set_timeouts(5);
    run_to(4);
    cancel();
    now = 5;
    if (stage.subject.nesting == 0 || is_deaf(wait))
        expect_canceled(at_5);
    else
        expect(late_at_5, ASYNC_ETIMEDOUT);
}

static void canceled_in_the_clean_up_of_a_timeout(enum wait wait)
{
    set_timeouts(5);
    run_to(6);
    cancel();
    if (stage.subject.nesting == 0)
        expect_canceled("6 the wait: -30001\n"
                        "6 closes\n"
                        "9 is closed\n");
    else if (is_deaf(wait))
        expect(by_the_next, ASYNC_ECANCELED);
    else
        expect(late_at_5, ASYNC_ETIMEDOUT);
}

static void timed_out_on_the_tick_that_ends_it(enum wait wait)
{
    set_timeouts(20);
    if (stage.subject.nesting && (wait == it_gathers || wait == it_maps))
        expect(late_at_20, ASYNC_ETIMEDOUT);
    else
        expect(undisturbed, ASYNC_DONE);
}

/* ---- every when with every wait ----------------------------------------- */

static void with_all_around(void (*when)(enum wait), enum wait wait)
{
    int nesting, depth;

    for (nesting = 0; nesting <= 2; nesting++) {
        for (depth = 0; depth <= LEVELS; depth += LEVELS) {
            set_up(wait, nesting, depth);
            when(wait);
        }
    }
}

#define WHENS_OF_TURNS(X, wait)                                                \
    X(canceled_before_its_first_step, wait)                                    \
    X(canceled_by_itself, wait)                                                \
    X(canceled_by_a_task_just_before_its_first_step, wait)                     \
    X(canceled_by_a_task_just_after_its_first_step, wait)                      \
    X(canceled_in_its_clean_up_only, wait)                                     \
    X(canceled_after_its_end, wait)

#define WHENS(X, wait)                                                         \
    WHENS_OF_TURNS(X, wait)                                                    \
    X(canceled_from_outside, wait)                                             \
    X(canceled_by_a_timer, wait)                                               \
    X(canceled_by_another_task, wait)                                          \
    X(canceled_twice_at_once, wait)                                            \
    X(canceled_again_in_its_clean_up, wait)                                    \
    X(canceled_on_the_tick_that_ends_it, wait)                                 \
    X(canceled_by_a_task_right_after_its_end, wait)                            \
    X(timed_out, wait)                                                         \
    X(timed_out_and_canceled, wait)                                            \
    X(canceled_in_the_clean_up_of_a_timeout, wait)                             \
    X(timed_out_on_the_tick_that_ends_it, wait)

#define DEFINE(when, wait)                                                     \
    static void when##_while_##wait(void **state)                              \
    {                                                                          \
        (void)state;                                                           \
        with_all_around(when, wait);                                           \
    }
#define DEFINE_ALL(wait) WHENS(DEFINE, wait)
#define DEFINE_TURN(wait) WHENS_OF_TURNS(DEFINE, wait)
WAITS(DEFINE_ALL)
TURNS(DEFINE_TURN)

/* ---- what comes after --------------------------------------------------- */

/* What a wait leaves behind must not be taken for the wait after it. */
static struct {
    struct async_task tasks[2];
    struct after {
        struct async_frame async;
        int status, i;
        async_status (*first)(struct async_loop *on);
        void (*end)(void); /* ends the wait, and cancels the task */
    } frames[2];
    struct async_timer timer;
} after;

static int condition, is_open;

static int after_setup(void **state)
{
    async_loop_init(&loop);
    memset(&after, 0, sizeof after);
    flag = (struct async_flag){0};
    semaphore = (struct async_semaphore){0};
    condition = is_open = 0;
    now = 0;
    return trace_setup(state);
}
#define after_claim(test) cmocka_unit_test_setup(test, after_setup)

static async sleeps(struct async_loop *on)
{
    return async_sleep_ms(on, 100);
}

static async waits_for_a_condition(struct async_loop *on)
{
    return async_until(on, condition);
}

static async waits_for_a_flag(struct async_loop *on)
{
    return async_flag_wait(on, &flag);
}

static async waits_for_a_permit(struct async_loop *on)
{
    return async_acquire(on, &semaphore);
}

static async then_looks_at_a_plain_condition(struct async_loop *on, void *frame)
{
    struct after *self = frame;

    async_begin(self);
    async_catch(self->status, self->first(on));
    trace("%d", self->status);
    await_until(is_open);
    note("looked");
    async_end();
}

static async then_yields(struct async_loop *on, void *frame)
{
    struct after *self = frame;

    async_begin(self);
    async_catch(self->status, self->first(on));
    trace("%d", self->status);
    for (self->i = 0; self->i < 3; self->i++)
        async_yield();
    note("yielded");
    async_end();
}

static async ends_the_wait(struct async_loop *on, void *frame)
{
    struct after *self = frame;

    async_begin(self);
    self->end();
    async_cancel(on, &after.tasks[0]);
    async_end();
}

static void by_nothing(void)
{
}

static void by_the_condition(void)
{
    condition = 1;
}

static void by_the_flag(void)
{
    async_flag_set(&loop, &flag);
}

static void by_a_permit(void)
{
    async_release(&loop, &semaphore);
}

static void check_after(async_status (*first)(struct async_loop *),
                        void (*end)(void), async_fn *then, int status)
{
    char expected[40];

    after.frames[0].first = first;
    after.frames[1].end = end;
    spawn(&after.tasks[0], then, &after.frames[0]);
    spawn(&after.tasks[1], ends_the_wait, &after.frames[1]);
    while (async_poll(&loop, 0) == 0)
        ;
    is_open = 1;
    (void)async_poll(&loop, 1);
    (void)snprintf(expected, sizeof expected, "%d\n%d %s\n", status,
                   then == then_looks_at_a_plain_condition,
                   then == then_yields ? "yielded" : "looked");
    assert_trace(expected);
    assert_int_equal(async_alive(&loop), 0);
}

#define FIRSTS(X)                                                              \
    X(a_canceled_sleep, sleeps, by_nothing, ASYNC_ECANCELED)                   \
    X(a_canceled_async_until, waits_for_a_condition, by_nothing,               \
      ASYNC_ECANCELED)                                                         \
    X(a_canceled_wait_for_a_flag, waits_for_a_flag, by_nothing,                \
      ASYNC_ECANCELED)                                                         \
    X(a_canceled_wait_for_a_permit, waits_for_a_permit, by_nothing,            \
      ASYNC_ECANCELED)                                                         \
    X(an_async_until_that_holds_when_canceled, waits_for_a_condition,          \
      by_the_condition, ASYNC_DONE)                                            \
    X(a_flag_that_is_set_when_canceled, waits_for_a_flag, by_the_flag,         \
      ASYNC_DONE)                                                              \
    X(a_permit_that_is_granted_when_canceled, waits_for_a_permit, by_a_permit, \
      ASYNC_DONE)

#define DEFINE_AFTER(what, first, end, status)                                 \
    static void a_plain_condition_is_looked_at_after_##what(void **state)      \
    {                                                                          \
        (void)state;                                                           \
        check_after(first, end, then_looks_at_a_plain_condition, status);      \
    }                                                                          \
    static void a_plain_yield_is_a_yield_after_##what(void **state)            \
    {                                                                          \
        (void)state;                                                           \
        check_after(first, end, then_yields, status);                          \
    }
FIRSTS(DEFINE_AFTER)

#define CLAIM_AFTER(what, first, end, status)                                  \
    after_claim(a_plain_condition_is_looked_at_after_##what),                  \
        after_claim(a_plain_yield_is_a_yield_after_##what),

/* ---- an interrupt between asking and landing ---------------------------- */

/* True from the time on that it is asked once more than `holds_from` times, as
 * what an interrupt sets may be. */
struct interrupted {
    struct async_frame async;
    struct async_timer timer;
    int asked, holds_from, status, closed;
};

static int interrupt(struct interrupted *self)
{
    return ++self->asked > self->holds_from;
}

static async gives_up_a_sleep(struct async_loop *on, void *frame)
{
    struct interrupted *self = frame;

    async_begin(self);
    await(interrupt(self) ? ASYNC_DONE : async_sleep_ms(on, 100));
    await_until(is_open);
    async_catch(self->status, async_sleep_ms(on, 10));
    trace("%d", self->status);
    async_end();
}

static void
a_cancel_is_not_lost_to_an_interrupt_that_ends_the_wait(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 5; i++) {
        struct interrupted frame = {.holds_from = i};

        (void)after_setup(NULL);
        spawn(&after.tasks[0], gives_up_a_sleep, &frame);
        (void)async_poll(&loop, 0);
        async_cancel(&loop, &after.tasks[0]);
        (void)async_poll(&loop, 1);
        is_open = 1;
        (void)async_poll(&loop, 2);
        (void)async_poll(&loop, 3);
        if (async_task_outcome(&after.tasks[0]) == ASYNC_DONE)
            assert_trace("-30001\n");
        else
            assert_int_equal(async_task_outcome(&after.tasks[0]),
                             ASYNC_ECANCELED);
        (void)async_unjoined(&loop);
    }
}

static async waits_for_an_interrupt(struct async_loop *on, void *frame)
{
    struct interrupted *self = frame;

    async_begin(self);
    await((interrupt(self) && !self->closed
               ? (self->closed = 1, async_flag_set(on, &flag))
               : (void)0,
           async_flag_wait(on, &flag)));
    self->status = 1;
    await(async_sleep_ms(on, 10));
    async_end();
}

static void a_flag_that_is_set_when_a_cancel_lands_is_not_eaten(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 5; i++) {
        struct interrupted frame = {.holds_from = i};

        (void)after_setup(NULL);
        spawn(&after.tasks[0], waits_for_an_interrupt, &frame);
        (void)async_poll(&loop, 0);
        async_cancel(&loop, &after.tasks[0]);
        (void)async_poll(&loop, 1);
        (void)async_poll(&loop, 2);
        assert_int_equal(async_task_outcome(&after.tasks[0]), ASYNC_ECANCELED);
        assert_int_equal(flag.set_ + frame.status, frame.closed);
        (void)async_unjoined(&loop);
    }
}

static async closes_when_open(struct async_loop *on, void *frame)
{
    struct interrupted *self = frame;

    async_begin(self);
    await(interrupt(self) ? ASYNC_DONE : async_sleep_ms(on, 100));
    async_finally();
    await(async_until(on, is_open));
    self->closed = 1;
    async_end();
}

static void
a_clean_up_is_not_cut_short_by_a_cancel_that_came_just_before_it(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 5; i++) {
        struct interrupted frame = {.holds_from = i};

        (void)after_setup(NULL);
        spawn(&after.tasks[0], closes_when_open, &frame);
        (void)async_poll(&loop, 0);
        async_cancel(&loop, &after.tasks[0]);
        (void)async_poll(&loop, 1);
        (void)async_poll(&loop, 2);
        is_open = 1;
        (void)async_poll(&loop, 3);
        assert_int_equal(frame.closed, 1);
        (void)async_unjoined(&loop);
    }
}

static async is_limited(struct async_loop *on, void *frame)
{
    struct interrupted *self = frame;

    async_begin(self);
    await(async_timeout(on, &after.timer, 5, gives_up_a_sleep(on, self + 1)));
    async_end();
}

static void
a_timeout_is_not_lost_to_an_interrupt_that_ends_the_wait(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 5; i++) {
        struct interrupted frames[2] = {{.status = 0}, {.holds_from = i}};

        (void)after_setup(NULL);
        spawn(&after.tasks[0], is_limited, frames);
        (void)async_poll(&loop, 0);
        (void)async_poll(&loop, 5);
        is_open = 1;
        (void)async_poll(&loop, 6);
        (void)async_poll(&loop, 7);
        assert_true(async_task_outcome(&after.tasks[0]) != ASYNC_PENDING);
        (void)async_unjoined(&loop);
    }
}

/* Also when the test has failed. */
static int stop_executor(void **state)
{
    (void)state;
    async_atomic_store_(&may_go_first, 1);
    async_atomic_store_(&may_go, 1);
    if (executor.limit_)
        async_executor_stop(&executor, ASYNC_STOP_CANCEL);
    unpoison(&stage, sizeof stage);
    return 0;
}
#define cancel_claim(test)                                                     \
    cmocka_unit_test_setup_teardown(test, trace_setup, stop_executor)

#define CLAIM(when, wait) cancel_claim(when##_while_##wait),
#define CLAIM_ALL(wait) WHENS(CLAIM, wait)
#define CLAIM_TURN(wait) WHENS_OF_TURNS(CLAIM, wait)

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* the list of waits */
        WAITS(CLAIM_ALL)
        /* the list of turns */
        TURNS(CLAIM_TURN)
        /* what comes after */
        FIRSTS(CLAIM_AFTER)
        /* interrupts */
        after_claim(a_cancel_is_not_lost_to_an_interrupt_that_ends_the_wait),
        after_claim(a_flag_that_is_set_when_a_cancel_lands_is_not_eaten),
        after_claim(
            a_clean_up_is_not_cut_short_by_a_cancel_that_came_just_before_it),
        after_claim(a_timeout_is_not_lost_to_an_interrupt_that_ends_the_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
