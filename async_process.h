/* async_process.h: other programs, awaited.
 * SPDX-License-Identifier: MIT
 *
 * Starts a program, feeds and reads its pipes, awaits its end, with a limit in
 * time if there is one, and stops it: without a thread, a signal handler or
 * the heap. What is canceled is killed and reaped, so no program is left
 * behind. POSIX. A function of yours is run in a child by
 * async_process_executor.h.
 *
 *     #include <stdio.h>
 *     #include "async_process.h"
 *
 *     struct program {
 *         struct async_frame async;
 *         struct async_process sort;
 *         char text[64];
 *         size_t count;
 *     };
 *
 *     static async program(struct async_loop *loop, void *frame)
 *     {
 *         static char name[] = "sort", *argv[] = {name, NULL};
 *         struct program *self = frame;
 *         int error;
 *
 *         async_begin(self);
 *         error = async_process_start(loop, &self->sort, argv,
 *                                     ASYNC_STDIN_PIPE | ASYNC_STDOUT_PIPE);
 *         if (error < 0)
 *             async_fail(error);
 *         await(async_write(loop, self->sort.in, "pear\nfig\n", 9,
 *                           &self->count));
 *         async_close(&self->sort.in);
 *         await(async_read(loop, self->sort.out, self->text,
 *                          sizeof self->text, &self->count));
 *         printf("%.*s", (int)self->count, self->text);
 *         await(async_process_wait(loop, &self->sort));
 *         printf("exit code %d\n", self->sort.exit_code);
 *         async_finally();
 *         await(async_process_end(loop, &self->sort));
 *         async_end();
 *     }
 *
 *     int main(void)
 *     {
 *         struct async_loop loop = {0};
 *         struct program frame = {0};
 *
 *         return async_run(&loop, program, &frame) < 0;
 *     }
 *
 * prints
 *
 *     fig
 *     pear
 *     exit code 0
 *
 * Rules
 * 1. What was started ends with async_process_wait or async_process_end; the
 *    struct stays where it is until then. An async_process_end in the finally
 *    section is always right.
 * 2. Read what a program writes while you write what it reads, by two tasks,
 *    unless both fit into a pipe: else each waits for the other for ever. Who
 *    waits for its end without reading its output waits for ever as well.
 * 3. Don't close a descriptor that a task waits for: cancel the task first.
 * 4. Leave SIGCHLD as it is, or handle it, but don't ignore it and don't wait
 *    for all children: how a program ended would be lost, and its number might
 *    be somebody else's when it is killed.
 * 5. A program gets the descriptors that are not closed by exec: mark yours
 *    FD_CLOEXEC. Those of this header are; on Linux from the first moment on,
 *    elsewhere a thread that starts a program at that instant may hand one on.
 *
 * What it costs. A program is started by fork and exec: the same child also
 * runs functions, and each step in it can report its error. posix_spawn takes
 * its settings from the heap in common C libraries, and vfork lends the
 * parent's memory to code that must not write to it. But a fork copies the
 * page tables, and the loop stands still until the program runs: 0.04 ms for a
 * small parent, 24 ms for one that uses 1 GB (x86-64, pages of 4 kB). A program
 * that large starts others through a small one that it has started first. The
 * end of a child is told by a descriptor where there is pidfd_open, Linux 5.3,
 * and costs nothing until it comes. Elsewhere waitpid is called by a timer,
 * after 1 ms, 2 ms, and so on up to ASYNC_PROCESS_POLL_MS: an end is seen that
 * much later. Each write takes two system calls more, which hold a SIGPIPE.
 *
 * Configuration
 *
 *     ASYNC_PROCESS_POLL_MS  the most between two looks, 32
 *     ASYNC_PROCESS_POLLED   Defined: by a timer on Linux too.
 */
#ifndef ASYNC_PROCESS_H
#define ASYNC_PROCESS_H

#include "async_loop.h" /* tasks; descriptors and timers they wait for */

#if !ASYNC_HAVE_POSIX_
#error "async_process.h needs POSIX processes: leave it out on this target"
#endif

