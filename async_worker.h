/* async_worker.h: the queue between a loop and its threads, and the threads.
 * SPDX-License-Identifier: MIT
 *
 * An executor is here, and what its workers do; what its loop does, and the
 * program that shows both, is in async_thread.h, which includes this: include
 * that.
 *
 * Configuration (the same in all of a program)
 *
 *     ASYNC_MAX_WORKERS  threads an executor can have at the most, 64
 *     ASYNC_RING         jobs that can be queued without a lock, a power of
 *                        two, 1024; the others are queued more slowly
 */
#ifndef ASYNC_WORKER_H
#define ASYNC_WORKER_H

#include "async_os.h"   /* threads, locks */
#include "async_post.h" /* from the workers to the loop; the tasks that wait */

#ifndef ASYNC_MAX_WORKERS
#define ASYNC_MAX_WORKERS 64
#endif
#ifndef ASYNC_RING
#define ASYNC_RING 1024
#endif

#if ASYNC_MAX_WORKERS < 1 || ASYNC_MAX_WORKERS > 0x7FFF
#error "ASYNC_MAX_WORKERS is 1 to 32767"
#endif
#if ASYNC_RING < 1 || (ASYNC_RING & (ASYNC_RING - 1)) != 0
#error "ASYNC_RING is a power of two"
#endif

/* ---- types -------------------------------------------------------------- */

struct async_executor;
struct async_job;

/* What runs on a thread. Returns 0 or more when it is done, or an error. */
typedef int async_job_fn(struct async_job *job, void *arg);

/* A call on its way through an executor. Yours, in the frame of whoever
 * awaits it; all-zero to start with, and again after the await. */
struct async_job {
    const char *name; /* yours: who it is, should it get stuck; or NULL */

    /* the loop's thread, then the worker's that has taken it out of the queue,
     * then the loop's again */
    struct async_job *next_;
    async_job_fn *fn_;
    void *arg_;
    int status_;

    /* the loop's thread only */
    int is_; /* ASYNC_JOB_IS_... */
    struct async_executor *executor_;
    struct async_wait_ *line_; /* the task that waits */
    async_time since_;         /* when it was queued */
    volatile size_t *slot_;    /* where; NULL: behind the ring */

    /* under the lock, behind the ring; then as the first ones */
    struct async_job *before_; /* then: one that its worker ran before */
    int is_behind_;

    /* all, atomic */
    volatile size_t canceled_;
};

enum {
    ASYNC_JOB_IS_NEW_,
    ASYNC_JOB_IS_OUTSIDE_,   /* waits for a place in the queue */
    ASYNC_JOB_IS_SUBMITTED_, /* queued, running, or on its way back */
    ASYNC_JOB_IS_CANCELED_   /* the same, and its task was canceled */
};

enum {
    ASYNC_APART_ = 64, /* bytes, of words that different threads write often */
    ASYNC_AHEAD_ = 4   /* jobs: who takes one, here or back at the loop, has
                        * this one fetched */
};

/* A thread of an executor. */
struct async_worker_ {
    struct async_executor *executor;
    async_os_thread_ thread;

    /* under the lock */
    int is;                       /* ASYNC_WORKER_IS_... */
    int called;                   /* it should wake up */
    struct async_worker_ *longer; /* idle, and for a longer time */
    async_os_signal_ call;

    /* the thread writes, the loop's thread reads; atomic */
    volatile size_t begun;
    volatile size_t done;
    volatile size_t current; /* its job, while it works on one */
};

enum {
    ASYNC_WORKER_IS_NEW_,  /* there is no thread, and no condition */
    ASYNC_WORKER_IS_FREE_, /* there is no thread */
    ASYNC_WORKER_IS_HERE_,
    ASYNC_WORKER_IS_GONE_ /* to be joined */
};

/* Threads with a limit, and a queue with a limit in front of them. Yours;
 * all-zero before the first start.
 *
 * A queued job is a pointer in a slot of the ring. Only the loop's thread fills
 * slots, in turn; who swaps a slot's pointer for 0 has the job: a worker, to
 * run it, or the loop, to withdraw it. `head_` and `tail_` count slots and
 * don't wrap. All slots before the head are empty; a worker that was slow may
 * set it back, and then empty slots are passed twice. A job for which there is
 * no free slot goes behind the ring, to a list under the lock.
 *
 * A finished job goes onto the stack `finished_`; who pushes the first one
 * there posts the executor to its loop, which takes all. So a busy worker makes
 * two atomic swaps a job, takes no lock and touches nothing of the loop's.
 *
 * Workers that find nothing are idle, which takes the lock. They are not woken
 * for each job: the loop wakes one for the first job of a round and one at the
 * round's end, and a worker that was woken, and leaves others in the queue,
 * wakes the next. So no job waits while a worker sleeps and the loop does.
 * Nothing is missed, because both sides change `crew_`: the loop after it has
 * filled slots, a worker before it looks for the last time.
 */
