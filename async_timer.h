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
 *     ASYNC_RADIX_BITS   1 to 7: more is quicker with many timers, and larger:
 *                        ASYNC_TIME_BITS pointers with 1, with 64 of them 704
 *                        pointers with 6, 1280 with 7. Default 7 on hosts, 1
 *                        elsewhere.
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
#define ASYNC_RADIX_BITS (ASYNC_HOSTED_ ? 7 : 1)
#endif

#if ASYNC_RADIX_BITS < 1 || ASYNC_RADIX_BITS > 7
#error "ASYNC_RADIX_BITS is 1 to 7"
#endif

/* Counting leading zeros, and fetching into the cache: where that is one
 * instruction. Elsewhere a loop does, and nothing. */
#if defined(__GNUC__) && (ASYNC_HOSTED_ || defined(__ARM_FEATURE_CLZ))
#define ASYNC_HAVE_CLZ_ 1
#else
#define ASYNC_HAVE_CLZ_ 0
#endif
#if defined(__GNUC__) && ASYNC_HOSTED_
#define ASYNC_HAVE_FETCH_ 1
#define ASYNC_FETCH_(wait) __builtin_prefetch(wait)
#else
#define ASYNC_HAVE_FETCH_ 0
#define ASYNC_FETCH_(wait) ((void)(wait))
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
    int16_t status; /* a wait's result; then how the task ended; of a deadline
                     * ahead: it is known to be its slot's least */
    uint8_t kind;   /* ASYNC_WAIT_... */
    uint8_t flags;  /* of the task: ASYNC_IS_... */
    uint8_t asks;   /* of the task: timeouts and groups that ask it to stop */
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
 * (1990), the wheels of Varghese and Lauck (1987).
 *
 * The first in a slot is its least as long as that is known (not with radix 2,
 * which is for few timers). So what comes next is looked for among many only
 * after the least of its slot was stopped. */

#define ASYNC_SLOTS_ (ASYNC_RADIX_BITS == 1 ? 1 : 1 << ASYNC_RADIX_BITS)
#define ASYNC_LEVELS_                                                          \
    ((ASYNC_TIME_BITS + ASYNC_RADIX_BITS - 1) / ASYNC_RADIX_BITS)
#define ASYNC_ALL_SLOTS_ (ASYNC_LEVELS_ * ASYNC_SLOTS_)

/* All-zero is empty. */
struct async_deadlines_ {
    async_time base;         /* now */
    async_time next;         /* the earliest deadline ahead, if it is known */
    uint8_t next_is;         /* ASYNC_NEXT_... */
    struct async_wait_ *due; /* in a poll what it has reached, in order;
                              * between polls the timers that are started */
    struct async_wait_ *slots[ASYNC_ALL_SLOTS_];
#if ASYNC_RADIX_BITS > 1
    /* a bit for each slot; of an empty one it is cleared when it is met */
    async_time used[(ASYNC_ALL_SLOTS_ + ASYNC_TIME_BITS - 1) / ASYNC_TIME_BITS];
#endif
};

enum { ASYNC_NEXT_IS_NONE_, ASYNC_NEXT_IS_KNOWN_, ASYNC_NEXT_IS_UNKNOWN_ };

/* The number of the highest bit that is set in `bits`. One is. */
static inline unsigned async_top_bit_(async_time bits)
{
#if ASYNC_HAVE_CLZ_
    return 63u ^ (unsigned)__builtin_clzll(bits);
#else
    unsigned top = 0;

    while ((bits = (async_time)(bits >> 1)) != 0)
        top++;
    return top;
#endif
}

/* The slot of a deadline ahead. */
static inline unsigned async_slot_(const struct async_deadlines_ *deadlines,
                                   async_time deadline)
{
    unsigned level = async_top_bit_((async_time)(deadline ^ deadlines->base)) /
                     ASYNC_RADIX_BITS;
    unsigned digit =
        (unsigned)(deadline >> level * ASYNC_RADIX_BITS) & (ASYNC_SLOTS_ - 1);

    return level * ASYNC_SLOTS_ + digit;
}

/* Into the slot of its deadline: to the front if that makes it the least there,
 * so that it overtakes none of its own deadline, else to the end. */
static inline void async_deadlines_put_(struct async_deadlines_ *deadlines,
                                        struct async_wait_ *wait)
{
    unsigned i = async_slot_(deadlines, wait->on.deadline);
    struct async_wait_ **slot = &deadlines->slots[i];
#if ASYNC_RADIX_BITS > 1
    struct async_wait_ *first = *slot;
#endif

