/* libev.h: tasks on a libev loop. Linux.
 * SPDX-License-Identifier: MIT
 *
 * ev_run drives the tasks beside your own watchers. All that they wait for is
 * behind one descriptor, onefd.h's, which an ev_io watches.
 *
 *     async_ev_start(&host, ev, &loop);
 *     ev_run(ev, 0); // ends when the tasks have, and your watchers
 *     async_ev_stop(&host);
 *
 * Start, stop and ev_run are called on one thread, the loop's.
 */
#ifndef ASYNC_ADAPTERS_LIBEV_H
#define ASYNC_ADAPTERS_LIBEV_H

#include "onefd.h"

#include <ev.h>

/* Yours; async_ev_start fills it. */
struct async_ev {
    struct async_onefd onefd_;
    struct async_host host_;
    struct ev_loop *ev_;
    ev_io io_;
    ev_io alive_; /* for no events; keeps ev_run going while tasks live */
};

static inline void async_ev_notify_(void *arg)
{
    struct async_ev *host = (struct async_ev *)arg;

    if (async_onefd_begins_(&host->onefd_))
        ev_io_start(host->ev_, &host->alive_);
    async_fd_notify_(host);
}

static inline void async_ev_turn_(struct ev_loop *ev, ev_io *io, int events)
{
    struct async_ev *host = (struct async_ev *)io->data;

    (void)events;
    ev_io_start(ev, &host->alive_);
    async_onefd_turn(&host->onefd_);
    if (!host->onefd_.held_)
        ev_io_stop(ev, &host->alive_);
}

/* Hosts `loop` on `ev` until async_ev_stop. Returns 0, or a negated errno: then
 * nothing happened. */
static inline int async_ev_start(struct async_ev *host, struct ev_loop *ev,
                                 struct async_loop *loop)
{
    const struct async_host ours = {async_ev_notify_, async_epoll_watch_, host};
    int error = async_onefd_start(&host->onefd_, loop);

    if (error)
        return error;
    ev_io_init(&host->io_, async_ev_turn_, host->onefd_.fd, EV_READ);
    ev_io_init(&host->alive_, async_ev_turn_, host->onefd_.fd, 0);
    host->io_.data = host->alive_.data = host;
    host->ev_ = ev;
    ev_io_start(ev, &host->io_);
    ev_unref(ev);
    ev_io_start(ev, &host->alive_);
    host->host_ = ours;
    async_attach(loop, &host->host_);
    return 0;
}

/* Not from a task. Others may go on waking the loop. */
static inline void async_ev_stop(struct async_ev *host)
{
    ev_ref(host->ev_);
    ev_io_stop(host->ev_, &host->io_);
    ev_io_stop(host->ev_, &host->alive_);
    async_onefd_stop(&host->onefd_);
}

#endif /* ASYNC_ADAPTERS_LIBEV_H */

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
