/* conformance.h: one program that every host has to run the same way.
 * SPDX-License-Identifier: MIT
 *
 * A ticker, a task woken by a thread, one canceled from outside, a deadline
 * that an outside spawn shortens; then, where the host has descriptors, all
 * that can be waited for on them. What happens is a trace, the same text on
 * every host. No test asks how long something took: a host that forgets to
 * wake hangs, and is ended by an alarm.
 *
 * A host's program defines host_later, includes this, and its main is
 *
 *     start its host for `loop`
 *     conformance_begin(HAS_FDS);
 *     do run its loop while conformance_lasts(), and count its `turns`
 *     while (conformance_again());
 *     conformance_stops();   a thread goes on waking meanwhile
 *     stop its host
 *     return conformance_end("its name");
 */
#ifndef ASYNC_TESTS_HOSTS_CONFORMANCE_H
#define ASYNC_TESTS_HOSTS_CONFORMANCE_H

#include "../../async_gather.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Has the host call fn() once, some milliseconds from now, on this thread,
 * not from within async_poll. */
static void host_later(void (*fn)(void));

int usleep(unsigned us); /* -std=c99 hides it */
unsigned alarm(unsigned seconds);

enum { HOUR = 3600 * 1000, ROUNDS = 200, PAUSE_US = 10 * 1000 };

static struct async_loop loop;
static long turns; /* the host counts how often it goes round */

/* ---- the trace ----------------------------------------------------------- */

static char trace_text[4096];

static void trace(const char *format, ...)
{
    size_t length = strlen(trace_text);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(trace_text + length, sizeof trace_text - length - 1, format,
                    arguments);
    va_end(arguments);
    strcat(trace_text, "\n");
}

static const char expected[] = "ticker: 0\n"
                               "ticker: 1\n"
                               "ticker: 2\n"
                               "woken before the host ran\n"
                               "woken by a thread: 42\n"
                               "woken in the middle of a poll\n"
                               "200 answers of a thread\n"
                               "busy: the host went on\n"
                               "idle: asleep\n"
                               "sleeper: canceled\n"
                               "late: did not wait an hour\n";

static const char expected_fds[] = "readable\n"
                                   "readable still\n"
                                   "readable, nobody waits: asleep\n"
                                   "writable\n"
                                   "of two on one, the reader\n"
                                   "of two on one, the writer\n"
                                   "one reader of two\n"
                                   "the other reader\n"
                                   "nothing to read: timed out\n"
                                   "nothing to read: canceled\n"
                                   "a number used again: timed out\n"
                                   "a number used again: readable\n"
                                   "hung up\n"
                                   "nobody reads: writable\n"
                                   "no such number: told\n";

static const char expected_again[] = "ticker: 0\n"
                                     "ticker: 1\n"
                                     "ticker: 2\n";

/* ---- small tasks --------------------------------------------------------- */

struct small {
    struct async_frame async;
    struct async_task task;
    const char *name;
    struct async_flag flag;
    int fd;
    int events;
    int status;
    async_time begun;
    int i;
};

static async ticker(struct async_loop *on, void *frame)
{
    struct small *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < 3; self->i++) {
        self->begun = async_now(on);
        await(async_sleep_ms(on, 5));
        if (async_now(on) - self->begun < 5)
            trace("ticker: too early");
        trace("ticker: %d", self->i);
    }
    async_end();
}

static async sleeper(struct async_loop *on, void *frame)
{
    struct small *self = frame;

    async_begin(self);
    async_catch(self->status, async_sleep_ms(on, HOUR));
    if (self->name)
        trace("%s: %s", self->name, async_strerror(self->status));
    async_end();
}

static async flagged(struct async_loop *on, void *frame)
{
    struct small *self = frame;

    async_begin(self);
    await(async_flag_wait(on, &self->flag));
    trace("%s", self->name);
    async_end();
}

static async waiter(struct async_loop *on, void *frame)
{
    struct small *self = frame;

    async_begin(self);
    async_catch(self->status, self->events == ASYNC_READABLE
                                  ? async_readable(on, self->fd)
                                  : async_writable(on, self->fd));
    trace("%s%s", self->name,
          self->status < 0 ? async_strerror(self->status) : "");
    async_end();
}

/* ---- the program --------------------------------------------------------- */

static struct program {
    struct async_frame async;
    struct async_task task;
    struct small a, b;
    struct async_timer timer;
    struct async_timer hour; /* keeps no host going */
    struct async_flag flag, asked;
    pthread_t thread;
    int value; /* the thread's, until it sets the flag */
    int told;
    int has_fds;
    int fds[2];
    int i;
    long turns;
    int spawns; /* a task will be spawned */
} program;

static struct fds_program {
    struct async_frame async;
    int old;
    int status;
    char byte;
} fds_program;

static void start(struct small *it, async_fn *fn, const char *name)
{
    static const struct small zero = ASYNC_ZERO_;
    int fd = it->fd, events = it->events;

    *it = zero;
    it->name = name;
    it->fd = fd;
    it->events = events;
    (void)async_spawn(&loop, &it->task, fn, it);
}

