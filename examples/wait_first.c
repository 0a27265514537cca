/* wait_first.c: several results to come, taken in the order in which they do:
 * the program waits for the first, says which are there and which are not, and
 * waits for the first of the rest. A future is set once, so whoever is second
 * is refused and does no harm.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. wait_first.c -o wait_first
 *
 * prints
 *
 *     ready: b      not ready: a c
 *     ready: b c    not ready: a
 *     ready: b c a  not ready:
 */
#include <stdio.h>
#include <string.h>

#include "async_future.h"

enum { COUNT = 3 };

/* What ends elsewhere: here a timer's callback, as a device's might. */
struct result {
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

struct program;

/* Waits for one of them. */
struct watcher {
    struct async_frame async;
    struct program *program;
    struct result result;
    struct async_task task;
};

struct program {
    struct async_frame async;
    struct async_future first; /* one more is there */
    struct watcher watchers[COUNT];
    char ready[COUNT * 2 + 1]; /* their names, in order */
};

static async watcher(struct async_loop *loop, void *frame)
{
    struct watcher *self = frame;

    async_begin(self);
    await(async_future_wait(loop, &self->result.future));
    strcat(self->program->ready, " ");
    strcat(self->program->ready, self->result.name);
    async_future_set(loop, &self->program->first, ASYNC_DONE);
    async_end();
}

static int is_ready(const struct program *self, int i)
{
    return strstr(self->ready, self->watchers[i].result.name) != NULL;
}

static async program(struct async_loop *loop, void *frame)
{
    struct program *self = frame;

    async_begin(self);
    for (int i = 0; i < COUNT; i++) {
        struct result *result = &self->watchers[i].result;

        self->watchers[i].program = self;
        async_spawn(loop, &self->watchers[i].task, watcher, &self->watchers[i]);
        async_timer_start(loop, &result->timer, result->ticks, result_is_there,
                          result);
    }
    while (strlen(self->ready) < COUNT * 2) {
        await(async_future_wait(loop, &self->first));
        self->first = (struct async_future){0}; /* for the next one */
        printf("ready:%-*s  not ready:", COUNT * 2, self->ready);
        for (int i = 0; i < COUNT; i++)
            if (!is_ready(self, i))
                printf(" %s", self->watchers[i].result.name);
        printf("\n");
    }
    async_end();
}

int main(void)
{
    struct async_loop loop = {0};
    struct program frame = {
        .watchers = {{.result = {.name = "a", .ticks = 150}},
                     {.result = {.name = "b", .ticks = 50}},
                     {.result = {.name = "c", .ticks = 100}}},
    };

    return async_run(&loop, program, &frame) < 0;
}
