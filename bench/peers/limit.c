/* limit.c: the least C that was found to do the same work, by hand: what any
 * program could reach. No generality, no errors, no cancel.
 * SPDX-License-Identifier: MIT
 *
 *     build: cc -O2 -DNDEBUG bench/peers/limit.c -o $OUT -pthread
 *     packages:
 *     version: cc --version | head -n 1
 *
 * OUT WORKLOAD COUNT runs one, checks its result, and prints its metrics.
 *
 * yieldN     a ring of what is ready, and a jump from step to step;
 *            queue-yieldN: the queue of the others
 * spawn, gather, queues   state machines, an intrusive first-in first-out
 *            queue, a jump from step to step
 * depthN     the leaf is resumed directly, so any depth is yield1;
 *            depthN-chain: N frames, re-entered from the top
 * call       a state machine child, out of line; inline-call: in line
 * sleep      24-byte tasks, and a 4-ary heap of 16-byte entries; one nanosleep
 * timers     a flat wheel of 1 ms slots, linked, the next slots fetched ahead;
 *            timers-heap: a 4-ary array heap with back pointers. The better of
 *            the two is the limit.
 * offload1   one job, and a futex there and back, so Linux only;
 *            condvar-offload1: a mutex and two conditions
 * offload    lists of jobs, moved in batches of 64
 * skynet     last-in first-out, frames from a free list
 */
#define _GNU_SOURCE /* syscall */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PEER "limit"
#include "../measure.h"

/* ---- tasks --------------------------------------------------------------- */

struct task {
    struct task *next;
    void (*step)(struct task *task);
};

static struct task *first, **end = &first;

static inline void ready(struct task *task)
{
    task->next = NULL;
    *end = task;
    end = &task->next;
}

/* What is ready runs: a step ends in a jump to the next one's, by this as its
 * last call. */
static inline void go_on(void)
{
    struct task *task = first;

    if (!task)
        return;
    first = task->next;
    if (!first)
        end = &first;
    task->step(task);
}

/* Until nothing is ready any more, for steps that return instead. */
static void run(void)
{
    while (first)
        go_on();
}

/* ---- yield, depth -------------------------------------------------------- */

enum { YIELDERS = 1000 };

/* Every yielder's share. */
static long share(long count, long tasks, long i)
{
    return count / tasks + (i < count % tasks);
}

/* All that is ready is a ring, which nobody leaves before its end; a step ends
 * in a jump to the next one's. */
struct runner {
    struct runner *next, *before;
    void (*step)(struct runner *self);
    long i, count;
};

static void runner(struct runner *self)
{
    struct runner *next = self->next;

    if (self->i < self->count) {
        self->i++;
        next->step(next);
        return;
    }
    if (next == self)
        return;
    next->before = self->before;
    self->before->next = next;
    next->step(next);
}

static void yield_in_ring(long tasks, long count)
{
    static struct runner runners[YIELDERS];
    long done = 0, i;

    for (i = 0; i < tasks; i++)
        runners[i] = (struct runner){
            .next = &runners[(i + 1) % tasks],
            .before = &runners[(i + tasks - 1) % tasks],
            .step = runner,
            .count = share(count, tasks, i),
        };
    runners[0].step(&runners[0]);
    for (i = 0; i < tasks; i++)
        done += runners[i].i;
    must(done == count, "yields are missing");
}

static void yield1(long count)
{
    yield_in_ring(1, count);
}

static void yield1000(long count)
{
    yield_in_ring(YIELDERS, count);
}

struct yielder {
    struct task task;
    int state;
    long i, count;
};

static void yielder(struct task *task)
{
    struct yielder *self = (struct yielder *)task;

    switch (self->state) {
    case 0:
        self->state = 1;
        for (; self->i < self->count; self->i++) {
            ready(task);
            go_on();
            return;
        case 1:;
        }
    }
}

static void yield_in_queue(long tasks, long count)
{
    static struct yielder frames[YIELDERS];
    long done = 0, i;

    for (i = 0; i < tasks; i++) {
        frames[i] = (struct yielder){
            .task.step = yielder,
            .count = share(count, tasks, i),
        };
        ready(&frames[i].task);
    }
    run();
    for (i = 0; i < tasks; i++)
        done += frames[i].i;
    must(done == count, "yields are missing");
}

