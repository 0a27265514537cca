/* limit.c: 50 calls of a second each, 10 at a time: 5 seconds. On a clock that
 * jumps to whatever comes next, so that nobody waits for them.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. limit.c -o limit
 *
 * prints
 *
 *     at 1 s: 10 done
 *     at 2 s: 20 done
 *     at 3 s: 30 done
 *     at 4 s: 40 done
 *     at 5 s: 50 done
 *     0 + 1 + 4 + ... + 2401 = 40425
 */
#include <stdio.h>

#include "async_gather.h"

enum { CALLS = 50, AT_ONCE = 10 };

struct call {
    struct async_frame async;
    int number;
    long result;
};

static async call(struct async_loop *loop, void *frame)
{
    struct call *self = frame;

    async_begin(self);
    await(async_sleep_ms(loop, 1000)); /* a server, somewhere */
    self->result = (long)self->number * self->number;
    if (self->number % AT_ONCE == AT_ONCE - 1)
        printf("at %u s: %d done\n", (unsigned)(async_now(loop) / 1000),
               self->number + 1);
    async_end();
}

struct program {
    struct async_frame async;
    struct call calls[CALLS];
    struct async_task tasks[AT_ONCE]; /* as many calls at once as tasks */
    struct async_batch batch;
};

static async program(struct async_loop *loop, void *frame)
{
    struct program *self = frame;
    long sum = 0;

    async_begin(self);
    for (int i = 0; i < CALLS; i++)
        self->calls[i].number = i;
    await(async_map(loop, &self->batch, call, self->calls, self->tasks));
    for (int i = 0; i < CALLS; i++)
        sum += self->calls[i].result;
    printf("0 + 1 + 4 + ... + 2401 = %ld\n", sum);
    async_end();
}

int main(void)
{
    static struct async_loop loop;
    static struct async_task task;
    static struct program frame;

    async_spawn(&loop, &task, program, &frame);
    (void)async_simulate(&loop, 0, 3600 * 1000); /* an hour at the most */
    return async_task_outcome(&task) < 0;
}
