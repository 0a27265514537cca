/* poll.h: tasks on a poll(2) of your own.
 * SPDX-License-Identifier: MIT
 *
 * A part of your array of descriptors is ours: what tasks wait for, and before
 * that a pipe that wakes. You call poll, on all of it, as you did before.
 *
 *     struct pollfd fds[1 + 32]; // fds[0] is yours
 *
 *     async_pollset_start(&host, fds + 1, 32, &loop);
 *     while (async_alive(&loop)) {
 *         int ms = async_pollset_before(&host);
 *
 *         poll(fds, 1 + host.count, ms);
 *         async_pollset_after(&host);
 *     }
 *     async_pollset_stop(&host);
 *
 * Any system with poll. Its time, and ours, grows with the descriptors. When
 * there is no room for one more, that is the wait's result: ASYNC_EFULL.
 */
#ifndef ASYNC_ADAPTERS_POLL_H
#define ASYNC_ADAPTERS_POLL_H

#include "../async_loop.h"

/* Yours; async_pollset_start fills it. */
struct async_pollset {
    nfds_t count; /* how many of its descriptors poll must be given */
    nfds_t room_;
    struct pollfd *fds_; /* first the pipe's end to read from */
    int wake_;           /* the one to write to */
    struct async_loop *loop_;
    struct async_host host_;
};

static inline void async_pollset_notify_(void *arg)
{
    int saved = errno; /* it may run in a signal handler */

    (void)!write(((const struct async_pollset *)arg)->wake_, "", 1);
    errno = saved;
}

static inline int async_pollset_watch_(void *arg, int fd, int events)
{
    struct async_pollset *host = (struct async_pollset *)arg;
    const struct pollfd place = {
        fd,
        (short)((events & ASYNC_READABLE ? POLLIN : 0) |
                (events & ASYNC_WRITABLE ? POLLOUT : 0)),
        0};
    nfds_t i = 1;

    while (i < host->count && host->fds_[i].fd != fd)
        i++;
    if (i < host->count)
        host->fds_[i] = host->fds_[--host->count];
    if (events && host->count == host->room_)
        return ASYNC_EFULL;
    if (events)
        host->fds_[host->count++] = place;
    return 0;
}

/* Runs what is ready. Returns how long poll may wait: -1 for ever; 0 also if
 * the last task has just ended. Not from a task. */
static inline int async_pollset_before(struct async_pollset *host)
{
    return async_poll_ms(host->loop_);
}

/* Passes on what poll has found, if it has. */
static inline void async_pollset_after(struct async_pollset *host)
{
    char drain[64];
    nfds_t i;

    if (host->fds_[0].revents)
        (void)!read(host->fds_[0].fd, drain, sizeof drain);
    for (i = host->count; i-- > 0;) { /* backwards: the last takes its place */
        int found = host->fds_[i].revents;

        host->fds_[i].revents = 0;
        if (found)
            async_ready(host->loop_, host->fds_[i].fd,
                        (found & ~POLLOUT ? ASYNC_READABLE : 0) |
                            (found & ~POLLIN ? ASYNC_WRITABLE : 0));
    }
}

/* Hosts `loop` until async_pollset_stop; `fds` has `room` places, one of them
 * for the pipe. Returns 0, or a negated errno: then nothing happened. */
static inline int async_pollset_start(struct async_pollset *host,
                                      struct pollfd *fds, nfds_t room,
                                      struct async_loop *loop)
{
    const struct async_host ours = {async_pollset_notify_, async_pollset_watch_,
                                    host};
    int ends[2] = {-1, -1};
    int error = async_pipe_(ends);

    if (error)
        return error;
    fds[0].fd = ends[0];
    fds[0].events = POLLIN;
    fds[0].revents = 0;
    host->wake_ = ends[1];
    host->fds_ = fds;
    host->room_ = room;
    host->count = 1;
    host->loop_ = loop;
    host->host_ = ours;
    async_attach(loop, &host->host_);
    return 0;
}

/* Not from a task. Others may go on waking the loop. */
static inline void async_pollset_stop(struct async_pollset *host)
{
    async_attach(host->loop_, NULL);
    (void)close(host->wake_);
    (void)close(host->fds_[0].fd);
}

#endif /* ASYNC_ADAPTERS_POLL_H */

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
