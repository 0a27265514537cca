/* corners.c: a station in cases that the world's script does not have.
 * SPDX-License-Identifier: MIT
 *
 * The board is this file: its clock is a variable, and what is to happen
 * happens in its sleep and in what the station calls.
 */
#include "board.h"

#include <stdio.h>
#include <string.h>

const char board_name[] = "corners";

static uint32_t now_us, put_us, stop_at, asleep;
static char printed[8192];
static size_t length;

static uint32_t now(void)
{
    return now_us / 1000;
}

async_time board_now(void)
{
    return (async_time)(BOARD_FIRST_TICK + now());
}

uint32_t board_asleep_ms(void)
{
    return asleep;
}

void board_put(char c)
{
    now_us += put_us;
    if (length + 1 < sizeof printed)
        printed[length++] = c;
}

int board_button(void)
{
    return 0;
}

/* ---- what happens in the sleep ------------------------------------------- */

static uint32_t converts_at, answers_at;
static uint16_t converts_to;
static int16_t answers;
static int types_before_sleep, typed_in_time;
static uint32_t sleeps;

static void sleep_until(uint32_t ms)
{
    if (ms <= now())
        return;
    asleep += ms - now();
    now_us = ms * 1000;
}

static uint32_t earlier(uint32_t a, uint32_t b)
{
    return b > now() && b < a ? b : a;
}

void board_sleep(async_time ticks)
{
    uint32_t until = now() + (uint32_t)ticks;

    sleeps++;
    if (types_before_sleep) { /* when interrupts go off */
        types_before_sleep = 0;
        station_received('\n');
        typed_in_time = station_poked();
    }
    if (station_poked())
        return;
    until = earlier(until, stop_at);
    until = earlier(until, converts_at);
    sleep_until(earlier(until, answers_at));
    if (now() == converts_at)
        station_adc_done(converts_to);
    if (now() == answers_at)
        station_sensor_answered(answers);
}

/* ---- what the station does ----------------------------------------------- */

static uint32_t led_on_at, led_times, led_wrong, is_on;
static uint32_t fed_at, fed_times, fed_wrong;
static uint32_t conversions, conversions_wrong, asks;

/* On for 50 ms of each second, from the first on. */
void board_led(int on)
{
    if (on) {
        led_wrong += now() % 1000 != 0;
        led_on_at = now();
        led_times++;
    } else {
        led_wrong += now() - led_on_at != 50;
    }
    led_wrong += is_on == (uint32_t)on;
    is_on = (uint32_t)on;
}

/* The first one comes half a second late. */
void board_adc_start(void)
{
    conversions++;
    conversions_wrong += now() % 2000 != 0;
    converts_at = now() + (conversions == 1 ? 500 : 1);
    converts_to = conversions == 1 ? 5 : 1023;
}

/* The first ask is answered 70 ms later, which is too late, and before the
 * second one; that one never; the others at once. */
void board_sensor_ask(void)
{
    asks++;
    if (asks == 1) {
        answers_at = now() + 70;
        answers = 666;
    } else if (asks > 2) {
        station_sensor_answered(-1);
    }
}

void board_watchdog_feed(void)
{
    fed_wrong += now() % 500 != 0;
    fed_at = now();
    fed_times++;
}

/* ---- tests --------------------------------------------------------------- */

static void run_until(uint32_t ms)
{
    stop_at = ms;
    while (now() < ms)
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

static void conversions_and_answers(void)
{
    run_until(3000);
    expect(has_printed("[00:00:02.0] the adc does not answer\n"),
           "a conversion that does not end is told");
    run_until(11300);
    expect(has_printed("adc 1023"), "and is not taken for the next one");
    expect(asks == 3, "a late answer is none, neither for the next question");
    expect(has_printed("temp -0.1 C  average -0.1 C"), "the third one counts");
}

static void input(void)
{
    type("stats\n");
    type("12345678901234567890123456789012345678901234567890123456");
    type("+"); /* the 63rd */
    run_until(12300);
    expect(!has_printed("lost: ") && has_printed("lost 0 bytes"),
           "63 bytes fit");
    type("\nstats\n12345678901234567890123456789012345678901234567890123456"
         "lost!");
    run_until(13300);
    expect(has_printed("bytes lost: 5\n"), "bytes lost are told");
    type("\nstats\n");
    run_until(14300);
    expect(has_printed("lost 5 bytes"), "and counted");
}

static void sleep_and_wake(void)
{
    types_before_sleep = 1;
    run_until(15300);
    expect(typed_in_time, "a byte before the sleep keeps it from sleeping");
    sleeps = 0;
    run_until(16300);
    expect(sleeps > 0 && sleeps < 12, "then it sleeps");
    expect(led_times == 16 && led_wrong == 0, "the heartbeat's LED");
    expect(conversions == 8 && conversions_wrong == 0, "the sampler's times");
    expect(fed_at == 16000 && fed_times == 33 && fed_wrong == 0,
           "the watchdog was fed");
}

/* A step that takes 3 s: all is late once, nothing for ever. */
static void a_long_step(void)
{
    unsigned rounds = 0, late = 0;
    const char *row;

    run_until(20300);
    put_us = 10000;
    type("ps\n");
    run_until(20301);
    put_us = 100;
    expect(now() > 22500, "the step was long");
    run_until(25300);
    expect(has_printed("heartbeat is late: the watchdog is not fed\n"),
           "the watchdog's feeder has seen it");
    led_wrong = conversions_wrong = fed_wrong = fed_times = 0;
    run_until(30300);
    expect(led_wrong + conversions_wrong + fed_wrong == 0 && fed_times == 10,
           "all is at its times again");
    length = 0;
    memset(printed, 0, sizeof printed);
    type("stats\nps\n");
    run_until(31300);
    expect(has_printed("[00:00:30.3] asleep ") && has_printed("drift 0 ms"),
           "no second was left out");
    row = strstr(printed, "\nheartbeat ");
    if (row)
        (void)sscanf(row, " heartbeat %u %u", &rounds, &late);
    expect(rounds == 30 && late > 1000 && late < 3000, "`ps` tells it");
}

int main(void)
{
    station_start();
    station_step();
    put_us = 100;
    conversions_and_answers();
    input();
    sleep_and_wake();
    a_long_step();
    if (failed)
        printf("%s", printed);
    return failed;
}
