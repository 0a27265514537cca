/* A method is sent an argument of another type.
 * rejects gcc -std=c99 => incompatible pointer type
 * rejects clang -std=c99 => incompatible pointer types
 * rejects tcc -DAO_USE_PTHREAD_DEFS => incompatible pointer type
 * rejects g++ -x c++ -std=c++11 => cannot convert
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
    return count_send(loop, actor, call, counter, 5);
#else
    return count_send(loop, actor, call, actor, 5);
#endif
}
