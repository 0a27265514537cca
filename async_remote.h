/* async_remote.h: async functions on a loop that another thread drives.
 * SPDX-License-Identifier: MIT
 *
 * A thread that blocks has an async function run on a loop elsewhere, and waits
 * for its end; a task of another loop awaits it. Timeouts and cancels cross
 * over, and the frame is the caller's own again when the call has returned.
 *
 *     #include <pthread.h>
 *     #include <stdio.h>
 *     #include "async_future.h"
 *     #include "async_remote.h"
 *
 *     struct doubled {
 *         struct async_frame async;
 *         int value;
 *     };
 *
 *     static async doubled(struct async_loop *loop, void *frame)
 *     {
 *         struct doubled *self = frame;
 *
 *         async_begin(self);
 *         await(async_sleep_ms(loop, 10));
 *         self->value *= 2;
 *         async_end();
 *     }
 *
 *     struct server {
 *         struct async_frame async;
 *         struct async_loop *loop;
 *         struct async_future stop;
 *     };
 *
 *     static async server(struct async_loop *loop, void *frame)
 *     {
 *         struct server *self = frame;
 *
 *         async_begin(self);
 *         await(async_future_wait(loop, &self->stop));
 *         async_end();
 *     }
 *
 *     static void *client(void *arg)
 *     {
 *         struct server *at = arg;
 *         struct async_remote call = {0};
 *         struct doubled frame = {.value = 21};
 *
 *         if (async_run_on(at->loop, &call, doubled, &frame, 1000) > 0)
 *             printf("%d\n", frame.value);
 *         async_future_set(at->loop, &at->stop, ASYNC_DONE);
 *         return NULL;
 *     }
 *
 *     int main(void)
 *     {
 *         struct async_loop loop = {0};
 *         struct server frame = {0};
 *         pthread_t thread;
 *
 *         frame.loop = &loop;
 *         if (pthread_create(&thread, NULL, client, &frame) ||
 *             async_run(&loop, server, &frame) < 0)
 *             return 1;
 *         return pthread_join(thread, NULL);
 *     }
 *
 * prints (cc with -pthread)
 *
 *     42
 *
 * Rules
 * 1. The loop there is driven until what was asked of it has ended. async_run
 *    ends with the last task, so one stays, and waits for a future, say; this
 *    program's is called server.
 * 2. A call and its frame stay where they are until its end has been told: by
 *    async_run_on, by async_join_on, or by async_outcome_on. Then nobody there
 *    touches them any more.
 * 3. async_run_on blocks its thread. If a loop runs there all its tasks stand
 *    still meanwhile: a task spawns and joins instead.
 *
 * How a call goes on, and where
 *
 *     spawned     async_spawn_on, any thread; async_remote_start_, there
 *     joined      async_join_on, on the loop that waits for it
 *     canceling   async_cancel_on, any thread; async_remote_cancel_, there,
 *                 perhaps before the start
 *     ending      async_remote_end_, there: the joined loop is being told
 *     ended       the last that is written there
 */
#ifndef ASYNC_REMOTE_H
#define ASYNC_REMOTE_H

#include "async_post.h"    /* there and back */
#include "async_timeout.h" /* a limit for those who block */

#include <sched.h>  /* sched_yield */
#include <stddef.h> /* size_t, offsetof */
#include <stdint.h> /* milliseconds */

/* ---- types -------------------------------------------------------------- */

enum { /* bits of what a call is */
       ASYNC_REMOTE_IS_SPAWNED_ = 1,
       ASYNC_REMOTE_IS_JOINED_ = 2,    /* home_ is to be told of the end */
       ASYNC_REMOTE_IS_CANCELING_ = 4, /* cancel_ is on its way there */
       ASYNC_REMOTE_IS_ENDING_ = 8,    /* post_ is on its way home */
       ASYNC_REMOTE_IS_ENDED_ = 16
};

/* An async function that runs on another loop. Yours; all-zero to start with,
 * and once it has ended it may be spawned again. */
struct async_remote {
    /* handed over by the posts and by is_ */
    struct async_post post_; /* first: its address is the call's; there, and
                              * home */
    struct async_post cancel_;
    async_fn *fn_;
    void *frame_;
    int status_;

    /* all, atomic */
    volatile size_t is_;

    /* there */
    struct async_loop *loop_; /* which: constant while it runs */
    struct async_task task_;
    struct async_owner_ owner_;
    uint8_t ended_;    /* before a cancel has arrived */
    uint8_t canceled_; /* a cancel has arrived: before the start, perhaps */

    /* at home: the loop of the task that joins it */
    struct async_loop *home_;
    struct async_wait_ *line_;
    uint8_t coming_;  /* post_ has not come back */
    uint8_t asked_;   /* a cancel was asked for when the wait was */
    uint8_t crosses_; /* it has landed, and was sent there */
    uint8_t again_;   /* if that finds it finished, the next wait takes it */
};

/* ---- there -------------------------------------------------------------- */

/* The end has come home. What ended it there is a few instructions from letting
 * go of the call. */