static void *answer(void *arg)
{
    (void)usleep(PAUSE_US); /* the host has gone to sleep, or it is as well */
    program.value = 42;
    async_flag_set(&loop, &program.flag);
    return arg;
}

/* Asked through a pipe, answers by a flag: the loop is woken while it arms
 * its deadline, while it goes to sleep, and asleep. */
static void *answer_often(void *arg)
{
    char byte;

    while (read(program.fds[0], &byte, 1) == 1 && byte == '?')
        async_flag_set(&loop, &program.flag);
    return arg;
}

static void *wake_often(void *arg)
{
    int i;

    for (i = 0; i < 20000; i++)
        async_wake(&loop);
    return arg;
}

/* A host that did not sleep has gone round thousands of times. */
static const char *slept(long since)
{
    return turns - since < 100 ? "asleep" : "spins";
}

static void tell(void)
{
    program.told = 1;
}

static void cancel_a(void)
{
    async_cancel(&loop, &program.a.task);
}

static async late(struct async_loop *on, void *frame)
{
    struct small *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, 5));
    trace("late: did not wait an hour");
    async_cancel(on, &program.a.task);
    async_end();
}

static void spawn_late(void)
{
    start(&program.b, late, NULL);
}

static void put(void)
{
    if (write(program.fds[1], "x", 1) != 1)
        trace("cannot write");
}

static void stop_reading(void)
{
    (void)close(program.fds[0]);
}

static void hang_up(void)
{
    (void)close(program.fds[1]);
}

static void open_fds(void)
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, program.fds) < 0 ||
        fcntl(program.fds[0], F_SETFL, O_NONBLOCK) < 0 ||
        fcntl(program.fds[1], F_SETFL, O_NONBLOCK) < 0)
        trace("cannot open");
    program.a.fd = program.b.fd = program.fds[0];
    program.a.events = program.b.events = ASYNC_READABLE;
}

static void close_fds(void)
{
    (void)close(program.fds[0]);
    (void)close(program.fds[1]);
}

static ssize_t drain(int fd)
{
    char text[4096];
    ssize_t got, all = 0;

    while ((got = read(fd, text, sizeof text)) > 0)
        all += got;
    return all;
}

static void fill(int fd)
{
    static const char text[4096];

    while (write(fd, text, sizeof text) > 0)
        ;
}

static async with_fds(struct async_loop *on, struct fds_program *self)
{
    struct program *p = &program;

    async_begin(self);
    open_fds();
    host_later(put);
    await(async_readable(on, p->fds[0]));
    trace("readable");
    await(async_readable(on, p->fds[0]));
    trace("readable still");
    p->turns = turns;
    await(async_sleep_ms(on, 60));
    trace("readable, nobody waits: %s", slept(p->turns));
    (void)drain(p->fds[0]);
    await(async_writable(on, p->fds[0]));
    trace("writable");

    fill(p->fds[0]);
    start(&p->a, waiter, "of two on one, the reader");
    p->b.events = ASYNC_WRITABLE;
    start(&p->b, waiter, "of two on one, the writer");
    host_later(put);
    await(async_join(on, &p->a.task));
    (void)drain(p->fds[1]);
    await(async_join(on, &p->b.task));
    (void)drain(p->fds[0]);

    p->b.events = ASYNC_READABLE;
    start(&p->a, waiter, "one reader of two");
    start(&p->b, waiter, "the other reader");
    host_later(put);
    await(async_join(on, &p->a.task));
    await(async_join(on, &p->b.task));
    (void)drain(p->fds[0]);

    async_catch(self->status,
                async_timeout(on, &p->timer, 5, async_readable(on, p->fds[0])));
    trace("nothing to read: %s", async_strerror(self->status));
    start(&p->a, waiter, "nothing to read: ");
    host_later(cancel_a);
    await(async_join(on, &p->a.task));

    /* What the number meant lives on under another, and is readable. */
    self->old = dup(p->fds[0]);
    put();
    close_fds();
    open_fds();
    async_catch(self->status,
                async_timeout(on, &p->timer, 5, async_readable(on, p->fds[0])));
    trace("a number used again: %s", async_strerror(self->status));
    host_later(put);
    await(async_readable(on, p->fds[0]));
    trace("a number used again: readable");
    (void)drain(p->fds[0]);
    (void)close(self->old);

    host_later(hang_up);
    await(async_readable(on, p->fds[0]));
    trace(drain(p->fds[0]) == 0 ? "hung up" : "something to read");
    (void)close(p->fds[0]);

    if (pipe(p->fds) < 0 || fcntl(p->fds[1], F_SETFL, O_NONBLOCK) < 0)
        trace("cannot open");
    fill(p->fds[1]);
    host_later(stop_reading);
    await(async_writable(on, p->fds[1]));
    trace("nobody reads: writable");
    (void)close(p->fds[1]);

    async_catch(self->status, async_readable(on, p->fds[0]));
    trace("no such number: %s",
          self->status < 0 || read(p->fds[0], &self->byte, 1) < 0 ? "told"
                                                                  : "?");
    async_end();
}

