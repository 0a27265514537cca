/* async_actor.h: state that takes calls, so many at a time.
 * SPDX-License-Identifier: MIT
 *
 * An actor is a struct of yours, and its methods are async functions. Each call
 * of one runs as a task of its own on the same loop, so between two awaits a
 * method has the state to itself. At most max_concurrency calls run at once;
 * the others wait, and start in the order they came. With 1, each call has the
 * state to itself from its start to its end. The idea is Ray's async actor.
 * Included by async_gather.h.
 *
 *     #include <stdio.h>
 *     #include "async_actor.h"
 *
 *     struct counter {
 *         struct async_actor actor;
 *         int value;
 *     };
 *
 *     struct add {
 *         struct async_frame async;
 *         struct counter *counter;
 *         int by, result;
 *     };
 *
 *     static async counter_add(struct async_loop *loop, void *frame)
 *     {
 *         struct add *self = frame;
 *
 *         async_begin(self);
 *         await(async_sleep_ms(loop, 10));
 *         self->result = self->counter->value += self->by;
 *         async_end();
 *     }
 *
 *     struct visit {
 *         struct async_frame async;
 *         struct counter counter;
 *         struct async_actor_call call, calls[3];
 *         struct add add, adds[3];
 *         int i;
 *     };
 *
 *     static async visit(struct async_loop *loop, void *frame)
 *     {
 *         struct visit *self = frame;
 *         struct async_actor *actor = &self->counter.actor;
 *
 *         async_begin(self);
 *         self->add = (struct add){.counter = &self->counter, .by = 1};
 *         await(async_actor_call(loop, actor, &self->call, counter_add,
 *                                &self->add));
 *         printf("%d\n", self->add.result);
 *         for (self->i = 0; self->i < 3; self->i++) {
 *             self->adds[self->i] = self->add;
 *             self->adds[self->i].async = (struct async_frame){0};
 *             async_actor_send(loop, actor, &self->calls[self->i],
 *                              counter_add, &self->adds[self->i]);
 *         }
 *         for (self->i = 0; self->i < 3; self->i++) {
 *             await(async_actor_result(loop, &self->calls[self->i]));
 *             printf("%d ", self->adds[self->i].result);
 *         }
 *         async_finally();
 *         await(async_actor_shutdown(loop, actor));
 *         async_end();
 *     }
 *
 *     int main(void)
 *     {
 *         struct async_loop loop = {0};
 *         struct visit frame = {0};
 *
 *         return async_run(&loop, visit, &frame) < 0;
 *     }
 *
 * prints (one call, then three at once)
 *
 *     1
 *     2 3 4
 *
 * Rules
 * 1. A call and its frame stay where they are until the call has ended and, if
 *    it failed, its result was taken; an actor stays as long as calls run or
 *    wait. Shut it down in the finally section of whoever owns it.
 * 2. A method that awaits another call of its own actor waits for a place while
 *    it holds one. If all that run do so, as one does with max_concurrency 1,
 *    they wait for ever: async_stuck tells. Await the other method as a plain
 *    function instead: await(other(loop, &self->other)).
 * 3. A call's task is its actor's. Ask for its end by async_actor_result, not
 *    by async_join, and stop it by async_actor_cancel.
 *
 * What wins on one tick
 *
 *     ended and canceled         ended: the caller has the result, its next
 *                                wait takes the cancel
 *     ended and timed out        ended: its result counts
 *     ended and shut down        ended: its result counts
 *     canceled and shut down     whichever came first: ASYNC_ECANCELED or
 *                                ASYNC_ECLOSED
 */
#ifndef ASYNC_ACTOR_H
#define ASYNC_ACTOR_H

#include "async_loop.h" /* tasks, waits */

#include <stddef.h> /* size_t, offsetof, NULL */
#include <stdint.h> /* the small fields of a call */

/* ---- types -------------------------------------------------------------- */

enum { ASYNC_MAX_CONCURRENCY = 1000 }; /* unless an actor says otherwise */

struct async_actor;

/* A call of a method. Yours, in the caller's frame; all-zero before the first.
 * When it has ended it may be sent again. */
struct async_actor_call {
    struct async_task task; /* its outcome is the call's */

    /* private */
    struct async_owner_ owner_;     /* in its line: those who want the result */
    struct async_actor *actor_;     /* NULL: it neither waits nor runs */
    struct async_actor_call *next_; /* that wait, or that run, in a circle */
    struct async_actor_call *prev_;
    int16_t cut_;    /* 0, or what is told of it if the cancel ends it */
    uint8_t caller_; /* ASYNC_CALLER_..., of async_actor_call */
};

