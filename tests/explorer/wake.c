/* wake.c: wakes of a loop that sleeps, and hosts that come and go.
 * SPDX-License-Identifier: MIT
 *
 * A wake that is lost is a loop that sleeps for ever: then nobody can go on.
 */
#include "explorer.h"

#include "async_loop.h"

enum { WAKERS = 2 };

/* A host whose loop sleeps on a condition, as a program without POSIX's poll
 * would. */
struct guest {
    struct async_host host;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int poked;
};

static struct {
    struct async_loop loop;
    struct async_flag flags[WAKERS];
    struct guest guests[2];
    struct async_task task;
    struct taker {
        struct async_frame async;
        int i;
    } taker;
    int threads[WAKERS];
    int written[WAKERS]; /* before the flag is set */
} world;

/* ---- who wakes ---------------------------------------------------------- */

static void *waker(void *arg)
{
    int i = arg == &world.flags[1];

    explorer_name(i ? "waker 2" : "waker 1");
    world.written[i] = 1;
    async_flag_set(&world.loop, arg);
    return NULL;
}

static void start_wakers(void)
{
    int i;

    for (i = 0; i < WAKERS; i++)
        (void)pthread_create(&world.threads[i], NULL, waker, &world.flags[i]);
}

static void join_wakers(void)
{
    int i;

    for (i = 0; i < WAKERS; i++)
        (void)pthread_join(world.threads[i], NULL);
}

/* ---- who waits ---------------------------------------------------------- */

static async taker(struct async_loop *loop, void *frame)
{
    struct taker *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < WAKERS; self->i++) {
        await(async_flag_wait(loop, &world.flags[self->i]));
        explorer_check(world.written[self->i]);
    }
    async_end();
}

static void notify(void *arg)
{
    struct guest *guest = arg;

    (void)pthread_mutex_lock(&guest->lock);
    guest->poked = 1;
    (void)pthread_cond_signal(&guest->changed);
    (void)pthread_mutex_unlock(&guest->lock);
}

static void make_guest(struct guest *guest)
{
    explorer_back(guest, sizeof *guest);
    guest->host.notify = notify;
    guest->host.arg = guest;
    (void)pthread_mutex_init(&guest->lock, NULL);
    (void)pthread_cond_init(&guest->changed, NULL);
}

static void end_guest(struct guest *guest)
{
    (void)pthread_mutex_destroy(&guest->lock);
    (void)pthread_cond_destroy(&guest->changed);
    explorer_gone(guest, sizeof *guest);
}

static void sleep_on(struct guest *guest)
{
    (void)pthread_mutex_lock(&guest->lock);
    while (!guest->poked)
        (void)pthread_cond_wait(&guest->changed, &guest->lock);
    guest->poked = 0;
    (void)pthread_mutex_unlock(&guest->lock);
}

/* Until the task has ended; polls when it is told to, and not before. */
static void drive(struct guest *guest)
{
    while (async_alive(&world.loop)) {
        sleep_on(guest);
        while (async_poll(&world.loop, 0) == 0)
            ;
    }
}

/* ---- claims ------------------------------------------------------------- */

static void async_run_hears_of_every_flag_that_is_set_while_it_sleeps(void)
{
    start_wakers();
    explorer_check(async_run(&world.loop, taker, &world.taker) == ASYNC_DONE);
    join_wakers();
    explorer_check(!world.flags[0].set_ && !world.flags[1].set_);
}

static void a_host_hears_of_every_flag_and_is_left_alone_when_detached(void)
{
    make_guest(&world.guests[0]);
    (void)async_spawn(&world.loop, &world.task, taker, &world.taker);
    async_attach(&world.loop, &world.guests[0].host);
    start_wakers();
    drive(&world.guests[0]);
    async_attach(&world.loop, NULL);
    end_guest(&world.guests[0]);
    join_wakers();
}

static void nobody_is_in_a_host_that_was_detached_at_any_moment(void)
{
    make_guest(&world.guests[0]);
    async_attach(&world.loop, &world.guests[0].host);
    start_wakers();
    (void)async_poll(&world.loop, 0);
    async_attach(&world.loop, NULL);
    end_guest(&world.guests[0]);
    (void)async_poll(&world.loop, 0);
    join_wakers();
}

static void the_next_host_hears_what_the_former_one_may_have_missed(void)
{
    make_guest(&world.guests[0]);
    make_guest(&world.guests[1]);
    (void)async_spawn(&world.loop, &world.task, taker, &world.taker);
    async_attach(&world.loop, &world.guests[0].host);
    start_wakers();
    (void)async_poll(&world.loop, 0);
    async_attach(&world.loop, &world.guests[1].host);
    end_guest(&world.guests[0]);
    drive(&world.guests[1]);
    async_attach(&world.loop, NULL);
    end_guest(&world.guests[1]);
    join_wakers();
}

int main(void)
{
#define CLAIM(claim) explore(#claim, claim, &world, sizeof world)
    CLAIM(async_run_hears_of_every_flag_that_is_set_while_it_sleeps);
    CLAIM(a_host_hears_of_every_flag_and_is_left_alone_when_detached);
    CLAIM(nobody_is_in_a_host_that_was_detached_at_any_moment);
    CLAIM(the_next_host_hears_what_the_former_one_may_have_missed);
    return explorer_end();
}
