/* async_thread.h: blocking calls on OS threads, awaited.
 * SPDX-License-Identifier: MIT
 *
 * A call that blocks would stop the loop and every task on it. An executor runs
 * such calls on a limited number of threads while the task waits like for
 * anything else. Threads are started when there is work for them; the queue in
 * front of them is bounded, and a full one is awaited. The job lives in the
 * caller's frame: nothing is allocated. POSIX threads.
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
 *    then a worker may be about to wake the loop.
 *
 * Who may touch what: the loop's thread calls everything here but
 * async_job_canceled, which is the job function's.
 *
 * Configuration
 *
 *     ASYNC_MAX_WORKERS  threads an executor can have at the most, 64
 *     ASYNC_ATOMICS      see async_atomic.h
 */
#ifndef ASYNC_THREAD_H
#define ASYNC_THREAD_H

#include "async_post.h" /* from the workers to the loop; the tasks that wait */

#if !ASYNC_HAVE_RUN_
#error "async_thread.h needs POSIX threads: leave it out on this target"
#endif

#include <pthread.h> /* workers */
#include <unistd.h>  /* sysconf: how many processors */

/* ---- types -------------------------------------------------------------- */

#ifndef ASYNC_MAX_WORKERS
#define ASYNC_MAX_WORKERS 64
#endif

struct async_executor;
struct async_job;

/* What runs on a thread. Returns 0 or more when it is done, or an error. */
typedef int async_job_fn(struct async_job *job, void *arg);

/* A call on its way through an executor. Yours, in the frame of whoever
 * awaits it; all-zero to start with, and again after the await. */
struct async_job {
    /* the loop's thread, then the worker's, then the loop's again: handed over
     * by the executor's lock and by async_post */
    struct async_post post_; /* first: a post's address is its job's */
    struct async_job *next_;
    async_job_fn *fn_;
    void *arg_;
    struct async_loop *loop_;
    int status_;

    /* both, atomic */
    volatile size_t canceled_;

    /* the loop's thread only */
    int is_; /* ASYNC_JOB_IS_... */
    struct async_executor *executor_;
    struct async_wait_ *line_; /* the task that waits */
};

enum {
    ASYNC_JOB_IS_NEW_,
    ASYNC_JOB_IS_OUTSIDE_,   /* waits for a place in the queue */
    ASYNC_JOB_IS_SUBMITTED_, /* queued, running, or on its way back */
    ASYNC_JOB_IS_CANCELED_   /* the same, and its task was canceled */
};

/* Threads with a limit, and a queue with a limit in front of them. Yours. */
struct async_executor {
    /* under the lock */
    pthread_mutex_t lock_;
    pthread_cond_t work_;
    struct async_job *first_;
    struct async_job *last_;
    unsigned queued_;
    unsigned running_;
    unsigned idle_;
    unsigned long done_;
    int closed_;
    unsigned slots_; /* taken of current_, one a worker */
    struct async_job *current_[ASYNC_MAX_WORKERS];

    /* the loop's thread only */
    struct async_loop *loop_;
    struct async_wait_ *outside_; /* tasks that wait for a place */
    unsigned promised_;           /* places that such tasks were let go for */
    unsigned workers_;            /* threads started */
    unsigned limit_;
    unsigned places_;
    int stopped_; /* no threads, and no lock, any more */
    pthread_t threads_[ASYNC_MAX_WORKERS];
};

/* An executor in numbers, at one instant. */
struct async_executor_counts {
    unsigned limit;     /* threads at the most */
    unsigned threads;   /* started */
    unsigned running;   /* jobs on a thread */
    unsigned queued;    /* jobs waiting for one */
    unsigned long done; /* jobs that have run */
};

/* ---- from the workers to the loop --------------------------------------- */

static inline void async_executor_promise_(struct async_loop *loop,
                                           struct async_executor *executor);

/* A job has come back: its task goes on. On the loop's thread. */
static inline void async_job_over_(struct async_loop *loop,
                                   struct async_post *post)
{
    struct async_job *job = (struct async_job *)(void *)post;

    loop->coming_--;
    (void)async_line_wake_(loop, &job->line_, ASYNC_DONE);
    async_executor_promise_(loop, job->executor_);
}

/* ---- workers ------------------------------------------------------------ */

/* The executor's lock; once it is stopped there is nobody to lock out. */
static inline void async_executor_lock_(struct async_executor *executor)
{
    if (!executor->stopped_)
        (void)pthread_mutex_lock(&executor->lock_);
}

static inline void async_executor_unlock_(struct async_executor *executor)
{
    if (!executor->stopped_)
        (void)pthread_mutex_unlock(&executor->lock_);
}

static inline struct async_job *
async_executor_pop_(struct async_executor *executor)
{
    struct async_job *job = executor->first_;

    if (!job)
        return NULL;
    executor->first_ = job->next_;
    if (!executor->first_)
        executor->last_ = NULL;
    executor->queued_--;
    executor->running_++;
    return job;
}

