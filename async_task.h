/* async_task.h: tasks, and what a task can wait for.
 * SPDX-License-Identifier: MIT
 *
 * Spawn, join and cancel; sleep, yield, flags and conditions; timers. This is
 * what a running function asks of its loop. What a host asks of it, and the
 * program that shows both, is in async_loop.h, which includes this: include
 * that.
 *
 * Configuration (the same in all of a program; checked when loops meet)
 *
 *     ASYNC_TASK_LIST    1: every live task is on its loop's list. Default 1
 *                        on hosts, 0 elsewhere.
 */
#ifndef ASYNC_TASK_H
#define ASYNC_TASK_H

#include "async_timer.h" /* times, lines, deadlines */

#include <stddef.h> /* size_t, NULL */
#include <stdint.h> /* the wake flag */

/* An exchange of one byte: inline, or not at all (it would not link). */
#if defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_1)
#define ASYNC_HAVE_EXCHANGE_ 1
#else
#define ASYNC_HAVE_EXCHANGE_ 0
#endif

#ifndef ASYNC_TASK_LIST
#define ASYNC_TASK_LIST ASYNC_HOSTED_
#endif

/* ---- types ------------------------------------------------------------------ */

struct async_loop;
struct async_task;
struct async_timer;

/* The functions that can be spawned. `frame` points to a struct whose first
 * member is its struct async_frame. */
typedef async_status async_fn(struct async_loop *loop, void *frame);

enum {
    ASYNC_WAIT_NONE_,
    ASYNC_WAIT_YIELD_, /* on no line: the task is ready */
    ASYNC_WAIT_SLEEP_,
    ASYNC_WAIT_TIMER_, /* a struct async_timer's, not a task's */
    ASYNC_WAIT_FRESH_, /* the same, until the next poll says when it is */
    ASYNC_WAIT_LINE_,
    ASYNC_WAIT_JOIN_,
    ASYNC_WAIT_FD_,
    ASYNC_WAIT_FLAG_,  /* looked at after each wake */
    ASYNC_WAIT_UNTIL_, /* looked at in each poll; async_until */
    ASYNC_WAIT_BARE_   /* the same; a condition the loop does not know */
};

enum {
    ASYNC_IS_ALIVE_ = 1,     /* spawned, not ended */
    ASYNC_IS_ENDED_ = 2,     /* `status` is how */
    ASYNC_IS_WOKEN_ = 4,     /* its wait is over, `status` is how */
    ASYNC_IS_CANCELED_ = 8,  /* a cancel is asked for */
    ASYNC_IS_OWNED_ = 16,    /* `ends` is an owner, not a line of joiners */
    ASYNC_IS_UNJOINED_ = 32  /* failed, on the loop's list of such */
};

/* Who is told of a task's end, and takes its error, in place of joiners. */
struct async_owner_ {
    void (*ended)(struct async_loop *loop, struct async_owner_ *owner,
                  struct async_task *task);
    struct async_wait_ *joiners;
};

/* A running async function. Yours; all-zero before the first spawn. */
struct async_task {
    struct async_wait_ wait_; /* first: a wait's address is its task's */
    async_fn *fn;
    void *frame;
    struct async_task *next_; /* in the ready queue, else NULL */
    union {
        struct async_wait_ *joiners;
        struct async_owner_ *owner;
    } ends_;
#if ASYNC_TASK_LIST
    struct async_task *newer_;
    struct async_task *older_;
#endif
};

/* Calls `fn` once, later, from async_poll. Yours; all-zero is stopped. */
struct async_timer {
    struct async_wait_ wait_;
    void (*fn)(struct async_loop *loop, struct async_timer *timer);
    void *arg;
};

/* Set from anywhere, waited for by a task. One byte; all-zero is not set. */
struct async_flag {
    volatile uint8_t set_;
};

enum { ASYNC_READABLE = 1, ASYNC_WRITABLE = 2 };

/* What a host gives the loop. It outlives its being attached.
 * notify: call async_poll soon. Comes from any thread, a signal handler, an
 *   interrupt, or from within a call that changed the loop from outside; it
 *   only pokes something that remembers, and never calls async_poll itself.
 * watch: report `fd` by async_ready as long as it is ready for one of
 *   `events`; 0 is: no more. Told the same twice is told once. NULL: there is
 *   no watching here. Returns 0 or an error. */
