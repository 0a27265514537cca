/* A function without a result is wrapped as if it had one.
 * rejects gcc -std=c99 => result. declared void
 * rejects clang -std=c99 => incomplete type .void
 * rejects tcc -DAO_USE_PTHREAD_DEFS => invalid type for .result
 * rejects g++ -x c++ -std=c++11 => result. declared void
 * rejects clang++ -x c++ -std=c++11 => incomplete type .void
 */
#include "async_wrap.h"

void calc(long n);
#ifdef FIXED
ASYNC_WRAP_VOID(calc, long, n)
#else
ASYNC_WRAP(void, calc, long, n)
#endif

async_status go(struct async_loop *loop, struct calc_call *call);
async_status go(struct async_loop *loop, struct calc_call *call)
{
    return calc_task(loop, call);
}
