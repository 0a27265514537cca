/* threaded_actor.c: state whose methods block, so many of them at a time. The
 * methods are plain functions; they run on threads and share the actor's state,
 * so it has a lock. How many run at once is changed while it runs, and a
 * shutdown cancels what is left.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. threaded_actor.c -o threaded_actor -pthread
 *
 * prints
 *
 *     2 calls in 2 threads
 *     50 calls, at most 10 at once
 *     a guard on duty at the shutdown: closed, has gone home
 *     a guard whose turn had not come: closed, was never there
 *     a visitor after the shutdown: closed
 */
#include <poll.h>
#include <stdio.h>

#include "async_gather.h"
#include "async_thread_actor.h"

enum { MANY = 50 };

/* ---- the actor ---------------------------------------------------------- */

struct museum {
    struct async_thread_actor actor;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int came;
    int inside, most;
    struct async_loop *loop;
    struct async_flag on_duty;
};

/* Blocks until `company` have come since the museum was last cleared. */
static pthread_t visit(struct museum *museum, int company)
{
    pthread_mutex_lock(&museum->lock);
    museum->came++;
    museum->inside++;
    if (museum->most < museum->inside)
        museum->most = museum->inside;
    pthread_cond_broadcast(&museum->changed);
    while (museum->came < company)
        pthread_cond_wait(&museum->changed, &museum->lock);
    museum->inside--;
    pthread_mutex_unlock(&museum->lock);
    return pthread_self();
}

static void clear(struct museum *museum)
{
    pthread_mutex_lock(&museum->lock);
    museum->came = museum->most = 0;
    pthread_mutex_unlock(&museum->lock);
}

/* Stays until it is told to go. */
static int guard(struct museum *museum, const struct async_job *me)
{
    async_flag_set(museum->loop, &museum->on_duty);
    while (!async_job_canceled(me))
        poll(NULL, 0, 1);
    return 1;
}

ASYNC_WRAP_METHOD(pthread_t, visit, struct museum *, museum, int, company)
ASYNC_WRAP_METHOD_VOID(clear, struct museum *, museum)
ASYNC_WRAP_METHOD(int, guard, struct museum *, museum, const struct async_job *,
                  me)

/* ---- the program -------------------------------------------------------- */

struct program {
    struct async_frame async;
    struct museum museum;
    struct visit_call visits[MANY];
    struct clear_call clear;
    struct guard_call guards[2];
    int i, rc;
};

static async program(struct async_loop *loop, void *frame)
{
    struct program *self = frame;
    struct museum *museum = &self->museum;
    struct async_thread_actor *actor = &museum->actor;
    struct guard_call *guards = self->guards;

    async_begin(self);
    for (int i = 0; i < 2; i++)
        visit_send(loop, actor, &self->visits[i], museum, 2);
    for (self->i = 0; self->i < 2; self->i++)
        await(async_thread_actor_result(loop, &self->visits[self->i].call));
    printf("2 calls in %d threads\n",
           pthread_equal(self->visits[0].result, self->visits[1].result) ? 1
                                                                         : 2);

    await(clear_async(loop, actor, &self->clear, museum));
    async_thread_actor_limit(loop, actor, 10);
    for (int i = 0; i < MANY; i++)
        visit_send(loop, actor, &self->visits[i], museum, 10);
    for (self->i = 0; self->i < MANY; self->i++)
        await(async_thread_actor_result(loop, &self->visits[self->i].call));
    printf("%d calls, at most %d at once\n", MANY, museum->most);

    museum->loop = loop;
    async_thread_actor_limit(loop, actor, 1);
    for (int i = 0; i < 2; i++)
        guard_send(loop, actor, &guards[i], museum, &guards[i].call.job);
    await(async_flag_wait(loop, &museum->on_duty));
    await(async_thread_actor_shutdown(loop, actor));
    async_catch(self->rc, async_thread_actor_result(loop, &guards[0].call));
    printf("a guard on duty at the shutdown: %s, %s\n",
           async_strerror(self->rc),
           guards[0].result ? "has gone home" : "was never there");
    async_catch(self->rc, async_thread_actor_result(loop, &guards[1].call));
    printf("a guard whose turn had not come: %s, %s\n",
           async_strerror(self->rc),
           guards[1].result ? "has gone home" : "was never there");
    self->rc = visit_send(loop, actor, &self->visits[0], museum, 1);
    printf("a visitor after the shutdown: %s\n", async_strerror(self->rc));
    async_finally();
    await(async_thread_actor_shutdown(loop, actor));
    async_end();
}

int main(void)
{
    struct async_loop loop = {0};
    static struct program frame = {
        .museum = {.lock = PTHREAD_MUTEX_INITIALIZER,
                   .changed = PTHREAD_COND_INITIALIZER}};
    async_status status;

    status = async_thread_actor_start(&frame.museum.actor, 2);
    if (status >= 0)
        status = async_run(&loop, program, &frame);
    if (status < 0)
        fprintf(stderr, "threaded_actor: %s\n", async_strerror(status));
    return status < 0;
}
