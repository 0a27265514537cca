/* epoll.h: tasks on Linux's epoll, for thousands of descriptors.
 * SPDX-License-Identifier: MIT
 *
 * A descriptor is armed for one report, which disarms it: so a wait costs one
 * epoll_ctl, and no table of ours can be wrong about a number that was closed
 * and is used again. What wakes is an eventfd.
 *
 *     async_epoll_start(&host, &loop);
 *     while (async_alive(&loop))
 *         async_epoll_turn(&host);
 *     async_epoll_stop(&host);
 *
 * Don't close a descriptor that a task waits for: cancel the task first. What
 * epoll refuses, such as a regular file (-EPERM), is the wait's result.
 */
#ifndef ASYNC_ADAPTERS_EPOLL_H
#define ASYNC_ADAPTERS_EPOLL_H

#include "../async_loop.h"

#include <limits.h> /* INT_MAX */
#include <sys/epoll.h>
#include <sys/eventfd.h>

/* Yours; async_epoll_start fills it. */
struct async_epoll {
    struct async_host host_;
    struct async_loop *loop_;
    int fd_;
    int wake_;
    int reported_;      /* disarmed by its report; async_poll comes next */
    const int *thread_; /* the loop's: where its errno is */
};

static inline void async_epoll_notify_(void *arg)
{
    const struct async_epoll *host = (const struct async_epoll *)arg;
    int saved = errno; /* it may run in a signal handler */

    if (&errno != host->thread_ || host->reported_ < 0)
        (void)eventfd_write(host->wake_, 1);
    errno = saved;
}

static inline int async_epoll_ctl_(int epoll, int op, int fd, unsigned events)
{
    struct epoll_event event = ASYNC_ZERO_;

    event.events = events;
    event.data.fd = fd;
    return epoll_ctl(epoll, op, fd, &event) < 0 ? -errno : 0;
}

static inline int async_epoll_watch_(void *arg, int fd, int events)
{
    const struct async_epoll *host = (const struct async_epoll *)arg;
    unsigned wanted = EPOLLONESHOT |
                      (events & ASYNC_READABLE ? (unsigned)EPOLLIN : 0u) |
                      (events & ASYNC_WRITABLE ? (unsigned)EPOLLOUT : 0u);
    int error;

    if (!events) {
        if (fd != host->reported_)
            (void)async_epoll_ctl_(host->fd_, EPOLL_CTL_DEL, fd, 0);
        return 0;
    }
    error = async_epoll_ctl_(host->fd_, EPOLL_CTL_MOD, fd, wanted);
    return error == -ENOENT
               ? async_epoll_ctl_(host->fd_, EPOLL_CTL_ADD, fd, wanted)
               : error;
}

/* Waits for `ms`, -1 for ever, and passes on what is ready. */
static inline void async_epoll_wait_(struct async_epoll *host, int ms)
{
    struct epoll_event events[64];
    int i, count = epoll_wait(host->fd_, events, 64, ms);

    for (i = 0; i < count; i++) { /* nobody waits for wake_ */
        int found = (int)events[i].events;

        host->reported_ = events[i].data.fd;
        async_ready(host->loop_, host->reported_,
                    (found & ~(int)EPOLLOUT ? ASYNC_READABLE : 0) |
                        (found & ~(int)EPOLLIN ? ASYNC_WRITABLE : 0));
    }
    host->reported_ = -1;
}

/* Runs what is ready, then sleeps until there is more, unless the last task
 * has just ended. Not from a task. */
static inline void async_epoll_turn(struct async_epoll *host)
{
    size_t alive = async_alive(host->loop_);
    uint64_t ticks = async_poll(host->loop_, async_clock_now());
    int ms = INT_MAX / 1000; /* too soon is not wrong */

    if (alive && !async_alive(host->loop_))
        ms = 0;
    else if (ticks == ASYNC_FOREVER)
        ms = -1;
    else if (ticks < INT_MAX / 1000)
        ms = (int)((ticks * 1000 + ASYNC_TICK_HZ - 1) / ASYNC_TICK_HZ);
    async_epoll_wait_(host, ms);
}

/* Hosts `loop` until async_epoll_stop. Returns 0, or a negated errno: then
 * nothing happened. */
static inline int async_epoll_start(struct async_epoll *host,
                                    struct async_loop *loop)
{
    int error;

    host->fd_ = epoll_create1(EPOLL_CLOEXEC);
    if (host->fd_ < 0)
        return -errno;
    host->wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    error = host->wake_ < 0
                ? -errno
                : async_epoll_ctl_(host->fd_, EPOLL_CTL_ADD, host->wake_,
                                   EPOLLIN | (unsigned)EPOLLET);
    if (error) {
        if (host->wake_ >= 0)
            (void)close(host->wake_);
        (void)close(host->fd_);
        return error;
    }
    host->host_.notify = async_epoll_notify_;
    host->host_.watch = async_epoll_watch_;
    host->host_.arg = host;
    host->loop_ = loop;
    host->reported_ = -1;
    host->thread_ = &errno;
    async_attach(loop, &host->host_);
    return 0;
}

/* Not from a task. Others may go on waking the loop. */
static inline void async_epoll_stop(struct async_epoll *host)
{
    async_attach(host->loop_, NULL);
    (void)close(host->wake_);
    (void)close(host->fd_);
}

#endif /* ASYNC_ADAPTERS_EPOLL_H */

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
