/* together.c: a caller and a worker, both of ours, each on a thread of its own.
 * SPDX-License-Identifier: MIT
 *
 *     tests/nats/run together         ONLY=pattern: those tests
 *
 * Whoever calls and whatever is called may be async or block: four ways. What
 * each side does by itself is seen in call.c and worker.c.
 */
#define _POSIX_C_SOURCE 200809L
#include "../trace.h"

#include "../../adapters/async_nats_worker.h"

#include "../../async_gather.h"

#include <sched.h>
#include <stdlib.h>

ASYNC_NATS_FUNCTION(square, 1, (i64, value), (i64, value))
ASYNC_NATS_FUNCTION(cube, 1, (i64, value), (i64, value))
ASYNC_NATS_FUNCTION(wait_async, 1, (), ())
ASYNC_NATS_FUNCTION(wait_blocking, 1, (), ())
ASYNC_NATS_SERVES(square)
ASYNC_NATS_SERVES(cube)
ASYNC_NATS_SERVES(wait_async)
ASYNC_NATS_SERVES(wait_blocking)

enum { HOUR = 3600000, MANY = 1000, SLOTS = 64, AT_ONCE = 16 };

static async_status open_here(struct async_loop *loop, struct async_nats *nats)
{
    natsOptions *options = NULL;
    async_status status = -ENOMEM;

    if (natsOptions_Create(&options) == NATS_OK &&
        natsOptions_SetURL(options, getenv("NATS_URL")) == NATS_OK)
        status = async_nats_open(loop, nats, options);
    natsOptions_Destroy(options);
    return status;
}

/* ---- the worker --------------------------------------------------------- */

static struct there {
    struct async_frame async;
    struct async_loop loop;
    struct async_nats nats;
    struct async_nats_flushing flush;
    struct async_nats_worker worker;
    struct async_task task; /* in which that runs */
    struct async_nats_service square, cube, wait_async, wait_blocking;
    struct async_executor executor;
    struct square_served squares[SLOTS];
    struct cube_served cubes[SLOTS];
    struct wait_async_served wait_asyncs[2];
    struct wait_blocking_served wait_blockings[2];
    pthread_t thread;
    async_status status;
} there;
static volatile size_t ready, entered, canceled; /* atomic */
static int together, most_together; /* squares; the worker's thread */

static void add(volatile size_t *count)
{
    size_t is;

    do {
        is = async_atomic_load_(count);
    } while (!async_atomic_swap_if_(count, is, is + 1));
}

static void wait_for(volatile size_t *count, size_t many)
{
    while (async_atomic_load_(count) < many)
        (void)sched_yield();
}

static async square(struct async_loop *loop, void *frame)
{
    struct square_served *self = frame;

    async_begin(self);
    if (++together > most_together)
        most_together = together;
    if (self->arguments.value < 0)
        async_fail(async_nats_fail(&self->serving, -7, "too low"));
    await(async_sleep_ms(loop, (uint32_t)self->arguments.value % 3));
    self->result.value = self->arguments.value * self->arguments.value;
    async_finally();
    together--;
    async_end();
}

static int cube(struct cube_served *self)
{
    int64_t value = self->arguments.value;

    if (value < 0)
        return async_nats_fail(&self->serving, -8, "too low to block");
    self->result.value = value * value * value;
    return ASYNC_DONE;
}

static async wait_async(struct async_loop *loop, void *frame)
{
    struct wait_async_served *self = frame;

    async_begin(self);
    add(&entered);
    await(async_sleep_ms(loop, HOUR));
    async_finally();
    add(&canceled);
    async_end();
}

static int wait_blocking(struct wait_blocking_served *self)
{
    add(&entered);
    while (!async_nats_canceled(&self->serving))
        (void)sched_yield();
    add(&canceled);
    return ASYNC_DONE;
}

static async runs(struct async_loop *loop, void *frame)
{
    return async_nats_worker_run(loop, &((struct there *)frame)->worker);
}

