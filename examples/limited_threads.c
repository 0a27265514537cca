/* limited_threads.c: an executor of two threads runs never more than two calls
 * at once, however many are made; the others wait for their turn in the order
 * they came, without a thread. That it is two and not one is certain here: the
 * first two calls wait for each other.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. limited_threads.c -o limited_threads -pthread
 *
 * prints
 *
 *     calls:  1, threads: 1, at once: 1
 *     calls:  5, threads: 2, at once: 2
 *     calls:  9, threads: 2, at once: 2
 *     calls: 13, threads: 2, at once: 2
 *     calls: 17, threads: 2, at once: 2
 */
#include <stdio.h>

#include "async_gather.h"
#include "async_wrap.h"

enum { THREADS = 2, MOST = 17 };

/* A room with a guard who counts. */
struct room {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int came;
    int inside, most;
};

/* Blocks until `company` have come. */
static pthread_t visit(struct room *room, int company)
{
    pthread_mutex_lock(&room->lock);
    room->came++;
    room->inside++;
    if (room->most < room->inside)
        room->most = room->inside;
    pthread_cond_broadcast(&room->changed);
    while (room->came < company)
        pthread_cond_wait(&room->changed, &room->lock);
    room->inside--;
    pthread_mutex_unlock(&room->lock);
    return pthread_self();
}

ASYNC_WRAP(pthread_t, visit, struct room *, room, int, company)

struct program {
    struct async_frame async;
    struct async_executor executor;
    struct room room;
    struct visit_call calls[MOST];
    struct async_task tasks[MOST];
    struct async_batch batch;
    int count;
};

static int different(const struct visit_call *calls, int count)
{
    int i, j, found = 0;

    for (i = 0; i < count; i++) {
        for (j = 0; j < i && !pthread_equal(calls[i].result, calls[j].result);
             j++)
            ;
        found += j == i;
    }
    return found;
}

static async program(struct async_loop *loop, void *frame)
{
    struct program *self = frame;

    async_begin(self);
    for (self->count = 1; self->count <= MOST; self->count += 4) {
        self->room.came = self->room.most = 0;
        for (int i = 0; i < self->count; i++)
            async_spawn(loop, &self->tasks[i], visit_task,
                        visit_prepare(&self->calls[i], &self->executor,
                                      &self->room,
                                      self->count < THREADS ? 1 : THREADS));
        await(
            async_gather(loop, &self->batch, self->tasks, (size_t)self->count));
        printf("calls: %2d, threads: %d, at once: %d\n", self->count,
               different(self->calls, self->count), self->room.most);
    }
    async_end();
}

int main(void)
{
    struct async_loop loop = {0};
    static struct program frame = {
        .room = {.lock = PTHREAD_MUTEX_INITIALIZER,
                 .changed = PTHREAD_COND_INITIALIZER}};
    async_status status;

    status = async_executor_start(&frame.executor, THREADS, 0);
    if (status < 0) {
        fprintf(stderr, "limited_threads: %s\n", async_strerror(status));
        return 1;
    }
    status = async_run(&loop, program, &frame);
    async_executor_stop(&frame.executor, ASYNC_STOP_DRAIN);
    if (status < 0)
        fprintf(stderr, "limited_threads: %s\n", async_strerror(status));
    return status < 0;
}
