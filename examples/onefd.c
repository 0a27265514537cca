/* onefd.c: all tasks behind one descriptor, in any loop that can watch one;
 * here select(2), beside a descriptor of its own. Linux.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. onefd.c -o onefd
 *
 * prints
 *
 *     task: sends 0
 *     loop: reads 0
 *     task: sends 1
 *     loop: reads 1
 *     task: sends 2
 *     loop: reads 2
 */
#include <stdio.h>
#include <sys/select.h>

#include "adapters/onefd.h"

struct sender {
    struct async_frame async;
    int fd;
    char i;
};

static async sender(struct async_loop *loop, void *frame)
{
    struct sender *self = frame;

    async_begin(self);
    for (self->i = '0'; self->i < '3'; self->i++) {
        printf("task: sends %c\n", self->i);
        if (write(self->fd, &self->i, 1) != 1)
            async_fail(-errno);
        await(async_sleep_ms(loop, 50));
    }
    async_end();
}

int main(void)
{
    static struct async_loop loop;
    static struct async_task task;
    static struct sender frame;
    struct async_onefd host;
    int ends[2];

    if (pipe(ends) < 0 || async_onefd_start(&host, &loop) < 0)
        return 1;
    frame.fd = ends[1];
    async_spawn(&loop, &task, sender, &frame);

    while (async_alive(&loop)) {
        fd_set set;
        char byte;

        FD_ZERO(&set);
        FD_SET(host.fd, &set);
        FD_SET(ends[0], &set);
        if (select((host.fd > ends[0] ? host.fd : ends[0]) + 1, &set, NULL,
                   NULL, NULL) < 0)
            return 1;
        if (FD_ISSET(ends[0], &set) && read(ends[0], &byte, 1) == 1)
            printf("loop: reads %c\n", byte);
        if (FD_ISSET(host.fd, &set))
            async_onefd_turn(&host);
    }

    async_onefd_stop(&host);
    return async_unjoined(&loop) < 0;
}
