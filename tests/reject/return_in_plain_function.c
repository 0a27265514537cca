/* async_return() in a function that is no async one.
 * rejects gcc -std=c99 => .async_rc_. undeclared
 * rejects clang -std=c99 => undeclared identifier 'async_rc_'
 * rejects g++ -x c++ -std=c++11 => .async_rc_. was not declared
 */
#include "async.h"

struct job {
    struct async_frame async;
    int ready;
};

async_status run(struct job *self);
async_status run(struct job *self)
{
#ifdef FIXED
    async_begin(self);
    if (self->ready)
        async_return();
    async_end();
#else
    if (self->ready)
        async_return();
    return ASYNC_DONE;
#endif
}