struct async_host {
    void (*notify)(void *arg);
    int (*watch)(void *arg, int fd, int events);
    void *arg;
};

/* The loop. Yours; all-zero is ready to use. */
struct async_loop {
    /* written from any context */
    volatile uint8_t woken_;
#if ASYNC_HOSTED_
    size_t posted_; /* a stack of what other threads have finished */
    void (*take_posted_)(struct async_loop *loop);
#endif

    const struct async_host *host_; /* set by the owner: async_attach */

    /* the owner's only */
    /* Told of a failed task that nobody has joined, when async_run ends, when
     * its struct is spawned again, or by async_unjoined. NULL: async_run
     * returns the first such error. */
    void (*unhandled)(struct async_loop *loop, struct async_task *task,
                      async_status error);

    uint8_t polling_;
    uint8_t running_;
    uint8_t seen_;    /* the running task has asked for its wait */
    uint8_t land_;    /* a cancel may land: the task is stepped once more */
    uint8_t landing_; /* and in that step its wait takes it */
    uint8_t stamp_;
    struct async_task *current_;
    struct async_task *ready_;     /* the last; its next_ is the first */
    struct async_wait_ *unjoined_; /* failed, not joined */
    struct async_wait_ *lookers_;  /* flags and plain conditions */
#if ASYNC_HOSTED_
    struct async_wait_ *fds_;
#endif
#if ASYNC_TASK_LIST
    struct async_task *newest_;
#endif
    size_t alive_;
    size_t looks_; /* how often plain conditions were looked at */
    async_time now_;

    struct async_deadlines_ deadlines_;
};

/* What must agree wherever a loop is touched. */
#define ASYNC_STAMP_                                                           \
    ((uint8_t)(0x80 | ASYNC_RADIX_BITS << 4 | ASYNC_TASK_LIST << 3 |           \
               (ASYNC_TIME_BITS / 8 - 1)))

static inline void async_check_loop_(struct async_loop *loop)
{
    if (loop->stamp_ == 0)
        loop->stamp_ = ASYNC_STAMP_;
    ASYNC_ASSERT(loop->stamp_ == ASYNC_STAMP_,
                 "a loop meets another configuration: define ASYNC_TIME_BITS, "
                 "ASYNC_RADIX_BITS and ASYNC_TASK_LIST the same everywhere");
}

/* The same as assigning all-zero, for storage that isn't. */
static inline void async_loop_init(struct async_loop *loop)
{
    static const struct async_loop zero = ASYNC_ZERO_;

    *loop = zero;
    async_check_loop_(loop);
}

/* The task that is running now; NULL outside one. */
static inline struct async_task *async_current(const struct async_loop *loop)
{
    return loop->current_;
}

/* The time that the last async_poll was given, in ticks; 0 before the first. */
static inline async_time async_now(const struct async_loop *loop)
{
    return loop->now_;
}

/* How many spawned tasks have not ended. */
static inline size_t async_alive(const struct async_loop *loop)
{
    return loop->alive_;
}

/* How many times the loop had to look at a plain condition: a number that
 * grows with time is a loop that does not sleep. */
static inline size_t async_looks(const struct async_loop *loop)
{
    return loop->looks_;
}

/* ---- waking, from any context ---------------------------------------------- */

enum {
    ASYNC_WOKEN_ = 1,    /* latched until the next poll */
    ASYNC_NOTIFYING_ = 2 /* times those who are in the host's notify */
};

/* The operations on the bytes that threads, handlers and interrupts share.
 * Where a byte can be compared and swapped inline they are atomic; elsewhere
 * there is one core, and a store is. */
#if ASYNC_HAVE_EXCHANGE_

static inline unsigned async_byte_(const volatile uint8_t *byte)
{
    return __atomic_load_n(byte, __ATOMIC_SEQ_CST);
}

/* Latches the wake. True: nobody had, so the host must be told, and
 * async_byte_told_ called after it. */
static inline int async_byte_wake_(volatile uint8_t *byte)
{
    uint8_t was = __atomic_load_n(byte, __ATOMIC_RELAXED), is;

    do {
        while (was == 0xFE) /* 127 threads in notify: one will be out soon */
            was = __atomic_load_n(byte, __ATOMIC_RELAXED);
        is = (uint8_t)(was & ASYNC_WOKEN_
                           ? was
                           : was + ASYNC_NOTIFYING_ + ASYNC_WOKEN_);
    } while (!__atomic_compare_exchange_n(byte, &was, is, 1, __ATOMIC_SEQ_CST,
                                          __ATOMIC_RELAXED));
    return was != is;
}

