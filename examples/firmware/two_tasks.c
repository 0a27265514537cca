/* Two tasks by async.h alone, on the smallest boards there are: one hands
 * numbers to the other through a slot, until it has no more.
 * SPDX-License-Identifier: MIT
 *
 * For an 8051 and an STM8 it is built by SDCC 4.2. Its structs have no member
 * that is called like a type: hence the long names. The simulators, uCsim's,
 * show what is printed.
 *
 *     sdcc -mmcs51 --std-c99 -I. examples/firmware/two_tasks.c
 *     s51 -t 51 -I 'if=xram[0xffff]' -G -b two_tasks.ihx
 *
 *     sdcc -mstm8 --std-c99 -I. examples/firmware/two_tasks.c
 *     sstm8 -I 'if=rom[0x7fff]' -G -b two_tasks.ihx
 *
 * prints
 *
 *     1 4 9 16 25 closed
 *     PASS
 */
#include "async.h"

/* ---- the simulator ------------------------------------------------------- */

#if defined(__SDCC_mcs51)
static volatile __xdata __at(0xffff) unsigned char simulator;
#elif defined(__SDCC)
static volatile __at(0x7fff) unsigned char simulator;
#else
#include <stdio.h>
#endif

static void print(const char *text)
{
    for (; *text; text++) {
#ifdef __SDCC
        simulator = 'p';
        simulator = (unsigned char)*text;
#else
        putchar(*text);
#endif
    }
}

static void stop(void)
{
#ifdef __SDCC
    simulator = 's';
#endif
}

static void print_number(unsigned char number)
{
    char text[] = "   ";
    unsigned char at = 2;

    do {
        text[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number && at);
    print(text + at);
}

/* ---- the tasks ----------------------------------------------------------- */

static unsigned char slot; /* 0: empty */
static unsigned char is_closed;

struct giver {
    struct async_frame async;
    unsigned char i;
};

static async_status give(struct giver *self)
{
    async_begin(self);
    for (self->i = 1; self->i <= 5; self->i++) {
        async_await_until(!slot);
        slot = (unsigned char)(self->i * self->i);
    }
    async_finally();
    is_closed = 1;
    async_end();
}

/* One number: a function that is awaited, and that can fail. */
struct take {
    struct async_frame async;
    unsigned char number;
};

static async_status take(struct take *self)
{
    async_begin(self);
    async_await_until(slot || is_closed);
    if (!slot)
        async_fail(ASYNC_ECLOSED);
    self->number = slot;
    slot = 0;
    async_end();
}

struct taker {
    struct async_frame async;
    struct take take;
    unsigned char sum;
};

static async_status take_all(struct taker *self)
{
    static const struct take start = {{0, 0}, 0};

    async_begin(self);
    for (;;) {
        self->take = start;
        async_await(take(&self->take));
        print_number(self->take.number);
        self->sum = (unsigned char)(self->sum + self->take.number);
    }
    async_finally();
    print("closed\n");
    async_end();
}

static struct giver giver;
static struct taker taker;

int main(void)
{
    async_status status;

    do {
        (void)give(&giver);
        status = take_all(&taker);
    } while (status == ASYNC_PENDING);
    print(status == ASYNC_ECLOSED && taker.sum == 55 ? "PASS\n" : "FAIL\n");
    stop();
    return 0;
}
