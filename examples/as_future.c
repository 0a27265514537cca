/* as_future.c: calls that somebody else makes, awaited like our own. A library
 * runs f on threads of its own and calls back; as_future makes an awaitable of
 * that. Four of them go on at once.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. as_future.c -o as_future -pthread
 *
 * prints
 *
 *     key1: value
 *     key2: value
 *     key3: value
 *     key4: value
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "async_future.h"
#include "async_gather.h"

/* ---- somebody else's library -------------------------------------------- */

struct remote {
    int number;
    void (*done)(struct remote *remote, const char *value);
    void *arg;
    pthread_t thread;
};

static void *f(void *arg)
{
    struct remote *remote = arg;
    struct timespec while_it_works = {0, 100 * 1000 * 1000};

    nanosleep(&while_it_works, NULL);
    remote->done(remote, "value");
    return NULL;
}

static int remote_start(struct remote *remote)
{
    return pthread_create(&remote->thread, NULL, f, remote);
}

/* ---- awaited ------------------------------------------------------------ */

struct as_future {
    struct async_frame async;
    struct async_future future;
    struct async_loop *loop;
    struct remote remote;
    const char *value;
    int started, rc;
};

/* On the library's thread. */
static void set_future(struct remote *remote, const char *value)
{
    struct as_future *self = remote->arg;

    self->value = value;
    async_future_set(self->loop, &self->future, ASYNC_DONE);
}

static async as_future(struct async_loop *loop, void *frame)
{
    struct as_future *self = frame;

    async_begin(self);
    self->loop = loop;
    self->remote.done = set_future;
    self->remote.arg = self;
    self->rc = remote_start(&self->remote);
    if (self->rc != 0)
        async_fail(-self->rc);
    self->started = 1;
    await(async_future_wait(loop, &self->future));
    async_finally();
    if (self->started) { /* canceled or not: it writes to this frame */
        async_catch(self->rc, async_future_wait(loop, &self->future));
        pthread_join(self->remote.thread, NULL);
    }
    async_end();
}

struct program {
    struct async_frame async;
    struct as_future calls[4];
    struct async_task tasks[4];
    struct async_batch batch;
};

static async program(struct async_loop *loop, void *frame)
{
    struct program *self = frame;

    async_begin(self);
    for (int i = 0; i < 4; i++)
        self->calls[i].remote.number = i + 1;
    await(async_map(loop, &self->batch, as_future, self->calls, self->tasks));
    for (int i = 0; i < 4; i++)
        printf("key%d: %s\n", self->calls[i].remote.number,
               self->calls[i].value);
    async_end();
}

int main(void)
{
    struct async_loop loop = {0};
    struct program frame = {0};

    return async_run(&loop, program, &frame) < 0;
}
