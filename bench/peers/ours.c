/* ours.c: the benchmark's workloads with the headers of this repository, as
 * their user would write them, on async_run if not said otherwise.
 * SPDX-License-Identifier: MIT
 *
 *     build: cc -O2 -DNDEBUG -I. bench/peers/ours.c -o $OUT -pthread
 *     packages:
 *     version: sed -n 's/^#define ASYNC_VERSION "\(.*\)"/async.h \1/p' async.h
 *
 * OUT WORKLOAD COUNT runs one, checks its result, and prints its metrics.
 *
 * yield1, yield1000   async_yield, as a task's own function may
 * depthN     N frames, the leaf's among them, N - 1 awaits of async_call;
 *            depthN-plain: the same without async_call
 * spawn      the child's task and frame are members of the parent's frame
 * call       the child is kept out of line, as in each program; inline-call:
 *            the compiler may put it in line
 * sleep      joined one by one. The loop's clock counts milliseconds: a sleep
 *            may seem to end up to 1 ms early
 * skynet     all ten children of a node at once, so all leaves are alive
 *            together; skynet-lean: the same, one child at a time a node
 * polled-... without a loop: the function is stepped by hand. Peer "async.h
 *            polled".
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "async_gather.h"
#include "async_thread.h"

#define PEER "ours"
#include "../measure.h"

/* ---- yield, depth -------------------------------------------------------- */

struct level {
    struct async_frame async;
    int depth; /* levels below this one */
    int plain; /* awaited without async_call */
    long i, count;
    struct async_call_frame call;
};

static async level(struct async_loop *loop, void *frame)
{
    struct level *self = frame;

    async_begin(self);
    if (self->depth && self->plain) {
        await(level(loop, self + 1));
    } else if (self->depth) {
        await(async_call(loop, &self->call, level, self + 1));
    } else {
        for (self->i = 0; self->i < self->count; self->i++)
            await(async_yield_now(loop));
    }
    async_end();
}

struct yielder {
    struct async_frame async;
    long i, count;
};

static async yielder(struct async_loop *loop, void *frame)
{
    struct yielder *self = frame;

    (void)loop;
    async_begin(self);
    for (self->i = 0; self->i < self->count; self->i++)
        async_yield();
    async_end();
}

static void yield1(long count)
{
    struct async_loop loop = {0};
    struct yielder frame = {.count = count};

    must(async_run(&loop, yielder, &frame) == ASYNC_DONE && frame.i == count,
         "yields are missing");
}

enum { YIELDERS = 1000 };

/* Every yielder's share. */
static long share(long count, int i)
{
    return count / YIELDERS + (i < count % YIELDERS);
}

static void yield1000(long count)
{
    static struct yielder frames[YIELDERS];
    static struct async_task tasks[YIELDERS];
    struct async_loop loop = {0};
    long done = 0;
    int i;

    for (i = 0; i < YIELDERS; i++) {
        frames[i] = (struct yielder){.count = share(count, i)};
        async_spawn(&loop, &tasks[i], yielder, &frames[i]);
    }
    must(async_run(&loop, NULL, NULL) == ASYNC_DONE, "a yielder failed");
    for (i = 0; i < YIELDERS; i++)
        done += frames[i].i;
    must(done == count, "yields are missing");
}

static void depth(long count, int levels, int plain)
{
    struct async_loop loop = {0};
    struct level frames[32] = {{.async = {0}}};
    int i;

    for (i = 0; i < levels; i++) {
        frames[i].depth = levels - 1 - i;
        frames[i].plain = plain;
    }
    frames[levels - 1].count = count;
    must(async_run(&loop, level, frames) == ASYNC_DONE &&
             frames[levels - 1].i == count,
         "yields are missing");
}

static void depth1(long count)
{
    depth(count, 1, 0);
}

static void depth8(long count)
{
    depth(count, 8, 0);
}

static void depth32(long count)
{
    depth(count, 32, 0);
}

static void plain8(long count)
{
    depth(count, 8, 1);
}

static void plain32(long count)
{
    depth(count, 32, 1);
}

/* ---- the same, stepped by hand ------------------------------------------- */

static async polled_yielder(struct yielder *self)
{
    async_begin(self);
    for (self->i = 0; self->i < self->count; self->i++)
        async_yield();
    async_end();
}

