/* A frame that has no member `async`.
 * rejects gcc -std=c99 => has no member named .async.
 * rejects clang -std=c99 => no member named 'async'
 * rejects g++ -x c++ -std=c++11 => has no member named .async.
 * rejects clang++ -x c++ -std=c++11 => no member named 'async'
 */
#include "async.h"

struct job {
#ifdef FIXED
    struct async_frame async;
#else
    struct async_frame frame;
#endif
    int ready;
};

async_status run(struct job *self);
async_status run(struct job *self)
{
    async_begin(self);
    async_await_until(self->ready);
    async_end();
}
