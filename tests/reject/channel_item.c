/* An item of another type than the channel's.
 * rejects gcc -std=c99 => pointer type mismatch
 * rejects clang -std=c99 => pointer type mismatch
 * rejects tcc -DAO_USE_PTHREAD_DEFS => pointer target type|type mismatch
 * rejects clang++ -x c++ -std=c++11 => incompatible operand types
 */
#include "async_channel.h"

struct numbers {
    struct async_channel async;
    int items[4];
};

#ifdef FIXED
typedef int item;
#else
typedef long item;
#endif

int send_it(struct numbers *numbers, item *value);

int send_it(struct numbers *numbers, item *value)
{
    return async_channel_try_send(numbers, value);
}
