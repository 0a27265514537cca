/* async_lock.h: what holds tasks back until it is their turn.
 * SPDX-License-Identifier: MIT
 *
 * Semaphore, mutex, rw-lock, event, condition, barrier. Tasks change each
 * other's data only where they await, so what needs no await in between needs
 * none of these. Each is a plain struct of yours, and nothing is allocated.
 * Included by async_gather.h.
 *
 *     #include <stdio.h>
 *     #include "async_lock.h"
 *
 *     struct page {
 *         struct async_frame async;
 *         struct async_mutex *printer;
 *         const char *text;
 *     };
 *
 *     static async page(struct async_loop *loop, void *frame)
 *     {
 *         struct page *self = frame;
 *
 *         async_begin(self);
 *         await(async_lock(loop, self->printer));
 *         printf("%s begins\n", self->text);
 *         await(async_sleep_ms(loop, 10));
 *         printf("%s ends\n", self->text);
 *         async_finally();
 *         if (self->printer->owner == async_current(loop))
 *             async_unlock(loop, self->printer);
 *         async_end();
 *     }
 *
 *     int main(void)
 *     {
 *         struct async_loop loop = {0};
 *         struct async_mutex printer = {0};
 *         struct page one = {.printer = &printer, .text = "one"};
 *         struct page two = {.printer = &printer, .text = "two"};
 *         struct async_task first = {0}, second = {0};
 *
 *         async_spawn(&loop, &first, page, &one);
 *         async_spawn(&loop, &second, page, &two);
 *         return async_run(&loop, NULL, NULL) < 0;
 *     }
 *
 * prints
 *
 *     one begins
 *     one ends
 *     two begins
 *     two ends
 *
 * Rules
 * 1. First come, first served. What is given back belongs to the first in line
 *    from that moment on: nobody who asks in between gets ahead of it.
 * 2. A wait that was canceled has left its line and holds nothing, and those
 *    behind it are as if it had never stood there. But for the condition: its
 *    mutex is held again, whatever it returned.
 * 3. Who waits for nothing takes no cancel: a lock that is free is locked by a
 *    task that was asked to stop, too. Its next wait takes the cancel.
 * 4. What a task holds when it ends stays locked: give it back in a finally
 *    section.
 * 5. All this is for the tasks of one loop, and for what runs between them on
 *    its thread. Other threads and interrupts set a struct async_flag.
 *
 * What wins on one tick, in either order
 *
 *     granted and canceled     granted, and it is held: a permit, a mutex, a
 *                              place among the readers, the writer's place.
 *                              The next wait takes the cancel
 *     set and canceled         set, even if it is cleared at once
 *     tripped and canceled     tripped: it passes the barrier
 *     broken and canceled      broken: ASYNC_ECLOSED
 *     notified and canceled    if the mutex was free for it: notified. If it
 *                              still waits for the mutex: canceled, and the
 *                              next in line is notified in its place
 */
#ifndef ASYNC_LOCK_H
#define ASYNC_LOCK_H

#include "async_loop.h" /* tasks, waits */

#include <stddef.h> /* size_t, NULL */
#include <stdint.h> /* the byte of an event */

/* ---- semaphore ---------------------------------------------------------- */

/* So many permits; those who want one too many wait in line. Yours; set
 * `permits` before use, and `bound`, if it has one. */
struct async_semaphore {
    size_t permits; /* that are free */
    size_t bound;   /* there are never more than these; 0: no such bound */
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

/* Takes a permit if one is free: ASYNC_DONE. ASYNC_PENDING: none is. From a
 * task or not. */
static inline async_status async_try_acquire(struct async_loop *loop,
                                             struct async_semaphore *semaphore)
{
    (void)loop;
    if (!semaphore->permits)
        return ASYNC_PENDING;
    semaphore->permits--;
    return ASYNC_DONE;
}

/* Gives one back: to the first in line, if there is one. One that would be
 * more than `bound` is not given back (a mistake of the program's: asserted).
 * On the loop's thread, from a task or not. */
static inline void async_release(struct async_loop *loop,
                                 struct async_semaphore *semaphore)
{
    int full = semaphore->bound && semaphore->permits >= semaphore->bound;

