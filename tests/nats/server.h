/* server.h: a real nats-server for a test, on a free port of 127.0.0.1.
 * SPDX-License-Identifier: MIT
 *
 * It is ended by its own process id, or by the kernel when the thread that
 * started it ends. What it says goes to $NATS_DIR/server-PORT.log; what it
 * stores, and the certificates that tests/nats/run has made, are there too.
 * Include behind cmocka.h: what goes wrong fails the test.
 */
#ifndef ASYNC_TESTS_NATS_SERVER_H
#define ASYNC_TESTS_NATS_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#ifndef SERVER_FAILS_ /* a program without cmocka has its own */
#define SERVER_FAILS_(...) fail_msg(__VA_ARGS__)
#endif

/* Yours; all-zero to start with. */
struct server {
    pid_t pid; /* 0: it does not run */
    int port;  /* chosen at the first start, kept by those that follow */
    char url[64];
};

/* Where files may be written. */
static inline const char *server_dir(void)
{
    const char *dir = getenv("NATS_DIR");

    if (!dir)
        SERVER_FAILS_("NATS_DIR is not set: run this by tests/nats/run");
    return dir ? dir : ".";
}

static inline void server_pause_(void)
{
    struct timespec ms = {0, 1000000};

    (void)nanosleep(&ms, NULL);
}

/* Connected, or bound if `bound`, to a port of 127.0.0.1; -1: it could not. */
static inline int server_socket_(int port, int bound)
{
    struct sockaddr_in at;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0), error;

    memset(&at, 0, sizeof at);
    at.sin_family = AF_INET;
    at.sin_port = htons((uint16_t)port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    error = bound ? bind(fd, (struct sockaddr *)&at, sizeof at)
                  : connect(fd, (struct sockaddr *)&at, sizeof at);
    if (error && fd >= 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/* A free port that the kernel gives nobody by itself: a client that tries to
 * connect again and again, while the server is away, could get it and be
 * connected to itself. */
static inline int server_port_(void)
{
    static unsigned seed;
    int fd = -1, port = 0;

    if (!seed)
        seed = (unsigned)getpid() * 2654435761u ^ (unsigned)time(NULL);
    while (fd < 0) {
        seed = seed * 1664525u + 1013904223u;
        port = 20000 + (int)(seed >> 8) % 12000;
        fd = server_socket_(port, 1);
    }
    (void)close(fd);
    return port;
}

/* Whether it greets. */
static inline int server_greets_(int port)
{
    char greeting[4];
    int fd = server_socket_(port, 0);
    ssize_t got;

    if (fd < 0)
        return 0;
    got = recv(fd, greeting, sizeof greeting, MSG_WAITALL);
    (void)close(fd);
    return got == 4 && memcmp(greeting, "INFO", 4) == 0;
}

/* 1: it greets. 0: it has ended instead, or does not come up in 10 s. */
static inline int server_comes_up_(struct server *server)
{
    int tries, status;

    for (tries = 0; tries < 10000; tries++) {
        if (waitpid(server->pid, &status, WNOHANG) == server->pid) {
            server->pid = 0;
            return 0;
        }
        if (server_greets_(server->port))
            return 1;
        server_pause_();
    }
    return 0;
}

/* Starts one with these arguments besides, up to a NULL, and waits until it
 * greets. NULL: none. From the main thread. */
static inline void server_start(struct server *server,
                                const char *const *arguments)
{
    enum { OWN = 5, MOST = 24 };
    char port[16], log[512];
    const char *argv[MOST] = {"nats-server", "-a", "127.0.0.1", "-p", port};
    int i, is_new = server->port == 0;
    int tries = is_new ? 5 : 1; /* somebody else may take a new port */

    for (i = 0; arguments && arguments[i] && i < MOST - OWN - 1; i++)
        argv[OWN + i] = arguments[i];
    do {
        if (is_new)
            server->port = server_port_();
        (void)snprintf(port, sizeof port, "%d", server->port);
        (void)snprintf(server->url, sizeof server->url, "nats://127.0.0.1:%d",
                       server->port);
        (void)snprintf(log, sizeof log, "%s/server-%d.log", server_dir(),
                       server->port);
        server->pid = fork();
        if (server->pid == 0) {
            int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

#ifdef __linux__
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
            (void)dup2(fd, 1);
            (void)dup2(fd, 2);
            (void)execvp(argv[0], (char *const *)argv);
            _exit(127);
        }
        if (server->pid > 0 && server_comes_up_(server))
            return;
    } while (--tries > 0);
    SERVER_FAILS_("nats-server does not start: see %s", log);
}

/* Ends it by a signal, and waits for that. Nothing if it does not run. */
static inline void server_end_(struct server *server, int signal)
{
    int status;

    if (server->pid <= 0)
        return;
    (void)kill(server->pid, signal);
    (void)waitpid(server->pid, &status, 0);
    server->pid = 0;
}

/* At once, and nothing is said to anybody: as a crash does. */
static inline void server_kill(struct server *server)
{
    server_end_(server, SIGKILL);
}

/* By its own shutdown. */
static inline void server_stop(struct server *server)
{
    server_end_(server, SIGTERM);
}

/* The path of a file in NATS_DIR, in a buffer that the next fourth call uses
 * again. */
static inline const char *server_file(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];

    (void)snprintf(path, sizeof paths[0], "%s/%s", server_dir(), name);
    return path;
}

#endif /* ASYNC_TESTS_NATS_SERVER_H */
