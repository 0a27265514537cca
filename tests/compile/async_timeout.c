/* Everything of async_timeout.h, in C that is C++ too, on a host and on a
 * microcontroller. check_async_timeout() is 0, or the line that was wrong. */
#include "async_timeout.h"

#ifndef CHECK
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return __LINE__;                                                   \
    } while (0)
#endif

struct in_time {
    struct async_frame async;
    struct async_timer timer;
    async_time until;
    int first, second, third;
};

static async_status do_in_time(struct async_loop *loop, void *frame)
{
    struct in_time *self = (struct in_time *)frame;

    async_begin(self);
    async_catch(self->first,
                async_timeout(loop, &self->timer, 3, async_sleep_ms(loop, 9)));
    self->until = (async_time)(async_now(loop) + 3);
    async_catch(self->second, async_deadline(loop, &self->timer, self->until,
                                             async_sleep_ms(loop, 9)));
    async_catch(self->third, async_timeout(loop, &self->timer, ASYNC_NO_TIMEOUT,
                                           async_sleep_ms(loop, 99)));
    async_end();
}

/* All of it is static, so that no compiler asks for a memset. */
static int check_async_timeout(void)
{
    static struct async_loop loop;
    static struct async_task task;
    static struct in_time frame;
    async_time now = 1;

    CHECK(async_timeout_reset(&loop, &frame.timer, 5) == ASYNC_EINVAL);
    async_spawn(&loop, &task, do_in_time, &frame);
    while (!frame.second)
        async_poll(&loop, now++);
    CHECK(async_timeout_left(&loop, &frame.timer) == ASYNC_FOREVER);
    CHECK(async_timeout_reset(&loop, &frame.timer, 5) == 0);
    CHECK(async_timeout_left(&loop, &frame.timer) == async_ticks_(5));
    while (async_alive(&loop))
        now = (async_time)(now + async_poll(&loop, now));
    CHECK(async_task_outcome(&task) == ASYNC_DONE);
    CHECK(frame.first == ASYNC_ETIMEDOUT && frame.second == ASYNC_ETIMEDOUT);
    CHECK(frame.third == ASYNC_ETIMEDOUT && now < async_ticks_(20));
    return 0;
}

#ifdef ALONE /* gives an object file something to hold */
int check_alone(void);
int check_alone(void)
{
    return check_async_timeout();
}
#endif
