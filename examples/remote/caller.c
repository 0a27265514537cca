/* caller.c: calls what worker.c serves. First the four combinations: sync and
 * async code here, a blocking and an async function there. Then pi, in slices,
 * by as many workers as there are; if one dies, or the server does, the slices
 * that this hits are tried again.
 * SPDX-License-Identifier: MIT
 *
 *     cc -O2 -I../.. caller.c -o caller -lnats -pthread
 *     ./caller nats://127.0.0.1:4222 50000000 (terms a slice)
 *
 * prints
 *
 *     sync code, blocking function:  1000 terms make 3.140593
 *     sync code, async function:     napped for 20 ms
 *     async code, blocking function: 1000 terms make 3.140593
 *     async code, async function:    napped for 20 ms
 *     60 slices make 3.14159265
 *
 * and on the standard error, when a slice is answered, its number, its sum and
 * how often it was tried; and how long all of them took.
 */
#include <stdio.h>
#include <stdlib.h>

#include "async_gather.h"
#include "functions.h"

enum { SLICES = 60, AT_ONCE = 12 };

/* ---- sync code ---------------------------------------------------------- */

/* Blocks its thread. */
static async_status from_sync(struct async_nats *nats)
{
    struct calc_pi_remote pi = {0};
    struct nap_remote nap = {0};
    async_status status;

    status = calc_pi_remote_blocking(
        nats, &pi, (struct calc_pi_arguments){.end = 1000}, 5000);
    if (status < 0)
        return status;
    printf("sync code, blocking function:  1000 terms make %.6f\n",
           4 * pi.result.sum);

    status =
        nap_remote_blocking(nats, &nap, (struct nap_arguments){.ms = 20}, 5000);
    if (status < 0)
        return status;
    printf("sync code, async function:     napped for %d ms\n",
           (int)nap.result.ms);
    return status;
}

/* ---- async code --------------------------------------------------------- */

struct slice {
    struct async_frame async;
    struct async_nats *nats;
    int number;
    int64_t begin, end;
    struct calc_pi_remote call;
};

static async slice(struct async_loop *loop, void *frame)
{
    struct slice *self = frame;

    async_begin(self);
    await(calc_pi_remote_call(
        loop, self->nats, &self->call,
        (struct calc_pi_arguments){.begin = self->begin, .end = self->end}));
    fprintf(stderr, "slice %d is %.17g, tried %d\n", self->number,
            self->call.result.sum, self->call.call.tries);
    async_end();
}

struct program {
    struct async_frame async;
    struct async_nats nats;
    int64_t terms; /* a slice */
    struct calc_pi_remote pi;
    struct nap_remote nap;
    struct slice slices[SLICES];
    struct async_task tasks[AT_ONCE];
    struct async_batch batch;
    async_time began;
};

static async program(struct async_loop *loop, void *frame)
{
    struct program *self = frame;
    double sum = 0;

    async_begin(self);
    await(calc_pi_remote_call(loop, &self->nats, &self->pi,
                              (struct calc_pi_arguments){.end = 1000}));
    printf("async code, blocking function: 1000 terms make %.6f\n",
           4 * self->pi.result.sum);
    await(nap_remote_call(loop, &self->nats, &self->nap,
                          (struct nap_arguments){.ms = 20}));
    printf("async code, async function:    napped for %d ms\n",
           (int)self->nap.result.ms);

    /* Who calculates it twice gets the same: it may be tried again. */
    self->nats.retry =
        (struct async_retry){.tries = 10, .first_ms = 50, .max_ms = 1000};
    for (int i = 0; i < SLICES; i++)
        self->slices[i] = (struct slice){.nats = &self->nats,
                                         .number = i,
                                         .begin = i * self->terms,
                                         .end = (i + 1) * self->terms};
    self->began = async_now(loop);
    await(async_map(loop, &self->batch, slice, self->slices, self->tasks));
    fprintf(stderr, "%lu ms\n", (unsigned long)(async_now(loop) - self->began));
    for (int i = 0; i < SLICES; i++)
        sum += self->slices[i].call.result.sum;
    printf("%d slices make %.8f\n", SLICES, 4 * sum);
    async_finally();
    await(async_nats_close(loop, &self->nats));
    async_end();
}

int main(int argc, char **argv)
{
    struct async_loop loop = {0};
    static struct program frame;
    async_status status;

    frame.terms = argc > 2 ? atol(argv[2]) : 50000000;
    status = open_url(&loop, &frame.nats,
                      argc > 1 ? argv[1] : "nats://127.0.0.1:4222");
    if (status >= 0)
        status = from_sync(&frame.nats);
    if (status >= 0)
        status = async_run(&loop, program, &frame);
    if (status < 0)
        fprintf(stderr, "caller: %s\n", async_nats_strerror(status));
    return status < 0;
}