#include <errno.h>     /* what a system call says */
#include <fcntl.h>     /* what becomes of a descriptor; /dev/null */
#include <signal.h>    /* what a child inherits */
#include <stddef.h>    /* size_t, NULL */
#include <stdint.h>    /* milliseconds */
#include <sys/types.h> /* pid_t, ssize_t */
#include <sys/wait.h>  /* how a child ended */
#include <unistd.h>    /* fork, exec, pipe, read, write, close */
#if defined(__linux__)
#include <sys/syscall.h> /* calls that the C library has no name for */
#endif

#ifndef ASYNC_PROCESS_POLL_MS
#define ASYNC_PROCESS_POLL_MS 32
#endif
#if ASYNC_PROCESS_POLL_MS < 1
#error "ASYNC_PROCESS_POLL_MS is at least 1"
#endif

/* ---- platform ----------------------------------------------------------- */

#ifdef SIG_SETMASK
#define ASYNC_SIGSET_ sigset_t
#define ASYNC_SIG_BLOCK_ SIG_BLOCK
#define ASYNC_SIG_SETMASK_ SIG_SETMASK
#define async_sigfillset_ sigfillset
#define async_sigemptyset_ sigemptyset
#define async_sigaddset_ sigaddset
#define async_sigismember_ sigismember
#define async_sigprocmask_ sigprocmask
#define async_sigpending_ sigpending
#define async_sigwait_ sigwait
#define async_kill_ kill
#else /* -std=c99 hides it; it is there all the same */
#define ASYNC_SIGSET_ struct async_sigset_
#if defined(__mips__) || defined(__alpha__)
#define ASYNC_SIG_BLOCK_ 1
#define ASYNC_SIG_SETMASK_ 3
#elif defined(__sparc__)
#define ASYNC_SIG_BLOCK_ 1
#define ASYNC_SIG_SETMASK_ 4
#else
#define ASYNC_SIG_BLOCK_ 0
#define ASYNC_SIG_SETMASK_ 2
#endif
struct async_sigset_ {
    unsigned long bits[1024 / (8 * sizeof(long))];
};
int async_sigfillset_(struct async_sigset_ *set) __asm__("sigfillset");
int async_sigemptyset_(struct async_sigset_ *set) __asm__("sigemptyset");
int async_sigaddset_(struct async_sigset_ *set, int n) __asm__("sigaddset");
int async_sigismember_(const struct async_sigset_ *set,
                       int n) __asm__("sigismember");
int async_sigprocmask_(int how, const struct async_sigset_ *set,
                       struct async_sigset_ *before) __asm__("sigprocmask");
int async_sigpending_(struct async_sigset_ *set) __asm__("sigpending");
int async_sigwait_(const struct async_sigset_ *set, int *n) __asm__("sigwait");
int async_kill_(pid_t pid, int n) __asm__("kill");
#endif

#if defined(__linux__)
long async_syscall_(long number, ...) __asm__("syscall");
int async_pipe2_(int fds[2], int flags) __asm__("pipe2");
#endif

#if defined(SYS_pidfd_open) && !defined(ASYNC_PROCESS_POLLED)
#define ASYNC_PIDFD_OPEN_(pid)                                                 \
    ((int)async_syscall_(SYS_pidfd_open, (long)(pid), 0L))
#else
#define ASYNC_PIDFD_OPEN_(pid) ((void)(pid), -1)
#endif

/* A pipe that no program gets to see, not even at first. */
#ifndef ASYNC_PIPE_
#if defined(__linux__) && defined(O_CLOEXEC)
#define ASYNC_PIPE_(fds) async_pipe2_(fds, O_CLOEXEC)
#elif defined(__linux__) && defined(__O_CLOEXEC) /* -std=c99 again */
#define ASYNC_PIPE_(fds) async_pipe2_(fds, __O_CLOEXEC)
#else
#define ASYNC_PIPE_(fds) pipe(fds)
#endif
#endif

/* ---- types -------------------------------------------------------------- */

enum { ASYNC_CHILD_IS_NONE_, ASYNC_CHILD_IS_ALIVE_, ASYNC_CHILD_IS_ENDED_ };

