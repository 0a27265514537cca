/* virtual.h: what the programs of libuv and libev share: a clock they may move
 * themselves, as both libraries read the time by clock_gettime; the memory in
 * use, checks, and how they print. PEER is the program's name.
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_VIRTUAL_H
#define BENCH_VIRTUAL_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* The clock: the real one, until virtual_ms says otherwise. */

static int (*real_clock)(clockid_t, struct timespec *);
static int64_t virtual_ms = -1;

int clock_gettime(clockid_t id, struct timespec *at)
{
    if (virtual_ms < 0)
        return real_clock(id, at);
    at->tv_sec = virtual_ms / 1000;
    at->tv_nsec = virtual_ms % 1000 * 1000000;
    return 0;
}

static double clock_ns(clockid_t id)
{
    struct timespec at;

    real_clock(id, &at);
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

static long resident_bytes(void)
{
    long size, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (!file || fscanf(file, "%ld %ld", &size, &pages) != 2)
        abort();
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static void check(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, PEER ": wrong %s\n", what);
        exit(1);
    }
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    check(memory != NULL, "memory");
    return memory;
}

static void print_each(double wall, double cpu, long count)
{
    printf("time %.2f ns\ncpu %.2f ns\n", wall / count, cpu / count);
}

#endif /* BENCH_VIRTUAL_H */