/* What takes calls: a member of the struct that has the state. Yours; all-zero
 * is ready to use, and open. */
struct async_actor {
    /* So many calls at once; 0: ASYNC_MAX_CONCURRENCY. Set it before use, then
     * by async_actor_limit. */
    size_t max_concurrency;

    /* private */
    size_t queued_;
    size_t running_;
    struct async_actor_call *queue_; /* the first of those that wait */
    struct async_actor_call *runs_;  /* the first of those that run */
    struct async_wait_ *line_;       /* who waits until nothing runs */
    uint8_t is_closed_;
};

enum {                        /* whoever awaits async_actor_call */
       ASYNC_CALLER_NONE_,    /* nobody: it has not begun */
       ASYNC_CALLER_WAITS_,   /* for the call */
       ASYNC_CALLER_ASKED_,   /* the same, and a cancel asks to land */
       ASYNC_CALLER_LATE_,    /* for the call to unwind: out of time */
       ASYNC_CALLER_CANCELED_ /* the same: canceled */
};

/* How many calls wait for their turn. */
static inline size_t async_actor_queued(const struct async_actor *actor)
{
    return actor->queued_;
}

/* How many calls have been started and have not ended. */
static inline size_t async_actor_running(const struct async_actor *actor)
{
    return actor->running_;
}

/* ---- a call's way ----------------------------------------------------------
 *
 *     sent --- async_actor_start_ ---> runs --- async_actor_ended_ ---> ended
 *       \                                                              /
 *        `--- async_actor_cancel, async_actor_close_: never runs -----'
 */

static inline void async_actor_join_(struct async_actor_call **line,
                                     struct async_actor_call *call)
{
    struct async_actor_call *first = *line;

    if (!first) {
        *line = call->next_ = call->prev_ = call;
        return;
    }
    call->next_ = first;
    call->prev_ = first->prev_;
    first->prev_->next_ = call;
    first->prev_ = call;
}

static inline void async_actor_leave_(struct async_actor_call **line,
                                      struct async_actor_call *call)
{
    if (call->next_ == call) {
        *line = NULL;
        return;
    }
    call->next_->prev_ = call->prev_;
    call->prev_->next_ = call->next_;
    if (*line == call)
        *line = call->next_;
}

/* Starts the calls that there is room for. */
static inline void async_actor_start_(struct async_loop *loop,
                                      struct async_actor *actor)
{
    size_t most = actor->max_concurrency ? actor->max_concurrency
                                         : (size_t)ASYNC_MAX_CONCURRENCY;

    while (actor->queue_ && actor->running_ < most) {
        struct async_actor_call *call = actor->queue_;

        async_actor_leave_(&actor->queue_, call);
        actor->queued_--;
        async_actor_join_(&actor->runs_, call);
        actor->running_++;
        (void)async_spawn(loop, &call->task, call->task.fn, call->task.frame);
        async_own_(&call->task, &call->owner_);
    }
}

/* The call is over, its actor is done with it. An error that nobody waits for
 * is kept with those of tasks nobody has joined; a shutdown's is no news. */
static inline void async_actor_over_(struct async_loop *loop,
                                     struct async_actor_call *call, int status)
{
    struct async_wait_ *wait = &call->task.wait_;

    call->actor_ = NULL;
    wait->flags = ASYNC_IS_ENDED_;
    wait->status = (int16_t)status;
    if (status < 0 && !call->owner_.joiners &&
        (status != ASYNC_ECLOSED || call->cut_ != ASYNC_ECLOSED)) {
        wait->flags |= ASYNC_IS_UNJOINED_;
        async_line_join_(&loop->unjoined_, wait);
    }
    while (async_line_wake_(loop, &call->owner_.joiners, status))
        ;
}

/* A call that still waits will never run. */
static inline void async_actor_drop_(struct async_loop *loop,
                                     struct async_actor_call *call, int status)
{
    async_actor_leave_(&call->actor_->queue_, call);
    call->actor_->queued_--;
    call->cut_ = (int16_t)status;
    async_actor_over_(loop, call, status);
}

/* Asks a call that runs to stop. The first who asks says what for. */
static inline void async_actor_stop_(struct async_loop *loop,
                                     struct async_actor_call *call, int status)
{
    if (!call->cut_)
        call->cut_ = (int16_t)status;
    async_cancel(loop, &call->task);
}

