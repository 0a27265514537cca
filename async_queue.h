/* async_queue.h: what tasks hand each other.
 * SPDX-License-Identifier: MIT
 *
 * A queue holds so many items of one type and makes tasks wait: for a place
 * while it is full, for an item while it is empty. A broadcast makes nobody
 * wait who publishes, and gives each item to all who have subscribed. Both are
 * plain structs of yours with the items inside. Part of async_gather.h, which
 * includes it.
 *
 *     #include <stdio.h>
 *     #include "async_gather.h"
 *
 *     struct numbers {
 *         struct async_queue async;
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
 *             await(async_put(loop, self->to, &self->i));
 *         async_queue_close(loop, self->to);
 *         async_end();
 *     }
 *
 *     struct adder {
 *         struct async_frame async;
 *         struct numbers numbers;
 *         struct counter counter;
 *         struct async_task task;
 *         int value, sum, rc;
 *     };
 *
 *     static async adder(struct async_loop *loop, void *frame)
 *     {
 *         struct adder *self = frame;
 *
 *         async_begin(self);
 *         self->counter.to = &self->numbers;
 *         async_spawn(loop, &self->task, counter, &self->counter);
 *         for (;;) {
 *             async_catch(self->rc,
 *                         async_get(loop, &self->numbers, &self->value));
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
 *
 *         return async_run(&loop, adder, &frame) < 0;
 *     }
 *
 * prints
 *
 *     15, then closed
 *
 * Rules
 * 1. Items are copied byte by byte. A pointer to one is of the array's type, or
 *    it does not compile. It is used when the item moves, not before: what it
 *    points to lives in the frame, or is made anew each time, as &(int){7} is.
 * 2. All here is for the loop's thread. What does not wait may be called from
 *    outside a task: from a timer, from a host's callback.
 * 3. The first argument behind the loop is evaluated more than once.
 *
 * Who comes first
 *
 *     Tasks put in the order in which they began to, and get so too. A place or
 *     an item that a waiting task has been let go for is kept for it: nobody
 *     takes it in between. (One that is canceled or timed out on the tick on
 *     which several are let go may be the first of them.)
 *
 * What wins on one tick
 *
 *     granted and canceled       granted: it has been put, or is yours; the
 *                                next wait takes the cancel
 *     granted and timed out      granted
 *     closed and canceled        closed; the next wait takes the cancel
 *     closed and timed out       closed
 *     place granted, closed      closed: the item has not been put
 *     item granted, closed       granted: the item is yours
 *
 *     Granted is: somebody has let the task go, which has not run yet. What is
 *     published is granted to all who wait for it.
 */
#ifndef ASYNC_QUEUE_H
#define ASYNC_QUEUE_H

#include "async_loop.h" /* tasks, waits */

#include <stddef.h> /* size_t */
#include <stdint.h> /* what a subscriber counts */

/* An item's size is a constant: its copy is a move or two, if what does not
 * wait stands in the caller's place. */
#if defined(__GNUC__)
#define ASYNC_COPY_(to, from, size) ((void)__builtin_memcpy(to, from, size))
#else
#include <string.h> /* memcpy */
#define ASYNC_COPY_(to, from, size) ((void)memcpy(to, from, size))
#endif
#if defined(__GNUC__) && defined(__OPTIMIZE__) && !defined(__OPTIMIZE_SIZE__)
#define ASYNC_IN_PLACE_ static inline __attribute__((always_inline))
#else
#define ASYNC_IN_PLACE_ static inline
#endif

/* ---- queue -------------------------------------------------------------- */

/* What makes a struct of yours a queue: its first member, called `async`,
 * before an array called `items`, which is as long as the queue:
 *
 *     struct numbers {
 *         struct async_queue async;
 *         int items[8];
 *     };
 *
 * Yours; all-zero is empty and open. It stays where it is while tasks wait. A
 * length that is a power of two is the quickest. */
