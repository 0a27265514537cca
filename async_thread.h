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
 *    then a worker may be about to wake the loop. Its own memory stays until
 *    the awaits of its jobs are over, and the poll in which they ended.
 *
 * Who may touch what: the loop's thread calls everything here but
 * async_job_canceled, which is the job function's.
 *
 * Configuration
 *
 *     ASYNC_MAX_WORKERS  threads an executor can have at the most, 64
 *     ASYNC_RING         jobs that are queued without a lock, a power of two,
 *                        1024; more are queued, more slowly
 *     ASYNC_ATOMICS      see async_atomic.h
 */
#ifndef ASYNC_THREAD_H
#define ASYNC_THREAD_H

#include "async_os.h"   /* threads, locks */
#include "async_post.h" /* from the workers to the loop; the tasks that wait */

/* ---- types -------------------------------------------------------------- */

#ifndef ASYNC_MAX_WORKERS
#define ASYNC_MAX_WORKERS 64
#endif
#ifndef ASYNC_RING
#define ASYNC_RING 1024
#endif

#if ASYNC_RING < 1 || (ASYNC_RING & (ASYNC_RING - 1)) != 0
#error "ASYNC_RING is a power of two"
#endif

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

    /* under the lock, behind the ring */
    struct async_job *before_;
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

/* So far apart are words that different threads write often. */
enum { ASYNC_APART_ = 64 };

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
    char apart[ASYNC_APART_];
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
 * slots, in turn; who swaps a slot's pointer for 0 has the job: a worker to run
 * it, or the loop to withdraw it. `head_` and `tail_` count slots and don't
 * wrap; all before the head are empty, but it may be set back by a worker that
 * was slow, and then empty slots are passed twice. What finds no free slot goes
 * behind the ring, in a list under the lock.
 *
 * A finished job goes onto the stack `finished_`; who pushes the first one
 * there posts the executor to its loop, which takes all. So a busy worker makes
 * two atomic swaps a job, takes no lock and touches nothing of the loop's.
 *
 * Workers that find nothing are idle, which takes the lock. Nobody is woken for
 * each job: at the end of a round the loop wakes one, and who was woken and
 * leaves others in the queue wakes the next, so that no job waits while a
 * worker sleeps. Nothing is missed, because both sides change `crew_`: the loop
 * after it has filled slots, a worker before it looks for the last time. */
struct async_executor {
    /* yours, before the start */
    const char *name;   /* of its threads, where they have names; or NULL */
    size_t stack_bytes; /* of each; 0: as the system does */
    uint32_t idle_ms;   /* after so long a thread with nothing to do ends; 0:
                         * 10 s; UINT32_MAX: never */
    unsigned spin;      /* how often who finds nothing looks again before it
                         * sleeps: a worker, and the loop for what is running */
    void (*started)(
        struct async_executor *executor); /* or NULL: called first */
    void (*stopping)(struct async_executor *executor); /* and last, on each */
    void *arg;                                         /* for them */

    /* the loop's thread only */
    struct async_loop *loop_;
    struct async_wait_ *outside_; /* tasks that wait for a place */
    unsigned promised_;           /* places that such tasks were let go for */
    unsigned places_;
    size_t put_;      /* jobs queued, less the withdrawn */
    size_t begun_;    /* of them, as far as is known */
    size_t away_;     /* not withdrawn, and not back yet */
    size_t canceled_; /* withdrawn */
    long process_;
    int is_;      /* ASYNC_EXECUTOR_IS_... */
    int flushed_; /* workers know of all that is queued */
    int looks_;   /* for what is finished, so nobody need tell */
    struct async_task task_;
    char apart_[ASYNC_APART_];

