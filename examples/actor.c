/* actor.c: a kitchen that takes orders: all of them at once, then three at a
 * time; one is called off, and it closes while some are in the making.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. actor.c -o actor
 *
 * prints
 *
 *     fifty orders, no limit: 50 at once, 50 dishes
 *     fifty orders, limit 10: 10 at once, 100 dishes
 *     one more: dish 101
 *     six orders, three at a time; 2 and 5 are called off
 *     order 1: dish 102
 *     order 2: canceled
 *     order 3: dish 103
 *     order 4: closed
 *     order 5: canceled
 *     order 6: closed
 *     after closing: closed
 *     dishes: 103
 */
#include <stdio.h>

#include "async_gather.h"

struct kitchen {
    struct async_actor actor;
    int cooking, most; /* orders in the making, and at any time */
    int dishes;
};

struct order {
    struct async_frame async;
    struct kitchen *kitchen;
    uint32_t ms;
    int dish;
};

static async kitchen_cook(struct async_loop *loop, void *frame)
{
    struct order *self = frame;
    struct kitchen *kitchen = self->kitchen;

    async_begin(self);
    if (++kitchen->cooking > kitchen->most)
        kitchen->most = kitchen->cooking;
    await(async_sleep_ms(loop, self->ms));
    self->dish = ++kitchen->dishes;
    async_finally();
    kitchen->cooking--;
    async_end();
}

struct evening {
    struct async_frame async;
    struct kitchen kitchen;
    struct async_actor_call call, calls[50];
    struct order order, orders[50];
    int i, rc;
};

static void send_orders(struct async_loop *loop, struct evening *self,
                        int count, uint32_t ms)
{
    int i;

    self->kitchen.most = 0;
    for (i = 0; i < count; i++) {
        self->orders[i] = (struct order){.kitchen = &self->kitchen, .ms = ms};
        async_actor_send(loop, &self->kitchen.actor, &self->calls[i],
                         kitchen_cook, &self->orders[i]);
    }
}

static async evening(struct async_loop *loop, void *frame)
{
    struct evening *self = frame;
    struct async_actor *actor = &self->kitchen.actor;

    async_begin(self);
    send_orders(loop, self, 50, 20);
    for (self->i = 0; self->i < 50; self->i++)
        await(async_actor_result(loop, &self->calls[self->i]));
    printf("fifty orders, no limit: %d at once, %d dishes\n",
           self->kitchen.most, self->kitchen.dishes);

    async_actor_limit(loop, actor, 10);
    send_orders(loop, self, 50, 20);
    for (self->i = 0; self->i < 50; self->i++)
        await(async_actor_result(loop, &self->calls[self->i]));
    printf("fifty orders, limit 10: %d at once, %d dishes\n",
           self->kitchen.most, self->kitchen.dishes);

    self->order = (struct order){.kitchen = &self->kitchen, .ms = 20};
    await(
        async_actor_call(loop, actor, &self->call, kitchen_cook, &self->order));
    printf("one more: dish %d\n", self->order.dish);

    printf("six orders, three at a time; 2 and 5 are called off\n");
    async_actor_limit(loop, actor, 3);
    send_orders(loop, self, 6, 20);
    self->orders[3].ms = 60000;
    self->orders[5].ms = 60000;
    async_actor_cancel(loop, &self->calls[1]); /* it runs: it unwinds */
    async_actor_cancel(loop, &self->calls[4]); /* it waits: it never runs */
    await(async_actor_result(loop, &self->calls[2]));
    async_finally();
    await(async_actor_shutdown(loop, actor));
    for (self->i = 0; self->i < 6; self->i++) {
        async_catch(self->rc, async_actor_result(loop, &self->calls[self->i]));
        if (self->rc < 0)
            printf("order %d: %s\n", self->i + 1, async_strerror(self->rc));
        else
            printf("order %d: dish %d\n", self->i + 1,
                   self->orders[self->i].dish);
    }
    async_catch(self->rc, async_actor_call(loop, actor, &self->call,
                                           kitchen_cook, &self->order));
    printf("after closing: %s\n", async_strerror(self->rc));
    printf("dishes: %d\n", self->kitchen.dishes);
    async_end();
}

int main(void)
{
    struct async_loop loop = {0};
    struct evening frame = {0};

    return async_run(&loop, evening, &frame) < 0;
}
