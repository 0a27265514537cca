/* test_future.c: what async_future.h promises, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_future.c -lcmocka -pthread
 *
 * Time is a variable here. What comes from elsewhere is a thread that is joined
 * before the loop goes on, a signal that is raised at a place, or one after
 * each single instruction.
 */
#if defined(__linux__) && defined(__x86_64__)
#define _GNU_SOURCE /* the processor's flags, as a handler sees them */
#else
#define _XOPEN_SOURCE 700
#define _DEFAULT_SOURCE /* a handler stays where it is */
#endif
#include "trace.h"

#include "async_future.h"
#include "timeline.h"

#include "poison.h"

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

/* The C library's own threads are not the thread sanitizer's. */
#define HAVE_AIO !THREAD_SANITIZER

#ifndef ROUNDS
#define ROUNDS 1000
#endif

#ifndef FUTURE_BY_STORE
static int rounds(void)
{
    const char *given = getenv("ROUNDS");

    return given ? atoi(given) : ROUNDS;
}
#endif

/* ---- the cast ----------------------------------------------------------- */

static struct async_future future;
static struct async_task tasks[8];

/* Awaits the future, and then perhaps sleeps. */
struct waiter {
    struct async_frame async;
    const char *name;
    struct async_future *future;
    uint32_t limit_ms; /* 0: none */
    int then;          /* sleeps after it */
    struct async_timer timer;
    int status;
};
static struct waiter waiters[8];

static async waiter(struct async_loop *on, void *frame)
{
    struct waiter *self = frame;

    async_begin(self);
    if (self->limit_ms)
        async_catch(self->status,
                    async_timeout(on, &self->timer, self->limit_ms,
                                  async_future_wait(on, self->future)));
    else
        async_catch(self->status, async_future_wait(on, self->future));
    if (self->name)
        note(self->name, async_strerror(self->status));
    if (self->then) {
        async_catch(self->status, async_sleep_ms(on, 5));
        trace("%u %s then %s", (unsigned)async_now(on), self->name,
              async_strerror(self->status));
    }
    async_end();
}

static void wait_as(int i, const char *name)
{
    waiters[i].name = name;
    if (!waiters[i].future)
        waiters[i].future = &future;
    spawn(&tasks[i], waiter, &waiters[i]);
}

static int future_setup(void **state)
{
    static const struct async_future no_future;
    static const struct waiter no_waiter;
    static const struct async_task no_task;
    size_t i;

    future = no_future;
    for (i = 0; i < LENGTH(waiters); i++) {
        waiters[i] = no_waiter;
        tasks[i] = no_task;
    }
    return timeline_setup(state);
}
#define future_claim(test) cmocka_unit_test_setup(test, future_setup)

/* All who waited have ended, and the loop expects nothing more. */
static void assert_nothing_left(void)
{
    assert_int_equal(async_alive(&loop), 0);
    assert_int_equal(loop.coming_, 0);
    assert_null(loop.lookers_);
    assert_int_equal(async_loop_end(&loop), 0);
}

/* ---- set, and waited for ------------------------------------------------ */

static void a_task_waits_until_the_future_is_set_and_gets_how(void **state)
{
    int status;

    (void)state;
    wait_as(0, "a");
    (void)run_to(3);
    assert_trace("");
    status = async_future_set(&loop, &future, ASYNC_DONE);
    assert_int_equal(status, 0);
    (void)run_to(4);

    assert_trace("3 a done\n");
    assert_nothing_left();
}

static void all_who_wait_go_in_the_order_in_which_they_came(void **state)
{
    (void)state;
    wait_as(2, "c");
#ifndef FUTURE_BY_STORE /* there each looks for itself, in each poll */
    (void)run_to(1);
#endif
    wait_as(0, "a");
    wait_as(1, "b");
    (void)run_to(2);
    (void)async_future_set(&loop, &future, -EIO);
    (void)settle();

    assert_trace("2 c Input/output error\n"
                 "2 a Input/output error\n"
                 "2 b Input/output error\n");
    assert_nothing_left();
}

static void a_future_that_was_set_before_anybody_waits_is_over(void **state)
{
    (void)state;
    (void)async_future_set(&loop, &future, ASYNC_DONE);
    wait_as(0, "a");
    (void)run_to(1);
    wait_as(1, "b");
    (void)run_to(2);

    assert_trace("0 a done\n1 b done\n");
    assert_nothing_left();
}

