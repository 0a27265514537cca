/* async_post.h: calls from any thread, made on the loop's.
 * SPDX-License-Identifier: MIT
 *
 * What other threads have finished comes to a loop here. Included by
 * async_thread.h, where the program that shows it is: include that.
 */
#ifndef ASYNC_POST_H
#define ASYNC_POST_H

#include "async_atomic.h" /* the stack of posts */
#include "async_loop.h"   /* whose thread it is */

#if !ASYNC_HAVE_RUN_
#error "async_post.h needs threads: leave it out on this target"
#endif

/* A call that a loop will make. Yours; it stays until it has been made. */
struct async_post {
    struct async_post *next_;
    void (*fn)(struct async_loop *loop, struct async_post *post);
};

/* Makes the calls that were posted, in that order. On the loop's thread, from
 * async_poll. */
static inline void async_take_posted_(struct async_loop *loop)
{
    struct async_post *post, *next, *first = NULL;
    size_t top;

    do {
        top = async_atomic_load_(&loop->posted_);
    } while (top && !async_atomic_swap_if_(&loop->posted_, top, 0));
    for (post = (struct async_post *)top; post; post = next) {
        next = post->next_;
        post->next_ = first;
        first = post;
    }
    for (post = first; post; post = next) {
        next = post->next_;
        post->fn(loop, post);
    }
}

/* Has fn(loop, post) called by the loop's next async_poll. From any thread, not
 * from a signal handler. The loop must live until then; the post is the loop's
 * until it is called, and yours again in the call. One pushes, one takes all:
 * no ABA. */
static inline void
async_post_send(struct async_loop *loop, struct async_post *post,
                void (*fn)(struct async_loop *loop, struct async_post *post))
{
    void (*take)(struct async_loop *) = async_take_posted_;
    size_t top;

    post->fn = fn;
    if (!ASYNC_LOAD_(&loop->take_posted_))
        ASYNC_STORE_(&loop->take_posted_, take);
    do {
        top = async_atomic_load_(&loop->posted_);
        post->next_ = (struct async_post *)top;
    } while (!async_atomic_swap_if_(&loop->posted_, top, (size_t)post));
    async_wake(loop);
}

#endif /* ASYNC_POST_H */

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
