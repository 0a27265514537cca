/* A width of the time that no integer has.
 * rejects gcc -std=c99 => ASYNC_TIME_BITS is 8, 16, 32 or 64
 * rejects g++ -x c++ -std=c++11 => ASYNC_TIME_BITS is 8, 16, 32 or 64
 */
#ifdef FIXED
#define ASYNC_TIME_BITS 16
#else
#define ASYNC_TIME_BITS 24
#endif
#include "async_loop.h"

typedef async_time used;
