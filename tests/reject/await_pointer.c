/* What is awaited is a frame instead of the call that steps it.
 * rejects gcc -std=c99 => makes integer from pointer without a cast
 * rejects clang -std=c99 => incompatible pointer
 * rejects g++ -x c++ -std=c++11 => invalid conversion from
 * rejects clang++ -x c++ -std=c++11 => incompatible pointer
 */
#include "async.h"

struct child {
    struct async_frame async;
};

struct job {
    struct async_frame async;
    struct child child;
};

async_status step(struct child *self);
async_status run(struct job *self);
async_status run(struct job *self)
{
    async_begin(self);
#ifdef FIXED
    async_await(step(&self->child));
#else
    async_await(&self->child);
#endif
    async_end();
}
