/* async_lock.h: what holds tasks back until it is their turn.
 * SPDX-License-Identifier: MIT
 *
 * Included by async_gather.h, where the program that shows it is: include that.
 */
#ifndef ASYNC_LOCK_H
#define ASYNC_LOCK_H

#include "async_loop.h" /* tasks, waits */

/* ---- semaphore ---------------------------------------------------------- */

/* So many permits; those who want one too many wait in line, first come first
 * served. Yours; set `permits` before use. */
struct async_semaphore {
    size_t permits; /* that are free */
    struct async_wait_ *line_;
};

/* Awaitable: takes a permit. If canceled here: the place in line is lost,
 * no permit is. */
static inline async_status async_acquire(struct async_loop *loop,
                                         struct async_semaphore *semaphore)
{
    if (semaphore->permits && !async_waits_in_(loop, &semaphore->line_)) {
        semaphore->permits--;
        return ASYNC_DONE;
    }
    return async_line_wait_(loop, &semaphore->line_);
}

/* Gives one back: to the first in line, if there is one. On the loop's thread,
 * from a task or not. */
static inline void async_release(struct async_loop *loop,
                                 struct async_semaphore *semaphore)
{
    if (!async_line_wake_(loop, &semaphore->line_, ASYNC_DONE))
        semaphore->permits++;
}

#endif /* ASYNC_LOCK_H */

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