static async serves(struct async_loop *loop, void *frame)
{
    struct there *self = frame;
    struct async_nats_worker *worker = &self->worker;

    async_begin(self);
    await(open_here(loop, &self->nats));
    await(async_nats_worker_start(worker, &self->nats));
    await(square_serve(worker, &self->square, square, self->squares,
                       sizeof *self->squares, SLOTS, AT_ONCE));
    await(cube_serve_blocking(worker, &self->cube, cube, &self->executor,
                              self->cubes, sizeof *self->cubes, SLOTS, 2));
    await(wait_async_serve(worker, &self->wait_async, wait_async,
                           self->wait_asyncs, sizeof *self->wait_asyncs, 2, 2));
    await(wait_blocking_serve_blocking(
        worker, &self->wait_blocking, wait_blocking, &self->executor,
        self->wait_blockings, sizeof *self->wait_blockings, 2, 2));
    (void)async_spawn(loop, &self->task, runs, self);
    await(async_yield_now(loop));
    await(async_nats_flush(loop, &self->nats, &self->flush));
    add(&ready);
    await(async_join(loop, &self->task));
    async_finally();
    await(async_nats_close(loop, &self->nats));
    async_end();
}

static void *thread_there(void *arg)
{
    struct there *self = arg;

    self->status = async_run(&self->loop, serves, self);
    add(&ready); /* also if it could not begin */
    return NULL;
}

/* ---- the caller --------------------------------------------------------- */

struct one {
    struct async_frame async; /* first */
    int64_t value;
    int is_blocking, rc;
    struct square_remote square;
    struct cube_remote cube;
};

/* What a test does, on `here`. */
struct act {
    struct async_frame async;
};

static struct here {
    struct async_frame async;
    async_fn *act;
    struct async_loop loop;
    struct async_nats nats;
    struct one calls[MANY];
    struct async_task tasks[MANY];
    struct async_batch batch;
    struct square_remote square;
    struct cube_remote cube;
    struct wait_async_remote wait_async;
    struct wait_blocking_remote wait_blocking;
    struct act acting;
    int i, rc;
    size_t limit; /* calls at once */
} here;

static async plays(struct async_loop *loop, void *frame)
{
    struct here *self = frame;

    async_begin(self);
    await(open_here(loop, &self->nats));
    self->nats.lost_ms = HOUR;
    async_catch(self->rc, self->act(loop, &self->acting));
    await(async_nats_close(loop, &self->nats));
    if (self->rc < 0)
        async_fail(self->rc);
    async_end();
}

static void run(async_fn *act)
{
    async_status status;

    here.act = act;
    status = async_run(&here.loop, plays, &here);
    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(async_loop_end(&here.loop), 0);
}

static int setup(void **state)
{
    static const struct here no_here;
    static const struct there no_there;
    int error;

    here = no_here;
    there = no_there;
    async_loop_init(&here.loop);
    async_loop_init(&there.loop);
    ready = entered = canceled = 0;
    together = most_together = 0;
    error = async_executor_start(&there.executor, 4, 64);
    assert_int_equal(error, 0);
    error = pthread_create(&there.thread, NULL, thread_there, &there);
    assert_int_equal(error, 0);
    wait_for(&ready, 1);
    return trace_setup(state);
}

/* Nothing is left of the worker. */
static int teardown(void **state)
{
    (void)state;
    if (there.status == 0)
        async_nats_worker_drain(&there.worker);
    (void)pthread_join(there.thread, NULL);
    async_executor_stop(&there.executor, ASYNC_STOP_DRAIN);
    assert_int_equal(there.status, ASYNC_DONE);
    assert_int_equal(there.worker.running, 0);
    assert_int_equal(there.worker.waiting, 0);
    assert_int_equal(async_loop_end(&there.loop), 0);
    return 0;
}
#define together_claim(test)                                                   \
    cmocka_unit_test_setup_teardown(test, setup, teardown)

/* ---- four ways ---------------------------------------------------------- */

static void told(const char *name, async_status status, int64_t value)
{
    if (status > 0)
        trace("%s: %d", name, (int)value);
    else
        trace("%s: %s", name, async_nats_strerror(status));
}