static inline void async_byte_told_(volatile uint8_t *byte)
{
    (void)__atomic_fetch_sub(byte, ASYNC_NOTIFYING_, __ATOMIC_SEQ_CST);
}

static inline void async_byte_set_(volatile uint8_t *byte)
{
    __atomic_store_n(byte, ASYNC_WOKEN_, __ATOMIC_RELEASE);
}

/* Clears it. True if it was set. Called before looking at what it stands for:
 * what is set in between is found now, or found set the next time. */
static inline int async_byte_clear_(volatile uint8_t *byte)
{
    if (!(__atomic_load_n(byte, __ATOMIC_RELAXED) & ASYNC_WOKEN_))
        return 0;
    (void)__atomic_fetch_and(byte, (uint8_t)~ASYNC_WOKEN_, __ATOMIC_ACQ_REL);
    return 1;
}

#define ASYNC_HOST_(loop) __atomic_load_n(&(loop)->host_, __ATOMIC_SEQ_CST)
#define ASYNC_SET_HOST_(loop, host)                                            \
    __atomic_store_n(&(loop)->host_, host, __ATOMIC_SEQ_CST)

#else

static inline unsigned async_byte_(const volatile uint8_t *byte)
{
    return *byte;
}

static inline void async_byte_set_(volatile uint8_t *byte)
{
    *byte = ASYNC_WOKEN_;
}

static inline int async_byte_wake_(volatile uint8_t *byte)
{
    async_byte_set_(byte);
    return 1; /* once too often rather than never */
}

static inline void async_byte_told_(volatile uint8_t *byte)
{
    (void)byte;
}

static inline int async_byte_clear_(volatile uint8_t *byte)
{
    if (!*byte)
        return 0;
    *byte = 0;
    return 1;
}

#define ASYNC_HOST_(loop) ((loop)->host_)
#define ASYNC_SET_HOST_(loop, host) ((void)((loop)->host_ = (host)))

#endif

/* Has async_poll called soon. From any thread, signal handler or interrupt.
 * Latched: wakes before the next poll are one. The loop must live. */
static inline void async_wake(struct async_loop *loop)
{
    const struct async_host *host;

    if (!async_byte_wake_(&loop->woken_))
        return;
    host = ASYNC_HOST_(loop);
    if (host)
        host->notify(host->arg);
    async_byte_told_(&loop->woken_);
}

/* Sets the flag and wakes the loop. From any thread, handler or interrupt. */
static inline void async_flag_set(struct async_loop *loop,
                                  struct async_flag *flag)
{
    async_byte_set_(&flag->set_);
    async_wake(loop);
}

/* After a change from outside async_poll, which has made its answer wrong. */
static inline void async_changed_(struct async_loop *loop)
{
    if (!loop->polling_ && loop->host_)
        loop->host_->notify(loop->host_->arg);
}

/* ---- the ready queue ------------------------------------------------------------ */

static inline void async_ready_task_(struct async_loop *loop,
                                     struct async_task *task)
{
    if (task->next_)
        return;
    if (loop->ready_) {
        task->next_ = loop->ready_->next_;
        loop->ready_->next_ = task;
        loop->ready_ = task;
    } else {
        loop->ready_ = task->next_ = task;
        async_changed_(loop);
    }
}

static inline struct async_task *async_ready_pop_(struct async_loop *loop)
{
    struct async_task *task = loop->ready_->next_;

    if (task == loop->ready_)
        loop->ready_ = NULL;
    else
        loop->ready_->next_ = task->next_;
    task->next_ = NULL;
    return task;
}

/* ---- timers --------------------------------------------------------------------- */

/* Stops it; nothing if it isn't running. Its fn is not called any more. */
static inline void async_timer_stop(struct async_loop *loop,
                                    struct async_timer *timer)
{
    if (!timer->wait_.next)
        return;
    if (timer->wait_.kind == ASYNC_WAIT_FRESH_)
        async_line_leave_(&loop->deadlines_.due, &timer->wait_);
    else
        async_deadlines_remove_(&loop->deadlines_, &timer->wait_);
}

/* Calls fn(loop, timer) in `ticks` ticks, counted from this poll, or between
 * polls from the next one; 0 counts as 1. A running timer is started anew.
 * Not from other threads. */
