/* executor.c: jobs on threads: out, back, canceled, stopped.
 * SPDX-License-Identifier: MIT
 *
 * By the public calls alone. A job that runs twice, or after its await is over,
 * that is lost, or whose frame is used when it is gone, is a failure.
 */
#include "explorer.h"

#include "async_thread.h"

enum { CALLS = 3 };

static struct {
    struct async_loop loop;
    struct async_executor executor;
    struct async_task tasks[CALLS];
    struct call {
        struct async_frame async;
        struct async_job job;
        async_status status;
        int value, square, is_over;
    } calls[CALLS];
    struct program {
        struct async_frame async;
        int count, i, canceled, how, rounds;
    } program;
    int ran[CALLS], running, most_running;
    int unhandled;
} world;

/* ---- calls -------------------------------------------------------------- */

static int square(struct async_job *job, void *arg)
{
    struct call *call = arg;

    explorer_check(!call->is_over);
    explorer_check(++world.ran[call - world.calls] == 1);
    if (async_job_canceled(job))
        return ASYNC_ECANCELED;
    call->square = call->value * call->value;
    return 0;
}

static async call(struct async_loop *loop, void *frame)
{
    struct call *self = frame;

    async_begin(self);
    self->value = 3;
    async_catch(self->status,
                async_offload(loop, &world.executor, &self->job, square, self));
    self->is_over = 1;
    if (self->status == ASYNC_DONE)
        explorer_check(self->square == 9);
    async_end();
}

/* Starts the calls; a job that is over is nobody's any more. */
static void spawn_calls(struct async_loop *loop, int count)
{
    int i;

    for (i = 0; i < count; i++)
        (void)async_spawn(loop, &world.tasks[i], call, &world.calls[i]);
}

static async_status end_call(int i)
{
    async_status status = world.calls[i].status;

    explorer_check(world.calls[i].is_over);
    explorer_gone(&world.calls[i], sizeof world.calls[i]);
    return status;
}

/* ---- programs ----------------------------------------------------------- */

static async all_of_them(struct async_loop *loop, void *frame)
{
    struct program *self = frame;

    async_begin(self);
    spawn_calls(loop, self->count);
    for (self->i = 0; self->i < self->count; self->i++) {
        await(async_join(loop, &world.tasks[self->i]));
        explorer_check(end_call(self->i) == ASYNC_DONE);
        explorer_check(world.ran[self->i] == 1);
    }
    async_end();
}

static async cancels_one(struct async_loop *loop, void *frame)
{
    struct program *self = frame;
    async_status status;

    async_begin(self);
    spawn_calls(loop, self->count);
    for (self->i = 0; self->i < self->rounds; self->i++)
        await(async_yield_now(loop));
    async_cancel(loop, &world.tasks[self->canceled]);
    for (self->i = 0; self->i < self->count; self->i++) {
        await(async_join(loop, &world.tasks[self->i]));
        status = end_call(self->i);
        explorer_check(status == ASYNC_DONE || (status == ASYNC_ECANCELED &&
                                                self->i == self->canceled));
        explorer_check(status != ASYNC_DONE || world.ran[self->i] == 1);
    }
    async_end();
}

static async stops_it(struct async_loop *loop, void *frame)
{
    struct program *self = frame;
    async_status status;

    async_begin(self);
    spawn_calls(loop, self->count);
    for (self->i = 0; self->i < self->rounds; self->i++)
        await(async_yield_now(loop));
    async_executor_stop(&world.executor, self->how);
    for (self->i = 0; self->i < self->count; self->i++) {
        await(async_join(loop, &world.tasks[self->i]));
        status = end_call(self->i);
        explorer_check(
            status == ASYNC_DONE || status == ASYNC_ECLOSED ||
            (status == ASYNC_ECANCELED && self->how == ASYNC_STOP_CANCEL));
        explorer_check(world.ran[self->i] == (status != ASYNC_ECLOSED));
    }
    async_end();
}

static async one_after_the_other(struct async_loop *loop, void *frame)
{
    struct program *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < 2; self->i++) {
        memset(&world.calls[0], 0, sizeof world.calls[0]);
        world.ran[0] = 0;
        await(call(loop, &world.calls[0]));
        explorer_check(world.calls[0].status == ASYNC_DONE);
    }
    async_end();
}

static async changes_the_limit(struct async_loop *loop, void *frame)
{
    struct program *self = frame;

    async_begin(self);
    spawn_calls(loop, self->count);
    for (self->i = 0; self->i < self->rounds; self->i++)
        await(async_yield_now(loop));
    explorer_check(async_executor_limit(&world.executor, 1) == 0);
    for (self->i = 0; self->i < self->count; self->i++) {
        await(async_join(loop, &world.tasks[self->i]));
        explorer_check(end_call(self->i) == ASYNC_DONE);
        explorer_check(world.ran[self->i] == 1);
    }
    async_end();
}

