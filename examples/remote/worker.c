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
 * prints "w1 serves" when it does; for each call of calc_pi, with the time in
 * milliseconds, "w1 begins 0 to 10000 at 1700000000000", and the same when it
 * ends; and at last "w1 has drained".
 */
#define _GNU_SOURCE /* what -std=c99 hides: timespec_get */
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "adapters/async_nats_worker.h"
#include "functions.h"

enum { NAPS = 100, PARTS = 4 };

ASYNC_NATS_SERVES(calc_pi)
ASYNC_NATS_SERVES(nap)

static struct program {
    struct async_frame async;
    const char *url, *name;
    struct async_nats nats;
    struct async_nats_flushing flush;
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

static void tell(const struct calc_pi_served *self, const char *what)
{
    struct timespec now;

    timespec_get(&now, TIME_UTC);
    printf("%s %s %lld to %lld at %lld\n", program.name, what,
           (long long)self->arguments.begin, (long long)self->arguments.end,
           (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

/* On a thread. */
static int calc_pi(struct calc_pi_served *self)
{
    int64_t i;

    tell(self, "begins");
    for (i = self->arguments.begin; i < self->arguments.end; i++) {
        self->result.sum += (i % 2 ? -1.0 : 1.0) / (double)(2 * i + 1);
        if (i % 1000000 == 0 && async_nats_canceled(&self->serving))
            return ASYNC_ECANCELED;
    }
    tell(self, "ends");
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
    await(async_nats_flush(loop, &self->nats, &self->flush));
    printf("%s serves\n", self->name);
    await(async_nats_worker_run(loop, &self->worker));
    printf("%s has drained\n", self->name);
    async_finally();
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
