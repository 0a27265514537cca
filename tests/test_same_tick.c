/* test_same_tick.c: two things happen to a task before it runs again. Each
 * cell of the table in async_timeout.h is a test here, first_then_second.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_same_tick.c -lcmocka
 */
#include "trace.h"

#include "timeline.h"

#include <errno.h>

/* ---- what happens, and when --------------------------------------------- */

enum event { NOTHING, FINISH, ERROR, TIMEOUT, CANCEL, WAKE, CLOSE };

/* A queue of one number. */
struct numbers {
    struct async_queue async;
    int items[1];
};

/* Waits, and then ends, fails, or holds what it was granted for 10 ms. */
struct part {
    struct async_frame async;
    const char *name;
    enum event ends; /* its wait */
    int returns;     /* as soon as it has what it was granted */
    struct async_semaphore semaphore;
    struct numbers numbers;
    int number;
    int holds;
};

static async part(struct async_loop *on, void *frame)
{
    struct part *self = frame;

    async_begin(self);
    await(self->ends == CLOSE ? async_get(on, &self->numbers, &self->number)
                              : async_acquire(on, &self->semaphore));
    if (self->ends == ERROR)
        async_fail(-EIO);
    if (self->ends == WAKE || self->ends == CLOSE) {
        trace("%s is granted", self->name);
        if (!self->returns) {
            self->holds = 1;
            await(async_sleep_ms(on, 10));
        }
    }
    async_finally();
    trace("%s %s", self->name, async_strerror(self->async.status_));
    if (self->holds) {
        trace("%s releases", self->name);
        async_release(on, &self->semaphore);
    }
    async_end();
}

/* The task a test is about. It awaits one part, under a limit; or gathers two.
 * Then it waits once more. */
struct subject {
    struct async_frame async;
    int gathers;
    uint32_t ms;
    struct async_timer timer;
    struct async_batch batch;
    struct async_task tasks[2];
    struct part parts[2];
};

static struct subject subject;

static async run_subject(struct async_loop *on, void *frame)
{
    struct subject *self = frame;
    int status;

    async_begin(self);
    if (self->gathers) {
        spawn(&self->tasks[0], part, &self->parts[0]);
        spawn(&self->tasks[1], part, &self->parts[1]);
        async_catch(status, async_gather(on, &self->batch, self->tasks, 2));
    } else {
        async_catch(status, async_timeout(on, &self->timer, self->ms,
                                          part(on, &self->parts[0])));
    }
    trace("returns %s", async_strerror(status));
    async_catch(status, async_sleep_ms(on, 10));
    trace("next wait %s", async_strerror(status));
    async_end();
}

/* What happens: to the first part, the second, or the task as a whole. */
struct happening {
    enum event event;
    struct part *to;
    struct async_timer timer;
};

static void happen(struct async_loop *on, const struct happening *it)
{
    switch (it->event) {
    case FINISH:
    case ERROR:
        async_release(on, &it->to->semaphore);
        break;
    case WAKE:
        if (it->to->ends == CLOSE)
            (void)async_try_put(on, &it->to->numbers, &it->to->number);
        else
            async_release(on, &it->to->semaphore);
        break;
    case CLOSE:
        async_queue_close(on, &it->to->numbers);
        break;
    case TIMEOUT:
        (void)async_timeout_reset(on, &subject.timer, 0);
        break;
    case CANCEL:
        async_cancel(on, &task);
        break;
    default:
        break;
    }
}

static void happen_in_poll(struct async_loop *on, struct async_timer *timer)
{
    happen(on, timer->arg);
}

enum { BEFORE, ACROSS, INSIDE, MODES };

static void start(struct happening *it, async_time ticks)
{
    if (it->event != TIMEOUT) /* which has a timer of its own */
        async_timer_start(&loop, &it->timer, ticks, happen_in_poll, it);
}

/* Both before the poll, the first before and the second in the poll, or both in
 * the poll at 20. */
static void happen_both(int mode, struct happening *first,
                        struct happening *second)
{
    int timed = mode != BEFORE && (second->event == TIMEOUT ||
                                   (mode == INSIDE && first->event == TIMEOUT));

    subject.ms = timed ? 20 : ASYNC_NO_TIMEOUT;
    if (mode == INSIDE && second->event == TIMEOUT)
        start(first, 20); /* before the timeout is armed */
    spawn(&task, run_subject, &subject);
    (void)settle();
    if (mode == INSIDE && second->event != TIMEOUT)
        start(first, 20);
    if (mode != BEFORE)
        start(second, 20);
    (void)run_to(19);
    if (mode != INSIDE)
        happen(&loop, first);
    if (mode == BEFORE)
        happen(&loop, second);
    leap_to(20);
    (void)run_to(100);
    assert_int_equal(async_alive(&loop), 0);
}

