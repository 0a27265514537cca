/* libuv.h: tasks on a libuv loop.
 * SPDX-License-Identifier: MIT
 *
 * uv_run drives the tasks beside your own handles. What wakes is a uv_async_t,
 * the deadline a uv_timer_t, a descriptor that is waited for a uv_poll_t, from
 * malloc as it closes only later. Time is uv_now, brought up to date.
 *
 *     async_uv_start(&host, uv, &loop);
 *     uv_run(uv, UV_RUN_DEFAULT); // ends when the tasks have, and your handles
 *     async_uv_stop(&host);
 *     uv_run(uv, UV_RUN_DEFAULT); // closes ours
 *
 * Rules
 * 1. Start, stop and uv_run are called on one thread, the loop's.
 * 2. Stop when no task waits. `host` stays until uv_run has closed it.
 * 3. A descriptor that a handle of yours watches is refused, by UV_EEXIST.
 */
#ifndef ASYNC_ADAPTERS_LIBUV_H
#define ASYNC_ADAPTERS_LIBUV_H

#include "../async_loop.h"

#include <errno.h>  /* its address names a thread */
#include <stdlib.h> /* malloc */
#include <uv.h>

struct async_uv_fd_ {
    uv_poll_t poll; /* first: its address is this one's */
    struct async_uv_fd_ *next;
    int fd;
};

/* Yours; async_uv_start fills it. */
struct async_uv {
    struct async_host host_;
    struct async_loop *loop_;
    const int *thread_; /* the loop's: where its errno is */
    uv_async_t wake_;   /* keeps uv_run going while tasks live */
    uv_timer_t deadline_;
    struct async_uv_fd_ *fds_;
};

/* A uv_run that is about to end must see a spawn from outside. That is on its
 * own thread; others may not touch uv's counts. */
static inline void async_uv_notify_(void *arg)
{
    struct async_uv *host = (struct async_uv *)arg;

    if (&errno == host->thread_ && async_alive(host->loop_))
        uv_ref((uv_handle_t *)&host->wake_);
    (void)uv_async_send(&host->wake_);
}

/* Not the turn itself: a timer of 0 is due again at once. */
static inline void async_uv_due_(uv_timer_t *deadline)
{
    (void)uv_async_send(&((struct async_uv *)deadline->data)->wake_);
}

static inline void async_uv_turn_(uv_async_t *wake)
{
    struct async_uv *host = (struct async_uv *)wake->data;
    uint64_t ticks;

    uv_ref((uv_handle_t *)wake); /* a signal handler has no need to */
    uv_update_time(wake->loop);
    ticks = async_poll(host->loop_,
                       (async_time)(uv_now(wake->loop) * ASYNC_TICK_HZ / 1000));
    if (!async_alive(host->loop_))
        uv_unref((uv_handle_t *)wake);
    (void)uv_timer_start(
        &host->deadline_, async_uv_due_,
        ticks / ASYNC_TICK_HZ * 1000 +
            (ticks % ASYNC_TICK_HZ * 1000 + ASYNC_TICK_HZ - 1) / ASYNC_TICK_HZ,
        0); /* for ever is a long time */
}

static inline void async_uv_ready_(uv_poll_t *poll, int status, int events)
{
    struct async_uv *host = (struct async_uv *)poll->data;

    async_ready(host->loop_, ((struct async_uv_fd_ *)(void *)poll)->fd,
                status < 0 ? ASYNC_READABLE | ASYNC_WRITABLE : events);
    async_uv_turn_(&host->wake_);
}

static inline void async_uv_closed_(uv_handle_t *poll)
{
    free(poll);
}

static inline int async_uv_watch_(void *arg, int fd, int events)
{
    struct async_uv *host = (struct async_uv *)arg;
    struct async_uv_fd_ **at = &host->fds_, *it;
    int error;

    while (*at && (*at)->fd != fd)
        at = &(*at)->next;
    it = *at;
    if (it) { /* now: soon its number may be another's */
        *at = it->next;
        uv_close((uv_handle_t *)&it->poll, async_uv_closed_);
    }
    if (!events)
        return 0;
    it = (struct async_uv_fd_ *)malloc(sizeof *it);
    error = it ? uv_poll_init(host->wake_.loop, &it->poll, fd) : UV_ENOMEM;
    if (error) {
        free(it);
        return error;
    }
    it->poll.data = host;
    it->fd = fd;
    it->next = *at;
    *at = it;
    return uv_poll_start(&it->poll, events, async_uv_ready_);
}

/* Hosts `loop` on `uv` until async_uv_stop. Returns 0, or uv's error: then
 * nothing happened. */
static inline int async_uv_start(struct async_uv *host, uv_loop_t *uv,
                                 struct async_loop *loop)
{
    const struct async_host ours = {async_uv_notify_, async_uv_watch_, host};
    int error = uv_async_init(uv, &host->wake_, async_uv_turn_);

    if (error)
        return error;
    (void)uv_timer_init(uv, &host->deadline_);
    uv_unref((uv_handle_t *)&host->wake_);
    uv_unref((uv_handle_t *)&host->deadline_);
    host->wake_.data = host->deadline_.data = host;
    host->thread_ = &errno;
    host->fds_ = NULL;
    host->loop_ = loop;
    host->host_ = ours;
    async_attach(loop, &host->host_);
    return 0;
}

/* Not from a task. Others may go on waking the loop. */
static inline void async_uv_stop(struct async_uv *host)
{
    async_attach(host->loop_, NULL);
    uv_close((uv_handle_t *)&host->wake_, NULL);
    uv_close((uv_handle_t *)&host->deadline_, NULL);
    while (host->fds_)
        (void)async_uv_watch_(host, host->fds_->fd, 0);
}

#endif /* ASYNC_ADAPTERS_LIBUV_H */

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
