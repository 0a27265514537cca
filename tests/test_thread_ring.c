/* test_thread_ring.c: async_thread.h's promises, with a ring for one job: the
 * others are queued behind it.
 * SPDX-License-Identifier: MIT
 */
#define ASYNC_RING 1
#include "test_thread.c"