static inline void async_timer_start(
    struct async_loop *loop, struct async_timer *timer, async_time ticks,
    void (*fn)(struct async_loop *loop, struct async_timer *timer), void *arg)
{
    async_check_loop_(loop);
    async_timer_stop(loop, timer);
    ASYNC_ASSERT(ticks <= ASYNC_MAX_TICKS, "longer than ASYNC_MAX_TICKS");
    timer->fn = fn;
    timer->arg = arg;
    if (ticks == 0)
        ticks = 1;
    if (loop->polling_) {
        timer->wait_.kind = ASYNC_WAIT_TIMER_;
        async_deadlines_add_(&loop->deadlines_, &timer->wait_,
                             (async_time)(loop->now_ + ticks));
    } else {
        timer->wait_.kind = ASYNC_WAIT_FRESH_;
        timer->wait_.on.deadline = ticks;
        async_line_join_(&loop->deadlines_.due, &timer->wait_);
        async_changed_(loop);
    }
}

/* ---- waits -------------------------------------------------------------------------- */

/* The wait is over: it has left its line, its task runs. */
static inline void async_wait_over_(struct async_loop *loop,
                                    struct async_wait_ *wait, int status)
{
    struct async_task *task = (struct async_task *)(void *)wait;

    wait->flags |= ASYNC_IS_WOKEN_;
    wait->status = (int16_t)status;
    async_ready_task_(loop, task);
}

/* The first in line is let go with `status`. False if there is nobody. */
static inline int async_line_wake_(struct async_loop *loop,
                                   struct async_wait_ **line, int status)
{
    struct async_wait_ *first = *line;

    if (!first)
        return 0;
    async_line_leave_(line, first);
    async_wait_over_(loop, first, status);
    return 1;
}

#if ASYNC_HOSTED_
/* Tells the host what is still waited for on `fd`. */
static inline int async_watch_(struct async_loop *loop, int fd)
{
    struct async_wait_ *first = loop->fds_, *wait = first;
    int events = 0;

    if (!loop->host_ || !loop->host_->watch)
        return ASYNC_ENOTSUP;
    if (first) {
        do {
            if (wait->on.fd / 4 == fd)
                events |= wait->on.fd & 3;
            wait = wait->next;
        } while (wait != first);
    }
    return loop->host_->watch(loop->host_->arg, fd, events);
}
#endif

/* Where those who join `task` wait. */
static inline struct async_wait_ **async_joiners_(struct async_task *task)
{
    return task->wait_.flags & ASYNC_IS_OWNED_ ? &task->ends_.owner->joiners
                                               : &task->ends_.joiners;
}

/* The task waits for nothing any more. */
static inline void async_wait_drop_(struct async_loop *loop,
                                    struct async_task *task)
{
    struct async_wait_ *wait = &task->wait_;
    unsigned kind = wait->kind;

    wait->kind = ASYNC_WAIT_NONE_;
    wait->flags &= (uint8_t)~ASYNC_IS_WOKEN_;
    if (!wait->next)
        return;
    switch (kind) {
    case ASYNC_WAIT_SLEEP_:
        async_deadlines_remove_(&loop->deadlines_, wait);
        break;
    case ASYNC_WAIT_LINE_:
        async_line_leave_((struct async_wait_ **)wait->on.object, wait);
        break;
    case ASYNC_WAIT_JOIN_:
        async_line_leave_(
            async_joiners_((struct async_task *)wait->on.object), wait);
        break;
#if ASYNC_HOSTED_
    case ASYNC_WAIT_FD_:
        async_line_leave_(&loop->fds_, wait);
        (void)async_watch_(loop, wait->on.fd / 4);
        break;
#endif
    default:
        async_line_leave_(&loop->lookers_, wait);
        break;
    }
}

/* How an awaitable begins. It names the wait it stands for, and is told:
 * ASYNC_NEW_     it has not begun: begin it, then return async_pending_
 * pending        it goes on
 * anything else  it is over, with this status */
enum { ASYNC_NEW_ = 2 };

static inline async_status async_pending_(struct async_loop *loop)
{
    struct async_task *task = loop->current_;

    loop->seen_ = 1;
    if (loop->landing_) {
        loop->landing_ = 0;
        async_wait_drop_(loop, task);
        return ASYNC_ECANCELED;
    }
    return task->wait_.flags & ASYNC_IS_CANCELED_ || task->wait_.asks
               ? ASYNC_ASKED_
               : ASYNC_PENDING;
}