static void nought_and_more_are_done_an_error_too_large_is_invalid(void **state)
{
    static const struct async_future zero;

    (void)state;
    (void)async_future_set(&loop, &future, 0);
    (void)settle();
    assert_int_equal(async_future_outcome(&future), ASYNC_DONE);
    future = zero;
    (void)async_future_set(&loop, &future, 70000);
    (void)settle();
    assert_int_equal(async_future_outcome(&future), ASYNC_DONE);
    future = zero;
    (void)async_future_set(&loop, &future, -70000);
    (void)settle();
    assert_int_equal(async_future_outcome(&future), ASYNC_EINVAL);
}

static void a_future_is_set_once_later_sets_are_refused(void **state)
{
    int first, second, third;

    (void)state;
    wait_as(0, "a");
    (void)settle();
    first = async_future_set(&loop, &future, -EIO);
    second = async_future_set(&loop, &future, ASYNC_DONE);
    (void)settle();
    third = async_future_set(&loop, &future, ASYNC_DONE);
    (void)settle();
    wait_as(1, "b");
    (void)settle();

    assert_int_equal(first, 0);
    assert_int_equal(second, ASYNC_EBUSY);
    assert_int_equal(third, ASYNC_EBUSY);
    assert_trace("0 a Input/output error\n0 b Input/output error\n");
}

static void a_claim_keeps_others_out_until_it_is_settled(void **state)
{
    int claimed, again, set, canceled;

    (void)state;
    wait_as(0, "a");
    claimed = async_future_claim(&future);
    again = async_future_claim(&future);
    set = async_future_set(&loop, &future, -EIO);
    canceled = async_future_cancel(&loop, &future);
    (void)run_to(2);
    assert_int_equal(async_future_outcome(&future), ASYNC_PENDING);
    async_future_settle(&loop, &future, ASYNC_DONE);
    (void)settle();

    assert_int_equal(claimed, 0);
    assert_int_equal(again, ASYNC_EBUSY);
    assert_int_equal(set, ASYNC_EBUSY);
    assert_int_equal(canceled, ASYNC_EBUSY);
    assert_trace("2 a done\n");
    assert_int_equal(async_future_outcome(&future), ASYNC_DONE);
}

static void a_future_that_is_over_may_be_made_new(void **state)
{
    static const struct async_future zero;

    (void)state;
    wait_as(0, "a");
    (void)settle();
    (void)async_future_set(&loop, &future, ASYNC_DONE);
    (void)settle();
    future = zero;
    wait_as(1, "b");
    (void)run_to(1);
    assert_trace("0 a done\n");
    (void)async_future_set(&loop, &future, -EIO);
    (void)settle();

    assert_trace("1 b Input/output error\n");
    assert_nothing_left();
}

static void two_futures_are_set_each_for_its_own(void **state)
{
    static struct async_future other;
    static const struct async_future zero;

    (void)state;
    other = zero;
    waiters[1].future = &other;
    wait_as(0, "a");
    wait_as(1, "b");
    (void)settle();
    (void)async_future_set(&loop, &other, ASYNC_DONE);
    (void)run_to(1);
    (void)async_future_set(&loop, &future, ASYNC_DONE);
    (void)settle();

    assert_trace("0 b done\n1 a done\n");
}

static int pokes;

static void poke(void *arg)
{
    (void)arg;
    pokes++;
}

static void a_set_wakes_the_host(void **state)
{
    static const struct async_host host = {poke, NULL, NULL};

    (void)state;
    async_attach(&loop, &host);
    wait_as(0, "a");
    (void)settle();
    pokes = 0;
    (void)async_future_set(&loop, &future, ASYNC_DONE);
    assert_int_equal(pokes, 1);
    (void)settle();
    async_attach(&loop, NULL);

    assert_trace("0 a done\n");
}

static void a_cancel_of_the_future_from_outside_wakes_the_host(void **state)
{
    static const struct async_host host = {poke, NULL, NULL};

    (void)state;
    async_attach(&loop, &host);
    wait_as(0, "a");
    (void)settle();
    pokes = 0;
    (void)async_future_cancel(&loop, &future);
    assert_int_equal(pokes, 1);
    (void)settle();
    async_attach(&loop, NULL);

    assert_trace("0 a canceled\n");
}

/* Waits, and then the frame that holds the future is gone. */
struct holder {
    struct waiter waiter;
    struct async_future future;
};

static void the_first_to_go_may_free_the_future(void **state)
{
    static struct holder *holder;

    (void)state;
    holder = calloc(1, sizeof *holder);
    assert_non_null(holder);
    waiters[0].future = waiters[1].future = &holder->future;
    wait_as(0, "a");
    wait_as(1, "b");
    (void)settle();
    (void)async_future_set(&loop, &holder->future, -EIO);
#ifndef FUTURE_BY_STORE /* there each looks for itself */
    {
        void (*take)(struct async_loop *) = loop.take_posted_;

        take(&loop); /* what the next poll does first */
        poison(holder, sizeof *holder);
        (void)settle();
        unpoison(holder, sizeof *holder);
    }
#else
    (void)settle();
#endif
    free(holder);

    assert_trace("0 a Input/output error\n0 b Input/output error\n");
    assert_nothing_left();
}

