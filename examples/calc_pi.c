/* calc_pi.c: a long calculation as one call, then split into ten that are
 * gathered: the same result, sooner. What calculates is a plain function; one
 * line makes it awaitable, and the loop stays free meanwhile. A point depends
 * on its number only, so it does not matter which call throws it.
 * SPDX-License-Identifier: MIT
 *
 *     cc -O2 -I.. calc_pi.c -o calc_pi -pthread
 *
 * prints, and on the standard error how long each took
 *
 *     1 call:   pi is about 3.14171000
 *     10 calls: pi is about 3.14171000
 *     they agree
 */
#include <stdint.h>
#include <stdio.h>

#include "async_gather.h"
#include "async_wrap.h"

enum { PARTS = 10, POINTS = 50000000 };

/* The n-th of the random numbers: splitmix64, Steele, Lea and Flood 2014. */
static uint64_t random_bits(uint64_t n)
{
    n *= 0x9E3779B97F4A7C15u;
    n = (n ^ n >> 30) * 0xBF58476D1CE4E5B9u;
    n = (n ^ n >> 27) * 0x94D049BB133111EBu;
    return n ^ n >> 31;
}

/* Throws `count` points at a square, from number `first` on, and looks how many
 * hit the circle in it. */
static double calc_pi(uint64_t first, long count)
{
    long i, hits = 0;

    for (i = 0; i < count; i++) {
        uint64_t bits = random_bits(first + (uint64_t)i);
        uint64_t x = bits >> 32, y = bits & 0xFFFFFFFFu;

        hits += x * x <= UINT64_MAX - y * y;
    }
    return 4.0 * (double)hits / (double)count;
}

ASYNC_WRAP(double, calc_pi, uint64_t, first, long, count)

struct program {
    struct async_frame async;
    struct async_executor executor;
    struct calc_pi_call whole, parts[PARTS];
    struct async_task tasks[PARTS];
    struct async_batch batch;
    async_time started, whole_took;
};

static async program(struct async_loop *loop, void *frame)
{
    struct program *self = frame;
    double sum;

    async_begin(self);
    self->started = async_now(loop);
    await(calc_pi_async(loop, &self->executor, &self->whole, 0, POINTS));
    self->whole_took = async_now(loop) - self->started;
    printf("1 call:   pi is about %.8f\n", self->whole.result);

    for (int i = 0; i < PARTS; i++)
        calc_pi_prepare(&self->parts[i], &self->executor,
                        (uint64_t)i * (POINTS / PARTS), POINTS / PARTS);
    self->started = async_now(loop);
    await(
        async_map(loop, &self->batch, calc_pi_task, self->parts, self->tasks));
    fprintf(stderr, "1 call: %lu ms, %d calls: %lu ms\n",
            (unsigned long)self->whole_took, PARTS,
            (unsigned long)(async_now(loop) - self->started));
    sum = 0;
    for (int i = 0; i < PARTS; i++)
        sum += self->parts[i].result;
    printf("%d calls: pi is about %.8f\n", PARTS, sum / PARTS);

    sum = sum / PARTS - self->whole.result;
    printf("they %s\n", sum > -1e-9 && sum < 1e-9 ? "agree" : "differ");
    async_end();
}

int main(void)
{
    struct async_loop loop = {0};
    struct program frame = {0};
    async_status status;

    status = async_executor_start(&frame.executor, 0, 0);
    if (status < 0) {
        fprintf(stderr, "calc_pi: %s\n", async_strerror(status));
        return 1;
    }
    status = async_run(&loop, program, &frame);
    async_executor_stop(&frame.executor, ASYNC_STOP_DRAIN);
    if (status < 0)
        fprintf(stderr, "calc_pi: %s\n", async_strerror(status));
    return status < 0;
}
