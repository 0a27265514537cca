/* async_thread.h: blocking calls on OS threads, awaited.
 * SPDX-License-Identifier: MIT
 *
 * A call that blocks would stop the loop and every task on it. An executor runs
 * such calls on a limited number of threads while the task waits like for
 * anything else. Threads are started when there is work for them; the queue in
 * front of them is bounded, and a full one is awaited. The job lives in the
 * caller's frame: nothing is allocated. Threads of POSIX or of
 * Windows.
 *
 *     #include <stdio.h>
 *     #include "async_thread.h"
 *
 *     static int add_up(struct async_job *job, void *arg)
 *     {
 *         long *sum = arg;
 *
 *         for (long i = 1; i <= 1000000 && !async_job_canceled(job); i++)
 *             *sum += i;
 *         return 0;
 *     }
 *
 *     struct program {
 *         struct async_frame async;
 *         struct async_executor executor;
 *         struct async_job job;
 *         long sum;
 *     };
 *
 *     static async program(struct async_loop *loop, void *frame)
 *     {
 *         struct program *self = frame;
 *
 *         async_begin(self);
 *         await(async_offload(loop, &self->executor, &self->job, add_up,
 *                             &self->sum));
 *         printf("%ld\n", self->sum);
 *         async_end();
 *     }
 *
 *     int main(void)
 *     {
 *         struct async_loop loop = {0};
 *         struct program frame = {0};
 *
 *         if (async_executor_start(&frame.executor, 2, 16) < 0 ||
 *             async_run(&loop, program, &frame) < 0)
 *             return 1;
 *         async_executor_stop(&frame.executor, ASYNC_STOP_DRAIN);
 *         return 0;
 *     }
 *
 * prints (cc with -pthread)
 *
 *     500000500000
 *
 * Rules
 * 1. A job and what its function touches stay where they are until the await
 *    is over. async_offload sees to that: canceled or not, it returns when no
 *    thread works on the job any more.
 * 2. A function that takes long looks at async_job_canceled now and then.
 * 3. An executor serves one loop. Stop it before the loop's memory goes: until
 *    then a worker may be about to wake the loop. Its own memory stays until
 *    the awaits of its jobs are over, and the poll in which they ended.
 * 4. After a fork the threads are the parent's. In the child an executor
 *    refuses all work, and what was on its way to it or back is lost: don't
 *    await that there, but go on with a loop and an executor of the child's.
 *
 * Who may touch what: the loop's thread calls everything here but
 * async_job_canceled, which is the job function's.
 *
 * Configuration: see async_worker.h and async_atomic.h
 */
#ifndef ASYNC_THREAD_H
#define ASYNC_THREAD_H

#include "async_worker.h" /* executors, and what their threads do */

/* ---- back to the loop ---------------------------------------------------- */

static inline void async_executor_promise_(struct async_executor *executor);

/* A job is over: its task goes on. On the loop's thread. */
static inline void async_job_over_(struct async_job *job)
{
    struct async_executor *executor = job->executor_;

    executor->away_--;
    executor->loop_->coming_--;
    (void)async_line_wake_(executor->loop_, &job->line_, ASYNC_DONE);
}

static inline void async_executor_refill_(struct async_executor *executor);

/* Takes all that is finished, in that order, and leaves `empty` there. False:
 * nothing was. On the loop's thread. */
static inline int async_executor_collect_(struct async_executor *executor,
                                          size_t empty)
{
    struct async_job *job, *next, *first = NULL;
    size_t top;

    do {
        top = async_atomic_load_(&executor->finished_);
    } while (!async_atomic_swap_if_(&executor->finished_, top, empty));
    if (top == ASYNC_LOOKED_AT_)
        return 0;
    for (job = (struct async_job *)top; job; job = next) {
        next = job->next_;
        ASYNC_FETCH_((void *)job->before_);
        job->next_ = first;
        first = job;
    }
    for (job = first; job; job = next) {
        next = job->next_;
        async_job_over_(job);
    }
    if (async_atomic_load_(&executor->behind_))
        async_executor_refill_(executor);
    async_executor_promise_(executor);
    return first != NULL;
}

static inline void async_executor_look_(struct async_executor *executor);

/* What async_post brings to the loop. */
static inline void async_executor_posted_(struct async_loop *loop,
                                          struct async_post *post)
{
    size_t offset = offsetof(struct async_executor, post_);
    struct async_executor *executor =
        (struct async_executor *)(void *)((char *)(void *)post - offset);