static void queue_yield1(long count)
{
    yield_in_queue(1, count);
}

static void queue_yield1000(long count)
{
    yield_in_queue(YIELDERS, count);
}

struct level {
    int state;
    int depth; /* levels below this one */
    long i, count;
};

static struct task chain_task;

/* True when it is over. */
static int level(struct level *self)
{
    switch (self->state) {
    case 0:
        if (self->depth) {
            self->state = 1;
        case 1:
            if (!level(self + 1))
                return 0;
        } else {
            self->state = 2;
            for (; self->i < self->count; self->i++) {
                ready(&chain_task);
                return 0;
            case 2:;
            }
        }
    }
    return 1;
}

static struct level levels[32];

static void chain_step(struct task *task)
{
    (void)task;
    (void)level(levels);
}

static void chain(long count, int depth)
{
    int i;

    for (i = 0; i < depth; i++)
        levels[i] = (struct level){.depth = depth - 1 - i, .count = count};
    chain_task.step = chain_step;
    ready(&chain_task);
    run();
    must(levels[depth - 1].i == count, "yields are missing");
}

static void chain1(long count)
{
    chain(count, 1);
}

static void chain8(long count)
{
    chain(count, 8);
}

static void chain32(long count)
{
    chain(count, 32);
}

/* ---- call, spawn --------------------------------------------------------- */

static volatile int one = 1; /* nobody knows that it stays 1 */

struct child {
    int state;
    int number, result;
};

/* True when it is over. */
static inline int child(struct child *self)
{
    if (self->state == 0) {
        self->result = self->number + one;
        self->state = 1;
    }
    return 1;
}

__attribute__((noinline)) static int child_out_of_line(struct child *self)
{
    return child(self);
}

/* The sum of the children's results, which are 1 .. count. */
static long long sum_to(long count)
{
    return (long long)count * (count + 1) / 2;
}

struct caller {
    struct task task;
    int state;
    int i, count;
    struct child child;
    long long sum;
};

static void caller(struct task *task)
{
    struct caller *self = (struct caller *)task;

    switch (self->state) {
    case 0:
        for (; self->i < self->count; self->i++) {
            self->child = (struct child){.number = self->i};
            self->state = 1;
        case 1:
            if (!child_out_of_line(&self->child))
                return;
            self->sum += self->child.result;
        }
    }
}

static void inline_caller(struct task *task)
{
    struct caller *self = (struct caller *)task;

    switch (self->state) {
    case 0:
        for (; self->i < self->count; self->i++) {
            self->child = (struct child){.number = self->i};
            self->state = 1;
        case 1:
            if (!child(&self->child))
                return;
            self->sum += self->child.result;
        }
    }
}

static void call_by(void (*step)(struct task *), long count)
{
    struct caller frame = {.task.step = step, .count = (int)count};

    ready(&frame.task);
    run();
    must(frame.sum == sum_to(count), "a wrong sum");
}

static void call(long count)
{
    call_by(caller, count);
}

static void inline_call(long count)
{
    call_by(inline_caller, count);
}

/* A child with a task of its own. */
struct spawned {
    struct task task;
    struct task *joiner;
    int state;
    int number, result;
};

static void spawned(struct task *task)
{
    struct spawned *self = (struct spawned *)task;

    self->result = self->number + one;
    self->state = 1;
    if (self->joiner)
        ready(self->joiner);
    go_on();
}

struct spawner {
    struct task task;
    int state;
    int i, count;
    struct spawned child;
    long long sum;
};

static void spawner(struct task *task)
{
    struct spawner *self = (struct spawner *)task;

    switch (self->state) {
    case 0:
        self->state = 1;
        for (; self->i < self->count; self->i++) {
            self->child = (struct spawned){
                .task.step = spawned,
                .number = self->i,
            };
            ready(&self->child.task);
            if (!self->child.state) {
                self->child.joiner = task;
                go_on();
                return;
            }
        case 1:
            self->sum += self->child.result;
        }
    }
}

