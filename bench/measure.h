/* measure.h: what the programs of ours and of the limit share: the clocks, the
 * memory in use, and how they give up. PEER is the program's name.
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void must(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, PEER ": %s\n", what);
        exit(1);
    }
}

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    must(memory != NULL, "not enough memory");
    return memory;
}

static double seconds(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

struct watch {
    double wall, cpu;
};

static struct watch watch_start(void)
{
    struct watch watch;

    watch.cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    watch.wall = seconds(CLOCK_MONOTONIC);
    return watch;
}

/* The time since then. */
static struct watch watch_stop(struct watch since)
{
    struct watch now;

    now.wall = seconds(CLOCK_MONOTONIC) - since.wall;
    now.cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - since.cpu;
    return now;
}

/* Bytes of memory this process has in use. */
static double resident(void)
{
    long size, pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");

    must(statm && fscanf(statm, "%ld %ld", &size, &pages) == 2, "no statm");
    fclose(statm);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

#endif /* BENCH_MEASURE_H */