    (void)loop;
    (void)async_executor_collect_(executor, 0);
    if (executor->spin)
        async_executor_look_(executor);
}

/* ---- executor ----------------------------------------------------------- */

/* So many workers are meant. */
static inline unsigned async_workers_(unsigned workers)
{
    if (workers)
        return workers;
    workers = async_os_processors_();
    return workers > ASYNC_MAX_WORKERS ? ASYNC_MAX_WORKERS : workers;
}

/* Makes an executor of at most `workers` threads (0: one a processor) with
 * `places` in its queue (0: as many as workers). Its public fields are as they
 * were. Starts no thread yet. Returns 0; ASYNC_EINVAL: more than
 * ASYNC_MAX_WORKERS; ASYNC_EBUSY: it is started, or awaits of its jobs are not
 * over; a negated errno. */
static inline int async_executor_start(struct async_executor *executor,
                                       unsigned workers, unsigned places)
{
    unsigned i;
    int error;

    workers = async_workers_(workers);
    if (workers > ASYNC_MAX_WORKERS)
        return ASYNC_EINVAL;
    if (executor->is_ == ASYNC_EXECUTOR_IS_STARTED_ || executor->away_)
        return ASYNC_EBUSY;
    error = async_os_lock_make_(&executor->lock_);
    if (error)
        return error;
    error = async_os_signal_make_(&executor->gone_);
    if (error) {
        async_os_lock_end_(&executor->lock_);
        return error;
    }
    for (i = 0; i < ASYNC_MAX_WORKERS; i++) {
        executor->workers_[i].is = ASYNC_WORKER_IS_NEW_;
        executor->workers_[i].begun = 0;
        executor->workers_[i].done = 0;
    }
    executor->loop_ = NULL;
    executor->posted_ = async_executor_posted_;
    executor->put_ = executor->begun_ = executor->canceled_ = 0;
    executor->orders_ = 0;
    executor->crew_ = 0;
    executor->idle_ = NULL;
    executor->closed_ = 0;
    executor->here_ = executor->made_ = 0;
    executor->flushed_ = 1;
    executor->limit_ = workers;
    executor->places_ = places ? places : workers;
    executor->process_ = async_os_process_();
    executor->is_ = ASYNC_EXECUTOR_IS_STARTED_;
    return 0;
}

/* True unless this process is a fork's child, where there are no threads, and
 * perhaps a lock that nobody gives back. */
static inline int async_executor_here_(const struct async_executor *executor)
{
    return executor->process_ == async_os_process_();
}

/* Takes the lock on the loop's thread, if there is anybody to lock out. */
static inline int async_executor_lock_(struct async_executor *executor)
{
    int locked = executor->is_ == ASYNC_EXECUTOR_IS_STARTED_ &&
                 async_executor_here_(executor);

    if (locked)
        async_os_lock_take_(&executor->lock_);
    return locked;
}

static inline void async_executor_unlock_(struct async_executor *executor,
                                          int locked)
{
    if (locked)
        async_os_lock_give_(&executor->lock_);
}

/* What has begun, and of that what has ended. */
static inline size_t async_executor_sum_(struct async_executor *executor,
                                         size_t *done)
{
    size_t begun = 0;
    unsigned i;

    *done = 0;
    for (i = 0; i < executor->made_; i++)
        *done += async_atomic_load_(&executor->workers_[i].done);
    for (i = 0; i < executor->made_; i++)
        begun += async_atomic_load_(&executor->workers_[i].begun);
    executor->begun_ = begun;
    return begun;
}

/* Lets as many in from outside as there are places. */
static inline int async_executor_room_(struct async_executor *executor)
{
    size_t done;

    if (executor->put_ - executor->begun_ + executor->promised_ <
        executor->places_)
        return 1;
    (void)async_executor_sum_(executor, &done);
    return executor->put_ - executor->begun_ + executor->promised_ <
           executor->places_;
}

static inline void async_executor_promise_(struct async_executor *executor)
{
    while (executor->outside_ && async_executor_room_(executor) &&
           async_line_wake_(executor->loop_, &executor->outside_, ASYNC_DONE))
        executor->promised_++;
}

/* Takes the job out of the queue. False: a worker has, or had it. */
static inline int async_executor_withdraw_(struct async_executor *executor,
                                           struct async_job *job)
{
    int was_queued, locked;

