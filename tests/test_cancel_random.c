/* test_cancel_random.c: small programs of chance, in which anybody cancels
 * anybody, against a model of what must not be lost.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_cancel_random.c -lcmocka
 *
 * A program is some tasks that sleep, yield, wait for conditions, flags,
 * permits, descriptors and each other, call, gather and map others, with
 * timeouts around it, and with clean-ups that wait too. Cancels come from
 * tasks, clean-ups, timers, other tasks' ends and from outside. After each poll
 * everything that the loop has linked together is walked. What has ended is
 * filled with rubbish and poisoned, and the loop goes on.
 *
 * PROGRAMS, from the environment or defined, is how many. One that fails is
 * repeated alone by SEED=its seed PROGRAMS=1.
 */
#include "trace.h"

#include "async_gather.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "poison.h"

#ifndef PROGRAMS
#define PROGRAMS 20000
#endif

enum {
    NODES = 40,    /* functions in a program, at the most */
    CHILDREN = 3,  /* of one, at once */
    ROOTS = 4,     /* tasks that are spawned from outside */
    PERMITS = 2,   /* of each semaphore */
    FLAGS = 2,     /* and semaphores, and descriptors */
    STIRRED = 30,  /* ticks in which things happen by chance */
    LONGEST = 3000 /* ticks after which a program should have ended */
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

/* ---- a program ---------------------------------------------------------- */

enum op {
    SLEEP,
    SLEEP_PAST,
    EVERY,
    YIELD_NOW,
    UNTIL,
    FLAG,
    ACQUIRE,
    READ,
    JOIN,
    GATHER, /* of tasks that are spawned just then, or were before */
    MAP,
    CHILD,  /* a plain await */
    CALLED, /* by async_call */
    YIELD,  /* without the loop */
    BARE,   /* a plain condition */
    SPAWN,  /* what is gathered later */
    CANCEL,
    SET,
    RELEASE,
    OPS
};

/* What a task is, for the model. */
struct actor {
    struct async_task *task; /* NULL: it has ended */
    int asked;    /* a cancel: 1: must land; 2: or has landed already */
    int closing;  /* finally sections that it is in */
    int limits;   /* timeouts around functions of its */
    int gathered; /* others may cancel it */
    unsigned serial;
    struct node *at; /* who waits in it, in the innermost function */
    int is_waiting;
};

/* A function, and all that it needs. */
struct node {
    struct async_frame async;
    struct async_timer inner, outer;
    struct async_call_frame call;
    struct async_batch batch;
    struct async_ticker ticker;
    struct async_task tasks[CHILDREN];
    struct async_task *target;
    unsigned target_serial; /* 0: it has ended before */
    struct actor *actor;
    struct node *parent;   /* that awaits it, plainly or by a call */
    struct node *children; /* a row of them */
    uint32_t count;        /* of children */
    struct node *spawned;  /* such as are not gathered yet */
    uint32_t spawned_count;
    enum op op;
    int nesting; /* timeouts around the wait */
    uint32_t inner_ms, outer_ms, ms;
    async_time began;
    unsigned which; /* flag, semaphore, descriptor */
    int is_root;    /* of a task */
    int is_called;  /* by async_call */
    int is_closing; /* in its finally section */
    int is_strict;  /* fails by await, not by async_fail */
    int error;
    int depth, i, ops, status;
    unsigned holds[FLAGS];
    int began_times, closed_times, ended_times;
};

static struct async_loop loop;
static async_time now; /* begins just before it wraps */
static int elapsed;
static struct node nodes[NODES];
static struct async_task roots[ROOTS];
static unsigned used;
static unsigned poisoned; /* roots, by bits */
static struct actor actors[NODES];
static struct async_semaphore semaphores[FLAGS];
static struct async_flag flags[FLAGS];
static struct async_timer stirrer;
static int watched[FLAGS], waiting[FLAGS]; /* descriptors, by events */

/* The model. */
static uint64_t seed;
static size_t alive;
static unsigned serials;
static unsigned held[FLAGS], sets[FLAGS], takes[FLAGS];
static const char *wrong;                /* the first thing that was */
static unsigned long landings, timeouts; /* that it is no sham */

static void model_check(int holds, const char *what)
{
    if (!holds && !wrong)
        wrong = what;
}

static struct actor *actor_of(const struct async_task *task)
{
    unsigned i;