static async polled_level(struct level *self)
{
    async_begin(self);
    if (self->depth) {
        await(polled_level(self + 1));
    } else {
        for (self->i = 0; self->i < self->count; self->i++)
            async_yield();
    }
    async_end();
}

static void polled_yield1(long count)
{
    struct yielder frame = {.count = count};

    while (polled_yielder(&frame) == ASYNC_PENDING)
        ;
    must(frame.i == count, "yields are missing");
}

static void polled_yield1000(long count)
{
    static struct yielder frames[YIELDERS];
    long done = 0;
    int i, pending;

    for (i = 0; i < YIELDERS; i++)
        frames[i] = (struct yielder){.count = share(count, i)};
    do {
        pending = 0;
        for (i = 0; i < YIELDERS; i++)
            pending |= polled_yielder(&frames[i]) == ASYNC_PENDING;
    } while (pending);
    for (i = 0; i < YIELDERS; i++)
        done += frames[i].i;
    must(done == count, "yields are missing");
}

static void polled_depth(long count, int levels)
{
    struct level frames[32] = {{.async = {0}}};
    int i;

    for (i = 0; i < levels; i++)
        frames[i].depth = levels - 1 - i;
    frames[levels - 1].count = count;
    while (polled_level(frames) == ASYNC_PENDING)
        ;
    must(frames[levels - 1].i == count, "yields are missing");
}

static void polled_depth1(long count)
{
    polled_depth(count, 1);
}

static void polled_depth8(long count)
{
    polled_depth(count, 8);
}

static void polled_depth32(long count)
{
    polled_depth(count, 32);
}

/* ---- call, spawn --------------------------------------------------------- */

static volatile int one = 1; /* nobody knows that it stays 1 */

struct child {
    struct async_frame async;
    int number, result;
};

static inline async inline_child(struct async_loop *loop, void *frame)
{
    struct child *self = frame;

    (void)loop;
    async_begin(self);
    self->result = self->number + one;
    async_end();
}

__attribute__((noinline)) static async child(struct async_loop *loop,
                                             void *frame)
{
    return inline_child(loop, frame);
}

struct parent {
    struct async_frame async;
    struct child child;
    struct async_task task;
    int i, count;
    long long sum;
};

static async caller(struct async_loop *loop, void *frame)
{
    struct parent *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < self->count; self->i++) {
        self->child = (struct child){.number = self->i};
        await(child(loop, &self->child));
        self->sum += self->child.result;
    }
    async_end();
}

static async inline_caller(struct async_loop *loop, void *frame)
{
    struct parent *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < self->count; self->i++) {
        self->child = (struct child){.number = self->i};
        await(inline_child(loop, &self->child));
        self->sum += self->child.result;
    }
    async_end();
}

static async spawner(struct async_loop *loop, void *frame)
{
    struct parent *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < self->count; self->i++) {
        self->child = (struct child){.number = self->i};
        async_spawn(loop, &self->task, child, &self->child);
        await(async_join(loop, &self->task));
        self->sum += self->child.result;
    }
    async_end();
}

/* The sum of the children's results, which are 1 .. count. */
static long long sum_to(long count)
{
    return (long long)count * (count + 1) / 2;
}

static void call_by(async_fn *fn, long count)
{
    struct async_loop loop = {0};
    struct parent frame = {.count = (int)count};

    must(async_run(&loop, fn, &frame) == ASYNC_DONE &&
             frame.sum == sum_to(count),
         "a wrong sum");
}

static void call(long count)
{
    call_by(caller, count);
}

static void inline_call(long count)
{
    call_by(inline_caller, count);
}

static void spawn(long count)
{
    struct async_loop loop = {0};
    struct parent frame = {.count = (int)count};

    must(async_run(&loop, spawner, &frame) == ASYNC_DONE &&
             frame.sum == sum_to(count),
         "a wrong sum");
}

/* ---- gather -------------------------------------------------------------- */

static async yielding_child(struct async_loop *loop, void *frame)
{
    struct child *self = frame;

    async_begin(self);
    await(async_yield_now(loop));
    self->result = self->number + one;
    async_end();
}

struct gatherer {
    struct async_frame async;
    struct async_batch batch;
    struct child *children;
    struct async_task *tasks;
    int count;
    long long sum;
};

