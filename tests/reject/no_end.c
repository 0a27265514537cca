/* An async function without its async_end().
 * rejects gcc -std=c99 => expected .* at end of input
 * rejects clang -std=c99 => expected '}'
 * rejects g++ -x c++ -std=c++11 => expected .*}.* at end of input
 * rejects clang++ -x c++ -std=c++11 => expected '}'
 * rejects gcc -std=c99 -DASYNC_USE_LABELS => expected .* at end of input
 * rejects tcc => identifier expected
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
#ifdef FIXED
    async_end();
#endif
}