    for (i = 0; i < NODES; i++)
        if (actors[i].task == task)
            return &actors[i];
    return NULL;
}

static int is_alive(unsigned serial)
{
    unsigned i;

    for (i = 0; i < NODES; i++)
        if (actors[i].task && actors[i].serial == serial)
            return 1;
    return 0;
}

static struct actor *actor_begin(struct async_task *task)
{
    struct actor *actor = actor_of(task);
    static const struct actor zero;

    if (actor)
        return actor;
    actor = actor_of(NULL);
    *actor = zero;
    actor->task = task;
    actor->serial = ++serials;
    alive++;
    return actor;
}

static void cancel(struct actor *actor)
{
    if (!actor || !actor->task)
        return;
    if (actor->asked == 0 || actor->asked == 2)
        actor->asked = 1;
    async_cancel(&loop, actor->task);
}

static struct actor *anybody(void)
{
    unsigned i = below(NODES), tries;

    for (tries = 0; tries < NODES; tries++, i++)
        if (actors[i % NODES].task)
            return &actors[i % NODES];
    return NULL;
}

static void set_flag(unsigned which)
{
    if (flags[which].set_)
        return;
    sets[which]++;
    async_flag_set(&loop, &flags[which]);
}

static void release_one(struct node *self, unsigned which)
{
    if (!self->holds[which])
        return;
    self->holds[which]--;
    held[which]--;
    async_release(&loop, &semaphores[which]);
}

static async act(struct async_loop *on, void *frame);

/* So many functions, in a row; NULL: there are not that many. */
static struct node *node_new(uint32_t count, int depth, int is_root)
{
    struct node *first = &nodes[used];
    uint32_t i;

    if (used + count > NODES)
        return NULL;
    used += count;
    for (i = 0; i < count; i++) {
        first[i].depth = depth;
        first[i].is_root = is_root;
        first[i].ops = 1 + (int)below(4);
    }
    return first;
}

static void node_spent(struct node *first, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        model_check(first[i].began_times == first[i].closed_times &&
                        first[i].closed_times == first[i].ended_times &&
                        first[i].ended_times <= 1,
                    "a finally section did not run exactly once");
        model_check(!first[i].inner.wait_.next && !first[i].outer.wait_.next,
                    "a timeout's timer runs on");
    }
    poison(first, count * sizeof *first);
}

/* ---- what a function waits for ------------------------------------------ */

static async wait_once(struct async_loop *on, struct node *self)
{
    switch (self->op) {
    case SLEEP:
        return async_sleep_ms(on, self->ms);
    case SLEEP_PAST:
        return async_sleep_until(on, (async_time)(self->began - 1));
    case EVERY:
        return async_every(on, &self->ticker, self->ms);
    case YIELD_NOW:
        return async_yield_now(on);
    case UNTIL:
        return async_until(
            on, !async_before_(async_now(on),
                               (async_time)(self->began + self->ms)));
    case FLAG:
        return async_flag_wait(on, &flags[self->which]);
    case ACQUIRE:
        return async_acquire(on, &semaphores[self->which]);
#if ASYNC_HOSTED_
    case READ:
        return async_readable(on, (int)self->which);
#endif
    case JOIN:
        return async_join(on, self->target);
    case GATHER:
        return async_gather(on, &self->batch, self->tasks, self->count);
    case MAP:
        return async_map_n(on, &self->batch, act, self->children,
                           sizeof(struct node), self->count, self->tasks, 2);
    case CHILD:
        return act(on, self->children);
    case CALLED:
        return async_call(on, &self->call, act, self->children);
    default:
        return ASYNC_DONE;
    }
}

