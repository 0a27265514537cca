/* The blinker by async.h alone.
 * SPDX-License-Identifier: MIT
 */
#include "async.h"
#include "blinker.h"

struct task {
    struct async_frame async;
    unsigned due;
};

static unsigned char pace;

static async blink_red(struct task *self)
{
    async_begin(self);
    for (;;) {
        set(RED);
        self->due = now() + (RED_TICKS >> pace);
        await_until(reached(self->due));
        clear(RED);
        self->due = now() + (RED_TICKS >> pace);
        await_until(reached(self->due));
    }
    async_end();
}

static async blink_green(struct task *self)
{
    async_begin(self);
    for (;;) {
        set(GREEN);
        self->due = now() + ON_TICKS;
        await_until(reached(self->due));
        clear(GREEN);
        self->due = now() + (OFF_TICKS >> pace);
        await_until(reached(self->due));
    }
    async_end();
}

static async watch_button(struct task *self)
{
    async_begin(self);
    for (;;) {
        await_until(pressed());
        self->due = now() + BOUNCE_TICKS;
        await_until(reached(self->due));
        if (!pressed())
            continue; /* noise */
        self->due = now() + LONG_TICKS;
        await_until(!pressed() || reached(self->due));
        pace = pressed() || pace == QUICKEST ? 0 : pace + 1;
        await_until(!pressed());
        self->due = now() + BOUNCE_TICKS;
        await_until(reached(self->due));
    }
    async_end();
}

int main(void)
{
    static struct task red, green, button;

    for (;;) {
        blink_red(&red);
        blink_green(&green);
        watch_button(&button);
        sleep_for(1);
    }
}
