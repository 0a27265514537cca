/* test_programs.c: programs of chance, each a tree of tasks, against a model
 * of what must hold; one that fails is cut down to what it fails by.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_programs.c -lcmocka
 *
 * A program is data: routines, which are rows of operations; most operations
 * run other routines. It is made from a seed, and what is ready runs in an
 * order of chance, of the same seed. Programs always end, because
 *   - a task waits only for tasks that it has started, and
 *   - what is held has a level, and who holds it waits only for higher ones.
 * So: every function ends once, its finally section runs once, every permit
 * comes back, nobody waits for ever, and all storage is as it was before.
 *
 *     test_programs            PROGRAMS programs, from the environment or
 * defined test_programs SEED       this one alone; or by PROGRAMS_SEED
 *
 * To add an operation: its name below, then choose(), begin_op(), run_op(),
 * end_op() and print_op(). What it waits for has a level of its own, or is
 * among its own tasks.
 */
#define ASYNC_DEBUG
#if defined(__unix__) || defined(__APPLE__)
#define _DEFAULT_SOURCE /* fork, alarm, also in strict C99 */
#define HAVE_FORK 1
#else
#define HAVE_FORK 0
#endif

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if HAVE_FORK
#include <sys/wait.h>
#include <unistd.h>
#endif

static void stopped(const char *sentence);
#define ASYNC_ASSERT(condition, message)                                       \
    ((condition) ? (void)0 : stopped(message))

#include "async_debug.h"
#include "async_gather.h"

#include "poison.h"

#ifndef PROGRAMS
#define PROGRAMS 10000
#endif

enum {
    OPS = 96,      /* in a program, at the most */
    ROUTINES = 60, /* likewise */
    ROOTS = 3,     /* tasks that are spawned from outside */
    CHILDREN = 4,  /* of an operation */
    STARTED = 3,   /* tasks a function spawns on its own */
    DEEPEST = 4,
    LEVELS = 4,      /* of what can be held: one of each kind a level */
    NODES = 400,     /* functions that run at once */
    VALUES = 9999,   /* that are put into queues */
    LONGEST = 20000, /* ticks after which a program should have ended */
    OUTSIDE = 255    /* the routine of what happens between polls */
};

/* ---- a program ---------------------------------------------------------- */

enum kind {
    SLEEP,
    YIELD,
    FAIL,
    CANCEL,  /* some task, perhaps its own */
    CALL,    /* a plain await */
    CALLED,  /* by async_call */
    TIMEOUT, /* around a call */
    GATHER,
    MAP,
    RACE,
    GROUP,  /* a body, and members */
    SHIELD, /* around a call */
    START,  /* a task that the function has until its end */
    JOIN,   /* one of these */
    WAIT,   /* for some of these */
    EACH,   /* of these, as they end */
    HOLD,   /* a permit, while a routine runs */
    LOCK,   /* a mutex; and to read or to write, a rw-lock */
    READ,
    WRITE,
    CONDITION, /* all three until they time out */
    EVENT,
    BARRIER,
    NOTIFY, /* who waits for a condition */
    SET,    /* an event, or clear it */
    TURN,   /* of a rate */
    PUT,    /* into a queue, and get out of it, until they time out */
    GET,
    ASK,   /* an actor for a call of a routine */
    LIMIT, /* how many calls an actor runs at once */
    KINDS
};

struct op {
    uint8_t kind;
    uint8_t routine; /* that it belongs to, as others around it */
    uint8_t dropped;
    uint8_t cleans;  /* it stands in the finally section */
    uint8_t catches; /* its error does not end the routine */
    uint8_t ms;
    uint8_t which; /* level; or task; or, of a map, how many at once */
    uint8_t collects;
    uint8_t count; /* of children; of a map: of calls */
    uint8_t children[CHILDREN];
};

struct program {
    uint32_t shuffle; /* 0: first come, first served */
    unsigned op_count, routine_count, root_count;
    uint8_t roots[ROOTS];
    uint8_t levels[ROUTINES]; /* a routine takes only from here on */
    struct op ops[OPS];
};

static uint64_t random_state;

static uint32_t below(uint32_t limit)
{
    random_state ^= random_state >> 12; /* xorshift64*, Vigna 2016 */
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * UINT64_C(2685821657736338717)) >> 33) %
           limit;
}

static int make_routine(struct program *program, int depth, unsigned level);

/* What an operation does; into `op`. False: it is to be another one. */
static int choose(struct program *program, struct op *op, int depth,
                  unsigned level)
{
    unsigned i, count = 0, inner = level;

    op->which = (uint8_t)below(LEVELS);
    switch (op->kind) {
    case CALL:
    case CALLED:
    case TIMEOUT:
    case SHIELD:
    case START:
        count = 1;
        break;
    case GATHER:
        count = below(CHILDREN + 1);
        break;
    case RACE:
    case GROUP:
        count = 1 + below(CHILDREN);
        break;
    case MAP:
        count = 1;
        op->which = (uint8_t)(1 + below(CHILDREN));
        break;
    case HOLD:
    case LOCK:
    case READ:
    case WRITE:
    case CONDITION:
    case ASK:
        if (level == LEVELS)
            return 0;
        count = 1;
        op->which = (uint8_t)(level + below(LEVELS - level));
        inner = op->which + 1u;
        if (op->kind == CONDITION)
            count = 0;
        break;
    default:
        break;
    }
    if (count && depth == DEEPEST)
        return 0;
    if (count > ROUTINES - program->routine_count)
        return 0;
    for (i = 0; i < count; i++)
        op->children[i] = (uint8_t)make_routine(program, depth + 1, inner);
    op->count = (uint8_t)(op->kind == MAP ? 1 + below(CHILDREN) : count);
    return 1;
}

static void make_op(struct program *program, unsigned routine, int depth,
                    unsigned level, int cleans)
{
    struct op *op;

    if (program->op_count == OPS)
        return;
    op = &program->ops[program->op_count++];
    op->routine = (uint8_t)routine;
    op->cleans = (uint8_t)cleans;
    op->catches = below(3) != 0;
    op->ms = (uint8_t)below(8);
    op->collects = below(3) == 0;
    op->kind = (uint8_t)below(KINDS);
    if ((op->kind == FAIL || op->kind == CANCEL) && below(4))
        op->kind = below(2) ? HOLD : ASK;
    else if (op->kind == YIELD && below(2))
        op->kind = SLEEP;
    if (!choose(program, op, depth, level))
        op->kind = SLEEP;
}

static int make_routine(struct program *program, int depth, unsigned level)
{
    unsigned routine = program->routine_count++;
    unsigned count = 1 + below(5);

    program->levels[routine] = (uint8_t)level;
    while (count--)
        make_op(program, routine, depth, level, 0);
    if (below(3) == 0)
        make_op(program, routine, depth, level, 1);
    return (int)routine;
}

static void make_program(struct program *program, uint64_t seed)
{
    unsigned i;

    memset(program, 0, sizeof *program);
    random_state = (seed + 1) * UINT64_C(0x9E3779B97F4A7C15);
    program->shuffle = below(4) ? 1 + below(0xFFFFFF) : 0;
    program->root_count = 1 + below(ROOTS);
    for (i = below(6); i > 0; i--) { /* from outside */
        struct op *op = &program->ops[program->op_count++];

        op->routine = OUTSIDE;
        op->kind = below(4) ? CANCEL : LIMIT;
        op->which = (uint8_t)below(LEVELS);
        op->ms = (uint8_t)below(30);
    }
    for (i = 0; i < program->root_count; i++)
        program->roots[i] = (uint8_t)make_routine(program, 0, 0);
}

