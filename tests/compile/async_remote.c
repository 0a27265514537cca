/* Everything of async_remote.h, in C that is C++ too. check_async_remote() is
 * 0, or the line of what went wrong. */
#include "async_remote.h"

#include <pthread.h> /* somebody who drives the other loop */

#ifndef CHECK
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return __LINE__;                                                   \
    } while (0)
#endif

struct doubling_there {
    struct async_frame async;
    int value;
};

static async_status double_it_there(struct async_loop *loop, void *frame)
{
    struct doubling_there *self = (struct doubling_there *)frame;

    async_begin(self);
    async_await(async_yield_now(loop));
    self->value *= 2;
    async_end();
}

struct caller {
    struct async_frame async;
    struct async_remote call;
    struct async_loop *there;
    struct doubling_there doubling_there;
    int rc;
};

static async_status call_it(struct async_loop *loop, void *frame)
{
    struct caller *self = (struct caller *)frame;

    async_begin(self);
    if (async_spawn_on(self->there, &self->call, double_it_there,
                       &self->doubling_there) < 0)
        async_fail(ASYNC_EBUSY);
    async_cancel_on(&self->call);
    async_catch(self->rc, async_join_on(loop, &self->call));
    async_end();
}

struct blocked {
    struct async_loop loop;
    struct async_flag stop;
    struct doubling_there doubling_there;
    int status;
};

static void *block(void *arg)
{
    struct blocked *self = (struct blocked *)arg;
    struct async_remote call = ASYNC_ZERO_;

    self->status = async_run_on(&self->loop, &call, double_it_there,
                                &self->doubling_there, ASYNC_NO_TIMEOUT);
    async_flag_set(&self->loop, &self->stop);
    return NULL;
}

struct stopping {
    struct async_frame async;
    struct async_flag *stop;
};

static async_status wait_for_stop(struct async_loop *loop, void *frame)
{
    struct stopping *self = (struct stopping *)frame;

    async_begin(self);
    async_await(async_flag_wait(loop, self->stop));
    async_end();
}

static int check_async_remote(void)
{
    static struct async_loop loops[2];
    static struct async_task task;
    static struct caller caller;
    static struct blocked blocked;
    static struct stopping stopping;
    pthread_t thread;
    int i;

    caller.there = &loops[1];
    CHECK(async_spawn(&loops[0], &task, call_it, &caller) == 0);
    for (i = 0; i < 16; i++)
        (void)async_poll(&loops[i % 2], 0);
    CHECK(async_outcome_on(&caller.call) == ASYNC_ECANCELED);
    CHECK(async_task_outcome(&task) == ASYNC_DONE);
    CHECK(caller.rc == ASYNC_ECANCELED);

    blocked.doubling_there.value = 21;
    stopping.stop = &blocked.stop;
    CHECK(pthread_create(&thread, NULL, block, &blocked) == 0);
    CHECK(async_run(&blocked.loop, wait_for_stop, &stopping) == ASYNC_DONE);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(blocked.status == ASYNC_DONE && blocked.doubling_there.value == 42);
    return 0;
}
