/* async_loop.h: the loop that runs async functions as tasks.
 * SPDX-License-Identifier: MIT
 *
 * A task that waits costs nothing until what it waits for has happened, and
 * then only that task runs. The loop takes the time as an argument, sleeps
 * never and allocates nothing, so it fits into a superloop, a GUI's loop or a
 * test. async_run drives it where there is a POSIX system. Tasks are yours:
 * plain structs that the loop links together.
 *
 *     #include <stdio.h>
 *     #include "async_loop.h"
 *
 *     struct greeting {
 *         struct async_frame async;
 *     };
 *
 *     static async greeting(struct async_loop *loop, void *frame)
 *     {
 *         struct greeting *self = frame;
 *
 *         async_begin(self);
 *         printf("hello\n");
 *         await(async_sleep_ms(loop, 100));
 *         printf("world\n");
 *         async_end();
 *     }
 *
 *     int main(void)
 *     {
 *         struct async_loop loop = {0};
 *         struct greeting frame = {0};
 *
 *         return async_run(&loop, greeting, &frame) < 0;
 *     }
 *
 * prints
 *
 *     hello
 *     world
 *
 * Rules
 * 1. A task and its frame stay where they are until the task has ended and,
 *    if it failed, has been joined or the loop is done with. All-zero first.
 * 2. One thread owns a loop. Others, signal handlers and interrupts may call
 *    async_wake and async_flag_set, nothing else.
 * 3. A task waits for one thing at a time. An awaitable of this library, asked
 *    again, goes on with the wait it began: its first arguments count.
 * 4. A step must not block: what blocks goes through async_thread.h.
 *
 * Configuration (the same in all of a program; checked when loops meet)
 *
 *     ASYNC_TIME_BITS    8, 16, 32, 64: the width of a time. Default: a
 *                        pointer's, 32 at the least. A wait can last for less
 *                        than half its range.
 *     ASYNC_TICK_HZ      ticks a second, 1000
 *     ASYNC_RADIX_BITS   1 to 6: more is faster with many timers and larger:
 *                        a loop has about (2^bits / bits) * ASYNC_TIME_BITS
 *                        pointers. Default 6 on hosts, 1 elsewhere.
 *     ASYNC_TASK_LIST    1: every live task is on its loop's list. Default 1
 *                        on hosts, 0 elsewhere.
 *     ASYNC_POLL_TICKS   how soon a plain condition is looked at again, 1
 *     ASYNC_POLL_STEPS   async_poll goes back to its host after this many
 *                        steps, and after all that was ready at its start: 128
 *     ASYNC_RUN_FDS      descriptors that async_run can watch at once, 64
 */
#ifndef ASYNC_LOOP_H
#define ASYNC_LOOP_H

#include "async.h" /* the language */

#include <stddef.h> /* size_t, NULL */
#include <stdint.h> /* times, the wake flag */

/* ---- configuration and platform ------------------------------------------ */

#if defined(__unix__) || defined(__APPLE__)
#define ASYNC_HAVE_RUN_ ASYNC_HOSTED_
#else
#define ASYNC_HAVE_RUN_ 0
#endif

/* An exchange of one byte: inline, or not at all (it would not link). */
#if defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_1)
#define ASYNC_HAVE_EXCHANGE_ 1
#else
#define ASYNC_HAVE_EXCHANGE_ 0
#endif

#ifndef ASYNC_TIME_BITS
#if UINTPTR_MAX > 0xFFFFFFFFu
#define ASYNC_TIME_BITS 64
#else
#define ASYNC_TIME_BITS 32
#endif
#endif
#ifndef ASYNC_TICK_HZ
#define ASYNC_TICK_HZ 1000
#endif
#ifndef ASYNC_RADIX_BITS
#define ASYNC_RADIX_BITS (ASYNC_HOSTED_ ? 6 : 1)
#endif
#ifndef ASYNC_TASK_LIST
#define ASYNC_TASK_LIST ASYNC_HOSTED_
#endif
#ifndef ASYNC_POLL_TICKS
#define ASYNC_POLL_TICKS 1
#endif
#ifndef ASYNC_POLL_STEPS
#define ASYNC_POLL_STEPS 128
#endif
#ifndef ASYNC_RUN_FDS
#define ASYNC_RUN_FDS 64
#endif

#if ASYNC_RADIX_BITS < 1 || ASYNC_RADIX_BITS > 6
#error "ASYNC_RADIX_BITS is 1 to 6"
#endif

