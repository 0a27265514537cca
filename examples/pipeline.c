/* pipeline.c: a producer, two workers and a collector, with queues between
 * them. The queues are short, so whoever is too fast waits; when the producer
 * has made its last item it closes its queue, the workers take what is left,
 * and the last of them closes the next one: the pipeline drains, and all end.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. pipeline.c -o pipeline
 *
 * prints
 *
 *     worker 1 takes 1
 *     worker 2 takes 2
 *     worker 1 takes 3
 *     1 squared is 1
 *     worker 2 takes 4
 *     2 squared is 4
 *     worker 1 takes 5
 *     3 squared is 9
 *     worker 2 goes home: closed
 *     4 squared is 16
 *     worker 1 goes home: closed
 *     5 squared is 25
 *     that was all: 5 items
 */
#include <stdio.h>

#include "async_gather.h"

struct square {
    int number, square;
};

struct numbers { /* a queue: two numbers at the most */
    struct async_queue async;
    int items[2];
};

struct squares {
    struct async_queue async;
    struct square items[1];
};

struct producer {
    struct async_frame async;
    struct numbers *numbers;
    int i;
};

static async producer(struct async_loop *loop, void *frame)
{
    struct producer *self = frame;

    async_begin(self);
    for (self->i = 1; self->i <= 5; self->i++)
        await(async_put(loop, self->numbers, &self->i));
    async_queue_close(loop, self->numbers);
    async_end();
}

struct worker {
    struct async_frame async;
    struct numbers *numbers;
    struct squares *squares;
    int *workers; /* that are still at work */
    int id, status;
    struct square square;
};

static async worker(struct async_loop *loop, void *frame)
{
    struct worker *self = frame;

    async_begin(self);
    for (;;) {
        async_catch(self->status,
                    async_get(loop, self->numbers, &self->square.number));
        if (self->status < 0)
            break;
        printf("worker %d takes %d\n", self->id, self->square.number);
        await(async_sleep_ms(loop, 10)); /* hard work */
        self->square.square = self->square.number * self->square.number;
        await(async_put(loop, self->squares, &self->square));
    }
    printf("worker %d goes home: %s\n", self->id, async_strerror(self->status));
    if (--*self->workers == 0)
        async_queue_close(loop, self->squares);
    async_end();
}

struct pipeline {
    struct async_frame async;
    struct numbers numbers;
    struct squares squares;
    struct producer producer;
    struct worker worker[2];
    struct async_task tasks[3];
    struct async_batch batch;
    struct square square;
    int workers, items, status;
};

/* The collector, which has all of it in its frame. */
static async pipeline(struct async_loop *loop, void *frame)
{
    struct pipeline *self = frame;

    async_begin(self);
    self->producer = (struct producer){.numbers = &self->numbers};
    async_spawn(loop, &self->tasks[0], producer, &self->producer);
    for (; self->workers < 2; self->workers++) {
        self->worker[self->workers] = (struct worker){
            .id = self->workers + 1,
            .numbers = &self->numbers,
            .squares = &self->squares,
            .workers = &self->workers,
        };
        async_spawn(loop, &self->tasks[1 + self->workers], worker,
                    &self->worker[self->workers]);
    }
    for (;;) {
        async_catch(self->status,
                    async_get(loop, &self->squares, &self->square));
        if (self->status < 0)
            break;
        printf("%d squared is %d\n", self->square.number, self->square.square);
        self->items++;
    }
    printf("that was all: %d items\n", self->items);
    await(async_gather(loop, &self->batch, self->tasks, 3));
    async_end();
}

int main(void)
{
    struct async_loop loop = {0};
    struct pipeline frame = {0};

    return async_run(&loop, pipeline, &frame) < 0;
}
