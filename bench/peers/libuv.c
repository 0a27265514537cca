/* libuv.c: the benchmark's workloads on libuv's default loop.
 * SPDX-License-Identifier: MIT
 *
 * libuv has callbacks, no await: a task is a handle and its callback, so
 * depth, call, spawn, queues and skynet make no sense here and exit with 77.
 *
 * A yield is an idle handle that stays active: the loop calls it once a turn.
 * uv_async_send, the other way, writes to an eventfd each time. With one task
 * a yield is a whole turn of the loop, its epoll_wait included.
 *
 * Timers run on virtual time through libuv's public functions alone: this
 * program defines clock_gettime, which libuv calls, and moves that clock on by
 * 1 ms before each turn of the loop. Everywhere else the clock is the real one,
 * of which libuv looks at whole milliseconds: a sleep may seem to end up to
 * 1 ms early.
 *
 * Fastest sane settings: handles in one array of the caller's; requests queued
 * again by their own callbacks; UV_THREADPOOL_SIZE 1 for offload1, else 2; echo
 * answers by uv_try_write and falls back to uv_write, all connections share
 * one receive buffer, TCP_NODELAY.
 *
 *     build: cc -O2 -DNDEBUG bench/peers/libuv.c -o $OUT -luv -ldl -pthread
 *     packages: libuv1-dev pkg-config
 *     version: echo "libuv $(pkg-config --modversion libuv)"
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum { IN_FLIGHT = 1000, POINTS = 10000000, RANGE = 10000, NO_SENSE = 77 };

static uv_loop_t *loop;

#define PEER "libuv"
#include "../virtual.h"

/* yield1, yield1000 */

struct yielder {
    uv_idle_t idle;
    long left;
};

static long steps, first_end;

static void on_turn(uv_idle_t *idle)
{
    struct yielder *self = (struct yielder *)idle;

    steps++;
    if (--self->left == 0) {
        uv_idle_stop(idle);
        if (!first_end)
            first_end = steps;
    }
}

static void yield_in_turn(struct yielder *tasks, long n, long count)
{
    steps = first_end = 0;
    for (long i = 0; i < n; i++) {
        tasks[i].left = count / n + (i < count % n);
        if (tasks[i].left)
            uv_idle_start(&tasks[i].idle, on_turn);
    }
    uv_run(loop, UV_RUN_DEFAULT);
}

static void yield(long n, long count)
{
    struct yielder *tasks = allocate(n, sizeof *tasks);
    double wall, cpu;

    for (long i = 0; i < n; i++)
        uv_idle_init(loop, &tasks[i].idle);
    yield_in_turn(tasks, n, count / 10 + n);
    wall = wall_ns();
    cpu = cpu_ns();
    yield_in_turn(tasks, n, count);
    cpu = cpu_ns() - cpu;
    wall = wall_ns() - wall;
    check(steps == count, "number of yields");
    check(first_end > count - 2 * n, "turns");
    print_each(wall, cpu, count);
}

/* sleep */

static long ended;

static void on_slept(uv_timer_t *timer)
{
    (void)timer;
    ended++;
}

static void sleep_once(long count)
{
    long before = resident_bytes(), asleep;
    double wall = wall_ns(), cpu = cpu_ns();
    uv_timer_t *timers = malloc(count * sizeof *timers);

    check(timers != NULL, "memory");
    uv_update_time(loop);
    for (long i = 0; i < count; i++) {
        uv_timer_init(loop, &timers[i]);
        uv_timer_start(&timers[i], on_slept, 1000, 0);
    }
    asleep = resident_bytes();
    uv_run(loop, UV_RUN_DEFAULT);
    wall = wall_ns() - wall;
    cpu = cpu_ns() - cpu;
    check(ended == count && wall >= 0.998e9, "sleep");
    printf("memory %.1f B\nbeyond %.1f ms\ncpu %.1f ms\n",
           (double)(asleep - before) / count, wall / 1e6 - 1000, cpu / 1e6);
}

/* timers */

struct alarm {
    uv_timer_t timer;
    int64_t due_ms;
};

static long expired, early_or_late;

