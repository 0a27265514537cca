/* Every macro of async.h in every place a program may put it, in C that is
 * C++ too. check_async() is 0, or the line of what went wrong. */
#include "async.h"

#ifndef CHECK
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return __LINE__;                                                   \
    } while (0)
#endif

#if !ASYNC_VERSION_AT_LEAST(0, 1, 0) || ASYNC_VERSION_AT_LEAST(100, 0, 0)
#error "ASYNC_VERSION_AT_LEAST"
#endif

/* ---- a generator, and one that consumes another ---- */

struct count {
    struct async_frame async;
    int i, end, cleaned;
};

static async_status count_up(struct count *self)
{
    async_begin(self);
    for (self->i = 0; self->i < self->end; self->i++)
        async_yield();
    async_finally();
    self->cleaned++;
    async_end();
}

struct evens {
    struct async_frame async;
    struct count count;
    int value;
};

/* clang-format off */
static async_status evens_only(struct evens *self)
{
    async_begin(self);
    async_for(&self->count, count_up(&self->count))
        if (self->count.i % 2 == 0) {
            self->value = self->count.i;
            async_yield();
        } else
            continue;
    async_end();
}
/* clang-format on */

static async_status nothing(struct async_frame *frame)
{
    struct empty {
        struct async_frame async;
    } *self = (struct empty *)(void *)frame;

    async_begin(self);
    async_end();
}

/* ---- waiting ---- */

struct inputs {
    int a, b;
    const void *pointer, *other;
};

struct waits {
    struct async_frame async;
    const struct inputs *in;
    struct async_frame child;
    int step, spins;
};

/* Two on one line, by a macro of the user's. */
#define AWAIT_BOTH(x, y)                                                       \
    do {                                                                       \
        async_await_until(x);                                                  \
        async_await_until(y);                                                  \
    } while (0)

static async_status wait_for(struct waits *self)
{
    async_begin(self);
    async_await(self->in->a != 0);
    self->step = 1;
    /* clang-format off */
    async_await_until(self->in->a == 2); async_await_until(self->in->b == 2);
    /* clang-format on */
    self->step = 2;
    AWAIT_BOTH(self->in->pointer, self->in->other);
    self->step = 3;
    if (self->in->a)
        async_await(nothing(&self->child));
    else
        async_await_until(self->in->b);
    if (!self->in->a)
        async_await_until(self->in->b);
    else
        async_yield();
    self->step = 4;
    while (self->spins++ < 2)
        async_yield();
    do
        async_yield();
    while (0);
    for (; self->in->b != 3;)
        async_yield();
    self->step = 5;
    async_end();
}

/* ---- leaving ---- */

struct leaves {
    struct async_frame async;
    struct count child;
    int how, caught, cleaned;
    const struct inputs *in;
};

static async_status leave(struct leaves *self)
{
    async_begin(self);
    async_catch(self->caught, count_up(&self->child));
    if (self->how == 0)
        async_return();
    else if (self->how < 0)
        async_fail(self->how);
    if (self->how == 1)
        async_catch(self->caught, ASYNC_ETIMEDOUT);
    else
        async_await(ASYNC_ECLOSED);
    async_finally();
    self->cleaned++;
    if (self->in)
        async_await_until(self->in->a == 3);
    async_end();
}

#ifdef ASYNC_USE_LABELS
struct switches {
    struct async_frame async;
    int at;
};

static async_status await_in_switch(struct switches *self)
{
    async_begin(self);
    switch (self->at) {
    case 1:
        async_yield();
        self->at = 10;
        break;
    case 2:
        async_await_until(self->at != 2);
        self->at = 20;
        break;
    default:
        async_fail(ASYNC_EINVAL);
    }
    async_end();
}
#endif

#if ASYNC_SHORT_NAMES
static async short_names(struct waits *self)
{
    async_begin(self);
    /* clang-format off */
    await(self->in->a); await_until(self->in->pointer);
    /* clang-format on */
    if (self->in->b)
        await(nothing(&self->child));
    else
        await_until(self->in->b);
    async_end();
}
#endif

