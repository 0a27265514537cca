/* async_wait.h: what a task can wait for.
 * SPDX-License-Identifier: MIT
 *
 * Turns, time, conditions, flags, descriptors, and the end of a call; and
 * timers, which call a function instead. Included by async_loop.h, where the
 * program that shows it is: include that.
 */
#ifndef ASYNC_WAIT_H
#define ASYNC_WAIT_H

#include "async_task.h" /* tasks, and the protocol of a wait */

#include <stddef.h> /* NULL */
#include <stdint.h> /* milliseconds, the byte of a flag */

/* ---- turns, time -------------------------------------------------------- */

/* A turn that is given up for something else, asked to stop, or meets a wake.
 */
ASYNC_COLD_ async_status async_yield_slowly_(struct async_loop *loop,
                                             struct async_wait_ *wait)
{
    if (wait->kind == ASYNC_WAIT_NONE_) {
        wait->kind = ASYNC_WAIT_YIELD_;
    } else if (wait->kind != ASYNC_WAIT_YIELD_) { /* which the loop drops */
        loop->step_ = ASYNC_STEP_AGAIN_;
        return ASYNC_PENDING;
    } else if (!(loop->step_ & ASYNC_STEP_SEEN_) &&
               !(wait->flags & ASYNC_IS_LANDING_)) {
        wait->kind = ASYNC_WAIT_NONE_;
        return ASYNC_DONE;
    }
    loop->step_ |= ASYNC_STEP_AGAIN_;
    return async_pending_(loop);
}

/* Awaitable: lets everything else that is ready run first. If canceled here:
 * nothing is lost. (A plain async_yield() does so too in the body of a task's
 * own function; in one that it awaits it looks like a plain condition, and
 * waits for the next tick.) */
static inline async_status async_yield_now(struct async_loop *loop)
{
    struct async_wait_ *wait = &async_running_(loop)->wait_;

    if (wait->flags & ASYNC_ASKS_ || loop->step_)
        return async_yield_slowly_(loop, wait);
    if (wait->kind == ASYNC_WAIT_YIELD_) {
        wait->kind = ASYNC_WAIT_NONE_;
        return ASYNC_DONE;
    }
    if (wait->kind != ASYNC_WAIT_NONE_)
        return async_yield_slowly_(loop, wait);
    wait->kind = ASYNC_WAIT_YIELD_;
    loop->step_ = ASYNC_STEP_SEEN_ | ASYNC_STEP_AGAIN_;
    return ASYNC_PENDING;
}

/* Awaitable: waits until the loop's time is `deadline`, or past it. If
 * canceled here: nothing is lost. */
static inline async_status async_sleep_until(struct async_loop *loop,
                                             async_time deadline)
{
    const struct async_task *task = loop->current_;
    unsigned begun =
        task && !(loop->step_ & ASYNC_STEP_SEEN_) ? task->wait_.kind : 0u;
    async_status status;

    if (begun == ASYNC_WAIT_YIELD_ ||
        (begun != ASYNC_WAIT_SLEEP_ && !async_before_(loop->now_, deadline)))
        return async_yield_slowly_(loop, &async_running_(loop)->wait_);
    status = async_wait_go_(loop, ASYNC_WAIT_SLEEP_, NULL);
    if (status != ASYNC_NEW_)
        return status;
    async_deadlines_add_(&loop->deadlines_, &loop->current_->wait_, deadline);
    return async_pending_(loop);
}

/* Awaitable: waits for `ms` milliseconds, from the time of this poll. 0 is
 * async_yield_now. The time is counted in ticks, so it may end up to one tick
 * early, seen by a finer clock. If canceled here: nothing is lost. */
static inline async_status async_sleep_ms(struct async_loop *loop, uint32_t ms)
{
    return async_sleep_until(loop, (async_time)(loop->now_ + async_ticks_(ms)));
}

/* What becomes of ticks that came too late, a whole period or more. */
enum {
    ASYNC_SKIP,  /* they are left out and counted; the times stay as they are */
    ASYNC_BURST, /* each is made up for, at once */
    ASYNC_DELAY  /* a new period begins with the late one */
};

/* A clock that ticks for one task. Yours; all-zero skips. */
struct async_ticker {
    int late;        /* ASYNC_SKIP, ASYNC_BURST, ASYNC_DELAY */
    uint32_t missed; /* ticks that were left out */
    async_time next_;
    uint8_t begun_;
};

