/* async_channel.h: what loops hand each other.
 * SPDX-License-Identifier: MIT
 *
 * A queue of so many items of one type, with a thread at each end: tasks of one
 * loop send, tasks of another receive. Who sends into a full one waits, and so
 * does who receives from an empty one. A thread without a loop tries. It is a
 * plain struct of yours with the items inside; nothing is allocated, nothing is
 * locked.
 *
 *     #include <pthread.h>
 *     #include <stdio.h>
 *     #include "async_channel.h"
 *
 *     struct numbers {
 *         struct async_channel async;
 *         int items[2];
 *     };
 *
 *     struct counter {
 *         struct async_frame async;
 *         struct numbers *to;
 *         int i;
 *     };
 *
 *     static async counter(struct async_loop *loop, void *frame)
 *     {
 *         struct counter *self = frame;
 *
 *         async_begin(self);
 *         for (self->i = 1; self->i <= 5; self->i++)
 *             await(async_channel_send(loop, self->to, &self->i));
 *         async_channel_close(self->to);
 *         async_end();
 *     }
 *
 *     static void *count(void *arg)
 *     {
 *         struct async_loop loop = {0};
 *         struct counter frame = {0};
 *
 *         frame.to = arg;
 *         async_run(&loop, counter, &frame);
 *         return NULL;
 *     }
 *
 *     struct adder {
 *         struct async_frame async;
 *         struct numbers numbers;
 *         int value, sum, rc;
 *     };
 *
 *     static async adder(struct async_loop *loop, void *frame)
 *     {
 *         struct adder *self = frame;
 *
 *         async_begin(self);
 *         for (;;) {
 *             async_catch(self->rc, async_channel_receive(loop, &self->numbers,
 *                                                         &self->value));
 *             if (self->rc < 0)
 *                 break;
 *             self->sum += self->value;
 *         }
 *         printf("%d, then %s\n", self->sum, async_strerror(self->rc));
 *         async_end();
 *     }
 *
 *     int main(void)
 *     {
 *         struct async_loop loop = {0};
 *         struct adder frame = {0};
 *         pthread_t thread;
 *
 *         if (pthread_create(&thread, NULL, count, &frame.numbers) ||
 *             async_run(&loop, adder, &frame) < 0)
 *             return 1;
 *         return pthread_join(thread, NULL);
 *     }
 *
 * prints (cc with -pthread)
 *
 *     15, then closed
 *
 * Rules
 * 1. Each end belongs to one thread, and to one loop of it if tasks wait there:
 *    any number of its tasks. Many to one is a channel for each.
 * 2. Items are copied byte by byte, when they move. A pointer to one is of the
 *    array's type, or it does not compile; it lives in the frame, or is made
 *    anew each time, as &(int){7} is.
 * 3. The channel, and the loops at its ends, stay until the calls on it have
 *    returned at both.
 *
 * Who comes first
 *
 *     Items come out in the order in which they went in, and tasks take their
 *     turns in the order in which they began to wait. A place or an item that a
 *     task has been let go for is kept for it.
 *
 * What wins
 *
 *     granted and canceled       granted: the item has moved; the next wait
 *     granted and timed out      takes the cancel
 *     place granted, closed      closed: the item has not been sent
 *     item granted, closed       granted: what is in it drains
 */
#ifndef ASYNC_CHANNEL_H
#define ASYNC_CHANNEL_H

#include "async_post.h" /* from one end to the other */

#include <stddef.h> /* size_t, offsetof */
#include <string.h> /* memcpy: an item */

/* ---- types -------------------------------------------------------------- */

/* One end. Its thread's, but for what is said. */
struct async_end_ {
    struct async_post post_; /* first: a post's address is its end's; from the
                              * other end, which has taken ARMED */
    struct async_loop *loop; /* read by the other end after that */
    struct async_wait_ *line;
    size_t granted;  /* tasks let go, that have not run yet */
    size_t at;       /* where its next item is in `items`, a ring */
    size_t capacity; /* the sender's: how long that is; the receiver's: 0 */
    int expecting;   /* the other end has ARMED, or has posted */
};

/* What makes a struct of yours a channel: its first member, called `async`,
 * before an array called `items`, which is as long as the channel:
 *
 *     struct numbers {
 *         struct async_channel async;
 *         int items[8];
 *     };
 *
 * Yours; all-zero is empty and open. */
