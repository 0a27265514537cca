/* A board for examples/firmware/blinker on a virtual clock: presses the button
 * by a script, and prints when which lamps were on.
 * SPDX-License-Identifier: MIT
 *
 *     blinker [SEED [SECONDS]]
 *
 * Without a seed the script is the one below; with one it is drawn at random:
 * noise, short and long presses, all with bounces. Then it prints how often the
 * program slept. The clock's first tick is even and soon wraps around, and the
 * button changes at odd ticks only. So it never does when a lamp does: which
 * of the two comes first in one tick is each program's own.
 */
#include <stdio.h>
#include <stdlib.h>

#include "blinker.h"

static const unsigned first = 0u - 2000;
static unsigned tick, end = 8000; /* since the start */
static unsigned sleeps, lamps, shown, level;

/* The ticks at which the level changes: noise; a press; one that bounces, and
 * noise after it; a long press; a short one. */
static const unsigned script[] = {101,  115,  1001, 1101, 2001, 2005,
                                  2009, 2201, 2207, 2211, 2301, 2319,
                                  3501, 4701, 6001, 6031, ~0u};
static unsigned next = 101, step;
static unsigned long long seed;

static unsigned drawn(unsigned below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % below;
}

/* When the level changes next: mostly after a long time, or else it bounces. */
static void go_on(void)
{
    static unsigned bounces;

    if (!seed) {
        next = script[++step];
        return;
    }
    if (bounces == 0 && drawn(2))
        bounces = 2 * drawn(4) + 1;
    if (bounces)
        bounces--;
    if (bounces)
        next += 2 + 2 * drawn(BOUNCE_TICKS / 4);
    else if (drawn(8) == 0) /* to the tick */
        next += BOUNCE_TICKS + (drawn(2) ? LONG_TICKS : 0) + 2 * drawn(3) - 2;
    else
        next += 2 + 2 * drawn(drawn(2) ? 100 : 1000);
}

unsigned now(void)
{
    return first + tick;
}

#ifdef HAS_INTERRUPT
#define INTERRUPT() button_changed()
#else
#define INTERRUPT() ((void)0)
#endif

void sleep_for(unsigned ticks)
{
    unsigned until = tick + ticks;

    sleeps++;
    if (lamps != shown) {
        printf("%u%s%s\n", tick, lamps & RED ? " red" : "",
               lamps & GREEN ? " green" : "");
        shown = lamps;
    }
    if (until < tick || until > end)
        until = end;
    if (until > next)
        until = next;
    tick = until;
    if (tick == end) {
        fprintf(stderr, "%u\n", sleeps);
        exit(0);
    }
    if (tick == next) {
        level = !level;
        go_on();
        INTERRUPT();
    }
}

void set(unsigned char lamp)
{
    lamps |= lamp;
}

void clear(unsigned char lamp)
{
    lamps &= ~(unsigned)lamp;
}

int pressed(void)
{
    return (int)level;
}

int blinker_main(void);

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        end = 1000 * (unsigned)strtoul(argv[2], NULL, 10);
    return blinker_main();
}
