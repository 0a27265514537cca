/* worker.c: a process that serves two functions to whoever calls: nap, which is
 * async and runs on its loop, as many at once as there are slots; and calc_pi,
 * which blocks and runs on a thread, one at a time. Start as many as you like,
 * on as many machines: a call goes to one of them. SIGTERM drains it: it takes
 * no more, finishes what it has, answers, and ends.
 * SPDX-License-Identifier: MIT
 *
 *     cc -O2 -I../.. worker.c -o worker -lnats -pthread
 *     ./worker nats://127.0.0.1:4222 w1
 *
 * prints, each line when it happens
 *
 *     w1 serves
 *     w1 calculates from 0           (one for each call of calc_pi)
 *     w1 has drained
 */
#include <signal.h>
#include <stdio.h>

#include "adapters/async_nats_worker.h"
#include "functions.h"

enum { NAPS = 100, PARTS = 4 };

ASYNC_NATS_SERVES(calc_pi)
ASYNC_NATS_SERVES(nap)

static struct program {
    struct async_frame async;
    const char *url, *name;
    struct async_nats nats;
    struct async_nats_worker worker;
    struct async_executor executor;
    struct async_nats_service calc_pi, nap;
    struct calc_pi_served parts[PARTS];
    struct nap_served naps[NAPS];
} program;

/* ---- the two functions -------------------------------------------------- */

/* On the loop. Its frame is the call. */
static async nap(struct async_loop *loop, void *frame)
{
    struct nap_served *self = frame;

    async_begin(self);
    await(async_sleep_ms(loop, self->arguments.ms));
    self->result.ms = self->arguments.ms;
    async_end();
}

/* The n-th of the random numbers: splitmix64, Steele, Lea and Flood 2014. */
static uint64_t random_bits(uint64_t n)
{
    n *= 0x9E3779B97F4A7C15u;
    n = (n ^ n >> 30) * 0xBF58476D1CE4E5B9u;
    n = (n ^ n >> 27) * 0x94D049BB133111EBu;
    return n ^ n >> 31;
}

/* On a thread. A point depends on its number only, so it does not matter which
 * worker throws it. */
static int calc_pi(struct calc_pi_served *self)
{
    uint64_t n = self->arguments.first;
    int64_t i;

    printf("%s calculates from %llu\n", program.name, (unsigned long long)n);
    for (i = 0; i < self->arguments.count; i++) {
        uint64_t bits = random_bits(n++);
        uint64_t x = bits >> 32, y = bits & 0xFFFFFFFFu;

        self->result.hits += x * x <= UINT64_MAX - y * y;
        if (i % 1000000 == 0 && async_nats_canceled(&self->serving))
            return ASYNC_ECANCELED;
    }
    snprintf(self->result.worker, sizeof self->result.worker, "%s",
             program.name);
    return 0;
}

/* ---- the program -------------------------------------------------------- */

static void drain(int number)
{
    (void)number;
    async_nats_worker_drain(&program.worker);
}

static async serve(struct async_loop *loop, void *frame)
{
    struct program *self = frame;

    async_begin(self);
    await(open_url(loop, &self->nats, self->url));
    await(async_nats_worker_start(&self->worker, &self->nats));
    await(nap_serve(&self->worker, &self->nap, nap, self->naps,
                    sizeof self->naps[0], NAPS, NAPS));
    await(calc_pi_serve_blocking(&self->worker, &self->calc_pi, calc_pi,
                                 &self->executor, self->parts,
                                 sizeof self->parts[0], PARTS, 1));
    await(async_nats_flush(loop, &self->nats));
    printf("%s serves\n", self->name);
    await(async_nats_worker_run(loop, &self->worker));
    printf("%s has drained\n", self->name);
    await(async_nats_close(loop, &self->nats));
    async_end();
}

int main(int argc, char **argv)
{
    struct async_loop loop = {0};
    async_status status;

    program.url = argc > 1 ? argv[1] : "nats://127.0.0.1:4222";
    program.name = argc > 2 ? argv[2] : "worker";
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    signal(SIGTERM, drain);
    status = async_executor_start(&program.executor, 1, PARTS);
    if (status >= 0)
        status = async_run(&loop, serve, &program);
    async_executor_stop(&program.executor, ASYNC_STOP_DRAIN);
    if (status < 0)
        fprintf(stderr, "%s: %s\n", program.name, async_nats_strerror(status));
    return status < 0;
}