struct async_queue {
    /* Yours, set before the first put. */
    int lifo; /* 1: the last in is the first out */
    /* A priority queue: true if item `a` comes out before item `b`. Equal ones
     * come in any order. */
    int (*before)(const void *a, const void *b);

    /* private */
    size_t count_;
    size_t puts_below_; /* with fewer items a put has its turn at once: the
                         * capacity; 0 if others are putting, and for a heap */
    size_t putting_;    /* tasks let go to put, that have not run yet, each
                         * ASYNC_QUEUE_ONE_; and ASYNC_QUEUE_CLOSED_ */
    size_t getting_;    /* the same, to get; and ASYNC_QUEUE_ODD_ */
    size_t first_;      /* where the oldest is in `items`, a ring */
    size_t undone_;     /* items that were put, and are not done */
    struct async_wait_ *putters_; /* if any wait, there is no place; or some
                                   * are putting, and then look again */
    struct async_wait_ *getters_; /* the same with items */
    struct async_wait_ *joiners_;
};

enum {
    ASYNC_QUEUE_ODD_ = 1, /* the first in is not the first out */
    ASYNC_QUEUE_CLOSED_ = 2,
    ASYNC_QUEUE_ONE_ = 4
};

/* How many items are in it, those included that are kept for a task. */
#define async_queue_count(queue) async_queue_count_(&(queue)->async)

static inline size_t async_queue_count_(const struct async_queue *queue)
{
    return queue->count_;
}

/* ---- what moves an item ------------------------------------------------- */

/* An index, up to once around too high, in a ring. */
static inline size_t async_ring_(size_t at, size_t capacity)
{
    if ((capacity & (capacity - 1)) == 0)
        return at & (capacity - 1);
    return at < capacity ? at : at - capacity;
}

/* Places, or items, that are kept for tasks that were let go. */
static inline size_t async_queue_kept_(size_t granted)
{
    return granted / ASYNC_QUEUE_ONE_;
}

/* The first in line is let go: one of them is kept for it. It stands in no line
 * any more, and waits on what counts such tasks, until it has run and taken
 * it. */
static inline void async_queue_grant_(struct async_loop *loop,
                                      struct async_wait_ **line,
                                      size_t *granted)
{
    struct async_wait_ *wait = *line;

    async_line_leave_(line, wait);
    wait->on.object = granted;
    *granted += ASYNC_QUEUE_ONE_;
    async_ready_task_(loop, (struct async_task *)(void *)wait);
}

/* True for a task that was let go: it takes what was kept. */
static inline int async_queue_takes_(struct async_loop *loop, size_t *granted)
{
    struct async_wait_ *wait = &async_running_(loop)->wait_;

    if (wait->kind != ASYNC_WAIT_LINE_ || wait->on.object != granted)
        return 0;
    wait->kind = ASYNC_WAIT_NONE_;
    *granted -= ASYNC_QUEUE_ONE_;
    return 1;
}

/* A putter in line, or a getter, is let go. */
static inline void async_queue_let_put_(struct async_loop *loop,
                                        struct async_queue *queue)
{
    queue->puts_below_ = 0;
    async_queue_grant_(loop, &queue->putters_, &queue->putting_);
}

static inline void async_queue_let_get_(struct async_loop *loop,
                                        struct async_queue *queue)
{
    async_queue_grant_(loop, &queue->getters_, &queue->getting_);
}

/* How many places, or items, are kept for nobody. */
static inline size_t async_queue_places_(const struct async_queue *queue,
                                         size_t capacity)
{
    return capacity - queue->count_ - async_queue_kept_(queue->putting_);
}

static inline size_t async_queue_items_(const struct async_queue *queue)
{
    return queue->count_ - async_queue_kept_(queue->getting_);
}

/* Those go who have waited behind tasks that were let go, if now they can. */
static inline void async_queue_let_getters_(struct async_loop *loop,
                                            struct async_queue *queue)
{
    while (queue->getters_ && async_queue_items_(queue))
        async_queue_let_get_(loop, queue);
    while (queue->putting_ & ASYNC_QUEUE_CLOSED_ &&
           async_line_wake_(loop, &queue->getters_, ASYNC_ECLOSED))
        ;
}