/* ---- a waiter leaves ---------------------------------------------------- */

static void a_canceled_waiter_leaves_the_future_and_the_others(void **state)
{
    (void)state;
    wait_as(0, "a");
    wait_as(1, "b");
    wait_as(2, "c");
    (void)settle();
    async_cancel(&loop, &tasks[1]);
    (void)run_to(1);
    assert_trace("0 b canceled\n");
    (void)async_future_set(&loop, &future, ASYNC_DONE);
    (void)settle();

    assert_trace("1 a done\n1 c done\n");
    assert_nothing_left();
}

static void when_all_have_left_the_loop_expects_nothing(void **state)
{
    (void)state;
    wait_as(0, "a");
    wait_as(1, "b");
    (void)settle();
    async_cancel(&loop, &tasks[0]);
    async_cancel(&loop, &tasks[1]);
    (void)settle();

    assert_trace("0 a canceled\n0 b canceled\n");
    assert_nothing_left();
    assert_int_equal(async_future_outcome(&future), ASYNC_PENDING);
}

static void a_waiter_that_was_canceled_before_its_first_step(void **state)
{
    (void)state;
    wait_as(0, "a");
    async_cancel(&loop, &tasks[0]);
    (void)settle();

    assert_trace("0 a canceled\n");
    assert_nothing_left();
}

static void a_timed_out_waiter_leaves_and_may_come_back(void **state)
{
    (void)state;
    waiters[0].limit_ms = 10;
    wait_as(0, "a");
    (void)run_to(12);
    assert_trace("10 a timed out\n");
    wait_as(1, "a again");
    (void)run_to(13);
    (void)async_future_set(&loop, &future, ASYNC_DONE);
    (void)settle();

    assert_trace("13 a again done\n");
    assert_nothing_left();
}

static void set_and_its_waiter_canceled_it_is_set(void **state)
{
    (void)state;
    waiters[0].then = waiters[1].then = 1;
    wait_as(0, "a");
    wait_as(1, "b");
    (void)settle();
    (void)async_future_set(&loop, &future, ASYNC_DONE);
    async_cancel(&loop, &tasks[0]);
    (void)run_to(5);

    assert_trace("0 a done\n0 a then canceled\n0 b done\n5 b then done\n");
}

static void canceled_and_then_set_on_one_tick_it_is_set(void **state)
{
    (void)state;
    waiters[0].then = 1;
    wait_as(0, "a");
    (void)settle();
    async_cancel(&loop, &tasks[0]);
    (void)async_future_set(&loop, &future, ASYNC_DONE);
    (void)settle();

    assert_trace("0 a done\n0 a then canceled\n");
    assert_nothing_left();
}

static void set_and_its_waiter_timed_out_on_one_tick_it_is_set(void **state)
{
    (void)state;
    waiters[0].limit_ms = 10;
    waiters[0].then = 1;
    wait_as(0, "a");
    (void)run_to(9);
    now = 10;
    (void)async_future_set(&loop, &future, ASYNC_DONE);
    (void)run_to(15);

    assert_trace("10 a done\n15 a then done\n");
    assert_nothing_left();
}

/* Sets the future and cancels a waiter in one step: the set is not taken before
 * the next poll. */
struct setter {
    struct async_frame async;
};

static async setter(struct async_loop *on, void *frame)
{
    struct setter *self = frame;

    async_begin(self);
    (void)async_future_set(on, &future, ASYNC_DONE);
    async_cancel(on, &tasks[0]);
    note("setter", "has set");
    async_end();
}

static void what_is_on_its_way_to_the_loop_wins_over_a_cancel(void **state)
{
    struct setter frame = {{0, 0}};

    (void)state;
    waiters[0].then = 1;
    wait_as(0, "a");
    (void)settle();
    spawn(&tasks[7], setter, &frame);
    (void)settle();

    assert_trace("0 setter has set\n0 a done\n0 a then canceled\n");
    assert_nothing_left();
}

/* A function around the wait in which the future is set between the question
 * whether a cancel may land and its landing. */
static int late_steps;