struct async_channel {
    /* both, atomic; so many ever, times 4, and ASYNC_CHANNEL_... */
    volatile size_t sent_;     /* counted by the sender; ARMED: the receiver is
                                * to be told of the next change */
    volatile size_t received_; /* the other way round */

    struct async_end_ sender_;
    struct async_end_ receiver_;
};

enum {
    ASYNC_CHANNEL_ARMED_ = 1,
    ASYNC_CHANNEL_CLOSED_ = 2,
    ASYNC_CHANNEL_FLAGS_ = 3,
    ASYNC_CHANNEL_ONE_ = 4
};

/* ---- from one end to the other ------------------------------------------ */

static inline size_t async_channel_count_(size_t sent, size_t received)
{
    sent &= ~(size_t)ASYNC_CHANNEL_FLAGS_;
    received &= ~(size_t)ASYNC_CHANNEL_FLAGS_;
    return (sent - received) / ASYNC_CHANNEL_ONE_;
}

/* The word that the other end counts in. */
static inline volatile size_t *
async_channel_other_(struct async_channel *channel,
                     const struct async_end_ *end)
{
    return end == &channel->sender_ ? &channel->received_ : &channel->sent_;
}

/* How many can pass this end, when that word is `other`. */
static inline size_t async_channel_left_(const struct async_channel *channel,
                                         const struct async_end_ *end,
                                         size_t other)
{
    if (end == &channel->sender_)
        return end->capacity -
               async_channel_count_(async_atomic_load_(&channel->sent_), other);
    return async_channel_count_(other, async_atomic_load_(&channel->received_));
}

/* Lets as many go as can pass; the others go when this end has been told of a
 * change. Until then nobody does: somebody stays in line as long as it may be
 * told. */
static inline void async_channel_serve_(struct async_loop *loop,
                                        struct async_channel *channel,
                                        struct async_end_ *end)
{
    volatile size_t *other = async_channel_other_(channel, end);

    while (end->line && !end->expecting) {
        size_t word = async_atomic_load_(other);
        size_t left = async_channel_left_(channel, end, word);

        while (left > end->granted &&
               async_line_wake_(loop, &end->line, ASYNC_DONE))
            end->granted++;
        if (word & ASYNC_CHANNEL_CLOSED_) {
            while (async_line_wake_(loop, &end->line, ASYNC_ECLOSED))
                ;
        } else if (end->line && async_atomic_swap_if_(
                                    other, word, word | ASYNC_CHANNEL_ARMED_)) {
            end->expecting = 1;
            loop->coming_++;
        }
    }
}

static inline void async_channel_told_(struct async_loop *loop,
                                       struct async_channel *channel,
                                       struct async_end_ *end)
{
    end->expecting = 0;
    loop->coming_--;
    async_channel_serve_(loop, channel, end);
}

static inline void async_sender_told_(struct async_loop *loop,
                                      struct async_post *post)
{
    async_channel_told_(
        loop,
        (struct async_channel *)(void *)((char *)post -
                                         offsetof(struct async_channel,
                                                  sender_)),
        (struct async_end_ *)(void *)post);
}

static inline void async_receiver_told_(struct async_loop *loop,
                                        struct async_post *post)
{
    async_channel_told_(
        loop,
        (struct async_channel *)(void *)((char *)post -
                                         offsetof(struct async_channel,
                                                  receiver_)),
        (struct async_end_ *)(void *)post);
}

/* Changes the word from `was`, and tells the end that has armed it. */
static inline int async_channel_change_(struct async_channel *channel,
                                        volatile size_t *word, size_t was,
                                        size_t is)
{
    if (!async_atomic_swap_if_(word, was, is & ~(size_t)ASYNC_CHANNEL_ARMED_))
        return 0;
    if (was & ASYNC_CHANNEL_ARMED_) {
        if (word == &channel->sent_)
            async_post_send(channel->receiver_.loop, &channel->receiver_.post_,
                            async_receiver_told_);
        else
            async_post_send(channel->sender_.loop, &channel->sender_.post_,
                            async_sender_told_);
    }
    return 1;
}

/* ---- wait --------------------------------------------------------------- */

/* What somebody finds who comes to this end: DONE, there is something for it;
 * ASYNC_ECLOSED, there never will be; PENDING. */