static inline void async_actor_ended_(struct async_loop *loop,
                                      struct async_owner_ *owner,
                                      struct async_task *task)
{
    struct async_actor_call *call =
        (struct async_actor_call *)(void *)((char *)owner -
                                            offsetof(struct async_actor_call,
                                                     owner_));
    struct async_actor *actor = call->actor_;
    int status = async_task_outcome(task);

    async_actor_leave_(&actor->runs_, call);
    actor->running_--;
    async_actor_over_(loop, call,
                      status == ASYNC_ECANCELED && call->cut_ ? call->cut_
                                                              : status);
    async_actor_start_(loop, actor);
    if (!actor->running_)
        while (async_line_wake_(loop, &actor->line_, ASYNC_DONE))
            ;
}

/* ---- calls -------------------------------------------------------------- */

/* Sends a call of fn(loop, frame) to the actor and returns at once. It starts
 * as a task does if there is room, else when it is its turn. Its error, if
 * nobody asks for its result, goes where a task's goes that nobody joins.
 * Returns 0; ASYNC_ECLOSED: the actor takes no more calls; ASYNC_EBUSY: this
 * call waits or runs (a mistake of the program's: asserted). On the loop's
 * thread, from a task or not. */
static inline int async_actor_send(struct async_loop *loop,
                                   struct async_actor *actor,
                                   struct async_actor_call *call, async_fn *fn,
                                   void *frame)
{
    static const struct async_task zero = ASYNC_ZERO_;
    struct async_task *task = &call->task;

    ASYNC_ASSERT(!call->actor_, "a call is sent that waits or runs: await its "
                                "result first, or use another call; or its "
                                "storage was not all-zero");
    if (call->actor_)
        return ASYNC_EBUSY;
    if (actor->is_closed_)
        return ASYNC_ECLOSED;
    if (task->wait_.flags & ASYNC_IS_UNJOINED_) {
        async_claim_(loop, task);
        if (loop->unhandled)
            loop->unhandled(loop, task, task->wait_.status);
    }
    *task = zero;
    task->fn = fn;
    task->frame = frame;
    call->owner_.ended = async_actor_ended_;
    call->actor_ = actor;
    call->cut_ = 0;
    async_actor_join_(&actor->queue_, call);
    actor->queued_++;
    async_actor_start_(loop, actor);
    return 0;
}

/* Awaitable: waits until the call has ended, and returns how: ASYNC_DONE or the
 * method's error; ASYNC_ECANCELED: it was canceled; ASYNC_ECLOSED: a shutdown
 * canceled it, or it never ran because of one. Any number of tasks may wait for
 * a call, and one that has ended is not waited for. ASYNC_EDEADLK: it is the
 * caller itself. ASYNC_EINVAL: it was never sent (a mistake of the program's:
 * asserted). If canceled here: the call goes on. */
static inline async_status async_actor_result(struct async_loop *loop,
                                              struct async_actor_call *call)
{
    const struct async_task *task = &call->task;

    if (task == loop->current_)
        return ASYNC_EDEADLK;
    /* Whoever has been let go does not look at the call: it may be gone. */
    if (!async_waits_in_(loop, &call->owner_.joiners) && !call->actor_) {
        ASYNC_ASSERT(task->wait_.flags & ASYNC_IS_ENDED_,
                     "waits for a call that was never sent, or was refused");
        if (!(task->wait_.flags & ASYNC_IS_ENDED_))
            return ASYNC_EINVAL;
        async_claim_(loop, &call->task);
        return task->wait_.status;
    }
    return async_line_wait_(loop, &call->owner_.joiners);
}

/* Asks the call to stop. One that still waits ends at once with ASYNC_ECANCELED
 * and never runs; one that runs is canceled as a task is. async_actor_result
 * tells when it has ended. Nothing if it has, or was never sent. */
static inline void async_actor_cancel(struct async_loop *loop,
                                      struct async_actor_call *call)
{
    if (call->task.wait_.flags & ASYNC_IS_ALIVE_)
        async_actor_stop_(loop, call, ASYNC_ECANCELED);
    else if (call->actor_)
        async_actor_drop_(loop, call, ASYNC_ECANCELED);
}

/* Awaitable: sends the call and waits for its result; returns what these two
 * do. If canceled here: a call that still waits never runs, one that runs is
 * canceled and awaited; then ASYNC_ECANCELED. If it ends in another way all the
 * same, that is returned, and the caller's next wait takes the cancel. */
