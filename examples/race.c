/* race.c: asks three servers the same, takes the first answer, and has the
 * others clean up before it goes on.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. race.c -o race
 *
 * prints
 *
 *     oslo is closed
 *     lisbon is closed
 *     vienna is closed
 *     oslo was first: 42
 */
#include <stdio.h>

#include "async_gather.h"

struct query {
    struct async_frame async;
    const char *server;
    uint32_t ms; /* that it takes */
    int answer;
};

static async query(struct async_loop *loop, void *frame)
{
    struct query *self = frame;

    async_begin(self);
    await(async_sleep_ms(loop, self->ms));
    self->answer = 42;
    async_finally(); /* for who wins and who is canceled */
    printf("%s is closed\n", self->server);
    async_end();
}

struct fastest {
    struct async_frame async;
    struct query queries[3];
    struct async_task tasks[3];
    struct async_batch batch;
};

static async fastest(struct async_loop *loop, void *frame)
{
    struct fastest *self = frame;

    async_begin(self);
    self->batch.collect = 1; /* who fails has not won */
    self->queries[0] = (struct query){.server = "lisbon", .ms = 500};
    self->queries[1] = (struct query){.server = "oslo", .ms = 20};
    self->queries[2] = (struct query){.server = "vienna", .ms = 300};
    for (int i = 0; i < 3; i++)
        async_spawn(loop, &self->tasks[i], query, &self->queries[i]);
    await(async_race(loop, &self->batch, self->tasks, 3));
    printf("%s was first: %d\n", self->queries[self->batch.winner].server,
           self->queries[self->batch.winner].answer);
    async_end();
}

int main(void)
{
    struct async_loop loop = {0};
    struct fastest frame = {0};

    return async_run(&loop, fastest, &frame) < 0;
}
