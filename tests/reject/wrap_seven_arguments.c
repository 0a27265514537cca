/* More arguments than a line can name.
 * rejects gcc -std=c99 => async_wrap_takes_6_arguments_at_the_most
 * rejects clang -std=c99 => async_wrap_takes_6_arguments_at_the_most
 * rejects tcc -DAO_USE_PTHREAD_DEFS => invalid array size
 * rejects g++ -x c++ -std=c++11 => async_wrap_takes_6_arguments_at_the_most
 * rejects clang++ -x c++ -std=c++11 => async_wrap_takes_6_arguments_at_the_most
 */
#include "async_wrap.h"

int calc(int a, int b, int c, int d, int e, int f);
int calc_7(int a, int b, int c, int d, int e, int f, int g);
#ifdef FIXED
ASYNC_WRAP(int, calc, int, a, int, b, int, c, int, d, int, e, int, f)
#else
ASYNC_WRAP(int, calc_7, int, a, int, b, int, c, int, d, int, e, int, f, int, g)
#endif

async_status go(struct async_loop *loop, struct calc_call *call);
async_status go(struct async_loop *loop, struct calc_call *call)
{
    return calc_task(loop, call);
}
