/* A queue is handed a pointer to an item of another type.
 * rejects gcc -std=c99 => pointer type mismatch
 * rejects gcc -std=c99 -O2 => pointer type mismatch
 * rejects clang -std=c99 => pointer type mismatch
 * rejects g++ -x c++ -std=c++11 => between distinct pointer types
 * rejects clang++ -x c++ -std=c++11 => incompatible operand types
 * rejects tcc => pointer type mismatch
 */
#include "async_queue.h"

struct numbers {
    struct async_queue async;
    int items[8];
};

#ifdef FIXED
typedef int number;
#else
typedef long number;
#endif
async_status put(struct async_loop *loop, struct numbers *to, number *value);
async_status put(struct async_loop *loop, struct numbers *to, number *value)
{
    return async_try_put(loop, to, value);
}
