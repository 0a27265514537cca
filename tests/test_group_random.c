/* test_group_random.c: trees of chance of groups, gathers, races, waits,
 * timeouts and shields, in which tasks, groups and batches are canceled at any
 * moment, against what must hold for each.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_group_random.c -lcmocka
 *
 * When a node ends, all that it started has ended before it. When a task ends,
 * nothing asks it to stop any more; and if it was canceled, it either says so,
 * or by another error, or the cancel is still asked for: none is lost.
 *
 * PROGRAMS, from the environment or defined, is how many. One that fails is
 * repeated alone by SEED=its seed PROGRAMS=1, and printed.
 */
#include "trace.h"

#include "timeline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#ifndef PROGRAMS
#define PROGRAMS 20000
#endif

enum {
    NODES = 24,    /* in a program, at the most */
    KIDS = 3,      /* of one node */
    STIRRED = 40,  /* ticks in which things are canceled by chance */
    LONGEST = 2000 /* ticks after which a program has ended */
};

/* ---- chance ------------------------------------------------------------- */

static uint64_t random_state;

static uint32_t below(uint32_t limit)
{
    random_state ^= random_state >> 12; /* xorshift64*, Vigna 2016 */
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * UINT64_C(2685821657736338717)) >> 33) %
           limit;
}

/* ---- programs ----------------------------------------------------------- */

enum kind {
    SLEEPS,
    TIMES_OUT, /* around its only kid */
    SHIELDS,
    CALLS,
    GROUPS, /* a body, and members */
    GATHERS,
    RACES,
    TAKES, /* as completed; leaves early, perhaps */
    WAITS, /* for the first; then cancels and gathers the rest */
    KINDS
};

static const char *const kind_names[] = {"sleeps", "times out", "shields",
                                         "calls",  "groups",    "gathers",
                                         "races",  "takes",     "waits"};

struct node {
    struct async_frame async;
    enum kind kind;
    uint32_t ms, clean_ms;
    int error;
    int is_task;  /* of its own, not a part of its parent's */
    int canceled; /* from outside, as a task */
    size_t count, taken, enough;
    struct node *kids[KIDS];
    struct async_group group;
    struct async_member members[KIDS];
    struct async_batch batch;
    struct async_task tasks[KIDS];
    struct async_task *own; /* the task that it is */
    struct async_task *next;
    struct async_timer timer;
    struct async_call_frame call;
    int rc;
};

static struct node nodes[NODES];
static size_t used;
static const char *wrong;

static void check(int right, const char *sentence)
{
    if (!right && !wrong)
        wrong = sentence;
}

static struct node *grow(unsigned depth, int is_task)
{
    struct node *node = &nodes[used++];
    size_t i;

    node->kind = depth < 4 ? (enum kind)below(KINDS) : SLEEPS;
    node->ms = below(20);
    node->clean_ms = below(3) ? 0 : below(10);
    node->error = below(4) ? 0 : -EIO;
    node->is_task = is_task;
    node->group.collect = node->batch.collect = below(3) == 0;
    node->enough = below(KIDS + 1);
    if (node->kind == SLEEPS)
        return node;
    node->count = node->kind <= CALLS ? 1 : 1 + below(KIDS);
    for (i = 0; i < node->count; i++) {
        if (used == NODES) {
            node->count = i;
            break;
        }
        node->kids[i] =
            grow(depth + 1, node->kind > GROUPS || (node->kind == GROUPS && i));
    }
    if (!node->count)
        node->kind = SLEEPS;
    return node;
}

/* ---- running ------------------------------------------------------------ */

static void spawn_kid(struct node *node, size_t i);

/* All that it started has ended. */
static int is_alone(const struct node *node)
{
    size_t i;

    for (i = 0; i < node->count; i++)
        if (node->kids[i]->own && !async_task_outcome(node->kids[i]->own))
            return 0;
    return 1;
}

static async run_node(struct async_loop *on, void *frame)
{
    struct node *self = frame;
    size_t i;

    async_begin(self);
    if (self->kind > GROUPS)
        for (i = 0; i < self->count; i++)
            spawn_kid(self, i);
    if (self->kind == SLEEPS) {
        await(async_sleep_ms(on, self->ms));
    } else if (self->kind == TIMES_OUT) {
        await(async_timeout(on, &self->timer, self->ms,
                            run_node(on, self->kids[0])));
    } else if (self->kind == SHIELDS) {
        await(async_shield(on, run_node(on, self->kids[0])));
    } else if (self->kind == CALLS) {
        await(async_call(on, &self->call, run_node, self->kids[0]));
    } else if (self->kind == GROUPS) {
        for (i = 1; i < self->count; i++)
            spawn_kid(self, i);
        await(async_group(on, &self->group, run_node(on, self->kids[0])));
    } else if (self->kind == GATHERS) {
        await(async_gather(on, &self->batch, self->tasks, self->count));
    } else if (self->kind == RACES) {
        await(async_race(on, &self->batch, self->tasks, self->count));
    } else if (self->kind == TAKES) {
        do {
            await(async_as_completed(on, &self->batch, self->tasks, self->count,
                                     &self->next));
            check(!self->next || async_task_outcome(self->next),
                  "took a task that has not ended");
        } while (self->next && ++self->taken != self->enough);
        if (!self->enough)
            check(self->taken == self->count, "did not take all");
    } else {
        await(async_wait(on, &self->batch, self->tasks, self->count,
                         (int)(self->ms % 3)));
    }
    if (self->error)
        async_fail(self->error);
    async_finally();
    if (self->kind == TAKES) {
        await(async_batch_end(on, &self->batch));
    } else if (self->kind == WAITS) {
        for (i = 0; i < self->count; i++)
            async_cancel(on, &self->tasks[i]);
        self->batch.collect = 1;
        async_catch(self->rc,
                    async_gather(on, &self->batch, self->tasks, self->count));
    }
    if (self->clean_ms)
        await(async_sleep_ms(on, self->clean_ms));
    check(is_alone(self), "a node has ended before what it started");
    if (self->is_task) {
        const struct async_wait_ *wait = &async_current(on)->wait_;

        check(!wait->asks && !(wait->flags & ASYNC_IS_LATE_),
              "a task ends and is still asked to stop");
        check(!self->canceled || self->async.status_ < 0 ||
                  wait->flags & ASYNC_IS_CANCELED_,
              "a cancel was lost");
    }
    async_end();
}