static async wait_with_timeouts(struct async_loop *on, struct node *self)
{
    switch (self->nesting) {
    case 0:
        return wait_once(on, self);
    case 1:
        return async_timeout(on, &self->inner, self->inner_ms,
                             wait_once(on, self));
    default:
        return async_timeout(on, &self->outer, self->outer_ms,
                             async_timeout(on, &self->inner, self->inner_ms,
                                           wait_once(on, self)));
    }
}

/* Spawns children that a gather will wait for. */
static void spawn_children(struct node *self)
{
    uint32_t i, count = 1 + below(CHILDREN);

    if (self->spawned || self->depth > 3 || self->actor->closing)
        return;
    self->spawned = node_new(count, self->depth + 1, 1);
    if (!self->spawned)
        return;
    self->spawned_count = count;
    memset(&self->batch, 0, sizeof self->batch);
    memset(self->tasks, 0, sizeof self->tasks);
    self->batch.collect = below(3) == 0;
    for (i = 0; i < count; i++) {
        (void)async_spawn(&loop, &self->tasks[i], act, &self->spawned[i]);
        (void)actor_begin(&self->tasks[i]);
    }
}

/* Chooses what comes next, and prepares it. */
static void choose(struct node *self)
{
    int closing = self->actor->closing;
    uint32_t i;

    self->op = (enum op)below(OPS);
    self->nesting = below(3) ? 0 : 1 + (int)below(2);
    self->ms = below(5);
    self->inner_ms = below(5);
    self->outer_ms = below(5);
    self->which = below(FLAGS);
    self->began = async_now(&loop);
    self->count = 1;
    self->is_strict = below(3) == 0;
    if (closing && self->op <= ACQUIRE && self->op >= FLAG && !self->nesting)
        self->nesting = 1; /* or two could wait for each other for ever */
    switch (self->op) {
    case JOIN: {
        struct actor *actor = anybody();

        i = below(ROOTS);
        self->target = actor ? actor->task : NULL;
        if (below(4) == 0 && !(poisoned & 1u << i))
            self->target = &roots[i]; /* which may have ended */
        actor = self->target ? actor_of(self->target) : NULL;
        self->target_serial = actor ? actor->serial : 0;
        if (closing || !self->target)
            self->op = YIELD_NOW;
        break;
    }
    case GATHER:
        if (!self->spawned && !closing)
            spawn_children(self);
        self->children = self->spawned;
        self->count = self->spawned_count;
        if (!self->children)
            self->op = SLEEP;
        if (below(4) == 0)
            cancel(anybody());
        break;
    case MAP:
    case CHILD:
    case CALLED:
        if (self->op == MAP)
            self->count = 1 + below(CHILDREN);
        self->children = NULL;
        if (self->depth < 4 &&
            (self->op != MAP || (!closing && !self->spawned)))
            self->children =
                node_new(self->count, self->depth + 1, self->op == MAP);
        if (!self->children) {
            self->op = SLEEP;
            break;
        }
        if (self->op == MAP) {
            memset(&self->batch, 0, sizeof self->batch);
            self->batch.collect = below(3) == 0;
        } else {
            self->children->parent = self;
            self->children->is_called = self->op == CALLED;
        }
        memset(&self->call, 0, sizeof self->call);
        break;
    case EVERY:
        self->ticker.begun_ = 0;
        self->ms++;
        break;
    default:
        break;
    }
#if !ASYNC_HOSTED_
    if (self->op == READ)
        self->op = SLEEP;
#endif
    if (self->op == READ)
        waiting[self->which]++;
    self->actor->at = self;
    self->actor->is_waiting = self->op <= MAP;
    if (self->op == CHILD || self->op == CALLED)
        self->actor->limits += self->nesting;
}

