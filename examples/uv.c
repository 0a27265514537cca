/* uv.c: tasks on libuv's loop, beside a timer of its own; a thread wakes one.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. uv.c -o uv -luv
 *
 * prints, in half a second
 *
 *     ticker: 0
 *     answer: waiting
 *     uv_timer: 0
 *     ticker: 1
 *     uv_timer: 1
 *     ticker: 2
 *     answer: 42
 */
#define _GNU_SOURCE /* what -std=c99 hides and uv.h needs */
#include <stdio.h>

#include "adapters/libuv.h"

struct ticker {
    struct async_frame async;
    int i;
};

static async ticker(struct async_loop *loop, void *frame)
{
    struct ticker *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < 3; self->i++) {
        printf("ticker: %d\n", self->i);
        await(async_sleep_ms(loop, 200));
    }
    async_end();
}

struct answer {
    struct async_frame async;
    struct async_loop *loop;
    struct async_flag found;
    int value; /* written before `found` is set, read after it */
    uv_thread_t thread;
};

static void think(void *arg)
{
    struct answer *self = arg;

    uv_sleep(500); /* blocks this thread, and no other */
    self->value = 42;
    async_flag_set(self->loop, &self->found);
}

static async answer(struct async_loop *loop, void *frame)
{
    struct answer *self = frame;

    async_begin(self);
    printf("answer: waiting\n");
    self->loop = loop;
    if (uv_thread_create(&self->thread, think, self) < 0)
        async_fail(UV_EAGAIN); /* its errors pass through */
    await(async_flag_wait(loop, &self->found));
    uv_thread_join(&self->thread); /* it has nothing left to do */
    printf("answer: %d\n", self->value);
    async_end();
}

static void on_timer(uv_timer_t *timer)
{
    int *count = timer->data;

    printf("uv_timer: %d\n", (*count)++);
    if (*count == 2)
        uv_close((uv_handle_t *)timer, NULL);
}

int main(void)
{
    static struct async_uv host;
    static struct async_loop loop;
    static struct async_task tasks[2];
    static struct ticker ticker_frame;
    static struct answer answer_frame;
    uv_loop_t *uv = uv_default_loop();
    uv_timer_t timer;
    int count = 0;

    if (async_uv_start(&host, uv, &loop) < 0)
        return 1;
    async_spawn(&loop, &tasks[0], ticker, &ticker_frame);
    async_spawn(&loop, &tasks[1], answer, &answer_frame);
    uv_timer_init(uv, &timer);
    timer.data = &count;
    uv_timer_start(&timer, on_timer, 100, 200);

    uv_run(uv, UV_RUN_DEFAULT); /* ends when the tasks and the timer have */

    async_uv_stop(&host);
    uv_run(uv, UV_RUN_DEFAULT); /* closes the handles */
    return uv_loop_close(uv) < 0 || async_unjoined(&loop) < 0;
}
