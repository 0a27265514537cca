/* libev.h: tasks on a libev loop.
 * SPDX-License-Identifier: MIT
 *
 * ev_run drives the tasks beside your own watchers. What wakes is an ev_async,
 * the deadline an ev_timer, a descriptor that is waited for an ev_io, from
 * malloc.
 *
 *     async_ev_start(&host, ev, &loop);
 *     ev_run(ev, 0); // ends when the tasks have, and your watchers
 *     async_ev_stop(&host);
 *
 * Start, stop and ev_run are called on one thread, the loop's.
 */
#ifndef ASYNC_ADAPTERS_LIBEV_H
#define ASYNC_ADAPTERS_LIBEV_H

#include "../async_loop.h"

#include <errno.h> /* its address names a thread */
#include <ev.h>
#include <fcntl.h>  /* is it a descriptor? */
#include <stdlib.h> /* malloc */

struct async_ev_fd_ {
    ev_io io; /* first: its address is this one's */
    struct async_ev_fd_ *next;
};

/* Yours; async_ev_start fills it. */
struct async_ev {
    struct async_host host_;
    struct async_loop *loop_;
    struct ev_loop *ev_;
    const int *thread_; /* the loop's: where its errno is */
    ev_async wake_;
    ev_async alive_; /* never sent; keeps ev_run going while tasks live */
    ev_timer deadline_;
    struct async_ev_fd_ *fds_;
};

/* An ev_run that is about to end must see a spawn from outside. That is on its
 * own thread; others may not touch ev's counts. */
static inline void async_ev_notify_(void *arg)
{
    struct async_ev *host = (struct async_ev *)arg;

    if (&errno == host->thread_ && async_alive(host->loop_))
        ev_async_start(host->ev_, &host->alive_);
    ev_async_send(host->ev_, &host->wake_);
}

/* `fd` is ready, or none. */
static inline void async_ev_turn_(struct ev_loop *ev, void *data, int fd,
                                  int events)
{
    struct async_ev *host = (struct async_ev *)data;
    async_time ticks;

    if (fd >= 0)
        async_ready(host->loop_, fd, events & (EV_READ | EV_WRITE));
    ev_async_start(ev, &host->alive_); /* a handler has no need to */
    ticks = async_poll(host->loop_, async_clock_now());
    if (!async_alive(host->loop_))
        ev_async_stop(ev, &host->alive_);
    if (ticks == 0) /* not by the timer: ev would wait for a millisecond */
        ev_async_send(ev, &host->wake_);
    else
        host->deadline_.repeat = (ev_tstamp)ticks / ASYNC_TICK_HZ;
    ev_timer_again(ev, &host->deadline_);
}

static inline void async_ev_due_(struct ev_loop *ev, ev_timer *it, int events)
{
    async_ev_turn_(ev, it->data, -1, events);
}

static inline void async_ev_woken_(struct ev_loop *ev, ev_async *it, int events)
{
    async_ev_turn_(ev, it->data, -1, events);
}

static inline void async_ev_ready_(struct ev_loop *ev, ev_io *it, int events)
{
    async_ev_turn_(ev, it->data, it->fd, events);
}

/* EV_READ and EV_WRITE are 1 and 2, as ours are. */
static inline int async_ev_watch_(void *arg, int fd, int events)
{
    struct async_ev *host = (struct async_ev *)arg;
    struct async_ev_fd_ **at = &host->fds_, *it;

    while (*at && (*at)->io.fd != fd)
        at = &(*at)->next;
    it = *at;
    if (it) {
        *at = it->next;
        ev_io_stop(host->ev_, &it->io);
        free(it);
    }
    if (!events)
        return 0;
    if (fcntl(fd, F_GETFD) < 0) /* ev would abort */
        return -errno;
    it = (struct async_ev_fd_ *)malloc(sizeof *it);
    if (!it)
        return -ENOMEM;
    ev_io_init(&it->io, async_ev_ready_, fd, events);
    it->io.data = host;
    it->next = *at;
    *at = it;
    ev_io_start(host->ev_, &it->io);
    return 0;
}

/* Hosts `loop` on `ev` until async_ev_stop. */
static inline void async_ev_start(struct async_ev *host, struct ev_loop *ev,
                                  struct async_loop *loop)
{
    const struct async_host ours = {async_ev_notify_, async_ev_watch_, host};

    ev_async_init(&host->wake_, async_ev_woken_);
    ev_async_init(&host->alive_, async_ev_woken_);
    ev_timer_init(&host->deadline_, async_ev_due_, 0., 1e6);
    host->wake_.data = host->deadline_.data = host;
    ev_async_start(ev, &host->wake_);
    ev_timer_again(ev, &host->deadline_);
    ev_unref(ev);
    ev_unref(ev);
    host->ev_ = ev;
    host->thread_ = &errno;
    host->fds_ = NULL;
    host->loop_ = loop;
    host->host_ = ours;
    async_attach(loop, &host->host_);
}

/* Not from a task. Others may go on waking the loop. */
static inline void async_ev_stop(struct async_ev *host)
{
    async_attach(host->loop_, NULL);
    while (host->fds_)
        (void)async_ev_watch_(host, host->fds_->io.fd, 0);
    ev_ref(host->ev_);
    ev_ref(host->ev_);
    ev_async_stop(host->ev_, &host->wake_);
    ev_async_stop(host->ev_, &host->alive_);
    ev_timer_stop(host->ev_, &host->deadline_);
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