static async gatherer(struct async_loop *loop, void *frame)
{
    struct gatherer *self = frame;

    async_begin(self);
    for (int i = 0; i < self->count; i++) {
        self->children[i] = (struct child){.number = i};
        async_spawn(loop, &self->tasks[i], yielding_child, &self->children[i]);
    }
    await(async_gather(loop, &self->batch, self->tasks, (size_t)self->count));
    for (int i = 0; i < self->count; i++)
        self->sum += self->children[i].result;
    async_end();
}

static void gather(long count)
{
    static struct child *children; /* kept from the warm-up */
    static struct async_task *tasks;
    struct async_loop loop = {0};
    struct gatherer frame = {.count = (int)count};

    if (!tasks) {
        children = zeroed((size_t)count, sizeof *children);
        tasks = zeroed((size_t)count, sizeof *tasks);
    }
    frame.children = children;
    frame.tasks = tasks;
    must(async_run(&loop, gatherer, &frame) == ASYNC_DONE &&
             frame.sum == sum_to(count),
         "a wrong sum");
}

/* ---- sleep --------------------------------------------------------------- */

struct sleeper {
    struct async_frame async;
};

static async sleeper(struct async_loop *loop, void *frame)
{
    struct sleeper *self = frame;

    async_begin(self);
    await(async_sleep_ms(loop, 1000));
    async_end();
}

struct bedroom {
    struct async_frame async;
    struct async_task *tasks;
    struct sleeper *sleepers;
    long i, count;
    double before, asleep; /* bytes */
    struct watch watch;
};

static async bedroom(struct async_loop *loop, void *frame)
{
    struct bedroom *self = frame;

    async_begin(self);
    self->before = resident();
    self->watch = watch_start();
    self->tasks = zeroed((size_t)self->count, sizeof *self->tasks);
    self->sleepers = zeroed((size_t)self->count, sizeof *self->sleepers);
    for (self->i = 0; self->i < self->count; self->i++)
        async_spawn(loop, &self->tasks[self->i], sleeper,
                    &self->sleepers[self->i]);
    await(async_yield_now(loop)); /* first come, first run: now all sleep */
    self->asleep = resident();
    for (self->i = 0; self->i < self->count; self->i++)
        await(async_join(loop, &self->tasks[self->i]));
    self->watch = watch_stop(self->watch);
    async_end();
}

static void sleep_(long count)
{
    struct async_loop loop = {0};
    struct bedroom frame = {.count = count};

    must(async_run(&loop, bedroom, &frame) == ASYNC_DONE && frame.i == count,
         "a sleeper failed");
    must(frame.watch.wall >= 0.998, "slept for less than a second");
    free(frame.tasks);
    free(frame.sleepers);
    printf("memory %.1f B\nbeyond %.1f ms\ncpu %.1f ms\n",
           (frame.asleep - frame.before) / (double)count,
           1e3 * (frame.watch.wall - 1), 1e3 * frame.watch.cpu);
}

/* ---- timers -------------------------------------------------------------- */

enum { RANGE = 10000 }; /* ms */

static long fired;
static long long fired_at; /* the sum of the times */

static void fire(struct async_loop *loop, struct async_timer *timer)
{
    (void)timer;
    fired++;
    fired_at += (long long)async_now(loop);
}

struct timers {
    struct async_frame async;
    struct async_timer *timers;
    uint16_t *ms;
    long count;
    struct watch arm, cancel;
};

/* A timer that is started between polls counts from the next one, so they are
 * armed by a task. */
static async timers_task(struct async_loop *loop, void *frame)
{
    struct timers *self = frame;
    long i;

    async_begin(self);
    self->arm = watch_start();
    for (i = 0; i < self->count; i++)
        async_timer_start(loop, &self->timers[i], self->ms[i], fire, NULL);
    self->arm = watch_stop(self->arm);
    self->cancel = watch_start();
    for (i = 0; i < self->count; i += 2)
        async_timer_stop(loop, &self->timers[i]);
    self->cancel = watch_stop(self->cancel);
    async_end();
}

