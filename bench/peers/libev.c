/* libev.c: the benchmark's workloads on libev's default loop.
 * SPDX-License-Identifier: MIT
 *
 * libev has callbacks, no await and no threads: a task is a watcher and its
 * callback, so whatever needs those makes no sense here and exits with 77.
 *
 * A yield of one task is ev_feed_event from its own callback, the fastest way.
 * libev calls fed events last in, first out, so that 1000 tasks which feed
 * themselves would not take turns: there a yield is an ev_idle that stays
 * active, which libev calls once a turn of the loop, and so is a child of
 * gather.
 *
 * Timers run on virtual time through libev's public functions alone: this
 * program defines clock_gettime, which libev calls, and moves that clock on by
 * 1 ms before each turn of the loop. Everywhere else the clock is the real one.
 * Deadlines are asked half a millisecond early: libev counts in doubles.
 *
 * Fastest sane settings: the epoll back end (poll and select serve no workload
 * better, and io_uring takes half as long again), no environment, no signal
 * mask; watchers in one array of the caller's; echo reads and writes from the
 * same callback, waits for EV_WRITE only when a write was short, TCP_NODELAY.
 *
 *     build: cc -O2 -DNDEBUG -fno-strict-aliasing bench/peers/libev.c -o $OUT -lev -ldl
 *     packages: libev-dev
 *     version: echo "libev $(dpkg-query -W -f '${Version}' libev-dev)"
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { RANGE = 10000, NO_SENSE = 77 };

static struct ev_loop *loop;

#define PEER "libev"
#include "../virtual.h"

/* yield1, yield1000 */

struct yielder {
    union {
        ev_idle idle;
        ev_timer fed; /* never started: a plain watcher to feed */
    } watcher;
    long left;
};

static long steps, first_end;

static void on_fed(struct ev_loop *l, ev_timer *watcher, int events)
{
    struct yielder *self = (struct yielder *)watcher;

    (void)events;
    steps++;
    if (--self->left)
        ev_feed_event(l, watcher, EV_CUSTOM);
}

static void on_turn(struct ev_loop *l, ev_idle *idle, int events)
{
    struct yielder *self = (struct yielder *)idle;

    (void)events;
    steps++;
    if (--self->left == 0) {
        ev_idle_stop(l, idle);
        if (!first_end)
            first_end = steps;
    }
}

static void yield_alone(struct yielder *task, long count)
{
    steps = 0;
    task->left = count;
    ev_feed_event(loop, &task->watcher.fed, EV_CUSTOM);
    ev_invoke_pending(loop);
}

static void yield_in_turn(struct yielder *tasks, long n, long count)
{
    steps = first_end = 0;
    for (long i = 0; i < n; i++) {
        tasks[i].left = count / n + (i < count % n);
        if (tasks[i].left)
            ev_idle_start(loop, &tasks[i].watcher.idle);
    }
    ev_run(loop, 0);
    check(first_end > count - 2 * n, "turns");
}

static void yield(long n, long count)
{
    struct yielder *tasks = allocate(n, sizeof *tasks);
    double wall, cpu;

    for (long i = 0; i < n; i++) {
        if (n == 1)
            ev_timer_init(&tasks[i].watcher.fed, on_fed, 0, 0);
        else
            ev_idle_init(&tasks[i].watcher.idle, on_turn);
    }
    if (n == 1)
        yield_alone(tasks, count / 10 + 1);
    else
        yield_in_turn(tasks, n, count / 10 + n);
    wall = wall_ns();
    cpu = cpu_ns();
    if (n == 1)
        yield_alone(tasks, count);
    else
        yield_in_turn(tasks, n, count);
    cpu = cpu_ns() - cpu;
    wall = wall_ns() - wall;
    check(steps == count, "number of yields");
    print_each(wall, cpu, count);
}

/* sleep */

static long ended;

static void on_slept(struct ev_loop *l, ev_timer *timer, int events)
{
    (void)l;
    (void)timer;
    (void)events;
    ended++;
}

