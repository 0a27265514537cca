/* board_host.c: a station on a computer, with a clock that jumps.
 * SPDX-License-Identifier: MIT
 *
 *     ./station          plays the world's 90 seconds, in no time
 *     ./station 24       goes on for so many hours instead of hanging
 *
 * Time does not pass by itself: a look at the clock takes LOOK_US, and there
 * are two for each poll; a byte on the UART takes PUT_US; and in the sleep the
 * clock jumps to what comes next. So "asleep" is what a board as fast as that
 * would be. What the world does meanwhile is an interrupt, be it between two
 * bytes of a task's output, before a poll, after it, or in the sleep.
 */
#include "board.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

enum { LOOK_US = 50, PUT_US = 87 /* at 115200 baud */ };

const char board_name[] = "host";

static uint64_t now_us, asleep_us, fed_us, end_us = UINT64_MAX;
static int pressed;

/* ---- time ---------------------------------------------------------------- */

static uint32_t now_ms(void)
{
    return (uint32_t)(now_us / 1000);
}

/* What is due by now happens. */
static void happen(void)
{
    world_play(now_ms());
    if (now_us - fed_us >= BOARD_WATCHDOG_MS * UINT64_C(1000)) {
        puts("reset by the watchdog");
        exit(0);
    }
    if (now_us >= end_us)
        exit(0);
}

static void awake(unsigned us)
{
    now_us += us;
    happen();
}

async_time board_now(void)
{
    async_time now = (async_time)(BOARD_FIRST_TICK + now_us / 1000);

    awake(LOOK_US);
    return now;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void board_sleep(async_time ticks)
{
    uint64_t until = fed_us + BOARD_WATCHDOG_MS * UINT64_C(1000);

    if (station_poked())
        return;
    if (ticks != ASYNC_FOREVER)
        until = earlier(until, (now_us / 1000 + ticks) * 1000);
    if (world_next() != UINT32_MAX)
        until = earlier(until, world_next() * UINT64_C(1000));
    until = earlier(until, end_us);
    if (until > now_us) {
        asleep_us += until - now_us;
        now_us = until;
    }
    happen();
}

uint32_t board_asleep_ms(void)
{
    return (uint32_t)(asleep_us / 1000);
}

/* ---- what is on the board ------------------------------------------------ */

void board_put(char c)
{
    putchar(c);
    awake(PUT_US);
}

void board_led(int on)
{
    (void)on;
}

int board_button(void)
{
    return pressed;
}

void board_adc_start(void)
{
    station_adc_done(world_adc(now_ms()));
}

void board_sensor_ask(void)
{
    world_ask(now_ms());
}

void board_watchdog_feed(void)
{
    fed_us = now_us;
}

/* ---- interrupts ---------------------------------------------------------- */

void world_typed(char c)
{
    station_received(c);
}

void world_pressed(int is)
{
    pressed = is;
    station_button_changed();
}

void world_answered(int16_t tenths_of_c)
{
    station_sensor_answered(tenths_of_c);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        world_hours = (uint32_t)strtoul(argv[1], NULL, 10);
        if (world_hours < 1 || world_hours > 1000) {
            fprintf(stderr, "%s [HOURS, 1 to 1000]\n", argv[0]);
            return 2;
        }
        end_us = world_hours * UINT64_C(3600000000);
    }
    station_start();
    for (;;)
        station_step();
}
