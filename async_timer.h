/* async_timer.h: what comes when.
 * SPDX-License-Identifier: MIT
 *
 * Times, and a queue of deadlines that is small enough for 2 KB of RAM and
 * quick enough for a million timers. It knows no clock: the time is handed to
 * it. Included by async_task.h; nothing in here is called by a program.
 *
 * Configuration (the same in all of a program; checked when loops meet)
 *
 *     ASYNC_TIME_BITS    8, 16, 32, 64: the width of a time. Default: a
 *                        pointer's, 32 at the least. A wait can last for less
 *                        than half its range.
 *     ASYNC_TICK_HZ      ticks a second, 1000
 *     ASYNC_RADIX_BITS   1 to 6: more is quicker with many timers, and larger:
 *                        ASYNC_TIME_BITS pointers with 1, 704 with 6 and 64.
 *                        Default 6 on hosts, 1 elsewhere.
 */
#ifndef ASYNC_TIMER_H
#define ASYNC_TIMER_H

#include "async.h" /* ASYNC_ASSERT, statuses */

#include <stddef.h> /* NULL */
#include <stdint.h> /* times */

#ifndef ASYNC_TIME_BITS
#if UINTPTR_MAX > 0xFFFFFFFFu
#define ASYNC_TIME_BITS 64
#else
#define ASYNC_TIME_BITS 32
#endif
#endif
#ifndef ASYNC_TICK_HZ
#define ASYNC_TICK_HZ 1000
#endif
#ifndef ASYNC_RADIX_BITS
#define ASYNC_RADIX_BITS (ASYNC_HOSTED_ ? 6 : 1)
#endif

#if ASYNC_RADIX_BITS < 1 || ASYNC_RADIX_BITS > 6
#error "ASYNC_RADIX_BITS is 1 to 6"
#endif

/* Ticks since some beginning. Wraps; compared by difference only. */
#if ASYNC_TIME_BITS == 64
typedef uint64_t async_time;
#elif ASYNC_TIME_BITS == 32
typedef uint32_t async_time;
#elif ASYNC_TIME_BITS == 16
typedef uint16_t async_time;
#elif ASYNC_TIME_BITS == 8
typedef uint8_t async_time;
#else
#error "ASYNC_TIME_BITS is 8, 16, 32 or 64"
#endif

/* No time: async_poll's answer when only a wake can bring work. */
#define ASYNC_FOREVER ((async_time) ~(async_time)0)
/* The longest wait, in ticks. */
#define ASYNC_MAX_TICKS ((async_time)(ASYNC_FOREVER >> 1))

/* True if a comes before b. */
static inline int async_before_(async_time a, async_time b)
{
    return (async_time)(a - b) > ASYNC_MAX_TICKS;
}

/* Ticks for a time in milliseconds, rounded up, within what can be waited. */
static inline async_time async_ticks_(uint32_t ms)
{
#if ASYNC_TICK_HZ == 1000
    uint32_t ticks = ms;
#else
    uint64_t ticks = ((uint64_t)ms * ASYNC_TICK_HZ + 999) / 1000;
#endif

#if ASYNC_TIME_BITS < 64
    ASYNC_ASSERT(ticks <= ASYNC_MAX_TICKS,
                 "too long for ASYNC_TIME_BITS: widen it, or wait in parts");
    if (ticks > ASYNC_MAX_TICKS)
        ticks = ASYNC_MAX_TICKS;
#endif
    return (async_time)ticks;
}

/* ---- lines -------------------------------------------------------------- */

/* A place in a line: the line of a lock, of a task's joiners, of a slot of the
 * timers. In a circle; `next` is NULL for one that is in no line. */
struct async_wait_ {
    struct async_wait_ *next;
    struct async_wait_ *prev;
    union {
        async_time deadline; /* of a sleep, of a timer */
        void *object;        /* the line; the task that is joined */
        int fd;              /* and its events: fd * 4 + events */
    } on;
    int16_t status; /* a wait's result; then how the task ended */
    uint8_t kind;   /* ASYNC_WAIT_... */
    uint8_t flags;  /* of the task: ASYNC_IS_... */
    uint8_t asks;   /* of the task: expired timeouts that ask it to stop */
};

static inline void async_line_join_(struct async_wait_ **line,
                                    struct async_wait_ *wait)
{
    struct async_wait_ *first = *line;

    if (!first) {
        *line = wait->next = wait->prev = wait;
        return;
    }
    wait->next = first;
    wait->prev = first->prev;
    first->prev->next = wait;
    first->prev = wait;
}

static inline void async_line_leave_(struct async_wait_ **line,
                                     struct async_wait_ *wait)
{
    if (wait->next == wait) {
        *line = NULL;
    } else {
        wait->next->prev = wait->prev;
        wait->prev->next = wait->next;
        if (*line == wait)
            *line = wait->next;
    }
    wait->next = NULL;
}

/* ---- deadlines -------------------------------------------------------------
 * A radix heap in the waits' own memory. Seen from `base`, a deadline belongs
 * to the level of the highest digit in which the two differ, and there to the
 * slot of its own digit. So the first slot that is used, on the lowest level
 * that is used, holds what comes first. When time reaches that slot's start,
 * its waits are dealt to lower levels: each moves at most once a level, and
 * those with one deadline stay in the order they came in. With radix 2 a level
 * needs one slot only: its digit is the one that base hasn't. All that waits
 * lies less than half the range ahead of base, so times are compared by their
 * distance from it. Ideas: the radix heap of Ahuja, Mehlhorn, Orlin and Tarjan
 * (1990), the wheels of Varghese and Lauck (1987). */

