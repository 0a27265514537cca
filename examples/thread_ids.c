/* thread_ids.c: where calls run. Blocking functions that are wrapped run on
 * threads, as many as there are calls, if the executor allows them. Async
 * functions all run on one. That so many run at once is certain here: each
 * call waits until the others have come.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. thread_ids.c -o thread_ids -pthread
 *
 * prints
 *
 *     wrapped calls:    1, threads:  1
 *     wrapped calls:    5, threads:  5
 *     wrapped calls:    9, threads:  9
 *     wrapped calls:   13, threads: 13
 *     wrapped calls:   17, threads: 17
 *     async functions:  1, threads:  1
 *     async functions:  5, threads:  1
 *     async functions:  9, threads:  1
 *     async functions: 13, threads:  1
 *     async functions: 17, threads:  1
 */
#include <stdio.h>

#include "async_gather.h"
#include "async_wrap.h"

enum { MOST = 17 };

/* ---- a blocking function ------------------------------------------------ */

struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t complete;
    int missing;
};

/* Blocks until all have come. */
static pthread_t meet(struct meeting *meeting)
{
    pthread_mutex_lock(&meeting->lock);
    if (--meeting->missing == 0)
        pthread_cond_broadcast(&meeting->complete);
    while (meeting->missing > 0)
        pthread_cond_wait(&meeting->complete, &meeting->lock);
    pthread_mutex_unlock(&meeting->lock);
    return pthread_self();
}

ASYNC_WRAP(pthread_t, meet, struct meeting *, meeting)

/* ---- an async function -------------------------------------------------- */

struct rest {
    struct async_frame async;
    pthread_t result;
};

static async rest(struct async_loop *loop, void *frame)
{
    struct rest *self = frame;

    async_begin(self);
    await(async_sleep_ms(loop, 10));
    self->result = pthread_self();
    async_end();
}

/* ---- the program -------------------------------------------------------- */

struct program {
    struct async_frame async;
    struct async_executor executor;
    struct meeting meeting;
    struct meet_call calls[MOST];
    struct rest rests[MOST];
    struct async_task tasks[MOST];
    struct async_batch batch;
    pthread_t ids[MOST];
    int count;
};

static int different(const pthread_t *ids, int count)
{
    int i, j, found = 0;

    for (i = 0; i < count; i++) {
        for (j = 0; j < i && !pthread_equal(ids[i], ids[j]); j++)
            ;
        found += j == i;
    }
    return found;
}

static async program(struct async_loop *loop, void *frame)
{
    struct program *self = frame;

    async_begin(self);
    for (self->count = 1; self->count <= MOST; self->count += 4) {
        self->meeting.missing = self->count;
        for (int i = 0; i < self->count; i++)
            async_spawn(
                loop, &self->tasks[i], meet_task,
                meet_prepare(&self->calls[i], &self->executor, &self->meeting));
        await(
            async_gather(loop, &self->batch, self->tasks, (size_t)self->count));
        for (int i = 0; i < self->count; i++)
            self->ids[i] = self->calls[i].result;
        printf("wrapped calls:   %2d, threads: %2d\n", self->count,
               different(self->ids, self->count));
    }
    for (self->count = 1; self->count <= MOST; self->count += 4) {
        for (int i = 0; i < self->count; i++) {
            self->rests[i] = (struct rest){.async = {0}};
            async_spawn(loop, &self->tasks[i], rest, &self->rests[i]);
        }
        await(
            async_gather(loop, &self->batch, self->tasks, (size_t)self->count));
        for (int i = 0; i < self->count; i++)
            self->ids[i] = self->rests[i].result;
        printf("async functions: %2d, threads: %2d\n", self->count,
               different(self->ids, self->count));
    }
    async_end();
}

int main(void)
{
    struct async_loop loop = {0};
    static struct program frame = {
        .meeting = {.lock = PTHREAD_MUTEX_INITIALIZER,
                    .complete = PTHREAD_COND_INITIALIZER}};
    async_status status;

    status = async_executor_start(&frame.executor, MOST, 0);
    if (status < 0) {
        fprintf(stderr, "thread_ids: %s\n", async_strerror(status));
        return 1;
    }
    status = async_run(&loop, program, &frame);
    async_executor_stop(&frame.executor, ASYNC_STOP_DRAIN);
    if (status < 0)
        fprintf(stderr, "thread_ids: %s\n", async_strerror(status));
    return status < 0;
}
