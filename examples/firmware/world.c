/* world.c: what happens around a station in its 90 seconds.
 * SPDX-License-Identifier: MIT
 *
 * What is printed with a time happens some 10 ms before a tenth of a second is
 * over, so that a board which is a ms or two behind prints the same. Ticks wrap
 * at 20 s, those of 16 bits at 85.536 s again: something is under way then.
 */
#include "world.h"

uint32_t world_hours;

/* ---- who types ----------------------------------------------------------- */

/* A byte a ms. */
static const struct {
    uint32_t ms;
    const char *text;
} typed[] = {{5210, "help\n"},
             {12320, "ps\n"},
             {12326, "stats\r\n"}, /* while that prints */
             {15980, "ps\n"},      /* prints while a second begins */
             {16220, "set\n"},
             {16420, "set period 0\n"},
             {16620, "set period 3601\n"},
             {16820, "set period 5 s\n"},
             {17220, "set peri 5\n"},
             {25120, "a line that is longer than a line can be\n"},
             {27120, "stxx\b\177ats\n"},
             {33220, "set period 5\n"},  /* it was asked at 30 s: 35, 40, 45 */
             {47220, "set period 20\n"}, /* 65 */
             {67220, "set period 10\n"}, /* 75, 85 */
             {86220, "stats\n"},
             {86620, "ps\n"},
             {87320, "hang\n"},
             {89320, "ps\n"}};

/* With hours to go these are typed instead of the last two: the first at the
 * time of the hang, the other one shortly before the end. */
static const char *const day[] = {"set period 3600\n", "stats\n"};

enum { TYPED = sizeof typed / sizeof typed[0], DAY = TYPED - 2 };

static uint8_t line, column;

static uint32_t typed_next(void)
{
    if (line == TYPED)
        return UINT32_MAX;
    if (world_hours && line == TYPED - 1)
        return world_hours * 3600000 - 380 + column;
    return typed[line].ms + column;
}

static void typed_play(void)
{
    const char *text =
        world_hours && line >= DAY ? day[line - DAY] : typed[line].text;

    world_typed(text[column]);
    if (text[++column] == '\0') {
        line++;
        column = 0;
    }
}

/* ---- who presses the button ---------------------------------------------- */

/* When its level changes: pressed, not, pressed... */
static const uint32_t levels[] = {
    3310,  3312,  3315,  3328,  3331, /* bounces, stays pressed from here */
    3722,  3724,  3739,               /* and is let go */
    8241,  8253,  8258,  8266,        /* never 20 ms the same: noise */
    22120, 22135, 22137, 22552, 62320, 62322, 62323,
    62427, 62430, 62433, 62620, 62630, 62640, 62720, /* two in a row */
    85518, 85520, 85523, 85925};

enum { LEVELS = sizeof levels / sizeof levels[0] };

static uint8_t level;

/* ---- the sensor ---------------------------------------------------------- */

enum { ANSWERS_AFTER_MS = 5 };

/* Which asks never get an answer: one, two in a row, three, two. */
static const uint8_t no_answers[] = {2, 4, 5, 8, 9, 10, 14, 15};

/* Tenths of a degree, in turn. */
static const int16_t temperatures[] = {214, 216, 211, 209, 213, -7, 218, 220};

/* A task asks, an interrupt may answer: each of the two is written at once
 * where the world is on the board, and the time of the answer last. */
static volatile uint32_t answers_at = UINT32_MAX;
static volatile int32_t answer;
static uint32_t asks;

void world_ask(uint32_t ms)
{
    unsigned i;

    asks++;
    for (i = 0; i < sizeof no_answers / sizeof no_answers[0]; i++)
        if (no_answers[i] == asks)
            return;
    answer = temperatures[asks % 8];
    answers_at = ms + ANSWERS_AFTER_MS;
}

/* ---- the adc ------------------------------------------------------------- */

/* Slowly up and down, a step in the middle of each second. */
uint16_t world_adc(uint32_t ms)
{
    uint32_t step = (ms + 500) / 1000 % 60;

    return (uint16_t)(500 + 4 * (step < 30 ? step : 60 - step));
}

/* ---- all of it ----------------------------------------------------------- */

static uint32_t level_next(void)
{
    return level < LEVELS ? levels[level] : UINT32_MAX;
}

uint32_t world_next(void)
{
    uint32_t next = typed_next();

    next = level_next() < next ? level_next() : next;
    return answers_at < next ? answers_at : next;
}

void world_play(uint32_t ms)
{
    uint32_t next;

    while ((next = world_next()) <= ms && next != UINT32_MAX) {
        if (next == answers_at) {
            answers_at = UINT32_MAX;
            world_answered((int16_t)answer);
        } else if (next == level_next()) {
            level++;
            world_pressed(level % 2);
        } else {
            typed_play();
        }
    }
}
