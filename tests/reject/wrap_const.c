/* The line forgets that what an argument points to is const.
 * rejects gcc -std=c99 => incompatible pointer type
 * rejects clang -std=c99 => incompatible function pointer types
 * rejects tcc -DAO_USE_PTHREAD_DEFS => incompatible pointer type
 * rejects g++ -x c++ -std=c++11 => invalid conversion from
 * rejects clang++ -x c++ -std=c++11 => cannot initialize a variable
 */
#include "async_wrap.h"

long calc(const char *text);
#ifdef FIXED
ASYNC_WRAP(long, calc, const char *, text)
#else
ASYNC_WRAP(long, calc, char *, text)
#endif

async_status go(struct async_loop *loop, struct calc_call *call);
async_status go(struct async_loop *loop, struct calc_call *call)
{
    return calc_task(loop, call);
}
