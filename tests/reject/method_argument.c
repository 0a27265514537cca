/* A method is called with its arguments in another order.
 * rejects gcc -std=c99 => makes pointer from integer
 * rejects clang -std=c99 => integer to pointer conversion
 * rejects tcc -DAO_USE_PTHREAD_DEFS => makes pointer from integer
 * rejects g++ -x c++ -std=c++11 => invalid conversion from
 * rejects clang++ -x c++ -std=c++11 => no matching function
 */
#include "async_thread_actor.h"

struct counter;
int count(struct counter *counter, int by);
ASYNC_WRAP_METHOD(int, count, struct counter *, counter, int, by)

async_status go(struct async_loop *loop, struct async_thread_actor *actor,
                struct count_call *call, struct counter *counter);
async_status go(struct async_loop *loop, struct async_thread_actor *actor,
                struct count_call *call, struct counter *counter)
{
#ifdef FIXED
    return count_async(loop, actor, call, counter, 5);
#else
    return count_async(loop, actor, call, 5, counter);
#endif
}