    ASYNC_ASSERT(!full, "releases a permit that nobody has taken: the "
                        "semaphore is at its bound");
    if (!full && !async_line_wake_(loop, &semaphore->line_, ASYNC_DONE))
        semaphore->permits++;
}

/* ---- mutex -------------------------------------------------------------- */

/* Held by one task at a time, and by whatever functions it awaits. Yours;
 * all-zero is free. */
struct async_mutex {
    struct async_task *owner; /* who holds it, NULL if nobody. To be read */
    struct async_wait_ *line_;
};

/* Waits in line till it is handed over; then the wait returns `end`. */
static inline async_status async_mutex_wait_(struct async_loop *loop,
                                             struct async_mutex *mutex, int end)
{
    async_status status = async_wait_go_(loop, ASYNC_WAIT_LINE_, &mutex->line_);

    if (status != ASYNC_NEW_)
        return status;
    loop->current_->wait_.status = (int16_t)end;
    async_line_join_(&mutex->line_, &loop->current_->wait_);
    return async_pending_(loop);
}

/* It goes to the first in line, or is free. */
static inline void async_mutex_pass_(struct async_loop *loop,
                                     struct async_mutex *mutex)
{
    struct async_wait_ *first = mutex->line_;

    mutex->owner = (struct async_task *)(void *)first;
    if (first)
        (void)async_line_wake_(loop, &mutex->line_, first->status);
}

/* It is not free. */
ASYNC_COLD_ async_status async_lock_wait_(struct async_loop *loop,
                                          struct async_mutex *mutex)
{
    int again = mutex->owner == async_running_(loop) &&
                !async_waits_in_(loop, &mutex->line_);

    ASYNC_ASSERT(!again, "locks a mutex that it holds: it would wait for "
                         "itself");
    if (again)
        return ASYNC_EDEADLK;
    return async_mutex_wait_(loop, mutex, ASYNC_DONE);
}

/* Awaitable: the running task holds the mutex from now on. ASYNC_EDEADLK: it
 * does already (a mistake of the program's: asserted). If canceled here: the
 * place in line is lost, and the mutex is not held. One that is free costs 8
 * instructions, 6 with NDEBUG: a function that does nothing else, its return
 * included, by gcc 12 -O2 for x86-64. */
static inline async_status async_lock(struct async_loop *loop,
                                      struct async_mutex *mutex)
{
    if (mutex->owner)
        return async_lock_wait_(loop, mutex);
    mutex->owner = async_running_(loop);
    return ASYNC_DONE;
}

/* Locks it for the running task if it is free: ASYNC_DONE. ASYNC_PENDING:
 * somebody holds it, this task maybe. */
static inline async_status async_try_lock(struct async_loop *loop,
                                          struct async_mutex *mutex)
{
    if (mutex->owner)
        return ASYNC_PENDING;
    mutex->owner = async_running_(loop);
    return ASYNC_DONE;
}

/* Hands it to the first in line, if there is one. Only by the task that holds
 * it: else nothing happens (a mistake of the program's: asserted). */
static inline void async_unlock(struct async_loop *loop,
                                struct async_mutex *mutex)
{
    int holds = mutex->owner && mutex->owner == loop->current_;

