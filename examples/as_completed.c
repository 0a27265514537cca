/* as_completed.c: four downloads at once, each handled when it is there; one of
 * them fails, and what is too slow is given up.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. as_completed.c -o as_completed
 *
 * prints
 *
 *     b: 2000 bytes
 *     d: no such file
 *     a: 1000 bytes
 *     c: given up
 */
#include <stdio.h>

#include "async_gather.h"

enum { NO_SUCH_FILE = -2 };

struct download {
    struct async_frame async;
    char name;
    uint32_t ms; /* that it takes */
    int bytes;   /* that come then; 0: there is no such file */
};

static async download(struct async_loop *loop, void *frame)
{
    struct download *self = frame;

    async_begin(self);
    await(async_sleep_ms(loop, self->ms));
    if (!self->bytes)
        async_fail(NO_SUCH_FILE);
    async_end();
}

struct downloads {
    struct async_frame async;
    struct download downloads[4];
    struct async_task tasks[4];
    struct async_task *task; /* the one that has ended */
    struct async_batch batch;
    struct async_timer timer;
};

static async downloads(struct async_loop *loop, void *frame)
{
    struct downloads *self = frame;
    int status;

    async_begin(self);
    self->downloads[0] =
        (struct download){.name = 'a', .ms = 90, .bytes = 1000};
    self->downloads[1] =
        (struct download){.name = 'b', .ms = 10, .bytes = 2000};
    self->downloads[2] = (struct download){.name = 'c', .ms = 900, .bytes = 50};
    self->downloads[3] = (struct download){.name = 'd', .ms = 50};
    for (int i = 0; i < 4; i++)
        async_spawn(loop, &self->tasks[i], download, &self->downloads[i]);
    for (;;) {
        const struct download *ended;

        async_catch(status, async_timeout(loop, &self->timer, 300,
                                          async_as_completed(loop, &self->batch,
                                                             self->tasks, 4,
                                                             &self->task)));
        if (status < 0 || !self->task)
            break;
        ended = &self->downloads[self->task - self->tasks];
        if (async_task_outcome(self->task) == NO_SUCH_FILE)
            printf("%c: no such file\n", ended->name);
        else
            printf("%c: %d bytes\n", ended->name, ended->bytes);
    }
    async_finally(); /* no task outlives this function, however it ends */
    await(async_batch_end(loop, &self->batch));
    for (int i = 0; i < 4; i++)
        if (async_task_outcome(&self->tasks[i]) == ASYNC_ECANCELED)
            printf("%c: given up\n", self->downloads[i].name);
    async_end();
}

int main(void)
{
    struct async_loop loop = {0};
    struct downloads frame = {0};

    return async_run(&loop, downloads, &frame) < 0;
}