static inline async_status async_wait_go_(struct async_loop *loop,
                                          unsigned kind, void *object)
{
    struct async_task *task = loop->current_;
    struct async_wait_ *wait;

    ASYNC_ASSERT(task, "a wait outside a running task of this loop: spawn the "
                       "function, or hand it the loop that runs it");
    wait = &task->wait_;
    if (wait->kind != kind || loop->seen_ ||
        (object && wait->on.object != object)) {
        if (wait->kind != ASYNC_WAIT_NONE_)
            async_wait_drop_(loop, task);
        wait->kind = (uint8_t)kind;
        if (object)
            wait->on.object = object;
        return ASYNC_NEW_;
    }
    if (wait->flags & ASYNC_IS_WOKEN_) {
        wait->flags &= (uint8_t)~ASYNC_IS_WOKEN_;
        wait->kind = ASYNC_WAIT_NONE_;
        return wait->status;
    }
    return async_pending_(loop);
}

/* True if the running task waits in `line`, or has just been let go from it. */
static inline int async_waits_in_(const struct async_loop *loop,
                                  struct async_wait_ **line)
{
    const struct async_task *task = loop->current_;

    return task && task->wait_.kind == ASYNC_WAIT_LINE_ &&
           task->wait_.on.object == line;
}

/* Waits in `line` until async_line_wake_ lets it go. */
static inline async_status async_line_wait_(struct async_loop *loop,
                                            struct async_wait_ **line)
{
    async_status status = async_wait_go_(loop, ASYNC_WAIT_LINE_, line);

    if (status != ASYNC_NEW_)
        return status;
    async_line_join_(line, &loop->current_->wait_);
    return async_pending_(loop);
}

static inline async_status async_yield_begin_(struct async_loop *loop)
{
    struct async_task *task = loop->current_;

    if (task && task->wait_.kind == ASYNC_WAIT_YIELD_ && !loop->seen_)
        return async_pending_(loop); /* a cancel lands */
    (void)async_wait_go_(loop, ASYNC_WAIT_YIELD_, NULL);
    async_ready_task_(loop, task);
    return async_pending_(loop);
}

/* Awaitable: lets everything else that is ready run first. If canceled here:
 * nothing is lost. (A plain async_yield() does so too in the body of a task's
 * own function; in one that it awaits it looks like a plain condition, and
 * waits for the next tick.) */
static inline async_status async_yield_now(struct async_loop *loop)
{
    struct async_task *task = loop->current_;

    if (task && task->wait_.kind == ASYNC_WAIT_YIELD_ && !loop->seen_ &&
        !loop->landing_) {
        task->wait_.kind = ASYNC_WAIT_NONE_;
        return ASYNC_DONE;
    }
    return async_yield_begin_(loop);
}

/* Awaitable: waits until the loop's time is `deadline`, or past it. If
 * canceled here: nothing is lost. */
static inline async_status async_sleep_until(struct async_loop *loop,
                                             async_time deadline)
{
    const struct async_task *task = loop->current_;
    unsigned begun = task && !loop->seen_ ? task->wait_.kind : 0u;
    async_status status;

    if (begun == ASYNC_WAIT_YIELD_ ||
        (begun != ASYNC_WAIT_SLEEP_ && !async_before_(loop->now_, deadline)))
        return async_yield_now(loop);
    status = async_wait_go_(loop, ASYNC_WAIT_SLEEP_, NULL);
    if (status != ASYNC_NEW_)
        return status;
    async_deadlines_add_(&loop->deadlines_, &loop->current_->wait_, deadline);
    return async_pending_(loop);
}

/* Awaitable: waits for `ms` milliseconds, from the time of this poll. 0 is
 * async_yield_now. If canceled here: nothing is lost. */
static inline async_status async_sleep_ms(struct async_loop *loop, uint32_t ms)
{
    return async_sleep_until(loop,
                             (async_time)(loop->now_ + async_ticks_(ms)));
}

/* Awaitable: waits until `condition` is true. It is looked at in each poll. If
 * canceled here: nothing is lost. Unlike a plain await_until it can be
 * canceled and timed out. */
#define async_until(loop, condition) async_until_(loop, (condition) ? 1 : 0)

