/* Everything of async_thread_actor.h, in C that is C++ too.
 * check_async_thread_actor() is 0, or the line of what went wrong. */
#include "async_thread_actor.h"

#ifndef CHECK
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return __LINE__;                                                   \
    } while (0)
#endif

struct tally {
    struct async_thread_actor actor;
    int value;
};

static int tally_add(struct tally *tally, int by)
{
    return tally->value += by;
}

static void tally_clear(struct tally *tally)
{
    tally->value = 0;
}

ASYNC_WRAP_METHOD(int, tally_add, struct tally *, tally, int, by)
ASYNC_WRAP_METHOD_VOID(tally_clear, struct tally *, tally)

static int tally_double(struct async_job *job, void *arg)
{
    struct tally *tally = (struct tally *)arg;

    if (!async_job_canceled(job))
        tally->value *= 2;
    return 0;
}

struct tallies {
    struct async_frame async;
    struct tally tally;
    struct tally_add_call add;
    struct tally_clear_call clear;
    struct async_thread_actor_call call, dropped;
    int rc, closed;
};

static async_status tallies_run(struct async_loop *loop, void *frame)
{
    struct tallies *self = (struct tallies *)frame;
    struct async_thread_actor *actor = &self->tally.actor;

    async_begin(self);
    async_await(tally_clear_async(loop, actor, &self->clear, &self->tally));
    async_await(tally_add_async(loop, actor, &self->add, &self->tally, 2));
    if (tally_add_send(loop, actor, &self->add, &self->tally, 1) < 0)
        async_fail(ASYNC_EINVAL);
    async_await(async_thread_actor_result(loop, &self->add.call));
    async_await(async_thread_actor_call(loop, actor, &self->call, tally_double,
                                        &self->tally));
    if (async_thread_actor_limit(loop, actor, 2) < 0 ||
        async_thread_actor_send(loop, actor, &self->call, tally_double,
                                &self->tally) < 0 ||
        async_thread_actor_queued(actor) + async_thread_actor_running(actor) !=
            1)
        async_fail(ASYNC_EINVAL);
    async_await(async_thread_actor_drain(loop, actor));
    async_thread_actor_cancel(loop, &self->call); /* it has ended */
    async_await(async_thread_actor_shutdown(loop, actor));
    self->closed = async_thread_actor_send(loop, actor, &self->dropped,
                                           tally_double, &self->tally);
    async_end();
}

static int check_async_thread_actor(void)
{
    static struct async_loop loop;
    static struct tallies tallies;

    CHECK(async_thread_actor_start(&tallies.tally.actor, 1) == 0);
    CHECK(async_run(&loop, tallies_run, &tallies) == ASYNC_DONE);
    CHECK(tallies.tally.value == 12 && tallies.add.result == 3);
    CHECK(tallies.closed == ASYNC_ECLOSED);
    return 0;
}

#ifdef ALONE /* gives an object file something to hold */
int check_alone(void);
int check_alone(void)
{
    return check_async_thread_actor();
}
#endif