static async_status sets_late(struct async_loop *on, void *frame)
{
    async_status status = async_future_wait(on, &future);

    (void)frame;
    if (status == ASYNC_ASKED_ && late_steps++ == 0)
        (void)async_future_set(on, &future, -EIO);
    else if (status != ASYNC_PENDING && status != ASYNC_ASKED_)
        note("late", async_strerror(status));
    return status;
}

static void set_between_a_cancels_question_and_its_landing(void **state)
{
    (void)state;
    late_steps = 0;
    spawn(&tasks[0], sets_late, NULL);
    (void)settle();
    async_cancel(&loop, &tasks[0]);
    (void)settle();
    assert_int_equal(async_unjoined(&loop), -EIO);

    assert_trace("0 late Input/output error\n");
    assert_nothing_left();
}

/* ---- canceled ----------------------------------------------------------- */

static int stops, stop_answer, stop_sets;

static int producer_stops(struct async_loop *on, struct async_future *which)
{
    stops++;
    if (stop_sets)
        (void)async_future_set(on, which, -EPIPE);
    return stop_answer;
}

static int producer_setup(void **state)
{
    stops = stop_answer = stop_sets = 0;
    return future_setup(state);
}
#define producer_claim(test) cmocka_unit_test_setup(test, producer_setup)

static void a_cancel_reaches_the_producer_and_ends_the_future(void **state)
{
    int canceled, again, set;

    (void)state;
    future.cancel = producer_stops;
    wait_as(0, "a");
    wait_as(1, "b");
    (void)settle();
    canceled = async_future_cancel(&loop, &future);
    set = async_future_set(&loop, &future, ASYNC_DONE);
    (void)settle();
    again = async_future_cancel(&loop, &future);

    assert_int_equal(canceled, 0);
    assert_int_equal(set, ASYNC_EBUSY);
    assert_int_equal(again, ASYNC_EBUSY);
    assert_int_equal(stops, 1);
    assert_trace("0 a canceled\n0 b canceled\n");
    assert_nothing_left();
}

static void a_future_without_a_producer_to_tell_is_canceled_too(void **state)
{
    int canceled;

    (void)state;
    canceled = async_future_cancel(&loop, &future);
    wait_as(0, "a");
    (void)settle();

    assert_int_equal(canceled, 0);
    assert_trace("0 a canceled\n");
    assert_int_equal(async_future_outcome(&future), ASYNC_ECANCELED);
}

static void a_cancel_after_a_set_is_refused_and_tells_nobody(void **state)
{
    int canceled;

    (void)state;
    future.cancel = producer_stops;
    wait_as(0, "a");
    (void)settle();
    (void)async_future_set(&loop, &future, ASYNC_DONE);
    canceled = async_future_cancel(&loop, &future);
    (void)settle();

    assert_int_equal(canceled, ASYNC_EBUSY);
    assert_int_equal(stops, 0);
    assert_trace("0 a done\n");
}

static void a_producer_that_cannot_stop_is_waited_for(void **state)
{
    int canceled, set;

    (void)state;
    future.cancel = producer_stops;
    stop_answer = ASYNC_EBUSY;
    wait_as(0, "a");
    (void)settle();
    canceled = async_future_cancel(&loop, &future);
    (void)run_to(2);
    assert_trace("");
    set = async_future_set(&loop, &future, ASYNC_DONE);
    (void)settle();

    assert_int_equal(canceled, ASYNC_EBUSY);
    assert_int_equal(set, 0);
    assert_int_equal(stops, 1);
    assert_trace("2 a done\n");
    assert_nothing_left();
}

static void a_producer_that_ends_the_future_itself_says_how(void **state)
{
    int canceled;

    (void)state;
    future.cancel = producer_stops;
    stop_sets = 1;
    wait_as(0, "a");
    (void)settle();
    canceled = async_future_cancel(&loop, &future);
    (void)settle();

    assert_int_equal(canceled, ASYNC_EBUSY);
    assert_trace("0 a Broken pipe\n");
    assert_nothing_left();
}

/* Leaves the future for good, by rule 2. */
struct leaver {
    struct async_frame async;
    struct async_future future;
    int rc;
};

static async leaver(struct async_loop *on, void *frame)
{
    struct leaver *self = frame;

    async_begin(self);
    await(async_future_wait(on, &self->future));
    async_finally();
    (void)async_future_cancel(on, &self->future);
    async_catch(self->rc, async_future_wait(on, &self->future));
    note("leaver found", async_strerror(self->rc));
    async_end();
}