static void sleep_once(long count)
{
    long before = resident_bytes(), asleep;
    double wall = wall_ns(), cpu = cpu_ns();
    ev_timer *timers = malloc(count * sizeof *timers);

    check(timers != NULL, "memory");
    ev_now_update(loop);
    for (long i = 0; i < count; i++) {
        ev_timer_init(&timers[i], on_slept, 1, 0);
        ev_timer_start(loop, &timers[i]);
    }
    asleep = resident_bytes();
    ev_run(loop, 0);
    wall = wall_ns() - wall;
    cpu = cpu_ns() - cpu;
    check(ended == count && wall >= 0.998e9, "sleep");
    printf("memory %.1f B\nbeyond %.1f ms\ncpu %.1f ms\n",
           (double)(asleep - before) / count, wall / 1e6 - 1000, cpu / 1e6);
}

/* timers */

struct alarm {
    ev_timer timer;
    int64_t due_ms;
};

static long expired, early_or_late;

static void on_alarm(struct ev_loop *l, ev_timer *timer, int events)
{
    struct alarm *self = (struct alarm *)timer;

    (void)l;
    (void)events;
    expired++;
    early_or_late += self->due_ms != virtual_ms;
}

/* Arms, cancels and expires them; the nanoseconds of each go to `took`.
 * The CPU clock is read around each: that is where instructions are cut. */
static void timers_once(struct alarm *alarms, const uint16_t *ms, long count,
                        double *took)
{
    int64_t start_ms = virtual_ms;
    double clock;

    expired = early_or_late = 0;
    ev_now_update(loop);
    for (long i = 0; i < count; i++)
        alarms[i].due_ms = start_ms + ms[i];

    cpu_ns();
    clock = wall_ns();
    for (long i = 0; i < count; i++) {
        ev_timer_set(&alarms[i].timer, ms[i] * 1e-3 - 5e-4, 0);
        ev_timer_start(loop, &alarms[i].timer);
    }
    took[0] = wall_ns() - clock;
    cpu_ns();

    cpu_ns();
    clock = wall_ns();
    for (long i = 0; i < count; i += 2)
        ev_timer_stop(loop, &alarms[i].timer);
    took[1] = wall_ns() - clock;
    cpu_ns();

    cpu_ns();
    clock = wall_ns();
    for (; virtual_ms < start_ms + RANGE; virtual_ms++)
        ev_run(loop, EVRUN_NOWAIT);
    took[2] = wall_ns() - clock;
    cpu_ns();
    check(expired == count / 2 && !early_or_late, "expiry");
}

static void timers(long count)
{
    struct alarm *alarms = allocate(count, sizeof *alarms);
    uint16_t *ms = allocate(count, sizeof *ms);
    uint64_t x = 88172645463325252;
    double took[3];

    for (long i = 0; i < count; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        ms[i] = x % RANGE;
        ev_init(&alarms[i].timer, on_alarm);
    }
    virtual_ms = (int64_t)(wall_ns() / 1e6);
    timers_once(alarms, ms, count, took); /* warms up */
    timers_once(alarms, ms, count, took);
    printf("arm %.2f ns\ncancel %.2f ns\nexpire %.2f ns\n", took[0] / count,
           took[1] / (count - count / 2), took[2] / (count / 2));
}

/* gather */

struct child {
    ev_idle idle;
    int result;
};

static struct child *children;
static long left;

static void on_child(struct ev_loop *l, ev_idle *idle, int events)
{
    struct child *self = (struct child *)idle;

    (void)events;
    self->result = (int)(self - children);
    ev_idle_stop(l, idle);
    left--;
}

static void gather_once(long count)
{
    int64_t sum = 0;

    left = count;
    for (long i = 0; i < count; i++) {
        ev_idle_init(&children[i].idle, on_child);
        ev_idle_start(loop, &children[i].idle);
    }
    ev_run(loop, 0);
    for (long i = 0; i < count; i++)
        sum += children[i].result;
    check(left == 0 && sum == (int64_t)count * (count - 1) / 2, "sum");
}

