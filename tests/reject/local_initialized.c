/* A local variable with an initializer, read behind an await.
 * rejects gcc -std=c99 -Wjump-misses-init => switch jumps over
 * rejects gcc -std=c99 -O1 -Wall => uninitialized
 * rejects gcc -std=c99 -O2 -Wall => uninitialized
 * rejects gcc -std=c99 -O2 -Wall -DASYNC_USE_LABELS => uninitialized
 * rejects clang -std=c99 -Wconditional-uninitialized => uninitialized
 * rejects clang -Wconditional-uninitialized -DASYNC_USE_LABELS => uninitialized
 * rejects g++ -x c++ -std=c++11 => jump to case label
 * rejects clang++ -x c++ -std=c++11 => cannot jump from switch
 * rejects clang++ -x c++ -DASYNC_USE_LABELS => cannot jump from this ind
 * misses gcc -std=c99 -Wall -Wextra
 * misses gcc -std=c99 -Wjump-misses-init -DASYNC_USE_LABELS
 * misses clang -std=c99 -Wall -Wextra -Wsometimes-uninitialized
 * misses g++ -x c++ -std=c++11 -DASYNC_USE_LABELS
 */
#include "async.h"

struct job {
    struct async_frame async;
    int ready, value;
};

int read_pin(void);
void write_pin(int value);
async_status run(struct job *self);
async_status run(struct job *self)
{
    async_begin(self);
#ifdef FIXED
    self->value = read_pin();
    async_await_until(self->ready);
    write_pin(self->value);
#else
    int value = read_pin();
    async_await_until(self->ready);
    write_pin(value);
#endif
    async_end();
}
