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
 *     ASYNC_DEBUG        Defined: what async_debug.h needs is there. Where it
 *                        is not, it costs nothing. Files may differ.
 */
#ifndef ASYNC_TASK_H
#define ASYNC_TASK_H

#include "async_timer.h" /* times, lines, deadlines */
#include "async_wake.h"  /* what other contexts may write */

#include <stddef.h> /* size_t, NULL */
#include <stdint.h> /* the bytes of a task */

#ifndef ASYNC_TASK_LIST
#define ASYNC_TASK_LIST ASYNC_HOSTED_
#endif

/* ---- types -------------------------------------------------------------- */

struct async_loop;
struct async_task;

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
    ASYNC_IS_UNJOINED_ = 32, /* failed, on the loop's list of such */
    ASYNC_IS_LATE_ = 64,     /* `asks` is not 0 */
    ASYNC_IS_LANDING_ = 128, /* its wait takes the cancel in this step */
    ASYNC_ASKS_ = ASYNC_IS_CANCELED_ | ASYNC_IS_LATE_ | ASYNC_IS_LANDING_
};

enum {                        /* what is known of a step, so far */
       ASYNC_STEP_SEEN_ = 1,  /* the task has asked for its wait */
       ASYNC_STEP_AGAIN_ = 2, /* it is ready again */
       ASYNC_STEP_LAND_ = 4,  /* a cancel may land: it is stepped once more */
       ASYNC_STEP_MISSED_ = 8 /* what it should have landed in was given up */
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

enum { ASYNC_READABLE = 1, ASYNC_WRITABLE = 2 };
/* A few waits each with 1000 connections; a small loop has few. */
enum { ASYNC_FD_LINES_ = ASYNC_RADIX_BITS > 1 ? 128 : 1 };

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

/* What watches a loop: its first member, of a type of its own. */
struct async_probe {
    void (*tell)(struct async_probe *probe, struct async_loop *loop,
                 struct async_task *task, int what);
};

enum { /* what it is told, and of which task */
       ASYNC_ON_SPAWN,   /* the new one */
       ASYNC_ON_ROUND,   /* none: all that is ready will be stepped */
       ASYNC_ON_STEP,    /* it begins a step */
       ASYNC_ON_STEPPED, /* it has ended it */
       ASYNC_ON_END,     /* it has ended, and may be gone */
       ASYNC_ON_STUCK    /* none: nothing can wake those that live */
};

#ifdef ASYNC_DEBUG
#define ASYNC_TELL_(loop, task, what)                                          \
    ((loop)->probe ? (loop)->probe->tell((loop)->probe, loop, task, what)      \
                   : (void)0)
#else
#define ASYNC_TELL_(loop, task, what) ((void)0)
#endif

/* The loop. Yours; all-zero is ready to use. */
struct async_loop {
    /* written from any context */
    volatile async_shared_ woken_;
#if ASYNC_HOSTED_
    size_t posted_; /* a stack of what other threads have finished */
    void (*take_posted_)(struct async_loop *loop);
#endif

    const struct async_host *host_; /* set by the owner: async_attach */
#if ASYNC_HOSTED_
    size_t owner_; /* the same: which thread it is; 0 while there is no host */
#endif

    /* the owner's only */
    /* Told of a failed task that nobody has joined, when async_run ends, when
     * its struct is spawned again, or by async_unjoined. NULL: async_run
     * returns the first such error. */
    void (*unhandled)(struct async_loop *loop, struct async_task *task,
                      async_status error);

    /* Told of what the loop does where ASYNC_DEBUG is defined; see
     * async_debug.h. */
    struct async_probe *probe;

    uint8_t polling_;
    uint8_t running_;
    uint8_t step_; /* of the running task: ASYNC_STEP_... */
    uint8_t stamp_;
    struct async_task *current_;   /* the first that is ready, while it runs */
    struct async_task *ready_;     /* the last; its next_ is the first */
    struct async_wait_ *unjoined_; /* failed, not joined */
    struct async_wait_ *lookers_;  /* flags and plain conditions */
#if ASYNC_HOSTED_
    struct async_wait_ *fds_[ASYNC_FD_LINES_]; /* by number */
    size_t coming_; /* how many waits others will end: jobs, descriptors */
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

/* ---- waking, from any context ------------------------------------------- */

/* Has async_poll called soon. From any thread, signal handler or interrupt.
 * Latched: wakes before the next poll are one. The loop must live. */
static inline void async_wake(struct async_loop *loop)
{
    const struct async_host *host;

    if (!async_byte_wake_(&loop->woken_))
        return;
    host = ASYNC_LOAD_(&loop->host_);
    if (host)
        host->notify(host->arg);
    async_byte_told_(&loop->woken_);
}

/* After a change from outside async_poll, which has made its answer wrong. */
static inline void async_changed_(struct async_loop *loop)
{
    if (!loop->polling_ && loop->host_)
        loop->host_->notify(loop->host_->arg);
}

/* ---- the ready queue -------------------------------------------------------
 * A circle, first come first served. A task stays in it, as its first, while it
 * runs: then one store makes it the last, or takes it out. */

static inline void async_ready_task_(struct async_loop *loop,
                                     struct async_task *task)
{
    struct async_task *last = loop->ready_;