static const char *const modes[] = {"before the poll", "across its beginning",
                                    "in the poll"};

static void compare(int mode, const char *expected)
{
    if (strcmp(trace_text, expected) != 0)
        fail_msg("%s\nexpected:\n%s\nhappened:\n%s", modes[mode], expected,
                 trace_text);
}

/* One task in one wait, which `waits` can end. */
static void to_one(enum event waits, enum event first, enum event second,
                   const char *expected)
{
    int mode;

    for (mode = 0; mode < MODES; mode++) {
        struct happening a = {.event = first, .to = &subject.parts[0]};
        struct happening b = {.event = second, .to = &subject.parts[0]};

        (void)timeline_setup(NULL);
        subject = (struct subject){
            .parts = {{.name = "x", .ends = waits, .returns = 1}}};
        happen_both(mode, &a, &b);
        compare(mode, expected);
    }
    trace_clear();
}

/* A gather of two tasks: the first to the one, the second to the other. */
static void to_two(enum event first, enum event second, const char *expected)
{
    int mode;

    for (mode = 0; mode < MODES; mode++) {
        struct happening a = {.event = first, .to = &subject.parts[0]};
        struct happening b = {.event = second, .to = &subject.parts[1]};

        (void)timeline_setup(NULL);
        subject = (struct subject){.gathers = 1,
                                   .parts = {{.name = "a", .ends = first},
                                             {.name = "b", .ends = second}}};
        happen_both(mode, &a, &b);
        compare(mode, expected);
    }
    trace_clear();
}

/* ---- finish ------------------------------------------------------------- */

static void finish_then_finish_is_both(void **state)
{
    (void)state;
    to_two(FINISH, FINISH,
           "a done\n"
           "b done\n"
           "returns done\n"
           "next wait done\n");
}

static void finish_then_error_is_the_error(void **state)
{
    (void)state;
    to_two(FINISH, ERROR,
           "a done\n"
           "b Input/output error\n"
           "returns Input/output error\n"
           "next wait done\n");
}

static void finish_then_timeout_is_finished(void **state)
{
    (void)state;
    to_one(FINISH, FINISH, TIMEOUT,
           "x done\n"
           "returns done\n"
           "next wait done\n");
}

static void finish_then_cancel_is_finished_and_canceled_next(void **state)
{
    (void)state;
    to_one(FINISH, FINISH, CANCEL,
           "x done\n"
           "returns done\n"
           "next wait canceled\n");
}

static void finish_then_wake_is_both(void **state)
{
    (void)state;
    to_two(FINISH, WAKE,
           "a done\n"
           "b is granted\n"
           "b done\n"
           "b releases\n"
           "returns done\n"
           "next wait done\n");
}

static void finish_then_close_is_closed(void **state)
{
    (void)state;
    to_two(FINISH, CLOSE,
           "a done\n"
           "b closed\n"
           "returns closed\n"
           "next wait done\n");
}

/* ---- error -------------------------------------------------------------- */

static void error_then_finish_is_the_error(void **state)
{
    (void)state;
    to_two(ERROR, FINISH,
           "a Input/output error\n"
           "b done\n" /* though it was canceled */
           "returns Input/output error\n"
           "next wait done\n");
}

/* ... of which the two are told apart. */
static async fails(struct async_loop *on, void *frame)
{
    struct part *self = frame;

    async_begin(self);
    await(async_acquire(on, &self->semaphore));
    async_fail(*self->name == 'a' ? -EIO : -EPIPE);
    async_end();
}

static struct async_task failing[2];

static async gather_failing(struct async_loop *on, void *frame)
{
    struct subject *self = frame;
    int status;

    async_begin(self);
    async_catch(status, async_gather(on, &self->batch, failing, 2));
    trace("returns %s", async_strerror(status));
    async_end();
}