static void timers(long count)
{
    struct timers self = {.count = count};
    uint64_t x = 88172645463325252u;
    struct watch expire = {0};
    int round;
    long i;

    self.timers = zeroed((size_t)count, sizeof *self.timers);
    self.ms = zeroed((size_t)count, sizeof *self.ms);
    for (i = 0; i < count; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.ms[i] = (uint16_t)(x % RANGE);
    }
    for (round = 0; round < 2; round++) { /* the first one warms up */
        struct async_loop loop = {0};
        struct async_task task = {0};
        long long due = 0;
        async_time now;

        fired = 0;
        fired_at = 0;
        self.async = (struct async_frame){0};
        async_spawn(&loop, &task, timers_task, &self);
        async_poll(&loop, 0);
        expire = watch_start();
        for (now = 1; now <= RANGE; now++)
            async_poll(&loop, now);
        expire = watch_stop(expire);
        for (i = 1; i < count; i += 2)
            due += self.ms[i] ? self.ms[i] : 1;
        must(fired == count / 2 && fired_at == due, "fired at wrong times");
    }
    free(self.timers);
    free(self.ms);
    printf("arm %.2f ns\ncancel %.2f ns\nexpire %.2f ns\n",
           1e9 * self.arm.wall / (double)count,
           1e9 * self.cancel.wall / (double)((count + 1) / 2),
           1e9 * expire.wall / (double)(count / 2));
}

/* ---- offload ------------------------------------------------------------- */

struct carrier {
    struct async_frame async;
    struct async_executor *executor;
    struct async_job job;
    long i, count, done;
};

static int nothing(struct async_job *job, void *arg)
{
    long *done = arg;

    (void)job;
    ++*done;
    return 0;
}

static async carrier(struct async_loop *loop, void *frame)
{
    struct carrier *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < self->count; self->i++)
        await(async_offload(loop, self->executor, &self->job, nothing,
                            &self->done));
    async_end();
}

static void offload1(long count)
{
    static struct async_executor executor;
    struct async_loop loop = {0};
    struct carrier frame = {.executor = &executor, .count = count};

    must(async_executor_start(&executor, 1, 1) == 0, "no executor");
    must(async_run(&loop, carrier, &frame) == ASYNC_DONE && frame.done == count,
         "jobs are missing");
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
}

enum { CARRIERS = 1000 };

static void offload(long count)
{
    static struct carrier frames[CARRIERS];
    static struct async_task tasks[CARRIERS];
    static struct async_executor executor;
    struct async_loop loop = {0};
    long done = 0;
    int i;

    must(async_executor_start(&executor, 2, CARRIERS) == 0, "no executor");
    for (i = 0; i < CARRIERS; i++) {
        frames[i] = (struct carrier){
            .executor = &executor,
            .count = count / CARRIERS + (i < count % CARRIERS),
        };
        async_spawn(&loop, &tasks[i], carrier, &frames[i]);
    }
    must(async_run(&loop, NULL, NULL) == ASYNC_DONE, "a carrier failed");
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
    for (i = 0; i < CARRIERS; i++)
        done += frames[i].done;
    must(done == count, "jobs are missing");
}

/* ---- pi ------------------------------------------------------------------ */

enum { POINTS = 10000000 };

static long hits_of(int part)
{
    uint64_t x = (uint64_t)part + 1; /* xorshift64*, Vigna 2014 */
    long i, hits = 0;

    for (i = 0; i < POINTS; i++) {
        uint64_t bits, a, b;

        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        bits = x * 2685821657736338717u;
        a = bits >> 33;
        b = bits & 0x7FFFFFFF;
        hits += a * a + b * b < (uint64_t)1 << 62;
    }
    return hits;
}

struct part {
    struct async_frame async;
    struct async_executor *executor;
    struct async_job job;
    int number;
    long hits;
};

static int calc_pi(struct async_job *job, void *arg)
{
    struct part *part = arg;

    (void)job;
    part->hits = hits_of(part->number);
    return 0;
}

static async part(struct async_loop *loop, void *frame)
{
    struct part *self = frame;

    async_begin(self);
    await(async_offload(loop, self->executor, &self->job, calc_pi, self));
    async_end();
}

struct parts {
    struct async_frame async;
    struct async_batch batch;
    struct part *parts;
    struct async_task *tasks;
    size_t count;
};

static async parts(struct async_loop *loop, void *frame)
{
    struct parts *self = frame;

    async_begin(self);
    await(async_map_n(loop, &self->batch, part, self->parts,
                      sizeof *self->parts, self->count, self->tasks,
                      self->count));
    async_end();
}