/* Ticks since some beginning. Wraps; compared by difference only. */
#if ASYNC_TIME_BITS == 64
typedef uint64_t async_time;
#elif ASYNC_TIME_BITS == 32
typedef uint32_t async_time;
#elif ASYNC_TIME_BITS == 16
typedef uint16_t async_time;
#elif ASYNC_TIME_BITS == 8
typedef uint8_t async_time;
#else
#error "ASYNC_TIME_BITS is 8, 16, 32 or 64"
#endif

/* async_poll's answer when only a wake can bring work. */
#define ASYNC_FOREVER ((async_time) ~(async_time)0)
/* The longest wait, in ticks. */
#define ASYNC_MAX_TICKS ((async_time)(ASYNC_FOREVER >> 1))

/* ---- types ------------------------------------------------------------------ */

struct async_loop;
struct async_task;
struct async_timer;

/* The functions that can be spawned. `frame` points to a struct whose first
 * member is its struct async_frame. */
typedef async_status async_fn(struct async_loop *loop, void *frame);

/* A place in a line: the line of a lock, of a task's joiners, of a slot of the
 * timers. In a circle; `next` is NULL for one that is in no line. */
struct async_wait_ {
    struct async_wait_ *next;
    struct async_wait_ *prev;
    union {
        async_time deadline;       /* sleep, timer */
        struct async_wait_ **line; /* line: whose */
        int fd;                    /* fd, its events in `status` */
    } on;
    int16_t status; /* a wait's result; then how the task ended */
    uint8_t kind;   /* ASYNC_WAIT_... */
    uint8_t flags;  /* of the task: ASYNC_IS_... */
    uint8_t asks;   /* of the task: expired timeouts that ask it to stop */
};

enum {
    ASYNC_WAIT_NONE_,
    ASYNC_WAIT_YIELD_, /* on no line: the task is ready */
    ASYNC_WAIT_SLEEP_,
    ASYNC_WAIT_TIMER_, /* a struct async_timer's, not a task's */
    ASYNC_WAIT_LINE_,
    ASYNC_WAIT_FD_,
    ASYNC_WAIT_FLAG_,  /* looked at after each wake */
    ASYNC_WAIT_UNTIL_, /* looked at in each poll; async_until */
    ASYNC_WAIT_BARE_   /* the same; a condition the loop does not know */
};

enum {
    ASYNC_IS_ALIVE_ = 1,      /* spawned, not ended */
    ASYNC_IS_ENDED_ = 2,      /* `status` is how */
    ASYNC_IS_SEEN_ = 4,       /* its wait was asked for in this step */
    ASYNC_IS_WOKEN_ = 8,      /* its wait is over, `status` is how */
    ASYNC_IS_CANCELED_ = 16,  /* a cancel is asked for */
    ASYNC_IS_LANDING_ = 32,   /* no finally objects: its wait takes it now */
    ASYNC_IS_OWNED_ = 64,     /* `ends` is an owner, not a line of joiners */
    ASYNC_IS_UNJOINED_ = 128  /* failed, on the loop's list of such */
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

#define ASYNC_SLOTS_ (ASYNC_RADIX_BITS == 1 ? 1 : 1 << ASYNC_RADIX_BITS)
#define ASYNC_LEVELS_                                                          \
    ((ASYNC_TIME_BITS + ASYNC_RADIX_BITS - 1) / ASYNC_RADIX_BITS)

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
    uint8_t next_is_; /* what `next_` is: ASYNC_NEXT_... */
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

    /* timers: see async_slot_ */
    async_time base_;
    async_time next_;
    struct async_wait_ *due_;
    struct async_wait_ *slots_[ASYNC_LEVELS_ * ASYNC_SLOTS_];
};

enum { ASYNC_NEXT_IS_NONE_, ASYNC_NEXT_IS_KNOWN_, ASYNC_NEXT_IS_UNKNOWN_ };

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

/* The time that the last async_poll was given, in ticks. */
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

/* Makes `host` the one to notify, NULL for none. On the loop's thread. When it
 * returns, nobody is in the former host's notify any more. */
static inline void async_attach(struct async_loop *loop,
                                const struct async_host *host)
{
    async_check_loop_(loop);
    ASYNC_SET_HOST_(loop, host);
    while (async_byte_(&loop->woken_) >= ASYNC_NOTIFYING_)
        ; /* a few instructions of another thread */
    if (host)
        host->notify(host->arg);
}

/* After a change from outside async_poll, which has made its answer wrong. */
static inline void async_changed_(struct async_loop *loop)
{
    if (!loop->polling_ && loop->host_)
        loop->host_->notify(loop->host_->arg);
}

