/* pt.h: protothreads on async.h.
 * SPDX-License-Identifier: MIT
 *
 * Programs written for Adam Dunkels' protothreads compile unchanged with this
 * pt.h in place of theirs: the same 13 macros, the same struct pt and the same
 * return values. A thread is still polled: whoever calls it decides when.
 *
 *     #include <stdio.h>
 *     #include "pt.h"
 *
 *     static int apples;
 *
 *     static PT_THREAD(eater(struct pt *pt))
 *     {
 *         PT_BEGIN(pt);
 *         for (;;) {
 *             PT_WAIT_UNTIL(pt, apples > 0);
 *             printf("%d ", apples--);
 *             PT_YIELD(pt);
 *         }
 *         PT_END(pt);
 *     }
 *
 *     int main(void)
 *     {
 *         struct pt pt;
 *
 *         PT_INIT(&pt);
 *         for (apples = 3; PT_SCHEDULE(eater(&pt)) && apples > 0;)
 *             ;
 *         return 0;
 *     }
 *
 * prints
 *
 *     3 2 1
 *
 * What is the same
 * 1. A thread that has ended or exited starts again when it is called again.
 *    (An async function does not.)
 * 2. Local variables do not survive a wait.
 * 3. A condition, and the call in PT_WAIT_THREAD and PT_SPAWN, is evaluated
 *    again on each resume.
 *
 * What is different
 * 4. struct pt is four bytes.
 * 5. With a compiler that has __COUNTER__ two waits may stand on a line, and a
 *    file may be longer than 65535 lines.
 * 6. A wait inside a switch of your own stops the program with a message when
 *    it is resumed; it used to end the thread. With ASYNC_USE_LABELS it works.
 */
#ifndef ASYNC_COMPAT_PT_H
#define ASYNC_COMPAT_PT_H

#include "../async.h" /* frames and resume points */

/* What a thread returns. */
#define PT_WAITING 0
#define PT_YIELDED 1
#define PT_EXITED 2
#define PT_ENDED 3

/* A thread's place. Yours; PT_INIT before the first call. */
struct pt {
    struct async_frame async;
};

/* The next call starts at the beginning. */
#define PT_INIT(pt) ((void)((pt)->async.state_ = 0, (pt)->async.status_ = 0))

/* Declares or defines a thread: PT_THREAD(name(struct pt *pt)). */
#define PT_THREAD(name_and_parameters) char name_and_parameters

/* True while the thread that was called has not ended or exited. */
#define PT_SCHEDULE(call) ((call) < PT_EXITED)

/* The first and the last thing in a thread. */
#define PT_BEGIN(pt) async_begin(pt)
#define PT_END(pt)                                                             \
    PT_INIT(pt);                                                               \
    return PT_ENDED;                                                           \
    }                                                                          \
    if (0)                                                                     \
        goto async_dispatch_;                                                  \
    async_suspend_:                                                            \
    if (0)                                                                     \
        goto async_suspend_;                                                   \
    async_frame_->state_ = (uint16_t)async_at_;                                \
    return (char)async_rc_;                                                    \
    }                                                                          \
    default:                                                                   \
    ASYNC_RESUME_(ASYNC_UNIQUE_)                                               \
    ASYNC_CHECK_(0, "resumed at no wait of this thread: it waits inside a "    \
                    "switch, or its struct pt was not initialized");           \
    return PT_EXITED;                                                          \
    }                                                                          \
    }

/* Waits until, or while, a condition is true; PT_WAITING meanwhile. */
#define PT_WAIT_UNTIL(pt, condition) async_await_until(condition)
#define PT_WAIT_WHILE(pt, condition) PT_WAIT_UNTIL(pt, !(condition))

/* Waits for another thread, by its call; PT_SPAWN starts it first. */
#define PT_WAIT_THREAD(pt, call) PT_WAIT_WHILE(pt, PT_SCHEDULE(call))
#define PT_SPAWN(pt, child, call)                                              \
    do {                                                                       \
        PT_INIT(child);                                                        \
        PT_WAIT_THREAD(pt, call);                                              \
    } while (0)

/* Returns PT_YIELDED once; _UNTIL: and again until the condition is true. */
#define PT_YIELD(pt) PT_YIELD_UNTIL(pt, 1)
#define PT_YIELD_UNTIL(pt, condition)                                          \
    ASYNC_PT_YIELD_(ASYNC_UNIQUE_, __LINE__, condition)
#define ASYNC_PT_YIELD_(n, line, condition)                                    \
    do {                                                                       \
        if (0) {                                                               \
            ASYNC_POINT_(n, line);                                             \
            if (condition)                                                     \
                break;                                                         \
        }                                                                      \
        async_rc_ = PT_YIELDED;                                                \
        async_at_ = ASYNC_HERE_(n, line);                                      \
        goto async_suspend_;                                                   \
    } while (0)

/* Leaves the thread: to its beginning, or for good. */
#define PT_RESTART(pt)                                                         \
    do {                                                                       \
        PT_INIT(pt);                                                           \
        return PT_WAITING;                                                     \
    } while (0)
#define PT_EXIT(pt)                                                            \
    do {                                                                       \
        PT_INIT(pt);                                                           \
        return PT_EXITED;                                                      \
    } while (0)

#endif /* ASYNC_COMPAT_PT_H */

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