/* What was waited for is over. Decides whether to fail. */
static void chosen_is_over(struct node *self)
{
    struct actor *actor = self->actor;
    /* may be somebody else's: of a task that was waited for */
    int own = self->op < JOIN;
    uint32_t i;

    actor->is_waiting = 0;
    if (self->status == ASYNC_ECANCELED) {
        landings++;
        if (own && !actor->limits && !actor->gathered)
            model_check(actor->asked, "a cancel that nobody had asked for");
        if (self->op != CHILD && self->op != CALLED)
            actor->asked = own && !actor->limits ? 0 : actor->asked ? 2 : 0;
    }
    if (self->status == ASYNC_ETIMEDOUT)
        timeouts++;
    model_check(self->status == ASYNC_DONE || self->status < 0,
                "a wait that ended with no status");
    if (self->op < JOIN)
        model_check(self->status == ASYNC_DONE ||
                        self->status == ASYNC_ECANCELED ||
                        (self->status == ASYNC_ETIMEDOUT && self->nesting),
                    "an error from nowhere");
    switch (self->op) {
    case FLAG:
        takes[self->which] += self->status == ASYNC_DONE;
        break;
    case READ:
        waiting[self->which]--;
        break;
    case ACQUIRE:
        if (self->status == ASYNC_DONE) {
            self->holds[self->which]++;
            held[self->which]++;
        }
        break;
    case JOIN:
        model_check(self->status == ASYNC_ECANCELED ||
                        self->status == ASYNC_ETIMEDOUT ||
                        self->status == ASYNC_EDEADLK ||
                        !is_alive(self->target_serial),
                    "a join was over before its task");
        break;
    case CHILD:
    case CALLED:
        model_check(self->nesting ||
                        self->status == async_outcome(&self->children->async),
                    "a call's status was lost");
        actor->limits -= self->nesting;
        node_spent(self->children, 1);
        break;
    case GATHER:
    case MAP:
        for (i = 0; i < self->count; i++)
            model_check(self->op == MAP || async_task_outcome(&self->tasks[i]),
                        "a gather has left a task behind");
        node_spent(self->children, self->count);
        poison(self->tasks, sizeof self->tasks);
        unpoison(self->tasks, sizeof self->tasks);
        poison(&self->batch, sizeof self->batch);
        unpoison(&self->batch, sizeof self->batch);
        memset(self->tasks, 0, sizeof self->tasks);
        memset(&self->batch, 0, sizeof self->batch);
        if (self->op == GATHER)
            self->spawned = NULL;
        break;
    default:
        break;
    }
    if (self->op <= CALLED)
        model_check(!self->inner.wait_.next && !self->outer.wait_.next,
                    "a timeout's timer runs on after its wait");
    self->error = self->status < 0 && below(2) ? self->status
                  : below(40) == 0             ? -EIO
                                               : 0;
}

static async wait_for(struct async_loop *on, struct node *self)
{
    async_status status = wait_with_timeouts(on, self);

    if (status == ASYNC_PENDING || status == ASYNC_ASKED_)
        return status;
    self->status = status;
    chosen_is_over(self);
    return status;
}

/* Those that were spawned, and that nobody waits for yet. */
static void choose_gather(struct node *self)
{
    self->op = GATHER;
    self->nesting = 0;
    self->children = self->spawned;
    self->count = self->spawned_count;
    self->actor->at = self;
    self->actor->is_waiting = 1;
}

static void act_at_once(struct node *self)
{
    switch (self->op) {
    case SPAWN:
        spawn_children(self);
        break;
    case CANCEL:
        cancel(below(3) ? anybody() : self->actor);
        break;
    case SET:
        set_flag(self->which);
        break;
    case RELEASE:
        release_one(self, self->which);
        break;
    default:
        break;
    }
}

static int is_reached(const struct node *self)
{
    return !async_before_(async_now(&loop),
                          (async_time)(self->began + self->ms));
}

