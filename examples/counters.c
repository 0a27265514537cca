/* counters.c: two tasks take turns: each gives way while it sleeps.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. counters.c -o counters
 *
 * prints, in one second
 *
 *     Earth      000
 *     Moon       000
 *     Earth      001
 *     Moon       001
 *     Earth      002
 *     Moon       002
 *     Earth      003
 *     Moon       003
 *     Earth      004
 *     Moon       004
 */
#include <stdio.h>

#include "async_gather.h"

struct counter {
    struct async_frame async;
    const char *name;
    int i; /* it has to survive the await: so it lives here */
};

static async counter(struct async_loop *loop, void *frame)
{
    struct counter *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < 5; self->i++) {
        printf("%-10s %03d\n", self->name, self->i);
        await(async_sleep_ms(loop, 200));
    }
    async_end();
}

struct program {
    struct async_frame async;
    struct counter earth, moon;
    struct async_task tasks[2];
    struct async_batch batch;
};

static async program(struct async_loop *loop, void *frame)
{
    struct program *self = frame;

    async_begin(self);
    self->earth.name = "Earth";
    self->moon.name = "Moon";
    async_spawn(loop, &self->tasks[0], counter, &self->earth);
    async_spawn(loop, &self->tasks[1], counter, &self->moon);
    await(async_gather(loop, &self->batch, self->tasks, 2));
    async_end();
}

int main(void)
{
    struct async_loop loop = {0};
    struct program frame = {0};

    return async_run(&loop, program, &frame) < 0;
}
