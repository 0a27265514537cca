/* A call of one function is awaited as that of another.
 * rejects gcc -std=c99 => incompatible pointer type
 * rejects clang -std=c99 => incompatible pointer types
 * rejects tcc -DAO_USE_PTHREAD_DEFS => incompatible pointer type
 * rejects g++ -x c++ -std=c++11 => cannot convert
 * rejects clang++ -x c++ -std=c++11 => no matching function
 */
#include "async_wrap.h"

double calc(long n);
double guess(long n);
ASYNC_WRAP(double, calc, long, n)
ASYNC_WRAP(double, guess, long, n)

async_status go(struct async_loop *loop, struct async_executor *executor,
                struct calc_call *call);
async_status go(struct async_loop *loop, struct async_executor *executor,
                struct calc_call *call)
{
#ifdef FIXED
    return calc_async(loop, executor, call, 5);
#else
    return guess_async(loop, executor, call, 5);
#endif
}
