/* boundary.h: tasks that only an interrupt can wake, and what must come of it.
 * SPDX-License-Identifier: MIT
 *
 * The firmware's half is in boundary_tasks.h, but for its idle loop. Somebody
 * raises interrupts at each instruction boundary and asks wrong(), once the
 * processor sleeps.
 */
#ifndef BOUNDARY_H
#define BOUNDARY_H

#include <stddef.h> /* NULL */
#include <stdint.h>

/* What the tasks do. */
enum {
    ONE_FLAG,       /* the first waits for the first flag */
    TWO_FLAGS,      /* and the second for the second flag */
    SLEEP,          /* the second sleeps */
    CANCELED,       /* the first is canceled while it waits, once */
    TIMES_OUT,      /* its wait times out, once */
    FUTURE,         /* it waits for the future */
    FUTURE_CANCELED /* and cancels it before */
};

/* What the interrupts do. */
enum {
    SETS_FIRST_FLAG = 1,
    SETS_SECOND_FLAG,
    WAKES,
    SETS_FUTURE, /* which others may interrupt */
    SETS_FUTURE_TOO,
    INTERRUPTS
};

static const struct scenario {
    const char *name;
    int tasks;
    int raise[2];
} scenarios[] = {
    {"a flag, and again", ONE_FLAG, {SETS_FIRST_FLAG, SETS_FIRST_FLAG}},
    {"a wake, a flag", ONE_FLAG, {WAKES, SETS_FIRST_FLAG}},
    {"a flag, a wake", ONE_FLAG, {SETS_FIRST_FLAG, WAKES}},
    {"two flags, two tasks", TWO_FLAGS, {SETS_FIRST_FLAG, SETS_SECOND_FLAG}},
    {"a flag, a sleep", SLEEP, {SETS_FIRST_FLAG, SETS_FIRST_FLAG}},
    {"a flag, a cancel", CANCELED, {SETS_FIRST_FLAG, SETS_FIRST_FLAG}},
    {"a flag, a timeout", TIMES_OUT, {SETS_FIRST_FLAG, SETS_FIRST_FLAG}},
    {"a future, two producers", FUTURE, {SETS_FUTURE, SETS_FUTURE_TOO}},
    {"a future, canceled", FUTURE_CANCELED, {SETS_FUTURE, SETS_FUTURE_TOO}},
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

/* What happened. */
struct told {
    uint8_t set[2];     /* interrupts that found the flag clear, or set the
                           future: the first's and the second's */
    uint8_t resumed[2]; /* times that the task had what it waits for */
    uint8_t polls;      /* begun; where somebody looks at it */
    uint8_t canceled;   /* waits, or the future */
    uint8_t timed_out;  /* waits */
    uint8_t value;      /* of the future: 1 or 2 is who set it */
};

/* Why that is wrong, when so many interrupts of each kind have come, and
 * nothing more comes. NULL: it is right. */
static inline const char *wrong(int tasks, const struct told *told,
                                const int *came)
{
    if (tasks >= FUTURE) {
        if (told->set[0] + told->set[1] + told->canceled != 1)
            return "two have ended the future, or nobody";
        if (told->value != told->set[0] + 2 * told->set[1])
            return "the value is not that of who set the future";
        if (told->resumed[0] != 1)
            return "the task is not resumed once";
        return NULL;
    }
    if (told->set[0] != told->resumed[0] || told->set[1] != told->resumed[1])
        return "a task is not resumed as often as its flag was set";
    if (!told->set[0] != !came[SETS_FIRST_FLAG] ||
        !told->set[1] != !came[SETS_SECOND_FLAG])
        return "an interrupt was not served";
    if (told->canceled != (tasks == CANCELED))
        return "not one wait is canceled";
    if (told->timed_out != (tasks == TIMES_OUT))
        return "not one wait times out";
    return NULL;
}

#endif /* BOUNDARY_H */