/* A thread's life: hand back the finished job, take the next, run it. */
static inline void *async_worker_(void *arg)
{
    struct async_executor *executor = (struct async_executor *)arg;
    struct async_job *job = NULL, *finished;
    unsigned slot;
    int closed;

    (void)pthread_mutex_lock(&executor->lock_);
    slot = executor->slots_++;
    (void)pthread_mutex_unlock(&executor->lock_);
    do {
        finished = job;
        (void)pthread_mutex_lock(&executor->lock_);
        if (finished) {
            executor->running_--;
            executor->done_++;
        }
        while (!finished && !executor->first_ && !executor->closed_) {
            executor->idle_++;
            (void)pthread_cond_wait(&executor->work_, &executor->lock_);
            executor->idle_--;
        }
        job = executor->current_[slot] = async_executor_pop_(executor);
        closed = executor->closed_;
        (void)pthread_mutex_unlock(&executor->lock_);
        if (finished)
            async_post_send(finished->loop_, &finished->post_, async_job_over_);
        if (job)
            job->status_ = job->fn_(job, job->arg_);
    } while (job || finished || !closed);
    return NULL;
}

/* ---- executor ----------------------------------------------------------- */

/* Makes an executor of at most `workers` threads (0: one a processor) with
 * `places` in its queue (0: as many as workers). Starts no thread yet. Returns
 * 0; ASYNC_EINVAL: more than ASYNC_MAX_WORKERS; a negated errno. */
static inline int async_executor_start(struct async_executor *executor,
                                       unsigned workers, unsigned places)
{
    static const struct async_executor zero = ASYNC_ZERO_;
    int error;

    if (workers == 0) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);

        workers = processors < 1                   ? 1
                  : processors > ASYNC_MAX_WORKERS ? ASYNC_MAX_WORKERS
                                                   : (unsigned)processors;
    }
    if (workers > ASYNC_MAX_WORKERS)
        return ASYNC_EINVAL;
    *executor = zero;
    error = pthread_mutex_init(&executor->lock_, NULL);
    if (error)
        return -error;
    error = pthread_cond_init(&executor->work_, NULL);
    if (error) {
        (void)pthread_mutex_destroy(&executor->lock_);
        return -error;
    }
    executor->limit_ = workers;
    executor->places_ = places ? places : workers;
    return 0;
}

static inline struct async_executor_counts
async_executor_count(struct async_executor *executor)
{
    struct async_executor_counts counts;

    async_executor_lock_(executor);
    counts.limit = executor->limit_;
    counts.threads = executor->workers_;
    counts.running = executor->running_;
    counts.queued = executor->queued_;
    counts.done = executor->done_;
    async_executor_unlock_(executor);
    return counts;
}

enum {
    ASYNC_STOP_DRAIN, /* what is queued is still done */
    ASYNC_STOP_CANCEL /* what is queued is not; what runs is asked to stop */
};

/* Closes the executor and waits for its threads: blocks. Every await of a job
 * on it still ends: with its result; with ASYNC_ECLOSED, if it never ran; so
 * do later ones. A second time it does nothing. Not from a job. */
static inline void async_executor_stop(struct async_executor *executor, int how)
{
    struct async_job *job, *dropped = NULL;
    unsigned i;

    if (executor->stopped_)
        return;
    (void)pthread_mutex_lock(&executor->lock_);
    executor->closed_ = 1;
    if (how == ASYNC_STOP_CANCEL) {
        dropped = executor->first_;
        executor->first_ = executor->last_ = NULL;
        executor->queued_ = 0;
        for (i = 0; i < ASYNC_MAX_WORKERS; i++)
            if (executor->current_[i])
                async_atomic_store_(&executor->current_[i]->canceled_, 1);
    }
    (void)pthread_cond_broadcast(&executor->work_);
    (void)pthread_mutex_unlock(&executor->lock_);
    while ((job = dropped) != NULL) {
        dropped = job->next_;
        job->status_ = ASYNC_ECLOSED;
        async_post_send(job->loop_, &job->post_, async_job_over_);
    }
    for (i = 0; i < executor->workers_; i++)
        (void)pthread_join(executor->threads_[i], NULL);
    executor->workers_ = 0;
    executor->stopped_ = 1;
    (void)pthread_cond_destroy(&executor->work_);
    (void)pthread_mutex_destroy(&executor->lock_);
    if (executor->loop_)
        while (
            async_line_wake_(executor->loop_, &executor->outside_, ASYNC_DONE))
            executor->promised_++;
}

/* Lets as many in from outside as there are places. */
static inline void async_executor_promise_(struct async_loop *loop,
                                           struct async_executor *executor)
{
    unsigned queued;

    if (!executor->outside_)
        return;
    queued = async_executor_count(executor).queued;
    while (queued + executor->promised_ < executor->places_ &&
           async_line_wake_(loop, &executor->outside_, ASYNC_DONE))
        executor->promised_++;
}

/* Queues the job. ASYNC_PENDING: there is no place. A thread that can't be
 * started is an error only if there is none at all. */
static inline int async_submit_(struct async_executor *executor,
                                struct async_job *job)
{
    int error = -ASYNC_EINVAL; /* should nobody have started it */

