/* Everything of async_group.h, in C that is C++ too, on a host and on a
 * microcontroller. check_async_group() is 0, or the line that was wrong. */
#include "async_group.h"

#ifndef CHECK
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return __LINE__;                                                   \
    } while (0)
#endif

struct adding {
    struct async_frame async;
    int *sum;
    int by;
};

static async_status add_later(struct async_loop *loop, void *frame)
{
    struct adding *self = (struct adding *)frame;

    async_begin(self);
    async_await(async_sleep_ms(loop, (uint32_t)self->by));
    *self->sum += self->by;
    async_end();
}

struct grouped {
    struct async_frame async;
    struct async_group group, others;
    struct async_member members[2];
    struct adding adding[2], body;
    int sum, rc, refused;
};

static async_status do_grouped(struct async_loop *loop, void *frame)
{
    struct grouped *self = (struct grouped *)frame;
    int i;

    async_begin(self);
    for (i = 0; i < 2; i++) {
        self->adding[i].sum = &self->sum;
        self->adding[i].by = i + 1;
        (void)async_group_spawn(loop, &self->group, &self->members[i],
                                add_later, &self->adding[i]);
    }
    self->body.sum = &self->sum;
    self->body.by = 4;
    async_await(async_group(loop, &self->group, add_later(loop, &self->body)));
    self->others.collect = 1;
    (void)async_group_spawn(loop, &self->others, &self->members[0], add_later,
                            &self->body);
    async_group_cancel(loop, &self->others);
    self->refused = async_group_spawn(loop, &self->others, &self->members[1],
                                      add_later, &self->body);
    async_await(async_shield(loop, async_group_wait(loop, &self->others)));
    self->sum += 8;
    async_end();
}

/* All of it is static, so that no compiler asks for a memset. */
static int check_async_group(void)
{
    static struct async_loop loop;
    static struct async_task task;
    static struct grouped grouped;
    async_time now = 1;

    async_spawn(&loop, &task, do_grouped, &grouped);
    while (async_alive(&loop))
        now = (async_time)(now + async_poll(&loop, now));
    CHECK(async_task_outcome(&task) == ASYNC_DONE);
    CHECK(grouped.sum == 15 && grouped.refused == ASYNC_ECLOSED);
    return 0;
}

#ifdef ALONE /* gives an object file something to hold */
int check_alone(void);
int check_alone(void)
{
    return check_async_group();
}
#endif
