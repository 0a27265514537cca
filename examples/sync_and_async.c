/* sync_and_async.c: a sync and an async function, each called from sync and
 * from async code. Async code awaits a blocking function that is wrapped, and
 * the loop goes on meanwhile; sync code runs an async function to its end.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. sync_and_async.c -o sync_and_async -pthread
 *
 * prints
 *
 *     sync from sync:   slept for 20 ms
 *     async from sync:  slept for 30 ms
 *     sync from async:  slept for 40 ms
 *     meanwhile, the loop went on
 *     async from async: slept for 50 ms
 */
#include <poll.h>
#include <stdio.h>

#include "async_wrap.h"

/* ---- the two functions -------------------------------------------------- */

/* Blocks whoever calls it. */
static int sync_sleep(int ms)
{
    poll(NULL, 0, ms);
    return ms;
}

ASYNC_WRAP(int, sync_sleep, int, ms)

/* Blocks nobody. */
struct async_nap {
    struct async_frame async;
    int ms, result;
};

static async async_nap(struct async_loop *loop, void *frame)
{
    struct async_nap *self = frame;

    async_begin(self);
    await(async_sleep_ms(loop, (uint32_t)self->ms));
    self->result = self->ms;
    async_end();
}

/* ---- called from sync code ---------------------------------------------- */

static async_status from_sync(void)
{
    struct async_loop loop = {0};
    struct async_nap nap = {.ms = 30};
    async_status status;

    printf("sync from sync:   slept for %d ms\n", sync_sleep(20));
    status = async_run(&loop, async_nap, &nap);
    printf("async from sync:  slept for %d ms\n", nap.result);
    return status;
}

/* ---- called from async code --------------------------------------------- */

struct bystander {
    struct async_frame async;
    int steps;
};

static async bystander(struct async_loop *loop, void *frame)
{
    struct bystander *self = frame;

    async_begin(self);
    for (;;) {
        self->steps++;
        await(async_sleep_ms(loop, 1));
    }
    async_end();
}

struct from_async {
    struct async_frame async;
    struct async_executor executor;
    struct bystander bystander;
    struct async_task task;
    struct sync_sleep_call sync;
    struct async_nap nap;
    int rc;
};

static async from_async(struct async_loop *loop, void *frame)
{
    struct from_async *self = frame;

    async_begin(self);
    async_spawn(loop, &self->task, bystander, &self->bystander);
    await(sync_sleep_async(loop, &self->executor, &self->sync, 40));
    printf("sync from async:  slept for %d ms\n", self->sync.result);
    if (self->bystander.steps > 1)
        printf("meanwhile, the loop went on\n");

    self->nap = (struct async_nap){.ms = 50};
    await(async_nap(loop, &self->nap));
    printf("async from async: slept for %d ms\n", self->nap.result);
    async_finally();
    async_cancel(loop, &self->task);
    async_catch(self->rc, async_join(loop, &self->task));
    async_end();
}

int main(void)
{
    struct async_loop loop = {0};
    struct from_async frame = {0};
    async_status status = from_sync();

    if (status > 0)
        status = async_executor_start(&frame.executor, 1, 0);
    if (status >= 0) {
        status = async_run(&loop, from_async, &frame);
        async_executor_stop(&frame.executor, ASYNC_STOP_DRAIN);
    }
    if (status < 0)
        fprintf(stderr, "sync_and_async: %s\n", async_strerror(status));
    return status < 0;
}
