/* supervisor.c: services that run in a group. One that fails is started again,
 * after a while that grows; when one has failed too often, the others are
 * stopped and awaited, and the group ends with its error.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. supervisor.c -o supervisor
 *
 * prints
 *
 *        0 clock: starts
 *        0 mail: starts
 *        0 web: starts
 *      150 web: timed out
 *      250 web: starts
 *      350 mail: closed
 *      400 web: timed out
 *      450 mail: starts
 *      600 web: starts
 *      750 web: timed out
 *      750 clock: canceled
 *      750 mail: canceled
 *     the group: timed out
 */
#include <stdio.h>

#include "async_gather.h"

/* Runs till it fails, or is stopped. */
struct service {
    struct async_frame async;
    const char *name;
    unsigned fails_after_ms; /* 0: never */
    int error;
};

static void say(struct async_loop *loop, const char *name, const char *what)
{
    printf("%4u %s: %s\n", (unsigned)async_now(loop), name, what);
}

static async service(struct async_loop *loop, struct service *self)
{
    async_begin(self);
    say(loop, self->name, "starts");
    while (!self->fails_after_ms)
        await(async_sleep_ms(loop, 10)); /* what it is for */
    await(async_sleep_ms(loop, self->fails_after_ms));
    async_fail(self->error);
    async_end();
}

/* A member of the group: the service, and what becomes of it. */
struct kept {
    struct async_frame async;
    struct async_member member;
    struct service service, as_told;
    struct async_retry retry;
    int rc;
};

static async keep(struct async_loop *loop, void *frame)
{
    struct kept *self = frame;

    async_begin(self);
    do {
        self->service = self->as_told;
        async_catch(self->rc, service(loop, &self->service));
        say(loop, self->as_told.name, async_strerror(self->rc));
        await(async_retry_wait(loop, &self->retry, self->rc));
    } while (self->rc < 0);
    async_end();
}

enum { CLOCK, MAIL, WEB, SERVICES };

struct program {
    struct async_frame async;
    struct async_group group;
    struct kept kept[SERVICES];
    int rc;
};

static async program(struct async_loop *loop, void *frame)
{
    struct program *self = frame;

    async_begin(self);
    self->kept[CLOCK].as_told = (struct service){.name = "clock"};
    self->kept[MAIL].as_told = (struct service){
        .name = "mail", .fails_after_ms = 350, .error = ASYNC_ECLOSED};
    self->kept[WEB].as_told = (struct service){
        .name = "web", .fails_after_ms = 150, .error = ASYNC_ETIMEDOUT};
    for (int i = 0; i < SERVICES; i++) {
        self->kept[i].retry =
            (struct async_retry){.tries = 3, .first_ms = 100, .max_ms = 5000};
        async_group_spawn(loop, &self->group, &self->kept[i].member, keep,
                          &self->kept[i]);
    }
    async_catch(self->rc, async_group_wait(loop, &self->group));
    printf("the group: %s\n", async_strerror(self->rc));
    async_end();
}

int main(void)
{
    static struct async_loop loop;
    static struct async_task task;
    static struct program frame;

    /* On a clock that jumps; async_run(&loop, program, &frame) waits. */
    async_spawn(&loop, &task, program, &frame);
    (void)async_simulate(&loop, 0, 60000);
    return async_task_outcome(&task) < 0;
}
