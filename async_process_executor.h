/* async_process_executor.h: functions in children of their own, awaited.
 * SPDX-License-Identifier: MIT
 *
 * What may crash, leak, hang or take a whole processor runs in a forked child:
 * it begins with all of the parent's memory, and its result, a plain struct,
 * comes back through a pipe. A crash is an error at the await, and the parent
 * goes on. At most so many run at once, the others wait in line. The job lives
 * in the caller's frame: nothing is allocated, no thread is started. POSIX.
 *
 *     #include <stdio.h>
 *     #include <stdlib.h>
 *     #include "async_process_executor.h"
 *
 *     static int divide(void *arg, void *result)
 *     {
 *         int *numbers = arg, *quotient = result;
 *
 *         if (numbers[1] == 0)
 *             abort();
 *         *quotient = numbers[0] / numbers[1];
 *         return 0;
 *     }
 *
 *     struct program {
 *         struct async_frame async;
 *         struct async_process_executor executor;
 *         struct async_process_job job;
 *         int numbers[2], quotient, status;
 *     };
 *
 *     static async program(struct async_loop *loop, void *frame)
 *     {
 *         struct program *self = frame;
 *
 *         async_begin(self);
 *         for (self->numbers[1] = 2; self->numbers[1] >= 0;
 *              self->numbers[1] -= 2) {
 *             async_catch(self->status,
 *                         async_process_offload(loop, &self->executor,
 *                                               &self->job, divide,
 *                                               self->numbers, &self->quotient,
 *                                               sizeof self->quotient));
 *             if (self->status == ASYNC_EKILLED)
 *                 printf("killed by signal %d\n", self->job.signal);
 *             else
 *                 printf("%d\n", self->quotient);
 *         }
 *         async_end();
 *     }
 *
 *     int main(void)
 *     {
 *         struct async_loop loop = {0};
 *         struct program frame = {.executor = {.limit = 2}, .numbers = {84}};
 *
 *         return async_run(&loop, program, &frame) < 0;
 *     }
 *
 * prints
 *
 *     42
 *     killed by signal 6
 *
 * Rules
 * 1. The job and the result stay where they are until the await is over.
 *    async_process_offload sees to that: canceled or not, it returns when the
 *    child is gone.
 * 2. What the function changes, it changes in its own copy of the memory: only
 *    the result comes back. Pointers in it mean nothing to the parent.
 * 3. If the parent has more than one thread, the function may call only what
 *    is async-signal-safe: no malloc, no stdio, no lock, as another thread may
 *    have held theirs at that instant. With one thread it may call anything.
 * 4. The loop it came from is not its own: async_run refuses it there, by
 *    ASYNC_EBUSY, and who is woken by it is nobody. It may run a loop of its
 *    own.
 * 5. It has no descriptor of the parent's but the standard streams, so that no
 *    pipe stays open because of it; see keep_descriptors. Each that is kept
 *    may have its place in a file moved by either.
 * 6. It ends without atexit and without flushing stdio: what it prints and
 *    flushes comes behind what the parent had not flushed, which comes once
 *    more from the parent. fflush(NULL) before the await, or write(2). If it
 *    calls exit itself, that is an error, and flushes too.
 * 7. A child that it forks itself and that outlives it with the descriptors
 *    keeps the await from noticing an early death.
 *
 * What it costs: a fork and a wait, 0.2 ms for a small parent, of which the
 * executor is a tenth; see async_process.h. A job has two descriptors open.
 */
#ifndef ASYNC_PROCESS_EXECUTOR_H
#define ASYNC_PROCESS_EXECUTOR_H

#include "async_process.h" /* children, their pipes */

#include <stddef.h> /* size_t, NULL */
#include <stdint.h> /* milliseconds */
#include <string.h> /* memset */

/* ---- types -------------------------------------------------------------- */

/* What runs in a child. `result` is all-zero at first. Returns 0 or more when
 * it is done, or an error. */
typedef int async_process_fn(void *arg, void *result);

/* Children with a limit. Yours; set `limit`, the rest may be all-zero. It needs
 * no end. */
struct async_process_executor {
    /* yours; they may change at any time, and count from the next job on */
    unsigned limit;       /* children at once */
    uint32_t grace_ms;    /* what is canceled gets SIGTERM, and SIGKILL so much
                           * later; 0: SIGKILL at once */
    int keep_descriptors; /* 1: children have all of ours */

    /* to be read */
    unsigned running;
    unsigned queued;

    struct async_wait_ *line_;
};