static void spawn(long count)
{
    struct spawner frame = {.task.step = spawner, .count = (int)count};

    ready(&frame.task);
    run();
    must(frame.sum == sum_to(count), "a wrong sum");
}

/* ---- gather -------------------------------------------------------------- */

struct batch {
    struct task *waits;
    long left;
};

struct yielding {
    struct task task;
    struct batch *batch;
    int number, result; /* the result 0: it hasn't yielded yet */
};

static void yielding_again(struct task *task)
{
    struct yielding *self = (struct yielding *)task;

    self->result = self->number + one;
    if (--self->batch->left == 0)
        ready(self->batch->waits);
    go_on();
}

static void yielding(struct task *task)
{
    task->step = yielding_again;
    ready(task);
    go_on();
}

struct gatherer {
    struct task task;
    struct batch batch;
    struct yielding *children;
    int state;
    int count;
    long long sum;
};

static void gatherer(struct task *task)
{
    struct gatherer *self = (struct gatherer *)task;
    int i;

    if (self->state == 0) {
        self->state = 1;
        self->batch = (struct batch){task, self->count};
        for (i = 0; i < self->count; i++) {
            struct yielding *one_child = &self->children[i];

            one_child->task.step = yielding;
            one_child->batch = &self->batch;
            one_child->number = i;
            ready(&one_child->task);
        }
        return;
    }
    for (i = 0; i < self->count; i++)
        self->sum += self->children[i].result;
}

static void gather(long count)
{
    static struct yielding *children; /* kept from the warm-up */
    struct gatherer frame = {.task.step = gatherer, .count = (int)count};

    if (!children)
        children = zeroed((size_t)count, sizeof *children);
    frame.children = children;
    ready(&frame.task);
    run();
    must(frame.sum == sum_to(count), "a wrong sum");
}

/* ---- sleep --------------------------------------------------------------- */

struct sleeper {
    struct task task;
    int state;
};

struct entry {
    uint64_t at; /* ns */
    struct sleeper *sleeper;
};

static struct entry *heap;
static size_t heap_size;
static uint64_t slept_since;
static long awake;

static uint64_t clock_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void heap_push(struct entry entry)
{
    size_t i = heap_size++;

    while (i && entry.at < heap[(i - 1) / 4].at) {
        heap[i] = heap[(i - 1) / 4];
        i = (i - 1) / 4;
    }
    heap[i] = entry;
}

static struct sleeper *heap_pop(void)
{
    struct sleeper *sleeper = heap[0].sleeper;
    struct entry last = heap[--heap_size];
    size_t i = 0, child;

    while ((child = 4 * i + 1) < heap_size) {
        size_t least = child, k;

        for (k = child + 1; k < child + 4 && k < heap_size; k++)
            if (heap[k].at < heap[least].at)
                least = k;
        if (last.at <= heap[least].at)
            break;
        heap[i] = heap[least];
        i = least;
    }
    heap[i] = last;
    return sleeper;
}

static void sleeper(struct task *task)
{
    struct sleeper *self = (struct sleeper *)task;

    if (self->state == 0) {
        self->state = 1;
        heap_push((struct entry){slept_since + 1000000000u, self});
    } else {
        awake++; /* joined */
    }
}

static void sleep_(long count)
{
    double before = resident(), asleep;
    struct watch watch = watch_start();
    struct sleeper *sleepers = zeroed((size_t)count, sizeof *sleepers);
    uint64_t now;
    long i;

    heap = zeroed((size_t)count, sizeof *heap);
    slept_since = clock_ns();
    for (i = 0; i < count; i++) {
        sleepers[i].task.step = sleeper;
        ready(&sleepers[i].task);
    }
    run();
    asleep = resident();
    while (heap_size) {
        now = clock_ns();
        if (heap[0].at > now) {
            struct timespec rest = {0, 0};

            rest.tv_sec = (time_t)((heap[0].at - now) / 1000000000u);
            rest.tv_nsec = (long)((heap[0].at - now) % 1000000000u);
            nanosleep(&rest, NULL);
        }
        now = clock_ns();
        while (heap_size && heap[0].at <= now)
            ready(&heap_pop()->task);
        run();
    }
    watch = watch_stop(watch);
    must(awake == count, "a sleeper failed");
    must(watch.wall >= 1, "slept for less than a second");
    free(sleepers);
    free(heap);
    printf("memory %.1f B\nbeyond %.1f ms\ncpu %.1f ms\n",
           (asleep - before) / (double)count, 1e3 * (watch.wall - 1),
           1e3 * watch.cpu);
}

