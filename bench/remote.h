/* remote.h: what the programs of the remote calls share: what is called with,
 * what must come back, and what a call costs. PEER is the program's name.
 * SPDX-License-Identifier: MIT
 *
 *     PROGRAM WORKLOAD worker PORT      prints "ready", and serves until a
 *                                       signal ends it
 *     PROGRAM WORKLOAD caller PORT COUNT WORKER_PID SERVER_PID
 *
 * A nats-server listens on 127.0.0.1:PORT. The caller checks each result, and
 * prints the time of a call, or the rate if many are in flight, and the CPU
 * time a call of all threads of itself, of the worker and of the server.
 */
#ifndef BENCH_REMOTE_H
#define BENCH_REMOTE_H

#include <stdint.h>
#include <string.h>

#include "measure.h"

enum { IN_FLIGHT = 1000, TEXT = 24 }; /* bytes; 20 of them are in use */

/* The arguments of call `number`. */
static void ask(uint64_t number, int64_t *a, int64_t *b, char *text)
{
    *a = (int64_t)number;
    *b = -(int64_t)(number << 20);
    memcpy(text, "a call, then a reply", 21);
    text[0] = (char)('a' + number % 26);
}

/* What the worker makes of them: `a` is one more. */
static int is_answer(uint64_t number, int64_t a, int64_t b, const char *text)
{
    int64_t asked_a, asked_b;
    char asked[TEXT];

    ask(number, &asked_a, &asked_b, asked);
    return a == asked_a + 1 && b == asked_b && strcmp(text, asked) == 0;
}

struct processes {
    clockid_t worker, server;
};

struct cost {
    struct watch caller;
    double worker, server; /* seconds */
};

static struct cost cost_start(const struct processes *of)
{
    struct cost cost;

    cost.worker = seconds(of->worker);
    cost.server = seconds(of->server);
    cost.caller = watch_start();
    return cost;
}

/* Prints what `count` calls have cost since then. */
static void cost_stop(struct cost since, const struct processes *of,
                      const char *workload, long count)
{
    double us = 1e6 / (double)count;
    struct watch caller = watch_stop(since.caller);

    if (strstr(workload, "remote1000"))
        printf("rate %.0f call/s\n", (double)count / caller.wall);
    else
        printf("time %.3f us\n", us * caller.wall);
    printf("caller %.3f us\nworker %.3f us\nserver %.3f us\n", us * caller.cpu,
           us * (seconds(of->worker) - since.worker),
           us * (seconds(of->server) - since.server));
}

static clockid_t clock_of(const char *pid)
{
    clockid_t clock;

    must(clock_getcpuclockid((pid_t)atol(pid), &clock) == 0, "no such process");
    return clock;
}

static void is_ready(void)
{
    printf("ready\n");
    fflush(stdout);
}

/* The program, which knows these workloads; returns its exit status. serve()
 * never returns, call() makes `count` calls. */
static int remote(int argc, char **argv, const char *const *workloads,
                  void (*serve)(const char *workload, const char *url),
                  void (*call)(const char *workload, const char *url,
                               long count, const struct processes *of))
{
    char url[64];
    int is_worker = argc == 4 && strcmp(argv[2], "worker") == 0;

    if (!is_worker && (argc != 7 || strcmp(argv[2], "caller") != 0)) {
        fprintf(stderr, "usage: see bench/remote.h\n");
        return 2;
    }
    while (*workloads && strcmp(*workloads, argv[1]) != 0)
        workloads++;
    must(*workloads != NULL, "no such workload");
    snprintf(url, sizeof url, "nats://127.0.0.1:%s", argv[3]);
    if (is_worker) {
        serve(argv[1], url);
    } else {
        struct processes of = {clock_of(argv[5]), clock_of(argv[6])};

        call(argv[1], url, atol(argv[4]), &of);
    }
    return 0;
}

#endif /* BENCH_REMOTE_H */
