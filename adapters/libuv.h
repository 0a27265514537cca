/* libuv.h: tasks on a libuv loop. Linux.
 * SPDX-License-Identifier: MIT
 *
 * uv_run drives the tasks beside your own handles. All that they wait for is
 * behind one descriptor, onefd.h's, which a uv_poll_t watches.
 *
 *     async_uv_start(&host, uv, &loop);
 *     uv_run(uv, UV_RUN_DEFAULT); // ends when the tasks have, and your handles
 *     async_uv_stop(&host);
 *     uv_run(uv, UV_RUN_DEFAULT); // closes ours
 *
 * Rules
 * 1. Start, stop and uv_run are called on one thread, the loop's.
 * 2. Stop when no task waits. `host` stays until uv_run has closed it.
 */
#ifndef ASYNC_ADAPTERS_LIBUV_H
#define ASYNC_ADAPTERS_LIBUV_H

#include "onefd.h"

#include <uv.h>

/* Yours; async_uv_start fills it. */
struct async_uv {
    struct async_onefd onefd_;
    struct async_host host_;
    uv_poll_t poll_; /* keeps uv_run going while tasks live */
};

static inline void async_uv_notify_(void *arg)
{
    struct async_uv *host = (struct async_uv *)arg;

    if (async_onefd_begins_(&host->onefd_))
        uv_ref((uv_handle_t *)&host->poll_);
    async_fd_notify_(host);
}

static inline void async_uv_turn_(uv_poll_t *poll, int status, int events)
{
    struct async_uv *host = (struct async_uv *)poll->data;

    (void)status;
    (void)events;
    uv_ref((uv_handle_t *)poll);
    async_onefd_turn(&host->onefd_);
    if (!host->onefd_.held_)
        uv_unref((uv_handle_t *)poll);
}

/* Hosts `loop` on `uv` until async_uv_stop. Returns 0, or a negated errno as
 * uv's are: then nothing happened. */
static inline int async_uv_start(struct async_uv *host, uv_loop_t *uv,
                                 struct async_loop *loop)
{
    const struct async_host ours = {async_uv_notify_, async_epoll_watch_, host};
    int error = async_onefd_start(&host->onefd_, loop);

    if (error)
        return error;
    error = uv_poll_init(uv, &host->poll_, host->onefd_.fd);
    if (error) {
        async_onefd_stop(&host->onefd_);
        return error;
    }
    host->poll_.data = host;
    host->host_ = ours;
    async_attach(loop, &host->host_);
    return uv_poll_start(&host->poll_, UV_READABLE, async_uv_turn_);
}

/* Not from a task. Others may go on waking the loop. */
static inline void async_uv_stop(struct async_uv *host)
{
    uv_close((uv_handle_t *)&host->poll_, NULL);
    async_onefd_stop(&host->onefd_);
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
