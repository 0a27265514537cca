/* Two lamps that blink, each at its own pace, on a board without an operating
 * system: the same program three times. With async_loop.h; with async.h alone;
 * and by hand, as a state machine a lamp. What each costs in flash and RAM:
 *
 *     ./dev firmware
 *
 * A timer interrupt counts ticks; how it is set up, and how LEDS becomes a
 * port, is the board's business and not shown. All three stop for good if a
 * state is none of theirs. To build it for an Arduino Uno:
 *
 *     avr-gcc -mmcu=atmega328p -DASYNC_TIME_BITS=16 -Os \
 *         -I. examples/firmware/blinker.c -o blinker.elf
 */
#if defined(ASYNC_ALONE)
#include "async.h"
#elif !defined(BY_HAND)
#include "async_loop.h"
#endif

enum { RED = 1, GREEN = 2 };
enum { RED_TICKS = 500, GREEN_ON_TICKS = 50, GREEN_OFF_TICKS = 950 };

volatile unsigned char leds;
volatile unsigned ticks;

/* The timer's interrupt handler, 1000 times a second. */
void tick(void);
void tick(void)
{
    ticks++;
}

/* An 8-bit core reads `ticks` in two halves, and the interrupt may come in
 * between: read until two in a row are the same. */
static unsigned now(void)
{
    unsigned before, after = ticks;

    do {
        before = after;
        after = ticks;
    } while (before != after);
    return after;
}

static void set(unsigned char lamp)
{
    leds = (unsigned char)(leds | lamp);
}

static void clear(unsigned char lamp)
{
    leds = (unsigned char)(leds & ~lamp);
}

#if defined(BY_HAND)

enum { START, ON, OFF };

struct lamp {
    unsigned char state;
    unsigned since;
};

static struct lamp red, green;

/* A state that cannot be: until the watchdog bites. AVR has no trap. */
static void stop(void)
{
#ifndef __AVR__
    __builtin_trap();
#endif
    for (;;)
        continue;
}

static void red_step(void)
{
    switch (red.state) {
    case OFF:
        if (now() - red.since < RED_TICKS)
            break;
        /* fall through */
    case START:
        set(RED);
        red.since = now();
        red.state = ON;
        break;
    case ON:
        if (now() - red.since < RED_TICKS)
            break;
        clear(RED);
        red.since = now();
        red.state = OFF;
        break;
    default:
        stop();
    }
}

static void green_step(void)
{
    switch (green.state) {
    case OFF:
        if (now() - green.since < GREEN_OFF_TICKS)
            break;
        /* fall through */
    case START:
        set(GREEN);
        green.since = now();
        green.state = ON;
        break;
    case ON:
        if (now() - green.since < GREEN_ON_TICKS)
            break;
        clear(GREEN);
        green.since = now();
        green.state = OFF;
        break;
    default:
        stop();
    }
}

int main(void)
{
    for (;;) {
        red_step();
        green_step();
    }
}

#elif defined(ASYNC_ALONE)

struct lamp {
    struct async_frame async;
    unsigned since;
};

static struct lamp red, green;

static async blink_red(struct lamp *self)
{
    async_begin(self);
    for (;;) {
        set(RED);
        self->since = now();
        await_until(now() - self->since >= RED_TICKS);
        clear(RED);
        self->since = now();
        await_until(now() - self->since >= RED_TICKS);
    }
    async_end();
}

static async blink_green(struct lamp *self)
{
    async_begin(self);
    for (;;) {
        set(GREEN);
        self->since = now();
        await_until(now() - self->since >= GREEN_ON_TICKS);
        clear(GREEN);
        self->since = now();
        await_until(now() - self->since >= GREEN_OFF_TICKS);
    }
    async_end();
}

int main(void)
{
    for (;;) {
        blink_red(&red);
        blink_green(&green);
    }
}

#else

struct lamp {
    struct async_frame async;
    struct async_task task;
};

static struct lamp red, green;

static async blink_red(struct async_loop *loop, void *frame)
{
    struct lamp *self = frame;

    async_begin(self);
    for (;;) {
        set(RED);
        await(async_sleep_ms(loop, RED_TICKS));
        clear(RED);
        await(async_sleep_ms(loop, RED_TICKS));
    }
    async_end();
}

static async blink_green(struct async_loop *loop, void *frame)
{
    struct lamp *self = frame;

    async_begin(self);
    for (;;) {
        set(GREEN);
        await(async_sleep_ms(loop, GREEN_ON_TICKS));
        clear(GREEN);
        await(async_sleep_ms(loop, GREEN_OFF_TICKS));
    }
    async_end();
}

int main(void)
{
    static struct async_loop loop;

    async_spawn(&loop, &red.task, blink_red, &red);
    async_spawn(&loop, &green.task, blink_green, &green);
    for (;;)
        async_poll(&loop, now()); /* says how long it could sleep */
}

#endif