    if (task->next_) {
        if (task == loop->current_)
            loop->step_ |= ASYNC_STEP_AGAIN_;
        return;
    }
    loop->ready_ = task;
    if (last) {
        task->next_ = last->next_;
        last->next_ = task;
    } else {
        task->next_ = task;
        async_changed_(loop);
    }
}

/* The running task leaves it. */
static inline void async_ready_leave_(struct async_loop *loop,
                                      struct async_task *task)
{
    if (task == loop->ready_)
        loop->ready_ = NULL;
    else
        loop->ready_->next_ = task->next_;
    task->next_ = NULL;
}

/* ---- waits -------------------------------------------------------------- */

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
/* Where those who wait for `fd` wait, others among them. */
static inline struct async_wait_ **async_fd_line_(struct async_loop *loop,
                                                  int fd)
{
    return &loop->fds_[(unsigned)fd % ASYNC_FD_LINES_];
}

/* Tells the host what is still waited for on `fd`. */
static inline int async_watch_(struct async_loop *loop, int fd)
{
    struct async_wait_ *first = *async_fd_line_(loop, fd), *wait = first;
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
ASYNC_COLD_ void async_wait_drop_(struct async_loop *loop,
                                  struct async_task *task)
{
    struct async_wait_ *wait = &task->wait_;
    unsigned kind = wait->kind;

    loop->step_ &= (uint8_t)~ASYNC_STEP_SEEN_; /* what it asked for is gone */
    wait->kind = ASYNC_WAIT_NONE_;
    wait->flags &= (uint8_t)~ASYNC_IS_WOKEN_;
    if (wait->flags & ASYNC_IS_LANDING_)
        loop->step_ |= ASYNC_STEP_MISSED_;
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
        async_line_leave_(async_joiners_((struct async_task *)wait->on.object),
                          wait);
        break;
#if ASYNC_HOSTED_
    case ASYNC_WAIT_FD_:
        async_line_leave_(async_fd_line_(loop, wait->on.fd / 4), wait);
        loop->coming_--;
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

ASYNC_COLD_ async_status async_asked_(struct async_loop *loop)
{
    struct async_task *task = loop->current_;

    if (!(task->wait_.flags & ASYNC_IS_LANDING_))
        return ASYNC_ASKED_;
    if (loop->step_ & ASYNC_STEP_MISSED_)
        return ASYNC_PENDING; /* it is asked again, in the next step */
    task->wait_.flags &= (uint8_t)~ASYNC_IS_LANDING_;
    async_wait_drop_(loop, task);
    return ASYNC_ECANCELED;
}

static inline async_status async_pending_(struct async_loop *loop)
{
    struct async_wait_ *wait = &loop->current_->wait_;

    loop->step_ |= ASYNC_STEP_SEEN_;
    return wait->flags & ASYNC_ASKS_ ? async_asked_(loop) : ASYNC_PENDING;
}

static inline struct async_task *async_running_(struct async_loop *loop)
{
    ASYNC_ASSERT(loop->current_,
                 "a wait outside a running task of this loop: spawn the "
                 "function, or hand it the loop that runs it");
    return loop->current_;
}

static inline async_status async_wait_go_(struct async_loop *loop,
                                          unsigned kind, void *object)
{
    struct async_task *task = async_running_(loop);
    struct async_wait_ *wait = &task->wait_;

    if (wait->kind != kind || loop->step_ & ASYNC_STEP_SEEN_ ||
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

/* Somebody else than a cancel asks the task to stop: a timeout, a group. Its
 * wait answers ASYNC_ASKED_ until whoever asked takes that back. */
static inline void async_ask_(struct async_loop *loop, struct async_task *task)
{
    task->wait_.asks++;
    task->wait_.flags |= ASYNC_IS_LATE_;
    async_ready_task_(loop, task);
}

static inline void async_ask_no_more_(struct async_task *task)
{
    if (--task->wait_.asks == 0)
        task->wait_.flags &= (uint8_t)~ASYNC_IS_LATE_;
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

/* ---- tasks -------------------------------------------------------------- */

/* A finished function's status, in the 16 bits there are for it. */
static inline int16_t async_fit_(int status)
{
    if (status <= ASYNC_ASKED_)
        status = ASYNC_EINVAL;
    return (int16_t)(status > 0 ? ASYNC_DONE : status);
}

/* True from a function's first step to its last. */
static inline int async_frame_runs_(const struct async_frame *frame)
{
    return frame->state_ != ASYNC_AT_START_ && frame->state_ != ASYNC_AT_END_;
}

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

/* To be called before a loop's storage goes. Hands over what async_unjoined
 * does. Returns 0; or the first such error if there is no loop->unhandled;
 * ASYNC_EBUSY if the loop is still needed (a mistake of the program's:
 * asserted). */
static inline async_status async_loop_end(struct async_loop *loop)
{
    int idle = !loop->alive_ && !loop->host_ && !loop->deadlines_.due &&
               !async_deadlines_next_(&loop->deadlines_);
    async_status status = 0, error;

    ASYNC_ASSERT(idle, "a loop ends that has tasks, timers or a host: join the "
                       "tasks, stop the timers, detach the host first");
    if (!idle)
        return ASYNC_EBUSY;
    while ((error = async_unjoined(loop)) != 0)
        if (!status && !loop->unhandled)
            status = error;
    return status;
}

/* A task that is spawned and has not ended, or has failed unheard. */
ASYNC_COLD_ int async_spawn_again_(struct async_loop *loop,
                                   struct async_task *task)
{
    ASYNC_ASSERT(!(task->wait_.flags & ASYNC_IS_ALIVE_),
                 "spawned while it runs: join it first, or use another task; "
                 "or its storage was not all-zero");
    if (task->wait_.flags & ASYNC_IS_ALIVE_)
        return ASYNC_EBUSY;
    async_claim_(loop, task);
    if (loop->unhandled)
        loop->unhandled(loop, task, task->wait_.status);
    return 0;
}

/* Starts fn(loop, frame) as a task: its first step comes with the next poll,
 * or later in this one. Returns 0; ASYNC_EBUSY if this task has not ended
 * (a mistake of the program's: asserted). */
static inline int async_spawn(struct async_loop *loop, struct async_task *task,
                              async_fn *fn, void *frame)
{
    static const struct async_task zero = ASYNC_ZERO_;

    async_check_loop_(loop);
    if (task->wait_.flags & (ASYNC_IS_ALIVE_ | ASYNC_IS_UNJOINED_) &&
        async_spawn_again_(loop, task) < 0)
        return ASYNC_EBUSY;
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
    ASYNC_TELL_(loop, task, ASYNC_ON_SPAWN);
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
    async_status status = async_wait_go_(loop, ASYNC_WAIT_JOIN_, task);

    if (status != ASYNC_NEW_)
        return status; /* of the wait: the task's storage may be gone */
    if (task->wait_.flags & ASYNC_IS_ALIVE_ && task != loop->current_) {
        async_line_join_(async_joiners_(task), &loop->current_->wait_);
        return async_pending_(loop);
    }
    async_wait_drop_(loop, loop->current_);
    if (task == loop->current_)
        return ASYNC_EDEADLK;
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

/* Lets those go who join `task`; at an owner's others wait among them. */
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

/* The running task has ended: it leaves everything, and is told of. */
static inline void async_task_end_(struct async_loop *loop,
                                   struct async_task *task, int status)
{
    struct async_wait_ *wait = &task->wait_;
    struct async_owner_ *owner =
        wait->flags & ASYNC_IS_OWNED_ ? task->ends_.owner : NULL;

    if (wait->kind != ASYNC_WAIT_NONE_)
        async_wait_drop_(loop, task);
    wait->flags = ASYNC_IS_ENDED_;
    wait->status = async_fit_(status);
    loop->alive_--;
#if ASYNC_TASK_LIST
    if (task->newer_)
        task->newer_->older_ = task->older_;
    else
        loop->newest_ = task->older_;
    if (task->older_)
        task->older_->newer_ = task->newer_;
#endif
    if (owner || task->ends_.joiners) {
        async_joiners_go_(loop, owner ? &owner->joiners : &task->ends_.joiners,
                          task);
    } else if (wait->status < 0) {
        wait->flags |= ASYNC_IS_UNJOINED_;
        async_line_join_(&loop->unjoined_, wait);
    }
    async_ready_leave_(loop, task);
    loop->current_ = NULL;
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