static async conformance(struct async_loop *on, void *frame)
{
    struct program *self = frame;

    async_begin(self);
    start(&self->a, ticker, NULL);
    await(async_join(on, &self->a.task));

    await(async_flag_wait(on, &self->asked));
    trace("woken before the host ran");

    start(&self->a, sleeper, NULL); /* a deadline, to be got in the way of */
    if (pthread_create(&self->thread, NULL, answer, NULL) != 0)
        async_fail(ASYNC_EFULL);
    await(async_flag_wait(on, &self->flag));
    (void)pthread_join(self->thread, NULL);
    trace("woken by a thread: %d", self->value);

    start(&self->b, flagged, "woken in the middle of a poll");
    await(async_yield_now(on));
    async_flag_set(on, &self->b.flag);
    await(async_join(on, &self->b.task));

    if (pipe(self->fds) < 0 ||
        pthread_create(&self->thread, NULL, answer_often, NULL) != 0)
        async_fail(ASYNC_EFULL);
    for (self->i = 0; self->i < ROUNDS; self->i++) {
        if (write(self->fds[1], "?", 1) != 1)
            async_fail(-errno);
        await(async_flag_wait(on, &self->flag));
        if (self->i % 10 == 0)
            await(async_sleep_ms(on, 1)); /* another deadline each time */
    }
    (void)close(self->fds[1]);
    (void)pthread_join(self->thread, NULL);
    (void)close(self->fds[0]);
    trace("%d answers of a thread", self->i);

    for (self->i = 0; self->i < 1000; self->i++) /* no poll lasts that long */
        await(async_yield_now(on));
    host_later(tell);
    while (!self->told)
        await(async_yield_now(on));
    trace("busy: the host went on");
    self->turns = turns;
    await(async_sleep_ms(on, 60));
    trace("idle: %s", slept(self->turns));
    async_cancel(on, &self->a.task);
    await(async_join(on, &self->a.task));

    start(&self->a, sleeper, "sleeper");
    host_later(cancel_a);
    await(async_join(on, &self->a.task));

    start(&self->a, sleeper, NULL);
    host_later(spawn_late);
    await(async_join(on, &self->a.task));
    await(async_join(on, &self->b.task));
    if (self->has_fds)
        await(with_fds(on, &fds_program));
    async_end();
}

/* ---- for main ------------------------------------------------------------ */

static void never(struct async_loop *on, struct async_timer *timer)
{
    (void)on;
    (void)timer;
    trace("an hour is over");
}

static void conformance_begin(int has_fds)
{
    (void)alarm(60); /* a host that hangs */
    program.has_fds = has_fds;
    async_timer_start(&loop, &program.hour, HOUR, never, NULL);
    async_flag_set(&loop, &program.asked);
    (void)async_spawn(&loop, &program.task, conformance, &program);
}

static void spawn_again(void)
{
    program.spawns = 0;
    start(&program.a, ticker, NULL);
}

/* True twice: then there is a task again, spawned while no host runs; and one
 * will be, in a callback of the host's that has nothing else to go on for. */
static int conformance_again(void)
{
    static int times;

    times++;
    if (times == 1) {
        spawn_again();
    } else if (times == 2) {
        program.spawns = 1;
        host_later(spawn_again);
    }
    return times <= 2;
}

/* A host that does not end by itself goes on as long as it's true. */
static inline int conformance_lasts(void)
{
    return async_alive(&loop) || program.spawns;
}

static void conformance_stops(void)
{
    async_timer_stop(&loop, &program.hour);
    (void)pthread_create(&program.thread, NULL, wake_often, NULL);
}

/* The next part of the trace is `text`. */
static int conformance_claim(int number, const char *host, const char *claim,
                             const char **at, const char *text)
{
    size_t length = strlen(text);
    int same = strncmp(*at, text, length) == 0;

    printf("%sok %d - %s: %s\n", same ? "" : "not ", number, host, claim);
    if (same)
        *at += length;
    else
        fprintf(stderr, "should be:\n%s\nis:\n%s\n", text, *at);
    return !same;
}

static int conformance_end(const char *host)
{
    const char *at = trace_text;
    int failed;

    (void)pthread_join(program.thread, NULL);
    if (async_task_outcome(&program.task) < 0)
        trace("%s", async_strerror(async_task_outcome(&program.task)));
    printf("%s1..4\n", trace_text);
    failed = conformance_claim(1, host, "tasks, time and wakes", &at, expected);
    if (program.has_fds)
        failed |= conformance_claim(2, host, "descriptors", &at, expected_fds);
    else
        printf("not ok 2 # SKIP %s has no descriptors\n", host);
    failed |= conformance_claim(3, host, "once more", &at, expected_again);
    failed |=
        conformance_claim(4, host, "and out of nothing", &at, expected_again);
    return failed || *at || async_alive(&loop) || async_unjoined(&loop) ||
           loop.host_;
}

#endif /* ASYNC_TESTS_HOSTS_CONFORMANCE_H */