static void error_then_error_is_the_first(void **state)
{
    int first;

    (void)state;
    for (first = 0; first < 2; first++) {
        int i;

        (void)timeline_setup(NULL);
        subject = (struct subject){.parts = {{.name = "a"}, {.name = "b"}}};
        for (i = 0; i < 2; i++) {
            failing[i] = (struct async_task){0};
            spawn(&failing[i], fails, &subject.parts[i]);
        }
        spawn(&task, gather_failing, &subject);
        (void)settle();
        async_release(&loop, &subject.parts[first].semaphore);
        async_release(&loop, &subject.parts[!first].semaphore);
        (void)settle();
        assert_trace(first == 0 ? "returns Input/output error\n"
                                : "returns Broken pipe\n");
    }
}

static void error_then_timeout_is_the_error(void **state)
{
    (void)state;
    to_one(ERROR, ERROR, TIMEOUT,
           "x Input/output error\n"
           "returns Input/output error\n"
           "next wait done\n");
}

static void error_then_cancel_is_the_error_and_canceled_next(void **state)
{
    (void)state;
    to_one(ERROR, ERROR, CANCEL,
           "x Input/output error\n"
           "returns Input/output error\n"
           "next wait canceled\n");
}

static void
error_then_wake_is_the_error_and_the_grant_is_given_back(void **state)
{
    (void)state;
    to_two(ERROR, WAKE,
           "a Input/output error\n"
           "b is granted\n" /* and canceled in its next wait */
           "b canceled\n"
           "b releases\n"
           "returns Input/output error\n"
           "next wait done\n");
}

static void error_then_close_is_the_error(void **state)
{
    (void)state;
    to_two(ERROR, CLOSE,
           "a Input/output error\n"
           "b closed\n"
           "returns Input/output error\n"
           "next wait done\n");
}

/* ---- timeout ------------------------------------------------------------ */

static void timeout_then_finish_is_finished(void **state)
{
    (void)state;
    to_one(FINISH, TIMEOUT, FINISH,
           "x done\n"
           "returns done\n"
           "next wait done\n");
}

static void timeout_then_error_is_the_error(void **state)
{
    (void)state;
    to_one(ERROR, TIMEOUT, ERROR,
           "x Input/output error\n"
           "returns Input/output error\n"
           "next wait done\n");
}

/* A limit in a limit; the inner one's end is caught. */
struct nested {
    struct async_frame async;
    struct async_timer outer;
    struct inside {
        struct async_frame async;
        struct async_timer timer;
    } inside;
};

static async inside(struct async_loop *on, struct inside *self)
{
    int status;

    async_begin(self);
    async_catch(status,
                async_timeout(on, &self->timer, 50, async_sleep_ms(on, 90)));
    trace("inner %s", async_strerror(status));
    async_catch(status, async_sleep_ms(on, 10));
    trace("inner's next wait %s", async_strerror(status));
    if (status < 0)
        async_fail(status);
    async_end();
}

static async nested(struct async_loop *on, void *frame)
{
    struct nested *self = frame;
    int status;

    async_begin(self);
    async_catch(status,
                async_timeout(on, &self->outer, 50, inside(on, &self->inside)));
    trace("outer %s", async_strerror(status));
    async_catch(status, async_sleep_ms(on, 10));
    trace("next wait %s", async_strerror(status));
    async_end();
}

static void timeout_then_timeout_is_the_inner_and_then_the_outer(void **state)
{
    static const char expected[] = "inner timed out\n"
                                   "inner's next wait canceled\n"
                                   "outer timed out\n"
                                   "next wait done\n";
    struct nested frame = {0};
    int outer_first;

    (void)state;
    for (outer_first = 0; outer_first < 2; outer_first++) {
        (void)timeline_setup(NULL);
        frame = (struct nested){0};
        spawn(&task, nested, &frame);
        (void)run_to(10);
        (void)async_timeout_reset(
            &loop, outer_first ? &frame.outer : &frame.inside.timer, 0);
        (void)async_timeout_reset(
            &loop, outer_first ? &frame.inside.timer : &frame.outer, 0);
        (void)run_to(100);
        assert_trace(expected);
    }
    (void)timeline_setup(NULL); /* in the poll */
    frame = (struct nested){0};
    spawn(&task, nested, &frame);
    (void)run_to(100);
    assert_trace(expected);
}

static void timeout_then_cancel_is_timed_out_and_canceled_next(void **state)
{
    (void)state;
    to_one(NOTHING, TIMEOUT, CANCEL,
           "x canceled\n"
           "returns timed out\n"
           "next wait canceled\n");
}

static void timeout_then_wake_is_granted(void **state)
{
    (void)state;
    to_one(WAKE, TIMEOUT, WAKE,
           "x is granted\n"
           "x done\n"
           "returns done\n"
           "next wait done\n");
}

