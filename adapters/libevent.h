/* libevent.h: tasks on a libevent base. Linux.
 * SPDX-License-Identifier: MIT
 *
 * event_base_dispatch drives the tasks beside your own events. All that they
 * wait for is behind one descriptor, onefd.h's, which an event watches.
 *
 *     async_libevent_start(&host, base, &loop);
 *     event_base_dispatch(base); // ends when the tasks have, and your events
 *     async_libevent_stop(&host);
 *
 * Start, stop and dispatch are called on one thread, the loop's. A timer of
 * ours, async_timer_start, needs a task that lives.
 */
#ifndef ASYNC_ADAPTERS_LIBEVENT_H
#define ASYNC_ADAPTERS_LIBEVENT_H

#include "onefd.h"

#include <event2/event.h>

/* Yours; async_libevent_start fills it. */
struct async_libevent {
    struct async_onefd onefd_;
    struct async_host host_;
    struct event *event_; /* pending, so dispatch goes on, while tasks live */
};

static inline void async_libevent_notify_(void *arg)
{
    struct async_libevent *host = (struct async_libevent *)arg;

    if (async_onefd_begins_(&host->onefd_))
        (void)event_add(host->event_, NULL);
    async_fd_notify_(host);
}

static inline void async_libevent_turn_(evutil_socket_t fd, short events,
                                        void *arg)
{
    struct async_libevent *host = (struct async_libevent *)arg;

    (void)fd;
    (void)events;
    async_onefd_turn(&host->onefd_);
    if (!host->onefd_.held_)
        (void)event_del(host->event_);
}

/* Hosts `loop` on `base` until async_libevent_stop. Returns 0, or a negated
 * errno: then nothing happened. */
static inline int async_libevent_start(struct async_libevent *host,
                                       struct event_base *base,
                                       struct async_loop *loop)
{
    const struct async_host ours = {async_libevent_notify_, async_epoll_watch_,
                                    host};
    int error = async_onefd_start(&host->onefd_, loop);

    if (error)
        return error;
    host->event_ = event_new(base, host->onefd_.fd, EV_READ | EV_PERSIST,
                             async_libevent_turn_, host);
    if (!host->event_ || event_add(host->event_, NULL) < 0) {
        if (host->event_)
            event_free(host->event_);
        async_onefd_stop(&host->onefd_);
        return -ENOMEM;
    }
    host->host_ = ours;
    async_attach(loop, &host->host_);
    return 0;
}

/* Not from a task. Others may go on waking the loop. */
static inline void async_libevent_stop(struct async_libevent *host)
{
    event_free(host->event_);
    async_onefd_stop(&host->onefd_);
}

#endif /* ASYNC_ADAPTERS_LIBEVENT_H */

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