    ASYNC_ASSERT(holds, "unlocks a mutex that the running task does not hold");
    if (holds)
        async_mutex_pass_(loop, mutex);
}

/* ---- rw-lock ------------------------------------------------------------ */

/* Held by any number of readers, or by one writer. Readers that come while a
 * writer waits stand behind it, so neither can keep the other out for ever; and
 * those who stand next to each other go in together. For this a task that
 * reads does not lock it again, neither to read nor to write. Yours; all-zero
 * is free. */
struct async_rwlock {
    size_t readers;            /* how many read now. To be read */
    struct async_task *writer; /* who writes now, NULL if nobody. To be read */
    struct async_wait_ *line_;
};

enum { ASYNC_RW_READS_ = 1, ASYNC_RW_WRITES_ }; /* what who waits is for */

/* Lets in whoever is next, and may. */
static inline void async_rw_admit_(struct async_loop *loop,
                                   struct async_rwlock *lock)
{
    struct async_wait_ *first;

    while (!lock->writer && (first = lock->line_) != NULL) {
        if (first->status == ASYNC_RW_READS_)
            lock->readers++;
        else if (!lock->readers)
            lock->writer = (struct async_task *)(void *)first;
        else
            return;
        (void)async_line_wake_(loop, &lock->line_, ASYNC_DONE);
    }
}

static inline async_status async_rw_wait_(struct async_loop *loop,
                                          struct async_rwlock *lock, int what)
{
    int again = lock->writer && lock->writer == async_running_(loop) &&
                !async_waits_in_(loop, &lock->line_);
    async_status status;

    ASYNC_ASSERT(!again, "locks a rw-lock that it writes under: it would wait "
                         "for itself");
    if (again)
        return ASYNC_EDEADLK;
    status = async_wait_go_(loop, ASYNC_WAIT_LINE_, &lock->line_);
    if (status == ASYNC_NEW_) {
        loop->current_->wait_.status = (int16_t)what;
        async_line_join_(&lock->line_, &loop->current_->wait_);
        status = async_pending_(loop);
    }
    if (status == ASYNC_ECANCELED) /* for whom it stood in the way */
        async_rw_admit_(loop, lock);
    return status;
}

/* Awaitables: lock it for reading, together with others; for writing, alone.
 * ASYNC_EDEADLK: the task writes already (a mistake of the program's:
 * asserted). If canceled here: the place in line is lost, and nothing is
 * locked; readers that stood behind a writer may go in. */
static inline async_status async_read_lock(struct async_loop *loop,
                                           struct async_rwlock *lock)
{
    if (lock->writer || lock->line_ || async_waits_in_(loop, &lock->line_))
        return async_rw_wait_(loop, lock, ASYNC_RW_READS_);
    lock->readers++;
    return ASYNC_DONE;
}

static inline async_status async_write_lock(struct async_loop *loop,
                                            struct async_rwlock *lock)
{
    if (lock->writer || lock->readers)
        return async_rw_wait_(loop, lock, ASYNC_RW_WRITES_);
    lock->writer = async_running_(loop);
    return ASYNC_DONE;
}

/* The same without waiting: ASYNC_DONE; ASYNC_PENDING if they would have to. A
 * reader would have to while a writer waits. */
static inline async_status async_try_read_lock(struct async_loop *loop,
                                               struct async_rwlock *lock)
{
    (void)loop;
    if (lock->writer || lock->line_)
        return ASYNC_PENDING;
    lock->readers++;
    return ASYNC_DONE;
}

static inline async_status async_try_write_lock(struct async_loop *loop,
                                                struct async_rwlock *lock)
{
    if (lock->writer || lock->readers)
        return ASYNC_PENDING;
    lock->writer = async_running_(loop);
    return ASYNC_DONE;
}

/* A reader is out: the last one lets the next in line in. If nobody reads,
 * nothing happens (a mistake of the program's: asserted). On the loop's thread,
 * from a task or not. */
static inline void async_read_unlock(struct async_loop *loop,
                                     struct async_rwlock *lock)
{
    ASYNC_ASSERT(lock->readers, "unlocks a rw-lock that nobody reads under");
    if (!lock->readers)
        return;
    lock->readers--;
    async_rw_admit_(loop, lock);
}

/* The writer is out, and lets the next in line in: readers up to the next
 * writer, or one writer. Only by the task that writes: else nothing happens (a
 * mistake of the program's: asserted). */
static inline void async_write_unlock(struct async_loop *loop,
                                      struct async_rwlock *lock)
{
    int writes = lock->writer && lock->writer == loop->current_;

