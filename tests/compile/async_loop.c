/* Every function of async_loop.h, in C that is C++ too, on a host and on a
 * microcontroller. check_async_loop() is 0, or the line of what went wrong. */
#include "async_loop.h"

#ifndef CHECK
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return __LINE__;                                                   \
    } while (0)
#endif

struct sleeper {
    struct async_frame async;
    struct async_flag flag;
    struct async_task child_task;
    struct async_frame child, blank;
    struct async_call_frame call;
    struct async_ticker ticker;
    int ready, step, rc;
};

static async_status quit(struct async_loop *loop, void *frame)
{
    struct quitter {
        struct async_frame async;
    } *self = (struct quitter *)frame;

    async_begin(self);
    async_await(async_sleep_ms(loop, 1));
    async_fail(ASYNC_ECLOSED);
    async_end();
}

static async_status sleep_a_lot(struct async_loop *loop, void *frame)
{
    struct sleeper *self = (struct sleeper *)frame;

    async_begin(self);
    async_await(async_yield_now(loop));
    async_await(async_sleep_ms(loop, 2));
    async_await(async_sleep_until(loop, (async_time)(async_now(loop) + 2)));
    self->step = 1;
    async_await(async_until(loop, self->ready));
    self->step = 2;
    async_await(async_flag_wait(loop, &self->flag));
    self->step = 3;
    async_spawn(loop, &self->child_task, quit, &self->child);
    async_catch(self->rc, async_join(loop, &self->child_task));
    self->step = 4;
    self->child = self->blank;
    self->ticker.late = ASYNC_DELAY;
    async_catch(self->rc, async_call(loop, &self->call, quit, &self->child));
    async_await(async_every(loop, &self->ticker, 2));
    self->step = 5;
    async_await(async_sleep_ms(loop, 100));
    async_end();
}

static void add_one(struct async_loop *loop, struct async_timer *timer)
{
    (void)loop;
    ++*(int *)timer->arg;
}

static void count_notify(void *arg)
{
    ++*(int *)arg;
}

static void forget(struct async_loop *loop, struct async_task *task,
                   async_status error)
{
    (void)loop;
    (void)task;
    (void)error;
}

#if defined(__unix__) && __STDC_HOSTED__
struct files {
    struct async_frame async;
    int rc;
};

static async_status wait_for_files(struct async_loop *loop, void *frame)
{
    struct files *self = (struct files *)frame;

    async_begin(self);
    async_catch(self->rc, async_writable(loop, 1));
    if (self->rc < -1000) /* never: a terminal would be read from */
        async_await(async_readable(loop, 0));
    async_end();
}

static int check_async_run(void)
{
    static struct async_loop loop;
    static struct files files;

    CHECK(async_run(&loop, wait_for_files, &files) == ASYNC_DONE);
    async_ready(&loop, 0, ASYNC_READABLE | ASYNC_WRITABLE);
    (void)async_clock_now();
    CHECK(async_poll_ms(&loop) == -1);
    return 0;
}
#endif

/* All of it is static, so that no compiler asks for a memset. */
static int check_async_loop(void)
{
    static struct async_loop loop;
    static struct async_task task;
    static struct async_timer timer;
    static struct async_host host;
    static struct sleeper sleeper;
    static int notified, fired;
    async_fn *fn = sleep_a_lot;
    async_time now = 5, ticks;

    async_loop_init(&loop);
    host.notify = count_notify;
    host.arg = &notified;
    async_attach(&loop, &host);
    async_poll(&loop, now);

    async_timer_start(&loop, &timer, 1, add_one, &fired);
    async_timer_stop(&loop, &timer);
    async_timer_start(&loop, &timer, 4, add_one, &fired);
    CHECK(async_spawn(&loop, &task, fn, &sleeper) == 0);
    CHECK(notified > 0 && async_alive(&loop) == 1);
    CHECK(async_current(&loop) == NULL && !async_stuck(&loop));
    do {
        ticks = async_poll(&loop, now);
        now = (async_time)(now + ticks);
    } while (!sleeper.step);
    CHECK(async_now(&loop) >= 9 && fired == 1);
    CHECK(async_poll(&loop, now) == ASYNC_POLL_TICKS && sleeper.step == 1);
    CHECK(async_looks(&loop) > 0);
    sleeper.ready = 1;
    CHECK(async_poll(&loop, now) == ASYNC_FOREVER && sleeper.step == 2);
    async_wake(&loop);
    async_poll(&loop, now);
    async_flag_clear(&sleeper.flag);
    async_flag_set(&loop, &sleeper.flag);
    while (sleeper.step < 5)
        now = (async_time)(now + async_poll(&loop, now));
    CHECK(sleeper.rc == ASYNC_ECLOSED);
    now = async_now(&loop);
    CHECK(async_simulate(&loop, now, 3) == (async_time)(now + 3));
    async_cancel(&loop, &task);
    async_poll(&loop, async_now(&loop));
    CHECK(async_task_outcome(&task) == ASYNC_ECANCELED);
    loop.unhandled = forget;
    CHECK(async_unjoined(&loop) == ASYNC_ECANCELED);
    CHECK(async_unjoined(&loop) == 0);
    CHECK(ASYNC_MAX_TICKS < ASYNC_FOREVER);
    async_attach(&loop, NULL);
    CHECK(async_loop_end(&loop) == 0);
#if defined(__unix__) && __STDC_HOSTED__
    return check_async_run();
#else
    return 0;
#endif
}

#ifdef ALONE /* gives an object file something to hold */
int check_alone(void);
int check_alone(void)
{
    return check_async_loop();
}
#endif