static async act(struct async_loop *on, void *frame)
{
    struct node *self = frame;
    unsigned i;

    async_begin(self);
    self->began_times++;
    self->actor = actor_begin(async_current(on));
    if (self->is_root && self->depth)
        self->actor->gathered = 1;
    for (self->i = 0; self->i < self->ops; self->i++) {
        choose(self);
        self->status = ASYNC_DONE;
        if (self->op == YIELD)
            async_yield();
        else if (self->op == BARE)
            await_until(is_reached(self));
        else if (self->op > BARE)
            act_at_once(self);
        else if (self->is_strict)
            await(wait_for(on, self));
        else
            async_catch(self->status, wait_for(on, self));
        if (self->op >= YIELD)
            chosen_is_over(self);
        if (self->error)
            async_fail(self->error);
    }
    async_finally();
    self->closed_times++;
    self->is_closing = 1;
    self->actor->closing++;
    if (below(4) == 0)
        cancel(self->actor);
    for (self->i = (int)below(3); self->i > 0; self->i--) {
        choose(self);
        self->status = ASYNC_DONE;
        if (self->op == YIELD)
            async_yield();
        else if (self->op == BARE)
            await_until(is_reached(self));
        else if (self->op > BARE)
            act_at_once(self);
        else
            async_catch(self->status, wait_for(on, self));
        model_check(self->status != ASYNC_ECANCELED || self->op >= JOIN ||
                        self->actor->limits,
                    "a clean-up was cut short");
        if (self->op >= YIELD)
            chosen_is_over(self);
    }
    if (self->spawned) {
        for (i = 0; i < self->spawned_count; i++)
            cancel(actor_of(&self->tasks[i]));
        choose_gather(self);
        async_catch(self->status, wait_for(on, self));
    }
    for (i = 0; i < FLAGS; i++)
        while (self->holds[i])
            release_one(self, i);
    self->ended_times++;
    self->is_closing = 0;
    self->actor->closing--;
    self->actor->at = NULL;
    if (self->is_root) {
        alive--;
        self->actor->task = NULL;
    }
    async_end();
}

/* ---- what a loop has linked together ------------------------------------ */

static size_t in_lines; /* tasks */

static void walk_line(struct async_wait_ *first, int kind, const void *line)
{
    struct async_wait_ *wait = first;
    size_t most = 2 * NODES;

    if (!first)
        return;
    do {
        struct async_task *task = (struct async_task *)(void *)wait;

        model_check(wait->next->prev == wait && wait->prev->next == wait,
                    "a line is broken");
        model_check(actor_of(task) != NULL, "a line holds one who has ended");
        model_check(wait->kind == kind && !task->next_ &&
                        wait->flags & ASYNC_IS_ALIVE_ &&
                        !(wait->flags & (ASYNC_IS_WOKEN_ | ASYNC_IS_LANDING_)),
                    "a line holds one who does not wait there");
        model_check(!line || wait->on.object == line,
                    "a line holds one who waits in another");
        in_lines++;
        wait = wait->next;
    } while (wait != first && !wrong && most--);
    model_check(wait == first || wrong, "a line without an end");
}

static async_time walk_deadlines(void)
{
    async_time first_of_all = ASYNC_FOREVER;
    size_t i;

    model_check(!loop.deadlines_.due, "what is due was left");
    for (i = 0; i < ASYNC_LEVELS_ * ASYNC_SLOTS_; i++) {
        struct async_wait_ *first = loop.deadlines_.slots[i], *wait = first;

        if (!first)
            continue;
        do {
            model_check(wait->next->prev == wait && wait->prev->next == wait,
                        "a slot of the timers is broken");
            if (wait->kind == ASYNC_WAIT_SLEEP_) {
                model_check(actor_of((struct async_task *)(void *)wait) != NULL,
                            "one who has ended sleeps");
                in_lines++;
            } else {
                struct async_timer *timer = (struct async_timer *)(void *)wait;

                model_check(timer == &stirrer ||
                                (wait->kind == ASYNC_WAIT_TIMER_ &&
                                 wait->flags == ASYNC_TIMEOUT_RUNNING_ &&
                                 actor_of((struct async_task *)timer->arg)),
                            "a timer runs that nobody has");
            }
            if ((async_time)(wait->on.deadline - now) < first_of_all)
                first_of_all = (async_time)(wait->on.deadline - now);
            wait = wait->next;
        } while (wait != first && !wrong);
    }
    return first_of_all;
}

