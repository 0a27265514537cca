/* boundary.h: what the firmware and its runner agree on.
 * SPDX-License-Identifier: MIT
 */
#ifndef BOUNDARY_H
#define BOUNDARY_H

#include <stdint.h>

/* What the tasks do: in GPIOR0 when the processor starts. */
enum {
    ONE_FLAG,       /* the first waits for the first flag */
    TWO_FLAGS,      /* and the second for the second flag */
    SLEEP,          /* the second sleeps */
    CANCELED,       /* the first is canceled while it waits, once */
    TIMES_OUT,      /* its wait times out, once */
    FUTURE,         /* it waits for the future */
    FUTURE_CANCELED /* and cancels it before */
};

/* What the interrupts do, by the numbers of their vectors. */
enum {
    SETS_FIRST_FLAG = 1,  /* INT0 */
    SETS_SECOND_FLAG = 2, /* INT1 */
    WAKES = 3,            /* PCINT0 */
    SETS_FUTURE = 4,      /* PCINT1, which others may interrupt */
    SETS_FUTURE_TOO = 5   /* PCINT2, the same */
};

/* What happened, at the address in GPIOR2 and GPIOR1. Once it is there, and the
 * idle loop begins, GPIOR0 is READY. */
struct told {
    uint8_t set[2];     /* interrupts that found the flag clear, or set the
                           future: the first's and the second's */
    uint8_t resumed[2]; /* times that the task had what it waits for */
    uint8_t polls;      /* begun */
    uint8_t canceled;   /* waits, or the future */
    uint8_t timed_out;  /* waits */
    uint8_t value;      /* of the future: 1 by PCINT1, 2 by PCINT2 */
};

enum { READY = 0xA5 };

#endif
