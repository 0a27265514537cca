/* A call is prepared with an argument of another type.
 * rejects gcc -std=c99 => makes integer from pointer
 * rejects clang -std=c99 => pointer to integer conversion
 * rejects tcc -DAO_USE_PTHREAD_DEFS => makes integer from pointer
 * rejects g++ -x c++ -std=c++11 => invalid conversion from
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
    return calc_task(loop, calc_prepare(call, executor, 5));
#else
    return calc_task(loop, calc_prepare(call, executor, call));
#endif
}