/* The batches that somebody waits for, and their tasks' joiners. */
static void walk_batch(struct node *node)
{
    struct async_wait_ *wait = node->batch.owner_.joiners, *first = wait;

    walk_line(node->batch.line_, ASYNC_WAIT_LINE_, &node->batch.line_);
    if (wait) {
        do {
            in_lines++;
            model_check(wait->kind == ASYNC_WAIT_JOIN_,
                        "one who does not join is in line for it");
            wait = wait->next;
        } while (wait != first);
    }
}

static void check_timeout(const struct async_timer *timer, async_time began,
                          uint32_t ms)
{
    model_check(timer->wait_.flags == ASYNC_TIMEOUT_LANDED_ ||
                    async_before_(now, (async_time)(began + ms)),
                "a timeout was lost");
}

/* The timeouts around what one waits for, from the inside out. None of them is
 * late and has not told it, unless a clean-up is in the way. */
static void check_asks(const struct actor *actor, const struct node *at)
{
    const struct async_wait_ *wait = &actor->task->wait_;
    int asks = 0, can = actor->is_waiting;

    if ((at->op == GATHER || at->op == MAP) && at->batch.result_)
        can = 0; /* it unwinds */
    for (; at; at = at->parent) {
        if (at->op <= CALLED && at->nesting) {
            if (can)
                check_timeout(&at->inner, at->began, at->inner_ms);
            asks += at->inner.wait_.flags == ASYNC_TIMEOUT_ASKS_;
        }
        if (at->op <= CALLED && at->nesting > 1) {
            if (can)
                check_timeout(&at->outer, at->began, at->outer_ms);
            asks += at->outer.wait_.flags == ASYNC_TIMEOUT_ASKS_;
        }
        if (at->is_closing)
            can = 0;
    }
    model_check(wait->asks == asks, "another number of timeouts that ask");
    model_check(!(wait->flags & ASYNC_IS_LATE_) == !asks,
                "a task is late for no timeout");
}

