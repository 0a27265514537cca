/* The line names fewer arguments than the function takes.
 * rejects gcc -std=c99 => incompatible pointer type
 * rejects clang -std=c99 => incompatible function pointer types
 * rejects tcc -DAO_USE_PTHREAD_DEFS => incompatible pointer type
 * rejects g++ -x c++ -std=c++11 => invalid conversion from
 * rejects clang++ -x c++ -std=c++11 => cannot initialize a variable
 */
#include "async_wrap.h"

long calc(long n, long m);
#ifdef FIXED
ASYNC_WRAP(long, calc, long, n, long, m)
#else
ASYNC_WRAP(long, calc, long, n)
#endif

async_status go(struct async_loop *loop, struct calc_call *call);
async_status go(struct async_loop *loop, struct calc_call *call)
{
    return calc_task(loop, call);
}
