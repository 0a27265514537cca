/* async_future.h: a result that somebody else will have.
 * SPDX-License-Identifier: MIT
 *
 * What ends elsewhere, in a callback, a thread, a signal handler or an
 * interrupt, ends a future: once, with a status. Any number of tasks await it.
 * The value lives beside it, in a struct of yours. Whoever no longer wants it
 * cancels it, and the producer is told. Nothing is allocated.
 *
 *     #include <pthread.h>
 *     #include <stdio.h>
 *     #include "async_future.h"
 *
 *     struct answer {
 *         struct async_future future;
 *         struct async_loop *loop;
 *         int value;
 *     };
 *
 *     static void *think(void *arg)
 *     {
 *         struct answer *answer = arg;
 *
 *         answer->value = 6 * 7;
 *         async_future_set(answer->loop, &answer->future, ASYNC_DONE);
 *         return NULL;
 *     }
 *
 *     struct program {
 *         struct async_frame async;
 *         struct answer answer;
 *         pthread_t thread;
 *     };
 *
 *     static async program(struct async_loop *loop, void *frame)
 *     {
 *         struct program *self = frame;
 *
 *         async_begin(self);
 *         self->answer.loop = loop;
 *         if (pthread_create(&self->thread, NULL, think, &self->answer))
 *             async_fail(ASYNC_EFULL);
 *         await(async_future_wait(loop, &self->answer.future));
 *         printf("%d\n", self->answer.value);
 *         async_end();
 *     }
 *
 *     int main(void)
 *     {
 *         struct async_loop loop = {0};
 *         struct program frame = {0};
 *
 *         if (async_run(&loop, program, &frame) < 0)
 *             return 1;
 *         return pthread_join(frame.thread, NULL);
 *     }
 *
 * prints (cc with -pthread)
 *
 *     42
 *
 * Rules
 * 1. A future stays where it is until it is over, which async_future_wait and
 *    async_future_outcome tell: from then on nothing links to it. And as long
 *    as somebody may still try to set it.
 * 2. Whoever leaves a future for good cancels it, and waits all the same: there
 *    may be a result on its way.
 *
 *        (void)async_future_cancel(loop, &self->future);
 *        async_catch(self->rc, async_future_wait(loop, &self->future));
 *
 *    In a finally section, for one. It waits only if the producer must be
 *    waited for.
 * 3. One producer writes the value, then sets the future. If there may be
 *    several, each calls async_future_claim first, and the one that gets 0
 *    writes.
 * 4. The loop must live until async_future_set has returned.
 *
 * What wins
 *
 *     set and set                the first; the other is told ASYNC_EBUSY
 *     set and canceled           set: async_future_cancel says ASYNC_EBUSY
 *     set, its waiter canceled   set: the next wait takes the cancel
 *     set, its waiter timed out  set
 *
 * Where nothing can be compared and swapped (AVR, Cortex-M0) there are no
 * threads: who sets a future may be interrupted by others who do, but then they
 * have finished before it goes on. Elsewhere any may meet any.
 */
#ifndef ASYNC_FUTURE_H
#define ASYNC_FUTURE_H

#include "async_loop.h" /* tasks, waits */

#include <stddef.h> /* size_t, offsetof */
#include <stdint.h> /* the status, a byte */

/* 1: what is set is posted to the loop, and its waiters stand in a line of
 * their own: each costs the same, however many others there are. 0: after a
 * wake every task that waits for a future looks at it. */
#ifndef ASYNC_FUTURE_POSTS_
#if ASYNC_HAVE_RUN_ &&                                                         \
    (ASYNC_HAVE_EXCHANGE_ || defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_4))
#define ASYNC_FUTURE_POSTS_ 1
#else
#define ASYNC_FUTURE_POSTS_ 0
#endif
#endif
#if ASYNC_FUTURE_POSTS_
#include "async_post.h" /* the way to the loop's thread */
#endif

/* ---- types -------------------------------------------------------------- */

/* A result to come. Yours; all-zero is not set, and once it is over it may be
 * made so again. */
