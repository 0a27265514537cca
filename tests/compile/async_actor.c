/* Everything of async_actor.h, in C that is C++ too, on a host and on a
 * microcontroller. check_async_actor() is 0, or the line that was wrong. */
#include "async_actor.h"

#ifndef CHECK
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return __LINE__;                                                   \
    } while (0)
#endif

struct account {
    struct async_actor actor;
    int balance;
};

struct payment {
    struct async_frame async;
    struct account *account;
    int amount;
};

static async_status account_pay(struct async_loop *loop, void *frame)
{
    struct payment *self = (struct payment *)frame;

    async_begin(self);
    async_await(async_sleep_ms(loop, 3));
    self->account->balance += self->amount;
    async_end();
}

struct payer {
    struct async_frame async;
    struct account account;
    struct async_actor_call call, calls[3];
    struct payment payment, payments[3];
    int i, rc;
};

static async_status pay_often(struct async_loop *loop, void *frame)
{
    struct payer *self = (struct payer *)frame;
    struct async_actor *actor = &self->account.actor;

    async_begin(self);
    async_await(async_actor_call(loop, actor, &self->call, account_pay,
                                 &self->payment));
    for (self->i = 0; self->i < 3; self->i++)
        (void)async_actor_send(loop, actor, &self->calls[self->i], account_pay,
                               &self->payments[self->i]);
    async_actor_cancel(loop, &self->calls[2]);
    async_actor_limit(loop, actor, 2);
    async_await(async_actor_result(loop, &self->calls[0]));
    async_catch(self->rc, async_actor_result(loop, &self->calls[2]));
    async_await(async_actor_drain(loop, actor));
    async_finally();
    async_await(async_actor_shutdown(loop, actor));
    async_end();
}

/* All of it is static, so that no compiler asks for a memset. */
static int check_async_actor(void)
{
    static struct async_loop loop;
    static struct async_task task;
    static struct payer payer;
    async_time now = 1;
    int i;

    CHECK(ASYNC_MAX_CONCURRENCY == 1000);
    payer.account.actor.max_concurrency = 1;
    payer.payment.account = &payer.account;
    payer.payment.amount = 1;
    for (i = 0; i < 3; i++) {
        payer.payments[i].account = &payer.account;
        payer.payments[i].amount = 10;
    }
    async_spawn(&loop, &task, pay_often, &payer);
    while (async_alive(&loop))
        now = (async_time)(now + async_poll(&loop, now));
    CHECK(async_task_outcome(&task) == ASYNC_DONE);
    CHECK(payer.account.balance == 21 && payer.rc == ASYNC_ECANCELED);
    CHECK(async_actor_queued(&payer.account.actor) == 0);
    CHECK(async_actor_running(&payer.account.actor) == 0);
    return 0;
}

#ifdef ALONE /* gives an object file something to hold */
int check_alone(void);
int check_alone(void)
{
    return check_async_actor();
}
#endif