static inline void async_remote_over_(struct async_loop *loop,
                                      struct async_post *post)
{
    struct async_remote *call = (struct async_remote *)(void *)post;

    while (!(async_atomic_load_(&call->is_) & ASYNC_REMOTE_IS_ENDED_))
        (void)sched_yield();
    call->coming_ = 0;
    loop->coming_--;
    (void)async_line_wake_(loop, &call->line_, call->status_);
}

/* The task has ended: tells who joins. The call is not touched after. */
static inline void async_remote_end_(struct async_remote *call)
{
    size_t is, next;

    do {
        is = async_atomic_load_(&call->is_);
        if (is & ASYNC_REMOTE_IS_CANCELING_) {
            call->ended_ = 1; /* and the rest when that has arrived */
            return;
        }
        next = ASYNC_REMOTE_IS_ENDED_;
        if (is & ASYNC_REMOTE_IS_JOINED_)
            next = is | ASYNC_REMOTE_IS_ENDING_;
    } while (!async_atomic_swap_if_(&call->is_, is, next));
    if (next == ASYNC_REMOTE_IS_ENDED_)
        return;
    async_post_send(call->home_, &call->post_, async_remote_over_);
    async_atomic_store_(&call->is_, ASYNC_REMOTE_IS_ENDED_);
}

static inline void async_remote_ended_(struct async_loop *loop,
                                       struct async_owner_ *owner,
                                       struct async_task *task)
{
    struct async_remote *call =
        (struct async_remote *)(void *)((char *)owner -
                                        offsetof(struct async_remote, owner_));

    (void)loop;
    call->status_ = async_task_outcome(task);
    async_remote_end_(call);
}

static inline void async_remote_start_(struct async_loop *loop,
                                       struct async_post *post)
{
    struct async_remote *call = (struct async_remote *)(void *)post;

    call->owner_.ended = async_remote_ended_;
    (void)async_spawn(loop, &call->task_, call->fn_, call->frame_);
    async_own_(&call->task_, &call->owner_);
    if (call->canceled_)
        async_cancel(loop, &call->task_);
}

static inline void async_remote_cancel_(struct async_loop *loop,
                                        struct async_post *post)
{
    struct async_remote *call =
        (struct async_remote *)(void *)((char *)post -
                                        offsetof(struct async_remote, cancel_));
    size_t is;

    call->canceled_ = 1; /* if this is before the start, that takes it */
    async_cancel(loop, &call->task_);
    do {
        is = async_atomic_load_(&call->is_);
    } while (!async_atomic_swap_if_(&call->is_, is,
                                    is & ~(size_t)ASYNC_REMOTE_IS_CANCELING_));
    if (call->ended_)
        async_remote_end_(call);
}

/* ---- spawn, cancel ------------------------------------------------------ */

/* Starts fn(loop, frame) as a task of a loop that another thread drives. From
 * any thread. Returns 0; ASYNC_EBUSY if this call has not ended (a mistake of
 * the program's: asserted). Its error is told to who joins it or asks
 * async_outcome_on, and to nobody else. */
static inline int async_spawn_on(struct async_loop *loop,
                                 struct async_remote *call, async_fn *fn,
                                 void *frame)
{
    size_t is = async_atomic_load_(&call->is_);

    ASYNC_ASSERT(is == 0 || is == ASYNC_REMOTE_IS_ENDED_,
                 "a call to another loop is spawned while it runs: join it "
                 "first, or use another; or its storage was not all-zero");
    if (is != 0 && is != ASYNC_REMOTE_IS_ENDED_)
        return ASYNC_EBUSY;
    call->loop_ = loop;
    call->fn_ = fn;
    call->frame_ = frame;
    call->ended_ = call->canceled_ = 0;
    call->asked_ = call->crosses_ = call->again_ = 0;
    async_atomic_store_(&call->is_, ASYNC_REMOTE_IS_SPAWNED_);
    async_post_send(loop, &call->post_, async_remote_start_);
    return 0;
}

/* How the call ended: ASYNC_DONE or its error; ASYNC_PENDING before. From any
 * thread, while nobody joins it. */
static inline async_status async_outcome_on(const struct async_remote *call)
{
    return async_atomic_load_(&call->is_) & ASYNC_REMOTE_IS_ENDED_
               ? call->status_
               : ASYNC_PENDING;
}

/* Asks the task to stop, as async_cancel does. From any thread that knows the
 * call to be there. Nothing if it has ended, or is not spawned yet. */
static inline void async_cancel_on(struct async_remote *call)
{
    size_t is;

    do {
        is = async_atomic_load_(&call->is_);
        if (!(is & ASYNC_REMOTE_IS_SPAWNED_) ||
            is & (ASYNC_REMOTE_IS_CANCELING_ | ASYNC_REMOTE_IS_ENDING_))
            return;
    } while (!async_atomic_swap_if_(&call->is_, is,
                                    is | ASYNC_REMOTE_IS_CANCELING_));
    async_post_send(call->loop_, &call->cancel_, async_remote_cancel_);
}

/* ---- join --------------------------------------------------------------- */