/* The first operation from `i` on that a routine has there; NULL: no more. */
static const struct op *next_op(const struct program *program, unsigned i,
                                unsigned routine, int cleans)
{
    for (; i < program->op_count; i++) {
        const struct op *op = &program->ops[i];

        if (op->routine == routine && op->cleans == cleans && !op->dropped)
            return op;
    }
    return NULL;
}

/* ---- in print ----------------------------------------------------------- */

static void print_routine(const struct program *program, unsigned routine,
                          int depth);

static void print_line(int depth, const char *format, ...)
{
    char line[100];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    printf("    %*s%s\n", depth * 2, "", line);
}

static void print_op(const struct program *program, const struct op *op,
                     int depth)
{
    const char *catches = op->catches ? ", catches its error" : "";
    unsigned i, children = op->kind == MAP ? 1 : op->count;

    switch (op->kind) {
    case SLEEP:
        print_line(depth, "sleep %d%s", op->ms, catches);
        break;
    case YIELD:
        print_line(depth, "yield%s", catches);
        break;
    case FAIL:
        print_line(depth, "fail");
        break;
    case CANCEL:
        print_line(depth, "cancel task %d", op->which);
        break;
    case CALL:
        print_line(depth, "await%s", catches);
        break;
    case CALLED:
        print_line(depth, "await by async_call%s", catches);
        break;
    case TIMEOUT:
        print_line(depth, "timeout %d%s", op->ms, catches);
        break;
    case GATHER:
        print_line(depth, "gather%s%s", op->collects ? ", collects" : "",
                   catches);
        break;
    case MAP:
        print_line(depth, "map %d, %d at once%s%s", op->count, op->which,
                   op->collects ? ", collects" : "", catches);
        break;
    case RACE:
        print_line(depth, "race%s%s", op->collects ? ", collects" : "",
                   catches);
        break;
    case GROUP:
        print_line(depth, "group%s%s", op->collects ? ", collects" : "",
                   catches);
        break;
    case SHIELD:
        print_line(depth, "shield%s", catches);
        break;
    case START:
        print_line(depth, "start a task");
        break;
    case WAIT:
        print_line(depth, "wait for %s of those started%s",
                   op->which % 3 == 0   ? "the first"
                   : op->which % 3 == 1 ? "an error"
                                        : "all",
                   catches);
        break;
    case EACH:
        print_line(depth, "each of those started%s", catches);
        break;
    case PUT:
        print_line(depth, "put into queue %d, timeout %d%s", op->which, op->ms,
                   catches);
        break;
    case GET:
        print_line(depth, "get from queue %d, timeout %d%s", op->which, op->ms,
                   catches);
        break;
    case JOIN:
        print_line(depth, "join task %d of those started%s", op->which,
                   catches);
        break;
    case HOLD:
        print_line(depth, "hold permit %d%s", op->which, catches);
        break;
    case LOCK:
        print_line(depth, "hold mutex %d%s", op->which, catches);
        break;
    case READ:
        print_line(depth, "read under lock %d%s", op->which, catches);
        break;
    case WRITE:
        print_line(depth, "write under lock %d%s", op->which, catches);
        break;
    case CONDITION:
        print_line(depth, "wait for condition %d, timeout %d%s", op->which,
                   op->ms, catches);
        break;
    case EVENT:
        print_line(depth, "wait for event %d, timeout %d%s", op->which, op->ms,
                   catches);
        break;
    case BARRIER:
        print_line(depth, "wait at barrier %d, timeout %d%s", op->which, op->ms,
                   catches);
        break;
    case NOTIFY:
        print_line(depth, "notify %d of condition %d", op->ms, op->which);
        break;
    case SET:
        print_line(depth, "%s event %d", op->collects ? "clear" : "set",
                   op->which);
        break;
    case TURN:
        print_line(depth, "turn of rate %d%s", op->which, catches);
        break;
    case ASK:
        print_line(depth, "ask actor %d%s", op->which, catches);
        break;
    default:
        print_line(depth, "limit actor %d to %d", op->which, 1 + op->ms % 3);
        break;
    }
    for (i = 0; i < children; i++) {
        int is_set =
            op->kind == GATHER || op->kind == RACE || op->kind == GROUP;

        if (is_set)
            print_line(depth + 1,
                       op->kind == GROUP && i == 0 ? "body" : "task");
        print_routine(program, op->children[i], depth + 1 + is_set);
    }
}

static void print_routine(const struct program *program, unsigned routine,
                          int depth)
{
    const struct op *op = program->ops;
    int cleans;

    for (cleans = 0; cleans < 2; cleans++) {
        op = next_op(program, 0, routine, cleans);
        if (op && cleans)
            print_line(depth, "finally");
        for (; op; op = next_op(program, (unsigned)(op - program->ops) + 1,
                                routine, cleans))
            print_op(program, op, depth + cleans);
    }
}

static void print_program(const struct program *program)
{
    const struct op *op = next_op(program, 0, OUTSIDE, 0);
    unsigned i;

    if (program->shuffle)
        printf("    (in an order of chance: %u)\n", (unsigned)program->shuffle);
    for (i = 0; i < program->root_count; i++) {
        print_line(0, "task");
        print_routine(program, program->roots[i], 1);
    }
    for (; op;
         op = next_op(program, (unsigned)(op - program->ops) + 1, OUTSIDE, 0)) {
        print_line(0, "from outside, at %d", op->ms);
        print_op(program, op, 1);
    }
}

/* ---- while it runs ------------------------------------------------------ */

struct node;

struct mapped {
    struct async_frame async;
    struct node *node;
};

/* A function, and all that it needs. */
struct node {
    struct async_frame async;
    unsigned routine;
    struct node *root;   /* its task's outermost function */
    struct node *parent; /* that it is awaited by, in the same task */
    const struct op *op; /* what it does now */
    struct async_timer timer;
    struct async_call_frame call;
    struct async_actor_call ask;
    struct async_batch batch;
    struct async_group group;
    struct async_member members[CHILDREN];
    struct async_task *each; /* that has ended */
    unsigned each_count;
    int each_status;
    unsigned value; /* of a queue */
    struct async_task tasks[CHILDREN];
    struct node *children[CHILDREN];
    struct mapped mapped[CHILDREN];
    struct async_batch rest; /* of what it has started */
    struct async_task started[STARTED];
    struct node *started_nodes[STARTED];
    unsigned started_count;
    int stage; /* of an operation that waits twice */
    int status;
    async_time began;
    int is_closing;  /* in its finally section */
    int must_keep;   /* a cancel that came while it unwound */
    int is_canceled; /* by so many, since the operation began */
    unsigned long cancels_before;
    async_time ended;
    const struct node *mapped_by;
    int began_times, closed_times, ended_times;

    /* of a root */
    struct async_task *task;
    struct node *at; /* the innermost function */
    int is_outer;    /* spawned from outside */
    int limits;      /* timeouts around what it does */
    int is_asked;    /* to stop, by a cancel that is not known to have landed */
    int was_told;    /* a wait has ended by a cancel */
};

static const struct program *running;
static struct async_loop loop;
static async_time now;
static struct async_debug debug;
static struct node nodes[NODES];
static struct node *spare[NODES]; /* those not in use */
static unsigned spare_count;
static struct node *roots[NODES]; /* tasks that have begun and not ended */
static unsigned root_count;
static struct async_task outer_tasks[ROOTS];
static struct async_semaphore semaphores[LEVELS];
static struct async_actor actors[LEVELS];
static struct async_mutex mutexes[LEVELS];
static struct async_rwlock rwlocks[LEVELS];
static struct async_condition conditions[LEVELS];
static struct async_event events[LEVELS];
static struct async_barrier barriers[LEVELS];
static struct async_rate rates[LEVELS];