/* A binary heap. `item` is outside of it. */
ASYNC_COLD_ void async_heap_put_(struct async_queue *queue, char *items,
                                 const void *item, size_t size)
{
    size_t at = queue->count_++;

    while (at && queue->before(item, items + (at - 1) / 2 * size)) {
        ASYNC_COPY_(items + at * size, items + (at - 1) / 2 * size, size);
        at = (at - 1) / 2;
    }
    ASYNC_COPY_(items + at * size, item, size);
    queue->undone_++;
}

/* Takes the first out. The last one looks for a new place, from the top. */
ASYNC_COLD_ void async_heap_get_(struct async_queue *queue, char *items,
                                 void *item, size_t size)
{
    size_t count = --queue->count_, at = 0, child;
    const char *last = items + count * size;

    ASYNC_COPY_(item, items, size);
    while ((child = 2 * at + 1) < count) {
        if (child + 1 < count &&
            queue->before(items + (child + 1) * size, items + child * size))
            child++;
        if (!queue->before(items + child * size, last))
            break;
        ASYNC_COPY_(items + at * size, items + child * size, size);
        at = child;
    }
    if (at != count)
        ASYNC_COPY_(items + at * size, last, size);
}

ASYNC_IN_PLACE_ void async_ring_put_(struct async_queue *queue, void *items,
                                     const void *item, size_t size,
                                     size_t capacity)
{
    size_t at = async_ring_(queue->first_ + queue->count_, capacity);

    ASYNC_COPY_((char *)items + at * size, item, size);
    queue->count_++;
    queue->undone_++;
}

ASYNC_IN_PLACE_ void async_ring_get_(struct async_queue *queue,
                                     const void *items, void *item, size_t size,
                                     size_t capacity)
{
    size_t at = queue->first_;

    ASYNC_COPY_(item, (const char *)items + at * size, size);
    queue->first_ = async_ring_(at + 1, capacity);
    queue->count_--;
}

/* An odd queue's next item. */
ASYNC_COLD_ void async_odd_get_(struct async_queue *queue, void *items,
                                void *item, size_t size, size_t capacity)
{
    if (queue->before) {
        async_heap_get_(queue, (char *)items, item, size);
    } else {
        size_t at = async_ring_(queue->first_ + --queue->count_, capacity);

        ASYNC_COPY_(item, (char *)items + at * size, size);
    }
}

/* There is a place. The first put comes here, and who has waited. */
ASYNC_IN_PLACE_ void async_put_now_(struct async_queue *queue, void *items,
                                    const void *item, size_t size,
                                    size_t capacity)
{
    if (queue->before || queue->lifo)
        queue->getting_ |= ASYNC_QUEUE_ODD_;
    if (queue->before) {
        async_heap_put_(queue, (char *)items, item, size);
    } else {
        async_ring_put_(queue, items, item, size, capacity);
        if (!queue->putting_)
            queue->puts_below_ = capacity;
    }
}

/* There is an item. */
ASYNC_IN_PLACE_ void async_get_now_(struct async_queue *queue, void *items,
                                    void *item, size_t size, size_t capacity)
{
    if (queue->getting_ & ASYNC_QUEUE_ODD_)
        async_odd_get_(queue, items, item, size, capacity);
    else
        async_ring_get_(queue, items, item, size, capacity);
}

/* ---- put, get ----------------------------------------------------------- */

/* Waits in line, or begins to. */
static inline async_status async_put_wait_(struct async_loop *loop,
                                           struct async_queue *queue)
{
    async_status status =
        async_wait_go_(loop, ASYNC_WAIT_LINE_, &queue->putters_);