/* A call on its way through a child. Yours, in the frame of whoever awaits it;
 * all-zero to start with, and it may serve again after the await. */
struct async_process_job {
    /* to be read after the await */
    int exit_code; /* -1: it was killed by a signal, or never ran */
    int signal;    /* 0: none has killed it */

    struct async_child_ child_;
    async_process_fn *fn_;
    void *arg_;
    void *result_;
    size_t size_;
    size_t got_; /* of `said_` and the result */
    int said_;   /* what the function returned */
    int status_; /* the await's; 0: as the child will have ended */
    int fd_;     /* the pipe */
    uint8_t is_; /* ASYNC_PROCESS_JOB_IS_... */
};

enum {
    ASYNC_PROCESS_JOB_IS_NEW_,
    ASYNC_PROCESS_JOB_IS_QUEUED_,
    ASYNC_PROCESS_JOB_IS_RUNNING_,
    ASYNC_PROCESS_JOB_IS_ENDING_ /* the pipe is closed, the child not reaped */
};

/* ---- the child's side --------------------------------------------------- */

/* Closes all descriptors but the standard streams and `fd`. */
static inline void async_child_close_(int fd)
{
    int other, end;

#if defined(SYS_close_range)
    if ((fd == 3 ||
         async_syscall_(SYS_close_range, 3L, (long)fd - 1, 0L) == 0) &&
        async_syscall_(SYS_close_range, (long)fd + 1, (long)~0u, 0L) == 0)
        return;
#endif
    end = (int)sysconf(_SC_OPEN_MAX);
    if (end < 0 || end > 65536)
        end = 65536;
    for (other = 3; other < end; other++)
        if (other != fd)
            (void)close(other);
}

/* Writes all of it, or ends. */
static inline void async_child_write_(int fd, const void *data, size_t size)
{
    const char *next = (const char *)data;

    while (size) {
        ssize_t count = write(fd, next, size);

        if (count < 0 && errno != EINTR)
            _exit(127);
        if (count > 0) {
            next += count;
            size -= (size_t)count;
        }
    }
}

/* ---- the parent's side -------------------------------------------------- */

/* Forks the child, which doesn't return. Returns 0 or a negated errno. */
static inline int
async_process_job_start_(struct async_loop *loop,
                         const struct async_process_executor *executor,
                         struct async_process_job *job)
{
    int fds[2], forked, error;

    error = async_pipe_open_(fds, 0);
    if (error < 0)
        return error;
    forked = async_child_fork_(&job->child_);
    if (forked == 0) {
        loop->host_ = NULL;
        if (executor->keep_descriptors)
            async_close(&fds[0]);
        else
            async_child_close_(fds[1]);
        job->said_ = job->fn_(job->arg_, job->result_);
        async_child_write_(fds[1], &job->said_, sizeof job->said_);
        async_child_write_(fds[1], job->result_, job->size_);
        _exit(0);
    }
    async_close(&fds[1]);
    if (forked < 0) {
        async_close(&fds[0]);
        return forked;
    }
    job->fd_ = fds[0];
    return 0;
}

/* Reads what there is: at the most what the function returned, and once of the
 * result. ASYNC_DONE: that is all of it; ASYNC_ECLOSED: there is no more;
 * ASYNC_PENDING: not yet; or a negated errno. */
static inline int async_process_job_read_(struct async_process_job *job)
{
    const size_t head = sizeof job->said_;
    int status = ASYNC_DONE;

    while (status == ASYNC_DONE && job->got_ < head + job->size_) {
        int in_head = job->got_ < head;
        ssize_t got =
            in_head ? read(job->fd_, (char *)&job->said_ + job->got_,
                           head - job->got_)
                    : read(job->fd_, (char *)job->result_ + (job->got_ - head),
                           head + job->size_ - job->got_);

        if (got > 0)
            job->got_ += (size_t)got;
        if (got == 0)
            status = ASYNC_ECLOSED;
        else if (got < 0)
            status = errno == EAGAIN || errno == EINTR ? ASYNC_PENDING : -errno;
        else if (!in_head && job->got_ < head + job->size_)
            status = ASYNC_PENDING;
    }
    return status;
}

/* Awaitable: waits until the child is gone, whose pipe is read no more. If
 * canceled here: it is killed if its end is not certain anyway. */
static inline async_status
async_process_job_end_(struct async_loop *loop,
                       const struct async_process_executor *executor,
                       struct async_process_job *job)
{
    async_status status = async_child_wait_(loop, &job->child_);

