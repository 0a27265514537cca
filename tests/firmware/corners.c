/* corners.c: a station in cases that the world's script does not have.
 * SPDX-License-Identifier: MIT
 *
 * The board is this file: its clock is a variable, and what a test wants to
 * happen happens in the functions that the station calls.
 */
#include "board.h"

#include <stdio.h>
#include <string.h>

const char board_name[] = "corners";

static uint32_t now, asleep;
static char printed[4096];
static size_t length;
static uint32_t led_since, led_on, led_times, led_wrong;
static uint32_t fed_at, fed_times;
static uint32_t asks, late_answer_at;
static uint16_t adc_mute;
static uint8_t sleeps, type_before_sleep, typed_in_time;

async_time board_now(void)
{
    return (async_time)(BOARD_FIRST_TICK + now);
}

void board_sleep(async_time ticks)
{
    uint32_t until = now + (uint32_t)ticks;

    sleeps++;
    if (type_before_sleep) { /* interrupts are off: it comes in its last moment
                              */
        type_before_sleep = 0;
        station_received('\n');
        typed_in_time = (uint8_t)station_poked();
    }
    if (station_poked())
        return;
    if (late_answer_at > now && late_answer_at < until)
        until = late_answer_at;
    asleep += until - now;
    now = until;
    if (now == late_answer_at)
        station_sensor_answered(666);
}

uint32_t board_asleep_ms(void)
{
    return asleep;
}

void board_put(char c)
{
    if (length + 1 < sizeof printed)
        printed[length++] = c;
}

/* On for 50 ms of each second, from the first on. */
void board_led(int on)
{
    if (on) {
        led_wrong += now % 1000 != 0;
        led_since = now;
        led_times++;
    } else {
        led_wrong += now - led_since != 50;
    }
    led_wrong += led_on == (uint32_t)on;
    led_on = (uint32_t)on;
}

int board_button(void)
{
    return 0;
}

void board_adc_start(void)
{
    if (!adc_mute)
        station_adc_done(1023);
}

/* The first ask is answered 70 ms later, which is too late, and before the
 * second one; that one never; the others at once. */
void board_sensor_ask(void)
{
    asks++;
    if (asks == 1)
        late_answer_at = now + 70;
    else if (asks > 2)
        station_sensor_answered(-1);
}

void board_watchdog_feed(void)
{
    fed_at = now;
    fed_times++;
}

/* ---- tests --------------------------------------------------------------- */

static void run_until(uint32_t ms)
{
    while (now < ms)
        station_step();
}

static void type(const char *text)
{
    while (*text)
        station_received(*text++);
}

static int failed;

static void expect(int is, const char *what)
{
    if (is)
        return;
    failed = 1;
    printf("not so: %s\n", what);
}

static int has_printed(const char *text)
{
    return strstr(printed, text) != NULL;
}

int main(void)
{
    station_start();
    adc_mute = 1;
    run_until(3000);
    expect(has_printed("[00:00:02.0] the adc does not answer\n"),
           "a conversion that does not end is told");
    adc_mute = 0;

    run_until(11000);
    expect(asks == 3, "a late answer is none, neither for the next question");
    expect(has_printed("temp -0.1 C  average -0.1 C  adc 1023  retries 2"),
           "the third answer counts");

    type("stats\n");
    type("12345678901234567890123456789012345678901234567890123456");
    station_received('+'); /* the 63rd */
    run_until(12000);
    expect(!has_printed("lost: ") && has_printed("lost 0 bytes"),
           "63 bytes fit");
    type("\nstats\n12345678901234567890123456789012345678901234567890123456"
         "lost!");
    run_until(13000);
    expect(has_printed("bytes lost: 5\n"), "bytes lost are told");
    type("\nstats\n");
    run_until(14000);
    expect(has_printed("lost 5 bytes"), "and counted");

    type_before_sleep = 1;
    run_until(15000);
    expect(typed_in_time, "a byte before the sleep keeps it from sleeping");
    sleeps = 0;
    run_until(16000);
    expect(sleeps > 0 && sleeps < 12, "then it sleeps");

    expect(led_times == 15 && led_wrong == 0, "the heartbeat's LED");
    expect(fed_times == 32 && fed_at == 15500, "the watchdog was fed");
    if (failed)
        printf("%s", printed);
    return failed;
}
