/* echo-load.c: the load on a TCP echo server, and what it costs the server.
 * SPDX-License-Identifier: MIT
 *
 * Connects to 127.0.0.1:PORT, keeps one 64-byte request in flight on each
 * connection, compares every reply byte for byte, and prints
 *
 *     rate 191140 req/s      replies a second, all connections
 *     cpu 5192 ns            the server's CPU time a request, user and system,
 *                            all its threads
 *     p50 514 us             from send to the whole reply: the middle one,
 *     p99 884 us             and what one in a hundred exceeds
 *
 * A twentieth of the requests, and at least two a connection, come first as a
 * warm-up outside the timed region. The server's CPU time is its process clock,
 * which counts in nanoseconds what /proc/PID/stat shows in ticks of 10 ms. A
 * server that has just been started is given five seconds to listen. Give each
 * side a core of its own:
 *
 *     taskset -c 0 SERVER echo 7000 &
 *     taskset -c 1 echo-load 7000 100 200000 $!
 *
 * The PID must be the server's own, not a wrapper's that waits for it.
 * Exit status: 0; 1 with a message if anything went wrong; 2 for a wrong call.
 *
 *     build: cc -O2 bench/echo-load.c -o $OUT
 */
#define _GNU_SOURCE /* usleep */

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE = 64, WORDS = MESSAGE / 8, PATIENCE_MS = 10000 };

struct connection {
    int fd;
    unsigned got;    /* bytes of the reply so far */
    uint64_t random; /* where its requests come from */
    uint64_t sent_at;
    uint64_t request[WORDS];
    char reply[MESSAGE + 1]; /* one more, to see a reply that is too long */
};

static struct connection *connections;
static long connection_count;
static int epoll;

static void fail(const char *what)
{
    fprintf(stderr, "echo-load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(clockid_t clock)
{
    struct timespec time;

    if (clock_gettime(clock, &time) < 0)
        fail(clock == CLOCK_MONOTONIC ? "the clock"
                                      : "the server's CPU time: has it ended?");
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void connect_one(struct connection *c, const struct sockaddr_in *address)
{
    struct epoll_event event = {.events = EPOLLIN};
    uint64_t give_up = now_ns(CLOCK_MONOTONIC) + 5000000000u;
    int one = 1;

    for (;;) {
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd < 0)
            fail("socket (raise the limit of open files?)");
        if (connect(c->fd, (const struct sockaddr *)address, sizeof *address) ==
            0)
            break;
        if (errno != ECONNREFUSED || now_ns(CLOCK_MONOTONIC) > give_up)
            fail("connect: does the server listen on this port?");
        close(c->fd);
        usleep(10000);
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    event.data.ptr = c;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) < 0)
        fail("epoll_ctl");
}

static void send_request(struct connection *c)
{
    uint64_t x = c->random;
    ssize_t n;
    int i;

    for (i = 0; i < WORDS; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        c->request[i] = x;
    }
    c->random = x;
    c->got = 0;
    c->sent_at = now_ns(CLOCK_MONOTONIC);
    n = send(c->fd, c->request, MESSAGE, MSG_NOSIGNAL);
    if (n < 0)
        fail("send");
    if (n != MESSAGE) {
        fprintf(stderr, "echo-load: sent %zd of %d bytes\n", n, MESSAGE);
        exit(1);
    }
}

/* Takes what has come. Returns 1 when the reply is whole. */
static int take_reply(struct connection *c)
{
    ssize_t n =
        recv(c->fd, c->reply + c->got, sizeof c->reply - c->got, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n < 0)
        fail("recv");
    if (n == 0) {
        fprintf(stderr,
                "echo-load: the server closed connection %ld after %u "
                "bytes of a reply\n",
                (long)(c - connections), c->got);
        exit(1);
    }
    c->got += (unsigned)n;
    if (c->got > MESSAGE) {
        fprintf(stderr,
                "echo-load: a reply of more than %d bytes on "
                "connection %ld\n",
                MESSAGE, (long)(c - connections));
        exit(1);
    }
    if (c->got < MESSAGE)
        return 0;
    if (memcmp(c->reply, c->request, MESSAGE) != 0) {
        fprintf(stderr, "echo-load: a wrong reply on connection %ld\n",
                (long)(c - connections));
        exit(1);
    }
    return 1;
}

/* Runs so many requests. `latencies`, in ns, may be NULL. */
static void run(long requests, uint32_t *latencies)
{
    static struct epoll_event events[1024];
    long i, sent = 0, done = 0;

    for (; sent < connection_count && sent < requests; sent++)
        send_request(&connections[sent]);
    while (done < requests) {
        int count = epoll_wait(epoll, events, 1024, PATIENCE_MS);

        if (count < 0 && errno != EINTR)
            fail("epoll_wait");
        if (count == 0) {
            fprintf(stderr, "echo-load: no reply for %d s; %ld of %ld came\n",
                    PATIENCE_MS / 1000, done, requests);
            exit(1);
        }
        for (i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;

            if (!take_reply(c))
                continue;
            if (latencies) {
                uint64_t ns = now_ns(CLOCK_MONOTONIC) - c->sent_at;

                latencies[done] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
            }
            done++;
            if (sent < requests) {
                send_request(c);
                sent++;
            }
        }
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static long number(const char *text, const char *what, long max)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (*text == 0 || *end != 0 || value < 1 || value > max) {
        fprintf(stderr, "echo-load: %s: \"%s\" is not a number from 1 to %ld\n",
                what, text, max);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct rlimit files;
    uint64_t began, ended, cpu_began, cpu_ended;
    uint32_t *latencies;
    clockid_t server;
    long i, requests, warm_up;

    if (argc != 5) {
        fprintf(stderr,
                "usage: echo-load PORT CONNECTIONS REQUESTS SERVER_PID\n");
        return 2;
    }
    address.sin_port = htons((uint16_t)number(argv[1], "PORT", 65535));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection_count = number(argv[2], "CONNECTIONS", 1000000);
    requests = number(argv[3], "REQUESTS", 1000000000);
    errno = clock_getcpuclockid((pid_t)number(argv[4], "SERVER_PID", INT_MAX),
                                &server);
    if (errno != 0) {
        fprintf(stderr, "echo-load: no process %s: has the server ended?\n",
                argv[4]);
        return 1;
    }

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    connections = calloc((size_t)connection_count, sizeof *connections);
    latencies = malloc((size_t)requests * sizeof *latencies);
    if (!connections || !latencies)
        fail("malloc");
    memset(latencies, 0, (size_t)requests * sizeof *latencies);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        fail("epoll_create1");
    for (i = 0; i < connection_count; i++) {
        connections[i].random = 88172645463325252u + (uint64_t)i;
        connect_one(&connections[i], &address);
    }

    warm_up = requests / 20;
    if (warm_up < 2 * connection_count)
        warm_up = 2 * connection_count;
    run(warm_up, NULL);

    cpu_began = now_ns(server);
    began = now_ns(CLOCK_MONOTONIC);
    run(requests, latencies);
    ended = now_ns(CLOCK_MONOTONIC);
    cpu_ended = now_ns(server);

    qsort(latencies, (size_t)requests, sizeof *latencies, by_value);
    printf("rate %.0f req/s\n",
           (double)requests * 1e9 / (double)(ended - began));
    printf("cpu %.0f ns\n", (double)(cpu_ended - cpu_began) / (double)requests);
    printf("p50 %.1f us\n", latencies[(requests - 1) / 2] / 1e3);
    printf("p99 %.1f us\n", latencies[(requests - 1) / 100 * 99] / 1e3);
    return 0;
}
