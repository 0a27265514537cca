/* Two async_begin() .. async_end() in one function.
 * rejects gcc -std=c99 => duplicate label .async_dispatch_.
 * rejects clang -std=c99 => redefinition of label 'async_dispatch_'
 * rejects g++ -x c++ -std=c++11 => duplicate label .async_dispatch_.
 * rejects clang++ -x c++ -std=c++11 => redefinition of label 'async_dispatch_'
 * rejects gcc -std=c99 -DASYNC_USE_LABELS => duplicate label .async_dispatch_.
 */
#include "async.h"

struct job {
    struct async_frame async;
    int ready;
};

async_status run(struct job *self);
async_status run(struct job *self)
{
    async_begin(self);
    async_await_until(self->ready);
    async_end();
#ifndef FIXED
    async_begin(self);
    async_await_until(self->ready);
    async_end();
#endif
}