/* True: it has ended, and nothing is on its way home. False: home is told. */
static inline int async_remote_join_(struct async_loop *loop,
                                     struct async_remote *call)
{
    size_t is;

    if (call->coming_) {
        ASYNC_ASSERT(call->home_ == loop && !call->line_,
                     "one task joins a call to another loop: let others join "
                     "that task");
        return 0;
    }
    call->home_ = loop;
    do {
        is = async_atomic_load_(&call->is_);
        if (is & ASYNC_REMOTE_IS_ENDED_)
            return 1;
    } while (
        !async_atomic_swap_if_(&call->is_, is, is | ASYNC_REMOTE_IS_JOINED_));
    call->coming_ = 1;
    loop->coming_++;
    return 0;
}

/* Awaitable: waits until a call to another loop has ended, and returns how.
 * `loop` is the one that runs here. One task joins a call, once.
 * ASYNC_EINVAL: it was never spawned (a mistake of the program's: asserted). If
 * canceled here: the task there is canceled, and waited for; then what it
 * returned. If it has finished all the same, that is its result, and the next
 * wait takes the cancel. */
static inline async_status async_join_on(struct async_loop *loop,
                                         struct async_remote *call)
{
    int begun = async_waits_in_(loop, &call->line_) &&
                !(loop->step_ & ASYNC_STEP_SEEN_);
    int woken = begun && loop->current_->wait_.flags & ASYNC_IS_WOKEN_;
    async_status status;

    if (!begun) {
        ASYNC_ASSERT(async_atomic_load_(&call->is_),
                     "joins a call to another loop that was never spawned");
        if (!async_atomic_load_(&call->is_))
            return ASYNC_EINVAL;
        if (async_remote_join_(loop, call))
            return call->status_;
    }
    status = async_line_wait_(loop, &call->line_);
    if (woken) {
        if (call->again_ && status != ASYNC_ECANCELED)
            async_cancel(loop, loop->current_);
        return status;
    }
    if (status == ASYNC_ECANCELED) {
        call->crosses_ = 1;
        call->again_ =
            call->asked_ && !(loop->current_->wait_.flags & ASYNC_IS_CANCELED_);
        async_cancel_on(call);
        status = async_line_wait_(loop, &call->line_);
    }
    if (status == ASYNC_ASKED_) {
        if (call->crosses_)
            return ASYNC_PENDING; /* one cancel at a time */
        call->asked_ = (loop->current_->wait_.flags & ASYNC_IS_CANCELED_) != 0;
    }
    return status;
}

/* ---- run ---------------------------------------------------------------- */

struct async_run_on_ {
    struct async_frame async;
    struct async_loop *loop;
    struct async_remote *call;
    async_fn *fn;
    void *frame;
    uint32_t ms;
    struct async_timer timer;
};

static inline async_status async_run_on_begin_(struct async_run_on_ *self)
{
    int error = async_spawn_on(self->loop, self->call, self->fn, self->frame);

    return error < 0 ? error : ASYNC_DONE;
}

/* The one task of a loop that does nothing but block its thread. */
static inline async_status async_run_on_join_(struct async_loop *loop,
                                              void *frame)
{
    struct async_run_on_ *self = (struct async_run_on_ *)frame;

    async_begin(self);
    async_await(async_run_on_begin_(self));
    async_await(async_timeout(loop, &self->timer, self->ms,
                              async_join_on(loop, self->call)));
    async_end();
}

/* Runs fn(loop, frame) as a task of a loop that another thread drives, blocks
 * until it has ended, and returns how. After `timeout_ms` milliseconds it is
 * asked to stop, and waited for all the same: however long its clean-up takes,
 * nobody touches the frame when this returns; then ASYNC_ETIMEDOUT, or its
 * result if it has finished. ASYNC_NO_TIMEOUT is no limit. What waits here is a
 * loop on the stack: with 64 bits it takes some 12 KB. Others may cancel
 * it by async_cancel_on. ASYNC_EBUSY as in async_spawn_on; a negated errno:
 * there was no pipe to be woken through; nothing ran. ASYNC_EDEADLK: this is
 * the thread that drives the loop, which would wait for itself (a mistake of
 * the program's: asserted); nothing ran. It is known while the loop has a host:
 * before that, this waits until somebody drives it. */
static inline async_status async_run_on(struct async_loop *loop,
                                        struct async_remote *call, async_fn *fn,
                                        void *frame, uint32_t timeout_ms)
{
    static const struct async_run_on_ zero = ASYNC_ZERO_;
    struct async_run_on_ self = zero;
    struct async_loop own;
    int is_own = ASYNC_LOAD_(&loop->owner_) == async_this_thread_();

    ASYNC_ASSERT(!is_own, "async_run_on on the thread that drives the loop, "
                          "which would wait for itself: await the function, or "
                          "spawn it");
    if (is_own)
        return ASYNC_EDEADLK;
    self.loop = loop;
    self.call = call;
    self.fn = fn;
    self.frame = frame;
    self.ms = timeout_ms;
    async_loop_init(&own);
    return async_run(&own, async_run_on_join_, &self);
}

#endif /* ASYNC_REMOTE_H */

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
