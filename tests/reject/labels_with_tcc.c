/* ASYNC_USE_LABELS where the compiler has no label addresses we can use.
 * rejects tcc => ASYNC_USE_LABELS needs gcc or clang
 * misses gcc -std=c99
 * misses clang -std=c99
 */
#ifndef FIXED
#define ASYNC_USE_LABELS
#endif
#include "async.h"

typedef async_status used;
