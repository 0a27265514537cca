/* test_wake.c: wakes at any moment, from signal handlers and threads at once.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_wake.c -lcmocka -pthread
 *
 * Signals come from a timer of the system's at moments of chance, in whatever
 * the loop or a thread does then. Nothing in here depends on when. A wake that
 * is lost is noticed by a timer of the loop's that should never fire. ROUNDS,
 * from the environment or defined, scales what is repeated.
 */
#if defined(__linux__) && defined(__x86_64__)
#define _GNU_SOURCE /* the processor's flags, as a handler sees them */
#else
#define _XOPEN_SOURCE 700
#endif
#include "trace.h"

#include "async_thread.h" /* for its atomics, too */

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#ifndef ROUNDS
#define ROUNDS 1000
#endif

enum { THREADS = 2, LOST_TICKS = 20000 };

static int rounds(void)
{
    const char *given = getenv("ROUNDS");

    return given ? atoi(given) : ROUNDS;
}

static struct async_loop loop;
static struct async_flag by_signal, by_thread[THREADS];

/* Atomic. */
static size_t wrong, stopping, sets[THREADS];

static void is_wrong(void)
{
    async_atomic_store_(&wrong, 1);
}

/* ---- signals ------------------------------------------------------------ */

static void handler(int number)
{
    (void)number;
    async_flag_set(&loop, &by_signal);
}

/* In so many microseconds, and then again and again, or once. */
static void signal_in(long us, int again)
{
    struct itimerval timer = {{0, 0}, {0, 0}};

    timer.it_value.tv_usec = us;
    timer.it_interval.tv_usec = again ? us : 0;
    (void)setitimer(ITIMER_REAL, &timer, NULL);
}

static struct sigaction former;

static int wake_setup(void **state)
{
    struct sigaction action;
    int i;

    memset(&action, 0, sizeof action);
    async_loop_init(&loop);
    by_signal = (struct async_flag){0};
    for (i = 0; i < THREADS; i++) {
        by_thread[i] = (struct async_flag){0};
        async_atomic_store_(&sets[i], 0);
    }
    async_atomic_store_(&wrong, 0);
    async_atomic_store_(&stopping, 0);
    action.sa_handler = handler;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGALRM, &action, &former);
    return trace_setup(state);
}

static int wake_teardown(void **state)
{
    (void)state;
    signal_in(0, 0);
    (void)sigaction(SIGALRM, &former, NULL);
    return 0;
}
#define wake_claim(test)                                                       \
    cmocka_unit_test_setup_teardown(test, wake_setup, wake_teardown)

#ifndef WAKE_BY_STORE

/* ---- threads ------------------------------------------------------------ */

/* Sets its flag again and again, so many times or until it is stopped. */
static void *set_flags(void *arg)
{
    size_t i = (size_t)arg;
    unsigned chance = 1 + (unsigned)i;

    while (!async_atomic_load_(&stopping)) {
        async_flag_set(&loop, &by_thread[i]);
        async_atomic_store_(&sets[i], async_atomic_load_(&sets[i]) + 1);
        chance = chance * 1103515245 + 12345;
        if (chance >> 31) /* as often as not */
            (void)sched_yield();
    }
    return NULL;
}

static int start_threads(pthread_t *threads)
{
    int i, error = 0;

    for (i = 0; i < THREADS; i++)
        error |=
            pthread_create(&threads[i], NULL, set_flags, (void *)(size_t)i);
    return error;
}