    /* atomic */
    volatile size_t tail_; /* the loop's thread writes */
    volatile size_t orders_;
    char apart_1_[ASYNC_APART_];
    volatile size_t head_;
    char apart_2_[ASYNC_APART_];
    volatile size_t finished_; /* a stack; ASYNC_LOOKED_AT_: empty, and the
                                * loop looks by itself */
    struct async_post post_;   /* of who pushed the first */
    char apart_3_[ASYNC_APART_];
    volatile size_t crew_;   /* threads * ASYNC_CREW_, and how many are idle */
    volatile size_t behind_; /* under the lock: jobs behind the ring */
    char apart_4_[ASYNC_APART_];

    /* under the lock */
    async_os_lock_ lock_;
    async_os_signal_ gone_; /* a thread is */
    struct async_worker_ *idle_;
    struct async_job *first_; /* behind the ring */
    struct async_job *last_;
    unsigned limit_; /* the loop's thread writes */
    unsigned here_;  /* threads that have not gone */
    int closed_;     /* the loop's thread writes */
    struct async_worker_ workers_[ASYNC_MAX_WORKERS];

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
    ASYNC_ORDER_STOP_ = 1, /* to who runs */
    ASYNC_ORDER_COUNT_ = 2 /* there are too many */
};

/* An executor in numbers, at one instant. */
struct async_executor_counts {
    unsigned limit;         /* threads at the most */
    unsigned threads;       /* started, and not retired */
    unsigned running;       /* jobs on a thread */
    unsigned queued;        /* jobs waiting for one */
    unsigned long done;     /* jobs that have run */
    unsigned long canceled; /* jobs that were queued and will not run */
    async_time oldest;      /* ticks for which the first in the queue waits, at
                             * the time of this poll; 0: none is queued */
};

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

/* What async_post brings to the loop. */
static inline void async_executor_posted_(struct async_loop *loop,
                                          struct async_post *post)
{
    struct async_executor *executor =
        (struct async_executor *)(void *)((char *)(void *)post -
                                          offsetof(struct async_executor,
                                                   post_));

    (void)loop;
    (void)async_executor_collect_(executor, 0);
}

/* ---- the queue, on any thread -------------------------------------------- */

