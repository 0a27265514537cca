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

#include <sys/epoll.h>
#include <sys/eventfd.h>

/* Yours; async_epoll_start fills it. */
struct async_epoll {
    struct async_host host_;
    struct async_loop *loop_;
    int fd_, wake_;
};

static inline void async_epoll_notify_(void *arg)
{
    int saved = errno; /* it may run in a signal handler */

    (void)eventfd_write(((const struct async_epoll *)arg)->wake_, 1);
    errno = saved;
}

static inline int async_epoll_arm_(int epoll, int fd, unsigned events)
{
    struct epoll_event event = ASYNC_ZERO_;

    event.events = events;
    event.data.fd = fd;
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) < 0 &&
        (errno != ENOENT || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0))
        return -errno;
    return 0;
}

static inline int async_epoll_watch_(void *arg, int fd, int events)
{
    const struct async_epoll *host = (const struct async_epoll *)arg;

    if (events)
        return async_epoll_arm_(
            host->fd_, fd,
            EPOLLONESHOT | (events & ASYNC_READABLE ? (unsigned)EPOLLIN : 0u) |
                (events & ASYNC_WRITABLE ? (unsigned)EPOLLOUT : 0u));
    if (host->loop_->polling_) /* else it is disarmed: async_ready is here */
        (void)epoll_ctl(host->fd_, EPOLL_CTL_DEL, fd, NULL);
    return 0;
}

/* Waits for `ms`, -1 for ever, and passes on what is ready. */
static inline void async_epoll_wait_(struct async_epoll *host, int ms)
{
    struct epoll_event events[64];
    int i, count = epoll_wait(host->fd_, events, 64, ms);

    for (i = 0; i < count; i++) { /* nobody waits for wake_ */
        int found = (int)events[i].events;

        async_ready(host->loop_, events[i].data.fd,
                    (found & ~(int)EPOLLOUT ? ASYNC_READABLE : 0) |
                        (found & ~(int)EPOLLIN ? ASYNC_WRITABLE : 0));
    }
}

/* Runs what is ready, then sleeps until there is more, unless the last task
 * has just ended. Not from a task. */
static inline void async_epoll_turn(struct async_epoll *host)
{
    async_epoll_wait_(host, async_poll_ms(host->loop_));
}

/* Hosts `loop` until async_epoll_stop. Returns 0, or a negated errno: then
 * nothing happened. */
static inline int async_epoll_start(struct async_epoll *host,
                                    struct async_loop *loop)
{
    const struct async_epoll start = {
        {async_epoll_notify_, async_epoll_watch_, host},
        loop,
        epoll_create1(EPOLL_CLOEXEC),
        eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    int error = start.fd_ < 0 || start.wake_ < 0
                    ? -errno
                    : async_epoll_arm_(start.fd_, start.wake_,
                                       EPOLLIN | (unsigned)EPOLLET);

    *host = start;
    if (!error) {
        async_attach(loop, &host->host_);
        return 0;
    }
    (void)close(host->wake_);
    (void)close(host->fd_);
    return error;
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
