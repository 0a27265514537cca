/* post.c: calls from threads to a loop.
 * SPDX-License-Identifier: MIT
 */
#include "explorer.h"

#include "async_post.h"

enum { POSTERS = 2, CALLS = 2 };

struct call {
    struct async_post post; /* first */
    int poster, number, made;
};

static struct {
    struct async_loop loop;
    struct async_flag all;
    struct program {
        struct async_frame async;
    } frame;
    struct call calls[POSTERS][CALLS];
    int next[POSTERS]; /* the number of the call that must come next */
    int made, again;
} world;

static void make_call(struct async_loop *loop, struct async_post *post)
{
    struct call *call = (struct call *)(void *)post;

    explorer_check(!call->made);
    explorer_check(call->number == world.next[call->poster]);
    call->made = 1;
    world.next[call->poster]++;
    if (++world.made == POSTERS * CALLS)
        async_flag_set(loop, &world.all);
    explorer_gone(call, sizeof *call);
}

static void *poster(void *arg)
{
    struct call *calls = arg;
    int i;

    for (i = 0; i < CALLS; i++)
        async_post_send(&world.loop, &calls[i].post, make_call);
    return NULL;
}

static async program(struct async_loop *loop, void *frame)
{
    struct program *self = frame;

    async_begin(self);
    await(async_flag_wait(loop, &world.all));
    async_end();
}

static void start_posters(int *threads, void *(*fn)(void *))
{
    int i, j;

    for (i = 0; i < POSTERS; i++)
        for (j = 0; j < CALLS; j++) {
            world.calls[i][j].poster = i;
            world.calls[i][j].number = j;
        }
    for (i = 0; i < POSTERS; i++)
        (void)pthread_create(&threads[i], NULL, fn, world.calls[i]);
}

static void join_posters(const int *threads)
{
    int i;

    for (i = 0; i < POSTERS; i++)
        (void)pthread_join(threads[i], NULL);
}

static void each_call_is_made_once_and_in_its_posters_order(void)
{
    int threads[POSTERS];

    start_posters(threads, poster);
    explorer_check(async_run(&world.loop, program, &world.frame) == ASYNC_DONE);
    join_posters(threads);
    explorer_check(world.made == POSTERS * CALLS);
    explorer_check(world.loop.posted_ == 0);
}

int main(void)
{
    explore("each_call_is_made_once_and_in_its_posters_order",
            each_call_is_made_once_and_in_its_posters_order, &world,
            sizeof world);
    return explorer_end();
}
