/* Everything of async_retry.h, in C that is C++ too, on a host and on a
 * microcontroller. check_async_retry() is 0, or the line that was wrong. */
#include "async_retry.h"

#ifndef CHECK
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return __LINE__;                                                   \
    } while (0)
#endif

struct trying {
    struct async_frame async;
    struct async_retry retry;
    struct async_rate rate;
    int tried, rc;
};

static async_status do_trying(struct async_loop *loop, void *frame)
{
    struct trying *self = (struct trying *)frame;

    async_begin(self);
    do {
        async_await(async_rate_wait(loop, &self->rate));
        self->rc = ++self->tried < 3 ? ASYNC_EFULL : ASYNC_DONE;
        async_await(async_retry_wait(loop, &self->retry, self->rc));
    } while (self->rc < 0);
    async_retry_reset(&self->retry);
    async_end();
}

/* All of it is static, so that no compiler asks for a memset. */
static int check_async_retry(void)
{
    static struct async_loop loop;
    static struct async_task task;
    static struct trying frame;
    async_time now = 1;

    frame.retry.tries = 5;
    frame.retry.first_ms = 2;
    frame.retry.max_ms = 9;
    frame.retry.seed = 1;
    frame.rate.count = 2;
    frame.rate.ms = 20;
    frame.rate.burst = 1;
    async_spawn(&loop, &task, do_trying, &frame);
    while (async_alive(&loop))
        now = (async_time)(now + async_poll(&loop, now));
    CHECK(async_task_outcome(&task) == ASYNC_DONE);
    CHECK(frame.tried == 3);
    return 0;
}

#ifdef ALONE /* gives an object file something to hold */
int check_alone(void);
int check_alone(void)
{
    return check_async_retry();
}
#endif
