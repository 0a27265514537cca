/* process.c: four functions in children, two at a time, one of which crashes;
 * a program that reads and is read, and one that takes too long.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. process.c -o process
 *
 * prints
 *
 *     17 is a prime
 *     18 is not a prime
 *     0 is too much for it: signal 6
 *     19 is a prime
 *     sort says: fig pear plum
 *     sleep: timed out, signal 15
 */
#include <stdio.h>
#include <stdlib.h>

#include "async_gather.h"
#include "async_process_executor.h"

/* ---- a function in a child ---- */

static int is_prime(void *arg, void *result)
{
    const int *number = arg;
    int *prime = result, i;

    if (*number < 1)
        abort(); /* takes only the child with it */
    *prime = 1;
    for (i = 2; i < *number; i++)
        if (*number % i == 0)
            *prime = 0;
    return 0;
}

struct question {
    struct async_frame async;
    struct async_process_executor *executor;
    struct async_process_job job;
    int number, prime, status;
};

static async question(struct async_loop *loop, void *frame)
{
    struct question *self = frame;

    async_begin(self);
    async_catch(self->status,
                async_process_offload(loop, self->executor, &self->job,
                                      is_prime, &self->number, &self->prime,
                                      sizeof self->prime));
    async_end();
}

/* ---- programs ---- */

struct program {
    struct async_frame async;
    struct async_process_executor executor;
    struct question questions[4];
    struct async_task tasks[4];
    struct async_batch batch;

    struct async_process sort, sleep;
    struct async_timer timer;
    char text[64];
    size_t count;
    int status;
};

static async program(struct async_loop *loop, void *frame)
{
    static const int numbers[] = {17, 18, 0, 19};
    static char *sort[] = {"sort", NULL}, *sleep[] = {"sleep", "100", NULL};
    struct program *self = frame;
    int i;

    async_begin(self);
    self->executor.limit = 2;
    for (i = 0; i < 4; i++)
        self->questions[i] = (struct question){.executor = &self->executor,
                                               .number = numbers[i]};
    await(
        async_map(loop, &self->batch, question, self->questions, self->tasks));
    for (i = 0; i < 4; i++) {
        struct question *it = &self->questions[i];

        if (it->status == ASYNC_EKILLED)
            printf("%d is too much for it: signal %d\n", it->number,
                   it->job.signal);
        else
            printf("%d is %sa prime\n", it->number, it->prime ? "" : "not ");
    }

    self->status = async_process_start(loop, &self->sort, sort,
                                       ASYNC_STDIN_PIPE | ASYNC_STDOUT_PIPE);
    if (self->status < 0)
        async_fail(self->status); /* -ENOENT: there is no such program */
    await(async_write(loop, self->sort.in, "plum\nfig\npear\n", 14,
                      &self->count));
    async_close(&self->sort.in); /* that was all */
    await(async_read(loop, self->sort.out, self->text, sizeof self->text,
                     &self->count));
    await(async_process_wait(loop, &self->sort));
    printf("sort says:");
    for (i = 0; i < (int)self->count; i++)
        printf("%s%c", i == 0 ? " " : "",
               self->text[i] == '\n' && i < (int)self->count - 1
                   ? ' '
                   : self->text[i]);

    self->sleep.grace_ms = 1000; /* from SIGTERM to SIGKILL */
    self->status = async_process_start(loop, &self->sleep, sleep, 0);
    if (self->status < 0)
        async_fail(self->status);
    async_catch(self->status,
                async_timeout(loop, &self->timer, 50,
                              async_process_wait(loop, &self->sleep)));
    printf("sleep: %s, signal %d\n", async_strerror(self->status),
           self->sleep.signal);
    async_finally(); /* whatever came in between */
    await(async_process_end(loop, &self->sort));
    await(async_process_end(loop, &self->sleep));
    async_end();
}

int main(void)
{
    struct async_loop loop = {0};
    struct program frame = {0};

    return async_run(&loop, program, &frame) < 0;
}
