/* An adapter that needs Linux where there is none.
 * rejects gcc -std=c99 -U__linux__ => take poll.h, or see docs/embedding.md
 * rejects g++ -x c++ -std=c++11 -U__linux__ => take poll.h, or see
 * docs/embedding.md
 */
#ifdef FIXED
#include "adapters/poll.h"
#else
#include "adapters/onefd.h"
#endif

typedef async_time used;
