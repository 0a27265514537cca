/* own_pipe.h: something of the host's own that becomes readable later.
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNC_TESTS_HOSTS_OWN_PIPE_H
#define ASYNC_TESTS_HOSTS_OWN_PIPE_H

#include "conformance.h"

static struct {
    int fds[2];
    void (*fn)(void);
    pthread_t thread;
} own;

static void *own_write(void *arg)
{
    (void)usleep(PAUSE_US);
    if (write(own.fds[1], "", 1) != 1)
        abort();
    return arg;
}

static void host_later(void (*fn)(void))
{
    own.fn = fn;
    if (pthread_create(&own.thread, NULL, own_write, NULL) != 0)
        abort();
}

static void own_open(void)
{
    if (pipe(own.fds) < 0)
        abort();
}

/* It is readable. */
static void own_read(void)
{
    char byte;

    if (read(own.fds[0], &byte, 1) != 1)
        abort();
    (void)pthread_join(own.thread, NULL);
    own.fn();
}

#endif /* ASYNC_TESTS_HOSTS_OWN_PIPE_H */