static void timeout_then_close_is_closed(void **state)
{
    (void)state;
    to_one(CLOSE, TIMEOUT, CLOSE,
           "x closed\n"
           "returns closed\n"
           "next wait done\n");
}

/* ---- cancel ------------------------------------------------------------- */

static void cancel_then_finish_is_finished_and_canceled_next(void **state)
{
    (void)state;
    to_one(FINISH, CANCEL, FINISH,
           "x done\n"
           "returns done\n"
           "next wait canceled\n");
}

static void cancel_then_error_is_the_error_and_canceled_next(void **state)
{
    (void)state;
    to_one(ERROR, CANCEL, ERROR,
           "x Input/output error\n"
           "returns Input/output error\n"
           "next wait canceled\n");
}

static void cancel_then_timeout_is_timed_out_and_canceled_next(void **state)
{
    (void)state;
    to_one(NOTHING, CANCEL, TIMEOUT,
           "x canceled\n"
           "returns timed out\n"
           "next wait canceled\n");
}

static void cancel_then_cancel_is_one_cancel(void **state)
{
    (void)state;
    to_one(NOTHING, CANCEL, CANCEL,
           "x canceled\n"
           "returns canceled\n"
           "next wait done\n");
}

static void cancel_then_wake_is_granted_and_canceled_next(void **state)
{
    (void)state;
    to_one(WAKE, CANCEL, WAKE,
           "x is granted\n"
           "x done\n"
           "returns done\n"
           "next wait canceled\n");
}

static void cancel_then_close_is_closed_and_canceled_next(void **state)
{
    (void)state;
    to_one(CLOSE, CANCEL, CLOSE,
           "x closed\n"
           "returns closed\n"
           "next wait canceled\n");
}

/* ---- wake --------------------------------------------------------------- */

static void wake_then_finish_is_both(void **state)
{
    (void)state;
    to_two(WAKE, FINISH,
           "a is granted\n"
           "b done\n"
           "a done\n"
           "a releases\n"
           "returns done\n"
           "next wait done\n");
}

static void
wake_then_error_is_the_error_and_the_grant_is_given_back(void **state)
{
    (void)state;
    to_two(WAKE, ERROR,
           "a is granted\n"
           "b Input/output error\n"
           "a canceled\n"
           "a releases\n"
           "returns Input/output error\n"
           "next wait done\n");
}

static void wake_then_timeout_is_granted(void **state)
{
    (void)state;
    to_one(WAKE, WAKE, TIMEOUT,
           "x is granted\n"
           "x done\n"
           "returns done\n"
           "next wait done\n");
}

static void wake_then_cancel_is_granted_and_canceled_next(void **state)
{
    (void)state;
    to_one(WAKE, WAKE, CANCEL,
           "x is granted\n"
           "x done\n"
           "returns done\n"
           "next wait canceled\n");
}

static void wake_then_wake_is_both(void **state)
{
    (void)state;
    to_two(WAKE, WAKE,
           "a is granted\n"
           "b is granted\n"
           "a done\n"
           "a releases\n"
           "b done\n"
           "b releases\n"
           "returns done\n"
           "next wait done\n");
}

static void wake_then_close_is_granted(void **state)
{
    (void)state;
    to_one(CLOSE, WAKE, CLOSE,
           "x is granted\n"
           "x done\n"
           "returns done\n"
           "next wait done\n");
}

/* ---- close -------------------------------------------------------------- */

static void close_then_finish_is_closed(void **state)
{
    (void)state;
    to_two(CLOSE, FINISH,
           "a closed\n"
           "b done\n"
           "returns closed\n"
           "next wait done\n");
}

static void close_then_error_is_closed(void **state)
{
    (void)state;
    to_two(CLOSE, ERROR,
           "a closed\n"
           "b Input/output error\n"
           "returns closed\n"
           "next wait done\n");
}

static void close_then_timeout_is_closed(void **state)
{
    (void)state;
    to_one(CLOSE, CLOSE, TIMEOUT,
           "x closed\n"
           "returns closed\n"
           "next wait done\n");
}

static void close_then_cancel_is_closed_and_canceled_next(void **state)
{
    (void)state;
    to_one(CLOSE, CLOSE, CANCEL,
           "x closed\n"
           "returns closed\n"
           "next wait canceled\n");
}

static void close_then_wake_is_closed(void **state)
{
    (void)state;
    to_one(CLOSE, CLOSE, WAKE,
           "x closed\n"
           "returns closed\n"
           "next wait done\n");
}