static inline async_status async_until_(struct async_loop *loop, int condition)
{
    async_status status = async_wait_go_(loop, ASYNC_WAIT_UNTIL_, NULL);

    if (status == ASYNC_ECANCELED)
        return status;
    if (condition) {
        async_wait_drop_(loop, loop->current_);
        return ASYNC_DONE;
    }
    if (status == ASYNC_DONE) /* looked at, and not true */
        loop->current_->wait_.kind = ASYNC_WAIT_UNTIL_;
    else if (status != ASYNC_NEW_)
        return status;
    async_line_join_(&loop->lookers_, &loop->current_->wait_);
    return async_pending_(loop);
}

/* Awaitable: waits until the flag is set, and clears it. If canceled here: the
 * flag stays as it is. */
static inline async_status async_flag_wait(struct async_loop *loop,
                                           struct async_flag *flag)
{
    async_status status = async_wait_go_(loop, ASYNC_WAIT_FLAG_, NULL);

    if (status == ASYNC_ECANCELED)
        return status;
    if (async_byte_clear_(&flag->set_)) {
        async_wait_drop_(loop, loop->current_);
        return ASYNC_DONE;
    }
    if (status == ASYNC_DONE) /* a wake, for something else */
        loop->current_->wait_.kind = ASYNC_WAIT_FLAG_;
    else if (status != ASYNC_NEW_)
        return status;
    async_line_join_(&loop->lookers_, &loop->current_->wait_);
    return async_pending_(loop);
}

/* ---- tasks --------------------------------------------------------------------------- */

/* How a task ended: ASYNC_DONE or its error; ASYNC_PENDING before that. */
static inline async_status async_task_outcome(const struct async_task *task)
{
    return task->wait_.flags & ASYNC_IS_ENDED_ ? task->wait_.status
                                               : ASYNC_PENDING;
}

/* Takes a failed task off the list of those nobody joined. */
static inline void async_claim_(struct async_loop *loop,
                                struct async_task *task)
{
    if (task->wait_.flags & ASYNC_IS_UNJOINED_) {
        task->wait_.flags &= (uint8_t)~ASYNC_IS_UNJOINED_;
        async_line_leave_(&loop->unjoined_, &task->wait_);
    }
}

/* Takes the first failed task that nobody has joined, tells loop->unhandled
 * of it, and returns its error; 0 when there is none. For those who drive the
 * loop themselves: call it until it returns 0, after tasks had their chance to
 * join. */
static inline async_status async_unjoined(struct async_loop *loop)
{
    struct async_task *task = (struct async_task *)(void *)loop->unjoined_;
    async_status error;

    if (!task)
        return 0;
    async_claim_(loop, task);
    error = task->wait_.status;
    if (loop->unhandled)
        loop->unhandled(loop, task, error);
    return error;
}

/* Starts fn(loop, frame) as a task: its first step comes with the next poll,
 * or later in this one. Returns 0; ASYNC_EBUSY if this task has not ended
 * (a mistake of the program's: asserted). */
static inline int async_spawn(struct async_loop *loop, struct async_task *task,
                              async_fn *fn, void *frame)
{
    static const struct async_task zero = ASYNC_ZERO_;

    async_check_loop_(loop);
    ASYNC_ASSERT(!(task->wait_.flags & ASYNC_IS_ALIVE_),
                 "spawned while it runs: join it first, or use another task; "
                 "or its storage was not all-zero");
    if (task->wait_.flags & ASYNC_IS_ALIVE_)
        return ASYNC_EBUSY;
    if (task->wait_.flags & ASYNC_IS_UNJOINED_) {
        async_claim_(loop, task);
        if (loop->unhandled)
            loop->unhandled(loop, task, task->wait_.status);
    }
    *task = zero;
    task->fn = fn;
    task->frame = frame;
    task->wait_.flags = ASYNC_IS_ALIVE_;
    loop->alive_++;
#if ASYNC_TASK_LIST
    task->older_ = loop->newest_;
    if (loop->newest_)
        loop->newest_->newer_ = task;
    loop->newest_ = task;
#endif
    async_ready_task_(loop, task);
    return 0;
}

/* Asks the task to stop: its current wait, or else its next one, returns
 * ASYNC_ECANCELED, and it unwinds through its finally sections. A wait that is
 * already over keeps its result; the next one takes the cancel. async_join
 * tells when the task has ended. Nothing if it has, or was never spawned. */