    if (status != ASYNC_NEW_)
        return status;
    if (queue->putting_ & ASYNC_QUEUE_CLOSED_) {
        async_wait_drop_(loop, loop->current_);
        return ASYNC_ECLOSED;
    }
    async_line_join_(&queue->putters_, &loop->current_->wait_);
    return async_pending_(loop);
}

static inline async_status async_get_wait_(struct async_loop *loop,
                                           struct async_queue *queue)
{
    async_status status =
        async_wait_go_(loop, ASYNC_WAIT_LINE_, &queue->getters_);

    if (status != ASYNC_NEW_)
        return status;
    if (queue->putting_ & ASYNC_QUEUE_CLOSED_ && !async_queue_items_(queue)) {
        async_wait_drop_(loop, loop->current_);
        return ASYNC_ECLOSED;
    }
    async_line_join_(&queue->getters_, &loop->current_->wait_);
    return async_pending_(loop);
}

ASYNC_IN_PLACE_ async_status async_put_(struct async_loop *loop,
                                        struct async_queue *queue, void *items,
                                        const void *item, size_t size,
                                        size_t capacity)
{
    if (queue->count_ < queue->puts_below_) {
        async_ring_put_(queue, items, item, size, capacity);
    } else {
        if (queue->putting_ ? !async_queue_takes_(loop, &queue->putting_)
                            : queue->count_ == capacity)
            return async_put_wait_(loop, queue);
        if (queue->putting_ & ASYNC_QUEUE_CLOSED_)
            return ASYNC_ECLOSED;
        async_put_now_(queue, items, item, size, capacity);
        if (queue->putters_ && async_queue_places_(queue, capacity))
            async_queue_let_put_(loop, queue); /* it came behind this one */
    }
    if (queue->getters_)
        async_queue_let_get_(loop, queue);
    return ASYNC_DONE;
}

ASYNC_IN_PLACE_ async_status async_get_(struct async_loop *loop,
                                        struct async_queue *queue, void *items,
                                        void *item, size_t size,
                                        size_t capacity)
{
    if (!queue->getting_ && queue->count_) {
        async_ring_get_(queue, items, item, size, capacity);
    } else {
        if (async_queue_kept_(queue->getting_)
                ? !async_queue_takes_(loop, &queue->getting_)
                : !queue->count_)
            return async_get_wait_(loop, queue);
        async_get_now_(queue, items, item, size, capacity);
        if (queue->getters_)
            async_queue_let_getters_(loop, queue);
    }
    if (queue->putters_)
        async_queue_let_put_(loop, queue);
    return ASYNC_DONE;
}

ASYNC_IN_PLACE_ async_status async_try_put_(struct async_loop *loop,
                                            struct async_queue *queue,
                                            void *items, const void *item,
                                            size_t size, size_t capacity)
{
    if (queue->putting_ & ASYNC_QUEUE_CLOSED_)
        return ASYNC_ECLOSED;
    if (queue->putters_ || !async_queue_places_(queue, capacity))
        return ASYNC_PENDING;
    async_put_now_(queue, items, item, size, capacity);
    if (queue->getters_)
        async_queue_let_get_(loop, queue);
    return ASYNC_DONE;
}

ASYNC_IN_PLACE_ async_status async_try_get_(struct async_loop *loop,
                                            struct async_queue *queue,
                                            void *items, void *item,
                                            size_t size, size_t capacity)
{
    if (!async_queue_items_(queue) && queue->putting_ & ASYNC_QUEUE_CLOSED_)
        return ASYNC_ECLOSED;
    if (queue->getters_ || !async_queue_items_(queue))
        return ASYNC_PENDING;
    async_get_now_(queue, items, item, size, capacity);
    if (queue->putters_)
        async_queue_let_put_(loop, queue);
    return ASYNC_DONE;
}

/* A queue in pieces, and a pointer to an item of its type. */
#define ASYNC_ITEMS_(queue, item)                                              \
    (queue)->items, (1 ? (item) : (queue)->items), sizeof *(queue)->items,     \
        sizeof((queue)->items) / sizeof *(queue)->items

