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
 * Any system with poll: async_run waits in the same way. Its time, and ours,
 * grows with the descriptors. When there is no room for one more, that is the
 * wait's result: ASYNC_EFULL.
 */
#ifndef ASYNC_ADAPTERS_POLL_H
#define ASYNC_ADAPTERS_POLL_H

#include "../async_loop.h"

/* Yours; async_pollset_start fills it. */
struct async_pollset {
    struct async_pollset_ set_;
    nfds_t count; /* how many of its descriptors poll must be given */
};

/* Runs what is ready. Returns how long poll may wait: -1 for ever; 0 also if
 * the last task has just ended. Not from a task. */
static inline int async_pollset_before(struct async_pollset *host)
{
    int ms = async_poll_ms(host->set_.base.loop);

    host->count = host->set_.count;
    return ms;
}

/* Passes on what poll has found, if it has. */
static inline void async_pollset_after(struct async_pollset *host)
{
    async_pollset_pass_(&host->set_);
}

/* Hosts `loop` until async_pollset_stop; `fds` has `room` places, one of them
 * for the pipe. Returns 0, or a negated errno: then nothing happened. */
static inline int async_pollset_start(struct async_pollset *host,
                                      struct pollfd *fds, nfds_t room,
                                      struct async_loop *loop)
{
    host->count = 1;
    return async_pollset_start_(&host->set_, fds, room, loop);
}

/* Not from a task. Others may go on waking the loop. */
static inline void async_pollset_stop(struct async_pollset *host)
{
    async_attach(host->set_.base.loop, NULL);
    (void)async_fd_close_(&host->set_.base);
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
