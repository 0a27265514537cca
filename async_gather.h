/* async_gather.h: waiting for several things, for so long, for so many.
 * SPDX-License-Identifier: MIT
 *
 * gather waits for a set of tasks, race for the first of them, as_completed for
 * one after the other; map runs a function over an array with so many calls at
 * once, a group takes tasks while it runs, timeout puts a limit on any await,
 * and a semaphore holds back those who would be too many. The storage is yours,
 * no task outlives the call that waits for it, and nothing is allocated.
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
 *     two racers                 the one that ran first has won
 *     a winner and a cancel      whichever came first; after the winner the
 *                                next wait takes the cancel
 *     awaited and canceled       (wait, as_completed) what was awaited is
 *                                returned; the next wait takes the cancel
 *     a member's error and a     (group) whichever came first; after the error
 *     cancel or a timeout        the next wait takes the cancel
 *     a member's error and the   the error is returned; the body, if its wait
 *     body's end                 is over, ends well
 *     a group's end, a cancel    it has ended; the next wait takes the cancel
 *     a group's end, a spawn     it has ended; the spawn is refused
 *     a group's own cancel and   the next wait takes the other one; if the
 *     one from outside           body had taken it before, it is returned
 *     a shield's end, a cancel   the next wait takes the cancel
 */
#ifndef ASYNC_GATHER_H
#define ASYNC_GATHER_H

#include "async_actor.h"   /* calls */
#include "async_group.h"   /* tasks that come and go */
#include "async_lock.h"    /* turns */
#include "async_loop.h"    /* tasks, waits */
#include "async_queue.h"   /* items */
#include "async_retry.h"   /* tries, rates */
#include "async_timeout.h" /* limits in time */

#include <stddef.h> /* offsetof */

/* ---- batches ------------------------------------------------------------ */

/* A set of tasks that one task waits for. Yours, in the frame of that one;
 * all-zero to start with. When a wait is over it serves the next one. */
struct async_batch {
    /* 0: the first error counts: gather and map cancel the other tasks, await
     * them and return it, and in a race it wins. 1: gather and map let all run
     * to their own ends, and are done: each task's or frame's outcome tells
     * how; a race is won by the first that succeeds. */
    int collect;

    /* After a race: which of the tasks has won; their count: none has. */
    size_t winner;

    /* private */
    struct async_owner_ owner_; /* of all that run */
    struct async_wait_ *line_;  /* whoever waits */
    struct async_wait_ *over_;  /* as_completed: ended, not handed out */
    struct async_task *tasks_;
    size_t count_;
    size_t left_; /* tasks that have not ended */
    int result_;  /* once it is known; then the tasks are canceled */
    uint8_t kind_;
    uint8_t until_; /* wait: ASYNC_FIRST_COMPLETED, ... */
    async_fn *fn_;  /* map: what to call, and with which frame next */
    char *next_;
    char *end_;
    size_t size_;
};

enum { /* what a batch does */
       ASYNC_BATCH_IDLE_,
       ASYNC_BATCH_GATHERS_,
       ASYNC_BATCH_MAPS_,
       ASYNC_BATCH_RACES_,
       ASYNC_BATCH_WAITS_,
       ASYNC_BATCH_COMPLETES_,
       ASYNC_BATCH_ENDS_
};

static inline struct async_batch *async_batch_of_(struct async_owner_ *owner)
{
    return (struct async_batch *)(void *)((char *)owner -
                                          offsetof(struct async_batch, owner_));
}

static inline int async_batch_owns_(const struct async_batch *batch,
                                    const struct async_task *task)
{
    return task->wait_.flags & ASYNC_IS_OWNED_ &&
           task->ends_.owner == &batch->owner_;
}

/* The result is known: asks all that still run to stop. */
ASYNC_COLD_ void async_batch_stop_(struct async_loop *loop,
                                   struct async_batch *batch, int result)
{
    size_t i;

    batch->result_ = result;
    batch->next_ = batch->end_;
    for (i = 0; i < batch->count_; i++)
        if (async_batch_owns_(batch, &batch->tasks_[i]))
            async_cancel(loop, &batch->tasks_[i]);
}