static struct items {
    struct async_queue async;
    unsigned items[2];
} queues[LEVELS];

/* The model. */
static unsigned held[LEVELS], asked[LEVELS], locked[LEVELS];
static unsigned reading[LEVELS], writing[LEVELS], at_barrier[LEVELS];
static async_time turn[LEVELS]; /* the last one */
static int has_turned[LEVELS], is_set[LEVELS];
static size_t places[LEVELS]; /* so many calls may run */
static unsigned long cancel_count;

static unsigned value_count, in_queue[LEVELS];
static struct {
    unsigned put, got, kept; /* how often it was; it was not put after all */
} values[VALUES];
static char wrong[200]; /* the first thing that was */
static int forgets;     /* a mistake that is made on purpose */
static unsigned long began_count, landings, timeouts, errors, queued_count;

static void check(int holds, const char *what)
{
    if (!holds && !*wrong)
        (void)snprintf(wrong, sizeof wrong, "%s", what);
}

/* Of a semaphore; and places of an actor, to begin with. */
static unsigned permits_of(unsigned level)
{
    return 1 + level % 2;
}

static struct node *node_new(unsigned routine, struct node *parent)
{
    struct node *node;

    if (!spare_count)
        return NULL;
    node = spare[--spare_count];
    unpoison(node, sizeof *node);
    memset(node, 0, sizeof *node);
    node->routine = routine;
    node->parent = parent;
    node->root = parent ? parent->root : node;
    return node;
}

static void node_spent(struct node *node)
{
    check(node->began_times == node->closed_times &&
              node->closed_times == node->ended_times && node->ended_times <= 1,
          "a finally section did not run exactly once");
    check(!node->timer.wait_.next, "a timeout's timer runs on");
    poison(node, sizeof *node);
    spare[spare_count++] = node;
}

static struct node *some_task(unsigned which)
{
    return root_count ? roots[which % root_count] : NULL;
}

/* True if a cancel does not cut what it waits for short. */
static int unwinds(const struct node *at)
{
    const struct async_wait_ *wait = &at->root->task->wait_;

    if (at->op && at->op->kind == CONDITION && at->stage &&
        wait->on.object == &mutexes[at->op->which].line_ &&
        wait->status == ASYNC_ECANCELED)
        return 1; /* it gets its mutex back */
    if (at->op && at->op->kind == EACH && at->stage)
        return 1;
    if (at->group.stage_ == ASYNC_GROUP_RUNS_
            ? at->group.ask_ == ASYNC_BODY_UNWINDS_
            : at->group.stage_ == ASYNC_GROUP_WAITS_ && at->group.stops_)
        return 1;
    return (at->batch.kind_ != ASYNC_BATCH_IDLE_ && at->batch.result_) ||
           at->ask.caller_ >= ASYNC_CALLER_LATE_;
}

/* True if somebody in this task may let a cancel wait. */
static int is_protected(const struct node *at)
{
    for (; at; at = at->parent)
        if (at->is_closing || unwinds(at) || (at->op && at->op->kind == SHIELD))
            return 1;
    return 0;
}

static int is_canceled(const struct node *root)
{
    return (root->task->wait_.flags & ASYNC_IS_CANCELED_) != 0;
}

static void cancel(struct node *root)
{
    struct node *at;

    if (!root)
        return;
    cancel_count++;
    root->is_asked = 1;
    if (root->at)
        root->at->is_canceled++;
    for (at = root->at; at; at = at->parent)
        at->must_keep |= at->is_closing || unwinds(at);
    async_cancel(&loop, root->task);
}

/* ---- operations -----------------------------------------------------------
 */

static async act(struct async_loop *on, void *frame);

static void limit(unsigned which, size_t max_concurrency)
{
    struct async_actor *actor = &actors[which];

    places[which] = async_actor_running(actor); /* none is cut short */
    if (places[which] < max_concurrency)
        places[which] = max_concurrency;
    async_actor_limit(&loop, actor, max_concurrency);
}

/* Whatever has to be there before it runs. False: it is left out. */
static int begin_op(struct node *self)
{
    const struct op *op = self->op;
    int is_task = op->kind == GATHER || op->kind == MAP || op->kind == RACE ||
                  op->kind == GROUP || op->kind == START || op->kind == ASK;
    unsigned i;

    self->stage = 0;
    self->began = async_now(&loop);
    self->is_canceled = 0;
    self->cancels_before = cancel_count;
    if (!self->is_closing)
        self->must_keep = 0;
    if (op->kind == START && self->started_count == STARTED)
        return 0;
    if ((op->kind == JOIN || op->kind == WAIT || op->kind == EACH) &&
        !self->started_count)
        return 0;
    if (op->kind == RACE && !op->count)
        return 0;
    if (op->kind == PUT && value_count == VALUES)
        return 0;
    if (spare_count < op->count)
        return 0;
    for (i = 0; i < op->count; i++)
        self->children[i] =
            node_new(op->children[op->kind == MAP ? 0 : i],
                     is_task && (op->kind != GROUP || i > 0) ? NULL : self);
    switch (op->kind) {
    case TIMEOUT:
        self->root->limits++;
        break;
    case GROUP:
        self->root->limits++;
        memset(self->members, 0, sizeof self->members);
        memset(&self->group, 0, sizeof self->group);
        self->group.collect = op->collects;
        for (i = 1; i < op->count; i++)
            (void)async_group_spawn(&loop, &self->group, &self->members[i], act,
                                    self->children[i]);
        break;
    case EACH:
        self->each_count = 0;
        break;
    case PUT:
        self->value = value_count++;
        break;
    case RACE:
    case GATHER:
        self->batch.collect = op->collects;
        memset(self->tasks, 0, sizeof self->tasks);
        for (i = 0; i < op->count; i++)
            (void)async_spawn(&loop, &self->tasks[i], act, self->children[i]);
        break;
    case MAP:
        self->batch.collect = op->collects;
        memset(self->tasks, 0, sizeof self->tasks);
        memset(self->mapped, 0, sizeof self->mapped);
        for (i = 0; i < op->count; i++)
            self->mapped[i].node = self->children[i];
        for (i = 0; i < op->count; i++)
            self->children[i]->mapped_by = self;
        break;
    case START:
        i = self->started_count++;
        self->started_nodes[i] = self->children[0];
        (void)async_spawn(&loop, &self->started[i], act, self->children[0]);
        break;
    case CANCEL:
        cancel(some_task(op->which));
        break;
    case LIMIT:
        limit(op->which, 1 + op->ms % 3u);
        break;
    case ASK:
        asked[op->which]++;
        break;
    case BARRIER:
        at_barrier[op->which]++;
        break;
    case NOTIFY:
        async_condition_notify(&loop, &conditions[op->which], op->ms);
        break;
    case SET:
        is_set[op->which] = !op->collects;
        if (op->collects)
            async_event_clear(&loop, &events[op->which]);
        else
            async_event_set(&loop, &events[op->which]);
        break;
    default:
        break;
    }
    return 1;
}

/* What a map steps, a row of frames; each is a function's stand-in. */
static async act_mapped(struct async_loop *on, void *frame)
{
    struct mapped *self = frame;
    async_status status = act(on, self->node);

    self->async = self->node->async;
    return status;
}

