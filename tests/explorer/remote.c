/* remote.c: async functions on a loop that another thread drives.
 * SPDX-License-Identifier: MIT
 *
 * Thread 0 drives the loop there; who calls and who cancels are threads of
 * their own. By the public calls, but that who cancels looks whether the call
 * is spawned. A cancel that is lost leaves a call that nobody ends: then nobody
 * can go on. When the end has been told, and who cancels has returned, the call
 * and its frame are nobody's any more.
 */
#include "explorer.h"

enum { CANCELERS = 2, THREADS = 6 };

/* By the address of its errno a loop knows its thread. */
static int *errno_of(int thread)
{
    static int errors[THREADS];

    errors[thread] = errno;
    return &errors[thread];
}
#undef errno
#define errno (*errno_of(pthread_self()))

#include "async_remote.h"

static struct {
    struct async_loop there, home;
    struct async_flag stop, never;
    struct server {
        struct async_frame async;
    } server;
    struct async_remote call;
    struct work {
        struct async_frame async;
        int ended;
    } work;
    struct caller {
        struct async_frame async;
        struct async_task task;
        struct joiner {
            struct async_frame async;
        } joiner;
        async_status status;
    } caller;
    int waits;    /* it ends by a cancel only */
    int rounds;   /* how often it is called */
    int canceled; /* in how many of these, the first */
    int cancelers, threads[CANCELERS];
    uint32_t limit_ms;
} world;

/* ---- there -------------------------------------------------------------- */

static async work(struct async_loop *loop, void *frame)
{
    struct work *self = frame;

    async_begin(self);
    if (world.waits)
        await(async_flag_wait(loop, &world.never));
    else
        await(async_yield_now(loop));
    async_finally();
    self->ended++;
    async_end();
}

static async server(struct async_loop *loop, void *frame)
{
    struct server *self = frame;

    async_begin(self);
    await(async_flag_wait(loop, &world.stop));
    async_end();
}

/* ---- who cancels -------------------------------------------------------- */

static void *canceler(void *arg)
{
    (void)arg;
    while (world.waits && !async_atomic_load_(&world.call.is_))
        (void)sched_yield(); /* until it is spawned: this must not be nothing */
    async_cancel_on(&world.call);
    return NULL;
}

/* ---- who calls ---------------------------------------------------------- */

static void begin_round(int round)
{
    int i;

    memset(&world.work, 0, sizeof world.work);
    for (i = 0; i < world.cancelers && round < world.canceled; i++)
        (void)pthread_create(&world.threads[i], NULL, canceler, NULL);
}

/* The end has been told. */
static void end_round(int round, async_status status)
{
    int i;

    explorer_check(world.work.ended == 1);
    explorer_check(async_outcome_on(&world.call) ==
                   (status == ASYNC_ETIMEDOUT ? ASYNC_ECANCELED : status));
    if (world.waits)
        explorer_check(status == ASYNC_ECANCELED ||
                       (world.limit_ms && status == ASYNC_ETIMEDOUT));
    else
        explorer_check(status == ASYNC_DONE ||
                       (status == ASYNC_ECANCELED && round < world.canceled));
    for (i = 0; i < world.cancelers && round < world.canceled; i++)
        (void)pthread_join(world.threads[i], NULL);
}

static void end_calls(void)
{
    explorer_gone(&world.call, sizeof world.call);
    explorer_gone(&world.work, sizeof world.work);
    async_flag_set(&world.there, &world.stop);
}

static void *blocks(void *arg)
{
    int round;

    explorer_name(arg);
    for (round = 0; round < world.rounds; round++) {
        begin_round(round);
        end_round(
            round,
            async_run_on(&world.there, &world.call, work, &world.work,
                         world.limit_ms ? world.limit_ms : ASYNC_NO_TIMEOUT));
    }
    end_calls();
    return NULL;
}

static void *asks(void *arg)
{
    int round;

    explorer_name(arg);
    for (round = 0; round < world.rounds; round++) {
        begin_round(round);
        (void)async_spawn_on(&world.there, &world.call, work, &world.work);
        while (async_outcome_on(&world.call) == ASYNC_PENDING)
            (void)sched_yield();
        end_round(round, async_outcome_on(&world.call));
    }
    end_calls();
    return NULL;
}

static async joiner(struct async_loop *loop, void *frame)
{
    struct joiner *self = frame;

    async_begin(self);
    async_catch(world.caller.status, async_join_on(loop, &world.call));
    async_end();
}

