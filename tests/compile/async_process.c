/* Everything of async_process.h, in C that is C++ too. check_async_process()
 * is 0, or the line of what went wrong. */
#include "async_process.h"

#ifndef CHECK
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return __LINE__;                                                   \
    } while (0)
#endif

struct programs {
    struct async_frame async;
    struct async_process process;
    char text[8];
    size_t count;
    int rc;
};

static async_status run_programs(struct async_loop *loop, void *frame)
{
    struct programs *self = (struct programs *)frame;
    static char cat[] = "cat", sleep[] = "sleep", time[] = "100";
    static char *const cats[] = {cat, NULL};
    static char *const sleeps[] = {sleep, time, NULL};

    async_begin(self);
    self->rc = async_process_start(loop, &self->process, cats,
                                   ASYNC_STDIN_PIPE | ASYNC_STDOUT_PIPE |
                                       ASYNC_STDERR_TO_STDOUT);
    if (self->rc < 0)
        async_fail(self->rc);
    async_await(async_write(loop, self->process.in, "abc", 3, &self->count));
    async_close(&self->process.in);
    async_await(async_read(loop, self->process.out, self->text,
                           sizeof self->text, &self->count));
    async_await(async_process_wait(loop, &self->process));
    async_await(async_process_end(loop, &self->process));
    if (self->count != 3 || self->text[2] != 'c' || self->process.exit_code)
        async_fail(ASYNC_EINVAL);
    self->process.grace_ms = 5000;
    self->rc = async_process_start(loop, &self->process, sleeps,
                                   ASYNC_STDIN_NULL | ASYNC_STDOUT_NULL |
                                       ASYNC_STDERR_NULL | ASYNC_NEW_GROUP);
    if (self->rc < 0)
        async_fail(self->rc);
    self->rc = async_process_kill(&self->process, SIGKILL);
    async_await(async_process_wait(loop, &self->process));
    async_end();
}

static int check_async_process(void)
{
    static struct async_loop loop;
    static struct programs frame;

    CHECK(async_run(&loop, run_programs, &frame) == ASYNC_DONE);
    CHECK(frame.rc == 0 && frame.process.signal == SIGKILL);
    CHECK(frame.process.pid > 0 && frame.process.err == -1);
    CHECK(ASYNC_EKILLED != ASYNC_EEXITED && ASYNC_STDERR_PIPE > 0);
    return 0;
}

#ifdef ALONE /* gives an object file something to hold */
int check_alone(void);
int check_alone(void)
{
    return check_async_process();
}
#endif
