/* echo.c: a TCP server, a task a connection, on adapters/epoll.h. What is sent
 * comes back; who says nothing for ten seconds, or takes nothing, is dropped.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. echo.c -o echo
 *
 *     echo PORT    serves 127.0.0.1:PORT until it is interrupted
 *     echo         tries itself, with a patience of 100 ms
 *
 * prints, when it tries itself
 *
 *     polite: hello comes back
 *     greedy: 8388608 bytes come back
 *     silent: is dropped
 *     server: canceled, 3 connections
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "adapters/epoll.h"
#include "async_gather.h"

enum { CONNECTIONS = 4096, GREED = 8 * 1024 * 1024 };

static struct async_loop loop;
static struct async_flag interrupted;
static uint32_t patience_ms = 10 * 1000;

/* ---- a connection -------------------------------------------------------- */

struct connection {
    struct async_frame async;
    struct async_task task;
    struct async_timer timer;
    int fd;
    ssize_t size, sent;
    char buffer[4096];
    struct connection *next_free;
};

static struct connection connections[CONNECTIONS], *free_ones;
static struct async_semaphore places = {.permits = CONNECTIONS};
static int served;

static async connection(struct async_loop *loop, void *frame)
{
    struct connection *self = frame;

    async_begin(self);
    for (;;) {
        await(async_timeout(loop, &self->timer, patience_ms,
                            async_readable(loop, self->fd)));
        self->size = recv(self->fd, self->buffer, sizeof self->buffer, 0);
        if (self->size < 0 && errno == EAGAIN)
            continue;
        if (self->size <= 0)
            async_return();
        for (self->sent = 0; self->sent < self->size;) {
            ssize_t n = send(self->fd, self->buffer + self->sent,
                             (size_t)(self->size - self->sent), MSG_NOSIGNAL);

            if (n >= 0)
                self->sent += n;
            else if (errno == EAGAIN)
                await(async_timeout(loop, &self->timer, patience_ms,
                                    async_writable(loop, self->fd)));
            else
                async_return();
        }
    }
    async_finally();
    close(self->fd);
    served++;
    self->next_free = free_ones; /* taken after this step, its last */
    free_ones = self;
    async_release(loop, &places);
    async_end();
}

/* ---- the server ---------------------------------------------------------- */

struct server {
    struct async_frame async;
    struct async_task task;
    int fd;
};

static async server(struct async_loop *loop, void *frame)
{
    struct server *self = frame;
    struct connection *new;
    int fd;

    async_begin(self);
    for (;;) {
        await(async_acquire(loop, &places));
        do {
            await(async_readable(loop, self->fd));
            fd = accept(self->fd, NULL, NULL);
            if (fd < 0 && (errno == EMFILE || errno == ENFILE))
                await(async_sleep_ms(loop, 100)); /* until some are closed */
            else if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED)
                async_fail(-errno);
        } while (fd < 0);
        (void)fcntl(fd, F_SETFL, O_NONBLOCK);
        new = free_ones;
        free_ones = new->next_free;
        new->async = (struct async_frame){0};
        new->fd = fd;
        async_spawn(loop, &new->task, connection, new);
    }
    async_finally();
    close(self->fd);
    async_end();
}

static int listen_on(struct sockaddr_in *address)
{
    socklen_t size = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    if (fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        bind(fd, (struct sockaddr *)address, size) < 0 ||
        listen(fd, 1024) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
        getsockname(fd, (struct sockaddr *)address, &size) < 0)
        return -1;
    return fd;
}

static void on_interrupt(int number)
{
    (void)number;
    async_flag_set(&loop, &interrupted);
}

/* ---- clients, to try it -------------------------------------------------- */

struct client {
    struct async_frame async;
    struct async_task task;
    const char *text; /* NULL is greed, "" silence */
    struct sockaddr_in address;
    int fd;
    long sent, got;
    char buffer[4096];
};

static async client(struct async_loop *loop, void *frame)
{
    struct client *self = frame;
    long size = self->text ? (long)strlen(self->text) : GREED;
    ssize_t n = 0;

    async_begin(self);
    self->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (self->fd < 0 ||
        connect(self->fd, (struct sockaddr *)&self->address,
                sizeof self->address) < 0 ||
        fcntl(self->fd, F_SETFL, O_NONBLOCK) < 0)
        async_fail(-errno);
    memset(self->buffer, 'x', sizeof self->buffer);
    if (self->text)
        strcpy(self->buffer, self->text);
    do {
        while (self->sent < size && /* until the server takes no more */
               (n = send(self->fd, self->buffer,
                         (size_t)(size - self->sent < 4096 ? size - self->sent
                                                           : 4096),
                         MSG_NOSIGNAL)) > 0)
            self->sent += n;
        await(async_readable(loop, self->fd));
        while ((n = recv(self->fd, self->buffer, sizeof self->buffer, 0)) > 0)
            self->got += n;
    } while (n < 0 && errno == EAGAIN && self->got < size);
    async_finally();
    close(self->fd);
    async_end();
}

struct trial {
    struct async_frame async;
    struct client polite, greedy, silent;
};

static async trial(struct async_loop *loop, void *frame)
{
    struct trial *self = frame;

    async_begin(self);
    self->polite.text = "hello";
    self->silent.text = "";
    async_spawn(loop, &self->silent.task, client, &self->silent);
    async_spawn(loop, &self->greedy.task, client, &self->greedy);
    async_spawn(loop, &self->polite.task, client, &self->polite);
    await(async_join(loop, &self->polite.task));
    printf("polite: %.*s comes back\n", (int)self->polite.got,
           self->polite.buffer);
    await(async_join(loop, &self->greedy.task));
    printf("greedy: %ld bytes come back\n", self->greedy.got);
    await(async_join(loop, &self->silent.task));
    printf("silent: is dropped\n");
    async_flag_set(loop, &interrupted);
    async_end();
}

/* ---- the program --------------------------------------------------------- */

struct program {
    struct async_frame async;
    struct server server;
    struct trial trial;
    struct async_task trial_task;
    int tries;
    int status;
};

static async program(struct async_loop *loop, void *frame)
{
    struct program *self = frame;
    int i;

    async_begin(self);
    async_spawn(loop, &self->server.task, server, &self->server);
    if (self->tries)
        async_spawn(loop, &self->trial_task, trial, &self->trial);
    await(async_flag_wait(loop, &interrupted));
    async_cancel(loop, &self->server.task);
    async_catch(self->status, async_join(loop, &self->server.task));
    printf("server: %s, %d connections\n", async_strerror(self->status),
           served);
    for (i = 0; i < CONNECTIONS; i++)
        async_cancel(loop, &connections[i].task);
    async_end();
}

int main(int argc, char **argv)
{
    static struct program frame;
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct async_epoll host;
    struct async_task task = {0};
    int i;

    frame.tries = argc == 1;
    if (frame.tries)
        patience_ms = 100;
    else
        address.sin_port = htons((uint16_t)atoi(argv[1]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    frame.server.fd = listen_on(&address);
    if (frame.server.fd < 0 || async_epoll_start(&host, &loop) < 0) {
        perror("echo");
        return 1;
    }
    frame.trial.polite.address = frame.trial.greedy.address =
        frame.trial.silent.address = address;
    for (i = CONNECTIONS; i-- > 0; free_ones = &connections[i])
        connections[i].next_free = free_ones;
    (void)signal(SIGINT, on_interrupt);

    async_spawn(&loop, &task, program, &frame);
    while (async_alive(&loop))
        async_epoll_turn(&host);
    async_epoll_stop(&host);
    return 0;
}