static void pi(long count)
{
    static struct async_executor executor;
    struct async_loop loop = {0};
    struct parts frame = {.count = (size_t)count};
    long i, sequence = 0, parallel = 0;
    struct watch one_thread, two_threads;
    double is;

    frame.parts = zeroed(frame.count, sizeof *frame.parts);
    frame.tasks = zeroed(frame.count, sizeof *frame.tasks);
    must(async_executor_start(&executor, 2, 0) == 0, "no executor");
    one_thread = watch_start();
    for (i = 0; i < count; i++)
        sequence += hits_of((int)i);
    one_thread = watch_stop(one_thread);
    two_threads = watch_start();
    for (i = 0; i < count; i++) {
        frame.parts[i].executor = &executor;
        frame.parts[i].number = (int)i;
    }
    must(async_run(&loop, parts, &frame) == ASYNC_DONE, "a part failed");
    two_threads = watch_stop(two_threads);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
    for (i = 0; i < count; i++)
        parallel += frame.parts[i].hits;
    is = 4.0 * (double)parallel / (double)count / POINTS;
    must(parallel == sequence && is > 3.13 && is < 3.15, "that is not pi");
    free(frame.parts);
    free(frame.tasks);
    printf("speedup %.3f x\n", one_thread.wall / two_threads.wall);
}

/* ---- queues -------------------------------------------------------------- */

struct letter_box {
    struct async_queue async;
    int items[1];
};

struct channel {
    struct async_queue async;
    int items[64];
};

struct player {
    struct async_frame async;
    struct letter_box *to, *from;
    int i, count, value;
};

/* Sends its value, and receives that and one more. */
static async ping(struct async_loop *loop, void *frame)
{
    struct player *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < self->count; self->i++) {
        await(async_put(loop, self->to, &self->value));
        await(async_get(loop, self->from, &self->value));
    }
    async_end();
}

static async pong(struct async_loop *loop, void *frame)
{
    struct player *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < self->count; self->i++) {
        await(async_get(loop, self->from, &self->value));
        await(async_put(loop, self->to, &(int){self->value + 1}));
    }
    async_end();
}

static void pingpong(long count)
{
    struct async_loop loop = {0};
    struct async_task tasks[2] = {{.fn = NULL}};
    struct letter_box there = {.async = {0}}, back = {.async = {0}};
    struct player a = {.to = &there, .from = &back, .count = (int)(count / 2)};
    struct player b = {.to = &back, .from = &there, .count = (int)(count / 2)};

    async_spawn(&loop, &tasks[0], ping, &a);
    async_spawn(&loop, &tasks[1], pong, &b);
    must(async_run(&loop, NULL, NULL) == ASYNC_DONE && a.value == count / 2,
         "messages are missing");
}

struct end {
    struct async_frame async;
    struct channel *channel;
    int i, count, value;
    long long sum;
};

static async producer(struct async_loop *loop, void *frame)
{
    struct end *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < self->count; self->i++)
        await(async_put(loop, self->channel, &(int){self->i + 1}));
    async_end();
}

static async consumer(struct async_loop *loop, void *frame)
{
    struct end *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < self->count; self->i++) {
        await(async_get(loop, self->channel, &self->value));
        self->sum += self->value;
    }
    async_end();
}

static void stream(long count)
{
    struct async_loop loop = {0};
    struct async_task tasks[2] = {{.fn = NULL}};
    struct channel channel = {.async = {0}};
    struct end from = {.channel = &channel, .count = (int)count};
    struct end to = {.channel = &channel, .count = (int)count};

    async_spawn(&loop, &tasks[0], producer, &from);
    async_spawn(&loop, &tasks[1], consumer, &to);
    must(async_run(&loop, NULL, NULL) == ASYNC_DONE && to.sum == sum_to(count),
         "a wrong sum");
}

/* ---- skynet -------------------------------------------------------------- */

enum { FAN_OUT = 10 };

struct node {
    struct async_frame async;
    int leaves;
    long long sum; /* first the number of its first leaf */
    struct family *family;
};

struct family {
    struct family *next; /* in the arena's free list */
    struct async_batch batch;
    struct node children[FAN_OUT];
    struct async_task tasks[FAN_OUT];
};

static struct {
    struct family *families, *free;
    size_t used;
    size_t at_once; /* children of a node */
} arena;

