/* test_future_store.c: the same where a byte can only be stored: one core, and
 * interrupts, which here are signals. No threads.
 * SPDX-License-Identifier: MIT
 */
#undef __GCC_HAVE_SYNC_COMPARE_AND_SWAP_1
#define ASYNC_FUTURE_POSTS_ 0
#define FUTURE_BY_STORE
#include "test_future.c"