static void join_threads(pthread_t *threads)
{
    int i;

    async_atomic_store_(&stopping, 1);
    for (i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
}

#endif

/* ---- who waits ---------------------------------------------------------- */

struct waiter {
    struct async_frame async;
    struct async_timer lost;
    struct async_task *task;
    int i, times, taken;
    unsigned chance;
    int is_armed; /* a signal comes for each wait, and no other */
};

static void is_lost(struct async_loop *on, struct async_timer *timer)
{
    struct waiter *waiter = timer->arg;

    is_wrong();
    async_cancel(on, waiter->task);
}

static async waits_for_signals(struct async_loop *on, void *frame)
{
    struct waiter *self = frame;

    async_begin(self);
    self->task = async_current(on);
    for (self->i = 0; self->i < self->times; self->i++) {
        async_timer_start(on, &self->lost, LOST_TICKS, is_lost, self);
        if (self->is_armed) {
            self->chance = self->chance * 1103515245 + 12345;
            signal_in(1 + (long)(self->chance >> 16) % 80, 0);
        }
        await(async_flag_wait(on, &by_signal));
        self->taken++;
    }
    async_finally();
    async_timer_stop(on, &self->lost);
    async_end();
}

static void a_signal_at_any_moment_ends_async_runs_sleep(void **state)
{
    struct waiter frame = {.times = rounds(), .chance = 1, .is_armed = 1};
    async_status status;

    (void)state;
    status = async_run(&loop, waits_for_signals, &frame);

    assert_int_equal(wrong, 0);
    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(frame.taken, frame.times);
}

static void a_signal_at_any_moment_of_a_run_that_begins_or_ends(void **state)
{
    unsigned chance = 1;
    int i;

    (void)state;
    for (i = 0; i < rounds() && !wrong; i++) {
        struct waiter frame = {.times = i % 3, .is_armed = 1};
        struct pollfd input = {.events = POLLIN};
        int fds[2];

        chance = chance * 1103515245 + 12345;
        frame.chance = chance;
        signal_in(1 + (long)(chance >> 16) % 40, 0);
        if (async_run(&loop, waits_for_signals, &frame) != ASYNC_DONE)
            is_wrong();
        if (pipe(fds) < 0) /* where the run's own pipe was */
            is_wrong();
        input.fd = fds[0];
        if (poll(&input, 1, 0) > 0)
            is_wrong();
        (void)close(fds[0]);
        (void)close(fds[1]);
    }

    assert_int_equal(wrong, 0);
}

/* A superloop: it sleeps with signals held back, after a last look. */
static volatile sig_atomic_t poked;

static void note_poke(void *arg)
{
    (void)arg;
    poked = 1;
}

static void a_superloop_that_looks_once_more_before_it_sleeps(void **state)
{
    static const struct async_host host = {note_poke, NULL, NULL};
    struct waiter frame = {.times = rounds(), .chance = 1, .is_armed = 1};
    struct async_task task = {.fn = NULL};
    sigset_t held, open;

    (void)state;
    (void)sigemptyset(&held);
    (void)sigaddset(&held, SIGALRM);
    async_attach(&loop, &host);
    (void)async_spawn(&loop, &task, waits_for_signals, &frame);
    while (async_alive(&loop)) {
        poked = 0;
        if (async_poll(&loop, 0) == 0)
            continue;
        (void)sigprocmask(SIG_BLOCK, &held, &open);
        if (!poked && async_alive(&loop))
            (void)sigsuspend(&open);
        (void)sigprocmask(SIG_SETMASK, &open, NULL);
    }
    async_attach(&loop, NULL);

    assert_int_equal(wrong, 0);
    assert_int_equal(frame.taken, frame.times);
}

/* ---- after each single instruction -------------------------------------- */

/* Takes the time of the square of their number: for optimized code only. */
#if defined(__linux__) && defined(__x86_64__) && defined(__OPTIMIZE__) &&      \
    defined(__GNUC__) && !defined(__clang__) &&                                \
    !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define HAVE_STEPS 1

enum { TRAP_FLAG = 0x100, STEPS_AT_MOST = 100000 };

static volatile long steps, interrupt_at;

/* The processor comes here after each instruction, up to one. */
static void after_an_instruction(int number, siginfo_t *info, void *context)
{
    ucontext_t *interrupted = context;

    (void)number;
    (void)info;
    if (++steps < interrupt_at)
        return;
    interrupted->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    async_flag_set(&loop, &by_signal);
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

static async takes_flags(struct async_loop *on, void *frame)
{
    struct waiter *self = frame;

    async_begin(self);
    for (;;) {
        await(async_flag_wait(on, &by_signal));
        self->taken++;
    }
    async_end();
}

/* What a host does all day, with the interrupt after instruction `at`. False:
 * it was over before that. */
static int is_interrupted(long at)
{
    static const struct async_host host = {note_poke, NULL, NULL};
    struct waiter frame = {.times = 0};
    struct async_task task = {.fn = NULL};
    async_time ticks;

    async_loop_init(&loop);
    by_signal = (struct async_flag){0};
    async_attach(&loop, &host);
    (void)async_spawn(&loop, &task, takes_flags, &frame);
    (void)async_poll(&loop, 0);
    async_flag_set(&loop, &by_signal);
    poked = 0;

    step_from_here(at);
    ticks = async_poll(&loop, 0);
    async_attach(&loop, NULL);
    async_attach(&loop, &host);
    step_no_more();

    while (poked || ticks == 0) { /* or it sleeps */
        poked = 0;
        ticks = async_poll(&loop, 0);
    }
    async_attach(&loop, NULL);
    if (by_signal.set_ || frame.taken < 1 || frame.taken > 2)
        is_wrong();
    return steps >= at;
}

static void an_interrupt_after_any_instruction_is_not_lost(void **state)
{
    struct sigaction action, before;
    long at = 1;

    (void)state;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = after_an_instruction;
    action.sa_flags = SA_SIGINFO;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGTRAP, &action, &before);
    while (is_interrupted(at) && !wrong && at < STEPS_AT_MOST)
        at++;
    (void)sigaction(SIGTRAP, &before, NULL);

    if (wrong)
        fail_msg("lost after instruction %ld", at);
    print_message("# %ld instructions\n", at);
}

#else
#define HAVE_STEPS 0
#endif

#ifndef WAKE_BY_STORE

/* A task for each thread's flag, while signals rain. */
struct takers {
    struct async_frame async;
    struct async_task tasks[THREADS];
    struct taker {
        struct async_frame async;
        size_t which;
        int i, times;
    } takers[THREADS];
    int i;
};

static async taker(struct async_loop *on, void *frame)
{
    struct taker *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < self->times; self->i++)
        await(async_flag_wait(on, &by_thread[self->which]));
    async_end();
}

