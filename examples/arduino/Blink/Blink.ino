/* Blink: two LEDs, each at its own pace, in a sketch that never waits in
 * delay(). The board's own is on for 100 ms every second; one on pin 9 is on
 * for 300 ms and off for 300 ms.
 * SPDX-License-Identifier: MIT
 */
#define ASYNC_SHORT_NAMES 1 /* await and async: C++ has to ask for them */
#include <async_loop.h>

/* Here is what a blinker has to remember while it waits. */
struct blinker {
    struct async_frame async;
    struct async_task task;
    uint8_t pin;
    uint16_t on_ms, off_ms;
};

static struct async_loop tasks;
static struct blinker own, other;

static async blink(struct async_loop *loop, void *frame)
{
    struct blinker *self = (struct blinker *)frame;

    async_begin(self);
    pinMode(self->pin, OUTPUT);
    for (;;) {
        digitalWrite(self->pin, HIGH);
        await(async_sleep_ms(loop, self->on_ms));
        digitalWrite(self->pin, LOW);
        await(async_sleep_ms(loop, self->off_ms));
    }
    async_end();
}

static void start(struct blinker *self, uint8_t pin, uint16_t on_ms,
                  uint16_t off_ms)
{
    self->pin = pin;
    self->on_ms = on_ms;
    self->off_ms = off_ms;
    async_spawn(&tasks, &self->task, blink, self);
}

void setup()
{
    start(&own, LED_BUILTIN, 100, 900);
    start(&other, 9, 300, 300);
}

void loop()
{
    async_poll(&tasks, millis());
}
