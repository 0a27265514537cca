/* echo-ours.c: the echo server of async.h, a task a connection.
 * SPDX-License-Identifier: MIT
 *
 * On adapters/epoll.h, which is meant for thousands of connections. There a
 * wait costs an epoll_ctl. So every second time a client that has been answered
 * lets the others run, tries to read, and waits only if nothing has come
 * meanwhile: with much to do that saves the wait, with little it costs a recv.
 * (Every time saves more, but is not fair: at 1000 connections 5 % of the CPU
 * time a request, for twice the 99th percentile.)
 *
 *     ours echo PORT         serves 127.0.0.1:PORT until a signal ends it
 *
 *     build: cc -O2 -DNDEBUG -I. bench/peers/echo-ours.c -o $OUT
 *     packages:
 *     version: sed -n 's/^#define ASYNC_VERSION "\(.*\)"/async.h \1/p' async.h
 */
#define _GNU_SOURCE /* accept4 */

#include "adapters/epoll.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEER "echo-ours"
#include "../listen.h"

struct client {
    struct async_frame async;
    int fd;
    unsigned turns;
    struct async_task task; /* on the same page as what else is used often */
    struct client *next;    /* of those whose task has ended */
    ssize_t size, sent;
    char buffer[4096];
};

struct server {
    struct async_frame async;
    int fd;
    struct client *idle;
};

static struct server server_frame;

static async client(struct async_loop *loop, void *frame)
{
    struct client *self = frame;

    async_begin(self);
    for (;;) {
        if (self->turns++ % 2)
            await(async_yield_now(loop));
        else
            await(async_readable(loop, self->fd));
        while ((self->size =
                    recv(self->fd, self->buffer, sizeof self->buffer, 0)) < 0 &&
               errno == EAGAIN)
            await(async_readable(loop, self->fd));
        if (self->size <= 0)
            async_return();
        for (self->sent = 0; self->sent < self->size;) {
            ssize_t n = send(self->fd, self->buffer + self->sent,
                             (size_t)(self->size - self->sent), MSG_NOSIGNAL);

            if (n >= 0)
                self->sent += n;
            else if (errno == EAGAIN)
                await(async_writable(loop, self->fd));
            else
                async_return();
        }
    }
    async_finally();
    close(self->fd);
    self->next = server_frame.idle; /* taken after this step, its last */
    server_frame.idle = self;
    async_end();
}

static async server(struct async_loop *loop, void *frame)
{
    struct server *self = frame;
    struct client *new;
    int fd, one = 1;

    async_begin(self);
    for (;;) {
        await(async_readable(loop, self->fd));
        fd = accept4(self->fd, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED))
            continue;
        if (fd < 0)
            async_fail(-errno);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        new = self->idle;
        if (new)
            self->idle = new->next;
        else if (!(new = calloc(1, sizeof *new)))
            async_fail(-ENOMEM);
        new->async = (struct async_frame){0};
        new->fd = fd;
        (void)async_spawn(loop, &new->task, client, new);
    }
    async_end();
}

int main(int argc, char **argv)
{
    static struct async_loop loop;
    static struct async_task task;
    struct async_epoll host;
    int error;

    if (argc != 3 || strcmp(argv[1], "echo") != 0) {
        fprintf(stderr, "usage: echo-ours echo PORT\n");
        return 2;
    }
    server_frame.fd = listen_on(argv[2]);
    error = async_epoll_start(&host, &loop);
    if (error) {
        fprintf(stderr, "echo-ours: epoll: %s\n", async_strerror(error));
        return 1;
    }
    async_spawn(&loop, &task, server, &server_frame);
    while (async_task_outcome(&task) == ASYNC_PENDING)
        async_epoll_turn(&host);
    fprintf(stderr, "echo-ours: %s\n",
            async_strerror(async_task_outcome(&task)));
    return 1;
}
