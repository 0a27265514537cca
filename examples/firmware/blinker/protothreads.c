/* The blinker as protothreads.
 * SPDX-License-Identifier: MIT
 */
#include "blinker.h"
#include "pt.h"

struct task {
    struct pt pt;
    unsigned due;
};

static unsigned char pace;

static PT_THREAD(blink_red(struct task *self))
{
    PT_BEGIN(&self->pt);
    for (;;) {
        set(RED);
        self->due = now() + (RED_TICKS >> pace);
        PT_WAIT_UNTIL(&self->pt, reached(self->due));
        clear(RED);
        self->due = now() + (RED_TICKS >> pace);
        PT_WAIT_UNTIL(&self->pt, reached(self->due));
    }
    PT_END(&self->pt);
}

static PT_THREAD(blink_green(struct task *self))
{
    PT_BEGIN(&self->pt);
    for (;;) {
        set(GREEN);
        self->due = now() + ON_TICKS;
        PT_WAIT_UNTIL(&self->pt, reached(self->due));
        clear(GREEN);
        self->due = now() + (OFF_TICKS >> pace);
        PT_WAIT_UNTIL(&self->pt, reached(self->due));
    }
    PT_END(&self->pt);
}

static PT_THREAD(watch_button(struct task *self))
{
    PT_BEGIN(&self->pt);
    for (;;) {
        PT_WAIT_UNTIL(&self->pt, pressed());
        self->due = now() + BOUNCE_TICKS;
        PT_WAIT_UNTIL(&self->pt, reached(self->due));
        if (!pressed())
            continue; /* noise */
        self->due = now() + LONG_TICKS;
        PT_WAIT_UNTIL(&self->pt, !pressed() || reached(self->due));
        pace = pressed() || pace == QUICKEST ? 0 : pace + 1;
        PT_WAIT_UNTIL(&self->pt, !pressed());
        self->due = now() + BOUNCE_TICKS;
        PT_WAIT_UNTIL(&self->pt, reached(self->due));
    }
    PT_END(&self->pt);
}

int main(void)
{
    static struct task red, green, button;

    PT_INIT(&red.pt);
    PT_INIT(&green.pt);
    PT_INIT(&button.pt);
    for (;;) {
        (void)blink_red(&red);
        (void)blink_green(&green);
        (void)watch_button(&button);
        sleep_for(1);
    }
}