/* Takes what an operation is to hold. */
static async take(struct async_loop *on, const struct op *op)
{
    switch (op->kind) {
    case HOLD:
        return async_acquire(on, &semaphores[op->which]);
    case READ:
        return async_read_lock(on, &rwlocks[op->which]);
    case WRITE:
        return async_write_lock(on, &rwlocks[op->which]);
    default:
        return async_lock(on, &mutexes[op->which]);
    }
}

/* It has been taken. */
static void taken(const struct op *op)
{
    unsigned i = op->which;

    switch (op->kind) {
    case HOLD:
        held[i]++;
        check(held[i] <= permits_of(i), "a permit was doubled");
        break;
    case READ:
        reading[i]++;
        check(!writing[i], "one reads while one writes");
        break;
    case WRITE:
        writing[i]++;
        check(!reading[i] && writing[i] == 1, "two write, or one reads");
        break;
    default:
        locked[i]++;
        check(locked[i] == 1, "two hold a mutex");
        break;
    }
}

static void give(struct node *self)
{
    const struct op *op = self->op;
    unsigned i = op->which;

    switch (op->kind) {
    case HOLD:
        held[i]--;
        if (!forgets || self->status > 0)
            async_release(&loop, &semaphores[i]);
        break;
    case READ:
        reading[i]--;
        async_read_unlock(&loop, &rwlocks[i]);
        break;
    case WRITE:
        writing[i]--;
        async_write_unlock(&loop, &rwlocks[i]);
        break;
    default:
        check(mutexes[i].owner == self->root->task,
              "a mutex is not held by who holds it");
        locked[i]--;
        async_unlock(&loop, &mutexes[i]);
        break;
    }
}

/* An awaitable. */
static async run_op(struct async_loop *on, struct node *self)
{
    const struct op *op = self->op;

    switch (op->kind) {
    case SLEEP:
        return async_sleep_ms(on, op->ms);
    case YIELD:
        return async_yield_now(on);
    case FAIL:
        return -EIO;
    case CALL:
        return act(on, self->children[0]);
    case CALLED:
        return async_call(on, &self->call, act, self->children[0]);
    case TIMEOUT:
        if (op->collects)
            return async_deadline(on, &self->timer,
                                  (async_time)(self->began + op->ms),
                                  act(on, self->children[0]));
        return async_timeout(on, &self->timer, op->ms,
                             act(on, self->children[0]));
    case GATHER:
        return async_gather(on, &self->batch, self->tasks, op->count);
    case MAP:
        return async_map_n(on, &self->batch, act_mapped, self->mapped,
                           sizeof self->mapped[0], op->count, self->tasks,
                           op->which);
    case RACE:
        return async_race(on, &self->batch, self->tasks, op->count);
    case GROUP:
        if (!op->count)
            return async_group_wait(on, &self->group);
        return async_group(on, &self->group, act(on, self->children[0]));
    case SHIELD:
        return async_shield(on, act(on, self->children[0]));
    case WAIT:
        return async_wait(on, &self->batch, self->started, self->started_count,
                          op->which % 3 == 0   ? ASYNC_FIRST_COMPLETED
                          : op->which % 3 == 1 ? ASYNC_FIRST_ERROR
                                               : ASYNC_ALL_COMPLETED);
    case EACH:
        if (self->stage)
            return async_batch_end(on, &self->batch);
        return async_as_completed(on, &self->batch, self->started,
                                  self->started_count, &self->each);
    case PUT:
        return async_timeout(on, &self->timer, op->ms,
                             async_put(on, &queues[op->which], &self->value));
    case GET:
        return async_timeout(on, &self->timer, op->ms,
                             async_get(on, &queues[op->which], &self->value));
    case JOIN:
        return async_join(on, &self->started[op->which % self->started_count]);
    case HOLD:
    case LOCK:
    case READ:
    case WRITE:
        return self->stage ? act(on, self->children[0]) : take(on, op);
    case CONDITION:
        if (!self->stage)
            return take(on, op);
        /* the model knows of it only when it is over */
        return async_timeout(on, &self->timer, op->ms,
                             async_condition_wait(on, &conditions[op->which],
                                                  &mutexes[op->which]));
    case EVENT:
        return async_timeout(on, &self->timer, op->ms,
                             async_event_wait(on, &events[op->which]));
    case BARRIER:
        return async_timeout(
            on, &self->timer, op->ms,
            async_barrier_wait(on, &barriers[op->which], NULL));
    case TURN:
        return async_rate_wait(on, &rates[op->which]);
    case ASK:
        return async_actor_call(on, &actors[op->which], &self->ask, act,
                                self->children[0]);
    default:
        return ASYNC_DONE;
    }
}

/* A set of functions has ended, and `status` is what that leads to. */
static void check_set(const struct node *self, int status)
{
    const struct op *op = self->op;
    unsigned i;
    int is_there = 0;

    for (i = 0; i < op->count; i++) {
        const struct node *child = self->children[i];
        int outcome = async_outcome(&child->async);

        check(outcome || (op->kind == MAP && !child->began_times),
              "a gather has left a task behind");
        if (status == ASYNC_DONE && !op->collects && op->kind != RACE)
            check(outcome == ASYNC_DONE ||
                      (op->kind == GROUP && outcome == ASYNC_ECANCELED),
                  "a gather has lost an error");
        if (status == ASYNC_DONE)
            check(outcome != 0, "a gather has left a call out");
        is_there |= outcome == status;
    }
    if (status != ASYNC_DONE && status != ASYNC_ECANCELED)
        check(is_there && (!op->collects || op->kind >= RACE),
              "a gather's error is nobody's");
    if (op->kind == GROUP && op->collects && status < 0)
        check(status == ASYNC_ECANCELED ||
                  async_outcome(&self->children[0]->async) == status,
              "a collecting group has a member's error");
    for (i = 0; op->kind == RACE && op->collects && i < op->count; i++)
        check(status > 0 || status == ASYNC_ECANCELED ||
                  self->batch.winner >= op->count ||
                  !async_before_(self->children[self->batch.winner]->ended,
                                 self->children[i]->ended),
              "a collecting race was lost before all had failed");
    if (op->kind == RACE && status != ASYNC_ECANCELED) {
        check(self->batch.winner < op->count || op->collects,
              "a race has no winner");
        if (self->batch.winner < op->count)
            check(async_outcome(&self->children[self->batch.winner]->async) ==
                      status,
                  "a race's status is not its winner's");
        if (status == ASYNC_DONE || op->collects)
            check(is_there, "a race's status is nobody's");
    }
}

/* What a wait for some has waited for has come. */
static void check_started(const struct node *self)
{
    unsigned i, ended = 0, failed = 0;

    for (i = 0; i < self->started_count; i++) {
        int outcome = async_task_outcome(&self->started[i]);

        ended += outcome != ASYNC_PENDING;
        failed += outcome < 0;
    }
    check(ended == self->started_count || (self->op->which % 3 == 0 && ended) ||
              (self->op->which % 3 == 1 && failed),
          "a wait was over too early");
}

/* One more of them. True: there may be others. */
static int each_ended(struct node *self)
{
    unsigned i;

    if (self->stage) {
        check(self->status == ASYNC_DONE, "a batch's end was cut short");
        self->status = self->each_status;
    } else if (self->status < 0) {
        self->each_status = self->status;
        self->stage = 1;
        self->is_canceled = 0;
        return 1;
    } else if (self->each) {
        check(async_task_outcome(self->each) != ASYNC_PENDING,
              "one that is handed out has not ended");
        self->each_count++;
        self->is_canceled = 0;
        return 1;
    } else {
        check(self->each_count == self->started_count,
              "not each was handed out, or one was twice");
    }
    for (i = 0; i < self->started_count; i++)
        check(async_task_outcome(&self->started[i]) != ASYNC_PENDING,
              "one goes on that was canceled, or was not handed out");
    return 0;
}