    async_line_join_(slot, wait);
#if ASYNC_RADIX_BITS > 1
    wait->status = !first;
    if (first && first->status &&
        async_before_(wait->on.deadline, first->on.deadline)) {
        first->status = 0;
        wait->status = 1;
        *slot = wait;
    }
    deadlines->used[i / ASYNC_TIME_BITS] |=
        (async_time)((async_time)1 << i % ASYNC_TIME_BITS);
#endif
}

/* The first slot from the i-th on that is used. */
static inline unsigned async_used_(struct async_deadlines_ *deadlines,
                                   unsigned i)
{
#if ASYNC_RADIX_BITS > 1
    while (i < ASYNC_ALL_SLOTS_) {
        async_time *word = &deadlines->used[i / ASYNC_TIME_BITS];
        async_time bits = (async_time)(*word >> i % ASYNC_TIME_BITS);

        if (!bits) {
            i = (i / ASYNC_TIME_BITS + 1) * ASYNC_TIME_BITS;
            continue;
        }
        i += async_top_bit_((async_time)(bits & (~bits + 1u))); /* the lowest */
        if (deadlines->slots[i])
            break;
        *word &= (async_time) ~((async_time)1 << i % ASYNC_TIME_BITS);
    }
#else
    while (i < ASYNC_ALL_SLOTS_ && !deadlines->slots[i])
        i++;
#endif
    return i;
}

/* The slot that holds what comes first, NULL if nothing comes. */
static inline struct async_wait_ **
async_deadlines_first_(struct async_deadlines_ *deadlines)
{
    const unsigned top = ASYNC_ALL_SLOTS_ - ASYNC_SLOTS_;
    struct async_wait_ **slot;
    unsigned i;

    if (deadlines->next_is == ASYNC_NEXT_IS_NONE_)
        return NULL;
    if (ASYNC_RADIX_BITS > 1 && deadlines->next_is == ASYNC_NEXT_IS_KNOWN_)
        return &deadlines->slots[async_slot_(deadlines, deadlines->next)];
    i = async_used_(deadlines, 0);
    if (ASYNC_SLOTS_ > 1 && i >= top) {
        /* where time wraps: what lies behind base's digit comes first */
        i = top + ((unsigned)(deadlines->base >>
                              (ASYNC_LEVELS_ - 1) * ASYNC_RADIX_BITS) &
                   (ASYNC_SLOTS_ - 1));
        i = async_used_(deadlines, i);
        if (i >= ASYNC_ALL_SLOTS_)
            i = async_used_(deadlines, top);
    }
    if (i >= ASYNC_ALL_SLOTS_) {
        deadlines->next_is = ASYNC_NEXT_IS_NONE_;
        return NULL;
    }
    slot = &deadlines->slots[i];
    /* on level 0 a slot is one deadline */
    if (ASYNC_RADIX_BITS > 1 && (i < ASYNC_SLOTS_ || (*slot)->status)) {
        deadlines->next_is = ASYNC_NEXT_IS_KNOWN_;
        deadlines->next = (*slot)->on.deadline;
    }
    return slot;
}

/* A line is a chain of cache misses. So eight slots of level 1, when their time
 * comes, are walked side by side, each as far as the first has waits. */
static inline void async_deadlines_fetch_(struct async_deadlines_ *deadlines,
                                          struct async_wait_ **slot)
{
#if ASYNC_HAVE_FETCH_ && ASYNC_RADIX_BITS >= 3 && ASYNC_LEVELS_ > 1
    unsigned i = (unsigned)(slot - deadlines->slots);
    struct async_wait_ *first = *slot, *at[8];

    if (i / ASYNC_SLOTS_ != 1 || i % 8 != 0)
        return;
    for (i = 0; i < 8; i++)
        at[i] = slot[i] ? slot[i] : first;
    do {
        for (i = 0; i < 8; i++) {
            at[i] = at[i]->next;
            ASYNC_FETCH_(at[i]);
        }
    } while (at[0] != first);
#else
    (void)deadlines;
    (void)slot;
#endif
}

/* Makes `next` exact. False if there is none. */
static inline int async_deadlines_next_(struct async_deadlines_ *deadlines)
{
    struct async_wait_ **slot = async_deadlines_first_(deadlines);
    struct async_wait_ *least, *wait, *back;

    if (deadlines->next_is == ASYNC_NEXT_IS_UNKNOWN_) {
        async_deadlines_fetch_(deadlines, slot);
        least = wait = back = *slot;
        while ((wait = wait->next) != *slot) {
            back = back->prev; /* the other half is under way meanwhile */
            ASYNC_FETCH_(back);
            if (async_before_(wait->on.deadline, least->on.deadline))
                least = wait;
        }
        if (ASYNC_RADIX_BITS > 1 && least != *slot) {
            async_line_leave_(slot, least);
            async_line_join_(slot, least);
            *slot = least;
        }
        least->status = ASYNC_RADIX_BITS > 1;
        deadlines->next_is = ASYNC_NEXT_IS_KNOWN_;
        deadlines->next = least->on.deadline;
    }
    return slot != NULL;
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
    async_deadlines_put_(deadlines, wait);
}

