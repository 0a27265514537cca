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

#ifndef __linux__
#error "this adapter needs Linux: take poll.h, or see docs/embedding.md"
#endif

#include "../async_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

/* Yours; async_epoll_start fills it. */
struct async_epoll {
    struct async_fd_host_ base_; /* its descriptors: the epoll, the eventfd */
};

/* Less than 0, EPOLLET, is for descriptors of our own: they stay armed. */
static inline int async_epoll_watch_(void *arg, int fd, int events)
{
    const struct async_fd_host_ *it = (const struct async_fd_host_ *)arg;
    struct epoll_event event = ASYNC_ZERO_;

    event.data.fd = fd;
    event.events = (unsigned)async_poll_events_(events) |
                   (unsigned)(events < 0 ? EPOLLET : EPOLLONESHOT);
    if (events && epoll_ctl(it->fds[0], EPOLL_CTL_MOD, fd, &event) < 0 &&
        (errno != ENOENT || epoll_ctl(it->fds[0], EPOLL_CTL_ADD, fd, &event)))
        return -errno;
    if (!events && it->loop->polling_) /* else a report has disarmed it */
        (void)epoll_ctl(it->fds[0], EPOLL_CTL_DEL, fd, NULL);
    return 0;
}

/* Waits for `ms`, -1 for ever, and passes on what is ready. */
static inline void async_epoll_wait_(struct async_epoll *host, int ms)
{
    struct epoll_event events[64];
    int i, count = epoll_wait(host->base_.fds[0], events, 64, ms);

    for (i = 0; i < count; i++) /* nobody waits for our own */
        async_ready(host->base_.loop, events[i].data.fd,
                    async_poll_found_((int)events[i].events));
}

/* Runs what is ready, then sleeps until there is more, unless the last task
 * has just ended. Not from a task. */
static inline void async_epoll_turn(struct async_epoll *host)
{
    async_epoll_wait_(host, async_poll_ms(host->base_.loop));
}

/* Hosts `loop` until async_epoll_stop. Returns 0, or a negated errno: then
 * nothing happened. */
static inline int async_epoll_start(struct async_epoll *host,
                                    struct async_loop *loop)
{
    const struct async_fd_host_ base = {
        {async_fd_notify_, async_epoll_watch_, host},
        loop,
        {epoll_create1(EPOLL_CLOEXEC), eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)}};

    host->base_ = base;
    if (base.fds[0] < 0 || base.fds[1] < 0 ||
        async_epoll_watch_(host, base.fds[1], ASYNC_READABLE | (int)EPOLLET))
        return async_fd_close_(&base);
    async_attach(loop, &host->base_.host);
    return 0;
}

/* Not from a task. Others may go on waking the loop. */
static inline void async_epoll_stop(struct async_epoll *host)
{
    async_attach(host->base_.loop, NULL);
    (void)async_fd_close_(&host->base_);
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