static void close_then_close_is_closed(void **state)
{
    (void)state;
    to_one(CLOSE, CLOSE, CLOSE,
           "x closed\n"
           "returns closed\n"
           "next wait done\n");
}

/* ---- what tasks do in the poll ------------------------------------------- */

/* Wakes at 20 and then makes something happen, as a task: before or after the
 * subject has run, in the order in which the two became ready. */
struct doer {
    struct async_frame async;
    struct happening what;
};

static async doer(struct async_loop *on, void *frame)
{
    struct doer *self = frame;

    async_begin(self);
    await(async_sleep_until(on, 20));
    happen(on, &self->what);
    async_end();
}

static struct async_task doing;

/* The subject's limit is 20 ms. */
static void with_doer(enum event waits, int doer_is_first, enum event event)
{
    static struct doer frame;

    subject = (struct subject){
        .ms = 20, .parts = {{.name = "x", .ends = waits, .returns = 1}}};
    frame = (struct doer){.what = {.event = event, .to = &subject.parts[0]}};
    doing = (struct async_task){0};
    if (doer_is_first)
        spawn(&doing, doer, &frame);
    spawn(&task, run_subject, &subject);
    if (!doer_is_first)
        spawn(&doing, doer, &frame);
    (void)run_to(100);
    assert_int_equal(async_alive(&loop), 0);
}

static void
timeout_then_wake_by_a_task_that_runs_before_is_granted(void **state)
{
    (void)state;
    with_doer(WAKE, 1, WAKE);

    assert_trace("x is granted\n"
                 "x done\n"
                 "returns done\n"
                 "next wait done\n");
}

static void
timeout_then_wake_by_a_task_that_runs_after_is_timed_out(void **state)
{
    (void)state;
    with_doer(WAKE, 0, WAKE);

    assert_trace("x canceled\n"
                 "returns timed out\n"
                 "next wait done\n");
    assert_int_equal(subject.parts[0].semaphore.permits,
                     1); /* it is not lost */
}

static void
timeout_then_cancel_by_a_task_that_runs_before_is_timed_out(void **state)
{
    (void)state;
    with_doer(NOTHING, 1, CANCEL);

    assert_trace("x canceled\n"
                 "returns timed out\n"
                 "next wait canceled\n");
}

static void
timeout_then_cancel_by_a_task_that_runs_after_is_canceled_next(void **state)
{
    (void)state;
    with_doer(NOTHING, 0, CANCEL);

    assert_trace("x canceled\n"
                 "returns timed out\n"
                 "next wait canceled\n");
}

static void
timeout_then_close_by_a_task_that_runs_after_is_timed_out(void **state)
{
    (void)state;
    with_doer(CLOSE, 0, CLOSE);

    assert_trace("x canceled\n"
                 "returns timed out\n"
                 "next wait done\n");
}

/* A task that sleeps till 20 and ends, and one that joins it with a limit of as
 * much: the end counts if it comes before the joiner has run. */
struct joiner {
    struct async_frame async;
    struct async_timer timer;
};

static async joiner(struct async_loop *on, void *frame)
{
    struct joiner *self = frame;
    int status;

    async_begin(self);
    async_catch(status,
                async_timeout(on, &self->timer, 20, async_join(on, &doing)));
    trace("returns %s", async_strerror(status));
    async_end();
}

static async sleeper(struct async_loop *on, void *frame)
{
    struct doer *self = frame;

    async_begin(self);
    if (self->what.event == TIMEOUT) /* is in line after the limit */
        await(async_sleep_until(on, 10));
    await(async_sleep_until(on, 20));
    async_end();
}

static void joins(enum event first)
{
    struct doer frame = {.what = {.event = first}};
    struct joiner joining = {{0, 0}, {{0}, NULL, NULL}};

    doing = (struct async_task){0};
    spawn(&doing, sleeper, &frame);
    spawn(&task, joiner, &joining);
    (void)run_to(100);
}

static void finish_of_a_joined_task_then_timeout_is_finished(void **state)
{
    (void)state;
    joins(FINISH);

    assert_trace("returns done\n");
}

static void
timeout_then_finish_of_a_joined_task_that_runs_after_is_timed_out(void **state)
{
    (void)state;
    joins(TIMEOUT);

    assert_trace("returns timed out\n");
}

/* ---- a gather that is canceled ------------------------------------------- */