struct async_future {
    /* Yours. Asks the producer to stop; NULL: it can't be told. Called by
     * async_future_cancel, on the loop's thread. Returns 0: the future is
     * canceled, a set comes too late; or ASYNC_EBUSY: it must be waited for, it
     * will set the future as before. */
    int (*cancel)(struct async_loop *loop, struct async_future *future);

#if ASYNC_FUTURE_POSTS_
    /* whoever sets it, then the loop's thread: handed over by async_post */
    struct async_post post_;
    int status_;

    /* both, atomic */
    volatile size_t is_; /* ASYNC_FUTURE_IS_... */

    /* the loop's thread only */
    struct async_wait_ *line_;
    uint8_t over_;   /* nothing links to it */
    uint8_t coming_; /* the loop counts it as to come */
#else
    /* written by who sets it, read by the loop */
    volatile int16_t status_;   /* 0: not set */
    volatile async_shared_ is_; /* ASYNC_FUTURE_IS_... */
    volatile uint8_t tried_;
#endif
};

enum { ASYNC_FUTURE_IS_CLAIMED_ = 1, ASYNC_FUTURE_IS_SET_ = 2 };

/* ---- claim -------------------------------------------------------------- */

/* Promises to set the future, by async_future_settle, and keeps others from
 * it: what is written to the value from here on is the only result. From any
 * thread, signal handler or interrupt. Returns 0; ASYNC_EBUSY: somebody else
 * has promised that, or done it. */