/* Cancels its joiner, if no thread cancels the call. */
static async caller(struct async_loop *loop, void *frame)
{
    struct caller *self = frame;

    async_begin(self);
    begin_round(0);
    (void)async_spawn_on(&world.there, &world.call, work, &world.work);
    async_spawn(loop, &self->task, joiner, &self->joiner);
    await(async_yield_now(loop));
    if (!world.cancelers && world.canceled)
        async_cancel(loop, &self->task);
    await(async_join(loop, &self->task));
    end_round(0, self->status);
    explorer_check(loop->coming_ == 0);
    async_end();
}

static void *joins(void *arg)
{
    explorer_name(arg);
    explorer_check(async_run(&world.home, caller, &world.caller) == ASYNC_DONE);
    explorer_check(world.home.posted_ == 0);
    explorer_gone(&world.home, sizeof world.home);
    end_calls();
    return NULL;
}

/* Runs fn as a thread beside the loop there, both to the end. */
static void run_beside(void *(*fn)(void *))
{
    static char name[] = "caller";
    int thread;

    (void)pthread_create(&thread, NULL, fn, name);
    explorer_check(async_run(&world.there, server, &world.server) ==
                   ASYNC_DONE);
    (void)pthread_join(thread, NULL);
    explorer_check(world.there.posted_ == 0 && world.there.coming_ == 0);
}

/* ---- claims ------------------------------------------------------------- */

static void a_thread_has_its_call_back_when_the_end_is_told(void)
{
    world.rounds = 1;
    run_beside(blocks);
}

static void a_cancel_by_a_third_thread_is_not_lost(void)
{
    world.rounds = world.canceled = 1;
    world.cancelers = 1;
    world.waits = 1;
    run_beside(blocks);
}

static void a_cancel_and_the_end_may_cross(void)
{
    world.rounds = world.canceled = 1;
    world.cancelers = 1;
    run_beside(blocks);
}

static void two_cancels_at_once_are_one(void)
{
    world.rounds = world.canceled = 1;
    world.cancelers = 2;
    run_beside(asks);
}

static void who_asks_for_the_outcome_is_told_once_nobody_is_there(void)
{
    world.rounds = world.canceled = 1;
    world.cancelers = 1;
    world.waits = 1;
    run_beside(asks);
}

static void a_call_spawned_again_was_not_canceled(void)
{
    world.rounds = 2;
    world.canceled = 1;
    world.cancelers = 1;
    run_beside(asks);
}

static void a_call_spawned_again_is_canceled_again(void)
{
    world.rounds = world.canceled = 2;
    world.cancelers = 1;
    run_beside(asks);
}

static void a_task_joins_a_call_that_a_thread_cancels(void)
{
    world.rounds = world.canceled = 1;
    world.cancelers = 1;
    run_beside(joins);
}

static void a_task_that_joins_is_canceled_as_the_call_ends(void)
{
    world.rounds = world.canceled = 1;
    run_beside(joins);
}

static void a_task_that_joins_is_canceled_and_that_crosses_over(void)
{
    world.rounds = world.canceled = 1;
    world.waits = 1;
    run_beside(joins);
}

static void a_timeout_and_a_cancel_end_a_run(void)
{
    world.rounds = world.canceled = 1;
    world.cancelers = 1;
    world.waits = 1;
    world.limit_ms = 1;
    run_beside(blocks);
}

int main(void)
{
#define CLAIM(claim) explore(#claim, claim, &world, sizeof world)
    CLAIM(a_thread_has_its_call_back_when_the_end_is_told);
    CLAIM(a_cancel_by_a_third_thread_is_not_lost);
    CLAIM(a_cancel_and_the_end_may_cross);
    CLAIM(two_cancels_at_once_are_one);
    CLAIM(who_asks_for_the_outcome_is_told_once_nobody_is_there);
    CLAIM(a_call_spawned_again_was_not_canceled);
    CLAIM(a_call_spawned_again_is_canceled_again);
    CLAIM(a_task_joins_a_call_that_a_thread_cancels);
    CLAIM(a_task_that_joins_is_canceled_as_the_call_ends);
    CLAIM(a_task_that_joins_is_canceled_and_that_crosses_over);
    CLAIM(a_timeout_and_a_cancel_end_a_run);
    return explorer_end();
}