    async_executor_lock_(executor);
    if (executor->limit_ &&
        executor->queued_ + executor->promised_ >= executor->places_) {
        (void)pthread_mutex_unlock(&executor->lock_);
        return ASYNC_PENDING;
    }
    if (executor->queued_ + executor->running_ >= executor->workers_ &&
        executor->workers_ < executor->limit_) {
        error = pthread_create(&executor->threads_[executor->workers_], NULL,
                               async_worker_, executor);
        if (!error)
            executor->workers_++;
    }
    if (executor->workers_ == 0) {
        (void)pthread_mutex_unlock(&executor->lock_);
        return -error;
    }
    job->next_ = NULL;
    if (executor->last_)
        executor->last_->next_ = job;
    else
        executor->first_ = job;
    executor->last_ = job;
    executor->queued_++;
    if (executor->idle_)
        (void)pthread_cond_signal(&executor->work_);
    (void)pthread_mutex_unlock(&executor->lock_);
    return ASYNC_DONE;
}

/* Takes the job out of the queue. False: it runs, or has run; then it is asked
 * to stop. */
static inline int async_withdraw_(struct async_executor *executor,
                                  struct async_job *job)
{
    struct async_job *before = NULL, *other;

    async_executor_lock_(executor);
    for (other = executor->first_; other && other != job; other = other->next_)
        before = other;
    if (other) {
        if (before)
            before->next_ = job->next_;
        else
            executor->first_ = job->next_;
        if (executor->last_ == job)
            executor->last_ = before;
        executor->queued_--;
    } else {
        async_atomic_store_(&job->canceled_, 1);
    }
    async_executor_unlock_(executor);
    return other != NULL;
}

/* ---- jobs --------------------------------------------------------------- */

/* True once the job should stop: its task was canceled or timed out, or its
 * executor is being stopped. For the job's function. */
static inline int async_job_canceled(const struct async_job *job)
{
    return async_atomic_load_(&job->canceled_) != 0;
}

/* Puts the job into the queue, or its task in line for a place there. */
static inline async_status async_offload_begin_(struct async_loop *loop,
                                                struct async_executor *executor,
                                                struct async_job *job,
                                                int may_pass)
{
    int status = ASYNC_PENDING;

    if (executor->closed_)
        return ASYNC_ECLOSED;
    if (may_pass || (!executor->outside_ && !executor->promised_))
        status = async_submit_(executor, job);
    if (may_pass)
        async_executor_promise_(loop, executor);
    if (status < 0)
        return status;
    if (status)
        loop->coming_++;
    job->is_ = status ? ASYNC_JOB_IS_SUBMITTED_ : ASYNC_JOB_IS_OUTSIDE_;
    return async_line_wait_(loop, status ? &job->line_ : &executor->outside_);
}

/* Awaitable: runs fn(job, arg) on one of the executor's threads, and waits
 * until it has returned. A full queue is awaited first, in line. Returns
 * ASYNC_DONE, or fn's error; ASYNC_ECLOSED: the executor was stopped first; a
 * negated errno: there is no thread and none could be started. If canceled
 * here: a job that is queued never runs; one that runs is told by
 * async_job_canceled, and waited for; then ASYNC_ECANCELED. */
static inline async_status async_offload(struct async_loop *loop,
                                         struct async_executor *executor,
                                         struct async_job *job,
                                         async_job_fn *fn, void *arg)
{
    async_status status;

    switch (job->is_) {
    case ASYNC_JOB_IS_NEW_:
        ASYNC_ASSERT(executor->limit_, "call async_executor_start first");
        ASYNC_ASSERT(!executor->loop_ || executor->loop_ == loop,
                     "an executor serves one loop: give this one its own");
        executor->loop_ = loop;
        job->executor_ = executor;
        job->loop_ = loop;
        job->fn_ = fn;
        job->arg_ = arg;
        job->canceled_ = 0;
        status = async_offload_begin_(loop, executor, job, 0);
        break;
    case ASYNC_JOB_IS_OUTSIDE_:
        status = async_line_wait_(loop, &executor->outside_);
        if (status == ASYNC_DONE) {
            executor->promised_--;
            status = async_offload_begin_(loop, executor, job, 1);
        }
        break;
    default:
        status = async_line_wait_(loop, &job->line_);
        if (status == ASYNC_DONE) {
            status = job->is_ == ASYNC_JOB_IS_CANCELED_ ? ASYNC_ECANCELED
                     : job->status_ < 0                 ? job->status_
                                                        : ASYNC_DONE;
        } else if (status == ASYNC_ECANCELED) {
            if (async_withdraw_(executor, job)) {
                loop->coming_--;
                async_executor_promise_(loop, executor);
                break;
            }
            job->is_ = ASYNC_JOB_IS_CANCELED_;
            status = async_line_wait_(loop, &job->line_);
        }
        if (status == ASYNC_ASKED_ && job->is_ == ASYNC_JOB_IS_CANCELED_)
            status = ASYNC_PENDING; /* one cancel at a time */
        break;
    }
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
