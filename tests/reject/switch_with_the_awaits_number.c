/* An await in a switch of the user's that has a case with the await's number.
 * Any other such await is found when it is resumed.
 * rejects gcc -std=c99 => duplicate case value
 * rejects clang -std=c99 => duplicate case value
 * rejects g++ -x c++ -std=c++11 => duplicate case value
 * misses gcc -std=c99 -DASYNC_USE_LABELS
 */
#include "async.h"

struct job {
    struct async_frame async;
    int ready, kind;
};

async_status run(struct job *self);
async_status run(struct job *self)
{
    async_begin(self);
#ifdef FIXED
    if (self->kind == 2)
        async_await_until(self->ready);
#else
    switch (self->kind) {
    case 2:
        async_await_until(self->ready);
        break;
    default:
        break;
    }
#endif
    async_end();
}
