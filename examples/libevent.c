/* libevent.c: tasks on a libevent base, beside an event of its own.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. libevent.c -o libevent -levent_core
 *
 * prints
 *
 *     task: waits for the event
 *     event: comes
 *     task: slept
 */
#include <stdio.h>

#include "adapters/libevent.h"

static struct async_loop loop;
static struct async_flag came;

struct waiter {
    struct async_frame async;
};

static async waiter(struct async_loop *loop, void *frame)
{
    struct waiter *self = frame;

    async_begin(self);
    printf("task: waits for the event\n");
    await(async_flag_wait(loop, &came));
    await(async_sleep_ms(loop, 50));
    printf("task: slept\n");
    async_end();
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    printf("event: comes\n");
    async_flag_set(&loop, &came);
}

int main(void)
{
    static struct async_libevent host;
    static struct async_task task;
    static struct waiter frame;
    struct event_base *base = event_base_new();
    struct timeval time = {0, 100000};

    if (!base || async_libevent_start(&host, base, &loop) < 0)
        return 1;
    async_spawn(&loop, &task, waiter, &frame);
    event_base_once(base, -1, EV_TIMEOUT, on_timer, NULL, &time);

    event_base_dispatch(base); /* ends when the task and the event have */

    async_libevent_stop(&host);
    event_base_free(base);
    return async_unjoined(&loop) < 0;
}
