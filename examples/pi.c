/* pi.c: a long calculation in parts, on as many threads as there are
 * processors, while the loop stays free. Each part has a fixed seed, so the
 * result is the same with any number of threads.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. pi.c -o pi -pthread
 *
 * prints
 *
 *     10 parts, 10000000 points: pi is about 3.141514
 */
#include <stdint.h>
#include <stdio.h>

#include "async_gather.h"
#include "async_thread.h"

enum { PARTS = 10, POINTS = 1000000 };

struct part {
    struct async_frame async;
    struct async_executor *executor;
    struct async_job job;
    uint64_t seed;
    long hits;
};

static uint64_t random_bits(uint64_t *seed) /* xorshift64, Marsaglia 2003 */
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Throws points at a square and counts those in the circle. On a thread: it
 * blocks, so it is a plain function. */
static int calc_pi(struct async_job *job, void *arg)
{
    struct part *part = arg;
    uint64_t seed = part->seed;
    long i, hits = 0;

    for (i = 0; i < POINTS && !async_job_canceled(job); i++) {
        uint64_t x = random_bits(&seed) >> 33, y = random_bits(&seed) >> 33;

        hits += x * x + y * y < (uint64_t)1 << 62;
    }
    part->hits = hits;
    return 0;
}

static async part(struct async_loop *loop, void *frame)
{
    struct part *self = frame;

    async_begin(self);
    await(async_offload(loop, self->executor, &self->job, calc_pi, self));
    async_end();
}

struct program {
    struct async_frame async;
    struct async_executor executor;
    struct part parts[PARTS];
    struct async_task tasks[PARTS];
    struct async_batch batch;
    long hits;
};

static async program(struct async_loop *loop, void *frame)
{
    struct program *self = frame;

    async_begin(self);
    for (int i = 0; i < PARTS; i++) {
        self->parts[i].executor = &self->executor;
        self->parts[i].seed = (uint64_t)(i + 1) * 0x9E3779B97F4A7C15u;
    }
    await(async_map(loop, &self->batch, part, self->parts, self->tasks));
    for (int i = 0; i < PARTS; i++)
        self->hits += self->parts[i].hits;
    printf("%d parts, %ld points: pi is about %.6f\n", PARTS,
           (long)PARTS * POINTS, 4.0 * (double)self->hits / PARTS / POINTS);
    async_end();
}

int main(void)
{
    struct async_loop loop = {0};
    struct program frame = {0};
    async_status status;

    status = async_executor_start(&frame.executor, 0, 0);
    if (status < 0) {
        fprintf(stderr, "pi: %s\n", async_strerror(status));
        return 1;
    }
    status = async_run(&loop, program, &frame);
    async_executor_stop(&frame.executor, ASYNC_STOP_DRAIN);
    if (status < 0)
        fprintf(stderr, "pi: %s\n", async_strerror(status));
    return status < 0;
}