    if (job->slot_) {
        was_queued = async_atomic_swap_if_(job->slot_, (size_t)job, 0);
    } else {
        locked = async_executor_lock_(executor);
        was_queued = job->is_behind_;
        if (was_queued)
            async_executor_unlink_(executor, job);
        async_executor_unlock_(executor, locked);
    }
    if (was_queued) {
        executor->put_--;
        executor->canceled_++;
    }
    return was_queued;
}

/* The job that has been queued for the longest time. It may begin meanwhile,
 * but its await does not end before this thread has seen to it. */
static inline struct async_job *
async_executor_oldest_(struct async_executor *executor)
{
    size_t tail = executor->tail_, i = tail - ASYNC_RING;
    struct async_job *job = NULL;

    for (; !job && i != tail; i++)
        job = (struct async_job *)async_atomic_load_(
            &executor->ring_[i % ASYNC_RING]);
    if (!job) {
        int locked = async_executor_lock_(executor);

        job = executor->first_;
        async_executor_unlock_(executor, locked);
    }
    return job;
}

/* All that is queued ends with `status`, and never runs. */
static inline void async_executor_drop_(struct async_executor *executor,
                                        int status)
{
    struct async_job *job;

    while ((job = async_executor_oldest_(executor)) != NULL) {
        if (!async_executor_withdraw_(executor, job))
            continue;
        job->status_ = status;
        async_job_over_(job);
    }
}

/* The executor in numbers. In a fork's child: those of the fork. */
static inline struct async_executor_counts
async_executor_count(struct async_executor *executor)
{
    struct async_executor_counts counts;
    size_t done, begun = async_executor_sum_(executor, &done);
    struct async_job *oldest = async_executor_oldest_(executor);

    counts.limit = executor->limit_;
    counts.threads =
        (unsigned)(async_atomic_load_(&executor->crew_) / ASYNC_CREW_);
    counts.running = (unsigned)(begun - done);
    counts.queued = (unsigned)(executor->put_ - begun);
    counts.done = (unsigned long)done;
    counts.canceled = (unsigned long)executor->canceled_;
    counts.oldest = 0;
    if (oldest)
        counts.oldest = (async_time)(executor->loop_->now_ - oldest->since_);
    return counts;
}

/* Into the ring. False: there is no free slot. */
static inline int async_executor_push_(struct async_executor *executor,
                                       struct async_job *job)
{
    volatile size_t *slot = &executor->ring_[executor->tail_ % ASYNC_RING];

    if (async_atomic_load_(slot))
        return 0;
    job->slot_ = slot;
    async_atomic_store_(slot, (size_t)job);
    async_atomic_store_(&executor->tail_, executor->tail_ + 1);
    return 1;
}

/* Has the workers do what is queued: starts threads, as many as there is work
 * for, and wakes one. */
static inline void async_executor_flush_(struct async_executor *executor)
{
    size_t threads, done;
    int error = 0;

    executor->flushed_ = 1;
    if (!async_executor_here_(executor)) {
        async_executor_drop_(executor, ASYNC_ENOTSUP);
        async_executor_promise_(executor);
        return;
    }
    threads = async_atomic_add_(&executor->crew_, 0) / ASYNC_CREW_;
    if (threads < executor->limit_ && threads < executor->away_) {
        (void)async_executor_sum_(executor, &done);
        for (; threads < executor->limit_ && threads < executor->put_ - done;
             threads++) {
            error = async_worker_start_(executor);
            if (error)
                break;
        }
    }
    if (threads) {
        async_executor_call_(executor);
    } else {
        async_executor_drop_(executor, error);
        async_executor_promise_(executor);
    }
}

/* The executor's own task: at the end of a round it tells the workers of what
 * was queued in it; and looks for what is finished, as long as it has patience,
 * so that nobody need wake the loop. */
static inline async_status async_executor_task_(struct async_loop *loop,
                                                void *arg)
{
    struct async_executor *executor = (struct async_executor *)arg;
    unsigned patience = loop->ready_ == loop->current_ ? executor->spin : 0;

    if (!executor->flushed_)
        async_executor_flush_(executor);
    while (executor->looks_) {
        if (async_executor_collect_(executor, ASYNC_LOOKED_AT_)) {
            loop->step_ |= ASYNC_STEP_SEEN_ | ASYNC_STEP_AGAIN_;
            return ASYNC_PENDING;
        }
        if (executor->away_ && patience--)
            async_os_pause_();
        else if (async_atomic_swap_if_(&executor->finished_, ASYNC_LOOKED_AT_,
                                       0))
            executor->looks_ = 0;
    }
    return ASYNC_DONE;
}