static async takers(struct async_loop *on, void *frame)
{
    struct takers *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < THREADS; self->i++)
        (void)async_spawn(on, &self->tasks[self->i], taker,
                          &self->takers[self->i]);
    for (self->i = 0; self->i < THREADS; self->i++)
        await(async_join(on, &self->tasks[self->i]));
    async_end();
}

static void threads_and_signals_may_wake_runs_that_begin_and_end(void **state)
{
    pthread_t threads[THREADS];
    int i, j, error;

    (void)state;
    error = start_threads(threads);
    assert_int_equal(error, 0);
    signal_in(50, 1);
    for (i = 0; i < rounds() / 3 && !wrong; i++) {
        struct takers frame = {.i = 0};
        struct pollfd input = {.events = POLLIN};
        int fds[2];

        for (j = 0; j < THREADS; j++) {
            frame.takers[j].which = (size_t)j;
            frame.takers[j].times = i % 3;
        }
        if (async_run(&loop, takers, &frame) != ASYNC_DONE)
            is_wrong();
        if (pipe(fds) < 0)
            is_wrong();
        input.fd = fds[0];
        if (poll(&input, 1, 0) > 0)
            is_wrong();
        (void)close(fds[0]);
        (void)close(fds[1]);
    }
    signal_in(0, 0);
    join_threads(threads);

    assert_int_equal(wrong, 0);
}

/* A host that holds the first who notifies it, until it is let go. */
static size_t notices, may_return; /* atomic */

static void hold_the_first(void *arg)
{
    size_t before = async_atomic_load_(&notices);

    (void)arg;
    if (!by_thread[before ? 1 : 0].set_)
        is_wrong(); /* told of a flag that is not set yet */
    async_atomic_store_(&notices, before + 1);
    while (before == 0 && !async_atomic_load_(&may_return))
        (void)sched_yield();
}

