/* Two awaits on one line, where the compiler can't count and lines have to do.
 * rejects gcc -std=c99 -DASYNC_NO_COUNTER_ => duplicate case value
 * rejects clang -std=c99 -DASYNC_NO_COUNTER_ => duplicate case value
 * rejects gcc -DASYNC_NO_COUNTER_ -DASYNC_USE_LABELS => duplicate label
 * rejects g++ -x c++ -std=c++11 -DASYNC_NO_COUNTER_ => duplicate case value
 * misses gcc -std=c99
 * misses gcc -std=c99 -DASYNC_USE_LABELS
 */
#include "async.h"

struct job {
    struct async_frame async;
    int ready, steady;
};

async_status run(struct job *self);
async_status run(struct job *self)
{
    async_begin(self);
#ifdef FIXED
    async_await_until(self->ready);
    async_await_until(self->steady);
#else
    /* clang-format off */
    async_await_until(self->ready); async_await_until(self->steady);
    /* clang-format on */
#endif
    async_end();
}
