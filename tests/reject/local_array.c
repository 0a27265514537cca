/* An array, filled before an await and read behind it.
 * rejects gcc -std=c99 -O1 -Wall => uninitialized
 * rejects gcc -std=c99 -O1 -Wall -DASYNC_USE_LABELS => uninitialized
 * misses gcc -std=c99 -Og -Wall
 * misses clang -std=c99 -Wall -Wextra -Wconditional-uninitialized
 */
#include "async.h"

struct job {
    struct async_frame async;
    int ready;
    int values[2];
};

int read_pin(void);
void write_pin(int value);
async_status run(struct job *self);
async_status run(struct job *self)
{
#ifdef FIXED
    async_begin(self);
    self->values[0] = read_pin();
    async_await_until(self->ready);
    write_pin(self->values[0]);
#else
    int values[2];
    async_begin(self);
    values[0] = read_pin();
    async_await_until(self->ready);
    write_pin(values[0]);
#endif
    async_end();
}