/* A cancel has landed in a wait of its. From further out than a timeout or a
 * group it is not known to have come. */
static int may_land(const struct node *self)
{
    const struct node *at = self;

    if (at->is_closing)
        return 0;
    while ((at = at->parent) != NULL) {
        if (at->op->kind == TIMEOUT || at->op->kind == GROUP)
            return 1;
        if (at->op->kind == SHIELD || at->is_closing)
            return 0;
    }
    return 1;
}

/* It is over, with self->status. True: it goes on in another stage. */
static int end_op(struct node *self)
{
    const struct op *op = self->op;
    struct node *root = self->root;
    int status = self->status, own = 0, outcome = ASYNC_PENDING;
    async_time took = (async_time)(async_now(&loop) - self->began);
    unsigned i;

    if (self->children[0] && op->count)
        outcome = async_outcome(&self->children[0]->async);
    check(status == ASYNC_DONE || status < 0, "a wait ended with no status");
    check(!self->is_canceled || status == ASYNC_ECANCELED || is_canceled(root),
          "a cancel was lost on one tick with an end");
    check(!self->must_keep || is_canceled(root),
          "a second cancel was lost in a clean-up");
    if (op->kind == EACH && each_ended(self))
        return 1;
    status = self->status;
    if ((op->kind == GATHER || op->kind == MAP || op->kind == RACE ||
         op->kind == ASK) &&
        status == ASYNC_ECANCELED && root->is_outer && !root->limits &&
        !self->must_keep && !is_protected(self) &&
        cancel_count - self->cancels_before ==
            (unsigned long)self->is_canceled) {
        check(!is_canceled(root), "a cancel was taken, and is still asked for");
        root->is_asked = 0;
    }
    root->was_told |= status == ASYNC_ECANCELED;
    switch (op->kind) {
    case SLEEP:
        own = 1;
        check(status == ASYNC_DONE ? took == op->ms : took <= op->ms,
              "a sleep was too short or too long");
        break;
    case YIELD:
        own = 1;
        check(took == 0, "a yield took time");
        break;
    case CALL:
    case CALLED:
        check(status == outcome, "a call's status was lost");
        break;
    case TIMEOUT:
        root->limits--;
        check(outcome && (status == outcome || (status == ASYNC_ETIMEDOUT &&
                                                outcome == ASYNC_ECANCELED)),
              "a timeout's status is not what it was around");
        check(status == outcome || took >= op->ms, "a timeout came early");
        timeouts += status != outcome;
        break;
    case GROUP:
        root->limits--;
        check_set(self, status);
        break;
    case GATHER:
    case MAP:
    case RACE:
        check_set(self, status);
        break;
    case SHIELD:
        check(status == outcome, "a call's status was lost");
        break;
    case WAIT:
        own = 1;
        if (status == ASYNC_DONE)
            check_started(self);
        break;
    case PUT:
        own = 1;
        values[self->value].put += status == ASYNC_DONE;
        values[self->value].kept += status != ASYNC_DONE;
        in_queue[op->which] += status == ASYNC_DONE;
        break;
    case GET:
        own = 1;
        if (status != ASYNC_DONE)
            break;
        check(self->value < value_count && !values[self->value].got,
              "a value was got twice, or never put");
        values[self->value % VALUES].got++;
        in_queue[op->which]--;
        break;
    case JOIN:
        check(status == ASYNC_ECANCELED ||
                  status ==
                      async_task_outcome(
                          &self->started[op->which % self->started_count]),
              "a join's status is another one");
        break;
    case HOLD:
    case LOCK:
    case READ:
    case WRITE:
    case CONDITION:
        own = !self->stage || op->kind == CONDITION;
        if (!self->stage && status == ASYNC_DONE) {
            taken(op);
            queued_count += took > 0;
            if (op->kind == CONDITION) {
                locked[op->which]--; /* while it waits */
                self->began = async_now(&loop);
            }
            self->is_canceled = 0;
            self->stage = 1;
            return 1;
        }
        if (!self->stage)
            break;
        if (op->kind == CONDITION)
            taken(op);
        else
            check(status == outcome, "a call's status was lost");
        give(self);
        break;
    case EVENT:
    case BARRIER:
        own = 1;
        check(status != ASYNC_ETIMEDOUT || took == op->ms,
              "a wait timed out too early or too late");
        at_barrier[op->which] -= op->kind == BARRIER;
        break;
    case TURN:
        own = 1;
        if (status != ASYNC_DONE)
            break;
        check(!has_turned[op->which] ||
                  (async_time)(async_now(&loop) - turn[op->which]) >=
                      rates[op->which].ms,
              "two turns came too soon after each other");
        has_turned[op->which] = 1;
        turn[op->which] = async_now(&loop);
        break;
    case ASK:
        asked[op->which]--;
        if (self->children[0]->began_times)
            check(outcome == status || status == ASYNC_ECANCELED,
                  "an actor's status is not its method's");
        else
            check(status == ASYNC_ECANCELED, "an actor did not make a call");
        break;
    default:
        break;
    }
    if (status == ASYNC_ECANCELED && own) {
        landings++;
        if (root->is_outer && !root->limits) {
            check(root->is_asked, "a cancel that nobody had asked for");
            root->is_asked = is_canceled(root); /* a second one */
        }
        check(may_land(self), "a clean-up or a shield was cut short");
    }
    errors += status < 0;
    if (op->kind != START)
        for (i = 0; i < op->count; i++)
            node_spent(self->children[i]);
    memset(self->children, 0, sizeof self->children);
    return 0;
}

static async run(struct async_loop *on, struct node *self)
{
    async_status status;

    for (;;) {
        self->root->at = self;
        status = run_op(on, self);
        if (status == ASYNC_PENDING || status == ASYNC_ASKED_)
            return status;
        self->status = status;
        if (!end_op(self))
            return status;
    }
}

/* Those it has started, at its end: they are asked to stop, and awaited. */
static async end_started(struct async_loop *on, struct node *self)
{
    self->root->at = self;
    return async_gather(on, &self->rest, self->started, self->started_count);
}

static void begin_node(struct node *self, struct async_task *task)
{
    unsigned i;

    self->began_times++;
    began_count++;
    self->root->at = self;
    for (i = 0; self->mapped_by && i < self->mapped_by->op->count; i++) {
        const struct node *other = self->mapped_by->children[i];

        check(self->mapped_by->op->collects ||
                  async_outcome(&other->async) >= 0 ||
                  other->ended == async_now(&loop),
              "a map goes on after an error");
    }
    if (self->root != self)
        return;
    self->task = task;
    roots[root_count++] = self;
}

static void end_node(struct node *self)
{
    unsigned i;

    self->ended_times++;
    self->ended = async_now(&loop);
    check(!self->must_keep || is_canceled(self->root),
          "a cancel was lost in a finally section");
    self->is_closing = 0;
    self->root->at = self->parent;
    if (self->root != self)
        return;
    for (i = 0; roots[i] != self; i++)
        ;
    for (root_count--; i < root_count; i++)
        roots[i] = roots[i + 1];
}

static const struct op *op_after(const struct node *self)
{
    unsigned i = self->op ? (unsigned)(self->op - running->ops) + 1 : 0;

    return next_op(running, i, self->routine, self->is_closing);
}