/* Lets the tasks that still run go on without it. */
static inline void async_batch_leave_(struct async_batch *batch)
{
    struct async_wait_ **joiners = &batch->owner_.joiners, *wait;
    size_t i;

    for (i = 0; i < batch->count_; i++) {
        struct async_task *task = &batch->tasks_[i];

        if (async_batch_owns_(batch, task)) {
            task->wait_.flags &= (uint8_t)~ASYNC_IS_OWNED_;
            task->ends_.joiners = NULL;
        }
    }
    while ((wait = *joiners) != NULL) {
        async_line_leave_(joiners, wait);
        async_line_join_(async_joiners_((struct async_task *)wait->on.object),
                         wait);
    }
    batch->kind_ = ASYNC_BATCH_IDLE_;
}

/* 0: the batch is free to begin. 1: it goes on with what it began. Or an
 * error: that is something else. */
static inline int async_batch_begun_(const struct async_batch *batch, int kind)
{
    if (batch->kind_ == kind)
        return 1;
    ASYNC_ASSERT(batch->kind_ == ASYNC_BATCH_IDLE_,
                 "a batch that serves another wait: end that one first, by "
                 "async_batch_end, or use another batch");
    return batch->kind_ == ASYNC_BATCH_IDLE_ ? 0 : ASYNC_EBUSY;
}

static inline void async_batch_set_(struct async_batch *batch, int kind,
                                    struct async_task *tasks, size_t count)
{
    batch->kind_ = (uint8_t)kind;
    batch->tasks_ = tasks;
    batch->count_ = count;
    batch->left_ = 0;
    batch->result_ = 0;
    batch->next_ = batch->end_ = NULL;
}

/* From now on the tasks report their ends to the batch. Returns 0, or an error,
 * and then nothing has happened. */
static inline int async_batch_begin_(struct async_loop *loop,
                                     struct async_batch *batch, int kind,
                                     struct async_task *tasks, size_t count,
                                     void (*ended)(struct async_loop *loop,
                                                   struct async_owner_ *owner,
                                                   struct async_task *task))
{
    size_t i, left = 0;

    batch->owner_.ended = ended;
    for (i = 0; i < count; i++) {
        const struct async_wait_ *wait = &tasks[i].wait_;
        unsigned flags = wait->flags;

        if ((flags & (ASYNC_IS_ALIVE_ | ASYNC_IS_OWNED_)) == ASYNC_IS_ALIVE_) {
            async_own_(&tasks[i], &batch->owner_);
            left++;
        } else if (!(flags & ASYNC_IS_ENDED_) ||
                   (wait->next && !(flags & ASYNC_IS_UNJOINED_))) {
            break; /* in the last case an as_completed will hand it out */
        }
    }
    async_batch_set_(batch, kind, tasks, i);
    batch->left_ = left;
    if (i < count) {
        async_batch_leave_(batch);
        ASYNC_ASSERT(0, "gathers a task that was never spawned, or that "
                        "another gather waits for");
        return ASYNC_EINVAL;
    }
    if (left < count)
        for (i = 0; i < count; i++)
            async_claim_(loop, &tasks[i]);
    return 0;
}

/* Once begun: waits for the last task. A cancel that lands here goes to the
 * tasks, and they are awaited all the same. */
static inline async_status async_batch_wait_(struct async_loop *loop,
                                             struct async_batch *batch)
{
    async_status status = ASYNC_DONE;

    if (batch->left_ || async_waits_in_(loop, &batch->line_))
        status = async_line_wait_(loop, &batch->line_);
    if (status == ASYNC_ECANCELED) {
        async_batch_stop_(loop, batch, ASYNC_ECANCELED);
        status = async_line_wait_(loop, &batch->line_);
    }
    if (status == ASYNC_ASKED_ && batch->result_)
        return ASYNC_PENDING; /* it unwinds: one cancel at a time */
    if (status != ASYNC_DONE)
        return status;
    batch->kind_ = ASYNC_BATCH_IDLE_;
    return batch->result_ ? batch->result_ : ASYNC_DONE;
}

/* ---- gather ------------------------------------------------------------- */