/* ---- timers -------------------------------------------------------------- */

enum { RANGE = 10000 }; /* ms */

static long fired;
static long long fired_at; /* the sum of the times */
static unsigned now_ms;

struct timer {
    struct timer *next; /* wheel */
    union {
        struct timer **link; /* wheel: what points here */
        size_t place;        /* heap */
    } in;
    void (*fn)(struct timer *timer);
};

static void fire(struct timer *timer)
{
    (void)timer;
    fired++;
    fired_at += now_ms;
}

static struct timer *slots[RANGE + 1];

static inline void wheel_arm(struct timer *timer, unsigned at)
{
    struct timer **slot = &slots[at];

    timer->fn = fire;
    timer->in.link = slot;
    timer->next = *slot;
    if (timer->next)
        timer->next->in.link = &timer->next;
    *slot = timer;
}

static inline void wheel_cancel(struct timer *timer)
{
    *timer->in.link = timer->next;
    if (timer->next)
        timer->next->in.link = timer->in.link;
}

/* A line is a chain of cache misses. So each of the next slots has a cursor,
 * and with each timer that fires one of them goes one timer on: that many
 * misses are under way at once. */
enum { AHEAD = 16 };

static struct timer *cursors[AHEAD];

static void wheel_expire(unsigned at)
{
    static unsigned turn;
    struct timer *timer, *next;

    if (at + AHEAD <= RANGE)
        cursors[at % AHEAD] = slots[at + AHEAD];
    for (timer = slots[at]; timer; timer = next) {
        struct timer **cursor = &cursors[turn++ % AHEAD];

        if (*cursor) {
            __builtin_prefetch((*cursor)->next);
            *cursor = (*cursor)->next;
        }
        next = timer->next;
        timer->fn(timer);
    }
    slots[at] = NULL;
}

struct slot {
    uint64_t at;
    struct timer *timer;
};

/* Children 4i + 1 .. 4i + 4; the root is moved so that they share a line. */
static struct slot *tree;
static size_t tree_size;

static inline void tree_put(size_t i, struct slot slot)
{
    tree[i] = slot;
    slot.timer->in.place = i;
}

static void tree_up(size_t i, struct slot slot)
{
    while (i && slot.at < tree[(i - 1) / 4].at) {
        tree_put(i, tree[(i - 1) / 4]);
        i = (i - 1) / 4;
    }
    tree_put(i, slot);
}

static void tree_down(size_t i, struct slot slot)
{
    size_t child;

    while ((child = 4 * i + 1) < tree_size) {
        size_t least, other;

        if (child + 3 < tree_size) { /* without branches */
            least = child + (tree[child + 1].at < tree[child].at);
            other = child + 2 + (tree[child + 3].at < tree[child + 2].at);
            least = tree[other].at < tree[least].at ? other : least;
        } else {
            least = child;
            for (other = child + 1; other < tree_size; other++)
                if (tree[other].at < tree[least].at)
                    least = other;
        }
        if (slot.at <= tree[least].at)
            break;
        tree_put(i, tree[least]);
        i = least;
    }
    tree_put(i, slot);
}

static inline void tree_arm(struct timer *timer, unsigned at)
{
    timer->fn = fire;
    tree_up(tree_size++, (struct slot){at, timer});
}

static inline void tree_cancel(struct timer *timer)
{
    struct slot last = tree[--tree_size];
    size_t i = timer->in.place;

    if (i == tree_size)
        return;
    if (i && last.at < tree[(i - 1) / 4].at)
        tree_up(i, last);
    else
        tree_down(i, last);
}