static const struct square_arguments seven = {7}, low = {-1};
static const struct cube_arguments three = {3}, low_too = {-1};

static async awaits_both(struct async_loop *loop, void *frame)
{
    struct act *self = frame;

    async_begin(self);
    async_catch(here.rc,
                square_remote_call(loop, &here.nats, &here.square, seven));
    told("async", here.rc, here.square.result.value);
    async_catch(here.rc, cube_remote_call(loop, &here.nats, &here.cube, three));
    told("blocking", here.rc, here.cube.result.value);
    here.rc = 0;
    async_end();
}

static void async_code_awaits_async_and_blocking_functions(void **state)
{
    (void)state;
    run(awaits_both);

    assert_trace("async: 49\nblocking: 27\n");
}

static void *blocks_for_both(void *arg)
{
    struct async_nats *nats = arg;
    async_status status =
        square_remote_blocking(nats, &here.square, seven, HOUR);

    told("async", status, here.square.result.value);
    status = cube_remote_blocking(nats, &here.cube, three, HOUR);
    told("blocking", status, here.cube.result.value);
    add(&ready);
    return NULL;
}

static async has_a_thread(struct async_loop *loop, void *frame)
{
    static pthread_t thread;
    struct act *self = frame;

    async_begin(self);
    if (pthread_create(&thread, NULL, blocks_for_both, &here.nats))
        async_fail(-EAGAIN);
    await(async_until(loop, async_atomic_load_(&ready) == 2));
    (void)pthread_join(thread, NULL);
    async_end();
}

static void code_that_blocks_calls_async_and_blocking_functions(void **state)
{
    (void)state;
    run(has_a_thread);

    assert_trace("async: 49\nblocking: 27\n");
}

static async closes(struct async_loop *loop, void *frame)
{
    return async_nats_close(loop, (struct async_nats *)frame);
}

static void so_does_a_program_that_has_no_loop(void **state)
{
    async_status status = open_here(&here.loop, &here.nats);

    (void)state;
    assert_int_equal(status, ASYNC_DONE);
    (void)blocks_for_both(&here.nats);
    status = async_run(&here.loop, closes, &here.nats);
    assert_int_equal(status, ASYNC_DONE);

    assert_trace("async: 49\nblocking: 27\n");
}

/* ---- errors ------------------------------------------------------------- */

static async fails_twice(struct async_loop *loop, void *frame)
{
    struct act *self = frame;

    async_begin(self);
    async_catch(here.rc,
                square_remote_call(loop, &here.nats, &here.square, low));
    trace("%s: %d, %s", async_nats_strerror(here.rc),
          (int)here.square.call.code, here.square.call.text);
    async_catch(here.rc,
                cube_remote_call(loop, &here.nats, &here.cube, low_too));
    trace("%s: %d, %s", async_nats_strerror(here.rc), (int)here.cube.call.code,
          here.cube.call.text);
    here.rc = 0;
    async_end();
}

static void what_a_function_fails_with_comes_to_its_caller(void **state)
{
    (void)state;
    run(fails_twice);

    assert_trace("the function has failed: -7, too low\n"
                 "the function has failed: -8, too low to block\n");
}

/* A caller that was built with another line for that function. */
static async calls_another(struct async_loop *loop, void *frame)
{
    static struct async_nats_function other;
    struct act *self = frame;

    async_begin(self);
    other = *square_function();
    other.version++;
    async_nats_prepare_(&here.square.call, &here.nats, &other,
                        &here.square.arguments, &here.square.result);
    async_catch(here.rc, square_remote_task(loop, &here.square));
    told("other version", here.rc, 0);
    other = *square_function();
    other.arguments.count = 0;
    async_nats_prepare_(&here.square.call, &here.nats, &other,
                        &here.square.arguments, &here.square.result);
    async_catch(here.rc, square_remote_task(loop, &here.square));
    told("other fields", here.rc, 0);
    here.rc = 0;
    async_end();
}