/* A task has failed, or it was the last. */
ASYNC_COLD_ void async_gather_heeds_(struct async_loop *loop,
                                     struct async_batch *batch, int outcome)
{
    if (outcome < 0 && !batch->collect && !batch->result_)
        async_batch_stop_(loop, batch, outcome);
    if (batch->left_ == 0)
        (void)async_line_wake_(loop, &batch->line_, ASYNC_DONE);
}

static inline void async_gather_ended_(struct async_loop *loop,
                                       struct async_owner_ *owner,
                                       struct async_task *task)
{
    struct async_batch *batch = async_batch_of_(owner);
    int outcome = task->wait_.status;

    if (--batch->left_ == 0 || outcome < 0)
        async_gather_heeds_(loop, batch, outcome);
}

/* Awaitable: waits until all of tasks[0 .. count-1], which have been spawned,
 * have ended; some may have already. Returns ASYNC_DONE, or the first error.
 * Results are in the tasks' frames, so in input order. ASYNC_EINVAL: one was
 * never spawned, or another gather waits for it; ASYNC_EBUSY: the batch serves
 * another wait (mistakes of the program's: asserted, in all that takes a
 * batch). If canceled here: the tasks are canceled and awaited, then
 * ASYNC_ECANCELED. */
static inline async_status async_gather(struct async_loop *loop,
                                        struct async_batch *batch,
                                        struct async_task *tasks, size_t count)
{
    int begun = async_batch_begun_(batch, ASYNC_BATCH_GATHERS_);
    size_t i;

    if (!begun)
        begun = async_batch_begin_(loop, batch, ASYNC_BATCH_GATHERS_, tasks,
                                   count, async_gather_ended_);
    if (begun < 0)
        return begun;
    if (!begun && batch->left_ < count && !batch->collect)
        for (i = 0; i < count && !batch->result_; i++)
            if (async_task_outcome(&tasks[i]) < 0)
                async_batch_stop_(loop, batch, tasks[i].wait_.status);
    return async_batch_wait_(loop, batch);
}

static inline void async_map_start_(struct async_loop *loop,
                                    struct async_batch *batch,
                                    struct async_task *task)
{
    (void)async_spawn(loop, task, batch->fn_, batch->next_);
    batch->next_ += batch->size_;
    batch->left_++;
    async_own_(task, &batch->owner_);
}

static inline void async_map_ended_(struct async_loop *loop,
                                    struct async_owner_ *owner,
                                    struct async_task *task)
{
    struct async_batch *batch = async_batch_of_(owner);
    int outcome = task->wait_.status;

    if (batch->next_ != batch->end_ && (outcome > 0 || batch->collect)) {
        batch->left_--;
        async_map_start_(loop, batch, task);
    } else {
        async_gather_ended_(loop, owner, task);
    }
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
    int begun = async_batch_begun_(batch, ASYNC_BATCH_MAPS_);
    size_t i;

    if (begun < 0)
        return begun;
    if (count && !limit)
        return ASYNC_EINVAL;
    if (!begun) {
        async_batch_set_(batch, ASYNC_BATCH_MAPS_, tasks,
                         limit < count ? limit : count);
        batch->owner_.ended = async_map_ended_;
        batch->fn_ = fn;
        batch->size_ = size;
        batch->next_ = (char *)frames;
        batch->end_ = (char *)frames + size * count;
        for (i = 0; i < batch->count_; i++)
            async_map_start_(loop, batch, &tasks[i]);
    }
    return async_batch_wait_(loop, batch);
}

/* The same for true arrays: as many calls at once as there are tasks. */
#define async_map(loop, batch, fn, frames, tasks)                              \
    async_map_n(loop, batch, fn, frames, sizeof *(frames),                     \
                sizeof(frames) / sizeof *(frames), tasks,                      \
                sizeof(tasks) / sizeof *(tasks))

/* ---- race --------------------------------------------------------------- */

static inline void async_race_end_(struct async_loop *loop,
                                   struct async_batch *batch,
                                   struct async_task *task)
{
    batch->winner = (size_t)(task - batch->tasks_);
    async_batch_stop_(loop, batch, task->wait_.status);
}