struct async_executor {
    /* yours, before the start */
    const char *name;   /* of its threads, where they have names; or NULL */
    size_t stack_bytes; /* of each; 0: as the system does */
    uint32_t idle_ms;   /* a thread with nothing to do ends after so long; 0:
                         * 10 s; UINT32_MAX: never */
    unsigned spin;      /* who finds nothing looks again, so often, before it
                         * sleeps: a worker, and the loop; it has no time for
                         * anything else meanwhile */
    void (*started)(struct async_executor *executor); /* or NULL: a thread is */
    void (*stopping)(struct async_executor *executor); /* it is about to end */
    void *arg;                                         /* for these two */

    /* the loop's thread only */
    struct async_loop *loop_; /* workers read it, once they have a job */
    void (*posted_)(struct async_loop *loop, struct async_post *post);
    struct async_wait_ *outside_; /* tasks that wait for a place */
    unsigned promised_;           /* places that such tasks were let go for */
    unsigned places_;
    size_t put_;      /* jobs queued, less the withdrawn */
    size_t begun_;    /* of them, as far as is known */
    size_t away_;     /* of them, not back yet */
    size_t canceled_; /* withdrawn */
    long process_;    /* that started it */
    int is_;          /* ASYNC_EXECUTOR_IS_... */
    unsigned made_;   /* of workers_: those that have been used */
    int flushed_;     /* workers have been told of all that is queued */
    int looks_;       /* for what is finished, so nobody need tell */
    struct async_task task_;
    char apart_0_[ASYNC_APART_];

    /* atomic; the loop's thread writes */
    volatile size_t tail_;
    volatile size_t orders_;
    char apart_1_[ASYNC_APART_];

    /* atomic; all write */
    volatile size_t head_;
    char apart_2_[ASYNC_APART_];
    volatile size_t finished_; /* ASYNC_LOOKED_AT_: none, and tell nobody */
    struct async_post post_;   /* of who pushed the first */
    char apart_3_[ASYNC_APART_];
    volatile size_t crew_;   /* threads * ASYNC_CREW_, and how many are idle */
    volatile size_t behind_; /* how many jobs; written under the lock */
    char apart_4_[ASYNC_APART_];

    /* under the lock */
    async_os_lock_ lock_;
    async_os_signal_ gone_; /* one is */
    struct async_worker_ *idle_;
    struct async_job *first_; /* behind the ring */
    struct async_job *last_;
    unsigned here_; /* threads that are not gone */
    struct async_worker_ workers_[ASYNC_MAX_WORKERS];

    /* the same; only the loop's thread writes, and reads without */
    unsigned limit_;
    int closed_;

    volatile size_t ring_[ASYNC_RING]; /* atomic */
};

enum {
    ASYNC_EXECUTOR_IS_NEW_,
    ASYNC_EXECUTOR_IS_STARTED_,
    ASYNC_EXECUTOR_IS_STOPPED_ /* no threads, and no lock, any more */
};

enum {
    ASYNC_CREW_ = 0x10000,
    ASYNC_LOOKED_AT_ = 1,
    ASYNC_ORDER_STOP_ = 1, /* to jobs that run */
    ASYNC_ORDER_COME_ = 2  /* to workers: to the lock, before any job */
};

/* An executor in numbers, at one instant. */
struct async_executor_counts {
    unsigned limit;         /* threads at the most */
    unsigned threads;       /* started, and not retired */
    unsigned running;       /* jobs on a thread */
    unsigned queued;        /* jobs waiting for one */
    unsigned long done;     /* jobs that have run */
    unsigned long canceled; /* jobs that were queued and will not run */
    async_time oldest;      /* ticks for which the first in the queue has been
                             * there by the time of this poll; 0: none is */
};

/* ---- the queue, on any thread -------------------------------------------- */

/* Takes the first job out of the ring, NULL if there is none. `tail` is the
 * caller's: as far as it has seen the ring filled, 0 at first. */
static inline struct async_job *
async_executor_take_(struct async_executor *executor, size_t *tail)
{
    size_t head = async_atomic_load_(&executor->head_), i = head;

    if (*tail - i - 1 >= ASYNC_RING) /* nothing is, up to there */
        *tail = async_atomic_load_(&executor->tail_);
    if (*tail - i > ASYNC_RING)
        i = *tail - ASYNC_RING;
    for (; i != *tail; i++) {
        volatile size_t *slot = &executor->ring_[i % ASYNC_RING];
        size_t job = async_atomic_load_(slot);

        if (job && async_atomic_swap_if_(slot, job, 0)) {
            async_atomic_store_(&executor->head_, i + 1);
            i += ASYNC_AHEAD_;
            ASYNC_FETCH_(
                (void *)async_atomic_load_(&executor->ring_[i % ASYNC_RING]));
            return (struct async_job *)job;
        }
    }
    if (i != head)
        async_atomic_store_(&executor->head_, i);
    return NULL;
}