static void tree_expire(unsigned at)
{
    while (tree_size && tree[0].at <= at) {
        struct timer *timer = tree[0].timer;
        struct slot last = tree[--tree_size];

        if (tree_size)
            tree_down(0, last);
        timer->fn(timer);
    }
}

static void timers_by(long count, int wheel)
{
    struct timer *timers = zeroed((size_t)count, sizeof *timers);
    uint16_t *ms = zeroed((size_t)count, sizeof *ms);
    struct watch arm = {0}, cancel = {0}, expire = {0};
    uint64_t x = 88172645463325252u;
    char *memory = zeroed((size_t)count + 8, sizeof *tree);
    size_t skip = (64 - (uintptr_t)memory % 64) % 64 + 3 * sizeof *tree;
    int round;
    long i;

    tree = (struct slot *)(void *)(memory + skip);
    for (i = 0; i < count; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        ms[i] = (uint16_t)(x % RANGE);
    }
    for (round = 0; round < 2; round++) { /* the first one warms up */
        long long due = 0;

        fired = 0;
        fired_at = 0;
        arm = watch_start();
        if (wheel)
            for (i = 0; i < count; i++)
                wheel_arm(&timers[i], ms[i]);
        else
            for (i = 0; i < count; i++)
                tree_arm(&timers[i], ms[i]);
        arm = watch_stop(arm);
        cancel = watch_start();
        if (wheel)
            for (i = 0; i < count; i += 2)
                wheel_cancel(&timers[i]);
        else
            for (i = 0; i < count; i += 2)
                tree_cancel(&timers[i]);
        cancel = watch_stop(cancel);
        expire = watch_start();
        for (now_ms = 0; now_ms < RANGE; now_ms++)
            if (wheel)
                wheel_expire(now_ms);
            else
                tree_expire(now_ms);
        expire = watch_stop(expire);
        for (i = 1; i < count; i += 2)
            due += ms[i];
        must(fired == count / 2 && fired_at == due, "fired at wrong times");
    }
    free(timers);
    free(ms);
    free(memory);
    printf("arm %.2f ns\ncancel %.2f ns\nexpire %.2f ns\n",
           1e9 * arm.wall / (double)count,
           1e9 * cancel.wall / (double)((count + 1) / 2),
           1e9 * expire.wall / (double)(count / 2));
}

static void timers(long count)
{
    timers_by(count, 1);
}

static void timers_heap(long count)
{
    timers_by(count, 0);
}

/* ---- offload ------------------------------------------------------------- */

struct job {
    struct job *next;
    void (*fn)(struct job *job);
    long done;
};

static void nothing(struct job *job)
{
    job->done++;
}

static struct {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    struct job *queued, **queued_end;
    struct job *finished;
    int idle, waits, closed;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .work = PTHREAD_COND_INITIALIZER,
          .done = PTHREAD_COND_INITIALIZER};

static void pool_close(void)
{
    pthread_mutex_lock(&pool.lock);
    pool.closed = 1;
    pthread_cond_broadcast(&pool.work);
    pthread_mutex_unlock(&pool.lock);
}

/* Who waits for a word to change sleeps in the kernel. */
static void wait_for(atomic_int *word, int value)
{
    int now;

    while ((now = *word) != value)
        syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, now, NULL, NULL, 0);
}

static void tell(atomic_int *word, int value)
{
    *word = value;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static struct {
    struct job *job; /* NULL: it is over */
    atomic_int queued, finished;
} hand_off;

static void *worker1(void *arg)
{
    int turn;

    (void)arg;
    for (turn = 1;; turn++) {
        wait_for(&hand_off.queued, turn);
        if (!hand_off.job)
            return NULL;
        hand_off.job->fn(hand_off.job);
        tell(&hand_off.finished, turn);
    }
}

static void offload1(long count)
{
    struct job job = {.fn = nothing};
    pthread_t thread;
    int turn;

    hand_off.job = &job;
    hand_off.queued = hand_off.finished = 0;
    must(pthread_create(&thread, NULL, worker1, NULL) == 0, "no thread");
    for (turn = 1; turn <= count; turn++) {
        tell(&hand_off.queued, turn);
        wait_for(&hand_off.finished, turn);
    }
    hand_off.job = NULL;
    tell(&hand_off.queued, turn);
    pthread_join(thread, NULL);
    must(job.done == count, "jobs are missing");
}

/* The same by what POSIX has. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t queued, finished;
    struct job *job; /* queued */
    int done, closed;
} post = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .queued = PTHREAD_COND_INITIALIZER,
          .finished = PTHREAD_COND_INITIALIZER};

