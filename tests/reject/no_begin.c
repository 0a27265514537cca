/* An async function without its async_begin().
 * rejects gcc -std=c99 => .async_rc_. undeclared
 * rejects clang -std=c99 => undeclared identifier 'async_rc_'
 * rejects g++ -x c++ -std=c++11 => .async_rc_. was not declared
 * rejects clang++ -x c++ -std=c++11 => undeclared identifier 'async_rc_'
 * rejects gcc -std=c99 -DASYNC_USE_LABELS => .async_rc_. undeclared
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
#endif
    async_await_until(self->ready);
    async_end();
}