static void spawn_kid(struct node *node, size_t i)
{
    struct node *kid = node->kids[i];

    if (node->kind == GROUPS) {
        kid->own = &node->members[i].task;
        if (async_group_spawn(&loop, &node->group, &node->members[i], run_node,
                              kid))
            kid->own = NULL; /* refused */
    } else {
        kid->own = &node->tasks[i];
        spawn(kid->own, run_node, kid);
    }
}

/* Cancels something. */
static void stir(void)
{
    struct node *node = &nodes[below((uint32_t)used)];

    switch (below(3)) {
    case 0:
        if (node->own && !async_task_outcome(node->own)) {
            node->canceled = 1;
            async_cancel(&loop, node->own);
        }
        break;
    case 1:
        if (node->kind == GROUPS)
            async_group_cancel(&loop, &node->group);
        break;
    default:
        if (node->kind > GROUPS)
            async_batch_cancel(&loop, &node->batch);
        break;
    }
}

/* Stirs at a moment inside of a poll, too. */
static void stir_later(struct async_loop *on, struct async_timer *timer)
{
    stir();
    if (async_now(on) < STIRRED)
        async_timer_start(on, timer, 1 + below(8), stir_later, NULL);
}

static void print_node(const struct node *node, int depth)
{
    size_t i;

    print_message(
        "# %*s%d %s %u, cleans %u, error %d, collects %d, enough %u%s "
        "%s\n",
        depth * 2, "", (int)(node - nodes), kind_names[node->kind],
        (unsigned)node->ms, (unsigned)node->clean_ms, node->error,
        node->group.collect, (unsigned)node->enough,
        node->canceled ? ", was canceled" : "",
        async_strerror(async_outcome(&node->async)));
    for (i = 0; i < node->count; i++)
        print_node(node->kids[i], depth + 1);
}

static void run_program(uint64_t seed)
{
    static const struct node zero;
    struct async_timer timer = {.fn = NULL};
    size_t i;

    random_state = seed;
    for (i = 0; i < 8; i++)
        (void)below(2);
    for (i = 0; i < NODES; i++)
        nodes[i] = zero;
    used = 0;
    wrong = NULL;
    (void)timeline_setup(NULL);
    grow(0, 1)->own = &task;
    if (below(4))
        async_timer_start(&loop, &timer, 1 + below(30), stir_later, NULL);
    spawn(&task, run_node, &nodes[0]);
    if (below(8) == 0)
        stir();
    for (now = 0; async_alive(&loop) && now < LONGEST; now += 1 + below(3)) {
        (void)async_poll(&loop, now);
        if (now < STIRRED && below(6) == 0)
            stir();
    }
    check(!async_alive(&loop), "a program does not end");
    async_timer_stop(&loop, &timer);
    if (!wrong) {
        async_claim_(&loop, &task);
        check(async_unjoined(&loop) == 0, "an error is nobody's");
    }
}

static void nothing_outlives_its_scope_and_no_cancel_is_lost(void **state)
{
    const char *given = getenv("SEED");
    const char *many = getenv("PROGRAMS");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 20261120;
    int i, programs = many ? atoi(many) : PROGRAMS;
    size_t ended = 0, canceled = 0, errors = 0;

    (void)state;
    for (i = 0; i < programs; i++, seed++) {
        run_program(seed);
        if (wrong) {
            print_node(&nodes[0], 0);
            fail_msg("%s; repeat it by SEED=%" PRIu64 " PROGRAMS=1", wrong,
                     seed);
        }
        ended += async_task_outcome(&task) > 0;
        canceled += async_task_outcome(&task) == ASYNC_ECANCELED;
        errors += async_task_outcome(&task) == -EIO;
    }
    if (programs > 1000) { /* and all of it did happen */
        assert_true(ended > (size_t)programs / 20);
        assert_true(canceled > (size_t)programs / 50);
        assert_true(errors > (size_t)programs / 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        timeline_claim(nothing_outlives_its_scope_and_no_cancel_is_lost),
    };

    return cmocka_run_group_tests_name("groups at random", tests, NULL, NULL);
}