static inline void async_cancel(struct async_loop *loop,
                                struct async_task *task)
{
    if (!(task->wait_.flags & ASYNC_IS_ALIVE_))
        return;
    task->wait_.flags |= ASYNC_IS_CANCELED_;
    if (task != loop->current_)
        async_ready_task_(loop, task);
}

/* Awaitable: waits until the task has ended, and returns how. Any number of
 * tasks may join one. ASYNC_EDEADLK: it is the caller itself. ASYNC_EINVAL: it
 * was never spawned. If canceled here: the joined task goes on. */
static inline async_status async_join(struct async_loop *loop,
                                      struct async_task *task)
{
    async_status status;

    if (task == loop->current_)
        return ASYNC_EDEADLK;
    status = async_wait_go_(loop, ASYNC_WAIT_JOIN_, task);
    if (status != ASYNC_NEW_)
        return status; /* of the wait: the task's storage may be gone */
    if (task->wait_.flags & ASYNC_IS_ALIVE_) {
        async_line_join_(async_joiners_(task), &loop->current_->wait_);
        return async_pending_(loop);
    }
    async_wait_drop_(loop, loop->current_);
    ASYNC_ASSERT(task->wait_.flags & ASYNC_IS_ENDED_,
                 "joins a task that was never spawned");
    if (!(task->wait_.flags & ASYNC_IS_ENDED_))
        return ASYNC_EINVAL;
    async_claim_(loop, task);
    return task->wait_.status;
}

/* The task's end is reported to `owner`, its joiners wait there. */
static inline void async_own_(struct async_task *task,
                              struct async_owner_ *owner)
{
    struct async_wait_ **joiners = &task->ends_.joiners;
    struct async_wait_ *wait;

    while ((wait = *joiners) != NULL) {
        async_line_leave_(joiners, wait);
        async_line_join_(&owner->joiners, wait);
    }
    task->ends_.owner = owner;
    task->wait_.flags |= ASYNC_IS_OWNED_;
}

/* Lets those go who join `task`; others may wait in the same line. */
static inline void async_joiners_go_(struct async_loop *loop,
                                     struct async_wait_ **line,
                                     const struct async_task *task)
{
    struct async_wait_ *wait = *line, *last = wait ? wait->prev : NULL;
    int more = wait != NULL;

    while (more) {
        struct async_wait_ *next = wait->next;

        more = wait != last;
        if (wait->on.object == task) {
            async_line_leave_(line, wait);
            async_wait_over_(loop, wait, task->wait_.status);
        }
        wait = next;
    }
}

static inline void async_task_end_(struct async_loop *loop,
                                   struct async_task *task, int status)
{
    struct async_wait_ *wait = &task->wait_;
    struct async_wait_ **line = async_joiners_(task);
    struct async_owner_ *owner =
        wait->flags & ASYNC_IS_OWNED_ ? task->ends_.owner : NULL;

    if (wait->kind != ASYNC_WAIT_NONE_)
        async_wait_drop_(loop, task);
    if (task->next_) { /* woken in its last step: it must not stay queued */
        struct async_task *before = task;

        while (before->next_ != task)
            before = before->next_;
        if (loop->ready_ == task)
            loop->ready_ = before == task ? NULL : before;
        before->next_ = task->next_;
        task->next_ = NULL;
    }
    wait->flags = ASYNC_IS_ENDED_;
    wait->status = (int16_t)(status > 0               ? ASYNC_DONE
                             : status > ASYNC_ASKED_ ? status
                                                      : ASYNC_EINVAL);
    loop->alive_--;
#if ASYNC_TASK_LIST
    if (task->newer_)
        task->newer_->older_ = task->older_;
    else
        loop->newest_ = task->older_;
    if (task->older_)
        task->older_->newer_ = task->newer_;
#endif
    if (wait->status < 0 && !owner && !*line) {
        wait->flags |= ASYNC_IS_UNJOINED_;
        async_line_join_(&loop->unjoined_, wait);
    }
    if (*line)
        async_joiners_go_(loop, line, task);
    if (owner)
        owner->ended(loop, owner, task);
}

#endif /* ASYNC_TASK_H */

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
 * The above copyright notice and this permission notice shall be included in all
 * copies or substantial portions of the Software.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
 * IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
 * FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
 * AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
 * LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
 * OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
 * SOFTWARE.
 */
