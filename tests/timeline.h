/* timeline.h: a loop, and a clock that is a variable.
 * SPDX-License-Identifier: MIT
 *
 * run_to(40) polls at every time that the loop asks for, up to 40. A line of a
 * trace is a time, a name and what happened then. Include after trace.h.
 */
#ifndef ASYNC_TESTS_TIMELINE_H
#define ASYNC_TESTS_TIMELINE_H

#include "async_gather.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static struct async_loop loop;
static async_time now;
static struct async_task task; /* the one that a test is about */

static inline int timeline_setup(void **state)
{
    static const struct async_task zero;

    async_loop_init(&loop);
    task = zero;
    now = 0;
    return trace_setup(state);
}
#define timeline_claim(test) cmocka_unit_test_setup(test, timeline_setup)

static inline void note(const char *who, const char *what)
{
    trace("%u %s %s", (unsigned)async_now(&loop), who, what);
}

/* Polls at `now` until nothing is left to do then. Returns the ticks to the
 * next poll. */
static inline async_time settle(void)
{
    async_time ticks;
    int polls = 0;

    while ((ticks = async_poll(&loop, now)) == 0) {
        if (++polls == 1000)
            fail_msg("the loop does not come to rest at %u", (unsigned)now);
    }
    return ticks;
}

/* The same, for who takes a function. */
static inline void settle_loop(void *arg)
{
    (void)arg;
    (void)settle();
}

/* Lets time pass up to `end`; stops at each time that the loop asks for.
 * Returns what the last poll did. */
static inline async_time run_to(async_time end)
{
    async_time ticks = settle();

    while (ticks <= end - now) {
        now += ticks;
        ticks = settle();
    }
    if (now != end) {
        now = end;
        ticks = settle();
    }
    return ticks;
}

/* Time passes in one leap: everything up to `end` falls on one tick. */
static inline void leap_to(async_time end)
{
    now = end;
    (void)settle();
}

static inline void spawn(struct async_task *which, async_fn *fn, void *frame)
{
    int status = async_spawn(&loop, which, fn, frame);

    assert_int_equal(status, 0);
}

#endif