/* ---- lines ------------------------------------------------------------------- */

static inline void async_line_join_(struct async_wait_ **line,
                                    struct async_wait_ *wait)
{
    struct async_wait_ *first = *line;

    if (!first) {
        *line = wait->next = wait->prev = wait;
        return;
    }
    wait->next = first;
    wait->prev = first->prev;
    first->prev->next = wait;
    first->prev = wait;
}

static inline void async_line_leave_(struct async_wait_ **line,
                                     struct async_wait_ *wait)
{
    if (wait->next == wait) {
        *line = NULL;
    } else {
        wait->next->prev = wait->prev;
        wait->prev->next = wait->next;
        if (*line == wait)
            *line = wait->next;
    }
    wait->next = NULL;
}

/* ---- the ready queue ------------------------------------------------------------ */

static inline void async_ready_task_(struct async_loop *loop,
                                     struct async_task *task)
{
    if (task->next_ || task == loop->current_)
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

/* The current task, again. */
static inline void async_ready_again_(struct async_loop *loop)
{
    struct async_task *task = loop->current_;

    loop->current_ = NULL;
    async_ready_task_(loop, task);
    loop->current_ = task;
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

/* ---- timers ------------------------------------------------------------------------
 * A radix heap in the timers' own memory. Seen from `base_`, a deadline belongs
 * to the level of the highest digit in which the two differ, and there to the
 * slot of its own digit. So the first slot that is used, on the lowest level
 * that is used, holds what comes first. When time reaches that slot's start,
 * its timers are dealt to lower levels: each timer moves at most once a level,
 * and those with one deadline stay in the order they were started in. With
 * radix 2 a level needs one slot only: its digit is the one base_ hasn't.
 * `base_` moves only to times that no timer comes before. Idea: Ahuja, Mehlhorn,
 * Orlin and Tarjan's radix heap (1990); Varghese and Lauck's wheels (1987). */

/* True if a comes before b. */
static inline int async_before_(async_time a, async_time b)
{
    return (async_time)(a - b) > ASYNC_MAX_TICKS;
}

static inline unsigned async_level_(const struct async_loop *loop,
                                    async_time deadline)
{
    async_time differ = (async_time)(deadline ^ loop->base_);
    unsigned level = 0;

    while ((differ = (async_time)(differ >> ASYNC_RADIX_BITS)) != 0)
        level++;
    return level;
}

static inline struct async_wait_ **async_slot_(struct async_loop *loop,
                                               async_time deadline)
{
    unsigned level, digit;

    if (deadline == loop->base_)
        return &loop->due_;
    level = async_level_(loop, deadline);
    digit = (unsigned)(deadline >> level * ASYNC_RADIX_BITS) &
            (ASYNC_SLOTS_ - 1);
    return &loop->slots_[level * ASYNC_SLOTS_ + digit];
}

/* Makes next_ exact. False if there is no timer. */
static inline int async_find_next_(struct async_loop *loop)
{
    unsigned level, i;
    struct async_wait_ *first, *wait;

    if (loop->next_is_ != ASYNC_NEXT_IS_UNKNOWN_)
        return loop->next_is_ == ASYNC_NEXT_IS_KNOWN_;
    loop->next_is_ = ASYNC_NEXT_IS_NONE_;
    first = loop->due_;
    for (level = 0; level < ASYNC_LEVELS_ && !first; level++) {
        unsigned digit =
            (unsigned)(loop->base_ >> level * ASYNC_RADIX_BITS);

        for (i = 0; i < ASYNC_SLOTS_ && !first; i++)
            first = loop->slots_[level * ASYNC_SLOTS_ +
                                 ((digit + i) & (ASYNC_SLOTS_ - 1))];
    }
    if (!first)
        return 0;
    loop->next_is_ = ASYNC_NEXT_IS_KNOWN_;
    loop->next_ = first->on.deadline;
    if (level > 1) /* on the lowest level a slot is one deadline */
        for (wait = first->next; wait != first; wait = wait->next)
            if (async_before_(wait->on.deadline, loop->next_))
                loop->next_ = wait->on.deadline;
    return 1;
}

static inline void async_timer_arm_(struct async_loop *loop,
                                    struct async_wait_ *wait,
                                    async_time deadline)
{
    if (loop->next_is_ == ASYNC_NEXT_IS_NONE_) {
        loop->base_ = loop->now_;
        loop->next_ = deadline;
        loop->next_is_ = ASYNC_NEXT_IS_KNOWN_;
        async_changed_(loop);
    } else if (async_before_(deadline, loop->next_)) {
        loop->next_ = deadline;
        async_changed_(loop);
    }
    wait->on.deadline = deadline;
    async_line_join_(async_slot_(loop, deadline), wait);
}

static inline void async_timer_disarm_(struct async_loop *loop,
                                       struct async_wait_ *wait)
{
    async_line_leave_(async_slot_(loop, wait->on.deadline), wait);
    if (wait->on.deadline == loop->next_)
        loop->next_is_ = ASYNC_NEXT_IS_UNKNOWN_;
}

/* Ticks for a time in milliseconds, rounded up, within what can be waited. */
static inline async_time async_ticks_(uint32_t ms)
{
#if ASYNC_TICK_HZ == 1000
    uint32_t ticks = ms;
#else
    uint32_t ticks = ms / 1000 * ASYNC_TICK_HZ +
                     (ms % 1000 * ASYNC_TICK_HZ + 999) / 1000;
#endif

#if ASYNC_TIME_BITS < 64
    ASYNC_ASSERT(ticks <= ASYNC_MAX_TICKS,
                 "too long for ASYNC_TIME_BITS: widen it, or wait in parts");
    if (ticks > ASYNC_MAX_TICKS)
        ticks = ASYNC_MAX_TICKS;
#endif
    return (async_time)ticks;
}

static inline void async_timer_stop(struct async_loop *loop,
                                    struct async_timer *timer);

/* Calls fn(loop, timer) in `ticks` ticks; 0 counts as 1. A running timer is
 * started anew. Not from other threads. */
static inline void async_timer_start(
    struct async_loop *loop, struct async_timer *timer, async_time ticks,
    void (*fn)(struct async_loop *loop, struct async_timer *timer), void *arg)
{
    async_check_loop_(loop);
    async_timer_stop(loop, timer);
    ASYNC_ASSERT(ticks <= ASYNC_MAX_TICKS, "longer than ASYNC_MAX_TICKS");
    timer->fn = fn;
    timer->arg = arg;
    timer->wait_.kind = ASYNC_WAIT_TIMER_;
    async_timer_arm_(loop, &timer->wait_,
                     (async_time)(loop->now_ + (ticks ? ticks : 1)));
}

/* Stops it; nothing if it isn't running. Its fn is not called any more. */
static inline void async_timer_stop(struct async_loop *loop,
                                    struct async_timer *timer)
{
    if (timer->wait_.next)
        async_timer_disarm_(loop, &timer->wait_);
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
            if (wait->on.fd == fd)
                events |= wait->status;
            wait = wait->next;
        } while (wait != first);
    }
    return loop->host_->watch(loop->host_->arg, fd, events);
}
#endif

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
        async_timer_disarm_(loop, wait);
        break;
    case ASYNC_WAIT_LINE_:
        async_line_leave_(wait->on.line, wait);
        break;
