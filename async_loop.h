/* async_loop.h: the loop that runs async functions as tasks.
 * SPDX-License-Identifier: MIT
 *
 * A task that waits costs nothing until what it waits for has happened, and
 * then only that task runs. The loop takes the time as an argument, sleeps
 * never and allocates nothing, so it fits into a superloop, a GUI's loop or a
 * test. async_run drives it on POSIX systems and on Windows. Tasks are yours:
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
 *    again, goes on with the wait it began: its first arguments count. So a
 *    sleep that is given up, as in await(c ? ASYNC_DONE : async_sleep_ms(loop,
 *    9)), is not told from a sleep that follows: put a limit on a wait by
 *    async_timeout. Never write c || async_sleep_ms(loop, 9): that makes a
 *    cancel a success.
 * 4. A step must not block: what blocks goes through async_thread.h.
 *
 * Configuration (more in async_timer.h and async_task.h)
 *
 *     ASYNC_POLL_TICKS   how soon a plain condition is looked at again, 1
 *     ASYNC_POLL_STEPS   async_poll goes back to its host after this many
 *                        steps, and after all that was ready at its start: 128
 *     ASYNC_RUN_FDS      descriptors that async_run can watch at once, 64
 */
#ifndef ASYNC_LOOP_H
#define ASYNC_LOOP_H

#include "async_wait.h" /* tasks and what they wait for */

/* Which system there is: at most one. */
#if defined(__unix__) || defined(__APPLE__)
#define ASYNC_HAVE_POSIX_ ASYNC_HOSTED_
#define ASYNC_HAVE_WINDOWS_ 0
#elif defined(_WIN32)
#define ASYNC_HAVE_POSIX_ 0
#define ASYNC_HAVE_WINDOWS_ ASYNC_HOSTED_
#else
#define ASYNC_HAVE_POSIX_ 0
#define ASYNC_HAVE_WINDOWS_ 0
#endif
#define ASYNC_HAVE_RUN_ (ASYNC_HAVE_POSIX_ || ASYNC_HAVE_WINDOWS_)

#if ASYNC_HAVE_RUN_
#include <errno.h>  /* what a system call says */
#include <limits.h> /* INT_MAX */
#endif
#if ASYNC_HAVE_POSIX_
#include <fcntl.h>  /* O_NONBLOCK */
#include <poll.h>   /* async_run's wait */
#include <time.h>   /* the monotonic clock */
#include <unistd.h> /* pipe, read, write, close */
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

/* ---- the host ----------------------------------------------------------- */

#if ASYNC_HAVE_RUN_
/* Which thread this is: by the address of what each has one of. */
static inline size_t async_this_thread_(void)
{
    return (size_t)(void *)&errno;
}
#endif

/* Makes `host` the one to notify, NULL for none. On the loop's thread. When it
 * returns, nobody is in the former host's notify any more, and the new one is
 * told to watch what tasks wait for. */
static inline void async_attach(struct async_loop *loop,
                                const struct async_host *host)
{
    async_check_loop_(loop);
#if ASYNC_HAVE_RUN_
    ASYNC_STORE_(&loop->owner_, host ? async_this_thread_() : 0);
#endif
    ASYNC_STORE_(&loop->host_, host);
    while (async_byte_(&loop->woken_) >= ASYNC_NOTIFYING_)
        ; /* a few instructions of another thread */
    if (!host)
        return;
#if ASYNC_HOSTED_
    async_watch_all_(loop);
#endif
    host->notify(host->arg);
}

/* ---- polling ------------------------------------------------------------ */

/* A cancel that is asked for is offered to a task's functions first: their wait
 * answers ASYNC_ASKED_, and if that comes all the way up, no finally section
 * has objected, and it lands in one more step. An expired timeout that meets
 * the answer on its way up lets its own land, by ASYNC_STEP_LAND_. */
ASYNC_COLD_ async_status async_land_(struct async_loop *loop,
                                     struct async_task *task, int status)
{
    struct async_wait_ *wait = &task->wait_;
    int cancel = 0;

    for (;;) {
        if (status == ASYNC_ASKED_) {
            status = ASYNC_PENDING;
            cancel = wait->flags & ASYNC_IS_CANCELED_;
            if (cancel)
                loop->step_ |= ASYNC_STEP_LAND_;
        }
        if (status != ASYNC_PENDING || !(loop->step_ & ASYNC_STEP_LAND_))
            return status;
        loop->step_ &= ASYNC_STEP_AGAIN_;
        wait->flags = (uint8_t)((wait->flags & ~cancel) | ASYNC_IS_LANDING_);
        ASYNC_TELL_(loop, task, ASYNC_ON_STEP);
        status = task->fn(loop, task->frame);
        ASYNC_TELL_(loop, task, ASYNC_ON_STEPPED);
        if (wait->flags & ASYNC_IS_LANDING_) { /* no wait took it: ask again */
            wait->flags =
                (uint8_t)((wait->flags & ~ASYNC_IS_LANDING_) | cancel);
            loop->step_ |= ASYNC_STEP_AGAIN_;
        }
        cancel = 0;
    }
}