static inline int async_future_claim(struct async_future *future)
{
#if ASYNC_FUTURE_POSTS_
    if (!async_atomic_swap_if_(&future->is_, 0, ASYNC_FUTURE_IS_CLAIMED_))
        return ASYNC_EBUSY;
#elif ASYNC_HAVE_EXCHANGE_
    async_shared_ was = 0;

    if (!__atomic_compare_exchange_n(&future->is_, &was,
                                     ASYNC_FUTURE_IS_CLAIMED_, 0,
                                     __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return ASYNC_EBUSY;
#else
    /* Who interrupts here is through before this goes on: before the first
     * store it claims, and is seen; after it, it is refused. */
    if (future->tried_ || future->is_)
        return ASYNC_EBUSY;
    future->tried_ = 1;
    if (future->is_)
        return ASYNC_EBUSY;
    future->is_ = ASYNC_FUTURE_IS_CLAIMED_;
#endif
    return 0;
}

/* ---- set ---------------------------------------------------------------- */

/* 0 or more is done. */
static inline int async_future_fit_(int status)
{
    return status < 0 ? async_fit_(status) : ASYNC_DONE;
}

#if ASYNC_FUTURE_POSTS_

/* Its waiters go. On the loop's thread; the first of them may free it. */
static inline void async_future_over_(struct async_loop *loop,
                                      struct async_future *future)
{
    struct async_wait_ *line = future->line_, *wait;
    int status = future->status_;

    future->over_ = 1;
    if (future->coming_)
        loop->coming_--;
    future->coming_ = 0;
    while ((wait = line) != NULL) {
        async_line_leave_(&line, wait);
        async_wait_over_(loop, wait, status);
    }
    future->line_ = NULL;
}

static inline void async_future_posted_(struct async_loop *loop,
                                        struct async_post *post)
{
    async_future_over_(
        loop,
        (struct async_future *)(void *)((char *)post -
                                        offsetof(struct async_future, post_)));
}

#endif

/* Sets a future that the caller has claimed: ASYNC_DONE or more is done, less
 * than 0 an error. Its waiters go on with that in the loop's next poll. From
 * any thread, signal handler or interrupt. */
static inline void async_future_settle(struct async_loop *loop,
                                       struct async_future *future, int status)
{
#if ASYNC_FUTURE_POSTS_
    future->status_ = async_future_fit_(status);
    async_atomic_store_(&future->is_, ASYNC_FUTURE_IS_SET_);
    async_post_send(loop, &future->post_, async_future_posted_);
#else
    ASYNC_STORE_(&future->status_, (int16_t)async_future_fit_(status));
    async_wake(loop);
#endif
}

/* Ends the future with `status`: ASYNC_DONE, or an error below 0. Once: later
 * it does nothing. From any thread, signal handler or interrupt. Returns 0;
 * ASYNC_EBUSY: it is set already, or claimed, or canceled. */
static inline int async_future_set(struct async_loop *loop,
                                   struct async_future *future, int status)
{
    if (async_future_claim(future) < 0)
        return ASYNC_EBUSY;
    async_future_settle(loop, future, status);
    return 0;
}

/* How the future ended: ASYNC_DONE or its error; ASYNC_PENDING: it is not over
 * yet. On the loop's thread. */
static inline async_status
async_future_outcome(const struct async_future *future)
{
#if ASYNC_FUTURE_POSTS_
    return future->over_ ? future->status_ : ASYNC_PENDING;
#else
    return ASYNC_LOAD_(&future->status_);
#endif
}

/* Ends the future with ASYNC_ECANCELED, once its `cancel` has agreed. On the
 * loop's thread. Returns 0; ASYNC_EBUSY: it is set or claimed already, or the
 * producer can't stop: async_future_wait says what comes of it. */
static inline int async_future_cancel(struct async_loop *loop,
                                      struct async_future *future)
{
#if ASYNC_FUTURE_POSTS_
    if (async_atomic_load_(&future->is_))
        return ASYNC_EBUSY;
#else
    if (future->is_)
        return ASYNC_EBUSY;
#endif
    if (future->cancel && future->cancel(loop, future) < 0)
        return ASYNC_EBUSY;
    if (async_future_claim(future) < 0) /* meanwhile, or by cancel itself */
        return ASYNC_EBUSY;
#if ASYNC_FUTURE_POSTS_
    future->status_ = ASYNC_ECANCELED;
    async_atomic_store_(&future->is_, ASYNC_FUTURE_IS_SET_);
    async_future_over_(loop, future);
#else
    async_future_settle(loop, future, ASYNC_ECANCELED);
#endif
    return 0;
}

/* ---- wait --------------------------------------------------------------- */

/* Awaitable: waits until the future is set, and returns how: ASYNC_DONE or its
 * error; ASYNC_ECANCELED also if it was canceled. Any number of tasks may; they
 * go on in the order in which they came (where they look for themselves, see
 * ASYNC_FUTURE_POSTS_, who comes in the same poll may be first). If canceled
 * here: the future goes on, and so do its other waiters. */
#if ASYNC_FUTURE_POSTS_

static inline async_status async_future_wait(struct async_loop *loop,
                                             struct async_future *future)
{
    int begun = async_waits_in_(loop, &future->line_) &&
                !(loop->step_ & ASYNC_STEP_SEEN_);
    async_status status;

    if (begun && loop->current_->wait_.flags & ASYNC_IS_WOKEN_)
        return async_line_wait_(loop, &future->line_); /* it may be gone */
    if (!begun && future->over_)
        return future->status_;
    if (begun && async_atomic_load_(&future->is_) == ASYNC_FUTURE_IS_SET_) {
        loop->step_ |= ASYNC_STEP_SEEN_;
        return ASYNC_PENDING; /* on its way here, and wins over a cancel */
    }
    status = async_line_wait_(loop, &future->line_);
    if (!future->coming_ != !future->line_) {
        loop->coming_ += future->line_ ? (size_t)1 : (size_t)-1;
        future->coming_ = future->line_ != NULL;
    }
    return status;
}

#else

static inline async_status async_future_wait(struct async_loop *loop,
                                             struct async_future *future)
{
    async_status outcome = async_future_outcome(future), status;

    if (outcome) {
        async_wait_drop_(loop, async_running_(loop));
        return outcome;
    }
    status = async_wait_go_(loop, ASYNC_WAIT_FLAG_, NULL);
    if (status == ASYNC_DONE) /* a wake, for something else */
        loop->current_->wait_.kind = ASYNC_WAIT_FLAG_;
    else if (status != ASYNC_NEW_)
        return status;
    async_line_join_(&loop->lookers_, &loop->current_->wait_);
    return async_pending_(loop);
}

#endif

#endif /* ASYNC_FUTURE_H */

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