static inline void async_race_ended_(struct async_loop *loop,
                                     struct async_owner_ *owner,
                                     struct async_task *task)
{
    struct async_batch *batch = async_batch_of_(owner);

    batch->left_--;
    if (!batch->result_ &&
        (task->wait_.status > 0 || !batch->collect || batch->left_ == 0))
        async_race_end_(loop, batch, task);
    if (batch->left_ == 0)
        (void)async_line_wake_(loop, &batch->line_, ASYNC_DONE);
}

/* Awaitable: waits until the first of the tasks, which have been spawned, has
 * ended; cancels the others, awaits them, and returns how the first one ended.
 * batch->winner is its index; of several that had ended before the race, the
 * first. With batch->collect an error does not win, unless all fail: then it is
 * the last one. What the others return after that is not looked at; their
 * outcomes tell. ASYNC_EINVAL: there are no tasks; and as async_gather. If
 * canceled here: all are canceled and awaited, then ASYNC_ECANCELED. */
static inline async_status async_race(struct async_loop *loop,
                                      struct async_batch *batch,
                                      struct async_task *tasks, size_t count)
{
    int begun = async_batch_begun_(batch, ASYNC_BATCH_RACES_);
    size_t i;

    if (!begun && !count)
        return ASYNC_EINVAL;
    if (!begun) {
        begun = async_batch_begin_(loop, batch, ASYNC_BATCH_RACES_, tasks,
                                   count, async_race_ended_);
        batch->winner = count;
        for (i = 0; !begun && i < count && !batch->result_; i++) {
            int outcome = async_task_outcome(&tasks[i]);
            int last = batch->left_ == 0 && i == count - 1;

            if (outcome && (outcome > 0 || !batch->collect || last))
                async_race_end_(loop, batch, &tasks[i]);
        }
    }
    return begun < 0 ? begun : async_batch_wait_(loop, batch);
}

/* ---- wait --------------------------------------------------------------- */

enum {                        /* what async_wait waits for */
       ASYNC_FIRST_COMPLETED, /* one has ended */
       ASYNC_FIRST_ERROR,     /* one has failed, or all have ended */
       ASYNC_ALL_COMPLETED    /* all have ended */
};

static inline void async_wait_ended_(struct async_loop *loop,
                                     struct async_owner_ *owner,
                                     struct async_task *task)
{
    struct async_batch *batch = async_batch_of_(owner);

    batch->left_--;
    if (batch->left_ == 0 || batch->until_ == ASYNC_FIRST_COMPLETED ||
        (batch->until_ == ASYNC_FIRST_ERROR && task->wait_.status < 0))
        (void)async_line_wake_(loop, &batch->line_, ASYNC_DONE);
}

/* Awaitable: waits for ASYNC_FIRST_COMPLETED, ASYNC_FIRST_ERROR or
 * ASYNC_ALL_COMPLETED of the tasks, which have been spawned; those count that
 * had ended before. Cancels none: they go on, as if it had not been. Returns
 * ASYNC_DONE; async_task_outcome tells which have ended, and how: their errors
 * count as joined. Takes count steps a call: for one after the other there is
 * async_as_completed. ASYNC_EINVAL: there are no tasks, or `until` is none of
 * these; and as async_gather. If canceled here: the tasks go on. */
static inline async_status async_wait(struct async_loop *loop,
                                      struct async_batch *batch,
                                      struct async_task *tasks, size_t count,
                                      int until)
{
    int begun = async_batch_begun_(batch, ASYNC_BATCH_WAITS_), over = 0;
    async_status status = ASYNC_DONE;
    size_t i;

    if (!begun && (!count || until < ASYNC_FIRST_COMPLETED ||
                   until > ASYNC_ALL_COMPLETED))
        return ASYNC_EINVAL;
    if (!begun) {
        begun = async_batch_begin_(loop, batch, ASYNC_BATCH_WAITS_, tasks,
                                   count, async_wait_ended_);
        batch->until_ = (uint8_t)until;
        over = batch->left_ == 0 ||
               (batch->left_ < count && until == ASYNC_FIRST_COMPLETED);
        if (until == ASYNC_FIRST_ERROR && batch->left_ < count)
            for (i = 0; !begun && i < count; i++)
                over |= async_task_outcome(&tasks[i]) < 0;
    }
    if (begun < 0)
        return begun;
    if (!over)
        status = async_line_wait_(loop, &batch->line_);
    if (status == ASYNC_PENDING || status == ASYNC_ASKED_)
        return status;
    async_batch_leave_(batch);
    return status;
}

