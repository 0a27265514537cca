/* blinker.h: what the blinkers in this folder have in common.
 * SPDX-License-Identifier: MIT
 *
 * Two lamps blink, each at its own pace, and a button makes them quicker: the
 * same program six times. In the order of what they ask for:
 *
 *     superloop.c      ifs and timestamps
 *     switch.c         a state machine a task
 *     protothreads.c   compat/pt.h
 *     async.c          async.h alone
 *     async_loop.c     a loop that tells how long the processor may sleep
 *     async_gather.c   the same with a timeout
 *
 * Red is on and off for RED_TICKS each; green is on for ON_TICKS and off for
 * OFF_TICKS. Each press halves RED_TICKS and OFF_TICKS, from the next change of
 * a lamp on, and the third press makes them what they were. So does a long one
 * at once. What is pressed for no more than BOUNCE_TICKS is not a press, and
 * for as long after a release nothing is.
 *
 * ./dev firmware tells what each costs in flash and RAM; that all do the same
 * is checked by tests/firmware-bytes/run.
 */
#ifndef BLINKER_H
#define BLINKER_H

enum { RED = 1, GREEN = 2 };
enum { RED_TICKS = 400, ON_TICKS = 40, OFF_TICKS = 960 };
enum { BOUNCE_TICKS = 20, LONG_TICKS = 1000 };
enum { QUICKEST = 2 }; /* pace; 0 is the first */

/* ---- the board's -------------------------------------------------------- */

/* Ticks of 1 ms, from any beginning; they wrap around. */
unsigned now(void);
/* Sleeps for `ticks` at the most, till the button changes at the latest, and
 * not at all if it has changed since the last sleep. */
void sleep_for(unsigned ticks);
void set(unsigned char lamp);
void clear(unsigned char lamp);
int pressed(void);

/* ---- the program's ------------------------------------------------------ */

/* The interrupt handler of the button: its level has changed. Only those that
 * do not look at it all the time have one. */
void button_changed(void);

/* True if it is `time`, or has been for less than half the range. */
static inline int reached(unsigned time)
{
    return now() - time <= ~0u / 2;
}

#endif /* BLINKER_H */