/* Nothing is ready. What waits must have a reason to. */
static void check_at_rest(async_time ticks)
{
    unsigned i;
    size_t lookers = 0;
    async_time next;
    struct async_wait_ *wait;

    model_check(async_alive(&loop) == alive, "another number of live tasks");
    model_check(!loop.ready_ && !loop.current_, "somebody is ready, at rest");
#if ASYNC_TASK_LIST
    {
        struct async_task *task;
        size_t count = 0;

        for (task = loop.newest_; task; task = task->older_, count++)
            model_check(actor_of(task) != NULL,
                        "one who has ended is on the list of tasks");
        model_check(count == alive, "the list of tasks is not complete");
    }
#endif
    in_lines = 0;
    next = walk_deadlines();
    wait = loop.lookers_;
    if (wait) {
        do {
            model_check(actor_of((struct async_task *)(void *)wait) != NULL,
                        "one who has ended looks at conditions");
            lookers++;
            if (wait->kind != ASYNC_WAIT_FLAG_ && next > ASYNC_POLL_TICKS)
                next = ASYNC_POLL_TICKS;
            wait = wait->next;
        } while (wait != loop.lookers_ && !wrong);
    }
    in_lines += lookers;
    model_check(ticks == next, "a poll asks for another one at a wrong time");
#if ASYNC_HOSTED_
    for (i = 0; i < ASYNC_FD_LINES_; i++)
        walk_line(loop.fds_[i], ASYNC_WAIT_FD_, NULL);
#endif
    for (i = 0; i < FLAGS; i++) {
        walk_line(semaphores[i].line_, ASYNC_WAIT_LINE_, &semaphores[i].line_);
        model_check(semaphores[i].permits + held[i] == PERMITS,
                    "a permit was lost, or doubled");
        model_check(!semaphores[i].permits || !semaphores[i].line_,
                    "one waits for a permit that is free");
        model_check(sets[i] == takes[i] + flags[i].set_,
                    "a flag was lost, or taken twice");
        model_check((watched[i] != 0) == (waiting[i] != 0),
                    "a descriptor is watched for nobody, or not watched");
    }
    for (i = 0; i < NODES; i++) {
        struct actor *actor = &actors[i];
        struct node *at = actor->at;

        if (!actor->task || wrong)
            continue;
        wait = &actor->task->wait_;
        model_check(wait->next != NULL, "one waits for nothing");
        if (!(wait->flags & ASYNC_IS_OWNED_))
            walk_line(actor->task->ends_.joiners, ASYNC_WAIT_JOIN_,
                      actor->task);
        if (!at)
            continue;
        if (at->op == GATHER || at->op == MAP)
            walk_batch(at);
        check_asks(actor, at);
        model_check(at->op != YIELD || at->is_closing ||
                        !(at->is_root || at->is_called),
                    "a yield waits for a tick");
        if (!actor->is_waiting ||
            ((at->op == GATHER || at->op == MAP) && at->batch.result_))
            continue;
        model_check(actor->asked != 1 || actor->closing, "a cancel was lost");
        if (at->op == FLAG)
            model_check(!flags[at->which].set_,
                        "one waits for a flag that is set");
    }
    model_check(in_lines == alive, "one is in no line, or in two");
#if ASYNC_HOSTED_
    model_check(loop.coming_ == (size_t)(waiting[0] + waiting[1]),
                "another number of waits that others will end");
#endif
}

/* ---- driving it --------------------------------------------------------- */

static void notify_nobody(void *arg)
{
    (void)arg;
}

static int watch(void *arg, int fd, int events)
{
    (void)arg;
    watched[fd] = events;
    return 0;
}

static void stirs(struct async_loop *on, struct async_timer *timer)
{
    cancel(anybody());
    if (below(2))
        set_flag(below(FLAGS));
    if (elapsed < STIRRED)
        async_timer_start(on, timer, (async_time)(1 + below(4)), stirs, NULL);
}

static void unhandled(struct async_loop *on, struct async_task *task,
                      async_status error)
{
    (void)on;
    (void)task;
    (void)error;
    if (elapsed < STIRRED && below(4) == 0)
        cancel(anybody());
}

static void stir(int thoroughly)
{
    unsigned i;

    for (i = 0; i < FLAGS; i++) {
        if (thoroughly || below(4) == 0)
            set_flag(i);
#if ASYNC_HOSTED_
        if (watched[i] && (thoroughly || below(4) == 0))
            async_ready(&loop, (int)i, ASYNC_READABLE);
#endif
    }
    if (!thoroughly && below(3) == 0)
        cancel(anybody());
    if (thoroughly)
        for (i = 0; i < NODES; i++)
            cancel(&actors[i]);
}

static void pass(uint32_t ticks)
{
    now = (async_time)(now + ticks);
    elapsed += (int)ticks;
}

/* What has ended is nobody's any more. */
static void spend_roots(void)
{
    unsigned i;

    while (async_unjoined(&loop) != 0)
        ;
    for (i = 0; i < ROOTS; i++) {
        if (poisoned & 1u << i || !async_task_outcome(&roots[i]))
            continue;
        poisoned |= 1u << i;
        node_spent(&nodes[i], 1);
        poison(&roots[i], sizeof roots[i]);
    }
}

