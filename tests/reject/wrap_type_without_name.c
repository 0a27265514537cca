/* An argument has no name.
 * rejects gcc -std=c99 => takes_a_type_and_a_name
 * rejects clang -std=c99 => takes_a_type_and_a_name
 * rejects tcc -DAO_USE_PTHREAD_DEFS => invalid array size
 * rejects g++ -x c++ -std=c++11 => takes_a_type_and_a_name
 * rejects clang++ -x c++ -std=c++11 => takes_a_type_and_a_name
 */
#include "async_wrap.h"

long calc(long n);
#ifdef FIXED
ASYNC_WRAP(long, calc, long, n)
#else
ASYNC_WRAP(long, calc, long)
#endif

async_status go(struct async_loop *loop, struct calc_call *call);
async_status go(struct async_loop *loop, struct calc_call *call)
{
    return calc_task(loop, call);
}
