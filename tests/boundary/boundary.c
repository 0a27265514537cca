/* boundary.c: tasks that only an interrupt can wake, and a loop that sleeps.
 * SPDX-License-Identifier: MIT
 *
 * For an ATmega328P. The idle loop is that of docs/embedding.md. No timer
 * ticks: a wake that is lost stays lost. Time jumps to the next deadline
 * instead of being waited for. simavr_boundary.c raises the interrupts.
 */
#include "boundary.h"
#include "async_future.h"
#include "async_timeout.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>

static struct async_loop loop;
static struct async_flag flags[2];
static struct async_future future;
static volatile uint8_t value; /* the future's */
static volatile struct told told;
static uint8_t scenario;

/* ---- interrupts --------------------------------------------------------- */

static void set_flag(uint8_t which)
{
    if (!flags[which].set_)
        told.set[which]++;
    async_flag_set(&loop, &flags[which]);
}

ISR(INT0_vect)
{
    set_flag(0);
}

ISR(INT1_vect)
{
    set_flag(1);
}

ISR(PCINT0_vect)
{
    async_wake(&loop);
}

static void set_future(uint8_t which)
{
    if (async_future_claim(&future) < 0)
        return;
    value = which + 1;
    told.set[which]++;
    async_future_settle(&loop, &future, ASYNC_DONE);
}

ISR(PCINT1_vect, ISR_NOBLOCK)
{
    set_future(0);
}

ISR(PCINT2_vect, ISR_NOBLOCK)
{
    set_future(1);
}

/* ---- tasks -------------------------------------------------------------- */

struct waiter {
    struct async_frame async;
    struct async_timer timer;
    async_status status;
    uint8_t which;
};

static async waiter(struct async_loop *loop, void *frame)
{
    struct waiter *self = frame;

    async_begin(self);
    for (;;) {
        async_catch(self->status,
                    async_timeout(loop, &self->timer,
                                  scenario == TIMES_OUT && !told.timed_out
                                      ? 1
                                      : ASYNC_NO_TIMEOUT,
                                  async_flag_wait(loop, &flags[self->which])));
        if (self->status == ASYNC_ETIMEDOUT)
            told.timed_out++;
        else if (self->status == ASYNC_ECANCELED)
            told.canceled++;
        else
            told.resumed[self->which]++;
    }
    async_end();
}

static async future_waiter(struct async_loop *loop, void *frame)
{
    struct waiter *self = frame;

    async_begin(self);
    if (scenario == FUTURE_CANCELED)
        (void)async_future_cancel(loop, &future);
    async_catch(self->status, async_future_wait(loop, &future));
    if (self->status == ASYNC_ECANCELED)
        told.canceled++;
    told.value = value;
    told.resumed[0]++;
    async_end();
}

static struct async_task tasks[2];
static struct waiter waiters[2];

static async sleeper(struct async_loop *loop, void *frame)
{
    struct waiter *self = frame;

    async_begin(self);
    await(async_sleep_ms(loop, 1));
    if (scenario == CANCELED)
        async_cancel(loop, &tasks[0]);
    async_end();
}

/* ---- the idle loop ------------------------------------------------------ */

static volatile uint8_t poked;

static void poke(void *arg)
{
    (void)arg;
    poked = 1;
}

static const struct async_host board = {poke, NULL, NULL};

int main(void)
{
    async_time now = 0;

    scenario = GPIOR0;
    waiters[1].which = 1;
    async_attach(&loop, &board);
    async_spawn(&loop, &tasks[0], scenario >= FUTURE ? future_waiter : waiter,
                &waiters[0]);
    if (scenario == TWO_FLAGS)
        async_spawn(&loop, &tasks[1], waiter, &waiters[1]);
    if (scenario == SLEEP || scenario == CANCELED)
        async_spawn(&loop, &tasks[1], sleeper, &waiters[1]);
    EIMSK = 1 << INT0 | 1 << INT1;
    PCICR = 1 << PCIE0 | 1 << PCIE1 | 1 << PCIE2;
    sleep_enable();
    GPIOR1 = (uint8_t)(uintptr_t)&told;
    GPIOR2 = (uint8_t)((uintptr_t)&told >> 8);
    GPIOR0 = READY;
    sei();
    for (;;) {
        async_time ticks;

        poked = 0;
        told.polls++;
        ticks = async_poll(&loop, now);
        cli();
        if (!poked && ticks) {
            if (ticks == ASYNC_FOREVER) {
                sei(); /* takes effect after the next instruction */
                sleep_cpu();
            } else {
                now += ticks;
            }
        }
        sei();
    }
}
