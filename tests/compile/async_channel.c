/* Everything of async_channel.h, in C that is C++ too. check_async_channel() is
 * 0, or the line of what went wrong. */
#include "async_channel.h"

#ifndef CHECK
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return __LINE__;                                                   \
    } while (0)
#endif

struct point {
    short x, y;
};

struct points {
    struct async_channel async;
    struct point items[2];
};

struct walker {
    struct async_frame async;
    struct points *points;
    struct point point;
    int i, sum, rc;
};

static async_status walk(struct async_loop *loop, void *frame)
{
    struct walker *self = (struct walker *)frame;

    async_begin(self);
    for (self->i = 1; self->i <= 4; self->i++) {
        self->point.x = (short)self->i;
        async_await(async_channel_send(loop, self->points, &self->point));
    }
    async_channel_close(self->points);
    async_end();
}

static async_status follow(struct async_loop *loop, void *frame)
{
    struct walker *self = (struct walker *)frame;

    async_begin(self);
    for (;;) {
        async_catch(self->rc,
                    async_channel_receive(loop, self->points, &self->point));
        if (self->rc < 0)
            break;
        self->sum += self->point.x;
    }
    async_end();
}

static int check_async_channel(void)
{
    static struct async_loop loops[2];
    static struct points points;
    static struct walker walkers[2];
    static struct async_task tasks[2];
    struct point point = {0, 0};
    int i;

    CHECK(async_channel_try_receive(&points, &point) == ASYNC_PENDING);
    CHECK(async_channel_try_send(&points, &point) == ASYNC_DONE);
    CHECK(async_channel_count(&points) == 1);
    for (i = 0; i < 2; i++)
        walkers[i].points = &points;
    CHECK(async_spawn(&loops[0], &tasks[0], walk, &walkers[0]) == 0);
    CHECK(async_spawn(&loops[1], &tasks[1], follow, &walkers[1]) == 0);
    for (i = 0; i < 16; i++)
        (void)async_poll(&loops[i % 2], 0);
    CHECK(async_task_outcome(&tasks[0]) == ASYNC_DONE);
    CHECK(async_task_outcome(&tasks[1]) == ASYNC_DONE);
    CHECK(walkers[1].sum == 10 && walkers[1].rc == ASYNC_ECLOSED);
    return 0;
}
