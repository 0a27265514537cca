/* The blinker by async_loop.h: the processor sleeps until there is something to
 * do, but while the button is held.
 * SPDX-License-Identifier: MIT
 */
#include "async_loop.h"
#include "blinker.h"

struct task {
    struct async_frame async;
    struct async_task task;
    unsigned due;
};

static struct async_loop loop;
static struct async_flag changed; /* the button */
static unsigned char pace;

void button_changed(void)
{
    async_flag_set(&loop, &changed);
}

static async blink_red(struct async_loop *loop, void *frame)
{
    struct task *self = (struct task *)frame;

    async_begin(self);
    for (;;) {
        set(RED);
        await(async_sleep_ms(loop, RED_TICKS >> pace));
        clear(RED);
        await(async_sleep_ms(loop, RED_TICKS >> pace));
    }
    async_end();
}

static async blink_green(struct async_loop *loop, void *frame)
{
    struct task *self = (struct task *)frame;

    async_begin(self);
    for (;;) {
        set(GREEN);
        await(async_sleep_ms(loop, ON_TICKS));
        clear(GREEN);
        await(async_sleep_ms(loop, OFF_TICKS >> pace));
    }
    async_end();
}

static async watch_button(struct async_loop *loop, void *frame)
{
    struct task *self = (struct task *)frame;

    async_begin(self);
    for (;;) {
        while (!pressed())
            await(async_flag_wait(loop, &changed));
        await(async_sleep_ms(loop, BOUNCE_TICKS));
        if (!pressed())
            continue; /* noise */
        self->due = now() + LONG_TICKS;
        await(async_until(loop, !pressed() || reached(self->due)));
        pace = pressed() || pace == QUICKEST ? 0 : pace + 1;
        while (pressed())
            await(async_flag_wait(loop, &changed));
        await(async_sleep_ms(loop, BOUNCE_TICKS));
    }
    async_end();
}

int main(void)
{
    static struct task red, green, button;

    async_spawn(&loop, &red.task, blink_red, &red);
    async_spawn(&loop, &green.task, blink_green, &green);
    async_spawn(&loop, &button.task, watch_button, &button);
    for (;;)
        sleep_for(async_poll(&loop, now()));
}
