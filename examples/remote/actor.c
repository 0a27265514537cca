/* actor.c: a counter that lives in one process. Another one calls it by name,
 * and hands its handle on to a third, which calls it too. Then the counter's
 * process dies, and everybody who waits for it is told.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I../.. actor.c -o actor -lnats -pthread
 *     ./actor nats://127.0.0.1:4222 counter &
 *     ./actor nats://127.0.0.1:4222 clerk &
 *     ./actor nats://127.0.0.1:4222
 *
 * prints
 *
 *     1 is added: 1
 *     2 is added: 3
 *     the clerk adds 5 twice: 13
 *     three wait for 1000; the counter's process dies
 *     the first waiter: the worker died, or is out of reach
 *     the second waiter: the worker died, or is out of reach
 *     the third waiter: the worker died, or is out of reach
 *     1 is added: nobody serves this function
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "adapters/async_nats_worker.h"
#include "async_gather.h"
#include "functions.h"

enum { CALLS = 16 };

ASYNC_NATS_SERVES(add)
ASYNC_NATS_SERVES(wait_for)
ASYNC_NATS_SERVES(die)
ASYNC_NATS_SERVES(add_twice)

/* ---- the counter -------------------------------------------------------- */

static struct counter {
    struct async_frame async;
    const char *url;
    struct async_nats nats;
    struct async_nats_flushing flush;
    struct async_nats_worker worker;
    struct async_nats_actor actor;
    struct async_nats_service add, wait_for, die;
    struct add_served adds[CALLS];
    struct wait_for_served waits[CALLS];
    struct die_served dies[CALLS];

    int64_t value;
    struct async_event changed;
    unsigned waiters;
} counter;

static void tell(struct async_loop *loop)
{
    async_event_set(loop, &counter.changed);
    async_event_clear(loop, &counter.changed);
}

static async add(struct async_loop *loop, void *frame)
{
    struct add_served *self = frame;

    async_begin(self);
    counter.value += self->arguments.n;
    self->result.value = counter.value;
    tell(loop);
    async_end();
}

static async wait_for(struct async_loop *loop, void *frame)
{
    struct wait_for_served *self = frame;

    async_begin(self);
    counter.waiters++;
    tell(loop);
    while (counter.value < self->arguments.value)
        await(async_event_wait(loop, &counter.changed));
    async_finally();
    counter.waiters--;
    async_end();
}

static async die(struct async_loop *loop, void *frame)
{
    struct die_served *self = frame;

    async_begin(self);
    while (counter.waiters < self->arguments.waiters)
        await(async_event_wait(loop, &counter.changed));
    raise(SIGKILL);
    async_end();
}

static async serve_counter(struct async_loop *loop, void *frame)
{
    struct counter *self = frame;

    async_begin(self);
    await(open_url(loop, &self->nats, self->url));
    await(async_nats_worker_start(&self->worker, &self->nats));
    await(async_nats_actor_start(loop, &self->worker, &self->actor, "counter",
                                 CALLS));
    self->add.actor = self->wait_for.actor = self->die.actor = &self->actor;
    await(add_serve(&self->worker, &self->add, add, self->adds,
                    sizeof self->adds[0], CALLS, CALLS));
    await(wait_for_serve(&self->worker, &self->wait_for, wait_for, self->waits,
                         sizeof self->waits[0], CALLS, CALLS));
    await(die_serve(&self->worker, &self->die, die, self->dies,
                    sizeof self->dies[0], CALLS, CALLS));
    await(async_nats_flush(loop, &self->nats, &self->flush));
    printf("counter serves\n");
    await(async_nats_worker_run(loop, &self->worker));
    async_finally();
    await(async_nats_close(loop, &self->nats));
    async_end();
}

/* ---- the clerk ---------------------------------------------------------- */

/* A call of add_twice: what it calls itself is in its frame. */
struct errand {
    struct add_twice_served served;
    struct add_remote add;
};

static struct clerk {
    struct async_frame async;
    const char *url;
    struct async_nats nats;
    struct async_nats_flushing flush;
    struct async_nats_worker worker;
    struct async_nats_service add_twice;
    struct errand errands[CALLS];
} clerk;