    if (status == ASYNC_ECANCELED) {
        job->status_ = ASYNC_ECANCELED;
        async_child_stop_(loop, &job->child_, executor->grace_ms);
        status = async_child_wait_(loop, &job->child_);
    }
    if (status != ASYNC_DONE)
        return job->status_ ? ASYNC_PENDING : status;
    job->exit_code = job->child_.exit_code_;
    job->signal = job->child_.signal_;
    if (job->status_ == ASYNC_DONE)
        return async_fit_(job->said_ < 0 ? job->said_ : ASYNC_DONE);
    if (job->size_)
        memset(job->result_, 0, job->size_);
    if (job->status_ < 0)
        return job->status_;
    return job->child_.lost_ ? -ECHILD
           : job->signal     ? ASYNC_EKILLED
                             : ASYNC_EEXITED;
}

/* A child is gone: the first in line may start, unless the limit fell. */
static inline void
async_process_executor_next_(struct async_loop *loop,
                             struct async_process_executor *executor)
{
    executor->running--;
    while (executor->running < executor->limit &&
           async_line_wake_(loop, &executor->line_, ASYNC_DONE)) {
        executor->queued--;
        executor->running++;
    }
}

/* Awaitable: runs fn(arg, result) in a child, as soon as fewer than the limit
 * run and it is the first in line, and waits until the child is gone. Returns
 * ASYNC_DONE, or fn's error: then the whole result is there, `size` bytes.
 * After any other error it is all-zero: ASYNC_EKILLED: the child was killed by
 * job->signal; ASYNC_EEXITED: it has exited by itself, with job->exit_code;
 * ASYNC_EINVAL: the executor has no limit; a negated errno: there was no pipe
 * or no child, or, -ECHILD, somebody else has waited for it; what
 * async_readable returns. If canceled here: what is queued never runs; a child
 * is killed, at once or by grace_ms, and waited for; then ASYNC_ECANCELED. A
 * result that is here whole beats that. */
static inline async_status
async_process_offload(struct async_loop *loop,
                      struct async_process_executor *executor,
                      struct async_process_job *job, async_process_fn *fn,
                      void *arg, void *result, size_t size)
{
    async_status status = ASYNC_DONE;

    if (job->is_ == ASYNC_PROCESS_JOB_IS_NEW_) {
        static const struct async_process_job zero = ASYNC_ZERO_;

        if (executor->limit == 0)
            return ASYNC_EINVAL;
        *job = zero;
        job->exit_code = -1;
        job->fn_ = fn;
        job->arg_ = arg;
        job->result_ = result;
        job->size_ = size;
        if (size)
            memset(result, 0, size);
        if (executor->line_ || executor->running >= executor->limit) {
            executor->queued++;
            job->is_ = ASYNC_PROCESS_JOB_IS_QUEUED_;
        } else {
            executor->running++;
        }
    }
    if (job->is_ == ASYNC_PROCESS_JOB_IS_QUEUED_) {
        status = async_line_wait_(loop, &executor->line_);
        if (status == ASYNC_PENDING || status == ASYNC_ASKED_)
            return status;
        job->is_ = ASYNC_PROCESS_JOB_IS_NEW_;
        if (status < 0) {
            executor->queued--;
            return status;
        }
    }
    if (job->is_ == ASYNC_PROCESS_JOB_IS_NEW_) {
        status = async_process_job_start_(loop, executor, job);
        if (status < 0) {
            async_process_executor_next_(loop, executor);
            return status;
        }
        job->is_ = ASYNC_PROCESS_JOB_IS_RUNNING_;
    }
    if (job->is_ == ASYNC_PROCESS_JOB_IS_RUNNING_) {
        do {
            status = async_readable(loop, job->fd_);
            if (status == ASYNC_PENDING || status == ASYNC_ASKED_)
                return status;
            if (status == ASYNC_DONE)
                status = async_process_job_read_(job);
        } while (status == ASYNC_PENDING);
        async_close(&job->fd_);
        job->is_ = ASYNC_PROCESS_JOB_IS_ENDING_;
        job->status_ = status == ASYNC_ECLOSED ? ASYNC_PENDING : status;
        if (job->status_ < 0)
            async_child_stop_(loop, &job->child_, executor->grace_ms);
    }
    status = async_process_job_end_(loop, executor, job);
    if (status != ASYNC_PENDING && status != ASYNC_ASKED_) {
        job->is_ = ASYNC_PROCESS_JOB_IS_NEW_;
        async_process_executor_next_(loop, executor);
    }
    return status;
}

#endif /* ASYNC_PROCESS_EXECUTOR_H */

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
