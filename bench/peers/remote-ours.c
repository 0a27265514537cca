/* remote-ours.c: remote calls by adapters/async_nats.h, as their user would
 * write them: a worker serves a function, a caller awaits it.
 * SPDX-License-Identifier: MIT
 *
 * remote1      one task, one call after the other
 * remote1000   a thousand tasks that do so
 *
 * build: cc -O2 -DNDEBUG -I. bench/peers/remote-ours.c -o $OUT -lnats -pthread
 * packages: libnats-dev nats-server
 * version: PATH=$PATH:/usr/sbin nats-server --version
 */
#include "adapters/async_nats_worker.h"
#include "async_gather.h"

#define PEER "remote-ours"
#include "../remote.h"

ASYNC_NATS_FUNCTION(echo, 1, (i64, a, i64, b, text(24), text),
                    (i64, a, i64, b, text(24), text))
ASYNC_NATS_SERVES(echo)

static void check(async_status status, const struct async_nats *nats)
{
    if (status < 0)
        fprintf(stderr, PEER ": %s%s\n", async_nats_strerror(status),
                nats->reason);
    must(status >= 0, "fails");
}

/* ---- worker -------------------------------------------------------------- */

static async echo(struct async_loop *loop, void *frame)
{
    struct echo_served *self = frame;

    (void)loop;
    async_begin(self);
    self->result.a = self->arguments.a + 1;
    self->result.b = self->arguments.b;
    memcpy(self->result.text, self->arguments.text, TEXT);
    async_end();
}

enum { SLOTS = IN_FLIGHT + 24 }; /* recent results, too */

static struct server {
    struct async_frame async;
    const char *url;
    struct async_nats nats;
    struct async_nats_worker worker;
    struct async_nats_service service;
    struct async_nats_flushing flush;
    struct echo_served slots[SLOTS];
} server_frame;

static natsOptions *options_of(const char *url)
{
    natsOptions *options;

    must(natsOptions_Create(&options) == NATS_OK &&
             natsOptions_SetURL(options, url) == NATS_OK,
         "no options");
    return options;
}

static async server(struct async_loop *loop, void *frame)
{
    struct server *self = frame;

    async_begin(self);
    await(async_nats_open(loop, &self->nats, options_of(self->url)));
    await(async_nats_worker_start(&self->worker, &self->nats));
    await(echo_serve(&self->worker, &self->service, echo, self->slots,
                     sizeof *self->slots, SLOTS, IN_FLIGHT));
    await(async_nats_flush(loop, &self->nats, &self->flush));
    is_ready();
    await(async_nats_worker_run(loop, &self->worker));
    async_finally();
    await(async_nats_close(loop, &self->nats));
    async_end();
}

static void serve(const char *workload, const char *url)
{
    static struct async_loop loop;

    (void)workload;
    server_frame.url = url;
    check(async_run(&loop, server, &server_frame), &server_frame.nats);
}

/* ---- caller -------------------------------------------------------------- */

struct client {
    struct async_frame async;
    struct async_nats *nats;
    uint64_t number, step, end; /* the next call; those of others are between */
    struct echo_remote call;
};

static async client(struct async_loop *loop, void *frame)
{
    struct client *self = frame;
    struct echo_arguments arguments;

    async_begin(self);
    for (; self->number < self->end; self->number += self->step) {
        ask(self->number, &arguments.a, &arguments.b, arguments.text);
        echo_remote_prepare(&self->call, self->nats, arguments);
        await(echo_remote_task(loop, &self->call));
        must(is_answer(self->number, self->call.result.a, self->call.result.b,
                       self->call.result.text),
             "a wrong result");
    }
    async_end();
}

static struct program {
    struct async_frame async;
    const char *workload, *url;
    long count;
    const struct processes *of;
    struct cost cost;
    struct async_nats nats;
    uint64_t last; /* call of those that are over */
    size_t at_once;
    struct client clients[IN_FLIGHT];
    struct async_task tasks[IN_FLIGHT];
    struct async_batch batch;
} program_frame;

/* Shares out the next `count` calls. */
static void share(struct program *self, long count)
{
    uint64_t i;

    for (i = 0; i < self->at_once; i++)
        self->clients[i] = (struct client){
            .nats = &self->nats,
            .number = self->last + 1 + i,
            .step = self->at_once,
            .end = self->last + 1 + (uint64_t)count,
        };
    self->last += (uint64_t)count;
}

static async program(struct async_loop *loop, void *frame)
{
    struct program *self = frame;

    async_begin(self);
    self->at_once = strstr(self->workload, "remote1000") ? IN_FLIGHT : 1;
    await(async_nats_open(loop, &self->nats, options_of(self->url)));
    share(self, self->count / 10);
    await(async_map_n(loop, &self->batch, client, self->clients,
                      sizeof *self->clients, self->at_once, self->tasks,
                      self->at_once));
    share(self, self->count);
    self->cost = cost_start(self->of);
    await(async_map_n(loop, &self->batch, client, self->clients,
                      sizeof *self->clients, self->at_once, self->tasks,
                      self->at_once));
    cost_stop(self->cost, self->of, self->workload, self->count);
    async_finally();
    await(async_nats_close(loop, &self->nats));
    async_end();
}

static void call(const char *workload, const char *url, long count,
                 const struct processes *of)
{
    static struct async_loop loop;

    program_frame.workload = workload;
    program_frame.url = url;
    program_frame.count = count;
    program_frame.of = of;
    check(async_run(&loop, program, &program_frame), &program_frame.nats);
}

int main(int argc, char **argv)
{
    static const char *const ways[] = {"remote1", "remote1000", NULL};

    return remote(argc, argv, ways, serve, call);
}
