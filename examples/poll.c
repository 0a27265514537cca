/* poll.c: tasks in a poll(2) loop of your own, beside its own descriptors.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. poll.c -o poll
 *
 * prints
 *
 *     task: asks 1
 *     loop: answers
 *     task: asks 2
 *     loop: answers
 *     task: has 2 answers
 */
#include <stdio.h>
#include <sys/socket.h>

#include "adapters/poll.h"

struct asker {
    struct async_frame async;
    int fd;
    int answers;
    char byte;
};

static async asker(struct async_loop *loop, void *frame)
{
    struct asker *self = frame;

    async_begin(self);
    while (self->answers < 2) {
        printf("task: asks %d\n", self->answers + 1);
        if (write(self->fd, "?", 1) != 1)
            async_fail(-errno);
        await(async_readable(loop, self->fd));
        if (read(self->fd, &self->byte, 1) != 1)
            async_fail(-errno);
        self->answers++;
    }
    printf("task: has %d answers\n", self->answers);
    async_end();
}

static void answer(int fd)
{
    char byte;

    if (read(fd, &byte, 1) == 1) {
        printf("loop: answers\n");
        (void)!write(fd, "!", 1);
    }
}

int main(void)
{
    static struct async_loop loop;
    static struct async_task task;
    static struct asker frame;
    struct async_pollset host;
    struct pollfd fds[1 + 8]; /* one is yours */
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 ||
        async_pollset_start(&host, fds + 1, 8, &loop) < 0)
        return 1;
    fds[0].fd = ends[0];
    fds[0].events = POLLIN;
    frame.fd = ends[1];
    async_spawn(&loop, &task, asker, &frame);

    while (async_alive(&loop)) {
        int ms = async_pollset_before(&host);

        if (poll(fds, 1 + host.count, ms) > 0 && fds[0].revents)
            answer(ends[0]);
        async_pollset_after(&host);
    }

    async_pollset_stop(&host);
    return async_unjoined(&loop) < 0;
}