static void on_alarm(uv_timer_t *timer)
{
    struct alarm *self = (struct alarm *)timer;

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
    uv_update_time(loop);
    for (long i = 0; i < count; i++)
        alarms[i].due_ms = start_ms + ms[i];

    cpu_ns();
    clock = wall_ns();
    for (long i = 0; i < count; i++)
        uv_timer_start(&alarms[i].timer, on_alarm, ms[i], 0);
    took[0] = wall_ns() - clock;
    cpu_ns();

    cpu_ns();
    clock = wall_ns();
    for (long i = 0; i < count; i += 2)
        uv_timer_stop(&alarms[i].timer);
    took[1] = wall_ns() - clock;
    cpu_ns();

    cpu_ns();
    clock = wall_ns();
    for (; virtual_ms < start_ms + RANGE; virtual_ms++)
        uv_run(loop, UV_RUN_NOWAIT);
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
        uv_timer_init(loop, &alarms[i].timer);
    }
    virtual_ms = (int64_t)(wall_ns() / 1e6);
    timers_once(alarms, ms, count, took); /* warms up */
    timers_once(alarms, ms, count, took);
    printf("arm %.2f ns\ncancel %.2f ns\nexpire %.2f ns\n", took[0] / count,
           took[1] / (count - count / 2), took[2] / (count / 2));
}

/* gather */

struct child {
    uv_idle_t idle;
    int result;
};

static struct child *children;
static long left;

static void on_child(uv_idle_t *idle)
{
    struct child *self = (struct child *)idle;

    self->result = (int)(self - children);
    uv_idle_stop(idle);
    left--;
}

static int64_t gather_once(long count)
{
    int64_t sum = 0;

    left = count;
    for (long i = 0; i < count; i++) {
        uv_idle_init(loop, &children[i].idle);
        uv_idle_start(&children[i].idle, on_child);
    }
    uv_run(loop, UV_RUN_DEFAULT);
    check(left == 0, "number of children");
    for (long i = 0; i < count; i++)
        sum += children[i].result;
    return sum;
}

static void gather(long count)
{
    double wall, cpu;
    int64_t sum;
    uv_loop_t second;

    /* The handles stay on their loop's list: the warm-up gets its own loop. */
    children = allocate(count, sizeof *children);
    uv_loop_init(&second);
    loop = &second;
    gather_once(count);
    loop = uv_default_loop();
    wall = wall_ns();
    cpu = cpu_ns();
    sum = gather_once(count);
    cpu = cpu_ns() - cpu;
    wall = wall_ns() - wall;
    check(sum == (int64_t)count * (count - 1) / 2, "sum");
    print_each(wall, cpu, count);
}

/* offload1, offload */

struct job {
    uv_work_t work;
    long done;
};

static long to_start, jobs_done;

static void empty_job(uv_work_t *work)
{
    ((struct job *)work)->done++;
}

static void on_done(uv_work_t *work, int status)
{
    jobs_done += status == 0;
    if (to_start) {
        to_start--;
        uv_queue_work(loop, work, empty_job, on_done);
    }
}

static void offload_jobs(struct job *jobs, long in_flight, long count)
{
    long done = 0;

    jobs_done = 0;
    to_start = count;
    for (long i = 0; i < in_flight && to_start; i++) {
        to_start--;
        uv_queue_work(loop, &jobs[i].work, empty_job, on_done);
    }
    uv_run(loop, UV_RUN_DEFAULT);
    for (long i = 0; i < in_flight; i++) {
        done += jobs[i].done;
        jobs[i].done = 0;
    }
    check(jobs_done == count && done == count, "number of jobs");
}

static void offload(long in_flight, long count)
{
    struct job *jobs = allocate(in_flight, sizeof *jobs);
    double wall, cpu;

    offload_jobs(jobs, in_flight, count / 10 + 1);
    wall = wall_ns();
    cpu = cpu_ns();
    offload_jobs(jobs, in_flight, count);
    cpu = cpu_ns() - cpu;
    wall = wall_ns() - wall;
    print_each(wall, cpu, count);
}

/* pi */

struct part {
    uv_work_t work;
    long number, inside;
};

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

static void pi_part(uv_work_t *work)
{
    struct part *self = (struct part *)work;

    self->inside = hits_of(self->number);
}

static void on_part(uv_work_t *work, int status)
{
    (void)work;
    jobs_done += status == 0;
}

