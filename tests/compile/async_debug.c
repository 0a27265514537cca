/* Every function of async_debug.h, in C that is C++ too, on a host and on a
 * microcontroller, where what is said would go to a serial line.
 * check_async_debug() is 0, or the line of what went wrong. */
#include "async_debug.h"

#ifndef CHECK
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return __LINE__;                                                   \
    } while (0)
#endif

struct debugged {
    struct async_frame async;
    struct async_flag flag;
};

static async_status waits_for_flag(struct async_loop *loop, void *frame)
{
    struct debugged *self = (struct debugged *)frame;

    async_begin(self);
    async_await(async_flag_wait(loop, &self->flag));
    async_end();
}

static void count_said(void *arg, const char *text)
{
    *(int *)arg += text[0] != '\0';
}

static async_time debug_clock(void)
{
    return 0;
}

static int check_async_debug(void)
{
    static struct async_loop loop;
    static struct async_task task;
    static struct debugged frame;
    static struct async_debug debug;
    static int said;
    async_say_fn *say = count_said;
    struct async_probe *probe;

    async_loop_init(&loop);
    said = 0;
    debug.say = say;
    debug.arg = &said;
    debug.clock = debug_clock;
    debug.shuffle = 1;
    async_debug_start(&loop, &debug);
    probe = loop.probe;
    CHECK(probe && said > 0);
    async_spawn(&loop, &task, waits_for_flag, &frame);
    async_poll(&loop, 0);
    CHECK(!async_stuck(&loop));
#ifdef ASYNC_DEBUG
    CHECK(debug.steps == 1);
#ifndef ASYNC_USE_LABELS
    CHECK(async_frame_line(&frame.async) > 0);
#endif
#else
    CHECK(async_frame_line(&frame.async) == 0);
#endif
    said = 0;
    async_dump_task(&loop, &task, say, &said);
    CHECK(said == 1);
#if ASYNC_TASK_LIST
    async_dump(&loop, say, &said);
    CHECK(said == 2);
    CHECK(async_loop_check(&loop) == NULL);
    CHECK(async_sweep(&loop, say, &said) == 0);
#endif
    async_debug_stop(&loop);
    async_flag_set(&loop, &frame.flag);
    async_poll(&loop, 0);
    CHECK(async_alive(&loop) == 0);
    return 0;
}

#ifdef ALONE /* gives an object file something to hold */
int check_alone(void);
int check_alone(void)
{
    return check_async_debug();
}
#endif