static void *set_one_flag(void *arg)
{
    (void)arg;
    async_flag_set(&loop, &by_thread[0]);
    return NULL;
}

static void a_wake_while_another_one_still_notifies_is_not_lost(void **state)
{
    static const struct async_host host = {hold_the_first, NULL, NULL};
    pthread_t thread;
    async_time next;
    int error;

    (void)state;
    async_atomic_store_(&notices, 0);
    async_atomic_store_(&may_return, 0);
    async_loop_init(&loop);
    loop.host_ = &host; /* attached, and not told of it */
    error = pthread_create(&thread, NULL, set_one_flag, NULL);
    assert_int_equal(error, 0);
    while (!async_atomic_load_(&notices))
        (void)sched_yield();
    (void)async_poll(&loop, 0);
    async_flag_set(&loop, &by_thread[1]);
    next = async_poll(&loop, 0);
    async_atomic_store_(&may_return, 1);
    (void)pthread_join(thread, NULL);
    async_attach(&loop, NULL);

    assert_int_equal(notices, 2);
    assert_true(next == ASYNC_FOREVER); /* it was taken, and came once */
    assert_int_equal(wrong, 0);
}

/* ---- hosts that come and go --------------------------------------------- */

/* Knows whether it may be notified. */
struct guest {
    struct async_host host;
    size_t is_attached; /* atomic */
    size_t pokes;       /* atomic */
};

static void poke(void *arg)
{
    struct guest *guest = arg;
    int i;

    if (!async_atomic_load_(&guest->is_attached))
        is_wrong();
    for (i = 0; i < 3; i++) /* it takes its time */
        if (!async_atomic_load_(&guest->is_attached))
            is_wrong();
    async_atomic_store_(&guest->pokes, 1);
}

static void
a_host_is_notified_while_it_is_attached_and_at_no_other_time(void **state)
{
    static struct guest guests[2];
    struct guest *guest = NULL, *next;
    pthread_t threads[THREADS];
    int i, error, polls;

    (void)state;
    for (i = 0; i < 2; i++) {
        guests[i].host.notify = poke;
        guests[i].host.arg = &guests[i];
        async_atomic_store_(&guests[i].is_attached, 0);
    }
    error = start_threads(threads);
    assert_int_equal(error, 0);
    signal_in(50, 1);
    for (i = 0; i < rounds() && !wrong; i++) {
        next = i % 3 == 2 ? NULL : &guests[i % 3];
        if (next) {
            async_atomic_store_(&next->pokes, 0);
            async_atomic_store_(&next->is_attached, 1);
        }
        async_attach(&loop, next ? &next->host : NULL);
        if (guest)
            async_atomic_store_(&guest->is_attached, 0);
        guest = next;
        if (guest && !async_atomic_load_(&guest->pokes))
            is_wrong(); /* attaching it notifies it */
        for (polls = 0; polls < 5; polls++)
            (void)async_poll(&loop, (async_time)i);
    }
    if (guest) { /* each wake after a poll comes through */
        for (i = 0; i < rounds() / 10; i++) {
            async_atomic_store_(&guest->pokes, 0);
            (void)async_poll(&loop, 0);
            while (!async_atomic_load_(&guest->pokes))
                (void)sched_yield();
        }
    }
    signal_in(0, 0);
    join_threads(threads);
    async_attach(&loop, NULL);

    assert_int_equal(wrong, 0);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        wake_claim(a_signal_at_any_moment_ends_async_runs_sleep),
        wake_claim(a_signal_at_any_moment_of_a_run_that_begins_or_ends),
        wake_claim(a_superloop_that_looks_once_more_before_it_sleeps),
#if HAVE_STEPS
        wake_claim(an_interrupt_after_any_instruction_is_not_lost),
#endif
#ifndef WAKE_BY_STORE
        wake_claim(threads_and_signals_may_wake_runs_that_begin_and_end),
        wake_claim(a_wake_while_another_one_still_notifies_is_not_lost),
        wake_claim(
            a_host_is_notified_while_it_is_attached_and_at_no_other_time),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
