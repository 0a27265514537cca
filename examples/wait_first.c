/* wait_first.c: several results to come from elsewhere. The program waits until
 * the first is there, says which are and which are not, and then waits for all;
 * nothing is canceled. Each result is a future that a callback sets.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. wait_first.c -o wait_first
 *
 * prints
 *
 *     ready: b
 *     not ready: a c
 *     ready: a b c
 */
#include <stdio.h>

#include "async_future.h"
#include "async_gather.h"

enum { COUNT = 3 };

/* What ends elsewhere: here a timer's callback, as a device's might. */
struct result {
    struct async_frame async;
    struct async_future future;
    struct async_timer timer;
    const char *name;
    async_time ticks; /* of a thousandth of a second */
};

static void result_is_there(struct async_loop *loop, struct async_timer *timer)
{
    struct result *result = timer->arg;

    async_future_set(loop, &result->future, ASYNC_DONE);
}

/* A task that waits for one of them. */
static async result(struct async_loop *loop, void *frame)
{
    struct result *self = frame;

    async_begin(self);
    await(async_future_wait(loop, &self->future));
    async_end();
}

struct program {
    struct async_frame async;
    struct result results[COUNT];
    struct async_task tasks[COUNT];
    struct async_batch batch;
};

/* The names of those that are ready, or are not. */
static void print(const struct program *self, const char *title, int ready)
{
    printf("%s", title);
    for (int i = 0; i < COUNT; i++)
        if ((async_task_outcome(&self->tasks[i]) != ASYNC_PENDING) == ready)
            printf(" %s", self->results[i].name);
    printf("\n");
}

static async program(struct async_loop *loop, void *frame)
{
    struct program *self = frame;

    async_begin(self);
    for (int i = 0; i < COUNT; i++) {
        struct result *to_come = &self->results[i];

        async_spawn(loop, &self->tasks[i], result, to_come);
        async_timer_start(loop, &to_come->timer, to_come->ticks,
                          result_is_there, to_come);
    }
    await(async_wait(loop, &self->batch, self->tasks, COUNT,
                     ASYNC_FIRST_COMPLETED));
    print(self, "ready:", 1);
    print(self, "not ready:", 0);
    await(async_wait(loop, &self->batch, self->tasks, COUNT,
                     ASYNC_ALL_COMPLETED));
    print(self, "ready:", 1);
    async_end();
}

int main(void)
{
    struct async_loop loop = {0};
    struct program frame = {
        .results = {{.name = "a", .ticks = 150},
                    {.name = "b", .ticks = 50},
                    {.name = "c", .ticks = 100}},
    };

    return async_run(&loop, program, &frame) < 0;
}
