/* The smallest program that uses async.h. Prints "1 2 3 ASYNC_VERSION". */

#include <stdio.h>
#ifdef INSTALLED_STYLE
#include <async_h/async.h>
#else
#include "async.h"
#endif

struct count {
    struct async_frame async;
    int i;
};

static async count(struct count *self)
{
    async_begin(self);
    for (self->i = 1; self->i <= 3; self->i++) {
        printf("%d ", self->i);
        async_yield();
    }
    async_end();
}

int main(void)
{
    struct count frame = {0};

    while (count(&frame) == ASYNC_PENDING) {
    }
    puts(ASYNC_VERSION);
    return 0;
}