/* Awaitable: waits for the next tick, one every `ms` milliseconds, the first
 * after as many. The ticks do not drift, however long the task takes in
 * between. If canceled here: nothing is lost. */
static inline async_status async_every(struct async_loop *loop,
                                       struct async_ticker *ticker, uint32_t ms)
{
    async_time period = async_ticks_(ms), late;
    async_status status;

    if (period == 0)
        period = 1;
    if (!ticker->begun_) {
        ticker->begun_ = 1;
        ticker->next_ = (async_time)(loop->now_ + period);
    }
    status = async_sleep_until(loop, ticker->next_);
    if (status != ASYNC_DONE)
        return status;
    late = (async_time)(loop->now_ - ticker->next_);
    ticker->next_ = (async_time)(ticker->next_ + period);
    if (late >= period && ticker->late == ASYNC_DELAY) {
        ticker->next_ = (async_time)(loop->now_ + period);
    } else if (late >= period && ticker->late == ASYNC_SKIP) {
        ticker->missed += (uint32_t)(late / period);
        ticker->next_ = (async_time)(ticker->next_ + late - late % period);
    }
    return ASYNC_DONE;
}

/* ---- timers ------------------------------------------------------------- */

/* Calls `fn` once, later, from async_poll. Yours; all-zero is stopped. */
struct async_timer {
    struct async_wait_ wait_;
    void (*fn)(struct async_loop *loop, struct async_timer *timer);
    void *arg;
};

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

/* ---- conditions, flags -------------------------------------------------- */

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

/* Set from anywhere, waited for by a task. One byte; all-zero is not set. */
struct async_flag {
    volatile async_shared_ set_;
};

/* Sets the flag and wakes the loop. From any thread, handler or interrupt. */
static inline void async_flag_set(struct async_loop *loop,
                                  struct async_flag *flag)
{
    async_byte_set_(&flag->set_);
    async_wake(loop);
}