/* All of it is static, so that no compiler asks for a memset. */
static int check_async(void)
{
    static const int status[] = {
        ASYNC_PENDING, ASYNC_DONE,    ASYNC_ECANCELED, ASYNC_ETIMEDOUT,
        ASYNC_ECLOSED, ASYNC_EBUSY,   ASYNC_EFULL,     ASYNC_EINVAL,
        ASYNC_ENOTSUP, ASYNC_EDEADLK, -12345};
    static struct count count = {{0, 0}, 0, 3, 0};
    static struct evens evens = {{0, 0}, {{0, 0}, 0, 5, 0}, 0};
    static struct inputs in = {0, 0, 0, 0};
    static struct waits waits = {{0, 0}, 0, {0, 0}, 0, 0};
    static struct leaves leaves = {{0, 0}, {{0, 0}, 0, 1, 0}, -5, 0, 0, 0};
    unsigned i;
    int sum = 0;

    CHECK(ASYNC_VERSION[0] != 0);
    for (i = 0; i < sizeof status / sizeof *status; i++)
        CHECK(async_strerror(status[i])[0]);

    async_each(&count, count_up(&count)) sum += 1 + count.i;
    CHECK(sum == 6 && count.cleaned == 1);
    CHECK(async_outcome(&count.async) == ASYNC_DONE);
    async_each(&evens, evens_only(&evens))
    {
        CHECK(async_yielded(&evens.async));
        if (evens.value == 0)
            continue;
        sum += evens.value;
        if (evens.value == 4)
            break;
    }
    CHECK(sum == 12);

    waits.in = &in;
    CHECK(wait_for(&waits) == ASYNC_PENDING && waits.step == 0);
    in.a = 1;
    CHECK(wait_for(&waits) == ASYNC_PENDING && waits.step == 1);
    in.a = 2;
    CHECK(wait_for(&waits) == ASYNC_PENDING && waits.step == 1);
    in.b = 2;
    in.pointer = &in;
    CHECK(wait_for(&waits) == ASYNC_PENDING && waits.step == 2);
    in.other = &in;
    CHECK(wait_for(&waits) == ASYNC_PENDING && waits.step == 3);
    for (i = 0; i < 4; i++)
        CHECK(wait_for(&waits) == ASYNC_PENDING && waits.step == 4);
    in.b = 3;
    CHECK(wait_for(&waits) == ASYNC_DONE && waits.step == 5);
    CHECK(wait_for(&waits) == ASYNC_DONE);

    leaves.in = &in;
    CHECK(leave(&leaves) == ASYNC_PENDING && leaves.cleaned == 0);
    CHECK(leave(&leaves) == ASYNC_PENDING && leaves.cleaned == 1);
    CHECK(async_outcome(&leaves.async) == ASYNC_PENDING);
    in.a = 3;
    CHECK(leave(&leaves) == -5 && leaves.caught == ASYNC_DONE);
    CHECK(leave(&leaves) == -5 && leaves.cleaned == 1);
    for (leaves.how = 0; leaves.how < 3; leaves.how++) {
        leaves.async.state_ = 0;
        leaves.async.status_ = 0;
        CHECK(leave(&leaves) == (leaves.how < 2 ? ASYNC_DONE : ASYNC_ECLOSED));
    }
    CHECK(leaves.caught == ASYNC_DONE && leaves.cleaned == 4);

#ifdef ASYNC_USE_LABELS
    {
        static struct switches s = {{0, 0}, 1};

        CHECK(await_in_switch(&s) == ASYNC_PENDING && s.at == 1);
        CHECK(await_in_switch(&s) == ASYNC_DONE && s.at == 10);
        s.async.state_ = 0;
        s.async.status_ = 0;
        s.at = 2;
        CHECK(await_in_switch(&s) == ASYNC_PENDING);
        s.at = 3;
        CHECK(await_in_switch(&s) == ASYNC_DONE && s.at == 20);
    }
#endif
#if ASYNC_SHORT_NAMES
    waits.async.state_ = 0;
    waits.async.status_ = 0;
    waits.child.state_ = 0;
    waits.child.status_ = 0;
    CHECK(short_names(&waits) == ASYNC_DONE);
#endif
    return 0;
}

#ifdef ALONE /* gives an object file something to hold */
int check_alone(void);
int check_alone(void)
{
    return check_async();
}
#endif