static void gather(long count)
{
    double wall, cpu;

    children = allocate(count, sizeof *children);
    gather_once(count); /* as many again: the memory has been touched */
    wall = wall_ns();
    cpu = cpu_ns();
    gather_once(count);
    cpu = cpu_ns() - cpu;
    wall = wall_ns() - wall;
    print_each(wall, cpu, count);
}

/* echo */

struct client {
    ev_io io;
    char *rest; /* what a short write left over, or NULL */
    size_t rest_at, rest_size;
};

static void close_client(struct ev_loop *l, struct client *self)
{
    ev_io_stop(l, &self->io);
    close(self->io.fd);
    free(self->rest);
    free(self);
}

static void watch(struct ev_loop *l, struct client *self, int events)
{
    ev_io_stop(l, &self->io);
    ev_io_modify(&self->io, events);
    ev_io_start(l, &self->io);
}

static void on_writable(struct ev_loop *l, struct client *self)
{
    ssize_t sent = send(self->io.fd, self->rest + self->rest_at,
                        self->rest_size - self->rest_at, MSG_NOSIGNAL);

    if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR)
            close_client(l, self);
        return;
    }
    self->rest_at += sent;
    if (self->rest_at == self->rest_size) {
        free(self->rest);
        self->rest = NULL;
        watch(l, self, EV_READ);
    }
}

static void on_client(struct ev_loop *l, ev_io *io, int events)
{
    struct client *self = (struct client *)io;
    static char received[65536];
    ssize_t size, sent;

    if (events & EV_WRITE) {
        on_writable(l, self);
        return;
    }
    size = recv(io->fd, received, sizeof received, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        close_client(l, self);
        return;
    }
    sent = send(io->fd, received, size, MSG_NOSIGNAL);
    if (sent == size)
        return;
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        close_client(l, self);
        return;
    }
    sent = sent < 0 ? 0 : sent;
    self->rest_at = 0;
    self->rest_size = size - sent;
    self->rest = allocate(1, self->rest_size);
    memcpy(self->rest, received + sent, self->rest_size);
    watch(l, self, EV_WRITE);
}

static void on_connection(struct ev_loop *l, ev_io *server, int events)
{
    const int on = 1;
    int fd;

    (void)events;
    while ((fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct client *client = allocate(1, sizeof *client);

        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        ev_io_init(&client->io, on_client, fd, EV_READ);
        ev_io_start(l, &client->io);
    }
}

static void on_terminate(int number)
{
    (void)number;
    _exit(0);
}

static void echo(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    ev_io server;

    signal(SIGTERM, on_terminate);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(fd, 1024) < 0) {
        fprintf(stderr, "libev: cannot listen on port %d\n", port);
        exit(1);
    }
    ev_io_init(&server, on_connection, fd, EV_READ);
    ev_io_start(loop, &server);
    ev_run(loop, 0);
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
        "depth1",  "depth8", "depth32",  "call",   "spawn",  "offload1",
        "offload", "pi",     "pingpong", "stream", "skynet", NULL};
    const char *workload = argc == 3 ? argv[1] : "";
    long count = argc == 3 ? atol(argv[2]) : 0;

    *(void **)&real_clock = dlsym(RTLD_NEXT, "clock_gettime");
    check(real_clock != NULL, "clock");
    if (is_any(workload, no_sense))
        return NO_SENSE;
    if (count <= 0) {
        fprintf(stderr, "usage: libev WORKLOAD COUNT | libev echo PORT\n");
        return 2;
    }
    loop = ev_default_loop(EVBACKEND_EPOLL | EVFLAG_NOENV | EVFLAG_NOSIGMASK);
    check(loop != NULL, "loop");
    if (!strcmp(workload, "yield1"))
        yield(1, count);
    else if (!strcmp(workload, "yield1000"))
        yield(1000, count);
    else if (!strcmp(workload, "sleep"))
        sleep_once(count);
    else if (!strcmp(workload, "timers"))
        timers(count);
    else if (!strcmp(workload, "gather"))
        gather(count);
    else if (!strcmp(workload, "echo"))
        echo((int)count);
    else
        return 2;
    return 0;
}