static void another_version_and_other_fields_are_refused(void **state)
{
    (void)state;
    run(calls_another);

    assert_trace("other version: the function is served in another version\n"
                 "other fields: the function is served in another version\n");
}

/* ---- cancel ------------------------------------------------------------- */

static async cancels_both(struct async_loop *loop, void *frame)
{
    static const struct wait_async_arguments nothing;
    static const struct wait_blocking_arguments nothing_too;
    struct act *self = frame;

    async_begin(self);
    (void)async_spawn(
        loop, &here.tasks[0], wait_async_remote_task,
        wait_async_remote_prepare(&here.wait_async, &here.nats, nothing));
    await(async_until(loop, async_atomic_load_(&entered) == 1));
    async_cancel(loop, &here.tasks[0]);
    async_catch(here.rc, async_join(loop, &here.tasks[0]));
    told("async", here.rc, 0);
    await(async_until(loop, async_atomic_load_(&canceled) == 1));
    (void)async_spawn(loop, &here.tasks[0], wait_blocking_remote_task,
                      wait_blocking_remote_prepare(&here.wait_blocking,
                                                   &here.nats, nothing_too));
    await(async_until(loop, async_atomic_load_(&entered) == 2));
    async_cancel(loop, &here.tasks[0]);
    async_catch(here.rc, async_join(loop, &here.tasks[0]));
    told("blocking", here.rc, 0);
    await(async_until(loop, async_atomic_load_(&canceled) == 2));
    here.rc = 0;
    async_end();
}

static void a_cancel_here_reaches_the_function_there(void **state)
{
    (void)state;
    run(cancels_both);

    assert_trace("async: canceled\nblocking: canceled\n");
}

/* ---- many --------------------------------------------------------------- */

static async calls_one(struct async_loop *loop, void *frame)
{
    struct one *self = frame;
    struct square_arguments side;
    struct cube_arguments edge;

    side.value = edge.value = self->value;
    async_begin(self);
    if (self->is_blocking)
        await(cube_remote_call(loop, &here.nats, &self->cube, edge));
    else
        await(square_remote_call(loop, &here.nats, &self->square, side));
    async_end();
}

static async calls_many(struct async_loop *loop, void *frame)
{
    struct act *self = frame;

    async_begin(self);
    for (here.i = 0; here.i < MANY; here.i++) {
        here.calls[here.i].value = here.i;
        here.calls[here.i].is_blocking = here.limit == MANY && here.i % 2;
    }
    await(async_map_n(loop, &here.batch, calls_one, here.calls,
                      sizeof *here.calls, MANY, here.tasks, here.limit));
    async_end();
}

static void assert_many(void)
{
    int64_t i;

    for (i = 0; i < MANY; i++)
        if (here.calls[i].is_blocking
                ? here.calls[i].cube.result.value != i * i * i
                : here.calls[i].square.result.value != i * i)
            fail_msg("call %d has another result", (int)i);
    assert_int_equal(there.worker.running, 0);
}

static void a_thousand_in_flight_to_a_worker_with_fewer_slots(void **state)
{
    (void)state;
    here.limit = MANY;
    run(calls_many);

    assert_many();
    assert_in_range(most_together, 2, AT_ONCE);
}

static void a_limit_here_is_one_there(void **state)
{
    (void)state;
    here.limit = 4;
    run(calls_many);

    assert_many();
    assert_in_range(most_together, 2, 4);
    assert_int_equal(there.worker.busy, 0);
    assert_int_equal(there.worker.done, MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        together_claim(async_code_awaits_async_and_blocking_functions),
        together_claim(code_that_blocks_calls_async_and_blocking_functions),
        together_claim(so_does_a_program_that_has_no_loop),
        together_claim(what_a_function_fails_with_comes_to_its_caller),
        together_claim(another_version_and_other_fields_are_refused),
        together_claim(a_cancel_here_reaches_the_function_there),
        together_claim(a_thousand_in_flight_to_a_worker_with_fewer_slots),
        together_claim(a_limit_here_is_one_there),
    };

    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