/* Has that task run in this round. */
static inline void async_executor_ready_(struct async_executor *executor)
{
    if (!(executor->task_.wait_.flags & ASYNC_IS_ALIVE_))
        (void)async_spawn(executor->loop_, &executor->task_,
                          async_executor_task_, executor);
}

/* Has it look for what is finished, if nobody is about to tell of that. */
static inline void async_executor_look_(struct async_executor *executor)
{
    if (!executor->looks_ &&
        async_atomic_swap_if_(&executor->finished_, 0, ASYNC_LOOKED_AT_)) {
        executor->looks_ = 1;
        async_executor_ready_(executor);
    }
}

/* After a job was queued. The first one in a round is told of at once, the
 * others at its end: who was woken for the first takes them too. */
static inline void async_executor_tell_(struct async_executor *executor)
{
    struct async_loop *loop = executor->loop_;
    int is_first = !(executor->task_.wait_.flags & ASYNC_IS_ALIVE_);

    if (executor->spin)
        async_executor_look_(executor);
    if (is_first)
        async_executor_flush_(executor);
    if (loop->ready_ != loop->current_)
        async_executor_ready_(executor);
}

/* Queues the job. */
static inline void async_executor_put_(struct async_executor *executor,
                                       struct async_job *job)
{
    struct async_loop *loop = executor->loop_;
    int locked;

    job->is_ = ASYNC_JOB_IS_SUBMITTED_;
    job->since_ = loop->now_;
    executor->put_++;
    executor->away_++;
    loop->coming_++;
    executor->flushed_ = 0;
    if (!async_atomic_load_(&executor->behind_) &&
        async_executor_push_(executor, job))
        return;
    locked = async_executor_lock_(executor);
    job->slot_ = NULL;
    job->is_behind_ = 1;
    job->next_ = NULL;
    job->before_ = executor->last_;
    if (executor->last_)
        executor->last_->next_ = job;
    else
        executor->first_ = job;
    executor->last_ = job;
    async_atomic_store_(&executor->behind_, executor->behind_ + 1);
    async_executor_unlock_(executor, locked);
}

/* What is behind the ring moves up. */
static inline void async_executor_refill_(struct async_executor *executor)
{
    struct async_job *job;
    int locked = async_executor_lock_(executor);

    while ((job = executor->first_) != NULL) {
        if (async_atomic_load_(&executor->ring_[executor->tail_ % ASYNC_RING]))
            break;
        async_executor_unlink_(executor, job);
        (void)async_executor_push_(executor, job);
    }
    async_executor_unlock_(executor, locked);
    async_executor_flush_(executor);
}

/* Has all workers come to the lock, which is held. */
static inline void async_executor_muster_(struct async_executor *executor)
{
    struct async_worker_ *worker;

    if (!(async_atomic_load_(&executor->orders_) & ASYNC_ORDER_COME_))
        (void)async_atomic_add_(&executor->orders_, ASYNC_ORDER_COME_);
    while ((worker = async_executor_rouse_(executor)) != NULL)
        async_os_signal_one_(&worker->call);
}

/* Changes the limit of threads (0: one a processor), at any time. What is
 * queued gets new threads at once; threads too many end after the job they are
 * at. Returns 0; ASYNC_EINVAL: more than ASYNC_MAX_WORKERS; ASYNC_ECLOSED: it
 * is not started, or was stopped; ASYNC_ENOTSUP: in the child of a fork. */
static inline int async_executor_limit(struct async_executor *executor,
                                       unsigned workers)
{
    workers = async_workers_(workers);
    if (workers > ASYNC_MAX_WORKERS)
        return ASYNC_EINVAL;
    if (executor->is_ != ASYNC_EXECUTOR_IS_STARTED_ || executor->closed_)
        return ASYNC_ECLOSED;
    if (!async_executor_here_(executor))
        return ASYNC_ENOTSUP;
    async_os_lock_take_(&executor->lock_);
    executor->limit_ = workers;
    if (async_executor_surplus_(executor))
        async_executor_muster_(executor);
    async_os_lock_give_(&executor->lock_);
    if (executor->away_)
        async_executor_flush_(executor);
    return 0;
}