static void who_leaves_waits_only_for_what_cannot_be_stopped(void **state)
{
    struct leaver frame = {.rc = 0};

    (void)state;
    frame.future.cancel = producer_stops;
    spawn(&tasks[0], leaver, &frame);
    (void)settle();
    async_cancel(&loop, &tasks[0]);
    (void)settle();
    assert_trace("0 leaver found canceled\n");

    frame = (struct leaver){.rc = 0};
    frame.future.cancel = producer_stops;
    stop_answer = ASYNC_EBUSY;
    spawn(&tasks[0], leaver, &frame);
    (void)settle();
    async_cancel(&loop, &tasks[0]);
    (void)run_to(1);
    async_cancel(&loop, &tasks[0]); /* does not cut it short */
    (void)run_to(2);
    assert_trace("");
    (void)async_future_set(&loop, &frame.future, ASYNC_DONE);
    (void)settle();
    assert_trace("2 leaver found done\n");
    (void)async_unjoined(&loop);
    assert_nothing_left();
}

/* ---- from a signal handler ---------------------------------------------- */

static volatile int handler_status, handler_was;

static void set_in_handler(int number)
{
    (void)number;
    handler_was = async_future_set(&loop, &future, handler_status);
}

static void a_signal_handler_sets_it(void **state)
{
    void (*before)(int);

    (void)state;
    handler_status = -EINTR;
    wait_as(0, "a");
    (void)settle();
    before = signal(SIGUSR1, set_in_handler);
    (void)raise(SIGUSR1);
    assert_int_equal(handler_was, 0);
    (void)raise(SIGUSR1);
    assert_int_equal(handler_was, ASYNC_EBUSY);
    (void)signal(SIGUSR1, before);
    (void)settle();

    assert_trace("0 a Interrupted system call\n");
    assert_nothing_left();
}

static void a_run_is_ended_by_a_signal_handler(void **state)
{
    void (*before)(int);
    int status;

    (void)state;
    handler_status = ASYNC_DONE;
    before = signal(SIGUSR1, set_in_handler);
    (void)raise(SIGUSR1);
    waiters[0].name = "a";
    waiters[0].future = &future;
    status = async_run(&loop, waiter, &waiters[0]);
    (void)signal(SIGUSR1, before);

    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(waiters[0].status, ASYNC_DONE);
}

/* After each single instruction: for optimized code only. */
#if defined(__linux__) && defined(__x86_64__) && defined(__OPTIMIZE__) &&      \
    defined(__GNUC__) && !defined(__clang__) &&                                \
    !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define HAVE_STEPS 1

#include <sys/ucontext.h>

enum { TRAP_FLAG = 0x100, STEPS_AT_MOST = 100000 };

static volatile long steps, interrupt_at;
static volatile int value, handler_claimed;

/* The processor comes here after each instruction, up to one. */
static void after_an_instruction(int number, siginfo_t *info, void *context)
{
    ucontext_t *interrupted = context;

    (void)number;
    (void)info;
    if (++steps < interrupt_at)
        return;
    interrupted->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    handler_claimed = async_future_claim(&future) == 0;
    if (handler_claimed) {
        value = 2;
        async_future_settle(&loop, &future, ASYNC_DONE);
    }
}

static void step_from_here(long at)
{
    steps = 0;
    interrupt_at = at;
    __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "cc", "memory");
}

static void step_no_more(void)
{
    __asm__ volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "cc", "memory");
}

/* Sets the future, with the interrupt after instruction `at`. */
static void sets_it(void)
{
    if (async_future_claim(&future) == 0) {
        if (handler_claimed)
            value = -1;
        else
            value = 1;
        async_future_settle(&loop, &future, -EIO);
    }
}

static void polls_it(void)
{
    (void)async_poll(&loop, 0);
}

static void cancels_it(void)
{
    (void)async_future_cancel(&loop, &future);
}

static void cancels_its_waiter(void)
{
    async_cancel(&loop, &tasks[0]);
    (void)async_poll(&loop, 0);
    (void)async_poll(&loop, 0);
}

/* What does one of these, interrupted everywhere, comes to an end that fits. */
static void interrupt_everywhere(void (*act)(void), const int *ends)
{
    static const struct async_host host = {poke, NULL, NULL};
    struct sigaction action, before;
    long at = 0;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = after_an_instruction;
    action.sa_flags = SA_SIGINFO;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGTRAP, &action, &before);
    do {
        void *state = NULL;
        int status, fits;

        at++;
        (void)future_setup(&state);
        async_attach(&loop, &host);
        value = handler_claimed = 0;
        wait_as(0, NULL); /* a trace takes thousands */
        (void)async_poll(&loop, 0);
        step_from_here(at);
        act();
        step_no_more();
        if (act == polls_it || act == cancels_its_waiter)
            (void)async_future_set(&loop, &future, -EPERM);
        (void)settle();
        async_attach(&loop, NULL);
        status = waiters[0].status;
        fits = status == (handler_claimed ? ASYNC_DONE : ends[0]) ||
               (ends[1] && status == ends[1]);
        if (act == cancels_its_waiter && status == ASYNC_DONE)
            fits = handler_claimed;
        if (handler_claimed != (value == 2) || !fits || async_alive(&loop))
            fail_msg("after instruction %ld: %s, value %d, claimed %d", at,
                     async_strerror(status), value, handler_claimed);
    } while (steps >= at && at < STEPS_AT_MOST);
    (void)sigaction(SIGTRAP, &before, NULL);
    print_message("# %ld instructions\n", at);
}