/* A child, until it has been reaped. */
struct async_child_ {
    struct async_timer grace_;
    pid_t pid_;
    int fd_;            /* readable at its end; -1: it is polled */
    uint32_t pause_ms_; /* between two looks */
    int exit_code_;     /* -1: it has not exited */
    int signal_;        /* 0: none has killed it */
    uint8_t is_;        /* ASYNC_CHILD_IS_... */
    uint8_t stops_;     /* it was told to */
    uint8_t lost_;      /* somebody else has reaped it */
    uint8_t group_;     /* it leads a process group */
};

/* What a program's standard streams are, one of each; 0 is the same as ours.
 * ASYNC_NEW_GROUP: it leads a process group, and what kills it kills all of
 * that: what a shell has started. Ctrl-C at a terminal no longer reaches it. */
enum {
    ASYNC_STDIN_PIPE = 1,
    ASYNC_STDIN_NULL = 2, /* /dev/null */
    ASYNC_STDOUT_PIPE = 4,
    ASYNC_STDOUT_NULL = 8,
    ASYNC_STDERR_PIPE = 16,
    ASYNC_STDERR_NULL = 32,
    ASYNC_STDERR_TO_STDOUT = 64,
    ASYNC_NEW_GROUP = 128
};

/* A program. Yours; all-zero before the first start. */
struct async_process {
    /* yours */
    uint32_t grace_ms; /* what is canceled gets SIGTERM, and SIGKILL so much
                        * later; 0: SIGKILL at once */

    /* to be read, once it is started */
    pid_t pid; /* 0: it is not */
    int in;    /* our ends of its pipes, or -1: written to */
    int out;   /* read from */
    int err;

    /* to be read, once it has ended */
    int exit_code; /* -1: it was killed by a signal */
    int signal;    /* 0: it has exited */

    struct async_child_ child_;
    uint8_t canceled_;
};

/* ---- descriptors -------------------------------------------------------- */

/* Closes the descriptor and sets it to -1. Nothing if it is negative. */
static inline void async_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static inline void async_pipe_close_(int fds[2])
{
    async_close(&fds[0]);
    async_close(&fds[1]);
}

/* A pipe that exec closes, of which end `ours`, 0 or 1, does not block; -1:
 * both do. Its numbers are above those of the standard streams, in whose place
 * the ends may be put. Returns 0 or a negated errno. */
static inline int async_pipe_open_(int fds[2], int ours)
{
    int i, error;

    if (ASYNC_PIPE_(fds) < 0) {
        fds[0] = fds[1] = -1;
        return -errno;
    }
    for (i = 0; i < 2; i++) {
        int fd = fds[i];

        if (fd <= 2) {
            fd = fcntl(fds[i], F_DUPFD, 3);
            if (fd >= 0) {
                (void)close(fds[i]);
                fds[i] = fd;
            }
        }
        if (fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
            (i == ours && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)) {
            error = -errno;
            async_pipe_close_(fds);
            return error;
        }
    }
    return 0;
}

/* Awaitable: waits until something can be read from `fd`, a pipe, socket or
 * terminal, and reads it: 1 to `size` bytes, as many as there are. `count` says
 * how many. Returns ASYNC_DONE; ASYNC_ECLOSED: the other end was closed and all
 * has been read; a negated errno; or what async_readable returns. If canceled
 * here: nothing was read. */
static inline async_status async_read(struct async_loop *loop, int fd,
                                      void *data, size_t size, size_t *count)
{
    async_status status;
    ssize_t got;

    *count = 0;
    if (size == 0)
        return ASYNC_DONE;
    while ((status = async_readable(loop, fd)) == ASYNC_DONE) {
        got = read(fd, data, size);
        if (got > 0) {
            *count = (size_t)got;
            return ASYNC_DONE;
        }
        if (got == 0)
            return ASYNC_ECLOSED;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
    }
    return status;
}

/* write(2) that fails by EPIPE only, and not by a signal too. */
static inline ssize_t async_write_quietly_(int fd, const void *data,
                                           size_t size)
{
    ASYNC_SIGSET_ pipe_only, before, pending;
    ssize_t count;
    int error, n;

    (void)async_sigemptyset_(&pipe_only);
    (void)async_sigaddset_(&pipe_only, SIGPIPE);
    (void)async_sigprocmask_(ASYNC_SIG_BLOCK_, &pipe_only, &before);
    count = write(fd, data, size);
    error = errno;
    if (count < 0 && error == EPIPE && !async_sigismember_(&before, SIGPIPE) &&
        async_sigpending_(&pending) == 0 &&
        async_sigismember_(&pending, SIGPIPE))
        (void)async_sigwait_(&pipe_only, &n);
    (void)async_sigprocmask_(ASYNC_SIG_SETMASK_, &before, NULL);
    errno = error;
    return count;
}