static inline async_status async_channel_look_(struct async_channel *channel,
                                               const struct async_end_ *end)
{
    size_t other = async_atomic_load_(async_channel_other_(channel, end));

    if (end->line || end->granted)
        return ASYNC_PENDING;
    if (async_channel_left_(channel, end, other))
        return ASYNC_DONE;
    return other & ASYNC_CHANNEL_CLOSED_ ? ASYNC_ECLOSED : ASYNC_PENDING;
}

/* The last who waits at this end is asked to stop. False: it has been told, and
 * goes on. */
static inline int async_channel_leaves_(struct async_loop *loop,
                                        struct async_channel *channel,
                                        struct async_end_ *end)
{
    volatile size_t *other = async_channel_other_(channel, end);
    size_t word = async_atomic_load_(other);

    if (!end->expecting || end->line->next != end->line)
        return 1;
    if (!(loop->current_->wait_.flags & ASYNC_IS_LANDING_))
        return (word & ASYNC_CHANNEL_ARMED_) != 0;
    while (word & ASYNC_CHANNEL_ARMED_) {
        if (async_atomic_swap_if_(other, word,
                                  word & ~(size_t)ASYNC_CHANNEL_ARMED_)) {
            end->expecting = 0;
            loop->coming_--;
            return 1;
        }
        word = async_atomic_load_(other);
    }
    return 0;
}

/* The turn at this end: DONE, with something that can pass, or what a wait for
 * it says. */
static inline async_status async_channel_turn_(struct async_loop *loop,
                                               struct async_channel *channel,
                                               struct async_end_ *end)
{
    async_status status;
    unsigned flags;

    if (!async_waits_in_(loop, &end->line) || loop->step_ & ASYNC_STEP_SEEN_) {
        status = async_channel_look_(channel, end);
        if (status != ASYNC_PENDING)
            return status;
        ASYNC_ASSERT(!end->loop || end->loop == loop,
                     "one loop at each end of a channel: give the other loop a "
                     "channel of its own");
        if (!end->loop)
            end->loop = loop;
        status = async_line_wait_(loop, &end->line);
        async_channel_serve_(loop, channel, end);
        return status;
    }
    flags = loop->current_->wait_.flags;
    if (flags & ASYNC_IS_WOKEN_) {
        status = async_line_wait_(loop, &end->line);
        if (status == ASYNC_DONE)
            end->granted--;
        return status;
    }
    if (flags & ASYNC_ASKS_ && !async_channel_leaves_(loop, channel, end)) {
        loop->step_ |= ASYNC_STEP_SEEN_;
        return ASYNC_PENDING; /* asked again, if it comes too late */
    }
    status = async_line_wait_(loop, &end->line);
    async_channel_serve_(loop, channel, end);
    return status;
}

/* ---- send, receive ------------------------------------------------------ */

/* There is a place, if it is not closed. */
static inline async_status async_channel_put_(struct async_channel *channel,
                                              void *items, const void *item,
                                              size_t size, size_t capacity)
{
    struct async_end_ *end = &channel->sender_;
    size_t word;

    (void)memcpy((char *)items + end->at * size, item, size);
    do {
        word = async_atomic_load_(&channel->sent_);
        if (word & ASYNC_CHANNEL_CLOSED_)
            return ASYNC_ECLOSED;
    } while (!async_channel_change_(channel, &channel->sent_, word,
                                    word + ASYNC_CHANNEL_ONE_));
    end->at = end->at + 1 == capacity ? 0 : end->at + 1;
    return ASYNC_DONE;
}

/* There is an item. */
static inline async_status async_channel_take_(struct async_channel *channel,
                                               const void *items, void *item,
                                               size_t size, size_t capacity)
{
    struct async_end_ *end = &channel->receiver_;
    size_t word;

    (void)memcpy(item, (const char *)items + end->at * size, size);
    end->at = end->at + 1 == capacity ? 0 : end->at + 1;
    do {
        word = async_atomic_load_(&channel->received_);
    } while (!async_channel_change_(channel, &channel->received_, word,
                                    word + ASYNC_CHANNEL_ONE_));
    return ASYNC_DONE;
}

