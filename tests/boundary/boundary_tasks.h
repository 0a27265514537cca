/* boundary_tasks.h: the tasks, and what interrupts do.
 * SPDX-License-Identifier: MIT
 */
#ifndef BOUNDARY_TASKS_H
#define BOUNDARY_TASKS_H

#include "async_future.h"
#include "async_timeout.h"
#include "boundary.h"

struct waiter {
    struct async_frame async;
    struct async_timer timer;
    async_status status;
    uint8_t which;
};

static struct {
    int tasks;
    struct async_loop loop;
    struct async_flag flags[2];
    struct async_future future;
    volatile uint8_t value; /* the future's */
    struct async_task task[2];
    struct waiter waiter[2];
} all;

static volatile struct told told;

/* ---- interrupts --------------------------------------------------------- */

/* Not interrupted by another one that sets the same flag. */
static void set_flag(uint8_t which)
{
    if (!all.flags[which].set_)
        told.set[which]++;
    async_flag_set(&all.loop, &all.flags[which]);
}

static void set_future(uint8_t which)
{
    if (async_future_claim(&all.future) < 0)
        return;
    all.value = which + 1;
    told.set[which]++;
    async_future_settle(&all.loop, &all.future, ASYNC_DONE);
}

/* ---- tasks -------------------------------------------------------------- */

static async waiter(struct async_loop *loop, void *frame)
{
    struct waiter *self = (struct waiter *)frame;

    async_begin(self);
    for (;;) {
        async_catch(
            self->status,
            async_timeout(loop, &self->timer,
                          all.tasks == TIMES_OUT && !told.timed_out
                              ? 1
                              : ASYNC_NO_TIMEOUT,
                          async_flag_wait(loop, &all.flags[self->which])));
        if (self->status == ASYNC_ETIMEDOUT)
            told.timed_out++;
        else if (self->status == ASYNC_ECANCELED)
            told.canceled++;
        else
            told.resumed[self->which]++;
    }
    async_end();
}

static async future_waiter(struct async_loop *loop, void *frame)
{
    struct waiter *self = (struct waiter *)frame;

    async_begin(self);
    if (all.tasks == FUTURE_CANCELED)
        (void)async_future_cancel(loop, &all.future);
    async_catch(self->status, async_future_wait(loop, &all.future));
    if (self->status == ASYNC_ECANCELED)
        told.canceled++;
    told.value = all.value;
    told.resumed[0]++;
    async_end();
}

static async sleeper(struct async_loop *loop, void *frame)
{
    struct waiter *self = (struct waiter *)frame;

    async_begin(self);
    await(async_sleep_ms(loop, 1));
    if (all.tasks == CANCELED)
        async_cancel(loop, &all.task[0]);
    async_end();
}

/* ---- the loop ----------------------------------------------------------- */

static volatile uint8_t poked;

static void poke(void *arg)
{
    (void)arg;
    poked = 1;
}

static const struct async_host board = {poke, NULL, NULL};

/* `all` is all-zero. */
static void start(int tasks)
{
    all.tasks = tasks;
    all.waiter[1].which = 1;
    async_attach(&all.loop, &board);
    async_spawn(&all.loop, &all.task[0],
                tasks >= FUTURE ? future_waiter : waiter, &all.waiter[0]);
    if (tasks == TWO_FLAGS)
        async_spawn(&all.loop, &all.task[1], waiter, &all.waiter[1]);
    if (tasks == SLEEP || tasks == CANCELED)
        async_spawn(&all.loop, &all.task[1], sleeper, &all.waiter[1]);
}

#endif /* BOUNDARY_TASKS_H */