static long pi_sum(struct part *parts, long count)
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
    struct part *parts = allocate(count, sizeof *parts);
    struct job warm = {.done = 0};
    double sequence, parallel, value;
    long expected, sum;

    for (long i = 0; i < count; i++)
        parts[i].number = i;
    offload_jobs(&warm, 1, 10);
    sequence = wall_ns();
    for (long i = 0; i < count; i++)
        pi_part(&parts[i].work);
    sequence = wall_ns() - sequence;
    expected = pi_sum(parts, count);

    jobs_done = 0;
    parallel = wall_ns();
    for (long i = 0; i < count; i++)
        uv_queue_work(loop, &parts[i].work, pi_part, on_part);
    uv_run(loop, UV_RUN_DEFAULT);
    parallel = wall_ns() - parallel;
    sum = pi_sum(parts, count);
    value = 4.0 * sum / ((double)POINTS * count);
    check(jobs_done == count && sum == expected, "sum");
    check(value > 3.13 && value < 3.15, "pi");
    printf("speedup %.3f x\n", sequence / parallel);
}

/* echo */

static char received[65536];

struct answer {
    uv_write_t request;
    char bytes[];
};

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_answered(uv_write_t *request, int status)
{
    (void)status;
    free(request);
}

static void on_buffer(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    (void)handle;
    (void)size;
    *buffer = uv_buf_init(received, sizeof received);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    uv_buf_t rest;
    struct answer *answer;
    int sent;

    if (size < 0) {
        uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    if (size == 0)
        return;
    rest = uv_buf_init(buffer->base, (unsigned)size);
    sent = uv_try_write(stream, &rest, 1);
    if (sent == size)
        return;
    if (sent < 0 && sent != UV_EAGAIN) {
        uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    sent = sent < 0 ? 0 : sent;
    answer = allocate(1, sizeof *answer + size - sent);
    memcpy(answer->bytes, received + sent, size - sent);
    rest = uv_buf_init(answer->bytes, (unsigned)(size - sent));
    if (uv_write(&answer->request, stream, &rest, 1, on_answered) < 0)
        free(answer);
}

static void on_connection(uv_stream_t *server, int status)
{
    uv_tcp_t *client;

    if (status < 0)
        return;
    client = allocate(1, sizeof *client);
    uv_tcp_init(loop, client);
    if (uv_accept(server, (uv_stream_t *)client) < 0) {
        uv_close((uv_handle_t *)client, on_closed);
        return;
    }
    uv_tcp_nodelay(client, 1);
    uv_read_start((uv_stream_t *)client, on_buffer, on_read);
}

static void on_terminate(int number)
{
    (void)number;
    _exit(0);
}

static void echo(int port)
{
    struct sockaddr_in address;
    uv_tcp_t server;

    signal(SIGTERM, on_terminate);
    uv_ip4_addr("127.0.0.1", port, &address);
    uv_tcp_init(loop, &server);
    if (uv_tcp_bind(&server, (struct sockaddr *)&address, 0) < 0 ||
        uv_listen((uv_stream_t *)&server, 1024, on_connection) < 0) {
        fprintf(stderr, "libuv: cannot listen on port %d\n", port);
        exit(1);
    }
    uv_run(loop, UV_RUN_DEFAULT);
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
    static const char *const no_sense[] = {"depth1",   "depth8", "depth32",
                                           "call",     "spawn",  "stream",
                                           "pingpong", "skynet", NULL};
    const char *workload = argc == 3 ? argv[1] : "";
    long count = argc == 3 ? atol(argv[2]) : 0;

    *(void **)&real_clock = dlsym(RTLD_NEXT, "clock_gettime");
    check(real_clock != NULL, "clock");
    if (is_any(workload, no_sense))
        return NO_SENSE;
    if (count <= 0) {
        fprintf(stderr, "usage: libuv WORKLOAD COUNT | libuv echo PORT\n");
        return 2;
    }
    setenv("UV_THREADPOOL_SIZE", strcmp(workload, "offload1") ? "2" : "1", 1);
    loop = uv_default_loop();
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
    else if (!strcmp(workload, "offload1"))
        offload(1, count);
    else if (!strcmp(workload, "offload"))
        offload(IN_FLIGHT, count);
    else if (!strcmp(workload, "pi"))
        pi(count);
    else if (!strcmp(workload, "echo"))
        echo((int)count);
    else
        return 2;
    return 0;
}
