/* libevent.h: tasks on a libevent base.
 * SPDX-License-Identifier: MIT
 *
 * event_base_dispatch drives the tasks beside your own events. What wakes is a
 * socket pair, as libevent's own way needs its thread support and may not be
 * used in a signal handler. POSIX.
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
#include <string.h> /* memset */
#include <sys/socket.h>

struct async_libevent_fd_ {
    struct event *event;
    struct async_libevent_fd_ *next;
};

/* Yours; async_libevent_start fills it. */
struct async_libevent {
    struct async_host host_;
    struct async_loop *loop_;
    struct event_base *base_;
    const int *thread_;          /* the loop's: where its errno is */
    volatile sig_atomic_t held_; /* wake_ is pending: dispatch goes on */
    int reports_;                /* async_poll comes next */
    evutil_socket_t ends_[2];    /* to read from, to write to */
    struct event *wake_;
    struct event *deadline_;
    struct async_libevent_fd_ *fds_;
};

static inline void async_libevent_hold_(struct async_libevent *host)
{
    if (!host->held_) {
        host->held_ = 1; /* first: a signal handler may come in between */
        (void)event_add(host->wake_, NULL);
    }
}

/* A dispatch that is about to end must see a spawn from outside. That is on
 * its own thread; others may not touch its events. */
static inline void async_libevent_notify_(void *arg)
{
    struct async_libevent *host = (struct async_libevent *)arg;
    int saved = errno;

    if (&errno == host->thread_ && host->reports_)
        return;
    if (&errno == host->thread_ && async_alive(host->loop_))
        async_libevent_hold_(host);
    while (write(host->ends_[1], "", 1) < 0 && errno == EINTR)
        ;
    errno = saved;
}

static inline void async_libevent_turn_(struct async_libevent *host)
{
    struct timeval time = {0, 0};
    uint64_t ticks;

    async_libevent_hold_(host);
    ticks = async_poll(host->loop_, async_clock_now());
    time.tv_sec = (time_t)(ticks / ASYNC_TICK_HZ);
    time.tv_usec =
        (suseconds_t)((ticks % ASYNC_TICK_HZ * 1000000 + ASYNC_TICK_HZ - 1) /
                      ASYNC_TICK_HZ);
    (void)event_del(host->deadline_);
    if (!async_alive(host->loop_)) {
        host->held_ = 0;
        (void)event_del(host->wake_);
    } else if (ticks != ASYNC_FOREVER) {
        (void)event_add(host->deadline_, &time);
    }
}

static inline void async_libevent_woken_(evutil_socket_t fd, short what,
                                         void *host)
{
    char drain[64];

    if (what & EV_READ)
        while (read(fd, drain, sizeof drain) == sizeof drain)
            ;
    async_libevent_turn_((struct async_libevent *)host);
}

static inline void async_libevent_ready_(evutil_socket_t fd, short what,
                                         void *arg)
{
    struct async_libevent *host = (struct async_libevent *)arg;

    host->reports_ = 1;
    async_ready(host->loop_, fd,
                (what & EV_READ ? ASYNC_READABLE : 0) |
                    (what & EV_WRITE ? ASYNC_WRITABLE : 0));
    host->reports_ = 0;
    async_libevent_turn_(host);
}

static inline int async_libevent_watch_(void *arg, int fd, int events)
{
    struct async_libevent *host = (struct async_libevent *)arg;
    struct async_libevent_fd_ **at = &host->fds_, *it;
    int wanted = (events & ASYNC_READABLE ? EV_READ : 0) |
                 (events & ASYNC_WRITABLE ? EV_WRITE : 0);

    while (*at && event_get_fd((*at)->event) != fd)
        at = &(*at)->next;
    it = *at;
    if (it) {
        *at = it->next;
        event_free(it->event);
        free(it);
    }
    if (!events)
        return 0;
    it = (struct async_libevent_fd_ *)malloc(sizeof *it);
    if (!it)
        return -ENOMEM;
    it->event = event_new(host->base_, fd, (short)(wanted | EV_PERSIST),
                          async_libevent_ready_, host);
    if (!it->event || event_add(it->event, NULL) < 0) {
        int error = it->event && errno ? -errno : -ENOMEM;

        if (it->event)
            event_free(it->event);
        free(it);
        return error;
    }
    it->next = *at;
    *at = it;
    return 0;
}

static inline void async_libevent_free_(struct async_libevent *host)
{
    if (host->wake_)
        event_free(host->wake_);
    if (host->deadline_)
        event_free(host->deadline_);
    (void)evutil_closesocket(host->ends_[0]);
    (void)evutil_closesocket(host->ends_[1]);
}

/* Hosts `loop` on `base` until async_libevent_stop. Returns 0, or a negated
 * errno: then nothing happened. */
static inline int async_libevent_start(struct async_libevent *host,
                                       struct event_base *base,
                                       struct async_loop *loop)
{
    int i;

    memset(host, 0, sizeof *host);
    if (evutil_socketpair(AF_UNIX, SOCK_STREAM, 0, host->ends_) < 0)
        return -errno;
    for (i = 0; i < 2; i++) {
        (void)evutil_make_socket_nonblocking(host->ends_[i]);
        (void)evutil_make_socket_closeonexec(host->ends_[i]);
    }
    host->wake_ = event_new(base, host->ends_[0], EV_READ | EV_PERSIST,
                            async_libevent_woken_, host);
    host->deadline_ = evtimer_new(base, async_libevent_woken_, host);
    if (!host->wake_ || !host->deadline_) {
        async_libevent_free_(host);
        return -ENOMEM;
    }
    host->base_ = base;
    host->thread_ = &errno;
    host->loop_ = loop;
    host->host_.notify = async_libevent_notify_;
    host->host_.watch = async_libevent_watch_;
    host->host_.arg = host;
    async_attach(loop, &host->host_);
    return 0;
}

/* Not from a task. Others may go on waking the loop. */
static inline void async_libevent_stop(struct async_libevent *host)
{
    async_attach(host->loop_, NULL);
    while (host->fds_)
        (void)async_libevent_watch_(host, event_get_fd(host->fds_->event), 0);
    async_libevent_free_(host);
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
