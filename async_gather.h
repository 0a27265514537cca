/* async_gather.h: waiting for several things, for so long, for so many.
 * SPDX-License-Identifier: MIT
 *
 * gather waits for a set of tasks, map runs a function over an array with so
 * many calls at once, timeout puts a limit on any await, and a semaphore holds
 * back those who would be too many. The storage is yours, no task outlives the
 * call that waits for it, and nothing is allocated.
 *
 *     #include <stdio.h>
 *     #include "async_gather.h"
 *
 *     struct square {
 *         struct async_frame async;
 *         int i, result;
 *     };
 *
 *     static async square(struct async_loop *loop, void *frame)
 *     {
 *         struct square *self = frame;
 *
 *         async_begin(self);
 *         await(async_sleep_ms(loop, 10));
 *         self->result = self->i * self->i;
 *         async_end();
 *     }
 *
 *     struct squares {
 *         struct async_frame async;
 *         struct square calls[5];
 *         struct async_task tasks[2];
 *         struct async_batch batch;
 *     };
 *
 *     static async squares(struct async_loop *loop, void *frame)
 *     {
 *         struct squares *self = frame;
 *
 *         async_begin(self);
 *         for (int i = 0; i < 5; i++)
 *             self->calls[i].i = i;
 *         await(async_map(loop, &self->batch, square, self->calls,
 *                         self->tasks));
 *         for (int i = 0; i < 5; i++)
 *             printf("%d ", self->calls[i].result);
 *         async_end();
 *     }
 *
 *     int main(void)
 *     {
 *         struct async_loop loop = {0};
 *         struct squares frame = {0};
 *
 *         return async_run(&loop, squares, &frame) < 0;
 *     }
 *
 * prints (five calls, two at a time, in 30 ms)
 *
 *     0 1 4 9 16
 *
 * What wins on one tick
 *
 *     finished and timed out     finished: its result counts
 *     finished and canceled      finished: the next wait takes the cancel
 *     granted and canceled       granted: the permit is held, the next wait
 *                                takes the cancel
 *     timed out and canceled     timed out; the next wait takes the cancel
 *     two timeouts, nested       the inner one; the outer one at its next wait
 *     a child's error, a cancel  whichever came first is returned
 */
#ifndef ASYNC_GATHER_H
#define ASYNC_GATHER_H

#include "async_actor.h"   /* calls */
#include "async_lock.h"    /* turns */
#include "async_loop.h"    /* tasks, waits */
#include "async_queue.h"   /* items */
#include "async_retry.h"   /* tries, rates */
#include "async_timeout.h" /* limits in time */

/* ---- gather ------------------------------------------------------------- */

/* A set of tasks somebody waits for. Yours, in the frame of whoever waits;
 * all-zero to start with, and again when the gather is over. */
struct async_batch {
    /* 0: the first error cancels the other tasks; they are awaited, and it is
     * returned. 1: all run to their own ends, and the gather is done; each
     * task's or frame's outcome tells how. */
    int collect;

    /* private */
    struct async_owner_ owner_; /* first of the private: see async_batch_of_ */
    struct async_wait_ *line_;  /* whoever waits */
    struct async_task *tasks_;
    size_t count_;
    size_t left_; /* tasks that have not ended */
    int begun_;
    int error_;
    async_fn *fn_; /* map: what to call, and with which frame next */
    char *next_;
    char *end_;
    size_t size_;
};

static inline struct async_batch *async_batch_of_(struct async_owner_ *owner)
{
    return (struct async_batch *)(void *)((char *)owner -
                                          offsetof(struct async_batch, owner_));
}

static inline void async_gather_ended_(struct async_loop *loop,
                                       struct async_owner_ *owner,
                                       struct async_task *task);

/* From now on the task reports its end to the gather. */
static inline void async_gather_own_(struct async_batch *batch,
                                     struct async_task *task)
{
    batch->owner_.ended = async_gather_ended_;
    async_own_(task, &batch->owner_);
    batch->left_++;
}

/* The set will fail with `error`: asks all that still run to stop. */
static inline void async_gather_stop_(struct async_loop *loop,
                                      struct async_batch *batch, int error)
{
    size_t i;

    if (!batch->error_)
        batch->error_ = error;
    batch->next_ = batch->end_;
    for (i = 0; i < batch->count_; i++)
        async_cancel(loop, &batch->tasks_[i]);
}

static inline void async_gather_take_(struct async_loop *loop,
                                      struct async_batch *batch, int outcome)
{
    if (outcome < 0 && !batch->collect && !batch->error_)
        async_gather_stop_(loop, batch, outcome);
}

static inline void async_gather_start_(struct async_loop *loop,
                                       struct async_batch *batch,
                                       struct async_task *task)
{
    (void)async_spawn(loop, task, batch->fn_, batch->next_);
    batch->next_ += batch->size_;
    async_gather_own_(batch, task);
}

