/* async_timeout.h: a limit in time around any await.
 * SPDX-License-Identifier: MIT
 *
 * Included by async_gather.h, where the program that shows it is: include that.
 */
#ifndef ASYNC_TIMEOUT_H
#define ASYNC_TIMEOUT_H

#include "async_loop.h" /* tasks, timers, waits */

/* ---- timeout ------------------------------------------------------------ */

enum { /* what a timer of a timeout is, in its wait's flags */
       ASYNC_TIMEOUT_IDLE_,
       ASYNC_TIMEOUT_RUNNING_,
       ASYNC_TIMEOUT_ASKS_,  /* expired, and asks whether it may land */
       ASYNC_TIMEOUT_LANDED_ /* what is awaited unwinds with a cancel */
};

static inline void async_timeout_expire_(struct async_loop *loop,
                                         struct async_timer *timer)
{
    struct async_task *task = (struct async_task *)timer->arg;

    timer->wait_.flags = ASYNC_TIMEOUT_ASKS_;
    ASYNC_ASSERT(task->wait_.asks < 255, "timeouts nested too deep");
    task->wait_.asks++;
    task->wait_.flags |= ASYNC_IS_LATE_;
    async_ready_task_(loop, task);
}

static inline void async_timeout_asks_no_more_(struct async_task *task)
{
    if (--task->wait_.asks == 0)
        task->wait_.flags &= (uint8_t)~ASYNC_IS_LATE_;
}

/* Awaitable, around another: await(async_timeout(loop, &timer, 500, x)) is x
 * with `ms` milliseconds to finish in. When they are over, what x waits for
 * returns ASYNC_ECANCELED, its functions unwind through their finally sections,
 * and then this returns ASYNC_ETIMEDOUT. If x finishes all the same, its
 * result is returned. Nests. `timer` is all-zero to start with, and stays where
 * it is till the end. If canceled here: x is. */
static inline async_status async_timeout(struct async_loop *loop,
                                         struct async_timer *timer, uint32_t ms,
                                         async_status x)
{
    struct async_task *task = loop->current_;
    int is = timer->wait_.flags;

    if (x == ASYNC_PENDING || x == ASYNC_ASKED_) {
        if (is == ASYNC_TIMEOUT_IDLE_) {
            timer->wait_.flags = ASYNC_TIMEOUT_RUNNING_;
            async_timer_start(loop, timer, async_ticks_(ms),
                              async_timeout_expire_, task);
            if (ms == 0) {
                async_timer_stop(loop, timer);
                async_timeout_expire_(loop, timer);
            }
        } else if (is == ASYNC_TIMEOUT_ASKS_ && x == ASYNC_ASKED_) {
            timer->wait_.flags = ASYNC_TIMEOUT_LANDED_;
            async_timeout_asks_no_more_(task);
            loop->step_ |= ASYNC_STEP_LAND_;
            return ASYNC_PENDING;
        } else if (is == ASYNC_TIMEOUT_LANDED_ &&
                   task->wait_.flags & ASYNC_IS_LANDING_) {
            async_timeout_expire_(loop, timer); /* nothing took it */
        }
        return x;
    }
    if (is == ASYNC_TIMEOUT_RUNNING_)
        async_timer_stop(loop, timer);
    if (is == ASYNC_TIMEOUT_ASKS_)
        async_timeout_asks_no_more_(task);
    timer->wait_.flags = ASYNC_TIMEOUT_IDLE_;
    return is == ASYNC_TIMEOUT_LANDED_ && x == ASYNC_ECANCELED ? ASYNC_ETIMEDOUT
                                                               : x;
}

#endif /* ASYNC_TIMEOUT_H */

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
