/* A local variable without an initializer, assigned before an await and read
 * behind it. C++ does not refuse this one: it warns as C does.
 * rejects gcc -std=c99 -O1 -Wall => uninitialized
 * rejects gcc -std=c99 -Os -Wall => uninitialized
 * rejects gcc -std=c99 -O2 -Wall -DASYNC_USE_LABELS => uninitialized
 * rejects g++ -x c++ -std=c++11 -O2 -Wall => uninitialized
 * rejects clang -std=c99 -Wconditional-uninitialized => uninitialized
 * rejects clang -Wconditional-uninitialized -DASYNC_USE_LABELS => uninitialized
 * rejects clang++ -x c++ -Wconditional-uninitialized => uninitialized
 * misses gcc -std=c99 -Wall -Wextra -Wjump-misses-init
 * misses clang -std=c99 -Wall -Wextra -Wsometimes-uninitialized
 * misses g++ -x c++ -std=c++11 -Wall
 * misses clang++ -x c++ -std=c++11 -Wall
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
#ifdef FIXED
    async_begin(self);
    self->value = read_pin();
    async_await_until(self->ready);
    write_pin(self->value);
#else
    int value;
    async_begin(self);
    value = read_pin();
    async_await_until(self->ready);
    write_pin(value);
#endif
    async_end();
}