/* True if its function has yielded, without a wait of the loop's. */
static inline int async_task_yielded_(const struct async_task *task)
{
    return task->frame &&
           async_yielded((const struct async_frame *)task->frame);
}

/* True if a task that has been stepped, whatever came of it, is ready again.
 * Else it has left the ready queue. */
static inline int async_goes_on_(struct async_loop *loop,
                                 struct async_task *task, int status)
{
    struct async_wait_ *wait = &task->wait_;
    int again;

    if (status == ASYNC_ASKED_ || loop->step_ & ASYNC_STEP_LAND_)
        status = async_land_(loop, task, status);
    if (status != ASYNC_PENDING) {
        async_task_end_(loop, task, status);
        ASYNC_TELL_(loop, task, ASYNC_ON_END);
        loop->step_ = 0;
        return 0;
    }
    if (!(loop->step_ & ASYNC_STEP_SEEN_)) {
        if (wait->kind != ASYNC_WAIT_NONE_)
            async_wait_drop_(loop, task); /* given up for something else */
        if (async_task_yielded_(task))
            loop->step_ |= ASYNC_STEP_AGAIN_;
        if (!(loop->step_ & ASYNC_STEP_AGAIN_)) {
            wait->kind = ASYNC_WAIT_BARE_;
            async_line_join_(&loop->lookers_, wait);
        }
    }
    again = loop->step_ & ASYNC_STEP_AGAIN_;
    loop->step_ = 0;
    if (!again)
        async_ready_leave_(loop, task);
    return again;
}

/* Steps the first task that is ready. */
static inline void async_step_(struct async_loop *loop, struct async_task *task)
{
    int status;

    loop->current_ = task;
    ASYNC_TELL_(loop, task, ASYNC_ON_STEP);
    status = task->fn(loop, task->frame);
    ASYNC_TELL_(loop, task, ASYNC_ON_STEPPED);
    if ((status == ASYNC_PENDING && loop->step_ == 0 &&
         task->wait_.kind == ASYNC_WAIT_NONE_ && async_task_yielded_(task)) ||
        async_goes_on_(loop, task, status))
        loop->ready_ = task;
}