/* Takes the first job out of the ring, NULL if there is none. */
static inline struct async_job *
async_executor_take_(struct async_executor *executor)
{
    size_t head = async_atomic_load_(&executor->head_), i = head;
    size_t tail = async_atomic_load_(&executor->tail_); /* never before it */

    if (tail - i > ASYNC_RING)
        i = tail - ASYNC_RING;
    for (; i != tail; i++) {
        volatile size_t *slot = &executor->ring_[i % ASYNC_RING];
        size_t job = async_atomic_load_(slot);

        if (job && async_atomic_swap_if_(slot, job, 0)) {
            async_atomic_store_(&executor->head_, i + 1);
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
    struct async_job *job = async_executor_take_(executor);

    if (!job && executor->first_) {
        job = executor->first_;
        async_executor_unlink_(executor, job);
    }
    return job;
}

/* Wakes the worker that went idle last, if there is an idle one. */
static inline void async_executor_call_(struct async_executor *executor)
{
    struct async_worker_ *worker;

    if (async_atomic_add_(&executor->crew_, 0) % ASYNC_CREW_ == 0)
        return;
    async_os_lock_take_(&executor->lock_);
    worker = executor->idle_;
    if (worker) {
        executor->idle_ = worker->longer;
        worker->called = 1;
        (void)async_atomic_add_(&executor->crew_, (size_t)-1);
    }
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

/* The next job, once there is one. NULL: the thread is to end, and is not of
 * the crew any more. */
static inline struct async_job *async_worker_wait_(struct async_worker_ *worker)
{
    struct async_executor *executor = worker->executor;
    struct async_job *job;
    int late = 0, leaves;

    async_os_lock_take_(&executor->lock_);
    for (;;) {
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
        /* What came since found nobody idle, and perhaps counts on it. */
        job = leaves ? NULL : async_executor_next_(executor);
        if (!job)
            break;
        (void)async_atomic_add_(&executor->crew_, ASYNC_CREW_);
        break;
    }
    if (!async_executor_surplus_(executor) &&
        async_atomic_load_(&executor->orders_) & ASYNC_ORDER_COUNT_)
        (void)async_atomic_add_(&executor->orders_,
                                (size_t)-ASYNC_ORDER_COUNT_);
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
        async_post(executor->loop_, &executor->post_, async_executor_posted_);
}

/* A thread's life. */
static inline void *async_worker_(void *arg)
{
    struct async_worker_ *worker = (struct async_worker_ *)arg;
    struct async_executor *executor = worker->executor;
    struct async_job *job;
    unsigned spins = 0;
    int fresh = 1;

    if (executor->name)
        async_os_thread_name_(executor->name);
    if (executor->started)
        executor->started(executor);
    for (;;) {
        job = async_atomic_load_(&executor->orders_) & ASYNC_ORDER_COUNT_
                  ? NULL
                  : async_executor_take_(executor);
        if (!job && spins < executor->spin) {
            spins++;
            async_os_pause_();
            continue;
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
    (void)async_atomic_add_(&executor->crew_, ASYNC_CREW_);
    async_os_lock_take_(&executor->lock_);
    worker->is = ASYNC_WORKER_IS_HERE_;
    executor->here_++;
    async_os_lock_give_(&executor->lock_);
    error = async_os_thread_start_(&worker->thread, executor->stack_bytes,
                                   async_worker_, worker);
    if (!error)
        return 0;
    (void)async_atomic_add_(&executor->crew_, (size_t)-ASYNC_CREW_);
    async_os_lock_take_(&executor->lock_);
    worker->is = ASYNC_WORKER_IS_FREE_;
    executor->here_--;
    async_os_lock_give_(&executor->lock_);
    return error;
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
        executor->workers_[i].begun = executor->workers_[i].done = 0;
    }
    executor->loop_ = NULL;
    executor->put_ = executor->begun_ = executor->canceled_ = 0;
    executor->orders_ = executor->crew_ = 0;
    executor->idle_ = NULL;
    executor->closed_ = 0;
    executor->here_ = 0;
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

/* What has begun, and of that what has ended. */
static inline size_t async_executor_sum_(struct async_executor *executor,
                                         size_t *done)
{
    size_t begun = 0;
    unsigned i;

    *done = 0;
    for (i = 0; i < ASYNC_MAX_WORKERS; i++)
        *done += async_atomic_load_(&executor->workers_[i].done);
    for (i = 0; i < ASYNC_MAX_WORKERS; i++)
        begun += async_atomic_load_(&executor->workers_[i].begun);
    executor->begun_ = begun;
    return begun;
}

/* The executor in numbers. In a fork's child: those of the fork. */
static inline struct async_executor_counts
async_executor_count(struct async_executor *executor)
{
    struct async_executor_counts counts;
    size_t done, begun = async_executor_sum_(executor, &done), i;
    struct async_job *oldest = NULL;

    counts.limit = executor->limit_;
    counts.threads =
        (unsigned)(async_atomic_load_(&executor->crew_) / ASYNC_CREW_);
    counts.running = (unsigned)(begun - done);
    counts.queued = (unsigned)(executor->put_ - begun);
    counts.done = (unsigned long)done;
    counts.canceled = (unsigned long)executor->canceled_;
    counts.oldest = 0;
    /* Jobs that are or were queued wait for the loop to end their await. */
    for (i = executor->tail_ - ASYNC_RING; i != executor->tail_ && !oldest; i++)
        oldest = (struct async_job *)async_atomic_load_(
            &executor->ring_[i % ASYNC_RING]);
    if (oldest)
        counts.oldest = (async_time)(executor->loop_->now_ - oldest->since_);
    return counts;
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

/* Takes the job out of the queue. False: a worker has it. */
static inline int async_executor_withdraw_(struct async_executor *executor,
                                           struct async_job *job)
{
    int was_queued;

    if (job->slot_) {
        was_queued = async_atomic_swap_if_(job->slot_, (size_t)job, 0);
    } else {
        async_os_lock_take_(&executor->lock_);
        was_queued = job->is_behind_;
        if (was_queued)
            async_executor_unlink_(executor, job);
        async_os_lock_give_(&executor->lock_);
    }
    if (was_queued) {
        executor->put_--;
        executor->canceled_++;
    }
    return was_queued;
}

/* All that is queued ends with `status`, and never runs. */
static inline void async_executor_drop_(struct async_executor *executor,
                                        int status)
{
    size_t tail = executor->tail_, i = tail - ASYNC_RING;
    struct async_job *job;

    for (; i != tail; i++) {
        job = (struct async_job *)async_atomic_load_(
            &executor->ring_[i % ASYNC_RING]);
        if (job && async_executor_withdraw_(executor, job)) {
            job->status_ = status;
            async_job_over_(job);
        }
    }
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
 * for, or wakes one. */
static inline void async_executor_flush_(struct async_executor *executor)
{
    size_t crew, done;
    int error = ASYNC_ENOTSUP;

    executor->flushed_ = 1;
    if (async_executor_here_(executor)) {
        crew = async_atomic_add_(&executor->crew_, 0);
        if (crew / ASYNC_CREW_ < executor->limit_ &&
            crew / ASYNC_CREW_ < executor->away_) {
            (void)async_executor_sum_(executor, &done);
            error = 0;
            while (!error && crew / ASYNC_CREW_ < executor->limit_ &&
                   crew / ASYNC_CREW_ < executor->put_ - done) {
                error = async_worker_start_(executor);
                crew = async_atomic_add_(&executor->crew_, 0);
            }
        }
        if (crew / ASYNC_CREW_) {
            async_executor_call_(executor);
            return;
        }
    }
    async_executor_drop_(executor, error);
    async_executor_promise_(executor);
}

/* The executor's own task: at the end of a round. */
static inline async_status async_executor_task_(struct async_loop *loop,
                                                void *arg)
{
    struct async_executor *executor = (struct async_executor *)arg;

    (void)loop;
    if (!executor->flushed_)
        async_executor_flush_(executor);
    return ASYNC_DONE;
}

/* Queues the job. */
static inline void async_executor_put_(struct async_executor *executor,
                                       struct async_job *job)
{
    struct async_loop *loop = executor->loop_;

    job->is_ = ASYNC_JOB_IS_SUBMITTED_;
    job->since_ = loop->now_;
    executor->put_++;
    executor->away_++;
    loop->coming_++;
    if (executor->behind_ || !async_executor_push_(executor, job)) {
        async_os_lock_take_(&executor->lock_);
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
        async_os_lock_give_(&executor->lock_);
    }
    executor->flushed_ = 0;
}

/* What is behind the ring moves up. */
static inline void async_executor_refill_(struct async_executor *executor)
{
    struct async_job *job;

    async_os_lock_take_(&executor->lock_);
    while ((job = executor->first_) != NULL) {
        if (async_atomic_load_(&executor->ring_[executor->tail_ % ASYNC_RING]))
            break;
        async_executor_unlink_(executor, job);
        (void)async_executor_push_(executor, job);
    }
    async_os_lock_give_(&executor->lock_);
    async_executor_flush_(executor);
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
    unsigned i;

    if (executor->is_ != ASYNC_EXECUTOR_IS_STARTED_)
        return;
    if (!executor->flushed_)
        async_executor_flush_(executor);
    if (how == ASYNC_STOP_CANCEL) {
        (void)async_atomic_add_(&executor->orders_, ASYNC_ORDER_STOP_);
        async_executor_drop_(executor, ASYNC_ECLOSED);
    }
    async_os_lock_take_(&executor->lock_);
    executor->closed_ = 1;
    async_os_lock_give_(&executor->lock_);
    while (async_atomic_add_(&executor->crew_, 0) % ASYNC_CREW_)
        async_executor_call_(executor);
    async_os_lock_take_(&executor->lock_);
    while (executor->here_)
        async_os_wait_(&executor->gone_, &executor->lock_);
    async_os_lock_give_(&executor->lock_);
    for (i = 0; i < ASYNC_MAX_WORKERS; i++) {
        if (executor->workers_[i].is == ASYNC_WORKER_IS_GONE_)
            async_os_thread_join_(executor->workers_[i].thread);
        if (executor->workers_[i].is != ASYNC_WORKER_IS_NEW_)
            async_os_signal_end_(&executor->workers_[i].call);
    }
    executor->is_ = ASYNC_EXECUTOR_IS_STOPPED_;
    async_os_signal_end_(&executor->gone_);
    async_os_lock_end_(&executor->lock_);
    while (executor->outside_ &&
           async_line_wake_(executor->loop_, &executor->outside_, ASYNC_DONE))
        executor->promised_++;
}

/* ---- jobs --------------------------------------------------------------- */

/* True once the job should stop: its task was canceled or timed out, or its
 * executor is being stopped. For the job's function. */
static inline int async_job_canceled(const struct async_job *job)
{
    return async_atomic_load_(&job->canceled_) ||
           async_atomic_load_(&job->executor_->orders_) & ASYNC_ORDER_STOP_;
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
    int status, put = 0;

    if (job->is_ == ASYNC_JOB_IS_NEW_) {
        (void)async_running_(loop);
        ASYNC_ASSERT(executor->is_, "call async_executor_start first");
        ASYNC_ASSERT(!executor->loop_ || executor->loop_ == loop,
                     "an executor serves one loop: give this one its own");
        if (!executor->is_)
            return ASYNC_EINVAL;
        if (executor->closed_)
            return ASYNC_ECLOSED;
        executor->loop_ = loop;
        job->executor_ = executor;
        job->fn_ = fn;
        job->arg_ = arg;
        job->canceled_ = 0;
        job->is_ = ASYNC_JOB_IS_OUTSIDE_;
        put = !executor->outside_ && !executor->promised_ &&
              async_executor_room_(executor);
    }
    if (job->is_ == ASYNC_JOB_IS_OUTSIDE_) {
        if (!put) {
            status = async_line_wait_(loop, &executor->outside_);
            if (status == ASYNC_PENDING || status == ASYNC_ASKED_)
                return status;
            if (status == ASYNC_DONE) {
                executor->promised_--;
                if (executor->closed_)
                    status = ASYNC_ECLOSED;
                put = status == ASYNC_DONE;
            }
            if (!put) {
                job->is_ = ASYNC_JOB_IS_NEW_;
                return status;
            }
        }
        async_executor_put_(executor, job);
    }
    status = async_line_wait_(loop, &job->line_);
    if (put) {
        if (loop->ready_ == loop->current_)
            async_executor_flush_(executor);
        else if (async_task_outcome(&executor->task_) != ASYNC_PENDING ||
                 !executor->task_.fn)
            (void)async_spawn(loop, &executor->task_, async_executor_task_,
                              executor);
    }
    if (status == ASYNC_DONE) {
        status = job->is_ == ASYNC_JOB_IS_CANCELED_ ? ASYNC_ECANCELED
                 : job->status_ < 0                 ? job->status_
                                                    : ASYNC_DONE;
    } else if (status == ASYNC_ECANCELED) {
        if (async_executor_withdraw_(executor, job)) {
            executor->away_--;
            loop->coming_--;
            async_executor_promise_(executor);
        } else {
            async_atomic_store_(&job->canceled_, 1);
            job->is_ = ASYNC_JOB_IS_CANCELED_;
            status = async_line_wait_(loop, &job->line_);
        }
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