/* Awaitable: writes all of the data to `fd`, a pipe, socket or terminal that
 * does not block. `count` says how many bytes it has taken so far, whatever
 * comes of it. Returns ASYNC_DONE; a negated errno, -EPIPE: nobody will read
 * it; or what async_writable returns. If canceled here: what `count` says is
 * written, the rest is not. */
static inline async_status async_write(struct async_loop *loop, int fd,
                                       const void *data, size_t size,
                                       size_t *count)
{
    const struct async_wait_ *wait = &async_running_(loop)->wait_;
    async_status status;
    ssize_t taken;

    if (wait->kind != ASYNC_WAIT_FD_ || wait->on.fd != fd * 4 + ASYNC_WRITABLE)
        *count = 0; /* it begins */
    while (*count < size) {
        status = async_writable(loop, fd);
        if (status != ASYNC_DONE)
            return status;
        taken = async_write_quietly_(fd, (const char *)data + *count,
                                     size - *count);
        if (taken >= 0)
            *count += (size_t)taken;
        else if (errno != EAGAIN && errno != EINTR)
            return -errno;
    }
    return ASYNC_DONE;
}

/* ---- children -----------------------------------------------------------
 * One is a zombie until it is reaped, so its number is its own that long. */

/* Forks. Returns 1 in the parent, 0 in the child, or a negated errno. In the
 * child no handler of the parent's is left to run, no signal is blocked, and a
 * pipe without a reader kills; what the parent ignores stays ignored. */
static inline int async_child_fork_(struct async_child_ *child)
{
    static const struct async_child_ zero = ASYNC_ZERO_;
    ASYNC_SIGSET_ all, before;
    int error, n;
    pid_t pid;

    *child = zero;
    (void)async_sigfillset_(&all);
    (void)async_sigprocmask_(ASYNC_SIG_SETMASK_, &all, &before);
    pid = fork();
    error = -errno;
    if (pid == 0) {
        for (n = 1; n <= 64; n++)
            if (signal(n, SIG_DFL) == SIG_IGN && n != SIGPIPE)
                (void)signal(n, SIG_IGN);
        (void)async_sigemptyset_(&all);
        (void)async_sigprocmask_(ASYNC_SIG_SETMASK_, &all, NULL);
        return 0;
    }
    (void)async_sigprocmask_(ASYNC_SIG_SETMASK_, &before, NULL);
    if (pid < 0)
        return error;
    child->pid_ = pid;
    child->fd_ = ASYNC_PIDFD_OPEN_(pid);
    child->pause_ms_ = 1;
    child->is_ = ASYNC_CHILD_IS_ALIVE_;
    return 1;
}

/* Takes how the child has ended. False: it has not; `flags` 0 waits for it. */
static inline int async_child_reap_(struct async_child_ *child, int flags)
{
    int how = 0;
    pid_t pid;

    do {
        pid = waitpid(child->pid_, &how, flags);
    } while (pid < 0 && errno == EINTR);
    if (pid == 0)
        return 0;
    child->is_ = ASYNC_CHILD_IS_ENDED_;
    child->lost_ = pid < 0;
    child->signal_ = pid > 0 && WIFSIGNALED(how) ? WTERMSIG(how) : 0;
    child->exit_code_ = pid > 0 && WIFEXITED(how) ? WEXITSTATUS(how) : -1;
    async_close(&child->fd_);
    return 1;
}

static inline int async_child_kill_(const struct async_child_ *child, int n)
{
    pid_t pid = child->group_ ? -child->pid_ : child->pid_;

    return async_kill_(pid, n) < 0 ? -errno : 0;
}

static inline void async_child_late_(struct async_loop *loop,
                                     struct async_timer *timer)
{
    (void)loop;
    (void)async_child_kill_((const struct async_child_ *)timer->arg, SIGKILL);
}