enum {
    ASYNC_STOP_DRAIN, /* what is queued is still done */
    ASYNC_STOP_CANCEL /* what is queued is not; what runs is asked to stop */
};

/* True if this is one of the executor's threads. Under the lock. */
static inline int async_executor_is_this_(struct async_executor *executor)
{
    unsigned i;

    for (i = 0; i < executor->made_; i++)
        if (executor->workers_[i].is == ASYNC_WORKER_IS_HERE_ &&
            async_os_thread_is_this_(executor->workers_[i].thread))
            return 1;
    return 0;
}

/* Of the jobs that run the one that was queued first; NULL if none does. */
static inline struct async_job *
async_executor_stuck_(struct async_executor *executor)
{
    struct async_job *stuck = NULL, *job;
    unsigned i;

    for (i = 0; i < executor->made_; i++) {
        job = (struct async_job *)async_atomic_load_(
            &executor->workers_[i].current);
        if (job && (!stuck || async_before_(job->since_, stuck->since_)))
            stuck = job;
    }
    return stuck;
}

/* Closes the executor and waits until its threads have ended, for `ms`
 * milliseconds at the most, UINT32_MAX: for ever. It blocks. Every await of a
 * job on it still ends: with its result; with ASYNC_ECLOSED, if it never ran;
 * so do later ones. Returns 0, also if it was stopped before. ASYNC_ETIMEDOUT:
 * a job is stuck, and in *stuck (if that is not NULL) is which, the one that
 * was queued first, or NULL for one that has just ended. Then the executor is
 * closed, but has its threads still; job, executor and loop must stay until
 * this was called again and has returned 0. ASYNC_EDEADLK: from a job of its
 * own (a mistake of the program's: asserted). ASYNC_ENOTSUP: in the child of a
 * fork; what is queued ends there with ASYNC_ECLOSED. */
static inline int async_executor_stop_within(struct async_executor *executor,
                                             int how, uint32_t ms,
                                             struct async_job **stuck)
{
    struct async_os_moment_ until;
    struct async_worker_ *worker;
    int here, itself, locked, in_time = 1;

    if (executor->is_ != ASYNC_EXECUTOR_IS_STARTED_)
        return 0;
    here = locked = async_executor_lock_(executor);
    itself = here && async_executor_is_this_(executor);
    async_executor_unlock_(executor, locked);
    ASYNC_ASSERT(!itself, "an executor is stopped by a job of its own: stop it "
                          "from its loop's thread");
    if (itself)
        return ASYNC_EDEADLK;
    if (!executor->flushed_)
        async_executor_flush_(executor);
    if (how == ASYNC_STOP_CANCEL || !here) { /* in this order */
        async_executor_drop_(executor, ASYNC_ECLOSED);
        if (!(async_atomic_load_(&executor->orders_) & ASYNC_ORDER_STOP_))
            (void)async_atomic_add_(&executor->orders_, ASYNC_ORDER_STOP_);
    }
    if (here)
        until = async_os_moment_in_(ms);
    locked = async_executor_lock_(executor);
    executor->closed_ = 1;
    if (here) {
        async_executor_muster_(executor);
        while (executor->here_ && in_time)
            if (ms == UINT32_MAX)
                async_os_wait_(&executor->gone_, &executor->lock_);
            else
                in_time = async_os_wait_until_(&executor->gone_,
                                               &executor->lock_, &until);
        in_time = !executor->here_;
    }
    async_executor_unlock_(executor, locked);
    while (executor->outside_ &&
           async_line_wake_(executor->loop_, &executor->outside_, ASYNC_DONE))
        executor->promised_++;
    if (!here)
        return ASYNC_ENOTSUP;
    if (!in_time) {
        if (stuck)
            *stuck = async_executor_stuck_(executor);
        return ASYNC_ETIMEDOUT;
    }
    for (worker = executor->workers_;
         worker != executor->workers_ + executor->made_; worker++) {
        if (worker->is == ASYNC_WORKER_IS_GONE_)
            async_os_thread_join_(worker->thread);
        if (worker->is != ASYNC_WORKER_IS_NEW_)
            async_os_signal_end_(&worker->call);
    }
    executor->is_ = ASYNC_EXECUTOR_IS_STOPPED_;
    async_os_signal_end_(&executor->gone_);
    async_os_lock_end_(&executor->lock_);
    return 0;
}

