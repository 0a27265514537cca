/* every_moment.c: a board whose timer interrupt comes at every moment there is.
 * SPDX-License-Identifier: MIT
 *
 * Stands in the place of the station and of the world, on a board whose timer
 * interrupt plays that:
 *
 *     . tools/boards/cortex-m3.sh
 *     build image tests/firmware/every_moment.c "${sources%% *}"
 *     run image
 *
 * prints
 *
 *     every byte came in time
 *     !
 *     reset by the watchdog
 *
 * A round asks the world for two bytes in the next ms, polls and sleeps. Each
 * begins six instructions later in its ms than the one before, so that the
 * interrupt comes at each point from the question to the sleep, and after it.
 * No wake may be lost: nothing but the watchdog would end that sleep. At last
 * nobody feeds it, and it bites in 2 s, 10 ms after the "!", give or take less
 * than that. What is wrong is a fault.
 */
#ifndef ASYNC_SHORT_NAMES
#define ASYNC_SHORT_NAMES 1 /* in C++ too */
#endif
#include "board.h"
#include "world.h"

static struct async_loop loop;
static struct async_flag received;
static volatile uint8_t poked;
static volatile uint8_t bytes;
static async_time asked_at;
static uint8_t resumed = 1;

static void must(int is)
{
    if (!is)
        __builtin_trap();
}

/* ---- the world ----------------------------------------------------------- */

static uint32_t due = UINT32_MAX;
static volatile uint8_t again;

uint32_t world_next(void)
{
    return due;
}

void world_play(uint32_t ms)
{
    if (ms < due)
        return;
    due = again ? ms + 1 : UINT32_MAX;
    again = 0;
    world_typed('1');
    world_typed('2'); /* the first one's interrupt has been */
}

void world_ask(uint32_t ms)
{
    due = ms + 1;
}

uint16_t world_adc(uint32_t ms)
{
    (void)ms;
    return 0;
}

/* ---- the station's part -------------------------------------------------- */

void station_received(char c)
{
    must(c == '1' + bytes % 2);
    bytes = (uint8_t)(bytes + 1);
    if (bytes == 2)
        async_flag_set(&loop, &received);
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

static void poke(void *arg)
{
    (void)arg;
    poked = 1;
}

static struct waiter {
    struct async_frame async;
    struct async_task task;
} waiter_frame;

static async waiter(struct async_loop *loop, void *frame)
{
    struct waiter *self = (struct waiter *)frame;

    async_begin(self);
    for (;;) {
        await(async_flag_wait(loop, &received));
        must((async_time)(board_now() - asked_at) <= 2);
        bytes = 0;
        resumed = 1;
    }
    async_end();
}

void station_start(void)
{
    static const struct async_host host = {poke, NULL, NULL};

    async_attach(&loop, &host);
    async_spawn(&loop, &waiter_frame.task, waiter, &waiter_frame);
}

/* Two instructions a turn. */
static void spin(uint32_t turns)
{
    for (; turns; turns--)
        __asm__ volatile("");
}

static void end(void)
{
    const char *text = "every byte came in time\n";
    async_time fed = board_now();

    again = 1; /* two interrupts, and no sleep */
    board_sensor_ask();
    while ((async_time)(board_now() - fed) < 3)
        ;
    must(bytes == 4);
    while (*text)
        board_put(*text++);
    while ((async_time)(board_now() - fed) < BOARD_WATCHDOG_MS - 10)
        ;
    board_put('!');
    board_put('\n');
    while ((async_time)(board_now() - fed) < BOARD_WATCHDOG_MS + 10)
        ;
    must(0);
}

void station_step(void)
{
    static uint32_t round;
    async_time before, ticks;

    if (resumed) {
        resumed = 0;
        board_watchdog_feed();
        before = board_now();
        spin(round += 3);
        asked_at = board_now();
        if ((async_time)(asked_at - before) > 2)
            end();
        board_sensor_ask();
    }
    poked = 0;
    ticks = async_poll(&loop, board_now());
    if (ticks && !resumed)
        board_sleep(ticks);
}