#if ASYNC_HOSTED_
    case ASYNC_WAIT_FD_:
        async_line_leave_(&loop->fds_, wait);
        (void)async_watch_(loop, wait->on.fd);
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

    task->wait_.flags |= ASYNC_IS_SEEN_;
    if (task->wait_.flags & ASYNC_IS_LANDING_) {
        task->wait_.flags &= (uint8_t)~ASYNC_IS_LANDING_;
        async_wait_drop_(loop, task);
        return ASYNC_ECANCELED;
    }
    return task->wait_.flags & ASYNC_IS_CANCELED_ || task->wait_.asks
               ? ASYNC_ASKED_
               : ASYNC_PENDING;
}

static inline async_status async_wait_go_(struct async_loop *loop,
                                          unsigned kind,
                                          struct async_wait_ **line)
{
    struct async_task *task = loop->current_;
    struct async_wait_ *wait = &task->wait_;

    ASYNC_ASSERT(task, "a wait outside a running task of this loop: spawn the "
                       "function, or hand it the loop that runs it");
    if (wait->kind != kind || wait->flags & ASYNC_IS_SEEN_ ||
        (line && wait->on.line != line)) {
        if (wait->kind != ASYNC_WAIT_NONE_)
            async_wait_drop_(loop, task);
        wait->kind = (uint8_t)kind;
        if (line)
            wait->on.line = line;
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
           task->wait_.on.line == line;
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

/* Awaitable: lets everything else that is ready run first. If canceled here:
 * nothing is lost. */
static inline async_status async_yield_now(struct async_loop *loop)
{
    async_status status = async_wait_go_(loop, ASYNC_WAIT_YIELD_, NULL);

    if (status != ASYNC_NEW_)
        return status;
    loop->current_->wait_.flags |= ASYNC_IS_WOKEN_;
    loop->current_->wait_.status = ASYNC_DONE;
    async_ready_again_(loop);
    return async_pending_(loop);
}

/* Awaitable: waits until the loop's time is `deadline`, or past it. If
 * canceled here: nothing is lost. */
static inline async_status async_sleep_until(struct async_loop *loop,
                                             async_time deadline)
{
    async_status status;

    if (loop->current_ && loop->current_->wait_.kind != ASYNC_WAIT_SLEEP_ &&
        !async_before_(loop->now_, deadline))
        return async_yield_now(loop);
    status = async_wait_go_(loop, ASYNC_WAIT_SLEEP_, NULL);
    if (status != ASYNC_NEW_)
        return status;
    async_timer_arm_(loop, &loop->current_->wait_, deadline);
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

#if ASYNC_HOSTED_
static inline async_status async_fd_wait_(struct async_loop *loop, int fd,
                                          int events)
{
    async_status status = async_wait_go_(loop, ASYNC_WAIT_FD_, NULL);
    struct async_wait_ *wait = &loop->current_->wait_;

    if (status != ASYNC_NEW_)
        return status;
    wait->on.fd = fd;
    wait->status = (int16_t)events;
    async_line_join_(&loop->fds_, wait);
    status = async_watch_(loop, fd);
    if (status < 0) {
        async_line_leave_(&loop->fds_, wait);
        wait->kind = ASYNC_WAIT_NONE_;
        return status;
    }
    return async_pending_(loop);
}

/* Awaitables: wait until `fd` can be read from or written to without blocking,
 * or has failed. ASYNC_ENOTSUP: the host watches no descriptors. If canceled
 * here: nothing is lost. */
static inline async_status async_readable(struct async_loop *loop, int fd)
{
    return async_fd_wait_(loop, fd, ASYNC_READABLE);
}

static inline async_status async_writable(struct async_loop *loop, int fd)
{
    return async_fd_wait_(loop, fd, ASYNC_WRITABLE);
}

/* The host reports that `fd` is ready for `events`. On the loop's thread. */
static inline void async_ready(struct async_loop *loop, int fd, int events)
{
    struct async_wait_ *wait = loop->fds_, *last = wait ? wait->prev : NULL;
    int more = wait != NULL;

    while (more) {
        struct async_wait_ *next = wait->next;

        more = wait != last;
        if (wait->on.fd == fd && wait->status & events) {
            async_line_leave_(&loop->fds_, wait);
            async_wait_over_(loop, wait, ASYNC_DONE);
        }
        wait = next;
    }
    (void)async_watch_(loop, fd);
}
#endif

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

    if (!task)
        return 0;
    async_claim_(loop, task);
    if (loop->unhandled)
        loop->unhandled(loop, task, task->wait_.status);
    return task->wait_.status;
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
    async_ready_task_(loop, task);
}

/* Awaitable: waits until the task has ended, and returns how. Any number of
 * tasks may join one. ASYNC_EDEADLK: it is the caller itself. ASYNC_EINVAL: it
 * was never spawned. If canceled here: the joined task goes on. */
static inline async_status async_join(struct async_loop *loop,
                                      struct async_task *task)
{
    struct async_wait_ **line;
    async_status status;

    if (task == loop->current_)
        return ASYNC_EDEADLK;
    if (task->wait_.flags & ASYNC_IS_ENDED_) {
        if (loop->current_)
            async_wait_drop_(loop, loop->current_);
        async_claim_(loop, task);
        return task->wait_.status;
    }
    ASYNC_ASSERT(task->wait_.flags & ASYNC_IS_ALIVE_,
                 "joins a task that was never spawned");
    if (!(task->wait_.flags & ASYNC_IS_ALIVE_))
        return ASYNC_EINVAL;
    line = task->wait_.flags & ASYNC_IS_OWNED_ ? &task->ends_.owner->joiners
                                               : &task->ends_.joiners;
    status = async_line_wait_(loop, line);
    if (status == ASYNC_DONE) /* another task of the same owner has ended */
        status = async_line_wait_(loop, line);
    return status;
}

/* The task's end is reported to `owner`, its joiners wait there. */
static inline void async_own_(struct async_task *task,
                              struct async_owner_ *owner)
{
    struct async_wait_ **joiners = &task->ends_.joiners;
    struct async_wait_ *wait;

    while ((wait = *joiners) != NULL) {
        async_line_leave_(joiners, wait);
        wait->on.line = &owner->joiners;
        async_line_join_(&owner->joiners, wait);
    }
    task->ends_.owner = owner;
    task->wait_.flags |= ASYNC_IS_OWNED_;
}

static inline void async_task_end_(struct async_loop *loop,
                                   struct async_task *task, int status)
{
    struct async_wait_ *wait = &task->wait_;
    int owned = wait->flags & ASYNC_IS_OWNED_;

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
    if (wait->status < 0 && !owned && !task->ends_.joiners) {
        wait->flags |= ASYNC_IS_UNJOINED_;
        async_line_join_(&loop->unjoined_, wait);
    }
    if (owned) {
        struct async_owner_ *owner = task->ends_.owner;

        while (async_line_wake_(loop, &owner->joiners, ASYNC_DONE))
            ;
        owner->ended(loop, owner, task);
    } else {
        while (async_line_wake_(loop, &task->ends_.joiners, wait->status))
            ;
    }
}

/* One step of a task. A cancel that is asked for is offered to its functions
 * first: their wait answers ASYNC_ASKED_, and if that comes all the way up, no
 * finally section has objected and the second step lets it land. An expired
 * timeout on the way up lets its own land, by ASYNC_IS_LANDING_. */
static inline void async_step_(struct async_loop *loop,
                               struct async_task *task)
{
    struct async_wait_ *wait = &task->wait_;
    int status, landing;

    loop->current_ = task;
    do {
        landing = wait->flags & ASYNC_IS_LANDING_;
        wait->flags &= (uint8_t)~ASYNC_IS_SEEN_;
        status = task->fn(loop, task->frame);
        if (status == ASYNC_ASKED_) {
            status = ASYNC_PENDING;
            if (wait->flags & ASYNC_IS_CANCELED_)
                wait->flags ^= ASYNC_IS_CANCELED_ | ASYNC_IS_LANDING_;
        }
    } while (status == ASYNC_PENDING && wait->flags & ASYNC_IS_LANDING_ &&
             !landing);
    if (wait->flags & ASYNC_IS_LANDING_) {
        wait->flags &= (uint8_t)~ASYNC_IS_LANDING_;
        async_ready_again_(loop);
    }
    loop->current_ = NULL;
    if (status != ASYNC_PENDING) {
        async_task_end_(loop, task, status);
        return;
    }
    if (wait->kind != ASYNC_WAIT_NONE_) {
        if (wait->flags & ASYNC_IS_SEEN_)
            return;
        async_wait_drop_(loop, task); /* given up for something else */
    }
    if (task->frame && async_yielded((struct async_frame *)task->frame)) {
        async_ready_task_(loop, task);
    } else {
        wait->kind = ASYNC_WAIT_BARE_;
        async_line_join_(&loop->lookers_, wait);
    }
}

/* ---- polling ---------------------------------------------------------------------------- */

/* Lets go what is due at now_. */
static inline void async_expire_(struct async_loop *loop)
{
    while (async_find_next_(loop)) {
        unsigned shift = async_level_(loop, loop->next_) * ASYNC_RADIX_BITS;
        async_time start =
            (async_time)((async_time)(loop->next_ >> shift) << shift);
        struct async_wait_ **slot = async_slot_(loop, loop->next_), *wait;

        if (loop->next_ != loop->base_) {
            if (async_before_(loop->now_, start))
                return;
            loop->base_ = async_before_(loop->now_, loop->next_) ? loop->now_
                                                                 : loop->next_;
            while ((wait = *slot) != NULL) { /* deal the slot out */
                async_line_leave_(slot, wait);
                async_line_join_(async_slot_(loop, wait->on.deadline), wait);
            }
            if (loop->base_ != loop->next_)
                return;
        }
        while ((wait = loop->due_) != NULL) {
            async_line_leave_(&loop->due_, wait);
            if (wait->kind == ASYNC_WAIT_SLEEP_) {
                async_wait_over_(loop, wait, ASYNC_DONE);
            } else {
                struct async_timer *timer = (struct async_timer *)(void *)wait;

                timer->fn(loop, timer);
            }
        }
        loop->next_is_ = ASYNC_NEXT_IS_UNKNOWN_;
    }
}

/* Readies those that look at conditions; after a wake those at flags too. */
static inline void async_look_(struct async_loop *loop, int woken)
{
    struct async_wait_ *wait = loop->lookers_;
    struct async_wait_ *last = wait ? wait->prev : NULL;
    int more = wait != NULL;

    while (more) {
        struct async_wait_ *next = wait->next;

        more = wait != last;
        if (wait->kind != ASYNC_WAIT_FLAG_ || woken) {
            async_line_leave_(&loop->lookers_, wait);
            if (wait->kind != ASYNC_WAIT_FLAG_)
                loop->looks_++;
            if (wait->kind == ASYNC_WAIT_BARE_)
                wait->kind = ASYNC_WAIT_NONE_;
            async_wait_over_(loop, wait, ASYNC_DONE);
            if (wait->kind == ASYNC_WAIT_NONE_)
                wait->flags &= (uint8_t)~ASYNC_IS_WOKEN_;
        }
        wait = next;
    }
}

/* How many ticks may pass before async_poll must be called again. */
static inline async_time async_next_poll_(struct async_loop *loop)
{
    async_time ticks = ASYNC_FOREVER;
    struct async_wait_ *wait = loop->lookers_;

    if (loop->ready_ || async_byte_(&loop->woken_) & ASYNC_WOKEN_)
        return 0;
    if (async_find_next_(loop))
        ticks = async_before_(loop->next_, loop->now_)
                    ? 0
                    : (async_time)(loop->next_ - loop->now_);
    if (wait && ticks > ASYNC_POLL_TICKS) {
        do {
            if (wait->kind != ASYNC_WAIT_FLAG_)
                ticks = ASYNC_POLL_TICKS;
            wait = wait->next;
        } while (wait != loop->lookers_);
    }
    return ticks;
}

/* Runs everything that is ready at `now`, in the order it became ready. Never
 * blocks. Returns the ticks until it must be called again: 0 at once,
 * ASYNC_FOREVER only after a wake. The answer holds until the loop is changed
 * from outside a poll, which notifies the host. A `now` that went back counts
 * as none passed. On the loop's thread, and not from a task. */
static inline async_time async_poll(struct async_loop *loop, async_time now)
{
    unsigned steps = 0;
    struct async_task *last;

    async_check_loop_(loop);
    ASYNC_ASSERT(!loop->polling_, "async_poll from inside async_poll");
    if (loop->polling_)
        return 0;
    loop->polling_ = 1;
    if (!async_before_(now, loop->now_))
        loop->now_ = now;
    {
        int woken = async_byte_clear_(&loop->woken_);

#if ASYNC_HOSTED_
        if (!ASYNC_HAVE_EXCHANGE_) /* and threads: a set may have been missed */
            woken = 1;
        if (woken && loop->take_posted_)
            loop->take_posted_(loop);
#endif
        async_look_(loop, woken);
    }
    async_expire_(loop);
    last = loop->ready_;
    while (loop->ready_ && (last || steps < ASYNC_POLL_STEPS)) {
        struct async_task *task = async_ready_pop_(loop);

        if (task == last)
            last = NULL;
        async_step_(loop, task);
        steps++;
    }
    loop->polling_ = 0;
    return async_next_poll_(loop);
}

/* ---- async_run: a host of our own ---------------------------------------------------------- */

#if ASYNC_HAVE_RUN_

#include <errno.h>  /* what a system call says */
#include <fcntl.h>  /* O_NONBLOCK */
#include <poll.h>   /* the wait */
#include <time.h>   /* the monotonic clock */
#include <unistd.h> /* pipe, read, write, close */

#ifdef CLOCK_MONOTONIC
#define ASYNC_TIMESPEC_ timespec
#define async_clock_ clock_gettime
#define ASYNC_CLOCK_ID_ CLOCK_MONOTONIC
#else /* -std=c99 hides it; it is there all the same */
#define ASYNC_TIMESPEC_ async_timespec_
#define ASYNC_CLOCK_ID_ 1
struct async_timespec_ {
    long tv_sec;
    long tv_nsec;
};
int async_clock_(int id, struct async_timespec_ *time) __asm__("clock_gettime");
#endif

/* The system's monotonic time in ticks. */
static inline async_time async_clock_now(void)
{
    struct ASYNC_TIMESPEC_ time = {0, 0};

    (void)async_clock_(ASYNC_CLOCK_ID_, &time);
    return (async_time)((uint64_t)time.tv_sec * ASYNC_TICK_HZ +
                        (uint64_t)time.tv_nsec * ASYNC_TICK_HZ / 1000000000u);
}

struct async_run_ {
    struct async_host host;
    int wake_fd; /* the end to write to */
    nfds_t count;
    struct pollfd fds[1 + ASYNC_RUN_FDS]; /* first the end to read from */
};

static inline void async_run_notify_(void *arg)
{
    const struct async_run_ *run = (const struct async_run_ *)arg;
    int saved = errno; /* it may run in a signal handler */

    while (write(run->wake_fd, "", 1) < 0 && errno == EINTR)
        ;
    errno = saved;
}

static inline int async_run_watch_(void *arg, int fd, int events)
{
    struct async_run_ *run = (struct async_run_ *)arg;
    nfds_t i = 1;

    while (i < run->count && run->fds[i].fd != fd)
        i++;
    if (!events) {
        if (i < run->count)
            run->fds[i] = run->fds[--run->count];
        return 0;
    }
    if (i == run->count) {
        if (i > ASYNC_RUN_FDS)
            return ASYNC_EFULL;
        run->fds[run->count++].revents = 0;
    }
    run->fds[i].fd = fd;
    run->fds[i].events = (short)((events & ASYNC_READABLE ? POLLIN : 0) |
                                 (events & ASYNC_WRITABLE ? POLLOUT : 0));
    return 0;
}

/* Sleeps for `ticks` at the most, and passes on what has become ready. */
static inline void async_run_wait_(struct async_loop *loop,
                                   struct async_run_ *run, async_time ticks)
{
    uint64_t ms = ((uint64_t)ticks * 1000 + ASYNC_TICK_HZ - 1) / ASYNC_TICK_HZ;
    char drain[64];
    nfds_t i;

    if (ticks >= ASYNC_FOREVER / 1000 || ms > 0x7FFFFFFF)
        ms = 0x7FFFFFFF;
    if (poll(run->fds, run->count,
             ticks == ASYNC_FOREVER ? -1 : (int)ms) <= 0)
        return;
    if (run->fds[0].revents)
        while (read(run->fds[0].fd, drain, sizeof drain) == sizeof drain)
            ;
    for (i = run->count - 1; i > 0; i--) { /* backwards: entries go away */
        int revents = run->fds[i].revents;

        run->fds[i].revents = 0;
        if (revents)
            async_ready(loop, run->fds[i].fd,
                        revents & ~(POLLIN | POLLOUT)
                            ? ASYNC_READABLE | ASYNC_WRITABLE
                            : (revents & POLLIN ? ASYNC_READABLE : 0) |
                                  (revents & POLLOUT ? ASYNC_WRITABLE : 0));
    }
}

static inline int async_run_open_(struct async_run_ *run)
{
    int fds[2], i;

    if (pipe(fds) < 0)
        return -errno;
    for (i = 0; i < 2; i++) {
        (void)fcntl(fds[i], F_SETFL, O_NONBLOCK);
        (void)fcntl(fds[i], F_SETFD, FD_CLOEXEC);
    }
    run->host.notify = async_run_notify_;
    run->host.watch = async_run_watch_;
    run->host.arg = run;
    run->wake_fd = fds[1];
    run->count = 1;
    run->fds[0].fd = fds[0];
    run->fds[0].events = POLLIN;
    return 0;
}

/* Runs fn(loop, frame), and everything else that is spawned on the loop, to the
 * end, on the monotonic clock; sleeps while there is nothing to do. `fn` may
 * be NULL: runs what was spawned before. Returns ASYNC_DONE; or the error of
 * fn; or, with no loop->unhandled to take it, the first error of a task that
 * nobody joined. ASYNC_EBUSY: this loop is running, or has a host that runs
 * it. A negated errno: there was no pipe to be woken through; nothing ran.
 * Other threads may wake the loop until this returns, and no longer. */
static inline async_status async_run(struct async_loop *loop, async_fn *fn,
                                     void *frame)
{
    struct async_run_ run;
    struct async_task task;
    async_status status, error;

    async_check_loop_(loop);
    if (loop->running_ || loop->polling_ || loop->host_)
        return ASYNC_EBUSY;
    status = async_run_open_(&run);
    if (status < 0)
        return status;
    status = ASYNC_DONE;
    loop->running_ = 1;
    async_attach(loop, &run.host);
    task.wait_.flags = 0;
    if (fn)
        (void)async_spawn(loop, &task, fn, frame);
    for (;;) {
        async_time ticks = async_poll(loop, async_clock_now());

        if (!loop->alive_)
            break;
        if (ticks || run.count > 1)
            async_run_wait_(loop, &run, ticks);
    }
    async_attach(loop, NULL);
    loop->running_ = 0;
    (void)close(run.wake_fd);
    (void)close(run.fds[0].fd);
    if (fn) {
        async_claim_(loop, &task);
        status = async_task_outcome(&task);
    }
    while ((error = async_unjoined(loop)) != 0)
        if (status > 0 && !loop->unhandled)
            status = error;
    return status;
}

#endif /* ASYNC_HAVE_RUN_ */

#endif /* ASYNC_LOOP_H */
