/* Everything of async_gather.h, in C that is C++ too, on a host and on a
 * microcontroller. check_async_gather() is 0, or the line that was wrong. */
#include "async_gather.h"

#ifndef CHECK
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return __LINE__;                                                   \
    } while (0)
#endif

struct doubling {
    struct async_frame async;
    int value;
};

static async_status double_later(struct async_loop *loop, void *frame)
{
    struct doubling *self = (struct doubling *)frame;

    async_begin(self);
    async_await(async_sleep_ms(loop, 3));
    self->value *= 2;
    async_end();
}

struct several {
    struct async_frame async;
    struct async_semaphore permits;
    struct async_batch batch, map;
    struct async_task *taken;
    size_t winner;
    struct async_timer timer;
    struct async_task tasks[2], workers[2];
    struct doubling pair[2], calls[3], racers[2], child;
    int rc;
};

static async_status do_several(struct async_loop *loop, void *frame)
{
    struct several *self = (struct several *)frame;

    async_begin(self);
    async_await(async_acquire(loop, &self->permits));
    async_spawn(loop, &self->tasks[0], double_later, &self->pair[0]);
    async_spawn(loop, &self->tasks[1], double_later, &self->pair[1]);
    async_await(async_gather(loop, &self->batch, self->tasks, 2));
    async_await(
        async_map(loop, &self->map, double_later, self->calls, self->workers));
    async_await(async_map_n(loop, &self->map, double_later, self->calls,
                            sizeof self->calls[0], 0, self->workers, 2));
    async_spawn(loop, &self->tasks[0], double_later, &self->racers[0]);
    async_spawn(loop, &self->tasks[1], double_later, &self->racers[1]);
    async_await(
        async_wait(loop, &self->batch, self->tasks, 2, ASYNC_FIRST_ERROR));
    async_await(
        async_wait(loop, &self->batch, self->tasks, 2, ASYNC_ALL_COMPLETED));
    async_await(
        async_wait(loop, &self->batch, self->tasks, 2, ASYNC_FIRST_COMPLETED));
    async_await(async_race(loop, &self->batch, self->tasks, 2));
    self->winner = self->batch.winner;
    async_await(
        async_as_completed(loop, &self->batch, self->tasks, 2, &self->taken));
    async_batch_cancel(loop, &self->batch);
    async_await(async_batch_end(loop, &self->batch));
    async_catch(self->rc, async_timeout(loop, &self->timer, 2,
                                        double_later(loop, &self->child)));
    async_finally();
    async_release(loop, &self->permits);
    async_end();
}

/* All of it is static, so that no compiler asks for a memset. */
static int check_async_gather(void)
{
    static struct async_loop loop;
    static struct async_task task;
    static struct several several;
    async_time now = 1;
    int i;

    several.permits.permits = 1;
    for (i = 0; i < 3; i++)
        several.calls[i].value = i;
    several.pair[1].value = 21;
    async_spawn(&loop, &task, do_several, &several);
    while (async_alive(&loop))
        now = (async_time)(now + async_poll(&loop, now));
    CHECK(async_task_outcome(&task) == ASYNC_DONE);
    CHECK(several.pair[1].value == 42 && several.calls[2].value == 4);
    CHECK(several.winner == 0 && several.taken == &several.tasks[0]);
    CHECK(several.rc == ASYNC_ETIMEDOUT && several.permits.permits == 1);
    return 0;
}

#ifdef ALONE /* gives an object file something to hold */
int check_alone(void);
int check_alone(void)
{
    return check_async_gather();
}
#endif
