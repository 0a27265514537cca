/* libevent.h: tasks on a libevent base.
 * SPDX-License-Identifier: MIT
 *
 * event_base_dispatch drives the tasks beside your own events. What wakes is a
 * pipe, as libevent's own way needs its thread support and may not be used in a
 * signal handler. POSIX.
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

#include "../async_loop.h"

#include <event2/event.h>
#include <signal.h> /* sig_atomic_t */
#include <stdlib.h> /* malloc */

struct async_libevent_fd_ {
    struct event *event;
    struct async_libevent_fd_ *next;
};

/* Yours; async_libevent_start fills it. */
struct async_libevent {
    struct async_host host_;
    struct async_loop *loop_;
    struct event_base *base_;
    const int *thread_;              /* the loop's: where its errno is */
    volatile sig_atomic_t held_;     /* wake_ is pending: dispatch goes on */
    int ends_[2];                    /* to read from, to write to */
    struct event *wake_;             /* its timeout is the deadline */
    struct async_libevent_fd_ *fds_; /* the first is wake_'s */
};

/* A dispatch that is about to end must see a spawn from outside. That is on
 * its own thread; others may not touch its events. */
static inline void async_libevent_notify_(void *arg)
{
    struct async_libevent *host = (struct async_libevent *)arg;
    int saved = errno;

    if (&errno == host->thread_ && async_alive(host->loop_) && !host->held_) {
        host->held_ = 1; /* first: a signal handler may come in between */
        (void)event_add(host->wake_, NULL);
    }
    (void)!write(host->ends_[1], "", 1);
    errno = saved;
}

/* EV_READ and EV_WRITE are 2 and 4, ours 1 and 2. */
static inline void async_libevent_turn_(evutil_socket_t fd, short what,
                                        void *arg)
{
    struct async_libevent *host = (struct async_libevent *)arg;
    struct timeval time = {0, 0};
    char drain[64];
    unsigned ms;

    if (fd != host->ends_[0])
        async_ready(host->loop_, fd, what / EV_READ);
    else if (what & EV_READ)
        (void)!read(fd, drain, sizeof drain);
    host->held_ = 1; /* or soon, so a signal handler has no need to */
    ms = (unsigned)async_poll_ms(host->loop_); /* for ever is 49 days */
    time.tv_sec = (time_t)(ms / 1000);
    time.tv_usec = (suseconds_t)(ms % 1000 * 1000);
    host->held_ = async_alive(host->loop_) > 0;
    (void)(host->held_ ? event_add(host->wake_, &time)
                       : event_del(host->wake_));
}

static inline int async_libevent_watch_(void *arg, int fd, int events)
{
    struct async_libevent *host = (struct async_libevent *)arg;
    struct async_libevent_fd_ **at = &host->fds_, *it;
    int error;

    while (*at && event_get_fd((*at)->event) != fd)
        at = &(*at)->next;
    it = *at;
    if (it) {
        *at = it->next;
        (void)event_del(it->event);
        free(it);
    }
    if (!events)
        return 0;
    it = (struct async_libevent_fd_ *)malloc(sizeof *it +
                                             event_get_struct_event_size());
    if (!it)
        return -ENOMEM;
    it->event = (struct event *)(void *)(it + 1);
    (void)event_assign(it->event, host->base_, fd,
                       (short)(events * EV_READ | EV_PERSIST),
                       async_libevent_turn_, host);
    if (event_add(it->event, NULL) < 0) {
        error = errno ? -errno : -ENOMEM;
        free(it);
        return error;
    }
    it->next = *at;
    *at = it;
    return 0;
}

/* Hosts `loop` on `base` until async_libevent_stop. Returns 0, or a negated
 * errno: then nothing happened. */
static inline int async_libevent_start(struct async_libevent *host,
                                       struct event_base *base,
                                       struct async_loop *loop)
{
    const struct async_host ours = {async_libevent_notify_,
                                    async_libevent_watch_, host};
    int error = async_pipe_(host->ends_);

    if (error)
        return error;
    host->base_ = base;
    host->fds_ = NULL;
    error = async_libevent_watch_(host, host->ends_[0], ASYNC_READABLE);
    if (error) {
        (void)close(host->ends_[0]);
        (void)close(host->ends_[1]);
        return error;
    }
    host->wake_ = host->fds_->event;
    host->held_ = 1;
    host->thread_ = &errno;
    host->loop_ = loop;
    host->host_ = ours;
    async_attach(loop, &host->host_);
    return 0;
}

/* Not from a task. Others may go on waking the loop. */
static inline void async_libevent_stop(struct async_libevent *host)
{
    async_attach(host->loop_, NULL);
    while (host->fds_)
        (void)async_libevent_watch_(host, event_get_fd(host->fds_->event), 0);
    (void)close(host->ends_[0]);
    (void)close(host->ends_[1]);
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