#define async_actor_call(loop, actor, call, fn, frame)                         \
    async_actor_call_(loop, actor, call, fn, frame)

static inline async_status async_actor_call_(struct async_loop *loop,
                                             struct async_actor *actor,
                                             struct async_actor_call *call,
                                             async_fn *fn, void *frame)
{
    async_status status;

    if (call->caller_ == ASYNC_CALLER_NONE_) {
        status = async_actor_send(loop, actor, call, fn, frame);
        if (status < 0)
            return status;
        call->caller_ = ASYNC_CALLER_WAITS_;
    }
    status = async_actor_result(loop, call);
    if (status == ASYNC_ECANCELED && call->actor_) { /* it landed here */
        call->caller_ = call->caller_ == ASYNC_CALLER_ASKED_
                            ? ASYNC_CALLER_CANCELED_
                            : ASYNC_CALLER_LATE_;
        async_actor_cancel(loop, call);
        status = async_actor_result(loop, call);
    }
    if (status == ASYNC_ASKED_) {
        if (call->caller_ >= ASYNC_CALLER_LATE_)
            return ASYNC_PENDING; /* it unwinds: one cancel at a time */
        if (loop->current_->wait_.flags & ASYNC_IS_CANCELED_)
            call->caller_ = ASYNC_CALLER_ASKED_;
    }
    if (status == ASYNC_PENDING || status == ASYNC_ASKED_)
        return status;
    if (call->caller_ == ASYNC_CALLER_CANCELED_ && status != ASYNC_ECANCELED)
        async_cancel(loop, loop->current_);
    call->caller_ = ASYNC_CALLER_NONE_;
    return status;
}

/* ---- the actor ---------------------------------------------------------- */

/* Changes how many calls run at once; 0: ASYNC_MAX_CONCURRENCY. More: those
 * that wait start now. Fewer: none is cut short. On the loop's thread, from a
 * task or not. */
static inline void async_actor_limit(struct async_loop *loop,
                                     struct async_actor *actor,
                                     size_t max_concurrency)
{
    actor->max_concurrency = max_concurrency;
    async_actor_start_(loop, actor);
}

/* True if the running task is a call of this actor's. */
static inline int async_actor_is_at_(const struct async_loop *loop,
                                     const struct async_actor *actor)
{
    const struct async_actor_call *call = actor->runs_;

    if (!call)
        return 0;
    do {
        if (&call->task == loop->current_)
            return 1;
        call = call->next_;
    } while (call != actor->runs_);
    return 0;
}

/* No new calls. With `status`, those that there are end by it. */
static inline async_status async_actor_close_(struct async_loop *loop,
                                              struct async_actor *actor,
                                              int status)
{
    struct async_actor_call *call;

    if (async_waits_in_(loop, &actor->line_))
        return async_line_wait_(loop, &actor->line_);
    if (async_actor_is_at_(loop, actor))
        return ASYNC_EDEADLK;
    actor->is_closed_ = 1;
    while (status && (call = actor->queue_) != NULL)
        async_actor_drop_(loop, call, status);
    call = actor->runs_;
    if (!call)
        return ASYNC_DONE;
    if (status) {
        do {
            async_actor_stop_(loop, call, status);
            call = call->next_;
        } while (call != actor->runs_);
    }
    return async_line_wait_(loop, &actor->line_);
}

/* Awaitable: the actor takes no more calls; those that wait end with
 * ASYNC_ECLOSED, those that run are canceled. Done when all have ended; whoever
 * waits for one that was cut short gets ASYNC_ECLOSED. May be awaited again,
 * and by several. It stays closed; assign it anew to open it. ASYNC_EDEADLK: by
 * one of its own methods, which would wait for itself; nothing happened. If
 * canceled here: it stays closed, and what was canceled goes on to its end. */
static inline async_status async_actor_shutdown(struct async_loop *loop,
                                                struct async_actor *actor)
{
    return async_actor_close_(loop, actor, ASYNC_ECLOSED);
}

/* Awaitable: the actor takes no more calls. Done when all that it has taken
 * have ended by themselves; async_actor_shutdown may come meanwhile. It stays
 * closed. ASYNC_EDEADLK: by one of its own methods, which would wait for
 * itself; nothing happened. If canceled here: it stays closed, and the calls go
 * on. */
static inline async_status async_actor_drain(struct async_loop *loop,
                                             struct async_actor *actor)
{
    return async_actor_close_(loop, actor, 0);
}

#endif /* ASYNC_ACTOR_H */

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