    ASYNC_ASSERT(writes, "unlocks a rw-lock that the running task does not "
                         "write under");
    if (!writes)
        return;
    lock->writer = NULL;
    async_rw_admit_(loop, lock);
}

/* ---- event -------------------------------------------------------------- */

/* Something that has happened, or has not. Yours; all-zero is not set. */
struct async_event {
    struct async_wait_ *line_;
    uint8_t set_;
};

/* Sets it, and lets all go who wait, in the order they came. It stays set. On
 * the loop's thread, from a task or not. */
static inline void async_event_set(struct async_loop *loop,
                                   struct async_event *event)
{
    event->set_ = 1;
    while (async_line_wake_(loop, &event->line_, ASYNC_DONE))
        ;
}

/* From now on it is to be waited for again. Those go on who were let go. */
static inline void async_event_clear(struct async_loop *loop,
                                     struct async_event *event)
{
    (void)loop;
    event->set_ = 0;
}

static inline int async_event_is_set(const struct async_event *event)
{
    return event->set_;
}

/* Awaitable: waits until it is set; done at once if it is. If canceled here:
 * nothing is lost. */
static inline async_status async_event_wait(struct async_loop *loop,
                                            struct async_event *event)
{
    if (event->set_ && !async_waits_in_(loop, &event->line_))
        return ASYNC_DONE;
    return async_line_wait_(loop, &event->line_);
}

/* ---- condition ---------------------------------------------------------- */

/* A line of those who have locked a mutex, found that what it protects is not
 * yet as they need it, and wait for somebody to change it:
 *
 *     await(async_lock(loop, &mutex));
 *     while (!ready)
 *         await(async_condition_wait(loop, &condition, &mutex));
 *
 * Yours; all-zero is ready. */
struct async_condition {
    struct async_wait_ *line_;
    struct async_mutex *mutex_; /* of all who wait */
};

/* Lets the first `count` who wait go, fewer if there are fewer. Each then waits
 * for the mutex, in this order, behind those who stand there already. Nobody is
 * kept for those who will wait later. On the loop's thread, from a task or not;
 * the mutex may be held, by anybody. */
static inline void async_condition_notify(struct async_loop *loop,
                                          struct async_condition *condition,
                                          size_t count)
{
    struct async_mutex *mutex = condition->mutex_;
    struct async_wait_ *first;

    for (; count && (first = condition->line_) != NULL; count--) {
        async_line_leave_(&condition->line_, first);
        first->status = ASYNC_DONE;
        first->on.object = &mutex->line_;
        async_line_join_(&mutex->line_, first);
        if (!mutex->owner)
            async_mutex_pass_(loop, mutex);
    }
}

static inline void async_condition_notify_all(struct async_loop *loop,
                                              struct async_condition *condition)
{
    async_condition_notify(loop, condition, (size_t)-1);
}

/* Notified, or canceled: it waits for the mutex. */
static inline async_status
async_condition_return_(struct async_loop *loop,
                        struct async_condition *condition,
                        struct async_mutex *mutex)
{
    int end = loop->current_->wait_.status;
    async_status status = async_line_wait_(loop, &mutex->line_);

