/* wake.c: how many cycles there are between async_flag_set in an interrupt
 * handler and the next line of the task that waits for it: simavr.c counts
 * them. The interrupts come in every phase of the tick's 16000 cycles, so also
 * between the last look and the sleep: one that is missed there has to wait for
 * the next tick.
 * SPDX-License-Identifier: MIT
 */
#include "board.h"

#include <avr/interrupt.h>
#include <avr/io.h>

enum { PHASES = 16000, CYCLES = 2999 /* no common factor */ };

void exit(int status) __attribute__((noreturn));

static struct async_loop loop;
static struct async_flag happened;
static volatile uint8_t poked;

static struct waiter {
    struct async_frame async;
    struct async_task task;
    uint16_t i;
} waiter;

static async wait(struct async_loop *loop, void *frame)
{
    struct waiter *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < PHASES; self->i++) {
        await(async_flag_wait(loop, &happened));
        GPIOR2 = 2;
    }
    exit(0);
    async_end();
}

static void poke(void *arg)
{
    (void)arg;
    poked = 1;
}

void station_start(void)
{
    static const struct async_host host = {poke, NULL, NULL};

    async_attach(&loop, &host);
    async_spawn(&loop, &waiter.task, wait, &waiter);
    OCR1A = CYCLES - 1;
    TCCR1B = _BV(WGM12) | _BV(CS10);
    TIMSK1 = _BV(OCIE1A);
}

void station_step(void)
{
    async_time ticks;

    board_watchdog_feed();
    poked = 0;
    ticks = async_poll(&loop, board_now());
    board_sleep(ticks < 1000 ? ticks : 1000);
}

ISR(TIMER1_COMPA_vect)
{
    GPIOR2 = 1;
    async_flag_set(&loop, &happened);
}

void station_received(char c)
{
    (void)c;
}

void station_button_changed(void)
{
}

void station_adc_done(uint16_t value)
{
    (void)value;
}

void station_sensor_answered(int16_t tenths_of_c)
{
    (void)tenths_of_c;
}

int station_poked(void)
{
    return poked;
}