/* Has it end, now or soon. */
static inline void async_child_stop_(struct async_loop *loop,
                                     struct async_child_ *child,
                                     uint32_t grace_ms)
{
    if (child->stops_)
        return;
    child->stops_ = 1;
    (void)async_child_kill_(child, grace_ms ? SIGTERM : SIGKILL);
    if (grace_ms)
        async_timer_start(loop, &child->grace_, async_ticks_(grace_ms),
                          async_child_late_, child);
}

/* Awaitable: waits until the child has ended, and reaps it. If canceled here:
 * it goes on. */
static inline async_status async_child_wait_(struct async_loop *loop,
                                             struct async_child_ *child)
{
    for (;;) {
        async_status status = ASYNC_ENOTSUP;

        if (child->fd_ >= 0) {
            status = async_readable(loop, child->fd_);
            if (status < 0 && status != ASYNC_ASKED_ &&
                status != ASYNC_ECANCELED)
                async_close(&child->fd_); /* the host can't watch it */
        }
        if (child->fd_ < 0)
            status = async_sleep_ms(loop, child->pause_ms_);
        if (status != ASYNC_DONE)
            return status;
        if (async_child_reap_(child, WNOHANG)) {
            async_timer_stop(loop, &child->grace_);
            return ASYNC_DONE;
        }
        if (child->pause_ms_ < ASYNC_PROCESS_POLL_MS)
            child->pause_ms_ *= 2;
    }
}

/* ---- programs ----------------------------------------------------------- */

/* The child: puts its streams in their places and becomes the program. */
static inline void async_process_exec_(int pipes[4][2], char *const argv[],
                                       int flags)
{
    int i, error = 0;

    if (flags & ASYNC_NEW_GROUP && setpgid(0, 0) < 0)
        error = errno;
    for (i = 0; i < 3 && !error; i++) {
        int how = flags >> 2 * i, fd = i, own = 0;

        if (how & ASYNC_STDIN_PIPE) {
            fd = pipes[i][i != 0];
        } else if (how & ASYNC_STDIN_NULL) {
            fd = open("/dev/null", O_RDWR);
            own = fd != i;
        } else if (i == 2 && flags & ASYNC_STDERR_TO_STDOUT) {
            fd = 1;
        }
        if (fd < 0 || (fd != i && dup2(fd, i) < 0))
            error = errno;
        if (own)
            async_close(&fd);
    }
    if (!error) {
        (void)execvp(argv[0], argv);
        error = errno;
    }
    while (write(pipes[3][1], &error, sizeof error) < 0 && errno == EINTR)
        ;
    _exit(127);
}

