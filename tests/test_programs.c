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
    PERMITS = 1,     /* of each semaphore */
    PLACES = 1,      /* of each actor */
    NODES = 400,     /* functions that run at once */
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
    START, /* a task that the function has until its end */
    JOIN,  /* one of these */
    HOLD,  /* a permit, while a routine runs */
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
    case START:
        count = 1;
        break;
    case GATHER:
        count = below(CHILDREN + 1);
        break;
    case MAP:
        count = 1;
        op->which = (uint8_t)(1 + below(CHILDREN));
        break;
    case HOLD:
    case ASK:
        if (level == LEVELS)
            return 0;
        count = 1;
        op->which = (uint8_t)(level + below(LEVELS - level));
        inner = op->which + 1u;
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
    for (i = below(4); i > 0; i--) { /* from outside */
        struct op *op = &program->ops[program->op_count++];

        op->routine = OUTSIDE;
        op->kind = below(4) ? CANCEL : LIMIT;
        op->which = (uint8_t)below(LEVELS);
        op->ms = (uint8_t)below(20);
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
    case START:
        print_line(depth, "start a task");
        break;
    case JOIN:
        print_line(depth, "join task %d of those started%s", op->which,
                   catches);
        break;
    case HOLD:
        print_line(depth, "hold permit %d%s", op->which, catches);
        break;
    case ASK:
        print_line(depth, "ask actor %d%s", op->which, catches);
        break;
    default:
        print_line(depth, "limit actor %d to %d", op->which, 1 + op->ms % 3);
        break;
    }
    for (i = 0; i < children; i++) {
        if (op->kind == GATHER)
            print_line(depth + 1, "task");
        print_routine(program, op->children[i],
                      depth + (op->kind == GATHER ? 2 : 1));
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
    int is_closing; /* in its finally section */
    int began_times, closed_times, ended_times;

    /* of a root */
    struct async_task *task;
    struct node *at; /* the innermost function */
    int is_outer;    /* spawned from outside */
    int limits;      /* timeouts around what it does */
    int is_asked;    /* to stop, by a cancel that is not known to have landed */
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

/* The model. */
static unsigned held[LEVELS], asked[LEVELS];
static char wrong[200]; /* the first thing that was */
static int forgets;     /* a mistake that is made on purpose */
static unsigned long began_count, landings, timeouts, errors, queued_count;

static void check(int holds, const char *what)
{
    if (!holds && !*wrong)
        (void)snprintf(wrong, sizeof wrong, "%s", what);
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

static void cancel(struct node *root)
{
    if (!root)
        return;
    root->is_asked = 1;
    async_cancel(&loop, root->task);
}

/* ---- operations -----------------------------------------------------------
 */

static async act(struct async_loop *on, void *frame);

/* Whatever has to be there before it runs. False: it is left out. */
static int begin_op(struct node *self)
{
    const struct op *op = self->op;
    int is_task = op->kind == GATHER || op->kind == MAP || op->kind == START ||
                  op->kind == ASK;
    unsigned i;

    self->stage = 0;
    self->began = async_now(&loop);
    if (op->kind == START && self->started_count == STARTED)
        return 0;
    if (op->kind == JOIN && !self->started_count)
        return 0;
    if (spare_count < op->count)
        return 0;
    for (i = 0; i < op->count; i++)
        self->children[i] = node_new(op->children[op->kind == MAP ? 0 : i],
                                     is_task ? NULL : self);
    switch (op->kind) {
    case TIMEOUT:
        self->root->limits++;
        break;
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
        async_actor_limit(&loop, &actors[op->which], 1 + op->ms % 3u);
        break;
    case ASK:
        asked[op->which]++;
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
        return async_timeout(on, &self->timer, op->ms,
                             act(on, self->children[0]));
    case GATHER:
        return async_gather(on, &self->batch, self->tasks, op->count);
    case MAP:
        return async_map_n(on, &self->batch, act_mapped, self->mapped,
                           sizeof self->mapped[0], op->count, self->tasks,
                           op->which);
    case JOIN:
        return async_join(on, &self->started[op->which % self->started_count]);
    case HOLD:
        return self->stage ? act(on, self->children[0])
                           : async_acquire(on, &semaphores[op->which]);
    case ASK:
        return async_actor_call(on, &actors[op->which], &self->ask, act,
                                self->children[0]);
    default:
        return ASYNC_DONE;
    }
}

/* The first error of those that a set of functions has ended with is `status`,
 * or there is none and it is done. */
static void check_set(const struct node *self, int status)
{
    unsigned i;
    int is_there = 0;

    for (i = 0; i < self->op->count; i++) {
        const struct node *child = self->children[i];
        int outcome = async_outcome(&child->async);

        check(outcome || (self->op->kind == MAP && !child->began_times),
              "a gather has left a task behind");
        if (status == ASYNC_DONE && !self->op->collects)
            check(outcome == ASYNC_DONE, "a gather has lost an error");
        if (status == ASYNC_DONE)
            check(outcome != 0, "a gather has left a call out");
        is_there |= outcome == status;
    }
    if (status != ASYNC_DONE && status != ASYNC_ECANCELED)
        check(is_there && !self->op->collects, "a gather's error is nobody's");
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
    case GATHER:
    case MAP:
        check_set(self, status);
        break;
    case JOIN:
        check(status == ASYNC_ECANCELED ||
                  status ==
                      async_task_outcome(
                          &self->started[op->which % self->started_count]),
              "a join's status is another one");
        break;
    case HOLD:
        if (self->stage == 0) {
            own = 1;
            if (status == ASYNC_DONE) {
                held[op->which]++;
                queued_count += took > 0;
                check(held[op->which] <= PERMITS, "a permit was doubled");
                self->stage = 1;
                return 1;
            }
        } else {
            check(status == outcome, "a call's status was lost");
            held[op->which]--;
            if (!forgets || status > 0)
                async_release(&loop, &semaphores[op->which]);
        }
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
            root->is_asked = 0;
        }
        check(!self->is_closing, "a clean-up was cut short");
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
    self->began_times++;
    began_count++;
    if (self->root != self)
        return;
    self->task = task;
    roots[root_count++] = self;
}

static void end_node(struct node *self)
{
    unsigned i;

    self->ended_times++;
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

/* True if somebody in this task may let a cancel wait. */
static int is_protected(const struct node *at)
{
    for (; at; at = at->parent)
        if (at->is_closing || at->batch.error_ || at->rest.begun_ ||
            at->ask.caller_ >= ASYNC_CALLER_LATE_)
            return 1;
    return 0;
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

        check(semaphores[i].permits + held[i] == PERMITS,
              "a permit was lost, or doubled");
        check(!semaphores[i].permits || !semaphores[i].line_,
              "one waits for a permit that is free");
        check(async_actor_queued(actor) + async_actor_running(actor) ==
                  asked[i],
              "an actor has lost a call, or doubled it");
        check(!async_actor_queued(actor) ||
                  async_actor_running(actor) >= actor->max_concurrency,
              "a call waits for a place that is free");
    }
    for (i = 0; i < root_count; i++) {
        unsigned flags = roots[i]->task->wait_.flags;

        check(!(flags & (ASYNC_IS_CANCELED_ | ASYNC_IS_LATE_)) ||
                  is_protected(roots[i]->at),
              flags & ASYNC_IS_LATE_ ? "a timeout was lost"
                                     : "a cancel was lost");
        check(!(flags & ASYNC_IS_LANDING_), "a cancel is still landing");
    }
}

static void check_at_end(void)
{
    unsigned i;

    check(async_alive(&loop) == 0, "a task lives on");
    check(root_count == 0, "a function did not end");
    check(async_next_poll_(&loop) == ASYNC_FOREVER,
          "the loop has something to do after the end");
    check(!loop.deadlines_.due && !async_deadlines_next_(&loop.deadlines_),
          "a timer runs after the end");
    check(!loop.unjoined_, "an error was left that somebody has taken");
    check(spare_count == NODES, "storage was not given back");
    for (i = 0; i < LEVELS; i++) {
        const struct async_semaphore semaphore = {.permits = PERMITS};
        const struct async_actor zero = {.max_concurrency =
                                             actors[i].max_concurrency};

        check(!memcmp(&semaphores[i], &semaphore, sizeof semaphore),
              "a semaphore is not as it was");
        check(!memcmp(&actors[i], &zero, sizeof zero),
              "an actor is not as it was");
    }
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
    memset(semaphores, 0, sizeof semaphores);
    memset(actors, 0, sizeof actors);
    for (i = 0; i < LEVELS; i++) {
        semaphores[i].permits = PERMITS;
        actors[i].max_concurrency = PLACES;
    }
    root_count = 0;
    spare_count = NODES;
    for (i = 0; i < NODES; i++) {
        spare[i] = &nodes[NODES - 1 - i];
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
            async_actor_limit(&loop, &actors[op->which], 1 + op->ms % 3u);
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
        (void)alarm(10); /* one that hangs is stopped */
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

static int still_fails(const struct program *program)
{
    return *run_apart(program, 0, 1).wrong != '\0';
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

    if (op->count != 1 || op->kind == MAP || op->cleans)
        return 0;
    op->dropped = 1;
    for (i = 0; i < program->op_count; i++)
        if (program->ops[i].routine == from)
            program->ops[i].routine = (uint8_t)into;
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
    int smaller = 1;
    unsigned i, j;

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
            for (j = 0; op->kind == GATHER && j < op->count; j++) {
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
            smaller |= try_byte(program, &op->which, 0) && op->kind != MAP;
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
    printf("seed %" PRIu64 ": %s\n", seed, run_apart(program, 0, 1).wrong);
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