static void *condvar_worker(void *arg)
{
    struct job *job;

    (void)arg;
    pthread_mutex_lock(&post.lock);
    for (;;) {
        while (!post.job && !post.closed)
            pthread_cond_wait(&post.queued, &post.lock);
        job = post.job;
        if (!job)
            break;
        post.job = NULL;
        pthread_mutex_unlock(&post.lock);
        job->fn(job);
        pthread_mutex_lock(&post.lock);
        post.done = 1;
        pthread_cond_signal(&post.finished);
    }
    pthread_mutex_unlock(&post.lock);
    return NULL;
}

static void condvar_offload1(long count)
{
    struct job job = {.fn = nothing};
    pthread_t thread;
    long i;

    post.closed = 0;
    must(pthread_create(&thread, NULL, condvar_worker, NULL) == 0, "no thread");
    pthread_mutex_lock(&post.lock);
    for (i = 0; i < count; i++) {
        post.job = &job;
        pthread_cond_signal(&post.queued);
        while (!post.done)
            pthread_cond_wait(&post.finished, &post.lock);
        post.done = 0;
    }
    post.closed = 1;
    pthread_cond_signal(&post.queued);
    pthread_mutex_unlock(&post.lock);
    pthread_join(thread, NULL);
    must(job.done == count, "jobs are missing");
}

enum { IN_FLIGHT = 1000, BATCH = 64 };

/* Takes up to a batch, runs it, hands it back as one list. */
static void *worker(void *arg)
{
    struct job *list, *last, *job;
    int n;

    (void)arg;
    pthread_mutex_lock(&pool.lock);
    for (;;) {
        while (!pool.queued && !pool.closed) {
            pool.idle++;
            pthread_cond_wait(&pool.work, &pool.lock);
            pool.idle--;
        }
        list = last = pool.queued;
        if (!list)
            break;
        for (n = 1; n < BATCH && last->next; n++)
            last = last->next;
        pool.queued = last->next;
        if (!pool.queued)
            pool.queued_end = &pool.queued;
        pthread_mutex_unlock(&pool.lock);
        last->next = NULL;
        for (job = list; job; job = job->next)
            job->fn(job);
        pthread_mutex_lock(&pool.lock);
        last->next = pool.finished;
        pool.finished = list;
        if (pool.waits)
            pthread_cond_signal(&pool.done);
    }
    pthread_mutex_unlock(&pool.lock);
    return NULL;
}