static inline async_status async_channel_send_(struct async_loop *loop,
                                               struct async_channel *channel,
                                               void *items, const void *item,
                                               size_t size, size_t capacity)
{
    async_status status;

    channel->sender_.capacity = capacity;
    status = async_channel_turn_(loop, channel, &channel->sender_);
    if (status == ASYNC_DONE)
        status = async_channel_put_(channel, items, item, size, capacity);
    return status;
}

static inline async_status async_channel_receive_(struct async_loop *loop,
                                                  struct async_channel *channel,
                                                  const void *items, void *item,
                                                  size_t size, size_t capacity)
{
    async_status status =
        async_channel_turn_(loop, channel, &channel->receiver_);

    if (status == ASYNC_DONE)
        status = async_channel_take_(channel, items, item, size, capacity);
    return status;
}

static inline async_status
async_channel_try_send_(struct async_channel *channel, void *items,
                        const void *item, size_t size, size_t capacity)
{
    async_status status;

    channel->sender_.capacity = capacity;
    status = async_channel_look_(channel, &channel->sender_);
    if (status == ASYNC_DONE)
        status = async_channel_put_(channel, items, item, size, capacity);
    return status;
}

static inline async_status
async_channel_try_receive_(struct async_channel *channel, const void *items,
                           void *item, size_t size, size_t capacity)
{
    async_status status = async_channel_look_(channel, &channel->receiver_);

    if (status == ASYNC_DONE)
        status = async_channel_take_(channel, items, item, size, capacity);
    return status;
}

/* A channel in pieces, and a pointer to an item of its type. */
#define ASYNC_CHANNEL_ITEMS_(channel, item)                                    \
    &(channel)->async, (channel)->items, (1 ? (item) : (channel)->items),      \
        sizeof *(channel)->items,                                              \
        sizeof((channel)->items) / sizeof *(channel)->items

/* Awaitable: sends a copy of *item; waits while the channel is full. On the
 * sending loop. ASYNC_ECLOSED: it is closed, or is being closed while this
 * waits; the item was not sent. If canceled here: it was not sent. */
#define async_channel_send(loop, channel, item)                                \
    async_channel_send_(loop, ASYNC_CHANNEL_ITEMS_(channel, item))

/* Awaitable: receives the next item into *item; waits while there is none. On
 * the receiving loop. ASYNC_ECLOSED: the channel is closed, and there will be
 * none. If canceled here: none was received. */
#define async_channel_receive(loop, channel, item)                             \
    async_channel_receive_(loop, ASYNC_CHANNEL_ITEMS_(channel, item))

/* The same without a wait, and without a loop: ASYNC_DONE; ASYNC_ECLOSED; or
 * ASYNC_PENDING, and nothing happened: it is full, or empty, or others wait. On
 * the thread of that end. */
#define async_channel_try_send(channel, item)                                  \
    async_channel_try_send_(ASYNC_CHANNEL_ITEMS_(channel, item))
#define async_channel_try_receive(channel, item)                               \
    async_channel_try_receive_(ASYNC_CHANNEL_ITEMS_(channel, item))

/* How many items are in it, from any thread: a third one may count some that
 * are received meanwhile. */
#define async_channel_count(channel)                                           \
    async_channel_count_up_to_(&(channel)->async,                              \
                               sizeof((channel)->items) /                      \
                                   sizeof *(channel)->items)

static inline size_t
async_channel_count_up_to_(const struct async_channel *channel, size_t capacity)
{
    size_t received = async_atomic_load_(&channel->received_);
    size_t count =
        async_channel_count_(async_atomic_load_(&channel->sent_), received);

    return count < capacity ? count : capacity;
}

/* ---- close -------------------------------------------------------------- */

/* Closes the channel for good: who sends, or waits to, gets ASYNC_ECLOSED. Who
 * receives takes what is left, and then gets ASYNC_ECLOSED too. From any
 * thread. Closed twice is closed once. */
#define async_channel_close(channel) async_channel_close_(&(channel)->async)

static inline void async_channel_close_(struct async_channel *channel)
{
    size_t word;

    do {
        word = async_atomic_load_(&channel->sent_);
    } while (!async_channel_change_(channel, &channel->sent_, word,
                                    word | ASYNC_CHANNEL_CLOSED_));
    do {
        word = async_atomic_load_(&channel->received_);
    } while (!async_channel_change_(channel, &channel->received_, word,
                                    word | ASYNC_CHANNEL_CLOSED_));
}

#endif /* ASYNC_CHANNEL_H */

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