/* One program, from its seed. */
static const char *run(uint64_t number)
{
    static const struct async_host host = {notify_nobody, watch, NULL};
    unsigned i, polls = 0;

    seed = number;
    random_state = (number + 1) * UINT64_C(0x9E3779B97F4A7C15) | 1;
    (void)below(2);
    (void)below(2);
    wrong = NULL;
    unpoison(nodes, sizeof nodes);
    unpoison(roots, sizeof roots);
    memset(nodes, 0, sizeof nodes);
    memset(roots, 0, sizeof roots);
    memset(actors, 0, sizeof actors);
    memset(&stirrer, 0, sizeof stirrer);
    memset(flags, 0, sizeof flags);
    memset(held, 0, sizeof held);
    memset(sets, 0, sizeof sets);
    memset(takes, 0, sizeof takes);
    memset(watched, 0, sizeof watched);
    memset(waiting, 0, sizeof waiting);
    for (i = 0; i < FLAGS; i++) {
        semaphores[i].permits = PERMITS;
        semaphores[i].line_ = NULL;
    }
    alive = 0;
    used = 0;
    poisoned = 0;
    elapsed = 0;
    now = (async_time)(0 - below(2 * STIRRED));
    async_loop_init(&loop);
    loop.unhandled = unhandled;
    async_attach(&loop, &host);

    (void)node_new(ROOTS, 0, 1);
    for (i = 0; i < ROOTS; i++) {
        (void)async_spawn(&loop, &roots[i], act, &nodes[i]);
        (void)actor_begin(&roots[i]);
        if (below(8) == 0)
            cancel(&actors[i]);
    }
    async_timer_start(&loop, &stirrer, (async_time)(1 + below(4)), stirs, NULL);
    while (alive && !wrong && elapsed < LONGEST) {
        async_time ticks = async_poll(&loop, now);

        if (ticks == 0) {
            model_check(++polls < 1000, "a loop does not come to rest");
            continue;
        }
        polls = 0;
        if (!wrong)
            check_at_rest(ticks);
        if (!wrong)
            spend_roots();
        stir(elapsed >= STIRRED && below(2));
        pass(ticks > 4 || below(4) ? 1 + below(3) : (uint32_t)ticks);
    }
    model_check(elapsed < LONGEST, "a task does not end");
    for (i = 0; i < 8 && !wrong; i++) { /* among ruins */
        pass(3);
        (void)async_poll(&loop, now);
    }
    if (!wrong)
        spend_roots();
    model_check(wrong || poisoned == (1u << ROOTS) - 1, "a task did not end");
    for (i = 0; i < FLAGS; i++)
        model_check(wrong || semaphores[i].permits == PERMITS,
                    "a permit was lost in the end");
    return wrong;
}

static void nothing_is_lost_whoever_cancels_whom_and_when(void **state)
{
    const char *given = getenv("SEED");
    const char *many = getenv("PROGRAMS");
    uint64_t first = given ? strtoull(given, NULL, 0) : 20261120;
    int i, programs = many ? atoi(many) : PROGRAMS;

    (void)state;
    landings = timeouts = 0;
    for (i = 0; i < programs; i++) {
        const char *what = run(first + (uint64_t)i);

        if (what)
            fail_msg("%s, after %u ticks; repeat it by SEED=%" PRIu64
                     " PROGRAMS=1",
                     what, (unsigned)elapsed, seed);
    }
    print_message("# %d programs, %lu cancels landed, %lu timeouts\n", programs,
                  landings, timeouts);
    assert_true(programs < 1000 || landings > (unsigned long)programs);
    assert_true(programs < 1000 || timeouts > (unsigned long)programs / 4);
    unpoison(nodes, sizeof nodes);
    unpoison(roots, sizeof roots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        claim(nothing_is_lost_whoever_cancels_whom_and_when),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
