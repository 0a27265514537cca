/* A loop that awaits and counts in a local variable.
 * rejects gcc -std=c99 -Wjump-misses-init => switch jumps over
 * rejects clang -std=c99 -Wall -Wconditional-uninitialized => uninitialized
 * rejects clang -Wall -Wconditional-uninitialized -DASYNC_USE_LABELS => uninitialized
 * rejects g++ -x c++ -std=c++11 => jump to case label
 * rejects clang++ -x c++ -std=c++11 => cannot jump from switch
 * misses gcc -std=c99 -O2 -Wall -Wextra
 * misses gcc -std=c99 -O2 -Wall -Wextra -Wjump-misses-init -DASYNC_USE_LABELS
 */
#include "async.h"

struct job {
    struct async_frame async;
    int i;
};

void write_pin(int value);
async_status run(struct job *self);
async_status run(struct job *self)
{
    async_begin(self);
#ifdef FIXED
    for (self->i = 0; self->i < 3; self->i++) {
        write_pin(self->i);
        async_yield();
    }
#else
    for (int i = 0; i < 3; i++) {
        write_pin(i);
        async_yield();
    }
#endif
    async_end();
}