static inline void async_deadlines_remove_(struct async_deadlines_ *deadlines,
                                           struct async_wait_ *wait)
{
    async_time deadline = wait->on.deadline;

    async_line_leave_(async_before_(deadlines->base, deadline)
                          ? &deadlines->slots[async_slot_(deadlines, deadline)]
                          : &deadlines->due,
                      wait);
    if (deadline == deadlines->next)
        deadlines->next_is = ASYNC_NEXT_IS_UNKNOWN_;
}

/* It is `now`: moves what has been reached to `due`, in the order of the
 * deadlines, those of one time in the order they came. */
static inline void async_deadlines_reach_(struct async_deadlines_ *deadlines,
                                          async_time now)
{
    struct async_wait_ **slot, *wait, *next, *back;

    while ((slot = async_deadlines_first_(deadlines)) != NULL) {
        unsigned level = (unsigned)(slot - deadlines->slots) / ASYNC_SLOTS_;
        unsigned shift = level * ASYNC_RADIX_BITS;
        async_time to; /* the slot's start, or better */

        next = *slot;
        to = (async_time)((async_time)(next->on.deadline >> shift) << shift);
        if (async_before_(now, to))
            break;
        if (deadlines->next_is == ASYNC_NEXT_IS_KNOWN_)
            to = async_before_(now, deadlines->next) ? now : deadlines->next;
        if (to == deadlines->next)
            deadlines->next_is = ASYNC_NEXT_IS_UNKNOWN_;
        deadlines->base = to;
        async_deadlines_fetch_(deadlines, slot);
        *slot = NULL;
        if (ASYNC_RADIX_BITS > 1 && level == 0 && !deadlines->due) {
            deadlines->due = next;
            continue;
        }
        back = next->prev;
        back->next = NULL;
        while ((wait = next) != NULL) { /* deal the slot out */
            next = wait->next;
            back = back->prev;
            ASYNC_FETCH_(back);
            if (wait->on.deadline == to)
                async_line_join_(&deadlines->due, wait);
            else
                async_deadlines_put_(deadlines, wait);
        }
    }
    deadlines->base = now;
}

static inline int async_line_check_(const struct async_wait_ *line)
{
    const struct async_wait_ *wait = line;

    if (!line)
        return 1;
    do {
        if (!wait->next || wait->next->prev != wait)
            return 0;
        wait = wait->next;
    } while (wait != line);
    return 1;
}

/* True if all is as the functions above leave it: the links of every line are
 * whole, each wait is ahead and in the slot of its deadline, what is marked as
 * a slot's least is, and first, no slot is used unnoticed, and `next` is exact
 * if it is known. */
static inline int async_deadlines_check_(struct async_deadlines_ *deadlines)
{
    struct async_wait_ *least = NULL, *first, *wait;
    unsigned i;

    if (!async_line_check_(deadlines->due))
        return 0;
    for (i = 0; i < ASYNC_ALL_SLOTS_; i++) {
        wait = first = deadlines->slots[i];
        if (!first)
            continue;
        if (async_used_(deadlines, i) != i || !async_line_check_(first))
            return 0;
        do {
            if (!async_before_(deadlines->base, wait->on.deadline) ||
                async_slot_(deadlines, wait->on.deadline) != i ||
                (ASYNC_RADIX_BITS > 1 &&
                 ((wait != first && wait->status) ||
                  (first->status &&
                   async_before_(wait->on.deadline, first->on.deadline)))))
                return 0;
            if (!least || async_before_(wait->on.deadline, least->on.deadline))
                least = wait;
            wait = wait->next;
        } while (wait != first);
    }
    switch (deadlines->next_is) {
    case ASYNC_NEXT_IS_NONE_:
        return !least;
    case ASYNC_NEXT_IS_KNOWN_:
        return least && deadlines->next == least->on.deadline;
    default:
        return deadlines->next_is == ASYNC_NEXT_IS_UNKNOWN_;
    }
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
 * The above copyright notice and this permission notice shall be included in
 * all copies or substantial portions of the Software.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
 * IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
 * FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
 * AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
 * LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
 * OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
 * SOFTWARE.
 */
