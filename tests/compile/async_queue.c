/* Everything of async_queue.h, in C that is C++ too, on a host and on a
 * microcontroller. check_async_queue() is 0, or the line that was wrong. */
#include "async_queue.h"

#ifndef CHECK
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return __LINE__;                                                   \
    } while (0)
#endif

struct reading {
    int16_t value;
    uint8_t channel;
};

struct readings {
    struct async_queue async;
    struct reading items[3];
};

struct letters {
    struct async_broadcast async;
    char items[4];
};

struct sensor {
    struct async_frame async;
    struct readings *to;
    struct letters *letters;
    struct reading reading;
};

static async_status measure(struct async_loop *loop, void *frame)
{
    struct sensor *self = (struct sensor *)frame;

    async_begin(self);
    for (; self->reading.value < 8; self->reading.value++)
        async_await(async_put(loop, self->to, &self->reading));
    async_queue_close(loop, self->to);
    (void)async_publish(loop, self->letters, "z");
    async_broadcast_close(loop, self->letters);
    async_end();
}

struct collector {
    struct async_frame async;
    struct readings *from;
    struct reading reading;
    int sum, rc;
};

static async_status collect(struct async_loop *loop, void *frame)
{
    struct collector *self = (struct collector *)frame;

    async_begin(self);
    for (;;) {
        async_catch(self->rc, async_get(loop, self->from, &self->reading));
        if (self->rc < 0)
            break;
        self->sum += self->reading.value;
        async_queue_task_done(loop, self->from);
    }
    async_await(async_queue_join(loop, self->from));
    async_end();
}

struct hearer {
    struct async_frame async;
    struct letters *letters;
    struct async_subscriber subscriber;
    char heard, last;
    int rc;
};

static async_status hear_all(struct async_loop *loop, void *frame)
{
    struct hearer *self = (struct hearer *)frame;

    async_begin(self);
    async_subscribe(loop, self->letters, &self->subscriber);
    for (self->rc = 0; self->rc >= 0;) {
        async_catch(self->rc, async_receive(loop, self->letters,
                                            &self->subscriber, &self->heard));
        if (self->rc > 0)
            self->last = self->heard;
    }
    async_end();
}

static int is_less(const void *a, const void *b)
{
    return ((const struct reading *)a)->value <
           ((const struct reading *)b)->value;
}

/* All of it is static, so that no compiler asks for a memset. */
static int check_async_queue(void)
{
    static struct async_loop loop;
    static struct async_task tasks[3];
    static struct readings readings, ordered, stack;
    static struct letters letters;
    static struct sensor sensor;
    static struct collector collector;
    static struct hearer hearer;
    static struct reading reading;
    static const struct reading high = {9, 1}, low = {-9, 2};
    async_time now = 1;

    sensor.to = collector.from = &readings;
    sensor.letters = hearer.letters = &letters;
    async_spawn(&loop, &tasks[0], hear_all, &hearer);
    async_spawn(&loop, &tasks[1], measure, &sensor);
    async_spawn(&loop, &tasks[2], collect, &collector);
    while (async_alive(&loop))
        now = (async_time)(now + async_poll(&loop, now));
    CHECK(async_task_outcome(&tasks[1]) == ASYNC_DONE);
    CHECK(async_task_outcome(&tasks[2]) == ASYNC_DONE);
    CHECK(collector.rc == ASYNC_ECLOSED && collector.sum == 28);
    CHECK(hearer.last == 'z' && hearer.subscriber.missed == 0);

    ordered.async.before = is_less;
    stack.async.lifo = 1;
    CHECK(async_try_put(&loop, &ordered, &high) == ASYNC_DONE);
    CHECK(async_try_put(&loop, &ordered, &low) == ASYNC_DONE);
    CHECK(async_try_put(&loop, &stack, &high) == ASYNC_DONE);
    CHECK(async_try_put(&loop, &stack, &low) == ASYNC_DONE);
    CHECK(async_try_get(&loop, &ordered, &reading) == ASYNC_DONE);
    CHECK(reading.value == -9 && reading.channel == 2);
    CHECK(async_queue_count(&stack) == 2);
    CHECK(async_try_get(&loop, &stack, &reading) == ASYNC_DONE);
    CHECK(reading.value == -9);
    async_queue_close_now(&loop, &stack);
    CHECK(async_try_get(&loop, &stack, &reading) == ASYNC_ECLOSED);
    return 0;
}

#ifdef ALONE /* gives an object file something to hold */
int check_alone(void);
int check_alone(void)
{
    return check_async_queue();
}
#endif
