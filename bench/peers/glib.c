/* glib.c: the benchmark's offload workloads on GLib's GThreadPool.
 * SPDX-License-Identifier: MIT
 *
 * Jobs go out by g_thread_pool_push and come back on a GAsyncQueue. Everything
 * else makes no sense here and exits with 77.
 *
 * Fastest sane settings: an exclusive pool, of one thread for offload1, else of
 * two; jobs in one array of the caller's, pushed one by one, as the pool takes
 * no lists; the main thread takes all results that are there under one lock of
 * the queue, which GAsyncQueue offers, and costs less than a lock each.
 *
 *     build: cc -O2 -DNDEBUG $(pkg-config --cflags glib-2.0) bench/peers/glib.c -o $OUT $(pkg-config --libs glib-2.0)
 *     packages: libglib2.0-dev pkg-config
 *     version: echo "GLib $(pkg-config --modversion glib-2.0)"
 */
#define _GNU_SOURCE
#include <glib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { IN_FLIGHT = 1000, POINTS = 10000000, NO_SENSE = 77 };

struct job {
    long number; /* the part of pi; -1: an empty job */
    long inside, done;
};

static GThreadPool *pool;
static GAsyncQueue *results;

static double clock_ns(clockid_t id)
{
    struct timespec at;

    clock_gettime(id, &at);
    return at.tv_sec * 1e9 + at.tv_nsec;
}

static double wall_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static double cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static void check(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "glib: wrong %s\n", what);
        exit(1);
    }
}

/* The points of a part that lie in the quarter of a circle. */
static long hits_of(long part)
{
    uint64_t x = (uint64_t)part + 1; /* xorshift64*, Vigna 2014 */
    long hits = 0;

    for (long i = 0; i < POINTS; i++) {
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

static void run_job(gpointer data, gpointer unused)
{
    struct job *job = data;

    (void)unused;
    if (job->number >= 0)
        job->inside = hits_of(job->number);
    job->done++;
    g_async_queue_push(results, job);
}

static void start(struct job *job)
{
    check(g_thread_pool_push(pool, job, NULL), "push");
}

/* offload1 */

static void offload_one_by_one(struct job *job, long count)
{
    for (long i = 0; i < count; i++) {
        start(job);
        check(g_async_queue_pop(results) == job, "job");
    }
}

/* offload */

static void offload_many(struct job *jobs, long count)
{
    gpointer back[IN_FLIGHT];
    long to_start = count, done = 0, n;

    for (long i = 0; i < IN_FLIGHT && to_start; i++, to_start--)
        start(&jobs[i]);
    while (done < count) {
        g_async_queue_lock(results);
        back[0] = g_async_queue_pop_unlocked(results);
        for (n = 1; n < IN_FLIGHT; n++) {
            back[n] = g_async_queue_try_pop_unlocked(results);
            if (!back[n])
                break;
        }
        g_async_queue_unlock(results);
        done += n;
        for (long i = 0; i < n && to_start; i++, to_start--)
            start(back[i]);
    }
    check(done == count && g_async_queue_length(results) == 0, "count");
}

static void offload(void (*run)(struct job *, long), long count)
{
    static struct job jobs[IN_FLIGHT];
    double wall, cpu;
    long done = 0;

    for (long i = 0; i < IN_FLIGHT; i++)
        jobs[i].number = -1;
    run(jobs, count / 10 + 1);
    for (long i = 0; i < IN_FLIGHT; i++)
        jobs[i].done = 0;
    wall = wall_ns();
    cpu = cpu_ns();
    run(jobs, count);
    cpu = cpu_ns() - cpu;
    wall = wall_ns() - wall;
    for (long i = 0; i < IN_FLIGHT; i++)
        done += jobs[i].done;
    check(done == count, "number of jobs");
    printf("time %.2f ns\ncpu %.2f ns\n", wall / count, cpu / count);
}

/* pi */

static long pi_sum(struct job *parts, long count)
{
    long sum = 0;

    for (long i = 0; i < count; i++) {
        sum += parts[i].inside;
        parts[i].inside = 0;
    }
    return sum;
}

static void pi(long count)
{
    struct job *parts = g_new0(struct job, count);
    double sequence, parallel, value;
    long expected, sum;

    parts[0].number = -1; /* empty, so that threads exist */
    offload_one_by_one(parts, 10);
    for (long i = 0; i < count; i++)
        parts[i].number = i;
    sequence = wall_ns();
    for (long i = 0; i < count; i++)
        parts[i].inside = hits_of(i);
    sequence = wall_ns() - sequence;
    expected = pi_sum(parts, count);

    parallel = wall_ns();
    for (long i = 0; i < count; i++)
        start(&parts[i]);
    for (long i = 0; i < count; i++)
        g_async_queue_pop(results);
    parallel = wall_ns() - parallel;
    sum = pi_sum(parts, count);
    value = 4.0 * sum / ((double)POINTS * count);
    check(sum == expected, "sum");
    check(value > 3.13 && value < 3.15, "pi");
    printf("speedup %.3f x\n", sequence / parallel);
}

static int is_any(const char *workload, const char *const *names)
{
    for (; *names; names++) {
        if (!strcmp(workload, *names))
            return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const no_sense[] = {
        "yield1",   "yield1000", "depth1", "depth8", "depth32",
        "call",     "spawn",     "sleep",  "timers", "gather",
        "pingpong", "stream",    "skynet", "echo",   NULL};
    const char *workload = argc == 3 ? argv[1] : "";
    long count = argc == 3 ? atol(argv[2]) : 0;

    if (is_any(workload, no_sense))
        return NO_SENSE;
    if (count <= 0) {
        fprintf(stderr, "usage: glib WORKLOAD COUNT\n");
        return 2;
    }
    results = g_async_queue_new();
    pool = g_thread_pool_new(run_job, NULL,
                             strcmp(workload, "offload1") ? 2 : 1, TRUE, NULL);
    check(pool != NULL, "pool");
    if (!strcmp(workload, "offload1"))
        offload(offload_one_by_one, count);
    else if (!strcmp(workload, "offload"))
        offload(offload_many, count);
    else if (!strcmp(workload, "pi"))
        pi(count);
    else
        return 2;
    return 0;
}
