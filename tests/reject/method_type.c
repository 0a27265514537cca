/* The line names another type than the method takes.
 * rejects gcc -std=c99 => incompatible pointer type
 * rejects clang -std=c99 => incompatible function pointer types
 * rejects tcc -DAO_USE_PTHREAD_DEFS => incompatible pointer type
 * rejects g++ -x c++ -std=c++11 => invalid conversion from
 * rejects clang++ -x c++ -std=c++11 => cannot initialize a variable
 */
#include "async_thread_actor.h"

struct counter;
int count(struct counter *counter, long by);
#ifdef FIXED
ASYNC_WRAP_METHOD(int, count, struct counter *, counter, long, by)
#else
ASYNC_WRAP_METHOD(int, count, struct counter *, counter, int, by)
#endif

async_status go(struct async_loop *loop, struct async_thread_actor *actor,
                struct count_call *call, struct counter *counter);
async_status go(struct async_loop *loop, struct async_thread_actor *actor,
                struct count_call *call, struct counter *counter)
{
    return count_async(loop, actor, call, counter, 5);
}