static async node(struct async_loop *loop, void *frame)
{
    struct node *self = frame;
    int i;

    async_begin(self);
    if (self->leaves == 1)
        async_return();
    self->family = arena.free;
    if (self->family)
        arena.free = self->family->next;
    else
        self->family = &arena.families[arena.used++];
    for (i = 0; i < FAN_OUT; i++)
        self->family->children[i] = (struct node){
            .leaves = self->leaves / FAN_OUT,
            .sum = self->sum + i * (self->leaves / FAN_OUT),
        };
    await(async_map_n(loop, &self->family->batch, node, self->family->children,
                      sizeof *self->family->children, FAN_OUT,
                      self->family->tasks, arena.at_once));
    self->sum = 0;
    for (i = 0; i < FAN_OUT; i++)
        self->sum += self->family->children[i].sum;
    self->family->next = arena.free;
    arena.free = self->family;
    async_end();
}

static void skynet_by(long count, size_t at_once)
{
    struct watch watch = {0};
    int round;
    long i;

    for (i = 1; i < count; i *= FAN_OUT)
        ;
    must(i == count, "a power of ten leaves, please");
    arena.families = zeroed((size_t)count / 9 + 1, sizeof *arena.families);
    arena.at_once = at_once;
    for (round = 0; round < 2; round++) { /* the first one warms up */
        struct async_loop loop = {0};
        struct node root = {.leaves = (int)count};

        watch = watch_start();
        must(async_run(&loop, node, &root) == ASYNC_DONE &&
                 root.sum == sum_to(count - 1),
             "a wrong sum");
        watch = watch_stop(watch);
    }
    free(arena.families);
    printf("time %.3f ms\ncpu %.3f ms\n", 1e3 * watch.wall, 1e3 * watch.cpu);
}

static void skynet(long count)
{
    skynet_by(count, FAN_OUT);
}

static void skynet_lean(long count)
{
    skynet_by(count, 1);
}

/* ---- the list ------------------------------------------------------------ */

static const struct workload {
    const char *name;
    void (*run)(long count);
    long warm_up; /* its count is divided by this; 0: prints its own metrics */
} workloads[] = {
    {"yield1", yield1, 10},
    {"yield1000", yield1000, 10},
    {"depth1", depth1, 10},
    {"depth8", depth8, 10},
    {"depth32", depth32, 10},
    {"depth8-plain", plain8, 10},
    {"depth32-plain", plain32, 10},
    {"call", call, 10},
    {"inline-call", inline_call, 10},
    {"spawn", spawn, 10},
    {"sleep", sleep_, 0},
    {"timers", timers, 0},
    {"gather", gather, 1},
    {"offload1", offload1, 10},
    {"offload", offload, 10},
    {"pi", pi, 0},
    {"pingpong", pingpong, 10},
    {"stream", stream, 10},
    {"skynet", skynet, 0},
    {"skynet-lean", skynet_lean, 0},
    {"polled-yield1", polled_yield1, 10},
    {"polled-yield1000", polled_yield1000, 10},
    {"polled-depth1", polled_depth1, 10},
    {"polled-depth8", polled_depth8, 10},
    {"polled-depth32", polled_depth32, 10},
};

int main(int argc, char **argv)
{
    long count = argc == 3 ? atol(argv[2]) : 0;
    const struct workload *workload = NULL;
    struct watch watch;
    size_t i;

    if (count <= 0) {
        fprintf(stderr, "usage: %s WORKLOAD COUNT\n", argv[0]);
        return 2;
    }
    for (i = 0; i < sizeof workloads / sizeof *workloads; i++)
        if (strcmp(argv[1], workloads[i].name) == 0)
            workload = &workloads[i];
    if (!workload) {
        if (strncmp(argv[1], "echo", 4) == 0)
            return 77;
        fprintf(stderr, "ours: no workload %s\n", argv[1]);
        return 2;
    }
    if (!workload->warm_up) {
        workload->run(count);
        return 0;
    }
    workload->run(count / workload->warm_up);
    watch = watch_start();
    workload->run(count);
    watch = watch_stop(watch);
    printf("time %.3f ns\ncpu %.3f ns\n", 1e9 * watch.wall / (double)count,
           1e9 * watch.cpu / (double)count);
    return 0;
}
