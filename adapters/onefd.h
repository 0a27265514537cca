/* onefd.h: tasks behind one descriptor, for any loop that can watch one.
 * SPDX-License-Identifier: MIT
 *
 * Linux. An epoll that holds all there is to wait for: an eventfd that wakes, a
 * timerfd that is the deadline, what tasks wait for. Watch its descriptor for
 * reading, and call async_onefd_turn whenever it is readable.
 *
 *     async_onefd_start(&host, &loop);
 *     your_loop_watch(host.fd, READ, your_callback, &host);
 *     ...
 *     async_onefd_stop(&host);
 *
 *     static void your_callback(void *host)
 *     {
 *         async_onefd_turn(host);
 *     }
 */
#ifndef ASYNC_ADAPTERS_ONEFD_H
#define ASYNC_ADAPTERS_ONEFD_H

#include "epoll.h"

#include <sys/timerfd.h>

/* Yours; async_onefd_start fills it. */
struct async_onefd {
    struct async_epoll epoll_;
    int fd; /* to watch */
    int deadline_;
    const int *thread_;     /* the loop's: where its errno is */
    volatile uint8_t held_; /* the host's loop goes on for the tasks */
};

/* For the notify of a host that goes on as long as it counts something: true if
 * it must begin to, as tasks live. That is after a spawn from outside, on the
 * loop's thread; others, and signal handlers, may not touch what it counts. */
static inline int async_onefd_begins_(struct async_onefd *host)
{
    if (&errno != host->thread_ || host->held_ ||
        !async_alive(host->epoll_.base_.loop))
        return 0;
    host->held_ = 1; /* first: a signal handler may come in between */
    return 1;
}

/* Runs what is ready. Never blocks. Not from a task. */
static inline void async_onefd_turn(struct async_onefd *host)
{
    struct itimerspec time = {{0, 0}, {0, 0}};
    int ms;

    host->held_ = 1;
    async_epoll_wait_(&host->epoll_, 0);
    ms = async_poll_ms(host->epoll_.base_.loop);
    host->held_ = async_alive(host->epoll_.base_.loop) > 0;
    time.it_value.tv_sec = ms / 1000;
    time.it_value.tv_nsec = ms < 0 ? 0 : ms % 1000 * 1000000L;
    if (ms == 0)
        async_fd_notify_(&host->epoll_);
    else /* 0 stops it */
        (void)timerfd_settime(host->deadline_, 0, &time, NULL);
}

/* Not from a task. Others may go on waking the loop. */
static inline void async_onefd_stop(struct async_onefd *host)
{
    async_epoll_stop(&host->epoll_);
    (void)close(host->deadline_);
}

/* Hosts `loop` until async_onefd_stop. Returns 0, or a negated errno: then
 * nothing happened. */
static inline int async_onefd_start(struct async_onefd *host,
                                    struct async_loop *loop)
{
    int error = async_epoll_start(&host->epoll_, loop);

    if (error)
        return error;
    host->fd = host->epoll_.base_.fds[0];
    host->thread_ = &errno;
    host->held_ = 1;
    host->deadline_ =
        timerfd_create(ASYNC_CLOCK_ID_, TFD_CLOEXEC | TFD_NONBLOCK);
    if (host->deadline_ >= 0 &&
        !async_epoll_watch_(host, host->deadline_,
                            ASYNC_READABLE | (int)EPOLLET))
        return 0;
    error = -errno;
    async_onefd_stop(host);
    return error;
}

#endif /* ASYNC_ADAPTERS_ONEFD_H */

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