static void offload(long count)
{
    static struct job jobs[IN_FLIGHT];
    struct job *list = NULL, **list_end = &list, *job;
    long submitted, finished = 0, done = 0;
    pthread_t threads[2];
    int i;

    pool.closed = 0;
    pool.queued_end = &pool.queued;
    for (i = 0; i < 2; i++)
        must(pthread_create(&threads[i], NULL, worker, NULL) == 0, "no thread");
    for (submitted = 0; submitted < count && submitted < IN_FLIGHT;
         submitted++) {
        job = &jobs[submitted];
        *job = (struct job){.fn = nothing};
        *list_end = job;
        list_end = &job->next;
    }
    while (finished < count) {
        int n = 0;

        pthread_mutex_lock(&pool.lock);
        if (list) {
            *pool.queued_end = list;
            pool.queued_end = list_end;
            if (pool.idle)
                pthread_cond_signal(&pool.work);
        }
        pool.waits = 1;
        while (!pool.finished)
            pthread_cond_wait(&pool.done, &pool.lock);
        pool.waits = 0;
        list = pool.finished;
        pool.finished = NULL;
        pthread_mutex_unlock(&pool.lock);
        list_end = &list;
        while ((job = *list_end) != NULL) { /* what is to be run again */
            finished++;
            n++;
            if (submitted < count) {
                submitted++;
                list_end = &job->next;
            } else {
                *list_end = job->next;
            }
        }
    }
    pool_close();
    for (i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (i = 0; i < IN_FLIGHT; i++)
        done += jobs[i].done;
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

static atomic_long next_part, all_hits;

static void *calc_pi(void *arg)
{
    long count = *(const long *)arg, part;

    while ((part = next_part++) < count)
        all_hits += hits_of((int)part);
    return NULL;
}

static void pi(long count)
{
    struct watch one_thread, two_threads;
    pthread_t threads[2];
    long i, sequence = 0;
    double is;

    one_thread = watch_start();
    for (i = 0; i < count; i++)
        sequence += hits_of((int)i);
    one_thread = watch_stop(one_thread);
    two_threads = watch_start();
    for (i = 0; i < 2; i++)
        must(pthread_create(&threads[i], NULL, calc_pi, &count) == 0,
             "no thread");
    for (i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    two_threads = watch_stop(two_threads);
    is = 4.0 * (double)all_hits / (double)count / POINTS;
    must(all_hits == sequence && is > 3.13 && is < 3.15, "that is not pi");
    printf("speedup %.3f x\n", one_thread.wall / two_threads.wall);
}

/* ---- queues -------------------------------------------------------------- */

enum { RING = 64 };

struct queue {
    unsigned in, out, capacity;
    struct task *waits; /* one side can: full or empty */
    int ring[RING];
};

struct player {
    struct task task;
    int state;
    int i, count, value;
    struct queue *to, *from;
    long long sum;
};

/* False: it is full, and the task waits. */
static inline int put(struct queue *queue, struct task *task, int value)
{
    if (queue->in - queue->out == queue->capacity) {
        queue->waits = task;
        return 0;
    }
    queue->ring[queue->in++ % RING] = value;
    if (queue->waits) {
        ready(queue->waits);
        queue->waits = NULL;
    }
    return 1;
}

/* False: it is empty, and the task waits. */
static inline int take(struct queue *queue, struct task *task, int *value)
{
    if (queue->in == queue->out) {
        queue->waits = task;
        return 0;
    }
    *value = queue->ring[queue->out++ % RING];
    if (queue->waits) {
        ready(queue->waits);
        queue->waits = NULL;
    }
    return 1;
}

static void ping(struct task *task)
{
    struct player *self = (struct player *)task;

    switch (self->state) {
        for (; self->i < self->count; self->i++) {
            self->state = 0;
            /* fall through */
        case 0:
            if (!put(self->to, task, self->value)) {
                go_on();
                return;
            }
            self->state = 1;
            /* fall through */
        case 1:
            if (!take(self->from, task, &self->value)) {
                go_on();
                return;
            }
        }
    }
    go_on();
}

static void pong(struct task *task)
{
    struct player *self = (struct player *)task;

    switch (self->state) {
        for (; self->i < self->count; self->i++) {
            self->state = 0;
            /* fall through */
        case 0:
            if (!take(self->from, task, &self->value)) {
                go_on();
                return;
            }
            self->state = 1;
            /* fall through */
        case 1:
            if (!put(self->to, task, self->value + 1)) {
                go_on();
                return;
            }
        }
    }
    go_on();
}

static void pingpong(long count)
{
    struct queue there = {.capacity = 1}, back = {.capacity = 1};
    struct player a = {.task.step = ping, .to = &there, .from = &back};
    struct player b = {.task.step = pong, .to = &back, .from = &there};

    a.count = b.count = (int)(count / 2);
    if (!a.count)
        return;
    ready(&a.task);
    ready(&b.task);
    run();
    must(a.value == count / 2, "messages are missing");
}

static void producer(struct task *task)
{
    struct player *self = (struct player *)task;

    for (; self->i < self->count; self->i++)
        if (!put(self->to, task, self->i + 1)) {
            go_on();
            return;
        }
    go_on();
}

static void consumer(struct task *task)
{
    struct player *self = (struct player *)task;

    for (; self->i < self->count; self->i++) {
        if (!take(self->from, task, &self->value)) {
            go_on();
            return;
        }
        self->sum += self->value;
    }
    go_on();
}

static void stream(long count)
{
    struct queue queue = {.capacity = RING};
    struct player from = {.task.step = producer, .to = &queue};
    struct player to = {.task.step = consumer, .from = &queue};

    from.count = to.count = (int)count;
    ready(&from.task);
    ready(&to.task);
    run();
    must(to.sum == sum_to(count), "a wrong sum");
}

/* ---- skynet -------------------------------------------------------------- */

enum { FAN_OUT = 10 };

struct node {
    struct node *next; /* in the stack, or in the free list */
    void (*step)(struct node *node);
    struct node *parent;
    int leaves, left;
    long long first, sum;
};

static struct node *stack, *free_nodes;
static struct node node_arena[FAN_OUT * 16]; /* ten a level, at the most */
static size_t nodes_used;

static inline void push(struct node *node)
{
    node->next = stack;
    stack = node;
}

/* All its children have ended. */
static void node_end(struct node *self)
{
    struct node *parent = self->parent;

    if (!parent)
        return;
    parent->sum += self->sum;
    if (--parent->left == 0)
        push(parent);
    self->next = free_nodes;
    free_nodes = self;
}

static void node_start(struct node *self)
{
    int i, leaves = self->leaves / FAN_OUT;

    if (!leaves) {
        self->sum = self->first;
        node_end(self);
        return;
    }
    self->sum = 0;
    self->left = FAN_OUT;
    self->step = node_end;
    for (i = 0; i < FAN_OUT; i++) {
        struct node *node = free_nodes;

        if (node)
            free_nodes = node->next;
        else
            node = &node_arena[nodes_used++];
        node->step = node_start;
        node->parent = self;
        node->leaves = leaves;
        node->first = self->first + i * leaves;
        push(node);
    }
}

static void skynet(long count)
{
    struct watch watch = {0};
    int round;
    long i;

    for (i = 1; i < count; i *= FAN_OUT)
        ;
    must(i == count, "a power of ten leaves, please");
    for (round = 0; round < 2; round++) { /* the first one warms up */
        struct node root = {.step = node_start, .leaves = (int)count}, *node;

        watch = watch_start();
        push(&root);
        while ((node = stack) != NULL) {
            stack = node->next;
            node->step(node);
        }
        watch = watch_stop(watch);
        must(root.sum == sum_to(count - 1), "a wrong sum");
    }
    printf("time %.3f ms\ncpu %.3f ms\n", 1e3 * watch.wall, 1e3 * watch.cpu);
}

/* ---- the list ------------------------------------------------------------ */

static const struct workload {
    const char *name;
    void (*run)(long count);
    long warm_up; /* its count is divided by this; 0: prints its own metrics */
} workloads[] = {
    {"yield1", yield1, 10},
    {"yield1000", yield1000, 10},
    {"queue-yield1", queue_yield1, 10},
    {"queue-yield1000", queue_yield1000, 10},
    {"depth1", yield1, 10},
    {"depth8", yield1, 10},
    {"depth32", yield1, 10},
    {"depth1-chain", chain1, 10},
    {"depth8-chain", chain8, 10},
    {"depth32-chain", chain32, 10},
    {"call", call, 10},
    {"inline-call", inline_call, 10},
    {"spawn", spawn, 10},
    {"sleep", sleep_, 0},
    {"timers", timers, 0},
    {"timers-heap", timers_heap, 0},
    {"gather", gather, 1},
    {"offload1", offload1, 10},
    {"condvar-offload1", condvar_offload1, 10},
    {"offload", offload, 10},
    {"pi", pi, 0},
    {"pingpong", pingpong, 10},
    {"stream", stream, 10},
    {"skynet", skynet, 0},
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
        fprintf(stderr, "limit: no workload %s\n", argv[1]);
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