/* Awaitable: puts a copy of *item into the queue; waits while there is no
 * place. ASYNC_ECLOSED: the queue is closed, or is being closed while this
 * waits; the item was not put. If canceled here: it was not put. */
#define async_put(loop, queue, item)                                           \
    async_put_(loop, &(queue)->async, ASYNC_ITEMS_(queue, item))

/* Awaitable: takes the next item out, into *item; waits while there is none.
 * ASYNC_ECLOSED: the queue is closed, and there will be none. If canceled here:
 * none was taken. */
#define async_get(loop, queue, item)                                           \
    async_get_(loop, &(queue)->async, ASYNC_ITEMS_(queue, item))

/* The same without a wait: ASYNC_DONE; ASYNC_ECLOSED; or ASYNC_PENDING, and
 * nothing happened: there is no place, or no item, but what is kept for others.
 * They overtake only those who have been let go and have not run yet. */
#define async_try_put(loop, queue, item)                                       \
    async_try_put_(loop, &(queue)->async, ASYNC_ITEMS_(queue, item))
#define async_try_get(loop, queue, item)                                       \
    async_try_get_(loop, &(queue)->async, ASYNC_ITEMS_(queue, item))

/* ---- done --------------------------------------------------------------- */

/* An item that somebody has got is done with. For async_queue_join; who does
 * not join need not tell. More than were put: a mistake of the program's,
 * asserted. */
#define async_queue_task_done(loop, queue)                                     \
    async_queue_done_(loop, &(queue)->async, 1)

/* Awaitable: waits until every item that was put is done; done at once if none
 * was. If canceled here: nothing is lost. */
#define async_queue_join(loop, queue) async_queue_join_(loop, &(queue)->async)

static inline void async_queue_done_(struct async_loop *loop,
                                     struct async_queue *queue, size_t count)
{
    ASYNC_ASSERT(count <= queue->undone_,
                 "more items of a queue are done than were put");
    if (count > queue->undone_)
        return;
    queue->undone_ -= count;
    while (!queue->undone_ &&
           async_line_wake_(loop, &queue->joiners_, ASYNC_DONE))
        ;
}

static inline async_status async_queue_join_(struct async_loop *loop,
                                             struct async_queue *queue)
{
    if (!queue->undone_ && !async_waits_in_(loop, &queue->joiners_))
        return ASYNC_DONE;
    return async_line_wait_(loop, &queue->joiners_);
}

/* ---- close -------------------------------------------------------------- */

/* Closes the queue for good: who puts, or waits to, gets ASYNC_ECLOSED. Who
 * gets takes what is left, and then gets ASYNC_ECLOSED too. Closed twice is
 * closed once. */
#define async_queue_close(loop, queue) async_queue_close_(loop, &(queue)->async)

/* The same, and drops what is left, which counts as done: all but the items
 * that are kept for tasks that have been let go. */
#define async_queue_close_now(loop, queue)                                     \
    async_queue_close_now_(loop, &(queue)->async)

static inline void async_queue_close_(struct async_loop *loop,
                                      struct async_queue *queue)
{
    queue->putting_ |= ASYNC_QUEUE_CLOSED_;
    queue->puts_below_ = 0;
    while (async_line_wake_(loop, &queue->putters_, ASYNC_ECLOSED))
        ;
    async_queue_let_getters_(loop, queue);
}

static inline void async_queue_close_now_(struct async_loop *loop,
                                          struct async_queue *queue)
{
    size_t dropped;

    async_queue_close_(loop, queue);
    dropped = async_queue_items_(queue);
    queue->count_ -= dropped;
    async_queue_done_(loop, queue,
                      dropped < queue->undone_ ? dropped : queue->undone_);
}

/* ---- broadcast ---------------------------------------------------------- */

/* What makes a struct of yours a broadcast, the same way:
 *
 *     struct news {
 *         struct async_broadcast async;
 *         struct item items[16];
 *     };
 *
 * It keeps the latest items, as many as the array is long. Yours; all-zero is
 * ready to use. */
