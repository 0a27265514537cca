/* listen.h: the listening socket of the echo servers of ours and of the limit,
 * with as many descriptors as the system allows. PEER is the program's name.
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_LISTEN_H
#define BENCH_LISTEN_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

static void fail(const char *what)
{
    fprintf(stderr, PEER ": %s: %s\n", what, strerror(errno));
    exit(1);
}

static int listen_on(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct rlimit files;
    int fd, one = 1;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    address.sin_port = htons((uint16_t)atoi(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail("bind");
    if (listen(fd, 1024) < 0)
        fail("listen");
    return fd;
}

#endif /* BENCH_LISTEN_H */