/* Takes a job out of the list behind the ring. Under the lock. */
static inline void async_executor_unlink_(struct async_executor *executor,
                                          struct async_job *job)
{
    if (job->before_)
        job->before_->next_ = job->next_;
    else
        executor->first_ = job->next_;
    if (job->next_)
        job->next_->before_ = job->before_;
    else
        executor->last_ = job->before_;
    job->is_behind_ = 0;
    async_atomic_store_(&executor->behind_, executor->behind_ - 1);
}

/* The first job that is queued, wherever. Under the lock. */
static inline struct async_job *
async_executor_next_(struct async_executor *executor)
{
    size_t tail = 0;
    struct async_job *job = async_executor_take_(executor, &tail);

    if (!job && executor->first_) {
        job = executor->first_;
        async_executor_unlink_(executor, job);
    }
    return job;
}

/* Takes the worker that went idle last from those who sleep, NULL if none does.
 * Under the lock; it is signaled then. */
static inline struct async_worker_ *
async_executor_rouse_(struct async_executor *executor)
{
    struct async_worker_ *worker = executor->idle_;

    if (worker) {
        executor->idle_ = worker->longer;
        worker->called = 1;
        (void)async_atomic_add_(&executor->crew_, (size_t)-1);
    }
    return worker;
}

/* Wakes an idle worker, if there is one. */
static inline void async_executor_call_(struct async_executor *executor)
{
    struct async_worker_ *worker;

    if (async_atomic_add_(&executor->crew_, 0) % ASYNC_CREW_ == 0)
        return;
    async_os_lock_take_(&executor->lock_);
    worker = async_executor_rouse_(executor);
    async_os_lock_give_(&executor->lock_);
    if (worker)
        async_os_signal_one_(&worker->call);
}

/* ---- workers ------------------------------------------------------------ */

/* Under the lock: the thread has nothing to do, and sleeps until it is called,
 * or long enough. */
static inline int async_worker_sleep_(struct async_worker_ *worker)
{
    struct async_executor *executor = worker->executor;
    struct async_worker_ **link;
    struct async_os_moment_ until;
    int in_time = 1;

    worker->longer = executor->idle_;
    executor->idle_ = worker;
    worker->called = 0;
    if (executor->idle_ms == UINT32_MAX) {
        while (!worker->called)
            async_os_wait_(&worker->call, &executor->lock_);
        return 1;
    }
    until = async_os_moment_in_(executor->idle_ms ? executor->idle_ms : 10000);
    while (!worker->called && in_time)
        in_time = async_os_wait_until_(&worker->call, &executor->lock_, &until);
    if (worker->called)
        return 1;
    for (link = &executor->idle_; *link != worker; link = &(*link)->longer)
        ;
    *link = worker->longer;
    (void)async_atomic_add_(&executor->crew_, (size_t)-1);
    return 0;
}

/* True if there are more threads than there should be. Under the lock. */
static inline int async_executor_surplus_(struct async_executor *executor)
{
    return async_atomic_load_(&executor->crew_) / ASYNC_CREW_ >
           executor->limit_;
}

/* The next job, once there is one. NULL: the thread is to end, and does not
 * count any more. */
static inline struct async_job *async_worker_wait_(struct async_worker_ *worker)
{
    struct async_executor *executor = worker->executor;
    struct async_job *job;
    int late = 0, leaves;

    async_os_lock_take_(&executor->lock_);
    do {
        leaves = async_executor_surplus_(executor);
        (void)async_atomic_add_(&executor->crew_, 1);
        job = leaves ? NULL : async_executor_next_(executor);
        if (!job && !leaves && !executor->closed_ && !late) {
            late = !async_worker_sleep_(worker);
            continue;
        }
        (void)async_atomic_add_(&executor->crew_, (size_t)-1);
        if (job)
            break;
        (void)async_atomic_add_(&executor->crew_, (size_t)-ASYNC_CREW_);
        /* What has come since was left to those who count. */
        job = leaves ? NULL : async_executor_next_(executor);
        if (job)
            (void)async_atomic_add_(&executor->crew_, ASYNC_CREW_);
        leaves = !job;
    } while (!job && !leaves);
    if (async_atomic_load_(&executor->orders_) & ASYNC_ORDER_COME_ &&
        !async_executor_surplus_(executor) && !executor->closed_)
        (void)async_atomic_add_(&executor->orders_, (size_t)-ASYNC_ORDER_COME_);
    async_os_lock_give_(&executor->lock_);
    return job;
}