static void an_interrupt_after_any_instruction_of_a_set(void **state)
{
    static const int ends[2] = {-EIO, 0};

    (void)state;
    interrupt_everywhere(sets_it, ends);
}

static void an_interrupt_after_any_instruction_of_a_poll(void **state)
{
    static const int ends[2] = {-EPERM, 0};

    (void)state;
    interrupt_everywhere(polls_it, ends);
}

static void an_interrupt_after_any_instruction_of_a_cancel(void **state)
{
    static const int ends[2] = {ASYNC_ECANCELED, 0};

    (void)state;
    interrupt_everywhere(cancels_it, ends);
}

static void an_interrupt_while_the_waiter_is_canceled(void **state)
{
    static const int ends[2] = {ASYNC_ECANCELED, ASYNC_ECANCELED};

    (void)state;
    interrupt_everywhere(cancels_its_waiter, ends);
}

#else
#define HAVE_STEPS 0
#endif

/* ---- from threads ------------------------------------------------------- */

#ifndef FUTURE_BY_STORE

/* Awaited by a run, set by a thread: with a value of its own. */
struct answer {
    struct async_future future;
    size_t value; /* by who has claimed it */
};

struct program {
    struct async_frame async;
    struct async_loop loop;
    struct answer answers[2];
    size_t sum;
};

static struct program program_frame;
static size_t claims; /* atomic: how often a claim was granted */

static void *claim_and_set(void *arg)
{
    size_t number = (size_t)arg, i, was;

    for (i = 0; i < 2; i++) {
        struct answer *answer = &program_frame.answers[i];

        if (async_future_claim(&answer->future) < 0)
            continue;
        answer->value = number;
        do {
            was = async_atomic_load_(&claims);
        } while (!async_atomic_swap_if_(&claims, was, was + 1));
        async_future_settle(&program_frame.loop, &answer->future, ASYNC_DONE);
    }
    return NULL;
}

static async program(struct async_loop *on, void *frame)
{
    struct program *self = frame;

    async_begin(self);
    await(async_future_wait(on, &self->answers[1].future));
    self->sum += self->answers[1].value;
    await(async_future_wait(on, &self->answers[0].future));
    self->sum += self->answers[0].value;
    async_end();
}

static void of_threads_that_race_to_set_one_wins(void **state)
{
    enum { THREADS = 3 };
    static const struct program zero;
    pthread_t threads[THREADS];
    int round, status, error = 0;
    size_t i;

    (void)state;
    for (round = 0; round < rounds() / 4; round++) {
        program_frame = zero;
        async_atomic_store_(&claims, 0);
        for (i = 0; i < THREADS; i++)
            error |= pthread_create(&threads[i], NULL, claim_and_set,
                                    (void *)(i + 1));
        assert_int_equal(error, 0);
        status = async_run(&program_frame.loop, program, &program_frame);
        for (i = 0; i < THREADS; i++)
            (void)pthread_join(threads[i], NULL);
        assert_int_equal(status, ASYNC_DONE);
        assert_int_equal(claims, 2);
        assert_in_range(program_frame.sum, 2, 6);
        assert_int_equal(program_frame.sum, program_frame.answers[0].value +
                                                program_frame.answers[1].value);
    }
}

static void *set_from_thread(void *arg)
{
    (void)async_future_set(&loop, &future, *(int *)arg);
    return NULL;
}

static void a_run_waits_for_a_thread_and_is_not_stuck(void **state)
{
    int error = -EIO, status;
    pthread_t thread;

    (void)state;
    waiters[0].name = "a";
    waiters[0].future = &future;
    status = pthread_create(&thread, NULL, set_from_thread, &error);
    assert_int_equal(status, 0);
    status = async_run(&loop, waiter, &waiters[0]);
    (void)pthread_join(thread, NULL);

    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(waiters[0].status, -EIO);
    assert_int_equal(loop.coming_, 0);
}

