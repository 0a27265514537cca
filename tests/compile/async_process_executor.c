/* Everything of async_process_executor.h, in C that is C++ too.
 * check_async_process_executor() is 0, or the line of what went wrong. */
#include "async_process_executor.h"

#ifndef CHECK
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return __LINE__;                                                   \
    } while (0)
#endif

static int square_in_child(void *arg, void *result)
{
    const int *number = (const int *)arg;

    if (*number < 0)
        _exit(3);
    *(long *)result = (long)*number * *number;
    return 0;
}

struct children {
    struct async_frame async;
    struct async_process_executor executor;
    struct async_process_job job;
    int number, rc;
    long square;
};

static async_status run_children(struct async_loop *loop, void *frame)
{
    struct children *self = (struct children *)frame;
    async_process_fn *const fn = square_in_child;

    async_begin(self);
    self->number = 12;
    async_await(async_process_offload(loop, &self->executor, &self->job, fn,
                                      &self->number, &self->square,
                                      sizeof self->square));
    if (self->square != 144)
        async_fail(ASYNC_EINVAL);
    self->number = -1;
    async_catch(self->rc,
                async_process_offload(loop, &self->executor, &self->job, fn,
                                      &self->number, &self->square,
                                      sizeof self->square));
    async_end();
}

static int check_async_process_executor(void)
{
    static struct async_loop loop;
    static struct children frame;

    frame.executor.limit = 1;
    frame.executor.grace_ms = 100;
    frame.executor.keep_descriptors = 1;
    CHECK(async_run(&loop, run_children, &frame) == ASYNC_DONE);
    CHECK(frame.rc == ASYNC_EEXITED && frame.job.exit_code == 3);
    CHECK(frame.job.signal == 0 && frame.square == 0);
    CHECK(frame.executor.running == 0 && frame.executor.queued == 0);
    return 0;
}

#ifdef ALONE /* gives an object file something to hold */
int check_alone(void);
int check_alone(void)
{
    return check_async_process_executor();
}
#endif
