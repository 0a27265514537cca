/* Everything of async_wrap.h, in C that is C++ too. check_async_wrap() is 0, or
 * the line of what went wrong. */
#include "async_wrap.h"

#ifndef CHECK
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return __LINE__;                                                   \
    } while (0)
#endif

struct wrapped_pair {
    long first, second;
};

static int wrapped_seven(void)
{
    return 7;
}

static struct wrapped_pair wrapped_swap(const struct wrapped_pair *pair)
{
    struct wrapped_pair swapped;

    swapped.first = pair->second;
    swapped.second = pair->first;
    return swapped;
}

static double wrapped_sum(char a, short b, int c, long d, float e, double f)
{
    return a + b + c + (double)d + (double)e + f;
}

static void wrapped_store(long *to, long value)
{
    *to = value;
}

static void wrapped_nothing(void)
{
}

ASYNC_WRAP(int, wrapped_seven)
ASYNC_WRAP(struct wrapped_pair, wrapped_swap, const struct wrapped_pair *, pair)
ASYNC_WRAP(double, wrapped_sum, char, a, short, b, int, c, long, d, float, e,
           double, f)
ASYNC_WRAP_VOID(wrapped_store, long *, to, long, value)
ASYNC_WRAP_VOID(wrapped_nothing)

struct wraps {
    struct async_frame async;
    struct async_executor executor;
    struct wrapped_seven_call seven;
    struct wrapped_swap_call swap;
    struct wrapped_sum_call sum;
    struct wrapped_store_call store;
    struct wrapped_nothing_call nothing;
    struct wrapped_pair pair;
    long stored;
};

static async_status wraps_run(struct async_loop *loop, void *frame)
{
    struct wraps *self = (struct wraps *)frame;
    struct async_executor *executor = &self->executor;

    async_begin(self);
    async_await(wrapped_seven_async(loop, executor, &self->seven));
    self->pair.first = 1;
    async_await(wrapped_swap_async(loop, executor, &self->swap, &self->pair));
    async_await(
        wrapped_sum_async(loop, executor, &self->sum, 1, 2, 3, 4, 5, 6));
    async_await(
        wrapped_store_async(loop, executor, &self->store, &self->stored, 5));
    wrapped_nothing_prepare(&self->nothing, executor);
    async_await(wrapped_nothing_task(loop, &self->nothing));
    async_end();
}

static int check_async_wrap(void)
{
    static struct async_loop loop;
    static struct wraps wraps;

    CHECK(async_executor_start(&wraps.executor, 2, 4) == 0);
    CHECK(async_run(&loop, wraps_run, &wraps) == ASYNC_DONE);
    async_executor_stop(&wraps.executor, ASYNC_STOP_DRAIN);
    CHECK(wraps.seven.result == 7 && wraps.stored == 5);
    CHECK(wraps.swap.result.second == 1 && wraps.swap.result.first == 0);
    CHECK(wraps.sum.result > 20.5 && wraps.sum.result < 21.5);
    CHECK(async_outcome(&wraps.nothing.async) == ASYNC_DONE);
    CHECK(!async_job_canceled(&wraps.seven.job));
    return 0;
}

#ifdef ALONE /* gives an object file something to hold */
int check_alone(void);
int check_alone(void)
{
    return check_async_wrap();
}
#endif