/* Cancels the future while a thread sets it: one of the two. */
struct contest {
    struct async_frame async;
    struct async_loop loop;
    struct async_future future;
    int canceled, rc;
};
static struct contest contest_frame;
static int contest_was;

static void *set_contest(void *arg)
{
    (void)arg;
    contest_was = async_future_set(&contest_frame.loop, &contest_frame.future,
                                   ASYNC_DONE);
    return NULL;
}

static async contest(struct async_loop *on, void *frame)
{
    struct contest *self = frame;

    async_begin(self);
    self->canceled = async_future_cancel(on, &self->future);
    async_catch(self->rc, async_future_wait(on, &self->future));
    async_end();
}

static void
a_thread_sets_what_the_loop_cancels_and_one_of_them_wins(void **state)
{
    static const struct contest zero;
    pthread_t thread;
    int round, error;

    (void)state;
    for (round = 0; round < rounds() / 4; round++) {
        contest_frame = zero;
        error = pthread_create(&thread, NULL, set_contest, NULL);
        assert_int_equal(error, 0);
        (void)async_run(&contest_frame.loop, contest, &contest_frame);
        (void)pthread_join(thread, NULL);
        assert_int_equal(contest_frame.rc, contest_frame.canceled == 0
                                               ? ASYNC_ECANCELED
                                               : ASYNC_DONE);
        assert_int_equal(contest_was,
                         contest_frame.canceled == 0 ? ASYNC_EBUSY : 0);
    }
}

/* ---- adopted ------------------------------------------------------------ */

/* Somebody's interface: reads, and calls back on a thread of its own. */
typedef void done_fn(void *arg, int error, long result);

struct request {
    done_fn *done;
    void *arg;
};

static void *somebody(void *arg)
{
    struct request *request = arg;

    request->done(request->arg, 0, 42);
    return NULL;
}

struct adopted {
    struct async_frame async;
    struct async_future future; /* of the callback, of the read */
    struct async_loop *loop;
    struct request request;
#if HAVE_AIO
    struct aiocb aio;
#endif
    pthread_t thread;
    char text[8];
    long result;
};

static void adopted_done(void *arg, int error, long result)
{
    struct adopted *self = arg;

    self->result = result;
    (void)async_future_set(self->loop, &self->future, error);
}

static async adopts_a_callback(struct async_loop *on, void *frame)
{
    struct adopted *self = frame;

    async_begin(self);
    self->loop = on;
    self->request.done = adopted_done;
    self->request.arg = self;
    if (pthread_create(&self->thread, NULL, somebody, &self->request))
        async_fail(-EAGAIN);
    await(async_future_wait(on, &self->future));
    (void)pthread_join(self->thread, NULL);
    async_end();
}

static void a_callback_is_adopted(void **state)
{
    static struct adopted frame;
    int status;

    (void)state;
    status = async_run(&loop, adopts_a_callback, &frame);

    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(frame.result, 42);
}

#if HAVE_AIO
static void aio_done(union sigval given)
{
    struct adopted *self = given.sival_ptr;
    int error = aio_error(&self->aio);

    self->result = error ? -1 : (long)aio_return(&self->aio);
    (void)async_future_set(self->loop, &self->future, -error);
}

static int aio_stop(struct async_loop *on, struct async_future *which)
{
    struct adopted *self =
        (struct adopted *)(void *)((char *)which -
                                   offsetof(struct adopted, future));

    (void)on;
    (void)aio_cancel(self->aio.aio_fildes, &self->aio);
    return ASYNC_EBUSY; /* its thread calls back in any case */
}

static async adopts_a_read(struct async_loop *on, void *frame)
{
    struct adopted *self = frame;

    async_begin(self);
    self->loop = on;
    self->future.cancel = aio_stop;
    self->aio.aio_buf = self->text;
    self->aio.aio_nbytes = sizeof self->text;
    self->aio.aio_sigevent.sigev_notify = SIGEV_THREAD;
    self->aio.aio_sigevent.sigev_notify_function = aio_done;
    self->aio.aio_sigevent.sigev_value.sival_ptr = self;
    if (aio_read(&self->aio) < 0)
        async_fail(-errno);
    await(async_future_wait(on, &self->future));
    async_end();
}

static void an_asynchronous_read_is_adopted(void **state)
{
    static struct adopted frame;
    ssize_t length;
    int status, fds[2];

    (void)state;
    status = pipe(fds);
    assert_int_equal(status, 0);
    frame.aio.aio_fildes = fds[0];
    length = write(fds[1], "ping", 4);
    assert_int_equal(length, 4);
    status = async_run(&loop, adopts_a_read, &frame);
    (void)close(fds[0]);
    (void)close(fds[1]);

    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(frame.result, 4);
    assert_memory_equal(frame.text, "ping", 4);
}