/* Forgets what has been set so far. On the loop's thread. */
static inline void async_flag_clear(struct async_flag *flag)
{
    (void)async_byte_clear_(&flag->set_);
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

/* ---- descriptors -------------------------------------------------------- */

#if ASYNC_HOSTED_
static inline async_status async_fd_wait_(struct async_loop *loop, int fd,
                                          int events)
{
    struct async_task *task = loop->current_;
    async_status status;
    struct async_wait_ *wait;

    if (fd < 0)
        return ASYNC_EINVAL;
    if (task && task->wait_.kind == ASYNC_WAIT_FD_ &&
        task->wait_.on.fd != fd * 4 + events)
        async_wait_drop_(loop, task); /* given up for another */
    status = async_wait_go_(loop, ASYNC_WAIT_FD_, NULL);
    if (status != ASYNC_NEW_)
        return status;
    wait = &task->wait_;
    wait->on.fd = fd * 4 + events;
    async_line_join_(async_fd_line_(loop, fd), wait);
    loop->coming_++;
    status = async_watch_(loop, fd);
    if (status < 0) {
        async_line_leave_(async_fd_line_(loop, fd), wait);
        loop->coming_--;
        wait->kind = ASYNC_WAIT_NONE_;
        return status;
    }
    return async_pending_(loop);
}

/* Awaitables: wait until `fd` can be read from or written to without blocking,
 * or has failed. ASYNC_ENOTSUP: the host watches no descriptors; ASYNC_EINVAL:
 * `fd` is none; or what the host's watch says. If canceled here: nothing is
 * lost. */
static inline async_status async_readable(struct async_loop *loop, int fd)
{
    return async_fd_wait_(loop, fd, ASYNC_READABLE);
}

static inline async_status async_writable(struct async_loop *loop, int fd)
{
    return async_fd_wait_(loop, fd, ASYNC_WRITABLE);
}

/* The host reports that `fd` is ready for `events`, and then calls async_poll:
 * for this it is not notified. On the loop's thread. */
static inline void async_ready(struct async_loop *loop, int fd, int events)
{
    struct async_wait_ **line = async_fd_line_(loop, fd);
    struct async_wait_ *wait = *line, *last = wait ? wait->prev : NULL;
    int more = wait != NULL;
    uint8_t polling = loop->polling_;

    loop->polling_ = 1; /* as if inside: no notify */
    while (more) {
        struct async_wait_ *next = wait->next;

        more = wait != last;
        if (wait->on.fd / 4 == fd && wait->on.fd & events) {
            async_line_leave_(line, wait);
            async_wait_over_(loop, wait, ASYNC_DONE);
            loop->coming_--;
        }
        wait = next;
    }
    loop->polling_ = polling;
    (void)async_watch_(loop, fd);
}

/* Tells a new host what is waited for. Where it says no, that is the wait's
 * result. */
static inline void async_watch_all_(struct async_loop *loop)
{
    int i;

    for (i = 0; i < ASYNC_FD_LINES_; i++) {
        struct async_wait_ **line = &loop->fds_[i];
        struct async_wait_ *wait = *line, *last = wait ? wait->prev : NULL;
        int more = wait != NULL;

        while (more) {
            struct async_wait_ *next = wait->next;
            int status = async_watch_(loop, wait->on.fd / 4);

            more = wait != last;
            if (status < 0) {
                async_line_leave_(line, wait);
                async_wait_over_(loop, wait, status);
                loop->coming_--;
            }
            wait = next;
        }
    }
}
#endif

/* ---- calls -----------------------------------------------------------------
 * A plain await of a child costs a step through every level above what waits.
 * A call puts its function in the place of the task's own as long as it lasts,
 * so the loop resumes the innermost one at once, however deep it is. */

/* Yours, in the caller's frame; all-zero to start with. */
struct async_call_frame {
    struct async_frame async; /* marks a call; yields when what it calls does */
    int16_t status_;          /* how it ended, until the caller has heard */
    async_fn *fn_;            /* what is called; NULL: no call */
    void *frame_;
    async_fn *up_fn_; /* what the task would step without it */
    void *up_frame_;
};

/* Steps what is called. Its task's function is the caller's again at the end.
 */
static inline async_status async_call_go_(struct async_loop *loop,
                                          struct async_call_frame *call)
{
    async_status status = call->fn_(loop, call->frame_);

    if (status == ASYNC_PENDING) {
        if (!(loop->step_ & ASYNC_STEP_SEEN_) && call->frame_)
            call->async.status_ = ((struct async_frame *)call->frame_)->status_;
    } else if (status != ASYNC_ASKED_) {
        loop->current_->fn = call->up_fn_;
        loop->current_->frame = call->up_frame_;
        call->fn_ = NULL;
    }
    return status;
}

/* A task's function while a call lasts. */
static inline async_status async_call_step_(struct async_loop *loop,
                                            void *frame)
{
    struct async_call_frame *call = (struct async_call_frame *)frame;
    async_status status;

    if (loop->current_->wait_.flags & ASYNC_ASKS_)
        /* whether it lands each level may have a say in: from the top */
        return call->up_fn_(loop, call->up_frame_);
    status = async_call_go_(loop, call);
    if (status == ASYNC_PENDING)
        return status;
    if (status == ASYNC_ASKED_) { /* by this step: the levels above answer it */
        loop->step_ |= ASYNC_STEP_AGAIN_;
        return ASYNC_PENDING;
    }
    call->status_ = async_fit_(status);
    return call->up_fn_(loop, call->up_frame_);
}

/* Awaitable: await(async_call(loop, &self->call, fn, &self->child)) is
 * await(fn(loop, &self->child)), but however deep it is nested, resuming it
 * costs the same. For long chains and recursion. What stands beside it in the
 * await is not looked at while it lasts. If canceled here: fn is. */
static inline async_status async_call(struct async_loop *loop,
                                      struct async_call_frame *call,
                                      async_fn *fn, void *frame)
{
    struct async_task *task = async_running_(loop);
    async_status status = call->status_;

    if (status) {
        call->status_ = 0;
        return status;
    }
    if (!call->fn_) {
        call->async.state_ = ASYNC_AT_CALL_;
        call->fn_ = fn;
        call->frame_ = frame;
        call->up_fn_ = task->fn;
        call->up_frame_ = task->frame;
        task->fn = async_call_step_;
        task->frame = call;
    }
    return async_call_go_(loop, call);
}

#endif /* ASYNC_WAIT_H */

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