/* What exec said: it closes the descriptor if it succeeds. */
static inline int async_process_said_(int fd)
{
    int error = 0;
    ssize_t got;

    do {
        got = read(fd, &error, sizeof error);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got == (ssize_t)sizeof error ? -error : 0;
}

/* Starts argv[0], looked for in PATH unless there is a slash in it, with the
 * arguments up to a NULL, and streams as `flags` say: ASYNC_STDIN_PIPE...; 0:
 * the same as ours. Our ends of its pipes do not block. When it returns, the
 * program is running. Returns 0; ASYNC_EBUSY: this one runs; ASYNC_EINVAL: no
 * argv[0], or flags that exclude each other; a negated errno, -ENOENT: there
 * is no such program; then nothing was started. On the loop's thread, from a
 * task or not. */
static inline int async_process_start(struct async_loop *loop,
                                      struct async_process *process,
                                      char *const argv[], int flags)
{
    int pipes[4][2], i, error = 0, forked = 0;

    async_check_loop_(loop);
    if (process->child_.is_ == ASYNC_CHILD_IS_ALIVE_)
        return ASYNC_EBUSY;
    if (!argv || !argv[0] || flags & ~255 ||
        (flags & flags >> 1 &
         (ASYNC_STDIN_PIPE | ASYNC_STDOUT_PIPE | ASYNC_STDERR_PIPE)) ||
        (flags & ASYNC_STDERR_TO_STDOUT &&
         flags & (ASYNC_STDERR_PIPE | ASYNC_STDERR_NULL)))
        return ASYNC_EINVAL;
    for (i = 0; i < 4; i++) {
        pipes[i][0] = pipes[i][1] = -1;
        if (!error && (i == 3 || flags & ASYNC_STDIN_PIPE << 2 * i))
            error = async_pipe_open_(pipes[i], i == 3 ? -1 : i == 0);
    }
    if (!error)
        error = forked = async_child_fork_(&process->child_);
    if (!error && !forked) /* the child */
        async_process_exec_(pipes, argv, flags);
    for (i = 0; i < 4; i++)
        async_close(&pipes[i][i != 0]);
    if (forked > 0)
        error = async_process_said_(pipes[3][0]);
    async_close(&pipes[3][0]);
    if (error < 0) {
        if (forked > 0) { /* it has ended by itself, but for a failed read */
            (void)async_child_kill_(&process->child_, SIGKILL);
            (void)async_child_reap_(&process->child_, 0);
        }
        for (i = 0; i < 3; i++)
            async_close(&pipes[i][i == 0]);
    }
    process->child_.group_ = (flags & ASYNC_NEW_GROUP) != 0;
    process->pid = error < 0 ? 0 : process->child_.pid_;
    process->in = pipes[0][1];
    process->out = pipes[1][0];
    process->err = pipes[2][0];
    process->exit_code = -1;
    process->signal = 0;
    process->canceled_ = 0;
    return error;
}

/* Sends the program, or its group, a signal. Returns 0; -ESRCH: it was not
 * started, or its end has been awaited; another negated errno. */
static inline int async_process_kill(struct async_process *process, int n)
{
    if (process->child_.is_ != ASYNC_CHILD_IS_ALIVE_)
        return -ESRCH;
    return async_child_kill_(&process->child_, n);
}

static inline async_status async_process_over_(struct async_process *process)
{
    process->exit_code = process->child_.exit_code_;
    process->signal = process->child_.signal_;
    if (process->canceled_) {
        process->canceled_ = 0;
        return ASYNC_ECANCELED;
    }
    return process->child_.lost_ ? -ECHILD : ASYNC_DONE;
}

/* Awaitable: waits until the program has ended; exit_code and signal say how.
 * Asked again after that, it says the same. One task at a time. Its pipes stay
 * open: there may be something to be read. Returns ASYNC_DONE, whatever its
 * exit code is; ASYNC_EINVAL: it was not started; -ECHILD: somebody else has
 * waited for it. If canceled here: it is killed, at once or by grace_ms, and
 * waited for; then ASYNC_ECANCELED. So a limit in time is an async_timeout
 * around this. */
static inline async_status async_process_wait(struct async_loop *loop,
                                              struct async_process *process)
{
    async_status status;

    if (process->pid == 0)
        return ASYNC_EINVAL;
    if (process->child_.is_ == ASYNC_CHILD_IS_ENDED_)
        return async_process_over_(process);
    status = async_child_wait_(loop, &process->child_);
    if (status == ASYNC_ECANCELED) {
        process->canceled_ = 1;
        async_child_stop_(loop, &process->child_, process->grace_ms);
        status = async_child_wait_(loop, &process->child_);
    }
    if (status == ASYNC_DONE)
        return async_process_over_(process);
    return process->canceled_ ? ASYNC_PENDING : status; /* one at a time */
}

/* Awaitable: closes its pipes; a program that still runs is killed, at once or
 * by grace_ms, and waited for. Nothing if it was not started, or has ended and
 * this is not the first time. For finally sections. Returns ASYNC_DONE. If
 * canceled here: it is done all the same. */
static inline async_status async_process_end(struct async_loop *loop,
                                             struct async_process *process)
{
    async_status status;

    if (process->pid == 0)
        return ASYNC_DONE;
    async_close(&process->in);
    async_close(&process->out);
    async_close(&process->err);
    if (process->child_.is_ == ASYNC_CHILD_IS_ENDED_)
        return ASYNC_DONE;
    async_child_stop_(loop, &process->child_, process->grace_ms);
    status = async_child_wait_(loop, &process->child_);
    if (status != ASYNC_DONE)
        return ASYNC_PENDING;
    process->canceled_ = 0;
    (void)async_process_over_(process);
    return ASYNC_DONE;
}

#endif /* ASYNC_PROCESS_H */

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