/* Lets go what is due at now_. */
static inline void async_expire_(struct async_loop *loop)
{
    struct async_wait_ *started = loop->deadlines_.due, *wait;

    loop->deadlines_.due = NULL;
    async_deadlines_reach_(&loop->deadlines_, loop->now_);
    while ((wait = started) != NULL) { /* between polls: it counts from now */
        async_line_leave_(&started, wait);
        wait->kind = ASYNC_WAIT_TIMER_;
        async_deadlines_add_(&loop->deadlines_, wait,
                             (async_time)(loop->now_ + wait->on.deadline));
    }
    while ((wait = loop->deadlines_.due) != NULL) {
        async_line_leave_(&loop->deadlines_.due, wait);
        if (wait->kind == ASYNC_WAIT_SLEEP_) {
            async_wait_over_(loop, wait, ASYNC_DONE);
        } else {
            struct async_timer *timer = (struct async_timer *)(void *)wait;

            timer->fn(loop, timer);
        }
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
    if (async_deadlines_next_(&loop->deadlines_))
        ticks = async_before_(loop->deadlines_.next, loop->now_)
                    ? 0
                    : (async_time)(loop->deadlines_.next - loop->now_);
    if (wait && ticks > ASYNC_POLL_TICKS) {
        do {
            if (wait->kind != ASYNC_WAIT_FLAG_)
                ticks = ASYNC_POLL_TICKS;
            wait = wait->next;
        } while (wait != loop->lookers_);
    }
    return ticks;
}

/* True if tasks live and nothing that the loop knows of will wake them: each
 * waits for another one, for a lock or an end, and no timer, job, descriptor,
 * flag or condition is waited for. Only a spawn, a cancel or a release from
 * outside could help. */
static inline int async_stuck(struct async_loop *loop)
{
#if ASYNC_HOSTED_
    if (loop->coming_)
        return 0;
#endif
    return loop->alive_ && !loop->lookers_ && !loop->deadlines_.due &&
           async_next_poll_(loop) == ASYNC_FOREVER;
}

/* Steps what is ready, and what gets ready meanwhile, but not for ever. */
static inline void async_round_(struct async_loop *loop)
{
    const struct async_task *last;
    unsigned steps = 0;

    ASYNC_TELL_(loop, NULL, ASYNC_ON_ROUND);
    last = loop->ready_;
    if (!last)
        return;
    for (;;) {
        struct async_task *task = loop->ready_->next_;

        async_step_(loop, task);
        steps++;
        if (task == last) {
            ASYNC_TELL_(loop, NULL, ASYNC_ON_ROUND);
            last = loop->ready_;
            if (!last || steps >= ASYNC_POLL_STEPS)
                return;
        }
    }
}

/* Runs everything that is ready at `now`, in the order it became ready. Never
 * blocks. Returns the ticks, from `now` on, until it must be called again: 0 at
 * once, ASYNC_FOREVER only after a wake. A host whose steps take ticks takes
 * those off before it sleeps. The answer holds until the loop is changed from
 * outside a poll, which notifies the host. While a timer runs, polls are less
 * than half the range of a time apart, and a `now` that went back counts as
 * none passed. On the loop's thread, not from a task. */
static inline async_time async_poll(struct async_loop *loop, async_time now)
{
    async_check_loop_(loop);
    ASYNC_ASSERT(!loop->polling_, "async_poll from inside async_poll");
    if (loop->polling_)
        return 0;
    loop->polling_ = 1;
    if (!async_deadlines_next_(&loop->deadlines_) ||
        !async_before_(now, loop->now_))
        loop->now_ = now;
    {
        int woken = async_byte_clear_(&loop->woken_);
#if ASYNC_HOSTED_
        void (*take_posted)(struct async_loop *) =
            ASYNC_LOAD_(&loop->take_posted_);

        if (!ASYNC_HAVE_EXCHANGE_) /* and threads: a set may have been missed */
            woken = 1;
        if (woken && take_posted)
            take_posted(loop);
#endif
        async_look_(loop, woken);
    }
    async_expire_(loop);
    async_round_(loop);
    loop->current_ = NULL;
    loop->polling_ = 0;
    return async_next_poll_(loop);
}

/* A host without a clock, for tests and simulations: time jumps from deadline
 * to deadline. Polls from `now` on, for `ticks` at the most, and returns the
 * time at which only a wake could bring work, or at which they are over. */
static inline async_time async_simulate(struct async_loop *loop, async_time now,
                                        async_time ticks)
{
    async_time jump = async_poll(loop, now);

    while (jump != ASYNC_FOREVER && ticks) {
        if (jump > ticks)
            jump = ticks;
        now = (async_time)(now + jump);
        ticks = (async_time)(ticks - jump);
        jump = async_poll(loop, now);
    }
    while (jump == 0) /* what is due at the last moment */
        jump = async_poll(loop, now);
    return now;
}

/* ---- the system's clock -------------------------------------------------- */

#if ASYNC_HAVE_POSIX_

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

#elif ASYNC_HAVE_WINDOWS_

/* What is called of Windows is declared as <windows.h> declares it, and so may
 * stand before it. That header is not included: it defines min, max, small and
 * hundreds more, and who includes it later with other settings gets ours. */
#ifndef _INC_WINDOWS
#ifdef __cplusplus
extern "C" {
#endif
union _LARGE_INTEGER;
struct _SECURITY_ATTRIBUTES;
__declspec(dllimport) int __stdcall QueryPerformanceCounter(
    union _LARGE_INTEGER *count);
__declspec(dllimport) int __stdcall QueryPerformanceFrequency(
    union _LARGE_INTEGER *hz);
__declspec(dllimport) void *__stdcall CreateEventA(
    struct _SECURITY_ATTRIBUTES *security, int is_manual, int is_set,
    const char *name);
__declspec(dllimport) int __stdcall SetEvent(void *event);
__declspec(dllimport) unsigned long __stdcall WaitForSingleObject(
    void *object, unsigned long ms);
__declspec(dllimport) int __stdcall CloseHandle(void *object);
#ifdef __cplusplus
}
#endif
#endif

/* The system's monotonic time in ticks. */
static inline async_time async_clock_now(void)
{
    uint64_t count = 0, hz = 1;

    (void)QueryPerformanceCounter((union _LARGE_INTEGER *)(void *)&count);
    (void)QueryPerformanceFrequency((union _LARGE_INTEGER *)(void *)&hz);
    return (async_time)(count / hz * ASYNC_TICK_HZ +
                        count % hz * ASYNC_TICK_HZ / hz);
}

#endif

/* ---- async_run: a host of our own --------------------------------------- */

#if ASYNC_HAVE_RUN_

/* async_poll by the system's clock, for hosts that wait in milliseconds as
 * poll(2) does. Returns how long they may: -1 is for ever, and 0 also that the
 * last task has just ended. */
static inline int async_poll_ms(struct async_loop *loop)
{
    size_t alive = loop->alive_;
    async_time began = async_clock_now(), took;
    uint64_t ticks = async_poll(loop, began);

    if (ticks == 0 || (alive && !loop->alive_))
        return 0;
    if (ticks == ASYNC_FOREVER)
        return -1;
    took = (async_time)(async_clock_now() - began); /* by the steps */
    ticks = ticks > took ? ticks - took : 0;
    if (ticks / ASYNC_TICK_HZ >= INT_MAX / 1000)
        return INT_MAX / 1000 * 1000; /* too soon is not wrong */
    return (int)((ticks * 1000 + ASYNC_TICK_HZ - 1) / ASYNC_TICK_HZ);
}

#if ASYNC_HAVE_POSIX_

/* A host that sleeps on descriptors: async_run's and those of adapters/. */
struct async_fd_host_ {
    struct async_host host;
    struct async_loop *loop;
    int fds[2]; /* to sleep on, to be woken through */
};

static inline void async_fd_notify_(void *arg)
{
    const struct async_fd_host_ *it = (const struct async_fd_host_ *)arg;
    uint64_t one = 1;  /* what an eventfd takes, and a pipe */
    int saved = errno; /* it may run in a signal handler */

    while (write(it->fds[1], &one, sizeof one) < 0 && errno == EINTR)
        ;
    errno = saved;
}

/* Returns what went wrong before, a negated errno. */
static inline int async_fd_close_(const struct async_fd_host_ *it)
{
    int error = -errno;

    (void)close(it->fds[0]);
    (void)close(it->fds[1]);
    return error;
}

/* What poll(2), and epoll, call what is waited for; what they found. */
static inline int async_poll_events_(int events)
{
    return (events & ASYNC_READABLE ? POLLIN : 0) |
           (events & ASYNC_WRITABLE ? POLLOUT : 0);
}

static inline int async_poll_found_(int found)
{
    return (found & ~POLLOUT ? ASYNC_READABLE : 0) |
           (found & ~POLLIN ? ASYNC_WRITABLE : 0);
}

struct async_pollset_ {         /* on poll(2) */
    struct async_fd_host_ base; /* its descriptors are a pipe's ends */
    nfds_t count, room;
    struct pollfd *fds; /* the first is the pipe's */
};

static inline int async_pollset_watch_(void *arg, int fd, int events)
{
    struct async_pollset_ *set = (struct async_pollset_ *)arg;
    const struct pollfd place = {fd, (short)async_poll_events_(events), 0};
    nfds_t i = 1;

    while (i < set->count && set->fds[i].fd != fd)
        i++;
    if (i < set->count)
        set->fds[i] = set->fds[--set->count];
    if (events && set->count == set->room)
        return ASYNC_EFULL;
    if (events)
        set->fds[set->count++] = place;
    return 0;
}

/* Passes on what poll has found, if it has. */
static inline void async_pollset_pass_(struct async_pollset_ *set)
{
    char drain[64];
    nfds_t i;

    if (set->fds[0].revents)
        while (read(set->fds[0].fd, drain, sizeof drain) == sizeof drain)
            ;
    for (i = set->count; i-- > 1;) { /* backwards: the last takes its place */
        int found = async_poll_found_(set->fds[i].revents);

        set->fds[i].revents = 0;
        if (found)
            async_ready(set->base.loop, set->fds[i].fd, found);
    }
}

/* No end of its pipe blocks, no other program gets one. Returns 0, an error. */
static inline int async_pollset_start_(struct async_pollset_ *set,
                                       struct pollfd *fds, nfds_t room,
                                       struct async_loop *loop)
{
    const struct async_pollset_ start = {
        {{async_fd_notify_, async_pollset_watch_, set}, loop, {-1, -1}},
        0,
        room,
        fds};
    int i;

    *set = start;
    if (pipe(set->base.fds) < 0)
        return -errno;
    for (i = 0; i < 2; i++) {
        (void)fcntl(set->base.fds[i], F_SETFL, O_NONBLOCK);
        (void)fcntl(set->base.fds[i], F_SETFD, FD_CLOEXEC);
    }
    (void)async_pollset_watch_(set, set->base.fds[0], ASYNC_READABLE);
    async_attach(loop, &set->base.host);
    return 0;
}

/* What async_run sleeps on. */
struct async_run_host_ {
    struct async_pollset_ set;
    struct pollfd fds[1 + ASYNC_RUN_FDS];
};

static inline int async_run_start_(struct async_run_host_ *run,
                                   struct async_loop *loop)
{
    return async_pollset_start_(&run->set, run->fds, 1 + ASYNC_RUN_FDS, loop);
}

/* Sleeps until it is notified, for so long at the most, -1 for ever. */
static inline void async_run_sleep_(struct async_run_host_ *run, int ms)
{
    if ((ms || run->set.count > 1) && poll(run->fds, run->set.count, ms) > 0)
        async_pollset_pass_(&run->set);
}

/* When nobody is in its notify any more. */
static inline void async_run_stop_(struct async_run_host_ *run)
{
    (void)async_fd_close_(&run->set.base);
}

#else

/* What async_run sleeps on: no descriptors. */
struct async_run_host_ {
    struct async_host host;
    void *event; /* resets itself when it ends a sleep */
};

static inline void async_run_notify_(void *arg)
{
    (void)SetEvent(((struct async_run_host_ *)arg)->event);
}

static inline int async_run_start_(struct async_run_host_ *run,
                                   struct async_loop *loop)
{
    const struct async_host host = {async_run_notify_, NULL, run};

    run->host = host;
    run->event = CreateEventA(NULL, 0, 0, NULL);
    if (!run->event)
        return -ENOMEM;
    async_attach(loop, &run->host);
    return 0;
}

static inline void async_run_sleep_(struct async_run_host_ *run, int ms)
{
    if (ms) /* -1 is INFINITE, as an unsigned long */
        (void)WaitForSingleObject(run->event, (unsigned long)ms);
}

static inline void async_run_stop_(struct async_run_host_ *run)
{
    (void)CloseHandle(run->event);
}

#endif

static inline async_status async_gives_up_(struct async_loop *loop, void *frame)
{
    (void)loop;
    (void)frame;
    return ASYNC_EDEADLK;
}

/* Runs fn(loop, frame), and everything else that is spawned on the loop, to the
 * end, on the monotonic clock; sleeps while there is nothing to do. `fn` may
 * be NULL: runs what was spawned before. Returns ASYNC_DONE; or the error of
 * fn; or, with no loop->unhandled to take it, the first error of a task that
 * nobody joined. ASYNC_EBUSY: this loop is running, or has a host that runs
 * it. ASYNC_EDEADLK: nothing could wake the tasks any more; fn was canceled
 * and has ended, others may live. A negated errno: there was no pipe, or event,
 * to be woken through; nothing ran. On Windows it watches no descriptors. Other
 * threads may wake the loop until this returns, and no longer. */
static inline async_status async_run(struct async_loop *loop, async_fn *fn,
                                     void *frame)
{
    struct async_run_host_ host;
    struct async_task task;
    async_status status, error, stuck = 0;
    int times = 0; /* it was stuck */

    async_check_loop_(loop);
    if (loop->running_ || loop->polling_ || loop->host_)
        return ASYNC_EBUSY;
    status = async_run_start_(&host, loop);
    if (status < 0)
        return status;
    status = ASYNC_DONE;
    loop->running_ = 1;
    task.wait_.flags = 0;
    if (fn)
        (void)async_spawn(loop, &task, fn, frame);
    for (;;) {
        int ms = async_poll_ms(loop);

        if (!loop->alive_)
            break;
        if (ms < 0 && async_stuck(loop)) {
            if (task.wait_.flags & ASYNC_IS_CANCELED_ || ++times == 10) {
                /* its clean-up is stuck too, or it catches each cancel */
                task.fn = async_gives_up_;
            } else {
                ASYNC_TELL_(loop, NULL, ASYNC_ON_STUCK);
            }
            stuck = ASYNC_EDEADLK;
            if (!fn || async_task_outcome(&task) != ASYNC_PENDING)
                break;
            async_cancel(loop, &task);
            continue;
        }
        async_run_sleep_(&host, ms);
    }
    async_attach(loop, NULL);
    loop->running_ = 0;
    async_run_stop_(&host);
    if (fn) {
        async_claim_(loop, &task);
        status = async_task_outcome(&task);
    }
    while ((error = async_unjoined(loop)) != 0)
        if (status > 0 && !loop->unhandled)
            status = error;
    return stuck ? stuck : status;
}

#endif /* ASYNC_HAVE_RUN_ */

#endif /* ASYNC_LOOP_H */

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
