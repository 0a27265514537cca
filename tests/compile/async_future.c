/* Everything of async_future.h, in C that is C++ too. check_async_future() is
 * 0, or the line of what went wrong. */
#include "async_future.h"

#ifndef CHECK
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return __LINE__;                                                   \
    } while (0)
#endif

struct sensed {
    struct async_future future;
    int value;
};

struct reader {
    struct async_frame async;
    struct sensed *reading;
    int rc;
};

static async_status sense_it(struct async_loop *loop, void *frame)
{
    struct reader *self = (struct reader *)frame;

    async_begin(self);
    async_catch(self->rc, async_future_wait(loop, &self->reading->future));
    async_end();
}

static int stop_reading(struct async_loop *loop, struct async_future *future)
{
    (void)loop;
    ((struct sensed *)(void *)future)->value = -1;
    return 0;
}

static int check_async_future(void)
{
    static struct async_loop loop;
    static struct sensed readings[2];
    static struct reader readers[2];
    static struct async_task tasks[2];
    int i;

    for (i = 0; i < 2; i++) {
        readings[i].future.cancel = stop_reading;
        readers[i].reading = &readings[i];
        CHECK(async_spawn(&loop, &tasks[i], sense_it, &readers[i]) == 0);
    }
    (void)async_poll(&loop, 0);
    CHECK(async_future_outcome(&readings[0].future) == ASYNC_PENDING);
    CHECK(async_future_claim(&readings[0].future) == 0);
    readings[0].value = 7;
    async_future_settle(&loop, &readings[0].future, ASYNC_DONE);
    CHECK(async_future_set(&loop, &readings[0].future, ASYNC_EINVAL) ==
          ASYNC_EBUSY);
    CHECK(async_future_cancel(&loop, &readings[0].future) == ASYNC_EBUSY);
    CHECK(async_future_cancel(&loop, &readings[1].future) == 0);
    while (async_poll(&loop, 0) == 0)
        ;
    CHECK(readers[0].rc == ASYNC_DONE && readings[0].value == 7);
    CHECK(readers[1].rc == ASYNC_ECANCELED && readings[1].value == -1);
    CHECK(async_future_outcome(&readings[0].future) == ASYNC_DONE);
    return 0;
}

#ifdef ALONE /* where it is the only one: an interrupt, and what polls */
extern struct async_loop station;
extern struct sensed sensor;
void sensor_interrupt(int value);
int station_poll(async_time now);

struct async_loop station;
struct sensed sensor;

void sensor_interrupt(int value)
{
    if (async_future_claim(&sensor.future) < 0)
        return;
    sensor.value = value;
    async_future_settle(&station, &sensor.future, ASYNC_DONE);
}

int station_poll(async_time now)
{
    (void)async_poll(&station, now);
    return check_async_future();
}
#endif
