/* hello.c: one task that prints, waits without blocking, and prints again.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. hello.c -o hello
 *
 * prints
 *
 *     hello
 *     world
 */
#include <stdio.h>

#include "async_loop.h"

struct hello {
    struct async_frame async;
};

static async hello(struct async_loop *loop, void *frame)
{
    struct hello *self = frame;

    async_begin(self);
    printf("hello\n");
    await(async_sleep_ms(loop, 200));
    printf("world\n");
    async_end();
}

int main(void)
{
    struct async_loop loop = {0};
    struct hello frame = {0};

    return async_run(&loop, hello, &frame) < 0;
}