/* The same, without an end to the wait. */
static inline void async_executor_stop(struct async_executor *executor, int how)
{
    (void)async_executor_stop_within(executor, how, UINT32_MAX, NULL);
}

/* ---- jobs --------------------------------------------------------------- */

/* True once the job should stop: its task was canceled or timed out, or its
 * executor is being stopped. For the job's function. */
static inline int async_job_canceled(const struct async_job *job)
{
    return async_atomic_load_(&job->canceled_) ||
           async_atomic_load_(&job->executor_->orders_) & ASYNC_ORDER_STOP_;
}

/* Awaitable: waits for a place, in line, and queues the job; ASYNC_DONE once
 * that is done. If canceled here: it is not queued. */
static inline async_status async_job_queue_(struct async_loop *loop,
                                            struct async_executor *executor,
                                            struct async_job *job,
                                            async_job_fn *fn, void *arg)
{
    int status, waits = 1;

    if (job->is_ == ASYNC_JOB_IS_NEW_) {
        (void)async_running_(loop);
        ASYNC_ASSERT(executor->is_, "call async_executor_start first");
        ASYNC_ASSERT(!executor->loop_ || executor->loop_ == loop,
                     "an executor serves one loop: give this one its own");
        if (!executor->is_)
            return ASYNC_EINVAL;
        if (executor->closed_)
            return ASYNC_ECLOSED;
        if (!executor->loop_) /* workers read it */
            executor->loop_ = loop;
        job->executor_ = executor;
        job->fn_ = fn;
        job->arg_ = arg;
        job->canceled_ = 0;
        job->is_ = ASYNC_JOB_IS_OUTSIDE_;
        waits = executor->outside_ || executor->promised_ ||
                !async_executor_room_(executor);
    }
    if (waits) {
        status = async_line_wait_(loop, &executor->outside_);
        if (status == ASYNC_PENDING || status == ASYNC_ASKED_)
            return status;
        if (status == ASYNC_DONE) {
            executor->promised_--;
            if (executor->closed_)
                status = ASYNC_ECLOSED;
        }
        if (status != ASYNC_DONE) {
            job->is_ = ASYNC_JOB_IS_NEW_;
            return status;
        }
    }
    async_executor_put_(executor, job);
    return ASYNC_DONE;
}

/* Awaitable: runs fn(job, arg) on one of the executor's threads, and waits
 * until it has returned. A full queue is awaited first, in line. Returns
 * ASYNC_DONE, or fn's error; ASYNC_ECLOSED: the executor was stopped first;
 * ASYNC_ENOTSUP: in the child of a fork; a negated errno: there is no thread
 * and none could be started. If canceled here: a job that is queued never runs;
 * one that runs is told by async_job_canceled, and waited for; then
 * ASYNC_ECANCELED. */
static inline async_status async_offload(struct async_loop *loop,
                                         struct async_executor *executor,
                                         struct async_job *job,
                                         async_job_fn *fn, void *arg)
{
    int status, begins = job->is_ <= ASYNC_JOB_IS_OUTSIDE_;

    if (begins) {
        status = async_job_queue_(loop, executor, job, fn, arg);
        if (status != ASYNC_DONE)
            return status;
    }
    status = async_line_wait_(loop, &job->line_);
    if (begins)
        async_executor_tell_(executor);
    if (status == ASYNC_PENDING)
        return status;
    if (status == ASYNC_ECANCELED) {
        if (async_executor_withdraw_(executor, job)) {
            executor->away_--;
            loop->coming_--;
            async_executor_promise_(executor);
        } else {
            async_atomic_store_(&job->canceled_, 1);
            job->is_ = ASYNC_JOB_IS_CANCELED_;
            status = async_line_wait_(loop, &job->line_);
        }
    } else if (status == ASYNC_DONE) {
        status = job->is_ == ASYNC_JOB_IS_CANCELED_ ? ASYNC_ECANCELED
                 : job->status_ < 0                 ? job->status_
                                                    : ASYNC_DONE;
    }
    if (status == ASYNC_ASKED_ && job->is_ == ASYNC_JOB_IS_CANCELED_)
        status = ASYNC_PENDING; /* one cancel at a time */
    if (status != ASYNC_PENDING && status != ASYNC_ASKED_)
        job->is_ = ASYNC_JOB_IS_NEW_;
    return status;
}

#endif /* ASYNC_THREAD_H */

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