struct async_broadcast {
    uint32_t count_; /* of items that were published; wraps */
    size_t next_;    /* where the next one goes in `items`, a ring */
    struct async_wait_ *line_;
    int closed_;
};

/* One who receives. Tasks that share one share the items. Yours; all-zero, and
 * then async_subscribe. It ends as it is: nothing links to it. */
struct async_subscriber {
    uint32_t missed; /* items that were gone before they were received; yours to
                      * set back */
    uint32_t next_;  /* which comes next: a count_ */
};

/* The subscriber receives what is published from now on. */
#define async_subscribe(loop, broadcast, subscriber)                           \
    ((void)(loop), async_subscribe_(&(broadcast)->async, subscriber))

static inline void async_subscribe_(const struct async_broadcast *broadcast,
                                    struct async_subscriber *subscriber)
{
    subscriber->next_ = broadcast->count_;
}

/* Gives a copy of *item to all subscribers; the oldest item makes room for it.
 * Never waits. Returns ASYNC_DONE, or ASYNC_ECLOSED. */
#define async_publish(loop, broadcast, item)                                   \
    async_publish_(loop, &(broadcast)->async, ASYNC_ITEMS_(broadcast, item))

static inline async_status async_publish_(struct async_loop *loop,
                                          struct async_broadcast *broadcast,
                                          void *items, const void *item,
                                          size_t size, size_t capacity)
{
    if (broadcast->closed_)
        return ASYNC_ECLOSED;
    ASYNC_COPY_((char *)items + broadcast->next_ * size, item, size);
    broadcast->next_ = async_ring_(broadcast->next_ + 1, capacity);
    broadcast->count_++;
    while (async_line_wake_(loop, &broadcast->line_, ASYNC_DONE))
        ;
    return ASYNC_DONE;
}

/* Awaitable: the subscriber's next item, into *item; waits while there is none.
 * One that is too slow goes on with the oldest that is left, and `missed`
 * counts the others. ASYNC_ECLOSED: the broadcast is closed, and it has
 * received all. If canceled here: nothing is lost. */
#define async_receive(loop, broadcast, subscriber, item)                       \
    async_receive_(loop, &(broadcast)->async, subscriber,                      \
                   ASYNC_ITEMS_(broadcast, item))

static inline async_status async_receive_(struct async_loop *loop,
                                          struct async_broadcast *broadcast,
                                          struct async_subscriber *subscriber,
                                          const void *items, void *item,
                                          size_t size, size_t capacity)
{
    async_status status;
    uint32_t behind;
    size_t at;

    while (subscriber->next_ == broadcast->count_ ||
           async_waits_in_(loop, &broadcast->line_)) {
        if (broadcast->closed_ && !async_waits_in_(loop, &broadcast->line_))
            return ASYNC_ECLOSED;
        status = async_line_wait_(loop, &broadcast->line_);
        if (status != ASYNC_DONE)
            return status;
    }
    behind = broadcast->count_ - subscriber->next_;
    if (behind > capacity) {
        subscriber->missed += behind - (uint32_t)capacity;
        behind = (uint32_t)capacity;
    }
    at = broadcast->next_ + capacity - (size_t)behind;
    at = async_ring_(at, capacity);
    ASYNC_COPY_(item, (const char *)items + at * size, size);
    subscriber->next_ = broadcast->count_ - behind + 1;
    return ASYNC_DONE;
}

/* Closes it for good: nothing is published any more, subscribers receive what
 * is left, and then ASYNC_ECLOSED. */
#define async_broadcast_close(loop, broadcast)                                 \
    async_broadcast_close_(loop, &(broadcast)->async)

static inline void async_broadcast_close_(struct async_loop *loop,
                                          struct async_broadcast *broadcast)
{
    broadcast->closed_ = 1;
    while (async_line_wake_(loop, &broadcast->line_, ASYNC_ECLOSED))
        ;
}

#endif /* ASYNC_QUEUE_H */

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
