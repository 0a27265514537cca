/* caller.c: calls what worker.c serves. First the four combinations: sync and
 * async code here, a blocking and an async function there. Then pi, in slices
 * that are calculated by as many workers as there are; when one dies, or the
 * server does, its slices are tried again.
 * SPDX-License-Identifier: MIT
 *
 *     cc -O2 -I../.. caller.c -o caller -lnats -pthread
 *     ./caller nats://127.0.0.1:4222
 *
 * prints
 *
 *     sync code, blocking function:  7858 of 10000 points hit
 *     sync code, async function:     napped for 20 ms
 *     async code, blocking function: 7858 of 10000 points hit
 *     async code, async function:    napped for 20 ms
 *     60 slices: pi is about 3.14159
 *
 * and on the standard error a line for each slice: its number, its worker, how
 * often it was tried, when it was sent and answered (ms), its hits.
 */
#include <stdio.h>

#include "async_gather.h"
#include "functions.h"

enum { SLICES = 60, AT_ONCE = 12, POINTS = 40000000 /* a slice */ };

/* ---- sync code ---------------------------------------------------------- */

/* Both block their thread. */
static async_status from_sync(struct async_nats *nats)
{
    struct calc_pi_remote pi = {0};
    struct nap_remote nap = {0};
    async_status status;

    status = calc_pi_remote_blocking(
        nats, &pi, (struct calc_pi_arguments){.count = 10000}, 5000);
    if (status < 0)
        return status;
    printf("sync code, blocking function:  %d of 10000 points hit\n",
           (int)pi.result.hits);

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
    async_time sent;
    struct calc_pi_remote call;
};

static async slice(struct async_loop *loop, void *frame)
{
    struct slice *self = frame;

    async_begin(self);
    self->sent = async_now(loop);
    await(calc_pi_remote(
        loop, self->nats, &self->call,
        (struct calc_pi_arguments){.first = (uint64_t)self->number * POINTS,
                                   .count = POINTS}));
    fprintf(stderr, "slice %d by %s, tried %d, %lu to %lu ms, %lld hits\n",
            self->number, self->call.result.worker, self->call.call.tried,
            (unsigned long)self->sent, (unsigned long)async_now(loop),
            (long long)self->call.result.hits);
    async_end();
}

struct program {
    struct async_frame async;
    struct async_nats nats;
    struct calc_pi_remote pi;
    struct nap_remote nap;
    struct slice slices[SLICES];
    struct async_task tasks[AT_ONCE];
    struct async_batch batch;
};

static async program(struct async_loop *loop, void *frame)
{
    struct program *self = frame;
    int64_t hits;

    async_begin(self);
    await(calc_pi_remote(loop, &self->nats, &self->pi,
                         (struct calc_pi_arguments){.count = 10000}));
    printf("async code, blocking function: %d of 10000 points hit\n",
           (int)self->pi.result.hits);
    await(nap_remote(loop, &self->nats, &self->nap,
                     (struct nap_arguments){.ms = 20}));
    printf("async code, async function:    napped for %d ms\n",
           (int)self->nap.result.ms);

    /* Who calculates twice gets the same: these may be tried again. */
    self->nats.retry =
        (struct async_retry){.tries = 10, .first_ms = 50, .max_ms = 1000};
    for (int i = 0; i < SLICES; i++)
        self->slices[i] = (struct slice){.nats = &self->nats, .number = i};
    await(async_map(loop, &self->batch, slice, self->slices, self->tasks));
    hits = 0;
    for (int i = 0; i < SLICES; i++)
        hits += self->slices[i].call.result.hits;
    printf("%d slices: pi is about %.5f\n", SLICES,
           4.0 * (double)hits / SLICES / POINTS);
    async_end();
}

int main(int argc, char **argv)
{
    struct async_loop loop = {0};
    static struct program frame;
    async_status status;

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