/* Its tasks' ends are steps: what counts is which of them runs first. */
static void to_a_gather(enum event first, enum event second,
                        const char *expected)
{
    int mode;

    for (mode = 0; mode < MODES; mode++) {
        enum event event = first == CANCEL ? second : first;
        struct happening a = {.event = first, .to = &subject.parts[0]};
        struct happening b = {.event = second, .to = &subject.parts[0]};

        (void)timeline_setup(NULL);
        subject = (struct subject){.gathers = 1,
                                   .parts = {{.name = "a", .ends = event},
                                             {.name = "b", .ends = NOTHING}}};
        happen_both(mode, &a, &b);
        compare(mode, expected);
    }
    trace_clear();
}

static void
error_then_cancel_of_a_gather_is_the_error_and_canceled_next(void **state)
{
    (void)state;
    to_a_gather(ERROR, CANCEL,
                "a Input/output error\n"
                "b canceled\n"
                "returns Input/output error\n"
                "next wait canceled\n");
}

static void cancel_then_error_of_a_gather_is_canceled(void **state)
{
    (void)state;
    to_a_gather(CANCEL, ERROR,
                "a Input/output error\n"
                "b canceled\n"
                "returns canceled\n"
                "next wait done\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        timeline_claim(finish_then_finish_is_both),
        timeline_claim(finish_then_error_is_the_error),
        timeline_claim(finish_then_timeout_is_finished),
        timeline_claim(finish_then_cancel_is_finished_and_canceled_next),
        timeline_claim(finish_then_wake_is_both),
        timeline_claim(finish_then_close_is_closed),
        timeline_claim(error_then_finish_is_the_error),
        timeline_claim(error_then_error_is_the_first),
        timeline_claim(error_then_timeout_is_the_error),
        timeline_claim(error_then_cancel_is_the_error_and_canceled_next),
        timeline_claim(
            error_then_wake_is_the_error_and_the_grant_is_given_back),
        timeline_claim(error_then_close_is_the_error),
        timeline_claim(timeout_then_finish_is_finished),
        timeline_claim(timeout_then_error_is_the_error),
        timeline_claim(timeout_then_timeout_is_the_inner_and_then_the_outer),
        timeline_claim(timeout_then_cancel_is_timed_out_and_canceled_next),
        timeline_claim(timeout_then_wake_is_granted),
        timeline_claim(timeout_then_close_is_closed),
        timeline_claim(cancel_then_finish_is_finished_and_canceled_next),
        timeline_claim(cancel_then_error_is_the_error_and_canceled_next),
        timeline_claim(cancel_then_timeout_is_timed_out_and_canceled_next),
        timeline_claim(cancel_then_cancel_is_one_cancel),
        timeline_claim(cancel_then_wake_is_granted_and_canceled_next),
        timeline_claim(cancel_then_close_is_closed_and_canceled_next),
        timeline_claim(wake_then_finish_is_both),
        timeline_claim(
            wake_then_error_is_the_error_and_the_grant_is_given_back),
        timeline_claim(wake_then_timeout_is_granted),
        timeline_claim(wake_then_cancel_is_granted_and_canceled_next),
        timeline_claim(wake_then_wake_is_both),
        timeline_claim(wake_then_close_is_granted),
        timeline_claim(close_then_finish_is_closed),
        timeline_claim(close_then_error_is_closed),
        timeline_claim(close_then_timeout_is_closed),
        timeline_claim(close_then_cancel_is_closed_and_canceled_next),
        timeline_claim(close_then_wake_is_closed),
        timeline_claim(close_then_close_is_closed),
        timeline_claim(timeout_then_wake_by_a_task_that_runs_before_is_granted),
        timeline_claim(
            timeout_then_wake_by_a_task_that_runs_after_is_timed_out),
        timeline_claim(
            timeout_then_cancel_by_a_task_that_runs_before_is_timed_out),
        timeline_claim(
            timeout_then_cancel_by_a_task_that_runs_after_is_canceled_next),
        timeline_claim(
            timeout_then_close_by_a_task_that_runs_after_is_timed_out),
        timeline_claim(finish_of_a_joined_task_then_timeout_is_finished),
        timeline_claim(
            timeout_then_finish_of_a_joined_task_that_runs_after_is_timed_out),
        timeline_claim(
            error_then_cancel_of_a_gather_is_the_error_and_canceled_next),
        timeline_claim(cancel_then_error_of_a_gather_is_canceled),
    };

    return cmocka_run_group_tests_name("what happens on one tick", tests, NULL,
                                       NULL);
}
