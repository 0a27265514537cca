/* Everything of async_lock.h, in C that is C++ too, on a host and on a
 * microcontroller. check_async_lock() is 0, or the line that was wrong. */
#include "async_lock.h"

#ifndef CHECK
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return __LINE__;                                                   \
    } while (0)
#endif

/* Two of them meet everywhere, and keep each other out. */
struct locked {
    struct async_frame async;
    struct locked_by_both *both;
    int last;
};

struct locked_by_both {
    struct async_semaphore semaphore;
    struct async_mutex mutex;
    struct async_rwlock rwlock;
    struct async_event event;
    struct async_condition condition;
    struct async_barrier barrier;
    struct async_task tasks[2];
    struct locked frames[2];
    int met, lasts, broken;
};

static async_status lock_all(struct async_loop *loop, void *frame)
{
    struct locked *self = (struct locked *)frame;
    int rc;

    async_begin(self);
    async_await(async_acquire(loop, &self->both->semaphore));
    async_await(async_sleep_ms(loop, 1));
    async_release(loop, &self->both->semaphore);

    async_await(async_lock(loop, &self->both->mutex));
    if (++self->both->met == 2)
        async_condition_notify(loop, &self->both->condition, 1);
    while (self->both->met < 2)
        async_await(async_condition_wait(loop, &self->both->condition,
                                         &self->both->mutex));
    async_condition_notify_all(loop, &self->both->condition);
    async_unlock(loop, &self->both->mutex);

    async_await(async_read_lock(loop, &self->both->rwlock));
    async_await(async_sleep_ms(loop, 1));
    async_read_unlock(loop, &self->both->rwlock);
    async_await(async_write_lock(loop, &self->both->rwlock));
    async_await(async_sleep_ms(loop, 1));
    async_write_unlock(loop, &self->both->rwlock);

    async_await(async_barrier_wait(loop, &self->both->barrier, &self->last));
    self->both->lasts += self->last;
    if (self->last)
        async_event_set(loop, &self->both->event);
    async_await(async_event_wait(loop, &self->both->event));
    if (self->last) {
        async_await(async_yield_now(loop));
        async_barrier_abort(loop, &self->both->barrier);
        async_return();
    }
    async_catch(rc, async_barrier_wait(loop, &self->both->barrier, NULL));
    self->both->broken += rc == ASYNC_ECLOSED;
    async_end();
}

struct locked_alone {
    struct async_frame async;
    struct locked_by_both *both;
    int tried;
};

static async_status try_all(struct async_loop *loop, void *frame)
{
    struct locked_alone *self = (struct locked_alone *)frame;
    struct locked_by_both *both = self->both;

    async_begin(self);
    self->tried += async_try_acquire(loop, &both->semaphore) == ASYNC_DONE;
    self->tried += async_try_acquire(loop, &both->semaphore) == ASYNC_PENDING;
    self->tried += async_try_lock(loop, &both->mutex) == ASYNC_DONE;
    self->tried += async_try_read_lock(loop, &both->rwlock) == ASYNC_DONE;
    self->tried += async_try_write_lock(loop, &both->rwlock) == ASYNC_PENDING;
    async_read_unlock(loop, &both->rwlock);
    self->tried += async_try_write_lock(loop, &both->rwlock) == ASYNC_DONE;
    async_write_unlock(loop, &both->rwlock);
    async_unlock(loop, &both->mutex);
    async_release(loop, &both->semaphore);
    async_end();
}

/* All of it is static, so that no compiler asks for a memset. */
static int check_async_lock(void)
{
    static struct async_loop loop;
    static struct locked_by_both both;
    static struct locked_alone alone;
    static struct async_task task;
    async_time now = 1;
    int i;

    both.semaphore.permits = both.semaphore.bound = 1;
    both.barrier.parties = 2;
    for (i = 0; i < 2; i++) {
        both.frames[i].both = &both;
        async_spawn(&loop, &both.tasks[i], lock_all, &both.frames[i]);
    }
    while (async_alive(&loop))
        now = (async_time)(now + async_poll(&loop, now));
    for (i = 0; i < 2; i++)
        CHECK(async_task_outcome(&both.tasks[i]) == ASYNC_DONE);
    CHECK(both.met == 2 && both.lasts == 1 && both.broken == 1);
    CHECK(both.semaphore.permits == 1 && !both.mutex.owner);
    CHECK(!both.rwlock.readers && !both.rwlock.writer);
    CHECK(async_event_is_set(&both.event) && !both.barrier.waiting);
    async_event_clear(&loop, &both.event);
    CHECK(!async_event_is_set(&both.event));
    async_barrier_reset(&loop, &both.barrier);

    alone.both = &both;
    async_spawn(&loop, &task, try_all, &alone);
    (void)async_poll(&loop, now);
    CHECK(async_task_outcome(&task) == ASYNC_DONE && alone.tried == 6);
    return 0;
}

#ifdef ALONE /* gives an object file something to hold */
int check_alone(void);
int check_alone(void)
{
    return check_async_lock();
}
#endif
