/* What stands before async_begin() is done again in each step: a variable that
 * is changed later falls back to it. So does a parameter. Nobody warns.
 * misses gcc -std=c99 -O2 -Wall -Wextra -Wjump-misses-init
 * misses clang -std=c99 -O2 -Wall -Wextra -Wconditional-uninitialized
 * misses g++ -x c++ -std=c++11 -O2 -Wall -Wextra
 * misses clang++ -x c++ -std=c++11 -O2 -Wall -Wextra
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
    int value = 0;

    async_begin(self);
    value = read_pin();
    async_await_until(self->ready);
    write_pin(value);
    async_end();
}
