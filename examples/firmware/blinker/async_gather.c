/* The blinker by async_gather.h: the processor sleeps until there is something
 * to do. A long press is a timeout.
 * SPDX-License-Identifier: MIT
 */
#include "async_gather.h"
#include "blinker.h"

struct lamp {
    struct async_frame async;
    struct async_task task;
};

struct release {
    struct async_frame async;
};

struct button {
    struct async_frame async;
    struct async_task task;
    struct async_timer timer;
    struct release release;
    async_status status;
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
    struct lamp *self = (struct lamp *)frame;

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
    struct lamp *self = (struct lamp *)frame;

    async_begin(self);
    for (;;) {
        set(GREEN);
        await(async_sleep_ms(loop, ON_TICKS));
        clear(GREEN);
        await(async_sleep_ms(loop, OFF_TICKS >> pace));
    }
    async_end();
}

static async wait_for_release(struct async_loop *loop, struct release *self)
{
    async_begin(self);
    while (pressed())
        await(async_flag_wait(loop, &changed));
    async_end();
}

static async watch_button(struct async_loop *loop, void *frame)
{
    struct button *self = (struct button *)frame;

    async_begin(self);
    for (;;) {
        while (!pressed())
            await(async_flag_wait(loop, &changed));
        await(async_sleep_ms(loop, BOUNCE_TICKS));
        if (!pressed())
            continue; /* noise */
        self->release = (struct release){{0, 0}};
        async_catch(self->status,
                    async_timeout(loop, &self->timer, LONG_TICKS,
                                  wait_for_release(loop, &self->release)));
        pace = self->status < 0 || pace == QUICKEST ? 0 : pace + 1;
        self->release = (struct release){{0, 0}};
        await(wait_for_release(loop, &self->release));
        await(async_sleep_ms(loop, BOUNCE_TICKS));
    }
    async_end();
}

int main(void)
{
    static struct lamp red, green;
    static struct button button;

    async_spawn(&loop, &red.task, blink_red, &red);
    async_spawn(&loop, &green.task, blink_green, &green);
    async_spawn(&loop, &button.task, watch_button, &button);
    for (;;)
        sleep_for(async_poll(&loop, now()));
}