static async add_twice(struct async_loop *loop, void *frame)
{
    struct errand *self = frame;
    struct add_twice_arguments *arguments = &self->served.arguments;

    async_begin(&self->served);
    await(add_remote_call_on(loop, &clerk.nats, &arguments->counter, &self->add,
                             (struct add_arguments){.n = arguments->n}));
    await(add_remote_call_on(loop, &clerk.nats, &arguments->counter, &self->add,
                             (struct add_arguments){.n = arguments->n}));
    self->served.result.value = self->add.result.value;
    async_end();
}

static void drain(int number)
{
    (void)number;
    async_nats_worker_drain(&clerk.worker);
}

static async serve_clerk(struct async_loop *loop, void *frame)
{
    struct clerk *self = frame;

    async_begin(self);
    await(open_url(loop, &self->nats, self->url));
    await(async_nats_worker_start(&self->worker, &self->nats));
    await(add_twice_serve(&self->worker, &self->add_twice, add_twice,
                          &self->errands[0].served, sizeof self->errands[0],
                          CALLS, CALLS));
    await(async_nats_flush(loop, &self->nats, &self->flush));
    printf("clerk serves\n");
    await(async_nats_worker_run(loop, &self->worker));
    async_finally();
    await(async_nats_close(loop, &self->nats));
    async_end();
}

/* ---- who calls ---------------------------------------------------------- */

enum { WAITERS = 3 };

struct caller {
    struct async_frame async;
    const char *url;
    struct async_nats nats;
    struct async_nats_handle counter;
    struct add_remote add;
    struct add_twice_remote add_twice;
    struct wait_for_remote waits[WAITERS];
    struct die_remote die;
    struct async_task tasks[WAITERS];
    struct async_batch batch;
    int i, status;
};

static async call(struct async_loop *loop, void *frame)
{
    static const char *const names[] = {"first", "second", "third"};
    struct caller *self = frame;

    async_begin(self);
    await(open_url(loop, &self->nats, self->url));
    self->counter = (struct async_nats_handle){"counter"};
    for (self->i = 1; self->i <= 2; self->i++) {
        await(add_remote_call_on(loop, &self->nats, &self->counter, &self->add,
                                 (struct add_arguments){.n = self->i}));
        printf("%d is added: %d\n", self->i, (int)self->add.result.value);
    }
    await(add_twice_remote_call(
        loop, &self->nats, &self->add_twice,
        (struct add_twice_arguments){.counter = self->counter, .n = 5}));
    printf("the clerk adds 5 twice: %d\n", (int)self->add_twice.result.value);

    printf("three wait for 1000; the counter's process dies\n");
    for (int i = 0; i < WAITERS; i++) {
        wait_for_remote_prepare(&self->waits[i], &self->nats,
                                (struct wait_for_arguments){.value = 1000});
        self->waits[i].call.to = &self->counter;
        async_spawn(loop, &self->tasks[i], wait_for_remote_task,
                    &self->waits[i]);
    }
    async_catch(self->status, die_remote_call_on(
                                  loop, &self->nats, &self->counter, &self->die,
                                  (struct die_arguments){.waiters = WAITERS}));
    self->batch.collect = 1; /* each tells for itself */
    await(async_gather(loop, &self->batch, self->tasks, WAITERS));
    for (int i = 0; i < WAITERS; i++)
        printf("the %s waiter: %s\n", names[i],
               async_nats_strerror(async_task_outcome(&self->tasks[i])));

    async_catch(self->status,
                add_remote_call_on(loop, &self->nats, &self->counter,
                                   &self->add, (struct add_arguments){.n = 1}));
    printf("1 is added: %s\n", async_nats_strerror(self->status));
    async_finally();
    await(async_nats_close(loop, &self->nats));
    async_end();
}

int main(int argc, char **argv)
{
    struct async_loop loop = {0};
    static struct caller caller;
    const char *role = argc > 2 ? argv[2] : "caller";
    async_status status;

    counter.url = clerk.url = caller.url =
        argc > 1 ? argv[1] : "nats://127.0.0.1:4222";
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    if (!strcmp(role, "counter")) {
        status = async_run(&loop, serve_counter, &counter);
    } else if (!strcmp(role, "clerk")) {
        signal(SIGTERM, drain);
        status = async_run(&loop, serve_clerk, &clerk);
    } else {
        status = async_run(&loop, call, &caller);
    }
    if (status < 0)
        fprintf(stderr, "%s: %s\n", role, async_nats_strerror(status));
    return status < 0;
}