static inline void async_gather_ended_(struct async_loop *loop,
                                       struct async_owner_ *owner,
                                       struct async_task *task)
{
    struct async_batch *batch = async_batch_of_(owner);

    batch->left_--;
    async_gather_take_(loop, batch, async_task_outcome(task));
    if (batch->next_ != batch->end_)
        async_gather_start_(loop, batch, task);
    else if (batch->left_ == 0)
        (void)async_line_wake_(loop, &batch->line_, ASYNC_DONE);
}

/* Once begun: waits for the last task. A cancel that lands here goes to the
 * tasks, and they are awaited all the same. */
static inline async_status async_gather_wait_(struct async_loop *loop,
                                              struct async_batch *batch)
{
    async_status status = ASYNC_DONE;

    if (batch->left_ || async_waits_in_(loop, &batch->line_))
        status = async_line_wait_(loop, &batch->line_);
    if (status == ASYNC_ECANCELED) {
        async_gather_stop_(loop, batch, ASYNC_ECANCELED);
        status = async_line_wait_(loop, &batch->line_);
    }
    if (status == ASYNC_ASKED_ && batch->error_)
        return ASYNC_PENDING; /* it unwinds: one cancel at a time */
    if (status != ASYNC_DONE)
        return status;
    status = batch->error_ ? batch->error_ : ASYNC_DONE;
    batch->begun_ = batch->error_ = 0;
    return status;
}

static inline int async_gather_begin_(struct async_batch *batch,
                                      struct async_task *tasks, size_t count)
{
    if (batch->begun_)
        return 0;
    batch->begun_ = 1;
    batch->left_ = 0;
    batch->next_ = batch->end_ = NULL;
    batch->tasks_ = tasks;
    batch->count_ = count;
    return 1;
}

/* Each has been spawned, and nobody else gathers it. */
static inline int async_gather_can_(const struct async_task *tasks,
                                    size_t count)
{
    int can = 1;
    size_t i;

    for (i = 0; i < count; i++) {
        unsigned flags = tasks[i].wait_.flags;

        if (!(flags & (ASYNC_IS_ALIVE_ | ASYNC_IS_ENDED_)) ||
            flags & ASYNC_IS_OWNED_)
            can = 0;
    }
    ASYNC_ASSERT(can, "gathers a task that was never spawned, or that another "
                      "gather waits for");
    return can;
}

/* Awaitable: waits until all of tasks[0 .. count-1], which have been spawned,
 * have ended; some may have already. Returns ASYNC_DONE, or the first error.
 * Results are in the tasks' frames, so in input order. ASYNC_EINVAL: one was
 * never spawned, or another gather waits for it (a mistake of the program's:
 * asserted). If canceled here: the tasks are canceled and awaited, then
 * ASYNC_ECANCELED. */
static inline async_status async_gather(struct async_loop *loop,
                                        struct async_batch *batch,
                                        struct async_task *tasks, size_t count)
{
    size_t i;

    if (!batch->begun_ && !async_gather_can_(tasks, count))
        return ASYNC_EINVAL;
    if (async_gather_begin_(batch, tasks, count)) {
        for (i = 0; i < count; i++)
            if (async_task_outcome(&tasks[i]) == ASYNC_PENDING)
                async_gather_own_(batch, &tasks[i]);
        for (i = 0; i < count; i++) {
            async_claim_(loop, &tasks[i]);
            async_gather_take_(loop, batch, async_task_outcome(&tasks[i]));
        }
    }
    return async_gather_wait_(loop, batch);
}

/* Awaitable: calls fn(loop, &frames[i]) for an array of `count` frames of
 * `size` bytes, in order, at most `limit` at once: that many tasks it needs.
 * Returns and cancels as async_gather does; frames that were not started stay
 * as they were. ASYNC_EINVAL: there are frames, and no task. */
static inline async_status async_map_n(struct async_loop *loop,
                                       struct async_batch *batch, async_fn *fn,
                                       void *frames, size_t size, size_t count,
                                       struct async_task *tasks, size_t limit)
{
    size_t i;

    if (count && !limit)
        return ASYNC_EINVAL;
    if (async_gather_begin_(batch, tasks, limit < count ? limit : count)) {
        batch->fn_ = fn;
        batch->size_ = size;
        batch->next_ = (char *)frames;
        batch->end_ = (char *)frames + size * count;
        for (i = 0; i < batch->count_; i++)
            async_gather_start_(loop, batch, &tasks[i]);
    }
    return async_gather_wait_(loop, batch);
}

/* The same for true arrays: as many calls at once as there are tasks. */
#define async_map(loop, batch, fn, frames, tasks)                              \
    async_map_n(loop, batch, fn, frames, sizeof *(frames),                     \
                sizeof(frames) / sizeof *(frames), tasks,                      \
                sizeof(tasks) / sizeof *(tasks))

#endif /* ASYNC_GATHER_H */

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