/* Runs it, and frees what it has used. */
static void run_program(unsigned workers, unsigned places, async_fn *fn)
{
    explorer_check(async_executor_start(&world.executor, workers, places) == 0);
    explorer_check(async_run(&world.loop, fn, &world.program) == ASYNC_DONE);
    async_executor_stop(&world.executor, ASYNC_STOP_DRAIN);
    explorer_gone(&world.loop, sizeof world.loop);
    explorer_gone(&world.executor, sizeof world.executor);
}

/* ---- claims ------------------------------------------------------------- */

static void a_job_goes_out_and_comes_back(void)
{
    world.program.count = 1;
    run_program(1, 1, all_of_them);
}

static void two_jobs_on_one_worker_are_done_once_each(void)
{
    world.program.count = 2;
    run_program(1, 2, all_of_them);
}

static void two_jobs_on_two_workers_are_done_once_each(void)
{
    world.program.count = 2;
    run_program(2, 2, all_of_them);
}

static void a_full_queue_is_awaited_and_nobody_is_forgotten(void)
{
    world.program.count = 3;
    run_program(1, 1, all_of_them);
}

static void a_job_canceled_at_any_moment_runs_at_most_once(void)
{
    world.program.count = 1;
    world.program.rounds = 1;
    run_program(1, 1, cancels_one);
}

static void a_queued_job_canceled_at_any_moment_leaves_its_place(void)
{
    world.program.count = 3;
    world.program.canceled = 1;
    world.program.rounds = 1;
    run_program(1, 1, cancels_one);
}

static void a_stop_that_drains_ends_every_await(void)
{
    world.program.count = 2;
    world.program.rounds = 1;
    world.program.how = ASYNC_STOP_DRAIN;
    run_program(1, 1, stops_it);
}

static void a_stop_that_cancels_ends_every_await(void)
{
    world.program.count = 2;
    world.program.rounds = 1;
    world.program.how = ASYNC_STOP_CANCEL;
    run_program(1, 2, stops_it);
}

static void a_stop_of_two_workers_lets_none_sleep(void)
{
    world.program.count = 2;
    world.program.rounds = 1;
    world.program.how = ASYNC_STOP_CANCEL;
    run_program(2, 2, stops_it);
}

static void a_worker_that_spins_is_given_jobs_and_ends(void)
{
    world.executor.spin = 2;
    world.program.count = 2;
    run_program(1, 2, all_of_them);
}

static void a_job_that_comes_as_its_thread_retires_is_done(void)
{
    world.executor.idle_ms = 1;
    world.program.count = 1;
    run_program(1, 1, one_after_the_other);
}

static void jobs_behind_the_ring_move_up(void)
{
    world.program.count = 3; /* in a ring of 2 */
    run_program(1, 3, all_of_them);
}

static void a_limit_of_fewer_threads_leaves_enough(void)
{
    world.program.count = 2;
    world.program.rounds = 2; /* both have begun */
    run_program(2, 2, changes_the_limit);
}

static void a_thread_that_cannot_be_started_leaves_the_other_to_do_it(void)
{
    explorer_fail_thread(2);
    world.executor.idle_ms = UINT32_MAX; /* the other one stays */
    world.program.count = 2;
    run_program(2, 2, all_of_them);
}

int main(void)
{
#define CLAIM(claim) explore(#claim, claim, &world, sizeof world)
    CLAIM(a_job_goes_out_and_comes_back);
    CLAIM(two_jobs_on_one_worker_are_done_once_each);
    CLAIM(two_jobs_on_two_workers_are_done_once_each);
    CLAIM(a_full_queue_is_awaited_and_nobody_is_forgotten);
    CLAIM(a_job_canceled_at_any_moment_runs_at_most_once);
    CLAIM(a_queued_job_canceled_at_any_moment_leaves_its_place);
    CLAIM(a_stop_that_drains_ends_every_await);
    CLAIM(a_stop_that_cancels_ends_every_await);
    CLAIM(a_stop_of_two_workers_lets_none_sleep);
    CLAIM(a_worker_that_spins_is_given_jobs_and_ends);
    CLAIM(a_job_that_comes_as_its_thread_retires_is_done);
    CLAIM(jobs_behind_the_ring_move_up);
    CLAIM(a_limit_of_fewer_threads_leaves_enough);
    CLAIM(a_thread_that_cannot_be_started_leaves_the_other_to_do_it);
    return explorer_end();
}