#define ASYNC_SLOTS_ (ASYNC_RADIX_BITS == 1 ? 1 : 1 << ASYNC_RADIX_BITS)
#define ASYNC_LEVELS_                                                          \
    ((ASYNC_TIME_BITS + ASYNC_RADIX_BITS - 1) / ASYNC_RADIX_BITS)

/* All-zero is empty. */
struct async_deadlines_ {
    async_time base; /* now */
    async_time next; /* the earliest deadline ahead, if it is known */
    uint8_t next_is; /* ASYNC_NEXT_... */
    struct async_wait_ *due; /* in a poll what it has reached, in order;
                              * between polls the timers that are started */
    struct async_wait_ *slots[ASYNC_LEVELS_ * ASYNC_SLOTS_];
};

enum { ASYNC_NEXT_IS_NONE_, ASYNC_NEXT_IS_KNOWN_, ASYNC_NEXT_IS_UNKNOWN_ };

static inline unsigned async_level_(const struct async_deadlines_ *deadlines,
                                    async_time deadline)
{
    async_time differ = (async_time)(deadline ^ deadlines->base);
    unsigned level = 0;

    while ((differ = (async_time)(differ >> ASYNC_RADIX_BITS)) != 0)
        level++;
    return level;
}

static inline struct async_wait_ **
async_slot_(struct async_deadlines_ *deadlines, async_time deadline)
{
    unsigned level, digit;

    if (!async_before_(deadlines->base, deadline))
        return &deadlines->due;
    level = async_level_(deadlines, deadline);
    digit = (unsigned)(deadline >> level * ASYNC_RADIX_BITS) &
            (ASYNC_SLOTS_ - 1);
    return &deadlines->slots[level * ASYNC_SLOTS_ + digit];
}

/* Makes `next` exact. False if there is none. */
static inline int async_deadlines_next_(struct async_deadlines_ *deadlines)
{
    unsigned level, i;
    struct async_wait_ *first = NULL, *wait;

    if (deadlines->next_is != ASYNC_NEXT_IS_UNKNOWN_)
        return deadlines->next_is == ASYNC_NEXT_IS_KNOWN_;
    deadlines->next_is = ASYNC_NEXT_IS_NONE_;
    for (level = 0; level < ASYNC_LEVELS_ && !first; level++) {
        unsigned digit =
            (unsigned)(deadlines->base >> level * ASYNC_RADIX_BITS);

        for (i = 0; i < ASYNC_SLOTS_ && !first; i++)
            first = deadlines->slots[level * ASYNC_SLOTS_ +
                                     ((digit + i) & (ASYNC_SLOTS_ - 1))];
    }
    if (!first)
        return 0;
    deadlines->next_is = ASYNC_NEXT_IS_KNOWN_;
    deadlines->next = first->on.deadline;
    if (level > 1) /* on the lowest level a slot is one deadline */
        for (wait = first->next; wait != first; wait = wait->next)
            if (async_before_(wait->on.deadline, deadlines->next))
                deadlines->next = wait->on.deadline;
    return 1;
}

/* Adds one that lies ahead. In a poll. */
static inline void async_deadlines_add_(struct async_deadlines_ *deadlines,
                                        struct async_wait_ *wait,
                                        async_time deadline)
{
    if (deadlines->next_is == ASYNC_NEXT_IS_NONE_ ||
        async_before_(deadline, deadlines->next)) {
        deadlines->next = deadline;
        if (deadlines->next_is == ASYNC_NEXT_IS_NONE_)
            deadlines->next_is = ASYNC_NEXT_IS_KNOWN_;
    }
    wait->on.deadline = deadline;
    async_line_join_(async_slot_(deadlines, deadline), wait);
}

static inline void async_deadlines_remove_(struct async_deadlines_ *deadlines,
                                           struct async_wait_ *wait)
{
    async_line_leave_(async_slot_(deadlines, wait->on.deadline), wait);
    if (wait->on.deadline == deadlines->next)
        deadlines->next_is = ASYNC_NEXT_IS_UNKNOWN_;
}

/* It is `now`: moves what has been reached to `due`, in the order of the
 * deadlines, those of one time in the order they came. */
static inline void async_deadlines_reach_(struct async_deadlines_ *deadlines,
                                          async_time now)
{
    while (async_deadlines_next_(deadlines)) {
        unsigned shift =
            async_level_(deadlines, deadlines->next) * ASYNC_RADIX_BITS;
        async_time start =
            (async_time)((async_time)(deadlines->next >> shift) << shift);
        struct async_wait_ **slot = async_slot_(deadlines, deadlines->next);
        struct async_wait_ *wait;

        if (async_before_(now, start))
            break;
        deadlines->base =
            async_before_(now, deadlines->next) ? now : deadlines->next;
        while ((wait = *slot) != NULL) { /* deal the slot out */
            async_line_leave_(slot, wait);
            async_line_join_(async_slot_(deadlines, wait->on.deadline), wait);
        }
        if (deadlines->base == deadlines->next)
            deadlines->next_is = ASYNC_NEXT_IS_UNKNOWN_;
    }
    deadlines->base = now;
}

#endif /* ASYNC_TIMER_H */

/*
 * MIT License
 *
 * Copyright (c) 2026 async.h authors
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy
 * of this software and associated documentation files (the "Software"), to deal
 * in the Software without restriction, including without limitation the rights
 * to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
 * copies of the Software, and to permit persons to whom the Software is
 * furnished to do so, subject to the following conditions:
 *
 * The above copyright notice and this permission notice shall be included in all
 * copies or substantial portions of the Software.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
 * IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
 * FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
 * AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
 * LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
 * OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
 * SOFTWARE.
 */