static async act(struct async_loop *on, void *frame)
{
    struct node *self = frame;
    unsigned i;

    async_begin(self);
    begin_node(self, async_current(on));
    while ((self->op = op_after(self)) != NULL) {
        if (!begin_op(self))
            continue;
        if (self->op->catches)
            async_catch(self->status, run(on, self));
        else
            await(run(on, self));
    }
    async_finally();
    self->closed_times++;
    self->is_closing = 1;
    self->must_keep = 0;
    self->op = NULL;
    while ((self->op = op_after(self)) != NULL)
        if (begin_op(self))
            async_catch(self->status, run(on, self));
    if (self->started_count) {
        self->rest.collect = 1;
        for (i = 0; i < self->started_count; i++)
            async_cancel(on, &self->started[i]);
        async_catch(self->status, end_started(on, self));
        check(self->status == ASYNC_DONE, "a clean-up was cut short");
        for (i = 0; i < self->started_count; i++)
            node_spent(self->started_nodes[i]);
    }
    end_node(self);
    async_end();
}

/* ---- what must hold -------------------------------------------------------
 */

/* As soon as it is known how a set ends its other tasks are canceled. */
static void check_gather(const struct node *self)
{
    const struct op *op = self->op;
    int is_known = 0;
    unsigned i;

    for (i = 0; i < op->count; i++) {
        int outcome = async_outcome(&self->children[i]->async);

        if (op->kind == RACE)
            is_known |= outcome == ASYNC_DONE || (outcome && !op->collects);
        else if (op->kind == GROUP)
            is_known |= outcome < 0 && outcome != ASYNC_ECANCELED &&
                        (!op->collects || i == 0);
        else
            is_known |= outcome < 0 && !op->collects;
    }
    if (op->kind == GROUP && op->count)
        check(!is_known || self->children[0]->ended_times ||
                  self->group.ask_ != ASYNC_BODY_IS_FREE_,
              "a group lets its body run on after an error");
    for (i = op->kind == GROUP; i < op->count; i++) {
        const struct node *child = self->children[i];

        check(!is_known || !child->began_times || child->ended_times ||
                  child->was_told || is_canceled(child) || unwinds(child->at),
              "a gather lets tasks run on after its end is known");
    }
}

/* What one waits for, from the inside out. */
static void check_waits(const struct node *root)
{
    const struct async_wait_ *wait = &root->task->wait_;
    const struct node *at;

    check(!(wait->flags & (ASYNC_IS_CANCELED_ | ASYNC_IS_LATE_)) ||
              is_protected(root->at),
          wait->flags & ASYNC_IS_LATE_ ? "a timeout was lost"
                                       : "a cancel was lost");
    check(!(wait->flags & ASYNC_IS_LANDING_), "a cancel is still landing");
    check(!(wait->flags & ASYNC_IS_LATE_) == !wait->asks,
          "a task is late for no timeout, or has forgotten one");
    for (at = root->at; at; at = at->parent) {
        if (at->op &&
            (at->op->kind == TIMEOUT || at->op->kind == EVENT ||
             at->op->kind == BARRIER || at->op->kind == PUT ||
             at->op->kind == GET || (at->op->kind == CONDITION && at->stage)))
            check((async_time)(now - at->began) < at->op->ms ||
                      at->timer.wait_.flags == ASYNC_TIMEOUT_LANDED_ ||
                      at->timer.wait_.flags == ASYNC_TIMEOUT_ASKS_,
                  "a timeout has not come");
        if (at->op && at->op->kind >= GATHER && at->op->kind <= GROUP)
            check_gather(at);
    }
}

/* Nothing is ready. */
static void check_at_rest(void)
{
    const char *broken = async_loop_check(&loop);
    unsigned i;

    check(!broken, broken ? broken : "");
    check(!async_stuck(&loop), "nothing can wake these tasks any more");
    for (i = 0; i < LEVELS; i++) {
        const struct async_actor *actor = &actors[i];

        check(semaphores[i].permits + held[i] == permits_of(i),
              "a permit was lost, or doubled");
        check(!semaphores[i].permits || !semaphores[i].line_,
              "one waits for a permit that is free");
        check(!mutexes[i].owner == !locked[i], "a mutex has no owner, or two");
        check(mutexes[i].owner || !mutexes[i].line_,
              "one waits for a mutex that is free");
        check(rwlocks[i].readers == reading[i] &&
                  !rwlocks[i].writer == !writing[i],
              "another number of tasks reads or writes");
        check(!rwlocks[i].line_ || reading[i] || writing[i],
              "one waits for a rw-lock that is free");
        check(!rwlocks[i].line_ || writing[i] ||
                  rwlocks[i].line_->status != ASYNC_RW_READS_,
              "one waits to read where others read");
        check(async_event_is_set(&events[i]) == is_set[i],
              "an event is set, or it is not");
        check(!events[i].line_ || !is_set[i],
              "one waits for an event that is set");
        check(async_queue_count(&queues[i]) == in_queue[i],
              "a queue holds another number of values");
        check(!queues[i].async.getters_ || !in_queue[i],
              "one waits for a value that is there");
        check(!queues[i].async.putters_ ||
                  in_queue[i] ==
                      sizeof queues[i].items / sizeof *queues[i].items,
              "one waits for a place that is free");
        check(!rates[i].line_ == !rates[i].timer_.wait_.next,
              "a rate's timer runs for nobody, or does not run");
        check(barriers[i].waiting == at_barrier[i] &&
                  at_barrier[i] < barriers[i].parties,
              "another number of tasks waits at a barrier");
        check(async_actor_queued(actor) + async_actor_running(actor) ==
                  asked[i],
              "an actor has lost a call, or doubled it");
        check(async_actor_running(actor) <= places[i],
              "more calls run than there are places");
        if (places[i] > actor->max_concurrency &&
            places[i] > async_actor_running(actor))
            places[i] = async_actor_running(actor) > actor->max_concurrency
                            ? async_actor_running(actor)
                            : actor->max_concurrency;
        check(!async_actor_queued(actor) ||
                  async_actor_running(actor) >= actor->max_concurrency,
              "a call waits for a place that is free");
    }
    for (i = 0; i < root_count; i++)
        check_waits(roots[i]);
}

static void check_at_end(void)
{
    unsigned i, value;

    check(async_alive(&loop) == 0, "a task lives on");
    check(root_count == 0, "a function did not end");
    check(async_next_poll_(&loop) == ASYNC_FOREVER,
          "the loop has something to do after the end");
    check(!loop.deadlines_.due && !async_deadlines_next_(&loop.deadlines_),
          "a timer runs after the end");
    check(!loop.unjoined_, "an error was left that somebody has taken");
    check(spare_count == NODES, "storage was not given back");
    for (i = 0; i < LEVELS; i++) {
        const struct async_semaphore semaphore = {.permits = permits_of(i)};
        const struct async_actor zero = {.max_concurrency =
                                             actors[i].max_concurrency};

        check(!memcmp(&semaphores[i], &semaphore, sizeof semaphore),
              "a semaphore is not as it was");
        check(!memcmp(&actors[i], &zero, sizeof zero),
              "an actor is not as it was");
        check(!mutexes[i].owner && !mutexes[i].line_ && !rwlocks[i].writer &&
                  !rwlocks[i].readers && !rwlocks[i].line_ &&
                  !conditions[i].line_ && !events[i].line_ &&
                  !barriers[i].line_ && !barriers[i].waiting && !rates[i].line_,
              "a lock is not as it was");
        check(!queues[i].async.getters_ && !queues[i].async.putters_,
              "a queue is not as it was");
        while (async_try_get(&loop, &queues[i], &value) == ASYNC_DONE)
            values[value].got++;
    }
    for (i = 0; i < value_count; i++)
        check(values[i].put == values[i].got &&
                  values[i].put + values[i].kept == 1,
              "a value was lost, or got though it was not put");
}