/* Runs the job, and hands it back. */
static inline void async_worker_run_(struct async_worker_ *worker,
                                     struct async_job *job)
{
    struct async_executor *executor = worker->executor;
    size_t top;

    async_atomic_store_(&worker->current, (size_t)job);
    async_atomic_store_(&worker->begun, worker->begun + 1);
    job->status_ = job->fn_(job, job->arg_);
    async_atomic_store_(&worker->done, worker->done + 1);
    async_atomic_store_(&worker->current, 0);
    do {
        top = async_atomic_load_(&executor->finished_);
        job->next_ = top == ASYNC_LOOKED_AT_ ? NULL : (struct async_job *)top;
    } while (!async_atomic_swap_if_(&executor->finished_, top, (size_t)job));
    if (!top)
        async_post_send(executor->loop_, &executor->post_, executor->posted_);
}

/* A thread's life. */
static inline void *async_worker_run_all_(void *arg)
{
    struct async_worker_ *worker = (struct async_worker_ *)arg;
    struct async_executor *executor = worker->executor;
    struct async_job *job;
    unsigned spins = 0;
    size_t tail = 0;
    struct async_job *recent[ASYNC_AHEAD_] = {NULL}; /* perhaps gone by now */
    int fresh = 1; /* it must see to it that others wake */

    if (executor->name)
        async_os_thread_name_(executor->name);
    if (executor->started)
        executor->started(executor);
    for (;;) {
        job = NULL;
        if (!(async_atomic_load_(&executor->orders_) & ASYNC_ORDER_COME_)) {
            job = async_executor_take_(executor, &tail);
            if (!job && spins++ < executor->spin) {
                async_os_pause_();
                continue;
            }
        }
        spins = 0;
        if (!job) {
            job = async_worker_wait_(worker);
            fresh = 1;
        }
        if (fresh && (async_atomic_load_(&executor->behind_) ||
                      async_atomic_load_(&executor->head_) !=
                          async_atomic_load_(&executor->tail_)))
            async_executor_call_(executor);
        fresh = 0;
        if (!job)
            break;
        job->before_ = recent[worker->begun % ASYNC_AHEAD_];
        recent[worker->begun % ASYNC_AHEAD_] = job;
        async_worker_run_(worker, job);
    }
    if (executor->stopping)
        executor->stopping(executor);
    async_os_lock_take_(&executor->lock_);
    worker->is = ASYNC_WORKER_IS_GONE_;
    executor->here_--;
    async_os_signal_one_(&executor->gone_);
    async_os_lock_give_(&executor->lock_);
    return NULL;
}

/* Starts one more thread. Returns 0 or a negated errno. */
static inline int async_worker_start_(struct async_executor *executor)
{
    struct async_worker_ *worker = executor->workers_;
    struct async_worker_ *end = worker + ASYNC_MAX_WORKERS;
    int error = 0, is = ASYNC_WORKER_IS_HERE_;

    for (; worker != end && is == ASYNC_WORKER_IS_HERE_; worker++) {
        async_os_lock_take_(&executor->lock_);
        is = worker->is;
        async_os_lock_give_(&executor->lock_);
    }
    worker--;
    if (is == ASYNC_WORKER_IS_HERE_)
        return -EAGAIN; /* who has retired is still in its last hook */
    if (is == ASYNC_WORKER_IS_GONE_)
        async_os_thread_join_(worker->thread);
    if (is == ASYNC_WORKER_IS_NEW_)
        error = async_os_signal_make_(&worker->call);
    if (error)
        return error;
    worker->executor = executor;
    if (executor->made_ <= (unsigned)(worker - executor->workers_))
        executor->made_ = (unsigned)(worker - executor->workers_) + 1;
    (void)async_atomic_add_(&executor->crew_, ASYNC_CREW_);
    async_os_lock_take_(&executor->lock_);
    worker->is = ASYNC_WORKER_IS_HERE_;
    executor->here_++;
    async_os_lock_give_(&executor->lock_);
    error = async_os_thread_start_(&worker->thread, executor->stack_bytes,
                                   async_worker_run_all_, worker);
    if (!error)
        return 0;
    (void)async_atomic_add_(&executor->crew_, (size_t)-ASYNC_CREW_);
    async_os_lock_take_(&executor->lock_);
    worker->is = ASYNC_WORKER_IS_FREE_;
    executor->here_--;
    async_os_lock_give_(&executor->lock_);
    return error;
}

#endif /* ASYNC_WORKER_H */

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
