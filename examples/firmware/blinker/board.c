/* A board for the blinkers whose ports are variables: for counting bytes.
 * SPDX-License-Identifier: MIT
 */
#include "blinker.h"

volatile unsigned char lamps, button;
volatile unsigned ticks, alarm;

/* The timer's interrupt handler, 1000 times a second. */
void tick(void);
void tick(void)
{
    ticks++;
}

/* An 8-bit core reads `ticks` in two halves, and the interrupt may come in
 * between: read until two in a row are the same. */
unsigned now(void)
{
    unsigned before, after = ticks;

    do {
        before = after;
        after = ticks;
    } while (before != after);
    return after;
}

void sleep_for(unsigned ticks_ahead)
{
    alarm = ticks_ahead; /* and then the instruction that sleeps */
}

void set(unsigned char lamp)
{
    lamps = (unsigned char)(lamps | lamp);
}

void clear(unsigned char lamp)
{
    lamps = (unsigned char)(lamps & ~lamp);
}

int pressed(void)
{
    return button;
}