static void hear(void *arg, const char *text)
{
    (void)arg;
    if (!strstr(text, "an order of chance"))
        check(0, text);
}

static void set_up(const struct program *program)
{
    static const struct async_task no_task;
    unsigned i;

    running = program;
    *wrong = '\0';
    async_loop_init(&loop);
    now = (async_time)-8; /* it wraps soon */
    memset(&debug, 0, sizeof debug);
    debug.say = hear;
    debug.shuffle = program->shuffle;
    async_debug_start(&loop, &debug);
    memset(held, 0, sizeof held);
    memset(asked, 0, sizeof asked);
    memset(values, 0, value_count * sizeof *values);
    value_count = 0;
    memset(in_queue, 0, sizeof in_queue);
    memset(queues, 0, sizeof queues);
    for (i = 0; i < LEVELS; i++)
        queues[i].async.lifo = i == 1;
    memset(locked, 0, sizeof locked);
    memset(reading, 0, sizeof reading);
    memset(writing, 0, sizeof writing);
    memset(at_barrier, 0, sizeof at_barrier);
    memset(has_turned, 0, sizeof has_turned);
    memset(is_set, 0, sizeof is_set);
    memset(mutexes, 0, sizeof mutexes);
    memset(rwlocks, 0, sizeof rwlocks);
    memset(conditions, 0, sizeof conditions);
    memset(events, 0, sizeof events);
    memset(barriers, 0, sizeof barriers);
    memset(rates, 0, sizeof rates);
    memset(semaphores, 0, sizeof semaphores);
    memset(actors, 0, sizeof actors);
    for (i = 0; i < LEVELS; i++) {
        semaphores[i].permits = permits_of(i);
        barriers[i].parties = 2 + i % 2;
        rates[i].count = 1;
        rates[i].ms = 1 + i;
        places[i] = actors[i].max_concurrency = permits_of(i);
    }
    root_count = 0;
    spare_count = NODES;
    for (i = 0; i < NODES; i++) {
        spare[i] = &nodes[NODES - 1 - i];
        unpoison(spare[i], sizeof *spare[i]);
        poison(spare[i], sizeof *spare[i]);
    }
    for (i = 0; i < ROOTS; i++)
        outer_tasks[i] = no_task;
}

/* What comes from outside at `time`. Returns the ticks until more does. */
static async_time outside(const struct program *program, async_time time)
{
    const struct op *op = next_op(program, 0, OUTSIDE, 0);
    async_time ticks = ASYNC_FOREVER;

    for (; op;
         op = next_op(program, (unsigned)(op - program->ops) + 1, OUTSIDE, 0)) {
        if (op->ms > time && op->ms - time < ticks)
            ticks = op->ms - time;
        if (op->ms != time)
            continue;
        if (op->kind == CANCEL)
            cancel(some_task(op->which));
        else
            limit(op->which, 1 + op->ms % 3u);
    }
    return ticks;
}

/* Leaves in `wrong` what was wrong, "" if nothing. */
static void run_program(const struct program *program)
{
    struct node *outer[ROOTS];
    async_time time = 0, ticks, more;
    unsigned i;
    int polls;

    set_up(program);
    for (i = 0; i < program->root_count; i++) {
        outer[i] = node_new(program->roots[i], NULL);
        outer[i]->is_outer = 1;
        (void)async_spawn(&loop, &outer_tasks[i], act, outer[i]);
    }
    while (!*wrong && time < LONGEST) {
        more = outside(program, time);
        for (polls = 0; (ticks = async_poll(&loop, now)) == 0; polls++)
            if (polls == 1000)
                check(0, "the loop does not come to rest");
            else if (*wrong)
                break;
        check_at_rest();
        if (ticks > more)
            ticks = more;
        if (ticks == ASYNC_FOREVER)
            break;
        now += ticks;
        time += ticks;
    }
    check(time < LONGEST, "a program without an end");
    if (*wrong)
        return;
    for (i = 0; i < program->root_count; i++) {
        check(async_task_outcome(&outer_tasks[i]) ==
                  async_outcome(&outer[i]->async),
              "a task's status is not its function's");
        async_claim_(&loop, &outer_tasks[i]);
        node_spent(outer[i]);
    }
    check_at_end();
}

/* ---- in a process of its own ----------------------------------------------
 */

/* What came of some programs. */
struct report {
    uint64_t seed; /* of the one that ran last */
    unsigned long began_count, landings, timeouts, errors, queued_count;
    char wrong[200]; /* in it; "" if nothing was */
};

#if HAVE_FORK
static int report_to; /* the end of a pipe */
#endif
static struct report said;

static void say(uint64_t seed)
{
    said.seed = seed;
    said.began_count = began_count;
    said.landings = landings;
    said.timeouts = timeouts;
    said.errors = errors;
    said.queued_count = queued_count;
    memcpy(said.wrong, wrong, sizeof wrong);
#if HAVE_FORK
    if (write(report_to, &said, sizeof said) != (ssize_t)sizeof said)
        _exit(2);
#endif
}

static void stopped(const char *sentence)
{
    check(0, sentence);
#if HAVE_FORK
    say(said.seed);
    _exit(1);
#else
    printf("stopped: %s\n", sentence);
    abort();
#endif
}

/* Runs `program`, or, if it is NULL, `count` programs from `seed` on, until one
 * fails. */
static void run_here(const struct program *program, uint64_t seed,
                     unsigned long count)
{
    static struct program made;

    for (; count; count--, seed++) {
        if (!program)
            make_program(&made, seed);
        said.seed = seed;
#if HAVE_FORK
        (void)alarm(program ? 2 : 10); /* one that hangs is stopped */
        if (!program && seed % 16 == 0)
            say(seed);
#endif
        run_program(program ? program : &made);
        if (*wrong)
            break;
    }
    say(count ? seed : seed - 1);
}

#if HAVE_FORK
/* Runs them; a crash is reported too. */
static struct report run_apart(const struct program *program, uint64_t seed,
                               unsigned long count)
{
    struct report report;
    int ends[2], status = 0;
    pid_t child;

    memset(&report, 0, sizeof report);
    (void)fflush(stdout);
    if (pipe(ends) < 0 || (child = fork()) < 0) {
        perror("test_programs");
        exit(1);
    }
    if (child == 0) {
        (void)close(ends[0]);
        if (program) /* what it says is known */
            (void)freopen("/dev/null", "w", stderr);
        report_to = ends[1];
        run_here(program, seed, count);
        _exit(0);
    }
    (void)close(ends[1]);
    while (read(ends[0], &report, sizeof report) == (ssize_t)sizeof report)
        ;
    (void)close(ends[0]);
    (void)waitpid(child, &status, 0);
    if (status && !*report.wrong)
        (void)snprintf(report.wrong, sizeof report.wrong,
                       "a crash, or it hangs");
    return report;
}
#else
static struct report run_apart(const struct program *program, uint64_t seed,
                               unsigned long count)
{
    run_here(program, seed, count);
    return said;
}
#endif

/* ---- smaller ------------------------------------------------------------ */

static char sought[200]; /* what is wrong with a program that shrinks */

static int still_fails(const struct program *program)
{
    return !strcmp(run_apart(program, 0, 1).wrong, sought);
}