    if (status == ASYNC_ASKED_ && end == ASYNC_ECANCELED)
        return ASYNC_PENDING; /* one cancel at a time */
    if (status == ASYNC_ECANCELED && mutex->owner != loop->current_) {
        async_condition_notify(loop, condition, 1);
        (void)async_mutex_wait_(loop, mutex, ASYNC_ECANCELED);
        return ASYNC_PENDING;
    }
    return status;
}

/* Awaitable: unlocks the mutex, which the task holds, waits to be notified, and
 * locks it again. It is held when this returns, whatever it returns. The same
 * mutex for all who wait at one time. ASYNC_EINVAL: the task does not hold it,
 * or the others gave another one (mistakes of the program's: asserted). If
 * canceled here: the notification goes to the next in line if there was one.
 * The wait to get the mutex back is not cut short, and takes no second
 * cancel. */
static inline async_status
async_condition_wait(struct async_loop *loop, struct async_condition *condition,
                     struct async_mutex *mutex)
{
    struct async_task *task = async_running_(loop);
    async_status status;

    if (async_waits_in_(loop, &mutex->line_))
        return async_condition_return_(loop, condition, mutex);
    if (!async_waits_in_(loop, &condition->line_)) {
        int holds = mutex->owner == task;
        int same = !condition->line_ || condition->mutex_ == mutex;

        ASYNC_ASSERT(holds, "waits for a condition without holding its mutex");
        ASYNC_ASSERT(same, "waits for a condition with another mutex than "
                           "those who wait there already");
        if (!holds || !same)
            return ASYNC_EINVAL;
        condition->mutex_ = mutex;
        async_mutex_pass_(loop, mutex);
    }
    status = async_line_wait_(loop, &condition->line_);
    if (status != ASYNC_ECANCELED)
        return status;
    if (mutex->owner) {
        (void)async_mutex_wait_(loop, mutex, ASYNC_ECANCELED);
        return ASYNC_PENDING;
    }
    mutex->owner = task;
    return ASYNC_ECANCELED;
}

/* ---- barrier ------------------------------------------------------------ */

/* Holds tasks back till `parties` of them have come; then they all go on, and
 * it is ready for the next round. Yours; set `parties` before use: 0 and 1 hold
 * nobody back. */
struct async_barrier {
    size_t parties;
    size_t waiting; /* how many have come so far. To be read */
    struct async_wait_ *line_;
    uint8_t broken_;
};

/* All who wait go on with `status`. */
static inline void async_barrier_open_(struct async_loop *loop,
                                       struct async_barrier *barrier,
                                       int status)
{
    barrier->waiting = 0;
    while (async_line_wake_(loop, &barrier->line_, status))
        ;
}

/* Awaitable: waits until all parties have come. `last`, which may be NULL, is
 * told whether this one was the last to come: 1 for exactly one of them, which
 * has not waited, 0 for the others. ASYNC_ECLOSED: the barrier was reset while
 * this waited, or is aborted. If canceled here: this one has not come, the
 * others go on waiting. */
static inline async_status async_barrier_wait(struct async_loop *loop,
                                              struct async_barrier *barrier,
                                              int *last)
{
    async_status status;

    if (last)
        *last = 0;
    if (!async_waits_in_(loop, &barrier->line_)) {
        if (barrier->broken_)
            return ASYNC_ECLOSED;
        if (barrier->waiting + 1 >= barrier->parties) {
            async_barrier_open_(loop, barrier, ASYNC_DONE);
            if (last)
                *last = 1;
            return ASYNC_DONE;
        }
        barrier->waiting++;
    }
    status = async_line_wait_(loop, &barrier->line_);
    if (status == ASYNC_ECANCELED)
        barrier->waiting--;
    return status;
}

/* Ends this round: those who wait get ASYNC_ECLOSED. The barrier, aborted or
 * not, is as new. On the loop's thread, from a task or not. */
static inline void async_barrier_reset(struct async_loop *loop,
                                       struct async_barrier *barrier)
{
    barrier->broken_ = 0;
    async_barrier_open_(loop, barrier, ASYNC_ECLOSED);
}

/* The same, and whoever comes later gets ASYNC_ECLOSED too, until a reset. */
static inline void async_barrier_abort(struct async_loop *loop,
                                       struct async_barrier *barrier)
{
    barrier->broken_ = 1;
    async_barrier_open_(loop, barrier, ASYNC_ECLOSED);
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
