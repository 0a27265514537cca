/* A result is taken for what it is not.
 * rejects gcc -std=c99 => incompatible types when returning
 * rejects clang -std=c99 => incompatible result type
 * rejects tcc -DAO_USE_PTHREAD_DEFS => cannot convert
 * rejects g++ -x c++ -std=c++11 => cannot convert
 * rejects clang++ -x c++ -std=c++11 => no viable conversion
 */
#include "async_wrap.h"

struct point {
    int x, y;
};
struct point place(int n);
ASYNC_WRAP(struct point, place, int, n)

int where(const struct place_call *call);
int where(const struct place_call *call)
{
#ifdef FIXED
    return call->result.x;
#else
    return call->result;
#endif
}
