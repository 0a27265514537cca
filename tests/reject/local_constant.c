/* The same with a constant: gcc takes it that what has one value or none has
 * that value, and says nothing without -Wjump-misses-init.
 * rejects gcc -std=c99 -Wjump-misses-init => switch jumps over
 * rejects clang -std=c99 -Wconditional-uninitialized => uninitialized
 * rejects g++ -x c++ -std=c++11 => jump to case label
 * misses gcc -std=c99 -O2 -Wall -Wextra
 */
#include "async.h"

struct job {
    struct async_frame async;
    int ready;
};

void write_pin(int value);
async_status run(struct job *self);
async_status run(struct job *self)
{
    async_begin(self);
#ifdef FIXED
    {
        int value = 7;
        write_pin(value);
    }
    async_await_until(self->ready);
#else
    int value = 7;
    async_await_until(self->ready);
    write_pin(value);
#endif
    async_end();
}