/* Sets a byte if the program then fails still. True: it was another one. */
static int try_byte(struct program *program, uint8_t *byte, unsigned value)
{
    uint8_t was = *byte;

    if (was == value)
        return 0;
    *byte = (uint8_t)value;
    if (still_fails(program))
        return 1;
    *byte = was;
    return 0;
}

static int try_without_root(struct program *program, unsigned i)
{
    struct program was = *program;

    if (program->root_count == 1)
        return 0;
    for (program->root_count--; i < program->root_count; i++)
        program->roots[i] = program->roots[i + 1];
    if (still_fails(program))
        return 1;
    *program = was;
    return 0;
}

/* An operation that runs one routine gives way to that routine's own. */
static int try_inlined(struct program *program, struct op *op)
{
    struct program was = *program;
    unsigned i, into = op->routine, from = op->children[0];

    if (op->count != 1)
        return 0;
    op->dropped = 1;
    for (i = 0; i < program->op_count; i++)
        if (program->ops[i].routine == from) {
            program->ops[i].routine = (uint8_t)into;
            program->ops[i].cleans |= op->cleans;
        }
    if (still_fails(program))
        return 1;
    *program = was;
    return 0;
}

/* An operation gives way to a failure. */
static int try_failing(struct program *program, struct op *op)
{
    struct program was = *program;

    if (op->kind == FAIL || op->routine == OUTSIDE)
        return 0;
    op->kind = FAIL;
    op->catches = op->ms = op->which = op->collects = op->count = 0;
    if (still_fails(program))
        return 1;
    *program = was;
    return 0;
}

static int is_reached(const struct program *program, const struct op *op,
                      unsigned routine)
{
    unsigned i, j;

    if (op->routine == routine)
        return 1;
    for (i = 0; i < program->op_count; i++) {
        const struct op *other = &program->ops[i];
        unsigned children = other->kind == MAP ? 1 : other->count;

        if (other->routine != routine || other->dropped)
            continue;
        for (j = 0; j < children; j++)
            if (is_reached(program, op, other->children[j]))
                return 1;
    }
    return 0;
}

/* How many operations there are that run. */
static unsigned size_of(const struct program *program)
{
    unsigned i, j, count = 0;

    for (i = 0; i < program->op_count; i++) {
        const struct op *op = &program->ops[i];
        int reached = op->routine == OUTSIDE;

        for (j = 0; j < program->root_count; j++)
            reached |= is_reached(program, op, program->roots[j]);
        count += reached && !op->dropped;
    }
    return count;
}

/* Leaves out whatever it fails without. */
static void shrink(struct program *program)
{
    struct report report = run_apart(program, 0, 1);
    int smaller = 1;
    unsigned i, j;

    memcpy(sought, report.wrong, sizeof sought);
    while (smaller) {
        smaller = 0;
        if (program->shuffle) {
            uint32_t was = program->shuffle;

            program->shuffle = 0;
            if (!still_fails(program))
                program->shuffle = was;
        }
        for (i = 0; i < program->root_count; i++)
            smaller |= try_without_root(program, i);
        for (i = 0; i < program->op_count; i++) {
            struct op *op = &program->ops[i];

            if (op->dropped)
                continue;
            if (try_byte(program, &op->dropped, 1) ||
                try_inlined(program, op) || try_failing(program, op)) {
                smaller = 1;
                continue;
            }
            for (j = 0; op->kind >= GATHER && op->kind <= GROUP &&
                        op->kind != MAP && j < op->count;
                 j++) {
                struct program was = *program;

                memmove(&op->children[j], &op->children[j + 1],
                        CHILDREN - 1 - j);
                op->count--;
                if (still_fails(program))
                    smaller = 1;
                else
                    *program = was;
            }
            if (op->kind == MAP)
                smaller |= try_byte(program, &op->count, 1);
            if (op->ms)
                smaller |= try_byte(program, &op->ms, 0) ||
                           try_byte(program, &op->ms, 1) ||
                           try_byte(program, &op->ms, op->ms / 2u);
            smaller |= try_byte(program, &op->which, op->kind == MAP);
            smaller |= try_byte(program, &op->catches, 0);
            smaller |= try_byte(program, &op->collects, 0);
        }
    }
}

/* The seed of a program that fails, and what is left of it. */
static void tell(uint64_t seed, struct program *program)
{
    struct report report;

    make_program(program, seed);
    report = run_apart(program, seed, 1);
    printf("seed %" PRIu64 " fails: %s\n", seed, report.wrong);
    printf("it has %u operations; these fail still:\n", size_of(program));
    shrink(program);
    print_program(program);
    printf("(PROGRAMS_SEED=%" PRIu64 " runs it alone)\n", seed);
}

/* Runs `count` programs from `seed` on. The seed of the first that fails is
 * left in the report. */
static struct report run_programs(uint64_t seed, unsigned long count)
{
    struct report report = run_apart(NULL, seed, count);

    if (!*report.wrong)
        return report;
    for (;; report.seed++) { /* a crash is told by the sixteen around it */
        struct report again = run_apart(NULL, report.seed, 1);

        if (*again.wrong || report.seed == seed + count) {
            again.seed = report.seed;
            return again;
        }
    }
}

/* ---- claims ---------------------------------------------------------------
 */

static uint64_t first_seed;
static unsigned long how_many = PROGRAMS;

static void programs_of_chance_end_as_they_must(void **state)
{
    static struct program program;
    struct report report = run_programs(first_seed, how_many);

    (void)state;
    printf("# %lu programs from seed %" PRIu64 " on: %lu functions, %lu errors,"
           " %lu cancels landed, %lu timeouts, %lu waited for a permit\n",
           how_many, first_seed, report.began_count, report.errors,
           report.landings, report.timeouts, report.queued_count);
    if (*report.wrong) {
        tell(report.seed, &program);
        fail();
    }
    if (how_many < 1000)
        return;
    assert_true(report.began_count > 10 * how_many); /* it is no sham */
    assert_true(report.errors > how_many);
    assert_true(report.landings > how_many / 10);
    assert_true(report.timeouts > how_many / 10);
    assert_true(report.queued_count > how_many / 100);
}

static void a_seed_is_a_program(void **state)
{
    static struct program one, two;

    (void)state;
    make_program(&one, 7);
    make_program(&two, 8);
    assert_memory_not_equal(&one, &two, sizeof one);
    make_program(&two, 7);
    assert_memory_equal(&one, &two, sizeof one);
}

#if HAVE_FORK
static void a_mistake_is_found_and_cut_down_to_what_it_takes(void **state)
{
    static struct program program;
    struct report report;

    (void)state;
    forgets = 1; /* whoever fails keeps its permit */
    report = run_programs(0, 1000);
    assert_string_not_equal(report.wrong, "");
    make_program(&program, report.seed);
    shrink(&program);
    forgets = 0;
    assert_true(size_of(&program) <= 2); /* hold, fail */
}
#endif

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_of_chance_end_as_they_must),
        cmocka_unit_test(a_seed_is_a_program),
#if HAVE_FORK
        cmocka_unit_test(a_mistake_is_found_and_cut_down_to_what_it_takes),
#endif
    };
    const char *alone = argc > 1 ? argv[1] : getenv("PROGRAMS_SEED");
    const char *count = getenv("PROGRAMS");

    if (count)
        how_many = strtoul(count, NULL, 10);
    if (alone) {
        first_seed = strtoull(alone, NULL, 10);
        how_many = 1;
    }
    return cmocka_run_group_tests_name("programs", tests, NULL, NULL);
}
