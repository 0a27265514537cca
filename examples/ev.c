/* ev.c: tasks on libev's loop, beside a watcher of its own.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. ev.c -o ev -lev
 *
 * prints
 *
 *     task: waits for a byte
 *     ev_timer: writes x
 *     task: reads x
 *     task: slept
 */
#include <stdio.h>

#include "adapters/libev.h"

struct reader {
    struct async_frame async;
    int fds[2];
    char byte;
};

static async reader(struct async_loop *loop, void *frame)
{
    struct reader *self = frame;

    async_begin(self);
    printf("task: waits for a byte\n");
    await(async_readable(loop, self->fds[0]));
    if (read(self->fds[0], &self->byte, 1) != 1)
        async_fail(-errno);
    printf("task: reads %c\n", self->byte);
    await(async_sleep_ms(loop, 50));
    printf("task: slept\n");
    async_end();
}

static void on_timer(struct ev_loop *ev, ev_timer *timer, int events)
{
    const struct reader *reader = timer->data;

    (void)ev;
    (void)events;
    printf("ev_timer: writes x\n");
    (void)!write(reader->fds[1], "x", 1);
}

int main(void)
{
    static struct async_ev host;
    static struct async_loop loop;
    static struct async_task task;
    static struct reader frame;
    struct ev_loop *ev = ev_default_loop(0);
    ev_timer timer;

    if (!ev || pipe(frame.fds) < 0 || async_ev_start(&host, ev, &loop) < 0)
        return 1;
    async_spawn(&loop, &task, reader, &frame);
    ev_timer_init(&timer, on_timer, .1, 0.);
    timer.data = &frame;
    ev_timer_start(ev, &timer);

    ev_run(ev, 0); /* ends when the task and the timer have */

    async_ev_stop(&host);
    return async_unjoined(&loop) < 0;
}
