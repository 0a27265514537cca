/* A radix that is too large.
 * rejects gcc -std=c99 => ASYNC_RADIX_BITS is 1 to 7
 * rejects g++ -x c++ -std=c++11 => ASYNC_RADIX_BITS is 1 to 7
 */
#ifdef FIXED
#define ASYNC_RADIX_BITS 7
#else
#define ASYNC_RADIX_BITS 8
#endif
#include "async_loop.h"

typedef async_time used;