static void an_asynchronous_read_that_fails_is_an_error(void **state)
{
    static struct adopted frame;
    int status, fds[2];

    (void)state;
    status = pipe(fds);
    assert_int_equal(status, 0);
    frame.aio.aio_fildes = fds[1]; /* can't be read from */
    status = async_run(&loop, adopts_a_read, &frame);
    (void)close(fds[0]);
    (void)close(fds[1]);

    assert_int_equal(status, -EBADF);
}

#endif

#endif

/* A descriptor's event sets a future that several wait for. */
struct bell {
    struct async_frame async;
    int fd;
};

static async bell(struct async_loop *on, void *frame)
{
    struct bell *self = frame;
    char byte;

    async_begin(self);
    await(async_readable(on, self->fd));
    (void)async_future_set(on, &future,
                           read(self->fd, &byte, 1) == 1 ? ASYNC_DONE : -EIO);
    async_end();
}

static void a_descriptor_is_adopted_for_several_who_wait(void **state)
{
    struct bell frame = {{0, 0}, 0};
    ssize_t length;
    int status, fds[2];

    (void)state;
    status = pipe(fds);
    assert_int_equal(status, 0);
    frame.fd = fds[0];
    wait_as(0, "a");
    wait_as(1, "b");
    length = write(fds[1], "!", 1);
    assert_int_equal(length, 1);
    status = async_run(&loop, bell, &frame);
    (void)close(fds[0]);
    (void)close(fds[1]);

    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(waiters[0].status, ASYNC_DONE);
    assert_int_equal(waiters[1].status, ASYNC_DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        future_claim(a_task_waits_until_the_future_is_set_and_gets_how),
        future_claim(all_who_wait_go_in_the_order_in_which_they_came),
        future_claim(a_future_that_was_set_before_anybody_waits_is_over),
        future_claim(nought_and_more_are_done_an_error_too_large_is_invalid),
        future_claim(a_future_is_set_once_later_sets_are_refused),
        future_claim(a_claim_keeps_others_out_until_it_is_settled),
        future_claim(a_future_that_is_over_may_be_made_new),
        future_claim(two_futures_are_set_each_for_its_own),
        future_claim(a_set_wakes_the_host),
        future_claim(a_cancel_of_the_future_from_outside_wakes_the_host),
        future_claim(the_first_to_go_may_free_the_future),

        future_claim(a_canceled_waiter_leaves_the_future_and_the_others),
        future_claim(when_all_have_left_the_loop_expects_nothing),
        future_claim(a_waiter_that_was_canceled_before_its_first_step),
        future_claim(a_timed_out_waiter_leaves_and_may_come_back),
        future_claim(set_and_its_waiter_canceled_it_is_set),
        future_claim(canceled_and_then_set_on_one_tick_it_is_set),
        future_claim(set_and_its_waiter_timed_out_on_one_tick_it_is_set),
        future_claim(what_is_on_its_way_to_the_loop_wins_over_a_cancel),
        future_claim(set_between_a_cancels_question_and_its_landing),

        producer_claim(a_cancel_reaches_the_producer_and_ends_the_future),
        producer_claim(a_future_without_a_producer_to_tell_is_canceled_too),
        producer_claim(a_cancel_after_a_set_is_refused_and_tells_nobody),
        producer_claim(a_producer_that_cannot_stop_is_waited_for),
        producer_claim(a_producer_that_ends_the_future_itself_says_how),
        producer_claim(who_leaves_waits_only_for_what_cannot_be_stopped),

        future_claim(a_signal_handler_sets_it),
        future_claim(a_run_is_ended_by_a_signal_handler),
#if HAVE_STEPS
        future_claim(an_interrupt_after_any_instruction_of_a_set),
        future_claim(an_interrupt_after_any_instruction_of_a_poll),
        future_claim(an_interrupt_after_any_instruction_of_a_cancel),
        future_claim(an_interrupt_while_the_waiter_is_canceled),
#endif
#ifndef FUTURE_BY_STORE
        future_claim(of_threads_that_race_to_set_one_wins),
        future_claim(a_run_waits_for_a_thread_and_is_not_stuck),
        future_claim(a_thread_sets_what_the_loop_cancels_and_one_of_them_wins),
        future_claim(a_callback_is_adopted),
#if HAVE_AIO
        future_claim(an_asynchronous_read_is_adopted),
        future_claim(an_asynchronous_read_that_fails_is_an_error),
#endif
#endif
        future_claim(a_descriptor_is_adopted_for_several_who_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
