/* superloop.c: tasks in a loop that never sleeps, beside its other work.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. superloop.c -o superloop
 *
 * prints
 *
 *     task: waits for the door
 *     loop: the door opens
 *     task: rings
 *     task: rings
 */
#include <stdio.h>

#include "async_loop.h"

static struct async_flag door;

struct bell {
    struct async_frame async;
    int i;
};

static async bell(struct async_loop *loop, void *frame)
{
    struct bell *self = frame;

    async_begin(self);
    printf("task: waits for the door\n");
    await(async_flag_wait(loop, &door));
    for (self->i = 0; self->i < 2; self->i++) {
        printf("task: rings\n");
        await(async_sleep_ms(loop, 20));
    }
    async_end();
}

/* On a board: read the sensors, feed the watchdog. */
static void other_work(struct async_loop *loop)
{
    static int rounds;

    if (++rounds == 1000) {
        printf("loop: the door opens\n");
        async_flag_set(loop, &door); /* as an interrupt may do */
    }
}

int main(void)
{
    static struct async_loop loop;
    static struct async_task task;
    static struct bell frame;

    async_spawn(&loop, &task, bell, &frame);
    while (async_alive(&loop)) { /* on a board: for ever */
        async_poll(&loop, async_clock_now());
        other_work(&loop);
    }
    return 0;
}
