/* async_timeout.h: a limit in time around any await.
 * SPDX-License-Identifier: MIT
 *
 * Included by async_gather.h, where the program that shows it is: include that.
 *
 * What wins on one tick
 *
 * Two things happen to a task before it runs again, outside a poll or in it.
 * The first is at the left, the second above; +: and the next wait is canceled.
 *
 *               finish     error   timeout     cancel      wake      close
 *     finish    both       error   finished    finished+   both      closed
 *     error     error      first   error       error+      error     error
 *     timeout   finished   error   inner       timed out+  granted   closed
 *     cancel    finished+  error+  timed out+  canceled    granted+  closed+
 *     wake      both       error   granted     granted+    both      granted
 *     close     closed     closed  closed      closed+     closed    closed
 *
 * A wait that is over stays so. Its result, the first there is, beats a
 * timeout, which goes with what it was for; and a timeout, the inner one first
 * and the outer one at the next wait, beats a cancel, which stays asked for
 * until a wait takes it. Of finish, error, wake and close two go to two tasks
 * of a gather: its first error is returned, and cancels one that was granted
 * something in its next wait; but wake and close of one line are one wait's.
 * What another task does happens when that runs: after a task that has timed
 * out on this tick, it comes too late.
 */
#ifndef ASYNC_TIMEOUT_H
#define ASYNC_TIMEOUT_H

#include "async_loop.h" /* tasks, timers, waits */

#include <stdint.h> /* milliseconds */

/* No limit, in the place of milliseconds. */
#define ASYNC_NO_TIMEOUT UINT32_MAX

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
    async_ask_(loop, task);
}

/* Starts the timer, which does not run: ASYNC_FOREVER is not at all, 0 has
 * expired. */
static inline void async_timeout_start_(struct async_loop *loop,
                                        struct async_timer *timer,
                                        async_time ticks)
{
    timer->wait_.flags = ASYNC_TIMEOUT_RUNNING_;
    if (ticks == 0)
        async_timeout_expire_(loop, timer);
    else if (ticks != ASYNC_FOREVER)
        async_timer_start(loop, timer, ticks, async_timeout_expire_,
                          timer->arg);
}

static inline async_time async_timeout_ticks_(uint32_t ms)
{
    return ms == ASYNC_NO_TIMEOUT ? ASYNC_FOREVER : async_ticks_(ms);
}

/* True if x has begun to wait in this step, so that its time begins. */
static inline int async_timeout_begins_(struct async_loop *loop,
                                        struct async_timer *timer,
                                        async_status x)
{
    if (timer->wait_.flags != ASYNC_TIMEOUT_IDLE_ ||
        (x != ASYNC_PENDING && x != ASYNC_ASKED_))
        return 0;
    timer->arg = loop->current_;
    return 1;
}

/* What becomes of x, and of its timer. */
static inline async_status async_timeout_go_(struct async_loop *loop,
                                             struct async_timer *timer,
                                             async_status x)
{
    struct async_task *task = loop->current_;
    int is = timer->wait_.flags;

    if (x == ASYNC_PENDING || x == ASYNC_ASKED_) {
        if (is == ASYNC_TIMEOUT_ASKS_ && x == ASYNC_ASKED_) {
            timer->wait_.flags = ASYNC_TIMEOUT_LANDED_;
            async_ask_no_more_(task);
            loop->step_ |= ASYNC_STEP_LAND_;
            return ASYNC_PENDING;
        }
        if (is == ASYNC_TIMEOUT_LANDED_ &&
            task->wait_.flags & ASYNC_IS_LANDING_)
            async_timeout_expire_(loop, timer); /* nothing took it */
        return x;
    }
    if (is == ASYNC_TIMEOUT_RUNNING_)
        async_timer_stop(loop, timer);
    if (is == ASYNC_TIMEOUT_ASKS_)
        async_ask_no_more_(task);
    timer->wait_.flags = ASYNC_TIMEOUT_IDLE_;
    return is == ASYNC_TIMEOUT_LANDED_ && x == ASYNC_ECANCELED ? ASYNC_ETIMEDOUT
                                                               : x;
}

/* Awaitable, around another: await(async_timeout(loop, &timer, 500, x)) is x
 * with `ms` milliseconds to finish in, from its first wait on. 0 cuts that
 * one, ASYNC_NO_TIMEOUT is no limit. When they are over, what x waits for
 * returns ASYNC_ECANCELED, its functions unwind through their finally sections,
 * and then this returns ASYNC_ETIMEDOUT. If x finishes all the same, or fails
 * with an error of its own, that is returned. Nests: whatever inner ones would
 * allow, all of it ends with the outer one. `timer` is all-zero to start with,
 * may serve again, and stays where it is till the end. If canceled here: x
 * is. */
static inline async_status async_timeout(struct async_loop *loop,
                                         struct async_timer *timer, uint32_t ms,
                                         async_status x)
{
    if (async_timeout_begins_(loop, timer, x))
        async_timeout_start_(loop, timer, async_timeout_ticks_(ms));
    return async_timeout_go_(loop, timer, x);
}

/* Awaitable, around another: the same until the loop's time is `deadline`. One
 * that is past is async_timeout's 0. If canceled here: x is. */
static inline async_status async_deadline(struct async_loop *loop,
                                          struct async_timer *timer,
                                          async_time deadline, async_status x)
{
    if (async_timeout_begins_(loop, timer, x))
        async_timeout_start_(loop, timer,
                             async_before_(loop->now_, deadline)
                                 ? (async_time)(deadline - loop->now_)
                                 : 0);
    return async_timeout_go_(loop, timer, x);
}

/* Gives what runs under a timeout or a deadline `ms` milliseconds from now, be
 * it more than it had, or less; 0 and ASYNC_NO_TIMEOUT mean what they mean
 * there. From x itself, another task, or from outside the loop on its thread.
 * Returns 0; ASYNC_ETIMEDOUT: it has expired; ASYNC_EINVAL: it is not running,
 * as before x's first wait. */
static inline int async_timeout_reset(struct async_loop *loop,
                                      struct async_timer *timer, uint32_t ms)
{
    if (timer->wait_.flags == ASYNC_TIMEOUT_IDLE_)
        return ASYNC_EINVAL;
    if (timer->wait_.flags != ASYNC_TIMEOUT_RUNNING_)
        return ASYNC_ETIMEDOUT;
    async_timer_stop(loop, timer);
    async_timeout_start_(loop, timer, async_timeout_ticks_(ms));
    return 0;
}

/* How many ticks are left of a timeout or a deadline, seen from the last poll:
 * 0 if it has expired, ASYNC_FOREVER if it is not running or has no limit. */
static inline async_time async_timeout_left(const struct async_loop *loop,
                                            const struct async_timer *timer)
{
    int is = timer->wait_.flags;

    if (is == ASYNC_TIMEOUT_ASKS_ || is == ASYNC_TIMEOUT_LANDED_)
        return 0;
    if (is == ASYNC_TIMEOUT_IDLE_ || !timer->wait_.next)
        return ASYNC_FOREVER;
    if (timer->wait_.kind == ASYNC_WAIT_FRESH_)
        return timer->wait_.on.deadline;
    return (async_time)(timer->wait_.on.deadline - loop->now_);
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
