/* A wrapped call is handed too few arguments.
 * rejects gcc -std=c99 => too few arguments
 * rejects clang -std=c99 => too few arguments
 * rejects tcc -DAO_USE_PTHREAD_DEFS => too few arguments
 * rejects g++ -x c++ -std=c++11 => too few arguments
 * rejects clang++ -x c++ -std=c++11 => no matching function
 */
#include "async_wrap.h"

double calc(long n);
ASYNC_WRAP(double, calc, long, n)

async_status go(struct async_loop *loop, struct async_executor *executor,
                struct calc_call *call);
async_status go(struct async_loop *loop, struct async_executor *executor,
                struct calc_call *call)
{
#ifdef FIXED
    return calc_async(loop, executor, call, 5);
#else
    return calc_async(loop, executor, call);
#endif
}
