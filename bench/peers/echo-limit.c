/* echo-limit.c: the least C that serves an echo: bare epoll, recv and send.
 * SPDX-License-Identifier: MIT
 *
 * The yardstick of the workloads echo100 and echo1000; no library. Level
 * triggered, one recv and one send a request, no memory a connection. A reply
 * that does not fit into its socket blocks the server: it measures the cost of
 * a request, it is no server to copy.
 *
 *     limit echo PORT        serves 127.0.0.1:PORT until a signal ends it
 *
 *     build: cc -O2 -DNDEBUG bench/peers/echo-limit.c -o $OUT
 *     packages:
 *     version: cc --version | head -n 1
 */
#define _GNU_SOURCE /* accept4 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEER "echo-limit"
#include "../listen.h"

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};

    event.data.fd = fd;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl");
}

static void accept_all(int epoll, int listener)
{
    int fd, one = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(epoll, fd);
    }
    if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
        fail("accept");
}

static int send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

        if (n < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};

            (void)poll(&wait, 1, -1);
        } else if (n < 0) {
            return -1;
        } else {
            data += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct epoll_event events[1024];
    static char buffer[4096];
    int epoll, listener;

    if (argc != 3 || strcmp(argv[1], "echo") != 0) {
        fprintf(stderr, "usage: echo-limit echo PORT\n");
        return 2;
    }
    listener = listen_on(argv[2]);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        fail("epoll_create1");
    watch(epoll, listener);
    for (;;) {
        int i, count = epoll_wait(epoll, events, 1024, -1);

        for (i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            ssize_t n;

            if (fd == listener) {
                accept_all(epoll, listener);
                continue;
            }
            n = recv(fd, buffer, sizeof buffer, 0);
            if (n < 0 && errno == EAGAIN)
                continue;
            if (n <= 0 || send_all(fd, buffer, (size_t)n) < 0)
                close(fd); /* leaves the epoll set by that */
        }
    }
}