/* ---- as completed ------------------------------------------------------- */

static inline void async_completed_ended_(struct async_loop *loop,
                                          struct async_owner_ *owner,
                                          struct async_task *task)
{
    struct async_batch *batch = async_batch_of_(owner);

    batch->left_--;
    async_line_join_(&batch->over_, &task->wait_); /* which it needs no more */
    (void)async_line_wake_(loop, &batch->line_, ASYNC_DONE);
}

/* Awaitable: the next of the tasks, which have been spawned, that has ended, in
 * the order in which they end; first come those that had ended before, in the
 * order of the array. ASYNC_DONE: `*task` is that task, NULL after the last.
 * Its error is its outcome, and counts as joined. It may be spawned anew, but
 * not before it was handed out. For each of them call it with the same batch,
 * tasks and count; to leave before the last, async_batch_end. Errors as
 * async_gather. If canceled here: nothing is lost, the tasks go on, and it may
 * be called again. */
static inline async_status async_as_completed(struct async_loop *loop,
                                              struct async_batch *batch,
                                              struct async_task *tasks,
                                              size_t count,
                                              struct async_task **task)
{
    int begun = async_batch_begun_(batch, ASYNC_BATCH_COMPLETES_);
    async_status status = ASYNC_DONE;
    size_t i;

    if (!begun) {
        begun = async_batch_begin_(loop, batch, ASYNC_BATCH_COMPLETES_, tasks,
                                   count, async_completed_ended_);
        for (i = 0; !begun && i < count; i++)
            if (async_task_outcome(&tasks[i]))
                async_line_join_(&batch->over_, &tasks[i].wait_);
    }
    if (begun < 0)
        return begun;
    if ((batch->left_ && !batch->over_) || async_waits_in_(loop, &batch->line_))
        status = async_line_wait_(loop, &batch->line_);
    if (status != ASYNC_DONE)
        return status;
    *task = (struct async_task *)(void *)batch->over_;
    if (*task)
        async_line_leave_(&batch->over_, batch->over_);
    else
        batch->kind_ = ASYNC_BATCH_IDLE_;
    return ASYNC_DONE;
}

/* ---- a batch's end ------------------------------------------------------ */

/* Asks all of its tasks that still run to stop; map starts no more. What waits
 * for them goes on until they have ended; gather and map, and a race without a
 * winner, return ASYNC_ECANCELED then. Nothing if nothing waits. */
static inline void async_batch_cancel(struct async_loop *loop,
                                      struct async_batch *batch)
{
    if (batch->kind_ != ASYNC_BATCH_IDLE_ && !batch->result_)
        async_batch_stop_(loop, batch, ASYNC_ECANCELED);
}

/* Awaitable, for finally sections: cancels all of its tasks that still run and
 * awaits them. Done at once if there are none: so too after gather, map and
 * race, which leave none behind, and after wait, which leaves all alone.
 * Returns ASYNC_DONE. If canceled here: it goes on; the next wait takes the
 * cancel. */
static inline async_status async_batch_end(struct async_loop *loop,
                                           struct async_batch *batch)
{
    if (batch->kind_ == ASYNC_BATCH_IDLE_)
        return ASYNC_DONE;
    if (batch->kind_ != ASYNC_BATCH_ENDS_) {
        batch->kind_ = ASYNC_BATCH_ENDS_;
        batch->owner_.ended = async_gather_ended_;
        async_batch_stop_(loop, batch, ASYNC_ECANCELED);
    }
    if ((batch->left_ || async_waits_in_(loop, &batch->line_)) &&
        async_line_wait_(loop, &batch->line_) != ASYNC_DONE)
        return ASYNC_PENDING;
    while (batch->over_)
        async_line_leave_(&batch->over_, batch->over_);
    batch->kind_ = ASYNC_BATCH_IDLE_;
    return ASYNC_DONE;
}

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
