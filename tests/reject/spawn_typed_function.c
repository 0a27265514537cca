/* What is spawned takes its own frame instead of a void *.
 * rejects gcc -Werror=incompatible-pointer-types => incompatible pointer type
 * rejects clang -std=c99 => incompatible function pointer types
 * rejects g++ -x c++ -std=c++11 => invalid conversion
 * rejects clang++ -x c++ -std=c++11 => no matching function
 */
#include "async_loop.h"

struct job {
    struct async_frame async;
};

#ifdef FIXED
async_status run(struct async_loop *loop, void *frame);
#else
async_status run(struct async_loop *loop, struct job *self);
#endif
int start(struct async_loop *loop, struct async_task *task, struct job *job);
int start(struct async_loop *loop, struct async_task *task, struct job *job)
{
    return async_spawn(loop, task, run, job);
}
