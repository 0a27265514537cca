/* wake_to_resume.c: what an interrupt that wakes a task costs.
 * SPDX-License-Identifier: MIT
 *
 * Stands in the station's place on any board that has board_clocks:
 *
 *     . tools/boards/cortex-m3.sh
 *     build image -DNDEBUG tests/firmware/wake_to_resume.c $sources
 *     run image
 *
 * The processor sleeps, the ADC's interrupt comes and sets a flag, and the task
 * that waits for it goes on at its next line. The time from just before the
 * flag is set to that line is given in nops, the shortest and the longest of
 * ROUNDS: instructions where the emulator takes the same time for each, cycles
 * on an AVR. In it are the rest of the interrupt, the way out of board_sleep,
 * a look at the clock and async_poll. The watchdog, which is not fed, ends the
 * run.
 */
#ifndef ASYNC_SHORT_NAMES
#define ASYNC_SHORT_NAMES 1 /* in C++ too */
#endif
#include "board.h"

enum { ROUNDS = 100, NOPS = 1000 };

static struct async_loop loop;
static struct async_flag converted;
static volatile uint32_t set_at;
static volatile uint8_t poked;

/* ---- the station's part -------------------------------------------------- */

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
    set_at = board_clocks();
    async_flag_set(&loop, &converted);
}

void station_sensor_answered(int16_t tenths_of_c)
{
    (void)tenths_of_c;
}

int station_poked(void)
{
    return poked;
}

/* ---- the measurement ----------------------------------------------------- */

/* Clocks from `before` on. */
static uint16_t clocks_since(uint32_t before)
{
    return (uint16_t)(board_clocks() - before);
}

static void put_text(const char *text)
{
    while (*text)
        board_put(*text++);
}

static void put_number(uint32_t number)
{
    char digits[10];
    int count = 0;

    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    while (count)
        board_put(digits[--count]);
}

static uint16_t clocks_of_nops(void)
{
    uint32_t before = board_clocks();

    __asm__ volatile(".rept 1000\n\tnop\n\t.endr");
    return clocks_since(before);
}

/* Without what looking takes. */
static uint32_t nops(uint16_t clocks)
{
    uint16_t look = clocks_since(board_clocks());
    uint16_t all = (uint16_t)(clocks_of_nops() - look);

    return ((uint32_t)(clocks - look) * NOPS + all / 2) / all;
}

static struct waiter {
    struct async_frame async;
    struct async_task task;
    uint16_t clocks, shortest, longest;
    uint8_t round;
} waiter_frame;

static async waiter(struct async_loop *loop, void *frame)
{
    struct waiter *self = (struct waiter *)frame;

    async_begin(self);
    self->shortest = UINT16_MAX;
    for (self->round = 0; self->round < ROUNDS; self->round++) {
        await(async_sleep_ms(loop, 3));
        board_adc_start();
        await(async_flag_wait(loop, &converted));
        self->clocks = clocks_since(set_at);
        if (self->clocks < self->shortest)
            self->shortest = self->clocks;
        if (self->clocks > self->longest)
            self->longest = self->clocks;
    }
    put_text("wake to resume: ");
    put_number(nops(self->shortest));
    put_text(" to ");
    put_number(nops(self->longest));
    put_text(" nops\n");
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
    async_spawn(&loop, &waiter_frame.task, waiter, &waiter_frame);
}

void station_step(void)
{
    async_time ticks;

    poked = 0;
    ticks = async_poll(&loop, board_now());
    if (ticks)
        board_sleep(ticks);
}
