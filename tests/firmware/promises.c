/* promises.c: what board.h promises of a board whose timer interrupt plays the
 * world. In place of station.c and world.c. Prints
 *
 *     kept
 *     reset by the watchdog
 *
 * or the line of what is not kept, which is a fault.
 * SPDX-License-Identifier: MIT
 */
#include "board.h"
#include "world.h"

enum { ANSWERS_AFTER = 37 };

static volatile int changes, conversions, answers, bytes;
static volatile int16_t answer;
static volatile uint8_t starts_when_looked_at, poked;

/* ---- the world ---------------------------------------------------------- */

static uint32_t typed_at = UINT32_MAX, typed, pressed_at = UINT32_MAX,
                answered_at = UINT32_MAX;

static uint32_t earlier(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

uint32_t world_next(void)
{
    return earlier(typed_at, earlier(pressed_at, answered_at));
}

/* The button changes at the time of the answer. */
void world_play(uint32_t ms)
{
    for (; typed_at <= ms; typed_at = ++typed < 10 ? typed_at + 1 : UINT32_MAX)
        world_typed((char)('0' + typed));
    if (pressed_at <= ms) {
        pressed_at = UINT32_MAX;
        world_pressed(1);
    }
    if (answered_at <= ms) {
        answered_at = UINT32_MAX;
        world_answered(-123);
    }
}

void world_ask(uint32_t ms)
{
    answered_at = ms + ANSWERS_AFTER;
    if (answers) { /* from the second question on */
        pressed_at = answered_at;
        typed_at = answered_at + 10;
    }
}

uint16_t world_adc(uint32_t ms)
{
    (void)ms;
    return 1023;
}

/* ---- in place of the station -------------------------------------------- */

static void put(const char *text)
{
    while (*text)
        board_put(*text++);
}

static void need_(int is, int line)
{
    int digit;

    if (is)
        return;
    put("promises.c:");
    for (digit = 100; digit; digit /= 10)
        board_put((char)('0' + line / digit % 10));
    put("\n");
    __builtin_trap();
}
#define need(is) need_(is, __LINE__)

void station_received(char c)
{
    need(c == (char)('0' + bytes));
    bytes = bytes + 1;
    poked = 1;
}

void station_button_changed(void)
{
    changes = changes + 1;
    poked = 1;
}

void station_adc_done(uint16_t value)
{
    need(value == 1023);
    conversions = conversions + 1;
    poked = 1;
}

void station_sensor_answered(int16_t tenths_of_c)
{
    answer = tenths_of_c;
    answers = answers + 1;
    poked = 1;
}

int station_poked(void)
{
    int was = poked;

    if (starts_when_looked_at) {
        starts_when_looked_at = 0;
        board_adc_start();
    }
    return was;
}

/* Sleeps unless something has happened since the last time. */
static void sleep_once(async_time ticks)
{
    board_sleep(ticks);
    poked = 0;
}

static async_time since(async_time begun)
{
    return (async_time)(board_now() - begun);
}

void station_start(void)
{
    need(since(BOARD_FIRST_TICK) < 100);
}

void station_step(void)
{
    uint32_t asleep = board_asleep_ms();
    async_time begun = board_now(), passed;

    while ((passed = since(begun)) < 100)
        sleep_once((async_time)(100 - passed));
    need(passed < 105);
    need(board_asleep_ms() - asleep > 90);

    poked = 1;
    sleep_once(100);
    need(since(begun) < 110);

    /* An interrupt after the look ends the sleep. */
    board_watchdog_feed();
    begun = board_now();
    starts_when_looked_at = 1;
    while (!conversions)
        sleep_once(1000);
    need(since(begun) < 100);

    /* No sleep is needed for one to come. */
    board_sensor_ask();
    begun = board_now();
    while (!answers && since(begun) < 100)
        continue;
    need(answers == 1 && answer == -123 && since(begun) < 50);

    /* One that comes ends a sleep for ever. Each comes once, also of two. */
    board_watchdog_feed();
    begun = board_now();
    board_sensor_ask();
    while (bytes < 10)
        sleep_once(ASYNC_FOREVER);
    need(since(begun) >= 55 && since(begun) < 70);
    need(answers == 2 && changes == 1 && conversions == 1 && board_button());

    put("kept\n");
    for (;;) /* until the watchdog bites */
        sleep_once(ASYNC_FOREVER);
}
