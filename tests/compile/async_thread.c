/* Everything of async_thread.h, in C that is C++ too. check_async_thread() is
 * 0, or the line of what went wrong. */
#include "async_thread.h"

#ifndef CHECK
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return __LINE__;                                                   \
    } while (0)
#endif

static int add_up(struct async_job *job, void *arg)
{
    long *sum = (long *)arg;
    int i;

    for (i = 1; i <= 4 && !async_job_canceled(job); i++)
        *sum += i;
    return 0;
}

struct offloads {
    struct async_frame async;
    struct async_executor executor;
    struct async_job job;
    long sum;
    int rc;
};

static async_status offload(struct async_loop *loop, void *frame)
{
    struct offloads *self = (struct offloads *)frame;
    async_job_fn *const fn = add_up;

    async_begin(self);
    async_await(
        async_offload(loop, &self->executor, &self->job, fn, &self->sum));
    async_executor_stop(&self->executor, ASYNC_STOP_DRAIN);
    async_catch(self->rc, async_offload(loop, &self->executor, &self->job,
                                        add_up, &self->sum));
    async_end();
}

static void a_thread_is_here(struct async_executor *executor)
{
    executor->arg = executor;
}

static int posts_made;

static void count_post(struct async_loop *loop, struct async_post *post)
{
    (void)loop;
    posts_made += post->next_ == NULL;
}

static int check_async_thread(void)
{
    static struct async_post post;
    static struct async_loop loop;
    static struct offloads offloads;
    static struct async_executor unused;
    struct async_executor_counts counts;
    struct async_job *stuck = NULL;

    unused.name = "unused";
    unused.stack_bytes = 1 << 16;
    unused.idle_ms = UINT32_MAX;
    unused.spin = 1;
    unused.started = a_thread_is_here;
    unused.stopping = NULL;
    CHECK(async_executor_start(&unused, 0, 0) == 0);
    CHECK(async_executor_limit(&unused, 1) == 0);
    counts = async_executor_count(&unused);
    CHECK(counts.threads == 0 && counts.limit == 1 && counts.running == 0);
    CHECK(counts.queued == 0 && counts.done == 0 && counts.canceled == 0);
    CHECK(counts.oldest == 0 && unused.arg == NULL);
    CHECK(async_executor_stop_within(&unused, ASYNC_STOP_CANCEL, 1, &stuck) ==
              0 &&
          !stuck);
    offloads.job.name = "a sum";
    CHECK(async_executor_start(&offloads.executor, 2, 4) == 0);
    CHECK(async_run(&loop, offload, &offloads) == ASYNC_DONE);
    CHECK(offloads.sum == 10 && offloads.rc == ASYNC_ECLOSED);
    async_post_send(&loop, &post, count_post);
    CHECK(async_poll(&loop, 0) == ASYNC_FOREVER && posts_made == 1);
    return 0;
}

#ifdef ALONE /* gives an object file something to hold */
int check_alone(void);
int check_alone(void)
{
    return check_async_thread();
}
#endif
